/* objects: a durable object store for one machine: buckets, objects, multipart uploads. Knows no HTTP.
 *
 * The index is SQLite (DIR/index.db), the bytes are files DIR/data/xx/ID, or rows of the index when there are at most
 * OBJECTS_INLINE_MAX_BYTES of them. A change is visible only when its bytes, their directory entry and the index row are on
 * disk, in that order, and it is on disk when the function returns. Keys are any bytes (UTF-8 by the door's check) and never
 * become file names. An object that is replaced or deleted while it is being read stays whole for that reader.
 *
 * Any thread; a writer or reader handle belongs to one thread at a time. Slices in results are in the caller's arena.
 *
 * Conditions are errors with S3's own code (err->code) and message, as the S3 API reference, "Error responses", words them:
 * NoSuchBucket, NoSuchKey, NoSuchUpload, BucketNotEmpty, BucketAlreadyOwnedByYou, PreconditionFailed, InvalidPart,
 * InvalidPartOrder, EntityTooSmall, InvalidRequest, and ServiceUnavailable (ERR_LIMIT) when the disk is full. */
#pragma once
#include "base/clock.h"
#include "base/err.h"
#include "objects/checksum.h"

struct arena;
struct objects;

#define OBJECTS_INLINE_MAX_BYTES 16384
#define OBJECTS_KEY_MAX_BYTES 1024
#define OBJECTS_MIN_PART_BYTES (INT64_C(5) << 20) /* all parts but the last */
#define OBJECTS_MAX_PART_NUMBER 10000
#define OBJECTS_LIST_MAX 1000

/* Opens or makes DIR; removes what a crash left behind (temporary files, files without a row). */
struct err *objects_open(const char *dir, struct objects **ret_objects) NODISCARD;
void objects_close(struct objects *objects); /* every handle must be gone; NULL is fine */

/* --- buckets --- */

struct bucket_view {
    struct slice name;
    struct instant created_at;
};
/* BucketAlreadyOwnedByYou when it is there. */
struct err *bucket_create(struct objects *objects, struct slice name) NODISCARD;
struct err *bucket_head(struct objects *objects, struct arena *arena, struct slice name, struct bucket_view *ret_view) NODISCARD;
/* BucketNotEmpty while there is an object; open uploads go with it. */
struct err *bucket_delete(struct objects *objects, struct slice name) NODISCARD;
/* By name, those that begin with prefix and come after `after` (absent: from the start), at most max. */
struct err *bucket_list(struct objects *objects, struct arena *arena, struct slice prefix, struct slice after, size_t max,
                        struct bucket_view **ret_views, size_t *ret_count, bool *ret_truncated) NODISCARD;

/* --- objects --- */

/* What is kept and given back verbatim: lower-case header names with their values ("content-type", "x-amz-meta-k").
 * Neither holds a line feed, and no name a colon. */
struct object_attribute {
    struct slice name;
    struct slice value;
};

struct object_attributes {
    const struct object_attribute *items;
    size_t count;
};
struct slice object_attribute_get(struct object_attributes attributes, struct slice name); /* SLICE_NONE when absent */

struct object_part_view {
    int number;
    int64_t offset_bytes;
    int64_t size_bytes;
    struct slice etag;     /* hex, no quotes */
    struct slice checksum; /* absent: none */
    struct instant modified_at;
};

struct object_view {
    struct slice key;
    int64_t size_bytes;
    struct slice etag; /* "9b2c…" or "9b2c…-3"; no quotes */
    struct instant modified_at;
    enum checksum_kind checksum_kind;
    enum checksum_type checksum_type;
    struct slice checksum;               /* Base64; absent with CHECKSUM_NONE */
    struct object_attributes attributes; /* absent in lists */
    int part_count;                      /* 0: was not uploaded in parts */
};

/* Conditions of a write or delete, evaluated in the commit. ETags with or without quotes; "*" is any. */
struct object_conditions {
    struct slice if_match;    /* missing object: NoSuchKey; other ETag: PreconditionFailed */
    bool if_none_match;       /* If-None-Match: *: PreconditionFailed when there is one */
    bool has_if_size, has_if_modified_at;
    int64_t if_size_bytes;
    struct instant if_modified_at; /* compared by the second */
};

struct object_writer;
/* NoSuchBucket at once. Computes the MD5 and a checksum of this kind while bytes pass. */
struct err *object_writer_begin(struct objects *objects, struct slice bucket, struct slice key, enum checksum_kind kind,
                                struct object_writer **ret_writer) NODISCARD;
struct err *object_writer_write(struct object_writer *writer, struct slice data) NODISCARD;
/* All of the reader's range. */
struct object_reader;
struct err *object_writer_write_from(struct object_writer *writer, struct object_reader *reader) NODISCARD;
/* No more bytes; gives what was computed, for the caller's checks before the commit. In the writer's memory. */
struct object_sums {
    int64_t size_bytes;
    uint8_t md5[16];
    struct slice checksum; /* Base64; absent with CHECKSUM_NONE */
};
const struct object_sums *object_writer_finish(struct object_writer *writer);
/* Publishes it (after finish). On an error nothing is visible and the old object is intact. Frees nothing. */
struct err *object_writer_commit(struct object_writer *writer, struct object_attributes attributes,
                                 const struct object_conditions *conditions, struct arena *arena, struct object_view *ret_view) NODISCARD;
void object_writer_free(struct object_writer *writer); /* drops what was not committed; NULL is fine */
void object_writer_freep(struct object_writer **writer);

/* NoSuchBucket, NoSuchKey. */
struct err *object_head(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key,
                        struct object_view *ret_view) NODISCARD;
/* The parts an object was uploaded in, from the part after `after`, at most max; none for others. */
struct err *object_part_list(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key, int after, size_t max,
                             struct object_part_view **ret_parts, size_t *ret_count, bool *ret_truncated) NODISCARD;

struct err *object_reader_open(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key,
                               struct object_view *ret_view, struct object_reader **ret_reader) NODISCARD;
/* Where the part lies that is the `number`th (from 1), whatever number it was uploaded with; ERR_NOT_FOUND. An object that was not uploaded in parts has part 1, which is all of it. */
struct err *object_reader_part(const struct object_reader *reader, int number, int64_t *ret_offset, int64_t *ret_size) NODISCARD;
/* Reads on from offset, size bytes (both inside the object). Before the first one: the whole object. */
void object_reader_range(struct object_reader *reader, int64_t offset_bytes, int64_t size_bytes);
/* The next piece of the range: bytes, or a file. Valid until the next call. */
struct object_piece {
    struct slice bytes; /* when present, the piece itself */
    int fd;             /* else these bytes of a file */
    int64_t offset_bytes;
    int64_t size_bytes; /* 0: the end */
};
struct err *object_reader_next(struct object_reader *reader, struct object_piece *ret_piece) NODISCARD;
void object_reader_free(struct object_reader *reader); /* NULL is fine */
void object_reader_freep(struct object_reader **reader);

/* A missing key is success (unless a condition asks for it). */
struct err *object_delete(struct objects *objects, struct slice bucket, struct slice key, const struct object_conditions *conditions) NODISCARD;
struct object_delete_entry {
    struct slice key;
    struct object_conditions conditions;
    struct err *result; /* out: NULL when deleted; the caller's to free */
};
/* All in one commit; only the bucket's absence (or the disk) fails the whole. */
struct err *object_delete_many(struct objects *objects, struct slice bucket, struct object_delete_entry *entries, size_t count) NODISCARD;

struct object_copy {
    struct slice source_bucket, source_key;
    struct slice bucket, key;
    const struct object_attributes *attributes; /* NULL: the source's */
    enum checksum_kind checksum_kind;           /* CHECKSUM_NONE: the source's */
    struct slice source_etag;                   /* absent: any; else PreconditionFailed when the source has changed */
    struct object_conditions conditions;        /* on the target */
};
/* Shares the bytes where it can. Source = target is fine. */
struct err *object_copy(struct objects *objects, struct arena *arena, const struct object_copy *copy, struct object_view *ret_view) NODISCARD;

/* --- lists --- */

struct object_list_query {
    struct slice bucket;
    struct slice prefix;
    struct slice delimiter; /* absent or empty: none */
    struct slice after;     /* strictly after this key; a common prefix ends with the delimiter and is then skipped whole */
    size_t max;             /* entries and prefixes together; 0 is legal and never truncated */
};
/* One item of a page, in byte order. */
struct object_list_item {
    bool is_prefix;
    struct object_view object; /* key only when is_prefix */
};
struct object_list {
    struct object_list_item *items;
    size_t count;
    bool truncated;
    struct slice last; /* the `after` of the next page */
};
struct err *object_list(struct objects *objects, struct arena *arena, const struct object_list_query *query, struct object_list *ret_list) NODISCARD;

/* --- multipart uploads --- */

struct upload_view {
    struct slice upload_id;
    struct slice key;
    struct instant initiated_at;
    enum checksum_kind checksum_kind;
    enum checksum_type checksum_type;
};
struct err *upload_create(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key,
                          struct object_attributes attributes, enum checksum_kind kind, enum checksum_type type,
                          struct slice *ret_upload_id) NODISCARD;
/* NoSuchUpload unless it is open. */
struct err *upload_head(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key, struct slice upload_id,
                        struct upload_view *ret_view) NODISCARD;
/* Publishes a finished writer as part `number`; a part of that number is replaced. The last one to finish wins. */
struct err *upload_part_commit(struct object_writer *writer, struct slice upload_id, int number, struct arena *arena,
                               struct object_part_view *ret_part) NODISCARD;
struct err *upload_part_list(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key, struct slice upload_id,
                             int after, size_t max, struct object_part_view **ret_parts, size_t *ret_count, bool *ret_truncated) NODISCARD;
struct upload_list_query {
    struct slice bucket, prefix, delimiter;
    struct slice after_key, after_upload_id; /* after_upload_id counts only with after_key */
    size_t max;
};
struct upload_list_item {
    bool is_prefix;
    struct upload_view upload; /* key only when is_prefix */
};
struct upload_list {
    struct upload_list_item *items;
    size_t count;
    bool truncated;
};
/* By key, then by time of initiation. */
struct err *upload_list(struct objects *objects, struct arena *arena, const struct upload_list_query *query, struct upload_list *ret_list) NODISCARD;

struct upload_complete_part {
    int number;
    struct slice etag;     /* with or without quotes */
    struct slice checksum; /* absent: not named */
};
/* Which part an error is about, for its message's extra members. */
struct upload_complete_fault {
    int part_number;
    int64_t size_bytes;
    struct slice etag;
};
/* One transaction, no bytes are copied. A repeat of the same Complete answers the same. After PreconditionFailed or an
 * InvalidPart the upload stays open. */
struct err *upload_complete(struct objects *objects, struct arena *arena, struct slice bucket, struct slice key, struct slice upload_id,
                            const struct upload_complete_part *parts, size_t count, const struct object_conditions *conditions,
                            struct object_view *ret_view, struct upload_complete_fault *ret_fault) NODISCARD;
/* Success for one that is already aborted; NoSuchUpload for an id that never was, or is complete. */
struct err *upload_abort(struct objects *objects, struct slice bucket, struct slice key, struct slice upload_id) NODISCARD;
