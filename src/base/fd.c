#include "base/fd.h"
#include "base/arena.h"
#include "base/mutex.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_hold_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd)
            _exit(1); /* the lowest free number is the one that open gives */
}

void fd_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

struct err *fd_write_all(int fd, struct slice data)
{
    while (data.len) {
        ssize_t n = write(fd, data.ptr, data.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(errno, "writing %zu bytes", data.len);
        data = slice_from(data, (size_t)n);
    }
    return NULL;
}

struct err *file_read(struct arena *arena, const char *path, size_t max_bytes, struct slice *ret_data)
{
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "opening %s", path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_errno(errno, "reading %s", path);
    size_t cap = st.st_size > 0 ? (size_t)st.st_size + 1 : 4096, len = 0;
    if (st.st_size > 0 && (size_t)st.st_size > max_bytes)
        return err_new(ERR_LIMIT, "%s has %lld bytes, more than %zu", path, (long long)st.st_size, max_bytes);
    char *data = arena_alloc(arena, cap);
    for (;;) {
        if (len + 1 >= cap) { /* grows while being read, or /proc */
            char *more = arena_array(arena, cap, 2);
            memcpy(more, data, len);
            data = more;
            cap *= 2;
        }
        ssize_t n = read(fd, data + len, cap - len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(errno, "reading %s", path);
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > max_bytes)
            return err_new(ERR_LIMIT, "%s has more than %zu bytes", path, max_bytes);
    }
    data[len] = 0;
    *ret_data = slice_of(data, len);
    return NULL;
}

struct err *file_sync_parent(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof(dir))
        return err_errno(ENAMETOOLONG, "syncing the directory of %s", path);
    if (slash && len == 0) {
        memcpy(dir, "/", 2);
    } else if (slash) {
        memcpy(dir, path, len);
        dir[len] = 0;
    } else {
        memcpy(dir, ".", 2);
    }
    _cleanup_(fd_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "opening %s", dir);
    thread_may_block("an fsync");
    if (fsync(fd) < 0)
        return err_errno(errno, "syncing %s", dir);
    return NULL;
}

struct err *file_write_atomic(const char *path, struct slice data, mode_t mode)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof(temporary), "%s.tmp.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof(temporary))
        return err_errno(ENAMETOOLONG, "writing %s", path);
    _cleanup_(fd_closep) int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "making a file beside %s", path);
    struct err *e = NULL;
    if (fchmod(fd, mode) < 0)
        e = err_errno(errno, "setting the mode of %s", temporary);
    if (!e)
        e = err_wrap(fd_write_all(fd, data), "writing %s", path);
    thread_may_block("an fsync");
    if (!e && fsync(fd) < 0)
        e = err_errno(errno, "syncing %s", path);
    if (!e && rename(temporary, path) < 0)
        e = err_errno(errno, "renaming to %s", path);
    if (e) {
        unlink(temporary);
        return e;
    }
    return file_sync_parent(path);
}

struct err *dir_make(const char *path, mode_t mode)
{
    char partial[PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof(partial))
        return err_errno(ENAMETOOLONG, "making %s", path);
    memcpy(partial, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (partial[i] != '/' && partial[i] != 0)
            continue;
        char kept = partial[i];
        partial[i] = 0;
        bool made = mkdir(partial, mode) == 0;
        if ((!made && errno != EEXIST) || (made && mode & 077 && chmod(partial, mode) < 0))
            return err_errno(errno, "making the directory %s", partial);
        partial[i] = kept;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return err_errno(errno, "making the directory %s", path);
    return S_ISDIR(st.st_mode) ? NULL : err_errno(ENOTDIR, "making the directory %s", path);
}

static struct err *remove_at(int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return NULL;
    if (errno != EISDIR && errno != EPERM)
        return err_errno(errno, "removing %s", name);
    if (depth > 200)
        return err_new(ERR_LIMIT, "removing %s: too deep", name);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? NULL : err_errno(errno, "removing %s", name);
    DIR *dir = fdopendir(fd); /* owns fd */
    if (!dir) {
        int saved = errno;
        close(fd);
        return err_errno(saved, "removing %s", name);
    }
    struct err *e = NULL;
    for (struct dirent *entry; !e && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            e = remove_at(fd, entry->d_name, depth + 1);
    }
    closedir(dir);
    if (!e && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        e = err_errno(errno, "removing %s", name);
    return e;
}

struct err *tree_remove(const char *path)
{
    return err_wrap(remove_at(AT_FDCWD, path, 0), "removing %s", path);
}

bool path_exists(const char *path)
{
    return access(path, F_OK) == 0;
}
