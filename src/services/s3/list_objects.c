#include "services/s3/list_view.h"

/* NextMarker is told only when a delimiter was given: clients otherwise go on from the last key. */
struct err *s3_list_objects(struct call *call, const struct s3_list_objects_request *in, struct s3_list_objects_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    struct object_list_query query = {.bucket = in->bucket, .prefix = in->prefix, .delimiter = in->delimiter, .after = in->marker};
    TRY(s3_max_parse(call->arena, in->max_keys, "max-keys", &query.max));
    struct s3_page page;
    TRY(s3_page_read(call, &query, in->encoding_type, true, &page));
    *out = (struct s3_list_objects_response){
        .is_truncated = OPT_BOOL(page.list.truncated),
        .marker = s3_name_encode(call->arena, in->encoding_type, in->marker.ptr ? in->marker : S("")),
        .contents = page.contents,
        .name = in->bucket,
        .prefix = s3_name_encode(call->arena, in->encoding_type, in->prefix.ptr ? in->prefix : S("")),
        .delimiter = in->delimiter.len ? s3_name_encode(call->arena, in->encoding_type, in->delimiter) : SLICE_NONE,
        .max_keys = OPT_I64((int64_t)query.max),
        .common_prefixes = page.common_prefixes,
        .encoding_type = in->encoding_type.len ? in->encoding_type : SLICE_NONE,
    };
    if (page.list.truncated && in->delimiter.len)
        out->next_marker = s3_name_encode(call->arena, in->encoding_type, page.list.last);
    return NULL;
}
