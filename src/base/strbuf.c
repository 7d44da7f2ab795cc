#include "base/strbuf.h"
#include "base/arena.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strbuf_deinit(struct strbuf *buf)
{
    if (!buf->arena)
        free(buf->ptr);
    *buf = (struct strbuf){.arena = buf->arena};
}

void strbuf_reserve(struct strbuf *buf, size_t more_bytes)
{
    size_t need;
    if (__builtin_add_overflow(buf->len, more_bytes, &need) || __builtin_add_overflow(need, (size_t)1, &need))
        need = SIZE_MAX; /* the allocator ends the process */
    if (need <= buf->cap)
        return;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < need) {
        if (__builtin_mul_overflow(cap, (size_t)2, &cap)) {
            cap = need;
            break;
        }
    }
    if (buf->arena) {
        char *fresh = arena_alloc(buf->arena, cap);
        if (buf->len)
            memcpy(fresh, buf->ptr, buf->len);
        buf->ptr = fresh;
    } else {
        buf->ptr = xrealloc(buf->ptr, cap);
    }
    buf->cap = cap;
    buf->ptr[buf->len] = 0;
}

void strbuf_append_bytes(struct strbuf *buf, const void *bytes, size_t len)
{
    strbuf_reserve(buf, len);
    if (len)
        memcpy(buf->ptr + buf->len, bytes, len);
    buf->len += len;
    buf->ptr[buf->len] = 0;
}

void strbuf_append(struct strbuf *buf, struct slice s)
{
    strbuf_append_bytes(buf, s.ptr, s.len);
}

void strbuf_append_cstr(struct strbuf *buf, const char *text)
{
    strbuf_append_bytes(buf, text, strlen(text));
}

void strbuf_append_char(struct strbuf *buf, char c)
{
    strbuf_append_bytes(buf, &c, 1);
}

void strbuf_append_u64(struct strbuf *buf, uint64_t value)
{
    char digits[20];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    strbuf_append_bytes(buf, digits + n, sizeof(digits) - n);
}

void strbuf_append_i64(struct strbuf *buf, int64_t value)
{
    if (value < 0)
        strbuf_append_char(buf, '-');
    strbuf_append_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void strbuf_append_vfmt(struct strbuf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n > 0) {
        strbuf_reserve(buf, (size_t)n);
        vsnprintf(buf->ptr + buf->len, (size_t)n + 1, format, again);
        buf->len += (size_t)n;
    }
    va_end(again);
}

void strbuf_append_fmt(struct strbuf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_append_vfmt(buf, format, args);
    va_end(args);
}

void strbuf_truncate(struct strbuf *buf, size_t len)
{
    if (len < buf->len) {
        buf->len = len;
        buf->ptr[len] = 0;
    }
}

void strbuf_consume(struct strbuf *buf, size_t len)
{
    if (len >= buf->len) {
        strbuf_truncate(buf, 0);
        return;
    }
    if (len == 0)
        return;
    memmove(buf->ptr, buf->ptr + len, buf->len - len);
    strbuf_truncate(buf, buf->len - len);
}

struct slice strbuf_slice(const struct strbuf *buf)
{
    return slice_of(buf->ptr ? buf->ptr : "", buf->len);
}
