/* DeleteJobTemplate: runs that started from it go on. ResourceNotFoundException is not declared here, but Terraform takes it as success and the
 * others' validation text is unknown. */
#include "services/emr_containers/job_template.h"

struct err *emr_containers_delete_job_template(struct call *call, const struct emr_containers_delete_job_template_request *in,
                                               struct emr_containers_delete_job_template_response *out)
{
    struct document row;
    TRY(job_template_find(call, in->id, &row));
    struct err *e = store_document_delete(call->parts->store, DOCUMENT_JOB_TEMPLATE, in->id, job_template_arn(call, in->id));
    if (e && e->kind != ERR_NOT_FOUND) /* somebody else was faster */
        return e;
    err_free(e);
    out->id = in->id;
    return NULL;
}
