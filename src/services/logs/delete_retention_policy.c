#include "services/logs/logs.h"

struct err *logs_delete_retention_policy(struct call *call, const struct logs_delete_retention_policy_request *in,
                                         struct logs_delete_retention_policy_response *out)
{
    return log_group_set_retention(call->parts->logstore, in->log_group_name, LOGSTORE_NO_RETENTION);
}
