/* hosts: the /etc/hosts of a pod, which is all the name service there is: NAME, NAME.NS, NAME.NS.svc and
 * NAME.NS.svc.cluster.local for every service. Pure. */
#pragma once
#include "base/json.h"

struct hosts_pod {
    struct slice namespace_name, ip;
    const struct json *labels;
};

struct hosts_view {
    struct json *const *services;    /* Service objects, all namespaces */
    size_t service_count;
    const struct hosts_pod *pods;    /* that have an address and have not ended */
    size_t pod_count;
    struct slice api_host;           /* what default/kubernetes is */
};

/* The part that all pods of a namespace share. */
struct slice hosts_of_namespace(struct arena *arena, const struct hosts_view *view, struct slice namespace_name);
/* shared: from hosts_of_namespace; aliases: spec.hostAliases, may be NULL. */
struct slice hosts_of_pod(struct arena *arena, struct slice shared, struct slice ip, struct slice hostname, const struct json *aliases);
