#include "services/logs/logs.h"

struct err *logs_create_log_stream(struct call *call, const struct logs_create_log_stream_request *in,
                                   struct logs_create_log_stream_response *out)
{
    return log_stream_create(call->parts->logstore, in->log_group_name, in->log_stream_name);
}
