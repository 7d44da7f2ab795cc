/* Completing an upload: one transaction hands the parts' blobs to the object, no bytes move. The finished upload stays behind
 * for a week, so that a repeated Complete (a client that lost the answer) finds its answer. Source: S3 API reference,
 * CompleteMultipartUpload. */
#include "objects/multipart_internal.h"

#include "base/digest.h"
#include "base/encode.h"
#include "base/strbuf.h"

struct complete_call {
    struct objects *objects;
    struct arena *arena;
    struct slice bucket, key, upload_id;
    const struct upload_complete_part *parts;
    size_t count;
    const struct object_conditions *conditions;
    struct upload_complete_fault *fault;
    struct object_view view;
    struct blob_drops drops;
    /* of each named part */
    int64_t *blobs, *sizes;
    struct slice *etags, *checksums;
    struct instant *modified;
};

static struct slice fingerprint(const struct complete_call *call)
{
    struct strbuf text = STRBUF_ARENA(call->arena);
    for (size_t i = 0; i < call->count; i++)
        strbuf_append_fmt(&text, "%d:%.*s\n", call->parts[i].number, SLICE_ARG(etag_unquote(call->parts[i].etag)));
    return sha256_hex(call->arena, strbuf_slice(&text));
}

static struct err *invalid_part(struct complete_call *call, const struct upload_complete_part *part)
{
    *call->fault = (struct upload_complete_fault){.part_number = part->number, .etag = part->etag};
    return err_code(ERR_INVALID, "InvalidPart",
                    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
                    "entity tag may not match the part's entity tag.");
}

static struct err *part_take(struct db_tx *tx, struct complete_call *call, const struct upload_row *upload, size_t i)
{
    const struct upload_complete_part *part = &call->parts[i];
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT blob, size, etag, checksum, modified_at FROM upload_part WHERE upload = ?1 AND number = ?2", &stmt));
    db_bind_i64(stmt, 1, upload->id);
    db_bind_i64(stmt, 2, part->number);
    TRY(db_step(stmt, &row));
    if (!row)
        return invalid_part(call, part);
    call->blobs[i] = db_col_i64(stmt, 0);
    call->sizes[i] = db_col_i64(stmt, 1);
    call->etags[i] = db_col_text(stmt, 2, call->arena);
    call->checksums[i] = db_col_text(stmt, 3, call->arena);
    call->modified[i].ms = db_col_i64(stmt, 4);
    if (!slice_eq(etag_unquote(part->etag), call->etags[i]))
        return invalid_part(call, part);
    if (upload->view.checksum_kind == CHECKSUM_NONE)
        return NULL;
    if (part->checksum.ptr && !slice_eq(part->checksum, call->checksums[i]))
        return invalid_part(call, part);
    if (!part->checksum.ptr && upload->view.checksum_type == CHECKSUM_COMPOSITE)
        return err_code(ERR_INVALID, "InvalidRequest",
                        "The upload was created using a %.*s checksum. The complete request must include the checksum for each part. It "
                        "was missing for part %d in the request.",
                        SLICE_ARG(slice_lower(call->arena, checksum_name(upload->view.checksum_kind))), part->number);
    return NULL;
}

static struct err *parts_take(struct db_tx *tx, struct complete_call *call, const struct upload_row *upload)
{
    call->blobs = ARENA_ARRAY(call->arena, call->count, int64_t);
    call->sizes = ARENA_ARRAY(call->arena, call->count, int64_t);
    call->etags = ARENA_ARRAY(call->arena, call->count, struct slice);
    call->checksums = ARENA_ARRAY(call->arena, call->count, struct slice);
    call->modified = ARENA_ARRAY(call->arena, call->count, struct instant);
    for (size_t i = 0; i < call->count; i++) {
        if (i && call->parts[i].number <= call->parts[i - 1].number)
            return err_code(ERR_INVALID, "InvalidPartOrder",
                            "The list of parts was not in ascending order. Parts must be ordered by part number.");
    }
    for (size_t i = 0; i < call->count; i++)
        TRY(part_take(tx, call, upload, i));
    for (size_t i = 0; i + 1 < call->count; i++) {
        if (call->sizes[i] < OBJECTS_MIN_PART_BYTES) {
            *call->fault = (struct upload_complete_fault){
                .part_number = call->parts[i].number, .size_bytes = call->sizes[i], .etag = call->etags[i]};
            return err_code(ERR_INVALID, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size");
        }
    }
    return NULL;
}

static struct slice composite_etag(const struct complete_call *call)
{
    struct strbuf raw = STRBUF_ARENA(call->arena);
    for (size_t i = 0; i < call->count; i++) {
        struct slice md5;
        if (hex_decode(call->arena, call->etags[i], &md5))
            strbuf_append(&raw, md5);
    }
    uint8_t md5[DIGEST_MAX_BYTES];
    digest_once(DIGEST_MD5, strbuf_slice(&raw), md5);
    return slice_fmt(call->arena, "%.*s-%zu", SLICE_ARG(md5_hex(call->arena, md5)), call->count);
}

static struct err *object_of_parts(struct db_tx *tx, struct complete_call *call, int64_t bucket, const struct upload_row *upload)
{
    struct object_view view = {
        .key = call->key,
        .etag = composite_etag(call),
        .modified_at = instant_now(),
        .checksum_kind = upload->view.checksum_kind,
        .checksum_type = upload->view.checksum_type,
        .attributes = attributes_unpack(call->arena, upload->attributes),
        .part_count = (int)call->count,
    };
    if (view.checksum_kind != CHECKSUM_NONE)
        TRY(checksum_of_parts(call->arena, view.checksum_kind, view.checksum_type, call->checksums, call->sizes, call->count,
                              &view.checksum));
    for (size_t i = 0; i < call->count; i++) {
        if (__builtin_add_overflow(view.size_bytes, call->sizes[i], &view.size_bytes))
            return err_code(ERR_INVALID, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
    }
    int64_t id = objects_new_id(call->objects), offset = 0;
    TRY(object_insert(tx, id, bucket, &view, call->arena));
    struct db_stmt *stmt;
    for (size_t i = 0; i < call->count; i++) {
        TRY(object_part_insert(tx, id,
                               &(struct object_part_view){.number = call->parts[i].number,
                                                          .offset_bytes = offset,
                                                          .size_bytes = call->sizes[i],
                                                          .etag = call->etags[i],
                                                          .checksum = call->checksums[i],
                                                          .modified_at = call->modified[i]},
                               call->blobs[i]));
        offset += call->sizes[i];
        TRY(db_prepare(tx, "DELETE FROM upload_part WHERE upload = ?1 AND number = ?2", &stmt)); /* its blob is the object's now */
        db_bind_i64(stmt, 1, upload->id);
        db_bind_i64(stmt, 2, call->parts[i].number);
        TRY(db_run(stmt));
    }
    call->view = view;
    return NULL;
}

static struct err *upload_finish(struct db_tx *tx, const struct complete_call *call, int64_t upload)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "UPDATE upload SET state = 1, finished_at = ?2, fingerprint = ?3, etag = ?4, checksum = ?5, size = ?6 WHERE id = ?1",
                   &stmt));
    db_bind_i64(stmt, 1, upload);
    db_bind_i64(stmt, 2, call->view.modified_at.ms);
    db_bind_text(stmt, 3, fingerprint(call));
    db_bind_text(stmt, 4, call->view.etag);
    db_bind_text(stmt, 5, call->view.checksum);
    db_bind_i64(stmt, 6, call->view.size_bytes);
    return db_run(stmt);
}

static struct err *complete_fn(struct db_tx *tx, void *arg)
{
    struct complete_call *call = arg;
    blob_drops_reset(&call->drops, call->arena);
    int64_t bucket;
    TRY(bucket_find(tx, call->bucket, &bucket));
    struct upload_row upload;
    TRY(upload_find(tx, call->arena, bucket, call->key, call->upload_id, &upload));
    if (upload.state == UPLOAD_COMPLETE && slice_eq(upload.fingerprint, fingerprint(call))) {
        call->view = (struct object_view){
            .key = call->key,
            .etag = upload.etag,
            .modified_at = upload.finished_at,
            .checksum_kind = upload.view.checksum_kind,
            .checksum_type = upload.view.checksum_type,
            .checksum = upload.checksum,
            .size_bytes = upload.size_bytes,
            .part_count = (int)call->count,
        };
        return NULL;
    }
    if (upload.state != UPLOAD_OPEN)
        return upload_missing();
    TRY(parts_take(tx, call, &upload));
    struct object_row old = {0};
    bool found;
    TRY(object_find(tx, call->arena, bucket, call->key, &old, &found));
    TRY(object_conditions_check(call->conditions, &old, found));
    if (found)
        TRY(object_remove(tx, &call->drops, bucket, call->key, old.id));
    TRY(object_of_parts(tx, call, bucket, &upload));
    TRY(upload_release_parts(tx, &call->drops, upload.id)); /* those that the list does not name */
    return upload_finish(tx, call, upload.id);
}

struct err *upload_complete(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key, struct slice upload_id,
                            const struct upload_complete_part *parts, size_t count, const struct object_conditions *conditions,
                            struct object_view *ret_view, struct upload_complete_fault *ret_fault)
{
    struct complete_call call = {.objects = objects,
                                 .arena = arena,
                                 .bucket = bucket,
                                 .key = key,
                                 .upload_id = upload_id,
                                 .parts = parts,
                                 .count = count,
                                 .conditions = conditions,
                                 .fault = ret_fault};
    TRY(objects_write(objects, complete_fn, &call));
    blob_unlink_dropped(objects, &call.drops);
    *ret_view = call.view;
    return NULL;
}
