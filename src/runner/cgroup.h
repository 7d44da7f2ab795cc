/* cgroup: the memory limit of one container. Version 2 or 1 of the kernel's memory controller where this process may make
 * groups; where it may not, the caller watches the container's memory itself (proc_namespace_memory). */
#pragma once
#include "base/err.h"
#include "base/slice.h"
#include <stdbool.h>

struct cgroup {
    char *path;   /* NULL: there is none, watch the memory instead */
    int version;
    int procs_fd; /* write "0" to enter; -1 */
};

/* name: unique on this machine. Never fails: without a group path is NULL. */
void cgroup_make(struct cgroup *group, struct slice name, int64_t memory_limit_bytes);
/* In the child, before it becomes the container. */
void cgroup_enter(const struct cgroup *group);
/* Whether the kernel itself ends all of it when its memory is over: version 2. */
bool cgroup_kills_whole(const struct cgroup *group);
/* How often the kernel has killed something in it for lack of memory. */
int64_t cgroup_oom_kills(const struct cgroup *group);
/* Kills what is left in it and removes it. */
void cgroup_remove(struct cgroup *group);
