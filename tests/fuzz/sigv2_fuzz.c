/* sigv2_fuzz: S3's presigned URLs of version 2. Line one a query as it came: nobody gets in. Lines two to five: a key, a version, a token and a
 * content type, signed here as the S3 user guide says: it is accepted, and refused once a byte of the query is another. */
#include "aws/sigv2.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include "fuzz.h"

#define NOW ((struct instant){1795295400000})
#define SECRET S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
#define EXPIRES "1795295460"

static enum sigv4_check verify(struct arena *arena, const struct aws_request *request, struct slice secret)
{
    struct sigv4_auth auth;
    struct sigv4_result result = sigv2_parse(arena, request, &auth);
    if (result.check == SIGV4_OK)
        result = sigv2_check_clock(&auth, NOW);
    if (result.check == SIGV4_OK)
        result = sigv2_check_signature(arena, &auth, request, secret);
    return result.check;
}

static struct slice text_of(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.ptr[i] <= ' ' || line.ptr[i] == 0x7f)
            return slice_sub(line, 0, i);
    return line;
}

static void sign_and_verify(struct arena *arena, struct slice key, struct slice version, struct slice token, struct slice type, size_t at)
{
    struct aws_header header = {S("Content-Type"), type};
    struct slice path = slice_fmt(arena, "/bucket/%.*s", SLICE_ARG(uri_encode(arena, key, URI_KEEP_SLASH)));
    struct strbuf text = STRBUF_ARENA(arena), query = STRBUF_ARENA(arena);
    strbuf_append_fmt(&text, "GET\n\n%.*s\n" EXPIRES "\n", SLICE_ARG(type));
    strbuf_append_cstr(&query, "AWSAccessKeyId=AKID&Expires=" EXPIRES);
    if (token.len) {
        strbuf_append_fmt(&text, "x-amz-security-token:%.*s\n", SLICE_ARG(token));
        strbuf_append_fmt(&query, "&x-amz-security-token=%.*s", SLICE_ARG(uri_encode(arena, token, URI_ENCODE_SLASH)));
    }
    strbuf_append(&text, path);
    if (version.len) {
        strbuf_append_fmt(&text, "?versionId=%.*s", SLICE_ARG(version));
        strbuf_append_fmt(&query, "&versionId=%.*s", SLICE_ARG(uri_encode(arena, version, URI_ENCODE_SLASH)));
    }
    uint8_t mac[20];
    hmac_sha1(SECRET, strbuf_slice(&text), mac);
    struct slice signature = base64_encode(arena, slice_of((const char *)mac, sizeof(mac)));
    strbuf_append_fmt(&query, "&Signature=%.*s", SLICE_ARG(uri_encode(arena, signature, URI_ENCODE_SLASH)));
    struct aws_request request = {.method = S("GET"), .path = path, .query = strbuf_slice(&query), .headers = {&header, type.len ? 1 : 0}};
    ENSURE(verify(arena, &request, SECRET) == SIGV4_OK);
    ENSURE(verify(arena, &request, S("another")) == SIGV4_MISMATCH);
    char *changed = slice_cstr(arena, request.query);
    changed[at % request.query.len] ^= 1;
    struct aws_params before, after;
    aws_params_parse(arena, request.query, AWS_PLUS_KEPT, &before);
    request.query = slice_of(changed, request.query.len);
    aws_params_parse(arena, request.query, AWS_PLUS_KEPT, &after);
    if (verify(arena, &request, SECRET) != SIGV4_OK)
        return;
    /* The key's id is looked up, not signed. */
    for (size_t i = 0; i < before.count; i++)
        ENSURE(slice_eq(before.items[i].name, S("AWSAccessKeyId")) || slice_eq(aws_params_get(after, before.items[i].name), before.items[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size);
    struct aws_request foreign = {.method = S("GET"), .path = S("/bucket/key"), .query = input_line(&input)};
    ENSURE(verify(arena, &foreign, S("a secret nobody guesses")) != SIGV4_OK);
    struct slice key = input_line(&input), version = text_of(input_line(&input)), token = text_of(input_line(&input)), type = text_of(input_line(&input));
    sign_and_verify(arena, key, version, token, type, size * 7);
    arena_free(arena);
    return 0;
}
