#include "services/s3/s3.h"

static struct err *parts_parse(struct call *call, const struct s3_complete_multipart_upload_request *in,
                               struct upload_complete_part **ret_parts, size_t *ret_count)
{
    size_t count = in->multipart_upload ? in->multipart_upload->parts.count : 0;
    if (!count || count > OBJECTS_MAX_PART_NUMBER)
        return aws_err_serialization(call->operation->service, "%zu parts", count);
    struct upload_complete_part *parts = ARENA_ARRAY(call->arena, count, struct upload_complete_part);
    for (size_t i = 0; i < count; i++) {
        const struct s3_completed_part *part = &in->multipart_upload->parts.items[i];
        struct s3_checksum checksum;
        if (!part->part_number.set || !part->e_tag.ptr)
            return aws_err_serialization(call->operation->service, "a part without number or ETag");
        TRY(s3_checksum_pick(call->arena, S3_CHECKSUM_VALUES(part), &checksum));
        bool in_range = part->part_number.value >= 1 && part->part_number.value <= OBJECTS_MAX_PART_NUMBER;
        parts[i] = (struct upload_complete_part){
            .number = in_range ? (int)part->part_number.value : OBJECTS_MAX_PART_NUMBER + 1, .etag = part->e_tag, .checksum = checksum.value};
    }
    *ret_parts = parts;
    *ret_count = count;
    return NULL;
}

/* The parts that the list names, as they were uploaded; *ret_whole false when one is missing, or when nothing is open any more: both are for
 * upload_complete to tell, which checks their ETags in the same transaction that takes them. */
static struct err *uploaded_parts(struct call *call, const struct s3_complete_multipart_upload_request *in, const struct upload_complete_part *parts,
                                  size_t count, struct slice *checksums, int64_t *sizes, bool *ret_whole)
{
    struct object_part_view *uploaded;
    size_t uploaded_count, next = 0;
    bool truncated;
    struct err *e = upload_part_list(call->parts->objects, call->arena, in->bucket, in->key, in->upload_id, 0, OBJECTS_MAX_PART_NUMBER,
                                     &uploaded, &uploaded_count, &truncated);
    *ret_whole = false;
    if (err_has_code(e, "NoSuchUpload")) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    for (size_t i = 0; i < uploaded_count && next < count; i++) {
        if (uploaded[i].number != parts[next].number)
            continue;
        checksums[next] = uploaded[i].checksum;
        sizes[next++] = uploaded[i].size_bytes;
    }
    *ret_whole = next == count;
    return NULL;
}

/* A composite value may come with its count of parts or without. */
static bool is_same_checksum(struct slice sent, struct slice computed)
{
    return slice_eq(sent, computed) || (slice_starts_with(computed, sent) && computed.len > sent.len && computed.ptr[sent.len] == '-');
}

/* x-amz-checksum-*: the whole object's, as the client computed it. */
static struct err *checksum_check(struct call *call, const struct s3_complete_multipart_upload_request *in, const struct upload_view *upload,
                                  const struct s3_checksum *sent, const struct slice *checksums, const int64_t *sizes, size_t count)
{
    struct slice computed, type = checksum_type_name(upload->checksum_type);
    if (in->checksum_type.len && (upload->checksum_kind == CHECKSUM_NONE || !slice_eq(in->checksum_type, type)))
        return aws_err(ERR_INVALID, 400, "InvalidRequest",
                       "The upload was created using the %.*s checksum mode. The complete request must use the same checksum mode.",
                       SLICE_ARG(upload->checksum_kind == CHECKSUM_NONE ? S("null") : type));
    if (sent->kind == CHECKSUM_NONE)
        return NULL;
    if (sent->kind != upload->checksum_kind)
        return aws_err(ERR_INVALID, 400, "InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: %.*s, actual checksum Type: %.*s",
                       SLICE_ARG(upload->checksum_kind == CHECKSUM_NONE ? S("null") : slice_lower(call->arena, checksum_name(upload->checksum_kind))),
                       SLICE_ARG(slice_lower(call->arena, checksum_name(sent->kind))));
    TRY(checksum_of_parts(call->arena, upload->checksum_kind, upload->checksum_type, checksums, sizes, count, &computed));
    if (is_same_checksum(sent->value, computed))
        return NULL;
    return aws_err(ERR_INVALID, 400, "BadDigest", "The %.*s you specified did not match the calculated checksum.", SLICE_ARG(checksum_name(sent->kind)));
}

/* x-amz-mp-object-size and the checksum of the whole: what the client believes it sent. */
static struct err *whole_check(struct call *call, const struct s3_complete_multipart_upload_request *in, const struct upload_complete_part *parts,
                               size_t count)
{
    struct s3_checksum sent;
    struct upload_view upload;
    bool whole;
    int64_t *sizes = ARENA_ARRAY(call->arena, count, int64_t), size_bytes = 0;
    struct slice *checksums = ARENA_ARRAY(call->arena, count, struct slice);
    TRY(s3_checksum_pick(call->arena, S3_CHECKSUM_VALUES(in), &sent));
    if (!in->mpu_object_size.set && sent.kind == CHECKSUM_NONE && !in->checksum_type.len)
        return NULL;
    TRY(uploaded_parts(call, in, parts, count, checksums, sizes, &whole));
    if (!whole)
        return NULL;
    for (size_t i = 0; i < count; i++)
        size_bytes += sizes[i];
    if (in->mpu_object_size.set && size_bytes != in->mpu_object_size.value)
        return aws_err(ERR_INVALID, 400, "InvalidRequest", "The provided 'x-amz-mp-object-size' header value %lld does not match what was computed: %lld",
                       (long long)in->mpu_object_size.value, (long long)size_bytes);
    S3_TRY(upload_head(call->parts->objects, call->arena, in->bucket, in->key, in->upload_id, &upload), S3_UPLOAD(in));
    return checksum_check(call, in, &upload, &sent, checksums, sizes, count);
}

static struct err *explain(struct call *call, const struct s3_complete_multipart_upload_request *in, struct err *e,
                           const struct upload_complete_fault *fault)
{
    if (err_has_code(e, "PreconditionFailed"))
        e = aws_err_member(e, "Condition", in->if_none_match.ptr ? S("If-None-Match") : S("If-Match"));
    if (err_has_code(e, "EntityTooSmall")) {
        e = aws_err_member(e, "ProposedSize", slice_fmt(call->arena, "%lld", (long long)fault->size_bytes));
        e = aws_err_member(e, "MinSizeAllowed", slice_fmt(call->arena, "%lld", (long long)OBJECTS_MIN_PART_BYTES));
    }
    if (err_has_code(e, "EntityTooSmall") || err_has_code(e, "InvalidPart")) {
        e = aws_err_member(e, "PartNumber", slice_fmt(call->arena, "%d", fault->part_number));
        e = aws_err_member(e, "ETag", fault->etag);
    }
    return s3_explain(e, (struct s3_subject){S3_UPLOAD(in)});
}

/* One transaction, so it answers after it, with a true status, and never needs S3's keep-alive blanks. */
struct err *s3_complete_multipart_upload(struct call *call, const struct s3_complete_multipart_upload_request *in,
                                         struct s3_complete_multipart_upload_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    struct object_conditions conditions;
    TRY(s3_write_conditions(in->if_match, in->if_none_match, &conditions));
    struct upload_complete_part *parts;
    size_t count;
    TRY(parts_parse(call, in, &parts, &count));
    TRY(whole_check(call, in, parts, count));
    struct object_view view;
    struct upload_complete_fault fault = {0};
    struct err *e = upload_complete(call->parts->objects, call->arena, in->bucket, in->key, in->upload_id, parts, count, &conditions,
                                    &view, &fault);
    if (e)
        return explain(call, in, e, &fault);
    *out = (struct s3_complete_multipart_upload_response){
        .location = slice_fmt(call->arena, "%.*s/%.*s/%.*s", SLICE_ARG(call->parts->endpoint), SLICE_ARG(in->bucket),
                              SLICE_ARG(uri_encode(call->arena, in->key, URI_KEEP_SLASH))),
        .bucket = in->bucket,
        .key = in->key,
        .e_tag = s3_etag(call->arena, view.etag),
        .server_side_encryption = S("AES256"),
    };
    if (view.checksum_kind != CHECKSUM_NONE) {
        S3_CHECKSUM_SET(out, view.checksum_kind, view.checksum);
        out->checksum_type = checksum_type_name(view.checksum_type);
    }
    return NULL;
}
