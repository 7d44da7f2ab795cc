/* form_data_test: POST forms cut in every place, and what is no form; the policy of a form, rule by rule. */
#include "aws/test_util.h"

#include "aws/form_data.h"
#include "aws/post_policy.h"
#include "base/encode.h"
#include <string.h>

struct memory {
    struct slice rest;
    size_t step;
};

static struct err *memory_read(void *ctx, void *buf, size_t cap, size_t *ret_len)
{
    struct memory *memory = ctx;
    size_t len = memory->rest.len < cap ? memory->rest.len : cap;
    len = len < memory->step ? len : memory->step;
    if (len)
        memcpy(buf, memory->rest.ptr, len);
    memory->rest = slice_from(memory->rest, len);
    *ret_len = len;
    return NULL;
}

/* The form as "name(file)=content|…". */
static struct err *flat(struct arena *arena, struct slice wire, size_t step, size_t cap, struct slice *ret_text)
{
    struct memory memory = {.rest = wire, .step = step};
    struct form_data *form = form_data_new(arena, (struct aws_reader){memory_read, &memory}, S("b"));
    struct strbuf out = STRBUF_ARENA(arena);
    for (;;) {
        struct form_part part;
        bool more;
        TRY(form_data_next(form, &more, &part));
        if (!more)
            break;
        strbuf_append(&out, part.name);
        if (part.file_name.ptr)
            strbuf_append_fmt(&out, "(%.*s)", SLICE_ARG(part.file_name));
        strbuf_append_char(&out, '=');
        char buffer[64];
        size_t len;
        do {
            TRY(form_data_read(form, buffer, cap, &len));
            strbuf_append_bytes(&out, buffer, len);
        } while (len);
        strbuf_append_char(&out, '|');
    }
    *ret_text = strbuf_slice(&out);
    return NULL;
}

#define FIELD(name, value) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n" value

static void test_forms_come_out_however_they_are_cut(void **state)
{
    static const struct {
        const char *wire, *text;
    } rows[] = {
        {"--b--", ""},
        {"--b--\r\nepilogue", ""},
        {"--b\r\n" FIELD("a", "1") "\r\n--b--\r\n", "a=1|"},
        {"\r\n--b  \r\n" FIELD("a", "") "\r\n--b--\r\n", "a=|"},
        {"--b\r\n" FIELD("a", "1") "\r\n--b\r\n" FIELD("a", "2") "\r\n--b--", "a=1|a=2|"},
        {"--b\r\n" FIELD("a", "\r\n-\r\n--\r\n\r-- b\r\n") "\r\n--b--", "a=\r\n-\r\n--\r\n\r-- b\r\n|"},
        {"--b\r\n" FIELD("a", "--b") "\r\n--b--", "a=--b|"},
        {"--b\r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION: Form-Data; filename=\"x.txt\"; NAME=file\r\n\r\nhello\r\n--b--", "file(x.txt)=hello|"},
        {"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\dir\\a;b\\\"c.txt\"\r\n\r\nx\r\n--b--", "file(a;b\"c.txt)=x|"},
        {"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"/tmp/\"\r\n\r\nx\r\n--b--", "file()=x|"},
        {"--b\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''a%20%C3%BC\r\n\r\nx\r\n--b--", "file(a \xc3\xbc)=x|"},
    };
    static const size_t steps[] = {1, 2, 3, 7, 4096};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t k = 0; k < ARRAY_SIZE(steps) * 2; k++) {
            struct slice text = SLICE_NONE;
            assert_ok(flat(*state, slice_from_cstr(rows[i].wire), steps[k / 2], k % 2 ? 64 : 1, &text));
            assert_slice(text, slice_from_cstr(rows[i].text));
        }
}

static void test_what_is_no_form_is_refused(void **state)
{
    struct strbuf long_line = STRBUF_ARENA(*state), many_lines = STRBUF_ARENA(*state);
    strbuf_append_cstr(&long_line, "--b\r\nX: ");
    for (size_t i = 0; i < 20000; i++)
        strbuf_append_char(&long_line, 'x');
    strbuf_append_cstr(&many_lines, "--b\r\n");
    for (size_t i = 0; i < 20; i++)
        strbuf_append_cstr(&many_lines, "X: y\r\n");
    strbuf_append_cstr(&many_lines, FIELD("a", "1") "\r\n--b--");
    const struct slice rows[] = {
        S(""),
        S("--"),
        S("--b"),
        S("--c--"),
        S("text before\r\n--b--"),
        S("--b\r\n"),
        S("--bx\r\n" FIELD("a", "1") "\r\n--b--"),
        S("--b\n" FIELD("a", "1") "\r\n--b--"),
        S("--b\r\n" FIELD("a", "1")),
        S("--b\r\n" FIELD("a", "1") "\r\n--b"),
        S("--b\r\n" FIELD("a", "1") "\r\n--b-"),
        S("--b\r\n" FIELD("a", "1") "\r\n--bound\r\n--b--"),
        S("--b\r\n\r\n1\r\n--b--"),
        S("--b\r\nno colon\r\n\r\n1\r\n--b--"),
        S("--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--"),
        S("--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--b--"),
        S("--b\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1\r\n--b--"),
        S("--b\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n1\r\n--b--"),
        strbuf_slice(&long_line),
        strbuf_slice(&many_lines),
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct slice text;
        struct err *e = flat(*state, rows[i], i % 2 ? 1 : 4096, 64, &text);
        if (!e)
            fail_msg("row %zu is taken", i);
        assert_error(e, "MalformedPOSTRequest", 400);
    }
}

static void test_boundaries(void **state)
{
    static const struct {
        const char *type, *boundary;
    } rows[] = {
        {"multipart/form-data; boundary=abc", "abc"},
        {"Multipart/Form-Data ;charset=utf-8; BOUNDARY=\"a b\"", "a b"},
        {"multipart/form-data;boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", "----WebKitFormBoundary7MA4YWxkTrZu0gW"},
        {"multipart/form-data", NULL},
        {"multipart/form-data; boundary=", NULL},
        {"multipart/form-data; boundary=\"a", NULL},
        {"multipart/form-data; boundary=a\"b", NULL},
        {"multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789x", NULL},
        {"multipart/mixed; boundary=abc", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct slice boundary = SLICE_NONE;
        bool found = form_data_boundary(*state, slice_from_cstr(rows[i].type), &boundary);
        assert_int_equal(found, rows[i].boundary != NULL);
        assert_slice(boundary, slice_from_cstr(rows[i].boundary));
    }
}

#define NOW ((struct instant){1795295400000}) /* 2026-11-21T21:10:00Z */

static struct err *policy(struct arena *arena, const char *document, struct post_policy *ret_policy)
{
    return post_policy_parse(arena, base64_encode(arena, slice_from_cstr(document)), ret_policy);
}

static void test_broken_policies_are_refused(void **state)
{
    static const struct {
        const char *document, *message;
    } rows[] = {
        {"", "Invalid Policy: Invalid JSON."},
        {"[]", "Invalid Policy: Invalid JSON."},
        {"{\"conditions\": []}", "Invalid Policy: Policy missing expiration."},
        {"{\"EXPIRATION\": \"2026-11-21T21:10:00Z\", \"conditions\": []}", "Invalid Policy: Policy missing expiration."},
        {"{\"expiration\": \"tomorrow\", \"conditions\": []}", "Invalid Policy: Invalid 'expiration' value."},
        {"{\"expiration\": 1, \"conditions\": []}", "Invalid Policy: Invalid 'expiration' value."},
        {"{\"expiration\": \"2026-11-21T21:10:00Z\"}", "Invalid Policy: Policy missing conditions."},
        {"{\"expiration\": \"2026-11-21T21:10:00Z\", \"conditions\": {}}", "Invalid Policy: Invalid 'conditions' value: must be a List."},
        {"{\"expiration\": \"2026-11-21T21:10:00Z\", \"conditions\": [], \"x\": 1}", "Invalid Policy: Unexpected property."},
#define WITH(condition) "{\"expiration\": \"2026-11-21T21:10:00.000Z\", \"conditions\": [" condition "]}"
        {WITH("{}"), "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."},
        {WITH("{\"a\": \"b\", \"c\": \"d\"}"), "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."},
        {WITH("{\"a\": 1}"), "Invalid Policy: Invalid Condition: the value must be a string."},
        {WITH("\"a\""), "Invalid Policy: Invalid Condition: it must be a list or an object."},
        {WITH("[]"), "Invalid Policy: Invalid Condition: unknown operation."},
        {WITH("[\"ends-with\", \"$key\", \"x\"]"), "Invalid Policy: Invalid Condition: unknown operation."},
        {WITH("[\"eq\", \"key\", \"x\"]"), "Invalid Policy: Invalid Condition: an operation, a field with a dollar sign and a value are needed."},
        {WITH("[\"eq\", \"$key\"]"), "Invalid Policy: Invalid Condition: an operation, a field with a dollar sign and a value are needed."},
        {WITH("[\"content-length-range\", 1]"), "Invalid Policy: Invalid Content-Length-Range condition: two numbers are needed."},
        {WITH("[\"content-length-range\", -1, 5]"), "Invalid Policy: Invalid Content-Length-Range condition: two numbers are needed."},
        {WITH("[\"content-length-range\", 5, 1]"), "Invalid Policy: Invalid Content-Length-Range condition: two numbers are needed."},
    };
    struct post_policy parsed;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err *e = policy(*state, rows[i].document, &parsed);
        assert_non_null(e);
        assert_slice(err_message(e), slice_from_cstr(rows[i].message));
        assert_error(e, "InvalidPolicyDocument", 400);
    }
    assert_error(post_policy_parse(*state, S("no base64!"), &parsed), "InvalidPolicyDocument", 400);
}

static void test_sizes_of_a_policy(void **state)
{
    struct post_policy parsed;
    assert_ok(policy(*state, WITH(""), &parsed));
    assert_true(parsed.min_bytes == 0 && parsed.max_bytes == INT64_MAX && parsed.condition_count == 0);
    assert_ok(policy(*state, WITH("[\"content-length-range\", 1, 10], [\"Content-Length-Range\", \"2\", 20]"), &parsed));
    assert_true(parsed.min_bytes == 2 && parsed.max_bytes == 10);
}

static void test_conditions(void **state)
{
    static const struct {
        const char *conditions, *message; /* NULL: holds */
    } rows[] = {
        {"{\"bucket\": \"b\"}, [\"eq\", \"$key\", \"user/k\"], {\"Content-Type\": \"text/plain, text/html\"}", NULL},
        {"{\"bUcKeT\": \"b\"}, [\"StArTs-WiTh\", \"$KeY\", \"user/\"], [\"starts-with\", \"$content-type\", \"text/\"]", NULL},
        {"{\"bucket\": \"b\"}, [\"starts-with\", \"$key\", \"\"], [\"starts-with\", \"$content-type\", \"\"]", NULL},
        {"{\"bucket\": \"c\"}", "Invalid according to Policy: Policy Condition failed: [\"eq\", \"$bucket\", \"c\"]"},
        {"{\"bucket\": \"B\"}", "Invalid according to Policy: Policy Condition failed: [\"eq\", \"$bucket\", \"B\"]"},
        {"[\"starts-with\", \"$key\", \"User\"]", "Invalid according to Policy: Policy Condition failed: [\"starts-with\", \"$key\", \"User\"]"},
        {"[\"starts-with\", \"$Content-Type\", \"text/p\"]",
         "Invalid according to Policy: Policy Condition failed: [\"starts-with\", \"$content-type\", \"text/p\"]"},
        {"{\"acl\": \"private\"}", "Invalid according to Policy: Policy Condition failed: [\"eq\", \"$acl\", \"private\"]"},
        {"{\"bucket\": \"b\"}, [\"eq\", \"$key\", \"user/k\"]", "Invalid according to Policy: Extra input fields: content-type"},
        {"", "Invalid according to Policy: Extra input fields: key, content-type, bucket"},
    };
    static const struct aws_header fields[] = {
        {S_INIT("Key"), S_INIT("user/k")}, {S_INIT("Content-Type"), S_INIT("text/plain, text/html")}, {S_INIT("x-ignore-me"), S_INIT("1")},
        {S_INIT("Policy"), S_INIT("p")},   {S_INIT("X-Amz-Signature"), S_INIT("s")},                  {S_INIT("bucket"), S_INIT("b")},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct post_policy parsed;
        assert_ok(policy(*state, slice_fmt(*state, WITH("%s"), rows[i].conditions).ptr, &parsed));
        struct err *e = post_policy_check(*state, &parsed, (struct aws_headers){fields, ARRAY_SIZE(fields)}, NOW);
        if (!rows[i].message) {
            assert_ok(e);
            continue;
        }
        assert_non_null(e);
        assert_slice(err_message(e), slice_from_cstr(rows[i].message));
        assert_error(e, "AccessDenied", 403);
    }
}

static void test_a_policy_expires(void **state)
{
    struct post_policy parsed;
    assert_ok(policy(*state, WITH(""), &parsed));
    assert_ok(post_policy_check(*state, &parsed, (struct aws_headers){0}, NOW));
    struct err *e = post_policy_check(*state, &parsed, (struct aws_headers){0}, (struct instant){NOW.ms + 1});
    assert_slice(err_message(e), S("Invalid according to Policy: Policy expired."));
    assert_error(e, "AccessDenied", 403);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_forms_come_out_however_they_are_cut),
        TEST(test_what_is_no_form_is_refused),
        TEST(test_boundaries),
        TEST(test_broken_policies_are_refused),
        TEST(test_sizes_of_a_policy),
        TEST(test_conditions),
        TEST(test_a_policy_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
