#include "services/s3/list_view.h"

struct err *s3_encoding_type_check(struct slice encoding_type)
{
    if (!encoding_type.len || slice_eq(encoding_type, S("url")))
        return NULL;
    return s3_invalid_argument("encoding-type", encoding_type, "Invalid Encoding Method specified in Request");
}

struct err *s3_page_read(struct call *call, const struct object_list_query *query, struct slice encoding_type, bool owners,
                         struct s3_page *ret_page)
{
    TRY(s3_encoding_type_check(encoding_type));
    struct object_list list;
    S3_TRY(object_list(call->parts->objects, call->arena, query, &list), .bucket = query->bucket);
    struct s3_object *objects = ARENA_ARRAY(call->arena, list.count + 1, struct s3_object);
    struct s3_common_prefix *prefixes = ARENA_ARRAY(call->arena, list.count + 1, struct s3_common_prefix);
    struct s3_owner *owner = ARENA_NEW(call->arena, struct s3_owner);
    owner->id = s3_owner_id(call);
    size_t object_count = 0, prefix_count = 0;
    for (size_t i = 0; i < list.count; i++) {
        const struct object_view *view = &list.items[i].object;
        struct slice name = s3_name_encode(call->arena, encoding_type, view->key);
        if (list.items[i].is_prefix) {
            prefixes[prefix_count++] = (struct s3_common_prefix){.prefix = name};
            continue;
        }
        struct s3_object *object = &objects[object_count++];
        *object = (struct s3_object){
            .key = name,
            .last_modified = s3_seconds(view->modified_at),
            .e_tag = s3_etag(call->arena, view->etag),
            .size = OPT_I64(view->size_bytes),
            .storage_class = S("STANDARD"),
            .owner = owners ? owner : NULL,
        };
        if (view->checksum_kind != CHECKSUM_NONE) {
            struct slice *algorithm = ARENA_NEW(call->arena, struct slice);
            *algorithm = checksum_name(view->checksum_kind);
            object->checksum_algorithm = (struct slice_list){.set = true, .count = 1, .items = algorithm};
            object->checksum_type = checksum_type_name(view->checksum_type);
        }
    }
    *ret_page = (struct s3_page){
        .contents = {.set = true, .count = object_count, .items = objects},
        .common_prefixes = {.set = true, .count = prefix_count, .items = prefixes},
        .list = list,
    };
    return NULL;
}
