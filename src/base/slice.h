/* slice: a borrowed view of bytes. Not NUL-terminated; owns nothing; lives as long as what it points into.
 * ptr == NULL means absent (only where a field's documentation says that absence matters); len is then 0.
 * Pure functions, any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct slice {
    const char *ptr;
    size_t len;
};

#define S(literal) ((struct slice){.ptr = (literal), .len = sizeof(literal) - 1})
/* For static initialisers, where S() is not constant enough. */
#define S_INIT(literal) {.ptr = (literal), .len = sizeof(literal) - 1}
#define SLICE_NONE ((struct slice){.ptr = NULL, .len = 0})
/* printf("%.*s", SLICE_ARG(s)) */
#define SLICE_ARG(s) (int)((s).len > 0x7fffffff ? 0x7fffffff : (s).len), (s).ptr ? (s).ptr : ""

struct slice slice_of(const char *ptr, size_t len);
struct slice slice_from_cstr(const char *text); /* NULL gives SLICE_NONE */
bool slice_eq(struct slice a, struct slice b);
bool slice_eq_nocase(struct slice a, struct slice b); /* ASCII */
bool slice_is_one_of(struct slice s, const struct slice *list, size_t count);
int slice_cmp(struct slice a, struct slice b);        /* bytewise, like memcmp then length */
bool slice_starts_with(struct slice s, struct slice prefix);
bool slice_ends_with(struct slice s, struct slice suffix);
bool slice_starts_with_nocase(struct slice s, struct slice prefix);
/* The rest of s from offset (clamped) and at most len bytes of it. */
struct slice slice_sub(struct slice s, size_t offset, size_t len);
struct slice slice_from(struct slice s, size_t offset);
/* Index of the first (last) byte c, or -1. */
ptrdiff_t slice_index(struct slice s, char c);
ptrdiff_t slice_rindex(struct slice s, char c);
/* Index of the first occurrence of needle, or -1; an empty needle is at 0. */
ptrdiff_t slice_find(struct slice s, struct slice needle);
/* Cuts *rest at the first c: returns what is before it and leaves what is after it. Without a c: returns all and *rest
 * becomes SLICE_NONE. A loop is: while (rest.ptr) { part = slice_cut(&rest, ','); … } */
struct slice slice_cut(struct slice *rest, char c);
/* True and both halves when c occurs; ret_* may alias s's storage, never NULL. */
bool slice_split(struct slice s, char c, struct slice *ret_before, struct slice *ret_after);
struct slice slice_trim(struct slice s);                   /* ASCII blanks, tabs, CR, LF at both ends */
struct slice slice_dup(struct arena *arena, struct slice s); /* copies; also NUL-terminated behind the end; absent stays absent */
struct slice slice_dup_cstr(struct arena *arena, const char *text);
struct slice slice_lower(struct arena *arena, struct slice s); /* ASCII */
/* NUL-terminated copy for libc's door. Embedded NULs are kept: callers that pass it on as a path check slice_has_nul(). */
char *slice_cstr(struct arena *arena, struct slice s);
bool slice_has_nul(struct slice s);
bool slice_is_utf8(struct slice s); /* strict: no overlong forms, no surrogates */
struct slice slice_fmt(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whole slice as a decimal number within [min, max]; no blanks, no '+', '-' only if min < 0; false when it is not one. */
bool slice_to_i64(struct slice s, int64_t min, int64_t max, int64_t *ret_value);
bool slice_to_u64(struct slice s, uint64_t max, uint64_t *ret_value);
/* FNV-1a, for hash tables of our own data only. */
uint64_t slice_hash(struct slice s);
