/* Tables of filter patterns and messages; the examples are the guide's. */
#include "base/arena.h"
#include "logstore/filter_pattern.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *pattern, *message;
    bool matches;
} rows[] = {
    {"", "anything", true},
    {" ", "anything", true},
    {"ERROR", "[ERROR 400] BAD REQUEST", true},
    {"ERROR", "error", false},
    {"ERROR", "ERRORS", true},
    {"ERROR ARGUMENTS", "ERROR MISSING ARGUMENTS", true},
    {"ERROR ARGUMENTS", "ERROR MISSING", false},
    {"?ERROR ?WARN", "WARN: x", true},
    {"?ERROR ?WARN", "INFO: x", false},
    {"?ERROR ?WARN 400", "INFO 400", true},
    {"ERROR -Exit", "ERROR here", true},
    {"ERROR -Exit", "ERROR Exit", false},
    {"-Exit", "fine", true},
    {"\"INTERNAL SERVER ERROR\"", "500 INTERNAL SERVER ERROR!", true},
    {"\"INTERNAL SERVER ERROR\"", "INTERNAL ERROR", false},
    {"-\"a b\" c", "a c b", true},
    {"\"say \\\"x\\\"\"", "I say \"x\"", true},
    {"{ $.eventType = \"UpdateTrail\" }", "{\"eventType\":\"UpdateTrail\"}", true},
    {"{ $.eventType = \"UpdateTrail\" }", "x {\"eventType\":\"UpdateTrail\"}", false},
    {"{ $.sourceIPAddress != 123.123.* }", "{\"sourceIPAddress\":\"111.1\"}", true},
    {"{ $.sourceIPAddress != 123.123.* }", "{\"sourceIPAddress\":\"123.123.1\"}", false},
    {"{ $.sourceIPAddress != 123.123.* }", "{}", false},
    {"{ $.arrayKey[0] = \"value\" }", "{\"arrayKey\":[\"value\",\"other\"]}", true},
    {"{ $.arrayKey[1] = \"value\" }", "{\"arrayKey\":[\"value\",\"other\"]}", false},
    {"{ $.arrayKey[*] = \"other\" }", "{\"arrayKey\":[\"value\",\"other\"]}", true},
    {"{ $.objectList[1].id = 2 }", "{\"objectList\":[{\"id\":1},{\"id\":2}]}", true},
    {"{ $.*.id = 2 }", "{\"a\":{\"id\":1},\"b\":{\"id\":2}}", true},
    {"{ $.['a.b'] = 1e-3 }", "{\"a.b\":0.001}", true},
    {"{ $.bandwidth > 75 }", "{\"bandwidth\":75.5}", true},
    {"{ $.bandwidth > 75 }", "{\"bandwidth\":\"80\"}", false},
    {"{ $.latency <= 50 }", "{\"latency\":50}", true},
    {"{ $.a = 1 }", "{\"a\":{\"b\":1}}", false},
    {"{ $.SomeObject IS NULL }", "{\"SomeObject\":null}", true},
    {"{ $.SomeObject is null }", "{}", false},
    {"{ $.SomeOtherObject NOT EXISTS }", "{\"a\":1}", true},
    {"{ $.a NOT EXISTS }", "{\"a\":null}", false},
    {"{ $.ThisFlag IS TRUE }", "{\"ThisFlag\":true}", true},
    {"{ $.ThisFlag IS FALSE }", "{\"ThisFlag\":true}", false},
    {"{ ($.user.id = 1) && ($.users[0].email = \"a@b\") }", "{\"user\":{\"id\":1},\"users\":[{\"email\":\"a@b\"}]}", true},
    {"{ $.a = 1 || $.b = 2 && $.c = 3 }", "{\"a\":1}", true},
    {"{ ($.a = 1 || $.b = 2) && $.c = 3 }", "{\"a\":1}", false},
    {"[..., status_code = 4*, bytes]", "127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 404 1534", true},
    {"[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes]",
     "127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 404 1534", true},
    {"[ip, user, username, timestamp, request=*.html*, status=404||status=410, bytes]",
     "127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 200 1534", false},
    {"[w1=ERROR, w2]", "ERROR and more words", true},
    {"[w1=ERROR, w2]", "INFO and", false},
    {"[w1!=ERROR && w1!=WARN, w2]", "INFO x", true},
    {"[..., bytes > 1000]", "a b 1534", true},
    {"[..., bytes > 1000]", "a b 34", false},
    {"[a, b, c=x]", "1 2", false},
};

static void test_patterns_match_as_the_guide_says(void **state)
{
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct filter_pattern *pattern;
        struct err *e = filter_pattern_compile(arena, slice_from_cstr(rows[i].pattern), &pattern);
        if (e)
            fail_msg("%s: %s", rows[i].pattern, e->message);
        if (filter_pattern_match(pattern, slice_from_cstr(rows[i].message)) != rows[i].matches)
            fail_msg("%s against %s", rows[i].pattern, rows[i].message);
    }
    arena_free(arena);
}

static void test_what_is_no_pattern_is_refused(void **state)
{
    const char *bad[] = {"a-b", "\"open", "{ $.a }", "{ $.a = 1", "{ a = 1 }", "{ $ = 1 }", "{ $.a > x }", "{ $.a[*].b[*] = 1 }",
                         "{ $.a IS MAYBE }", "[a, b", "[a, ..., ...]", "[a=1 && b=2]", "%regex%", "{ $.a = %x% }", "-", "{ $.a = 1 } x"};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct filter_pattern *pattern;
        struct err *e = filter_pattern_compile(arena, slice_from_cstr(bad[i]), &pattern);
        if (!e)
            fail_msg("%s was taken", bad[i]);
        assert_true(err_has_code(e, "InvalidParameterException"));
        err_free(e);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns_match_as_the_guide_says),
        cmocka_unit_test(test_what_is_no_pattern_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
