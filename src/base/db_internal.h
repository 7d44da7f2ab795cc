/* db_internal: what db.c (connections, statements, reading) and db_writer.c (writing, checkpoints) share. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/db.h"
#include "base/mutex.h"
#include <pthread.h>
#include <sqlite3.h>

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

/* Its fields are the caller's until it is queued, and the writer's until done is set under the lock. */
struct write_request {
    db_fn fn;
    void *arg;
    struct err *result;
    bool done;
    struct write_request *next;
};

/* See db_writer.c. db.lock guards all but connection, log_pages and checkpointed, which are of the thread that set busy, and
 * checkpoint_connection, which is the checkpointer's. */
struct db_writer {
    struct db_tx *connection;
    int log_pages;    /* in the log after the last commit */
    int checkpoint_at; /* so many of them are written back */
    bool busy;        /* a thread has the connection */
    bool failed;      /* a commit failed: nothing is written any more */
    bool stopping;
    bool checkpoint_due, checkpointer_waits;
    struct write_request *head, *tail;
    struct condition queued, finished, checkpoint;
    struct db_tx *checkpoint_connection;
    pthread_t writer, checkpointer;
};

struct db {
    char *path;
    struct mutex lock; /* and the readers */
    struct db_writer writer;
    struct db_tx *readers;
    size_t reader_count;
};

struct err *db_connection_open(const char *path, int flags, struct db_tx **ret_tx) NODISCARD;
void db_connection_free(struct db_tx *tx); /* NULL is fine */
/* One of the few statements around a closure: kept prepared, since parsing them would cost as much as a small query. */
struct err *db_control(struct db_tx *tx, const char *sql) NODISCARD;
void db_reset_statements(struct db_tx *tx);

/* Takes connection over, also when it fails. */
struct err *db_writer_start(struct db *db, struct db_tx *connection) NODISCARD;
/* Runs what is queued, writes the log back. Readers are gone by then. */
void db_writer_stop(struct db *db);
