/* UpdateVirtualCluster: the limits of the queue, which count from now on. What is given replaces both; an empty schedulerConfiguration
 * clears them, without one nothing changes. Source: the model's documentation, EMR on EKS guide "Virtual clusters". */
#include "jobs/reconciler.h"
#include "services/emr_containers/virtual_cluster_view.h"

static struct err *translate(const struct emr_containers_update_virtual_cluster_request *in, struct err *e)
{
    struct err *told = NULL;
    if (e->kind == ERR_NOT_FOUND)
        told = virtual_cluster_missing(in->id);
    else if (err_has_code(e, "VirtualClusterState"))
        told = emr_containers_invalid("Virtual cluster state %.*s is not valid to update.", SLICE_ARG(err_message(e)));
    else if (err_has_code(e, "ClientToken"))
        told = client_token_taken(in->client_token);
    if (!told)
        return e;
    err_free(e);
    return told;
}

struct err *emr_containers_update_virtual_cluster(struct call *call, const struct emr_containers_update_virtual_cluster_request *in,
                                                  struct emr_containers_update_virtual_cluster_response *out)
{
    const struct emr_containers_scheduler_configuration *scheduler = in->scheduler_configuration;
    struct virtual_cluster_limits limits = {.keep = !scheduler};
    if (scheduler) {
        limits.max_concurrent_job_runs = scheduler->max_concurrent_job_runs.value;
        limits.max_in_queue_job_runs = scheduler->max_in_queue_job_runs.value;
    }
    struct err *e = store_virtual_cluster_update(call->parts->store, call->arena, in->id, &limits, in->client_token, request_digest(call, in),
                                                 call->now);
    if (e)
        return translate(in, e);
    reconciler_nudge_queues(call->parts->reconciler);
    struct virtual_cluster row;
    TRY(store_virtual_cluster_get(call->parts->store, call->arena, in->id, &row));
    struct emr_containers_virtual_cluster *view = ARENA_NEW(call->arena, struct emr_containers_virtual_cluster);
    TRY(virtual_cluster_view(call, &row, view));
    out->virtual_cluster = view;
    return NULL;
}
