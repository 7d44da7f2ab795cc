/* DescribeSecurityConfiguration. */
#include "services/emr_containers/security_configuration.h"

struct err *emr_containers_describe_security_configuration(struct call *call, const struct emr_containers_describe_security_configuration_request *in,
                                                           struct emr_containers_describe_security_configuration_response *out)
{
    struct document row;
    TRY(security_configuration_find(call, in->id, &row));
    struct emr_containers_security_configuration *view = ARENA_NEW(call->arena, struct emr_containers_security_configuration);
    TRY(security_configuration_view(call, &row, view));
    out->security_configuration = view;
    return NULL;
}
