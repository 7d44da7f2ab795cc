#include "services/s3/s3.h"

struct err *s3_create_multipart_upload(struct call *call, const struct s3_create_multipart_upload_request *in,
                                       struct s3_create_multipart_upload_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    TRY(s3_key_check(call->arena, in->key));
    struct object_attributes attributes;
    TRY(s3_attributes(call, S3_OBJECT_HEADERS(in), &attributes));
    enum checksum_kind kind = CHECKSUM_NONE;
    if (in->checksum_algorithm.len && !checksum_from_name(in->checksum_algorithm, &kind))
        return aws_err(ERR_INVALID, 400, "InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the "
                                                           "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
    enum checksum_type type = checksum_default_type(kind);
    if (in->checksum_type.len) {
        if (kind == CHECKSUM_NONE)
            return aws_err(ERR_INVALID, 400, "InvalidRequest",
                           "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.");
        type = slice_eq(in->checksum_type, S("COMPOSITE")) ? CHECKSUM_COMPOSITE : CHECKSUM_FULL_OBJECT;
        if (!checksum_type_allowed(kind, type))
            return aws_err(ERR_INVALID, 400, "InvalidRequest", "The %.*s checksum type cannot be used with the %.*s checksum algorithm.",
                           SLICE_ARG(in->checksum_type), SLICE_ARG(slice_lower(call->arena, checksum_name(kind))));
    }
    S3_TRY(upload_create(call->parts->objects, call->arena, in->bucket, in->key, attributes, kind, type, &out->upload_id), S3_OBJECT(in));
    out->bucket = in->bucket;
    out->key = in->key;
    out->server_side_encryption = S("AES256");
    if (kind != CHECKSUM_NONE) {
        out->checksum_algorithm = checksum_name(kind);
        out->checksum_type = checksum_type_name(type);
    }
    return NULL;
}
