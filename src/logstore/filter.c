/* Reading many streams at once, through a pattern. One stream is read by its own index; several by the group's, whose entries
 * name the stream, so that those of others are passed over without their messages. */
#include "logstore/filter_pattern.h"
#include "logstore/logstore_internal.h"
#include "logstore/place.h"

#include "base/strbuf.h"

#define EVENT_OVERHEAD_BYTES 26
/* How much one call looks at before it answers with a token and what it has. */
#define FILTER_MAX_SEEN 200000
#define FILTER_MAX_MATCHED_AGAINST_BYTES (64 << 20)

struct stream_name {
    int64_t id;
    struct slice name;
};

struct filter_call {
    struct arena *arena, *scratch;
    const struct log_filter *filter;
    struct place place;
    bool has_place;
    struct stream_name *streams; /* by id */
    size_t stream_count;
    struct log_event_view *events;
    size_t count, cap;
    bool truncated;
    struct place last;
};

static bool stream_wanted(const struct log_filter *filter, struct slice name)
{
    if (filter->stream_prefix.ptr && !slice_starts_with(name, filter->stream_prefix))
        return false;
    if (!filter->streams)
        return true;
    for (size_t i = 0; i < filter->stream_count; i++) {
        if (slice_eq(filter->streams[i], name))
            return true;
    }
    return false;
}

static struct err *streams_load(struct db_tx *tx, struct filter_call *call, int64_t group)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "SELECT id, name FROM log_stream WHERE log_group = ?1 ORDER BY id", &stmt));
    db_bind_i64(stmt, 1, group);
    size_t cap = 0;
    for (;;) {
        bool row;
        TRY(db_step(stmt, &row));
        if (!row)
            break;
        struct slice name = db_col_text(stmt, 1, call->arena);
        if (!stream_wanted(call->filter, name))
            continue;
        if (call->stream_count == cap) {
            cap = cap ? cap * 2 : 16;
            struct stream_name *streams = ARENA_ARRAY(call->arena, cap, struct stream_name);
            for (size_t i = 0; i < call->stream_count; i++)
                streams[i] = call->streams[i];
            call->streams = streams;
        }
        call->streams[call->stream_count++] = (struct stream_name){.id = db_col_i64(stmt, 0), .name = name};
    }
    for (size_t i = 0; i < call->filter->stream_count; i++) {
        bool found = false;
        for (size_t j = 0; j < call->stream_count && !found; j++)
            found = slice_eq(call->streams[j].name, call->filter->streams[i]);
        if (!found)
            return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "The specified log stream does not exist.");
    }
    return NULL;
}

static const struct stream_name *stream_of(const struct filter_call *call, int64_t id)
{
    size_t low = 0, high = call->stream_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (call->streams[middle].id == id)
            return &call->streams[middle];
        if (call->streams[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void take_event(struct filter_call *call, struct log_event_view event)
{
    if (call->count == call->cap) {
        call->cap = call->cap ? call->cap * 2 : 64;
        struct log_event_view *events = ARENA_ARRAY(call->arena, call->cap, struct log_event_view);
        for (size_t i = 0; i < call->count; i++)
            events[i] = call->events[i];
        call->events = events;
    }
    event.message = slice_dup(call->arena, event.message);
    call->events[call->count++] = event;
}

static struct err *scan_prepare(struct db_tx *tx, const struct filter_call *call, int64_t group, int64_t start_ms, struct db_stmt **ret_stmt)
{
    if (call->stream_count == 1)
        TRY(db_prepare(tx,
                       "SELECT sequence, at, stream, ingested_at, message FROM event INDEXED BY event_of_stream WHERE stream = ?1"
                       " AND at >= ?2 AND at <= ?3 AND (at, sequence) > (?4, ?5) ORDER BY at, sequence",
                       ret_stmt));
    else
        TRY(db_prepare(tx,
                       "SELECT sequence, at, stream, ingested_at, message FROM event INDEXED BY event_of_group WHERE log_group = ?1"
                       " AND at >= ?2 AND at <= ?3 AND (at, sequence) > (?4, ?5) ORDER BY at, sequence",
                       ret_stmt));
    db_bind_i64(*ret_stmt, 1, call->stream_count == 1 ? call->streams[0].id : group);
    /* The place bounds the time too: that is what the index is entered by. */
    db_bind_i64(*ret_stmt, 2, call->has_place && call->place.at_ms > start_ms ? call->place.at_ms : start_ms);
    db_bind_i64(*ret_stmt, 3, call->filter->end_ms);
    db_bind_i64(*ret_stmt, 4, call->has_place ? call->place.at_ms : INT64_MIN);
    db_bind_i64(*ret_stmt, 5, call->has_place ? call->place.sequence : 0);
    return NULL;
}

static struct err *filter_fn(struct db_tx *tx, void *arg)
{
    struct filter_call *call = arg;
    const struct log_filter *filter = call->filter;
    struct group_row group;
    TRY(group_find(tx, filter->group, &group));
    TRY(streams_load(tx, call, group.id));
    if (!call->stream_count)
        return NULL;
    struct db_stmt *stmt;
    TRY(scan_prepare(tx, call, group.id, retention_start_ms(&group, instant_now(), filter->start_ms), &stmt));
    size_t bytes = 0, seen = 0, matched_against = 0;
    for (;;) {
        bool row;
        TRY(db_step(stmt, &row));
        if (!row)
            return NULL;
        if (call->count == filter->max_events || ++seen > FILTER_MAX_SEEN || matched_against > FILTER_MAX_MATCHED_AGAINST_BYTES) {
            call->truncated = true;
            return NULL;
        }
        struct place here = {.at_ms = db_col_i64(stmt, 1), .sequence = db_col_i64(stmt, 0)};
        const struct stream_name *stream = stream_of(call, db_col_i64(stmt, 2));
        if (stream) {
            arena_reset(call->scratch);
            struct slice message = db_col_text(stmt, 4, call->scratch);
            matched_against += message.len;
            if (!filter->pattern || filter_pattern_match(filter->pattern, message)) {
                bytes += message.len + EVENT_OVERHEAD_BYTES;
                if (call->count && bytes > filter->max_bytes) {
                    call->truncated = true;
                    return NULL;
                }
                take_event(call, (struct log_event_view){.at.ms = here.at_ms,
                                                         .ingested_at.ms = db_col_i64(stmt, 3),
                                                         .sequence = here.sequence,
                                                         .message = message,
                                                         .stream = stream->name});
            }
        }
        call->last = here;
    }
}

struct err *log_events_filter(struct logstore *store, struct arena *arena, const struct log_filter *filter, struct log_event_view **ret_events,
                              size_t *ret_count, struct slice *ret_token)
{
    _cleanup_(arena_freep) struct arena *scratch = arena_new();
    struct filter_call call = {.arena = arena, .scratch = scratch, .filter = filter};
    if (filter->token.len) {
        char direction;
        if (!place_token_parse(filter->token, &direction, &call.place) || direction != 'f')
            return err_code(ERR_INVALID, "InvalidParameterException", "The specified nextToken is invalid.");
        call.has_place = true;
        call.last = call.place;
    }
    TRY(db_read(store->db, filter_fn, &call));
    *ret_events = call.events;
    *ret_count = call.count;
    *ret_token = call.truncated ? place_token(arena, 'f', call.last) : SLICE_NONE;
    return NULL;
}
