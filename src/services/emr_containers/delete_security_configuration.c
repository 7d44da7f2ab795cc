/* DeleteSecurityConfiguration. */
#include "services/emr_containers/security_configuration.h"

struct err *emr_containers_delete_security_configuration(struct call *call, const struct emr_containers_delete_security_configuration_request *in,
                                                         struct emr_containers_delete_security_configuration_response *out)
{
    struct document row;
    TRY(security_configuration_find(call, in->id, &row));
    struct err *e =
        store_document_delete(call->parts->store, DOCUMENT_SECURITY_CONFIGURATION, in->id, security_configuration_arn(call, in->id));
    if (e && e->kind == ERR_CONFLICT) {
        err_free(e);
        return emr_containers_invalid("Security configuration %.*s is in use by a virtual cluster.", SLICE_ARG(in->id));
    }
    if (e && e->kind != ERR_NOT_FOUND) /* somebody else was faster */
        return e;
    err_free(e);
    out->id = in->id;
    return NULL;
}
