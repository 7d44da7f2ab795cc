/* Looking at objects and reading them. A reader pins the blobs of what it saw, so that a replacement does not take the files
 * away; it opens one file at a time. */
#include "objects/objects_internal.h"

#include "base/fd.h"
#include "base/strbuf.h"

struct reader_part {
    int number;
    int64_t blob, offset_bytes, size_bytes;
    struct slice inlined; /* absent: in a file */
};

struct object_reader {
    struct objects *objects;
    struct arena *arena;
    struct reader_part *parts;
    size_t count;
    int part_count; /* of the object; 0: was not uploaded in parts */
    int64_t size_bytes;
    int64_t position, end;
    size_t next;
    int fd;
};

struct read_call {
    struct objects *objects;
    struct arena *arena;
    struct slice bucket, key;
    struct object_row row;
    struct object_reader *reader;
    /* part lists */
    int after;
    size_t max;
    struct object_part_view *parts;
    size_t count;
    bool truncated;
};

static struct err *find_or_fail(struct db_tx *tx, struct read_call *call)
{
    int64_t bucket;
    bool found;
    TRY(bucket_find(tx, call->bucket, &bucket));
    TRY(object_find(tx, call->arena, bucket, call->key, &call->row, &found));
    if (!found)
        return err_code(ERR_NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
    return NULL;
}

static struct err *head_fn(struct db_tx *tx, void *arg)
{
    return find_or_fail(tx, arg);
}

struct err *object_head(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key, struct object_view *ret_view)
{
    struct read_call call = {.arena = arena, .bucket = bucket, .key = key};
    TRY(db_read(objects->db, head_fn, &call));
    *ret_view = call.row.view;
    return NULL;
}

static struct err *parts_fn(struct db_tx *tx, void *arg)
{
    struct read_call *call = arg;
    TRY(find_or_fail(tx, call));
    if (!call->row.view.part_count)
        return NULL;
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "SELECT number, offset, size, etag, checksum, modified_at FROM part WHERE object = ?1 AND number > ?2 ORDER BY number",
                   &stmt));
    db_bind_i64(stmt, 1, call->row.id);
    db_bind_i64(stmt, 2, call->after);
    call->parts = ARENA_ARRAY(call->arena, (size_t)call->row.view.part_count, struct object_part_view);
    for (;;) {
        bool row;
        TRY(db_step(stmt, &row));
        if (!row || call->count == (size_t)call->row.view.part_count)
            return NULL;
        if (call->count == call->max) {
            call->truncated = true;
            return NULL;
        }
        call->parts[call->count++] = (struct object_part_view){
            .number = (int)db_col_i64(stmt, 0),
            .offset_bytes = db_col_i64(stmt, 1),
            .size_bytes = db_col_i64(stmt, 2),
            .etag = db_col_text(stmt, 3, call->arena),
            .checksum = db_col_text(stmt, 4, call->arena),
            .modified_at.ms = db_col_i64(stmt, 5),
        };
    }
}

struct err *object_part_list(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key, int after, size_t max,
                             struct object_part_view **ret_parts, size_t *ret_count, bool *ret_truncated)
{
    struct read_call call = {.arena = arena, .bucket = bucket, .key = key, .after = after, .max = max};
    TRY(db_read(objects->db, parts_fn, &call));
    *ret_parts = call.parts;
    *ret_count = call.count;
    *ret_truncated = call.truncated;
    return NULL;
}

static struct err *open_fn(struct db_tx *tx, void *arg)
{
    struct read_call *call = arg;
    struct object_reader *reader = call->reader;
    TRY(find_or_fail(tx, call));
    const struct object_view *view = &call->row.view;
    size_t count = view->part_count ? (size_t)view->part_count : 1;
    reader->parts = ARENA_ARRAY(reader->arena, count, struct reader_part);
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "SELECT p.number, p.blob, p.offset, p.size, b.data FROM part p JOIN blob b ON b.id = p.blob WHERE p.object = ?1"
                   " ORDER BY p.number",
                   &stmt));
    db_bind_i64(stmt, 1, call->row.id);
    while (reader->count < count) {
        bool row;
        TRY(db_step(stmt, &row));
        if (!row)
            return err_new(ERR_INTERNAL, "object %lld has %zu of %zu parts", (long long)call->row.id, reader->count, count);
        struct reader_part *part = &reader->parts[reader->count++];
        *part = (struct reader_part){
            .number = (int)db_col_i64(stmt, 0),
            .blob = db_col_i64(stmt, 1),
            .offset_bytes = db_col_i64(stmt, 2),
            .size_bytes = db_col_i64(stmt, 3),
            /* Read now: the row may go while we read. Only the last part of many can be this small. */
            .inlined = db_col_text(stmt, 4, reader->arena),
        };
    }
    return NULL;
}

struct err *object_reader_open(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key,
                               struct object_view *ret_view, struct object_reader **ret_reader)
{
    struct object_reader *reader = xcalloc(1, sizeof(*reader));
    reader->objects = objects;
    reader->arena = arena_new();
    reader->fd = -1;
    struct read_call call = {.arena = arena, .bucket = bucket, .key = key, .reader = reader};
    rwlock_lock_read(&objects->unlink_lock);
    struct err *e = db_read(objects->db, open_fn, &call);
    for (size_t i = 0; i < reader->count && !e; i++)
        blob_pin(objects, reader->parts[i].blob);
    rwlock_unlock(&objects->unlink_lock);
    if (e) {
        reader->count = 0; /* nothing pinned */
        object_reader_free(reader);
        return e;
    }
    reader->part_count = call.row.view.part_count;
    reader->size_bytes = call.row.view.size_bytes;
    reader->end = reader->size_bytes;
    *ret_view = call.row.view;
    *ret_reader = reader;
    return NULL;
}

struct err *object_reader_part(const struct object_reader *reader, int number, int64_t *ret_offset, int64_t *ret_size)
{
    for (size_t i = 0; i < reader->count; i++) {
        /* Parts of a multipart object are asked for by their place in it: S3 numbers them 1.. without the gaps. */
        if ((int)i + 1 == number) {
            *ret_offset = reader->parts[i].offset_bytes;
            *ret_size = reader->parts[i].size_bytes;
            return NULL;
        }
    }
    return err_new(ERR_NOT_FOUND, "no part %d", number);
}

void object_reader_range(struct object_reader *reader, int64_t offset_bytes, int64_t size_bytes)
{
    reader->position = offset_bytes;
    reader->end = offset_bytes + size_bytes;
    reader->next = 0;
}

struct err *object_reader_next(struct object_reader *reader, struct object_piece *ret_piece)
{
    fd_closep(&reader->fd);
    const struct reader_part *part = NULL;
    while (reader->next < reader->count && reader->position < reader->end) {
        part = &reader->parts[reader->next++];
        if (part->size_bytes && reader->position < part->offset_bytes + part->size_bytes)
            break;
        part = NULL;
    }
    if (!part) {
        *ret_piece = (struct object_piece){.fd = -1};
        return NULL;
    }
    int64_t offset = reader->position - part->offset_bytes;
    int64_t size = part->size_bytes - offset;
    if (size > reader->end - reader->position)
        size = reader->end - reader->position;
    struct object_piece piece = {.fd = -1, .offset_bytes = offset, .size_bytes = size};
    if (part->inlined.ptr) {
        piece.bytes = slice_sub(part->inlined, (size_t)offset, (size_t)size);
    } else {
        TRY(blob_open(reader->objects, part->blob, &reader->fd));
        piece.fd = reader->fd;
    }
    reader->position += size;
    *ret_piece = piece;
    return NULL;
}

void object_reader_free(struct object_reader *reader)
{
    if (!reader)
        return;
    fd_closep(&reader->fd);
    for (size_t i = 0; i < reader->count; i++)
        blob_unpin(reader->objects, reader->parts[i].blob);
    arena_free(reader->arena);
    freep(&reader);
}

void object_reader_freep(struct object_reader **reader)
{
    object_reader_free(*reader);
}
