/* container: one container of the pod, from its first start to its last end: its process, its pipes, its log, its exit. All in
 * the supervisor's one thread, which polls the descriptors and calls in here. */
#pragma once
#include "base/clock.h"
#include "runner/cgroup.h"
#include "runner/cri_log.h"
#include "runner/log_copy.h"
#include "runner/run_spec.h"
#include <sys/types.h>

struct json;

enum container_phase {
    CONTAINER_WAITING,    /* not started yet */
    CONTAINER_FETCHING,   /* its entry points are being downloaded */
    CONTAINER_STARTING,   /* the sandbox is being built */
    CONTAINER_RUNNING,
    CONTAINER_TERMINATED, /* for good, or until it is started again */
    CONTAINER_BACKOFF,    /* terminated, will be started again at restart_at_ms */
};

struct container_end {
    int exit_code, signal; /* signal 0: none */
    const char *reason;    /* Completed, Error, OOMKilled, StartError; static */
    char *message;         /* owned, or NULL */
    struct instant started_at, finished_at; /* started_at.ms 0: it never ran */
};

struct container {
    const struct run_container *spec;
    enum container_phase phase;
    int restart_count, start_count;
    int quick_ends;                /* in a row: the supervisor's, for its back-off */
    pid_t pid;                     /* of bubblewrap or the fetcher; -1: none */
    pid_t sandbox_pid;             /* first process of the sandbox, as the machine counts; -1: not known */
    int stdout_fd, stderr_fd, control_fd, info_fd; /* -1: closed */
    struct cri_log log;
    struct log_copy copy;
    struct cgroup group;
    struct strbuf last_words;      /* tail of stderr until it runs: bubblewrap's complaints */
    char *start_error;             /* what init or bubblewrap said; owned */
    int wait_status;               /* of the command, once has_status */
    bool has_status, reaped, killed_for_memory, asked_to_stop;
    struct instant started_at;
    int64_t restart_at_ms, drain_until_ms; /* monotonic */
    struct container_end end, last_end;
    bool ended_once;
};

struct pod_paths {
    struct slice pod_dir;
    struct slice self; /* this program */
};

void container_init(struct container *container, const struct run_container *spec);
void container_deinit(struct container *container);
/* Starts it (again). What goes wrong before there is a process becomes a termination with reason StartError. */
void container_start(struct container *container, const struct run_spec *spec, const struct pod_paths *paths);
/* One of its descriptors is readable or has ended. */
void container_read(struct container *container, int fd);
/* Its process has been reaped. */
void container_reaped(struct container *container, int wait_status);
/* Moves on what can be moved on: fetched -> starting, ended and drained -> terminated. True when something changed. */
bool container_step(struct container *container, const struct run_spec *spec, const struct pod_paths *paths);
void container_ask_to_stop(struct container *container); /* SIGTERM */
void container_kill(struct container *container);        /* SIGKILL to everything in it */
bool container_is_alive(const struct container *container); /* has a process */
/* Whether container_check_memory() is to be called now and then. */
bool container_wants_memory_checks(const struct container *container);
/* Kills it and says OOMKilled: over its limit on a machine without memory groups; where the kernel kills one process of the group alone
 * (version 1), when it has. A container that lost a process for memory is over as a whole, as in Kubernetes (singleProcessOOMKill: false). */
void container_check_memory(struct container *container);
