/* Opening and closing, and the schema of the index. */
#include "objects/objects_internal.h"

#include "base/fd.h"
#include "base/strbuf.h"

/* Versions are not served yet, but have their place: (bucket, key, sequence) orders them newest first, and is_current marks
 * the one that a plain request sees. In a bucket without versioning there is one row a key, with version_id 'null'. The
 * columns that lists read stand before the long ones, so that a scan does not touch their overflow pages. References to blobs are
 * counted in blob.refs; foreign keys would cost every put two more indexes. */
static const char *const migrations[] = {
    "CREATE TABLE bucket (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,"
    " versioning INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE blob (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, refs INTEGER NOT NULL, data BLOB) STRICT;"
    "CREATE TABLE object (bucket INTEGER NOT NULL REFERENCES bucket(id), key BLOB NOT NULL, sequence INTEGER NOT NULL,"
    " id INTEGER NOT NULL, is_current INTEGER NOT NULL, delete_marker INTEGER NOT NULL, version_id TEXT NOT NULL,"
    " size INTEGER NOT NULL, modified_at INTEGER NOT NULL, etag TEXT NOT NULL, part_count INTEGER NOT NULL,"
    " checksum_kind INTEGER NOT NULL, checksum_type INTEGER NOT NULL, checksum TEXT, attributes BLOB NOT NULL,"
    " PRIMARY KEY (bucket, key, sequence DESC)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE part (object INTEGER NOT NULL, number INTEGER NOT NULL, blob INTEGER NOT NULL,"
    " offset INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, checksum TEXT, modified_at INTEGER NOT NULL,"
    " PRIMARY KEY (object, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE upload (id INTEGER PRIMARY KEY, upload_id TEXT NOT NULL UNIQUE, bucket INTEGER NOT NULL REFERENCES bucket(id),"
    " key BLOB NOT NULL, initiated_at INTEGER NOT NULL, checksum_kind INTEGER NOT NULL, checksum_type INTEGER NOT NULL,"
    " attributes BLOB NOT NULL, state INTEGER NOT NULL, finished_at INTEGER, fingerprint TEXT, etag TEXT, checksum TEXT,"
    " size INTEGER) STRICT;"
    "CREATE INDEX upload_open ON upload (bucket, key, initiated_at, id) WHERE state = 0;"
    "CREATE INDEX upload_finished ON upload (finished_at) WHERE state <> 0;"
    "CREATE TABLE upload_part (upload INTEGER NOT NULL REFERENCES upload(id), number INTEGER NOT NULL,"
    " blob INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, checksum TEXT,"
    " modified_at INTEGER NOT NULL, PRIMARY KEY (upload, number)) STRICT, WITHOUT ROWID;",
};

#define FINISHED_UPLOADS_KEPT_MS (INT64_C(7) * 24 * 3600 * 1000)

static struct err *forget_old_uploads(struct db_tx *tx, void *arg)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "DELETE FROM upload WHERE state <> 0 AND finished_at < ?1", &stmt));
    db_bind_i64(stmt, 1, instant_now().ms - FINISHED_UPLOADS_KEPT_MS);
    return db_run(stmt);
}

struct err *objects_open(const char *dir, struct objects **ret_objects)
{
    struct objects *objects = xcalloc(1, sizeof(*objects));
    objects->dir = xstrdup(dir);
    rwlock_init(&objects->unlink_lock, LOCK_OBJECTS_UNLINK);
    mutex_init(&objects->pin_lock, LOCK_OBJECTS_PINS);

    struct err *e = dir_make(dir, 0700);
    if (!e) {
        struct strbuf path = STRBUF_HEAP;
        strbuf_append_fmt(&path, "%s/index.db", dir);
        e = db_open(path.ptr, migrations, ARRAY_SIZE(migrations), &objects->db);
        strbuf_deinit(&path);
    }
    if (!e)
        e = blobs_open(objects);
    if (!e)
        e = db_write(objects->db, forget_old_uploads, NULL);
    if (e) {
        objects_close(objects);
        return err_wrap(e, "while opening the object store %s", dir);
    }
    *ret_objects = objects;
    return NULL;
}

void objects_close(struct objects *objects)
{
    if (!objects)
        return;
    db_close(objects->db);
    for (size_t i = 0; i < BLOB_PIN_BUCKETS; i++) {
        while (objects->pins[i]) {
            struct blob_pin *pin = objects->pins[i];
            objects->pins[i] = pin->next;
            freep(&pin);
        }
    }
    mutex_deinit(&objects->pin_lock);
    rwlock_deinit(&objects->unlink_lock);
    freep(&objects->dir);
    freep(&objects);
}

struct err *objects_write(struct objects *objects, db_fn fn, void *arg)
{
    struct err *e = db_write(objects->db, fn, arg);
    return e && !e->code ? objects_write_failed(objects, e) : e;
}
