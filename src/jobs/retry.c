#include "jobs/retry.h"

#define BACKOFF_FIRST_MS ((int64_t)10 * 1000)
#define BACKOFF_MAX_MS ((int64_t)6 * 60 * 1000)

int64_t retry_backoff_ms(int64_t attempt)
{
    int64_t ms = BACKOFF_FIRST_MS;
    for (int64_t i = 1; i < attempt && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

struct instant retry_due(struct instant ended_at, int64_t attempt)
{
    return (struct instant){.ms = ended_at.ms + retry_backoff_ms(attempt)};
}
