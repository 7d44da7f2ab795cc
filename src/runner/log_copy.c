#include "runner/log_copy.h"

#include "base/arena.h"
#include "base/fd.h"
#include "runner/mounts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_DIR "/var/log/spark/user"

static const char *const names[] = {[CRI_STDOUT] = "stdout", [CRI_STDERR] = "stderr"};

/* The pod's user may write into the volume and we may write everywhere: no link is followed, and nothing but a file of one name is written to. */
static int open_inside(int dir_fd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

static void give_to_pod(int fd, const struct run_spec *spec)
{
    if (spec->run_uid > 0 && geteuid() == 0)
        (void)!fchown(fd, (uid_t)spec->run_uid, (gid_t)spec->run_uid);
}

static int open_copy(int dir_fd, const char *name, const struct run_spec *spec)
{
    struct stat st;
    int fd = open_inside(dir_fd, name, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
        close(fd);
        return -1;
    }
    give_to_pod(fd, spec);
    return fd;
}

void log_copy_open(struct log_copy *copy, const struct run_spec *spec, const struct run_container *container, struct slice pod_dir)
{
    log_copy_close(copy);
    struct slice source = SLICE_NONE;
    for (size_t i = 0; i < container->mount_count && run_container_is_sparks(container); i++)
        if (slice_eq(container->mounts[i].target, S(LOG_DIR)))
            source = container->mounts[i].source;
    if (!source.ptr)
        return;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    const char *pod = slice_cstr(arena, spec->pod_name);
    _cleanup_(fd_closep) int volume_fd = mounts_open_dir(arena, pod_dir, source);
    if (volume_fd < 0)
        return;
    (void)!mkdirat(volume_fd, pod, 0755);
    _cleanup_(fd_closep) int pod_fd = open_inside(volume_fd, pod, O_RDONLY | O_DIRECTORY, 0);
    if (pod_fd < 0)
        return;
    give_to_pod(pod_fd, spec);
    for (int i = 0; i < 2; i++)
        copy->fds[i] = open_copy(pod_fd, names[i], spec);
}

void log_copy_write(struct log_copy *copy, enum cri_stream stream, struct slice bytes)
{
    while (copy->fds[stream] >= 0 && bytes.len) {
        ssize_t n = write(copy->fds[stream], bytes.ptr, bytes.len);
        if (n <= 0)
            return; /* a full disk */
        bytes = slice_from(bytes, (size_t)n);
    }
}

void log_copy_close(struct log_copy *copy)
{
    for (int i = 0; i < 2; i++)
        fd_closep(&copy->fds[i]);
}
