/* job_run: the rows of job runs, what was asked (written once) and what is known of them (written by the reconciler alone, with
 * compare-and-set on the state, each change of state in one transaction with its event row). */
#pragma once
#include "store/store.h"
#include "store/tag.h"

struct job_run {
    struct slice id; /* 19 chars, sorts by time */
    struct slice virtual_cluster_id;
    struct slice name; /* absent when none was given */
    struct slice state;
    struct slice execution_role_arn;
    struct slice release_label;
    struct slice job_driver;              /* JSON as asked */
    struct slice configuration_overrides; /* JSON, or absent */
    int64_t retry_max_attempts;           /* 0: no retry policy was given */
    struct slice client_token;
    struct slice created_by; /* ARN */
    struct instant created_at;
    struct instant finished_at; /* ms 0: not yet */
    struct slice failure_reason, state_details;
    /* What the reconciler knows; ms 0: has not happened. */
    int64_t attempt; /* 1.. */
    struct instant launch_started_at; /* the first write to the cluster may have happened since then */
    struct instant driver_created_at, driver_started_at;
    struct slice driver_uid; /* of the attempt's driver pod; absent: not known */
    struct slice outcome; /* JSON of jobs/outcome.h once the driver has ended; logs may still be on their way */
    struct instant outcome_at;
    int64_t start_timeout_s;
    bool reaped; /* nothing of it is left in the cluster */
    /* Joined in by get and list. */
    struct slice cluster, namespace_;
    struct tags tags;
};

/* As store_virtual_cluster_insert. The cluster must be RUNNING: else ERR_CONFLICT with code "VirtualClusterState" and its state as the
 * message; ERR_NOT_FOUND when there is none; ERR_LIMIT with code "QueueFull" and the numbers as the message when its queue is. Records the
 * event START. Ids are the order of creation: one that would sort before an older run's is made later (resource_arn, which ends with the
 * id, too), so *ret_id counts. */
struct err *store_job_run_insert(struct store *store, struct arena *arena, const struct job_run *row, struct slice resource_arn, struct slice token,
                                 struct slice request_sha256, struct slice *ret_id) NODISCARD;
struct err *store_job_run_get(struct store *store, struct arena *arena, struct slice id, struct job_run *ret_row) NODISCARD; /* ERR_NOT_FOUND */

/* One step of a run. Absent slices and zero instants leave a fact as it is. */
struct job_run_change {
    struct slice id;
    struct slice from;  /* the state it must have: else *ret_changed is false and nothing is written */
    int64_t attempt;    /* and the attempt; 0: any */
    struct slice to;    /* absent: stays */
    struct slice event; /* recorded when to is set */
    struct slice failure_reason, state_details, outcome, driver_uid;
    struct instant at, finished_at, launch_started_at, driver_created_at, driver_started_at, outcome_at;
    int64_t start_timeout_s; /* 0: stays */
    struct slice effective_configuration; /* JSON, of the attempt that was launched; absent: stays */
    bool reaped;        /* its key goes with it */
};
struct err *store_job_run_change(struct store *store, const struct job_run_change *change, bool *ret_changed) NODISCARD;
/* The next attempt of a run begins: what was known of the driver is forgotten, attempt grows, launch_started_at becomes change->at. Of
 * change count id, from, attempt, to, event, state_details, at. */
struct err *store_job_run_retry(struct store *store, const struct job_run_change *change, bool *ret_changed) NODISCARD;

/* What the last attempt that was launched had, and which one that was. ERR_NOT_FOUND: none was, or there is no such run. */
struct err *store_job_run_get_effective(struct store *store, struct arena *arena, struct slice id, struct slice *ret_json, int64_t *ret_attempt) NODISCARD;

struct job_run_filter {
    struct slice virtual_cluster_id;
    const struct slice *states;
    size_t state_count;
    struct slice name; /* exact; absent: any */
    bool created_after_set, created_before_set;
    struct instant created_after, created_before;
    struct slice before_id; /* page: the last run of the page before; absent: from the newest */
    int64_t limit;
};
struct job_run_page {
    struct job_run *rows; /* newest first (by created_at, then id), without jobDriver and configurationOverrides */
    size_t count;
    bool more;
};
struct err *store_job_run_list(struct store *store, struct arena *arena, const struct job_run_filter *filter, struct job_run_page *ret_page) NODISCARD;

/* Every change of state of a run, oldest first. */
struct job_run_event_row {
    struct instant at;
    struct slice event, from, to, details; /* from is absent for START */
    int64_t attempt;
};
struct err *store_job_run_events(struct store *store, struct arena *arena, struct slice id, struct job_run_event_row **ret_rows,
                                 size_t *ret_count) NODISCARD;

/* Runs that are not reaped, oldest first: what the reconciler looks after. */
struct open_run {
    struct slice id, cluster;
};
struct err *store_job_run_list_open(struct store *store, struct arena *arena, struct open_run **ret_runs, size_t *ret_count) NODISCARD;
/* Runs of a virtual cluster that have no final state. */
struct err *store_job_run_list_live(struct store *store, struct arena *arena, struct slice virtual_cluster_id, struct slice **ret_ids,
                                    size_t *ret_count) NODISCARD;
