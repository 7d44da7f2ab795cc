/* envelope: what happened to a job run, as Amazon EventBridge tells it (reference: its events of EMR on EKS). Pure: the same row gives
 * the same bytes at every reading, so who gets an event twice knows it by its id. Any thread. */
#pragma once
#include "base/json.h"
#include "store/event_feed.h"

/* Whose events they are. */
struct event_source {
    struct slice account_id, region;
    struct slice key; /* the installation's own secret: ids and cursors are made with it */
};

/* {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"} */
struct json *event_envelope(struct arena *arena, const struct event_source *source, const struct event_row *row);
/* The envelope's id: a UUID of this installation and this row. */
struct slice event_id(struct arena *arena, const struct event_source *source, int64_t sequence);

/* A place in the feed as clients carry it. Later places sort behind earlier ones as text; one that was changed, or that another
 * installation gave out, is none. */
struct slice event_cursor(struct arena *arena, const struct event_source *source, int64_t sequence);
bool event_cursor_parse(const struct event_source *source, struct slice cursor, int64_t *ret_sequence);
