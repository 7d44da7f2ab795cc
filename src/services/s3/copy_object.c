#include "services/s3/s3.h"

#define COPY_MAX_BYTES (INT64_C(5) << 30)

static struct err *directive_parse(struct slice directive, const char *header, bool *ret_replace)
{
    *ret_replace = slice_eq(directive, S("REPLACE"));
    if (!directive.len || *ret_replace || slice_eq(directive, S("COPY")))
        return NULL;
    return s3_invalid_argument(header, directive, "Unknown metadata directive.");
}

static struct err *request_check(struct call *call, const struct s3_copy_object_request *in, bool replace)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    TRY(s3_owner_check(call, in->expected_source_bucket_owner));
    TRY(s3_key_check(call->arena, in->key));
    if (in->copy_source_sse_customer_algorithm.len)
        return s3_not_implemented("x-amz-copy-source-server-side-encryption-customer-algorithm");
    struct object_attributes ignored;
    return replace ? NULL : s3_attributes(call, S3_OBJECT_HEADERS(in), &ignored); /* for what it refuses */
}

struct err *s3_copy_object(struct call *call, const struct s3_copy_object_request *in, struct s3_copy_object_response *out)
{
    bool replace;
    struct object_copy copy = {.bucket = in->bucket, .key = in->key};
    TRY(directive_parse(in->metadata_directive, "x-amz-metadata-directive", &replace));
    TRY(request_check(call, in, replace));
    TRY(s3_copy_source_parse(call, in->copy_source, &copy.source_bucket, &copy.source_key));
    if (in->checksum_algorithm.len && !checksum_from_name(in->checksum_algorithm, &copy.checksum_kind))
        return aws_err(ERR_INVALID, 400, "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.");
    TRY(s3_write_conditions(in->if_match, in->if_none_match, &copy.conditions));
    struct object_attributes attributes;
    if (replace) {
        TRY(s3_attributes(call, S3_OBJECT_HEADERS(in), &attributes));
        copy.attributes = &attributes;
    }
    bool onto_itself = slice_eq(copy.source_bucket, copy.bucket) && slice_eq(copy.source_key, copy.key);
    if (onto_itself && !replace && !in->storage_class.len && !in->server_side_encryption.len && !in->website_redirect_location.len &&
        copy.checksum_kind == CHECKSUM_NONE)
        return aws_err(ERR_INVALID, 400, "InvalidRequest",
                       "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
                       "metadata, storage class, website redirect location or encryption attributes.");

    struct object_view source, view;
    S3_TRY(object_head(call->parts->objects, call->arena, copy.source_bucket, copy.source_key, &source), .bucket = copy.source_bucket,
           .key = copy.source_key);
    TRY(s3_copy_conditions_check(call, S3_COPY_CONDITIONS(in), &source));
    if (source.size_bytes > COPY_MAX_BYTES)
        return aws_err(ERR_INVALID, 400, "InvalidRequest",
                       "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120");
    if (in->copy_source_if_match.ptr)
        copy.source_etag = source.etag; /* what was checked is what is copied */
    S3_TRY(object_copy(call->parts->objects, call->arena, &copy, &view), S3_OBJECT(in));

    struct s3_copy_object_result *result = ARENA_NEW(call->arena, struct s3_copy_object_result);
    result->e_tag = s3_etag(call->arena, view.etag);
    result->last_modified = s3_seconds(view.modified_at);
    S3_CHECKSUM_SET(result, view.checksum_kind, view.checksum);
    if (view.checksum_kind != CHECKSUM_NONE)
        result->checksum_type = checksum_type_name(view.checksum_type);
    out->copy_object_result = result;
    out->server_side_encryption = S("AES256");
    return NULL;
}
