/* The headers that are kept with an object, and the conditions on it. */
#include "services/s3/s3.h"

#define METADATA_MAX_BYTES 2048
#define DEFAULT_CONTENT_TYPE S("binary/octet-stream")

/* Content-Encoding without aws-chunked, which is framing and no property of the object; absent when nothing remains. */
static struct slice encoding_of_object(struct arena *arena, struct slice header)
{
    struct strbuf out = STRBUF_ARENA(arena);
    while (header.ptr) {
        struct slice token = slice_trim(slice_cut(&header, ','));
        if (!token.len || slice_eq_nocase(token, S("aws-chunked")))
            continue;
        if (out.len)
            strbuf_append_char(&out, ',');
        strbuf_append(&out, token);
    }
    return out.len ? strbuf_slice(&out) : SLICE_NONE;
}

static struct err *unsupported_check(const struct s3_object_headers *headers)
{
    if ((headers->acl.len && !slice_eq(headers->acl, S("bucket-owner-full-control"))) || headers->grant_full_control.len ||
        headers->grant_read.len || headers->grant_read_acp.len || headers->grant_write_acp.len)
        return aws_err(ERR_INVALID, 400, "AccessControlListNotSupported", "The bucket does not allow ACLs");
    if (headers->server_side_encryption.len && !slice_eq(headers->server_side_encryption, S("AES256")))
        return s3_not_implemented("x-amz-server-side-encryption");
    if (headers->sse_customer_algorithm.len)
        return s3_not_implemented("x-amz-server-side-encryption-customer-algorithm");
    if (headers->tagging.len)
        return s3_not_implemented("x-amz-tagging");
    if (headers->object_lock_mode.len)
        return s3_not_implemented("x-amz-object-lock-mode");
    if (headers->object_lock_legal_hold_status.len)
        return s3_not_implemented("x-amz-object-lock-legal-hold");
    return NULL;
}

/* Values stand one to a line in the store; no header can hold a line feed, and one that somehow did is refused. */
static struct err *attribute_add(struct object_attribute *items, size_t *count, struct slice name, struct slice value)
{
    if (!value.ptr)
        return NULL;
    if (slice_index(value, '\n') >= 0 || slice_index(name, '\n') >= 0 || slice_index(name, ':') >= 0)
        return aws_err(ERR_INVALID, 400, "InvalidArgument", "A header has a line feed.");
    items[(*count)++] = (struct object_attribute){.name = name, .value = value};
    return NULL;
}

static struct err *metadata_add(struct arena *arena, struct slice_map metadata, struct object_attribute *items, size_t *count)
{
    size_t size_bytes = 0, first = *count;
    for (size_t i = 0; i < metadata.count; i++) {
        struct slice name = slice_fmt(arena, "x-amz-meta-%.*s", SLICE_ARG(slice_lower(arena, metadata.entries[i].key)));
        struct slice value = metadata.entries[i].value.ptr ? slice_trim(metadata.entries[i].value) : S("");
        size_bytes += metadata.entries[i].key.len + value.len;
        size_t same = first;
        while (same < *count && !slice_eq(items[same].name, name))
            same++;
        if (same < *count)
            items[same].value = slice_fmt(arena, "%.*s,%.*s", SLICE_ARG(items[same].value), SLICE_ARG(value));
        else
            TRY(attribute_add(items, count, name, value.ptr ? value : S("")));
    }
    if (size_bytes <= METADATA_MAX_BYTES)
        return NULL;
    struct err *e = aws_err(ERR_INVALID, 400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size");
    return aws_err_member(aws_err_member(e, "Size", slice_fmt(arena, "%zu", size_bytes)), "MaxSizeAllowed", S("2048"));
}

struct err *s3_attributes(struct call *call, const struct s3_object_headers *headers, struct object_attributes *ret_attributes)
{
    TRY(unsupported_check(headers));
    const struct {
        struct slice name, value;
    } rows[] = {
        {S("content-type"), headers->content_type.len ? headers->content_type : DEFAULT_CONTENT_TYPE},
        {S("cache-control"), headers->cache_control},
        {S("content-disposition"), headers->content_disposition},
        {S("content-encoding"), encoding_of_object(call->arena, headers->content_encoding)},
        {S("content-language"), headers->content_language},
        {S("expires"), headers->expires},
        {S("x-amz-website-redirect-location"), headers->website_redirect_location},
        {S("x-amz-storage-class"), slice_eq(headers->storage_class, S("STANDARD")) ? SLICE_NONE : headers->storage_class},
    };
    struct object_attribute *items = ARENA_ARRAY(call->arena, ARRAY_SIZE(rows) + headers->metadata.count, struct object_attribute);
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        TRY(attribute_add(items, &count, rows[i].name, rows[i].value));
    TRY(metadata_add(call->arena, headers->metadata, items, &count));
    *ret_attributes = (struct object_attributes){.items = items, .count = count};
    return NULL;
}

struct err *s3_write_conditions(struct slice if_match, struct slice if_none_match, struct object_conditions *ret_conditions)
{
    if (if_match.ptr && if_none_match.ptr)
        return aws_err_member(s3_not_implemented("If-Match,If-None-Match"), "additionalMessage",
                              S("Multiple conditional request headers present in the request"));
    if (if_none_match.ptr && !slice_eq(if_none_match, S("*")))
        return aws_err_member(s3_not_implemented("If-None-Match"), "additionalMessage",
                              S("We don't accept the provided value of If-None-Match header for this API"));
    *ret_conditions = (struct object_conditions){.if_match = if_match, .if_none_match = if_none_match.ptr != NULL};
    return NULL;
}

static bool etag_is(struct slice header, struct slice etag)
{
    if (header.len >= 2 && header.ptr[0] == '"')
        header = slice_sub(header, 1, header.len - 2);
    return slice_eq(header, S("*")) || slice_eq(header, etag);
}

/* The order of RFC 9110 13.2.2, as S3 has it: If-Match makes If-Unmodified-Since void, If-None-Match If-Modified-Since. */
int s3_read_conditions_check(const struct s3_read_conditions *conditions, const struct object_view *view, struct instant now,
                             const char **ret_condition)
{
    int64_t modified_s = view->modified_at.ms / 1000;
    bool match = !conditions->if_match.ptr || etag_is(conditions->if_match, view->etag);
    bool unmodified_false = conditions->if_unmodified_since.set && conditions->if_unmodified_since.value.ms <= now.ms &&
                            modified_s > conditions->if_unmodified_since.value.ms / 1000;
    bool modified_false = conditions->if_modified_since.set && conditions->if_modified_since.value.ms <= now.ms &&
                          modified_s <= conditions->if_modified_since.value.ms / 1000;
    if (!match) {
        *ret_condition = "If-Match";
        return 412;
    }
    if (unmodified_false && !conditions->if_match.ptr) {
        *ret_condition = "If-Unmodified-Since";
        return 412;
    }
    bool same = conditions->if_none_match.ptr ? etag_is(conditions->if_none_match, view->etag) : modified_false;
    *ret_condition = conditions->if_none_match.ptr ? "If-None-Match" : "If-Modified-Since";
    return same ? 304 : 200;
}

struct err *s3_precondition_failed(const char *condition)
{
    struct err *e = aws_err(ERR_CONFLICT, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    return aws_err_member(e, "Condition", slice_from_cstr(condition));
}
