/* CreateJobTemplate: keeps values of StartJobRun with ${Name}s in them; what they must be shows when a job run starts from it. */
#include "services/emr_containers/job_template.h"

struct err *emr_containers_create_job_template(struct call *call, const struct emr_containers_create_job_template_request *in,
                                               struct emr_containers_create_job_template_response *out)
{
    if (in->kms_key_arn.ptr)
        return emr_containers_invalid("Encryption of job templates with a KMS key is not supported: leave kmsKeyArn out.");
    TRY(job_template_check(call, in->job_template_data));
    struct document row;
    TRY(document_create(call, DOCUMENT_JOB_TEMPLATE, in->name, request_member_json(call, S("jobTemplateData"), in->job_template_data), &in->tags,
                        in->client_token, in, &row));
    *out = (struct emr_containers_create_job_template_response){
        .id = row.id, .name = row.name, .arn = job_template_arn(call, row.id), .created_at = OPT_INSTANT(row.created_at)};
    return NULL;
}
