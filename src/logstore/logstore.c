/* Opening, closing, and the thread that deletes what nobody can see any more. */
#include "logstore/logstore_internal.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/strbuf.h"

#include <time.h>

/* Ids are never given twice (AUTOINCREMENT), so events of a deleted stream cannot come back under another one. Two orders are
 * read: a stream's, and a whole group's; both indexes carry what is needed to skip an event without touching its message. */
static const char *const migrations[] = {
    "CREATE TABLE log_group (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,"
    " retention_days INTEGER NOT NULL DEFAULT 0, stored_bytes INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE log_stream (id INTEGER PRIMARY KEY AUTOINCREMENT, log_group INTEGER NOT NULL REFERENCES log_group(id),"
    " name TEXT NOT NULL, created_at INTEGER NOT NULL, first_at INTEGER, last_at INTEGER, last_ingested_at INTEGER,"
    " UNIQUE (log_group, name)) STRICT;"
    "CREATE INDEX log_stream_time ON log_stream (log_group, coalesce(last_at, -1), name);"
    "CREATE TABLE event (sequence INTEGER PRIMARY KEY AUTOINCREMENT, log_group INTEGER NOT NULL, stream INTEGER NOT NULL,"
    " at INTEGER NOT NULL, ingested_at INTEGER NOT NULL, message BLOB NOT NULL) STRICT;"
    "CREATE INDEX event_of_stream ON event (stream, at, sequence);"
    "CREATE INDEX event_of_group ON event (log_group, at, sequence, stream);"
    /* Streams that are gone and whose events are still to be deleted. */
    "CREATE TABLE dead_stream (id INTEGER PRIMARY KEY) STRICT;",
};

#define SWEEP_INTERVAL_MS 600000

static void *sweeper_main(void *arg)
{
    struct logstore *store = arg;
    mutex_lock(&store->lock);
    while (!store->stopping) {
        store->sweep_wanted = false;
        mutex_unlock(&store->lock);
        bool more = false;
        struct err *e = logstore_sweep_some(store, &more);
        if (e) {
            log_event(LOG_SWEEP_FAILED, LOG_ERR(e));
            err_free(e);
        }
        mutex_lock(&store->lock);
        int64_t deadline_ms = monotonic_ms() + SWEEP_INTERVAL_MS;
        while (!more && !store->stopping && !store->sweep_wanted && mutex_wait_until(&store->wake, &store->lock, deadline_ms))
            ;
    }
    mutex_unlock(&store->lock);
    return NULL;
}

void logstore_wake_sweeper(struct logstore *store)
{
    mutex_lock(&store->lock);
    store->sweep_wanted = true;
    condition_signal(&store->wake);
    mutex_unlock(&store->lock);
}

struct err *logstore_open(const char *dir, struct logstore **ret_store)
{
    struct logstore *store = xcalloc(1, sizeof(*store));
    mutex_init(&store->lock, LOCK_LOGSTORE);
    condition_init(&store->wake);

    struct strbuf path = STRBUF_HEAP;
    strbuf_append_fmt(&path, "%s/index.db", dir);
    struct err *e = dir_make(dir, 0700);
    if (!e)
        e = file_sync_parent(dir); /* what is in it syncs itself */
    if (!e)
        e = db_open(path.ptr, migrations, ARRAY_SIZE(migrations), &store->db);
    strbuf_deinit(&path);
    if (!e) {
        int error = pthread_create(&store->sweeper, NULL, sweeper_main, store);
        store->sweeper_started = error == 0;
        if (error)
            e = err_errno(error, "while starting the log store's thread");
    }
    if (e) {
        logstore_close(store);
        return err_wrap(e, "while opening the log store %s", dir);
    }
    *ret_store = store;
    return NULL;
}

void logstore_close(struct logstore *store)
{
    if (!store)
        return;
    if (store->sweeper_started) {
        mutex_lock(&store->lock);
        store->stopping = true;
        condition_signal(&store->wake);
        mutex_unlock(&store->lock);
        pthread_join(store->sweeper, NULL);
    }
    db_close(store->db);
    condition_deinit(&store->wake);
    mutex_deinit(&store->lock);
    freep(&store);
}

/* --- deleting --- */

#define SWEEP_EVENTS 2000

struct sweep {
    bool more;
};

/* Some events of a group, ?1, which has their bytes no more; which of them: a condition with ?2. */
#define SUBTRACT(which)                                                                                                  \
    "UPDATE log_group SET stored_bytes = max(0, stored_bytes - (SELECT coalesce(sum(length(message) + 26), 0) FROM"      \
    " (SELECT message FROM event WHERE " which " ORDER BY at, sequence LIMIT ?3))) WHERE id = ?1"
#define REMOVE(which) \
    "DELETE FROM event WHERE sequence IN (SELECT sequence FROM event WHERE " which " ORDER BY at, sequence LIMIT ?3)"
#define OF_STREAM "stream = ?2"
#define EXPIRED "log_group = ?1 AND at < ?2"

static struct err *run_sweep(struct db_tx *tx, const char *sql, int64_t group, int64_t key)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx, sql, &stmt));
    db_bind_i64(stmt, 1, group);
    db_bind_i64(stmt, 2, key);
    db_bind_i64(stmt, 3, SWEEP_EVENTS);
    return db_run(stmt);
}

/* Events of one dead stream; the stream is forgotten with its last one. */
static struct err *sweep_dead(struct db_tx *tx, struct sweep *sweep)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT id, coalesce((SELECT log_group FROM event WHERE stream = dead_stream.id LIMIT 1), 0) FROM dead_stream LIMIT 1", &stmt));
    TRY(db_step(stmt, &row));
    if (!row)
        return NULL;
    int64_t stream = db_col_i64(stmt, 0), group = db_col_i64(stmt, 1); /* 0: it has no events */
    TRY(run_sweep(tx, SUBTRACT(OF_STREAM), group, stream));
    TRY(run_sweep(tx, REMOVE(OF_STREAM), group, stream));
    sweep->more = true;
    if (db_changes(tx) == SWEEP_EVENTS)
        return NULL;
    TRY(db_prepare(tx, "DELETE FROM dead_stream WHERE id = ?1", &stmt));
    db_bind_i64(stmt, 1, stream);
    return db_run(stmt);
}

static struct err *sweep_expired(struct db_tx *tx, struct sweep *sweep)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx,
                   "SELECT g.id, ?1 - g.retention_days * 86400000 FROM log_group g WHERE g.retention_days > 0 AND"
                   " EXISTS (SELECT 1 FROM event e WHERE e.log_group = g.id AND e.at < ?1 - g.retention_days * 86400000) LIMIT 1",
                   &stmt));
    db_bind_i64(stmt, 1, instant_now().ms);
    TRY(db_step(stmt, &row));
    if (!row)
        return NULL;
    int64_t group = db_col_i64(stmt, 0), limit = db_col_i64(stmt, 1);
    TRY(run_sweep(tx, SUBTRACT(EXPIRED), group, limit));
    TRY(run_sweep(tx, REMOVE(EXPIRED), group, limit));
    sweep->more = true;
    return NULL;
}

static struct err *sweep_fn(struct db_tx *tx, void *arg)
{
    struct sweep *sweep = arg;
    sweep->more = false;
    TRY(sweep_dead(tx, sweep));
    if (!sweep->more)
        TRY(sweep_expired(tx, sweep));
    return NULL;
}

struct err *logstore_sweep_some(struct logstore *store, bool *ret_more)
{
    struct sweep sweep;
    TRY(db_write(store->db, sweep_fn, &sweep));
    *ret_more = sweep.more;
    return NULL;
}
