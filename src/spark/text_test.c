/* The pure text parts: shell words, properties files, sizes, release labels, names. Tables. */
#include "spark/plan.h"
#include "spark/properties.h"
#include "spark/release.h"
#include "spark/shell_split.h"
#include "spark/sizes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void expect_text(struct slice got, const char *wanted)
{
    if (!slice_eq(got, slice_from_cstr(wanted)))
        fail_msg("got \"%.*s\", wanted \"%s\"", SLICE_ARG(got), wanted);
}

static void expect_error(struct err *e, enum err_kind kind, const char *part)
{
    assert_non_null(e);
    assert_int_equal(e->kind, kind);
    if (slice_find(err_message(e), slice_from_cstr(part)) < 0)
        fail_msg("\"%s\" does not hold \"%s\"", e->message, part);
    err_free(e);
}

static void test_parameters_split_as_a_shell_does(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *words; /* each in [] */
    } rows[] = {
        {"", ""},
        {"  \t\n ", ""},
        {"--class a.B --conf x=y", "[--class][a.B][--conf][x=y]"},
        {"--conf \"spark.x=a b\" c", "[--conf][spark.x=a b][c]"},
        {"--conf 'spark.x=\"a\\b\"'", "[--conf][spark.x=\"a\\b\"]"},
        {"a\\ b \"c\\\"d\" \"e\\n\" \\#f #g", "[a b][c\"d][e\\n][#f][#g]"},
        {"--a \\\n --b \\\r\n--c", "[--a][--b][--c]"},
        {"a\\\nb \"c\\\nd\"", "[ab][cd]"},
        {"'' \"\" x''y", "[][][xy]"},
        {"\"\\$HOME\" $HOME `x`", "[$HOME][$HOME][`x`]"},
        {"a'b'\"c\"d", "[abcd]"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct slice *words;
        size_t count;
        assert_null(shell_split(arena, slice_from_cstr(rows[i].text), &words, &count));
        struct strbuf all = STRBUF_ARENA(arena);
        for (size_t k = 0; k < count; k++)
            strbuf_append_fmt(&all, "[%.*s]", SLICE_ARG(words[k]));
        expect_text(strbuf_slice(&all), rows[i].words);
    }
    arena_free(arena);
}

static void test_an_open_quote_is_refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"--conf \"a", "double quote is not closed"}, {"'a", "single quote is not closed"}, {"a\\", "ends with a backslash"},
        {"\"a\\", "ends with a backslash"}, {"\"a\\\"", "double quote is not closed"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct slice *words;
        size_t count;
        expect_error(shell_split(arena, slice_from_cstr(rows[i][0]), &words, &count), ERR_INVALID, rows[i][1]);
    }
    arena_free(arena);
}

static void test_properties_read_as_java_does(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key, *value;
    } rows[] = {
        {"a=b", "a", "b"},
        {"a = b", "a", "b"},
        {"a:b", "a", "b"},
        {"a b c", "a", "b c"},
        {"  a\t=  b  ", "a", "b  "},
        {"a", "a", ""},
        {"a==b", "a", "=b"},
        {"# x\n! y\n\n  # z\na=1", "a", "1"},
        {"a=1\\\n   2\\\r\n3", "a", "123"},
        {"a=1\\\\\nb=2", "a", "1\\"},
        {"a\\ b\\=c=d", "a b=c", "d"},
        {"a=\\t\\n\\r\\f\\q\\:", "a", "\t\n\r\fq:"},
        {"a=\\u00e9\\u6F22\\uD83D\\uDE00", "a", "é漢😀"},
        {"a=\\uD83Dx", "a", "?x"},
        {"a=b\\", "a", "b"},
        {"a=1\na=2", "a", "2"},
        {"a=#b!", "a", "#b!"},
        {"=x", "", "x"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct spark_conf conf;
        spark_conf_init(&conf, arena);
        assert_null(properties_read(slice_from_cstr(rows[i].text), PROPERTIES_KEEP_BLANKS, SPARK_CONF_APPLICATION, &conf));
        const struct spark_conf_entry *e = spark_conf_find(&conf, slice_from_cstr(rows[i].key));
        assert_non_null(e);
        expect_text(e->value, rows[i].value);
    }
    struct spark_conf conf;
    spark_conf_init(&conf, arena);
    expect_error(properties_read(S("a=\\u12g4"), PROPERTIES_KEEP_BLANKS, SPARK_CONF_APPLICATION, &conf), ERR_INVALID,
                 "Malformed \\uxxxx encoding.");
    assert_null(properties_read(S("b=  x \\n "), PROPERTIES_TRIM_VALUES, SPARK_CONF_APPLICATION, &conf));
    expect_text(spark_conf_get(&conf, "b"), "x \n");
    arena_free(arena);
}

static void test_properties_are_escaped_as_java_does(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *line;
    } rows[] = {
        {"spark.jars", "local:///a.jar", "spark.jars=local\\:///a.jar\n"},
        {"spark.x", "  lead", "spark.x=\\  lead\n"},
        {"spark.x key", "a b", "spark.x\\ key=a b\n"},
        {"k", "a\\b\t\n\r\f", "k=a\\\\b\\t\\n\\r\\f\n"},
        {"k", "a:b=c#d!e", "k=a\\:b\\=c\\#d\\!e\n"},
        {"k", "é漢😀", "k=é漢😀\n"},
        {"k", "", "k=\n"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct strbuf out = STRBUF_ARENA(arena);
        properties_write_entry(&out, slice_from_cstr(rows[i].key), slice_from_cstr(rows[i].value));
        expect_text(strbuf_slice(&out), rows[i].line);
        struct spark_conf back;
        spark_conf_init(&back, arena);
        assert_null(properties_read(strbuf_slice(&out), PROPERTIES_KEEP_BLANKS, SPARK_CONF_APPLICATION, &back));
        expect_text(spark_conf_get(&back, rows[i].key), rows[i].value);
    }
    struct strbuf out = STRBUF_ARENA(arena);
    properties_write_comment(&out, S("a\nb\r\n#c"));
    expect_text(strbuf_slice(&out), "#a\n#b\n#c\n");
    arena_free(arena);
}

static void test_sizes_are_spark_byte_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum spark_unit unit;
        int64_t size;
    } rows[] = {
        {"1g", SPARK_UNIT_MIB, 1024}, {"1G", SPARK_UNIT_MIB, 1024}, {"2500m", SPARK_UNIT_MIB, 2500}, {"512", SPARK_UNIT_MIB, 512},
        {"1048575b", SPARK_UNIT_MIB, 0}, {" 3gb ", SPARK_UNIT_KIB, 3145728}, {"1t", SPARK_UNIT_BYTE, 1099511627776},
        {"2p", SPARK_UNIT_GIB, 2097152}, {"0", SPARK_UNIT_BYTE, 0}, {"7k", SPARK_UNIT_BYTE, 7168},
    };
    static const char *const wrong[][2] = {
        {"", "Failed to parse byte string: "}, {"1.5g", "Fractional values are not supported. Input was: 1.5"},
        {"1x", "Invalid suffix: \"x\""}, {"g", "Failed to parse byte string: g"}, {"-1g", "Failed to parse byte string: -1g"},
        {"9999999999999999999", "For input string"}, {"9999999999p", "exceeds Long.MAX_VALUE"}, {"1 g", "Failed to parse byte string"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t size = -1;
        assert_null(spark_size_parse(slice_from_cstr(rows[i].text), rows[i].unit, &size));
        assert_int_equal(size, rows[i].size);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        int64_t size;
        expect_error(spark_size_parse(slice_from_cstr(wrong[i][0]), SPARK_UNIT_BYTE, &size), ERR_INVALID, wrong[i][1]);
    }
}

static void test_doubles_are_written_as_java_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"0.1", "0.1"}, {"0.40", "0.4"}, {"1", "1.0"}, {"0.25", "0.25"}, {"12.5", "12.5"}, {"0.001", "0.001"}, {"0.0001", "1.0E-4"},
        {"0.00015", "1.5E-4"}, {"1e7", "1.0E7"}, {"9999999", "9999999.0"}, {"123456789", "1.23456789E8"}, {"0", "0.0"}, {"-2.5", "-2.5"},
        {"100", "100.0"}, {".3", "0.3"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        double value;
        assert_true(spark_double_parse(slice_from_cstr(rows[i].in), &value));
        expect_text(spark_double_text(arena, value), rows[i].out);
    }
    double value;
    assert_false(spark_double_parse(S("x"), &value));
    assert_false(spark_double_parse(S(""), &value));
    assert_false(spark_double_parse(S("1e999"), &value));
    assert_false(spark_double_parse(S("nan"), &value));
    arena_free(arena);
}

static void test_overhead_follows_the_table(void **state)
{
    (void)state;
    static const struct {
        struct spark_overhead_input in;
        int64_t mib;
    } rows[] = {
        {{1024, -1, 0.1, 384}, 384}, {{1024, -1, 0.4, 384}, 409}, {{3072, -1, 0.25, 384}, 768}, {{2500, 1024, 0.3, 384}, 1024},
        {{4096, -1, 0.2, 384}, 819}, {{600, -1, 0.1, 512}, 512}, {{1024, 0, 0.1, 384}, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(spark_overhead_mib(&rows[i].in), rows[i].mib);
}

static void test_release_labels_mean_their_spark(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"emr-6.2.0-latest", "3.0.1"}, {"emr-7.12.0-20251111", "3.5.6"}, {"emr-7.12.0-java11-latest", "3.5.6"},
        {"emr-7.12.0-spark-rapids-java8-latest", "3.5.6"}, {"emr-spark-8.1.0-latest", "4.0.2"}, {"emr-5.32.0-latest", "2.4.7"},
        {"emr-7.1.0-latest", "3.5.0"}, {"emr-7.10.0-latest", "3.5.5"},
    };
    static const char *const bad[] = {"", "emr-7.12.0", "emr-7.99.0-latest", "emr-7.12.0-flink-latest", "emr-7.12.0-latest-x",
                                      "emr-7.12.0-2025", "emr-7.12.0--latest", "emr-7.12.0-java11", "EMR-7.12.0-latest"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct slice version;
        assert_null(spark_release_find(slice_from_cstr(good[i][0]), &version));
        expect_text(version, good[i][1]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct slice version;
        struct err *e = spark_release_find(slice_from_cstr(bad[i]), &version);
        assert_true(err_has_code(e, "ResourceNotFoundException"));
        expect_error(e, ERR_NOT_FOUND, "doesn't exist.");
    }
}

static void test_the_nearest_spark_of_a_line_stands_in(void **state)
{
    (void)state;
    static const struct slice both[] = {S_INIT("3.5.9"), S_INIT("4.3.0")}, many[] = {S_INIT("3.3.4"), S_INIT("3.5.6"), S_INIT("3.5.9")};
    struct arena *arena = arena_new();
    struct spark_release_choice c;
    assert_null(spark_release_choose(arena, S("emr-6.2.0-latest"), both, 2, SPARK_RELEASE_NEAREST, &c));
    expect_text(c.version, "3.5.9");
    expect_text(c.image, "ember/spark:3.5.9");
    assert_false(c.exact);
    expect_text(c.note, "Release emr-6.2.0-latest has Spark 3.0.1, which is not installed here: the job runs on Spark 3.5.9.");
    assert_null(spark_release_choose(arena, S("emr-spark-8.1.0-latest"), both, 2, SPARK_RELEASE_NEAREST, &c));
    expect_text(c.version, "4.3.0");
    assert_null(spark_release_choose(arena, S("emr-5.36.0-latest"), both, 2, SPARK_RELEASE_NEAREST, &c));
    expect_text(c.version, "3.5.9");
    assert_null(spark_release_choose(arena, S("emr-7.12.0-latest"), many, 3, SPARK_RELEASE_STRICT, &c));
    assert_true(c.exact);
    assert_null(spark_release_choose(arena, S("emr-6.9.0-latest"), many, 3, SPARK_RELEASE_NEAREST, &c));
    expect_text(c.version, "3.3.4");
    expect_error(spark_release_choose(arena, S("emr-spark-8.1.0-latest"), both, 1, SPARK_RELEASE_NEAREST, &c), ERR_INVALID,
                 "no Spark 4 is installed");
    expect_error(spark_release_choose(arena, S("emr-6.2.0-latest"), both, 2, SPARK_RELEASE_STRICT, &c), ERR_INVALID, "policy is strict");
    arena_free(arena);
}

static void test_application_names_become_labels(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"Spark Pi", "spark-pi"}, {"full.conf_App", "full-conf-app"}, {"Ünï cödé", "n-c-d"}, {"--x--", "x"}, {"", ""},
        {"9 Very_Long Name: with (odd) chars / and more than sixty three characters in total!",
         "9-very-long-name-with-odd-chars-and-more-than-sixty-three-chara"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        expect_text(spark_app_name_label(arena, slice_from_cstr(rows[i][0])), rows[i][1]);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_split_as_a_shell_does),
        cmocka_unit_test(test_an_open_quote_is_refused),
        cmocka_unit_test(test_properties_read_as_java_does),
        cmocka_unit_test(test_properties_are_escaped_as_java_does),
        cmocka_unit_test(test_sizes_are_spark_byte_strings),
        cmocka_unit_test(test_doubles_are_written_as_java_writes_them),
        cmocka_unit_test(test_overhead_follows_the_table),
        cmocka_unit_test(test_release_labels_mean_their_spark),
        cmocka_unit_test(test_the_nearest_spark_of_a_line_stands_in),
        cmocka_unit_test(test_application_names_become_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
