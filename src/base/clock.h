/* clock: instants (UTC, milliseconds since 1970) and their texts. Never through a double. */
#pragma once
#include "base/err.h"
#include "base/slice.h"

struct instant {
    int64_t ms; /* since 1970-01-01T00:00:00Z */
};

struct instant instant_now(void);
int64_t monotonic_ms(void); /* for deadlines */
int64_t monotonic_us(void);

#define INSTANT_TEXT_MAX 40
/* 2026-11-21T21:10:00Z (seconds, cut) */
struct slice instant_iso8601(struct arena *arena, struct instant t);
/* 2026-11-21T21:10:00.123Z */
struct slice instant_iso8601_ms(struct arena *arena, struct instant t);
/* Sat, 21 Nov 2026 21:10:00 GMT */
struct slice instant_rfc1123(struct arena *arena, struct instant t);
/* 20261121T211000Z */
struct slice instant_basic(struct arena *arena, struct instant t);
/* RFC 3339 with any fraction and Z or ±hh:mm; false when it is not one. */
bool instant_parse_iso8601(struct slice text, struct instant *ret_t);
bool instant_parse_rfc1123(struct slice text, struct instant *ret_t);
bool instant_parse_basic(struct slice text, struct instant *ret_t); /* 20261121T211000Z */
