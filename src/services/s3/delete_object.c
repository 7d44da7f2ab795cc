#include "services/s3/s3.h"

/* A missing key is deleted as well: 204. Source: API reference, DeleteObject. */
struct err *s3_delete_object(struct call *call, const struct s3_delete_object_request *in, struct s3_delete_object_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    if (in->version_id.len && !slice_eq(in->version_id, S("null")))
        return s3_invalid_argument("versionId", in->version_id, "Invalid version id specified");
    struct object_conditions conditions = {
        .if_match = in->if_match,
        .has_if_size = in->if_match_size.set,
        .if_size_bytes = in->if_match_size.value,
        .has_if_modified_at = in->if_match_last_modified_time.set,
        .if_modified_at = in->if_match_last_modified_time.value,
    };
    struct err *e = object_delete(call->parts->objects, in->bucket, in->key, &conditions);
    if (err_has_code(e, "PreconditionFailed"))
        e = aws_err_member(e, "Condition", S("If-Match"));
    return s3_explain(e, (struct s3_subject){S3_OBJECT(in)});
}
