#include "spark/spark_options.h"
#include "base/strbuf.h"
#include "spark/notes_internal.h"
#include "spark/properties.h"
#include "spark/sizes.h"

#include <string.h>

/* What an option of its own does. The order is SparkSubmitOptionParser's. */
enum option_kind {
    OPTION_PROPERTY,  /* sets its property */
    OPTION_LIST,      /* sets its property to a list of URIs, resolved */
    OPTION_CLASS,
    OPTION_CONF,
    OPTION_PROPERTIES_FILE,
    OPTION_PROXY_USER,
    OPTION_IGNORED,   /* takes a value that Kubernetes has no use for */
    OPTION_CHECKED_CORES, /* --total-executor-cores: checked, then ignored */
    OPTION_REMOTE,
    OPTION_OTHER_ACTION, /* --kill, --status */
    OPTION_LOAD_DEFAULTS,
    OPTION_VERBOSE,
    OPTION_SWITCH_IGNORED,
    OPTION_SWITCH_OTHER_ACTION,
};

/* clang-format off */
static const struct option {
    const char *name, *alias;
    enum option_kind kind;
    const char *property;
    int since; /* Spark's major version */
} options_table[] = {
    {"--archives", NULL, OPTION_LIST, "spark.archives", 0},
    {"--class", NULL, OPTION_CLASS, NULL, 0},
    {"--conf", "-c", OPTION_CONF, NULL, 0},
    {"--deploy-mode", NULL, OPTION_PROPERTY, "spark.submit.deployMode", 0},
    {"--driver-class-path", NULL, OPTION_PROPERTY, "spark.driver.extraClassPath", 0},
    {"--driver-cores", NULL, OPTION_PROPERTY, "spark.driver.cores", 0},
    {"--driver-java-options", NULL, OPTION_PROPERTY, "spark.driver.extraJavaOptions", 0},
    {"--driver-library-path", NULL, OPTION_PROPERTY, "spark.driver.extraLibraryPath", 0},
    {"--driver-memory", NULL, OPTION_PROPERTY, "spark.driver.memory", 0},
    {"--driver-default-class-path", NULL, OPTION_IGNORED, NULL, 4},
    {"--exclude-packages", NULL, OPTION_PROPERTY, "spark.jars.excludes", 0},
    {"--executor-cores", NULL, OPTION_PROPERTY, "spark.executor.cores", 0},
    {"--executor-memory", NULL, OPTION_PROPERTY, "spark.executor.memory", 0},
    {"--extra-properties-file", NULL, OPTION_IGNORED, NULL, 4},
    {"--files", NULL, OPTION_LIST, "spark.files", 0},
    {"--jars", NULL, OPTION_LIST, "spark.jars", 0},
    {"--keytab", NULL, OPTION_PROPERTY, "spark.kerberos.keytab", 0},
    {"--kill", NULL, OPTION_OTHER_ACTION, NULL, 0},
    {"--master", NULL, OPTION_PROPERTY, "spark.master", 0},
    {"--name", NULL, OPTION_PROPERTY, "spark.app.name", 0},
    {"--num-executors", NULL, OPTION_PROPERTY, "spark.executor.instances", 0},
    {"--packages", NULL, OPTION_PROPERTY, "spark.jars.packages", 0},
    {"--principal", NULL, OPTION_PROPERTY, "spark.kerberos.principal", 0},
    {"--properties-file", NULL, OPTION_PROPERTIES_FILE, NULL, 0},
    {"--proxy-user", NULL, OPTION_PROXY_USER, NULL, 0},
    {"--py-files", NULL, OPTION_LIST, "spark.submit.pyFiles", 0},
    {"--queue", NULL, OPTION_IGNORED, NULL, 0},
    {"--remote", NULL, OPTION_REMOTE, NULL, 0},
    {"--repositories", NULL, OPTION_PROPERTY, "spark.jars.repositories", 0},
    {"--status", NULL, OPTION_OTHER_ACTION, NULL, 0},
    {"--total-executor-cores", NULL, OPTION_CHECKED_CORES, NULL, 0},
    {"--help", "-h", OPTION_SWITCH_OTHER_ACTION, NULL, 0},
    {"--load-spark-defaults", NULL, OPTION_LOAD_DEFAULTS, NULL, 4},
    {"--supervise", NULL, OPTION_SWITCH_IGNORED, NULL, 0},
    {"--usage-error", NULL, OPTION_SWITCH_OTHER_ACTION, NULL, 0},
    {"--verbose", "-v", OPTION_VERBOSE, NULL, 0},
    {"--version", NULL, OPTION_SWITCH_OTHER_ACTION, NULL, 0},
};
/* clang-format on */

struct parser {
    struct arena *arena;
    const struct spark_options_input *input;
    struct spark_options *out;
    struct spark_conf own;         /* options of their own, by property */
    struct spark_conf conf;        /* --conf, then the properties file, then defaults: SparkSubmitArguments.sparkProperties */
    struct slice main_class;
    struct slice properties_file;
    struct slice total_executor_cores;
    bool load_defaults;
    struct spark_notes notes;
};

bool spark_version_at_least(struct slice version, int major, int minor)
{
    struct slice rest = version;
    int64_t have_major = 0, have_minor = 0;
    struct slice first = slice_cut(&rest, '.');
    struct slice second = rest.ptr ? slice_cut(&rest, '.') : S("0");
    if (!slice_to_i64(first, 0, 9999, &have_major) || !slice_to_i64(second, 0, 9999, &have_minor))
        return false;
    return have_major > major || (have_major == major && have_minor >= minor);
}

static bool takes_value(enum option_kind kind)
{
    return kind < OPTION_LOAD_DEFAULTS;
}

static const struct option *find_option(const struct parser *p, struct slice word)
{
    for (size_t i = 0; i < ARRAY_SIZE(options_table); i++) {
        const struct option *o = &options_table[i];
        if (o->since && !spark_version_at_least(p->input->spark_version, o->since, 0))
            continue;
        if (slice_eq(word, slice_from_cstr(o->name)) || (o->alias && slice_eq(word, slice_from_cstr(o->alias))))
            return o;
    }
    return NULL;
}

/* Spark's (--[^=]+)=(.+): a line break in the value makes it no match, as in Java. */
static bool split_option(struct slice word, struct slice *ret_name, struct slice *ret_value)
{
    ptrdiff_t at = slice_index(word, '=');
    if (!slice_starts_with(word, S("--")) || at < 3 || (size_t)at + 1 == word.len)
        return false;
    struct slice value = slice_from(word, (size_t)at + 1);
    if (slice_index(value, '\n') >= 0 || slice_index(value, '\r') >= 0)
        return false;
    *ret_name = slice_sub(word, 0, (size_t)at);
    *ret_value = value;
    return true;
}

/* Utils.resolveURI: a bare path becomes file:/abs; a relative one would need a working directory, so it is taken from the root. */
static struct slice resolve_uri(struct arena *arena, struct slice path)
{
    ptrdiff_t colon = slice_index(path, ':');
    bool scheme = colon > 0;
    for (ptrdiff_t i = 0; i < colon && scheme; i++) {
        char c = path.ptr[i];
        bool alpha = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        scheme = alpha || (i && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'));
    }
    if (scheme)
        return path;
    while (slice_starts_with(path, S("//")))
        path = slice_from(path, 1);
    return slice_fmt(arena, "file:%s%.*s", slice_starts_with(path, S("/")) ? "" : "/", SLICE_ARG(path));
}

/* A comma list: each trimmed, empty ones dropped, each resolved. */
static struct slice resolve_uris(struct arena *arena, struct slice list)
{
    struct strbuf out = STRBUF_ARENA(arena);
    struct slice rest = list;
    while (rest.ptr) {
        struct slice one = slice_trim(slice_cut(&rest, ','));
        if (!one.len)
            continue;
        if (out.len)
            strbuf_append_char(&out, ',');
        strbuf_append(&out, resolve_uri(arena, one));
    }
    return strbuf_slice(&out);
}

static struct err *apply_conf(struct parser *p, struct slice pair)
{
    struct slice key, value;
    if (!slice_split(pair, '=', &key, &value))
        return err_new(ERR_INVALID, "Spark config without '=': %.*s", SLICE_ARG(pair));
    spark_conf_set(&p->conf, key, value, SPARK_CONF_ARGUMENT);
    return NULL;
}

static struct err *apply_option(struct parser *p, const struct option *o, struct slice value)
{
    switch (o->kind) {
    case OPTION_PROPERTY:
        spark_conf_set(&p->own, slice_from_cstr(o->property), value, SPARK_CONF_OPTION);
        return NULL;
    case OPTION_LIST:
        spark_conf_set(&p->own, slice_from_cstr(o->property), resolve_uris(p->arena, value), SPARK_CONF_OPTION);
        return NULL;
    case OPTION_CLASS:
        p->main_class = value;
        return NULL;
    case OPTION_CONF:
        return apply_conf(p, value);
    case OPTION_PROPERTIES_FILE:
        p->properties_file = value;
        return NULL;
    case OPTION_PROXY_USER:
        p->out->proxy_user = value;
        return NULL;
    case OPTION_CHECKED_CORES:
        p->total_executor_cores = value;
        return NULL;
    case OPTION_IGNORED:
    case OPTION_SWITCH_IGNORED:
        spark_notes_fmt(&p->notes, "%s has no effect on Kubernetes.", o->name);
        return NULL;
    case OPTION_REMOTE:
        return err_new(ERR_INVALID, "Remote cannot be specified with master and/or deploy mode.");
    case OPTION_OTHER_ACTION:
    case OPTION_SWITCH_OTHER_ACTION:
        return err_new(ERR_INVALID, "Option '%s' does not submit an application.", o->name);
    case OPTION_LOAD_DEFAULTS:
        p->load_defaults = true;
        return NULL;
    case OPTION_VERBOSE:
        p->out->verbose = true;
        return NULL;
    }
    return NULL;
}

/* SparkSubmitOptionParser.parse. */
static struct err *parse_words(struct parser *p)
{
    const struct spark_options_input *in = p->input;
    size_t i = 0;
    for (; i < in->argc; i++) {
        struct slice word = in->argv[i], value = SLICE_NONE;
        (void)split_option(in->argv[i], &word, &value);
        const struct option *o = find_option(p, word);
        if (!o) {
            if (slice_starts_with(word, S("-")))
                return err_new(ERR_INVALID, "Unrecognized option '%.*s'.", SLICE_ARG(word));
            p->out->primary_resource = word;
            i++;
            break;
        }
        if (takes_value(o->kind) && !value.ptr) {
            if (i + 1 == in->argc)
                return err_new(ERR_INVALID, "Missing argument for option '%.*s'.", SLICE_ARG(word));
            value = in->argv[++i];
        }
        TRY(apply_option(p, o, value));
    }
    p->out->app_arg_count = in->argc - i;
    if (p->out->app_arg_count)
        p->out->app_args = in->argv + i;
    return NULL;
}

/* ---- merging ---- */

static void merge_below(struct parser *p, const struct spark_conf *lower)
{
    SPARK_CONF_FOREACH(e, lower)
        spark_conf_set_if_missing(&p->conf, e->key, e->value, e->source);
}

static struct err *merge_files(struct parser *p)
{
    const struct spark_options_input *in = p->input;
    if (p->properties_file.ptr) {
        struct slice text;
        if (!in->files.read)
            return err_new(ERR_INVALID, "Properties file %.*s does not exist", SLICE_ARG(p->properties_file));
        TRY(err_wrap(in->files.read(in->files.context, p->arena, p->properties_file, &text), "Failed when loading Spark properties from %.*s",
                     SLICE_ARG(p->properties_file)));
        struct spark_conf file;
        spark_conf_init(&file, p->arena);
        TRY(properties_read(text, PROPERTIES_TRIM_VALUES, SPARK_CONF_PROPERTIES_FILE, &file));
        merge_below(p, &file);
    }
    if (!p->properties_file.ptr || p->load_defaults || in->defaults_rule == SPARK_DEFAULTS_KEPT)
        merge_below(p, in->defaults);
    return NULL;
}

/* Own options over the properties; keys that are not Spark's go with a note. */
static void make_effective(struct parser *p)
{
    struct spark_conf *out = &p->out->conf;
    SPARK_CONF_FOREACH(e, &p->conf) {
        if (slice_starts_with(e->key, S("spark.")))
            spark_conf_set(out, e->key, e->value, e->source);
        else
            spark_notes_fmt(&p->notes, "Ignoring non-Spark config property: %.*s", SLICE_ARG(e->key));
    }
    SPARK_CONF_FOREACH(e, &p->own)
        spark_conf_set(out, e->key, e->value, e->source);
    SPARK_CONF_FOREACH(e, p->input->forced) {
        const struct spark_conf_entry *had = spark_conf_find(out, e->key);
        if (had && had->source > SPARK_CONF_RELEASE_DEFAULT && !slice_eq(had->value, e->value))
            spark_notes_fmt(&p->notes, "%.*s may not be set: \"%.*s\" is replaced by \"%.*s\".", SLICE_ARG(e->key),
                            SLICE_ARG(had->value), SLICE_ARG(e->value));
        spark_conf_set(out, e->key, e->value, e->source);
    }
}

static struct slice env_get(const struct spark_options_input *in, const char *name)
{
    for (size_t i = 0; i < in->env_count; i++)
        if (slice_eq(in->env[i].name, slice_from_cstr(name)) && in->env[i].value.len)
            return in->env[i].value;
    return SLICE_NONE;
}

static void take_environment(struct parser *p)
{
    static const char *const pairs[][2] = {
        {"spark.master", "MASTER"},
        {"spark.submit.deployMode", "DEPLOY_MODE"},
        {"spark.driver.memory", "SPARK_DRIVER_MEMORY"},
        {"spark.executor.memory", "SPARK_EXECUTOR_MEMORY"},
        {"spark.executor.cores", "SPARK_EXECUTOR_CORES"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        struct slice value = env_get(p->input, pairs[i][1]);
        if (value.ptr)
            spark_conf_set_if_missing(&p->out->conf, slice_from_cstr(pairs[i][0]), value, SPARK_CONF_SPARK_DEFAULT);
    }
}

/* ---- checks ---- */

static bool is_positive_int(struct slice value)
{
    int64_t number;
    if (slice_starts_with(value, S("+")))
        value = slice_from(value, 1);
    return slice_to_i64(value, 1, INT32_MAX, &number);
}

static struct err *check_memory(const struct spark_conf *conf, const char *key, const char *who)
{
    struct slice value = spark_conf_get(conf, key);
    int64_t bytes = 0;
    if (!value.ptr)
        return NULL;
    struct err *e = spark_size_parse(value, SPARK_UNIT_BYTE, &bytes);
    err_free(e);
    return e || bytes <= 0 ? err_new(ERR_INVALID, "%s memory must be a positive number", who) : NULL;
}

static struct err *check_count(struct slice value, const char *what)
{
    return value.ptr && !is_positive_int(value) ? err_new(ERR_INVALID, "%s must be a positive number", what) : NULL;
}

/* SparkSubmitArguments.validateSubmitArguments. */
static struct err *check_arguments(const struct parser *p)
{
    const struct spark_conf *conf = &p->out->conf;
    if (!p->out->primary_resource.ptr)
        return err_new(ERR_INVALID, "Must specify a primary resource (JAR or Python or R file)");
    TRY(check_memory(conf, "spark.driver.memory", "Driver"));
    TRY(check_memory(conf, "spark.executor.memory", "Executor"));
    TRY(check_count(spark_conf_get(conf, "spark.driver.cores"), "Driver cores"));
    TRY(check_count(spark_conf_get(conf, "spark.executor.cores"), "Executor cores"));
    TRY(check_count(p->total_executor_cores.ptr ? p->total_executor_cores : spark_conf_get(conf, "spark.cores.max"),
                    "Total executor cores"));
    if (!spark_conf_get_bool(conf, "spark.dynamicAllocation.enabled", false))
        TRY(check_count(spark_conf_get(conf, "spark.executor.instances"), "Number of executors"));
    if (p->out->proxy_user.ptr && spark_conf_get(conf, "spark.kerberos.principal").ptr)
        return err_new(ERR_INVALID, "Only one of --proxy-user or --principal can be provided.");
    return NULL;
}

/* Utils.checkAndGetK8sMasterUrl and SparkSubmit's choice of cluster and deploy mode. */
static struct err *check_master(struct parser *p)
{
    struct spark_conf *conf = &p->out->conf;
    struct slice master = spark_conf_get(conf, "spark.master");
    struct slice mode = spark_conf_get(conf, "spark.submit.deployMode");
    if (!slice_starts_with(master, S("k8s")))
        return err_new(ERR_INVALID, "Kubernetes master URL must start with k8s://.");
    if (!slice_eq(mode, S("cluster")))
        return slice_eq(mode, S("client")) || !mode.ptr
                   ? err_new(ERR_INVALID, "Only cluster deploy mode is supported.")
                   : err_new(ERR_INVALID, "Deploy mode must be either client or cluster");
    if (!slice_starts_with(master, S("k8s://")))
        return err_new(ERR_INVALID, "Kubernetes master URL must start with k8s://.");
    struct slice url = slice_from(master, S("k8s://").len);
    ptrdiff_t scheme = slice_find(url, S("://"));
    if (scheme < 0)
        url = slice_fmt(p->arena, "https://%.*s", SLICE_ARG(url));
    else if (!slice_eq_nocase(slice_sub(url, 0, (size_t)scheme), S("https")) &&
             !slice_eq_nocase(slice_sub(url, 0, (size_t)scheme), S("http")))
        return err_new(ERR_INVALID, "Invalid Kubernetes master scheme: %.*s found in URL: %.*s",
                       SLICE_ARG(slice_sub(url, 0, (size_t)scheme)), SLICE_ARG(url));
    const struct spark_conf_entry *e = spark_conf_find(conf, S("spark.master"));
    spark_conf_set(conf, S("spark.master"), slice_fmt(p->arena, "k8s://%.*s", SLICE_ARG(url)), e->source);
    return NULL;
}

static bool is_shell(struct slice resource)
{
    return slice_eq(resource, S("spark-shell")) || slice_eq(resource, S("pyspark-shell")) || slice_eq(resource, S("sparkr-shell"));
}

static struct err *check_banned(const struct parser *p)
{
    struct slice class = p->main_class;
    if (is_shell(p->out->primary_resource))
        return err_new(ERR_INVALID, "Cluster deploy mode is not applicable to Spark shells.");
    if (p->input->banned_classes == SPARK_BANNED_CLASSES_ALLOWED)
        return NULL;
    if (slice_eq(class, S("org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver")))
        return err_new(ERR_INVALID, "Cluster deploy mode is not applicable to Spark SQL shell.");
    if (slice_eq(class, S("org.apache.spark.sql.hive.thriftserver.HiveThriftServer2")))
        return err_new(ERR_INVALID, "Cluster deploy mode is not applicable to Spark Thrift server.");
    if (slice_eq(class, S("org.apache.spark.sql.connect.service.SparkConnectServer")))
        return spark_version_at_least(p->input->spark_version, 4, 1)
                   ? err_new(ERR_INVALID, "Launching Spark Connect server in cluster deploy mode is supported only for YARN")
                   : err_new(ERR_INVALID, "Cluster deploy mode is not applicable to Spark Connect server.");
    return NULL;
}

static struct slice base_name(struct slice path)
{
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return slice_from(path, (size_t)(slice_rindex(path, '/') + 1));
}

/* ---- what runs ---- */

static struct err *find_main_class(struct parser *p)
{
    struct slice resource = p->out->primary_resource;
    if (slice_ends_with(resource, S(".py")) || slice_eq(resource, S("pyspark-shell"))) {
        p->out->language = SPARK_PYTHON;
        p->out->main_class = S("org.apache.spark.deploy.PythonRunner");
        return NULL;
    }
    if (slice_ends_with(resource, S(".R")) || slice_ends_with(resource, S(".r"))) {
        p->out->language = SPARK_R;
        p->out->main_class = S("org.apache.spark.deploy.RRunner");
        return NULL;
    }
    p->out->language = SPARK_JVM;
    p->out->main_class = p->main_class;
    if (p->main_class.len)
        return NULL;
    /* Spark looks into the jar's manifest, which it can only where a Hadoop filesystem opens the jar. */
    ptrdiff_t colon = slice_index(resource, ':');
    if (colon <= 0 || slice_starts_with(resource, S("file:")))
        return err_new(ERR_INVALID, "No main class set in JAR; please specify one with --class.");
    return err_new(ERR_INVALID,
                   "Failed to get main class in JAR with error 'No FileSystem for scheme \"%.*s\"'.  Please specify one with --class.",
                   SLICE_ARG(slice_sub(resource, 0, (size_t)colon)));
}

static void set_name(struct parser *p)
{
    struct spark_conf *conf = &p->out->conf;
    const struct spark_conf_entry *e = spark_conf_find(conf, S("spark.app.name"));
    if (!e) {
        struct slice name = p->main_class.ptr ? p->main_class : base_name(p->out->primary_resource);
        spark_conf_set(conf, S("spark.app.name"), name, SPARK_CONF_SPARK_DEFAULT);
    }
    p->out->name = spark_conf_get(conf, "spark.app.name");
}

/* The lists as SparkSubmit resolves them, the main jar behind spark.jars, spark.submit.pyFiles always there. */
static void set_lists(struct parser *p)
{
    static const char *const lists[] = {"spark.jars", "spark.files", "spark.archives", "spark.submit.pyFiles"};
    struct spark_conf *conf = &p->out->conf;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        const struct spark_conf_entry *e = spark_conf_find(conf, slice_from_cstr(lists[i]));
        if (e)
            spark_conf_set(conf, e->key, resolve_uris(p->arena, e->value), e->source);
    }
    spark_conf_set_if_missing(conf, S("spark.submit.pyFiles"), S(""), SPARK_CONF_SPARK_DEFAULT);
    if (p->out->language != SPARK_JVM)
        return;
    const struct spark_conf_entry *jars = spark_conf_find(conf, S("spark.jars"));
    struct slice list = jars ? jars->value : S("");
    enum spark_conf_source source = jars ? jars->source : SPARK_CONF_SYSTEM;
    if (!slice_eq(p->out->primary_resource, S("spark-internal")))
        list = slice_fmt(p->arena, "%.*s%s%.*s", SLICE_ARG(list), list.len ? "," : "", SLICE_ARG(p->out->primary_resource));
    spark_conf_set(conf, S("spark.jars"), list, source);
}

struct err *spark_options_parse(struct arena *arena, const struct spark_options_input *input, struct spark_options *ret)
{
    struct spark_options out = {.env = input->env, .env_count = input->env_count};
    struct parser p = {.arena = arena, .input = input, .out = &out, .notes = {.arena = arena}};
    spark_conf_init(&out.conf, arena);
    spark_conf_init(&p.own, arena);
    spark_conf_init(&p.conf, arena);
    TRY(parse_words(&p));
    TRY(merge_files(&p));
    make_effective(&p);
    take_environment(&p);
    TRY(check_arguments(&p));
    TRY(check_master(&p));
    TRY(check_banned(&p));
    TRY(find_main_class(&p));
    if (!is_shell(out.primary_resource) && !slice_eq(out.primary_resource, S("spark-internal")))
        out.primary_resource = resolve_uri(arena, out.primary_resource);
    set_name(&p);
    set_lists(&p);
    (void)spark_conf_remove(&out.conf, S("spark.driver.host"));
    out.notes = p.notes.items;
    out.note_count = p.notes.count;
    *ret = out;
    return NULL;
}
