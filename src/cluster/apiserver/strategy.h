/* strategy: what the server itself does to an object between decoding and storing: metadata it owns, defaults, validation.
 * The order of a create:  decode_object, strategy_prepare_create, (admission), strategy_default, strategy_validate_create, store.
 * The order of an update: decode_object or patch, strategy_prepare_update, strategy_default, (admission), strategy_validate_update;
 * nothing is stored when strategy_is_unchanged. Pure; objects are changed in place. */
#pragma once
#include "base/clock.h"
#include "base/json.h"
#include "cluster/apiserver/decode.h"
#include "cluster/apiserver/kinds.h"
#include "cluster/apiserver/status_error.h"

struct strategy_context {
    struct arena *arena;
    struct instant now;
    struct slice namespace_name; /* of the path; "" for cluster-scoped */
    struct slice uid;            /* fresh uid for a create */
    bool put;                    /* the whole object came from the client: a foreign uid is then 409; in a patch it is 422 */
    struct warnings *warnings;   /* may be NULL */
};

/* 400 when metadata.namespace disagrees with the path; 500 when a resourceVersion is set. Sets uid, creationTimestamp, namespace,
 * generation, drops what clients may not set (selfLink, deletionTimestamp, managedFields, status where it is the server's).
 * A name is made from generateName when there is none (5 random characters); name absent altogether is left to validation. */
struct err *strategy_prepare_create(const struct strategy_context *context, const struct kind *kind, struct json *object) NODISCARD;
/* subresource: NULL or "status", …: decides which half of the object may change. 400 when name or namespace disagree with old's, 409 for
 * uid. Keeps server-set metadata from old, defaults the rest (as strategy_default), then generation +1 when the spec changed. The
 * caller compared resourceVersions already; the object comes back without one. */
struct err *strategy_prepare_update(const struct strategy_context *context, const struct kind *kind, const char *subresource,
                                    const struct json *old, struct json *object) NODISCARD;
void strategy_default(const struct strategy_context *context, const struct kind *kind, struct json *object);
/* 422 with all causes. */
struct err *strategy_validate_create(const struct strategy_context *context, const struct kind *kind, const struct json *object) NODISCARD;
struct err *strategy_validate_update(const struct strategy_context *context, const struct kind *kind, const char *subresource,
                                     const struct json *old, const struct json *object) NODISCARD;
/* Same content but for resourceVersion: an update that writes nothing. */
bool strategy_is_unchanged(const struct json *old, const struct json *object);

/* A Service that still needs an address: type is not ExternalName and clusterIP is empty. The caller allocates one. */
bool service_needs_cluster_ip(const struct json *service);
void service_set_cluster_ip(struct arena *arena, struct json *service, struct slice ip);
/* The first port of a NodePort or LoadBalancer service that still needs a nodePort (30000 to 32767); NULL: none. */
struct json *service_port_without_node_port(const struct json *service);

/* What Kubernetes's admission adds to a new pod, between prepare and default: the account's name, its token volume and image pull
 * secrets, the two default tolerations, priority. account: the ServiceAccount that pod_service_account_name() names, NULL when
 * there is none: 403. 403 also for a priorityClassName that is none of the system's. */
struct slice pod_service_account_name(const struct json *pod);
void pod_add_default_tolerations(struct arena *arena, struct json *spec); /* also on update: strategy_prepare_update calls it */
struct err *strategy_admit_pod(const struct strategy_context *context, struct json *pod, const struct json *account) NODISCARD;

/* prefix + 5 characters of bcdfghjklmnpqrstvwxz2456789, the prefix cut at 58. */
struct slice name_generate(struct arena *arena, struct slice prefix);
/* The bodies of subresources and reviews: TokenRequest (audiences, expirationSeconds), Eviction. */
void strategy_default_token_request(struct arena *arena, struct json *request, struct slice server_audience);
struct err *strategy_validate_token_request(struct arena *arena, const struct json *request) NODISCARD;
/* Guaranteed, Burstable or BestEffort of a pod. */
struct slice pod_qos_class(const struct json *pod);
