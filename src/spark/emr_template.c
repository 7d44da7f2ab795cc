/* Pod templates: read once through the caller, checked against EMR's allow-list before Spark's planner sees them. Fields, reserved names
 * and the texts of fields and mount paths: "Using pod templates", EMR on EKS guide; restartPolicy stands in the list that its images
 * carry. The other texts are ours in its style. */
#include "base/yaml.h"
#include "spark/emr_internal.h"

static const struct slice pod_fields[] = {S_INIT("apiVersion"), S_INIT("kind"), S_INIT("metadata"), S_INIT("spec")};
static const struct slice spec_fields[] = {
    S_INIT("activeDeadlineSeconds"), S_INIT("affinity"), S_INIT("containers"), S_INIT("enableServiceLinks"), S_INIT("ephemeralContainers"),
    S_INIT("hostAliases"), S_INIT("hostname"), S_INIT("imagePullSecrets"), S_INIT("initContainers"), S_INIT("nodeName"), S_INIT("nodeSelector"),
    S_INIT("overhead"), S_INIT("preemptionPolicy"), S_INIT("priority"), S_INIT("priorityClassName"), S_INIT("readinessGates"),
    S_INIT("restartPolicy"), S_INIT("runtimeClassName"), S_INIT("schedulerName"), S_INIT("subdomain"), S_INIT("terminationGracePeriodSeconds"),
    S_INIT("tolerations"), S_INIT("topologySpreadConstraints"), S_INIT("volumes"),
};
static const struct slice container_fields[] = {
    S_INIT("env"), S_INIT("envFrom"), S_INIT("lifecycle"), S_INIT("livenessProbe"), S_INIT("name"), S_INIT("readinessProbe"), S_INIT("resources"),
    S_INIT("startupProbe"), S_INIT("stdin"), S_INIT("stdinOnce"), S_INIT("terminationMessagePath"), S_INIT("terminationMessagePolicy"),
    S_INIT("tty"), S_INIT("volumeDevices"), S_INIT("volumeMounts"), S_INIT("workingDir"),
};
static const struct slice reserved_volumes[] = {
    S_INIT("emr-container-communicate"), S_INIT("config-volume"), S_INIT("emr-container-application-log-dir"),
    S_INIT("emr-container-event-log-dir"), S_INIT("temp-data-dir"), S_INIT("mnt-dir"), S_INIT("home-dir"), S_INIT("emr-container-s3"),
};
static const struct slice reserved_paths[] = {
    S_INIT("/var/log/fluentd"), S_INIT("/var/log/spark/user"), S_INIT("/var/log/spark/apps"), S_INIT("/tmp"), S_INIT("/mnt"),
    S_INIT("/home/hadoop"),
};
/* Those that the main container shares with side cars, and where it has them. A pod gets them when a side car mounts them. */
static const struct shared_volume {
    struct slice name, path;
} shared_volumes[] = {
    {S_INIT("emr-container-communicate"), S_INIT("/var/log/fluentd")},
    {S_INIT("emr-container-application-log-dir"), S_INIT("/var/log/spark/user")},
    {S_INIT("emr-container-event-log-dir"), S_INIT("/var/log/spark/apps")},
    {S_INIT("temp-data-dir"), S_INIT("/tmp")},
    {S_INIT("mnt-dir"), S_INIT("/mnt")},
    {S_INIT("home-dir"), S_INIT("/home/hadoop")},
};
#define COMMUNICATE 0
#define EVENT_LOGS 2
/* "the main container sends a heartbeat to this file every two seconds": pod templates, EMR on EKS guide. Who runs it does so: ember-run in the
 * embedded cluster, the entry point of EMR's images elsewhere. */
#define SIGN_OF_LIFE "/var/log/fluentd/main-container-terminated"
static const struct slice reserved_env[] = {S_INIT("SPARK_CONTAINER_ID"), S_INIT("K8S_SPARK_LOG_URL_STDERR"), S_INIT("K8S_SPARK_LOG_URL_STDOUT"),
                                            S_INIT("SIDECAR_SIGNAL_FILE")};

struct template {
    struct emr *e;
    const char *who;  /* "Driver", "Executor" */
    const char *role; /* "driver", "executor" */
    const char *main_name;
    bool shares[ARRAY_SIZE(shared_volumes)]; /* found while it is checked */
};

#define REFUSE(t, format, ...) \
    err_code(ERR_INVALID, EMR_USER_ERROR, "%s pod template validation failed. " format, (t)->who, __VA_ARGS__)

static struct err *check_fields(const struct template *t, const struct json *object, const struct slice *allowed, size_t count, const char *prefix,
                                const char *where)
{
    JSON_FOREACH(field, object) {
        if (!slice_is_one_of(field->key, allowed, count))
            return REFUSE(t, "Field %s%.*s in %s not allowed but specified.", prefix, SLICE_ARG(field->key), where);
    }
    return NULL;
}

static struct err *check_list(const struct template *t, const struct json *object, const char *name)
{
    const struct json *list = json_get(object, slice_from_cstr(name));
    if (!list || json_is(list, JSON_NULL))
        return NULL;
    if (!json_is(list, JSON_ARRAY))
        return REFUSE(t, "Field %s is no list.", name);
    JSON_FOREACH(item, list) {
        if (!json_is(item, JSON_OBJECT))
            return REFUSE(t, "An item of %s is no object.", name);
    }
    return NULL;
}

static bool is_within(struct slice path, struct slice folder)
{
    return slice_starts_with(path, folder) && (path.len == folder.len || path.ptr[folder.len] == '/' || slice_ends_with(folder, S("/")));
}

static struct err *check_mounts(const struct template *t, const struct json *container)
{
    JSON_FOREACH(mount, json_get(container, S("volumeMounts"))) {
        struct slice path = json_get_text(mount, "mountPath");
        while (path.len > 1 && slice_ends_with(path, S("/")))
            path.len--;
        for (size_t i = 0; i < ARRAY_SIZE(reserved_paths) && path.len; i++) {
            if (!is_within(path, reserved_paths[i]) && !is_within(reserved_paths[i], path))
                continue;
            struct strbuf all = STRBUF_ARENA(t->e->arena);
            for (size_t j = 0; j < ARRAY_SIZE(reserved_paths); j++)
                strbuf_append_fmt(&all, "%s%.*s", j ? ", " : "", SLICE_ARG(reserved_paths[j]));
            return REFUSE(t, "Defined volume mount path on main container must not overlap with reserved mount paths: [%.*s]", (int)all.len, all.ptr);
        }
    }
    return NULL;
}

static struct err *check_main(const struct template *t, const struct json *container)
{
    TRY(check_fields(t, container, container_fields, ARRAY_SIZE(container_fields), "container.", "Spark main container"));
    static const char *const lists[] = {"env", "envFrom", "volumeMounts", "volumeDevices"};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        TRY(check_list(t, container, lists[i]));
    JSON_FOREACH(variable, json_get(container, S("env"))) {
        struct slice name = json_get_text(variable, "name");
        if (slice_is_one_of(name, reserved_env, ARRAY_SIZE(reserved_env)))
            return REFUSE(t, "Environment variable %.*s in Spark main container is reserved.", SLICE_ARG(name));
    }
    return check_mounts(t, container);
}

static struct err *check_shared(struct template *t, const struct json *container, struct slice volume)
{
    for (size_t i = 0; i < ARRAY_SIZE(shared_volumes); i++) {
        if (slice_eq(volume, shared_volumes[i].name)) {
            t->shares[i] = true;
            return NULL;
        }
    }
    return REFUSE(t, "Container %.*s mounts the volume %.*s, which pods do not have here: logs are shipped without a container.",
                  SLICE_ARG(json_get_text(container, "name")), SLICE_ARG(volume));
}

static struct err *check_side_cars(struct template *t, const struct json *containers, const struct json *main)
{
    JSON_FOREACH(c, containers) {
        if (c == main)
            continue;
        TRY(check_list(t, c, "volumeMounts"));
        JSON_FOREACH(mount, json_get(c, S("volumeMounts"))) {
            struct slice name = json_get_text(mount, "name");
            if (slice_is_one_of(name, reserved_volumes, ARRAY_SIZE(reserved_volumes)))
                TRY(check_shared(t, c, name));
        }
    }
    return NULL;
}

/* Which one Spark takes: the one of that name, else the first. */
static const struct json *main_container(const struct template *t, const struct json *containers)
{
    const struct json *named = NULL;
    size_t matches = 0;
    JSON_FOREACH(c, containers) {
        if (slice_eq(json_get_text(c, "name"), slice_from_cstr(t->main_name))) {
            named = c;
            matches++;
        }
    }
    return matches == 1 ? named : json_item(containers, 0);
}

static struct err *check_template(struct template *t, const struct json *pod)
{
    if (!json_is(pod, JSON_OBJECT))
        return REFUSE(t, "%s", "It is no Pod.");
    TRY(check_fields(t, pod, pod_fields, ARRAY_SIZE(pod_fields), "", "Pod"));
    struct slice kind = json_get_text(pod, "kind");
    if (kind.ptr && !slice_eq(kind, S("Pod")))
        return REFUSE(t, "It is a %.*s, no Pod.", SLICE_ARG(kind));
    const struct json *spec = json_get(pod, S("spec")), *metadata = json_get(pod, S("metadata"));
    if ((spec && !json_is(spec, JSON_OBJECT)) || (metadata && !json_is(metadata, JSON_OBJECT)))
        return REFUSE(t, "Field %s is no object.", spec && !json_is(spec, JSON_OBJECT) ? "spec" : "metadata");
    TRY(check_fields(t, spec, spec_fields, ARRAY_SIZE(spec_fields), "spec.", "Pod"));
    static const char *const lists[] = {"containers", "initContainers", "volumes"};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        TRY(check_list(t, spec, lists[i]));
    JSON_FOREACH(volume, json_get(spec, S("volumes"))) {
        struct slice name = json_get_text(volume, "name");
        if (slice_is_one_of(name, reserved_volumes, ARRAY_SIZE(reserved_volumes)))
            return REFUSE(t, "Volume name %.*s is reserved.", SLICE_ARG(name));
    }
    const struct json *containers = json_get(spec, S("containers")), *main = main_container(t, containers);
    TRY(check_main(t, main));
    TRY(check_side_cars(t, containers, main));
    return check_side_cars(t, json_get(spec, S("initContainers")), NULL);
}

static struct err *read_template(struct emr *e, const struct spark_conf *conf, const char *key, struct template *t, struct slice *ret_text)
{
    struct json *pod;
    struct slice uri = spark_conf_get(conf, key);
    *ret_text = SLICE_NONE;
    if (!uri.ptr)
        return NULL;
    TRY(err_wrap(emr_read_file(e, e->arena, uri, ret_text), "Could not load pod from template file %.*s", SLICE_ARG(uri)));
    struct err *bad = yaml_parse(e->arena, *ret_text, &pod);
    if (bad) {
        struct err *mine = err_code(ERR_INVALID, EMR_USER_ERROR, "Could not load pod from template file %.*s: %s", SLICE_ARG(uri), bad->message);
        err_free(bad);
        return mine;
    }
    return check_template(t, pod);
}

/* What the side cars of a template share with the main container, as properties: the driver's pod is made of them here, the executors' by Spark. */
static void share_volumes(const struct template *t, struct spark_conf *conf)
{
    struct emr *e = t->e;
    bool driver = slice_eq(slice_from_cstr(t->role), S("driver"));
    for (size_t i = 0; i < ARRAY_SIZE(shared_volumes); i++) {
        if (!t->shares[i])
            continue;
        struct slice volume = slice_fmt(e->arena, "spark.kubernetes.%s.volumes.emptyDir.%.*s.mount", t->role, SLICE_ARG(shared_volumes[i].name));
        spark_conf_set(conf, slice_fmt(e->arena, "%.*s.path", SLICE_ARG(volume)), shared_volumes[i].path, SPARK_CONF_SYSTEM);
        spark_conf_set(conf, slice_fmt(e->arena, "%.*s.readOnly", SLICE_ARG(volume)), S("false"), SPARK_CONF_SYSTEM);
    }
    if (t->shares[COMMUNICATE])
        spark_conf_set(conf, driver ? S("spark.kubernetes.driverEnv.SIDECAR_SIGNAL_FILE") : S("spark.executorEnv.SIDECAR_SIGNAL_FILE"), S(SIGN_OF_LIFE),
                       SPARK_CONF_SYSTEM);
    if (t->shares[EVENT_LOGS] && driver && !slice_eq(spark_conf_get(conf, "spark.eventLog.enabled"), S("false"))) { /* as EMR's release has them */
        spark_conf_set_if_missing(conf, S("spark.eventLog.enabled"), S("true"), SPARK_CONF_RELEASE_DEFAULT);
        spark_conf_set_if_missing(conf, S("spark.eventLog.dir"), S("file:///var/log/spark/apps"), SPARK_CONF_RELEASE_DEFAULT);
    }
}

struct err *emr_read_templates(struct emr *e, struct spark_conf *conf)
{
    struct template driver = {e, "Driver", "driver", "spark-kubernetes-driver", {false}};
    struct template executor = {e, "Executor", "executor", "spark-kubernetes-executor", {false}};
    struct slice ignored;
    TRY(read_template(e, conf, "spark.kubernetes.driver.podTemplateFile", &driver, &ignored));
    TRY(read_template(e, conf, "spark.kubernetes.executor.podTemplateFile", &executor, &ignored));
    share_volumes(&driver, conf);
    share_volumes(&executor, conf);
    return NULL;
}

/* ---- reading ---- */

struct err *emr_read_file(void *context, struct arena *arena, struct slice uri, struct slice *ret_text)
{
    struct emr *e = context;
    for (size_t i = 0; i < e->read_count; i++) {
        if (slice_eq(e->read[i].name, uri)) {
            *ret_text = e->read[i].text;
            return NULL;
        }
    }
    if (!emr_is_s3(uri) || !e->in->read.read)
        return err_code(ERR_INVALID, EMR_USER_ERROR, "it must be in S3, there are no files at this submitter");
    struct slice text;
    TRY(e->in->read.read(e->in->read.context, arena, uri, &text));
    if (e->read_count < ARRAY_SIZE(e->read))
        e->read[e->read_count++] = (struct spark_file){uri, text};
    *ret_text = text;
    return NULL;
}
