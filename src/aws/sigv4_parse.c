/* sigv4_parse: the Authorization header and the presigned query. */
#include "aws/sigv4.h"
#include "base/arena.h"
#include "base/strbuf.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define AUTHORIZATION_MAX_BYTES 8192
#define MAX_SIGNED_HEADERS_BYTES 4096
#define SIGNED_HEADERS_MAX 256 /* more than a request may have (http/parser.h) */

static struct sigv4_result failed(enum sigv4_check check, struct slice text)
{
    return (struct sigv4_result){.check = check, .text = text};
}

bool sigv4_is_present(const struct aws_request *request)
{
    struct slice header = aws_header_get(request->headers, S("Authorization"));
    if (header.ptr)
        return slice_starts_with(header, S("AWS4-")) || !slice_starts_with(header, S("AWS "));
    return slice_find(request->query, S("X-Amz-Algorithm=")) >= 0 ||
           slice_find(request->query, S("X-Amz-Credential=")) >= 0 ||
           slice_find(request->query, S("X-Amz-Signature=")) >= 0;
}

static bool is_hex64(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!((text.ptr[i] >= '0' && text.ptr[i] <= '9') || (text.ptr[i] >= 'a' && text.ptr[i] <= 'f')))
            return false;
    return text.len == 64;
}

/* key/date/region/service/aws4_request. The terminator is checked with the scope. */
bool sigv4_parse_credential(struct slice credential, struct sigv4_auth *auth)
{
    struct slice rest = credential, parts[5];
    for (size_t i = 0; i < 5; i++) {
        if (!rest.ptr)
            return false;
        parts[i] = slice_cut(&rest, '/');
    }
    if (rest.ptr || !parts[0].len)
        return false;
    auth->access_key_id = parts[0];
    auth->date = parts[1];
    auth->region = parts[2];
    auth->service = parts[3];
    auth->scope = slice_from(credential, parts[0].len + 1);
    return true;
}

/* Each header's values are written once into what is signed: else a short list of names makes gigabytes of a long header. No client names one
 * twice. */
static bool are_distinct(struct slice signed_headers)
{
    struct slice seen[SIGNED_HEADERS_MAX];
    size_t count = 0;
    for (struct slice rest = signed_headers; rest.ptr;) {
        struct slice name = slice_cut(&rest, ';');
        if (count == SIGNED_HEADERS_MAX)
            return false;
        for (size_t i = 0; i < count; i++)
            if (slice_eq_nocase(seen[i], name))
                return false;
        seen[count++] = name;
    }
    return true;
}

static void append_sentence(struct strbuf *out, const char *sentence)
{
    if (out->len)
        strbuf_append_char(out, ' ');
    strbuf_append_cstr(out, sentence);
}

static bool header_date(struct arena *arena, const struct aws_request *request, struct sigv4_auth *auth)
{
    struct slice text = aws_header_get(request->headers, S("X-Amz-Date"));
    if (text.ptr) {
        auth->amz_date = text;
        return instant_parse_basic(text, &auth->time);
    }
    text = aws_header_get(request->headers, S("Date"));
    if (!text.ptr || !(instant_parse_rfc1123(text, &auth->time) || instant_parse_basic(text, &auth->time)))
        return false;
    auth->amz_date = instant_basic(arena, auth->time);
    return true;
}

static struct sigv4_result parse_header(struct arena *arena, const struct aws_request *request, struct slice value,
                                        struct sigv4_auth *auth)
{
    auth->authorization = value;
    if (value.len > AUTHORIZATION_MAX_BYTES)
        return failed(SIGV4_MALFORMED, S("Authorization header is too long."));
    struct slice algorithm, rest;
    if (!slice_split(value, ' ', &algorithm, &rest)) {
        algorithm = value;
        rest = S("");
    }
    if (!slice_eq(algorithm, S(ALGORITHM)))
        return failed(SIGV4_ALGORITHM,
                      slice_fmt(arena, "Unsupported AWS 'algorithm': '%.*s'.", SLICE_ARG(slice_sub(algorithm, 0, 64))));
    struct slice credential = SLICE_NONE;
    while (rest.ptr) {
        struct slice piece = slice_trim(slice_cut(&rest, ','));
        struct slice name, text;
        if (!piece.len)
            continue;
        if (!slice_split(piece, '=', &name, &text))
            return failed(
                SIGV4_MALFORMED,
                slice_fmt(arena,
                          "'%.*s' not a valid key=value pair (missing equal-sign) in Authorization header: '%.*s'.",
                          SLICE_ARG(piece), SLICE_ARG(value)));
        if (slice_eq(name, S("Credential")))
            credential = text;
        else if (slice_eq(name, S("SignedHeaders")))
            auth->signed_headers = text;
        else if (slice_eq(name, S("Signature")))
            auth->signature = text;
    }
    struct strbuf missing = STRBUF_ARENA(arena);
    if (!credential.len)
        append_sentence(&missing, "Authorization header requires 'Credential' parameter.");
    if (!auth->signature.len)
        append_sentence(&missing, "Authorization header requires 'Signature' parameter.");
    if (!auth->signed_headers.len)
        append_sentence(&missing, "Authorization header requires 'SignedHeaders' parameter.");
    if (!header_date(arena, request, auth))
        append_sentence(&missing,
                        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
    if (missing.len) {
        strbuf_append_fmt(&missing, " Authorization=%.*s", SLICE_ARG(value));
        return failed(SIGV4_MALFORMED, strbuf_slice(&missing));
    }
    if (!sigv4_parse_credential(credential, auth))
        return failed(SIGV4_MALFORMED, slice_fmt(arena,
                                                 "Credential must have exactly 5 slash-delimited elements, e.g. "
                                                 "keyid/date/region/service/term, got '%.*s'",
                                                 SLICE_ARG(credential)));
    if (auth->signed_headers.len > MAX_SIGNED_HEADERS_BYTES)
        return failed(SIGV4_MALFORMED, S("Too many signed headers."));
    auth->session_token = aws_header_get(request->headers, S("X-Amz-Security-Token"));
    auth->expires_s = -1;
    return failed(SIGV4_OK, SLICE_NONE);
}

static struct sigv4_result parse_query(struct arena *arena, const struct aws_request *request, struct sigv4_auth *auth)
{
    struct aws_params params;
    aws_params_parse(arena, request->query, AWS_PLUS_KEPT, &params);
    auth->presigned = true;
    auth->signed_headers = aws_params_get(params, S("X-Amz-SignedHeaders"));
    auth->signature = aws_params_get(params, S("X-Amz-Signature"));
    auth->amz_date = aws_params_get(params, S("X-Amz-Date"));
    auth->session_token = aws_params_get(params, S("X-Amz-Security-Token"));
    struct slice algorithm = aws_params_get(params, S("X-Amz-Algorithm")),
                 expires = aws_params_get(params, S("X-Amz-Expires"));
    struct slice credential = aws_params_get(params, S("X-Amz-Credential"));
    if (algorithm.ptr && !slice_eq(algorithm, S(ALGORITHM)))
        return failed(SIGV4_ALGORITHM,
                      slice_fmt(arena, "Unsupported AWS 'algorithm': '%.*s'.", SLICE_ARG(slice_sub(algorithm, 0, 64))));
    if (!algorithm.ptr || !auth->signed_headers.len || !auth->signature.len || !auth->amz_date.len || !credential.len)
        return failed(SIGV4_PRESIGN_MALFORMED,
                      S("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                        "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."));
    if (auth->signed_headers.len > MAX_SIGNED_HEADERS_BYTES)
        return failed(SIGV4_PRESIGN_MALFORMED, S("Too many signed headers."));
    if (!sigv4_parse_credential(credential, auth))
        return failed(SIGV4_PRESIGN_MALFORMED,
                      S("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
                        "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."));
    if (!instant_parse_basic(auth->amz_date, &auth->time))
        return failed(SIGV4_PRESIGN_MALFORMED,
                      S("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""));
    auth->expires_s = -1;
    if (!slice_eq(auth->service, S("s3")))
        return failed(SIGV4_OK, SLICE_NONE); /* STS and the others ignore X-Amz-Expires */
    if (expires.ptr && !slice_to_i64(expires, INT32_MIN, INT32_MAX, &auth->expires_s))
        return failed(SIGV4_PRESIGN_MALFORMED, S("X-Amz-Expires should be a number"));
    if (expires.ptr && auth->expires_s < 0)
        return failed(SIGV4_PRESIGN_MALFORMED, S("X-Amz-Expires must be non-negative"));
    if (auth->expires_s > 604800)
        return failed(SIGV4_PRESIGN_MALFORMED,
                      S("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be "
                        "less than 604800 seconds"));
    return failed(SIGV4_OK, SLICE_NONE);
}

static bool has_two_authorizations(const struct aws_request *request)
{
    size_t count = 0;
    for (size_t i = 0; i < request->headers.count; i++)
        count += slice_eq_nocase(request->headers.items[i].name, S("Authorization"));
    return count > 1;
}

struct sigv4_result sigv4_parse(struct arena *arena, const struct aws_request *request, struct sigv4_auth *ret_auth)
{
    struct sigv4_auth auth = {.expires_s = -1};
    struct sigv4_result result;
    struct slice header = aws_header_get(request->headers, S("Authorization"));
    if (header.ptr)
        result = parse_header(arena, request, header, &auth);
    else if (sigv4_is_present(request))
        result = parse_query(arena, request, &auth);
    else
        return failed(SIGV4_NO_CREDENTIALS, SLICE_NONE);
    *ret_auth = auth;
    /* Two readers could take one each. */
    if (result.check == SIGV4_OK && has_two_authorizations(request))
        return failed(SIGV4_TWO_WAYS, S("The Authorization header must be given once."));
    if (result.check == SIGV4_OK && header.ptr && slice_eq(auth.service, S("s3")) &&
        (slice_find(request->query, S("X-Amz-Algorithm=")) >= 0 || slice_find(request->query, S("AWSAccessKeyId=")) >= 0))
        return failed(SIGV4_TWO_WAYS, SLICE_NONE);
    if (result.check == SIGV4_OK && (!is_hex64(auth.signature) || !are_distinct(auth.signed_headers)))
        return failed(SIGV4_MISMATCH, SLICE_NONE);
    return result;
}
