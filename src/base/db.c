/* One writer thread takes closures from a queue, runs all that wait in one transaction (a savepoint each), commits once, and
 * wakes their callers. Readers borrow connections from a pool. The writer alone checkpoints, between its transactions.
 *
 * lock guards: head, tail, stopping, failed, readers. A request's fields are the caller's until it is queued and the writer's
 * until done is set under lock. */
#include "base/db.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/strbuf.h"
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_MAX 256
/* The log is written back when it has so many pages: sooner when nobody waits. After that its beginning is written over, which
 * makes a commit half as dear as one that lengthens the file (fdatasync has no new size to record). */
#define CHECKPOINT_IDLE_PAGES 1000
#define CHECKPOINT_BUSY_PAGES 4000
#define SQLITE_OLDEST 3051003 /* before it, the WAL-reset race can lose committed writes */
#define READERS_KEPT 32

static struct db_stats totals; /* of all databases of the process */

struct db_stmt {
    const char *sql;
    sqlite3_stmt *handle;
    sqlite3 *connection;
    struct db_stmt *next;
};

struct db_tx { /* a connection */
    sqlite3 *handle;
    struct db_stmt *statements;
    struct db_tx *next; /* in the pool */
};

struct request {
    db_fn fn;
    void *arg;
    struct err *result;
    bool done;
    struct request *next;
};

struct db {
    char *path;
    struct mutex lock;
    struct condition queued, finished;
    struct request *head, *tail;
    bool stopping;
    bool failed; /* a commit failed: nothing is written any more */
    pthread_t writer;
    struct db_tx *write_connection; /* the writer's */
    int log_pages;                  /* the writer's: in the log after its last commit */
    struct db_tx *readers;
    size_t reader_count;
};

/* Beside SQLITE_FULL: the index of the log could not grow (nothing was written then), or a quota ended where a disk would be full. A
 * failed fsync is never meant. */
static bool is_no_space(sqlite3 *handle, int result)
{
    if (result == SQLITE_IOERR_SHMSIZE)
        return true;
    if (!handle || (result != SQLITE_IOERR_WRITE && result != SQLITE_IOERR_TRUNCATE && (result & 0xff) != SQLITE_CANTOPEN))
        return false;
    int number = sqlite3_system_errno(handle);
    return number == ENOSPC || number == EDQUOT;
}

static struct err *sqlite_err(sqlite3 *handle, int result, const char *what)
{
    if (is_no_space(handle, result)) {
        struct err *full = err_new(ERR_LIMIT, "database: %s: no space left on the disk", what);
        full->no_space = true;
        return full;
    }
    enum err_kind kind = ERR_INTERNAL;
    switch (result & 0xff) {
    case SQLITE_CONSTRAINT:
        kind = ERR_CONFLICT;
        break;
    case SQLITE_FULL:
        kind = ERR_LIMIT;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        kind = ERR_UNAVAILABLE;
        break;
    default:
        break;
    }
    struct err *e = err_new(kind, "database: %s: %s", what, handle ? sqlite3_errmsg(handle) : sqlite3_errstr(result));
    e->no_space = kind == ERR_LIMIT;
    return e;
}

static struct err *exec(sqlite3 *handle, const char *sql)
{
    int result = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? NULL : sqlite_err(handle, result, sql);
}

static void connection_free(struct db_tx *tx)
{
    if (!tx)
        return;
    for (struct db_stmt *s = tx->statements; s;) {
        struct db_stmt *next = s->next;
        sqlite3_finalize(s->handle);
        free(s);
        s = next;
    }
    sqlite3_close(tx->handle);
    free(tx);
}

static struct err *connection_open(const char *path, int flags, struct db_tx **ret_tx)
{
    struct db_tx *tx = xcalloc(1, sizeof(*tx));
    int result = sqlite3_open_v2(path, &tx->handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    struct err *e = result == SQLITE_OK ? NULL : sqlite_err(tx->handle, result, path);
    if (!e) {
        sqlite3_busy_timeout(tx->handle, 10000);
        e = exec(tx->handle, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=0;"
                             "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;");
    }
    if (!e) /* KiB. Readers are many, and behind them stands the kernel's cache. */
        e = exec(tx->handle, flags & SQLITE_OPEN_READONLY ? "PRAGMA cache_size=-400" : "PRAGMA cache_size=-2000");
    if (e) {
        connection_free(tx);
        return err_wrap(e, "opening %s", path);
    }
    *ret_tx = tx;
    return NULL;
}

static struct err *migrate(struct db_tx *tx, const char *path, const char *const *migrations, size_t count)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "PRAGMA user_version", &stmt));
    TRY(db_step(stmt, &row));
    int64_t version = row ? db_col_i64(stmt, 0) : 0;
    sqlite3_reset(stmt->handle);
    if (version < 0 || (size_t)version > count)
        return err_new(ERR_INVALID, "%s is of a newer version (%lld) than this program knows (%zu): use the newer program", path,
                       (long long)version, count);
    for (size_t i = (size_t)version; i < count; i++) {
        struct strbuf script = STRBUF_HEAP;
        strbuf_append_fmt(&script, "BEGIN IMMEDIATE; %s; PRAGMA user_version=%zu; COMMIT;", migrations[i], i + 1);
        struct err *e = exec(tx->handle, script.ptr);
        strbuf_deinit(&script);
        if (e)
            return err_wrap(e, "migrating %s to version %zu", path, i + 1);
    }
    return NULL;
}

/* One of the few statements around a closure: kept prepared, since parsing them would cost as much as a small query. */
static struct err *control(struct db_tx *tx, const char *sql)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx, sql, &stmt));
    return db_run(stmt);
}

static struct err *run_closure(struct db_tx *tx, struct request *r)
{
    struct err *e = r->fn(tx, r->arg);
    for (struct db_stmt *s = tx->statements; s; s = s->next)
        sqlite3_reset(s->handle);
    return e;
}

/* Runs one closure inside a savepoint. */
static struct err *run_in_savepoint(struct db_tx *tx, struct request *r)
{
    TRY(control(tx, "SAVEPOINT call"));
    struct err *e = run_closure(tx, r);
    if (e) {
        struct err *second = exec(tx->handle, "ROLLBACK TO call; RELEASE call");
        err_free(second); /* if the whole transaction was rolled back, the commit below tells */
        return e;
    }
    return control(tx, "RELEASE call");
}

static struct err *run_group(struct db_tx *tx, struct request *first)
{
    TRY(control(tx, "BEGIN IMMEDIATE"));
    if (!first->next) { /* alone: the transaction is its savepoint */
        first->result = run_closure(tx, first);
        if (first->result)
            return sqlite3_get_autocommit(tx->handle) ? NULL : control(tx, "ROLLBACK");
    } else {
        for (struct request *r = first; r; r = r->next)
            r->result = run_in_savepoint(tx, r);
    }
    int64_t began_us = monotonic_us();
    struct err *e = control(tx, "COMMIT");
    histogram_add(&totals.commits, monotonic_us() - began_us);
    if (!e)
        return NULL;
    atomic_fetch_add_explicit(&totals.commit_failures, 1, memory_order_relaxed);
    if (!sqlite3_get_autocommit(tx->handle))
        err_free(control(tx, "ROLLBACK"));
    return e;
}

static int count_log_pages(void *ctx, sqlite3 *handle, const char *name, int pages)
{
    struct db *db = ctx;
    db->log_pages = pages;
    return SQLITE_OK;
}

static void checkpoint_if_due(struct db *db, bool idle)
{
    if (db->log_pages < (idle ? CHECKPOINT_IDLE_PAGES : CHECKPOINT_BUSY_PAGES))
        return;
    /* PASSIVE never waits for readers. What it could not write back is due again after the next commit. */
    (void)sqlite3_wal_checkpoint_v2(db->write_connection->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    db->log_pages = 0;
}

static void *writer_main(void *arg)
{
    struct db *db = arg;
    const char *file = strrchr(db->path, '/');
    char name[16];
    snprintf(name, sizeof(name), "db %s", file ? file + 1 : db->path);
    pthread_setname_np(pthread_self(), name);
    for (;;) {
        mutex_lock(&db->lock);
        while (!db->head && !db->stopping)
            mutex_wait(&db->queued, &db->lock);
        if (!db->head) {
            mutex_unlock(&db->lock);
            return NULL;
        }
        struct request *first = db->head, *last = first;
        for (int n = 1; n < GROUP_MAX && last->next; n++)
            last = last->next;
        db->head = last->next;
        if (!db->head)
            db->tail = NULL;
        last->next = NULL;
        bool failed = db->failed;
        mutex_unlock(&db->lock);

        struct err *group = failed ? err_new(ERR_INTERNAL, "%s: an earlier write could not be made durable; restart emberd", db->path)
                                   : run_group(db->write_connection, first);
        /* A commit that failed for lack of space is clean; one that failed in fsync is final (dependencies.md, SQLite). */
        bool final = group && group->kind == ERR_INTERNAL;
        mutex_lock(&db->lock);
        if (final)
            db->failed = true;
        for (struct request *r = first; r;) {
            struct request *next = r->next;
            if (group) {
                err_free(r->result);
                r->result = err_new(group->kind, "%s", group->message);
                r->result->no_space = group->no_space;
            }
            r->done = true; /* r may be gone after the lock is let go */
            r = next;
        }
        condition_broadcast(&db->finished);
        bool idle = !db->head;
        mutex_unlock(&db->lock);
        err_free(group);
        checkpoint_if_due(db, idle);
    }
}

struct err *db_open(const char *path, const char *const *migrations, size_t migration_count, struct db **ret_db)
{
    if (sqlite3_libversion_number() < SQLITE_OLDEST)
        return err_new(ERR_INVALID, "SQLite %s is too old: run make setup again", sqlite3_libversion());
    struct db_tx *tx = NULL;
    TRY(connection_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &tx));
    struct err *e = migrate(tx, path, migrations, migration_count);
    if (e) {
        connection_free(tx);
        return e;
    }
    struct db *db = xcalloc(1, sizeof(*db));
    db->path = xstrdup(path);
    db->write_connection = tx;
    sqlite3_wal_hook(tx->handle, count_log_pages, db);
    mutex_init(&db->lock, LOCK_DB);
    condition_init(&db->queued);
    condition_init(&db->finished);
    int result = pthread_create(&db->writer, NULL, writer_main, db);
    if (result) {
        connection_free(tx);
        free(db->path);
        free(db);
        return err_errno(result, "starting the writer of %s", path);
    }
    *ret_db = db;
    return NULL;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    mutex_lock(&db->lock);
    db->stopping = true;
    condition_signal(&db->queued);
    mutex_unlock(&db->lock);
    pthread_join(db->writer, NULL);
    while (db->readers) {
        struct db_tx *next = db->readers->next;
        connection_free(db->readers);
        db->readers = next;
    }
    sqlite3_wal_checkpoint_v2(db->write_connection->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    connection_free(db->write_connection);
    condition_deinit(&db->queued);
    condition_deinit(&db->finished);
    mutex_deinit(&db->lock);
    free(db->path);
    free(db);
}

struct err *db_quick_check(const char *path)
{
    sqlite3 *handle = NULL;
    sqlite3_stmt *stmt = NULL;
    struct err *e = NULL;
    int result = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (result == SQLITE_OK) {
        sqlite3_busy_timeout(handle, 10000);
        result = sqlite3_prepare_v2(handle, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    }
    if (result == SQLITE_OK)
        result = sqlite3_step(stmt);
    if (result != SQLITE_ROW)
        e = err_new(ERR_INTERNAL, "%s: %s", path, handle ? sqlite3_errmsg(handle) : sqlite3_errstr(result));
    else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
        e = err_new(ERR_INTERNAL, "%s: %s", path, (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(handle);
    return e;
}

struct db_stats *db_get_stats(void)
{
    return &totals;
}

struct err *db_write(struct db *db, db_fn fn, void *arg)
{
    atomic_fetch_add_explicit(&totals.writes, 1, memory_order_relaxed);
    struct request r = {.fn = fn, .arg = arg};
    thread_may_block("a transaction");
    mutex_lock(&db->lock);
    if (db->tail)
        db->tail->next = &r;
    else
        db->head = &r;
    db->tail = &r;
    condition_signal(&db->queued);
    while (!r.done)
        mutex_wait(&db->finished, &db->lock);
    mutex_unlock(&db->lock);
    return r.result;
}

static void reader_give_back(struct db *db, struct db_tx *tx)
{
    mutex_lock(&db->lock);
    bool keep = db->reader_count < READERS_KEPT;
    if (keep) {
        tx->next = db->readers;
        db->readers = tx;
        db->reader_count++;
    }
    mutex_unlock(&db->lock);
    if (!keep)
        connection_free(tx);
}

struct err *db_read(struct db *db, db_fn fn, void *arg)
{
    thread_may_block("a read of a database");
    mutex_lock(&db->lock);
    struct db_tx *tx = db->readers;
    if (tx) {
        db->readers = tx->next;
        db->reader_count--;
    }
    mutex_unlock(&db->lock);
    if (!tx)
        TRY(connection_open(db->path, SQLITE_OPEN_READONLY, &tx));
    struct err *e = control(tx, "BEGIN");
    if (!e) {
        e = fn(tx, arg);
        for (struct db_stmt *s = tx->statements; s; s = s->next)
            sqlite3_reset(s->handle);
        struct err *end = control(tx, "COMMIT");
        if (e)
            err_free(end);
        else
            e = end;
    }
    if (!sqlite3_get_autocommit(tx->handle)) { /* not fit for another snapshot */
        connection_free(tx);
        return e;
    }
    reader_give_back(db, tx);
    return e;
}

struct err *db_prepare(struct db_tx *tx, const char *sql, struct db_stmt **ret_stmt)
{
    for (struct db_stmt *s = tx->statements; s; s = s->next) {
        if (s->sql == sql) {
            sqlite3_reset(s->handle);
            sqlite3_clear_bindings(s->handle);
            *ret_stmt = s;
            return NULL;
        }
    }
    struct db_stmt *s = xcalloc(1, sizeof(*s));
    int result = sqlite3_prepare_v3(tx->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->handle, NULL);
    if (result != SQLITE_OK) {
        free(s);
        return sqlite_err(tx->handle, result, sql);
    }
    s->sql = sql;
    s->connection = tx->handle;
    s->next = tx->statements;
    tx->statements = s;
    *ret_stmt = s;
    return NULL;
}

void db_bind_text(struct db_stmt *stmt, int index, struct slice value)
{
    if (value.ptr)
        sqlite3_bind_text64(stmt->handle, index, value.ptr, value.len, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(stmt->handle, index);
}

void db_bind_blob(struct db_stmt *stmt, int index, struct slice value)
{
    if (value.ptr)
        sqlite3_bind_blob64(stmt->handle, index, value.ptr, value.len, SQLITE_STATIC);
    else
        sqlite3_bind_null(stmt->handle, index);
}

void db_bind_i64(struct db_stmt *stmt, int index, int64_t value)
{
    sqlite3_bind_int64(stmt->handle, index, value);
}

void db_bind_null(struct db_stmt *stmt, int index)
{
    sqlite3_bind_null(stmt->handle, index);
}

struct err *db_step(struct db_stmt *stmt, bool *ret_row)
{
    int result = sqlite3_step(stmt->handle);
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        struct err *e = sqlite_err(stmt->connection, result, stmt->sql);
        sqlite3_reset(stmt->handle);
        return e;
    }
    *ret_row = result == SQLITE_ROW;
    if (result == SQLITE_DONE)
        sqlite3_reset(stmt->handle);
    return NULL;
}

struct err *db_run(struct db_stmt *stmt)
{
    bool row;
    do
        TRY(db_step(stmt, &row));
    while (row);
    return NULL;
}

int64_t db_changes(struct db_tx *tx)
{
    return sqlite3_changes64(tx->handle);
}

int64_t db_last_rowid(struct db_tx *tx)
{
    return sqlite3_last_insert_rowid(tx->handle);
}

struct slice db_col_text(struct db_stmt *stmt, int index, struct arena *arena)
{
    if (sqlite3_column_type(stmt->handle, index) == SQLITE_NULL)
        return SLICE_NONE;
    const void *bytes = sqlite3_column_blob(stmt->handle, index);
    int len = sqlite3_column_bytes(stmt->handle, index);
    return slice_dup(arena, slice_of(bytes ? bytes : "", len > 0 ? (size_t)len : 0));
}

int64_t db_col_i64(struct db_stmt *stmt, int index)
{
    return sqlite3_column_int64(stmt->handle, index);
}

bool db_col_is_null(struct db_stmt *stmt, int index)
{
    return sqlite3_column_type(stmt->handle, index) == SQLITE_NULL;
}
