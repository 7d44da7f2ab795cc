/* DescribeVirtualCluster. */
#include "services/emr_containers/virtual_cluster_view.h"

struct err *emr_containers_describe_virtual_cluster(struct call *call, const struct emr_containers_describe_virtual_cluster_request *in,
                                                    struct emr_containers_describe_virtual_cluster_response *out)
{
    struct virtual_cluster row;
    struct err *e = store_virtual_cluster_get(call->parts->store, call->arena, in->id, &row);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return virtual_cluster_missing(in->id);
    }
    if (e)
        return e;
    struct emr_containers_virtual_cluster *view = ARENA_NEW(call->arena, struct emr_containers_virtual_cluster);
    TRY(virtual_cluster_view(call, &row, view));
    out->virtual_cluster = view;
    return NULL;
}
