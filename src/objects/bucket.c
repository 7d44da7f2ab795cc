/* Buckets. Their names' form is the door's business. */
#include "objects/objects_internal.h"

#include "base/strbuf.h"

struct bucket_call {
    struct objects *objects;
    struct arena *arena;
    struct slice name, prefix, after;
    size_t max;
    struct bucket_view *views;
    size_t count;
    bool truncated;
    struct blob_drops drops;
};

static struct err *create_fn(struct db_tx *tx, void *arg)
{
    struct bucket_call *call = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT 1 FROM bucket WHERE name = ?1", &stmt));
    db_bind_text(stmt, 1, call->name);
    TRY(db_step(stmt, &row));
    if (row)
        return err_code(ERR_CONFLICT, "BucketAlreadyOwnedByYou",
                        "Your previous request to create the named bucket succeeded and you already own it.");
    TRY(db_prepare(tx, "INSERT INTO bucket (name, created_at) VALUES (?1, ?2)", &stmt));
    db_bind_text(stmt, 1, call->name);
    db_bind_i64(stmt, 2, instant_now().ms);
    return db_run(stmt);
}

struct err *bucket_create(struct objects *objects, struct slice name)
{
    struct bucket_call call = {.name = name};
    return objects_write(objects, create_fn, &call);
}

static struct err *head_fn(struct db_tx *tx, void *arg)
{
    struct bucket_call *call = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT created_at FROM bucket WHERE name = ?1", &stmt));
    db_bind_text(stmt, 1, call->name);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_code(ERR_NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist");
    *call->views = (struct bucket_view){.name = slice_dup(call->arena, call->name), .created_at.ms = db_col_i64(stmt, 0)};
    return NULL;
}

struct err *bucket_head(struct objects *objects, struct arena *arena, struct slice name, struct bucket_view *ret_view)
{
    struct bucket_view view;
    struct bucket_call call = {.arena = arena, .name = name, .views = &view};
    TRY(db_read(objects->db, head_fn, &call));
    *ret_view = view;
    return NULL;
}

static struct err *delete_fn(struct db_tx *tx, void *arg)
{
    struct bucket_call *call = arg;
    blob_drops_reset(&call->drops, call->arena);
    int64_t id;
    TRY(bucket_find(tx, call->name, &id));
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT 1 FROM object WHERE bucket = ?1 LIMIT 1", &stmt));
    db_bind_i64(stmt, 1, id);
    TRY(db_step(stmt, &row));
    if (row)
        return err_code(ERR_CONFLICT, "BucketNotEmpty", "The bucket you tried to delete is not empty");
    for (;;) {
        TRY(db_prepare(tx,
                       "SELECT p.upload, p.number, p.blob FROM upload u JOIN upload_part p ON p.upload = u.id WHERE u.bucket = ?1 LIMIT 1",
                       &stmt));
        db_bind_i64(stmt, 1, id);
        TRY(db_step(stmt, &row));
        if (!row)
            break;
        int64_t upload = db_col_i64(stmt, 0), number = db_col_i64(stmt, 1), blob = db_col_i64(stmt, 2);
        TRY(blob_release(tx, &call->drops, blob));
        TRY(db_prepare(tx, "DELETE FROM upload_part WHERE upload = ?1 AND number = ?2", &stmt));
        db_bind_i64(stmt, 1, upload);
        db_bind_i64(stmt, 2, number);
        TRY(db_run(stmt));
    }
    TRY(db_prepare(tx, "DELETE FROM upload WHERE bucket = ?1", &stmt));
    db_bind_i64(stmt, 1, id);
    TRY(db_run(stmt));
    TRY(db_prepare(tx, "DELETE FROM bucket WHERE id = ?1", &stmt));
    db_bind_i64(stmt, 1, id);
    return db_run(stmt);
}

struct err *bucket_delete(struct objects *objects, struct slice name)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct bucket_call call = {.arena = arena, .name = name};
    TRY(objects_write(objects, delete_fn, &call));
    blob_unlink_dropped(objects, &call.drops);
    return NULL;
}

static struct err *list_fn(struct db_tx *tx, void *arg)
{
    struct bucket_call *call = arg;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "SELECT name, created_at FROM bucket WHERE name > ?1 AND name >= ?2 ORDER BY name", &stmt));
    db_bind_text(stmt, 1, call->after.ptr ? call->after : S(""));
    db_bind_text(stmt, 2, call->prefix.ptr ? call->prefix : S(""));
    size_t cap = 0;
    for (;;) {
        bool row;
        TRY(db_step(stmt, &row));
        if (!row)
            return NULL;
        struct slice name = db_col_text(stmt, 0, call->arena);
        if (call->prefix.ptr && !slice_starts_with(name, call->prefix))
            return NULL;
        if (call->count == call->max) {
            call->truncated = true;
            return NULL;
        }
        if (call->count == cap) {
            cap = cap ? cap * 2 : 16;
            struct bucket_view *views = ARENA_ARRAY(call->arena, cap, struct bucket_view);
            for (size_t i = 0; i < call->count; i++)
                views[i] = call->views[i];
            call->views = views;
        }
        call->views[call->count++] = (struct bucket_view){.name = name, .created_at.ms = db_col_i64(stmt, 1)};
    }
}

struct err *bucket_list(struct objects *objects, struct arena *arena, struct slice prefix, struct slice after, size_t max,
                        struct bucket_view **ret_views, size_t *ret_count, bool *ret_truncated)
{
    struct bucket_call call = {.arena = arena, .prefix = prefix, .after = after, .max = max};
    TRY(db_read(objects->db, list_fn, &call));
    *ret_views = call.views;
    *ret_count = call.count;
    *ret_truncated = call.truncated;
    return NULL;
}
