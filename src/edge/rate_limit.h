/* rate_limit: token buckets by key. Any thread; one lock, held for a look-up. Memory is bounded: when there are too many buckets, the one
 * that was not used for longest goes, and its key begins anew with a full one. Time is the caller's. */
#pragma once
#include "base/slice.h"

struct rate {
    int64_t per_minute; /* 0: no limit */
    int64_t burst;      /* what a full bucket holds; 1 at least */
};

struct rate_limiter;

struct rate_limiter *rate_limiter_new(size_t max_buckets);
void rate_limiter_free(struct rate_limiter *limiter); /* NULL is fine */
/* Takes one from the key's bucket; false: it is empty, and nothing is taken. A bucket follows the rate that is given, so a change of the
 * rate holds at once. now_us: of a clock that does not go back. */
bool rate_limiter_take(struct rate_limiter *limiter, struct slice key, struct rate rate, int64_t now_us);
/* Whether there is one to take. */
bool rate_limiter_has(struct rate_limiter *limiter, struct slice key, struct rate rate, int64_t now_us);
size_t rate_limiter_bucket_count(struct rate_limiter *limiter);
