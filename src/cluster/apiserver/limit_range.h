/* limit_range: what limit ranges give to the containers of a new pod, and what they forbid of a pod or a claim. Pure.
 * Source: kubernetes/plugin/pkg/admission/limitranger/admission.go of 1.34. */
#pragma once
#include "base/err.h"
#include "cluster/apiserver/kinds.h"

/* ranges: LimitRange objects of the pod's namespace, by name. Default requests and limits for containers that have none, told in the
 * annotation kubernetes.io/limit-ranger. Before strategy_default: what a container has as its limit it will request. */
void limit_range_apply(struct arena *arena, const struct json *ranges, struct json *pod);
/* 403 `pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi`; several: `[…, …]`. object: a pod or a claim. */
struct err *limit_range_check(struct arena *arena, const struct json *ranges, const struct kind *kind, const struct json *object) NODISCARD;
