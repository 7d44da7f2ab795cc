/* DescribeJobTemplate. */
#include "services/emr_containers/job_template.h"

struct err *emr_containers_describe_job_template(struct call *call, const struct emr_containers_describe_job_template_request *in,
                                                 struct emr_containers_describe_job_template_response *out)
{
    struct document row;
    TRY(job_template_find(call, in->id, &row));
    struct emr_containers_job_template *view = ARENA_NEW(call->arena, struct emr_containers_job_template);
    TRY(job_template_view(call, &row, view));
    out->job_template = view;
    return NULL;
}
