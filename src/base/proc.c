#include "base/proc.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mutex.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Reads a small file of /proc into text, NUL-terminated; -1 when it cannot be read. */
static ssize_t read_small(const char *path, char *text, size_t size)
{
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t used = 0;
    while (used + 1 < size) {
        ssize_t n = read(fd, text + used, size - 1 - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    text[used] = '\0';
    return (ssize_t)used;
}

/* The fields of /proc/PID/stat after the name, which may hold blanks and parentheses itself: from the last ')'. */
static bool read_stat(pid_t pid, char *ret_state, int64_t *ret_ticks)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_small(path, text, sizeof(text)) <= 0)
        return false;
    const char *p = strrchr(text, ')');
    if (!p || p[1] != ' ')
        return false;
    p += 2;
    *ret_state = *p;
    for (int field = 3; field < 22; field++) {
        p = strchr(p, ' ');
        if (!p)
            return false;
        p++;
    }
    char *end = NULL;
    errno = 0;
    long long ticks = strtoll(p, &end, 10);
    if (errno || end == p)
        return false;
    *ret_ticks = ticks;
    return true;
}

bool proc_start_ticks(pid_t pid, int64_t *ret_ticks)
{
    char state;
    int64_t ticks;
    if (pid <= 0 || !read_stat(pid, &state, &ticks))
        return false;
    *ret_ticks = ticks;
    return true;
}

bool proc_is_alive(pid_t pid, int64_t start_ticks)
{
    char state;
    int64_t ticks;
    return pid > 0 && read_stat(pid, &state, &ticks) && ticks == start_ticks && state != 'Z' && state != 'X';
}

int proc_open(pid_t pid, int64_t start_ticks)
{
    if (pid <= 0)
        return -1;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return -1;
    /* Looked at after the pidfd was made: from now on the number cannot become somebody else's under us. */
    if (!proc_is_alive(pid, start_ticks)) {
        close(fd);
        return -1;
    }
    return fd;
}

bool proc_signal(int pidfd, int signal_number)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0) == 0;
}

/* False: the child, which nobody has waited for yet, runs on. */
static bool ends_within(pid_t pid, int timeout_ms)
{
    _cleanup_(fd_closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return true; /* waitpid says what it is */
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int64_t deadline_ms = monotonic_ms() + timeout_ms;
    for (;;) {
        int64_t left_ms = deadline_ms - monotonic_ms();
        int n = poll(&entry, 1, left_ms > 0 ? (int)left_ms : 0);
        if (n >= 0 || errno != EINTR)
            return n != 0;
    }
}

struct err *proc_run_detaching(const char *const *argv, const char *output_path, int timeout_ms)
{
    thread_may_block("a wait for a program");
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, output_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    pid_t pid = -1;
    /* posix_spawn's argv is char *const * for C's historical reasons; it does not write. */
    char *const *mutable_argv;
    memcpy(&mutable_argv, &argv, sizeof(mutable_argv));
    int rc = posix_spawn(&pid, argv[0], &actions, &attributes, mutable_argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (rc)
        return err_errno(rc, "cannot start %s", argv[0]);
    bool late = !ends_within(pid, timeout_ms);
    if (late)
        kill(pid, SIGKILL); /* ours until it is waited for */
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(errno, "cannot wait for %s", argv[0]);
    if (late)
        return err_new(ERR_UNAVAILABLE, "%s did not detach within %d ms", argv[0], timeout_ms);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return NULL;
    if (WIFEXITED(status))
        return err_new(ERR_UNAVAILABLE, "%s ended with exit code %d", argv[0], WEXITSTATUS(status));
    return err_new(ERR_UNAVAILABLE, "%s was ended by signal %d", argv[0], WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static int64_t read_kib_line(const char *path, const char *label)
{
    char text[4096];
    if (read_small(path, text, sizeof(text)) <= 0)
        return -1;
    const char *p = strstr(text, label);
    if (!p)
        return -1;
    return strtoll(p + strlen(label), NULL, 10) * 1024;
}

int64_t proc_namespace_memory(pid_t pid, int64_t limit_bytes)
{
    char path[80], mine[64], theirs[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
    ssize_t n = readlink(path, mine, sizeof(mine) - 1);
    if (n <= 0)
        return -1;
    mine[n] = '\0';
    DIR *dir = opendir("/proc");
    if (!dir)
        return -1;
    int64_t resident = 0, proportional = 0;
    for (int pass = 0; pass < 2; pass++) {
        rewinddir(dir);
        for (struct dirent *entry; (entry = readdir(dir));) {
            if (!isdigit((unsigned char)entry->d_name[0]))
                continue;
            snprintf(path, sizeof(path), "/proc/%.20s/ns/pid", entry->d_name);
            n = readlink(path, theirs, sizeof(theirs) - 1);
            if (n <= 0)
                continue;
            theirs[n] = '\0';
            if (strcmp(mine, theirs) != 0)
                continue;
            snprintf(path, sizeof(path), pass == 0 ? "/proc/%.20s/status" : "/proc/%.20s/smaps_rollup", entry->d_name);
            int64_t bytes = read_kib_line(path, pass == 0 ? "\nVmRSS:" : "\nPss:");
            if (bytes > 0 && pass == 0)
                resident += bytes;
            else if (bytes > 0)
                proportional += bytes;
        }
        /* Shared pages count once for each process in the first sum, so it is an upper bound: mostly enough. */
        if (pass == 0 && limit_bytes > 0 && resident <= limit_bytes)
            break;
    }
    closedir(dir);
    return proportional > 0 ? proportional : resident;
}
