/* spark_emr_fuzz: line one StartJobRun's jobDriver, line two its configurationOverrides, the rest the text of every file that a run reads
 * (a properties file, a pod template). What is planned is planned again the same, is writable as JSON, and its properties file reads as
 * what it says. */
#include "fuzz.h"
#include "spark/properties.h"
#include "spark/spark.h"

static struct err *read_input(void *context, struct arena *arena, struct slice uri, struct slice *ret_text)
{
    (void)arena;
    if (!uri.len)
        return err_new(ERR_NOT_FOUND, "no object");
    *ret_text = *(const struct slice *)context;
    return NULL;
}

static void check_properties(struct arena *arena, const struct spark_emr_plan *plan)
{
    struct spark_conf conf;
    spark_conf_init(&conf, arena);
    struct slice text = json_text(JSON_AT(plan->conf_map, "data", "spark.properties"));
    ENSURE(!properties_read(text, PROPERTIES_KEEP_BLANKS, SPARK_CONF_APPLICATION, &conf));
    SPARK_CONF_FOREACH(entry, &plan->conf)
        ENSURE(spark_conf_find(&conf, entry->key) && slice_eq(spark_conf_find(&conf, entry->key)->value, entry->value));
}

static void check_plan(struct arena *arena, const struct spark_emr_plan *plan, const struct spark_emr_plan *again)
{
    const struct json *objects[] = {plan->pod, plan->service, plan->conf_map, plan->others}, *second[] = {again->pod, again->service, again->conf_map, again->others};
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        struct json *read;
        ENSURE(json_equal(objects[i], second[i]));
        ENSURE(!json_parse(arena, json_to_slice(arena, objects[i]), JSON_DUPLICATES_REFUSE, &read));
    }
    ENSURE(plan->pod_name.len && slice_eq(json_text(JSON_AT(plan->pod, "metadata", "name")), plan->pod_name));
    ENSURE(json_count(JSON_AT(plan->pod, "spec", "containers")) >= 1);
    check_properties(arena, plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice installed[] = {S_INIT("3.5.9"), S_INIT("4.3.0")};
    struct arena *arena = arena_new();
    struct slice rest = slice_of((const char *)data, size), driver_text = input_line(&rest), overrides_text = input_line(&rest);
    struct json *driver = NULL, *overrides = NULL;
    err_free(json_parse(arena, driver_text, JSON_DUPLICATES_LAST_WINS, &driver));
    err_free(json_parse(arena, overrides_text, JSON_DUPLICATES_LAST_WINS, &overrides));
    struct spark_emr_input input = {.job_run_id = S("00000003a1b2c3d4e5f"),
                                    .attempt = 1,
                                    .virtual_cluster_id = S("vc0123456789abcdefghijklm"),
                                    .namespace_ = S("team-a"),
                                    .name = S("nightly"),
                                    .release_label = size & 1 ? S("emr-7.12.0-latest") : S("emr-spark-8.1.0-latest"),
                                    .installed = installed,
                                    .installed_count = ARRAY_SIZE(installed),
                                    .job_driver = driver,
                                    .configuration_overrides = overrides,
                                    .driver_master = S("https://kubernetes.default.svc:6443"),
                                    .driver_service_account = S("sa-driver"),
                                    .executor_service_account = S("sa-executor"),
                                    .aws_endpoint = S("http://127.0.0.1:4567"),
                                    .region = S("us-east-1"),
                                    .credentials_secret = S("creds"),
                                    .submit_time_ms = 1795272326000,
                                    .read = {read_input, &rest}};
    struct spark_emr_plan plan, again;
    struct err *e = json_is(driver, JSON_OBJECT) ? spark_emr_plan(arena, &input, &plan) : err_new(ERR_INVALID, "no driver");
    if (!e) {
        ENSURE(!spark_emr_plan(arena, &input, &again));
        check_plan(arena, &plan, &again);
    }
    err_free(e);
    arena_free(arena);
    return 0;
}
