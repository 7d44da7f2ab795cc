/* sigv2: see the header. */
#include "aws/sigv2.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include <stdlib.h>

#define SKEW_MS (15 * 60 * 1000)

/* Query parameters that belong to the resource that is signed. */
static const struct slice sub_resources[] = {
    S_INIT("acl"), S_INIT("cors"), S_INIT("delete"), S_INIT("lifecycle"), S_INIT("location"), S_INIT("logging"), S_INIT("notification"),
    S_INIT("object-lock"), S_INIT("partNumber"), S_INIT("policy"), S_INIT("replication"), S_INIT("requestPayment"),
    S_INIT("response-cache-control"), S_INIT("response-content-disposition"), S_INIT("response-content-encoding"),
    S_INIT("response-content-language"), S_INIT("response-content-type"), S_INIT("response-expires"), S_INIT("restore"), S_INIT("select"),
    S_INIT("select-type"), S_INIT("tagging"), S_INIT("torrent"), S_INIT("uploadId"), S_INIT("uploads"), S_INIT("versionId"),
    S_INIT("versioning"), S_INIT("versions"), S_INIT("website"),
};

static struct sigv4_result failed(enum sigv4_check check, const char *text)
{
    return (struct sigv4_result){.check = check, .text = slice_from_cstr(text)};
}

static struct sigv4_result parse_query(struct arena *arena, const struct aws_request *request, struct sigv4_auth *auth)
{
    struct aws_params params;
    (void)aws_params_parse(arena, request->query, AWS_PLUS_KEPT, &params);
    struct slice expires = aws_params_get(params, S("Expires"));
    int64_t seconds;
    auth->presigned = true;
    auth->access_key_id = aws_params_get(params, S("AWSAccessKeyId"));
    auth->signature = aws_params_get(params, S("Signature"));
    auth->session_token = aws_params_get(params, S("x-amz-security-token"));
    if (!auth->access_key_id.len || !auth->signature.len || !expires.ptr)
        return failed(SIGV4_PRESIGN_MALFORMED, "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters");
    if (!slice_to_i64(expires, 0, INT64_C(253402300799), &seconds))
        return failed(SIGV4_PRESIGN_MALFORMED, "Invalid date (should be seconds since epoch)");
    auth->time = (struct instant){.ms = seconds * 1000};
    return failed(SIGV4_OK, NULL);
}

static struct sigv4_result parse_header(struct arena *arena, const struct aws_request *request, struct slice value, struct sigv4_auth *auth)
{
    auth->authorization = value;
    auth->session_token = aws_header_get(request->headers, S("x-amz-security-token"));
    struct slice rest = slice_trim(slice_from(value, sizeof("AWS ") - 1)), id, signature;
    if (!slice_starts_with(value, S("AWS ")) || !slice_split(rest, ':', &id, &signature) || !id.len || !signature.len)
        return failed(SIGV4_MALFORMED, "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature");
    auth->access_key_id = id;
    auth->signature = signature;
    struct slice date = aws_header_get(request->headers, S("x-amz-date"));
    if (!date.ptr)
        date = aws_header_get(request->headers, S("Date"));
    if (!date.ptr || !(instant_parse_rfc1123(date, &auth->time) || instant_parse_basic(date, &auth->time)))
        return failed(SIGV4_MALFORMED, "AWS authentication requires a valid Date or x-amz-date header");
    auth->amz_date = instant_basic(arena, auth->time);
    return failed(SIGV4_OK, NULL);
}

struct sigv4_result sigv2_parse(struct arena *arena, const struct aws_request *request, struct sigv4_auth *ret_auth)
{
    struct sigv4_auth auth = {.version2 = true, .expires_s = -1};
    struct slice header = aws_header_get(request->headers, S("Authorization"));
    struct sigv4_result result =
        header.ptr ? parse_header(arena, request, header, &auth) : parse_query(arena, request, &auth);
    *ret_auth = auth;
    return result;
}

struct sigv4_result sigv2_check_clock(const struct sigv4_auth *auth, struct instant now)
{
    if (auth->presigned)
        return failed(now.ms > auth->time.ms ? SIGV4_PRESIGN_EXPIRED : SIGV4_OK, NULL);
    if (auth->time.ms < now.ms - SKEW_MS)
        return failed(SIGV4_TOO_OLD, NULL);
    return failed(auth->time.ms > now.ms + SKEW_MS ? SIGV4_TOO_NEW : SIGV4_OK, NULL);
}

/* A header, or the query parameter that stands for it in a presigned URL. */
static struct slice header_or_param(const struct sigv4_auth *auth, const struct aws_request *request, struct aws_params params,
                                    struct slice name)
{
    struct slice value = aws_header_get(request->headers, name);
    if (value.ptr)
        return value;
    for (size_t i = 0; auth->presigned && i < params.count; i++)
        if (slice_eq_nocase(params.items[i].name, name))
            return params.items[i].value;
    return SLICE_NONE;
}

struct amz_header {
    struct slice name, value;
    size_t order; /* as it came: values of one name are joined so */
};

static int by_name(const void *a, const void *b)
{
    const struct amz_header *left = a, *right = b;
    int names = slice_cmp(left->name, right->name);
    return names ? names : (left->order > right->order) - (left->order < right->order);
}

static void add_amz(struct arena *arena, struct amz_header *items, size_t *count, struct slice name, struct slice value)
{
    if (!slice_starts_with_nocase(name, S("x-amz-")))
        return;
    items[*count] = (struct amz_header){.name = slice_lower(arena, name), .value = slice_trim(value), .order = *count};
    (*count)++;
}

/* x-amz-* of the headers, and of a presigned URL's query: "name:value,value\n", sorted. */
static void append_amz(struct arena *arena, struct strbuf *out, const struct sigv4_auth *auth, const struct aws_request *request,
                       struct aws_params params)
{
    struct amz_header *items = ARENA_ARRAY(arena, request->headers.count + params.count + 1, struct amz_header);
    size_t count = 0;
    for (size_t i = 0; i < request->headers.count; i++)
        add_amz(arena, items, &count, request->headers.items[i].name, request->headers.items[i].value);
    for (size_t i = 0; auth->presigned && i < params.count; i++)
        add_amz(arena, items, &count, params.items[i].name, params.items[i].value);
    qsort(items, count, sizeof(items[0]), by_name);
    for (size_t i = 0; i < count; i++) {
        bool first = !i || !slice_eq(items[i].name, items[i - 1].name), last = i + 1 == count || !slice_eq(items[i].name, items[i + 1].name);
        if (first)
            strbuf_append_fmt(out, "%.*s:", SLICE_ARG(items[i].name));
        strbuf_append(out, items[i].value);
        strbuf_append_char(out, last ? '\n' : ',');
    }
}

/* "/bucket/key?acl&versionId=3": the path as on the wire, the sub-resources' values decoded. */
static void append_resource(struct strbuf *out, const struct aws_request *request, struct slice path, struct aws_params params)
{
    if (request->bucket.ptr)
        strbuf_append_fmt(out, "/%.*s", SLICE_ARG(request->bucket));
    strbuf_append(out, path);
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

/* What is signed is separated by line feeds, and names from values by colons: a decoded one would let the same text be cut elsewhere. And
 * nothing behind a NUL would be in it. */
static bool has_stop(struct slice text)
{
    return slice_index(text, '\n') >= 0 || slice_has_nul(text);
}

static bool has_stops(struct aws_params params)
{
    for (size_t i = 0; i < params.count; i++)
        if (has_stop(params.items[i].name) || slice_index(params.items[i].name, ':') >= 0 || has_stop(params.items[i].value))
            return true;
    return false;
}

/* The line of the date: when the URL expires; of a header nothing when x-amz-date is there, which is among the x-amz-*. */
static struct slice date_line(struct arena *arena, const struct sigv4_auth *auth, const struct aws_request *request)
{
    if (auth->presigned)
        return slice_fmt(arena, "%lld", (long long)(auth->time.ms / 1000));
    return aws_header_get(request->headers, S("x-amz-date")).ptr ? S("") : aws_header_get(request->headers, S("Date"));
}

bool sigv2_text_matches(struct arena *arena, struct slice secret, struct slice text, struct slice signature)
{
    uint8_t mac[20];
    hmac_sha1(secret, text, mac);
    return secret_equal(base64_encode(arena, slice_of((const char *)mac, sizeof(mac))), signature);
}

struct sigv4_result sigv2_check_signature(struct arena *arena, const struct sigv4_auth *auth, const struct aws_request *request,
                                          struct slice secret)
{
    struct aws_params params;
    if (!aws_params_parse(arena, request->query, AWS_PLUS_KEPT, &params) || has_stops(params))
        return failed(SIGV4_MISMATCH, NULL);
    struct strbuf text = STRBUF_ARENA(arena);
    strbuf_append_fmt(&text, "%.*s\n%.*s\n%.*s\n%.*s\n", SLICE_ARG(request->method),
                      SLICE_ARG(header_or_param(auth, request, params, S("content-md5"))),
                      SLICE_ARG(header_or_param(auth, request, params, S("content-type"))), SLICE_ARG(date_line(arena, auth, request)));
    append_amz(arena, &text, auth, request, params);
    size_t len = text.len;
    append_resource(&text, request, request->path, params);
    bool same = sigv2_text_matches(arena, secret, strbuf_slice(&text), auth->signature);
    if (!same && !request->bucket.ptr && slice_rindex(request->path, '/') == 0) {
        strbuf_truncate(&text, len); /* botocore sends /bucket and signs /bucket/, which is the same resource */
        append_resource(&text, request, slice_fmt(arena, "%.*s/", SLICE_ARG(request->path)), params);
        same = sigv2_text_matches(arena, secret, strbuf_slice(&text), auth->signature);
    }
    return failed(same ? SIGV4_OK : SIGV4_MISMATCH, NULL);
}

struct sigv4_result sigv2_check(struct arena *arena, const struct sigv4_auth *auth, const struct aws_request *request, struct slice secret,
                                struct instant now)
{
    struct sigv4_result clock = sigv2_check_clock(auth, now);
    return clock.check == SIGV4_OK ? sigv2_check_signature(arena, auth, request, secret) : clock;
}
