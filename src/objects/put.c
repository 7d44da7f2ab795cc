/* Writers: bytes come in, few of them stay in memory and go with the index row, many go to a temporary file; the MD5 and one
 * checksum are computed on the way. Nothing is visible before the commit. */
#include "objects/objects_internal.h"

#include "base/digest.h"
#include "base/fd.h"
#include "base/strbuf.h"

#include <string.h>
#include <unistd.h>

struct begin_call {
    struct slice bucket;
};

static struct err *begin_fn(struct db_tx *tx, void *arg)
{
    struct begin_call *call = arg;
    int64_t id;
    return bucket_find(tx, call->bucket, &id);
}

struct err *object_writer_begin(struct objects *objects, struct slice bucket, struct slice key, enum checksum_kind kind,
                                struct object_writer **ret_writer)
{
    struct begin_call call = {.bucket = bucket};
    TRY(db_read(objects->db, begin_fn, &call)); /* early, before the bytes; the commit asks again */
    struct object_writer *writer = xcalloc(1, sizeof(*writer));
    writer->objects = objects;
    writer->arena = arena_new();
    writer->bucket = slice_dup(writer->arena, bucket);
    writer->key = slice_dup(writer->arena, key);
    writer->fd = -1;
    writer->md5 = digest_new(DIGEST_MD5);
    writer->checksum = checksum_new(kind);
    writer->checksum_kind = kind;
    *ret_writer = writer;
    return NULL;
}

/* More than a row should hold: on to a file. */
static struct err *writer_spill(struct object_writer *writer)
{
    writer->blob_id = objects_new_id(writer->objects);
    TRY(blob_create_temporary(writer->objects, writer->blob_id, &writer->fd));
    struct err *e = fd_write_all(writer->fd, slice_of(writer->small, writer->small_len));
    return e ? objects_write_failed(writer->objects, e) : NULL;
}

struct err *object_writer_write(struct object_writer *writer, struct slice data)
{
    if (!data.len)
        return NULL;
    digest_update(writer->md5, data.ptr, data.len);
    checksum_update(writer->checksum, data);
    if (__builtin_add_overflow(writer->sums.size_bytes, (int64_t)data.len, &writer->sums.size_bytes))
        return err_code(ERR_INVALID, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
    if (writer->fd < 0 && writer->small_len + data.len <= OBJECTS_INLINE_MAX_BYTES) {
        if (!writer->small)
            writer->small = arena_alloc(writer->arena, OBJECTS_INLINE_MAX_BYTES);
        memcpy(writer->small + writer->small_len, data.ptr, data.len);
        writer->small_len += data.len;
        return NULL;
    }
    if (writer->fd < 0)
        TRY(writer_spill(writer));
    struct err *e = fd_write_all(writer->fd, data);
    return e ? objects_write_failed(writer->objects, e) : NULL;
}

const struct object_sums *object_writer_finish(struct object_writer *writer)
{
    if (!writer->finished) {
        uint8_t md5[DIGEST_MAX_BYTES];
        digest_final(writer->md5, md5);
        memcpy(writer->sums.md5, md5, sizeof(writer->sums.md5));
        writer->sums.checksum = checksum_finish(writer->checksum, writer->arena);
        writer->finished = true;
    }
    return &writer->sums;
}

struct err *object_writer_settle(struct object_writer *writer)
{
    object_writer_finish(writer);
    if (writer->fd < 0) {
        writer->blob_id = objects_new_id(writer->objects);
        return NULL;
    }
    TRY(blob_publish(writer->objects, writer->blob_id, writer->fd));
    writer->published = true;
    return NULL;
}

struct err *object_writer_write_row(struct object_writer *writer, db_fn fn, void *arg)
{
    struct err *e = objects_write(writer->objects, fn, arg);
    /* A commit whose sync failed may be found in the log at the next start, and is kept then: with its file, or the object that it replaced is
     * lost with it. Otherwise the file is swept there. */
    writer->committed = !e || !e->code;
    return e;
}

struct slice object_writer_inline(const struct object_writer *writer)
{
    return writer->fd < 0 ? slice_of(writer->small ? writer->small : "", writer->small_len) : SLICE_NONE;
}

struct commit_call {
    struct object_writer *writer;
    const struct object_conditions *conditions;
    struct object_attributes attributes;
    struct arena *arena;
    struct object_view view;
    struct blob_drops drops;
};

static struct err *commit_fn(struct db_tx *tx, void *arg)
{
    struct commit_call *call = arg;
    struct object_writer *writer = call->writer;
    blob_drops_reset(&call->drops, writer->arena);
    int64_t bucket;
    TRY(bucket_find(tx, writer->bucket, &bucket));
    struct object_row old = {0};
    bool found;
    TRY(object_find(tx, writer->arena, bucket, writer->key, &old, &found));
    TRY(object_conditions_check(call->conditions, &old, found));
    if (found)
        TRY(object_remove(tx, &call->drops, bucket, writer->key, old.id));
    call->view = (struct object_view){
        .key = writer->key,
        .size_bytes = writer->sums.size_bytes,
        .etag = md5_hex(call->arena, writer->sums.md5),
        .modified_at = instant_now(),
        .checksum_kind = writer->checksum_kind,
        .checksum_type = CHECKSUM_FULL_OBJECT,
        .checksum = slice_dup(call->arena, writer->sums.checksum),
        .attributes = call->attributes,
    };
    int64_t id = objects_new_id(writer->objects);
    TRY(object_insert(tx, id, bucket, &call->view, writer->arena));
    TRY(blob_insert(tx, writer->blob_id, writer->sums.size_bytes, object_writer_inline(writer)));
    return object_part_insert(tx, id,
                              &(struct object_part_view){.number = 1,
                                                         .size_bytes = call->view.size_bytes,
                                                         .etag = call->view.etag,
                                                         .checksum = call->view.checksum,
                                                         .modified_at = call->view.modified_at},
                              writer->blob_id);
}

struct err *object_writer_commit(struct object_writer *writer, struct object_attributes attributes,
                                 const struct object_conditions *conditions, struct arena *arena, struct object_view *ret_view)
{
    TRY(object_writer_settle(writer));
    struct commit_call call = {.writer = writer, .conditions = conditions, .attributes = attributes, .arena = arena};
    TRY(object_writer_write_row(writer, commit_fn, &call));
    blob_unlink_dropped(writer->objects, &call.drops);
    call.view.key = slice_dup(arena, call.view.key);
    *ret_view = call.view;
    return NULL;
}

void object_writer_free(struct object_writer *writer)
{
    if (!writer)
        return;
    fd_closep(&writer->fd);
    if (writer->blob_id && !writer->committed) {
        _cleanup_(freep) char *path = writer->published ? blob_path(writer->objects, writer->blob_id)
                                                        : blob_temporary_path(writer->objects, writer->blob_id);
        unlink(path);
    }
    digest_free(writer->md5);
    checksum_free(writer->checksum);
    arena_free(writer->arena);
    freep(&writer);
}

void object_writer_freep(struct object_writer **writer)
{
    object_writer_free(*writer);
}
