/* sigv4_sign_fuzz: first byte: service, header or query, and where to change what; then a request as it comes over the wire. Signed by
 * our signer it must verify; with one bit changed it may only verify when it still means the same: else a changed request gets in. */
#include "aws/sigv4.h"
#include "base/digest.h"
#include "base/encode.h"
#include "fuzz.h"
#include "http/parser.h"
#include <string.h>

#define NOW ((struct instant){1795295400000}) /* 20261121T211000Z */
#define KEY S("AKIDEXAMPLE")
#define SECRET S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
#define REGION S("us-east-1")

/* Of the request under way: what came, and room for what the signer adds. */
enum { HEADERS_MAX = 20, ADDED_MAX = 5 };
static struct aws_header headers[HEADERS_MAX + ADDED_MAX];

/* Over the wire to what is signed. False: HTTP refuses it, or the signer sets these itself. */
static bool read_request(struct arena *arena, struct slice wire, struct aws_request *ret)
{
    struct http_head head;
    const char *why;
    size_t scanned = 0, len;
    int status;
    if (http_head_scan(wire, &scanned, &len, &status) != HTTP_SCAN_COMPLETE ||
        http_head_parse(arena, slice_sub(wire, 0, len), &head, &why) || head.headers.count > HEADERS_MAX || head.path.ptr[0] != '/')
        return false;
    size_t count = 0;
    for (size_t i = 0; i < head.headers.count; i++) {
        struct slice name = head.headers.items[i].name;
        if (slice_starts_with_nocase(name, S("x-amz-")) || slice_eq_nocase(name, S("authorization")) || name.len > 100)
            return false;
        if (!slice_eq_nocase(name, S("host")))
            headers[count++] = (struct aws_header){name, head.headers.items[i].value};
    }
    if (slice_find(head.query, S("-")) >= 0 || slice_find(head.query, S("AccessKeyId")) >= 0 || slice_find(head.query, S("%2")) >= 0)
        return false; /* X-Amz-… of its own */
    *ret = (struct aws_request){
        .method = head.method, .path = head.path, .query = head.query, .headers = {headers, count}, .body = slice_from(wire, len)};
    return true;
}

static void add_header(struct aws_request *request, struct slice name, struct slice value)
{
    headers[request->headers.count++] = (struct aws_header){name, value};
}

static void sign_with_header(struct arena *arena, struct aws_request *request, struct slice service)
{
    struct aws_headers added = aws_sign_request(arena,
                                                &(struct sigv4_request){.method = request->method,
                                                                        .host = S("h.example"),
                                                                        .path = request->path,
                                                                        .query = request->query,
                                                                        .headers = request->headers.items,
                                                                        .header_count = request->headers.count,
                                                                        .body = request->body,
                                                                        .region = REGION,
                                                                        .service = service},
                                                &(struct sigv4_credentials){.access_key_id = KEY, .secret = SECRET}, NOW);
    add_header(request, S("Host"), S("h.example"));
    for (size_t i = 0; i < added.count; i++)
        add_header(request, added.items[i].name, added.items[i].value);
}

static void sign_with_query(struct arena *arena, struct aws_request *request, struct slice service)
{
    bool s3 = slice_eq(service, S("s3"));
    struct slice scope = slice_fmt(arena, "20261121/us-east-1/%.*s/aws4_request", SLICE_ARG(service));
    struct slice credential = uri_encode(arena, slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(KEY), SLICE_ARG(scope)), URI_ENCODE_SLASH);
    add_header(request, S("Host"), S("h.example"));
    request->query = slice_fmt(arena, "%.*s%sX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%.*s&X-Amz-Date=20261121T211000Z"
                                      "&X-Amz-Expires=60&X-Amz-SignedHeaders=host",
                               SLICE_ARG(request->query), request->query.len ? "&" : "", SLICE_ARG(credential));
    struct slice path = sigv4_canonical_path(arena, request->path, s3 ? SIGV4_PATH_S3 : SIGV4_PATH_NORMALISED);
    struct slice canonical =
        sigv4_canonical_request(arena, request, SIGV4_TABS_ARE_BLANKS, path, S("host"), s3 ? S("UNSIGNED-PAYLOAD") : sha256_hex(arena, request->body));
    uint8_t key[32];
    char signature[64];
    sigv4_signing_key(SECRET, S("20261121"), REGION, service, key);
    sigv4_signature(arena, key, S("20261121T211000Z"), scope, canonical, signature);
    request->query = slice_fmt(arena, "%.*s&X-Amz-Signature=%.64s", SLICE_ARG(request->query), signature);
}

static enum sigv4_check verify(struct arena *arena, const struct aws_request *request, struct slice service)
{
    struct sigv4_auth auth;
    struct sigv4_chain chain;
    struct sigv4_result result = sigv4_parse(arena, request, &auth);
    if (result.check == SIGV4_OK)
        result = sigv4_check_scope(arena, &auth, request, service, REGION, NOW);
    if (result.check == SIGV4_OK)
        result = sigv4_check_signature(arena, &auth, request, SECRET, &chain);
    return result.check;
}

/* ---- one bit changed ---- */

static bool same_path(struct arena *arena, struct slice a, struct slice b, bool s3)
{
    if (s3)
        return slice_eq(uri_decode(arena, a, URI_PLUS_KEPT), uri_decode(arena, b, URI_PLUS_KEPT));
    return slice_eq(sigv4_canonical_path(arena, a, SIGV4_PATH_NORMALISED), sigv4_canonical_path(arena, b, SIGV4_PATH_NORMALISED));
}

/* The same parameters, in any order. */
static bool same_query(struct arena *arena, struct slice a, struct slice b)
{
    struct aws_params left, right;
    aws_params_parse(arena, a, AWS_PLUS_KEPT, &left);
    aws_params_parse(arena, b, AWS_PLUS_KEPT, &right);
    bool *taken = ARENA_ARRAY(arena, right.count + 1, bool);
    for (size_t i = 0; i < left.count; i++) {
        size_t j = 0;
        while (j < right.count && (taken[j] || !slice_eq(left.items[i].name, right.items[j].name) ||
                                   !slice_eq(left.items[i].value, right.items[j].value)))
            j++;
        if (j == right.count)
            return false;
        taken[j] = true;
    }
    return left.count == right.count;
}

static struct slice with_bit_changed(struct arena *arena, struct slice text, size_t at, unsigned bit)
{
    char *copy = slice_cstr(arena, text);
    copy[at % text.len] ^= (char)(1u << (bit & 7));
    return slice_of(copy, text.len);
}

static void change_and_verify(struct arena *arena, const struct aws_request *request, struct slice service, bool by_query, uint8_t what, uint8_t at)
{
    bool s3 = slice_eq(service, S("s3"));
    struct aws_request changed = *request;
    struct slice *part = what % 4 == 0 ? &changed.method : what % 4 == 1 ? &changed.path : what % 4 == 2 ? &changed.query : &changed.body;
    if (!part->len)
        return;
    *part = with_bit_changed(arena, *part, at, what >> 5);
    if (verify(arena, &changed, service) != SIGV4_OK)
        return;
    ENSURE(slice_eq(changed.method, request->method));
    ENSURE(same_path(arena, changed.path, request->path, s3));
    ENSURE(same_query(arena, changed.query, request->query));
    ENSURE(s3 || by_query || slice_eq(changed.body, request->body)); /* S3's body is checked as it is read */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice services[] = {S_INIT("s3"), S_INIT("emr-containers"), S_INIT("logs"), S_INIT("sts")};
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size);
    uint8_t flags = input_byte(&input), what = input_byte(&input), at = input_byte(&input);
    struct slice service = services[flags & 3];
    struct aws_request request;
    if (read_request(arena, input, &request)) {
        bool by_query = flags & 4;
        (by_query ? sign_with_query : sign_with_header)(arena, &request, service);
        ENSURE(verify(arena, &request, service) == SIGV4_OK);
        change_and_verify(arena, &request, service, by_query, what, at);
    }
    arena_free(arena);
    return 0;
}
