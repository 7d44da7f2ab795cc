#include "runner/cgroup.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"

static bool write_value(const char *dir, const char *file, const char *value)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    _cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
}

static bool read_text(const char *path, char *text, size_t size)
{
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, size - 1);
    if (n < 0)
        return false;
    text[n] = '\0';
    return true;
}

/* Version 2: a folder of ours at the top, since a group with processes cannot hand controllers to its children. */
static bool find_v2_parent(char *parent, size_t size)
{
    char controllers[1024];
    if (!read_text(ROOT "/cgroup.controllers", controllers, sizeof(controllers)) || !strstr(controllers, "memory"))
        return false;
    write_value(ROOT, "cgroup.subtree_control", "+memory");
    if (mkdir(ROOT "/ember", 0755) < 0 && errno != EEXIST)
        return false;
    if (!write_value(ROOT "/ember", "cgroup.subtree_control", "+memory"))
        return false;
    snprintf(parent, size, ROOT "/ember");
    return true;
}

/* Version 1: under our own group of the memory controller, so that its limit still holds. */
static bool find_v1_parent(char *parent, size_t size)
{
    char text[4096];
    if (!read_text("/proc/self/cgroup", text, sizeof(text)))
        return false;
    char *line = strstr(text, ":memory:");
    if (!line)
        return false;
    line += strlen(":memory:");
    line[strcspn(line, "\n")] = '\0';
    snprintf(parent, size, ROOT "/memory%s", line);
    if (access(parent, W_OK) != 0) /* in a container the path is as its host sees it */
        snprintf(parent, size, ROOT "/memory");
    return access(parent, W_OK) == 0;
}

void cgroup_make(struct cgroup *group, struct slice name, int64_t memory_limit_bytes)
{
    char parent[PATH_MAX / 2], path[PATH_MAX], value[32];
    *group = (struct cgroup){.procs_fd = -1};
    if (geteuid() != 0)
        return;
    int version = find_v2_parent(parent, sizeof(parent)) ? 2 : find_v1_parent(parent, sizeof(parent)) ? 1 : 0;
    if (!version)
        return;
    snprintf(path, sizeof(path), "%s/ember-%.*s", parent, SLICE_ARG(name));
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return;
    snprintf(value, sizeof(value), "%lld", (long long)memory_limit_bytes);
    bool limited = true;
    if (memory_limit_bytes > 0 && version == 2) {
        limited = write_value(path, "memory.max", value);
        write_value(path, "memory.swap.max", "0");
        write_value(path, "memory.oom.group", "1");
    } else if (memory_limit_bytes > 0) {
        limited = write_value(path, "memory.limit_in_bytes", value);
        write_value(path, "memory.memsw.limit_in_bytes", value);
    }
    char procs[PATH_MAX + 16];
    snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
    int fd = limited ? open(procs, O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        rmdir(path);
        return;
    }
    *group = (struct cgroup){.path = xstrdup(path), .version = version, .procs_fd = fd};
}

void cgroup_enter(const struct cgroup *group)
{
    if (group->procs_fd < 0)
        return;
    ssize_t n = write(group->procs_fd, "0", 1);
    (void)n; /* without it the container runs with the machine's own limit only */
}

bool cgroup_kills_whole(const struct cgroup *group)
{
    return group->path && group->version == 2;
}

int64_t cgroup_oom_kills(const struct cgroup *group)
{
    char path[PATH_MAX], text[1024];
    if (!group->path)
        return 0;
    snprintf(path, sizeof(path), "%s/%s", group->path, group->version == 2 ? "memory.events" : "memory.oom_control");
    if (!read_text(path, text, sizeof(text)))
        return 0;
    const char *p = strstr(text, "oom_kill ");
    return p ? strtoll(p + strlen("oom_kill "), NULL, 10) : 0;
}

void cgroup_remove(struct cgroup *group)
{
    if (group->procs_fd >= 0)
        close(group->procs_fd);
    group->procs_fd = -1;
    if (!group->path)
        return;
    if (group->version == 2)
        write_value(group->path, "cgroup.kill", "1");
    /* The kernel takes a moment to forget processes that have just been reaped. */
    for (int i = 0; i < 50 && rmdir(group->path) < 0 && errno == EBUSY; i++)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    free(group->path);
    group->path = NULL;
}
