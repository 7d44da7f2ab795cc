/* values_test: tables for the small pure parts: quantities, selectors, ages, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "cluster/apiserver/decode.h"
#include "cluster/apiserver/names.h"
#include "cluster/apiserver/patch.h"
#include "cluster/apiserver/quantity.h"
#include "cluster/apiserver/selector.h"
#include "cluster/apiserver/strategy.h"
#include "cluster/apiserver/table.h"

static void test_a_body_with_an_object_of_too_many_members_is_too_large(void **state)
{
    struct arena *arena = arena_new();
    for (int extra = 0; extra < 2; extra++) {
        struct strbuf text = STRBUF_ARENA(arena);
        struct json *tree;
        strbuf_append_cstr(&text, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"");
        for (int i = 1; i < OBJECT_MEMBERS_MAX + extra; i++)
            strbuf_append_fmt(&text, ",\"k%d\":\"v\"", i);
        strbuf_append_cstr(&text, "}}");
        struct warnings warnings = {.arena = arena};
        struct decode_input input = {.kind = kind_find(S(""), S("v1"), S("configmaps")), .body = strbuf_slice(&text), .warnings = &warnings};
        struct err *patch = decode_patch_body(arena, strbuf_slice(&text), &tree), *object = decode_object(arena, &input, &tree);
        assert_int_equal(patch ? patch->status : 0, extra ? 413 : 0);
        assert_int_equal(object ? object->status : 0, extra ? 413 : 0);
        err_free(patch);
        err_free(object);
    }
    arena_free(arena);
}

static void test_quantities_come_back_in_their_canonical_form(void **state)
{
    static const char *const rows[][2] = {
        {"0.5", "500m"},  {"1024Mi", "1Gi"},  {"1073741824", "1073741824"}, {"1500m", "1500m"},  {"1", "1"},        {"1000", "1k"},
        {"1e3", "1e3"},   {"1.5Gi", "1536Mi"}, {"0", "0"},                  {"-1", "-1"},        {"100m", "100m"},  {"2000m", "2"},
        {"1Ki", "1Ki"},   {"512", "512"},     {"0.1n", "1n"},               {"1E", "1E"},        {"12.50", "12500m"}, {"4Gi", "4Gi"},
        {"1000Ki", "1000Ki"}, {"0.5Ki", "512"}, {"99999999999999999999", "9223372036854775807"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct quantity q;
        assert_true(quantity_parse(slice_from_cstr(rows[i][0]), &q));
        assert_string_equal(slice_cstr(arena, quantity_to_text(arena, q)), rows[i][1]);
    }
    arena_free(arena);
}

static void test_malformed_quantities_are_refused(void **state)
{
    static const char *const rows[] = {"", "abc", "1 Gi", "1GiB", "Gi", "1.2.3", "--1", "1e", "1ex", ".", "1gi", "0x10"};
    struct quantity q;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_false(quantity_parse(slice_from_cstr(rows[i]), &q));
}

static void test_equal_quantities_compare_equal_whatever_their_form(void **state)
{
    static const char *const rows[][2] = {{"1024Mi", "1Gi"}, {"0.5", "500m"}, {"1e3", "1k"}, {"1Gi", "1073741824"}};
    struct quantity a, b;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_true(quantity_parse(slice_from_cstr(rows[i][0]), &a) && quantity_parse(slice_from_cstr(rows[i][1]), &b));
        assert_int_equal(quantity_cmp(a, b), 0);
    }
    assert_true(quantity_parse(S("1.0001"), &a));
    assert_int_equal(quantity_to_milli(a), 1001); /* rounded up */
}

static void test_label_selectors_match_as_kubernetes_does(void **state)
{
    static const struct {
        const char *selector;
        bool matches;
    } rows[] = {
        {"app=x", true},      {"app==x", true},        {"app!=x", false},   {"app in (x,y)", true}, {"app notin (x)", false}, {"app", true},
        {"!app", false},      {"!gone", true},         {"gone!=1", true},   {"gone notin (1)", true}, {"gone=", false},       {"tier>0", true},
        {"tier<1", false},    {"app=x,tier=1", true},  {"app=x,app=y", false}, {"app in ()", false}, {"empty=", true},         {"", true},
        {"spark-exec-inactive!=true,app=x", true},     {"tier in (1)", true},
    };
    struct arena *arena = arena_new();
    struct json *labels = json_object(arena);
    json_set_cstr(arena, labels, "app", "x");
    json_set_cstr(arena, labels, "tier", "1");
    json_set_cstr(arena, labels, "empty", "");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct label_selector *selector;
        struct err *e = label_selector_parse(arena, slice_from_cstr(rows[i].selector), &selector);
        assert_null(e);
        if (label_selector_matches(selector, labels) != rows[i].matches)
            fail_msg("%s", rows[i].selector);
    }
    arena_free(arena);
}

static void test_field_selectors_match_stored_fields(void **state)
{
    static const struct {
        const char *selector;
        bool matches;
    } rows[] = {
        {"metadata.name=p", true},     {"metadata.name!=p", false}, {"status.phase=Running", true}, {"status.phase!=Succeeded,status.phase!=Failed", true},
        {"spec.nodeName=", true},      {"spec.hostNetwork=false", true}, {"metadata.name=p,status.phase=Failed", false},
    };
    struct arena *arena = arena_new();
    const struct kind *pods = kind_find(S(""), S("v1"), S("pods"));
    struct json *pod = json_object(arena);
    json_set_cstr(arena, json_ensure_object(arena, pod, "metadata"), "name", "p");
    json_set_cstr(arena, json_ensure_object(arena, pod, "status"), "phase", "Running");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct field_selector *selector;
        struct err *e = field_selector_parse(arena, pods, slice_from_cstr(rows[i].selector), &selector);
        assert_null(e);
        if (field_selector_matches(selector, pod) != rows[i].matches)
            fail_msg("%s", rows[i].selector);
    }
    arena_free(arena);
}

static void test_field_selectors_see_events_in_either_form(void **state)
{
    struct arena *arena = arena_new();
    const struct kind *events = kind_find(S("events.k8s.io"), S("v1"), S("events"));
    static const char *const members[] = {"involvedObject", "regarding"};
    const struct field_selector *selector;
    struct err *e = field_selector_parse(arena, events, S("regarding.name=p"), &selector);
    assert_null(e);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        struct json *event = json_object(arena);
        json_set_cstr(arena, json_ensure_object(arena, event, members[i]), "name", "p");
        assert_true(field_selector_matches(selector, event));
    }
    arena_free(arena);
}

static void test_a_selector_object_that_is_absent_selects_nothing(void **state)
{
    struct arena *arena = arena_new();
    struct json *labels = json_object(arena);
    assert_false(label_selector_matches(label_selector_from_json(arena, NULL), labels));
    assert_true(label_selector_matches(label_selector_from_json(arena, json_object(arena)), labels));
    arena_free(arena);
}

static void test_ages_are_worded_as_kubectl_words_them(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {0, "0s"},        {119, "119s"},    {120, "2m"},      {125, "2m5s"},    {599, "9m59s"},     {600, "10m"},      {10799, "179m"},
        {10800, "3h"},    {11000, "3h3m"},  {28800, "8h"},    {172799, "47h"},  {172800, "2d"},     {180000, "2d2h"},  {700000, "8d"},
        {63071999, "729d"}, {63072000, "2y"}, {64000000, "2y10d"}, {260000000, "8y"}, {-1, "0s"}, {-5, "<invalid>"},
    };
    struct arena *arena = arena_new();
    struct instant start = {.ms = INT64_C(1767225600000)};
    struct slice text = instant_iso8601(arena, start);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_string_equal(slice_cstr(arena, age_text(arena, text, (struct instant){.ms = start.ms + rows[i].seconds * 1000})), rows[i].text);
    assert_string_equal(slice_cstr(arena, age_text(arena, SLICE_NONE, start)), "<unknown>");
    arena_free(arena);
}

static void test_generated_names_keep_58_characters_and_add_five(void **state)
{
    struct arena *arena = arena_new();
    struct slice longest = slice_fmt(arena, "%0100d", 0);
    assert_int_equal(name_generate(arena, longest).len, 63);
    struct slice name = name_generate(arena, S("gen-"));
    assert_int_equal(name.len, 9);
    assert_null(name_check_dns_subdomain(arena, name));
    arena_free(arena);
}

static void test_events_change_between_their_two_forms(void **state)
{
    struct arena *arena = arena_new();
    const struct kind *core = kind_find(S(""), S("v1"), S("events")), *events = kind_find(S("events.k8s.io"), S("v1"), S("events"));
    struct json *event = json_object(arena);
    json_set_cstr(arena, event, "message", "hello");
    json_set_cstr(arena, json_ensure_object(arena, event, "involvedObject"), "name", "p");
    kind_convert(arena, event, core, events);
    assert_true(slice_eq(json_get_text(event, "note"), S("hello")));
    assert_true(slice_eq(json_text(JSON_AT(event, "regarding", "name")), S("p")));
    assert_true(slice_eq(json_get_text(event, "apiVersion"), S("events.k8s.io/v1")));
    kind_convert(arena, event, events, core);
    assert_true(slice_eq(json_get_text(event, "message"), S("hello")));
    arena_free(arena);
}

/* The object that operations make of target; NULL: refused with 422. */
static const char *patched(struct arena *arena, const char *target, struct slice operations)
{
    struct json *live, *patch, *result;
    assert_null(json_parse(arena, slice_from_cstr(target), JSON_DUPLICATES_REFUSE, &live));
    assert_null(json_parse(arena, operations, JSON_DUPLICATES_REFUSE, &patch));
    struct err *e = patch_json(arena, live, patch, &result);
    if (e)
        assert_int_equal(e->status, 422);
    bool refused = e != NULL;
    err_free(e);
    return refused ? NULL : slice_cstr(arena, json_to_slice(arena, result));
}

static void test_json_patches_move_and_copy(void **state)
{
    static const struct {
        const char *target, *operations, *result;
    } rows[] = {
        {"{\"a\":1,\"b\":2}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/c\"}]", "{\"b\":2,\"c\":1}"},
        {"{\"a\":1,\"b\":2}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"}]", "{\"b\":1}"},
        {"{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", "{\"a\":1}"},
        {"{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", NULL},
        {"{\"a\":[1,2,3],\"b\":{\"x\":1}}", "[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/a/1\"},{\"op\":\"move\",\"from\":\"/a/0\",\"path\":\"/a/-\"}]",
         "{\"a\":[{\"x\":1},2,3,1]}"},
        {"{\"a\":[1,2]}", "[{\"op\":\"move\",\"from\":\"/a/0\",\"path\":\"/z\"}]", "{\"a\":[2],\"z\":1}"},
        {"{\"a\":1}", "[{\"op\":\"move\",\"from\":\"\",\"path\":\"/b\"}]", NULL},
        {"{\"a\":{\"b\":1}}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/c\"}]", "{\"a\":{\"b\":1,\"c\":{\"b\":1}}}"},
        {"{\"a\":1}", "[{\"op\":\"copy\",\"from\":\"/x\",\"path\":\"/a\"}]", NULL},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *result = patched(arena, rows[i].target, slice_from_cstr(rows[i].operations));
        if (!rows[i].result || !result)
            assert_ptr_equal(result, rows[i].result);
        else
            assert_string_equal(result, rows[i].result);
    }
    arena_free(arena);
}

/* {"op": OP, "from": "/a", "path": "/b"} and back, so many times, on a text of so many bytes. */
static bool goes_on(struct arena *arena, const char *op, size_t times, size_t bytes)
{
    struct strbuf target = STRBUF_ARENA(arena), operations = STRBUF_ARENA(arena);
    strbuf_append_cstr(&target, "{\"a\":\"");
    for (size_t i = 0; i < bytes; i++)
        strbuf_append_char(&target, 'x');
    strbuf_append_cstr(&target, "\"}");
    for (size_t i = 0; i < times; i++)
        strbuf_append_fmt(&operations, "%c{\"op\":\"%s\",\"from\":\"/%c\",\"path\":\"/%c\"}", i ? ',' : '[', op, i % 2 ? 'b' : 'a', i % 2 ? 'a' : 'b');
    strbuf_append_char(&operations, ']');
    return patched(arena, slice_cstr(arena, strbuf_slice(&target)), strbuf_slice(&operations)) != NULL;
}

static void test_a_json_patch_copies_a_few_megabytes_at_most(void **state)
{
    struct arena *arena = arena_new();
    assert_true(goes_on(arena, "copy", 2, 1 << 20));
    assert_false(goes_on(arena, "copy", 4, 1 << 20));
    assert_true(goes_on(arena, "copy", 9000, 10));
    assert_true(goes_on(arena, "move", 9000, 1 << 20));
    arena_free(arena);
}

/* Each of these operations passes all of the list: in all it would be minutes. */
static void test_a_json_patch_that_walks_long_lists_too_often_is_refused(void **state)
{
    struct arena *arena = arena_new();
    for (int tests = 1; tests < 10000; tests += 9000) {
        struct strbuf operations = STRBUF_ARENA(arena);
        strbuf_append_cstr(&operations, "[{\"op\":\"add\",\"path\":\"/a\",\"value\":[0");
        for (int i = 0; i < 200000; i++)
            strbuf_append_cstr(&operations, ",0");
        strbuf_append_cstr(&operations, "]}");
        for (int i = 0; i < tests; i++)
            strbuf_append_cstr(&operations, ",{\"op\":\"add\",\"path\":\"/a/-\",\"value\":0}");
        strbuf_append_char(&operations, ']');
        assert_int_equal(patched(arena, "{}", strbuf_slice(&operations)) != NULL, tests == 1);
    }
    arena_free(arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_body_with_an_object_of_too_many_members_is_too_large),
        cmocka_unit_test(test_quantities_come_back_in_their_canonical_form),
        cmocka_unit_test(test_malformed_quantities_are_refused),
        cmocka_unit_test(test_equal_quantities_compare_equal_whatever_their_form),
        cmocka_unit_test(test_label_selectors_match_as_kubernetes_does),
        cmocka_unit_test(test_field_selectors_match_stored_fields),
        cmocka_unit_test(test_field_selectors_see_events_in_either_form),
        cmocka_unit_test(test_a_selector_object_that_is_absent_selects_nothing),
        cmocka_unit_test(test_ages_are_worded_as_kubectl_words_them),
        cmocka_unit_test(test_generated_names_keep_58_characters_and_add_five),
        cmocka_unit_test(test_events_change_between_their_two_forms),
        cmocka_unit_test(test_json_patches_move_and_copy),
        cmocka_unit_test(test_a_json_patch_copies_a_few_megabytes_at_most),
        cmocka_unit_test(test_a_json_patch_that_walks_long_lists_too_often_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
