/* Tables for the pure parts of ember: the command line, tables, times, what is shown of foreign text, what a run says.
 */
#include "base/json.h"
#include "cli/command.h"
#include "cli/job_runs.h"
#include "cli/log_reader.h"
#include "cli/run_wish.h"
#include "cli/table.h"
#include "cli/when.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;

static int set_up(void **state)
{
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static void expect_text(struct slice got, const char *expected)
{
    if (!slice_eq(got, slice_from_cstr(expected)))
        fail_msg("got \"%.*s\", expected \"%s\"", SLICE_ARG(got), expected);
}

/* line: words with one blank between. */
static struct err *parse(const char *line, struct command *command, bool *ret_help)
{
    const char *words[32];
    size_t count = 0;
    for (struct slice rest = slice_from_cstr(line); rest.ptr && *line;)
        words[count++] = slice_cstr(arena, slice_cut(&rest, ' '));
    *command = (struct command){.arena = arena};
    return command_parse(arena, count, words, command, ret_help);
}

static void test_a_wrong_command_line_is_told_in_one_sentence(void **state)
{
    static const struct {
        const char *line, *message;
    } rows[] = {
        {"", "name a command; ember --help lists them"},
        {"fly", "there is no command fly; ember --help lists them"},
        {"--fast jobs", "there is no option --fast before a command; ember --help lists them"},
        {"jobs --fast", "ember jobs has no option --fast; ember jobs --help lists them"},
        {"job", "there is no command job; did you mean jobs?"},
        {"EVENTS", "there is no command EVENTS; did you mean events?"},
        {"jobs --stat FAILED", "ember jobs has no option --stat; did you mean --state?"},
        {"logs --virtual_cluster x", "ember logs has no option --virtual_cluster; did you mean --virtual-cluster?"},
        {"--data-dri x", "there is no option --data-dri before a command; did you mean --data-dir?"},
        {"help fly", "there is no command fly; ember --help lists them"},
        {"jobs -x", "ember jobs has no option -x; ember jobs --help lists them"},
        {"jobs extra", "ember jobs takes no extra"},
        {"jobs show", "say ember jobs show RUN"},
        {"logs", "say ember logs RUN"},
        {"jobs --name", "--name needs a value"},
        {"jobs --watch=1", "--watch takes no value"},
        {"jobs --state running",
         "--state running is not one of PENDING, SUBMITTED, RUNNING, COMPLETED, FAILED, CANCEL_PENDING or CANCELLED"},
        {"jobs --state FAILED,",
         "--state FAILED, is not one of PENDING, SUBMITTED, RUNNING, COMPLETED, FAILED, CANCEL_PENDING or CANCELLED"},
        {"jobs --output xml", "--output xml is neither of what ember jobs prints: table, text or json"},
        {"env --output json", "ember env takes no --output"},
        {"jobs -- x", "ember jobs takes nothing behind --"},
        {"run a.py 1 2", "ember run takes no 1: words for the program stand behind --"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct command command;
        bool help;
        struct err *e = parse(rows[i].line, &command, &help);
        if (!e)
            fail_msg("%s: it was taken", rows[i].line);
        assert_int_equal(e->kind, ERR_INVALID);
        expect_text(err_message(e), rows[i].message);
        err_free(e);
    }
}

static void test_options_stand_anywhere_and_the_last_counts(void **state)
{
    struct command command;
    bool help;
    assert_null(parse("--data-dir=/d jobs --state FAILED -w --name a --name b --state=RUNNING,PENDING --region r",
                      &command, &help));
    assert_false(help);
    assert_string_equal(command.def->name, "jobs");
    assert_string_equal(command_option(&command, "--data-dir"), "/d");
    assert_string_equal(command_option(&command, "--name"), "b");
    assert_string_equal(command_option(&command, "--state"), "RUNNING,PENDING");
    assert_true(command_flag(&command, "--watch"));
    assert_false(command_flag(&command, "--limit"));
    expect_text(command.region, "r");
    assert_int_equal(command.output, OUTPUT_TABLE);
}

static void test_words_behind_two_dashes_are_the_programs(void **state)
{
    struct command command;
    bool help;
    assert_null(parse("run a.py --executors 3 -- --help -- x", &command, &help));
    assert_false(help);
    assert_int_equal(command.arg_count, 1);
    assert_int_equal(command.rest_count, 3);
    assert_string_equal(command.rest[0], "--help");
    assert_string_equal(command.rest[1], "--");
}

static void test_a_second_word_may_belong_to_the_command(void **state)
{
    struct command command;
    bool help;
    assert_null(parse("jobs show 0000 --output json", &command, &help));
    assert_string_equal(command.def->name, "jobs show");
    assert_string_equal(command.args[0], "0000");
    assert_true(command.json);
}

static void test_help_needs_no_right_command_line(void **state)
{
    struct command command;
    bool help;
    assert_null(parse("jobs show --help", &command, &help));
    assert_true(help);
    assert_null(parse("-h", &command, &help));
    assert_true(help && !command.def);
}

static void test_numbers_have_bounds(void **state)
{
    struct command command;
    bool help;
    int64_t value;
    assert_null(parse("jobs --limit 7", &command, &help));
    assert_null(command_number(&command, "--limit", 1, 10, 5, &value));
    assert_int_equal(value, 7);
    struct err *e = command_number(&command, "--limit", 1, 6, 5, &value);
    expect_text(err_message(e), "--limit 7 is no number from 1 to 6");
    err_free(e);
    assert_null(parse("jobs", &command, &help));
    assert_null(command_number(&command, "--limit", 1, 6, 5, &value));
    assert_int_equal(value, 5);
}

static void test_every_command_and_option_is_told_whole(void **state)
{
    for (size_t c = 0; c < COMMAND_COUNT; c++) {
        const struct command_def *def = &COMMANDS[c];
        assert_non_null(def->run);
        assert_true(def->about[0] && def->manual[0] && def->examples[0] && def->max_args >= def->min_args);
        assert_true((def->argument[0] != 0) == (def->max_args > 0));
        for (size_t i = 0; i < def->option_count; i++)
            for (size_t k = 0; k < GLOBAL_OPTION_COUNT; k++)
                assert_string_not_equal(def->options[i].name, GLOBAL_OPTIONS[k].name);
    }
}

static void test_times_read_as_people_write_them(void **state)
{
    static const struct {
        int64_t s;
        const char *duration, *age;
    } rows[] = {
        {-5, "0s", "0s"},       {0, "0s", "0s"},         {59, "59s", "59s"},    {60, "1m00s", "1m"},
        {192, "3m12s", "3m"},   {3599, "59m59s", "59m"}, {3600, "1h00m", "1h"}, {7500, "2h05m", "2h"},
        {86400, "1d00h", "1d"}, {273600, "3d04h", "3d"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        expect_text(duration_text(arena, rows[i].s * 1000 + 999 * (rows[i].s > 0)), rows[i].duration);
        expect_text(age_text(arena, rows[i].s * 1000), rows[i].age);
    }
    const struct instant now = {1000000000000};
    static const struct {
        const char *text;
        int64_t ms; /* -1: it is no time */
    } sinces[] = {
        {"90s", 1000000000000 - 90000},
        {"2h", 1000000000000 - 7200000},
        {"1w", 1000000000000 - 604800000},
        {"0m", 1000000000000},
        {"1970-01-02T00:00:00Z", 86400000},
        {"1970-01-02T01:00:00+01:00", 86400000},
        {"1970-01-02", 86400000},
        {"", -1},
        {"h", -1},
        {"-1h", -1},
        {"1y", -1},
        {"99999999999999999999s", -1},
        {"1000000001s", -1},
        {"yesterday", -1},
        {"1970-13-02", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(sinces); i++) {
        struct instant at = {-1};
        if (when_parse(slice_from_cstr(sinces[i].text), now, &at) != (sinces[i].ms >= 0) ||
            (sinces[i].ms >= 0 && at.ms != sinces[i].ms))
            fail_msg("%s: %lld", sinces[i].text, (long long)at.ms);
    }
}

static void test_foreign_text_moves_no_cursor(void **state)
{
    static const struct {
        const char *text, *shown, *log;
    } rows[] = {
        {"plain", "plain", "plain"},
        {"größe 日本", "größe 日本", "größe 日本"},
        {"\x1b[31mred\x07", "\\x1b[31mred\\x07", "\\x1b[31mred\\x07"},
        {"a\tb\r\n", "a\\x09b\\x0d\\x0a", "a\tb\r\n"},
        {"\x7f", "\\x7f", "\\x7f"},
        {"\xc2\x9b"
         "2J",
         "\\u{009b}2J", "\\u{009b}2J"},
        {"\xe2\x80\xae"
         "abc",
         "\\u{202e}abc", "\\u{202e}abc"},
        {"\xff\xc3", "\\xff\\xc3", "\\xff\\xc3"},
        {"\xc3(", "\\xc3(", "\\xc3("},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        expect_text(text_shown(arena, slice_from_cstr(rows[i].text)), rows[i].shown);
        expect_text(text_shown_log(arena, slice_from_cstr(rows[i].text)), rows[i].log);
    }
    expect_text(text_shown(arena, S("a\0b")), "a\\x00b");
}

static void test_text_is_cut_by_columns(void **state)
{
    assert_int_equal(text_width(S("größe")), 5);
    assert_int_equal(text_width(S("日本")), 4);
    assert_int_equal(text_width(S("e\xcc\x81")), 1);
    expect_text(text_cut(arena, S("größe"), 5), "größe");
    expect_text(text_cut(arena, S("größe"), 4), "grö…");
    expect_text(text_cut(arena, S("日本語"), 4), "日…");
    expect_text(text_cut(arena, S("abc"), 1), "…");
    expect_text(text_cut(arena, S("abc"), 0), "");
}

static const struct table_column COLUMNS[] = {
    {.title = "ID"}, {.title = "N", .right = true}, {.title = "WHY", .elastic = true}};

static struct slice laid_out(struct screen screen, size_t max_rows)
{
    struct table table = table_of(arena, COLUMNS, ARRAY_SIZE(COLUMNS));
    const struct table_cell rows[][3] = {
        {{.text = S("a")}, {.text = S("10")}, {.text = S("")}},
        {{.text = S("größe"), .colour = COLOUR_RED}, {.text = S("7")}, {.text = S("since it has to be so")}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        table_add(&table, rows[i]);
    struct strbuf out = STRBUF_ARENA(arena);
    table_append(&out, &table, screen, max_rows);
    return strbuf_slice(&out);
}

static void test_columns_are_as_wide_as_they_must_be(void **state)
{
    expect_text(laid_out((struct screen){0}, 0), "ID      N  WHY\na      10\ngröße   7  since it has to be so\n");
    expect_text(laid_out((struct screen){0}, 1), "ID      N  WHY\na      10\n");
}

static void test_a_table_fits_its_terminal(void **state)
{
    expect_text(laid_out((struct screen){.terminal = true, .width = 22}, 0),
                "ID      N  WHY\na      10\ngröße   7  since it h…\n");
    expect_text(laid_out((struct screen){.terminal = true, .width = 8}, 0), "ID     N\na      …\ngröße  7\n");
    for (size_t width = 1; width < 60; width++)
        for (struct slice rest = laid_out((struct screen){.terminal = true, .width = width}, 0); rest.ptr;) {
            struct slice line = slice_cut(&rest, '\n');
            assert_true(text_width(line) <= width);
        }
}

static void test_colours_take_no_columns(void **state)
{
    expect_text(laid_out((struct screen){.terminal = true, .colours = true, .width = 80}, 0),
                "\x1b[1mID\x1b[0m      \x1b[1mN\x1b[0m  \x1b[1mWHY\x1b[0m\na      10\n\x1b[31mgröße\x1b[0m   7  since "
                "it has to be so\n");
}

static struct json *run_of(const char *text)
{
    struct json *run;
    assert_null(json_parse(arena, slice_from_cstr(text), JSON_DUPLICATES_REFUSE, &run));
    return run;
}

static void test_a_run_tells_its_cause_and_exit_code(void **state)
{
    static const struct {
        const char *run, *cause;
        bool final;
        int code;
    } rows[] = {
        {"{\"state\":\"COMPLETED\",\"stateDetails\":\"JobRun completed successfully. It ran for 2 Seconds\"}", "", true,
         1},
        {"{\"state\":\"FAILED\",\"stateDetails\":\"The driver ended with exit code 3. JobRun failed. Please refer logs "
         "uploaded to S3\"}",
         "The driver ended with exit code 3", true, 3},
        {"{\"state\":\"FAILED\",\"stateDetails\":\"Attempt 2 of 2 failed. The driver ended with exit code 143. exit "
         "code 9. JobRun failed. Please refer logs x\"}",
         "Attempt 2 of 2 failed. The driver ended with exit code 143. exit code 9", true, 143},
        {"{\"state\":\"FAILED\",\"stateDetails\":\"killed (OOMKilled, exit code 137)\"}",
         "killed (OOMKilled, exit code 137)", true, 137},
        {"{\"state\":\"FAILED\",\"stateDetails\":\"exit code 99999999999999999999999\"}",
         "exit code 99999999999999999999999", true, 1},
        {"{\"state\":\"FAILED\",\"stateDetails\":\"exit code 0\"}", "exit code 0", true, 1},
        {"{\"state\":\"FAILED\",\"stateDetails\":\"exit code \"}", "exit code", true, 1},
        {"{\"state\":\"FAILED\",\"stateDetails\":\"Verify the spelling and corr... JobRun failed. Please refer logs x\"}",
         "Verify the spelling and corr...", true, 1},
        {"{\"state\":\"FAILED\"}", "", true, 1},
        {"{\"state\":\"PENDING\",\"stateDetails\":\"Waits.\"}", "Waits", false, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct json *run = run_of(rows[i].run);
        expect_text(job_run_cause(run), rows[i].cause);
        assert_int_equal(job_run_is_final(run), rows[i].final);
        assert_int_equal(job_run_exit_code(run), rows[i].code);
    }
}

static void test_a_log_says_whose_it_is(void **state)
{
    static const struct {
        const char *name, *pod; /* NULL: nobody's */
        bool driver, err;
        int executor, rotated;
    } rows[] = {
        {"spark-r1-driver/stdout", "driver", true, false, 0},
        {"spark-r1-driver-2/stderr.gz", "driver-2", true, true, 0},
        {"spark-r1-exec-1/stdout.gz", "exec-1", false, false, 1},
        {"a-exec-2-exec-12/stderr", "exec-12", false, true, 12},
        {"spark-r1-driver/stdout_20261122_12.gz", "driver", true, false, 0, 12},
        {"a-exec-3/stderr_20261122_1.gz", "exec-3", false, true, 3, 1},
        {"spark-r1-driver/stdout_20261122.gz", NULL, false, false, 0},
        {"spark-r1-driver/stdout_20261122_x.gz", NULL, false, false, 0},
        {"spark-r1-driver/stdout_20261122_0.gz", NULL, false, false, 0},
        {"spark-r1-driver/other_20261122_1.gz", NULL, false, false, 0},
        {"spark-r1-exec-/stdout", NULL, false, false, 0},
        {"spark-r1-exec-0/stdout", NULL, false, false, 0},
        {"1/stdout", NULL, false, false, 0},
        {"-1/stdout", NULL, false, false, 0},
        {"spark-r1-driver/other", NULL, false, false, 0},
        {"stdout", NULL, false, false, 0},
        {"spark-r2-driver/stdout", NULL, false, false, 0},
        {"", NULL, false, false, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct log_place place;
        bool known = log_place_parse(slice_from_cstr(rows[i].name), S("r1"), &place);
        if (known != (rows[i].pod != NULL))
            fail_msg("%s: %d", rows[i].name, known);
        if (!known)
            continue;
        expect_text(place.pod, rows[i].pod);
        assert_true(place.driver == rows[i].driver && place.err == rows[i].err && place.executor == rows[i].executor && place.rotated == rows[i].rotated);
    }
}

static void test_words_for_a_shell_are_quoted_where_they_must_be(void **state)
{
    static const char *const rows[][2] = {
        {"a=b", "a=b"},
        {"spark.x=1,2:3/4@5", "spark.x=1,2:3/4@5"},
        {"", "''"},
        {"a b", "'a b'"},
        {"it's", "'it'\\''s'"},
        {"$x", "'$x'"},
        {"#", "'#'"},
        {"a\nb", "'a\nb'"},
        {"\"", "'\"'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct strbuf out = STRBUF_ARENA(arena);
        append_shell_word(&out, slice_from_cstr(rows[i][0]));
        expect_text(strbuf_slice(&out), rows[i][1]);
    }
}

static void test_a_program_is_known_by_its_name(void **state)
{
    enum program_kind kind;
    assert_true(program_kind_of(S("/a/b.py"), &kind) && kind == PROGRAM_PYTHON);
    assert_true(program_kind_of(S("s3://b/app.jar"), &kind) && kind == PROGRAM_JAR);
    assert_true(program_kind_of(S("q.sql"), &kind) && kind == PROGRAM_SQL);
    assert_false(program_kind_of(S(".py"), &kind) || program_kind_of(S("a.txt"), &kind) ||
                 program_kind_of(S(""), &kind));
    expect_text(program_name(arena, S("/a/my job.py")), "my-job");
    expect_text(program_name(arena, S("größe.tar.jar")), "gr----e.tar");
    expect_text(program_name(arena, S("s3://b/")), "job");
    assert_true(program_is_remote(S("s3://b/a.py")) && program_is_remote(S("local:///a.py")) &&
                !program_is_remote(S("/a/b.py")));
}

static struct json *wish_of(const char *line, enum program_kind kind)
{
    struct command command;
    bool help;
    struct json *input;
    assert_null(parse(line, &command, &help));
    const struct run_wish wish = {.entry_point = S("s3://b/k"),
                                  .name = S("n"),
                                  .role = S("r"),
                                  .release = S("l"),
                                  .client_token = S("t"),
                                  .log_group = S("g"),
                                  .kind = kind,
                                  .executors = 4};
    assert_null(run_wish_to_json(&command, &wish, &input));
    return input;
}

static void test_a_program_and_sql_are_started_each_in_its_way(void **state)
{
    const struct json *input = wish_of("run a.jar --class C --conf a=b$ -- 1 --x", PROGRAM_JAR);
    const struct json *driver = JSON_AT(input, "jobDriver", "sparkSubmitJobDriver");
    expect_text(json_get_text(driver, "sparkSubmitParameters"),
                "--class C --conf spark.executor.instances=4 --conf 'a=b$'");
    expect_text(json_to_slice(arena, json_get(driver, S("entryPointArguments"))), "[\"1\",\"--x\"]");
    driver = JSON_AT(wish_of("run q.sql -- --hivevar day=1", PROGRAM_SQL), "jobDriver", "sparkSqlJobDriver");
    expect_text(json_get_text(driver, "sparkSqlParameters"), "--conf spark.executor.instances=4 --hivevar day=1");
    struct command command;
    bool help;
    struct json *none;
    assert_null(parse("run a.py --class C", &command, &help));
    struct err *e = run_wish_to_json(&command, &(struct run_wish){.kind = PROGRAM_PYTHON}, &none);
    expect_text(err_message(e), "--class is for jars");
    err_free(e);
    assert_null(parse("run a.py --conf C", &command, &help));
    e = run_wish_to_json(&command, &(struct run_wish){.kind = PROGRAM_PYTHON}, &none);
    expect_text(err_message(e), "--conf C is not of the form KEY=VALUE");
    err_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_wrong_command_line_is_told_in_one_sentence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_options_stand_anywhere_and_the_last_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_words_behind_two_dashes_are_the_programs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_second_word_may_belong_to_the_command, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_help_needs_no_right_command_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_have_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_command_and_option_is_told_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times_read_as_people_write_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_text_moves_no_cursor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text_is_cut_by_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_columns_are_as_wide_as_they_must_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_table_fits_its_terminal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_colours_take_no_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_run_tells_its_cause_and_exit_code, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_log_says_whose_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_words_for_a_shell_are_quoted_where_they_must_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_program_is_known_by_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_program_and_sql_are_started_each_in_its_way, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
