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

static const char *given_file; /* s3://b/given */
static int files_read;

static struct err *read_file(void *context, struct arena *arena, struct slice uri, struct slice *ret_text)
{
    (void)context;
    if (slice_eq(uri, S("s3://b/given"))) {
        *ret_text = slice_from_cstr(given_file);
        files_read++;
        return NULL;
    }
    if (slice_eq(uri, S("s3://b/away")))
        return err_new(ERR_UNAVAILABLE, "nobody answers");
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
                     "{\"classification\": \"emr-containers-defaults\", \"properties\": {\"job-start-timeout\": \"1800\", \"logging.image\": \"i\", \"executor.logging\": \"off\"}}]}",
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
    assert_true(has_note(&p, "emrfs-site: fs.s3.x has no effect") && has_note(&p, "logging.image has no effect"));
    assert_true(has_note(&p, "jobsubmitter.logging is DISABLED: the control logs are not shipped") && has_note(&p, "executor.logging has no effect: it is ENABLED or DISABLED, not \"off\""));
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
         "{\"applicationConfiguration\": [{\"classification\": \"spark-env\", \"configurations\": [{\"classification\": \"export\", "
         "\"configurations\": [{\"classification\": \"deeper\"}]}]}]}",
         "Classification deeper not supported."},
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

/* The plan of a job with these --jars. */
static struct err *plan_jars(struct arena *arena, struct slice jars, struct spark_emr_plan *ret)
{
    struct slice driver = slice_fmt(arena, "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"s3://b/main.py\", \"sparkSubmitParameters\": \"--jars %.*s\"}}",
                                    SLICE_ARG(jars));
    return plan(arena, driver.ptr, NULL, ret);
}

static void test_an_object_that_is_named_twice_is_fetched_once(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct strbuf jars = STRBUF_ARENA(arena);
    struct spark_emr_plan p;
    assert_null(plan_jars(arena, S("s3://b/x.jar,s3://c/x.jar,s3a://b/x.jar,s3://b/main.py,s3://c/2_x.jar --archives s3://b/x.jar#a"), &p));
    expect_text(env_value(&p, "EMBER_FETCH"), "s3://b/x.jar=x.jar\ns3://c/x.jar=2_x.jar\ns3://c/2_x.jar=2_2_x.jar\n");
    expect_text(spark_conf_get(&p.conf, "spark.jars"), "file:///opt/ember/entry/x.jar,file:///opt/ember/entry/2_x.jar,file:///opt/ember/entry/x.jar,"
                                                       "file:///opt/ember/entry/main.py,file:///opt/ember/entry/2_2_x.jar");
    expect_text(spark_conf_get(&p.conf, "spark.archives"), "file:///opt/ember/entry/x.jar#a");
    for (size_t i = 0; i < 11000; i++)
        strbuf_append_fmt(&jars, "%ss3://a/b", i ? "," : "");
    assert_null(plan_jars(arena, strbuf_slice(&jars), &p));
    expect_text(env_value(&p, "EMBER_FETCH"), "s3://a/b=b\n");
    arena_free(arena);
}

/* The number in front was looked for among all names, for each name anew: a job of this size held its thread for hours. */
static void test_many_objects_of_one_name_are_told_apart(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct strbuf jars = STRBUF_ARENA(arena);
    struct spark_emr_plan p;
    for (size_t i = 0; i < 6000; i++)
        strbuf_append_fmt(&jars, "%ss3://%zu/b", i ? "," : "", i);
    assert_null(plan_jars(arena, strbuf_slice(&jars), &p));
    assert_true(slice_ends_with(env_value(&p, "EMBER_FETCH"), S("\ns3://5998/b=5999_b\ns3://5999/b=6000_b\n")));
    for (size_t i = 6000; i < 8000; i++)
        strbuf_append_fmt(&jars, ",s3://%zu/b", i);
    struct err *e = plan_jars(arena, strbuf_slice(&jars), &p);
    assert_non_null(e);
    expect_text(err_message(e), "The job names too many objects of S3: their URIs and names have more than 122880 bytes. Put them into an archive.");
    err_free(e);
    arena_free(arena);
}

/* All names were written out and looked up anew for each: ten thousand took 1.6 GiB and more than a minute. */
static void test_many_loggers_of_log4j_1_are_numbered(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct strbuf overrides = STRBUF_ARENA(arena);
    struct spark_emr_plan p;
    strbuf_append_cstr(&overrides, "{\"applicationConfiguration\": [");
    for (size_t i = 0; i < 100; i++) {
        strbuf_append_fmt(&overrides, "%s{\"classification\": \"spark-log4j\", \"properties\": {\"log4j.logger.again\": \"INFO\"", i ? "," : "");
        for (size_t j = 0; j < 99; j++)
            strbuf_append_fmt(&overrides, ",\"log4j.logger.c%zu.p%zu\": \"WARN\"", i, j);
        strbuf_append_cstr(&overrides, "}}");
    }
    strbuf_append_cstr(&overrides, "]}");
    assert_null(plan(arena, PI_JAR, strbuf_slice(&overrides).ptr, &p));
    struct spark_conf log4j;
    spark_conf_init(&log4j, arena);
    assert_null(properties_read(json_get_text(json_get(p.conf_map, S("data")), "log4j2.properties"), PROPERTIES_KEEP_BLANKS, SPARK_CONF_SYSTEM, &log4j));
    expect_text(spark_conf_get(&log4j, "logger.user1.name"), "again");
    expect_text(spark_conf_get(&log4j, "logger.user2.name"), "c0.p0");
    expect_text(spark_conf_get(&log4j, "logger.user9901.name"), "c99.p98");
    assert_null(spark_conf_get(&log4j, "logger.user9902.name").ptr);
    assert_true(arena_used(arena) < 64 << 20);
    arena_free(arena);
}

static void plan_with_file(struct arena *arena, const struct strbuf *file, const char *version, struct spark_emr_plan *ret)
{
    struct spark_emr_input input = {.job_run_id = S("r1"), .attempt = 1, .virtual_cluster_id = S("v1"), .namespace_ = S("n"), .release_label = slice_from_cstr(version),
                                    .installed = installed, .installed_count = 2, .driver_master = S("https://h:1"), .read = {read_file, NULL},
                                    .job_driver = parse(arena, "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"local:///a.py\", "
                                                               "\"sparkSubmitParameters\": \"--properties-file s3://b/given\"}}")};
    given_file = file->ptr;
    assert_null(spark_emr_plan(arena, &input, ret));
}

/* Each was looked for among all before it: a job of this size held its thread for most of a minute. */
static void test_many_volumes_labels_and_annotations_are_planned(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct strbuf volumes = STRBUF_ARENA(arena), claims = STRBUF_ARENA(arena), labels = STRBUF_ARENA(arena);
    struct spark_emr_plan p;
    for (size_t i = 0; i < 12000; i++)
        strbuf_append_fmt(&volumes, "spark.kubernetes.driver.volumes.emptyDir.v%zu.mount.path /m%zu\n", i, i);
    plan_with_file(arena, &volumes, "emr-7.12.0-latest", &p);
    assert_true(json_count(JSON_AT(p.pod, "spec", "volumes")) >= 12000);
    expect_text(json_get_text(json_item(json_get(driver_container(&p), S("volumeMounts")), 11999), "mountPath"), "/m11999");
    for (size_t i = 0; i < 2500; i++)
        strbuf_append_fmt(&claims, "spark.kubernetes.driver.volumes.persistentVolumeClaim.v%zu.mount.path /m%zu\n"
                                   "spark.kubernetes.driver.volumes.persistentVolumeClaim.v%zu.options.claimName OnDemand\n"
                                   "spark.kubernetes.driver.volumes.persistentVolumeClaim.v%zu.options.storageClass s\n"
                                   "spark.kubernetes.driver.volumes.persistentVolumeClaim.v%zu.options.sizeLimit 1Gi\n"
                                   "spark.kubernetes.driver.volumes.persistentVolumeClaim.v%zu.label.l l%zu\n", i, i, i, i, i, i, i);
    plan_with_file(arena, &claims, "emr-spark-8.1.0-latest", &p);
    assert_int_equal(json_count(p.others), 2500);
    expect_text(json_text(JSON_AT(p.others->last, "metadata", "labels", "l")), "l2499");
    for (size_t i = 0; i < 8000; i++)
        strbuf_append_fmt(&labels, "spark.kubernetes.driver.label.l%zu %zu\nspark.kubernetes.driver.annotation.a%zu %zu\n", i, i, i, i);
    plan_with_file(arena, &labels, "emr-spark-8.1.0-latest", &p);
    expect_text(json_text(JSON_AT(p.pod, "metadata", "labels", "l7999")), "7999");
    expect_text(json_text(JSON_AT(p.service, "spec", "selector", "l7999")), "7999");
    expect_text(json_text(JSON_AT(p.pod, "metadata", "annotations", "a7999")), "7999");
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

#define WITH_TEMPLATE(role) "{\"applicationConfiguration\": [{\"classification\": \"spark-defaults\", \"properties\": " \
                            "{\"spark.kubernetes." role ".podTemplateFile\": \"s3://b/given\"}}]}"

static void test_templates_are_held_to_emrs_list(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"[]", "It is no Pod."},
        {"spec: {containers: [1]}", "An item of containers is no object."},
        {"spec: 3", "Field spec is no object."},
        {"metadata: x", "Field metadata is no object."},
        {"kind: Job", "It is a Job, no Pod."},
        {"status: {}", "Field status in Pod not allowed but specified."},
        {"spec: {containers: {a: 1}}", "Field containers is no list."},
        {"spec: {volumes: y}", "Field volumes is no list."},
        {"spec: {containers: [{env: 1}]}", "Field env is no list."},
        {"spec: {hostNetwork: true}", "Field spec.hostNetwork in Pod not allowed but specified."},
        {"spec: {securityContext: {runAsUser: 0}}", "Field spec.securityContext in Pod not allowed but specified."},
        {"spec: {serviceAccountName: admin}", "Field spec.serviceAccountName in Pod not allowed but specified."},
        {"spec: {containers: [{name: spark-kubernetes-executor, command: [sh]}]}",
         "Field container.command in Spark main container not allowed but specified."},
        {"spec: {containers: [{name: a}, {name: spark-kubernetes-executor, image: x}]}",
         "Field container.image in Spark main container not allowed but specified."},
        {"spec: {containers: [{name: first-is-taken, image: x}]}", "Field container.image in Spark main container not allowed but specified."},
        {"spec: {containers: [{name: spark-kubernetes-executor, env: [{name: SIDECAR_SIGNAL_FILE, value: x}]}]}",
         "Environment variable SIDECAR_SIGNAL_FILE in Spark main container is reserved."},
        {"spec: {volumes: [{name: mnt-dir, emptyDir: {}}]}", "Volume name mnt-dir is reserved."},
        {"spec: {containers: [{name: spark-kubernetes-executor, volumeMounts: [{name: x, mountPath: /mnt/data/}]}]}",
         "Defined volume mount path on main container must not overlap with reserved mount paths: [/var/log/fluentd, /var/log/spark/user, "
         "/var/log/spark/apps, /tmp, /mnt, /home/hadoop]"},
        {"spec: {containers: [{name: spark-kubernetes-executor, volumeMounts: [{name: x, mountPath: /var/log}]}]}",
         "Defined volume mount path on main container must not overlap with reserved mount paths: [/var/log/fluentd, /var/log/spark/user, "
         "/var/log/spark/apps, /tmp, /mnt, /home/hadoop]"},
        {"spec: {containers: [{name: spark-kubernetes-executor}, {name: s, volumeMounts: [{name: config-volume, mountPath: /v}]}]}",
         "Container s mounts the volume config-volume, which pods do not have here: logs are shipped without a container."},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct spark_emr_plan p;
        given_file = rows[i].text;
        struct err *e = plan(arena, PI_JAR, WITH_TEMPLATE("executor"), &p);
        assert_non_null(e);
        assert_true(err_has_code(e, "USER_ERROR"));
        expect_text(err_message(e), slice_fmt(arena, "Executor pod template validation failed. %s", rows[i].message).ptr);
        err_free(e);
    }
    arena_free(arena);
}

static void expect_conf(const struct spark_emr_plan *p, const char *key, const char *value, enum spark_conf_source source)
{
    const struct spark_conf_entry *e = spark_conf_find(&p->conf, slice_from_cstr(key));
    if (!e)
        fail_msg("%s is not set", key);
    expect_text(e->value, value);
    assert_int_equal(e->source, source);
}

static const struct json *item_named(const struct json *list, const char *name)
{
    JSON_FOREACH (item, list)
        if (slice_eq(json_get_text(item, "name"), slice_from_cstr(name)))
            return item;
    return NULL;
}

static void test_what_side_cars_share_with_the_main_container_is_in_the_pod(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    given_file = "spec:\n  containers:\n  - name: spark-kubernetes-driver\n"
                 "  - {name: s, image: i, volumeMounts: [{name: emr-container-communicate, mountPath: /signs, readOnly: true}, "
                 "{name: emr-container-event-log-dir, mountPath: /events}, {name: emr-container-application-log-dir, mountPath: /l}]}\n";
    assert_null(plan(arena, PI_JAR, WITH_TEMPLATE("driver"), &p));
    const struct json *main = item_named(JSON_AT(p.pod, "spec", "containers"), "spark-kubernetes-driver");
    const struct json *volumes = JSON_AT(p.pod, "spec", "volumes"), *mounts = json_get(main, S("volumeMounts"));
    assert_non_null(json_get(item_named(volumes, "emr-container-communicate"), S("emptyDir")));
    expect_text(json_get_text(item_named(mounts, "emr-container-communicate"), "mountPath"), "/var/log/fluentd");
    expect_text(json_get_text(item_named(mounts, "emr-container-event-log-dir"), "mountPath"), "/var/log/spark/apps");
    expect_text(env_value(&p, "SIDECAR_SIGNAL_FILE"), "/var/log/fluentd/main-container-terminated");
    expect_conf(&p, "spark.eventLog.dir", "file:///var/log/spark/apps", SPARK_CONF_RELEASE_DEFAULT);
    assert_null(item_named(volumes, "mnt-dir"));
    expect_text(json_get_text(item_named(mounts, "emr-container-application-log-dir"), "mountPath"), "/var/log/spark/user");
    given_file = "spec:\n  containers:\n  - name: spark-kubernetes-executor\n  - {name: s, image: i, volumeMounts: [{name: emr-container-communicate, "
                 "mountPath: /signs}, {name: temp-data-dir, mountPath: /t}]}\n";
    assert_null(plan(arena, PI_JAR, WITH_TEMPLATE("executor"), &p));
    expect_conf(&p, "spark.kubernetes.executor.volumes.emptyDir.emr-container-communicate.mount.path", "/var/log/fluentd", SPARK_CONF_SYSTEM);
    expect_conf(&p, "spark.kubernetes.executor.volumes.emptyDir.temp-data-dir.mount.path", "/tmp", SPARK_CONF_SYSTEM);
    expect_conf(&p, "spark.executorEnv.SIDECAR_SIGNAL_FILE", "/var/log/fluentd/main-container-terminated", SPARK_CONF_SYSTEM);
    assert_null(item_named(JSON_AT(p.pod, "spec", "volumes"), "emr-container-communicate"));
    assert_null(spark_conf_get(&p.conf, "spark.eventLog.dir").ptr);
    arena_free(arena);
}

#define TEMPLATE(role) \
    "apiVersion: v1\nkind: Pod\nmetadata: {labels: {team: a}}\nspec:\n" \
    "  volumes: [{name: data, emptyDir: {}}]\n  nodeSelector: {disk: ssd}\n  priorityClassName: high\n" \
    "  initContainers: [{name: i, image: busybox, command: [ls]}]\n" \
    "  containers:\n  - {name: helper, image: busybox, command: [sleep, '1']}\n" \
    "  - name: spark-kubernetes-" role "\n    env: [{name: MINE, value: x}]\n    volumeMounts: [{name: data, mountPath: /mntx}]\n"

static void test_what_templates_may_hold_is_kept(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    given_file = TEMPLATE("driver");
    files_read = 0;
    assert_null(plan(arena, PI_JAR, WITH_TEMPLATE("driver"), &p));
    assert_int_equal(files_read, 1); /* what was checked is what is used */
    expect_text(json_get_text(JSON_AT(p.pod, "metadata", "labels"), "team"), "a");
    expect_text(json_get_text(JSON_AT(p.pod, "spec", "nodeSelector"), "disk"), "ssd");
    expect_text(env_value(&p, "MINE"), "x");
    assert_int_equal(json_count(JSON_AT(p.pod, "spec", "containers")), 2);
    given_file = TEMPLATE("executor");
    assert_null(plan(arena, PI_JAR, WITH_TEMPLATE("executor"), &p));
    struct json *map = json_item(p.others, 0);
    expect_text(json_get_text(json_get(map, S("data")), "podspec-configmap-key"), given_file);
    expect_text(spark_conf_get(&p.conf, "spark.kubernetes.executor.podTemplateFile"), "/opt/spark/pod-template/pod-spec-template.yml");
    expect_text(spark_conf_get(&p.conf, "spark.kubernetes.executor.podTemplateContainerName"), "spark-kubernetes-executor");
    arena_free(arena);
}

static void test_files_that_cannot_be_read_refuse_the_run(void **state)
{
    (void)state;
    static const struct {
        const char *option, *message, *code;
        enum err_kind kind;
    } rows[] = {
        {"--properties-file s3://b/none", "Failed when loading Spark properties from s3://b/none: no object s3://b/none", NULL, ERR_NOT_FOUND},
        {"--properties-file /x.conf", "Failed when loading Spark properties from /x.conf: it must be in S3, there are no files at this submitter",
         "USER_ERROR", ERR_INVALID},
        {"--properties-file s3://b/away", "Failed when loading Spark properties from s3://b/away: nobody answers", NULL, ERR_UNAVAILABLE},
        {"--conf spark.kubernetes.driver.podTemplateFile=/t.yaml",
         "Could not load pod from template file /t.yaml: it must be in S3, there are no files at this submitter", "USER_ERROR", ERR_INVALID},
        {"--conf spark.kubernetes.executor.podTemplateFile=s3://b/away", "Could not load pod from template file s3://b/away: nobody answers", NULL,
         ERR_UNAVAILABLE},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct spark_emr_plan p;
        struct err *e = plan(arena, slice_fmt(arena, "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"local:///a.py\", \"sparkSubmitParameters\": \"%s\"}}",
                                              rows[i].option).ptr, NULL, &p);
        assert_non_null(e);
        expect_text(err_message(e), rows[i].message);
        assert_int_equal(e->kind, rows[i].kind);
        assert_true(rows[i].code ? err_has_code(e, rows[i].code) : !e->code);
        err_free(e);
    }
    given_file = "spec: {a: [";
    struct spark_emr_plan p;
    struct err *e = plan(arena, PI_JAR, WITH_TEMPLATE("driver"), &p);
    assert_non_null(e);
    assert_true(slice_starts_with(err_message(e), S("Could not load pod from template file s3://b/given: ")) && err_has_code(e, "USER_ERROR"));
    err_free(e);
    arena_free(arena);
}

static void test_a_properties_file_lies_between_conf_and_classifications(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    given_file = "spark.a file\nspark.b=file\nspark.c : file\nspark.kubernetes.namespace file\nother x\n";
    assert_null(plan(arena,
                     "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"local:///a.py\", \"sparkSubmitParameters\": "
                     "\"--properties-file s3://b/given --conf spark.a=argument\"}}",
                     "{\"applicationConfiguration\": [{\"classification\": \"spark-defaults\", \"properties\": "
                     "{\"spark.a\": \"app\", \"spark.b\": \"app\", \"spark.d\": \"app\"}}]}",
                     &p));
    expect_conf(&p, "spark.a", "argument", SPARK_CONF_ARGUMENT);
    expect_conf(&p, "spark.b", "file", SPARK_CONF_PROPERTIES_FILE);
    expect_conf(&p, "spark.c", "file", SPARK_CONF_PROPERTIES_FILE);
    expect_conf(&p, "spark.d", "app", SPARK_CONF_APPLICATION);
    expect_conf(&p, "spark.executor.cores", "1", SPARK_CONF_RELEASE_DEFAULT);
    expect_conf(&p, "spark.kubernetes.namespace", "team-a", SPARK_CONF_SYSTEM);
    assert_true(has_note(&p, "spark.kubernetes.namespace may not be set: \"file\"") && has_note(&p, "Ignoring non-Spark config property: other"));
    arena_free(arena);
}

static void test_repeated_classifications_merge_and_the_particular_wins(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    assert_null(plan(arena, PI_JAR,
                     "{\"applicationConfiguration\": ["
                     "{\"classification\": \"spark-defaults\", \"properties\": {\"spark.executorEnv.A\": \"defaults\", "
                     "\"spark.eventLog.rotation.enabled\": \"true\", \"job-start-timeout\": \"1\", "
                     "\"spark.kubernetes.driver.podTemplateValidation.enabled\": \"false\", \"spark.hadoop.fs.s3a.threads.max\": \"9\"}},"
                     "{\"classification\": \"spark-env\", \"configurations\": [{\"classification\": \"export\", \"properties\": {\"A\": \"1\", \"B\": \"1\", "
                     "\"AWS_REGION\": \"eu-west-1\"}}]},"
                     "{\"classification\": \"spark-env\", \"configurations\": [{\"classification\": \"export\", \"properties\": {\"B\": \"2\"}}]},"
                     "{\"classification\": \"spark-log4j\", \"properties\": {\"log4j.logger.a.B\": \"DEBUG\"}},"
                     "{\"classification\": \"spark-log4j\", \"properties\": {\"log4j.logger.c\": \"WARN\", \"log4j.logger.a.B\": \"ERROR\"}},"
                     "{\"classification\": \"core-site\", \"properties\": {\"x\": \"1\", \"y\": \"1\"}},"
                     "{\"classification\": \"core-site\", \"properties\": {\"y\": \"2\"}},"
                     "{\"classification\": \"emrfs-site\", \"properties\": {\"fs.s3.maxConnections\": \"50\", \"fs.s3.threadpool.maxSize\": \"3\", "
                     "\"fs.s3.enableServerSideEncryption\": \"true\", \"fs.s3.consistent\": \"true\"}},"
                     "{\"classification\": \"emr-containers-defaults\", \"properties\": {\"job-start-timeout\": \"5\"}},"
                     "{\"classification\": \"emr-containers-defaults\", \"properties\": {\"job-start-timeout\": \"7\", \"executor.loging\": \"x\"}},"
                     "{\"classification\": \"emr-job-submitter\", \"properties\": {\"jobsubmitter.node.toleration.a.b/c.effect\": \"NoSchedule\", "
                     "\"jobsubmiter.logging\": \"x\"}}]}",
                     &p));
    expect_conf(&p, "spark.executorEnv.A", "defaults", SPARK_CONF_APPLICATION);
    expect_conf(&p, "spark.kubernetes.driverEnv.A", "1", SPARK_CONF_APPLICATION);
    expect_conf(&p, "spark.executorEnv.B", "2", SPARK_CONF_APPLICATION);
    expect_conf(&p, "spark.executorEnv.AWS_REGION", "eu-west-1", SPARK_CONF_APPLICATION);
    expect_conf(&p, "spark.hadoop.fs.s3a.connection.maximum", "50", SPARK_CONF_APPLICATION);
    expect_conf(&p, "spark.hadoop.fs.s3a.threads.max", "9", SPARK_CONF_APPLICATION);
    expect_conf(&p, "spark.hadoop.fs.s3a.encryption.algorithm", "AES256", SPARK_CONF_APPLICATION);
    assert_int_equal(p.job_start_timeout_s, 7);
    static const char *const notes[] = {"fs.s3.consistent has no effect", "fs.s3.maxConnections becomes fs.s3a.connection.maximum",
                                        "spark.eventLog.rotation.enabled has no effect", "job-start-timeout has no effect here",
                                        "podTemplateValidation.enabled has no effect", "executor.loging is not known", "jobsubmiter.logging is not known"};
    for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
        if (!has_note(&p, notes[i]))
            fail_msg("no note %s", notes[i]);
    assert_false(has_note(&p, "jobsubmitter.node.toleration"));
    struct json *data = json_get(p.conf_map, S("data"));
    struct slice log4j = json_get_text(data, "log4j2.properties");
    assert_true(slice_find(log4j, S("logger.user1.level=error\n")) > 0 && slice_find(log4j, S("logger.user2.name=c\n")) > 0 &&
                slice_find(log4j, S("user3")) < 0);
    struct slice core = json_get_text(data, "core-site.xml");
    assert_true(slice_find(core, S("<name>y</name><value>2</value>")) > 0 && slice_find(core, S("<name>y</name><value>1</value>")) < 0);
    arena_free(arena);
}

static const struct json *effective_row(const struct spark_emr_plan *p, const char *classification, const char *name)
{
    JSON_FOREACH(c, json_get(p->effective, S("configurations"))) {
        if (!slice_eq(json_get_text(c, "classification"), slice_from_cstr(classification)))
            continue;
        JSON_FOREACH(row, json_get(c, S("properties"))) {
            if (slice_eq(json_get_text(row, "name"), slice_from_cstr(name)))
                return row;
        }
    }
    fail_msg("no %s in %s", name, classification);
    return NULL;
}

static void test_every_effective_value_has_its_source(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    assert_null(plan(arena,
                     "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"local:///a.py\", \"sparkSubmitParameters\": "
                     "\"--conf spark.b=2 --executor-memory 3G --conf spark.my.Password=abc --driver-java-options -Djavax.net.ssl.trustStorePassword=abc\"}}",
                     "{\"applicationConfiguration\": ["
                     "{\"classification\": \"spark-defaults\", \"properties\": {\"spark.a\": \"1\", \"spark.b\": \"1\"}},"
                     "{\"classification\": \"spark-hive-site\", \"properties\": {\"javax.jdo.option.ConnectionPassword\": \"abc\", \"h\": \"1\","
                     "\"javax.jdo.option.ConnectionURL\": \"jdbc:mysql://h/db?user=u&PASSWORD=abc\"}},"
                     "{\"classification\": \"spark-log4j2\", \"properties\": {\"rootLogger.level\": \"warn\"}},"
                     "{\"classification\": \"emr-containers-defaults\", \"properties\": {\"job-start-timeout\": \"60\"}}]}",
                     &p));
    static const struct {
        const char *classification, *name, *value, *source;
    } rows[] = {
        {"spark-defaults", "spark.a", "1", "application-configuration"},
        {"spark-defaults", "spark.b", "2", "conf-argument"},
        {"spark-defaults", "spark.executor.memory", "3G", "option"},
        {"spark-defaults", "spark.driver.memory", "1G", "release-default"},
        {"spark-defaults", "spark.kubernetes.namespace", "team-a", "system"},
        {"spark-defaults", "spark.my.Password", "*********(redacted)", "conf-argument"},
        {"spark-defaults", "spark.driver.extraJavaOptions", "*********(redacted)", "option"},
        {"spark-hive-site", "javax.jdo.option.ConnectionURL", "*********(redacted)", "application-configuration"},
        {"spark-defaults", "spark.kubernetes.driver.secretKeyRef.AWS_ACCESS_KEY_ID", "creds:AWS_ACCESS_KEY_ID", "release-default"},
        {"spark-hive-site", "javax.jdo.option.ConnectionPassword", "*********(redacted)", "application-configuration"},
        {"spark-hive-site", "h", "1", "application-configuration"},
        {"spark-log4j2", "rootLogger.level", "warn", "application-configuration"},
        {"spark-log4j2", "appender.console.type", "Console", "release-default"},
        {"emr-containers-defaults", "job-start-timeout", "60", "application-configuration"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct json *row = effective_row(&p, rows[i].classification, rows[i].name);
        expect_text(json_get_text(row, "value"), rows[i].value);
        expect_text(json_get_text(row, "source"), rows[i].source);
    }
    expect_text(json_get_text(p.effective, "sparkVersion"), "3.5.9");
    struct slice before = SLICE_NONE;
    JSON_FOREACH(row, json_get(json_item(json_get(p.effective, S("configurations")), 0), S("properties"))) {
        assert_true(!before.ptr || slice_cmp(before, json_get_text(row, "name")) < 0);
        before = json_get_text(row, "name");
    }
    arena_free(arena);
}

static void test_arguments_are_not_taken_for_references_to_variables(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct spark_emr_plan p;
    assert_null(plan(arena, "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"local:///a.py\", \"entryPointArguments\": [\"$(SPARK_USER)\", "
                            "\"$HOME costs 5$$ or $$(x)\", \"$\"]}}", NULL, &p));
    static const char *const wanted[] = {"$$(SPARK_USER)", "$HOME costs 5$$$ or $$$$(x)", "$"}; /* as the kubelet reads them, they are the above */
    const struct json *args = json_get(driver_container(&p), S("args"));
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        expect_text(json_text(json_item(args, json_count(args) - ARRAY_SIZE(wanted) + i)), wanted[i]);
    assert_null(plan(arena, "{\"sparkSqlJobDriver\": {\"entryPoint\": \"local:///a$$b.sql\", \"sparkSqlParameters\": \"-hivevar 'cost=5$$'\"}}", NULL, &p));
    args = json_get(driver_container(&p), S("args"));
    expect_text(json_text(json_item(args, json_count(args) - 1)), "cost=5$$$");
    expect_text(json_text(json_item(args, json_count(args) - 3)), "/a$$$b.sql");
    assert_null(plan(arena, "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"s3://b/$(HOME)/a$$b.py\", \"sparkSubmitParameters\": \"--py-files s3://b/c$$d.py\"}}", NULL, &p));
    expect_text(env_value(&p, "EMBER_FETCH"), "s3://b/$$(HOME)/a$$$b.py=a__b.py\ns3://b/c$$$d.py=c__d.py\n");
    arena_free(arena);
}

static void test_a_configuration_that_no_config_map_takes_is_refused(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct strbuf driver = STRBUF_ARENA(arena), file = STRBUF_ARENA(arena);
    struct spark_emr_plan p;
    strbuf_append_cstr(&driver, "{\"sparkSubmitJobDriver\": {\"entryPoint\": \"local:///a.py\", \"sparkSubmitParameters\": \"--properties-file s3://b/given\"}}");
    for (size_t i = 0; i < 2000; i++)
        strbuf_append_fmt(&file, "spark.k%zu %0600d\n", i, 0);
    given_file = slice_dup(arena, strbuf_slice(&file)).ptr;
    struct err *e = plan(arena, slice_dup(arena, strbuf_slice(&driver)).ptr, NULL, &p);
    assert_non_null(e);
    assert_true(slice_starts_with(err_message(e), S("The properties and files of the run's configuration have 12")));
    err_free(e);
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
        cmocka_unit_test(test_an_object_that_is_named_twice_is_fetched_once),
        cmocka_unit_test(test_many_objects_of_one_name_are_told_apart),
        cmocka_unit_test(test_many_loggers_of_log4j_1_are_numbered),
        cmocka_unit_test(test_many_volumes_labels_and_annotations_are_planned),
        cmocka_unit_test(test_a_sql_job_runs_the_sql_shell),
        cmocka_unit_test(test_a_pod_template_comes_through_the_caller),
        cmocka_unit_test(test_templates_are_held_to_emrs_list),
        cmocka_unit_test(test_what_side_cars_share_with_the_main_container_is_in_the_pod),
        cmocka_unit_test(test_what_templates_may_hold_is_kept),
        cmocka_unit_test(test_files_that_cannot_be_read_refuse_the_run),
        cmocka_unit_test(test_a_properties_file_lies_between_conf_and_classifications),
        cmocka_unit_test(test_repeated_classifications_merge_and_the_particular_wins),
        cmocka_unit_test(test_every_effective_value_has_its_source),
        cmocka_unit_test(test_arguments_are_not_taken_for_references_to_variables),
        cmocka_unit_test(test_a_configuration_that_no_config_map_takes_is_refused),
        cmocka_unit_test(test_spark_4_brings_a_network_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
