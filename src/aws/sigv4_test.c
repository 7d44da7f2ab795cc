/* sigv4_test: signatures of real clients (tests/vectors/sigv4), every way to be refused, and our own signing. */
#include "aws/test_util.h"

#include "aws/gen/emr_containers.h"
#include "aws/gen/logs.h"
#include "aws/gen/s3.h"
#include "aws/gen/sts.h"
#include "aws/sigv4.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/fd.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define NOW ((struct instant){1795295400000}) /* 20261121T211000Z */
#define SECRET S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")

struct vector {
    struct aws_request request;
    struct slice service, secret;
    struct instant now;
};

/* service, now, secret, request line, headers, an empty line, the body in base64. */
static void read_vector(struct arena *arena, struct slice text, struct vector *ret)
{
    struct slice rest = text, value;
    struct slice line = slice_cut(&rest, '\n');
    ret->service = slice_from(line, strlen("service: "));
    line = slice_cut(&rest, '\n');
    assert_true(slice_to_i64(slice_from(line, strlen("now: ")), 0, INT64_MAX, &ret->now.ms));
    line = slice_cut(&rest, '\n');
    ret->secret = slice_from(line, strlen("secret: "));
    value = slice_cut(&rest, '\n');
    ret->request.method = slice_cut(&value, ' ');
    ret->request.path = slice_cut(&value, '?');
    ret->request.query = value;
    struct aws_header *headers = ARENA_ARRAY(arena, 32, struct aws_header);
    size_t count = 0;
    for (line = slice_cut(&rest, '\n'); line.len; line = slice_cut(&rest, '\n')) {
        struct slice name = slice_cut(&line, ':');
        headers[count++] = (struct aws_header){.name = name, .value = slice_trim(line)};
    }
    ret->request.headers = (struct aws_headers){headers, count};
    assert_true(base64_decode(arena, slice_trim(rest), &ret->request.body));
}

static enum sigv4_check verify(struct arena *arena, const struct vector *vector)
{
    struct sigv4_auth auth;
    struct sigv4_chain chain;
    struct sigv4_result result = sigv4_parse(arena, &vector->request, &auth);
    if (result.check == SIGV4_OK)
        result = sigv4_check_scope(arena, &auth, &vector->request, aws_service_find(auth.service)->signing_name,
                                   SLICE_NONE, vector->now);
    if (result.check == SIGV4_OK)
        result = sigv4_check_signature(arena, &auth, &vector->request, vector->secret, &chain);
    return result.check;
}

static void test_requests_of_real_clients_verify(void **state)
{
    const char *root = getenv("EMBER_SOURCE_ROOT");
    struct slice folder = slice_fmt(*state, "%s/tests/vectors/sigv4", root ? root : ".");
    DIR *dir = opendir(slice_cstr(*state, folder));
    assert_non_null(dir);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!slice_ends_with(slice_from_cstr(entry->d_name), S(".txt")))
            continue;
        struct slice text;
        struct vector vector = {0};
        assert_ok(
            file_read(*state, slice_fmt(*state, "%.*s/%s", SLICE_ARG(folder), entry->d_name).ptr, 1 << 20, &text));
        read_vector(*state, text, &vector);
        enum sigv4_check check = verify(*state, &vector);
        if (check != SIGV4_OK)
            fail_msg("%s: check %d failed", entry->d_name, check);
        vector.secret = S("another");
        assert_int_equal(verify(*state, &vector), SIGV4_MISMATCH);
        count++;
    }
    closedir(dir);
    assert_true(count >= 12);
}

/* The example of the S3 documentation; its chunks are in body_test. */
static void test_the_documented_signature_comes_out(void **state)
{
    struct aws_header headers[] = {
        {S("Host"), S("s3.amazonaws.com")},
        {S("x-amz-date"), S("20130524T000000Z")},
        {S("x-amz-storage-class"), S("REDUCED_REDUNDANCY")},
        {S("Content-Encoding"), S("aws-chunked")},
        {S("x-amz-decoded-content-length"), S("66560")},
        {S("Content-Length"), S("66824")},
        {S("x-amz-content-sha256"), S("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")},
        {S("Authorization"), S("AWS4-HMAC-SHA256 "
                               "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                               "aws4_request,SignedHeaders=content-encoding;content-length;"
                               "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,"
                               "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")},
    };
    struct vector vector = {
        .request = {.method = S("PUT"),
                    .path = S("/examplebucket/chunkObject.txt"),
                    .headers = {headers, ARRAY_SIZE(headers)}},
        .secret = S("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        .now = {1369353600000},
    };
    assert_int_equal(verify(*state, &vector), SIGV4_OK);
}

static void test_malformed_headers_are_told_apart(void **state)
{
    static const struct {
        const char *authorization, *date;
        enum sigv4_check check;
        const char *text;
    } rows[] = {
        {"AWS4-HMAC-SHA256 Credential", "20261121T211000Z", SIGV4_MALFORMED,
         "'Credential' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 "
         "Credential'."},
        {"AWS4-HMAC-SHA256", NULL, SIGV4_MALFORMED,
         "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
         "Authorization header requires "
         "'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
         "header. Authorization=AWS4-HMAC-SHA256"},
        {"AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host", "20261121T211000Z", SIGV4_MALFORMED,
         "Authorization header requires 'Signature' parameter. Authorization=AWS4-HMAC-SHA256 "
         "Credential=a/b/c/d/aws4_request, SignedHeaders=host"},
        {"AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host, Signature=0", "20261121T211000Z", SIGV4_MALFORMED,
         "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c/d'"},
        {"AWS4-ECDSA-P256-SHA256 Credential=a", "20261121T211000Z", SIGV4_ALGORITHM,
         "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."},
        {"Bearer x", "20261121T211000Z", SIGV4_ALGORITHM, "Unsupported AWS 'algorithm': 'Bearer'."},
        {"AWS4-HMAC-SHA256 Credential=a/20261121/r/s3/aws4_request, SignedHeaders=host, Signature=xyz",
         "20261121T211000Z", SIGV4_MISMATCH, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct aws_header headers[] = {{S("Authorization"), slice_from_cstr(rows[i].authorization)},
                                       {S("X-Amz-Date"), slice_from_cstr(rows[i].date)}};
        struct aws_request request = {.method = S("GET"), .path = S("/"), .headers = {headers, rows[i].date ? 2 : 1}};
        struct sigv4_auth auth;
        struct sigv4_result result = sigv4_parse(*state, &request, &auth);
        assert_int_equal(result.check, rows[i].check);
        assert_slice(result.text, slice_from_cstr(rows[i].text));
    }
    struct aws_request nothing = {.method = S("GET"), .path = S("/")};
    struct sigv4_auth auth;
    assert_int_equal(sigv4_parse(*state, &nothing, &auth).check, SIGV4_NO_CREDENTIALS);
}

/* A request signed by ourselves, so that one thing at a time can be spoiled. */
static void signed_request(struct arena *arena, struct slice service, struct slice token,
                           struct aws_request *ret_request)
{
    struct aws_header *all = ARENA_ARRAY(arena, 8, struct aws_header);
    all[0] = (struct aws_header){.name = S("content-type"), .value = S("  a   b ")};
    struct sigv4_request request = {.method = S("POST"),
                                    .host = S("h:1"),
                                    .path = S("/a%3Ab/../c"),
                                    .query = S("z=1&a=%20+&a=0"),
                                    .headers = all,
                                    .header_count = 1,
                                    .body = S("body"),
                                    .region = S("r"),
                                    .service = service};
    struct aws_headers ours =
        aws_sign_request(arena, &request, &(struct sigv4_credentials){S("AK"), SECRET, token}, NOW);
    size_t count = 1;
    all[count++] = (struct aws_header){.name = S("Host"), .value = S("h:1")};
    for (size_t i = 0; i < ours.count; i++)
        all[count++] = ours.items[i];
    *ret_request = (struct aws_request){.method = request.method,
                                        .path = request.path,
                                        .query = request.query,
                                        .headers = {all, count},
                                        .body = request.body};
}

static void test_what_we_sign_verifies(void **state)
{
    static const struct slice services[] = {S_INIT("s3"), S_INIT("emr-containers"), S_INIT("logs"), S_INIT("sts")};
    for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
        struct vector vector = {.secret = SECRET, .now = NOW};
        signed_request(*state, services[i], i % 2 ? S("token") : SLICE_NONE, &vector.request);
        assert_int_equal(verify(*state, &vector), SIGV4_OK);
        if (i > 0) { /* S3's body is checked while it is read */
            vector.request.body = S("other");
            assert_int_equal(verify(*state, &vector), SIGV4_MISMATCH);
        }
        vector.request.query = S("z=1&a=%20+");
        assert_int_equal(verify(*state, &vector), SIGV4_MISMATCH);
    }
}

static void test_scope_and_clock_are_checked(void **state)
{
    struct aws_request request;
    struct sigv4_auth auth;
    signed_request(*state, S("logs"), SLICE_NONE, &request);
    assert_int_equal(sigv4_parse(*state, &request, &auth).check, SIGV4_OK);
    assert_int_equal(sigv4_check_scope(*state, &auth, &request, S("logs"), S("r"), NOW).check, SIGV4_OK);
    assert_int_equal(sigv4_check_scope(*state, &auth, &request, S("eks"), S("r"), NOW).check, SIGV4_SCOPE_SERVICE);
    assert_int_equal(sigv4_check_scope(*state, &auth, &request, S("logs"), S("q"), NOW).check, SIGV4_SCOPE_REGION);
    struct sigv4_result old =
        sigv4_check_scope(*state, &auth, &request, S("logs"), S("r"), (struct instant){NOW.ms + 16 * 60 * 1000});
    assert_int_equal(old.check, SIGV4_TOO_OLD);
    assert_slice(
        old.text,
        S("Signature expired: 20261121T211000Z is now earlier than 20261121T211100Z (20261121T212600Z - 15 min.)"));
    struct sigv4_result fresh =
        sigv4_check_scope(*state, &auth, &request, S("logs"), S("r"), (struct instant){NOW.ms - 16 * 60 * 1000});
    assert_int_equal(fresh.check, SIGV4_TOO_NEW);
    auth.date = S("20261120");
    assert_int_equal(sigv4_check_scope(*state, &auth, &request, S("logs"), S("r"), NOW).check, SIGV4_SCOPE_DATE);
    auth.date = S("20261121");
    auth.signed_headers = S("x-amz-date");
    assert_int_equal(sigv4_check_scope(*state, &auth, &request, S("logs"), S("r"), NOW).check, SIGV4_HOST_NOT_SIGNED);
}

static void test_s3_wants_all_its_headers_signed(void **state)
{
    struct aws_request request;
    struct sigv4_auth auth;
    signed_request(*state, S("s3"), SLICE_NONE, &request);
    struct aws_header more[10];
    memcpy(more, request.headers.items, request.headers.count * sizeof(more[0]));
    more[request.headers.count] = (struct aws_header){.name = S("X-Amz-Acl"), .value = S("public-read")};
    request.headers = (struct aws_headers){more, request.headers.count + 1};
    assert_int_equal(sigv4_parse(*state, &request, &auth).check, SIGV4_OK);
    struct sigv4_result result = sigv4_check_scope(*state, &auth, &request, S("s3"), S("r"), NOW);
    assert_int_equal(result.check, SIGV4_HEADERS_NOT_SIGNED);
    assert_slice(result.text, S("x-amz-acl"));
}

static void test_a_presigned_url_ends(void **state)
{
    struct aws_request request = {.method = S("GET"),
                                  .path = S("/b/k"),
                                  .query = S("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20261121%2Fr%2Fs3%"
                                             "2Faws4_request&X-Amz-Date=20261121T211000Z"
                                             "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature="
                                             "0000000000000000000000000000000000000000000000000000000000000000")};
    struct sigv4_auth auth;
    assert_int_equal(sigv4_parse(*state, &request, &auth).check, SIGV4_OK);
    assert_int_equal(
        sigv4_check_scope(*state, &auth, &request, S("s3"), S("r"), (struct instant){NOW.ms + 60000}).check, SIGV4_OK);
    assert_int_equal(
        sigv4_check_scope(*state, &auth, &request, S("s3"), S("r"), (struct instant){NOW.ms + 60001}).check,
        SIGV4_PRESIGN_EXPIRED);
    request.query = S("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20261121%2Fr%2Fs3%2Faws4_request&X-Amz-"
                      "Date=20261121T211000Z"
                      "&X-Amz-Expires=604801&X-Amz-SignedHeaders=host&X-Amz-Signature=00");
    assert_int_equal(sigv4_parse(*state, &request, &auth).check, SIGV4_PRESIGN_MALFORMED);
}

/* The body of a presigned request is signed like any other's: who gets hold of the URL of one question, as every EKS token is one, must not
 * ask another with it. */
static void test_a_presigned_query_is_for_the_body_it_was_made_with(void **state)
{
    struct arena *arena = *state;
    static const struct aws_header host[] = {{S_INIT("Host"), S_INIT("h")}};
    static const struct {
        struct slice signed_body, sent_body;
        enum sigv4_check check;
    } rows[] = {
        {S_INIT(""), S_INIT(""), SIGV4_OK},
        {S_INIT(""), S_INIT("Action=AssumeRole&Version=2011-06-15"), SIGV4_MISMATCH},
        {S_INIT("a=b"), S_INIT("a=b"), SIGV4_OK},
        {S_INIT("a=b"), S_INIT(""), SIGV4_MISMATCH},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct slice query = S("Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20261121%2Fr%2Fsts%2F"
                               "aws4_request&X-Amz-Date=20261121T211000Z&X-Amz-SignedHeaders=host");
        struct aws_request request = {.method = S("GET"), .path = S("/"), .query = query, .headers = {host, 1}, .body = rows[i].signed_body};
        uint8_t key[32];
        char signature[64];
        sigv4_signing_key(S("secret"), S("20261121"), S("r"), S("sts"), key);
        sigv4_signature(arena, key, S("20261121T211000Z"), S("20261121/r/sts/aws4_request"),
                        sigv4_canonical_request(arena, &request, SIGV4_TABS_ARE_BLANKS, S("/"), S("host"), sha256_hex(arena, request.body)), signature);
        request.query = slice_fmt(arena, "%.*s&X-Amz-Signature=%.64s", SLICE_ARG(query), signature);
        request.body = rows[i].sent_body;
        struct sigv4_auth auth;
        struct sigv4_chain chain;
        assert_int_equal(sigv4_parse(arena, &request, &auth).check, SIGV4_OK);
        assert_int_equal(sigv4_check_scope(arena, &auth, &request, S("sts"), S("r"), NOW).check, SIGV4_OK);
        assert_int_equal(sigv4_check_signature(arena, &auth, &request, S("secret"), &chain).check, rows[i].check);
    }
}

static void test_each_family_has_its_words(void **state)
{
    static const struct {
        const struct aws_service *service;
        enum sigv4_check check;
        const char *code;
        int status;
    } rows[] = {
        {&sts_service, SIGV4_NO_CREDENTIALS, "MissingAuthenticationToken", 403},
        {&logs_service, SIGV4_NO_CREDENTIALS, "MissingAuthenticationTokenException", 400},
        {&emr_containers_service, SIGV4_NO_CREDENTIALS, "MissingAuthenticationTokenException", 403},
        {&s3_service, SIGV4_NO_CREDENTIALS, "AccessDenied", 403},
        {&sts_service, SIGV4_UNKNOWN_KEY, "InvalidClientTokenId", 403},
        {&logs_service, SIGV4_UNKNOWN_KEY, "UnrecognizedClientException", 400},
        {&emr_containers_service, SIGV4_UNKNOWN_KEY, "UnrecognizedClientException", 403},
        {&s3_service, SIGV4_UNKNOWN_KEY, "InvalidAccessKeyId", 403},
        {&sts_service, SIGV4_MISMATCH, "SignatureDoesNotMatch", 403},
        {&logs_service, SIGV4_MISMATCH, "InvalidSignatureException", 400},
        {&emr_containers_service, SIGV4_MISMATCH, "InvalidSignatureException", 403},
        {&s3_service, SIGV4_MISMATCH, "SignatureDoesNotMatch", 403},
        {&sts_service, SIGV4_EXPIRED_TOKEN, "ExpiredToken", 403},
        {&s3_service, SIGV4_EXPIRED_TOKEN, "ExpiredToken", 400},
        {&emr_containers_service, SIGV4_EXPIRED_TOKEN, "ExpiredTokenException", 403},
        {&s3_service, SIGV4_TOO_OLD, "RequestTimeTooSkewed", 403},
        {&logs_service, SIGV4_TOO_OLD, "InvalidSignatureException", 400},
        {&sts_service, SIGV4_MALFORMED, "IncompleteSignature", 400},
        {&emr_containers_service, SIGV4_MALFORMED, "IncompleteSignatureException", 403},
        {&s3_service, SIGV4_MALFORMED, "AuthorizationHeaderMalformed", 400},
        {&s3_service, SIGV4_ALGORITHM, "InvalidRequest", 400},
        {&s3_service, SIGV4_SCOPE_REGION, "AuthorizationHeaderMalformed", 400},
        {&s3_service, SIGV4_PRESIGN_EXPIRED, "AccessDenied", 403},
        {&s3_service, SIGV4_PRESIGN_MALFORMED, "AuthorizationQueryParametersError", 400},
        {NULL, SIGV4_MISMATCH, "SignatureDoesNotMatch", 403},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sigv4_auth auth = {.access_key_id = S("AK")};
        struct err *e = sigv4_err(*state, rows[i].service, &auth,
                                  (struct sigv4_result){.check = rows[i].check, .text = S("t")}, S("r"), NOW);
        assert_error(e, rows[i].code, rows[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_requests_of_real_clients_verify),
        TEST(test_the_documented_signature_comes_out),
        TEST(test_malformed_headers_are_told_apart),
        TEST(test_what_we_sign_verifies),
        TEST(test_scope_and_clock_are_checked),
        TEST(test_s3_wants_all_its_headers_signed),
        TEST(test_a_presigned_url_ends),
        TEST(test_a_presigned_query_is_for_the_body_it_was_made_with),
        TEST(test_each_family_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
