#include "services/s3/s3.h"

struct err *s3_delete_bucket(struct call *call, const struct s3_delete_bucket_request *in, struct s3_delete_bucket_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    return s3_explain(bucket_delete(call->parts->objects, in->bucket), (struct s3_subject){.bucket = in->bucket});
}
