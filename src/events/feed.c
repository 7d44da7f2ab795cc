#include "events/feed.h"
#include "base/arena.h"
#include <stdatomic.h>
#include <stdlib.h>

struct feed {
    struct store *store;
    struct event_source source;
    atomic_bool ending;
    atomic_int waiters;
};

struct feed *feed_new(struct store *store, const struct event_source *source)
{
    struct feed *feed = xcalloc(1, sizeof(*feed));
    feed->store = store;
    feed->source = *source;
    return feed;
}

void feed_end_waits(struct feed *feed)
{
    if (!feed)
        return;
    atomic_store(&feed->ending, true);
    store_events_poke(feed->store);
}

void feed_free(struct feed *feed)
{
    free(feed);
}

static struct err *begin_at(struct feed *feed, struct slice after, int64_t *ret_sequence)
{
    int64_t end;
    *ret_sequence = 0;
    if (!after.len)
        return NULL;
    TRY(store_events_end(feed->store, &end));
    if (slice_eq(after, S("now")))
        *ret_sequence = end;
    else if (!event_cursor_parse(&feed->source, after, ret_sequence))
        return err_new(ERR_INVALID, "after is no cursor of this installation");
    else if (*ret_sequence > end)
        return err_new(ERR_INVALID, "after is a cursor of events that are not on record: the data is older than it");
    return NULL;
}

/* Until there is an event behind after, or the time has passed. */
static struct err *wait_for(struct feed *feed, int64_t after, int64_t wait_ms)
{
    int64_t deadline_ms = monotonic_ms() + wait_ms, count;
    struct instant oldest;
    for (;;) {
        uint64_t commits = store_events_count(feed->store);
        if (atomic_load(&feed->ending))
            return NULL;
        TRY(store_events_behind(feed->store, after, &count, &oldest));
        if (count || !store_events_wait(feed->store, commits, deadline_ms))
            return NULL;
    }
}

static struct err *wait_in_line(struct feed *feed, int64_t after, int64_t wait_ms)
{
    struct err *e = NULL;
    if (atomic_fetch_add(&feed->waiters, 1) < FEED_WAITERS_MAX)
        e = wait_for(feed, after, wait_ms);
    else
        e = err_new(ERR_LIMIT, "%d clients wait for events already", FEED_WAITERS_MAX);
    atomic_fetch_sub(&feed->waiters, 1);
    return e;
}

struct err *feed_read(struct feed *feed, struct arena *arena, const struct feed_question *question, struct json **ret_page)
{
    int64_t after;
    struct event_row *rows;
    size_t count;
    TRY(begin_at(feed, question->after, &after));
    TRY(store_events_after(feed->store, arena, after, question->limit, &rows, &count));
    if (!count && question->wait_ms) {
        TRY(wait_in_line(feed, after, question->wait_ms));
        TRY(store_events_after(feed->store, arena, after, question->limit, &rows, &count));
    }
    struct json *page = json_object(arena), *events = json_array(arena);
    for (size_t i = 0; i < count; i++) {
        struct json *item = json_object(arena);
        after = rows[i].sequence;
        json_set_text(arena, item, "cursor", event_cursor(arena, &feed->source, after));
        JSON_SET(arena, item, "event", event_envelope(arena, &feed->source, &rows[i]));
        json_append(events, item);
    }
    JSON_SET(arena, page, "events", events);
    json_set_text(arena, page, "cursor", event_cursor(arena, &feed->source, after));
    *ret_page = page;
    return NULL;
}
