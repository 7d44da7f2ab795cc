/* pod_event: the events that scheduler and kubelet leave at a pod, in the forms that real ones have (captures: scheduling,
 * kubernetes-api section 10). A repeated event counts up instead of becoming another object. Any thread. */
#pragma once
#include "base/json.h"
#include "cluster/apiserver/registry.h"

enum pod_event_source { POD_EVENT_SCHEDULER, POD_EVENT_KUBELET };

struct pod_event {
    enum pod_event_source source;
    const char *type;             /* "Normal" or "Warning" */
    const char *reason;
    struct slice message;
    struct slice node;            /* kubelet: its host; else absent */
    struct slice container;       /* kubelet: involvedObject.fieldPath spec.containers{NAME}; absent: the pod */
    bool init_container;
};

/* Failures are nobody's loss: an event is a remark. */
void pod_event_post(struct registry *registry, const struct object *pod, const struct pod_event *event);
/* Inside a transaction, together with what it tells of. */
struct err *pod_event_post_tx(struct registry_tx *tx, const struct object *pod, const struct pod_event *event) NODISCARD;
