/* namespaces: the life of namespaces: what a new one contains, and what its deletion takes along.
 * Source: kubernetes documentation, "Namespaces"; captures meta-namespace-delete, error-namespace-terminating. */
#pragma once
#include "cluster/apiserver/registry.h"

/* Under the write that creates it: the default service account and the cluster's certificate authority. */
struct err *namespace_fill(struct registry_tx *tx, struct slice ca_pem, struct slice name) NODISCARD;
/* Makes default, kube-system, kube-public, kube-node-lease and the Service default/kubernetes where they are missing or point
 * elsewhere. */
struct err *namespaces_bootstrap(struct registry *registry, struct slice ca_pem, struct slice address, int port) NODISCARD;
/* One step for a namespace that is being deleted: deletes what is in it; when nothing is left, itself. Called again whenever
 * something in it has gone. */
struct err *namespace_reap(struct registry *registry, struct slice name) NODISCARD;
