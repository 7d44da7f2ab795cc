/* Groups. */
#include "logstore/logstore_internal.h"

#include "base/strbuf.h"

struct err *group_find(struct db_tx *tx, struct slice name, struct group_row *ret_row)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT id, retention_days FROM log_group WHERE name = ?1", &stmt));
    db_bind_text(stmt, 1, name);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "The specified log group does not exist.");
    *ret_row = (struct group_row){.id = db_col_i64(stmt, 0), .retention_days = (int)db_col_i64(stmt, 1)};
    return NULL;
}

int64_t retention_start_ms(const struct group_row *group, struct instant now, int64_t start_ms)
{
    if (group->retention_days == LOGSTORE_NO_RETENTION)
        return start_ms;
    int64_t oldest = now.ms - (int64_t)group->retention_days * 24 * 3600 * 1000;
    return start_ms > oldest ? start_ms : oldest;
}

struct group_call {
    struct arena *arena;
    struct slice name;
    int days;
    struct log_group_view view;
    const struct log_list *query;
    struct log_group_view *views;
    size_t count;
    bool more;
};

static struct err *create_fn(struct db_tx *tx, void *arg)
{
    struct group_call *call = arg;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "INSERT INTO log_group (name, created_at) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING", &stmt));
    db_bind_text(stmt, 1, call->name);
    db_bind_i64(stmt, 2, instant_now().ms);
    TRY(db_run(stmt));
    if (!db_changes(tx))
        return err_code(ERR_CONFLICT, "ResourceAlreadyExistsException", "The specified log group already exists");
    return NULL;
}

struct err *log_group_create(struct logstore *store, struct slice name)
{
    struct group_call call = {.name = name};
    return db_write(store->db, create_fn, &call);
}

static struct err *delete_fn(struct db_tx *tx, void *arg)
{
    struct group_call *call = arg;
    struct group_row group;
    TRY(group_find(tx, call->name, &group));
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "INSERT INTO dead_stream (id) SELECT id FROM log_stream WHERE log_group = ?1", &stmt));
    db_bind_i64(stmt, 1, group.id);
    TRY(db_run(stmt));
    TRY(db_prepare(tx, "DELETE FROM log_stream WHERE log_group = ?1", &stmt));
    db_bind_i64(stmt, 1, group.id);
    TRY(db_run(stmt));
    TRY(db_prepare(tx, "DELETE FROM log_group WHERE id = ?1", &stmt));
    db_bind_i64(stmt, 1, group.id);
    return db_run(stmt);
}

struct err *log_group_delete(struct logstore *store, struct slice name)
{
    struct group_call call = {.name = name};
    TRY(db_write(store->db, delete_fn, &call));
    logstore_wake_sweeper(store);
    return NULL;
}

static struct err *retention_fn(struct db_tx *tx, void *arg)
{
    struct group_call *call = arg;
    struct group_row group;
    TRY(group_find(tx, call->name, &group));
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "UPDATE log_group SET retention_days = ?2 WHERE id = ?1", &stmt));
    db_bind_i64(stmt, 1, group.id);
    db_bind_i64(stmt, 2, call->days);
    return db_run(stmt);
}

struct err *log_group_set_retention(struct logstore *store, struct slice name, int days)
{
    struct group_call call = {.name = name, .days = days};
    TRY(db_write(store->db, retention_fn, &call));
    logstore_wake_sweeper(store);
    return NULL;
}

static struct log_group_view view_of_row(struct db_stmt *stmt, struct arena *arena)
{
    return (struct log_group_view){
        .name = db_col_text(stmt, 0, arena),
        .created_at.ms = db_col_i64(stmt, 1),
        .retention_days = (int)db_col_i64(stmt, 2),
        .stored_bytes = db_col_i64(stmt, 3),
    };
}

static struct err *list_fn(struct db_tx *tx, void *arg)
{
    struct group_call *call = arg;
    const struct log_list *query = call->query;
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "SELECT name, created_at, retention_days, stored_bytes FROM log_group WHERE name > ?1 AND name >= ?2 ORDER BY name",
                   &stmt));
    db_bind_text(stmt, 1, query->after.ptr ? query->after : S(""));
    db_bind_text(stmt, 2, query->prefix.ptr ? query->prefix : S(""));
    call->views = ARENA_ARRAY(call->arena, query->max + 1, struct log_group_view);
    for (;;) {
        bool row;
        TRY(db_step(stmt, &row));
        if (!row)
            return NULL;
        struct log_group_view view = view_of_row(stmt, call->arena);
        if (query->prefix.ptr && !slice_starts_with(view.name, query->prefix))
            return NULL;
        if (query->pattern.ptr && slice_find(view.name, query->pattern) < 0)
            continue;
        if (call->count == query->max) {
            call->more = true;
            return NULL;
        }
        call->views[call->count++] = view;
    }
}

struct err *log_group_list(struct logstore *store, struct arena *arena, const struct log_list *query, struct log_group_view **ret_views,
                           size_t *ret_count, bool *ret_more)
{
    struct group_call call = {.arena = arena, .query = query};
    TRY(db_read(store->db, list_fn, &call));
    *ret_views = call.views;
    *ret_count = call.count;
    *ret_more = call.more;
    return NULL;
}

static struct err *get_fn(struct db_tx *tx, void *arg)
{
    struct group_call *call = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT name, created_at, retention_days, stored_bytes FROM log_group WHERE name = ?1", &stmt));
    db_bind_text(stmt, 1, call->name);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "The specified log group does not exist.");
    call->view = view_of_row(stmt, call->arena);
    return NULL;
}

struct err *log_group_get(struct logstore *store, struct arena *arena, struct slice name, struct log_group_view *ret_view)
{
    struct group_call call = {.arena = arena, .name = name};
    TRY(db_read(store->db, get_fn, &call));
    *ret_view = call.view;
    return NULL;
}
