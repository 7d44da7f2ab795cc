/* Lists as range scans: after a common prefix the scan jumps behind it, so a page costs what it shows and not what lies
 * under its prefixes. Order is that of the bytes (SQLite compares blobs so). Source: S3 User Guide, "Listing object keys". */
#include "objects/objects_internal.h"
#include "objects/scan.h"

#include "base/strbuf.h"

struct list_call {
    struct arena *arena;
    const struct object_list_query *query;
    struct object_list list;
};

static struct object_view view_of_row(struct db_stmt *stmt, struct slice key, struct arena *arena)
{
    return (struct object_view){
        .key = key,
        .size_bytes = db_col_i64(stmt, 1),
        .modified_at.ms = db_col_i64(stmt, 2),
        .etag = db_col_text(stmt, 3, arena),
        .checksum_kind = (enum checksum_kind)db_col_i64(stmt, 4),
        .checksum_type = (enum checksum_type)db_col_i64(stmt, 5),
        .part_count = (int)db_col_i64(stmt, 6),
    };
}

static struct err *scan_from(struct db_tx *tx, int64_t bucket, struct slice start, struct db_stmt **ret_stmt)
{
    TRY(db_prepare(tx,
                   "SELECT key, size, modified_at, etag, checksum_kind, checksum_type, part_count FROM object"
                   " WHERE bucket = ?1 AND key >= ?2 AND is_current = 1 AND delete_marker = 0 ORDER BY key",
                   ret_stmt));
    db_bind_i64(*ret_stmt, 1, bucket);
    db_bind_blob(*ret_stmt, 2, start);
    return NULL;
}

static struct err *list_fn(struct db_tx *tx, void *arg)
{
    struct list_call *call = arg;
    const struct object_list_query *query = call->query;
    struct object_list *list = &call->list;
    int64_t bucket;
    TRY(bucket_find(tx, query->bucket, &bucket));
    if (!query->max)
        return NULL;
    list->items = ARENA_ARRAY(call->arena, query->max, struct object_list_item);
    struct slice start;
    bool more = scan_start(call->arena, query->prefix, query->delimiter, query->after, &start);
    struct db_stmt *stmt;
    if (more)
        TRY(scan_from(tx, bucket, start, &stmt));
    while (more) {
        TRY(db_step(stmt, &more));
        if (!more)
            break;
        struct slice key = db_col_text(stmt, 0, call->arena);
        if (!slice_starts_with(key, query->prefix))
            break;
        if (list->count == query->max) {
            list->truncated = true;
            break;
        }
        struct object_list_item *item = &list->items[list->count++];
        struct slice common = scan_common_prefix(key, query->prefix, query->delimiter);
        list->last = common.ptr ? common : key;
        if (!common.ptr) {
            item->object = view_of_row(stmt, key, call->arena);
            continue;
        }
        item->is_prefix = true;
        item->object.key = common;
        more = scan_successor(call->arena, common, &start);
        if (more)
            TRY(scan_from(tx, bucket, start, &stmt));
    }
    return NULL;
}

struct err *object_list(struct objects *objects, struct arena *arena, const struct object_list_query *query, struct object_list *ret_list)
{
    struct list_call call = {.arena = arena, .query = query};
    TRY(db_read(objects->db, list_fn, &call));
    *ret_list = call.list;
    return NULL;
}
