#include "objects/scan.h"

#include "base/arena.h"

#include <string.h>

bool scan_successor(struct arena *arena, struct slice prefix, struct slice *ret_start)
{
    size_t len = prefix.len;
    while (len && (uint8_t)prefix.ptr[len - 1] == 0xff)
        len--;
    if (!len)
        return false;
    char *start = arena_alloc(arena, len);
    memcpy(start, prefix.ptr, len);
    start[len - 1]++;
    *ret_start = slice_of(start, len);
    return true;
}

struct slice scan_common_prefix(struct slice key, struct slice prefix, struct slice delimiter)
{
    if (!delimiter.len)
        return SLICE_NONE;
    ptrdiff_t at = slice_find(slice_from(key, prefix.len), delimiter);
    return at < 0 ? SLICE_NONE : slice_sub(key, 0, prefix.len + (size_t)at + delimiter.len);
}

bool scan_start(struct arena *arena, struct slice prefix, struct slice delimiter, struct slice after, struct slice *ret_start)
{
    struct slice start = prefix.ptr ? prefix : S("");
    if (after.len && slice_cmp(after, start) >= 0) {
        struct slice common = slice_starts_with(after, prefix) ? scan_common_prefix(after, prefix, delimiter) : SLICE_NONE;
        if (common.ptr && slice_eq(common, after))
            return scan_successor(arena, after, ret_start);
        char *next = arena_alloc(arena, after.len + 1); /* a zero byte behind: the least key that is greater */
        memcpy(next, after.ptr, after.len);
        start = slice_of(next, after.len + 1);
    }
    *ret_start = start;
    return true;
}
