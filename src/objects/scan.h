/* scan: where in byte order a list of keys starts, what it groups and where it goes on. Pure; shared by the lists of objects
 * and of uploads. */
#pragma once
#include "base/slice.h"

struct arena;

/* The least key that is greater than every key that begins with prefix; false when there is none (all bytes 0xff). */
bool scan_successor(struct arena *arena, struct slice prefix, struct slice *ret_start);
/* The common prefix that key falls under: prefix and on to the end of the first delimiter behind it; SLICE_NONE: none. */
struct slice scan_common_prefix(struct slice key, struct slice prefix, struct slice delimiter);
/* The least key of a list: strictly after `after`; behind all of it when it is itself a common prefix. False: nothing is. */
bool scan_start(struct arena *arena, struct slice prefix, struct slice delimiter, struct slice after, struct slice *ret_start);
