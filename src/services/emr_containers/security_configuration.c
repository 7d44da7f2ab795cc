#include "services/emr_containers/security_configuration.h"

struct err *security_configuration_missing(struct slice id)
{
    return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "Security configuration %.*s doesn't exist.", SLICE_ARG(id));
}

struct err *security_configuration_find(struct call *call, struct slice id, struct document *ret_row)
{
    struct err *e = store_document_get(call->parts->store, call->arena, DOCUMENT_SECURITY_CONFIGURATION, id, ret_row);
    if (!e || e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    return security_configuration_missing(id);
}

static struct err *read_data(struct call *call, const struct document *row, const struct emr_containers_security_configuration_data **ret_data)
{
    const void *data;
    TRY(stored_member_decode(call, S("CreateSecurityConfiguration"), S("securityConfigurationData"), row->body, &data));
    *ret_data = data;
    return NULL;
}

struct err *security_configuration_view(struct call *call, const struct document *row, struct emr_containers_security_configuration *ret_view)
{
    struct slice arn = security_configuration_arn(call, row->id);
    struct slice_map tags;
    const struct emr_containers_security_configuration_data *data;
    TRY(tags_of(call, arn, &tags));
    TRY(read_data(call, row, &data));
    *ret_view = (struct emr_containers_security_configuration){
        .id = row->id,
        .name = row->name,
        .arn = arn,
        .created_at = OPT_INSTANT(row->created_at),
        .created_by = row->created_by,
        .security_configuration_data = data,
        .tags = tags,
    };
    return NULL;
}

struct err *security_configuration_check_enforced(struct call *call, struct slice id)
{
    struct document row;
    const struct emr_containers_security_configuration_data *data;
    TRY(security_configuration_find(call, id, &row));
    TRY(read_data(call, &row, &data));
    const char *asked = data->authorization_configuration    ? "authorizationConfiguration"
                        : data->authentication_configuration ? "authenticationConfiguration"
                                                             : NULL;
    if (asked)
        return emr_containers_invalid("Security configuration %.*s has %s, which is not enforced here: no virtual cluster can be made with it.",
                                      SLICE_ARG(id), asked);
    return NULL;
}
