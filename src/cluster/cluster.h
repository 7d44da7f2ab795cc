/* cluster: the embedded Kubernetes clusters of this daemon. Knows no AWS. Everything past this header is asked over the
 * cluster's own API (https://127.N.0.1:PORT), with the kubeconfig that cluster_kubeconfig gives. */
#pragma once
#include "base/err.h"
#include "base/clock.h"

struct clusters;
struct cluster;

struct clusters_options {
    struct slice data_dir;        /* clusters live in DATA_DIR/clusters/NAME, pods in DATA_DIR/pods */
    const char *runner_path;      /* ember-run */
    struct slice releases_dir;    /* the installed Sparks: releases_dir/3.5.9 is a SPARK_HOME; "image" ember/spark:3.5.9 names it */
    struct slice python_path;     /* directory with boto3 bound read-only into the sandbox; absent: none */
    struct slice archives_dir;    /* class data archives: archives_dir/3.5.9/{driver,executor}.jsa; missing is fine */
};

/* Opens the data dir, starts every known cluster (API server, scheduler, kubelet) and adopts their running pods. A cluster whose address
 * is taken is not moved to another, as its pods know it by that: it is listed with its problem, and not served. */
struct err *clusters_open(const struct clusters_options *options, struct clusters **ret_clusters) NODISCARD;
/* Stops serving; pods go on running and are adopted at the next start. */
void clusters_close(struct clusters *clusters);

struct cluster_spec {
    struct slice name;
    int node_count; /* 1.. */
};
/* ERR_CONFLICT when it exists. Ready when it returns (under a second). */
struct err *cluster_create(struct clusters *clusters, const struct cluster_spec *spec) NODISCARD;
/* Kills its pods and removes everything of it. ERR_NOT_FOUND; ERR_CONFLICT with its problem. */
struct err *cluster_delete(struct clusters *clusters, struct slice name) NODISCARD;

struct cluster_view {
    struct slice name;
    struct slice server;          /* https://127.16.0.1:6443 */
    struct slice ca_pem;          /* certificate authority, PEM */
    struct slice driver_master;   /* what Spark's driver uses as spark.kubernetes.driver.master: https://kubernetes.default.svc:PORT */
    struct slice oidc_issuer;     /* issuer of service account tokens */
    struct slice version;         /* "1.34" */
    int node_count;
    struct instant created_at;
    struct slice problem;         /* one sentence: why it is not served; empty: it is. See clusters_open */
};
struct err *cluster_get(struct clusters *clusters, struct arena *arena, struct slice name, struct cluster_view *ret_view) NODISCARD; /* ERR_NOT_FOUND */
struct err *cluster_list(struct clusters *clusters, struct arena *arena, struct cluster_view **ret_views, size_t *ret_count) NODISCARD; /* by name */
/* The admin's kubeconfig (client certificate, group system:masters), YAML. ERR_NOT_FOUND; ERR_CONFLICT with its problem. */
struct err *cluster_kubeconfig(struct clusters *clusters, struct arena *arena, struct slice name, struct slice *ret_yaml) NODISCARD;
