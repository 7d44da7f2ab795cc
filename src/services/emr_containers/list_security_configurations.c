/* ListSecurityConfigurations: newest first. */
#include "services/emr_containers/security_configuration.h"

struct err *emr_containers_list_security_configurations(struct call *call, const struct emr_containers_list_security_configurations_request *in,
                                                        struct emr_containers_list_security_configurations_response *out)
{
    struct document_filter filter = {
        .kind = DOCUMENT_SECURITY_CONFIGURATION,
        .created_after_set = in->created_after.set,
        .created_before_set = in->created_before.set,
        .created_after = in->created_after.value,
        .created_before = in->created_before.value,
    };
    struct document_page page;
    TRY(document_list(call, &filter, in->max_results, in->next_token, in, &page, &out->next_token));
    struct emr_containers_security_configuration *views = ARENA_ARRAY(call->arena, page.count + 1, struct emr_containers_security_configuration);
    for (size_t i = 0; i < page.count; i++)
        TRY(security_configuration_view(call, &page.rows[i], &views[i]));
    out->security_configurations = (struct emr_containers_security_configuration_list){.set = true, .count = page.count, .items = views};
    return NULL;
}
