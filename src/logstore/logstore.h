/* logstore: the event store under CloudWatch Logs: groups, streams, events, retention; DIR/index.db (SQLite). Knows no HTTP.
 *
 * One put is one transaction, and transactions that wait together share one sync: what a put answered is on disk and readable.
 * Events are ordered by (timestamp, sequence); the sequence rises with every event put, and ingestion times rise with it, so
 * that this is the order by (timestamp, ingestion time) too. Event ids and page tokens are texts of these two numbers: they
 * stay valid while data comes and goes.
 *
 * Any thread. A thread of the store's own deletes what has expired or belonged to deleted streams; such events are hidden at
 * once. Slices in results are in the caller's arena.
 *
 * Conditions are errors with the service's own code and words: ResourceNotFoundException, ResourceAlreadyExistsException,
 * InvalidParameterException (a token that is none). */
#pragma once
#include "base/clock.h"
#include "base/err.h"

struct arena;
struct logstore;
struct filter_pattern;

struct err *logstore_open(const char *dir, struct logstore **ret_store) NODISCARD;
void logstore_close(struct logstore *store); /* NULL is fine */

#define LOGSTORE_NO_RETENTION 0
#define LOGSTORE_TIME_MAX INT64_MAX

/* --- groups --- */

struct log_group_view {
    struct slice name;
    struct instant created_at;
    int retention_days; /* LOGSTORE_NO_RETENTION: events are kept for ever */
    int64_t stored_bytes;
};
struct err *log_group_create(struct logstore *store, struct slice name) NODISCARD;
struct err *log_group_delete(struct logstore *store, struct slice name) NODISCARD;
struct err *log_group_set_retention(struct logstore *store, struct slice name, int days) NODISCARD;
struct err *log_group_get(struct logstore *store, struct arena *arena, struct slice name, struct log_group_view *ret_view) NODISCARD;

struct log_list {
    struct slice prefix;  /* absent: all */
    struct slice pattern; /* groups: a substring; absent: all */
    struct slice after;   /* names after this one (before it, when descending); absent: from the start */
    bool descending;      /* streams */
    size_t max;
};
/* By name, bytewise. */
struct err *log_group_list(struct logstore *store, struct arena *arena, const struct log_list *query, struct log_group_view **ret_views,
                           size_t *ret_count, bool *ret_more) NODISCARD;

/* --- streams --- */

struct log_stream_view {
    struct slice name;
    struct instant created_at;
    bool has_events; /* false: the three below mean nothing */
    struct instant first_event_at, last_event_at, last_ingestion_at;
    int64_t id;
};
struct err *log_stream_create(struct logstore *store, struct slice group, struct slice name) NODISCARD;
struct err *log_stream_delete(struct logstore *store, struct slice group, struct slice name) NODISCARD;
struct err *log_stream_list(struct logstore *store, struct arena *arena, struct slice group, const struct log_list *query,
                            struct log_stream_view **ret_views, size_t *ret_count, bool *ret_more) NODISCARD;
/* By the time of the last event (streams without one are the oldest), then by name; after_at and query->after continue behind
 * that stream. No prefix. */
struct err *log_stream_list_by_time(struct logstore *store, struct arena *arena, struct slice group, const struct log_list *query,
                                    int64_t after_at, struct log_stream_view **ret_views, size_t *ret_count, bool *ret_more) NODISCARD;
/* What the stream's place in the order by time is called in after_at. */
int64_t log_stream_time_place(const struct log_stream_view *stream);

/* --- events --- */

struct log_event_in {
    struct instant at;
    struct slice message;
};
/* One commit. Events must be in order of time. Those that the group's retention keeps no more at the time now are left out; what else is
 * too old or too new is the caller's to decide. */
struct err *log_events_put(struct logstore *store, struct slice group, struct slice stream, const struct log_event_in *events,
                           size_t count, struct instant now, int *ret_retention_days) NODISCARD;

struct log_event_view {
    struct instant at, ingested_at;
    int64_t sequence;
    struct slice message;
    struct slice stream; /* log_events_filter only */
};
/* 56 digits; in their order as texts events are in order. */
struct slice log_event_view_id(struct arena *arena, const struct log_event_view *event);

enum log_direction { LOG_FROM_HEAD, LOG_FROM_TAIL };
struct log_read {
    struct slice group, stream;
    int64_t start_ms; /* inclusive */
    int64_t end_ms;   /* exclusive; LOGSTORE_TIME_MAX: none */
    enum log_direction direction;
    struct slice token; /* of an earlier page; it decides the direction. Absent: from the direction's end */
    size_t max_events;
    size_t max_bytes; /* sum of messages and 26 for each; at least one event is given */
};
struct log_page {
    struct log_event_view *events; /* ascending in both directions */
    size_t count;
    struct slice forward_token, backward_token; /* the end of a direction is its token come back */
};
struct err *log_events_read(struct logstore *store, struct arena *arena, const struct log_read *read, struct log_page *ret_page) NODISCARD;

struct log_filter {
    struct slice group;
    const struct slice *streams; /* only these; NULL: all */
    size_t stream_count;
    struct slice stream_prefix;  /* absent: all */
    int64_t start_ms, end_ms;    /* both inclusive */
    const struct filter_pattern *pattern; /* NULL: all */
    struct slice token;
    size_t max_events, max_bytes;
};
/* Events of several streams, merged by (timestamp, sequence). A page may be empty and still have a token: then much was looked
 * at and nothing fitted. *ret_token is absent at the end. */
struct err *log_events_filter(struct logstore *store, struct arena *arena, const struct log_filter *filter, struct log_event_view **ret_events,
                              size_t *ret_count, struct slice *ret_token) NODISCARD;
