#include "logstore/place.h"

#include "base/arena.h"

#define AT_DIGITS 23
#define SEQUENCE_DIGITS 32

struct slice place_text(struct arena *arena, struct place place)
{
    return slice_fmt(arena, "3%0*lld%0*lld", AT_DIGITS, (long long)place.at_ms, SEQUENCE_DIGITS, (long long)place.sequence);
}

static bool digits_parse(struct slice digits, int64_t *ret_value)
{
    int64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digits.ptr[i] - '0', &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool place_parse(struct slice text, struct place *ret_place)
{
    struct place place;
    if (text.len != PLACE_DIGITS || text.ptr[0] != '3' || !digits_parse(slice_sub(text, 1, AT_DIGITS), &place.at_ms) ||
        !digits_parse(slice_from(text, 1 + AT_DIGITS), &place.sequence))
        return false;
    *ret_place = place;
    return true;
}

struct slice place_token(struct arena *arena, char direction, struct place place)
{
    return slice_fmt(arena, "%c/%.*s/s", direction, SLICE_ARG(place_text(arena, place)));
}

bool place_token_parse(struct slice token, char *ret_direction, struct place *ret_place)
{
    if (token.len != PLACE_DIGITS + 4 || !slice_ends_with(token, S("/s")) || token.ptr[1] != '/' ||
        (token.ptr[0] != 'f' && token.ptr[0] != 'b') || !place_parse(slice_sub(token, 2, PLACE_DIGITS), ret_place))
        return false;
    *ret_direction = token.ptr[0];
    return true;
}
