/* ember doctor: what this machine has of what Ember needs, and how its data is: one line each. Needs no daemon, changes nothing. */
#include "cli/doctor.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "daemon/installation.h"
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef EMBER_VERSION
#define EMBER_VERSION "unknown"
#endif
#define GIB ((double)(1 << 30))
#define FILES_WANTED 16384 /* what emberd's listener is made for */
#define FILES_NEEDED 1024
#define OLDEST_CLOCK 1704067200 /* 2024: before it, the clock was never set */

static const char *const VERDICTS[] = {[VERDICT_OK] = "ok", [VERDICT_WARN] = "warn", [VERDICT_FAIL] = "fail"};

void doctor_tell(struct doctor *doctor, enum verdict verdict, const char *name, const char *format, ...)
{
    struct strbuf text = STRBUF_ARENA(doctor->command->arena);
    va_list args;
    va_start(args, format);
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    struct finding *finding = ARENA_NEW(doctor->command->arena, struct finding);
    *finding = (struct finding){.verdict = verdict, .name = name, .detail = strbuf_slice(&text)};
    *(doctor->last ? &doctor->last->next : &doctor->first) = finding;
    doctor->last = finding;
    doctor->failed += verdict == VERDICT_FAIL;
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

static void check_sandbox(struct doctor *doctor)
{
    bool root = geteuid() == 0;
    if (root)
        doctor_tell(doctor, VERDICT_OK, "user namespaces", "not needed: this is root");
    else if (user_namespaces_work())
        doctor_tell(doctor, VERDICT_OK, "user namespaces", "they work");
    else
        doctor_tell(doctor, VERDICT_FAIL, "user namespaces",
                    "sandboxes of an ordinary user need them: sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000");
    doctor_tell(doctor, VERDICT_OK, "user", "%s", root ? "root: each job run gets a uid of its own" : "an ordinary user: all pods are one trust domain");
    bool v2 = path_exists("/sys/fs/cgroup/cgroup.controllers");
    bool writable = v2 && access("/sys/fs/cgroup/cgroup.subtree_control", W_OK) == 0;
    /* Pods run without limits where there are none; nothing is missing that a job needs. */
    doctor_tell(doctor, VERDICT_OK, "cgroups", "%s",
                writable ? "version 2, limits of pods are enforced"
                : v2     ? "version 2, not ours to write: pods run without limits"
                         : "not version 2: pods run without limits");
}

static void check_memory(struct doctor *doctor)
{
    struct sysinfo info;
    if (sysinfo(&info) != 0)
        return;
    double free_gib = (double)(info.freeram + info.bufferram) * info.mem_unit / GIB, total_gib = (double)info.totalram * info.mem_unit / GIB;
    doctor_tell(doctor, total_gib >= 3 ? VERDICT_OK : VERDICT_FAIL, "memory", "%.1f GiB, %.1f GiB free, %ld cores%s", total_gib, free_gib,
                sysconf(_SC_NPROCESSORS_ONLN), total_gib >= 3 ? "" : ": a driver and an executor need 3 GiB");
}

static void check_files(struct doctor *doctor)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    unsigned long long most = limit.rlim_max; /* emberd raises its own limit to it */
    if (most >= FILES_WANTED)
        doctor_tell(doctor, VERDICT_OK, "open files", "up to %llu", most);
    else
        doctor_tell(doctor, most >= FILES_NEEDED ? VERDICT_WARN : VERDICT_FAIL, "open files",
                    "up to %llu: each connection needs one; raise it to %d (LimitNOFILE=, ulimit -Hn)", most, FILES_WANTED);
}

static void check_clock(struct doctor *doctor)
{
    struct timex clock = {0};
    if (time(NULL) < OLDEST_CLOCK)
        doctor_tell(doctor, VERDICT_FAIL, "clock", "it was never set: signatures would be refused; set it, and run a time service");
    else if (adjtimex(&clock) >= 0 && (clock.status & STA_UNSYNC))
        doctor_tell(doctor, VERDICT_WARN, "clock",
                    "nothing keeps it right here: requests of clients whose clock is 15 minutes away are refused; run a time service");
    else
        doctor_tell(doctor, VERDICT_OK, "clock", "set and kept");
}

static void check_programs(struct doctor *doctor)
{
    struct arena *arena = doctor->command->arena;
    struct installation found = installation_find(arena);
    const struct {
        const char *name, *path, *advice;
    } programs[] = {
        {"java", found.java_path, "not found: install openjdk-17-jre-headless, or set JAVA_HOME"},
        {"bwrap", found.bwrap_path, "not found: install bubblewrap"},
        {"ember-run", found.runner_path, "not found: run make build"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
        doctor_tell(doctor, programs[i].path ? VERDICT_OK : VERDICT_FAIL, programs[i].name, "%s",
                    programs[i].path ? programs[i].path : programs[i].advice);
    /* Sandboxes see the machine's /usr and nothing of the PATH. */
    bool python = access("/usr/bin/python3", X_OK) == 0;
    doctor_tell(doctor, python ? VERDICT_OK : VERDICT_WARN, "python", "%s",
                python ? "/usr/bin/python3" : "no /usr/bin/python3: jobs in Python will not run; install python3");
    struct strbuf versions = STRBUF_ARENA(arena);
    for (size_t i = 0; i < found.spark_count; i++)
        strbuf_append_fmt(&versions, "%s%.*s", i ? ", " : "", SLICE_ARG(found.sparks[i]));
    doctor_tell(doctor, found.spark_count ? VERDICT_OK : VERDICT_FAIL, "sparks", "%s",
                found.spark_count ? versions.ptr : "none: run make setup, or set EMBER_SPARK_DIR");
    doctor_tell(doctor, VERDICT_OK, "class archives", "%s",
                found.archives_dir.ptr ? slice_cstr(arena, found.archives_dir) : "none: Spark starts a few seconds slower");
}

static void print_text(const struct doctor *doctor)
{
    for (const struct finding *f = doctor->first; f; f = f->next)
        printf("%-4s %-16s %.*s\n", VERDICTS[f->verdict], f->name, SLICE_ARG(f->detail));
}

static void print_json(const struct doctor *doctor)
{
    struct strbuf out = STRBUF_ARENA(doctor->command->arena);
    strbuf_append_fmt(&out, "{\"ok\":%s,\"checks\":[", doctor->failed ? "false" : "true");
    for (const struct finding *f = doctor->first; f; f = f->next) {
        strbuf_append_fmt(&out, "%s{\"status\":\"%s\",\"name\":\"%s\",\"detail\":", f == doctor->first ? "" : ",", VERDICTS[f->verdict], f->name);
        json_write_string(&out, f->detail);
        strbuf_append_char(&out, '}');
    }
    strbuf_append_cstr(&out, "]}");
    puts(out.ptr);
}

struct err *command_doctor(struct command *command)
{
    struct doctor doctor = {.command = command};
    doctor_tell(&doctor, VERDICT_OK, "version", "ember " EMBER_VERSION);
    check_programs(&doctor);
    check_sandbox(&doctor);
    check_memory(&doctor);
    check_files(&doctor);
    check_clock(&doctor);
    doctor_check_data(&doctor);
    if (command->json)
        print_json(&doctor);
    else
        print_text(&doctor);
    return doctor.failed ? err_new(ERR_UNAVAILABLE, "%zu of these must be put right, or Ember will not work as it should", doctor.failed) : NULL;
}
