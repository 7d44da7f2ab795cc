/* applicationConfiguration: EMR on EKS's classifications, and the release's own defaults below them. */
#include "spark/emr_internal.h"
#include "spark/properties.h"

#define JOB_START_TIMEOUT_DEFAULT_S 900 /* job-start-timeout, "Using job submitter classification", EMR on EKS guide */

/* What all classifications together make, before it is written as files. */
struct settings {
    struct spark_conf log4j, metrics, hive_site, core_site;
    size_t logger_count; /* made of log4j 1 lines */
};

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

static struct err *read_spark_defaults(struct emr *e, const struct json *properties, struct settings *s)
{
    (void)s;
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
        spark_conf_set(&e->defaults, slice_fmt(e->arena, "spark.kubernetes.driverEnv.%.*s", SLICE_ARG(p->key)), value,
                       SPARK_CONF_APPLICATION);
        spark_conf_set(&e->defaults, slice_fmt(e->arena, "spark.executorEnv.%.*s", SLICE_ARG(p->key)), value, SPARK_CONF_APPLICATION);
    }
    return NULL;
}

static struct err *read_spark_env(struct emr *e, const struct json *properties, struct settings *s)
{
    (void)s;
    if (json_count(properties))
        spark_notes_add(&e->notes, S("Classification spark-env: properties outside of its export classification have no effect."));
    return NULL;
}

/* log4j 1 lines of old releases, which Spark 3.3 and later no longer understands. */
static void translate_log4j1(struct emr *e, const struct json *p, struct settings *s)
{
    struct slice rest = p->text;
    struct slice level = slice_lower(e->arena, slice_trim(slice_cut(&rest, ',')));
    if (slice_eq(p->key, S("log4j.rootCategory")) || slice_eq(p->key, S("log4j.rootLogger"))) {
        spark_conf_set(&s->log4j, S("rootLogger.level"), level, SPARK_CONF_APPLICATION);
    } else if (slice_starts_with(p->key, S("log4j.logger."))) {
        size_t n = ++s->logger_count;
        spark_conf_set(&s->log4j, slice_fmt(e->arena, "logger.user%zu.name", n), slice_from(p->key, S("log4j.logger.").len),
                       SPARK_CONF_APPLICATION);
        spark_conf_set(&s->log4j, slice_fmt(e->arena, "logger.user%zu.level", n), level, SPARK_CONF_APPLICATION);
    } else {
        spark_notes_fmt(&e->notes, "Classification spark-log4j: %.*s is for log4j 1 and has no effect.", SLICE_ARG(p->key));
    }
}

static struct err *read_log4j(struct emr *e, const struct json *properties, struct settings *s)
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
        spark_conf_set_if_missing(&s->log4j, slice_from_cstr(base[i][0]), slice_from_cstr(base[i][1]), SPARK_CONF_RELEASE_DEFAULT);
    JSON_FOREACH(p, properties) {
        if (slice_starts_with(p->key, S("log4j.")))
            translate_log4j1(e, p, s);
        else
            spark_conf_set(&s->log4j, p->key, p->text, SPARK_CONF_APPLICATION);
    }
    return NULL;
}

static struct err *read_metrics(struct emr *e, const struct json *properties, struct settings *s)
{
    (void)e;
    copy_properties(properties, &s->metrics);
    return NULL;
}

static struct err *read_hive_site(struct emr *e, const struct json *properties, struct settings *s)
{
    (void)e;
    copy_properties(properties, &s->hive_site);
    return NULL;
}

static struct err *read_core_site(struct emr *e, const struct json *properties, struct settings *s)
{
    (void)e;
    copy_properties(properties, &s->core_site);
    return NULL;
}

static struct err *read_containers_defaults(struct emr *e, const struct json *properties, struct settings *s)
{
    (void)s;
    JSON_FOREACH(p, properties) {
        if (!slice_eq(p->key, S("job-start-timeout"))) {
            spark_notes_fmt(&e->notes, "Classification emr-containers-defaults: %.*s has no effect: pods have no logging container.",
                            SLICE_ARG(p->key));
        } else if (!slice_to_i64(slice_trim(p->text), 1, INT32_MAX, &e->job_start_timeout_s)) {
            return err_new(ERR_INVALID, "Classification emr-containers-defaults: job-start-timeout must be a positive number of seconds, "
                                        "not %.*s.", SLICE_ARG(p->text));
        }
    }
    return NULL;
}

static struct err *note_no_submitter(struct emr *e, const struct json *properties, struct settings *s)
{
    (void)properties;
    (void)s;
    spark_notes_add(&e->notes, S("Classification emr-job-submitter has no effect: no submitter pod is needed."));
    return NULL;
}

static struct err *note_no_emrfs(struct emr *e, const struct json *properties, struct settings *s)
{
    (void)properties;
    (void)s;
    spark_notes_add(&e->notes, S("Classification emrfs-site has no effect: S3 is read through S3A, set it with spark.hadoop.fs.s3a.*."));
    return NULL;
}

static const struct classification {
    struct slice name;
    struct err *(*read)(struct emr *e, const struct json *properties, struct settings *s);
} classifications[] = {
    {S_INIT("spark-defaults"), read_spark_defaults},
    {S_INIT("spark-env"), read_spark_env},
    {S_INIT("spark-log4j"), read_log4j},
    {S_INIT("spark-log4j2"), read_log4j},
    {S_INIT("spark-metrics"), read_metrics},
    {S_INIT("spark-hive-site"), read_hive_site},
    {S_INIT("core-site"), read_core_site},
    {S_INIT("emrfs-site"), note_no_emrfs},
    {S_INIT("emr-job-submitter"), note_no_submitter},
    {S_INIT("emr-containers-defaults"), read_containers_defaults},
};

static struct err *read_one(struct emr *e, const struct json *configuration, struct settings *s)
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
        TRY(read_exports(e, json_get(nested, S("properties"))));
    }
    return c->read(e, json_get(configuration, S("properties")), s);
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
    struct settings s = {0};
    spark_conf_init(&e->defaults, e->arena);
    spark_conf_init(&s.log4j, e->arena);
    spark_conf_init(&s.metrics, e->arena);
    spark_conf_init(&s.hive_site, e->arena);
    spark_conf_init(&s.core_site, e->arena);
    e->job_start_timeout_s = JOB_START_TIMEOUT_DEFAULT_S;
    set_release_defaults(e);
    JSON_FOREACH(configuration, json_get(e->in->configuration_overrides, S("applicationConfiguration")))
        TRY(read_one(e, configuration, &s));
    add_properties_file(e, "log4j2.properties", &s.log4j);
    add_properties_file(e, "metrics.properties", &s.metrics);
    add_site_file(e, "hive-site.xml", &s.hive_site);
    add_site_file(e, "core-site.xml", &s.core_site);
    return NULL;
}
