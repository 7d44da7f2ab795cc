/* backoff: when to try again what failed. Pure; times are those of the caller's clock. */
#pragma once
#include <stdint.h>

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS (5 * 60 * 1000)

struct backoff {
    int64_t failures; /* in a row */
    int64_t due_ms;   /* not before; 0: at once */
};

/* 1 s, 2 s, 4 s, … 5 min, of each between a half and all, as random (any number) says: who waits for the same receiver does not come at once. */
int64_t backoff_delay_ms(int64_t failures, uint32_t random);
void backoff_fail(struct backoff *backoff, int64_t now_ms, uint32_t random);
