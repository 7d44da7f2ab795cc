#include "base/histogram.h"

const int64_t histogram_bounds_us[HISTOGRAM_BUCKETS - 1] = {500,    1000,   2500,   5000,    10000,   25000,  50000,
                                                            100000, 250000, 500000, 1000000, 5000000, 30000000};

void histogram_add(struct histogram *histogram, int64_t microseconds)
{
    int bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS - 1 && microseconds > histogram_bounds_us[bucket])
        bucket++;
    atomic_fetch_add_explicit(&histogram->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, microseconds > 0 ? (uint64_t)microseconds : 0, memory_order_relaxed);
}
