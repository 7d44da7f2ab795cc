/* fit: whether a pod may run on a node, and the scheduler's words when it fits on none. Pure. The words are those of
 * kube-scheduler 1.34 (capture scheduling; NodeResourcesFit, NodeAffinity, TaintToleration, NodeUnschedulable). */
#pragma once
#include "base/json.h"
#include "cluster/scheduler/machine.h"

enum fit_reason {
    FIT_OK,
    FIT_INSUFFICIENT_CPU,
    FIT_INSUFFICIENT_MEMORY,
    FIT_INSUFFICIENT_BOTH,
    FIT_TOO_MANY_PODS,
    FIT_SELECTOR,
    FIT_TAINT,
    FIT_UNSCHEDULABLE,
    FIT_NAME, /* spec.nodeName-like demands that no node meets: the host name label in a selector is FIT_SELECTOR */
};

/* What a pod asks for: the sum of its containers, or the largest init container where that is more; and its overhead. */
struct machine_amount pod_request(const struct json *pod);

struct fit_node {
    const struct json *node; /* the Node object */
    size_t pod_count;        /* bound to it and not ended */
};

/* room: free on the machine. */
enum fit_reason fit_check(const struct json *pod, struct machine_amount request, const struct fit_node *node, struct machine_amount room);

/* The part of fit_check that is numbers: FIT_OK, FIT_TOO_MANY_PODS or one of FIT_INSUFFICIENT_…. */
enum fit_reason fit_numbers(struct machine_amount request, const struct fit_node *node, struct machine_amount room);

/* "0/2 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s). no new claims to deallocate, preemption: …" */
struct slice fit_message(struct arena *arena, const enum fit_reason *reasons, size_t node_count, struct machine_amount request,
                         struct machine_amount allocatable);
