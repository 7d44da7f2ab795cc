/* ListJobRuns: newest first. */
#include "services/emr_containers/job_run_view.h"

struct err *emr_containers_list_job_runs(struct call *call, const struct emr_containers_list_job_runs_request *in,
                                         struct emr_containers_list_job_runs_response *out)
{
    struct virtual_cluster cluster;
    struct err *e = store_virtual_cluster_get(call->parts->store, call->arena, in->virtual_cluster_id, &cluster);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        /* ResourceNotFoundException is not declared for this operation. */
        return emr_containers_invalid("Virtual cluster %.*s doesn't exist.", SLICE_ARG(in->virtual_cluster_id));
    }
    if (e)
        return e;
    struct job_run_filter filter = {
        .virtual_cluster_id = in->virtual_cluster_id,
        .states = in->states.items,
        .state_count = in->states.count,
        .name = in->name,
        .created_after_set = in->created_after.set,
        .created_before_set = in->created_before.set,
        .created_after = in->created_after.value,
        .created_before = in->created_before.value,
        .before_id = SLICE_NONE,
    };
    TRY(page_size(in->max_results, &filter.limit));
    if (in->next_token.ptr)
        TRY(page_token_read(call, in, in->next_token, &filter.before_id));
    struct job_run_page page;
    TRY(store_job_run_list(call->parts->store, call->arena, &filter, &page));
    struct emr_containers_job_run *views = ARENA_ARRAY(call->arena, page.count + 1, struct emr_containers_job_run);
    TRY(job_run_view(call, page.rows, page.count, JOB_RUN_SUMMARY, views));
    out->job_runs = (struct emr_containers_job_run_list){.set = true, .count = page.count, .items = views};
    if (page.more && page.count)
        out->next_token = page_token_make(call, in, page.rows[page.count - 1].id);
    return NULL;
}
