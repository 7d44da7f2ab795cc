/* place: a position in a store's order of events, and its texts: 56 digits, '3' and two zero-padded numbers, so that texts
 * compare as places do. Pure. */
#pragma once
#include "base/slice.h"

struct arena;

struct place {
    int64_t at_ms; /* never negative */
    int64_t sequence;
};

#define PLACE_DIGITS 56

struct slice place_text(struct arena *arena, struct place place);
bool place_parse(struct slice text, struct place *ret_place);
/* "f/<56 digits>/s": the events behind a place; "b/…/s": those before it. */
struct slice place_token(struct arena *arena, char direction, struct place place);
bool place_token_parse(struct slice token, char *ret_direction, struct place *ret_place);
