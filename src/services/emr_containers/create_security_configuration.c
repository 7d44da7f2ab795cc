/* CreateSecurityConfiguration. */
#include "services/emr_containers/security_configuration.h"

struct err *emr_containers_create_security_configuration(struct call *call, const struct emr_containers_create_security_configuration_request *in,
                                                         struct emr_containers_create_security_configuration_response *out)
{
    struct document row;
    TRY(document_create(call, DOCUMENT_SECURITY_CONFIGURATION, in->name,
                        request_member_json(call, S("securityConfigurationData"), in->security_configuration_data), &in->tags, in->client_token, in,
                        &row));
    *out = (struct emr_containers_create_security_configuration_response){
        .id = row.id, .name = row.name, .arn = security_configuration_arn(call, row.id)};
    return NULL;
}
