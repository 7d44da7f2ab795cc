/* sigv4_refusals_test: everything that can be wrong with a signature, in the words of each protocol: code, status and message. One request is
 * signed well and then spoilt in one place. Source of the words: AWS's answers, see the reference of each service. */
#include "aws/test_util.h"

#include "aws/gen/emr_containers.h"
#include "aws/gen/logs.h"
#include "aws/gen/s3.h"
#include "aws/gen/sts.h"
#include "aws/sigv2.h"
#include "aws/sigv4.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include <string.h>

#define NOW_MS INT64_C(1795295400000) /* 20261121T211000Z */
#define MINUTE_MS 60000
#define SECRET S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
#define REGION S("us-east-1")
#define FAMILIES 4

static const struct aws_service *const services[FAMILIES] = {&sts_service, &logs_service, &emr_containers_service, &s3_service};

enum key_state { KEY_GOOD, KEY_UNKNOWN, KEY_TOKEN_WRONG, KEY_ENDED };

struct spoil {
    const char *header, *from, *to; /* in this header's value; from NULL: the whole of it; to NULL: the header is gone */
    const char *added_name, *added_value;
    int64_t late_ms;
    bool token;
    enum key_state key;
    const char *secret;
    bool unsigned_request;
};

struct expected {
    int status;
    const char *code, *message;
};

static struct slice replaced(struct arena *arena, struct slice text, const char *from, const char *to)
{
    if (!from)
        return slice_from_cstr(to);
    ptrdiff_t at = slice_find(text, slice_from_cstr(from));
    assert_true(at >= 0);
    return slice_fmt(arena, "%.*s%s%.*s", (int)at, text.ptr, to, SLICE_ARG(slice_from(text, (size_t)at + strlen(from))));
}

static struct aws_request request_of(struct arena *arena, const struct aws_service *service, const struct spoil *spoil)
{
    struct aws_header *headers = ARENA_ARRAY(arena, 12, struct aws_header), *given = ARENA_ARRAY(arena, 1, struct aws_header);
    given[0] = (struct aws_header){.name = S("content-type"), .value = S("text/x")};
    struct sigv4_request request = {.method = S("POST"), .host = S("h"), .path = S("/"), .headers = given, .header_count = 1, .body = S("body"),
                                    .region = REGION, .service = service->signing_name};
    struct aws_headers ours = aws_sign_request(arena, &request, &(struct sigv4_credentials){S("AK"), SECRET, spoil->token ? S("token") : SLICE_NONE},
                                               (struct instant){NOW_MS});
    size_t count = 0;
    headers[count++] = (struct aws_header){S("Host"), S("h")};
    headers[count++] = given[0];
    for (size_t i = 0; i < ours.count; i++)
        headers[count++] = ours.items[i];
    for (size_t i = 0; spoil->header && i < count; i++) {
        if (!slice_eq_nocase(headers[i].name, slice_from_cstr(spoil->header)))
            continue;
        if (spoil->to)
            headers[i].value = replaced(arena, headers[i].value, spoil->from, spoil->to);
        else
            headers[i] = headers[--count];
    }
    if (spoil->added_name)
        headers[count++] = (struct aws_header){slice_from_cstr(spoil->added_name), slice_from_cstr(spoil->added_value)};
    return (struct aws_request){.method = request.method, .path = request.path, .query = SLICE_NONE,
                                .headers = {headers, spoil->unsigned_request ? 2 : count}, .body = request.body};
}

/* As the edge goes: form, scope, date, key, token, signature. */
static struct err *refusal(struct arena *arena, const struct aws_service *service, const struct spoil *spoil)
{
    struct aws_request request = request_of(arena, service, spoil);
    struct instant now = {NOW_MS + spoil->late_ms};
    struct slice region = service->protocol == AWS_QUERY ? SLICE_NONE : REGION; /* the global ones take any */
    struct sigv4_auth auth = {0};
    struct sigv4_chain chain;
    struct sigv4_result result = sigv4_parse(arena, &request, &auth);
    if (result.check == SIGV4_OK)
        result = sigv4_check_scope(arena, &auth, &request, service->signing_name, region, now);
    if (result.check == SIGV4_OK && spoil->key != KEY_GOOD)
        result.check = spoil->key == KEY_UNKNOWN ? SIGV4_UNKNOWN_KEY : spoil->key == KEY_ENDED ? SIGV4_EXPIRED_TOKEN : SIGV4_BAD_TOKEN;
    if (result.check == SIGV4_OK)
        result = sigv4_check_signature(arena, &auth, &request, spoil->secret ? slice_from_cstr(spoil->secret) : SECRET, &chain);
    return result.check == SIGV4_OK ? NULL : sigv4_err(arena, service, &auth, result, REGION, now);
}

static void check_refusals(struct arena *arena, const char *name, const struct spoil *spoil, const struct expected expected[FAMILIES])
{
    for (size_t i = 0; i < FAMILIES; i++) {
        struct err *e = refusal(arena, services[i], spoil);
        if (!expected[i].code) {
            if (e)
                fail_msg("%s, %s: %s", name, services[i]->signing_name.ptr, e->message);
            continue;
        }
        if (!e)
            fail_msg("%s, %s: let in", name, services[i]->signing_name.ptr);
        if (strcmp(e->code, expected[i].code) != 0 || aws_error_status(services[i], e) != expected[i].status ||
            strcmp(e->message, expected[i].message) != 0)
            fail_msg("%s, %s: %d %s %s", name, services[i]->signing_name.ptr, aws_error_status(services[i], e), e->code, e->message);
        err_free(e);
    }
}

#define LET_IN {0, NULL, NULL}
#define ALIKE(query_code, json_code, text) {403, query_code, text}, {400, json_code, text}, {403, json_code, text}
#define INCOMPLETE(text) {400, "IncompleteSignature", text}, {400, "IncompleteSignatureException", text}, {403, "IncompleteSignatureException", text}
#define MISMATCH(text) ALIKE("SignatureDoesNotMatch", "InvalidSignatureException", text)
#define MISMATCH_TEXT                                                                                                                             \
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult " \
    "the service documentation for details."
#define MISMATCH_S3                                                                                                                            \
    {403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing " \
                                   "method."}
#define TOKEN_INVALID ALIKE("InvalidClientTokenId", "UnrecognizedClientException", "The security token included in the request is invalid.")
#define MALFORMED_S3(text) {400, "AuthorizationHeaderMalformed", "The authorization header is malformed; " text}
#define THREE_PARTS MALFORMED_S3("the authorization header requires three components: Credential, SignedHeaders, and Signature.")

static void test_each_failure_in_each_protocol(void **state)
{
    static const struct {
        const char *name;
        struct spoil spoil;
        struct expected expected[FAMILIES];
    } rows[] = {
        {"nothing", {0}, {LET_IN, LET_IN, LET_IN, LET_IN}},
        {"no credentials",
         {.unsigned_request = true},
         {{403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
          {400, "MissingAuthenticationTokenException", "Missing Authentication Token"},
          {403, "MissingAuthenticationTokenException", "Missing Authentication Token"},
          {403, "AccessDenied", "Access Denied"}}},
        {"unknown key",
         {.key = KEY_UNKNOWN},
         {TOKEN_INVALID, {403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}}},
        {"wrong token",
         {.token = true, .key = KEY_TOKEN_WRONG},
         {TOKEN_INVALID, {400, "InvalidToken", "The provided token is malformed or otherwise invalid."}}},
        {"no token",
         {.key = KEY_TOKEN_WRONG},
         {TOKEN_INVALID, {403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}}},
        {"session expired",
         {.token = true, .key = KEY_ENDED},
         {ALIKE("ExpiredToken", "ExpiredTokenException", "The security token included in the request is expired"),
          {400, "ExpiredToken", "The provided token has expired."}}},
        {"another secret", {.secret = "x"}, {MISMATCH(MISMATCH_TEXT), MISMATCH_S3}},
        {"signature is no signature", {.header = "Authorization", .from = "Signature=", .to = "Signature=x"}, {MISMATCH(MISMATCH_TEXT), MISMATCH_S3}},
        {"a signed header differs", {.header = "content-type", .to = "text/y"}, {MISMATCH(MISMATCH_TEXT), MISMATCH_S3}},
        {"a signed header is gone", {.header = "content-type"}, {MISMATCH(MISMATCH_TEXT), MISMATCH_S3}},
        {"a quarter of an hour is fine", {.late_ms = 15 * MINUTE_MS}, {LET_IN, LET_IN, LET_IN, LET_IN}},
        {"too old",
         {.late_ms = 15 * MINUTE_MS + 1000},
         {MISMATCH("Signature expired: 20261121T211000Z is now earlier than 20261121T211001Z (20261121T212501Z - 15 min.)"),
          {403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}}},
        {"early within a quarter of an hour", {.late_ms = -15 * MINUTE_MS}, {LET_IN, LET_IN, LET_IN, LET_IN}},
        {"too new",
         {.late_ms = -15 * MINUTE_MS - 1000},
         {MISMATCH("Signature not yet current: 20261121T211000Z is still later than 20261121T210959Z (20261121T205459Z + 15 min.)"),
          {403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}}},
        {"no credential",
         {.header = "Authorization", .to = "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0"},
         {INCOMPLETE("Authorization header requires 'Credential' parameter. Authorization=AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0"), THREE_PARTS}},
        {"no signed headers",
         {.header = "Authorization", .to = "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=0"},
         {INCOMPLETE("Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=0"),
          THREE_PARTS}},
        {"no equal sign",
         {.header = "Authorization", .to = "AWS4-HMAC-SHA256 x"},
         {INCOMPLETE("'x' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 x'."), THREE_PARTS}},
        {"a credential of four pieces",
         {.header = "Authorization", .to = "AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host, Signature=0"},
         {INCOMPLETE("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c/d'"),
          MALFORMED_S3("the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")}},
        {"no date",
         {.header = "X-Amz-Date"},
         {{400, "IncompleteSignature", NULL}, {400, "IncompleteSignatureException", NULL}, {403, "IncompleteSignatureException", NULL},
          {403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"}}},
        {"host not signed",
         {.header = "Authorization", .from = ";host;", .to = ";"},
         {MISMATCH("'Host' must be a 'SignedHeader' in the AWS Authorization."), MISMATCH_S3}},
        {"a header that was not signed",
         {.added_name = "X-Amz-Extra", .added_value = "1"},
         {MISMATCH("'x-amz-extra' must be a 'SignedHeader' in the AWS Authorization."),
          {403, "AccessDenied", "There were headers present in the request which were not signed"}}},
        {"a token that was not signed",
         {.added_name = "x-amz-security-token", .added_value = "t"},
         {MISMATCH("'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization."),
          {403, "AccessDenied", "There were headers present in the request which were not signed"}}},
        {"the date not signed",
         {.header = "Authorization", .from = ";x-amz-date", .to = ""},
         {MISMATCH("'x-amz-date' must be a 'SignedHeader' in the AWS Authorization."),
          {403, "AccessDenied", "There were headers present in the request which were not signed"}}},
        {"another region",
         {.header = "Authorization", .from = "us-east-1", .to = "eu-west-1"},
         {{403, "SignatureDoesNotMatch", MISMATCH_TEXT}, /* it may be anywhere, but the signature is not for there */
          {400, "InvalidSignatureException", "Credential should be scoped to a valid region."},
          {403, "InvalidSignatureException", "Credential should be scoped to a valid region."},
          MALFORMED_S3("the region 'eu-west-1' is wrong; expecting 'us-east-1'")}},
        {"another terminator",
         {.header = "Authorization", .from = "/aws4_request", .to = "/aws5_request"},
         {MISMATCH("Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."),
          MALFORMED_S3("incorrect terminal \"aws5_request\". This endpoint uses \"aws4_request\".")}},
        {"another day",
         {.header = "Authorization", .from = "/20261121/", .to = "/20261120/"},
         {MISMATCH("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261120' != '20261121', from "
                   "'20261121T211000Z'."),
          MALFORMED_S3("Invalid credential date \"20261120\". This date is not the same as X-Amz-Date: \"20261121\".")}},
        {"SigV4A",
         {.header = "Authorization", .from = "AWS4-HMAC-SHA256", .to = "AWS4-ECDSA-P256-SHA256"},
         {INCOMPLETE("Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."),
          {400, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."}}},
        {"no signature at all of ours",
         {.header = "Authorization", .to = "Bearer abc"},
         {INCOMPLETE("Unsupported AWS 'algorithm': 'Bearer'."),
          {400, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."}}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct expected expected[FAMILIES];
        memcpy(expected, rows[i].expected, sizeof(expected));
        for (size_t k = 0; k < FAMILIES; k++)
            if (expected[k].code && !expected[k].message) {
                struct aws_request request = request_of(*state, services[k], &rows[i].spoil);
                expected[k].message = slice_fmt(*state,
                                                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
                                                "Authorization=%.*s",
                                                SLICE_ARG(aws_header_get(request.headers, S("Authorization"))))
                                          .ptr;
            }
        check_refusals(*state, rows[i].name, &rows[i].spoil, expected);
    }
}

static void test_a_scope_of_another_service(void **state)
{
    static const char *const to[FAMILIES] = {"/iam/", "/iam/", "/iam/", "/iam/"};
    static const struct expected expected[FAMILIES] = {
        {403, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sts'. "},
        {400, "InvalidSignatureException", "Credential should be scoped to correct service: 'logs'. "},
        {403, "InvalidSignatureException", "Credential should be scoped to correct service: 'emr-containers'. "},
        MALFORMED_S3("incorrect service \"iam\". This endpoint belongs to \"s3\"."),
    };
    for (size_t i = 0; i < FAMILIES; i++) {
        struct spoil spoil = {.header = "Authorization", .from = slice_fmt(*state, "/%.*s/", SLICE_ARG(services[i]->signing_name)).ptr, .to = to[i]};
        struct err *e = refusal(*state, services[i], &spoil);
        assert_non_null(e);
        assert_string_equal(e->message, expected[i].message);
        assert_string_equal(e->code, expected[i].code);
        assert_int_equal(aws_error_status(services[i], e), expected[i].status);
        err_free(e);
    }
}

/* What only S3 knows: its payload header, and elements beside the message. */
static void test_payload_headers_of_s3(void **state)
{
    static const struct {
        const char *value, *code;
        int status;
        const char *message;
    } rows[] = {
        {NULL, "InvalidRequest", 400, "Missing required header for this request: x-amz-content-sha256"},
        {"", "InvalidArgument", 400, NULL},
        {"e3b0", "InvalidArgument", 400, NULL},
        {"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "NotImplemented", 501, "A header you provided implies functionality that is not implemented"},
        {"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", "NotImplemented", 501,
         "A header you provided implies functionality that is not implemented"},
        {"UNSIGNED-PAYLOAD", "SignatureDoesNotMatch", 403, NULL}, /* well, but not what was signed */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err *e = refusal(*state, &s3_service, &(struct spoil){.header = "x-amz-content-sha256", .to = rows[i].value});
        assert_non_null(e);
        if (rows[i].message)
            assert_string_equal(e->message, rows[i].message);
        assert_error(e, rows[i].code, rows[i].status);
    }
}

/* ---- presigned ---- */

#define QUERY(algorithm, service, date, rest) \
    "X-Amz-Algorithm=" algorithm "&X-Amz-Credential=AK%2F20261121%2Fus-east-1%2F" service "%2Faws4_request&X-Amz-Date=" date "&X-Amz-SignedHeaders=host" rest
#define SIGNATURE "&X-Amz-Signature=0000000000000000000000000000000000000000000000000000000000000000"

static void test_presigned_queries(void **state)
{
    static const struct {
        const struct aws_service *service;
        const char *query;
        int64_t late_ms;
        const char *code;
        int status;
        const char *message;
    } rows[] = {
        {&s3_service, QUERY("AWS4-HMAC-SHA256", "s3", "20261121T211000Z", "&X-Amz-Expires=60" SIGNATURE), 60000, "SignatureDoesNotMatch", 403, NULL},
        {&s3_service, QUERY("AWS4-HMAC-SHA256", "s3", "20261121T211000Z", "&X-Amz-Expires=60" SIGNATURE), 60001, "AccessDenied", 403,
         "Request has expired"},
        {&s3_service, QUERY("AWS4-HMAC-SHA256", "s3", "20261121T211000Z", "&X-Amz-Expires=604800" SIGNATURE), INT64_C(604800000), "SignatureDoesNotMatch",
         403, NULL},
        {&s3_service, QUERY("AWS4-HMAC-SHA256", "s3", "20261121T211000Z", "&X-Amz-Expires=604801" SIGNATURE), 0, "AuthorizationQueryParametersError", 400,
         "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"},
        {&s3_service, QUERY("AWS4-HMAC-SHA256", "s3", "20261121T211000Z", "&X-Amz-Expires=-1" SIGNATURE), 0, "AuthorizationQueryParametersError", 400,
         "X-Amz-Expires must be non-negative"},
        {&s3_service, QUERY("AWS4-HMAC-SHA256", "s3", "20261121T211000Z", "&X-Amz-Expires=1h" SIGNATURE), 0, "AuthorizationQueryParametersError", 400,
         "X-Amz-Expires should be a number"},
        {&s3_service, QUERY("AWS4-HMAC-SHA256", "s3", "20261121T211000Z", SIGNATURE), 0, "AuthorizationQueryParametersError", 400,
         "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
         "X-Amz-Expires parameters."},
        {&s3_service, QUERY("AWS4-HMAC-SHA256", "s3", "yesterday", "&X-Amz-Expires=60" SIGNATURE), 0, "AuthorizationQueryParametersError", 400,
         "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""},
        {&s3_service, QUERY("AWS4-HMAC-SHA256", "s3", "20261121T211000Z", "&X-Amz-Expires=60" SIGNATURE), -16 * MINUTE_MS, "RequestTimeTooSkewed", 403, NULL},
        {&s3_service, QUERY("AWS4-ECDSA-P256-SHA256", "s3", "20261121T211000Z", "&X-Amz-Expires=60" SIGNATURE), 0, "InvalidRequest", 400,
         "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."},
        {&s3_service, QUERY("AWS4-HMAC-SHA256", "sts", "20261121T211000Z", "&X-Amz-Expires=60" SIGNATURE), 0, "AuthorizationQueryParametersError", 400,
         "Error parsing the X-Amz-Credential parameter; incorrect service \"sts\". This endpoint belongs to \"s3\"."},
        {&s3_service, QUERY("AWS4-HMAC-SHA256", "s3", "20261120T211000Z", "&X-Amz-Expires=604800" SIGNATURE), 0, "AuthorizationQueryParametersError", 400,
         "Error parsing the X-Amz-Credential parameter; Invalid credential date \"20261121\". This date is not the same as X-Amz-Date: \"20261120\"."},
        /* STS does not look at X-Amz-Expires: a quarter of an hour, whatever it says */
        {&sts_service, QUERY("AWS4-HMAC-SHA256", "sts", "20261121T211000Z", "&X-Amz-Expires=60" SIGNATURE), 15 * MINUTE_MS, "SignatureDoesNotMatch", 403,
         MISMATCH_TEXT},
        {&sts_service, QUERY("AWS4-HMAC-SHA256", "sts", "20261121T211000Z", "&X-Amz-Expires=9999999" SIGNATURE), 0, "SignatureDoesNotMatch", 403,
         MISMATCH_TEXT},
        {&sts_service, QUERY("AWS4-HMAC-SHA256", "sts", "20261121T211000Z", "&X-Amz-Expires=604800" SIGNATURE), 15 * MINUTE_MS + 1000,
         "SignatureDoesNotMatch", 403, "Signature expired: 20261121T211000Z is now earlier than 20261121T211001Z (20261121T212501Z - 15 min.)"},
        {&sts_service, QUERY("AWS4-ECDSA-P256-SHA256", "sts", "20261121T211000Z", SIGNATURE), 0, "IncompleteSignature", 400,
         "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."},
        {&sts_service, QUERY("AWS4-HMAC-SHA256", "sts", "20261121T211000Z", ""), 0, "IncompleteSignature", 400,
         "AWS query-string parameters must include 'X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-SignedHeaders' and 'X-Amz-Signature'. "
         "Re-examine the query-string parameters."},
        {&emr_containers_service, QUERY("AWS4-HMAC-SHA256", "sts", "20261121T211000Z", SIGNATURE), 0, "InvalidSignatureException", 403,
         "Credential should be scoped to correct service: 'emr-containers'. "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct aws_header host = {S("Host"), S("h")};
        struct aws_request request = {.method = S("GET"), .path = S("/b/k"), .query = slice_from_cstr(rows[i].query), .headers = {&host, 1}, .body = S("")};
        struct sigv4_auth auth = {0};
        struct sigv4_chain chain;
        struct instant now = {NOW_MS + rows[i].late_ms};
        struct sigv4_result result = sigv4_parse(*state, &request, &auth);
        if (result.check == SIGV4_OK)
            result = sigv4_check_scope(*state, &auth, &request, rows[i].service->signing_name, SLICE_NONE, now);
        if (result.check == SIGV4_OK)
            result = sigv4_check_signature(*state, &auth, &request, SECRET, &chain);
        struct err *e = sigv4_err(*state, rows[i].service, &auth, result, REGION, now);
        assert_non_null(e);
        if (strcmp(e->code, rows[i].code) != 0 || (rows[i].message && strcmp(rows[i].message, e->message) != 0))
            fail_msg("row %zu: %s %s", i, e->code, e->message);
        assert_error(e, rows[i].code, rows[i].status);
    }
}

static void test_one_way_to_sign_at_a_time(void **state)
{
    struct aws_request request = request_of(*state, &s3_service, &(struct spoil){0});
    struct sigv4_auth auth = {0};
    request.query = S("X-Amz-Algorithm=AWS4-HMAC-SHA256");
    struct sigv4_result result = sigv4_parse(*state, &request, &auth);
    assert_int_equal(result.check, SIGV4_TWO_WAYS);
    struct err *e = sigv4_err(*state, &s3_service, &auth, result, REGION, (struct instant){NOW_MS});
    assert_string_equal(e->message, "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the "
                                    "Authorization header should be specified");
    assert_error(e, "InvalidArgument", 400);
}

static void test_two_authorization_headers_are_refused(void **state)
{
    static const struct aws_service *two[] = {&s3_service, &logs_service};
    static const char *codes[] = {"InvalidArgument", "InvalidSignatureException"};
    for (size_t i = 0; i < ARRAY_SIZE(two); i++) {
        struct aws_request request = request_of(*state, two[i], &(struct spoil){0});
        struct aws_header *headers = ARENA_ARRAY(*state, request.headers.count + 1, struct aws_header);
        memcpy(headers, request.headers.items, request.headers.count * sizeof(*headers));
        headers[request.headers.count] = (struct aws_header){S("authorization"), S("AWS4-HMAC-SHA256 x=y")};
        request.headers = (struct aws_headers){headers, request.headers.count + 1};
        struct sigv4_auth auth = {0};
        struct sigv4_result result = sigv4_parse(*state, &request, &auth);
        assert_int_equal(result.check, SIGV4_TWO_WAYS);
        assert_error(sigv4_err(*state, two[i], &auth, result, REGION, (struct instant){NOW_MS}), codes[i], 400);
    }
}

/* The signature is good each time: what is refused is the list of names. */
static void test_a_header_is_signed_once(void **state)
{
    static const struct {
        const char *names;
        enum sigv4_check check;
    } rows[] = {
        {"content-type;host;x-amz-date", SIGV4_OK},
        {"content-type;host;x-absent;x-amz-date", SIGV4_OK},
        {"content-type;host;host;x-amz-date", SIGV4_MISMATCH},
        {"content-type;Content-Type;host;x-amz-date", SIGV4_MISMATCH},
        {"content-type;host;x-amz-date;;", SIGV4_MISMATCH},
    };
    struct instant now = {NOW_MS};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct aws_header headers[] = {{S("Host"), S("h")}, {S("Content-Type"), S("text/x")}, {S("X-Amz-Date"), S("20261121T211000Z")}, {S("Authorization"), S("")}};
        struct aws_request request = {.method = S("POST"), .path = S("/"), .query = SLICE_NONE, .headers = {headers, ARRAY_SIZE(headers)}, .body = S("")};
        struct slice scope = S("20261121/us-east-1/sts/aws4_request"), names = slice_from_cstr(rows[i].names);
        uint8_t key[32];
        char signature[64];
        sigv4_signing_key(SECRET, S("20261121"), REGION, S("sts"), key);
        sigv4_signature(*state, key, headers[2].value, scope,
                        sigv4_canonical_request(*state, &request, SIGV4_TABS_ARE_BLANKS, S("/"), names, S(SHA256_OF_NOTHING)), signature);
        headers[3].value = slice_fmt(*state, "AWS4-HMAC-SHA256 Credential=AK/%.*s, SignedHeaders=%.*s, Signature=%.64s", SLICE_ARG(scope), SLICE_ARG(names), signature);
        struct sigv4_auth auth = {0};
        struct sigv4_chain chain;
        struct sigv4_result result = sigv4_parse(*state, &request, &auth);
        if (result.check == SIGV4_OK)
            result = sigv4_check_scope(*state, &auth, &request, S("sts"), SLICE_NONE, now);
        if (result.check == SIGV4_OK)
            result = sigv4_check_signature(*state, &auth, &request, SECRET, &chain);
        if (result.check != rows[i].check)
            fail_msg("%s: %d", rows[i].names, (int)result.check);
    }
}

static void test_a_url_names_no_more_headers_than_a_header_may(void **state)
{
    struct strbuf query = STRBUF_ARENA(*state);
    struct aws_header host = {S("Host"), S("h")};
    strbuf_append_cstr(&query, QUERY("AWS4-HMAC-SHA256", "s3", "20261121T211000Z", ""));
    for (int i = 0; i < 2000; i++)
        strbuf_append_fmt(&query, "%%3Bx%d", i);
    strbuf_append_cstr(&query, "&X-Amz-Expires=60" SIGNATURE);
    struct aws_request request = {.method = S("GET"), .path = S("/b/k"), .query = strbuf_slice(&query), .headers = {&host, 1}, .body = S("")};
    struct sigv4_auth auth = {0};
    struct sigv4_result result = sigv4_parse(*state, &request, &auth);
    assert_int_equal(result.check, SIGV4_PRESIGN_MALFORMED);
    assert_error(sigv4_err(*state, &s3_service, &auth, result, REGION, (struct instant){NOW_MS}), "AuthorizationQueryParametersError", 400);
}

static void test_tabs_inside_a_value_are_blanks_or_kept(void **state)
{
    struct aws_header header = {S("x-amz-meta-a"), S(" a \t b\tc  d ")};
    struct aws_request request = {.method = S("GET"), .path = S("/"), .headers = {&header, 1}};
    static const char *expected[] = {"x-amz-meta-a:a b c d\n", "x-amz-meta-a:a \t b\tc d\n"};
    for (int tabs = SIGV4_TABS_ARE_BLANKS; tabs <= SIGV4_TABS_KEPT; tabs++) {
        struct slice text = sigv4_canonical_request(*state, &request, (enum sigv4_tabs)tabs, S("/"), S("x-amz-meta-a"), S("hash"));
        assert_true(slice_find(text, slice_from_cstr(expected[tabs])) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_failure_in_each_protocol),
        TEST(test_a_scope_of_another_service),
        TEST(test_payload_headers_of_s3),
        TEST(test_presigned_queries),
        TEST(test_one_way_to_sign_at_a_time),
        TEST(test_two_authorization_headers_are_refused),
        TEST(test_a_header_is_signed_once),
        TEST(test_a_url_names_no_more_headers_than_a_header_may),
        TEST(test_tabs_inside_a_value_are_blanks_or_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
