#include "services/s3/s3.h"

struct err *s3_list_parts(struct call *call, const struct s3_list_parts_request *in, struct s3_list_parts_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    size_t max, count;
    TRY(s3_max_parse(call->arena, in->max_parts, "max-parts", &max));
    int64_t after = in->part_number_marker.value;
    if (after < 0)
        return s3_invalid_argument("part-number-marker", slice_fmt(call->arena, "%lld", (long long)after),
                                   "Argument part-number-marker must be an integer between 0 and 2147483647");
    struct upload_view upload;
    struct object_part_view *parts;
    bool truncated;
    S3_TRY(upload_head(call->parts->objects, call->arena, in->bucket, in->key, in->upload_id, &upload), S3_UPLOAD(in));
    S3_TRY(upload_part_list(call->parts->objects, call->arena, in->bucket, in->key, in->upload_id,
                            after > OBJECTS_MAX_PART_NUMBER ? OBJECTS_MAX_PART_NUMBER : (int)after, max, &parts, &count, &truncated),
           S3_UPLOAD(in));
    struct s3_part *items = ARENA_ARRAY(call->arena, count + 1, struct s3_part);
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct s3_part){.part_number = OPT_I64(parts[i].number),
                                    .last_modified = s3_seconds(parts[i].modified_at),
                                    .e_tag = s3_etag(call->arena, parts[i].etag),
                                    .size = OPT_I64(parts[i].size_bytes)};
        S3_CHECKSUM_SET(&items[i], upload.checksum_kind, parts[i].checksum);
    }
    struct s3_owner *owner = ARENA_NEW(call->arena, struct s3_owner);
    struct s3_initiator *initiator = ARENA_NEW(call->arena, struct s3_initiator);
    initiator->id = call->principal.arn;
    owner->id = s3_owner_id(call);
    *out = (struct s3_list_parts_response){
        .bucket = in->bucket,
        .key = in->key,
        .upload_id = in->upload_id,
        .part_number_marker = OPT_I64(after),
        .next_part_number_marker = OPT_I64(count ? parts[count - 1].number : after),
        .max_parts = OPT_I64((int64_t)max),
        .is_truncated = OPT_BOOL(truncated),
        .parts = {.set = true, .count = count, .items = items},
        .initiator = initiator,
        .owner = owner,
        .storage_class = S("STANDARD"),
    };
    if (upload.checksum_kind != CHECKSUM_NONE) {
        out->checksum_algorithm = checksum_name(upload.checksum_kind);
        out->checksum_type = checksum_type_name(upload.checksum_type);
    }
    return NULL;
}
