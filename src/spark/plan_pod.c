/* The driver pod and its container: BasicDriverFeatureStep, DriverCommandFeatureStep and what a pod template brings
 * (KubernetesUtils.loadPodFromTemplate, selectSparkContainer). */
#include "base/yaml.h"
#include "spark/plan_internal.h"
#include "spark/sizes.h"

/* ---- the template ---- */

static struct json *pick_container(struct planner *p, struct json *containers)
{
    struct slice name = spark_conf_get(p->conf, "spark.kubernetes.driver.podTemplateContainerName");
    struct json *named = NULL;
    size_t matches = 0;
    JSON_FOREACH(c, containers) {
        if (name.ptr && slice_eq(json_get_text(c, "name"), name)) {
            named = c;
            matches++;
        }
    }
    if (name.ptr && matches != 1)
        spark_notes_fmt(&p->notes, "specified container %.*s not found on pod template, falling back to taking the first container",
                        SLICE_ARG(name));
    return matches == 1 ? named : json_item(containers, 0);
}

/* Quantities written as numbers become strings, as the Java client sends them. */
static void stringify_quantities(struct json *containers)
{
    static const char *const kinds[] = {"limits", "requests"};
    JSON_FOREACH(c, containers) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            struct json *resources = json_get(json_get(c, S("resources")), slice_from_cstr(kinds[i]));
            JSON_FOREACH(q, resources) {
                if (json_is(q, JSON_NUMBER))
                    q->type = JSON_STRING;
            }
        }
    }
}

static struct err *load_template(struct planner *p, struct slice uri)
{
    struct slice text;
    struct json *pod;
    if (!p->in->read.read)
        return err_new(ERR_INVALID, "Could not load pod from template file %.*s.", SLICE_ARG(uri));
    TRY(err_wrap(p->in->read.read(p->in->read.context, p->arena, uri, &text), "Could not load pod from template file %.*s.",
                 SLICE_ARG(uri)));
    TRY(err_wrap(yaml_parse(p->arena, text, &pod), "Could not load pod from template file %.*s.", SLICE_ARG(uri)));
    if (!json_is(pod, JSON_OBJECT))
        return err_new(ERR_INVALID, "Could not load pod from template file %.*s.", SLICE_ARG(uri));
    p->pod = pod;
    p->spec = json_ensure_object(p->arena, pod, "spec");
    struct json *containers = json_get(p->spec, S("containers"));
    stringify_quantities(containers);
    stringify_quantities(json_get(p->spec, S("initContainers")));
    struct json *picked = pick_container(p, containers);
    if (picked && !json_is(picked, JSON_OBJECT))
        return err_new(ERR_INVALID, "Could not load pod from template file %.*s.", SLICE_ARG(uri));
    if (picked)
        json_unlink(containers, picked);
    p->container = picked;
    return NULL;
}

struct err *plan_start_pod(struct planner *p)
{
    struct slice template_uri = spark_conf_get(p->conf, "spark.kubernetes.driver.podTemplateFile");
    if (template_uri.ptr)
        TRY(load_template(p, template_uri));
    if (!p->pod) {
        p->pod = json_object(p->arena);
        p->spec = NULL;
    }
    json_set_cstr(p->arena, p->pod, "apiVersion", "v1");
    json_set_cstr(p->arena, p->pod, "kind", "Pod");
    struct json *metadata = json_ensure_object(p->arena, p->pod, "metadata");
    if (json_get(metadata, S("namespace")))
        json_set_text(p->arena, metadata, "namespace", p->namespace_);
    p->spec = json_ensure_object(p->arena, p->pod, "spec");
    if (!p->container)
        p->container = json_object(p->arena);
    return NULL;
}

/* The driver's container goes to the end: side cars of a template move to the front. */
void plan_finish_pod(struct planner *p)
{
    json_append(json_ensure_array(p->arena, p->spec, "containers"), p->container);
}

/* ---- labels and annotations ---- */

struct err *plan_driver_labels(struct planner *p, struct json **ret_labels)
{
    static const char *const reserved[] = {"spark-version", "spark-app-selector", "spark-app-name", "spark-role"};
    struct arena *a = p->arena;
    struct json *labels = json_object(a);
    json_set_text(a, labels, "spark-version", p->in->spark_version);
    json_set_text(a, labels, "spark-app-selector", p->in->names.app_id);
    json_set_text(a, labels, "spark-app-name", spark_app_name_label(a, p->options->name));
    json_set_cstr(a, labels, "spark-role", "driver");
    struct plan_members members;
    plan_members_init(&members, a, labels);
    SPARK_CONF_FOREACH(e, p->conf) {
        struct slice key = plan_suffix(e->key, "spark.kubernetes.driver.label.");
        if (!key.ptr)
            continue;
        for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
            if (slice_eq(slice_from_cstr(reserved[i]), key))
                return err_new(ERR_INVALID, "Label with key %.*s is not allowed as it is reserved for Spark bookkeeping operations.",
                               SLICE_ARG(key));
        plan_members_set(&members, key, p->v4 ? plan_substitute(p, e->value) : e->value);
    }
    *ret_labels = labels;
    return NULL;
}

static struct err *plan_metadata(struct planner *p)
{
    struct arena *a = p->arena;
    struct json *metadata = json_ensure_object(a, p->pod, "metadata"), *labels;
    json_set_text(a, metadata, "name", p->in->names.pod);
    TRY(plan_driver_labels(p, &labels));
    struct plan_members members;
    plan_members_init(&members, a, json_ensure_object(a, metadata, "labels"));
    JSON_FOREACH(label, labels)
        plan_members_set(&members, label->key, label->text);
    bool begun = false;
    SPARK_CONF_FOREACH(e, p->conf) {
        struct slice key = plan_suffix(e->key, "spark.kubernetes.driver.annotation.");
        if (!key.ptr)
            continue;
        if (!begun)
            plan_members_init(&members, a, json_ensure_object(a, metadata, "annotations"));
        begun = true;
        plan_members_set(&members, key, plan_substitute(p, e->value));
    }
    return NULL;
}

/* ---- the container ---- */

static void add_port(struct planner *p, const char *name, int64_t number)
{
    struct json *port = json_object(p->arena);
    json_set_i64(p->arena, port, "containerPort", number);
    json_set_cstr(p->arena, port, "name", name);
    json_set_cstr(p->arena, port, "protocol", "TCP");
    json_append(json_ensure_array(p->arena, p->container, "ports"), port);
}

static struct err *plan_ports(struct planner *p)
{
    int64_t port;
    TRY(plan_port(p, "spark.driver.port", NULL, 7078, &port));
    add_port(p, "driver-rpc-port", port);
    TRY(plan_port(p, "spark.driver.blockManager.port", "spark.blockManager.port", 7079, &port));
    add_port(p, "blockmanager", port);
    TRY(plan_port(p, "spark.ui.port", NULL, 4040, &port));
    add_port(p, "spark-ui", port);
    if (!p->v43)
        return NULL;
    TRY(plan_port(p, "spark.connect.grpc.binding.port", NULL, 15002, &port));
    add_port(p, "spark-connect", port);
    return NULL;
}

static void plan_environment(struct planner *p)
{
    struct arena *a = p->arena;
    plan_add_env(p, "SPARK_USER", p->options->proxy_user.ptr ? p->options->proxy_user : p->in->spark_user);
    plan_add_env(p, "SPARK_APPLICATION_ID", p->in->names.app_id);
    SPARK_CONF_FOREACH(e, p->conf) {
        struct slice name = plan_suffix(e->key, "spark.kubernetes.driverEnv.");
        if (name.ptr)
            plan_add_env(p, slice_cstr(a, name), e->value);
    }
    struct json *entry = json_object(a);
    json_set_cstr(a, entry, "name", "SPARK_DRIVER_BIND_ADDRESS");
    struct json *field = json_ensure_object(a, json_ensure_object(a, entry, "valueFrom"), "fieldRef");
    json_set_cstr(a, field, "apiVersion", "v1");
    json_set_cstr(a, field, "fieldPath", "status.podIP");
    json_append(json_ensure_array(a, p->container, "env"), entry);
}

static struct err *read_factor(struct planner *p, const char *key, double *factor)
{
    struct slice text = spark_conf_get(p->conf, key);
    if (text.ptr && !spark_double_parse(text, factor))
        return err_new(ERR_INVALID, "%s should be double, but was %.*s", key, SLICE_ARG(text));
    if (text.ptr && *factor <= 0)
        return err_new(ERR_INVALID, "'%.*s' in %s is invalid. Ensure that memory overhead is a double greater than 0", SLICE_ARG(text), key);
    return NULL;
}

/* Pod memory in MiB; sets the factor's property, which is never the driver's own one. */
static struct err *plan_memory(struct planner *p, int64_t *ret_mib)
{
    struct spark_overhead_input in = {.explicit_mib = -1, .minimum_mib = 384};
    TRY(spark_size_parse(spark_conf_get_or(p->conf, "spark.driver.memory", "1g"), SPARK_UNIT_MIB, &in.heap_mib));
    in.factor = p->options->language == SPARK_JVM ? 0.1 : 0.4;
    TRY(read_factor(p, "spark.kubernetes.memoryOverheadFactor", &in.factor));
    plan_set_property(p, "spark.kubernetes.memoryOverheadFactor", spark_double_text(p->arena, in.factor));
    TRY(read_factor(p, "spark.driver.memoryOverheadFactor", &in.factor));
    struct slice overhead = spark_conf_get(p->conf, "spark.driver.memoryOverhead");
    if (overhead.ptr)
        TRY(spark_size_parse(overhead, SPARK_UNIT_MIB, &in.explicit_mib));
    struct slice minimum = p->v4 ? spark_conf_get(p->conf, "spark.driver.minMemoryOverhead") : SLICE_NONE;
    if (minimum.ptr)
        TRY(spark_size_parse(minimum, SPARK_UNIT_MIB, &in.minimum_mib));
    if (__builtin_add_overflow(in.heap_mib, spark_overhead_mib(&in), ret_mib))
        return err_new(ERR_INVALID, "Driver memory is too big");
    return NULL;
}

static struct err *plan_custom_resources(struct planner *p, struct json *limits)
{
    struct plan_members members;
    plan_members_init(&members, p->arena, limits);
    SPARK_CONF_FOREACH(e, p->conf) {
        struct slice name = plan_suffix(e->key, "spark.driver.resource.");
        if (!name.ptr || !slice_ends_with(name, S(".amount")))
            continue;
        name.len -= S(".amount").len;
        struct slice vendor =
            spark_conf_get(p->conf, slice_cstr(p->arena, slice_fmt(p->arena, "spark.driver.resource.%.*s.vendor", SLICE_ARG(name))));
        if (!vendor.len)
            return err_new(ERR_INVALID, "Resource: %.*s was requested, but vendor was not specified.", SLICE_ARG(name));
        plan_members_set(&members, slice_fmt(p->arena, "%.*s/%.*s", SLICE_ARG(vendor), SLICE_ARG(name)), e->value);
    }
    return NULL;
}

static struct err *plan_resources(struct planner *p)
{
    int64_t memory_mib;
    TRY(plan_memory(p, &memory_mib));
    struct json *resources = json_ensure_object(p->arena, p->container, "resources");
    struct json *limits = json_ensure_object(p->arena, resources, "limits");
    struct json *requests = json_ensure_object(p->arena, resources, "requests");
    struct slice memory = slice_fmt(p->arena, "%lldMi", (long long)memory_mib);
    struct slice cores = spark_conf_get(p->conf, "spark.kubernetes.driver.request.cores");
    struct slice limit = spark_conf_get(p->conf, "spark.kubernetes.driver.limit.cores");
    json_set_text(p->arena, requests, "cpu", cores.ptr ? cores : spark_conf_get_or(p->conf, "spark.driver.cores", "1"));
    json_set_text(p->arena, requests, "memory", memory);
    json_set_text(p->arena, limits, "memory", memory);
    if (limit.ptr)
        json_set_text(p->arena, limits, "cpu", limit);
    return plan_custom_resources(p, limits);
}

static struct err *plan_container(struct planner *p)
{
    struct arena *a = p->arena;
    struct slice image = spark_conf_get(p->conf, "spark.kubernetes.driver.container.image");
    if (!image.ptr)
        image = spark_conf_get(p->conf, "spark.kubernetes.container.image");
    if (!image.ptr)
        return err_new(ERR_INVALID, "Must specify the driver container image");
    if (p->v41)
        image = plan_replace(a, image, S("{{SPARK_VERSION}}"), p->in->spark_version);
    if (!json_get_text(p->container, "name").len)
        json_set_cstr(a, p->container, "name", "spark-kubernetes-driver");
    json_set_text(a, p->container, "image", image);
    json_set_text(a, p->container, "imagePullPolicy",
                  spark_conf_get_or(p->conf, "spark.kubernetes.container.image.pullPolicy", "IfNotPresent"));
    TRY(plan_ports(p));
    plan_environment(p);
    TRY(plan_resources(p));
    if (p->v43) {
        bool allowed = spark_conf_get_bool(p->conf, "spark.kubernetes.securityContext.allowPrivilegeEscalation", false);
        allowed = spark_conf_get_bool(p->conf, "spark.kubernetes.driver.securityContext.allowPrivilegeEscalation", allowed);
        json_set_bool(a, json_ensure_object(a, p->container, "securityContext"), "allowPrivilegeEscalation", allowed);
    }
    return NULL;
}

static void plan_placement(struct planner *p)
{
    struct arena *a = p->arena;
    static const char *const prefixes[] = {"spark.kubernetes.node.selector.", "spark.kubernetes.driver.node.selector."};
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        plan_copy_members(p, p->spec, "nodeSelector", prefixes[i]);
    struct slice rest = spark_conf_get(p->conf, "spark.kubernetes.container.image.pullSecrets");
    while (rest.ptr) {
        struct slice one = slice_trim(slice_cut(&rest, ','));
        struct json *secret = json_object(a);
        json_set_text(a, secret, "name", one);
        if (one.len)
            json_append(json_ensure_array(a, p->spec, "imagePullSecrets"), secret);
    }
    struct slice scheduler = spark_conf_get(p->conf, "spark.kubernetes.driver.scheduler.name");
    if (!scheduler.ptr)
        scheduler = spark_conf_get(p->conf, "spark.kubernetes.scheduler.name");
    if (scheduler.ptr)
        json_set_text(a, p->spec, "schedulerName", scheduler);
}

struct err *plan_basic_driver(struct planner *p)
{
    TRY(plan_metadata(p));
    TRY(plan_container(p));
    json_set_cstr(p->arena, p->spec, "restartPolicy", "Never");
    plan_placement(p);
    return NULL;
}

/* ---- the command ---- */

static void add_arg(struct planner *p, struct slice arg)
{
    json_append(json_ensure_array(p->arena, p->container, "args"), json_string(p->arena, arg));
}

static struct slice submitter_env(const struct planner *p, const char *name)
{
    for (size_t i = 0; i < p->options->env_count; i++)
        if (slice_eq(p->options->env[i].name, slice_from_cstr(name)) && p->options->env[i].value.len)
            return p->options->env[i].value;
    return SLICE_NONE;
}

static void plan_python(struct planner *p)
{
    struct slice python = spark_conf_get(p->conf, "spark.pyspark.python");
    struct slice driver_python = spark_conf_get(p->conf, "spark.pyspark.driver.python");
    if (!driver_python.ptr)
        driver_python = python;
    if (!driver_python.ptr)
        driver_python = submitter_env(p, "PYSPARK_DRIVER_PYTHON");
    if (!driver_python.ptr)
        driver_python = submitter_env(p, "PYSPARK_PYTHON");
    if (!python.ptr)
        python = submitter_env(p, "PYSPARK_PYTHON");
    if (python.ptr)
        plan_add_env(p, "PYSPARK_PYTHON", python);
    if (driver_python.ptr)
        plan_add_env(p, "PYSPARK_DRIVER_PYTHON", driver_python);
}

struct err *plan_command(struct planner *p)
{
    if (p->options->language == SPARK_PYTHON)
        plan_python(p);
    add_arg(p, S("driver"));
    if (p->options->proxy_user.ptr) {
        add_arg(p, S("--proxy-user"));
        add_arg(p, p->options->proxy_user);
    }
    add_arg(p, S("--properties-file"));
    add_arg(p, S("/opt/spark/conf/spark.properties"));
    add_arg(p, S("--class"));
    add_arg(p, p->options->main_class);
    add_arg(p, p->options->primary_resource);
    for (size_t i = 0; i < p->options->app_arg_count; i++)
        add_arg(p, p->options->app_args[i]);
    return NULL;
}
