#include "services/s3/s3.h"

struct err *s3_head_bucket(struct call *call, const struct s3_head_bucket_request *in, struct s3_head_bucket_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    struct bucket_view view;
    S3_TRY(bucket_head(call->parts->objects, call->arena, in->bucket, &view), .bucket = in->bucket);
    out->bucket_region = call->parts->region;
    out->access_point_alias = OPT_BOOL(false);
    return NULL;
}
