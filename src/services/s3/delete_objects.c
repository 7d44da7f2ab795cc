#include "services/s3/s3.h"

#define MAX_ENTRIES 1000

/* The body must come with an MD5 or a checksum; SDKs differ in which. */
static struct err *integrity_check(const struct call *call)
{
    struct http_headers headers = call->http->headers;
    for (size_t i = 0; i < headers.count; i++) {
        if (slice_eq_nocase(headers.items[i].name, S("Content-MD5")) || slice_eq_nocase(headers.items[i].name, S("x-amz-trailer")) ||
            slice_starts_with_nocase(headers.items[i].name, S("x-amz-checksum-")))
            return NULL;
    }
    return aws_err(ERR_INVALID, 400, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
}

/* One commit for all; each entry has a result of its own. */
struct err *s3_delete_objects(struct call *call, const struct s3_delete_objects_request *in, struct s3_delete_objects_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    TRY(integrity_check(call));
    size_t count = in->delete ? in->delete->objects.count : 0;
    if (!count || count > MAX_ENTRIES)
        return aws_err_serialization(call->operation->service, "%zu entries", count);
    struct object_delete_entry *entries = ARENA_ARRAY(call->arena, count, struct object_delete_entry);
    for (size_t i = 0; i < count; i++) {
        const struct s3_object_identifier *object = &in->delete->objects.items[i];
        entries[i] = (struct object_delete_entry){
            .key = object->key,
            .conditions = {.if_match = object->e_tag,
                           .has_if_size = object->size.set,
                           .if_size_bytes = object->size.value,
                           .has_if_modified_at = object->last_modified_time.set,
                           .if_modified_at = object->last_modified_time.value},
        };
    }
    S3_TRY(object_delete_many(call->parts->objects, in->bucket, entries, count), .bucket = in->bucket);

    struct s3_deleted_object *deleted = ARENA_ARRAY(call->arena, count, struct s3_deleted_object);
    struct s3_error *errors = ARENA_ARRAY(call->arena, count, struct s3_error);
    size_t deleted_count = 0, error_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct err *e = entries[i].result;
        if (e) {
            errors[error_count++] = (struct s3_error){.key = entries[i].key,
                                                      .code = slice_from_cstr(e->code ? e->code : "InternalError"),
                                                      .message = slice_dup(call->arena, err_message(e))};
            err_free(e);
        } else if (!in->delete->quiet.value) {
            deleted[deleted_count++] = (struct s3_deleted_object){.key = entries[i].key};
        }
    }
    out->deleted = (struct s3_deleted_object_list){.set = true, .count = deleted_count, .items = deleted};
    out->errors = (struct s3_error_list){.set = true, .count = error_count, .items = errors};
    return NULL;
}
