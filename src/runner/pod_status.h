/* pod_status: status.json (cluster/kubelet/wire.h), made from the containers. */
#pragma once
#include "runner/container.h"

struct pod_state {
    const struct run_spec *spec;
    struct container *containers;
    const char *reason, *message; /* of the pod: DeadlineExceeded …; NULL: none */
    bool done, stopping, failed;  /* failed: the pod is, whatever its containers say */
};

/* "Pending", "Running", "Succeeded" or "Failed", by Kubernetes's rules. */
const char *pod_phase(const struct pod_state *state);
struct slice pod_status_text(struct arena *arena, const struct pod_state *state);
/* Replaces pod_dir/status.json (not synced: after a power failure the pod is gone anyway). */
struct err *pod_status_write(struct arena *arena, const struct pod_state *state, struct slice pod_dir) NODISCARD;
