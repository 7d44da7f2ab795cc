/* objects_internal: what the files of this folder share. */
#pragma once
#include "base/arena.h"
#include "base/db.h"
#include "base/mutex.h"
#include "objects/objects.h"

#include <stdatomic.h>

/* A file that some reader has pinned; doomed: to be unlinked by whoever unpins it last. */
struct blob_pin {
    int64_t id;
    int64_t count;
    bool doomed;
    struct blob_pin *next;
};
#define BLOB_PIN_BUCKETS 1024

struct objects {
    char *dir;
    struct db *db;
    /* Ids of blobs, objects and uploads: rising, never given twice while anything of the old one is left. */
    atomic_int_least64_t next_id;
    atomic_bool failed; /* an fsync failed: nothing is written any more */
    /* Readers hold it shared while they look up an object and pin its blobs; who unlinks files takes it exclusively after
     * its commit. So a reader either saw the new rows, or has pinned the old files before they could go. */
    struct rwlock unlink_lock;
    struct mutex pin_lock; /* guards pins */
    struct blob_pin *pins[BLOB_PIN_BUCKETS];
};

/* --- blobs (blob.c) --- */

#define BLOB_PATH_BYTES 64

int64_t objects_new_id(struct objects *objects);
/* DIR/data/xx/ID and DIR/tmp/ID, in the heap. */
char *blob_path(const struct objects *objects, int64_t id);
char *blob_temporary_path(const struct objects *objects, int64_t id);
struct err *blob_create_temporary(struct objects *objects, int64_t id, int *ret_fd) NODISCARD;
/* Syncs the file, renames it to its place and syncs the directory. */
struct err *blob_publish(struct objects *objects, int64_t id, int fd) NODISCARD;
struct err *blob_open(struct objects *objects, int64_t id, int *ret_fd) NODISCARD;
void blob_pin(struct objects *objects, int64_t id); /* under unlink_lock shared */
void blob_unpin(struct objects *objects, int64_t id);
/* Makes the directories; removes temporary files and files without a row; sets next_id. */
struct err *blobs_open(struct objects *objects) NODISCARD;

/* Files whose last reference a transaction dropped; unlinked after the commit. Reset at the start of the closure. */
struct blob_drops {
    struct arena *arena;
    int64_t *ids;
    size_t count, cap;
};
void blob_drops_reset(struct blob_drops *drops, struct arena *arena);
/* One reference less; the row goes with the last one. */
struct err *blob_release(struct db_tx *tx, struct blob_drops *drops, int64_t id) NODISCARD;
struct err *blob_retain(struct db_tx *tx, int64_t id) NODISCARD;
/* data absent: the bytes are in the file. refs 1. */
struct err *blob_insert(struct db_tx *tx, int64_t id, int64_t size_bytes, struct slice data) NODISCARD;
void blob_unlink_dropped(struct objects *objects, const struct blob_drops *drops);

/* --- rows (row.c) --- */

struct slice attributes_pack(struct arena *arena, struct object_attributes attributes);
struct object_attributes attributes_unpack(struct arena *arena, struct slice packed);

/* db_write on the index; a full disk is ServiceUnavailable here too. */
struct err *objects_write(struct objects *objects, db_fn fn, void *arg) NODISCARD;
/* A disk that is full becomes ServiceUnavailable; all else passes. */
struct err *objects_write_failed(struct objects *objects, struct err *e) NODISCARD;

struct err *bucket_find(struct db_tx *tx, struct slice name, int64_t *ret_id) NODISCARD; /* NoSuchBucket */

struct object_row {
    int64_t id;
    struct object_view view;
};
/* *ret_found false: no such key. Attributes are unpacked. */
struct err *object_find(struct db_tx *tx, struct arena *arena, int64_t bucket, struct slice key, struct object_row *ret_row, bool *ret_found) NODISCARD;
struct err *object_conditions_check(const struct object_conditions *conditions, const struct object_row *row, bool found) NODISCARD;
/* Removes the row, its parts and their references. */
struct err *object_remove(struct db_tx *tx, struct blob_drops *drops, int64_t bucket, struct slice key, int64_t id) NODISCARD;
/* view->etag, sizes, checksum, attributes and part_count are written as they are. */
struct err *object_insert(struct db_tx *tx, int64_t id, int64_t bucket, const struct object_view *view, struct arena *arena) NODISCARD;
struct err *object_part_insert(struct db_tx *tx, int64_t object, const struct object_part_view *part, int64_t blob) NODISCARD;
struct slice etag_unquote(struct slice etag);
struct slice md5_hex(struct arena *arena, const uint8_t md5[16]);

/* --- writer (put.c), for multipart.c --- */

struct digest;
struct object_writer {
    struct objects *objects;
    struct arena *arena; /* the writer's own */
    struct slice bucket, key;
    int64_t blob_id;
    int fd;              /* -1 while the bytes are few: then they are in `small` */
    bool published;      /* the file is at its place; to be removed unless committed */
    bool committed;      /* or may be */
    char *small;
    size_t small_len;
    struct digest *md5;
    struct checksum *checksum;
    enum checksum_kind checksum_kind;
    struct object_sums sums;
    bool finished;
};
/* Makes the bytes durable (nothing to do for few of them: the index row carries them). */
struct err *object_writer_settle(struct object_writer *writer) NODISCARD;
/* Runs fn, which makes the row of the bytes; they stay unless it is certain that there is none. */
struct err *object_writer_write_row(struct object_writer *writer, db_fn fn, void *arg) NODISCARD;
struct slice object_writer_inline(const struct object_writer *writer); /* absent: the bytes are in a file */
