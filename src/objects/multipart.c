/* Multipart uploads but for their completion. Parts are blobs with rows of their own. Source: S3 User Guide, "Multipart upload". */
#include "objects/multipart_internal.h"
#include "objects/scan.h"

#include "base/digest.h"
#include "base/strbuf.h"

struct err *upload_missing(void)
{
    return err_code(ERR_NOT_FOUND, "NoSuchUpload",
                    "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
                    "or completed.");
}

struct err *upload_find(struct db_tx *tx, struct arena *arena, int64_t bucket, struct slice key, struct slice upload_id,
                        struct upload_row *ret_row)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx,
                   "SELECT id, state, initiated_at, checksum_kind, checksum_type, attributes, fingerprint, etag, checksum, size, finished_at"
                   " FROM upload WHERE upload_id = ?1 AND bucket = ?2 AND key = ?3",
                   &stmt));
    db_bind_text(stmt, 1, upload_id);
    db_bind_i64(stmt, 2, bucket);
    db_bind_blob(stmt, 3, key);
    TRY(db_step(stmt, &row));
    if (!row)
        return upload_missing();
    *ret_row = (struct upload_row){
        .id = db_col_i64(stmt, 0),
        .state = (enum upload_state)db_col_i64(stmt, 1),
        .view = {.upload_id = slice_dup(arena, upload_id),
                 .key = slice_dup(arena, key),
                 .initiated_at.ms = db_col_i64(stmt, 2),
                 .checksum_kind = (enum checksum_kind)db_col_i64(stmt, 3),
                 .checksum_type = (enum checksum_type)db_col_i64(stmt, 4)},
        .attributes = db_col_text(stmt, 5, arena),
        .fingerprint = db_col_text(stmt, 6, arena),
        .etag = db_col_text(stmt, 7, arena),
        .checksum = db_col_text(stmt, 8, arena),
        .size_bytes = db_col_i64(stmt, 9),
        .finished_at.ms = db_col_i64(stmt, 10),
    };
    return NULL;
}

static struct err *upload_find_open(struct db_tx *tx, struct arena *arena, struct slice bucket_name, struct slice key,
                                    struct slice upload_id, struct upload_row *ret_row)
{
    int64_t bucket;
    TRY(bucket_find(tx, bucket_name, &bucket));
    struct upload_row row;
    TRY(upload_find(tx, arena, bucket, key, upload_id, &row));
    if (row.state != UPLOAD_OPEN)
        return upload_missing();
    *ret_row = row;
    return NULL;
}

/* --- create, head --- */

struct upload_call {
    struct objects *objects;
    struct arena *arena;
    struct slice bucket, key, upload_id;
    struct object_attributes attributes;
    enum checksum_kind kind;
    enum checksum_type type;
    struct upload_row row;
    int after;
    size_t max;
    struct object_part_view *parts;
    size_t count;
    bool truncated;
    struct blob_drops drops;
};

static struct err *create_fn(struct db_tx *tx, void *arg)
{
    struct upload_call *call = arg;
    int64_t bucket;
    TRY(bucket_find(tx, call->bucket, &bucket));
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "INSERT INTO upload (id, upload_id, bucket, key, initiated_at, checksum_kind, checksum_type, attributes, state)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)",
                   &stmt));
    db_bind_i64(stmt, 1, objects_new_id(call->objects));
    db_bind_text(stmt, 2, call->upload_id);
    db_bind_i64(stmt, 3, bucket);
    db_bind_blob(stmt, 4, call->key);
    db_bind_i64(stmt, 5, instant_now().ms);
    db_bind_i64(stmt, 6, call->kind);
    db_bind_i64(stmt, 7, call->type);
    db_bind_blob(stmt, 8, attributes_pack(call->arena, call->attributes));
    return db_run(stmt);
}

struct err *upload_create(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key,
                          struct object_attributes attributes, enum checksum_kind kind, enum checksum_type type,
                          struct slice *ret_upload_id)
{
    struct upload_call call = {.objects = objects, .arena = arena, .bucket = bucket, .key = key, .attributes = attributes, .kind = kind, .type = type};
    call.upload_id = random_text(arena, 64, S("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    TRY(objects_write(objects, create_fn, &call));
    *ret_upload_id = call.upload_id;
    return NULL;
}

static struct err *head_fn(struct db_tx *tx, void *arg)
{
    struct upload_call *call = arg;
    return upload_find_open(tx, call->arena, call->bucket, call->key, call->upload_id, &call->row);
}

struct err *upload_head(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key, struct slice upload_id,
                        struct upload_view *ret_view)
{
    struct upload_call call = {.arena = arena, .bucket = bucket, .key = key, .upload_id = upload_id};
    TRY(db_read(objects->db, head_fn, &call));
    *ret_view = call.row.view;
    return NULL;
}

/* --- parts --- */

struct part_call {
    struct object_writer *writer;
    struct slice upload_id;
    int number;
    struct object_part_view part;
    struct blob_drops drops;
};

static struct slice kind_word(struct arena *arena, enum checksum_kind kind)
{
    return kind == CHECKSUM_NONE ? S("null") : slice_lower(arena, checksum_name(kind));
}

static struct err *part_fn(struct db_tx *tx, void *arg)
{
    struct part_call *call = arg;
    struct object_writer *writer = call->writer;
    blob_drops_reset(&call->drops, writer->arena);
    struct upload_row upload;
    TRY(upload_find_open(tx, writer->arena, writer->bucket, writer->key, call->upload_id, &upload));
    enum checksum_kind kind = upload.view.checksum_kind;
    if (kind != CHECKSUM_NONE && kind != writer->checksum_kind)
        return err_code(ERR_INVALID, "InvalidRequest",
                        "Checksum Type mismatch occurred, expected checksum Type: %.*s, actual checksum Type: %.*s",
                        SLICE_ARG(kind_word(writer->arena, kind)), SLICE_ARG(kind_word(writer->arena, writer->checksum_kind)));
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT blob FROM upload_part WHERE upload = ?1 AND number = ?2", &stmt));
    db_bind_i64(stmt, 1, upload.id);
    db_bind_i64(stmt, 2, call->number);
    TRY(db_step(stmt, &row));
    if (row)
        TRY(blob_release(tx, &call->drops, db_col_i64(stmt, 0)));
    call->part = (struct object_part_view){
        .number = call->number,
        .size_bytes = writer->sums.size_bytes,
        .etag = md5_hex(writer->arena, writer->sums.md5),
        .checksum = kind == CHECKSUM_NONE ? SLICE_NONE : writer->sums.checksum,
        .modified_at = instant_now(),
    };
    TRY(blob_insert(tx, writer->blob_id, writer->sums.size_bytes, object_writer_inline(writer)));
    TRY(db_prepare(tx,
                   "INSERT OR REPLACE INTO upload_part (upload, number, blob, size, etag, checksum, modified_at)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                   &stmt));
    db_bind_i64(stmt, 1, upload.id);
    db_bind_i64(stmt, 2, call->number);
    db_bind_i64(stmt, 3, writer->blob_id);
    db_bind_i64(stmt, 4, call->part.size_bytes);
    db_bind_text(stmt, 5, call->part.etag);
    db_bind_text(stmt, 6, call->part.checksum);
    db_bind_i64(stmt, 7, call->part.modified_at.ms);
    return db_run(stmt);
}

struct err *upload_part_commit(struct object_writer *writer, struct slice upload_id, int number, struct arena *arena,
                               struct object_part_view *ret_part)
{
    TRY(object_writer_settle(writer));
    struct part_call call = {.writer = writer, .upload_id = upload_id, .number = number};
    TRY(object_writer_write_row(writer, part_fn, &call));
    blob_unlink_dropped(writer->objects, &call.drops);
    call.part.etag = slice_dup(arena, call.part.etag);
    call.part.checksum = slice_dup(arena, call.part.checksum);
    *ret_part = call.part;
    return NULL;
}

static struct err *part_list_fn(struct db_tx *tx, void *arg)
{
    struct upload_call *call = arg;
    TRY(upload_find_open(tx, call->arena, call->bucket, call->key, call->upload_id, &call->row));
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "SELECT number, size, etag, checksum, modified_at FROM upload_part WHERE upload = ?1 AND number > ?2 ORDER BY number",
                   &stmt));
    db_bind_i64(stmt, 1, call->row.id);
    db_bind_i64(stmt, 2, call->after);
    call->parts = ARENA_ARRAY(call->arena, call->max + 1, struct object_part_view);
    for (;;) {
        bool row;
        TRY(db_step(stmt, &row));
        if (!row)
            return NULL;
        if (call->count == call->max) {
            call->truncated = call->max != 0;
            return NULL;
        }
        call->parts[call->count++] = (struct object_part_view){
            .number = (int)db_col_i64(stmt, 0),
            .size_bytes = db_col_i64(stmt, 1),
            .etag = db_col_text(stmt, 2, call->arena),
            .checksum = db_col_text(stmt, 3, call->arena),
            .modified_at.ms = db_col_i64(stmt, 4),
        };
    }
}

struct err *upload_part_list(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key, struct slice upload_id,
                             int after, size_t max, struct object_part_view **ret_parts, size_t *ret_count, bool *ret_truncated)
{
    struct upload_call call = {.arena = arena, .bucket = bucket, .key = key, .upload_id = upload_id, .after = after, .max = max};
    TRY(db_read(objects->db, part_list_fn, &call));
    *ret_parts = call.parts;
    *ret_count = call.count;
    *ret_truncated = call.truncated;
    return NULL;
}

/* --- list --- */

struct upload_list_call {
    struct arena *arena;
    const struct upload_list_query *query;
    struct upload_list list;
};

static struct err *upload_scan_from(struct db_tx *tx, int64_t bucket, struct slice start, struct instant since, int64_t after_id,
                                    struct db_stmt **ret_stmt)
{
    TRY(db_prepare(tx,
                   "SELECT key, upload_id, initiated_at, checksum_kind, checksum_type FROM upload WHERE bucket = ?1 AND state = 0"
                   " AND (key, initiated_at, id) > (?2, ?3, ?4) ORDER BY key, initiated_at, id",
                   ret_stmt));
    db_bind_i64(*ret_stmt, 1, bucket);
    db_bind_blob(*ret_stmt, 2, start);
    db_bind_i64(*ret_stmt, 3, since.ms);
    db_bind_i64(*ret_stmt, 4, after_id);
    return NULL;
}

/* The place behind (after_key, after_upload_id); an unknown upload id counts as the key's end. */
static struct err *upload_scan_start(struct db_tx *tx, struct upload_list_call *call, int64_t bucket, bool *ret_more, struct db_stmt **ret_stmt)
{
    const struct upload_list_query *query = call->query;
    if (query->after_key.len && query->after_upload_id.len) {
        struct upload_row row;
        struct err *e = upload_find(tx, call->arena, bucket, query->after_key, query->after_upload_id, &row);
        if (!e) {
            *ret_more = true;
            return upload_scan_from(tx, bucket, query->after_key, row.view.initiated_at, row.id, ret_stmt);
        }
        if (!err_has_code(e, "NoSuchUpload"))
            return e;
        err_free(e);
    }
    struct slice start;
    *ret_more = scan_start(call->arena, query->prefix, query->delimiter, query->after_key, &start);
    return *ret_more ? upload_scan_from(tx, bucket, start, (struct instant){.ms = INT64_MIN}, 0, ret_stmt) : NULL;
}

static struct err *upload_list_fn(struct db_tx *tx, void *arg)
{
    struct upload_list_call *call = arg;
    const struct upload_list_query *query = call->query;
    struct upload_list *list = &call->list;
    int64_t bucket;
    TRY(bucket_find(tx, query->bucket, &bucket));
    list->items = ARENA_ARRAY(call->arena, query->max + 1, struct upload_list_item);
    struct db_stmt *stmt = NULL;
    bool more;
    TRY(upload_scan_start(tx, call, bucket, &more, &stmt));
    while (more) {
        TRY(db_step(stmt, &more));
        if (!more)
            break;
        struct slice key = db_col_text(stmt, 0, call->arena);
        if (!slice_starts_with(key, query->prefix))
            break;
        if (list->count == query->max) {
            list->truncated = query->max != 0;
            break;
        }
        struct upload_list_item *item = &list->items[list->count++];
        struct slice common = scan_common_prefix(key, query->prefix, query->delimiter);
        item->is_prefix = common.ptr != NULL;
        item->upload = (struct upload_view){
            .key = common.ptr ? common : key,
            .upload_id = db_col_text(stmt, 1, call->arena),
            .initiated_at.ms = db_col_i64(stmt, 2),
            .checksum_kind = (enum checksum_kind)db_col_i64(stmt, 3),
            .checksum_type = (enum checksum_type)db_col_i64(stmt, 4),
        };
        struct slice start;
        if (common.ptr) {
            more = scan_successor(call->arena, common, &start);
            if (more)
                TRY(upload_scan_from(tx, bucket, start, (struct instant){.ms = INT64_MIN}, 0, &stmt));
        }
    }
    return NULL;
}

struct err *upload_list(struct objects *objects, struct arena *arena, const struct upload_list_query *query, struct upload_list *ret_list)
{
    struct upload_list_call call = {.arena = arena, .query = query};
    TRY(db_read(objects->db, upload_list_fn, &call));
    *ret_list = call.list;
    return NULL;
}

/* --- abort --- */

struct err *upload_release_parts(struct db_tx *tx, struct blob_drops *drops, int64_t upload)
{
    struct db_stmt *stmt;
    for (int64_t after = 0;;) {
        bool row;
        TRY(db_prepare(tx, "SELECT number, blob FROM upload_part WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT 1", &stmt));
        db_bind_i64(stmt, 1, upload);
        db_bind_i64(stmt, 2, after);
        TRY(db_step(stmt, &row));
        if (!row)
            break;
        after = db_col_i64(stmt, 0);
        TRY(blob_release(tx, drops, db_col_i64(stmt, 1)));
    }
    TRY(db_prepare(tx, "DELETE FROM upload_part WHERE upload = ?1", &stmt));
    db_bind_i64(stmt, 1, upload);
    return db_run(stmt);
}

static struct err *abort_fn(struct db_tx *tx, void *arg)
{
    struct upload_call *call = arg;
    blob_drops_reset(&call->drops, call->arena);
    int64_t bucket;
    TRY(bucket_find(tx, call->bucket, &bucket));
    struct upload_row row;
    TRY(upload_find(tx, call->arena, bucket, call->key, call->upload_id, &row));
    if (row.state == UPLOAD_ABORTED)
        return NULL;
    if (row.state == UPLOAD_COMPLETE)
        return upload_missing();
    TRY(upload_release_parts(tx, &call->drops, row.id));
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "UPDATE upload SET state = 2, finished_at = ?2 WHERE id = ?1", &stmt));
    db_bind_i64(stmt, 1, row.id);
    db_bind_i64(stmt, 2, instant_now().ms);
    return db_run(stmt);
}

struct err *upload_abort(struct objects *objects, struct slice bucket, struct slice key, struct slice upload_id)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct upload_call call = {.arena = arena, .bucket = bucket, .key = key, .upload_id = upload_id};
    TRY(objects_write(objects, abort_fn, &call));
    blob_unlink_dropped(objects, &call.drops);
    return NULL;
}
