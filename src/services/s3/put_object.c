#include "services/s3/s3.h"

struct err *s3_put_object(struct call *call, const struct s3_put_object_request *in, struct s3_put_object_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    TRY(s3_key_check(call->arena, in->key));
    if (in->write_offset_bytes.set)
        return s3_not_implemented("x-amz-write-offset-bytes");
    struct object_attributes attributes;
    struct object_conditions conditions;
    struct s3_checksum checksum;
    TRY(s3_attributes(call, S3_OBJECT_HEADERS(in), &attributes));
    TRY(s3_write_conditions(in->if_match, in->if_none_match, &conditions));
    TRY(s3_checksum_of_request(call, S3_CHECKSUM_VALUES(in), &checksum));

    /* Without a checksum of the client's, S3 computes and keeps CRC64NVME. */
    enum checksum_kind kind = checksum.kind != CHECKSUM_NONE ? checksum.kind : CHECKSUM_CRC64NVME;
    _cleanup_(object_writer_freep) struct object_writer *writer = NULL;
    struct object_view view;
    S3_TRY(object_writer_begin(call->parts->objects, in->bucket, in->key, kind, &writer), S3_OBJECT(in));
    TRY(s3_body_receive(call, writer, in->content_md5, &checksum));
    struct err *e = object_writer_commit(writer, attributes, &conditions, call->arena, &view);
    if (err_has_code(e, "PreconditionFailed"))
        e = aws_err_member(e, "Condition", conditions.if_none_match ? S("If-None-Match") : S("If-Match"));
    S3_TRY(e, S3_OBJECT(in));

    out->e_tag = s3_etag(call->arena, view.etag);
    out->server_side_encryption = S("AES256");
    S3_CHECKSUM_SET(out, view.checksum_kind, view.checksum);
    out->checksum_type = checksum_type_name(view.checksum_type);
    return NULL;
}
