/* emr: from StartJobRun's members to objects. The plan's own shape is checked against spark-submit in plan_golden_test. */
#include "spark/spark.h"
#include "spark/properties.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct slice installed[] = {S_INIT("3.5.9"), S_INIT("4.3.0")};

static struct json *parse(struct arena *arena, const char *text)
{
    struct json *json = NULL;
    if (text)
        assert_null(json_parse(arena, slice_from_cstr(text), JSON_DUPLICATES_REFUSE, &json));
    return json;
}

static struct err *read_file(void *context, struct arena *arena, struct slice uri, struct slice *ret_text)
{
    (void)context;
    static const char *const broken[] = {"[]", "spec: {containers: [1]}", "spec: 3", "metadata: x", "spec: {containers: {a: 1}}",
                                         "spec: {containers: [{env: 1, resources: [], ports: x}], volumes: y}"};
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        if (slice_eq(uri, slice_fmt(arena, "s3://b/broken-%zu", i))) {
            *ret_text = slice_from_cstr(broken[i]);
            return NULL;
        }
    }
    if (!slice_eq(uri, S("s3://b/t.yaml")))
        return err_new(ERR_NOT_FOUND, "no object %.*s", SLICE_ARG(uri));
    *ret_text = S("spec:\n  tolerations: [{key: k, operator: Exists}]\n  containers:\n  - name: side\n  - name: spark-kubernetes-driver\n");
    return NULL;
}

static struct err *plan(struct arena *arena, const char *driver, const char *overrides, struct spark_emr_plan *ret)
{
    struct spark_emr_input input = {
        .job_run_id = S("00000003a1b2c3d4e5f"),
        .attempt = 1,
        .virtual_cluster_id = S("vc0123456789abcdefghijklm"),
        .namespace_ = S("team-a"),
        .name = S("nightly"),
        .release_label = S("emr-7.12.0-latest"),
        .installed = installed,
        .installed_count = 2,
        .job_driver = parse(arena, driver),
        .configuration_overrides = parse(arena, overrides),
        .driver_master = S("https://kubernetes.default.svc:6443"),
        .driver_service_account = S("sa-driver"),
        .executor_service_account = S("sa-executor"),
        .aws_endpoint = S("http://127.0.0.1:4567"),
        .region = S("us-east-1"),
        .credentials_secret = S("creds"),
        .submit_time_ms = 1795272326000,
        .read = {read_file, NULL},
    };
    return spark_emr_plan(arena, &input, ret);
}

static void expect_text(struct slice got, const char *wanted)
{
    if (!slice_eq(got, slice_from_cstr(wanted)))
        fail_msg("got \"%.*s\", wanted \"%s\"", SLICE_ARG(got), wanted);
}

static struct json *driver_container(const struct spark_emr_plan *p)
{
    return JSON_AT(p->pod, "spec", "containers")->last;
}

static struct slice env_value(const struct spark_emr_plan *p, const char *name)
{
    struct slice value = SLICE_NONE;
    JSON_FOREACH(e, json_get(driver_container(p), S("env"))) {
        if (slice_eq(json_get_text(e, "name"), slice_from_cstr(name)))
            value = json_get_text(e, "value");
    }
    return value;
}

static struct slice args_of(struct arena *arena, const struct spark_emr_plan *p)
{
    struct strbuf out = STRBUF_ARENA(arena);
    JSON_FOREACH(a, json_get(driver_container(p), S("args")))
        strbuf_append_fmt(&out, "[%.*s]", SLICE_ARG(a->text));
    return strbuf_slice(&out);
}

static bool has_note(const struct spark_emr_plan *p, const char *part)
{
    for (size_t i = 0; i < p->note_count; i++)
        if (slice_find(p->notes[i], slice_from_cstr(part)) >= 0)
            return true;
    return false;
}

#define PI_JAR "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"local:///usr/lib/spark/examples/jars/spark-examples.jar\", " \
               "\"entryPointArguments\": [\"10\"], \"sparkSubmitParameters\": \"--class org.apache.spark.examples.SparkPi\"}}"

static void test_pi_has_emrs_names_labels_and_environment(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p, again;
    assert_null(plan(arena, PI_JAR, NULL, &p));
    assert_null(plan(arena, PI_JAR, NULL, &again));
    assert_true(json_equal(p.pod, again.pod) && json_equal(p.conf_map, again.conf_map) && json_equal(p.service, again.service));
    expect_text(p.application_id, "spark-00000003a1b2c3d4e5f");
    expect_text(p.pod_name, "spark-00000003a1b2c3d4e5f-driver");
    expect_text(json_text(JSON_AT(p.pod, "metadata", "name")), "spark-00000003a1b2c3d4e5f-driver");
    assert_true(slice_starts_with(p.service_name, S("spark-00000003a1b2c3d4e5f-")) && slice_ends_with(p.service_name, S("-driver-svc")));
    assert_int_equal(p.service_name.len, strlen("spark-00000003a1b2c3d4e5f-0123456789abcdef-driver-svc"));
    assert_true(slice_starts_with(p.conf_map_name, S("spark-drv-")) && slice_ends_with(p.conf_map_name, S("-conf-map")));
    assert_null(p.network_policy);
    static const char *const labels[][2] = {
        {"emr-containers.amazonaws.com/job.id", "00000003a1b2c3d4e5f"},
        {"emr-containers.amazonaws.com/virtual-cluster-id", "vc0123456789abcdefghijklm"},
        {"emr-containers.amazonaws.com/resource.type", "job.run"},
        {"emr-containers.amazonaws.com/component", "driver"},
        {"spark-app-selector", "spark-00000003a1b2c3d4e5f"},
        {"spark-role", "driver"},
        {"spark-version", "3.5.9"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
        expect_text(json_get_text(JSON_AT(p.pod, "metadata", "labels"), labels[i][0]), labels[i][1]);
    static const char *const conf[][2] = {
        {"spark.app.id", "spark-00000003a1b2c3d4e5f"},
        {"spark.master", "k8s://https://kubernetes.default.svc:6443"},
        {"spark.kubernetes.driver.master", "https://kubernetes.default.svc:6443"},
        {"spark.kubernetes.namespace", "team-a"},
        {"spark.authenticate", "true"},
        {"spark.dynamicAllocation.enabled", "false"},
        {"spark.executor.memory", "1G"},
        {"spark.kubernetes.executor.label.emr-containers.amazonaws.com/component", "executor"},
        {"spark.kubernetes.executor.secretKeyRef.AWS_SESSION_TOKEN", "creds:AWS_SESSION_TOKEN"},
        {"spark.executorEnv.AWS_ENDPOINT_URL", "http://127.0.0.1:4567"},
        {"spark.kubernetes.authenticate.executor.serviceAccountName", "sa-executor"},
        {"spark.kubernetes.container.image.pullPolicy", "IfNotPresent"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(conf); i++)
        expect_text(spark_conf_get(&p.conf, conf[i][0]), conf[i][1]);
    expect_text(env_value(&p, "AWS_REGION"), "us-east-1");
    expect_text(env_value(&p, "AWS_DEFAULT_REGION"), "us-east-1");
    assert_null(env_value(&p, "EMBER_ENTRY_POINT_URI").ptr);
    expect_text(json_get_text(driver_container(&p), "image"), "ember/spark:3.5.9");
    expect_text(json_get_text(driver_container(&p), "name"), "spark-kubernetes-driver");
    expect_text(json_get_text(json_get(p.pod, S("spec")), "serviceAccountName"), "sa-driver");
    expect_text(args_of(arena, &p), "[driver][--properties-file][/opt/spark/conf/spark.properties][--class]"
                                    "[org.apache.spark.examples.SparkPi][local:///usr/lib/spark/examples/jars/spark-examples.jar][10]");
    assert_int_equal(p.job_start_timeout_s, 900);
    assert_int_equal(p.note_count, 1);
    assert_true(has_note(&p, "the job runs on Spark 3.5.9"));
    arena_free(arena);
}

static void test_names_differ_by_attempt(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_names one, two;
    spark_emr_names(arena, S("00000003a1b2c3d4e5f"), 1, &one);
    spark_emr_names(arena, S("00000003a1b2c3d4e5f"), 2, &two);
    expect_text(two.pod_name, "spark-00000003a1b2c3d4e5f-driver-2");
    assert_false(slice_eq(one.service_name, two.service_name));
    assert_false(slice_eq(one.conf_map_name, two.conf_map_name));
    assert_true(slice_eq(one.application_id, two.application_id));
    spark_emr_names(arena, S("a-run-id-that-is-much-too-long-for-a-service"), 1, &one);
    assert_true(one.service_name.len <= 63);
    arena_free(arena);
}

static void test_precedence_of_parameters_and_configuration(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    assert_null(plan(arena,
                     "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"local:///a.py\", \"sparkSubmitParameters\": "
                     "\"--conf spark.executor.cores=3 --executor-memory 4G --conf spark.kubernetes.namespace=other "
                     "--conf spark.kubernetes.container.image.pullPolicy=Never --deploy-mode client --master local[1]\"}}",
                     "{\"applicationConfiguration\": ["
                     "{\"classification\": \"spark-defaults\", \"properties\": {\"spark.executor.cores\": \"2\", \"spark.driver.cores\": \"2\", "
                     "\"spark.x\": \"1\"}},"
                     "{\"classification\": \"spark-defaults\", \"properties\": {\"spark.x\": \"2\", \"spark.kubernetes.container.image\": \"mine:1\"}}]}",
                     &p));
    static const struct {
        const char *key, *value;
        enum spark_conf_source source;
    } rows[] = {
        {"spark.executor.cores", "3", SPARK_CONF_ARGUMENT},
        {"spark.executor.memory", "4G", SPARK_CONF_OPTION},
        {"spark.driver.cores", "2", SPARK_CONF_APPLICATION},
        {"spark.driver.memory", "1G", SPARK_CONF_RELEASE_DEFAULT},
        {"spark.x", "2", SPARK_CONF_APPLICATION},
        {"spark.kubernetes.namespace", "team-a", SPARK_CONF_SYSTEM},
        {"spark.submit.deployMode", "cluster", SPARK_CONF_SYSTEM},
        {"spark.kubernetes.container.image", "mine:1", SPARK_CONF_APPLICATION},
        {"spark.kubernetes.container.image.pullPolicy", "Always", SPARK_CONF_SYSTEM},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct spark_conf_entry *e = spark_conf_find(&p.conf, slice_from_cstr(rows[i].key));
        assert_non_null(e);
        expect_text(e->value, rows[i].value);
        assert_int_equal(e->source, rows[i].source);
    }
    assert_true(has_note(&p, "spark.kubernetes.namespace may not be set: \"other\""));
    assert_true(has_note(&p, "pullPolicy may not be set: \"Never\""));
    assert_true(has_note(&p, "spark.submit.deployMode may not be set: \"client\""));
    arena_free(arena);
}

static void test_classifications_become_files_and_environment(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    assert_null(plan(arena, PI_JAR,
                     "{\"applicationConfiguration\": ["
                     "{\"classification\": \"spark-env\", \"configurations\": [{\"classification\": \"export\", \"properties\": {\"FOO\": \"\\\"b a\\\"\"}}]},"
                     "{\"classification\": \"spark-log4j\", \"properties\": {\"log4j.rootCategory\": \"WARN, console\", \"log4j.logger.a.B\": \"DEBUG\"}},"
                     "{\"classification\": \"spark-log4j2\", \"properties\": {\"logger.x.name\": \"x\"}},"
                     "{\"classification\": \"spark-metrics\", \"properties\": {\"*.sink.console.class\": \"c\"}},"
                     "{\"classification\": \"spark-hive-site\", \"properties\": {\"a.b\": \"<&>\"}},"
                     "{\"classification\": \"core-site\", \"properties\": {\"fs.x\": \"y\"}},"
                     "{\"classification\": \"emrfs-site\", \"properties\": {\"fs.s3.x\": \"y\"}},"
                     "{\"classification\": \"emr-job-submitter\", \"properties\": {\"jobsubmitter.logging\": \"DISABLED\"}},"
                     "{\"classification\": \"emr-containers-defaults\", \"properties\": {\"job-start-timeout\": \"1800\", \"logging.image\": \"i\"}}]}",
                     &p));
    expect_text(env_value(&p, "FOO"), "b a");
    expect_text(spark_conf_get(&p.conf, "spark.executorEnv.FOO"), "b a");
    assert_int_equal(p.job_start_timeout_s, 1800);
    struct json *data = json_get(p.conf_map, S("data"));
    struct slice log4j = json_get_text(data, "log4j2.properties");
    static const char *const lines[] = {"rootLogger.level=warn\n", "logger.user1.name=a.B\n", "logger.user1.level=debug\n", "logger.x.name=x\n",
                                        "appender.console.type=Console\n"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        if (slice_find(log4j, slice_from_cstr(lines[i])) < 0)
            fail_msg("no %s in %.*s", lines[i], SLICE_ARG(log4j));
    expect_text(json_get_text(data, "metrics.properties"), "*.sink.console.class=c\n");
    assert_true(slice_find(json_get_text(data, "hive-site.xml"), S("<name>a.b</name><value>&lt;&amp;&gt;</value>")) > 0);
    assert_true(slice_find(json_get_text(data, "core-site.xml"), S("<name>fs.x</name><value>y</value>")) > 0);
    assert_true(has_note(&p, "emrfs-site") && has_note(&p, "emr-job-submitter") && has_note(&p, "logging.image"));
    arena_free(arena);
}

static void test_wrong_runs_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *driver, *overrides, *message;
    } rows[] = {
        {PI_JAR, "{\"applicationConfiguration\": [{\"classification\": \"yarn-site\", \"properties\": {}}]}", "Classification yarn-site not supported."},
        {PI_JAR,
         "{\"applicationConfiguration\": [{\"classification\": \"spark-defaults\", \"configurations\": [{\"classification\": \"export\"}]}]}",
         "Classification export not supported."},
        {PI_JAR,
         "{\"applicationConfiguration\": [{\"classification\": \"emr-containers-defaults\", \"properties\": {\"job-start-timeout\": \"soon\"}}]}",
         "Classification emr-containers-defaults: job-start-timeout must be a positive number of seconds, not soon."},
        {"{}", NULL, "Job driver must have either sparkSubmitJobDriver or sparkSqlJobDriver."},
        {"{\"sparkSubmitJobDriver\": {\"entryPoint\": \"local:///a.py\", \"sparkSubmitParameters\": \"--conf 'x\"}}", NULL,
         "sparkSubmitParameters: No closing quotation: a single quote is not closed."},
        {"{\"sparkSubmitJobDriver\": {\"entryPoint\": \"s3://b\"}}", NULL, "s3://b does not name an object: s3://BUCKET/KEY is needed."},
        {"{\"sparkSubmitJobDriver\": {\"entryPoint\": \"/a.py\"}}", NULL, "Please specify spark.kubernetes.file.upload.path property."},
        {"{\"sparkSubmitJobDriver\": {\"entryPoint\": \"local:///a.py\", \"sparkSubmitParameters\": \"--jars s3://b/*.jar\"}}", NULL,
         "s3://b/*.jar is a pattern: name each object of S3 instead."},
        {"{\"sparkSqlJobDriver\": {\"entryPoint\": \"s3://b/q.sql\", \"sparkSqlParameters\": \"--py-files x\"}}", NULL,
         "Unrecognized option '--py-files'."},
        {"{\"sparkSqlJobDriver\": {\"entryPoint\": \"s3://b/q.sql\", \"sparkSqlParameters\": \"--name\"}}", NULL,
         "Missing argument for option '--name'."},
        {"{\"sparkSubmitJobDriver\": {\"entryPoint\": \"local:///x.jar\", \"sparkSubmitParameters\": \"--class "
         "org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver\"}}",
         NULL, "Cluster deploy mode is not applicable to Spark SQL shell."},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct spark_emr_plan p;
        struct err *e = plan(arena, rows[i].driver, rows[i].overrides, &p);
        assert_non_null(e);
        assert_int_equal(e->kind, ERR_INVALID);
        expect_text(err_message(e), rows[i].message);
        err_free(e);
    }
    arena_free(arena);
}

static void test_objects_of_s3_are_fetched_first(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    assert_null(plan(arena,
                     "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"s3://b/d=1/app.jar\", \"sparkSubmitParameters\": "
                     "\"--class C --jars s3a://b/x=y/l.jar,local:///m.jar,s3://c/l.jar --files s3://b/f.txt --archives s3://b/e.zip#env\"}}",
                     NULL, &p));
    expect_text(env_value(&p, "EMBER_ENTRY_POINT_URI"), "s3://b/d=1/app.jar");
    expect_text(env_value(&p, "EMBER_FETCH"), "s3://b/x=y/l.jar=l.jar\ns3://c/l.jar=2_l.jar\ns3://b/f.txt=f.txt\n"
                                              "s3://b/e.zip=e.zip\n");
    expect_text(spark_conf_get(&p.conf, "spark.jars"), "file:///opt/ember/entry/l.jar,local:///m.jar,file:///opt/ember/entry/2_l.jar,file:///opt/ember/entry/app.jar");
    expect_text(spark_conf_get(&p.conf, "spark.files"), "file:///opt/ember/entry/f.txt");
    expect_text(spark_conf_get(&p.conf, "spark.archives"), "file:///opt/ember/entry/e.zip#env");
    assert_true(slice_ends_with(args_of(arena, &p), S("[--class][C][file:///opt/ember/entry/app.jar]")));
    assert_null(plan(arena, "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"s3://b/main.py\", \"sparkSubmitParameters\": \"--py-files s3://b/d.py\"}}",
                     NULL, &p));
    assert_true(slice_ends_with(args_of(arena, &p), S("[org.apache.spark.deploy.PythonRunner][local:///opt/ember/entry/main.py]")));
    expect_text(spark_conf_get(&p.conf, "spark.submit.pyFiles"), "file:///opt/ember/entry/d.py");
    assert_null(plan(arena, "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"s3://b/my job,1.py\"}}", NULL, &p));
    assert_true(slice_ends_with(args_of(arena, &p), S("[local:///opt/ember/entry/my_job_1.py]")));
    assert_null(env_value(&p, "EMBER_ENTRY_POINT_URI").ptr);
    expect_text(env_value(&p, "EMBER_FETCH"), "s3://b/my job,1.py=my_job_1.py\n");
    arena_free(arena);
}

static void test_a_sql_job_runs_the_sql_shell(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    assert_null(plan(arena,
                     "{\"sparkSqlJobDriver\": {\"entryPoint\": \"s3://b/q.sql\", \"sparkSqlParameters\": "
                     "\"--conf spark.x=1 -hivevar a=b --hiveconf=c=d --num-executors 2\"}}",
                     NULL, &p));
    expect_text(args_of(arena, &p), "[driver][--properties-file][/opt/spark/conf/spark.properties][--class]"
                                    "[org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver][spark-internal][-f][/opt/ember/entry/q.sql]"
                                    "[-hivevar][a=b][-hiveconf][c=d]");
    expect_text(env_value(&p, "EMBER_ENTRY_POINT_URI"), "s3://b/q.sql");
    expect_text(spark_conf_get(&p.conf, "spark.x"), "1");
    expect_text(spark_conf_get(&p.conf, "spark.executor.instances"), "2");
    assert_null(plan(arena, "{\"sparkSqlJobDriver\": {\"entryPoint\": \"local:///opt/q.sql\"}}", NULL, &p));
    assert_true(slice_ends_with(args_of(arena, &p), S("[spark-internal][-f][/opt/q.sql]")));
    arena_free(arena);
}

static void test_a_pod_template_comes_through_the_caller(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    assert_null(plan(arena, PI_JAR,
                     "{\"applicationConfiguration\": [{\"classification\": \"spark-defaults\", \"properties\": "
                     "{\"spark.kubernetes.driver.podTemplateFile\": \"s3://b/t.yaml\"}}]}",
                     &p));
    assert_int_equal(json_count(JSON_AT(p.pod, "spec", "containers")), 2);
    expect_text(json_get_text(driver_container(&p), "name"), "spark-kubernetes-driver");
    assert_non_null(JSON_AT(p.pod, "spec", "tolerations"));
    arena_free(arena);
}

static void test_an_odd_template_is_refused_or_mended(void **state)
{
    (void)state;
    static const bool refused[] = {true, true, false, false, false, false};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct spark_emr_plan p;
        struct slice overrides = slice_fmt(arena,
                                           "{\"applicationConfiguration\": [{\"classification\": \"spark-defaults\", \"properties\": "
                                           "{\"spark.kubernetes.driver.podTemplateFile\": \"s3://b/broken-%zu\"}}]}",
                                           i);
        struct err *e = plan(arena, PI_JAR, overrides.ptr, &p);
        assert_int_equal(e != NULL, refused[i]);
        if (!e)
            assert_true(json_count(json_get(driver_container(&p), S("env"))) > 5);
        err_free(e);
    }
    arena_free(arena);
}

static void test_spark_4_brings_a_network_policy(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    struct spark_emr_input input = {.job_run_id = S("r1"), .attempt = 1, .virtual_cluster_id = S("v1"), .namespace_ = S("n"),
                                    .release_label = S("emr-spark-8.1.0-latest"), .installed = installed, .installed_count = 2,
                                    .job_driver = parse(arena, PI_JAR), .driver_master = S("https://h:1")};
    assert_null(spark_emr_plan(arena, &input, &p));
    expect_text(json_get_text(driver_container(&p), "image"), "ember/spark:4.3.0");
    assert_true(slice_eq(json_text(JSON_AT(p.network_policy, "metadata", "name")), p.network_policy_name));
    expect_text(spark_conf_get(&p.conf, "spark.kubernetes.authenticate.driver.serviceAccountName"), "default");
    struct spark_conf written;
    spark_conf_init(&written, arena);
    assert_null(properties_read(json_get_text(json_get(p.conf_map, S("data")), "spark.properties"), PROPERTIES_KEEP_BLANKS,
                                SPARK_CONF_SYSTEM, &written));
    assert_int_equal(written.count, p.conf.count);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pi_has_emrs_names_labels_and_environment),
        cmocka_unit_test(test_names_differ_by_attempt),
        cmocka_unit_test(test_precedence_of_parameters_and_configuration),
        cmocka_unit_test(test_classifications_become_files_and_environment),
        cmocka_unit_test(test_wrong_runs_are_refused),
        cmocka_unit_test(test_objects_of_s3_are_fetched_first),
        cmocka_unit_test(test_a_sql_job_runs_the_sql_shell),
        cmocka_unit_test(test_a_pod_template_comes_through_the_caller),
        cmocka_unit_test(test_an_odd_template_is_refused_or_mended),
        cmocka_unit_test(test_spark_4_brings_a_network_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
