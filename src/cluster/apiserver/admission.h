/* admission: what the server adds to and checks on new objects beyond their own rules: the namespace must be there and alive, a
 * pod gets its service account and the token volume and what limit ranges say, a Service its address. Quotas: see quota.h. Pure but for
 * reads of the registry.
 * Source: kubernetes documentation, "Admission Control"; captures admission-serviceaccount, error-namespace-terminating. */
#pragma once
#include "cluster/apiserver/call.h"

/* Changes object in place, between strategy_prepare_create and strategy_default. 403. Any thread. */
struct strategy_context;
struct err *admit_create(struct apiserver *server, const struct strategy_context *context, const struct kind *kind, struct json *object) NODISCARD;
/* After validation: what limit ranges forbid. 403. */
struct err *admit_limits(struct apiserver *server, struct arena *arena, const struct kind *kind, const struct json *object) NODISCARD;
/* Under the write: 404 without the namespace, 403 when it is being deleted. */
struct err *admit_namespace(struct registry_tx *tx, const struct kind *kind, struct slice namespace_name, struct slice name) NODISCARD;
/* The same from what reads see: before the other plugins have a say. */
struct err *admit_namespace_seen(struct apiserver *server, const struct kind *kind, struct slice namespace_name, struct slice name) NODISCARD;
/* After defaults: the clusterIP of a Service that needs one, from 127.N.240.0/20. */
struct err *admit_service_address(struct apiserver *server, struct arena *arena, const struct kind *kind, struct json *object) NODISCARD;
