/* ListVirtualClusters: newest first; TERMINATED ones stay in it. */
#include "services/emr_containers/virtual_cluster_view.h"

struct err *emr_containers_list_virtual_clusters(struct call *call, const struct emr_containers_list_virtual_clusters_request *in,
                                                 struct emr_containers_list_virtual_clusters_response *out)
{
    struct virtual_cluster_filter filter = {
        .cluster = in->container_provider_id,
        .states = in->states.items,
        .state_count = in->states.count,
        .created_after_set = in->created_after.set,
        .created_before_set = in->created_before.set,
        .created_after = in->created_after.value,
        .created_before = in->created_before.value,
    };
    TRY(page_size(in->max_results, &filter.limit));
    if (in->next_token.ptr)
        TRY(page_token_read_i64(call, in, in->next_token, &filter.before_sequence));
    struct virtual_cluster_page page = {0};
    /* No cluster here is joined by access entries, so that filter leaves nothing when it is asked for. */
    if (!in->eks_access_entry_integrated.set || !in->eks_access_entry_integrated.value)
        TRY(store_virtual_cluster_list(call->parts->store, call->arena, &filter, &page));
    struct emr_containers_virtual_cluster *views = ARENA_ARRAY(call->arena, page.count + 1, struct emr_containers_virtual_cluster);
    for (size_t i = 0; i < page.count; i++)
        TRY(virtual_cluster_view(call, &page.rows[i], &views[i]));
    out->virtual_clusters = (struct emr_containers_virtual_cluster_list){.set = true, .count = page.count, .items = views};
    if (page.next_sequence)
        out->next_token = page_token_make_i64(call, in, page.next_sequence);
    return NULL;
}
