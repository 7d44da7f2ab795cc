#include "services/s3/s3.h"

struct err *s3_upload_part(struct call *call, const struct s3_upload_part_request *in, struct s3_upload_part_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    if (in->part_number.value < 1 || in->part_number.value > OBJECTS_MAX_PART_NUMBER)
        return s3_invalid_argument("partNumber", slice_fmt(call->arena, "%lld", (long long)in->part_number.value),
                                   "Part number must be an integer between 1 and 10000, inclusive");
    if (in->sse_customer_algorithm.len)
        return s3_not_implemented("x-amz-server-side-encryption-customer-algorithm");
    struct s3_checksum checksum;
    TRY(s3_checksum_of_request(call, S3_CHECKSUM_VALUES(in), &checksum));
    struct upload_view upload; /* early: before the bytes of a part that has nowhere to go */
    S3_TRY(upload_head(call->parts->objects, call->arena, in->bucket, in->key, in->upload_id, &upload), S3_UPLOAD(in));

    _cleanup_(object_writer_freep) struct object_writer *writer = NULL;
    struct object_part_view part;
    S3_TRY(object_writer_begin(call->parts->objects, in->bucket, in->key, checksum.kind, &writer), S3_UPLOAD(in));
    TRY(s3_body_receive(call, writer, in->content_md5, &checksum));
    struct slice computed = slice_dup(call->arena, object_writer_finish(writer)->checksum);
    S3_TRY(upload_part_commit(writer, in->upload_id, (int)in->part_number.value, call->arena, &part), S3_UPLOAD(in));
    out->e_tag = s3_etag(call->arena, part.etag);
    out->server_side_encryption = S("AES256");
    S3_CHECKSUM_SET(out, checksum.kind, computed);
    return NULL;
}
