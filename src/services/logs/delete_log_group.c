#include "services/logs/logs.h"

struct err *logs_delete_log_group(struct call *call, const struct logs_delete_log_group_request *in,
                                  struct logs_delete_log_group_response *out)
{
    return log_group_delete(call->parts->logstore, in->log_group_name);
}
