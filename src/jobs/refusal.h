/* refusal: what it means for a run that its cluster refused one of its objects: failureReason and words. Pure, any thread. */
#pragma once
#include "base/err.h"
#include "base/slice.h"

/* Takes e, an error of k8s/client.h, and gives one whose code is a failureReason and whose message is stateDetails: AWS's sentence where there
 * is one for it (EMR on EKS guide, "Job run errors"), then Kubernetes's own words from where they begin to say something. NULL and
 * ERR_UNAVAILABLE, which may be tried again, are given back as they are. */
struct err *refusal_of_cluster(struct err *e, struct slice cluster, struct slice namespace_) NODISCARD;
