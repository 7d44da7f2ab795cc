#include "runner/inside.h"

#include "base/arena.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One part of a path. */
static int open_part(int dir_fd, struct slice part, int flags, mode_t mode)
{
    char name[NAME_MAX + 1];
    struct stat st;
    if (slice_eq(part, S("..")) || slice_has_nul(part)) {
        errno = EINVAL;
        return -1;
    }
    if (part.len > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, part.ptr, part.len);
    name[part.len] = '\0';
    int fd = openat(dir_fd, part.len ? name : ".", flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode);
    if (fd >= 0 && flags & O_PATH && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) { /* O_PATH opens the link itself */
        close(fd);
        errno = ELOOP;
        return -1;
    }
    return fd;
}

int inside_open(int dir_fd, struct slice path, int flags, mode_t mode)
{
    _cleanup_(fd_closep) int at = -1;
    struct slice rest = path.ptr ? path : S("");
    while (slice_ends_with(rest, S("/")))
        rest.len--;
    struct slice part = slice_cut(&rest, '/');
    while (rest.ptr) {
        int next = open_part(at < 0 ? dir_fd : at, part, O_PATH | O_DIRECTORY, 0);
        if (next < 0)
            return -1;
        fd_closep(&at);
        at = next;
        part = slice_cut(&rest, '/');
    }
    return open_part(at < 0 ? dir_fd : at, part, flags, mode);
}
