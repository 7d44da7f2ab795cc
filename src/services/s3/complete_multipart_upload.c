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

/* x-amz-mp-object-size: what the client believes it sent. */
static struct err *size_check(struct call *call, const struct s3_complete_multipart_upload_request *in,
                              const struct upload_complete_part *parts, size_t count)
{
    if (!in->mpu_object_size.set)
        return NULL;
    struct object_part_view *uploaded;
    size_t uploaded_count, next = 0;
    bool truncated;
    struct err *e = upload_part_list(call->parts->objects, call->arena, in->bucket, in->key, in->upload_id, 0, OBJECTS_MAX_PART_NUMBER,
                                     &uploaded, &uploaded_count, &truncated);
    if (err_has_code(e, "NoSuchUpload")) { /* a repeat of a finished one is for upload_complete to tell */
        err_free(e);
        return NULL;
    }
    TRY(e);
    int64_t size_bytes = 0;
    for (size_t i = 0; i < uploaded_count && next < count; i++) {
        if (uploaded[i].number != parts[next].number)
            continue;
        size_bytes += uploaded[i].size_bytes;
        next++;
    }
    if (next < count || size_bytes == in->mpu_object_size.value)
        return NULL;
    return aws_err(ERR_INVALID, 400, "InvalidRequest",
                   "The provided 'x-amz-mp-object-size' header value %lld does not match what was computed: %lld",
                   (long long)in->mpu_object_size.value, (long long)size_bytes);
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
    TRY(size_check(call, in, parts, count));
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
