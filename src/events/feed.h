/* feed: what GET /ember/events answers: pages of envelopes behind a cursor, and waiting for the next one. Any thread. */
#pragma once
#include "events/envelope.h"

#define FEED_LIMIT_MAX 1000
#define FEED_WAIT_MAX_MS 20000
#define FEED_WAITERS_MAX 16 /* each holds a thread of the server */

struct feed;

/* store and source's texts are borrowed. */
struct feed *feed_new(struct store *store, const struct event_source *source);
void feed_end_waits(struct feed *feed); /* now and from now on; NULL is fine */
void feed_free(struct feed *feed);      /* after the last read; NULL is fine */

struct feed_question {
    struct slice after; /* a cursor; absent: from the first event on; "now": behind everything there is */
    int64_t limit;      /* 1..FEED_LIMIT_MAX */
    int64_t wait_ms;    /* 0..FEED_WAIT_MAX_MS: how long to wait for an event when there is none */
};
/* {"events": [{"cursor", "event"}, …], "cursor"}: cursor is where the next question begins. ERR_INVALID: after is no cursor of this
 * installation; ERR_LIMIT: too many wait already. */
struct err *feed_read(struct feed *feed, struct arena *arena, const struct feed_question *question, struct json **ret_page) NODISCARD;
