/* Tables: what becomes of ${Name} in a job template; page tokens. */
#include "services/emr_containers/job_template.h"
#include "base/json.h"
#include "services/emr_containers/page_token.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define KEY S("key of the table")

static struct slice_map map_of(struct arena *arena, struct slice text)
{
    struct json *json;
    assert_null(json_parse(arena, text, JSON_DUPLICATES_REFUSE, &json));
    struct slice_map_entry *entries = ARENA_ARRAY(arena, json_count(json) + 1, struct slice_map_entry);
    struct slice_map map = {.set = true, .entries = entries};
    JSON_FOREACH (child, json)
        entries[map.count++] = (struct slice_map_entry){.key = child->key, .value = child->text};
    return map;
}

static void test_parameters_are_put_in_or_named(void **state)
{
    (void)state;
    static const struct {
        const char *body, *parameters, *filled, *error;
    } TABLE[] = {
        {"{\"a\":\"plain\"}", "{}", "{\"a\":\"plain\"}", NULL},
        {"{\"a\":\"${X}\"}", "{\"X\":\"1\"}", "{\"a\":\"1\"}", NULL},
        {"{\"a\":\"<${X}-${X}${Y}>\",\"b\":[\"${Y}\",{\"c\":\"${X}\"}]}", "{\"X\":\"1\",\"Y\":\"two\"}",
         "{\"a\":\"<1-1two>\",\"b\":[\"two\",{\"c\":\"1\"}]}", NULL},
        {"{\"${X}\":\"names stay\",\"b\":\"${X}\"}", "{\"X\":\"1\"}", "{\"${X}\":\"names stay\",\"b\":\"1\"}", NULL},
        {"{\"a\":\"${X.y_z#1-2}\"}", "{\"X.y_z#1-2\":\"v\"}", "{\"a\":\"v\"}", NULL},
        {"{\"a\":\"${X}\"}", "{\"X\":\"${Y}\"}", "{\"a\":\"${Y}\"}", NULL}, /* not looked through again */
        {"{\"a\":\"$X ${} ${a b} ${sys:home} ${X\"}", "{}", "{\"a\":\"$X ${} ${a b} ${sys:home} ${X\"}", NULL},
        {"{\"a\":\"$${X}\"}", "{\"X\":\"1\"}", "{\"a\":\"$1\"}", NULL},
        {"{\"a\":\"${X}\",\"parameterConfiguration\":{\"X\":{\"defaultValue\":\"d\"}}}", "{}", "{\"a\":\"d\"}", NULL},
        {"{\"a\":\"${X}\",\"parameterConfiguration\":{\"X\":{\"defaultValue\":\"d\"}}}", "{\"X\":\"given\"}", "{\"a\":\"given\"}", NULL},
        {"{\"a\":\"${X}\",\"parameterConfiguration\":{\"X\":{\"type\":\"NUMBER\"}}}", "{\"X\":\"-2.5e3\"}", "{\"a\":\"-2.5e3\"}", NULL},
        {"{\"a\":\"x\",\"parameterConfiguration\":{\"unused\":{\"type\":\"STRING\"}}}", "{\"unused\":\"v\"}", "{\"a\":\"x\"}", NULL},
        {"{\"a\":\"${X}\",\"parameterConfiguration\":{\"X\":{\"type\":\"NUMBER\"}}}", "{\"X\":\"two\"}", NULL,
         "The value 'two' of the job template parameter X is not a NUMBER."},
        {"{\"a\":\"${X}\",\"parameterConfiguration\":{\"X\":{\"type\":\"NUMBER\"}}}", "{\"X\":\"1 2\"}", NULL,
         "The value '1 2' of the job template parameter X is not a NUMBER."},
        {"{\"a\":\"${X}\"}", "{}", NULL, "The job template parameter X has no value: give one in jobTemplateParameters."},
        {"{\"a\":\"${X}\",\"parameterConfiguration\":{\"X\":{\"type\":\"STRING\"}}}", "{}", NULL,
         "The job template parameter X has no value: give one in jobTemplateParameters."},
        {"{\"a\":\"${X}\"}", "{\"X\":\"1\",\"Z\":\"2\"}", NULL, "The job template has no parameter Z."},
    };
    for (size_t i = 0; i < ARRAY_SIZE(TABLE); i++) {
        struct arena *arena = arena_new();
        struct slice_map parameters = map_of(arena, slice_from_cstr(TABLE[i].parameters));
        struct json *data = NULL;
        struct err *e = job_template_fill(arena, slice_from_cstr(TABLE[i].body), &parameters, &data);
        if (TABLE[i].error) {
            assert_non_null(e);
            assert_true(err_has_code(e, "ValidationException"));
            assert_string_equal(slice_cstr(arena, err_message(e)), TABLE[i].error);
        } else {
            assert_null(e);
            assert_string_equal(slice_cstr(arena, json_to_slice(arena, data)), TABLE[i].filled);
        }
        err_free(e);
        arena_free(arena);
    }
}

/* Lengths were looked at when all was put in: a template of 900 KiB came to 2.4 GiB. */
static void test_a_number_is_a_number_and_nothing_around_it(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"0", "-0", "7", "10", "-2.5e3", "0.5", "1E+9", "1e-9", "1e400", "123456789012345678901234567890"};
    static const char *const BAD[] = {"", " 2", "2 ", " 2 ", "\n2", "2\n", "2\r\n--conf x=y", "\t2", "01", "-01", "0x10", "NaN", "1.", ".5", "+1", "-",
                                      "1e", "1e+", "e1", "1.e1", "--1", "1 2", "\"2\"", "\xd9\xa1"};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(GOOD) + ARRAY_SIZE(BAD); i++) {
        bool good = i < ARRAY_SIZE(GOOD);
        struct json *object = json_object(arena), *data;
        struct slice value = slice_from_cstr(good ? GOOD[i] : BAD[i - ARRAY_SIZE(GOOD)]);
        json_set_text(arena, object, "X", value);
        struct slice_map map = map_of(arena, json_to_slice(arena, object));
        struct err *e = job_template_fill(arena, S("{\"a\":\"${X}\",\"parameterConfiguration\":{\"X\":{\"type\":\"NUMBER\"}}}"), &map, &data);
        if (good != !e)
            fail_msg("\"%.*s\"", SLICE_ARG(value));
        assert_true(good || err_has_code(e, "ValidationException"));
        err_free(e);
    }
    arena_free(arena);
}

static void test_parameters_do_not_make_a_template_huge(void **state)
{
    (void)state;
    static const struct {
        size_t texts, uses;
        const char *error;
    } TABLE[] = {
        {1, 300, NULL},
        {1, 301, "A text of the job template has more than 102400 characters with its parameters."},
        {100, 10, NULL},
        {103, 10, "The parameters of the job template have more than 1048576 bytes in all its texts."},
        {200, 2570, "A text of the job template has more than 102400 characters with its parameters."},
    };
    for (size_t i = 0; i < ARRAY_SIZE(TABLE); i++) {
        struct arena *arena = arena_new();
        struct strbuf body = STRBUF_ARENA(arena);
        struct slice parameters = slice_fmt(arena, "{\"X\":\"%01024d\"}", 0);
        struct slice_map map = map_of(arena, parameters);
        struct json *data = NULL;
        strbuf_append_cstr(&body, "{\"a\":[\"plain\"");
        for (size_t text = 0; text < TABLE[i].texts; text++) {
            strbuf_append_cstr(&body, ",\"");
            for (size_t use = 0; use < TABLE[i].uses; use++)
                strbuf_append_cstr(&body, "${X}");
            strbuf_append_cstr(&body, "\"");
        }
        strbuf_append_cstr(&body, "]}");
        size_t before_bytes = arena_used(arena);
        struct err *e = job_template_fill(arena, strbuf_slice(&body), &map, &data);
        assert_true(arena_used(arena) - before_bytes < (16 << 20));
        assert_true(!e == !TABLE[i].error);
        if (e)
            assert_string_equal(slice_cstr(arena, err_message(e)), TABLE[i].error);
        err_free(e);
        arena_free(arena);
    }
}

static void test_a_page_token_is_good_for_what_it_was_made_for_only(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct slice asked = S("ListJobRuns {\"name\":\"a\"}"), place;
    struct slice token = page_token_encode(arena, KEY, asked, S("000000042"));
    assert_true(page_token_decode(arena, KEY, asked, token, &place));
    assert_true(slice_eq(place, S("000000042")));
    assert_false(page_token_decode(arena, KEY, S("ListJobRuns {\"name\":\"b\"}"), token, &place));
    assert_false(page_token_decode(arena, S("another key"), asked, token, &place));
    assert_false(page_token_decode(arena, KEY, asked, S(""), &place));
    assert_false(page_token_decode(arena, KEY, asked, S("x"), &place));
    for (size_t i = 0; i < token.len; i++) {
        char *changed = slice_cstr(arena, token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        if (page_token_decode(arena, KEY, asked, slice_from_cstr(changed), &place)) /* the last digit's unused bits */
            assert_int_equal(i, token.len - 1);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_are_put_in_or_named),
        cmocka_unit_test(test_a_number_is_a_number_and_nothing_around_it),
        cmocka_unit_test(test_parameters_do_not_make_a_template_huge),
        cmocka_unit_test(test_a_page_token_is_good_for_what_it_was_made_for_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
