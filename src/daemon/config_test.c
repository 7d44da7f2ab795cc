#include "daemon/config.h"
#include "base/arena.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
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
    unsetenv("EMBER_DATA_DIR");
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

/* A folder with an ember.conf of this text; the caller removes both. */
static void write_file(char folder[64], char path[96], const char *text)
{
    snprintf(folder, 64, "/tmp/config-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, 96, "%s/ember.conf", folder);
    assert_null(file_write_atomic(path, slice_from_cstr(text), 0600));
}

static void remove_file(const char *folder, const char *path)
{
    unlink(path);
    rmdir(folder);
}

static void test_the_command_line_wins_over_the_environment_and_that_over_the_file(void **state)
{
    struct arena *arena = arena_new();
    struct config config;
    char folder[64], path[96];
    write_file(folder, path, "# a comment\n\nnodes = 2\nregion=eu-west-1\r\n  listen = 127.0.0.1:1\nrelease-policy = strict\ntls-cert = c.pem\ntls-key = /k.pem");
    setenv("EMBER_REGION", "eu-west-2", 1);
    setenv("EMBER_NODES", "3", 1);
    setenv("EMBER_LISTEN", "", 1);
    assert_null(PARSE(arena, &config, "--data-dir", folder, "--nodes", "4"));
    assert_int_equal(config.node_count, 4);
    assert_true(slice_eq(config.region, S("eu-west-2")));
    assert_int_equal(config.port, 1);
    assert_true(config.strict_releases);
    assert_string_equal(config.file, path);
    assert_string_equal(config.tls_cert, slice_fmt(arena, "%s/c.pem", folder).ptr);
    assert_string_equal(config.tls_key, "/k.pem");
    assert_true(slice_eq(config_source_text(arena, &config, CONFIG_NODES), S("--nodes")));
    assert_true(slice_eq(config_source_text(arena, &config, CONFIG_REGION), S("EMBER_REGION")));
    assert_true(slice_eq(config_source_text(arena, &config, CONFIG_LISTEN), slice_fmt(arena, "%s:5", path)));
    assert_true(slice_eq(config_source_text(arena, &config, CONFIG_ACCOUNT_ID), S("default")));
    unsetenv("EMBER_REGION");
    unsetenv("EMBER_NODES");
    unsetenv("EMBER_LISTEN");
    remove_file(folder, path);
    arena_free(arena);
}

static void test_every_error_of_a_file_is_told_with_its_line(void **state)
{
    static const char *const words[] = {
        ":1: there is no option lisen; did you mean listen?", ":2: there is no option node; did you mean nodes?",
        ":3: there is no option Release_Policy; did you mean release-policy?", ":4: there is no option zebra-crossing; emberd --help lists the options",
        ":5: this is not \"name = value\": word", ":7: nodes is set twice, first in line 6", ":8: region has no value",
        ":9: data-dir is by what this file was found", ":10: config names this file", ":11: there is a control character",
        ":6: nodes = 0 is not a number from 1 to 100", ":12: insecure = yes is neither on nor off", ":13: access-log = onn is none of",
        ":14: rate-limit = 0 is not a number from 1 to 1000000, nor off",
    };
    struct arena *arena = arena_new();
    struct config config;
    char folder[64], path[96], dir[96];
    write_file(folder, path, "lisen = x\nnode = 1\nRelease_Policy = strict\nzebra-crossing = 1\nword\nnodes = 0\nnodes = 1\nregion =\ndata-dir = /x\n"
                             "config = /x\nlisten = a\x01\ninsecure = yes\naccess-log = onn\nrate-limit = 0\n");
    snprintf(dir, sizeof(dir), "--data-dir=%s", folder);
    char *argv[] = {(char *)(uintptr_t)"emberd", dir, NULL};
    const struct slice *problems;
    size_t count = config_read(arena, 2, argv, &config, &problems);
    assert_int_equal(count, ARRAY_SIZE(words));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        bool found = false;
        for (size_t j = 0; j < count; j++)
            found = found || (slice_starts_with(problems[j], slice_from_cstr(path)) && slice_find(problems[j], slice_from_cstr(words[i])) >= 0);
        if (!found)
            fail_msg("no problem says %s", words[i]);
    }
    struct err *e = config_parse(arena, 2, argv, &config);
    assert_true(slice_find(err_message(e), S("(and 13 more: --check-config lists them)")) > 0);
    err_free(e);
    remove_file(folder, path);
    arena_free(arena);
}

static void test_a_misspelt_option_of_the_command_line_gets_a_hint(void **state)
{
    static const char *const rows[][2] = {
        {"--lisen", "did you mean --listen?"}, {"--acount-id", "did you mean --account-id?"}, {"--tls_cert", "did you mean --tls-cert?"},
        {"--what", "--help lists"},            {"listen", "there is no argument listen"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct config config;
        struct err *e = PARSE(arena, &config, "--data-dir", "/d", rows[i][0]);
        assert_non_null(e);
        if (slice_find(err_message(e), slice_from_cstr(rows[i][1])) < 0)
            fail_msg("%s", e->message);
        err_free(e);
    }
    arena_free(arena);
}

static void test_limits_have_words_and_numbers(void **state)
{
    struct arena *arena = arena_new();
    struct config config;
    assert_null(PARSE(arena, &config, "--data-dir", "/d"));
    assert_int_equal(config.rate_limit, 20000);
    assert_int_equal(config.write_limit, 0);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_string_equal(config.access_log, "/d/access.log");
    assert_null(PARSE(arena, &config, "--data-dir", "/d", "--rate-limit", "off", "--write-limit=5", "--access-log", "off", "--log-level", "debug"));
    assert_int_equal(config.rate_limit, 0);
    assert_int_equal(config.write_limit, 5);
    assert_null(config.access_log);
    assert_int_equal(config.log_level, LOG_DEBUG);
    arena_free(arena);
}

/* What --print-config prints is a file that says the same. */
static void test_printed_options_are_a_file(void **state)
{
    struct arena *arena = arena_new();
    struct config config, again;
    char folder[64], path[96];
    assert_null(PARSE(arena, &config, "--data-dir", "/d", "--nodes=7", "--rate-limit", "off", "--access-log", "/tmp/a.log", "--insecure"));
    struct strbuf text = STRBUF_ARENA(arena);
    config_write_values(&text, &config);
    write_file(folder, path, text.ptr);
    assert_null(PARSE(arena, &again, "--config", path));
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
        if (i != CONFIG_CONFIG)
            assert_true(slice_eq(config_text(arena, &config, (enum config_option)i), config_text(arena, &again, (enum config_option)i)));
    remove_file(folder, path);
    arena_free(arena);
}

static void test_the_reference_page_is_current(void **state)
{
    const char *root = getenv("EMBER_SOURCE_ROOT");
    if (!root)
        skip();
    struct arena *arena = arena_new();
    struct strbuf text = STRBUF_ARENA(arena);
    struct slice old = SLICE_NONE;
    const char *path = slice_fmt(arena, "%s/docs/configuration.md", root).ptr;
    config_write_reference(&text);
    if (getenv("EMBER_REGENERATE"))
        assert_null(file_write_atomic(path, strbuf_slice(&text), 0644));
    assert_null(file_read(arena, path, 1 << 20, &old));
    if (!slice_eq(old, strbuf_slice(&text)))
        fail_msg("docs/configuration.md is not what config.def says: EMBER_REGENERATE=1 writes it");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_need_no_option),
        cmocka_unit_test(test_options_are_taken_in_both_forms),
        cmocka_unit_test(test_a_public_address_needs_tls_or_a_word),
        cmocka_unit_test(test_wrong_values_are_refused),
        cmocka_unit_test(test_the_command_line_wins_over_the_environment_and_that_over_the_file),
        cmocka_unit_test(test_every_error_of_a_file_is_told_with_its_line),
        cmocka_unit_test(test_a_misspelt_option_of_the_command_line_gets_a_hint),
        cmocka_unit_test(test_limits_have_words_and_numbers),
        cmocka_unit_test(test_printed_options_are_a_file),
        cmocka_unit_test(test_the_reference_page_is_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
