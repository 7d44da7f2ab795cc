/* virtual_cluster_view: see the header. */
#include "services/emr_containers/virtual_cluster_view.h"
#include "store/job_queue.h"

static struct opt_i64 limit_of(int64_t limit)
{
    return (struct opt_i64){.set = limit != 0, .value = limit};
}

/* The configuration is left out when there is none, as the model's documentation says; the status always is there. */
static struct err *view_scheduler(struct call *call, const struct virtual_cluster *row, struct emr_containers_virtual_cluster *view)
{
    struct queue_counts counts;
    TRY(store_job_queue_counts(call->parts->store, row->id, &counts));
    struct emr_containers_scheduler_status *status = ARENA_NEW(call->arena, struct emr_containers_scheduler_status);
    status->current_in_queue_job_runs = OPT_I64(counts.in_queue);
    status->current_concurrent_job_runs = OPT_I64(counts.running);
    view->scheduler_status = status;
    if (!row->max_concurrent_job_runs && !row->max_in_queue_job_runs)
        return NULL;
    struct emr_containers_scheduler_configuration *limits = ARENA_NEW(call->arena, struct emr_containers_scheduler_configuration);
    limits->max_concurrent_job_runs = limit_of(row->max_concurrent_job_runs);
    limits->max_in_queue_job_runs = limit_of(row->max_in_queue_job_runs);
    view->scheduler_configuration = limits;
    return NULL;
}

struct err *virtual_cluster_view(struct call *call, const struct virtual_cluster *row, struct emr_containers_virtual_cluster *ret_view)
{
    struct slice arn = virtual_cluster_arn(call, row->id);
    struct slice_map tags;
    TRY(tags_of(call, arn, &tags));
    struct emr_containers_eks_info *eks = ARENA_NEW(call->arena, struct emr_containers_eks_info);
    eks->namespace = row->namespace_;
    struct emr_containers_container_info *info = ARENA_NEW(call->arena, struct emr_containers_container_info);
    info->eks_info = eks;
    struct emr_containers_container_provider *provider = ARENA_NEW(call->arena, struct emr_containers_container_provider);
    *provider = (struct emr_containers_container_provider){
        .type = EMR_CONTAINERS_CONTAINER_PROVIDER_TYPE_EKS,
        .id = row->cluster,
        .info = info,
    };
    *ret_view = (struct emr_containers_virtual_cluster){
        .id = row->id,
        .name = row->name,
        .arn = arn,
        .state = row->state,
        .container_provider = provider,
        .created_at = OPT_INSTANT(row->created_at),
        .tags = tags,
        .security_configuration_id = row->security_configuration_id,
    };
    return view_scheduler(call, row, ret_view);
}
