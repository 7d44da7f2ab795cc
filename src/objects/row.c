/* Rows of the index: finding, inserting and removing them inside somebody's transaction; conditions on them. */
#include "objects/objects_internal.h"

#include "base/encode.h"
#include "base/strbuf.h"

struct slice object_attribute_get(struct object_attributes attributes, struct slice name)
{
    for (size_t i = 0; i < attributes.count; i++) {
        if (slice_eq(attributes.items[i].name, name))
            return attributes.items[i].value;
    }
    return SLICE_NONE;
}

struct slice attributes_pack(struct arena *arena, struct object_attributes attributes)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append(&out, S(""));
    for (size_t i = 0; i < attributes.count; i++) {
        strbuf_append(&out, attributes.items[i].name);
        strbuf_append_char(&out, ':');
        strbuf_append(&out, attributes.items[i].value);
        strbuf_append_char(&out, '\n');
    }
    return out.ptr ? strbuf_slice(&out) : S("");
}

struct object_attributes attributes_unpack(struct arena *arena, struct slice packed)
{
    size_t lines = 0;
    for (size_t i = 0; i < packed.len; i++)
        lines += packed.ptr[i] == '\n';
    struct object_attribute *items = ARENA_ARRAY(arena, lines + 1, struct object_attribute);
    size_t count = 0;
    while (packed.len && count < lines) {
        struct slice line = slice_cut(&packed, '\n');
        if (slice_split(line, ':', &items[count].name, &items[count].value))
            count++;
    }
    return (struct object_attributes){.items = items, .count = count};
}

struct slice etag_unquote(struct slice etag)
{
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
        return slice_sub(etag, 1, etag.len - 2);
    return etag;
}

struct slice md5_hex(struct arena *arena, const uint8_t md5[16])
{
    return hex_encode(arena, slice_of((const char *)md5, 16));
}

struct err *bucket_find(struct db_tx *tx, struct slice name, int64_t *ret_id)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT id FROM bucket WHERE name = ?1", &stmt));
    db_bind_text(stmt, 1, name);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_code(ERR_NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist");
    *ret_id = db_col_i64(stmt, 0);
    return NULL;
}

struct err *object_find(struct db_tx *tx, struct arena *arena, int64_t bucket, struct slice key, struct object_row *ret_row, bool *ret_found)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx,
                   "SELECT id, size, modified_at, etag, part_count, checksum_kind, checksum_type, checksum, attributes FROM object"
                   " WHERE bucket = ?1 AND key = ?2 AND is_current = 1 AND delete_marker = 0",
                   &stmt));
    db_bind_i64(stmt, 1, bucket);
    db_bind_blob(stmt, 2, key);
    TRY(db_step(stmt, &row));
    *ret_found = row;
    if (!row)
        return NULL;
    *ret_row = (struct object_row){
        .id = db_col_i64(stmt, 0),
        .view = {.key = slice_dup(arena, key),
                 .size_bytes = db_col_i64(stmt, 1),
                 .modified_at.ms = db_col_i64(stmt, 2),
                 .etag = db_col_text(stmt, 3, arena),
                 .part_count = (int)db_col_i64(stmt, 4),
                 .checksum_kind = (enum checksum_kind)db_col_i64(stmt, 5),
                 .checksum_type = (enum checksum_type)db_col_i64(stmt, 6),
                 .checksum = db_col_text(stmt, 7, arena),
                 .attributes = attributes_unpack(arena, db_col_text(stmt, 8, arena))},
    };
    return NULL;
}

struct err *object_conditions_check(const struct object_conditions *conditions, const struct object_row *row, bool found)
{
    if (!conditions)
        return NULL;
    bool asks_old = conditions->if_match.ptr || conditions->has_if_size || conditions->has_if_modified_at;
    if (asks_old && !found)
        return err_code(ERR_NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
    struct slice wanted = etag_unquote(conditions->if_match);
    bool held = !(conditions->if_none_match && found);
    if (wanted.ptr && !slice_eq(wanted, S("*")) && !slice_eq(wanted, row->view.etag))
        held = false;
    if (conditions->has_if_size && conditions->if_size_bytes != row->view.size_bytes)
        held = false;
    if (conditions->has_if_modified_at && conditions->if_modified_at.ms / 1000 != row->view.modified_at.ms / 1000)
        held = false;
    if (!held)
        return err_code(ERR_CONFLICT, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    return NULL;
}

struct err *object_remove(struct db_tx *tx, struct blob_drops *drops, int64_t bucket, struct slice key, int64_t id)
{
    struct db_stmt *stmt;
    /* One at a time: releasing prepares other statements, and a cursor must not stand on rows that change. */
    for (int64_t after = 0;;) {
        bool row;
        TRY(db_prepare(tx, "SELECT number, blob FROM part WHERE object = ?1 AND number > ?2 ORDER BY number LIMIT 1", &stmt));
        db_bind_i64(stmt, 1, id);
        db_bind_i64(stmt, 2, after);
        TRY(db_step(stmt, &row));
        if (!row)
            break;
        after = db_col_i64(stmt, 0);
        TRY(blob_release(tx, drops, db_col_i64(stmt, 1)));
    }
    TRY(db_prepare(tx, "DELETE FROM part WHERE object = ?1", &stmt));
    db_bind_i64(stmt, 1, id);
    TRY(db_run(stmt));
    TRY(db_prepare(tx, "DELETE FROM object WHERE bucket = ?1 AND key = ?2 AND id = ?3", &stmt));
    db_bind_i64(stmt, 1, bucket);
    db_bind_blob(stmt, 2, key);
    db_bind_i64(stmt, 3, id);
    return db_run(stmt);
}

struct err *object_insert(struct db_tx *tx, int64_t id, int64_t bucket, const struct object_view *view, struct arena *arena)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "INSERT INTO object (bucket, key, sequence, id, is_current, delete_marker, version_id, size, modified_at, etag,"
                   " part_count, checksum_kind, checksum_type, checksum, attributes)"
                   " VALUES (?1, ?2, ?3, ?3, 1, 0, 'null', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                   &stmt));
    db_bind_i64(stmt, 1, bucket);
    db_bind_blob(stmt, 2, view->key);
    db_bind_i64(stmt, 3, id);
    db_bind_i64(stmt, 4, view->size_bytes);
    db_bind_i64(stmt, 5, view->modified_at.ms);
    db_bind_text(stmt, 6, view->etag);
    db_bind_i64(stmt, 7, view->part_count);
    db_bind_i64(stmt, 8, view->checksum_kind);
    db_bind_i64(stmt, 9, view->checksum_type);
    db_bind_text(stmt, 10, view->checksum);
    db_bind_blob(stmt, 11, attributes_pack(arena, view->attributes));
    return db_run(stmt);
}

struct err *object_part_insert(struct db_tx *tx, int64_t object, const struct object_part_view *part, int64_t blob)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "INSERT INTO part (object, number, blob, offset, size, etag, checksum, modified_at)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                   &stmt));
    db_bind_i64(stmt, 1, object);
    db_bind_i64(stmt, 2, part->number);
    db_bind_i64(stmt, 3, blob);
    db_bind_i64(stmt, 4, part->offset_bytes);
    db_bind_i64(stmt, 5, part->size_bytes);
    db_bind_text(stmt, 6, part->etag);
    db_bind_text(stmt, 7, part->checksum);
    db_bind_i64(stmt, 8, part->modified_at.ms);
    return db_run(stmt);
}
