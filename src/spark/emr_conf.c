/* applicationConfiguration: EMR on EKS's classifications, and the release's own defaults below them. */
#include "spark/emr_internal.h"
#include "spark/properties.h"

#define JOB_START_TIMEOUT_DEFAULT_S 900 /* job-start-timeout, "Using job submitter classification", EMR on EKS guide */

static void set_default(struct emr *e, const char *key, struct slice value)
{
    spark_conf_set(&e->defaults, slice_from_cstr(key), value, SPARK_CONF_RELEASE_DEFAULT);
}

/* The release's spark-defaults.conf, as far as it makes sense with stock Spark. */
static void set_release_defaults(struct emr *e)
{
    const struct spark_emr_input *in = e->in;
    set_default(e, "spark.driver.cores", S("1"));
    set_default(e, "spark.driver.memory", S("1G"));
    set_default(e, "spark.executor.cores", S("1"));
    set_default(e, "spark.executor.memory", S("1G"));
    set_default(e, "spark.dynamicAllocation.enabled", S("false"));
    set_default(e, "spark.shuffle.service.enabled", S("false"));
    set_default(e, "spark.authenticate", S("true"));
    set_default(e, "spark.kubernetes.container.image", e->release.image);
    const struct {
        const char *name;
        struct slice value;
    } env[] = {{"AWS_ENDPOINT_URL", in->aws_endpoint}, {"AWS_REGION", in->region}, {"AWS_DEFAULT_REGION", in->region}};
    for (size_t i = 0; i < ARRAY_SIZE(env); i++) {
        if (!env[i].value.len)
            continue;
        set_default(e, slice_fmt(e->arena, "spark.kubernetes.driverEnv.%s", env[i].name).ptr, env[i].value);
        set_default(e, slice_fmt(e->arena, "spark.executorEnv.%s", env[i].name).ptr, env[i].value);
    }
    static const char *const secrets[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"};
    for (size_t i = 0; i < ARRAY_SIZE(secrets) && in->credentials_secret.len; i++) {
        struct slice reference = slice_fmt(e->arena, "%.*s:%s", SLICE_ARG(in->credentials_secret), secrets[i]);
        set_default(e, slice_fmt(e->arena, "spark.kubernetes.driver.secretKeyRef.%s", secrets[i]).ptr, reference);
        set_default(e, slice_fmt(e->arena, "spark.kubernetes.executor.secretKeyRef.%s", secrets[i]).ptr, reference);
    }
}

/* ---- classifications ---- */

static struct err *unsupported(struct slice classification)
{
    return err_new(ERR_INVALID, "Classification %.*s not supported.", SLICE_ARG(classification));
}

static void copy_properties(const struct json *properties, struct spark_conf *out)
{
    JSON_FOREACH(p, properties)
        spark_conf_set(out, p->key, p->text, SPARK_CONF_APPLICATION);
}

/* Of AWS's own submitter: stock Spark does not know them. */
static bool is_for_awss_submitter(struct slice key)
{
    static const char *const ends[] = {".internalPodTemplateFile", ".podTemplateValidation.enabled", ".allowlistFile"};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (slice_starts_with(key, S("spark.kubernetes.")) && slice_ends_with(key, slice_from_cstr(ends[i])))
            return true;
    return false;
}

static struct err *read_spark_defaults(struct emr *e, const struct json *properties)
{
    JSON_FOREACH(p, properties)
        if (is_for_awss_submitter(p->key))
            spark_notes_fmt(&e->notes, "Classification spark-defaults: %.*s has no effect.", SLICE_ARG(p->key));
        else if (slice_starts_with(p->key, S("spark.eventLog.rotation.")))
            spark_notes_fmt(&e->notes, "Classification spark-defaults: %.*s has no effect, Spark's own are spark.eventLog.rolling.*.", SLICE_ARG(p->key));
        else if (slice_eq(p->key, S("job-start-timeout")))
            spark_notes_add(&e->notes, S("Classification spark-defaults: job-start-timeout has no effect here, it belongs into emr-containers-defaults."));
    copy_properties(properties, &e->defaults);
    return NULL;
}

static bool is_env_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
        if (!letter && !(i && c >= '0' && c <= '9'))
            return false;
    }
    return name.len > 0;
}

/* spark-env's nested "export": for the driver and for the executors; a variable set by its own property wins. */
static struct err *read_exports(struct emr *e, const struct json *properties)
{
    JSON_FOREACH(p, properties) {
        if (!is_env_name(p->key))
            return err_new(ERR_INVALID, "%.*s in classification export is not a name of a variable.", SLICE_ARG(p->key));
        struct slice value = p->text;
        if (value.len >= 2 && (value.ptr[0] == '"' || value.ptr[0] == '\'') && value.ptr[value.len - 1] == value.ptr[0])
            value = slice_sub(value, 1, value.len - 2);
        if (slice_index(value, '$') >= 0)
            spark_notes_fmt(&e->notes, "Classification spark-env: $ in %.*s is taken as it is; no shell reads it.", SLICE_ARG(p->key));
        spark_conf_set(&e->exports, p->key, value, SPARK_CONF_APPLICATION);
    }
    return NULL;
}

static void set_below_application(struct emr *e, struct slice key, struct slice value)
{
    const struct spark_conf_entry *had = spark_conf_find(&e->defaults, key);
    if (!had || had->source < SPARK_CONF_APPLICATION)
        spark_conf_set(&e->defaults, key, value, SPARK_CONF_APPLICATION);
}

/* Wherever spark-env stands: spark.executorEnv.NAME and its sister in spark-defaults are more particular. */
static void apply_exports(struct emr *e)
{
    SPARK_CONF_FOREACH(x, &e->exports) {
        set_below_application(e, slice_fmt(e->arena, "spark.kubernetes.driverEnv.%.*s", SLICE_ARG(x->key)), x->value);
        set_below_application(e, slice_fmt(e->arena, "spark.executorEnv.%.*s", SLICE_ARG(x->key)), x->value);
    }
}

static struct err *read_spark_env(struct emr *e, const struct json *properties)
{
    if (json_count(properties))
        spark_notes_add(&e->notes, S("Classification spark-env: properties outside of its export classification have no effect."));
    return NULL;
}

/* The name in our file of a logger that was set with log4j 1 lines: one name has one number. */
static size_t number_logger(struct emr *e, struct slice name)
{
    struct spark_index_entry *entry = spark_index_at(&e->loggers, name);
    if (!entry->number)
        entry->number = e->loggers.count;
    return entry->number;
}

/* log4j 1 lines of old releases, which Spark 3.3 and later no longer understands. */
static void translate_log4j1(struct emr *e, const struct json *p)
{
    struct slice rest = p->text;
    struct slice level = slice_lower(e->arena, slice_trim(slice_cut(&rest, ',')));
    if (slice_eq(p->key, S("log4j.rootCategory")) || slice_eq(p->key, S("log4j.rootLogger"))) {
        spark_conf_set(&e->log4j, S("rootLogger.level"), level, SPARK_CONF_APPLICATION);
    } else if (slice_starts_with(p->key, S("log4j.logger."))) {
        struct slice name = slice_from(p->key, S("log4j.logger.").len);
        size_t n = number_logger(e, name);
        spark_conf_set(&e->log4j, slice_fmt(e->arena, "logger.user%zu.name", n), name, SPARK_CONF_APPLICATION);
        spark_conf_set(&e->log4j, slice_fmt(e->arena, "logger.user%zu.level", n), level, SPARK_CONF_APPLICATION);
    } else {
        spark_notes_fmt(&e->notes, "Classification spark-log4j: %.*s is for log4j 1 and has no effect.", SLICE_ARG(p->key));
    }
}

static struct err *read_log4j(struct emr *e, const struct json *properties)
{
    static const char *const base[][2] = {
        {"rootLogger.level", "info"},
        {"rootLogger.appenderRef.stdout.ref", "console"},
        {"appender.console.type", "Console"},
        {"appender.console.name", "console"},
        {"appender.console.target", "SYSTEM_ERR"},
        {"appender.console.layout.type", "PatternLayout"},
        {"appender.console.layout.pattern", "%d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex"},
        {"logger.jetty1.name", "org.sparkproject.jetty"},
        {"logger.jetty1.level", "warn"},
        {"logger.parquet1.name", "org.apache.parquet"},
        {"logger.parquet1.level", "error"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(base); i++)
        spark_conf_set_if_missing(&e->log4j, slice_from_cstr(base[i][0]), slice_from_cstr(base[i][1]), SPARK_CONF_RELEASE_DEFAULT);
    JSON_FOREACH(p, properties) {
        if (slice_starts_with(p->key, S("log4j.")))
            translate_log4j1(e, p);
        else
            spark_conf_set(&e->log4j, p->key, p->text, SPARK_CONF_APPLICATION);
    }
    return NULL;
}

static struct err *read_metrics(struct emr *e, const struct json *properties)
{
    copy_properties(properties, &e->metrics);
    return NULL;
}

static struct err *read_hive_site(struct emr *e, const struct json *properties)
{
    if (json_get(properties, S("hive.metastore.client.factory.class")))
        spark_notes_add(&e->notes, S("Classification spark-hive-site: hive.metastore.client.factory.class has no effect with Spark's own Hive, and there "
                                     "is no Glue Data Catalog here: tables are kept by the metastore that hive.metastore.uris names, or in the driver."));
    copy_properties(properties, &e->hive_site);
    return NULL;
}

static struct err *read_core_site(struct emr *e, const struct json *properties)
{
    copy_properties(properties, &e->core_site);
    return NULL;
}

/* DISABLED is acted on where the logs are shipped: jobs/launch.c reads it there. */
static void note_logging(struct emr *e, const char *classification, const struct json *p, const char *what)
{
    struct slice value = slice_trim(p->text);
    if (slice_eq_nocase(value, S("DISABLED")))
        spark_notes_fmt(&e->notes, "Classification %s: %.*s is DISABLED: %s are not shipped.", classification, SLICE_ARG(p->key), what);
    else if (!slice_eq_nocase(value, S("ENABLED")))
        spark_notes_fmt(&e->notes, "Classification %s: %.*s has no effect: it is ENABLED or DISABLED, not \"%.*s\".", classification, SLICE_ARG(p->key),
                        SLICE_ARG(p->text));
}

/* "Using emr-containers-defaults", EMR on EKS guide. */
static struct err *read_containers_defaults(struct emr *e, const struct json *properties)
{
    static const struct slice logging[] = {S_INIT("logging.image"), S_INIT("logging.request.cores"), S_INIT("logging.request.memory")};
    JSON_FOREACH(p, properties) {
        if (slice_eq(p->key, S("job-start-timeout"))) {
            if (!slice_to_i64(slice_trim(p->text), 1, INT32_MAX, &e->job_start_timeout_s))
                return err_new(ERR_INVALID, "Classification emr-containers-defaults: job-start-timeout must be a positive number of seconds, "
                                            "not %.*s.", SLICE_ARG(p->text));
            e->job_start_timeout_given = true;
        } else if (slice_eq(p->key, S("executor.logging"))) {
            note_logging(e, "emr-containers-defaults", p, "the logs of executors");
        } else if (slice_is_one_of(p->key, logging, ARRAY_SIZE(logging))) {
            spark_notes_fmt(&e->notes, "Classification emr-containers-defaults: %.*s has no effect: logs are shipped without a container in the pods.",
                            SLICE_ARG(p->key));
        } else {
            spark_notes_fmt(&e->notes, "Classification emr-containers-defaults: %.*s is not known and has no effect.", SLICE_ARG(p->key));
        }
    }
    return NULL;
}

/* "Using job submitter classification", EMR on EKS guide. Those with a rest are followed by a key of Kubernetes. */
static bool is_submitter_property(struct slice key)
{
    static const struct slice names[] = {
        S_INIT("jobsubmitter.scheduler.name"), S_INIT("jobsubmitter.logging"), S_INIT("jobsubmitter.logging.image"),
        S_INIT("jobsubmitter.logging.request.cores"), S_INIT("jobsubmitter.logging.request.memory"), S_INIT("jobsubmitter.container.image"),
        S_INIT("jobsubmitter.container.image.pullPolicy"), S_INIT("jobsubmitter.gracefulTermination"),
    };
    static const struct slice prefixes[] = {S_INIT("jobsubmitter.node.selector."), S_INIT("jobsubmitter.label."), S_INIT("jobsubmitter.annotation."),
                                            S_INIT("jobsubmitter.node.toleration.")};
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (slice_starts_with(key, prefixes[i]) && key.len > prefixes[i].len)
            return true;
    return slice_is_one_of(key, names, ARRAY_SIZE(names));
}

static struct err *read_job_submitter(struct emr *e, const struct json *properties)
{
    spark_notes_add(&e->notes, S("Classification emr-job-submitter has no effect but for jobsubmitter.logging: no submitter pod is needed."));
    JSON_FOREACH(p, properties)
        if (slice_eq(p->key, S("jobsubmitter.logging")))
            note_logging(e, "emr-job-submitter", p, "the control logs");
        else if (!is_submitter_property(p->key))
            spark_notes_fmt(&e->notes, "Classification emr-job-submitter: %.*s is not known.", SLICE_ARG(p->key));
    return NULL;
}

/* EMRFS's settings that S3A has too, with the same values: "Configure EMRFS", EMR guide; "hadoop-aws", Hadoop. */
static const char *const emrfs_names[][2] = {
    {"fs.s3.maxConnections", "fs.s3a.connection.maximum"},
    {"fs.s3.threadpool.maxSize", "fs.s3a.threads.max"},
    {"fs.s3.maxRetries", "fs.s3a.attempts.maximum"},
    {"fs.s3.canned.acl", "fs.s3a.acl.default"},
    {"fs.s3.buckets.requesterPays.enabled", "fs.s3a.requester.pays.enabled"},
    {"fs.s3n.multipart.uploads.split.size", "fs.s3a.multipart.size"},
};

static struct slice s3a_value(struct slice name, struct slice value, struct slice *ret_name)
{
    for (size_t i = 0; i < ARRAY_SIZE(emrfs_names); i++) {
        if (slice_eq(name, slice_from_cstr(emrfs_names[i][0]))) {
            *ret_name = slice_from_cstr(emrfs_names[i][1]);
            return value;
        }
    }
    if (slice_eq(name, S("fs.s3.enableServerSideEncryption")) && slice_eq_nocase(slice_trim(value), S("true"))) {
        *ret_name = S("fs.s3a.encryption.algorithm");
        return S("AES256");
    }
    return SLICE_NONE;
}

static void apply_emrfs(struct emr *e)
{
    SPARK_CONF_FOREACH(p, &e->emrfs) {
        struct slice name, value = s3a_value(p->key, p->value, &name);
        if (!value.ptr) {
            spark_notes_fmt(&e->notes, "Classification emrfs-site: %.*s has no effect: there is no EMRFS, S3 is read through S3A where the image has it.",
                            SLICE_ARG(p->key));
            continue;
        }
        spark_notes_fmt(&e->notes, "Classification emrfs-site: %.*s becomes %.*s of S3A.", SLICE_ARG(p->key), SLICE_ARG(name));
        set_below_application(e, slice_fmt(e->arena, "spark.hadoop.%.*s", SLICE_ARG(name)), value);
    }
}

static struct err *read_emrfs_site(struct emr *e, const struct json *properties)
{
    copy_properties(properties, &e->emrfs);
    return NULL;
}

static const struct classification {
    struct slice name;
    struct err *(*read)(struct emr *e, const struct json *properties);
} classifications[] = {
    {S_INIT("spark-defaults"), read_spark_defaults},
    {S_INIT("spark-env"), read_spark_env},
    {S_INIT("spark-log4j"), read_log4j},
    {S_INIT("spark-log4j2"), read_log4j},
    {S_INIT("spark-metrics"), read_metrics},
    {S_INIT("spark-hive-site"), read_hive_site},
    {S_INIT("core-site"), read_core_site},
    {S_INIT("emrfs-site"), read_emrfs_site},
    {S_INIT("emr-job-submitter"), read_job_submitter},
    {S_INIT("emr-containers-defaults"), read_containers_defaults},
};

static struct err *read_one(struct emr *e, const struct json *configuration)
{
    struct slice name = json_get_text(configuration, "classification");
    const struct classification *c = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(classifications); i++)
        if (slice_eq(name, classifications[i].name))
            c = &classifications[i];
    if (!c)
        return unsupported(name);
    JSON_FOREACH(nested, json_get(configuration, S("configurations"))) {
        struct slice inner = json_get_text(nested, "classification");
        if (!slice_eq(name, S("spark-env")) || !slice_eq(inner, S("export")))
            return unsupported(inner);
        const struct json *deeper = json_item(json_get(nested, S("configurations")), 0);
        if (deeper)
            return unsupported(json_get_text(deeper, "classification"));
        TRY(read_exports(e, json_get(nested, S("properties"))));
    }
    return c->read(e, json_get(configuration, S("properties")));
}

/* ---- files ---- */

static void add_file(struct emr *e, const char *name, struct slice text)
{
    if (e->file_count < ARRAY_SIZE(e->files))
        e->files[e->file_count++] = (struct spark_file){slice_from_cstr(name), text};
}

static void add_properties_file(struct emr *e, const char *name, const struct spark_conf *conf)
{
    if (!conf->count)
        return;
    struct strbuf out = STRBUF_ARENA(e->arena);
    SPARK_CONF_FOREACH(p, conf)
        properties_write_entry(&out, p->key, p->value);
    add_file(e, name, strbuf_slice(&out));
}

static void append_xml_text(struct strbuf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '&')
            strbuf_append_cstr(out, "&amp;");
        else if (c == '<')
            strbuf_append_cstr(out, "&lt;");
        else if (c == '>')
            strbuf_append_cstr(out, "&gt;");
        else if (c == '\r')
            strbuf_append_cstr(out, "&#13;");
        else if (c >= ' ' || c == '\t' || c == '\n') /* others XML 1.0 cannot hold */
            strbuf_append_char(out, (char)c);
    }
}

static void add_site_file(struct emr *e, const char *name, const struct spark_conf *conf)
{
    if (!conf->count)
        return;
    struct strbuf out = STRBUF_ARENA(e->arena);
    strbuf_append_cstr(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<configuration>\n");
    SPARK_CONF_FOREACH(p, conf) {
        strbuf_append_cstr(&out, "  <property><name>");
        append_xml_text(&out, p->key);
        strbuf_append_cstr(&out, "</name><value>");
        append_xml_text(&out, p->value);
        strbuf_append_cstr(&out, "</value></property>\n");
    }
    strbuf_append_cstr(&out, "</configuration>\n");
    add_file(e, name, strbuf_slice(&out));
}

struct err *emr_read_configuration(struct emr *e)
{
    struct spark_conf *const confs[] = {&e->defaults, &e->exports, &e->emrfs, &e->log4j, &e->metrics, &e->hive_site, &e->core_site};
    for (size_t i = 0; i < ARRAY_SIZE(confs); i++)
        spark_conf_init(confs[i], e->arena);
    e->job_start_timeout_s = JOB_START_TIMEOUT_DEFAULT_S;
    set_release_defaults(e);
    JSON_FOREACH(configuration, json_get(e->in->configuration_overrides, S("applicationConfiguration")))
        TRY(read_one(e, configuration));
    apply_exports(e);
    apply_emrfs(e);
    add_properties_file(e, "log4j2.properties", &e->log4j);
    add_properties_file(e, "metrics.properties", &e->metrics);
    add_site_file(e, "hive-site.xml", &e->hive_site);
    add_site_file(e, "core-site.xml", &e->core_site);
    return NULL;
}
