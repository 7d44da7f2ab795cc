/* amounts: what Kubernetes calls a ResourceList: quantities by name ("cpu", "requests.memory", "pods"), sorted by name. What a pod
 * asks for as a whole, for quotas and limit ranges. Pure.
 * Source: component-helpers' resource.PodRequests and PodLimits of 1.34, apiserver/pkg/quota/v1/resources.go. */
#pragma once
#include "cluster/apiserver/quantity.h"

struct amount {
    struct slice name;
    struct quantity value;
};
struct amounts {
    struct arena *arena;
    struct amount *items;
    size_t count, cap;
};

/* NULL when it is not among them. */
const struct quantity *amounts_get(const struct amounts *amounts, struct slice name);
/* The sum with what was there. name is borrowed. */
void amounts_add(struct amounts *amounts, struct slice name, struct quantity value);
/* The larger of it and what was there. */
void amounts_raise(struct amounts *amounts, struct slice name, struct quantity value);
/* Adds each of a JSON object of quantities; NULL and what is none are passed over. */
void amounts_add_json(struct amounts *amounts, const struct json *list);

/* member: "requests" or "limits". The sum of the containers, or what the init containers need if that is more, and the overhead. */
void pod_amounts(const struct json *pod, const char *member, struct amounts *ret_amounts);
