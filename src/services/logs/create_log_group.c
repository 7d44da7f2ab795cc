#include "services/logs/logs.h"

struct err *logs_create_log_group(struct call *call, const struct logs_create_log_group_request *in,
                                  struct logs_create_log_group_response *out)
{
    if (in->kms_key_id.len)
        return logs_invalid_parameter("Log groups with a KMS key are not supported.");
    if (in->log_group_class.len && !slice_eq(in->log_group_class, LOGS_LOG_GROUP_CLASS_STANDARD))
        return logs_invalid_parameter("Log groups of the class %.*s are not supported.", SLICE_ARG(in->log_group_class));
    if (in->deletion_protection_enabled.value)
        return logs_invalid_parameter("Deletion protection is not supported.");
    if (in->tags.count)
        return logs_invalid_parameter("Tags of log groups are not supported.");
    return log_group_create(call->parts->logstore, in->log_group_name);
}
