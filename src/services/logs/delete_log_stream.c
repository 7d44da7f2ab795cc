#include "services/logs/logs.h"

struct err *logs_delete_log_stream(struct call *call, const struct logs_delete_log_stream_request *in,
                                   struct logs_delete_log_stream_response *out)
{
    return log_stream_delete(call->parts->logstore, in->log_group_name, in->log_stream_name);
}
