/* Names, errors and small forms that every operation of S3 uses. */
#include "services/s3/s3.h"

#include "base/digest.h"

struct err *s3_explain(struct err *e, struct s3_subject subject)
{
    static const struct {
        const char *code, *element;
        enum { OF_BUCKET, OF_KEY, OF_UPLOAD } of;
    } rows[] = {
        {"NoSuchBucket", "BucketName", OF_BUCKET},   {"BucketNotEmpty", "BucketName", OF_BUCKET},
        {"NoSuchKey", "Key", OF_KEY},                {"BucketAlreadyOwnedByYou", "BucketName", OF_BUCKET},
        {"NoSuchUpload", "UploadId", OF_UPLOAD},     {"InvalidPart", "UploadId", OF_UPLOAD},
        {"InvalidPartOrder", "UploadId", OF_UPLOAD},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows) && e; i++) {
        if (!err_has_code(e, rows[i].code))
            continue;
        struct slice value = rows[i].of == OF_BUCKET ? subject.bucket : rows[i].of == OF_KEY ? subject.key : subject.upload_id;
        if (value.ptr)
            return aws_err_member(e, rows[i].element, value);
    }
    return e;
}

struct err *s3_invalid_argument(const char *name, struct slice value, const char *message)
{
    struct err *e = aws_err(ERR_INVALID, 400, "InvalidArgument", "%s", message);
    return aws_err_member(aws_err_member(e, "ArgumentName", slice_from_cstr(name)), "ArgumentValue", value);
}

struct err *s3_not_implemented(const char *header)
{
    struct err *e = aws_err(ERR_INVALID, 501, "NotImplemented", "A header you provided implies functionality that is not implemented");
    return aws_err_member(e, "Header", slice_from_cstr(header));
}

static bool is_ipv4(struct slice name)
{
    int numbers = 0;
    while (name.ptr) {
        int64_t number;
        if (!slice_to_i64(slice_cut(&name, '.'), 0, 999, &number))
            return false;
        numbers++;
    }
    return numbers == 4;
}

/* Source: S3 User Guide, "General purpose bucket naming rules". */
static bool bucket_name_is_valid(struct slice name)
{
    static const struct slice reserved[] = {S_INIT("healthz"), S_INIT("metrics"), S_INIT("console"), S_INIT("id")}; /* our paths */
    static const struct slice prefixes[] = {S_INIT("xn--"), S_INIT("sthree-"), S_INIT("amzn-s3-demo-")};
    static const struct slice suffixes[] = {S_INIT("-s3alias"), S_INIT("--ol-s3"), S_INIT(".mrap"), S_INIT("--x-s3"), S_INIT("--table-s3")};
    if (name.len < 3 || name.len > 63 || slice_find(name, S("..")) >= 0 || is_ipv4(name))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        bool edge = i == 0 || i + 1 == name.len;
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (!edge && (c == '.' || c == '-'))))
            return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (slice_eq(name, reserved[i]))
            return false;
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (slice_starts_with(name, prefixes[i]))
            return false;
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        if (slice_ends_with(name, suffixes[i]))
            return false;
    return true;
}

struct err *s3_bucket_name_check(struct slice name)
{
    if (bucket_name_is_valid(name))
        return NULL;
    return aws_err_member(aws_err(ERR_INVALID, 400, "InvalidBucketName", "The specified bucket is not valid."), "BucketName", name);
}

struct err *s3_key_check(struct arena *arena, struct slice key)
{
    if (key.len > OBJECTS_KEY_MAX_BYTES) {
        struct err *e = aws_err(ERR_INVALID, 400, "KeyTooLongError", "Your key is too long");
        return aws_err_member(aws_err_member(e, "Size", slice_fmt(arena, "%zu", key.len)), "MaxSizeAllowed", S("1024"));
    }
    if (!key.len || !slice_is_utf8(key) || slice_has_nul(key))
        return s3_invalid_argument("key", slice_is_utf8(key) && !slice_has_nul(key) ? key : S(""), "The key is not valid UTF-8 text.");
    return NULL;
}

struct err *s3_owner_check(const struct call *call, struct slice expected)
{
    if (!expected.ptr || slice_eq(expected, call->parts->account_id))
        return NULL;
    int64_t number;
    if (expected.len != 12 || !slice_to_i64(expected, 0, INT64_MAX, &number))
        return aws_err(ERR_INVALID, 400, "InvalidBucketOwnerAWSAccountID",
                       "The value of the expected bucket owner parameter must be an AWS account ID");
    return aws_err(ERR_DENIED, 403, "AccessDenied", "Access Denied");
}

struct slice s3_owner_id(const struct call *call)
{
    return sha256_hex(call->arena, call->parts->account_id);
}

struct slice s3_etag(struct arena *arena, struct slice etag)
{
    return slice_fmt(arena, "\"%.*s\"", SLICE_ARG(etag));
}

struct opt_instant s3_seconds(struct instant t)
{
    t.ms -= t.ms % 1000;
    return OPT_INSTANT(t);
}

struct slice s3_name_encode(struct arena *arena, struct slice encoding_type, struct slice name)
{
    return name.ptr && encoding_type.len ? uri_encode(arena, name, URI_KEEP_SLASH) : name;
}

struct err *s3_max_parse(struct arena *arena, struct opt_i64 max, const char *name, size_t *ret_max)
{
    if (max.set && max.value < 0)
        return s3_invalid_argument(name, slice_fmt(arena, "%lld", (long long)max.value),
                                   slice_fmt(arena, "%s cannot be negative", name).ptr);
    *ret_max = !max.set || max.value > OBJECTS_LIST_MAX ? OBJECTS_LIST_MAX : (size_t)max.value;
    return NULL;
}
