/* Connections of a database, its statements, and reading. Writing is db_writer.c. */
#include "base/db_internal.h"
#include "base/strbuf.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SQLITE_OLDEST 3051003 /* before it, the WAL-reset race can lose committed writes */
#define READERS_KEPT 32

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

void db_connection_free(struct db_tx *tx)
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

struct err *db_connection_open(const char *path, int flags, struct db_tx **ret_tx)
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
        db_connection_free(tx);
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

struct err *db_control(struct db_tx *tx, const char *sql)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx, sql, &stmt));
    return db_run(stmt);
}

void db_reset_statements(struct db_tx *tx)
{
    for (struct db_stmt *s = tx->statements; s; s = s->next)
        sqlite3_reset(s->handle);
}

/* Whatever the umask and the mode of the directory are: a database has keys. SQLite gives its log and its index the mode of the database.
 * By name, for closing a descriptor of a database would give up all locks that this process has on it; what does not exist yet has none. */
static struct err *make_private(struct arena *arena, const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        struct slice name = slice_fmt(arena, "%s%s", path, suffixes[i]);
        struct stat st;
        if (stat(name.ptr, &st) == 0 && st.st_mode & 077 && st.st_uid == geteuid() && chmod(name.ptr, 0600) < 0)
            return err_errno(errno, "making %s private", name.ptr);
    }
    return NULL;
}

struct err *db_open(const char *path, const char *const *migrations, size_t migration_count, struct db **ret_db)
{
    if (sqlite3_libversion_number() < SQLITE_OLDEST)
        return err_new(ERR_INVALID, "SQLite %s is too old: run make setup again", sqlite3_libversion());
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    TRY(make_private(arena, path));
    struct db_tx *tx = NULL;
    TRY(db_connection_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &tx));
    struct err *e = migrate(tx, path, migrations, migration_count);
    if (e) {
        db_connection_free(tx);
        return e;
    }
    struct db *db = xcalloc(1, sizeof(*db));
    db->path = xstrdup(path);
    mutex_init(&db->lock, LOCK_DB);
    e = db_writer_start(db, tx);
    if (e) {
        mutex_deinit(&db->lock);
        free(db->path);
        free(db);
        return err_wrap(e, "starting the writer of %s", path);
    }
    *ret_db = db;
    return NULL;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    while (db->readers) {
        struct db_tx *next = db->readers->next;
        db_connection_free(db->readers);
        db->readers = next;
    }
    db_writer_stop(db);
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
        db_connection_free(tx);
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
        TRY(db_connection_open(db->path, SQLITE_OPEN_READONLY, &tx));
    struct err *e = db_control(tx, "BEGIN");
    if (!e) {
        e = fn(tx, arg);
        db_reset_statements(tx);
        struct err *end = db_control(tx, "COMMIT");
        if (e)
            err_free(end);
        else
            e = end;
    }
    if (!sqlite3_get_autocommit(tx->handle)) { /* not fit for another snapshot */
        db_connection_free(tx);
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
