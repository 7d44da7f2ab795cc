/* DescribeJobRun. */
#include "services/emr_containers/job_run_view.h"

struct err *emr_containers_describe_job_run(struct call *call, const struct emr_containers_describe_job_run_request *in,
                                            struct emr_containers_describe_job_run_response *out)
{
    struct job_run row;
    TRY(job_run_find(call, in->virtual_cluster_id, in->id, &row));
    struct emr_containers_job_run *view = ARENA_NEW(call->arena, struct emr_containers_job_run);
    TRY(job_run_view(call, &row, 1, JOB_RUN_WHOLE, view));
    out->job_run = view;
    return NULL;
}
