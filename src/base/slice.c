#include "base/slice.h"
#include "base/arena.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct slice slice_of(const char *ptr, size_t len)
{
    return (struct slice){.ptr = ptr, .len = len};
}

struct slice slice_from_cstr(const char *text)
{
    return text ? slice_of(text, strlen(text)) : SLICE_NONE;
}

bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static unsigned char ascii_lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower((unsigned char)a.ptr[i]) != ascii_lower((unsigned char)b.ptr[i]))
            return false;
    }
    return true;
}

bool slice_is_one_of(struct slice s, const struct slice *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(s, list[i]))
            return true;
    }
    return false;
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_of(s.ptr, prefix.len), prefix);
}

bool slice_starts_with_nocase(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq_nocase(slice_of(s.ptr, prefix.len), prefix);
}

bool slice_ends_with(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_eq(slice_of(s.ptr + (s.len - suffix.len), suffix.len), suffix);
}

struct slice slice_sub(struct slice s, size_t offset, size_t len)
{
    if (!s.ptr)
        return s;
    if (offset > s.len)
        offset = s.len;
    if (len > s.len - offset)
        len = s.len - offset;
    return slice_of(s.ptr + offset, len);
}

struct slice slice_from(struct slice s, size_t offset)
{
    return slice_sub(s, offset, SIZE_MAX);
}

ptrdiff_t slice_index(struct slice s, char c)
{
    const char *p = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return p ? p - s.ptr : -1;
}

ptrdiff_t slice_rindex(struct slice s, char c)
{
    const char *p = s.len ? memrchr(s.ptr, c, s.len) : NULL;
    return p ? p - s.ptr : -1;
}

ptrdiff_t slice_find(struct slice s, struct slice needle)
{
    if (needle.len == 0)
        return 0;
    const char *p = s.len >= needle.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return p ? p - s.ptr : -1;
}

struct slice slice_cut(struct slice *rest, char c)
{
    ptrdiff_t i = slice_index(*rest, c);
    struct slice part = *rest;
    if (i < 0) {
        *rest = SLICE_NONE;
        return part;
    }
    part.len = (size_t)i;
    *rest = slice_from(*rest, (size_t)i + 1);
    return part;
}

bool slice_split(struct slice s, char c, struct slice *ret_before, struct slice *ret_after)
{
    ptrdiff_t i = slice_index(s, c);
    if (i < 0)
        return false;
    *ret_before = slice_of(s.ptr, (size_t)i);
    *ret_after = slice_of(s.ptr + i + 1, s.len - (size_t)i - 1);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
    while (s.len && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct slice slice_dup(struct arena *arena, struct slice s)
{
    if (!s.ptr)
        return s;
    char *copy = arena_alloc(arena, s.len + 1);
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return slice_of(copy, s.len);
}

struct slice slice_dup_cstr(struct arena *arena, const char *text)
{
    return slice_dup(arena, slice_from_cstr(text));
}

struct slice slice_lower(struct arena *arena, struct slice s)
{
    if (!s.ptr)
        return s;
    char *copy = arena_alloc(arena, s.len + 1);
    for (size_t i = 0; i < s.len; i++)
        copy[i] = (char)ascii_lower((unsigned char)s.ptr[i]);
    return slice_of(copy, s.len);
}

char *slice_cstr(struct arena *arena, struct slice s)
{
    char *copy = arena_alloc(arena, s.len + 1);
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

bool slice_has_nul(struct slice s)
{
    return s.len && memchr(s.ptr, 0, s.len);
}

/* Length of the well-formed sequence at p (Unicode 15, table 3-7), or 0. */
static size_t utf8_step(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF)
        return n >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
    if (c >= 0xE0 && c <= 0xEF) {
        if (n < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
            return 0;
        if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F))
            return 0;
        return 3;
    }
    if (c >= 0xF0 && c <= 0xF4) {
        if (n < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80)
            return 0;
        if ((c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F))
            return 0;
        return 4;
    }
    return 0;
}

bool slice_is_utf8(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    for (size_t i = 0; i < s.len;) {
        size_t step = utf8_step(p + i, s.len - i);
        if (!step)
            return false;
        i += step;
    }
    return true;
}

struct slice slice_fmt(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t len = n > 0 ? (size_t)n : 0;
    char *text = arena_alloc(arena, len + 1);
    vsnprintf(text, len + 1, format, again);
    va_end(again);
    return slice_of(text, len);
}

bool slice_to_u64(struct slice s, uint64_t max, uint64_t *ret_value)
{
    if (s.len == 0 || s.len > 20)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v))
            return false;
    }
    if (v > max)
        return false;
    *ret_value = v;
    return true;
}

bool slice_to_i64(struct slice s, int64_t min, int64_t max, int64_t *ret_value)
{
    bool negative = s.len && s.ptr[0] == '-';
    if (negative && min >= 0)
        return false;
    uint64_t magnitude;
    if (!slice_to_u64(negative ? slice_from(s, 1) : s, (uint64_t)INT64_MAX + (negative ? 1 : 0), &magnitude))
        return false;
    int64_t v = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    if (v < min || v > max)
        return false;
    *ret_value = v;
    return true;
}

uint64_t slice_hash(struct slice s)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * 1099511628211u;
    return h;
}
