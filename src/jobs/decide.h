/* decide: what should happen next with a run, a pure function of its row, of what its cluster was last seen to hold and of the time.
 * No I/O, no clock, no store: the table of its cases is its test. */
#pragma once
#include "jobs/job_run_state.h"
#include "jobs/outcome.h"
#include "store/job_queue.h"

enum driver_phase {
    DRIVER_ABSENT,  /* the watch is in step and shows none */
    DRIVER_PENDING, /* the pod is there, its main container has not started */
    DRIVER_RUNNING,
    DRIVER_ENDED,
};

/* What the cluster's watch last told of a run. Slices live as long as the observation. */
struct observation {
    bool synced;          /* the watch has listed everything at least once since this daemon started */
    struct slice trouble; /* the cluster does not answer: why; absent: it does */
    struct instant trouble_since;
    bool no_cluster;      /* there is no such cluster any more */
    enum driver_phase driver;
    bool deleting;        /* has a deletionTimestamp: */
    struct instant deleted_by; /* by then it should be gone */
    struct slice held_by; /* what may keep it from going: a finalizer, its node; absent: nothing that is known */
    struct instant driver_created_at, driver_started_at, driver_finished_at; /* ms 0: not known */
    bool has_exit_code;
    int64_t exit_code;
    struct slice reason, message;   /* of the terminated container or the pod: OOMKilled, Evicted, StartError … */
    struct slice waiting;           /* why it does not start: the scheduler's or the kubelet's words; absent: nothing is wrong */
    bool gone;                      /* the driver was there and is no longer */
    bool untold;                    /* the driver is known from our own writing alone: the watch has not told of it */
    struct slice executor_trouble;  /* an executor of this attempt was killed or thrown out: a sentence without its full stop; absent: none was */
    bool executor_there;            /* of this attempt, in whatever state */
    struct slice executor_waiting;  /* no executor of this attempt runs, and why one does not start or can't be made; absent: nothing to tell */
    struct instant executor_waiting_since;
    size_t pods;                    /* of the run, of all its attempts, that are still there */
    struct instant pods_deleted_by; /* by then all of them should be gone; ms 0: there are none, or one is not to go */
    bool attempt_read;              /* the logs of all containers that have run are in the spool, or there is nothing to read them from */
    bool logs_settled;              /* of the whole run: whole, or given up */
    struct slice log_trouble;
    struct slice last_error_line;   /* of the attempt; known once it is read */
};

/* The row's facts that matter. */
struct run_facts {
    enum job_run_state state;
    struct slice cluster, driver_pod;   /* names, for words */
    int64_t attempt, max_attempts;      /* 1.., max_attempts 0: no retry policy */
    struct queue_look queue;            /* of a PENDING run whose launch_started_at is 0 */
    struct resources ask, room;         /* for words about the queue */
    struct instant created_at;
    struct instant launch_started_at, driver_created_at, driver_started_at;
    struct slice outcome; /* JSON; absent: the driver has not ended as far as is recorded */
    struct instant outcome_at;
    struct slice state_details;
    int64_t start_timeout_s;
    bool reaped;
};

enum action_kind {
    ACTION_WAIT,    /* nothing to do before again_at (ms 0: until something is observed) */
    ACTION_LEAVE_QUEUE, /* in one transaction: if it still may, launch_started_at; else keep whether it waits for room */
    ACTION_LAUNCH,  /* write the attempt's driver and what belongs to it (repeatable), then LAUNCHED */
    ACTION_CLEAN,   /* delete everything of the attempt (repeatable) */
    ACTION_RETRY,   /* as CLEAN, then RETRIED: the next attempt, with state_details */
    ACTION_MOVE,    /* change the state by event with failure_reason and state_details */
    ACTION_NOTE,    /* state_details only */
    ACTION_RECORD,  /* keep outcome in the row; the logs are then finished */
    ACTION_KILL,    /* delete the driver pod with its own grace; one that is to go already without any */
    ACTION_REAP,    /* delete everything of the run and its key, then reaped */
};

struct action {
    enum action_kind kind;
    enum job_run_event event;
    struct slice failure_reason, state_details;
    struct outcome outcome;
    struct instant driver_created_at, driver_started_at; /* facts to keep with the move; ms 0: none */
    struct instant again_at;
};

/* How long a cluster may be away before a run that has not started fails, or one that is cancelled ends without it. */
#define CLUSTER_TROUBLE_MAX_MS ((int64_t)10 * 60 * 1000)
/* How long before a run that has started is given up: its driver may well go on meanwhile. */
#define CLUSTER_LOST_MAX_MS ((int64_t)30 * 60 * 1000)
/* A pod that is to go may stay for ever: a finalizer holds it, or its node is dead. How long after its time it is deleted without grace, and
 * how long after its time nobody waits for it any more: it goes on being deleted, but what it held up goes on too. */
#define POD_FORCE_AFTER_MS ((int64_t)60 * 1000)
#define POD_HELD_MAX_MS ((int64_t)5 * 60 * 1000)
/* How long the logs of a failed attempt hold back the next one. */
#define ATTEMPT_LOGS_MAX_MS ((int64_t)60 * 1000)

/* Pods of the run are held, for too long. */
bool pods_are_held(const struct observation *seen, struct instant now);
/* The recorded outcome is one that the run's retry policy answers with another attempt. */
bool run_retries(struct arena *arena, const struct run_facts *run);

struct action decide(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now);
