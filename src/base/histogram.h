/* histogram: how long things took, in buckets of fixed bounds, for metrics. Adding is two atomic additions, any thread. Starts zeroed. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 14

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS]; /* of each bucket alone */
    _Atomic uint64_t sum_us;
};

/* Upper bounds, included; the last bucket has none. */
extern const int64_t histogram_bounds_us[HISTOGRAM_BUCKETS - 1];

void histogram_add(struct histogram *histogram, int64_t microseconds);
