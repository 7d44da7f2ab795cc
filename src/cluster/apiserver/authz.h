/* authz: who may do what. A fixed table stands where RBAC objects will: masters everything, the accounts of Spark drivers what a
 * driver asks for in its own namespace, everybody known discovery and reviews of themselves, anonymous health and version.
 * Pure, any thread. Source: kubernetes documentation, "Using RBAC Authorization"; the driver's requests were recorded. */
#pragma once
#include "cluster/apiserver/call.h"

struct authz_request {
    struct slice verb;
    bool is_resource;
    struct slice path;                 /* of non-resource requests */
    struct slice group, resource, subresource;
    struct slice namespace_name, name; /* may be empty */
};
/* ret_reason (may be NULL): as a SelfSubjectAccessReview tells it; untouched when denied. */
bool authz_allows(const struct user *user, const struct authz_request *request, const char **ret_reason);
/* 403 in RBAC's words. */
struct err *authorize(struct api_call *call) NODISCARD;
/* The rules that hold for the user in the namespace, as a SelfSubjectRulesReview lists them. */
struct json *authz_rules(struct arena *arena, const struct user *user, struct slice namespace_name);

/* Service accounts whose name starts so are drivers of job runs. */
#define DRIVER_ACCOUNT_PREFIX "emr-containers-sa-spark-driver"
