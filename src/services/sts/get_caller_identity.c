#include "services/call.h"

#include "aws/gen/sts.h"

/* Works for any valid signature, whatever policies say. */
struct err *sts_get_caller_identity(struct call *call, const struct sts_get_caller_identity_request *in,
                                    struct sts_get_caller_identity_response *out)
{
    *out = (struct sts_get_caller_identity_response){
        .user_id = call->principal.user_id, .account = call->parts->account_id, .arn = call->principal.arn};
    return NULL;
}
