/* err: the one return value of everything that can fail. NULL is success. Whoever stops passing it up frees it
 * (err_free) or logs it. Conditions (the first five kinds) are part of a function's contract; failures (the last two)
 * are never matched on, except that ERR_UNAVAILABLE may be retried. */
#pragma once
#include "base/slice.h"
#include <stdarg.h>

enum err_kind {
    ERR_INVALID,     /* the caller's input */
    ERR_NOT_FOUND,
    ERR_CONFLICT,
    ERR_DENIED,
    ERR_LIMIT,
    ERR_UNAVAILABLE, /* something outside did not answer; may be tried again */
    ERR_INTERNAL,
};

struct err {
    enum err_kind kind;
    bool no_space;       /* ERR_LIMIT since a disk or quota is full: it passes when there is room again */
    int status;          /* HTTP status where the protocol fixes one, else 0 */
    const char *code;    /* wire name (AWS error code, Kubernetes reason), static storage, or NULL */
    const char *file;    /* where it began */
    int line;
    char *message;       /* owned */
    void *detail;        /* for the module that made it (AWS error members, Kubernetes details); freed by detail_free */
    void (*detail_free)(void *detail);
};

#define NODISCARD __attribute__((warn_unused_result))

struct err *err_new_at(const char *file, int line, enum err_kind kind, const char *code, const char *format, ...)
    __attribute__((format(printf, 5, 6), returns_nonnull)) NODISCARD;
struct err *err_errno_at(const char *file, int line, int error_number, const char *format, ...)
    __attribute__((format(printf, 4, 5), returns_nonnull)) NODISCARD;

/* err_new(ERR_NOT_FOUND, "no cluster %.*s", SLICE_ARG(name)) */
#define err_new(kind, ...) err_new_at(__FILE__, __LINE__, (kind), NULL, __VA_ARGS__)
/* With a wire name: err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "Virtual cluster %.*s doesn't exist.", …) */
#define err_code(kind, code, ...) err_new_at(__FILE__, __LINE__, (kind), (code), __VA_ARGS__)
/* From errno: the message gets ": No such file or directory". ENOENT is ERR_NOT_FOUND, EEXIST ERR_CONFLICT,
 * EACCES/EPERM ERR_DENIED, ENOSPC/EDQUOT ERR_LIMIT (and no_space), ETIMEDOUT/ECONNREFUSED/… ERR_UNAVAILABLE, else ERR_INTERNAL. */
#define err_errno(number, ...) err_errno_at(__FILE__, __LINE__, (number), __VA_ARGS__)

/* Puts context in front: "while reading X: no such file". Takes and returns e; keeps kind and code. NULL stays NULL. */
struct err *err_wrap(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3))) NODISCARD;
void err_free(struct err *e);
void err_freep(struct err **e);
struct slice err_message(const struct err *e); /* borrowed */
bool err_has_code(const struct err *e, const char *code);

#define TRY(expression)                                                                                                        \
    do {                                                                                                                       \
        struct err *try_err_ = (expression);                                                                                   \
        if (try_err_)                                                                                                          \
            return try_err_;                                                                                                   \
    } while (0)
