/* DeleteVirtualCluster: TERMINATING before it answers (Terraform's first look must not see RUNNING); the reconciler cancels what
 * still runs and then makes it TERMINATED. ResourceNotFoundException is not declared here, and Terraform takes a
 * ValidationException that says "not found" or "already terminated" as success. */
#include "jobs/reconciler.h"
#include "services/emr_containers/resource.h"

struct err *emr_containers_delete_virtual_cluster(struct call *call, const struct emr_containers_delete_virtual_cluster_request *in,
                                                  struct emr_containers_delete_virtual_cluster_response *out)
{
    struct virtual_cluster row;
    struct err *e = store_virtual_cluster_get(call->parts->store, call->arena, in->id, &row);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return emr_containers_invalid("Virtual cluster %.*s not found.", SLICE_ARG(in->id));
    }
    if (e)
        return e;
    if (slice_eq(row.state, EMR_CONTAINERS_VIRTUAL_CLUSTER_STATE_TERMINATED))
        return emr_containers_invalid("Virtual cluster %.*s is already terminated.", SLICE_ARG(in->id));
    bool changed;
    if (!slice_eq(row.state, EMR_CONTAINERS_VIRTUAL_CLUSTER_STATE_TERMINATING))
        TRY(store_virtual_cluster_move(call->parts->store, in->id, row.state, EMR_CONTAINERS_VIRTUAL_CLUSTER_STATE_TERMINATING, &changed));
    reconciler_nudge_virtual_cluster(call->parts->reconciler, in->id);
    out->id = in->id;
    return NULL;
}
