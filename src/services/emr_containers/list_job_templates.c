/* ListJobTemplates: newest first. */
#include "services/emr_containers/job_template.h"

struct err *emr_containers_list_job_templates(struct call *call, const struct emr_containers_list_job_templates_request *in,
                                              struct emr_containers_list_job_templates_response *out)
{
    struct document_filter filter = {
        .kind = DOCUMENT_JOB_TEMPLATE,
        .created_after_set = in->created_after.set,
        .created_before_set = in->created_before.set,
        .created_after = in->created_after.value,
        .created_before = in->created_before.value,
    };
    struct document_page page;
    TRY(document_list(call, &filter, in->max_results, in->next_token, in, &page, &out->next_token));
    struct emr_containers_job_template *views = ARENA_ARRAY(call->arena, page.count + 1, struct emr_containers_job_template);
    for (size_t i = 0; i < page.count; i++)
        TRY(job_template_view(call, &page.rows[i], &views[i]));
    out->templates = (struct emr_containers_job_template_list){.set = true, .count = page.count, .items = views};
    return NULL;
}
