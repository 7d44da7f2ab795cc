#include "events/backoff.h"

int64_t backoff_delay_ms(int64_t failures, uint32_t random)
{
    int64_t ms = BACKOFF_FIRST_MS;
    for (int64_t i = 1; i < failures && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
    return ms / 2 + random % (uint32_t)(ms / 2 + 1);
}

void backoff_fail(struct backoff *backoff, int64_t now_ms, uint32_t random)
{
    backoff->failures++;
    backoff->due_ms = now_ms + backoff_delay_ms(backoff->failures, random);
}
