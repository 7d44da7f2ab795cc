#include "spark/emr.h"
#include "base/digest.h"
#include "spark/emr_internal.h"
#include "spark/shell_split.h"

#define SQL_CLASS "org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver"
#define LABEL "label.emr-containers.amazonaws.com/"
#define SERVICE_NAME_MAX 63

/* ---- names ---- */

/* The first hex digits of SHA-256 over run, attempt and purpose: a repeated launch makes the same names. */
static struct slice derive(struct arena *arena, struct slice run_id, int attempt, const char *purpose, size_t digits)
{
    struct slice text = slice_fmt(arena, "%.*s\n%d\n%s", SLICE_ARG(run_id), attempt, purpose);
    return slice_sub(sha256_hex(arena, text), 0, digits);
}

static struct slice prefix_of(struct arena *arena, struct slice run_id, int attempt)
{
    return slice_fmt(arena, "spark-%.*s-%.*s", SLICE_ARG(run_id), SLICE_ARG(derive(arena, run_id, attempt, "prefix", 16)));
}

void spark_emr_names(struct arena *arena, struct slice job_run_id, int attempt, struct spark_emr_names *ret_names)
{
    struct slice prefix = prefix_of(arena, job_run_id, attempt);
    struct slice pod = slice_fmt(arena, "spark-%.*s-driver", SLICE_ARG(job_run_id));
    struct slice service = slice_fmt(arena, "%.*s-driver-svc", SLICE_ARG(prefix));
    if (service.len > SERVICE_NAME_MAX)
        service = slice_fmt(arena, "spark-%.*s-driver-svc", SLICE_ARG(derive(arena, job_run_id, attempt, "service", 16)));
    *ret_names = (struct spark_emr_names){
        .application_id = slice_fmt(arena, "spark-%.*s", SLICE_ARG(job_run_id)),
        .pod_name = attempt > 1 ? slice_fmt(arena, "%.*s-%d", SLICE_ARG(pod), attempt) : pod,
        .service_name = service,
        .conf_map_name = slice_fmt(arena, "spark-drv-%.*s-conf-map", SLICE_ARG(derive(arena, job_run_id, attempt, "conf-map", 16))),
        .network_policy_name = slice_fmt(arena, "%.*s-policy", SLICE_ARG(prefix)),
    };
}

/* Hex digits in the shape of a UUID. */
static struct slice local_dir(struct emr *e)
{
    struct slice hex = derive(e->arena, e->in->job_run_id, e->in->attempt, "local-dir", 32);
    return slice_fmt(e->arena, "/var/data/spark-%.*s-%.*s-%.*s-%.*s-%.*s", SLICE_ARG(slice_sub(hex, 0, 8)),
                     SLICE_ARG(slice_sub(hex, 8, 4)), SLICE_ARG(slice_sub(hex, 12, 4)), SLICE_ARG(slice_sub(hex, 16, 4)),
                     SLICE_ARG(slice_sub(hex, 20, 12)));
}

/* ---- what no user may set ---- */

static void force(struct emr *e, const char *key, struct slice value)
{
    spark_conf_set(&e->forced, slice_from_cstr(key), value, SPARK_CONF_SYSTEM);
}

static void force_account(struct emr *e, const char *key, struct slice account)
{
    force(e, key, account.len ? account : S("default"));
}

static void set_forced(struct emr *e)
{
    const struct spark_emr_input *in = e->in;
    spark_conf_init(&e->forced, e->arena);
    force(e, "spark.master", slice_fmt(e->arena, "k8s://%.*s", SLICE_ARG(in->driver_master)));
    force(e, "spark.submit.deployMode", S("cluster"));
    force(e, "spark.kubernetes.driver.master", in->driver_master);
    force(e, "spark.kubernetes.namespace", in->namespace_);
    force(e, "spark.kubernetes.driver.pod.name", e->names.pod_name);
    force_account(e, "spark.kubernetes.authenticate.driver.serviceAccountName", in->driver_service_account);
    force_account(e, "spark.kubernetes.authenticate.executor.serviceAccountName", in->executor_service_account);
    force(e, "spark.kubernetes.driver.podTemplateContainerName", S("spark-kubernetes-driver"));
    force(e, "spark.kubernetes.executor.podTemplateContainerName", S("spark-kubernetes-executor"));
    static const char *const roles[] = {"driver", "executor"};
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
        struct slice prefix = slice_fmt(e->arena, "spark.kubernetes.%s." LABEL, roles[i]);
        force(e, slice_fmt(e->arena, "%.*sjob.id", SLICE_ARG(prefix)).ptr, in->job_run_id);
        force(e, slice_fmt(e->arena, "%.*svirtual-cluster-id", SLICE_ARG(prefix)).ptr, in->virtual_cluster_id);
        force(e, slice_fmt(e->arena, "%.*sresource.type", SLICE_ARG(prefix)).ptr, S("job.run"));
        force(e, slice_fmt(e->arena, "%.*scomponent", SLICE_ARG(prefix)).ptr, slice_from_cstr(roles[i]));
    }
}

/* EMR pulls always. Our own image names are no registry's: they are never pulled when they are there. */
static void set_pull_policy(struct emr *e, struct spark_conf *conf)
{
    static const char key[] = "spark.kubernetes.container.image.pullPolicy";
    struct slice image = spark_conf_get(conf, "spark.kubernetes.driver.container.image");
    if (!image.ptr)
        image = spark_conf_get(conf, "spark.kubernetes.container.image");
    struct slice policy = slice_starts_with(image, S("ember/spark:")) ? S("IfNotPresent") : S("Always"), had = spark_conf_get(conf, key);
    if (had.ptr && !slice_eq(had, policy))
        spark_notes_fmt(&e->notes, "%s may not be set: \"%.*s\" is replaced by \"%.*s\".", key, SLICE_ARG(had), SLICE_ARG(policy));
    spark_conf_set(conf, slice_from_cstr(key), policy, SPARK_CONF_SYSTEM);
}

/* ---- the command line ---- */

static struct err *split_parameters(struct emr *e, const struct json *driver, const char *member, struct slice **ret_words,
                                    size_t *ret_count)
{
    struct slice text = json_get_text(driver, member);
    *ret_words = NULL;
    *ret_count = 0;
    return text.ptr ? err_wrap(shell_split(e->arena, text, ret_words, ret_count), "%s", member) : NULL;
}

static struct err *submit_command(struct emr *e, const struct json *driver, struct spark_notes *argv)
{
    struct slice *words, resource, entry_point = json_get_text(driver, "entryPoint");
    size_t count;
    if (!entry_point.len)
        return err_new(ERR_INVALID, "sparkSubmitJobDriver needs an entryPoint.");
    TRY(split_parameters(e, driver, "sparkSubmitParameters", &words, &count));
    for (size_t i = 0; i < count; i++)
        spark_notes_add(argv, words[i]);
    bool jar = !slice_ends_with(entry_point, S(".py")) && !slice_ends_with(entry_point, S(".R")) && !slice_ends_with(entry_point, S(".r"));
    /* file: makes the driver serve the jar to its executors; a script is read by the driver alone. */
    TRY(emr_fetch_entry_point(e, entry_point, jar ? "file://" : "local://", &resource));
    if (slice_starts_with(resource, S("-")))
        return err_new(ERR_INVALID, "Unrecognized option '%.*s'.", SLICE_ARG(resource));
    spark_notes_add(argv, resource);
    JSON_FOREACH(argument, json_get(driver, S("entryPointArguments")))
        spark_notes_add(argv, argument->text);
    return NULL;
}

/* Options a SQL job may use: "Spark SQL parameters", EMR on EKS guide. */
static const char *const sql_options[] = {
    "--name", "--jars", "--packages", "--exclude-packages", "--repositories", "--files", "--conf", "-c", "--properties-file",
    "--driver-memory", "--driver-java-options", "--driver-library-path", "--driver-class-path", "--executor-memory",
    "--driver-cores", "--total-executor-cores", "--executor-cores", "--num-executors",
};
static const char *const hive_options[] = {"-hivevar", "-hiveconf", "--hivevar", "--hiveconf"};

static bool is_one_of(struct slice word, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(word, slice_from_cstr(names[i])))
            return true;
    return false;
}

/* Sorts the words of sparkSqlParameters into spark-submit's options and the SQL shell's own. */
static struct err *sort_sql_words(const struct slice *words, size_t count, struct spark_notes *argv, struct spark_notes *sql)
{
    for (size_t i = 0; i < count; i++) {
        struct slice name = words[i], value;
        bool joined = slice_starts_with(words[i], S("--")) && slice_split(words[i], '=', &name, &value);
        if (!joined)
            name = words[i];
        bool hive = is_one_of(name, hive_options, ARRAY_SIZE(hive_options));
        if (!hive && !is_one_of(name, sql_options, ARRAY_SIZE(sql_options)))
            return err_new(ERR_INVALID, "Unrecognized option '%.*s'.", SLICE_ARG(name));
        struct spark_notes *out = hive ? sql : argv;
        if (!joined && i + 1 == count)
            return err_new(ERR_INVALID, "Missing argument for option '%.*s'.", SLICE_ARG(name));
        spark_notes_add(out, hive ? slice_from(name, slice_starts_with(name, S("--")) ? 1 : 0) : name);
        spark_notes_add(out, joined ? value : words[++i]);
    }
    return NULL;
}

static struct err *sql_command(struct emr *e, const struct json *driver, struct spark_notes *argv)
{
    struct slice *words, file, entry_point = json_get_text(driver, "entryPoint");
    size_t count;
    struct spark_notes sql = {.arena = e->arena};
    if (!entry_point.len)
        return err_new(ERR_INVALID, "sparkSqlJobDriver needs an entryPoint.");
    TRY(split_parameters(e, driver, "sparkSqlParameters", &words, &count));
    TRY(sort_sql_words(words, count, argv, &sql));
    TRY(emr_fetch_entry_point(e, entry_point, "", &file));
    /* The SQL shell opens -f through Hadoop, which knows no local: scheme. */
    if (slice_starts_with(file, S("local://")))
        file = slice_from(file, S("local://").len);
    spark_notes_add(argv, S("--class"));
    spark_notes_add(argv, S(SQL_CLASS));
    spark_notes_add(argv, S("spark-internal"));
    spark_notes_add(argv, S("-f"));
    spark_notes_add(argv, file);
    for (size_t i = 0; i < sql.count; i++)
        spark_notes_add(argv, sql.items[i]);
    return NULL;
}

static struct err *parse_driver(struct emr *e, struct spark_options *options)
{
    const struct json *submit = json_get(e->in->job_driver, S("sparkSubmitJobDriver"));
    const struct json *sql = json_get(e->in->job_driver, S("sparkSqlJobDriver"));
    struct spark_notes argv = {.arena = e->arena};
    if (!submit == !sql)
        return err_new(ERR_INVALID, "Job driver must have either sparkSubmitJobDriver or sparkSqlJobDriver.");
    TRY(submit ? submit_command(e, submit, &argv) : sql_command(e, sql, &argv));
    for (size_t i = 0; i < argv.count; i++)
        if (slice_has_nul(argv.items[i]))
            return err_new(ERR_INVALID, "An argument of the job driver holds a NUL character.");
    return spark_options_parse(e->arena,
                               &(struct spark_options_input){
                                   .argv = argv.items,
                                   .argc = argv.count,
                                   .spark_version = e->release.version,
                                   .defaults = &e->defaults,
                                   .defaults_rule = SPARK_DEFAULTS_KEPT,
                                   .forced = &e->forced,
                                   .files = {emr_read_file, e},
                                   .banned_classes = sql ? SPARK_BANNED_CLASSES_ALLOWED : SPARK_BANNED_CLASSES_REFUSED,
                               },
                               options);
}

/* ---- the plan ---- */

static void add_notes(struct emr *e, const struct slice *notes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        spark_notes_add(&e->notes, notes[i]);
}

/* The kubelet takes $(NAME) for a variable and $$ for one $; what a job names reaches it unchanged. */
static struct slice escape_references(struct arena *arena, struct slice text)
{
    if (slice_find(text, S("$(")) < 0 && slice_find(text, S("$$")) < 0)
        return text;
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < text.len; i++) {
        strbuf_append_char(&out, text.ptr[i]);
        if (text.ptr[i] == '$' && i + 1 < text.len && (text.ptr[i + 1] == '$' || text.ptr[i + 1] == '('))
            strbuf_append_char(&out, '$');
    }
    return strbuf_slice(&out);
}

/* The driver's container is the last. */
static void escape_arguments(struct emr *e, struct json *pod)
{
    JSON_FOREACH(argument, json_get(JSON_AT(pod, "spec", "containers")->last, S("args")))
        argument->text = escape_references(e->arena, argument->text);
}

static void add_env(struct emr *e, struct json *pod, const char *name, struct slice value)
{
    struct json *containers = JSON_AT(pod, "spec", "containers"), *entry = json_object(e->arena);
    json_set_cstr(e->arena, entry, "name", name);
    json_set_text(e->arena, entry, "value", escape_references(e->arena, value));
    json_append(json_ensure_array(e->arena, containers->last, "env"), entry);
}

static struct err *make_plan(struct emr *e, const struct spark_options *options, struct spark_plan *plan)
{
    return spark_plan_make(e->arena,
                           &(struct spark_plan_input){
                               .options = options,
                               .spark_version = e->release.version,
                               .names = {.app_id = e->names.application_id,
                                         .prefix = prefix_of(e->arena, e->in->job_run_id, e->in->attempt),
                                         .pod = e->names.pod_name,
                                         .service = e->names.service_name,
                                         .conf_map = e->names.conf_map_name,
                                         .local_dir = local_dir(e)},
                               .submit_time_ms = e->in->submit_time_ms,
                               .spark_user = S("hadoop"),
                               .files = e->files,
                               .file_count = e->file_count,
                               .read = {emr_read_file, e},
                               .fetched_prefix = S("file:///opt/ember/entry/"),
                           },
                           plan);
}

/* A file that Spark's submitter would leave out silently, or a map that the API server would refuse with a text of its own. */
static struct err *check_size(const struct emr *e, const struct spark_plan *plan)
{
    const struct json *data = json_get(plan->conf_map, S("data"));
    size_t size = 0;
    JSON_FOREACH(file, data)
        size += file->key.len + file->text.len;
    for (size_t i = 0; i < e->file_count; i++)
        if (!json_get(data, e->files[i].name))
            size += e->files[i].name.len + e->files[i].text.len;
    if (size > SPARK_EMR_CONF_MAX_BYTES)
        return err_new(ERR_INVALID, "The properties and files of the run's configuration have %zu bytes; one ConfigMap takes %d.", size,
                       SPARK_EMR_CONF_MAX_BYTES);
    return NULL;
}

struct err *spark_emr_plan(struct arena *arena, const struct spark_emr_input *input, struct spark_emr_plan *ret_plan)
{
    struct emr e = {.arena = arena, .in = input, .notes = {.arena = arena}, .fetch = STRBUF_ARENA(arena)};
    e.loggers.arena = e.fetched.arena = e.fetched_names.arena = arena;
    struct spark_options options;
    struct spark_plan plan;
    TRY(spark_release_choose(arena, input->release_label, input->installed, input->installed_count, input->release_policy, &e.release));
    if (!e.release.exact)
        spark_notes_add(&e.notes, e.release.note);
    spark_emr_names(arena, input->job_run_id, input->attempt, &e.names);
    set_forced(&e);
    TRY(emr_read_configuration(&e));
    TRY(parse_driver(&e, &options));
    add_notes(&e, options.notes, options.note_count);
    set_pull_policy(&e, &options.conf);
    TRY(emr_read_templates(&e, &options.conf));
    TRY(emr_fetch_lists(&e, &options.conf));
    TRY(make_plan(&e, &options, &plan));
    escape_arguments(&e, plan.pod);
    TRY(check_size(&e, &plan));
    add_notes(&e, plan.notes, plan.note_count);
    if (e.entry_point_uri.ptr)
        add_env(&e, plan.pod, "EMBER_ENTRY_POINT_URI", e.entry_point_uri);
    if (e.fetch.len)
        add_env(&e, plan.pod, "EMBER_FETCH", strbuf_slice(&e.fetch));
    *ret_plan = (struct spark_emr_plan){
        .application_id = e.names.application_id,
        .pod_name = e.names.pod_name,
        .service_name = e.names.service_name,
        .conf_map_name = e.names.conf_map_name,
        .network_policy_name = plan.network_policy ? e.names.network_policy_name : SLICE_NONE,
        .release = e.release,
        .pod = plan.pod,
        .service = plan.service,
        .conf_map = plan.conf_map,
        .network_policy = plan.network_policy,
        .others = plan.others,
        .notes = e.notes.items,
        .note_count = e.notes.count,
        .job_start_timeout_s = e.job_start_timeout_s,
        .conf = plan.conf,
        .effective = emr_effective(&e, &plan.conf),
    };
    return NULL;
}
