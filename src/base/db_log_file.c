/* The log of a database as SQLite's writer sees it: SQLite writes each page of a commit with two calls, 24 bytes and 4096. Here what
 * lies one behind the other is kept and written with one call, before the log is synced or looked at. Nobody else reads a page of the
 * log before the index says that it is committed, which comes after the sync; what was never synced was never promised.
 *
 * A write that fails for lack of space is told by the sync, with SQLite's code of the write. All else is SQLite's own file (unix-vfs). */
#include "base/db_internal.h"
#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES (64 * 1024)

static sqlite3_vfs *unix_vfs, log_vfs;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* In the memory that SQLite gives to a file of log_vfs; SQLite's own file follows. */
struct log_file {
    sqlite3_file base;
    char *kept; /* NULL: nothing was written by this connection */
    int len;
    sqlite3_int64 offset;
    _Alignas(8) char file[]; /* as SQLite aligns files */
};

static sqlite3_file *inner(sqlite3_file *file)
{
    return (sqlite3_file *)((struct log_file *)file)->file;
}

static int flush(struct log_file *log)
{
    int len = log->len;
    log->len = 0;
    return len ? inner(&log->base)->pMethods->xWrite(inner(&log->base), log->kept, len, log->offset) : SQLITE_OK;
}

static int log_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset)
{
    struct log_file *log = (struct log_file *)file;
    if (log->len && (offset != log->offset + log->len || len > KEPT_BYTES - log->len)) {
        int result = flush(log);
        if (result != SQLITE_OK)
            return result;
    }
    if (len > KEPT_BYTES)
        return inner(file)->pMethods->xWrite(inner(file), data, len, offset);
    if (!log->kept)
        log->kept = xcalloc(1, KEPT_BYTES);
    if (!log->len)
        log->offset = offset;
    memcpy(log->kept + log->len, data, (size_t)len);
    log->len += len;
    return SQLITE_OK;
}

static int log_read(sqlite3_file *file, void *data, int len, sqlite3_int64 offset)
{
    int result = flush((struct log_file *)file);
    return result == SQLITE_OK ? inner(file)->pMethods->xRead(inner(file), data, len, offset) : result;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int result = flush((struct log_file *)file);
    return result == SQLITE_OK ? inner(file)->pMethods->xTruncate(inner(file), size) : result;
}

static int log_sync(sqlite3_file *file, int flags)
{
    int result = flush((struct log_file *)file);
    return result == SQLITE_OK ? inner(file)->pMethods->xSync(inner(file), flags) : result;
}

static int log_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    int result = flush((struct log_file *)file);
    return result == SQLITE_OK ? inner(file)->pMethods->xFileSize(inner(file), ret_size) : result;
}

static int log_close(sqlite3_file *file)
{
    struct log_file *log = (struct log_file *)file;
    free(log->kept); /* what is still there belongs to no commit */
    return inner(file)->pMethods->xClose(inner(file));
}

static int log_lock(sqlite3_file *file, int level)
{
    return inner(file)->pMethods->xLock(inner(file), level);
}

static int log_unlock(sqlite3_file *file, int level)
{
    return inner(file)->pMethods->xUnlock(inner(file), level);
}

static int log_check_lock(sqlite3_file *file, int *ret_taken)
{
    return inner(file)->pMethods->xCheckReservedLock(inner(file), ret_taken);
}

static int log_control(sqlite3_file *file, int what, void *arg)
{
    return inner(file)->pMethods->xFileControl(inner(file), what, arg);
}

static int log_sector_size(sqlite3_file *file)
{
    return inner(file)->pMethods->xSectorSize(inner(file));
}

static int log_characteristics(sqlite3_file *file)
{
    return inner(file)->pMethods->xDeviceCharacteristics(inner(file));
}

static const sqlite3_io_methods LOG_METHODS = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_lock,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_characteristics,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    (void)vfs;
    if (!(flags & SQLITE_OPEN_WAL))
        return unix_vfs->xOpen(unix_vfs, name, file, flags, ret_flags);
    struct log_file *log = (struct log_file *)file;
    *log = (struct log_file){0};
    int result = unix_vfs->xOpen(unix_vfs, name, inner(file), flags, ret_flags);
    if (result == SQLITE_OK)
        log->base.pMethods = &LOG_METHODS;
    return result;
}

static void make(void)
{
    unix_vfs = sqlite3_vfs_find("unix");
    log_vfs = *unix_vfs;
    log_vfs.zName = "log-at-once";
    log_vfs.szOsFile = unix_vfs->szOsFile + (int)sizeof(struct log_file);
    log_vfs.xOpen = open_file;
    sqlite3_vfs_register(&log_vfs, 0);
}

const char *db_writer_vfs(void)
{
    pthread_once(&once, make);
    return log_vfs.zName;
}
