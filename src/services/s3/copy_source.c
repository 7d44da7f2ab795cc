/* The source of CopyObject and UploadPartCopy: its name and the conditions on it. */
#include "services/s3/s3.h"

/* Percent-encoded or not, the separators too: clients differ. Source: API reference, CopyObject, x-amz-copy-source. */
struct err *s3_copy_source_parse(struct call *call, struct slice header, struct slice *ret_bucket, struct slice *ret_key)
{
    struct slice source = uri_decode(call->arena, header, URI_PLUS_IS_SPACE);
    ptrdiff_t version = slice_find(source, S("?versionId="));
    if (version >= 0) {
        struct slice id = slice_from(source, (size_t)version + sizeof("?versionId=") - 1);
        if (!slice_eq(id, S("null")))
            return s3_invalid_argument("x-amz-copy-source", header, "Invalid version id specified");
        source = slice_sub(source, 0, (size_t)version);
    }
    if (slice_starts_with(source, S("/")))
        source = slice_from(source, 1);
    if (!slice_split(source, '/', ret_bucket, ret_key) || !ret_bucket->len || !ret_key->len)
        return s3_invalid_argument("x-amz-copy-source", header, "Invalid copy source object key");
    return NULL;
}

struct err *s3_copy_conditions_check(struct call *call, const struct s3_read_conditions *conditions, const struct object_view *source)
{
    const char *condition;
    if (s3_read_conditions_check(conditions, source, call->now, &condition) == 200)
        return NULL; /* what would be 304 has no meaning here: 412 too */
    return s3_precondition_failed(slice_fmt(call->arena, "x-amz-copy-source-%s", condition).ptr);
}
