/* db: SQLite behind one door. Who writes alone does so in its own thread; when others come meanwhile, a writer thread commits their
 * closures in groups (one fsync for all that wait). Another thread writes the log back beside them. There are read connections, one per
 * reading thread at a time. WAL, synchronous=FULL, foreign keys on, STRICT tables by
 * convention. When db_write returns NULL the change is on disk. After a failed fsync nothing is written any more.
 *
 * A transaction never spans a network call. Statements are cached per connection by the address of their SQL literal. */
#pragma once
#include "base/err.h"
#include "base/histogram.h"

struct db;
struct db_tx;   /* valid inside the closure only */
struct db_stmt;

/* Opens or makes path, and applies migrations[version..]: each is a script run in one transaction; user_version counts.
 * ERR_INVALID when the file is from a newer program. */
struct err *db_open(const char *path, const char *const *migrations, size_t migration_count, struct db **ret_db) NODISCARD;
void db_close(struct db *db); /* waits for queued writes, checkpoints; NULL is fine */

typedef struct err *(*db_fn)(struct db_tx *tx, void *arg);
/* Runs fn in this thread or the writer's inside a transaction or savepoint: an error rolls back this closure only. fn may run again after
 * a busy group, so it must not change anything but the database and what arg's ret_ fields point to. */
struct err *db_write(struct db *db, db_fn fn, void *arg) NODISCARD;
/* Runs fn in this thread on a read connection, in one snapshot. */
struct err *db_read(struct db *db, db_fn fn, void *arg) NODISCARD;

/* Looks through the whole file at path (PRAGMA quick_check), also while another process has it open. ERR_INTERNAL: it is damaged. */
struct err *db_quick_check(const char *path) NODISCARD;

/* What all databases of this process did since its start. */
struct db_stats {
    struct histogram commits; /* how long each COMMIT took */
    _Atomic uint64_t commit_failures;
    _Atomic uint64_t writes; /* closures; a commit may have many */
};
struct db_stats *db_get_stats(void);

/* sql must be a string literal (static storage). The statement is reset and its bindings are cleared. */
struct err *db_prepare(struct db_tx *tx, const char *sql, struct db_stmt **ret_stmt) NODISCARD;
void db_bind_text(struct db_stmt *stmt, int index, struct slice value); /* 1-based; absent binds NULL; borrowed until the next prepare */
void db_bind_blob(struct db_stmt *stmt, int index, struct slice value);
void db_bind_i64(struct db_stmt *stmt, int index, int64_t value);
void db_bind_null(struct db_stmt *stmt, int index);
/* ERR_CONFLICT on a constraint; *ret_row false at the end. */
struct err *db_step(struct db_stmt *stmt, bool *ret_row) NODISCARD;
struct err *db_run(struct db_stmt *stmt) NODISCARD; /* step to the end, rows ignored */
int64_t db_changes(struct db_tx *tx);               /* rows of the last statement */
int64_t db_last_rowid(struct db_tx *tx);
struct slice db_col_text(struct db_stmt *stmt, int index, struct arena *arena); /* 0-based; copied; NULL is absent */
int64_t db_col_i64(struct db_stmt *stmt, int index);
bool db_col_is_null(struct db_stmt *stmt, int index);
