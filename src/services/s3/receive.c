/* Bodies of PutObject and UploadPart: into a writer, with every check that must hold before anything is visible. */
#include "services/s3/s3.h"

#include <string.h>

#define BUFFER_BYTES (128 << 10)

struct err *s3_checksum_pick(struct arena *arena, const struct slice values[CHECKSUM_SHA256 + 1], struct s3_checksum *ret_checksum)
{
    struct s3_checksum found = {0};
    for (int kind = CHECKSUM_CRC32; kind <= CHECKSUM_SHA256; kind++) {
        if (!values[kind].ptr)
            continue;
        if (found.kind != CHECKSUM_NONE)
            return aws_err(ERR_INVALID, 400, "InvalidRequest",
                           "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
        found = (struct s3_checksum){.kind = (enum checksum_kind)kind, .value = values[kind]};
    }
    *ret_checksum = found;
    return NULL;
}

/* x-amz-checksum-foo of an algorithm that we do not have must not be passed over: the client counts on the check. */
static struct err *unknown_checksum_check(struct http_headers headers)
{
    struct slice prefix = S("x-amz-checksum-");
    for (size_t i = 0; i < headers.count; i++) {
        if (!slice_starts_with_nocase(headers.items[i].name, prefix))
            continue;
        struct slice rest = slice_from(headers.items[i].name, prefix.len);
        enum checksum_kind kind;
        if (!checksum_from_name(rest, &kind) && !slice_eq_nocase(rest, S("algorithm")) && !slice_eq_nocase(rest, S("type")) &&
            !slice_eq_nocase(rest, S("mode")))
            return aws_err(ERR_INVALID, 400, "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.");
    }
    return NULL;
}

struct err *s3_checksum_of_request(struct call *call, const struct slice values[CHECKSUM_SHA256 + 1], struct s3_checksum *ret_checksum)
{
    TRY(unknown_checksum_check(call->http->headers));
    struct s3_checksum checksum;
    TRY(s3_checksum_pick(call->arena, values, &checksum));
    struct slice trailer = http_header_get(call->http->headers, S("x-amz-trailer"));
    while (trailer.ptr && checksum.kind == CHECKSUM_NONE) {
        struct slice name = slice_trim(slice_cut(&trailer, ','));
        if (slice_starts_with_nocase(name, S("x-amz-checksum-")) &&
            !checksum_from_name(slice_from(name, sizeof("x-amz-checksum-") - 1), &checksum.kind))
            return aws_err(ERR_INVALID, 400, "InvalidRequest", "The value specified in the x-amz-trailer header is not supported");
    }
    if (checksum.value.ptr && !checksum_is_valid(call->arena, checksum.kind, checksum.value))
        return aws_err(ERR_INVALID, 400, "InvalidRequest", "Value for x-amz-checksum-%.*s header is invalid.",
                       SLICE_ARG(slice_lower(call->arena, checksum_name(checksum.kind))));
    if (checksum.kind == CHECKSUM_NONE && http_header_get(call->http->headers, S("x-amz-sdk-checksum-algorithm")).len)
        return aws_err(ERR_INVALID, 400, "InvalidRequest",
                       "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.");
    *ret_checksum = checksum;
    return NULL;
}

static struct err *entity_too_large(struct arena *arena, int64_t size_bytes)
{
    struct err *e = aws_err(ERR_INVALID, 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
    e = aws_err_member(e, "ProposedSize", slice_fmt(arena, "%lld", (long long)size_bytes));
    return aws_err_member(e, "MaxSizeAllowed", slice_fmt(arena, "%lld", (long long)S3_PUT_MAX_BYTES));
}

static struct err *md5_check(struct arena *arena, struct slice content_md5, const uint8_t md5[16])
{
    struct slice expected;
    if (!content_md5.ptr)
        return NULL;
    if (!base64_decode(arena, content_md5, &expected) || expected.len != 16)
        return aws_err_member(aws_err(ERR_INVALID, 400, "InvalidDigest", "The Content-MD5 you specified was invalid."), "Content-MD5",
                              content_md5);
    if (memcmp(expected.ptr, md5, 16) == 0)
        return NULL;
    struct err *e = aws_err(ERR_INVALID, 400, "BadDigest", "The Content-MD5 you specified did not match what we received.");
    e = aws_err_member(e, "ExpectedDigest", content_md5);
    return aws_err_member(e, "CalculatedDigest", base64_encode(arena, slice_of((const char *)md5, 16)));
}

struct err *s3_body_receive(struct call *call, struct object_writer *writer, struct slice content_md5, const struct s3_checksum *checksum)
{
    struct slice ignored;
    if (content_md5.ptr && (!base64_decode(call->arena, content_md5, &ignored) || ignored.len != 16)) {
        static const uint8_t none[16];
        return md5_check(call->arena, content_md5, none); /* before the body: it cannot match */
    }
    if (call->body_length < 0 && !call->form)
        return aws_err(ERR_INVALID, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
    if (call->body_length > S3_PUT_MAX_BYTES)
        return entity_too_large(call->arena, call->body_length);
    char *buffer = arena_alloc(call->arena, BUFFER_BYTES);
    int64_t size_bytes = 0;
    for (;;) {
        size_t len;
        TRY(call->body_read(call, buffer, BUFFER_BYTES, &len));
        if (!len)
            break;
        size_bytes += (int64_t)len;
        if (size_bytes > S3_PUT_MAX_BYTES)
            return entity_too_large(call->arena, size_bytes);
        TRY(object_writer_write(writer, slice_of(buffer, len)));
    }
    if (call->body_length >= 0 && size_bytes != call->body_length)
        return aws_err(ERR_INVALID, 400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header");
    const struct object_sums *sums = object_writer_finish(writer);
    TRY(md5_check(call->arena, content_md5, sums->md5));
    if (checksum->value.ptr && !slice_eq(checksum->value, sums->checksum))
        return aws_err(ERR_INVALID, 400, "BadDigest", "The %.*s you specified did not match the calculated checksum.",
                       SLICE_ARG(checksum_name(checksum->kind)));
    return NULL;
}
