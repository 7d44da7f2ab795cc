/* spark_options: what SparkSubmitArguments makes of words, as tables. tests/golden/spark has whole command lines. */
#include "spark/shell_split.h"
#include "spark/spark_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define BASE "--master k8s://https://h:6443 --deploy-mode cluster "

static struct err *read_file(void *context, struct arena *arena, struct slice uri, struct slice *ret_text)
{
    (void)context;
    (void)arena;
    if (!slice_eq(uri, S("/p.conf")))
        return err_new(ERR_NOT_FOUND, "no file %.*s", SLICE_ARG(uri));
    *ret_text = S("spark.a file\nspark.b=file\nspark.driver.memory 9g\nnot.spark z\n");
    return NULL;
}

struct setup {
    const char *version;
    const struct spark_conf *defaults, *forced;
    enum spark_defaults_rule rule;
    const struct spark_env *env;
    size_t env_count;
};

static struct err *parse_with(struct arena *arena, const char *text, const struct setup *setup, struct spark_options *options)
{
    struct slice *words;
    size_t count;
    assert_null(shell_split(arena, slice_from_cstr(text), &words, &count));
    return spark_options_parse(arena,
                               &(struct spark_options_input){.argv = words,
                                                             .argc = count,
                                                             .spark_version = slice_from_cstr(setup->version ? setup->version : "3.5.9"),
                                                             .defaults = setup->defaults,
                                                             .defaults_rule = setup->rule,
                                                             .forced = setup->forced,
                                                             .files = {read_file, NULL},
                                                             .env = setup->env,
                                                             .env_count = setup->env_count},
                               options);
}

static void expect_conf(const struct spark_options *options, const char *key, const char *value)
{
    struct slice got = spark_conf_get(&options->conf, key);
    if (!value ? got.ptr != NULL : !slice_eq(got, slice_from_cstr(value)))
        fail_msg("%s is \"%.*s\", wanted \"%s\"", key, SLICE_ARG(got), value ? value : "(absent)");
}

static void test_each_option_sets_its_property(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"--name x", "spark.app.name", "x"},
        {"--name=a=b", "spark.app.name", "a=b"},
        {"--jars /a.jar,,http://h/b.jar", "spark.jars", "file:/a.jar,http://h/b.jar,local:///m.jar"},
        {"--py-files local:///x.py", "spark.submit.pyFiles", "local:///x.py"},
        {"--files ' /f , s3://b/k '", "spark.files", "file:/f,s3://b/k"},
        {"--archives /a.zip#env", "spark.archives", "file:/a.zip#env"},
        {"--packages g:a:1", "spark.jars.packages", "g:a:1"},
        {"--exclude-packages g:b", "spark.jars.excludes", "g:b"},
        {"--repositories r", "spark.jars.repositories", "r"},
        {"--driver-memory 2g", "spark.driver.memory", "2g"},
        {"--driver-cores 2", "spark.driver.cores", "2"},
        {"--driver-java-options '-Da=b -Dc'", "spark.driver.extraJavaOptions", "-Da=b -Dc"},
        {"--driver-library-path /l", "spark.driver.extraLibraryPath", "/l"},
        {"--driver-class-path /c", "spark.driver.extraClassPath", "/c"},
        {"--executor-memory 3g", "spark.executor.memory", "3g"},
        {"--executor-cores 4", "spark.executor.cores", "4"},
        {"--num-executors 5", "spark.executor.instances", "5"},
        {"--principal p", "spark.kerberos.principal", "p"},
        {"--keytab k", "spark.kerberos.keytab", "k"},
        {"--conf spark.x=a=b", "spark.x", "a=b"},
        {"-c spark.x=", "spark.x", ""},
        {"--conf 'spark.x= lead '", "spark.x", " lead "},
        {"--conf spark.x=1 --conf spark.x=2", "spark.x", "2"},
        {"--queue q --supervise --total-executor-cores 3 -v", "spark.submit.pyFiles", ""},
        {"--conf spark.driver.host=h", "spark.driver.host", NULL},
        {"--conf other.key=1", "other.key", NULL},
        {"--master k8s://h:1", "spark.master", "k8s://https://h:1"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct spark_options o;
        struct err *e = parse_with(arena, slice_fmt(arena, BASE "--class C %s local:///m.jar", rows[i][0]).ptr, &(struct setup){0}, &o);
        if (e)
            fail_msg("%s: %s", rows[i][0], e->message);
        expect_conf(&o, rows[i][1], rows[i][2]);
    }
    arena_free(arena);
}

static void test_wrong_command_lines_get_sparks_words(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {BASE "", "Must specify a primary resource (JAR or Python or R file)"},
        {BASE "--foo local:///m.jar", "Unrecognized option '--foo'."},
        {BASE "--foo=bar local:///m.jar", "Unrecognized option '--foo'."},
        {BASE "-x local:///m.jar", "Unrecognized option '-x'."},
        {BASE "local:///m.jar", "Failed to get main class in JAR with error 'No FileSystem for scheme \"local\"'.  Please specify one with --class."},
        {BASE "--name", "Missing argument for option '--name'."},
        {BASE "--conf spark.x local:///m.py", "Spark config without '=': spark.x"},
        {BASE "--driver-memory 0 local:///m.py", "Driver memory must be a positive number"},
        {BASE "--driver-memory x local:///m.py", "Driver memory must be a positive number"},
        {BASE "--conf spark.executor.memory=-1 local:///m.py", "Executor memory must be a positive number"},
        {BASE "--driver-cores 0 local:///m.py", "Driver cores must be a positive number"},
        {BASE "--executor-cores 1.5 local:///m.py", "Executor cores must be a positive number"},
        {BASE "--total-executor-cores x local:///m.py", "Total executor cores must be a positive number"},
        {BASE "--num-executors 0 local:///m.py", "Number of executors must be a positive number"},
        {BASE "--proxy-user a --principal b local:///m.py", "Only one of --proxy-user or --principal can be provided."},
        {BASE "--load-spark-defaults local:///m.py", "Unrecognized option '--load-spark-defaults'."},
        {BASE "--properties-file /none local:///m.py", "Failed when loading Spark properties from /none: no file /none"},
        {BASE "--remote sc://x local:///m.py", "Remote cannot be specified with master and/or deploy mode."},
        {BASE "--version", "Option '--version' does not submit an application."},
        {BASE "pyspark-shell", "Cluster deploy mode is not applicable to Spark shells."},
        {"--master yarn --deploy-mode cluster a.py", "Kubernetes master URL must start with k8s://."},
        {"--master k8s://ftp://h --deploy-mode cluster a.py", "Invalid Kubernetes master scheme: ftp found in URL: ftp://h"},
        {"--master k8s://h --deploy-mode odd a.py", "Deploy mode must be either client or cluster"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct spark_options o;
        struct err *e = parse_with(arena, rows[i][0], &(struct setup){0}, &o);
        if (!e)
            fail_msg("accepted: %s", rows[i][0]);
        assert_int_equal(strcmp(rows[i][0], BASE "--properties-file /none local:///m.py") ? ERR_INVALID : ERR_NOT_FOUND, e->kind);
        if (!slice_eq(err_message(e), slice_from_cstr(rows[i][1])))
            fail_msg("%s: got \"%s\"", rows[i][0], e->message);
        err_free(e);
    }
    arena_free(arena);
}

static void test_dynamic_allocation_allows_no_executors(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_options o;
    assert_null(parse_with(arena, BASE "--num-executors 0 --conf spark.dynamicAllocation.enabled=TRUE a.py", &(struct setup){0}, &o));
    arena_free(arena);
}

static void test_precedence_and_sources(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_conf defaults, forced;
    spark_conf_init(&defaults, arena);
    spark_conf_set(&defaults, S("spark.a"), S("defaults"), SPARK_CONF_RELEASE_DEFAULT);
    spark_conf_set(&defaults, S("spark.d"), S("defaults"), SPARK_CONF_APPLICATION);
    spark_conf_init(&forced, arena);
    spark_conf_set(&forced, S("spark.f"), S("ours"), SPARK_CONF_SYSTEM);
    static const struct spark_env env[] = {{S_INIT("SPARK_EXECUTOR_MEMORY"), S_INIT("5g")}, {S_INIT("SPARK_DRIVER_MEMORY"), S_INIT("6g")}};
    struct setup setup = {.version = "4.3.0", .defaults = &defaults, .forced = &forced, .env = env, .env_count = 2};
    struct spark_options o;
    const char *line = BASE "--properties-file /p.conf --conf spark.b=arg --conf spark.driver.memory=3g --driver-memory 2g --conf spark.f=user a.py";
    assert_null(parse_with(arena, line, &setup, &o));
    expect_conf(&o, "spark.driver.memory", "2g");
    expect_conf(&o, "spark.b", "arg");
    expect_conf(&o, "spark.a", "file");
    expect_conf(&o, "spark.d", NULL);
    expect_conf(&o, "spark.f", "ours");
    expect_conf(&o, "spark.executor.memory", "5g");
    assert_int_equal(spark_conf_find(&o.conf, S("spark.driver.memory"))->source, SPARK_CONF_OPTION);
    assert_int_equal(spark_conf_find(&o.conf, S("spark.a"))->source, SPARK_CONF_PROPERTIES_FILE);
    assert_int_equal(spark_conf_find(&o.conf, S("spark.f"))->source, SPARK_CONF_SYSTEM);
    assert_int_equal(o.note_count, 2);
    assert_true(slice_eq(o.notes[0], S("Ignoring non-Spark config property: not.spark")));
    assert_true(slice_eq(o.notes[1], S("spark.f may not be set: \"user\" is replaced by \"ours\".")));
    setup.rule = SPARK_DEFAULTS_KEPT;
    assert_null(parse_with(arena, line, &setup, &o));
    expect_conf(&o, "spark.d", "defaults");
    expect_conf(&o, "spark.a", "file");
    setup.rule = SPARK_DEFAULTS_REPLACED;
    assert_null(parse_with(arena, BASE "--load-spark-defaults --properties-file /p.conf a.py", &setup, &o));
    expect_conf(&o, "spark.d", "defaults");
    arena_free(arena);
}

static void test_what_follows_the_resource_is_the_applications(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_options o;
    assert_null(parse_with(arena, BASE "local:///x/Job.py --name n -z", &(struct setup){0}, &o));
    assert_int_equal(o.app_arg_count, 3);
    assert_true(slice_eq(o.app_args[2], S("-z")));
    assert_true(slice_eq(o.name, S("Job.py")));
    assert_int_equal(o.language, SPARK_PYTHON);
    assert_null(parse_with(arena, BASE "local:///x/j.R", &(struct setup){0}, &o));
    assert_int_equal(o.language, SPARK_R);
    assert_true(slice_eq(o.main_class, S("org.apache.spark.deploy.RRunner")));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_option_sets_its_property),
        cmocka_unit_test(test_wrong_command_lines_get_sparks_words),
        cmocka_unit_test(test_dynamic_allocation_allows_no_executors),
        cmocka_unit_test(test_precedence_and_sources),
        cmocka_unit_test(test_what_follows_the_resource_is_the_applications),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
