#include "services/s3/s3.h"

/* bytes=a-b, both given and inside the source. */
static struct err *source_range_parse(struct call *call, struct slice header, int64_t size_bytes, int64_t *ret_first, int64_t *ret_size)
{
    struct slice first_text, last_text;
    int64_t first, last;
    if (!slice_starts_with(header, S("bytes=")) || !slice_split(slice_from(header, sizeof("bytes=") - 1), '-', &first_text, &last_text) ||
        !slice_to_i64(first_text, 0, INT64_MAX, &first) || !slice_to_i64(last_text, first, INT64_MAX, &last))
        return s3_invalid_argument("x-amz-copy-source-range", header,
                                   "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                                   "zero-based offsets of the first and last bytes to copy");
    if (last >= size_bytes)
        return aws_err(ERR_INVALID, 400, "InvalidRequest", "Range specified is not valid for source object of size: %lld",
                       (long long)size_bytes);
    *ret_first = first;
    *ret_size = last - first + 1;
    return NULL;
}

/* Reads and writes the bytes: a part's MD5 and checksum are its own. */
struct err *s3_upload_part_copy(struct call *call, const struct s3_upload_part_copy_request *in, struct s3_upload_part_copy_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    TRY(s3_owner_check(call, in->expected_source_bucket_owner));
    if (in->part_number.value < 1 || in->part_number.value > OBJECTS_MAX_PART_NUMBER)
        return s3_invalid_argument("partNumber", slice_fmt(call->arena, "%lld", (long long)in->part_number.value),
                                   "Part number must be an integer between 1 and 10000, inclusive");
    if (in->sse_customer_algorithm.len || in->copy_source_sse_customer_algorithm.len)
        return s3_not_implemented("x-amz-server-side-encryption-customer-algorithm");
    struct upload_view upload;
    S3_TRY(upload_head(call->parts->objects, call->arena, in->bucket, in->key, in->upload_id, &upload), S3_UPLOAD(in));

    struct slice source_bucket, source_key;
    struct object_view source;
    _cleanup_(object_reader_freep) struct object_reader *reader = NULL;
    TRY(s3_copy_source_parse(call, in->copy_source, &source_bucket, &source_key));
    S3_TRY(object_reader_open(call->parts->objects, call->arena, source_bucket, source_key, &source, &reader), .bucket = source_bucket,
           .key = source_key);
    TRY(s3_copy_conditions_check(call, S3_COPY_CONDITIONS(in), &source));
    int64_t first = 0, size_bytes = source.size_bytes;
    if (in->copy_source_range.len)
        TRY(source_range_parse(call, in->copy_source_range, source.size_bytes, &first, &size_bytes));
    if (size_bytes > S3_PUT_MAX_BYTES)
        return aws_err(ERR_INVALID, 400, "InvalidRequest",
                       "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120");
    object_reader_range(reader, first, size_bytes);

    _cleanup_(object_writer_freep) struct object_writer *writer = NULL;
    struct object_part_view part;
    S3_TRY(object_writer_begin(call->parts->objects, in->bucket, in->key, upload.checksum_kind, &writer), S3_UPLOAD(in));
    TRY(object_writer_write_from(writer, reader));
    S3_TRY(upload_part_commit(writer, in->upload_id, (int)in->part_number.value, call->arena, &part), S3_UPLOAD(in));
    struct s3_copy_part_result *result = ARENA_NEW(call->arena, struct s3_copy_part_result);
    result->e_tag = s3_etag(call->arena, part.etag);
    result->last_modified = s3_seconds(part.modified_at);
    S3_CHECKSUM_SET(result, upload.checksum_kind, part.checksum);
    out->copy_part_result = result;
    out->server_side_encryption = S("AES256");
    return NULL;
}
