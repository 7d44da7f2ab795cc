/* retry: when the next attempt of a run is due. Pure: from what the row has, so that a restart keeps it. */
#pragma once
#include "base/clock.h"

/* How long after the end of this attempt (1..) the next one begins: 10 s, 20 s, 40 s …, at most 6 min. Source: Kubernetes, "Pod backoff
 * failure policy" of Jobs, which EMR's retry policy is made of. */
int64_t retry_backoff_ms(int64_t attempt);
struct instant retry_due(struct instant ended_at, int64_t attempt);
