/* node: the kubelet of all nodes of one embedded cluster. Keeps its Node objects Ready, turns pods that are bound to them into
 * ember-run processes and their fate into pod status. One thread per cluster, driven by registry events, by the status files
 * that ember-run writes, and by a clock. Pods live in PODS_DIR/<uid>/ (cluster/kubelet/wire.h); they go on when the kubelet
 * stops and are adopted when it starts again. */
#pragma once
#include "base/clock.h"
#include "base/err.h"

struct kubelet;
struct machine;
struct registry;

/* What the kubelet asks of the API server's token issuer for a projected serviceAccountToken. */
struct token_wish {
    struct slice namespace_name;
    struct slice service_account;
    struct slice audience;         /* absent: the API server's own */
    int64_t expiration_seconds;
    struct slice pod_name, pod_uid; /* the token is bound to this pod */
    struct slice node_name;
};
/* From the kubelet's thread. ERR_NOT_FOUND when the service account does not exist. */
typedef struct err *(*token_mint_fn)(void *ctx, struct arena *arena, const struct token_wish *wish, struct slice *ret_token,
                                     struct instant *ret_expires_at);

struct kubelet_options {
    struct slice cluster_name;     /* nodes are CLUSTER-1, CLUSTER-2, … */
    int node_count;
    struct slice version;          /* kubeletVersion: "v1.34.4" */
    struct registry *registry;     /* borrowed */
    struct machine *machine;       /* borrowed */
    struct slice pods_dir;         /* DATA_DIR/pods; shared by all clusters of the daemon */
    const char *runner_path;       /* ember-run */
    struct slice releases_dir;     /* releases_dir/3.5.9 is a SPARK_HOME */
    struct slice archives_dir;     /* archives_dir/3.5.9/{driver,executor}.jsa; may be absent */
    struct slice python_path;      /* bound read-only into Spark images; absent: none */
    int network;                   /* N of the cluster's 127.N.0.0/16 */
    struct slice api_host;         /* KUBERNETES_SERVICE_HOST: 127.N.0.1 */
    int api_port;
    token_mint_fn mint_token;
    void *mint_ctx;
};

/* Makes or refreshes the Node objects, adopts running pods, starts the thread. The options are copied. */
struct err *kubelet_start(const struct kubelet_options *options, struct kubelet **ret_kubelet) NODISCARD;
/* Ends the thread; pods go on. NULL is fine. */
void kubelet_stop(struct kubelet *kubelet);
/* For a cluster that is deleted: kills all its pods, waits for their end and removes their directories. Before kubelet_stop. */
void kubelet_kill_all(struct kubelet *kubelet);
