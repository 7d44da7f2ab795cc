#include "services/s3/s3.h"

/* us-east-1 has no location constraint: the element is empty. */
struct err *s3_get_bucket_location(struct call *call, const struct s3_get_bucket_location_request *in,
                                   struct s3_get_bucket_location_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    struct bucket_view view;
    S3_TRY(bucket_head(call->parts->objects, call->arena, in->bucket, &view), .bucket = in->bucket);
    if (!slice_eq(call->parts->region, S("us-east-1")))
        out->location_constraint = call->parts->region;
    return NULL;
}
