#include "services/s3/list_view.h"

static struct s3_multipart_upload upload_item(struct call *call, const struct upload_view *view, struct slice encoding_type,
                                              const struct s3_owner *owner)
{
    struct s3_multipart_upload item = {
        .upload_id = view->upload_id,
        .key = s3_name_encode(call->arena, encoding_type, view->key),
        .initiated = s3_seconds(view->initiated_at),
        .storage_class = S("STANDARD"),
        .owner = owner,
    };
    if (view->checksum_kind != CHECKSUM_NONE) {
        item.checksum_algorithm = checksum_name(view->checksum_kind);
        item.checksum_type = checksum_type_name(view->checksum_type);
    }
    return item;
}

struct err *s3_list_multipart_uploads(struct call *call, const struct s3_list_multipart_uploads_request *in,
                                      struct s3_list_multipart_uploads_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    TRY(s3_encoding_type_check(in->encoding_type));
    struct upload_list_query query = {.bucket = in->bucket,
                                      .prefix = in->prefix,
                                      .delimiter = in->delimiter,
                                      .after_key = in->key_marker,
                                      .after_upload_id = in->upload_id_marker};
    TRY(s3_max_parse(call->arena, in->max_uploads, "max-uploads", &query.max));
    struct upload_list list;
    S3_TRY(upload_list(call->parts->objects, call->arena, &query, &list), .bucket = in->bucket);
    struct s3_multipart_upload *uploads = ARENA_ARRAY(call->arena, list.count + 1, struct s3_multipart_upload);
    struct s3_common_prefix *prefixes = ARENA_ARRAY(call->arena, list.count + 1, struct s3_common_prefix);
    struct s3_owner *owner = ARENA_NEW(call->arena, struct s3_owner);
    owner->id = s3_owner_id(call);
    size_t upload_count = 0, prefix_count = 0;
    for (size_t i = 0; i < list.count; i++) {
        const struct upload_view *view = &list.items[i].upload;
        if (list.items[i].is_prefix)
            prefixes[prefix_count++] = (struct s3_common_prefix){.prefix = s3_name_encode(call->arena, in->encoding_type, view->key)};
        else
            uploads[upload_count++] = upload_item(call, view, in->encoding_type, owner);
    }
    *out = (struct s3_list_multipart_uploads_response){
        .bucket = in->bucket,
        .key_marker = s3_name_encode(call->arena, in->encoding_type, in->key_marker.ptr ? in->key_marker : S("")),
        .upload_id_marker = in->upload_id_marker.ptr ? in->upload_id_marker : S(""),
        .prefix = s3_name_encode(call->arena, in->encoding_type, in->prefix.ptr ? in->prefix : S("")),
        .delimiter = in->delimiter.len ? s3_name_encode(call->arena, in->encoding_type, in->delimiter) : SLICE_NONE,
        .max_uploads = OPT_I64((int64_t)query.max),
        .is_truncated = OPT_BOOL(list.truncated),
        .uploads = {.set = true, .count = upload_count, .items = uploads},
        .common_prefixes = {.set = true, .count = prefix_count, .items = prefixes},
        .encoding_type = in->encoding_type.len ? in->encoding_type : SLICE_NONE,
    };
    if (list.truncated) {
        const struct upload_list_item *last = &list.items[list.count - 1];
        out->next_key_marker = s3_name_encode(call->arena, in->encoding_type, last->upload.key);
        out->next_upload_id_marker = last->is_prefix ? S("") : last->upload.upload_id;
    }
    return NULL;
}
