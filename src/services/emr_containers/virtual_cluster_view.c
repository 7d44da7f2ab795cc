/* virtual_cluster_view: see the header. */
#include "services/emr_containers/virtual_cluster_view.h"

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
    };
    return NULL;
}
