#include "services/s3/s3.h"

/* In us-east-1 making one's own bucket again is success; elsewhere it is a conflict. Source: API reference, "Error responses",
 * BucketAlreadyOwnedByYou. */
struct err *s3_create_bucket(struct call *call, const struct s3_create_bucket_request *in, struct s3_create_bucket_response *out)
{
    TRY(s3_bucket_name_check(in->bucket));
    if (in->object_lock_enabled_for_bucket.value)
        return s3_not_implemented("x-amz-bucket-object-lock-enabled");
    if ((in->acl.len && !slice_eq(in->acl, S("private")) && !slice_eq(in->acl, S("bucket-owner-full-control"))) ||
        in->grant_full_control.len || in->grant_read.len || in->grant_write.len || in->grant_read_acp.len || in->grant_write_acp.len)
        return aws_err(ERR_INVALID, 400, "InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs set with ObjectOwnership's "
                                                                                "BucketOwnerEnforced setting");
    const struct s3_create_bucket_configuration *configuration = in->create_bucket_configuration;
    struct slice region = configuration ? configuration->location_constraint : SLICE_NONE;
    if (region.len && !slice_eq(region, call->parts->region))
        return aws_err(ERR_INVALID, 400, "IllegalLocationConstraintException",
                       "The %.*s location constraint is incompatible for the region specific endpoint this request was sent to.",
                       SLICE_ARG(region));
    if (configuration && configuration->tags.count)
        return s3_not_implemented("Tags");
    struct err *e = bucket_create(call->parts->objects, in->bucket);
    if (err_has_code(e, "BucketAlreadyOwnedByYou") && slice_eq(call->parts->region, S("us-east-1"))) {
        err_free(e);
        e = NULL;
    }
    S3_TRY(e, .bucket = in->bucket);
    out->location = slice_fmt(call->arena, "/%.*s", SLICE_ARG(in->bucket));
    return NULL;
}
