/* reconciler: makes wishes true. It alone changes the state of a job run (but for the wish to cancel) and alone writes to the
 * clusters. Level-triggered: each step reads the row and what the cluster's watch last told, asks decide() what to do, does it, and
 * may run twice. M worker threads; one run is never in two. After a restart it simply runs.
 *
 * Also ends virtual clusters that are TERMINATING: cancels their runs and moves them to TERMINATED when none is left. */
#pragma once
#include "base/err.h"
#include "k8s/client.h"
#include "store/store.h"

struct reconciler;

struct reconciler_options {
    struct store *store;
    /* A client for the named cluster (containerProvider.id) and what its driver calls the API server; kept for the daemon's life.
     * ERR_NOT_FOUND when there is no such cluster. Memory of *ret_driver_master: the provider's, long-lived. */
    struct err *(*connect)(void *ctx, struct slice cluster, struct k8s_client **ret_client, struct slice *ret_driver_master);
    void *connect_ctx;
    struct slice account_id, region;
    struct slice endpoint;            /* http://127.0.0.1:4567: for pods and log shipping */
    const struct slice *installed;    /* installed Spark versions */
    size_t installed_count;
    bool strict_releases;             /* release-policy = strict */
    struct slice spool_dir;           /* logs on their way: DATA_DIR/logs/spool */
    int64_t logs_give_up_ms;          /* logship_options.give_up_ms; 0: the usual */
};

struct err *reconciler_start(const struct reconciler_options *options, struct reconciler **ret_reconciler) NODISCARD;
void reconciler_stop(struct reconciler *reconciler); /* lets running steps end; NULL is fine */
void reconciler_nudge(struct reconciler *reconciler, struct slice job_run_id); /* look at this run now */
void reconciler_nudge_virtual_cluster(struct reconciler *reconciler, struct slice virtual_cluster_id); /* it became TERMINATING */
/* For CreateVirtualCluster, with a deadline of 5 s: ERR_NOT_FOUND (no such namespace, code "Namespace"; no such cluster, code
 * "Cluster"), ERR_DENIED, ERR_UNAVAILABLE. */
struct err *reconciler_check_namespace(struct reconciler *reconciler, struct slice cluster, struct slice namespace_) NODISCARD;
