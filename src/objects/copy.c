/* Copies: by sharing the blob where the copy would hold the same bytes under the same sums, else by reading and writing (an
 * object of parts gets a plain MD5, a new checksum kind needs the bytes). */
#include "objects/objects_internal.h"

#include <errno.h>
#include <unistd.h>

struct copy_call {
    struct objects *objects;
    struct arena *arena;
    const struct object_copy *copy;
    bool must_read; /* out: sharing will not do */
    struct object_view view;
    struct blob_drops drops;
};

static struct err *source_check(const struct object_copy *copy, const struct object_view *source)
{
    if (copy->source_etag.ptr && !slice_eq(etag_unquote(copy->source_etag), source->etag))
        return err_code(ERR_CONFLICT, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    return NULL;
}

static struct err *share_fn(struct db_tx *tx, void *arg)
{
    struct copy_call *call = arg;
    const struct object_copy *copy = call->copy;
    blob_drops_reset(&call->drops, call->arena);
    int64_t source_bucket, bucket;
    TRY(bucket_find(tx, copy->source_bucket, &source_bucket));
    TRY(bucket_find(tx, copy->bucket, &bucket));
    struct object_row source = {0}, old = {0};
    bool found;
    TRY(object_find(tx, call->arena, source_bucket, copy->source_key, &source, &found));
    if (!found)
        return err_code(ERR_NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
    TRY(source_check(copy, &source.view));
    call->must_read = source.view.part_count ||
                      (copy->checksum_kind != CHECKSUM_NONE && copy->checksum_kind != source.view.checksum_kind);
    if (call->must_read)
        return NULL;

    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT blob FROM part WHERE object = ?1", &stmt));
    db_bind_i64(stmt, 1, source.id);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_INTERNAL, "object %lld has no part", (long long)source.id);
    int64_t blob = db_col_i64(stmt, 0);
    TRY(blob_retain(tx, blob)); /* before the old target goes: it may be the source */

    TRY(object_find(tx, call->arena, bucket, copy->key, &old, &found));
    TRY(object_conditions_check(&copy->conditions, &old, found));
    if (found)
        TRY(object_remove(tx, &call->drops, bucket, copy->key, old.id));
    call->view = source.view;
    call->view.key = copy->key;
    call->view.modified_at = instant_now();
    if (copy->attributes)
        call->view.attributes = *copy->attributes;
    int64_t id = objects_new_id(call->objects);
    TRY(object_insert(tx, id, bucket, &call->view, call->arena));
    return object_part_insert(tx, id,
                              &(struct object_part_view){.number = 1,
                                                         .size_bytes = call->view.size_bytes,
                                                         .etag = call->view.etag,
                                                         .checksum = call->view.checksum,
                                                         .modified_at = call->view.modified_at},
                              blob);
}

struct err *object_writer_write_from(struct object_writer *writer, struct object_reader *reader)
{
    _cleanup_(freep) char *buffer = xmalloc(256 << 10);
    for (;;) {
        struct object_piece piece;
        TRY(object_reader_next(reader, &piece));
        if (!piece.size_bytes)
            return NULL;
        if (piece.bytes.ptr) {
            TRY(object_writer_write(writer, piece.bytes));
            continue;
        }
        while (piece.size_bytes) {
            size_t wanted = piece.size_bytes < (256 << 10) ? (size_t)piece.size_bytes : 256 << 10;
            ssize_t n = pread(piece.fd, buffer, wanted, piece.offset_bytes);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                return err_errno(errno, "while reading an object");
            if (n == 0)
                return err_new(ERR_INTERNAL, "an object's file is shorter than its row says");
            TRY(object_writer_write(writer, slice_of(buffer, (size_t)n)));
            piece.offset_bytes += n;
            piece.size_bytes -= n;
        }
    }
}

static struct err *copy_by_reading(struct copy_call *call, struct object_view *ret_view)
{
    const struct object_copy *copy = call->copy;
    _cleanup_(object_reader_freep) struct object_reader *reader = NULL;
    _cleanup_(object_writer_freep) struct object_writer *writer = NULL;
    struct object_view source;
    TRY(object_reader_open(call->objects, call->arena, copy->source_bucket, copy->source_key, &source, &reader));
    TRY(source_check(copy, &source));
    enum checksum_kind kind = copy->checksum_kind != CHECKSUM_NONE ? copy->checksum_kind : source.checksum_kind;
    TRY(object_writer_begin(call->objects, copy->bucket, copy->key, kind, &writer));
    TRY(object_writer_write_from(writer, reader));
    return object_writer_commit(writer, copy->attributes ? *copy->attributes : source.attributes, &copy->conditions, call->arena,
                                ret_view);
}

struct err *object_copy(struct objects *objects, struct arena *arena, const struct object_copy *copy, struct object_view *ret_view)
{
    struct copy_call call = {.objects = objects, .arena = arena, .copy = copy};
    TRY(objects_write(objects, share_fn, &call));
    if (call.must_read)
        return copy_by_reading(&call, ret_view);
    blob_unlink_dropped(objects, &call.drops);
    *ret_view = call.view;
    return NULL;
}
