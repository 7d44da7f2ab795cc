#include "services/logs/logs.h"

/* The days that PutRetentionPolicy takes. Source: CloudWatch Logs API reference. */
static const int64_t days_allowed[] = {1,   3,   5,   7,   14,  30,   60,   90,   120,  150,  180,
                                       365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};

struct err *logs_put_retention_policy(struct call *call, const struct logs_put_retention_policy_request *in,
                                      struct logs_put_retention_policy_response *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(days_allowed); i++) {
        if (in->retention_in_days.value == days_allowed[i])
            return log_group_set_retention(call->parts->logstore, in->log_group_name, (int)days_allowed[i]);
    }
    return logs_invalid_parameter("1 validation error detected: Value '%lld' at 'retentionInDays' failed to satisfy constraint: Member must "
                                  "satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, "
                                  "2192, 2557, 2922, 3288, 3653]",
                                  (long long)in->retention_in_days.value);
}
