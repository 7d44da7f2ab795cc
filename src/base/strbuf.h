/* strbuf: bytes that grow. Owns its storage: on the heap (strbuf_deinit frees) or in an arena (nothing to free).
 * Always NUL-terminated behind len once something was appended. */
#pragma once
#include "base/slice.h"
#include <stdarg.h>

struct strbuf {
    char *ptr;
    size_t len;
    size_t cap;
    struct arena *arena; /* NULL: heap */
};

#define STRBUF_HEAP ((struct strbuf){0})
#define STRBUF_ARENA(a) ((struct strbuf){.arena = (a)})

void strbuf_deinit(struct strbuf *buf); /* heap: frees; arena: forgets */
void strbuf_reserve(struct strbuf *buf, size_t more_bytes);
void strbuf_append(struct strbuf *buf, struct slice s);
void strbuf_append_bytes(struct strbuf *buf, const void *bytes, size_t len);
void strbuf_append_cstr(struct strbuf *buf, const char *text);
void strbuf_append_char(struct strbuf *buf, char c);
void strbuf_append_i64(struct strbuf *buf, int64_t value);
void strbuf_append_u64(struct strbuf *buf, uint64_t value);
void strbuf_append_fmt(struct strbuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_append_vfmt(struct strbuf *buf, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
void strbuf_truncate(struct strbuf *buf, size_t len);
void strbuf_consume(struct strbuf *buf, size_t len); /* drops len bytes from the front */
struct slice strbuf_slice(const struct strbuf *buf); /* borrowed until the next change; never absent */
