/* Why a run failed: the line in a driver's output that says most (recordings of real Spark and what can't be recorded), the words around
 * it, and what a cluster's refusal means. */
#include "base/arena.h"
#include "base/fd.h"
#include "jobs/error_line.h"
#include "jobs/outcome.h"
#include "jobs/refusal.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena *arena;
static const char *folder; /* tests/data/driver-logs */

static int setup(void **state)
{
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

static void assert_text(const char *what, struct slice got, const char *want)
{
    if (!slice_eq(got, slice_from_cstr(want)))
        fail_msg("%s: got \"%.*s\", want \"%s\"", what, SLICE_ARG(got), want);
}

static struct slice recorded(const char *name, const char *stream)
{
    struct slice text = SLICE_NONE;
    const char *path = slice_fmt(arena, "%s/%s.%s", folder, name, stream).ptr;
    err_free(file_read(arena, path, 64 << 10, &text)); /* not each has both */
    return text;
}

static void test_the_cause_is_found_in_what_real_spark_wrote(void **state)
{
    static const struct {
        const char *name, *line;
    } ROWS[] = {
        {"class-not-found", "Error: Failed to load class org.example.NoSuchClass."},
        {"entry-point-local", "/usr/bin/python3: can't open file '/usr/lib/spark/no_such.py': [Errno 2] No such file or directory"},
        {"entry-point-s3", "ember: cannot download s3://my-emr-log-bucket/no/such/job.py: NoSuchKey (HTTP 404): The specified key does not exist."},
        {"java-main", "java.lang.NumberFormatException: For input string: \"many\""},
        {"java-heap", "java.lang.OutOfMemoryError: Java heap space"},
        {"python-syntax", "SyntaxError: invalid syntax (python-syntax.py, line 1)"},
        {"python-module", "ModuleNotFoundError: No module named 'no_such_module'"},
        {"python-argparse", "pets.py: error: the following arguments are required: --table"},
        {"python-chained", "ValueError: invalid literal for int() with base 10: 'four'"},
        {"python-from-cause", "RuntimeError: the table of pets can't be read (caused by ValueError: invalid literal for int() with base 10: 'four')"},
        {"python-multi-line", "ValueError: two problems:"},
        {"python-task", "ZeroDivisionError: division by zero"},
        {"python-udf", "TypeError: can only concatenate str (not \"int\") to str"},
        {"python-module-in-executor", "ModuleNotFoundError: No module named 'no_such_module'"},
        {"sql-syntax", "ParseException: [PARSE_SYNTAX_ERROR] Syntax error at or near end of input.(line 3, pos 12)"},
        {"table-not-found", "AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] The table or view `cats` cannot be found. Verify the spelling and correctness of the schema and catalog."},
        {"column-not-found",
         "AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column or function parameter with name `wings` cannot be resolved. Did you mean one of the following? [`legs`, `name`].;"},
        {"path-not-found", "AnalysisException: [PATH_NOT_FOUND] Path does not exist: file:/no/such/key."},
        {"output-exists", "AnalysisException: [PATH_ALREADY_EXISTS] Path file:/tmp/pets already exists. Set mode as \"overwrite\" to overwrite the existing path."},
        {"filesystem-not-found", "org.apache.hadoop.fs.UnsupportedFileSystemException: No FileSystem for scheme \"s9\""},
        {"format", "SparkClassNotFoundException: [DATA_SOURCE_NOT_FOUND] Failed to find the data source: delta."},
        {"cast", "SparkNumberFormatException: [CAST_INVALID_INPUT] The value 'cat' of the type \"STRING\" cannot be cast to \"INT\""},
        {"divide-by-zero", "SparkArithmeticException: [DIVIDE_BY_ZERO] Division by zero."},
        {"result-too-large", "Total size of serialized results of 1 tasks (17.8 MiB) is bigger than "
                             "spark.driver.maxResultSize (1024.0 KiB)"},
        {"sql-shell-table", "[TABLE_OR_VIEW_NOT_FOUND] The table or view `cats` cannot be found. Verify the spelling and correctness of the schema and catalog."},
        {"sql-shell-syntax", "[PARSE_SYNTAX_ERROR] Syntax error at or near 'selec'.(line 2, pos 0)"},
        {"executor-killed", "The executor with id 1 exited with exit code 137(SIGKILL, possible container OOM)."},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct slice got = error_line_find(arena, recorded(ROWS[i].name, "stderr"), recorded(ROWS[i].name, "stdout"));
        if (!slice_starts_with(got, slice_from_cstr(ROWS[i].line)))
            fail_msg("%s: got \"%.*s\", want \"%s\"", ROWS[i].name, SLICE_ARG(got), ROWS[i].line);
    }
}

#define INFO "26/11/22 02:00:06 INFO SparkContext: SparkContext is stopping with exitCode 1.\n"
#define FAILED_TASK "Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times, most recent failure: Lost task 0.3 in stage 0.0 (TID 3) (10.0.0.3 executor 1): "

static void test_why_executors_can_not_be_made_is_found_in_what_spark_wrote(void **state)
{
#define POST "io.fabric8.kubernetes.client.KubernetesClientException: Failure executing: POST at: https://kubernetes.default.svc:6443/api/v1/namespaces/x/"
    static const struct {
        const char *tail, *why; /* why NULL: nothing */
    } ROWS[] = {
        {"Caused by: " POST "pods. Message: Forbidden!Configured service account doesn't have access. Service account may have been revoked. pods \"spark-pi-f3-exec-9\" "
         "is forbidden: exceeded quota: one, requested: pods=1, used: pods=1, limited: pods=1.\n\tat io.fabric8.kubernetes.client\n",
         "exceeded quota: one, requested: pods=1, used: pods=1, limited: pods=1"},
        {POST "pods. Message: pods \"a\" is forbidden: exceeded quota: b, limited: pods=1. Received status: Status(apiVersion=v1, code=403, message=pods \"a\" is forbidden: x).",
         "exceeded quota: b, limited: pods=1"},
        {POST "pods. Message: pods \"a\" is forbidden: first.\n" POST "pods. Message: pods \"a\" is forbidden: last\x01\xff.\nmore\n", "last??"},
        {POST "pods. Message: Pod \"a\" is invalid: spec.x: Invalid value: 1.", "Pod \"a\" is invalid: spec.x: Invalid value: 1"},
        {POST "configmaps. Message: configmaps \"a\" is forbidden: exceeded quota: b.", NULL},
        {"pods \"a\" is forbidden: exceeded quota: b, a script says.\n", NULL},
        {POST "pods. Message: ", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct slice why = error_line_refused_pod(arena, slice_from_cstr(ROWS[i].tail));
        if (!ROWS[i].why != !why.ptr)
            fail_msg("row %zu: got \"%.*s\"", i, SLICE_ARG(why));
        if (why.ptr)
            assert_text(ROWS[i].tail, why, ROWS[i].why);
    }
}

static void test_the_line_that_says_most_is_found(void **state)
{
    static const struct {
        const char *what, *tail, *line;
    } ROWS[] = {
        {"a traceback, then the shutdown", "Traceback (most recent call last):\n  File \"x.py\", line 3, in <module>\n    raise ValueError(\"no\")\nValueError: no\n" INFO, "ValueError: no"},
        {"an exception without a message", "Traceback (most recent call last):\n  File \"x.py\", line 3, in <module>\nKeyboardInterrupt\n", "KeyboardInterrupt"},
        {"a class with a name of its own", "Traceback (most recent call last):\n  File \"x.py\", line 3, in <module>\nmypkg.NoPets: none left\nbye\n", "mypkg.NoPets: none left"},
        {"a plain exception", "ValueError: attempt 2\n", "ValueError: attempt 2"},
        {"the cause of a JVM's", "Exception in thread \"main\" java.lang.IllegalStateException: broken\n\tat a.b.C(C.java:1)\nCaused by: java.io.IOException: disk\n\tat x\n", "java.io.IOException: disk"},
        {"a cause that says nothing", "Exception in thread \"main\" java.lang.IllegalStateException: broken\n\tat a.b.C(C.java:1)\nCaused by: java.lang.NullPointerException\n\tat x\n",
         "java.lang.IllegalStateException: broken"},
        {"through reflection", "Exception in thread \"main\" java.lang.reflect.InvocationTargetException\n\tat a\nCaused by: java.lang.ClassNotFoundException: org.example.Pets\n\t... 3 more\n",
         "java.lang.ClassNotFoundException: org.example.Pets"},
        {"a stage's failure", "Exception in thread \"main\" org.apache.spark.SparkException: " FAILED_TASK "java.lang.IllegalStateException: no such table: pets\n\tat a\n\nDriver stacktrace:\n\tat b\n",
         "java.lang.IllegalStateException: no such table: pets"},
        {"a bucket that is not there, by S3A",
         "Exception in thread \"main\" java.io.FileNotFoundException: Bucket no-such-bucket does not exist\n\tat a\nCaused by: com.amazonaws.services.s3.model.AmazonS3Exception: Not Found "
         "(Service: Amazon S3; Status Code: 404; Error Code: 404 Not Found; Request ID: X)\n\tat b\n", "java.io.FileNotFoundException: Bucket no-such-bucket does not exist"},
        {"a key that is not there, by S3A", "py4j.protocol.Py4JJavaError: An error occurred while calling o45.load.\n: java.io.FileNotFoundException: No such file or directory: s3a://b/k\n\tat a\n",
         "java.io.FileNotFoundException: No such file or directory: s3a://b/k"},
        {"no access, by S3A",
         "Exception in thread \"main\" java.nio.file.AccessDeniedException: s3a://b/k: getFileStatus on s3a://b/k: com.amazonaws.services.s3.model.AmazonS3Exception: Forbidden\n\tat a\nCaused by: "
         "com.amazonaws.services.s3.model.AmazonS3Exception: Forbidden (Service: Amazon S3; Status Code: 403; Error Code: 403 Forbidden)\n",
         "java.nio.file.AccessDeniedException: s3a://b/k: getFileStatus on s3a://b/k: com.amazonaws.services.s3.model.AmazonS3Exception: Forbidden"},
        {"no access, at the entry point", "ember: cannot download s3://b/k.py: AccessDenied (HTTP 403)\n", "ember: cannot download s3://b/k.py: AccessDenied (HTTP 403)"},
        {"the heap's end, when the JVM leaves at once", "Terminating due to java.lang.OutOfMemoryError: Java heap space\n", "Terminating due to java.lang.OutOfMemoryError: Java heap space"},
        {"a disk that is full", "26/11/22 02:00:06 ERROR Utils: Aborting task\njava.io.IOException: No space left on device\n\tat a\n" INFO, "java.io.IOException: No space left on device"},
        {"log4j's last error", "26/11/22 02:00:06 ERROR Foo: something broke\n26/11/22 02:00:07 WARN Foo: java.lang.X: y\n" INFO "bye\n", "Foo: something broke"},
        {"a warning is not the cause", "26/11/22 02:00:06 WARN TaskSetManager: Lost task\njava.lang.IllegalStateException: first try\n\tat a\n26/11/22 02:00:07 ERROR Foo: the end\n", "Foo: the end"},
        {"spark-submit's log", "26/11/22 02:00:06 ERROR SparkSubmit: Failed to load class org.example.Pets.\n" INFO, "Failed to load class org.example.Pets."},
        {"a word in brackets is no class of errors", "[INFO] all is well\nIt was a Failure\n", "It was a Failure"},
        {"EMR's own pattern", "It was a Failure\nbye\n", "It was a Failure"},
        {"bytes that are no text", "ValueError: \xff\x01 x\n", "ValueError: ?? x"},
        {"a traceback without its end", "Traceback (most recent call last):\n  File \"x.py\", line 3, in <module>\n", "Traceback (most recent call last):"},
        {"only information", INFO INFO, ""},
        {"nothing wrong", "all fine\n", ""},
        {"nothing", "", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        assert_text(ROWS[i].what, error_line_find(arena, slice_from_cstr(ROWS[i].tail), SLICE_NONE), ROWS[i].line);
        assert_text(ROWS[i].what, error_line_find(arena, S(INFO), slice_from_cstr(ROWS[i].tail)), ROWS[i].line);
    }
}

static void test_emrs_sentence_is_never_cut(void **state)
{
    static const char SENTENCE[] = "JobRun failed. Please refer logs uploaded to S3/CloudWatch based on your monitoring configuration.";
    struct strbuf much = STRBUF_ARENA(arena);
    for (int i = 0; i < 300; i++)
        strbuf_append_cstr(&much, "ü");
    struct slice texts[] = {SLICE_NONE, S("short"), strbuf_slice(&much)};
    for (size_t cause = 0; cause < 3; cause++) {
        for (size_t line = 0; line < 3; line++) {
            for (size_t trouble = 0; trouble < 3; trouble++) {
                struct slice got = outcome_failure_details(arena, &(struct outcome){.cause = texts[cause]}, texts[line], texts[trouble]);
                assert_true(got.len <= 256 && slice_is_utf8(got) && slice_ends_with(got, slice_from_cstr(SENTENCE)));
                assert_true(cause != 2 || slice_starts_with(got, S("üüü")));
                assert_true(trouble != 1 || slice_find(got, S("Logs are not complete: short. ")) >= 0);
                assert_true(line != 1 || slice_find(got, S("short. ")) >= 0);
            }
        }
    }
}

static void test_signals_have_names(void **state)
{
    assert_text("killed", outcome_exit_words(arena, 137), "exit code 137, SIGKILL");
    assert_text("crashed", outcome_exit_words(arena, 139), "exit code 139, SIGSEGV");
    assert_text("ordinary", outcome_exit_words(arena, 1), "exit code 1");
    assert_text("none of a driver", outcome_exit_words(arena, 200), "exit code 200");
}

static void test_a_clusters_refusal_is_worded(void **state)
{
    static const struct {
        enum err_kind kind;
        const char *message, *reason, *words;
    } ROWS[] = {
        {ERR_DENIED, "pods \"spark-1-driver\" is forbidden: failed quota: small: must specify limits.cpu for: spark-kubernetes-driver", "USER_ERROR",
         "JobRun submission failed. Namespace ns forbids the pod: failed quota: small: must specify limits.cpu for: spark-kubernetes-driver"},
        {ERR_DENIED, "pods \"spark-1-driver\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi", "USER_ERROR",
         "JobRun submission failed. Namespace ns forbids the pod: maximum memory usage per Container is 1Gi, but limit is 2Gi"},
        {ERR_DENIED, "pods \"spark-1-driver\" is forbidden: exceeded quota: small, requested: limits.memory=1408Mi, used: limits.memory=0, limited: limits.memory=1Gi", "USER_ERROR",
         "Cluster local does not have sufficient resources. Namespace ns: exceeded quota: small, requested: limits.memory=1408Mi, used: limits.memory=0, limited: limits.memory=1Gi"},
        {ERR_DENIED, "pods \"spark-1-driver\" is forbidden: error looking up service account ns/pets: serviceaccount \"pets\" not found", "USER_ERROR",
         "JobRun submission failed. The service account is missing: error looking up service account ns/pets: serviceaccount \"pets\" not found"},
        {ERR_DENIED, "secrets \"x\" is forbidden: unable to create new content in namespace ns because it is being terminated", "USER_ERROR",
         "JobRun submission failed. Namespace ns of cluster local is being deleted."},
        {ERR_NOT_FOUND, "namespaces \"ns\" not found", "USER_ERROR", "JobRun submission failed. Namespace ns does not exist in cluster local."},
        {ERR_DENIED, "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true", "USER_ERROR",
         "JobRun submission failed. Namespace ns forbids the pod: violates PodSecurity \"restricted:latest\": runAsNonRoot != true"},
        {ERR_DENIED, "pods \"x\" is forbidden: no PriorityClass with name none was found", "USER_ERROR",
         "JobRun submission failed. Namespace ns forbids the pod: no PriorityClass with name none was found"},
        {ERR_DENIED, "secrets is forbidden: User \"ember\" cannot create resource \"secrets\" in API group \"\" in the namespace \"ns\"", "CLUSTER_UNAVAILABLE",
         "Cluster local does not have sufficient permissions. User \"ember\" cannot create resource \"secrets\" in API group \"\" in the namespace \"ns\""},
        {ERR_DENIED, "Unauthorized", "CLUSTER_UNAVAILABLE", "Cluster local does not have sufficient permissions. Unauthorized"},
        {ERR_INVALID, "Pod \"spark-1-driver\" is invalid: spec.nodeSelector: Invalid value: \"a b\"", "VALIDATION_ERROR",
         "JobRun submission failed. Kubernetes does not accept the run's configuration: spec.nodeSelector: Invalid value: \"a b\""},
        {ERR_INTERNAL, "out of luck", "INTERNAL_ERROR", "JobRun submission failed due to an internal error. out of luck"},
        {ERR_CONFLICT, "odd", "USER_ERROR", "JobRun submission failed. Cluster local, namespace ns: odd"},
    };
    assert_null(refusal_of_cluster(NULL, S("local"), S("ns")));
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct err *e = refusal_of_cluster(err_new(ROWS[i].kind, "%s", ROWS[i].message), S("local"), S("ns"));
        assert_string_equal(e->code, ROWS[i].reason);
        assert_text(ROWS[i].message, slice_from_cstr(e->message), ROWS[i].words);
        err_free(e);
    }
    struct err *again = refusal_of_cluster(err_new(ERR_UNAVAILABLE, "refused"), S("local"), S("ns"));
    assert_int_equal(again->kind, ERR_UNAVAILABLE);
    err_free(again);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_cause_is_found_in_what_real_spark_wrote, setup, teardown),
        cmocka_unit_test_setup_teardown(test_why_executors_can_not_be_made_is_found_in_what_spark_wrote, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_line_that_says_most_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_emrs_sentence_is_never_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signals_have_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_clusters_refusal_is_worded, setup, teardown),
    };
    return cmocka_run_group_tests_name("causes", tests, NULL, NULL);
}
