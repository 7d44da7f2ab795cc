/* when: see the header. */
#include "cli/when.h"
#include "base/arena.h"

struct slice duration_text(struct arena *arena, int64_t ms)
{
    long long s = ms > 0 ? (long long)(ms / 1000) : 0;
    if (s < 60)
        return slice_fmt(arena, "%llds", s);
    if (s < 3600)
        return slice_fmt(arena, "%lldm%02llds", s / 60, s % 60);
    if (s < 86400)
        return slice_fmt(arena, "%lldh%02lldm", s / 3600, s / 60 % 60);
    return slice_fmt(arena, "%lldd%02lldh", s / 86400, s / 3600 % 24);
}

struct slice age_text(struct arena *arena, int64_t ms)
{
    long long s = ms > 0 ? (long long)(ms / 1000) : 0;
    if (s < 60)
        return slice_fmt(arena, "%llds", s);
    if (s < 3600)
        return slice_fmt(arena, "%lldm", s / 60);
    return s < 86400 ? slice_fmt(arena, "%lldh", s / 3600) : slice_fmt(arena, "%lldd", s / 86400);
}

/* "2026-11-21" */
static bool parse_day(struct slice text, struct instant *ret_at)
{
    char whole[] = "YYYY-MM-DDT00:00:00Z";
    if (text.len != 10)
        return false;
    for (size_t i = 0; i < text.len; i++)
        whole[i] = text.ptr[i];
    return instant_parse_iso8601(slice_of(whole, sizeof(whole) - 1), ret_at);
}

bool when_parse(struct slice text, struct instant now, struct instant *ret_at)
{
    static const struct {
        char letter;
        int64_t ms;
    } UNITS[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    int64_t count;
    for (size_t i = 0; i < ARRAY_SIZE(UNITS) && text.len; i++) {
        if (text.ptr[text.len - 1] != UNITS[i].letter ||
            !slice_to_i64(slice_sub(text, 0, text.len - 1), 0, now.ms / UNITS[i].ms, &count))
            continue;
        ret_at->ms = now.ms - count * UNITS[i].ms;
        return true;
    }
    return instant_parse_iso8601(text, ret_at) || parse_day(text, ret_at);
}
