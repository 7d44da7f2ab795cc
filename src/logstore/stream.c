/* Streams. */
#include "logstore/logstore_internal.h"

#include "base/strbuf.h"

struct stream_call {
    struct arena *arena;
    struct slice group, name;
    const struct log_list *query;
    int64_t after_at;
    struct log_stream_view *views;
    size_t count;
    bool more;
};

struct err *stream_find(struct db_tx *tx, int64_t group, struct slice name, int64_t *ret_id)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT id FROM log_stream WHERE log_group = ?1 AND name = ?2", &stmt));
    db_bind_i64(stmt, 1, group);
    db_bind_text(stmt, 2, name);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "The specified log stream does not exist.");
    *ret_id = db_col_i64(stmt, 0);
    return NULL;
}

static struct err *create_fn(struct db_tx *tx, void *arg)
{
    struct stream_call *call = arg;
    struct group_row group;
    TRY(group_find(tx, call->group, &group));
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "INSERT INTO log_stream (log_group, name, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (log_group, name) DO NOTHING",
                   &stmt));
    db_bind_i64(stmt, 1, group.id);
    db_bind_text(stmt, 2, call->name);
    db_bind_i64(stmt, 3, instant_now().ms);
    TRY(db_run(stmt));
    if (!db_changes(tx))
        return err_code(ERR_CONFLICT, "ResourceAlreadyExistsException", "The specified log stream already exists");
    return NULL;
}

struct err *log_stream_create(struct logstore *store, struct slice group, struct slice name)
{
    struct stream_call call = {.group = group, .name = name};
    return db_write(store->db, create_fn, &call);
}

static struct err *delete_fn(struct db_tx *tx, void *arg)
{
    struct stream_call *call = arg;
    struct group_row group;
    int64_t id;
    TRY(group_find(tx, call->group, &group));
    TRY(stream_find(tx, group.id, call->name, &id));
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "INSERT INTO dead_stream (id) VALUES (?1)", &stmt));
    db_bind_i64(stmt, 1, id);
    TRY(db_run(stmt));
    TRY(db_prepare(tx, "DELETE FROM log_stream WHERE id = ?1", &stmt));
    db_bind_i64(stmt, 1, id);
    return db_run(stmt);
}

struct err *log_stream_delete(struct logstore *store, struct slice group, struct slice name)
{
    struct stream_call call = {.group = group, .name = name};
    TRY(db_write(store->db, delete_fn, &call));
    logstore_wake_sweeper(store);
    return NULL;
}

/* Takes rows until the page is full. */
static struct err *take_rows(struct stream_call *call, struct db_stmt *stmt)
{
    call->views = ARENA_ARRAY(call->arena, call->query->max + 1, struct log_stream_view);
    for (;;) {
        bool row;
        TRY(db_step(stmt, &row));
        if (!row)
            return NULL;
        struct slice name = db_col_text(stmt, 1, call->arena);
        if (call->query->prefix.ptr && !slice_starts_with(name, call->query->prefix)) {
            /* In rising order the prefix's names are together; in falling order those above it come first. */
            if (call->query->descending && slice_cmp(name, call->query->prefix) > 0)
                continue;
            return NULL;
        }
        if (call->count == call->query->max) {
            call->more = true;
            return NULL;
        }
        call->views[call->count++] = (struct log_stream_view){
            .id = db_col_i64(stmt, 0),
            .name = name,
            .created_at.ms = db_col_i64(stmt, 2),
            .has_events = !db_col_is_null(stmt, 4),
            .first_event_at.ms = db_col_i64(stmt, 3),
            .last_event_at.ms = db_col_i64(stmt, 4),
            .last_ingestion_at.ms = db_col_i64(stmt, 5),
        };
    }
}

#define COLUMNS "SELECT id, name, created_at, first_at, last_at, last_ingested_at FROM log_stream WHERE log_group = ?1 AND "

static struct err *list_fn(struct db_tx *tx, void *arg)
{
    struct stream_call *call = arg;
    const struct log_list *query = call->query;
    struct group_row group;
    TRY(group_find(tx, call->group, &group));
    struct db_stmt *stmt;
    if (query->descending)
        TRY(db_prepare(tx, COLUMNS "(?2 IS NULL OR name < ?2) ORDER BY name DESC", &stmt));
    else
        TRY(db_prepare(tx, COLUMNS "name > coalesce(?2, '') AND name >= coalesce(?3, '') ORDER BY name", &stmt));
    db_bind_i64(stmt, 1, group.id);
    db_bind_text(stmt, 2, query->after);
    if (!query->descending)
        db_bind_text(stmt, 3, query->prefix);
    return take_rows(call, stmt);
}

static struct err *list_by_time_fn(struct db_tx *tx, void *arg)
{
    struct stream_call *call = arg;
    const struct log_list *query = call->query;
    struct group_row group;
    TRY(group_find(tx, call->group, &group));
    struct db_stmt *stmt;
    if (query->descending)
        TRY(db_prepare(tx,
                       COLUMNS "(?3 IS NULL OR (coalesce(last_at, -1), name) < (?2, ?3)) ORDER BY coalesce(last_at, -1) DESC, name DESC",
                       &stmt));
    else
        TRY(db_prepare(tx, COLUMNS "(?3 IS NULL OR (coalesce(last_at, -1), name) > (?2, ?3)) ORDER BY coalesce(last_at, -1), name",
                       &stmt));
    db_bind_i64(stmt, 1, group.id);
    db_bind_i64(stmt, 2, call->after_at);
    db_bind_text(stmt, 3, query->after);
    return take_rows(call, stmt);
}

static struct err *list(struct logstore *store, db_fn fn, struct stream_call *call, struct log_stream_view **ret_views, size_t *ret_count,
                        bool *ret_more)
{
    TRY(db_read(store->db, fn, call));
    *ret_views = call->views;
    *ret_count = call->count;
    *ret_more = call->more;
    return NULL;
}

struct err *log_stream_list(struct logstore *store, struct arena *arena, struct slice group, const struct log_list *query,
                            struct log_stream_view **ret_views, size_t *ret_count, bool *ret_more)
{
    struct stream_call call = {.arena = arena, .group = group, .query = query};
    return list(store, list_fn, &call, ret_views, ret_count, ret_more);
}

struct err *log_stream_list_by_time(struct logstore *store, struct arena *arena, struct slice group, const struct log_list *query,
                                    int64_t after_at, struct log_stream_view **ret_views, size_t *ret_count, bool *ret_more)
{
    struct stream_call call = {.arena = arena, .group = group, .query = query, .after_at = after_at};
    return list(store, list_by_time_fn, &call, ret_views, ret_count, ret_more);
}

int64_t log_stream_time_place(const struct log_stream_view *stream)
{
    return stream->has_events ? stream->last_event_at.ms : -1;
}
