/* job_run_state: the states of a job run (names from the model, emr-containers JobRunState) and the events that lead from one to
 * another. Pure; the table is the documentation: docs and tests are made from it. */
#pragma once
#include "base/slice.h"

/* What state_details of a run that is to be cancelled begins with; what follows is who asked for it. */
#define JOB_RUN_CANCEL_WORDS S("Cancelled by ")

/* clang-format off */
#define JOB_RUN_STATES(X) \
    X(PENDING) X(SUBMITTED) X(RUNNING) X(FAILED) X(CANCELLED) X(CANCEL_PENDING) X(COMPLETED)

#define JOB_RUN_EVENTS(X) \
    X(LAUNCHED)       /* every object of the attempt's driver is in the cluster */ \
    X(REJECTED)       /* it can't be launched: bad configuration, no cluster, no log destination */ \
    X(DRIVER_STARTED) /* the driver's process runs */ \
    X(SUCCEEDED)      /* the driver ended with 0 and its logs are whole */ \
    X(BROKE)          /* the driver ended otherwise, vanished or never started; logs are whole */ \
    X(RETRIED)        /* the driver broke, what it had is gone, its back-off is over: the next attempt begins */ \
    X(CANCEL_ASKED)   /* CancelJobRun */ \
    X(STOPPED)        /* after CANCEL_ASKED: nothing of it runs any more */

/* EDGE(from, event, to): everything else is refused by the store's compare-and-set. Between two attempts a run keeps its state, as the
 * Kubernetes Job of EMR's retry stays active. */
#define JOB_RUN_EDGES(EDGE) \
    EDGE(PENDING,        LAUNCHED,       SUBMITTED) \
    EDGE(PENDING,        REJECTED,       FAILED) \
    EDGE(PENDING,        CANCEL_ASKED,   CANCEL_PENDING) \
    EDGE(SUBMITTED,      DRIVER_STARTED, RUNNING) \
    EDGE(SUBMITTED,      BROKE,          FAILED) \
    EDGE(SUBMITTED,      RETRIED,        SUBMITTED) \
    EDGE(SUBMITTED,      LAUNCHED,       SUBMITTED) \
    EDGE(SUBMITTED,      CANCEL_ASKED,   CANCEL_PENDING) \
    EDGE(RUNNING,        SUCCEEDED,      COMPLETED) \
    EDGE(RUNNING,        BROKE,          FAILED) \
    EDGE(RUNNING,        RETRIED,        RUNNING) \
    EDGE(RUNNING,        LAUNCHED,       RUNNING) \
    EDGE(RUNNING,        DRIVER_STARTED, RUNNING) \
    EDGE(RUNNING,        CANCEL_ASKED,   CANCEL_PENDING) \
    EDGE(CANCEL_PENDING, STOPPED,        CANCELLED)
/* clang-format on */

enum job_run_state {
#define STATE(name) JOB_RUN_##name,
    JOB_RUN_STATES(STATE)
#undef STATE
        JOB_RUN_STATE_COUNT
};

enum job_run_event {
#define EVENT(name) JOB_RUN_EVENT_##name,
    JOB_RUN_EVENTS(EVENT)
#undef EVENT
        JOB_RUN_EVENT_COUNT
};

struct slice job_run_state_name(enum job_run_state state);
struct slice job_run_event_name(enum job_run_event event);
bool job_run_state_parse(struct slice name, enum job_run_state *ret_state);
bool job_run_state_is_final(enum job_run_state state);
/* False when there is no such edge. */
bool job_run_state_next(enum job_run_state from, enum job_run_event event, enum job_run_state *ret_to);
