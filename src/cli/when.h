/* when: lengths of time as people write and read them. Pure. */
#pragma once
#include "base/clock.h"

/* "0s", "12s", "3m12s", "2h05m", "3d04h"; less than nothing is "0s". */
struct slice duration_text(struct arena *arena, int64_t ms);
/* One unit, as kubectl's ages: "12s", "3m", "2h", "3d". */
struct slice age_text(struct arena *arena, int64_t ms);
/* "90s", "30m", "2h", "7d", "2w" before now, or a time in RFC 3339; a day alone is its beginning in UTC. */
bool when_parse(struct slice text, struct instant now, struct instant *ret_at);
