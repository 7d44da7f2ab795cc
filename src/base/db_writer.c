/* The writing side of a database: one write connection, which belongs to one thread at a time (busy).
 *
 * Who comes when nobody writes runs its closure itself: no other thread is woken. All others queue, and the writer thread runs what
 * waits in one transaction (a savepoint each), commits once, wakes their callers, and goes on while there are more.
 *
 * The checkpointer copies the log back to the database beside the writers, from a connection of its own, which may take long. What was
 * committed meanwhile it copies with the writers held off, which is little: then the log is written from its beginning again, which
 * makes a commit half as dear as one that lengthens the file (fdatasync has no new size to record). Readers are never waited for. */
#include "base/db_internal.h"
#include <stdio.h>
#include <string.h>

#define GROUP_MAX 256
#define CHECKPOINT_PAGES 1000

static struct db_stats totals; /* of all databases of the process */

static struct err *run_closure(struct db_tx *tx, struct write_request *r)
{
    struct err *e = r->fn(tx, r->arg);
    db_reset_statements(tx);
    return e;
}

static struct err *run_in_savepoint(struct db_tx *tx, struct write_request *r)
{
    TRY(db_control(tx, "SAVEPOINT call"));
    struct err *e = run_closure(tx, r);
    if (e && !sqlite3_get_autocommit(tx->handle)) {
        struct err *second = db_control(tx, "ROLLBACK TO call");
        if (!second)
            second = db_control(tx, "RELEASE call");
        err_free(second);
    }
    return e ? e : db_control(tx, "RELEASE call");
}

static void set_result(struct write_request *r, const struct err *e)
{
    struct err *copy = err_new(e->kind, "%s", e->message);
    copy->no_space = e->no_space;
    err_free(r->result);
    r->result = copy;
}

/* True: the whole transaction is undone. One closure's statement found no space or could not write, and then SQLite undoes all of it; to go on
 * would make a transaction of each savepoint, that is commit what is answered with an error. */
static bool is_undone(struct db_tx *tx, struct write_request *first, const struct write_request *last)
{
    if (!sqlite3_get_autocommit(tx->handle))
        return false;
    for (struct write_request *r = first; r; r = r->next)
        if (r != last)
            set_result(r, last->result);
    return true;
}

/* Runs the closures and sets their results. An error is that of the transaction itself, and all of theirs. */
static struct err *run_group(struct db_tx *tx, struct write_request *first)
{
    TRY(db_control(tx, "BEGIN IMMEDIATE"));
    if (!first->next) { /* alone: the transaction is its savepoint */
        first->result = run_closure(tx, first);
        if (first->result)
            return sqlite3_get_autocommit(tx->handle) ? NULL : db_control(tx, "ROLLBACK");
    } else {
        for (struct write_request *r = first; r; r = r->next) {
            r->result = run_in_savepoint(tx, r);
            if (r->result && is_undone(tx, first, r))
                return NULL;
        }
    }
    int64_t began_us = monotonic_us();
    struct err *e = db_control(tx, "COMMIT");
    histogram_add(&totals.commits, monotonic_us() - began_us);
    if (!e)
        return NULL;
    atomic_fetch_add_explicit(&totals.commit_failures, 1, memory_order_relaxed);
    if (!sqlite3_get_autocommit(tx->handle))
        err_free(db_control(tx, "ROLLBACK"));
    return e;
}

static int count_log_pages(void *ctx, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    struct db_writer *w = ctx;
    w->log_pages = pages;
    return SQLITE_OK;
}

/* The lock is held, and is let go meanwhile. The write connection is free. */
static void write_group(struct db *db, struct write_request *first)
{
    struct db_writer *w = &db->writer;
    bool failed = w->failed;
    w->busy = true;
    mutex_unlock(&db->lock);
    struct err *group = failed ? err_new(ERR_INTERNAL, "%s: an earlier write could not be made durable; restart emberd", db->path)
                               : run_group(w->connection, first);
    mutex_lock(&db->lock);
    w->busy = false;
    /* A commit that failed for lack of space is clean; one that failed in fsync is final (dependencies.md, SQLite). */
    if (group && group->kind == ERR_INTERNAL)
        w->failed = true;
    for (struct write_request *r = first; r;) {
        struct write_request *next = r->next;
        if (group)
            set_result(r, group);
        r->done = true; /* r may be gone after the lock is let go */
        r = next;
    }
    err_free(group);
    if (w->checkpoint_at > w->log_pages + CHECKPOINT_PAGES) /* the log began anew */
        w->checkpoint_at = w->log_pages + CHECKPOINT_PAGES;
    if (w->log_pages >= w->checkpoint_at && !w->checkpoint_due) {
        w->checkpoint_due = true;
        condition_signal(&w->checkpoint);
    } else if (w->checkpointer_waits) {
        condition_signal(&w->checkpoint);
    }
}

static struct write_request *take_group(struct db_writer *w)
{
    struct write_request *first = w->head, *last = first;
    for (int n = 1; n < GROUP_MAX && last->next; n++)
        last = last->next;
    w->head = last->next;
    if (!w->head)
        w->tail = NULL;
    last->next = NULL;
    return first;
}

static bool may_write(const struct db_writer *w)
{
    return !w->busy && !w->checkpointer_waits;
}

static void name_thread(const struct db *db, const char *what)
{
    const char *file = strrchr(db->path, '/');
    char name[16];
    snprintf(name, sizeof(name), "%s %s", what, file ? file + 1 : db->path);
    pthread_setname_np(pthread_self(), name);
}

static void *writer_main(void *arg)
{
    struct db *db = arg;
    struct db_writer *w = &db->writer;
    name_thread(db, "db");
    mutex_lock(&db->lock);
    for (;;) {
        while (w->head ? !may_write(w) : !w->stopping)
            mutex_wait(&w->queued, &db->lock);
        if (!w->head)
            break;
        write_group(db, take_group(w));
        condition_broadcast(&w->finished);
    }
    mutex_unlock(&db->lock);
    return NULL;
}

/* PASSIVE never waits for readers. What it does not write back, also when it fails, stays in the log. */
static void write_back(struct db_tx *tx)
{
    (void)sqlite3_wal_checkpoint_v2(tx->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static void *checkpointer_main(void *arg)
{
    struct db *db = arg;
    struct db_writer *w = &db->writer;
    name_thread(db, "wal");
    mutex_lock(&db->lock);
    for (;;) {
        while (!w->checkpoint_due && !w->stopping)
            mutex_wait(&w->checkpoint, &db->lock);
        if (w->stopping)
            break;
        mutex_unlock(&db->lock);
        if (!w->checkpoint_connection)
            err_free(db_connection_open(db->path, SQLITE_OPEN_READWRITE, &w->checkpoint_connection)); /* then without */
        if (w->checkpoint_connection)
            write_back(w->checkpoint_connection);
        mutex_lock(&db->lock);
        w->checkpointer_waits = true;
        while (w->busy)
            mutex_wait(&w->checkpoint, &db->lock);
        w->busy = true;
        mutex_unlock(&db->lock);
        write_back(w->connection);
        mutex_lock(&db->lock);
        w->checkpoint_at = w->log_pages + CHECKPOINT_PAGES; /* the next commit begins the log anew, but beside a reader of an old snapshot */
        w->busy = w->checkpointer_waits = w->checkpoint_due = false;
        if (w->head)
            condition_signal(&w->queued);
    }
    mutex_unlock(&db->lock);
    return NULL;
}

struct err *db_writer_start(struct db *db, struct db_tx *connection)
{
    struct db_writer *w = &db->writer;
    *w = (struct db_writer){.connection = connection, .checkpoint_at = CHECKPOINT_PAGES};
    sqlite3_wal_hook(connection->handle, count_log_pages, w);
    condition_init(&w->queued);
    condition_init(&w->finished);
    condition_init(&w->checkpoint);
    int result = pthread_create(&w->writer, NULL, writer_main, db);
    if (!result) {
        result = pthread_create(&w->checkpointer, NULL, checkpointer_main, db);
        if (!result)
            return NULL;
        mutex_lock(&db->lock);
        w->stopping = true;
        condition_signal(&w->queued);
        mutex_unlock(&db->lock);
        pthread_join(w->writer, NULL);
    }
    condition_deinit(&w->queued);
    condition_deinit(&w->finished);
    condition_deinit(&w->checkpoint);
    db_connection_free(connection);
    return err_errno(result, "starting a thread");
}

void db_writer_stop(struct db *db)
{
    struct db_writer *w = &db->writer;
    mutex_lock(&db->lock);
    w->stopping = true;
    condition_signal(&w->queued);
    condition_signal(&w->checkpoint);
    mutex_unlock(&db->lock);
    pthread_join(w->checkpointer, NULL);
    pthread_join(w->writer, NULL);
    db_connection_free(w->checkpoint_connection);
    sqlite3_wal_checkpoint_v2(w->connection->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    db_connection_free(w->connection);
    condition_deinit(&w->queued);
    condition_deinit(&w->finished);
    condition_deinit(&w->checkpoint);
}

struct db_stats *db_get_stats(void)
{
    return &totals;
}

struct err *db_write(struct db *db, db_fn fn, void *arg)
{
    struct db_writer *w = &db->writer;
    atomic_fetch_add_explicit(&totals.writes, 1, memory_order_relaxed);
    struct write_request r = {.fn = fn, .arg = arg};
    thread_may_block("a transaction");
    mutex_lock(&db->lock);
    if (!w->head && may_write(w)) {
        write_group(db, &r);
        if (w->head && may_write(w))
            condition_signal(&w->queued);
    } else {
        if (w->tail)
            w->tail->next = &r;
        else
            w->head = &r;
        w->tail = &r;
        while (!r.done)
            mutex_wait(&w->finished, &db->lock);
    }
    mutex_unlock(&db->lock);
    return r.result;
}
