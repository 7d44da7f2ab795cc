/* Blobs: runs of bytes with a number, in a file or in their row, shared by reference count. A file gets its number before
 * its row exists; what a crash leaves without a row is removed at the next start. */
#include "objects/objects_internal.h"

#include "base/fd.h"
#include "base/strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t objects_new_id(struct objects *objects)
{
    return atomic_fetch_add(&objects->next_id, 1);
}

char *blob_path(const struct objects *objects, int64_t id)
{
    struct strbuf path = STRBUF_HEAP;
    strbuf_append_fmt(&path, "%s/data/%02x/%016llx", objects->dir, (unsigned)(id & 0xff), (unsigned long long)id);
    return path.ptr;
}

char *blob_temporary_path(const struct objects *objects, int64_t id)
{
    struct strbuf path = STRBUF_HEAP;
    strbuf_append_fmt(&path, "%s/tmp/%016llx", objects->dir, (unsigned long long)id);
    return path.ptr;
}

struct err *objects_write_failed(struct objects *objects, struct err *e)
{
    if (!e->no_space)
        return e;
    struct err *full = err_code(ERR_LIMIT, "ServiceUnavailable", "There is no space left where objects are kept.");
    full->no_space = true;
    err_free(e);
    return full;
}

struct err *blob_create_temporary(struct objects *objects, int64_t id, int *ret_fd)
{
    if (atomic_load(&objects->failed))
        return err_new(ERR_INTERNAL, "the object store %s refuses writes since a file could not be synced", objects->dir);
    _cleanup_(freep) char *path = blob_temporary_path(objects, id);
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return objects_write_failed(objects, err_errno(errno, "%s", path));
    *ret_fd = fd;
    return NULL;
}

/* Pages of a failed fsync may be marked clean, so a second one proves nothing: writing stops until a restart. */
static struct err *sync_failed(struct objects *objects, int error, const char *path)
{
    if (error != ENOSPC && error != EDQUOT)
        atomic_store(&objects->failed, true);
    return objects_write_failed(objects, err_errno(error, "while syncing %s", path));
}

struct err *blob_publish(struct objects *objects, int64_t id, int fd)
{
    _cleanup_(freep) char *temporary = blob_temporary_path(objects, id);
    _cleanup_(freep) char *path = blob_path(objects, id);
    thread_may_block("an fsync");
    if (fdatasync(fd) < 0)
        return sync_failed(objects, errno, temporary);
    if (rename(temporary, path) < 0)
        return objects_write_failed(objects, err_errno(errno, "while renaming %s to %s", temporary, path));
    struct err *e = file_sync_parent(path);
    if (e) {
        unlink(path);
        atomic_store(&objects->failed, true);
    }
    return e;
}

struct err *blob_open(struct objects *objects, int64_t id, int *ret_fd)
{
    _cleanup_(freep) char *path = blob_path(objects, id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        /* A row without its file is damage, not a condition that a caller could expect. */
        int error = errno;
        return err_new(ERR_INTERNAL, "%s: %s", path, strerrordesc_np(error));
    }
    *ret_fd = fd;
    return NULL;
}

/* --- pins --- */

static struct blob_pin **pin_slot(struct objects *objects, int64_t id)
{
    struct blob_pin **slot = &objects->pins[(uint64_t)id % BLOB_PIN_BUCKETS];
    while (*slot && (*slot)->id != id)
        slot = &(*slot)->next;
    return slot;
}

void blob_pin(struct objects *objects, int64_t id)
{
    mutex_lock(&objects->pin_lock);
    struct blob_pin **slot = pin_slot(objects, id);
    if (!*slot) {
        *slot = xcalloc(1, sizeof(**slot));
        (*slot)->id = id;
    }
    (*slot)->count++;
    mutex_unlock(&objects->pin_lock);
}

static void unlink_blob(struct objects *objects, int64_t id)
{
    _cleanup_(freep) char *path = blob_path(objects, id);
    unlink(path); /* what stays is swept at the next start */
}

void blob_unpin(struct objects *objects, int64_t id)
{
    mutex_lock(&objects->pin_lock);
    struct blob_pin **slot = pin_slot(objects, id);
    struct blob_pin *pin = *slot;
    bool doomed = false;
    if (pin && --pin->count == 0) {
        doomed = pin->doomed;
        *slot = pin->next;
        freep(&pin);
    }
    mutex_unlock(&objects->pin_lock);
    if (doomed)
        unlink_blob(objects, id);
}

void blob_unlink_dropped(struct objects *objects, const struct blob_drops *drops)
{
    if (!drops->count)
        return;
    rwlock_lock_write(&objects->unlink_lock); /* every reader that saw the old rows has its pins by now */
    rwlock_unlock(&objects->unlink_lock);
    for (size_t i = 0; i < drops->count; i++) {
        mutex_lock(&objects->pin_lock);
        struct blob_pin *pin = *pin_slot(objects, drops->ids[i]);
        if (pin)
            pin->doomed = true;
        mutex_unlock(&objects->pin_lock);
        if (!pin)
            unlink_blob(objects, drops->ids[i]);
    }
}

/* --- rows --- */

void blob_drops_reset(struct blob_drops *drops, struct arena *arena)
{
    *drops = (struct blob_drops){.arena = arena};
}

static void drops_add(struct blob_drops *drops, int64_t id)
{
    if (drops->count == drops->cap) {
        size_t cap = drops->cap ? drops->cap * 2 : 8;
        int64_t *ids = ARENA_ARRAY(drops->arena, cap, int64_t);
        if (drops->count)
            memcpy(ids, drops->ids, drops->count * sizeof(*ids));
        drops->ids = ids;
        drops->cap = cap;
    }
    drops->ids[drops->count++] = id;
}

struct err *blob_insert(struct db_tx *tx, int64_t id, int64_t size_bytes, struct slice data)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "INSERT INTO blob (id, size, refs, data) VALUES (?1, ?2, 1, ?3)", &stmt));
    db_bind_i64(stmt, 1, id);
    db_bind_i64(stmt, 2, size_bytes);
    db_bind_blob(stmt, 3, data);
    return db_run(stmt);
}

struct err *blob_retain(struct db_tx *tx, int64_t id)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "UPDATE blob SET refs = refs + 1 WHERE id = ?1", &stmt));
    db_bind_i64(stmt, 1, id);
    return db_run(stmt);
}

struct err *blob_release(struct db_tx *tx, struct blob_drops *drops, int64_t id)
{
    struct db_stmt *stmt;
    bool row, in_file = false;
    TRY(db_prepare(tx, "SELECT refs, data IS NULL FROM blob WHERE id = ?1", &stmt));
    db_bind_i64(stmt, 1, id);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_INTERNAL, "blob %lld has no row", (long long)id);
    int64_t refs = db_col_i64(stmt, 0);
    in_file = db_col_i64(stmt, 1) != 0;
    TRY(db_prepare(tx, refs > 1 ? "UPDATE blob SET refs = refs - 1 WHERE id = ?1" : "DELETE FROM blob WHERE id = ?1", &stmt));
    db_bind_i64(stmt, 1, id);
    TRY(db_run(stmt));
    if (refs <= 1 && in_file)
        drops_add(drops, id);
    return NULL;
}

/* --- opening --- */

struct sweep {
    struct objects *objects;
    struct arena *arena;
    int64_t *rows; /* ids of blobs in files, ascending */
    size_t count;
    int64_t max_id;
};

static struct err *sweep_read(struct db_tx *tx, void *arg)
{
    struct sweep *sweep = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx,
                   "SELECT max(coalesce((SELECT max(id) FROM blob), 0), coalesce((SELECT max(sequence) FROM object), 0),"
                   " coalesce((SELECT max(id) FROM object), 0), coalesce((SELECT max(id) FROM upload), 0)),"
                   " (SELECT count(*) FROM blob WHERE data IS NULL)",
                   &stmt));
    TRY(db_step(stmt, &row));
    sweep->max_id = db_col_i64(stmt, 0);
    size_t cap = (size_t)db_col_i64(stmt, 1);
    sweep->rows = ARENA_ARRAY(sweep->arena, cap + 1, int64_t);
    TRY(db_prepare(tx, "SELECT id FROM blob WHERE data IS NULL ORDER BY id", &stmt));
    for (;;) {
        TRY(db_step(stmt, &row));
        if (!row || sweep->count == cap)
            return NULL;
        sweep->rows[sweep->count++] = db_col_i64(stmt, 0);
    }
}

static bool sweep_has(const struct sweep *sweep, int64_t id)
{
    size_t low = 0, high = sweep->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sweep->rows[middle] == id)
            return true;
        if (sweep->rows[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Removes the files of one directory that no row names; rows NULL: all of them. Only names of our own form are touched. */
static struct err *sweep_directory(struct sweep *sweep, const char *path, bool all)
{
    DIR *dir = opendir(path);
    if (!dir)
        return err_errno(errno, "%s", path);
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        unsigned long long id;
        int end = 0;
        if (strlen(entry->d_name) != 16 || sscanf(entry->d_name, "%16llx%n", &id, &end) != 1 || end != 16)
            continue;
        if ((int64_t)id > sweep->max_id)
            sweep->max_id = (int64_t)id;
        if (all || !sweep_has(sweep, (int64_t)id))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    return NULL;
}

struct err *blobs_open(struct objects *objects)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct sweep sweep = {.objects = objects, .arena = arena};
    TRY(db_read(objects->db, sweep_read, &sweep));
    const char *tmp = slice_fmt(arena, "%s/tmp", objects->dir).ptr;
    TRY(dir_make(tmp, 0700));
    TRY(sweep_directory(&sweep, tmp, true));
    const char *path = tmp;
    for (unsigned i = 0; i < 256; i++) {
        path = slice_fmt(arena, "%s/data/%02x", objects->dir, i).ptr;
        if (!path_exists(path))
            TRY(dir_make(path, 0700));
        TRY(sweep_directory(&sweep, path, false));
    }
    /* The directories' own entries, from the last one up; each time, for who made them may have ended before this. */
    TRY(file_sync_parent(path));
    TRY(file_sync_parent(tmp));
    TRY(file_sync_parent(objects->dir));
    atomic_store(&objects->next_id, sweep.max_id + 1);
    return NULL;
}
