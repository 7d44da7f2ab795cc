/* sigv2_test: URLs and headers of version 2 as botocore made them (tests/vectors/sigv2), and every change to them that must not pass. */
#include "aws/test_util.h"

#include "aws/gen/s3.h"
#include "aws/sigv2.h"
#include "base/fd.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define SECRET S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
#define NOW_MS INT64_C(1795295400000) /* 20261121T211000Z; the URLs hold for an hour */

static enum sigv4_check verify(struct arena *arena, const struct aws_request *request, struct slice secret, int64_t late_ms)
{
    struct sigv4_auth auth;
    struct sigv4_result result = sigv2_parse(arena, request, &auth);
    return result.check == SIGV4_OK ? sigv2_check(arena, &auth, request, secret, (struct instant){NOW_MS + late_ms}).check : result.check;
}

/* Three lines that are the same in all, the request line, headers; X-Test-Bucket is the virtual host's. */
static struct aws_request read_vector(struct arena *arena, struct slice text)
{
    struct slice rest = text, line;
    struct aws_request request = {.bucket = SLICE_NONE, .body = S("")};
    struct aws_header *headers = ARENA_ARRAY(arena, 32, struct aws_header);
    size_t count = 0;
    for (int i = 0; i < 3; i++)
        (void)slice_cut(&rest, '\n');
    line = slice_cut(&rest, '\n');
    request.method = slice_cut(&line, ' ');
    request.path = slice_cut(&line, '?');
    request.query = line;
    for (line = slice_cut(&rest, '\n'); line.len; line = slice_cut(&rest, '\n')) {
        struct slice name = slice_cut(&line, ':');
        if (slice_eq(name, S("X-Test-Bucket")))
            request.bucket = slice_trim(line);
        else
            headers[count++] = (struct aws_header){.name = name, .value = slice_trim(line)};
    }
    request.headers = (struct aws_headers){headers, count};
    return request;
}

static void each_vector(struct arena *arena, void (*look)(struct arena *arena, const char *name, struct aws_request request))
{
    const char *root = getenv("EMBER_SOURCE_ROOT");
    struct slice folder = slice_fmt(arena, "%s/tests/vectors/sigv2", root ? root : ".");
    DIR *dir = opendir(slice_cstr(arena, folder));
    size_t count = 0;
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct slice text;
        if (!slice_ends_with(slice_from_cstr(entry->d_name), S(".txt")))
            continue;
        assert_ok(file_read(arena, slice_fmt(arena, "%.*s/%s", SLICE_ARG(folder), entry->d_name).ptr, 1 << 20, &text));
        look(arena, entry->d_name, read_vector(arena, text));
        count++;
    }
    closedir(dir);
    assert_true(count >= 16);
}

static void expect(const char *name, const char *what, enum sigv4_check got, enum sigv4_check wanted)
{
    if (got != wanted)
        fail_msg("%s, %s: %d instead of %d", name, what, (int)got, (int)wanted);
}

static void look_at_one(struct arena *arena, const char *name, struct aws_request request)
{
    expect(name, "as it is", verify(arena, &request, SECRET, 0), SIGV4_OK);
    expect(name, "another secret", verify(arena, &request, S("another"), 0), SIGV4_MISMATCH);
    bool header = strncmp(name, "header-", 7) == 0;
    expect(name, "at its end", verify(arena, &request, SECRET, header ? 900000 : 3600000), SIGV4_OK);
    expect(name, "behind its end", verify(arena, &request, SECRET, header ? 901000 : 3601000), header ? SIGV4_TOO_OLD : SIGV4_PRESIGN_EXPIRED);
    expect(name, "long before", verify(arena, &request, SECRET, -3601000), header ? SIGV4_TOO_NEW : SIGV4_OK);
    struct aws_request changed = request;
    changed.method = S("PATCH");
    expect(name, "another method", verify(arena, &changed, SECRET, 0), SIGV4_MISMATCH);
    changed = request;
    changed.path = slice_fmt(arena, "%.*sx", SLICE_ARG(request.path));
    expect(name, "another path", verify(arena, &changed, SECRET, 0), SIGV4_MISMATCH);
    changed = request;
    changed.bucket = S("other");
    expect(name, "another bucket", verify(arena, &changed, SECRET, 0), SIGV4_MISMATCH);
    struct aws_header headers[33];
    memcpy(headers, request.headers.items, request.headers.count * sizeof(headers[0]));
    headers[request.headers.count] = (struct aws_header){S("x-amz-acl"), S("public-read")};
    changed = request;
    changed.headers = (struct aws_headers){headers, request.headers.count + 1};
    expect(name, "a header more", verify(arena, &changed, SECRET, 0), SIGV4_MISMATCH);
    static const char *const more[] = {"acl", "versionId=3", "response-content-type=text/html", "uploadId=x"};
    for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
        if (slice_find(request.query, slice_from_cstr(more[i])) >= 0 || slice_find(request.query, S("versionId")) >= 0 ||
            slice_find(request.query, S("response-content-type")) >= 0 || slice_find(request.query, S("uploadId")) >= 0)
            continue;
        changed = request;
        changed.query = request.query.ptr ? slice_fmt(arena, "%.*s&%s", SLICE_ARG(request.query), more[i]) : slice_from_cstr(more[i]);
        expect(name, more[i], verify(arena, &changed, SECRET, 0), SIGV4_MISMATCH);
    }
}

/* Every parameter of the query with a NUL and more behind its value. */
static void look_behind_nuls(struct arena *arena, const char *name, struct aws_request request)
{
    for (struct slice rest = request.query; rest.ptr;) {
        struct slice part = slice_cut(&rest, '&');
        size_t end = (size_t)(part.ptr - request.query.ptr) + part.len;
        struct aws_request changed = request;
        changed.query = slice_fmt(arena, "%.*s%s%%00x%.*s", SLICE_ARG(slice_sub(request.query, 0, end)), slice_index(part, '=') < 0 ? "=" : "",
                                  SLICE_ARG(slice_from(request.query, end)));
        if (verify(arena, &changed, SECRET, 0) == SIGV4_OK)
            fail_msg("%s: %.*s is let in", name, SLICE_ARG(changed.query));
    }
}

static void test_nothing_hides_behind_a_nul(void **state)
{
    each_vector(*state, look_behind_nuls);
}

static void test_what_botocore_signed_verifies_and_nothing_near_it(void **state)
{
    each_vector(*state, look_at_one);
}

/* "GET\n\ntext\n1\n/b/k" must not be readable as another request: line feeds may not come in through the query. */
static void test_line_feeds_cannot_move_what_is_signed(void **state)
{
    struct aws_request request = {.method = S("GET"), .path = S("/b/k"), .bucket = SLICE_NONE};
    static const char *const queries[] = {
        "AWSAccessKeyId=A&Signature=%s&Expires=1795299000&x-amz-meta-a=1%%0Ax-amz-meta-b:2",
        "AWSAccessKeyId=A&Signature=%s&Expires=1795299000&content-type=a%%0Ab",
        "AWSAccessKeyId=A&Signature=%s&Expires=1795299000&x%%0Ay=1",
    };
    for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
        struct strbuf query = STRBUF_ARENA(*state);
        for (const char *p = queries[i]; *p; p++) {
            if (p[0] == '%' && p[1] == 's') {
                strbuf_append_cstr(&query, "AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D");
                p++;
            } else if (p[0] == '%' && p[1] == '%') {
                strbuf_append_char(&query, *p++);
            } else {
                strbuf_append_char(&query, *p);
            }
        }
        request.query = strbuf_slice(&query);
        assert_int_equal(verify(*state, &request, SECRET, 0), SIGV4_MISMATCH);
    }
}

static void test_what_cannot_be_read_is_told_in_s3s_words(void **state)
{
    static const struct {
        const char *query, *authorization, *date;
        const char *code;
        int status;
        const char *message;
    } rows[] = {
        {"AWSAccessKeyId=A&Signature=x", NULL, NULL, "AccessDenied", 403,
         "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"},
        {"AWSAccessKeyId=&Signature=x&Expires=1", NULL, NULL, "AccessDenied", 403,
         "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"},
        {"AWSAccessKeyId=A&Signature=x&Expires=soon", NULL, NULL, "AccessDenied", 403, "Invalid date (should be seconds since epoch)"},
        {"AWSAccessKeyId=A&Signature=x&Expires=-1", NULL, NULL, "AccessDenied", 403, "Invalid date (should be seconds since epoch)"},
        {"AWSAccessKeyId=A&Signature=x&Expires=1", NULL, NULL, "AccessDenied", 403, "Request has expired"},
        {"AWSAccessKeyId=A&Signature=x&Expires=1795299000", NULL, NULL, "SignatureDoesNotMatch", 403, NULL},
        {NULL, "AWS A", "Sat, 21 Nov 2026 21:10:00 GMT", "InvalidArgument", 400,
         "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature"},
        {NULL, "AWS :x", "Sat, 21 Nov 2026 21:10:00 GMT", "InvalidArgument", 400,
         "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature"},
        {NULL, "AWS A:x", "yesterday", "AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header"},
        {NULL, "AWS A:x", "Sat, 21 Nov 2026 20:10:00 GMT", "RequestTimeTooSkewed", 403,
         "The difference between the request time and the current time is too large."},
        {NULL, "AWS A:x", "Sat, 21 Nov 2026 21:10:00 GMT", "SignatureDoesNotMatch", 403, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct aws_header headers[] = {{S("Authorization"), slice_from_cstr(rows[i].authorization)}, {S("Date"), slice_from_cstr(rows[i].date)}};
        struct aws_request request = {.method = S("GET"), .path = S("/b/k"), .query = slice_from_cstr(rows[i].query), .bucket = SLICE_NONE,
                                      .headers = {headers, rows[i].authorization ? 2 : 0}};
        struct sigv4_auth auth;
        struct instant now = {NOW_MS};
        struct sigv4_result result = sigv2_parse(*state, &request, &auth);
        if (result.check == SIGV4_OK)
            result = sigv2_check(*state, &auth, &request, SECRET, now);
        struct err *e = sigv4_err(*state, &s3_service, &auth, result, S("us-east-1"), now);
        assert_non_null(e);
        if (strcmp(e->code, rows[i].code) != 0 || (rows[i].message && strcmp(e->message, rows[i].message) != 0))
            fail_msg("row %zu: %s %s", i, e->code, e->message);
        assert_error(e, rows[i].code, rows[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_botocore_signed_verifies_and_nothing_near_it),
        TEST(test_nothing_hides_behind_a_nul),
        TEST(test_line_feeds_cannot_move_what_is_signed),
        TEST(test_what_cannot_be_read_is_told_in_s3s_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
