/* Events: putting them and reading one stream. */
#include "logstore/logstore_internal.h"
#include "logstore/place.h"

#include "base/strbuf.h"

#define EVENT_OVERHEAD_BYTES 26

struct slice log_event_view_id(struct arena *arena, const struct log_event_view *event)
{
    return place_text(arena, (struct place){.at_ms = event->at.ms, .sequence = event->sequence});
}

struct put_call {
    struct slice group, stream;
    const struct log_event_in *events;
    size_t count;
    struct instant now;
    int retention_days;
};

#define ROW "(?1, ?2, ?3, ?, ?)"
#define ROWS_8 ROW "," ROW "," ROW "," ROW "," ROW "," ROW "," ROW "," ROW
#define ROWS_AT_ONCE 32
#define INSERT "INSERT INTO event (log_group, stream, ingested_at, at, message) VALUES "

/* Many rows a statement: what each one costs by itself is more than what a row costs. */
static struct err *insert_events(struct db_tx *tx, const struct put_call *call, size_t first, int64_t group, int64_t stream, int64_t now)
{
    for (size_t i = first; i < call->count;) {
        size_t rows = call->count - i >= ROWS_AT_ONCE ? ROWS_AT_ONCE : 1;
        struct db_stmt *stmt;
        if (rows == 1)
            TRY(db_prepare(tx, INSERT ROW, &stmt));
        else
            TRY(db_prepare(tx, INSERT ROWS_8 "," ROWS_8 "," ROWS_8 "," ROWS_8, &stmt));
        db_bind_i64(stmt, 1, group);
        db_bind_i64(stmt, 2, stream);
        db_bind_i64(stmt, 3, now);
        for (size_t row = 0; row < rows; row++, i++) {
            db_bind_i64(stmt, (int)(4 + 2 * row), call->events[i].at.ms);
            db_bind_blob(stmt, (int)(5 + 2 * row), call->events[i].message);
        }
        TRY(db_run(stmt));
    }
    return NULL;
}

static struct err *put_fn(struct db_tx *tx, void *arg)
{
    struct put_call *call = arg;
    struct group_row group;
    int64_t stream;
    TRY(group_find(tx, call->group, &group));
    TRY(stream_find(tx, group.id, call->stream, &stream));
    call->retention_days = group.retention_days;
    size_t first = 0;
    while (first < call->count && call->events[first].at.ms < retention_start_ms(&group, call->now, INT64_MIN))
        first++;
    if (first == call->count)
        return NULL;
    struct db_stmt *stmt;
    bool row;
    /* Ingestion times never fall, also when the clock does: then (time, sequence) is the order by (time, ingestion) too. */
    TRY(db_prepare(tx, "SELECT ingested_at FROM event ORDER BY sequence DESC LIMIT 1", &stmt));
    TRY(db_step(stmt, &row));
    int64_t now = instant_now().ms;
    if (row && db_col_i64(stmt, 0) > now)
        now = db_col_i64(stmt, 0);
    int64_t bytes = 0;
    TRY(insert_events(tx, call, first, group.id, stream, now));
    for (size_t i = first; i < call->count; i++)
        bytes += (int64_t)call->events[i].message.len + EVENT_OVERHEAD_BYTES;
    TRY(db_prepare(tx,
                   "UPDATE log_stream SET first_at = min(coalesce(first_at, ?2), ?2), last_at = max(coalesce(last_at, ?3), ?3),"
                   " last_ingested_at = ?4 WHERE id = ?1",
                   &stmt));
    db_bind_i64(stmt, 1, stream);
    db_bind_i64(stmt, 2, call->events[first].at.ms);
    db_bind_i64(stmt, 3, call->events[call->count - 1].at.ms);
    db_bind_i64(stmt, 4, now);
    TRY(db_run(stmt));
    TRY(db_prepare(tx, "UPDATE log_group SET stored_bytes = stored_bytes + ?2 WHERE id = ?1", &stmt));
    db_bind_i64(stmt, 1, group.id);
    db_bind_i64(stmt, 2, bytes);
    return db_run(stmt);
}

struct err *log_events_put(struct logstore *store, struct slice group, struct slice stream, const struct log_event_in *events, size_t count,
                           struct instant now, int *ret_retention_days)
{
    struct put_call call = {.group = group, .stream = stream, .events = events, .count = count, .now = now};
    TRY(db_write(store->db, put_fn, &call));
    *ret_retention_days = call.retention_days;
    return NULL;
}

struct read_call {
    struct arena *arena;
    const struct log_read *read;
    bool backward;
    bool has_place;
    struct place place;
    int64_t start_ms;
    struct log_page page;
};

static struct err *prepare_forward(struct db_tx *tx, const struct read_call *call, struct db_stmt **ret_stmt)
{
    TRY(db_prepare(tx,
                   "SELECT sequence, at, ingested_at, message FROM event WHERE stream = ?1 AND at >= ?2 AND at < ?3"
                   " AND (at, sequence) > (?4, ?5) ORDER BY at, sequence",
                   ret_stmt));
    db_bind_i64(*ret_stmt, 4, call->has_place ? call->place.at_ms : INT64_MIN);
    db_bind_i64(*ret_stmt, 5, call->has_place ? call->place.sequence : 0);
    return NULL;
}

static struct err *prepare_backward(struct db_tx *tx, const struct read_call *call, struct db_stmt **ret_stmt)
{
    TRY(db_prepare(tx,
                   "SELECT sequence, at, ingested_at, message FROM event WHERE stream = ?1 AND at >= ?2 AND at < ?3"
                   " AND (at, sequence) < (?4, ?5) ORDER BY at DESC, sequence DESC",
                   ret_stmt));
    db_bind_i64(*ret_stmt, 4, call->has_place ? call->place.at_ms : INT64_MAX);
    db_bind_i64(*ret_stmt, 5, call->has_place ? call->place.sequence : INT64_MAX);
    return NULL;
}

static void reverse(struct log_event_view *events, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct log_event_view event = events[i];
        events[i] = events[count - 1 - i];
        events[count - 1 - i] = event;
    }
}

/* Tokens of a page. An empty one gives back the token that asked for it: that is how clients see the end. */
static void set_tokens(struct read_call *call)
{
    struct log_page *page = &call->page;
    struct place first, last;
    if (page->count) {
        first = (struct place){page->events[0].at.ms, page->events[0].sequence};
        last = (struct place){page->events[page->count - 1].at.ms, page->events[page->count - 1].sequence};
    } else if (call->has_place) {
        /* Behind a place the next one is nearest, before it the one below: each token still covers what the other does not. */
        first = last = call->place;
        if (call->backward)
            last.sequence = last.sequence ? last.sequence - 1 : 0;
        else
            first.sequence += first.sequence < INT64_MAX;
    } else {
        int64_t start = call->start_ms > 0 ? call->start_ms : 0;
        first = last = (struct place){start, 0}; /* what arrives later is behind it */
    }
    page->forward_token = place_token(call->arena, 'f', last);
    page->backward_token = place_token(call->arena, 'b', first);
}

static struct err *read_fn(struct db_tx *tx, void *arg)
{
    struct read_call *call = arg;
    const struct log_read *read = call->read;
    struct group_row group;
    int64_t stream;
    TRY(group_find(tx, read->group, &group));
    TRY(stream_find(tx, group.id, read->stream, &stream));
    call->start_ms = retention_start_ms(&group, instant_now(), read->start_ms);
    struct db_stmt *stmt;
    TRY(call->backward ? prepare_backward(tx, call, &stmt) : prepare_forward(tx, call, &stmt));
    db_bind_i64(stmt, 1, stream);
    db_bind_i64(stmt, 2, call->start_ms);
    db_bind_i64(stmt, 3, read->end_ms);
    struct log_page *page = &call->page;
    size_t cap = 0, bytes = 0;
    while (page->count < read->max_events) {
        bool row;
        TRY(db_step(stmt, &row));
        if (!row)
            break;
        struct log_event_view event = {
            .sequence = db_col_i64(stmt, 0),
            .at.ms = db_col_i64(stmt, 1),
            .ingested_at.ms = db_col_i64(stmt, 2),
            .message = db_col_text(stmt, 3, call->arena),
        };
        bytes += event.message.len + EVENT_OVERHEAD_BYTES;
        if (page->count && bytes > read->max_bytes)
            break;
        if (page->count == cap) {
            cap = cap ? cap * 2 : 64;
            struct log_event_view *events = ARENA_ARRAY(call->arena, cap, struct log_event_view);
            for (size_t i = 0; i < page->count; i++)
                events[i] = page->events[i];
            page->events = events;
        }
        page->events[page->count++] = event;
    }
    if (call->backward)
        reverse(page->events, page->count);
    set_tokens(call);
    return NULL;
}

struct err *log_events_read(struct logstore *store, struct arena *arena, const struct log_read *read, struct log_page *ret_page)
{
    struct read_call call = {.arena = arena, .read = read, .backward = read->direction == LOG_FROM_TAIL};
    if (read->token.ptr) {
        char direction;
        if (!place_token_parse(read->token, &direction, &call.place))
            return err_code(ERR_INVALID, "InvalidParameterException", "The specified nextToken is invalid.");
        call.backward = direction == 'b';
        call.has_place = true;
    }
    TRY(db_read(store->db, read_fn, &call));
    *ret_page = call.page;
    return NULL;
}
