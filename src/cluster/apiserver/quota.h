/* quota: resource quotas. status.used of a quota is kept in the transaction of the very change that it counts, so that admission,
 * which is a part of the same transaction, is exact, and readers never see the one without the other. (Kubernetes counts a moment
 * later, and answers "status unknown for quota" meanwhile.) In the registry's writer thread; reads and writes only the transaction.
 * Counted: pods with what they request and are limited to, by scopes; services, claims and their storage; count/RESOURCE[.GROUP] of every
 * kind that is stored, but for events. Not counted, and left out of status.used: kinds that are not served, storage by class.
 * Source: apiserver/pkg/admission/plugin/resourcequota/controller.go, pkg/quota/v1/evaluator/core of 1.34; capture admission-quota. */
#pragma once
#include "cluster/apiserver/kinds.h"
#include "cluster/apiserver/registry.h"

/* Before object is created. 403 `pods "x" is forbidden: exceeded quota: …` or `… failed quota: q: must specify …`. */
struct err *quota_admit(struct registry_tx *tx, const struct kind *kind, const struct json *object) NODISCARD;
/* registry_options.settle: counts anew where a change may have changed a quota's use. */
struct err *quota_settle(struct registry_tx *tx) NODISCARD;
