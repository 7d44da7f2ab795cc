/* kube_status: a Pod's .status as the kubelet writes it, from what ember-run said (status.json) or from what keeps the pod from
 * starting. Pure. Source: capture watch-pods-phase, table-pod-status; kubernetes-api section 10. */
#pragma once
#include "base/clock.h"
#include "base/json.h"

struct kube_status_input {
    const struct json *pod;     /* the stored Pod: its spec, and the status that is to be replaced */
    const struct json *run;     /* status.json; NULL: nothing runs yet */
    struct slice pod_ip, host_ip;
    /* Without run: why the containers wait. */
    const char *waiting_reason; /* NULL: ContainerCreating (PodInitializing with init containers) */
    struct slice waiting_message;
    struct slice waiting_container; /* the reason is this one's; absent: all */
    bool lost;                  /* the supervisor is gone without a last word: the pod has failed */
};

/* The whole new status. Conditions that are the scheduler's, and times of what has not changed, are kept. */
struct json *kube_status_make(struct arena *arena, const struct kube_status_input *input);
