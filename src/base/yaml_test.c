/* What Kubernetes' YAML reader makes of scalars, keys, aliases and merges; bounds. */
#include "base/arena.h"
#include "base/yaml.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* clang-format off */
static const struct {
    const char *yaml, *json; /* json NULL: refused */
} cases[] = {
    {"", "null"},
    {"# nothing\n", "null"},
    {"a: 1", "{\"a\":1}"},
    {"a: on\nb: No\nc: y\nd: 'y'\ne: \"true\"\nf: TRUE", "{\"a\":true,\"b\":false,\"c\":true,\"d\":\"y\",\"e\":\"true\",\"f\":true}"},
    {"y: '1'", "{\"true\":\"1\"}"},
    {"1: a\n1.5: b", "{\"1\":\"a\",\"1.5\":\"b\"}"},
    {"a: 0777\nb: 0x1F\nc: 0b11\nd: -5\ne: +7\nf: 1_000", "{\"a\":511,\"b\":31,\"c\":3,\"d\":-5,\"e\":7,\"f\":1000}"},
    {"a: 08\nb: 1:30\nc: 2001-01-01", "{\"a\":8,\"b\":\"1:30\",\"c\":\"2001-01-01\"}"},
    {"a: 1.5\nb: .5\nc: 1.\nd: 1e3\ne: -.5e-2\nf: 1.2.3", "{\"a\":1.5,\"b\":0.5,\"c\":1,\"d\":1e3,\"e\":-0.5e-2,\"f\":\"1.2.3\"}"},
    {"a: 18446744073709551615\nb: 18446744073709551616", "{\"a\":18446744073709551615,\"b\":18446744073709551616}"},
    {"a: ~\nb:\nc: Null\nd: ''", "{\"a\":null,\"b\":null,\"c\":null,\"d\":\"\"}"},
    {"a: -\n", NULL},
    {"a: '-'\nb: .\nc: ..", "{\"a\":\"-\",\"b\":\".\",\"c\":\"..\"}"},
    {"a: .inf", NULL},
    {"a: !!str 5\nb: !!int '7'\nc: !!binary aGk=\nd: !local x", "{\"a\":\"5\",\"b\":7,\"c\":\"hi\",\"d\":\"x\"}"},
    {"a: !!int x", NULL},
    {"a: 1\nb: 2\na: 3", "{\"b\":2,\"a\":3}"},
    {"- 1\n- [a, {b: c}]\n- |\n  x\n  y\n- >-\n  p\n  q\n", "[1,[\"a\",{\"b\":\"c\"}],\"x\\ny\\n\",\"p q\"]"},
    {"a: &x {k: 1}\nb: *x", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}"},
    {"base: &b {p: 1, q: 2}\nd:\n  <<: *b\n  q: 3", "{\"base\":{\"p\":1,\"q\":2},\"d\":{\"p\":1,\"q\":3}}"},
    {"d:\n  <<: [{p: 1}, {p: 2, r: 3}]", "{\"d\":{\"r\":3,\"p\":1}}"},
    {"d:\n  <<: 5", NULL},
    {"a: *nowhere", NULL},
    {"a: &a [*a]", NULL},
    {"~: x", NULL},
    {"[a]: x", NULL},
    {"a: [1, 2", NULL},
    {"a: b: c", NULL},
    {"\tx: 1", NULL},
    {"---\na: 1\n---\nb: 2\n", "{\"a\":1}"},
    {"a: \"\\u00e9\"", "{\"a\":\"\xc3\xa9\"}"},
    {"a: \xff", NULL},
};
/* clang-format on */

static void test_scalars_keys_and_collections_are_read_as_kubernetes_reads_them(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        struct json *value;
        struct err *e = yaml_parse(arena, slice_from_cstr(cases[i].yaml), &value);
        if (!cases[i].json) {
            if (!e)
                fail_msg("case %zu was taken: %s", i, cases[i].yaml);
            assert_int_equal(e->kind, ERR_INVALID);
            err_free(e);
            continue;
        }
        if (e)
            fail_msg("case %zu: %.*s", i, SLICE_ARG(err_message(e)));
        assert_string_equal(slice_cstr(arena, json_to_slice(arena, value)), cases[i].json);
    }
}

static void expect_limit(struct slice text)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct json *value;
    struct err *e = yaml_parse(arena, text, &value);
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_LIMIT);
    err_free(e);
}

static void test_deep_nesting_is_refused(void **state)
{
    char text[600];
    memset(text, '[', 300);
    memset(text + 300, ']', 300);
    expect_limit(slice_of(text, sizeof(text)));
}

static void test_a_billion_laughs_are_refused(void **state)
{
    struct strbuf text = STRBUF_HEAP;
    strbuf_append(&text, S("a0: &a0 [x,x,x,x,x,x,x,x,x]\n"));
    for (int i = 1; i < 10; i++) {
        strbuf_append_fmt(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            strbuf_append_fmt(&text, "%s*a%d", k ? "," : "", i - 1);
        strbuf_append(&text, S("]\n"));
    }
    expect_limit(strbuf_slice(&text));
    strbuf_deinit(&text);
}

static void test_an_error_names_its_line(void **state)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct json *value;
    struct err *e = yaml_parse(arena, S("a: 1\nb: *x\n"), &value);
    assert_non_null(e);
    assert_string_equal(e->message, "yaml: line 2: unknown anchor 'x' referenced");
    err_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_keys_and_collections_are_read_as_kubernetes_reads_them),
        cmocka_unit_test(test_deep_nesting_is_refused),
        cmocka_unit_test(test_a_billion_laughs_are_refused),
        cmocka_unit_test(test_an_error_names_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
