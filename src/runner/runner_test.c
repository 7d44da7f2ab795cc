/* The pure parts of ember-run: Spark's entry point, properties, log records. */
#include "base/arena.h"
#include "base/fd.h"
#include "runner/cri_log.h"
#include "runner/mounts.h"
#include "runner/run_spec.h"
#include "runner/spark_command.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <string.h>

static struct slice join(struct arena *arena, const struct slice *items, size_t count)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append(&out, S(""));
    for (size_t i = 0; i < count; i++)
        strbuf_append_fmt(&out, "%s%.*s", i ? "|" : "", SLICE_ARG(items[i]));
    return strbuf_slice(&out);
}

static void test_option_strings_split_like_sparks_launcher(void **state)
{
    static const struct {
        const char *text, *parts;
    } table[] = {
        {"", ""},
        {"-Da=b", "-Da=b"},
        {"  -Da=b   -Dc=d ", "-Da=b|-Dc=d"},
        {"-Da=\"b c\" d", "-Da=b c|d"},
        {"'a \"b' c\\ d", "a \"b|c d"},
        {"\"\" x", "|x"},
        {"\"a\\\"b\"", "a\"b"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct slice *items = NULL;
        size_t count = 0;
        assert_null(option_string_split(arena, slice_from_cstr(table[i].text), &items, &count));
        struct slice got = join(arena, items, count);
        assert_string_equal(slice_cstr(arena, got), table[i].parts);
    }
    struct slice *items;
    size_t count;
    struct err *e = option_string_split(arena, S("-Da='b"), &items, &count);
    assert_non_null(e);
    err_free(e);
    arena_free(arena);
}

static void test_properties_are_read_as_java_writes_them(void **state)
{
    static const char text[] = "#Java properties built from Kubernetes config map with name: x\n"
                               "spark.jars=local\\:///opt/x.jar\nspark.x.space=\\  lead\nspark.x\\ key=k\n"
                               "spark.tab=a\\tb\\nc\n! other comment\nspark.long=one \\\n   two\nspark.twice=1\nspark.twice = 2\n"
                               "spark.blank value\nspark.uni=\\u00e9\nspark.empty=\n";
    static const struct {
        const char *key, *value;
    } table[] = {
        {"spark.jars", "local:///opt/x.jar"}, {"spark.x.space", "  lead"}, {"spark.x key", "k"}, {"spark.tab", "a\tb\nc"},
        {"spark.long", "one two"}, {"spark.twice", "2"}, {"spark.blank", "value"}, {"spark.uni", "\xc3\xa9"}, {"spark.empty", ""},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        assert_string_equal(slice_cstr(arena, properties_get(arena, S(text), slice_from_cstr(table[i].key))), table[i].value);
    assert_null(properties_get(arena, S(text), S("spark.none")).ptr);
    arena_free(arena);
}

static struct command build(struct arena *arena, const struct run_container *container, const char *properties, bool archive)
{
    static const struct slice jars[] = {S_INIT("a.jar"), S_INIT("b.jar")};
    struct spark_command_input input = {
        .container = container, .java = S("/java"), .jars = jars, .jar_count = 2, .properties = slice_from_cstr(properties),
        .has_driver_archive = archive, .has_executor_archive = archive};
    struct command command = {0};
    assert_null(spark_command_build(arena, &input, &command));
    return command;
}

static bool has(const struct command *command, const char *argument)
{
    for (size_t i = 0; i < command->argc; i++)
        if (slice_eq(command->argv[i], slice_from_cstr(argument)))
            return true;
    return false;
}

static struct slice driver_args[] = {S_INIT("driver"), S_INIT("--properties-file"), S_INIT("/opt/spark/conf/spark.properties"),
                                     S_INIT("--class"), S_INIT("M"), S_INIT("local:///x.jar"), S_INIT("--conf"), S_INIT("spark.driver.memory=9g")};
static struct run_env driver_env[] = {{S_INIT("SPARK_DRIVER_BIND_ADDRESS"), S_INIT("127.1.2.3")}};

static void test_a_driver_is_one_jvm_in_client_mode(void **state)
{
    struct arena *arena = arena_new();
    struct run_container container = {.spark_version = S("3.5.9"), .args = driver_args, .arg_count = ARRAY_SIZE(driver_args),
                                      .env = driver_env, .env_count = 1, .cpu_millis = 1000};
    struct command command = build(arena, &container, "spark.driver.memory=600m\nspark.driver.extraJavaOptions=-Da='b c'\n", true);
    assert_true(slice_eq(command.argv[0], S("/java")));
    assert_true(has(&command, "-Xmx600m")); /* what follows the primary resource is the application's */
    assert_true(has(&command, "-Da=b c"));
    assert_true(has(&command, "/opt/spark/jars/a.jar:/opt/spark/jars/b.jar:/opt/spark/conf"));
    assert_true(has(&command, "-XX:SharedArchiveFile=/opt/ember/archives/driver.jsa"));
    assert_true(has(&command, "-XX:+UseSerialGC"));
    assert_true(has(&command, "spark.driver.bindAddress=127.1.2.3"));
    assert_true(has(&command, "client"));
    assert_true(slice_eq(command.argv[command.argc - 1], S("spark.driver.memory=9g")));
    arena_free(arena);
}

static void test_a_class_path_in_front_drops_the_archive(void **state)
{
    struct arena *arena = arena_new();
    struct run_container container = {.spark_version = S("3.5.9"), .args = driver_args, .arg_count = ARRAY_SIZE(driver_args)};
    struct command command = build(arena, &container, "spark.driver.extraClassPath=/x/*\nspark.driver.extraJavaOptions=-XX:+UseG1GC\n", true);
    assert_true(has(&command, "/x/*:/opt/spark/jars/a.jar:/opt/spark/jars/b.jar:/opt/spark/conf"));
    assert_false(has(&command, "-Xshare:auto"));
    assert_false(has(&command, "-XX:+UseSerialGC"));
    arena_free(arena);
}

static void test_an_executors_options_come_in_the_order_of_their_numbers(void **state)
{
    struct arena *arena = arena_new();
    static struct slice args[] = {S_INIT("executor")};
    static struct run_env env[] = {
        {S_INIT("SPARK_JAVA_OPT_10"), S_INIT("-Dten")}, {S_INIT("SPARK_JAVA_OPT_2"), S_INIT("-Dtwo")}, {S_INIT("SPARK_DRIVER_URL"), S_INIT("u")},
        {S_INIT("SPARK_EXECUTOR_ID"), S_INIT("7")}, {S_INIT("SPARK_EXECUTOR_CORES"), S_INIT("1")}, {S_INIT("SPARK_APPLICATION_ID"), S_INIT("app")},
        {S_INIT("SPARK_EXECUTOR_POD_IP"), S_INIT("127.0.0.9")}, {S_INIT("SPARK_EXECUTOR_POD_NAME"), S_INIT("e-7")},
        {S_INIT("SPARK_EXECUTOR_MEMORY"), S_INIT("512m")},
    };
    struct run_container container = {.spark_version = S("3.5.9"), .args = args, .arg_count = 1, .env = env, .env_count = ARRAY_SIZE(env)};
    struct command command = build(arena, &container, NULL, false);
    struct slice all = join(arena, command.argv, command.argc);
    assert_true(slice_find(all, S("-Dtwo|-Dten")) > 0);
    assert_true(slice_find(all, S("-Xms512m|-Xmx512m")) > 0);
    assert_true(slice_ends_with(all, S("KubernetesExecutorBackend|--driver-url|u|--executor-id|7|--cores|1|--app-id|app|--hostname|127.0.0.9|"
                                       "--resourceProfileId|0|--podName|e-7")));
    struct spark_command_input input = {.container = &(struct run_container){.args = args, .arg_count = 1}, .java = S("/java")};
    struct err *e = spark_command_build(arena, &input, &command);
    assert_non_null(e);
    err_free(e);
    arena_free(arena);
}

static void test_anything_else_is_run_as_it_is(void **state)
{
    struct arena *arena = arena_new();
    static struct slice args[] = {S_INIT("driver")}, entry[] = {S_INIT("sh")};
    struct run_container container = {.command = entry, .command_count = 1, .args = args, .arg_count = 1};
    struct command command = build(arena, &container, NULL, false);
    assert_string_equal(slice_cstr(arena, join(arena, command.argv, command.argc)), "sh|driver");
    arena_free(arena);
}

static void test_run_json_is_refused_by_member(void **state)
{
    static const char *const bad[] = {
        "", "{}", "{\"version\":2}", "{\"version\":1,\"podUid\":\"u\"}",
        "{\"version\":1,\"podUid\":\"u\",\"namespace\":\"n\",\"podName\":\"p\",\"hostname\":\"h\",\"podIp\":\"i\",\"restartPolicy\":\"Never\",\"containers\":[]}",
        "{\"version\":1,\"podUid\":\"u\",\"namespace\":\"n\",\"podName\":\"p\",\"hostname\":\"h\",\"podIp\":\"i\",\"restartPolicy\":\"Never\","
        "\"containers\":[{\"name\":\"../x\",\"image\":{\"kind\":\"host\"}}]}",
        "{\"version\":1,\"podUid\":\"u\",\"namespace\":\"n\",\"podName\":\"p\",\"hostname\":\"h\",\"podIp\":\"i\",\"restartPolicy\":\"Never\","
        "\"containers\":[{\"name\":\"x\",\"image\":{\"kind\":\"host\"},\"mounts\":[{\"source\":\"/a\",\"target\":\"b\"}]}]}",
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct run_spec spec;
        struct err *e = run_spec_parse(arena, slice_from_cstr(bad[i]), &spec);
        assert_non_null(e);
        err_free(e);
    }
    arena_free(arena);
}

/* ---- volumes ---- */

static void test_a_path_is_cleaned_by_its_text(void **state)
{
    static const char *const table[][2] = {{"/", "/"}, {"/a//./b/../c/", "/a/c"}, {"/../x", "/x"}, {"/a/../..", "/"}, {"a/b", "/a/b"}, {"/a/..b", "/a/..b"}, {"", "/"}};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        assert_string_equal(slice_cstr(arena, path_clean(arena, slice_from_cstr(table[i][0]))), table[i][1]);
    arena_free(arena);
}

static void test_no_volume_covers_what_the_first_process_is_loaded_from(void **state)
{
    static const struct {
        const char *target;
        bool refused;
    } table[] = {
        {"/", true}, {"/etc", true}, {"/etc/ld.so.preload", true}, {"/etc/ld.so.cache", true}, {"/usr", true}, {"/lib", true}, {"/.ember-run", true},
        {"/.ember-run/x", true}, {"/a", false}, {"/etc/hosts", false}, {"/etc/x", false}, {"/usr/share", false}, {"/opt", false}, {"/tmp", false},
        {"/.ember-runs", false}, {"/var/run/secrets", false}, {"/usr/lib/spark/jars/x", false}, {"/library", false},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (mount_target_is_refused(arena, slice_from_cstr(table[i].target)) != table[i].refused)
            fail_msg("%s", table[i].target);
    arena_free(arena);
}

/* A pod's directory with a volume v: file, dir/file, a pipe, a link to a file outside, a link to a directory. */
static struct slice make_pod_dir(struct arena *arena, char *dir)
{
    assert_non_null(mkdtemp(dir));
    struct slice pod = slice_fmt(arena, "%s/uid", dir), volume = slice_fmt(arena, "%s/volumes/v", pod.ptr);
    assert_null(dir_make(slice_fmt(arena, "%s/dir", volume.ptr).ptr, 0755));
    assert_null(file_write_atomic(slice_fmt(arena, "%s/outside", dir).ptr, S("outside"), 0644));
    assert_null(file_write_atomic(slice_fmt(arena, "%s/file", volume.ptr).ptr, S("text"), 0644));
    assert_null(file_write_atomic(slice_fmt(arena, "%s/dir/file", volume.ptr).ptr, S("deep"), 0644));
    assert_int_equal(mkfifo(slice_fmt(arena, "%s/pipe", volume.ptr).ptr, 0644), 0);
    assert_int_equal(symlink("../../../outside", slice_fmt(arena, "%s/link", volume.ptr).ptr), 0);
    assert_int_equal(symlink(dir, slice_fmt(arena, "%s/to-dir", volume.ptr).ptr), 0);
    return pod;
}

static void test_a_file_of_a_volume_is_read_where_it_is_a_plain_file_in_it(void **state)
{
    static const struct {
        const char *path, *text; /* text NULL: refused; "": in no volume */
    } table[] = {
        {"/v/file", "text"}, {"/v/dir/file", "deep"}, {"/v/./dir/../file", "text"}, {"/v/pipe", NULL}, {"/v/link", NULL}, {"/v/to-dir/outside", NULL},
        {"/v/dir", NULL}, {"/v/missing", NULL}, {"/v/../outside", ""}, {"/vv/file", ""}, {"/sub/file", "deep"}, {"/x/outside", NULL},
    };
    char dir[] = "/tmp/runner-volumes-XXXXXX";
    struct arena *arena = arena_new();
    struct slice pod = make_pod_dir(arena, dir);
    struct run_mount mounts[] = {
        {.source = slice_fmt(arena, "%s/volumes/v", pod.ptr), .target = S("/v")},
        {.source = slice_fmt(arena, "%s/volumes/v/dir", pod.ptr), .target = S("/sub")},
        {.source = slice_fmt(arena, "%s/volumes/v/to-dir", pod.ptr), .target = S("/x")},
    };
    struct run_container container = {.mounts = mounts, .mount_count = ARRAY_SIZE(mounts)};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct slice text = S("");
        struct err *e = mounts_read_file(arena, &container, pod, slice_from_cstr(table[i].path), 100, &text);
        if ((e == NULL) != (table[i].text != NULL) || (!e && !slice_eq(text, slice_from_cstr(table[i].text))))
            fail_msg("%s", table[i].path);
        err_free(e);
    }
    assert_null(tree_remove(dir));
    arena_free(arena);
}

/* ---- the log ---- */

static struct slice written(struct arena *arena, const char *path)
{
    struct slice text = S("");
    assert_null(file_read(arena, path, 1 << 24, &text));
    return text;
}

static void test_times_of_a_log_do_not_go_back_with_the_clock(void **state)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    char path[] = "/tmp/ember-cri-XXXXXX";
    close(mkstemp(path));
    struct cri_log log;
    struct slice text;
    assert_null(cri_log_open(&log, path, 0));
    cri_log_write(&log, CRI_STDOUT, S("one\n"), (struct timespec){.tv_sec = 1000, .tv_nsec = 999999998});
    cri_log_write(&log, CRI_STDERR, S("two\nthree\n"), (struct timespec){.tv_sec = 400});
    cri_log_write(&log, CRI_STDOUT, S("four\n"), (struct timespec){.tv_sec = 1001});
    cri_log_write(&log, CRI_STDOUT, S("five\n"), (struct timespec){.tv_sec = 1001, .tv_nsec = 5});
    cri_log_close(&log);
    assert_null(file_read(arena, path, 1 << 16, &text));
    assert_string_equal(text.ptr, "1970-01-01T00:16:40.999999998Z stdout F one\n"
                                  "1970-01-01T00:16:40.999999999Z stderr F two\n"
                                  "1970-01-01T00:16:41.000000000Z stderr F three\n"
                                  "1970-01-01T00:16:41.000000000Z stdout F four\n"
                                  "1970-01-01T00:16:41.000000005Z stdout F five\n");
    assert_int_equal(unlink(path), 0);
}

static void test_log_records_are_whole_lines_by_stream(void **state)
{
    char path[] = "/tmp/cri-log-XXXXXX";
    close(mkstemp(path));
    struct arena *arena = arena_new();
    struct cri_log log;
    struct timespec now = {.tv_sec = 1700000000, .tv_nsec = 5};
    assert_null(cri_log_open(&log, path, 0));
    cri_log_write(&log, CRI_STDOUT, S("one\ntw"), now);
    cri_log_write(&log, CRI_STDERR, S("err\n\n"), now);
    cri_log_write(&log, CRI_STDOUT, S("o\nend"), now);
    cri_log_end(&log, CRI_STDOUT, now);
    cri_log_close(&log);
#define T "2023-11-14T22:13:20.000000005Z "
    assert_string_equal(slice_cstr(arena, written(arena, path)),
                        T "stdout F one\n" T "stderr F err\n" T "stderr F \n" T "stdout F two\n" T "stdout P end\n");
    unlink(path);
    arena_free(arena);
}

/* A limit on files stands for the disk's. */
static void test_a_full_disk_leaves_no_half_record_and_is_told(void **state)
{
    char path[] = "/tmp/cri-log-XXXXXX";
    close(mkstemp(path));
    struct arena *arena = arena_new();
    struct cri_log log;
    struct timespec now = {.tv_sec = 1700000000, .tv_nsec = 5};
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 60, .rlim_max = before.rlim_max};
    assert_null(cri_log_open(&log, path, 0));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    cri_log_write(&log, CRI_STDOUT, S("one\ntwo two two\n"), now);
    cri_log_write(&log, CRI_STDOUT, S("three\n"), now);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    cri_log_write(&log, CRI_STDOUT, S("four\n"), now);
    cri_log_write(&log, CRI_STDOUT, S("five\n"), now);
    cri_log_close(&log);
    assert_string_equal(slice_cstr(arena, written(arena, path)),
                        T "stdout F one\n" "2023-11-14T22:13\n" T "stderr F [ember] the disk was full: lines were lost here\n"
                        T "stdout F four\n" T "stdout F five\n");
    unlink(path);
    arena_free(arena);
}

static void test_a_long_line_becomes_partial_records(void **state)
{
    char path[] = "/tmp/cri-log-XXXXXX";
    close(mkstemp(path));
    struct arena *arena = arena_new();
    char *line = xmalloc(CRI_LINE_MAX * 2 + 10);
    memset(line, 'x', CRI_LINE_MAX * 2 + 10);
    line[CRI_LINE_MAX * 2 + 9] = '\n';
    struct cri_log log;
    assert_null(cri_log_open(&log, path, 0));
    cri_log_write(&log, CRI_STDOUT, slice_of(line, CRI_LINE_MAX * 2 + 10), (struct timespec){0});
    cri_log_close(&log);
    struct slice rest = written(arena, path);
    static const struct {
        char tag;
        size_t len;
    } table[] = {{'P', CRI_LINE_MAX}, {'P', CRI_LINE_MAX}, {'F', 9}};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct slice record = slice_cut(&rest, '\n');
        assert_int_equal(record.ptr[38], table[i].tag);
        assert_int_equal(record.len - 40, table[i].len);
    }
    free(line);
    unlink(path);
    arena_free(arena);
}

static void test_a_full_log_drops_its_oldest_half_and_says_so(void **state)
{
    char dir[] = "/tmp/cri-log-dir-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct arena *arena = arena_new();
    struct slice path = slice_fmt(arena, "%s/0.log", dir);
    struct cri_log log;
    assert_null(cri_log_open(&log, path.ptr, 2048));
    for (int i = 0; i < 100; i++)
        cri_log_write(&log, CRI_STDOUT, S("0123456789012345678901234567890123456789\n"), (struct timespec){0});
    cri_log_close(&log);
    struct slice now = written(arena, path.ptr), old = written(arena, slice_fmt(arena, "%s.old", path.ptr).ptr);
    assert_true(now.len + old.len < 2048 + 512);
    assert_true(slice_find(old, S("older lines were dropped here")) > 0);
    assert_null(tree_remove(dir));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_option_strings_split_like_sparks_launcher),
        cmocka_unit_test(test_properties_are_read_as_java_writes_them),
        cmocka_unit_test(test_a_driver_is_one_jvm_in_client_mode),
        cmocka_unit_test(test_a_class_path_in_front_drops_the_archive),
        cmocka_unit_test(test_an_executors_options_come_in_the_order_of_their_numbers),
        cmocka_unit_test(test_anything_else_is_run_as_it_is),
        cmocka_unit_test(test_run_json_is_refused_by_member),
        cmocka_unit_test(test_a_path_is_cleaned_by_its_text),
        cmocka_unit_test(test_no_volume_covers_what_the_first_process_is_loaded_from),
        cmocka_unit_test(test_a_file_of_a_volume_is_read_where_it_is_a_plain_file_in_it),
        cmocka_unit_test(test_times_of_a_log_do_not_go_back_with_the_clock),
        cmocka_unit_test(test_log_records_are_whole_lines_by_stream),
        cmocka_unit_test(test_a_full_disk_leaves_no_half_record_and_is_told),
        cmocka_unit_test(test_a_long_line_becomes_partial_records),
        cmocka_unit_test(test_a_full_log_drops_its_oldest_half_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
