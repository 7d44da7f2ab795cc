/* sigv2: see the header. */
#include "aws/sigv2.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include <stdlib.h>

/* Query parameters that belong to the resource that is signed. */
static const struct slice sub_resources[] = {
    S_INIT("acl"), S_INIT("cors"), S_INIT("delete"), S_INIT("lifecycle"), S_INIT("location"), S_INIT("logging"), S_INIT("notification"),
    S_INIT("object-lock"), S_INIT("partNumber"), S_INIT("policy"), S_INIT("replication"), S_INIT("requestPayment"),
    S_INIT("response-cache-control"), S_INIT("response-content-disposition"), S_INIT("response-content-encoding"),
    S_INIT("response-content-language"), S_INIT("response-content-type"), S_INIT("response-expires"), S_INIT("restore"), S_INIT("select"),
    S_INIT("select-type"), S_INIT("tagging"), S_INIT("torrent"), S_INIT("uploadId"), S_INIT("uploads"), S_INIT("versionId"),
    S_INIT("versioning"), S_INIT("versions"), S_INIT("website"),
};

struct sigv4_result sigv2_parse(struct arena *arena, const struct aws_request *request, struct sigv4_auth *ret_auth)
{
    struct aws_params params;
    (void)aws_params_parse(arena, request->query, AWS_PLUS_KEPT, &params);
    struct slice expires = aws_params_get(params, S("Expires"));
    int64_t seconds;
    struct sigv4_auth auth = {
        .presigned = true,
        .access_key_id = aws_params_get(params, S("AWSAccessKeyId")),
        .signature = aws_params_get(params, S("Signature")),
        .session_token = aws_params_get(params, S("x-amz-security-token")),
        .expires_s = -1,
    };
    if (!auth.access_key_id.len || !auth.signature.len || !expires.ptr)
        return (struct sigv4_result){.check = SIGV4_PRESIGN_MALFORMED,
                                     .text = S("Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")};
    if (!slice_to_i64(expires, 0, INT64_C(253402300799), &seconds))
        return (struct sigv4_result){.check = SIGV4_PRESIGN_MALFORMED, .text = S("Invalid date (should be seconds since epoch)")};
    auth.time = (struct instant){.ms = seconds * 1000};
    auth.expires_s = 0; /* time is the end already */
    *ret_auth = auth;
    return (struct sigv4_result){.check = SIGV4_OK};
}

/* A header, or the query parameter that stands for it. */
static struct slice header_or_param(const struct aws_request *request, struct aws_params params, struct slice name)
{
    struct slice value = aws_header_get(request->headers, name);
    if (value.ptr)
        return value;
    for (size_t i = 0; i < params.count; i++)
        if (slice_eq_nocase(params.items[i].name, name))
            return params.items[i].value;
    return SLICE_NONE;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct aws_param *)a)->name, ((const struct aws_param *)b)->name);
}

/* x-amz-* of headers and query, "name:value\n", sorted. */
static void append_amz(struct arena *arena, struct strbuf *out, const struct aws_request *request, struct aws_params params)
{
    struct aws_param *items = ARENA_ARRAY(arena, request->headers.count + params.count + 1, struct aws_param);
    size_t count = 0;
    for (size_t i = 0; i < request->headers.count; i++)
        if (slice_starts_with_nocase(request->headers.items[i].name, S("x-amz-")))
            items[count++] = (struct aws_param){.name = slice_lower(arena, request->headers.items[i].name),
                                                .value = slice_trim(request->headers.items[i].value)};
    for (size_t i = 0; i < params.count; i++)
        if (slice_starts_with_nocase(params.items[i].name, S("x-amz-")))
            items[count++] = (struct aws_param){.name = slice_lower(arena, params.items[i].name), .value = slice_trim(params.items[i].value)};
    qsort(items, count, sizeof(items[0]), by_name);
    for (size_t i = 0; i < count; i++)
        strbuf_append_fmt(out, "%.*s:%.*s\n", SLICE_ARG(items[i].name), SLICE_ARG(items[i].value));
}

/* "/bucket/key?acl&versionId=3": the path as on the wire, the sub-resources' values decoded. */
static void append_resource(struct strbuf *out, const struct aws_request *request, struct aws_params params)
{
    if (request->bucket.ptr)
        strbuf_append_fmt(out, "/%.*s", SLICE_ARG(request->bucket));
    strbuf_append(out, request->path);
    char separator = '?';
    for (size_t i = 0; i < ARRAY_SIZE(sub_resources); i++) {
        if (!aws_params_has(params, sub_resources[i]))
            continue;
        struct slice value = aws_params_get(params, sub_resources[i]);
        strbuf_append_char(out, separator);
        strbuf_append(out, sub_resources[i]);
        if (value.len)
            strbuf_append_fmt(out, "=%.*s", SLICE_ARG(value));
        separator = '&';
    }
}

struct sigv4_result sigv2_check(struct arena *arena, const struct sigv4_auth *auth, const struct aws_request *request, struct slice secret,
                                struct instant now)
{
    struct aws_params params;
    (void)aws_params_parse(arena, request->query, AWS_PLUS_KEPT, &params);
    struct slice md5 = header_or_param(request, params, S("content-md5")), type = header_or_param(request, params, S("content-type"));
    struct strbuf text = STRBUF_ARENA(arena);
    strbuf_append_fmt(&text, "%.*s\n%.*s\n%.*s\n%lld\n", SLICE_ARG(request->method), SLICE_ARG(md5), SLICE_ARG(type),
                      (long long)(auth->time.ms / 1000));
    append_amz(arena, &text, request, params);
    append_resource(&text, request, params);
    uint8_t mac[20];
    hmac_sha1(secret, strbuf_slice(&text), mac);
    if (!secret_equal(base64_encode(arena, slice_of((const char *)mac, sizeof(mac))), auth->signature))
        return (struct sigv4_result){.check = SIGV4_MISMATCH};
    if (now.ms > auth->time.ms)
        return (struct sigv4_result){.check = SIGV4_PRESIGN_EXPIRED};
    return (struct sigv4_result){.check = SIGV4_OK};
}
