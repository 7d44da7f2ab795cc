#include "base/err.h"
#include "base/arena.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *format_text(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    size_t len = n > 0 ? (size_t)n : 0;
    char *text = xmalloc(len + 1);
    text[0] = 0;
    vsnprintf(text, len + 1, format, again);
    va_end(again);
    return text;
}

struct err *err_new_at(const char *file, int line, enum err_kind kind, const char *code, const char *format, ...)
{
    struct err *e = xcalloc(1, sizeof(*e));
    e->kind = kind;
    e->code = code;
    e->file = file;
    e->line = line;
    va_list args;
    va_start(args, format);
    e->message = format_text(format, args);
    va_end(args);
    return e;
}

static enum err_kind kind_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ESRCH:
        return ERR_NOT_FOUND;
    case EEXIST:
    case EADDRINUSE:
    case ENOTEMPTY:
        return ERR_CONFLICT;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EFBIG:
        return ERR_LIMIT;
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return ERR_UNAVAILABLE;
    default:
        return ERR_INTERNAL;
    }
}

struct err *err_errno_at(const char *file, int line, int error_number, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    _cleanup_(freep) char *what = format_text(format, args);
    va_end(args);
    char reason[128];
    struct err *e = err_new_at(file, line, kind_of_errno(error_number), NULL, "%s: %s", what,
                      strerror_r(error_number, reason, sizeof(reason)));
    e->no_space = error_number == ENOSPC || error_number == EDQUOT;
    return e;
}

struct err *err_wrap(struct err *e, const char *format, ...)
{
    if (!e)
        return NULL;
    va_list args;
    va_start(args, format);
    _cleanup_(freep) char *what = format_text(format, args);
    va_end(args);
    size_t len = strlen(what) + strlen(e->message) + 3;
    char *text = xmalloc(len);
    snprintf(text, len, "%s: %s", what, e->message);
    free(e->message);
    e->message = text;
    return e;
}

void err_free(struct err *e)
{
    if (!e)
        return;
    if (e->detail && e->detail_free)
        e->detail_free(e->detail);
    free(e->message);
    free(e);
}

void err_freep(struct err **e)
{
    err_free(*e);
    *e = NULL;
}

struct slice err_message(const struct err *e)
{
    return e ? slice_from_cstr(e->message) : SLICE_NONE;
}

bool err_has_code(const struct err *e, const char *code)
{
    return e && e->code && strcmp(e->code, code) == 0;
}
