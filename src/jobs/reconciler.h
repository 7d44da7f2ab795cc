/* reconciler: makes wishes true. It alone changes the state of a job run (but for the wish to cancel) and alone writes to the
 * clusters. Level-triggered: each step reads the row and what the cluster's watch last told, asks decide() what to do, does it, and
 * may run twice. M worker threads; one run is never in two. After a restart it simply runs.
 *
 * Also ends virtual clusters that are TERMINATING: cancels their runs and moves them to TERMINATED when none is left.
 *
 * Everything it depends on can be given from outside: the clock by options, the workers' steps one by one (RECONCILER_STEPPED), the rest
 * (store_*, k8s_*, logship_*) by linking other definitions, as reconciler_test does with k8s_*. */
#pragma once
#include "base/clock.h"
#include "base/err.h"
#include "base/histogram.h"
#include "k8s/client.h"
#include "store/store.h"

struct reconciler;

/* How to reach a cluster. Memory: the provider's, until reconciler_stop has returned. */
struct reconciler_cluster {
    struct k8s_client *client;
    struct slice driver_master; /* what its driver calls the API server */
    bool one_machine;           /* all nodes, and those of every other such cluster, are one machine: drivers keep room for executors */
};

struct reconciler_clock {
    struct instant (*now)(void *ctx);
    int64_t (*monotonic_ms)(void *ctx);
    void *ctx;
};

#define RECONCILER_STEPPED (-1)

struct reconciler_options {
    struct store *store;
    /* A client for the named cluster (containerProvider.id); asked again while the cluster is in trouble: another client means that
     * another cluster has the name now. ERR_NOT_FOUND when there is no such cluster. */
    struct err *(*connect)(void *ctx, struct slice cluster, struct reconciler_cluster *ret_cluster);
    void *connect_ctx;
    struct slice account_id, region;
    struct slice endpoint;            /* http://127.0.0.1:4567: for pods and log shipping */
    const struct slice *installed;    /* installed Spark versions */
    size_t installed_count;
    bool strict_releases;             /* release-policy = strict */
    struct slice spool_dir;           /* logs on their way: DATA_DIR/logs/spool */
    int64_t logs_give_up_ms;          /* logship_options.give_up_ms; 0: the usual */
    const struct reconciler_clock *clock; /* NULL: the real one; else it must outlive the reconciler */
    int workers;                      /* 0: the usual number; RECONCILER_STEPPED: none, see reconciler_step */
};

struct err *reconciler_start(const struct reconciler_options *options, struct reconciler **ret_reconciler) NODISCARD;
void reconciler_stop(struct reconciler *reconciler); /* ends calls that run, lets steps end; NULL is fine */
void reconciler_nudge(struct reconciler *reconciler, struct slice job_run_id); /* look at this run now */
void reconciler_nudge_virtual_cluster(struct reconciler *reconciler, struct slice virtual_cluster_id); /* it became TERMINATING */
/* Limits have changed: whoever is first in a queue may leave it. */
void reconciler_nudge_queues(struct reconciler *reconciler);
/* For CreateVirtualCluster, with a deadline of 5 s: ERR_NOT_FOUND (no such namespace, code "Namespace"; no such cluster, code
 * "Cluster"), ERR_DENIED, ERR_UNAVAILABLE. */
struct err *reconciler_check_namespace(struct reconciler *reconciler, struct slice cluster, struct slice namespace_) NODISCARD;

/* For metrics. Any thread. */
struct reconciler_stats {
    struct histogram *steps; /* how long each took; lives as long as the reconciler */
    uint64_t step_failures;
    size_t waiting, due; /* keys in the queue; those of them whose time has come */
};
void reconciler_get_stats(struct reconciler *reconciler, struct reconciler_stats *ret_stats);

/* With RECONCILER_STEPPED: one step of the key that is due first, in this thread; false when none is due now. */
bool reconciler_step(struct reconciler *reconciler);
/* When the next key is due (by the clock's monotonic_ms); false: no key waits. */
bool reconciler_next_due(struct reconciler *reconciler, int64_t *ret_due_ms);
