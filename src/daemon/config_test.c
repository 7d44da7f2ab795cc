#include "daemon/config.h"
#include "base/arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct err *parse(struct arena *arena, struct config *config, const char *const *options)
{
    char *argv[16] = {(char *)(uintptr_t)"emberd"};
    int argc = 1;
    for (; options[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)options[argc - 1];
    return config_parse(arena, argc, argv, config);
}
#define PARSE(arena, config, ...) parse((arena), (config), (const char *const[]){__VA_ARGS__, NULL})

static void test_defaults_need_no_option(void **state)
{
    struct arena *arena = arena_new();
    struct config config;
    setenv("HOME", "/home/x", 1);
    unsetenv("EMBER_DATA_DIR");
    assert_null(parse(arena, &config, (const char *const[]){NULL}));
    assert_string_equal(config.data_dir, "/home/x/.ember");
    assert_string_equal(config.address, "127.0.0.1");
    assert_int_equal(config.port, 4567);
    assert_true(slice_eq(config.account_id, S("111122223333")));
    assert_int_equal(config.node_count, 1);
    assert_false(config.strict_releases);
    setenv("EMBER_DATA_DIR", "/data", 1);
    assert_null(parse(arena, &config, (const char *const[]){NULL}));
    assert_string_equal(config.data_dir, "/data");
    arena_free(arena);
}

static void test_options_are_taken_in_both_forms(void **state)
{
    struct arena *arena = arena_new();
    struct config config;
    assert_null(PARSE(arena, &config, "--data-dir=/d", "--listen", "[::1]:0", "--region=eu-west-1", "--nodes", "3", "--release-policy", "strict"));
    assert_string_equal(config.data_dir, "/d");
    assert_string_equal(config.address, "::1");
    assert_int_equal(config.port, 0);
    assert_int_equal(config.node_count, 3);
    assert_true(config.strict_releases);
    arena_free(arena);
}

static void test_a_public_address_needs_tls_or_a_word(void **state)
{
    struct arena *arena = arena_new();
    struct config config;
    struct err *e = PARSE(arena, &config, "--data-dir", "/d", "--listen", "0.0.0.0:1");
    assert_non_null(e);
    err_free(e);
    assert_null(PARSE(arena, &config, "--data-dir", "/d", "--listen", "0.0.0.0:1", "--insecure"));
    assert_null(PARSE(arena, &config, "--data-dir", "/d", "--listen", "0.0.0.0:1", "--tls-cert", "c", "--tls-key", "k"));
    arena_free(arena);
}

static void test_wrong_values_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"--listen", "127.0.0.1"}, {"--listen", "127.0.0.1:70000"}, {"--listen", "host:1"}, {"--account-id", "1"},
        {"--account-id", "12345678901x"}, {"--region", ""}, {"--nodes", "0"}, {"--nodes", "x"}, {"--release-policy", "any"}, {"--tls-cert", "c"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct config config;
        struct err *e = PARSE(arena, &config, "--data-dir", "/d", rows[i][0], rows[i][1]);
        assert_non_null(e);
        assert_int_equal(e->kind, ERR_INVALID);
        err_free(e);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_need_no_option),
        cmocka_unit_test(test_options_are_taken_in_both_forms),
        cmocka_unit_test(test_a_public_address_needs_tls_or_a_word),
        cmocka_unit_test(test_wrong_values_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
