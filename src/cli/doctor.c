/* ember doctor: what this machine has of what Ember needs, one line each. Needs no daemon. */
#include "base/fd.h"
#include "cli/command.h"
#include "daemon/installation.h"
#include <stdio.h>
#include <string.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t gaps;

static void tell(bool good, const char *what, const char *detail)
{
    printf("%s %-16s %s\n", good ? "ok  " : "miss", what, detail);
    gaps += !good;
}

/* Tried in a child, since it cannot be undone. */
static bool user_namespaces_work(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER) == 0 ? 0 : 1);
    int status = 1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void tell_cgroups(void)
{
    bool v2 = path_exists("/sys/fs/cgroup/cgroup.controllers");
    bool writable = v2 && access("/sys/fs/cgroup/cgroup.subtree_control", W_OK) == 0;
    /* Pods run without limits where there are none; nothing is missing that a job needs. */
    tell(true, "cgroups", writable ? "version 2, limits of pods are enforced" : v2 ? "version 2, not ours to write: pods run without limits"
                                                                                    : "not version 2: pods run without limits");
}

static void tell_space(struct command *command)
{
    char text[128];
    struct sysinfo info;
    if (sysinfo(&info) == 0) {
        double free_gib = (double)(info.freeram + info.bufferram) * info.mem_unit / (1 << 30);
        double total_gib = (double)info.totalram * info.mem_unit / (1 << 30);
        snprintf(text, sizeof(text), "%.1f GiB, %.1f GiB free, %ld cores", total_gib, free_gib, sysconf(_SC_NPROCESSORS_ONLN));
        tell(total_gib >= 3, "memory", text);
    }
    struct statvfs fs;
    const char *dir = command->data_dir;
    if (statvfs(dir, &fs) != 0)
        dir = "/";
    if (statvfs(dir, &fs) == 0) {
        double gib = (double)fs.f_bavail * (double)fs.f_frsize / (1 << 30);
        snprintf(text, sizeof(text), "%.1f GiB free for %s", gib, command->data_dir);
        tell(gib >= 1, "disk", text);
    }
}

static void tell_programs(struct command *command, const struct installation *found)
{
    tell(found->java_path, "java", found->java_path ? found->java_path : "not found: install openjdk-17-jre-headless, or set JAVA_HOME");
    tell(found->bwrap_path, "bwrap", found->bwrap_path ? found->bwrap_path : "not found: install bubblewrap");
    tell(found->runner_path, "ember-run", found->runner_path ? found->runner_path : "not found: run make build");
    struct strbuf versions = STRBUF_ARENA(command->arena);
    for (size_t i = 0; i < found->spark_count; i++)
        strbuf_append_fmt(&versions, "%s%.*s", i ? ", " : "", SLICE_ARG(found->sparks[i]));
    tell(found->spark_count, "sparks", found->spark_count ? slice_cstr(command->arena, strbuf_slice(&versions))
                                                          : "none: run make setup, or set EMBER_SPARK_DIR");
    tell(true, "class archives", found->archives_dir.ptr ? slice_cstr(command->arena, found->archives_dir) : "none: Spark starts a few seconds slower");
}

struct err *command_doctor(struct command *command)
{
    struct installation found = installation_find(command->arena);
    bool root = geteuid() == 0;
    tell_programs(command, &found);
    tell(root || user_namespaces_work(), "user namespaces",
         root ? "not needed: this is root" : "sandboxes of an ordinary user need them (sysctl kernel.unprivileged_userns_clone)");
    tell(true, "user", root ? "root: each job run gets a uid of its own" : "an ordinary user: all pods are one trust domain");
    tell_cgroups();
    tell_space(command);
    return gaps ? err_new(ERR_UNAVAILABLE, "%zu of these are missing: jobs will not run until they are there", gaps) : NULL;
}
