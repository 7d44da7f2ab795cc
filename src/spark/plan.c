/* The order of steps, the service, the policy and the driver's ConfigMap. */
#include "spark/plan.h"
#include "spark/plan_internal.h"
#include "spark/properties.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONF_DIR "/opt/spark/conf"

/* ---- shared by the steps ---- */

struct slice plan_name(const struct planner *p, const char *suffix)
{
    return slice_fmt(p->arena, "%.*s%s", SLICE_ARG(p->in->names.prefix), suffix);
}

struct json *plan_object(struct arena *arena, const char *api_version, const char *kind, struct slice name)
{
    struct json *object = json_object(arena);
    json_set_cstr(arena, object, "apiVersion", api_version);
    json_set_cstr(arena, object, "kind", kind);
    json_set_text(arena, json_ensure_object(arena, object, "metadata"), "name", name);
    return object;
}

void plan_add_env(struct planner *p, const char *name, struct slice value)
{
    struct json *entry = json_object(p->arena);
    json_set_cstr(p->arena, entry, "name", name);
    json_set_text(p->arena, entry, "value", value);
    json_append(json_ensure_array(p->arena, p->container, "env"), entry);
}

struct json *plan_add_volume(struct planner *p, struct slice name, const char *type)
{
    struct json *volume = json_object(p->arena);
    json_set_text(p->arena, volume, "name", name);
    struct json *source = json_ensure_object(p->arena, volume, type);
    json_append(json_ensure_array(p->arena, p->spec, "volumes"), volume);
    return source;
}

struct json *plan_add_mount(struct planner *p, struct slice name, struct slice path)
{
    struct json *mount = json_object(p->arena);
    json_set_text(p->arena, mount, "name", name);
    json_set_text(p->arena, mount, "mountPath", path);
    json_append(json_ensure_array(p->arena, p->container, "volumeMounts"), mount);
    return mount;
}

void plan_set_property(struct planner *p, const char *key, struct slice value)
{
    spark_conf_set(p->conf, slice_from_cstr(key), value, SPARK_CONF_SYSTEM);
}

struct err *plan_port(const struct planner *p, const char *key, const char *fallback, int64_t otherwise, int64_t *ret_port)
{
    const char *used = key;
    struct slice value = spark_conf_get(p->conf, key);
    if (!value.ptr && fallback) {
        used = fallback;
        value = spark_conf_get(p->conf, fallback);
    }
    int64_t port = otherwise;
    if (value.ptr && !slice_to_i64(slice_trim(value), 0, 65535, &port))
        return err_new(ERR_INVALID, "%s should be int, but was %.*s", used, SLICE_ARG(value));
    *ret_port = port;
    return NULL;
}

struct slice plan_suffix(struct slice key, const char *prefix)
{
    struct slice s = slice_from_cstr(prefix);
    return slice_starts_with(key, s) && key.len > s.len ? slice_from(key, s.len) : SLICE_NONE;
}

struct slice plan_replace(struct arena *arena, struct slice text, struct slice what, struct slice with)
{
    ptrdiff_t at = slice_find(text, what);
    if (at < 0)
        return text;
    struct strbuf out = STRBUF_ARENA(arena);
    for (; at >= 0; at = slice_find(text, what)) {
        strbuf_append(&out, slice_sub(text, 0, (size_t)at));
        strbuf_append(&out, with);
        text = slice_from(text, (size_t)at + what.len);
    }
    strbuf_append(&out, text);
    return strbuf_slice(&out);
}

struct slice plan_substitute(const struct planner *p, struct slice value)
{
    value = plan_replace(p->arena, value, S("{{APP_ID}}"), p->in->names.app_id);
    return plan_replace(p->arena, value, S("{{EXECUTOR_ID}}"), S(""));
}

void plan_members_init(struct plan_members *members, struct arena *arena, struct json *object)
{
    *members = (struct plan_members){.arena = arena, .object = object, .index = {.arena = arena}};
    JSON_FOREACH(member, object)
        spark_index_at(&members->index, member->key)->item = member;
}

void plan_members_set(struct plan_members *members, struct slice key, struct slice text)
{
    struct spark_index_entry *entry = spark_index_at(&members->index, key);
    struct json *member = entry->item;
    if (member) {
        *member = (struct json){.type = JSON_STRING, .text = text, .key = member->key, .next = member->next};
        return;
    }
    member = json_string(members->arena, text);
    member->key = key;
    json_append(members->object, member);
    entry->item = member;
}

void plan_copy_members(struct planner *p, struct json *parent, const char *name, const char *prefix)
{
    struct plan_members members;
    bool begun = false;
    SPARK_CONF_FOREACH(e, p->conf) {
        struct slice key = plan_suffix(e->key, prefix);
        if (!key.ptr)
            continue;
        if (!begun)
            plan_members_init(&members, p->arena, json_ensure_object(p->arena, parent, name));
        begun = true;
        plan_members_set(&members, key, e->value);
    }
}

/* ---- the service ---- */

static struct json *comma_list(struct arena *arena, struct slice list)
{
    struct json *array = json_array(arena);
    struct slice rest = list;
    while (rest.ptr) {
        struct slice one = slice_trim(slice_cut(&rest, ','));
        if (one.len)
            json_append(array, json_string(arena, one));
    }
    return array;
}

static void add_service_port(struct planner *p, struct json *ports, const char *name, int64_t number)
{
    struct json *port = json_object(p->arena);
    if (strcmp(name, "spark-connect") == 0)
        json_set_cstr(p->arena, port, "appProtocol", "grpc");
    json_set_cstr(p->arena, port, "name", name);
    json_set_i64(p->arena, port, "port", number);
    json_set_i64(p->arena, port, "targetPort", number);
    json_append(ports, port);
}

static struct err *plan_service_ports(struct planner *p, struct json *spec)
{
    int64_t rpc, blocks, ui, connect;
    TRY(plan_port(p, "spark.driver.port", NULL, 7078, &rpc));
    TRY(plan_port(p, "spark.driver.blockManager.port", NULL, 7079, &blocks));
    TRY(plan_port(p, "spark.ui.port", NULL, 4040, &ui));
    TRY(plan_port(p, "spark.connect.grpc.binding.port", NULL, 15002, &connect));
    struct json *ports = json_ensure_array(p->arena, spec, "ports");
    add_service_port(p, ports, "driver-rpc-port", rpc);
    add_service_port(p, ports, "blockmanager", blocks);
    add_service_port(p, ports, "spark-ui", ui);
    if (p->v43)
        add_service_port(p, ports, "spark-connect", connect);
    plan_set_property(p, "spark.driver.port", slice_fmt(p->arena, "%lld", (long long)rpc));
    plan_set_property(p, "spark.driver.blockManager.port", slice_fmt(p->arena, "%lld", (long long)blocks));
    return NULL;
}

/* DriverServiceFeatureStep. */
static struct err *plan_service(struct planner *p)
{
    if (spark_conf_get(p->conf, "spark.driver.bindAddress").ptr)
        return err_new(ERR_INVALID, "spark.driver.bindAddress is not supported in Kubernetes mode, as the driver's bind address is "
                                    "managed and set to the driver pod's IP address.");
    struct arena *a = p->arena;
    struct json *service = plan_object(a, "v1", "Service", p->in->names.service);
    struct json *metadata = json_ensure_object(a, service, "metadata");
    json_set_text(a, json_ensure_object(a, metadata, "labels"), "spark-app-selector", p->in->names.app_id);
    plan_copy_members(p, metadata, "labels", "spark.kubernetes.driver.service.label.");
    plan_copy_members(p, metadata, "annotations", "spark.kubernetes.driver.service.annotation.");
    struct json *spec = json_ensure_object(a, service, "spec"), *selector;
    json_set_cstr(a, spec, "clusterIP", "None");
    JSON_SET(a, spec, "ipFamilies", comma_list(a, spark_conf_get_or(p->conf, "spark.kubernetes.driver.service.ipFamilies", "IPv4")));
    json_set_text(a, spec, "ipFamilyPolicy",
                  spark_conf_get_or(p->conf, "spark.kubernetes.driver.service.ipFamilyPolicy", "SingleStack"));
    if (p->v43)
        json_set_bool(a, spec, "publishNotReadyAddresses",
                      spark_conf_get_bool(p->conf, "spark.kubernetes.driver.service.publishNotReadyAddresses", false));
    TRY(plan_service_ports(p, spec));
    TRY(plan_driver_labels(p, &selector));
    JSON_SET(a, spec, "selector", selector);
    plan_set_property(p, "spark.driver.host",
                      slice_fmt(a, "%.*s.%.*s.svc", SLICE_ARG(p->in->names.service), SLICE_ARG(p->namespace_)));
    p->out->service = service;
    return NULL;
}

/* NetworkPolicyFeatureStep: executors of one application take connections from its own pods only. */
static struct err *plan_network_policy(struct planner *p)
{
    struct arena *a = p->arena;
    struct json *policy = plan_object(a, "networking.k8s.io/v1", "NetworkPolicy", plan_name(p, "-policy"));
    struct json *metadata = json_ensure_object(a, policy, "metadata");
    json_set_text(a, metadata, "namespace", p->namespace_);
    json_set_text(a, json_ensure_object(a, metadata, "labels"), "spark-app-selector", p->in->names.app_id);
    struct json *spec = json_ensure_object(a, policy, "spec");
    struct json *mine = json_ensure_object(a, json_ensure_object(a, spec, "podSelector"), "matchLabels");
    json_set_cstr(a, mine, "spark-role", "executor");
    json_set_text(a, mine, "spark-app-selector", p->in->names.app_id);
    struct json *peer = json_object(a), *rule = json_object(a);
    json_set_text(a, json_ensure_object(a, json_ensure_object(a, peer, "podSelector"), "matchLabels"), "spark-app-selector",
                  p->in->names.app_id);
    json_append(json_ensure_array(a, rule, "from"), peer);
    json_append(json_ensure_array(a, spec, "ingress"), rule);
    p->out->network_policy = policy;
    return NULL;
}

/* ---- the driver's ConfigMap ---- */

/* KubernetesClientUtils: names that stay behind, as its regular expression has them. */
static bool is_excluded_file(struct slice name)
{
    static const char *const ends[] = {".template", ".gz", ".zip", ".jar", ".tar"};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (slice_ends_with(name, slice_from_cstr(ends[i])))
            return true;
    return slice_starts_with(name, S("spark")) && (slice_ends_with(name, S("conf")) || slice_ends_with(name, S("properties"))) &&
           name.len >= S("sparkconf").len;
}

static int by_size(const void *a, const void *b)
{
    const struct spark_file *x = *(const struct spark_file *const *)a, *y = *(const struct spark_file *const *)b;
    if (x->text.len != y->text.len)
        return x->text.len < y->text.len ? -1 : 1;
    return slice_cmp(x->name, y->name);
}

static struct err *add_conf_files(struct planner *p, struct json *data)
{
    int64_t max_size = 1048576;
    struct slice text = spark_conf_get(p->conf, "spark.kubernetes.configMap.maxSize");
    if (text.ptr && !slice_to_i64(text, 0, INT64_MAX, &max_size))
        return err_new(ERR_INVALID, "spark.kubernetes.configMap.maxSize should be long, but was %.*s", SLICE_ARG(text));
    const struct spark_file **files = ARENA_ARRAY(p->arena, p->in->file_count + 1, const struct spark_file *);
    for (size_t i = 0; i < p->in->file_count; i++)
        files[i] = &p->in->files[i];
    qsort(files, p->in->file_count, sizeof *files, by_size);
    uint64_t used = 0;
    for (size_t i = 0; i < p->in->file_count; i++) {
        const struct spark_file *file = files[i];
        if (is_excluded_file(file->name))
            continue;
        uint64_t size = file->name.len + file->text.len;
        if (!slice_is_utf8(file->text) || used + size >= (uint64_t)max_size) {
            spark_notes_fmt(&p->notes, "Skipped configuration file %.*s: it is not UTF-8 or the ConfigMap would be too big.",
                            SLICE_ARG(file->name));
            continue;
        }
        used += size;
        json_set(p->arena, data, file->name, json_string(p->arena, file->text));
    }
    return NULL;
}

static int by_key(const void *a, const void *b)
{
    return slice_cmp((*(const struct spark_conf_entry *const *)a)->key, (*(const struct spark_conf_entry *const *)b)->key);
}

/* Sorted, where Java has the order of its hash table: a second launch of the same run writes the same bytes. */
static struct slice write_properties(struct planner *p)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(p->in->submit_time_ms / 1000);
    struct tm t = {0};
    (void)gmtime_r(&seconds, &t);
    struct strbuf out = STRBUF_ARENA(p->arena);
    properties_write_comment(&out, slice_fmt(p->arena, "Java properties built from Kubernetes config map with name: %.*s",
                                             SLICE_ARG(p->in->names.conf_map)));
    properties_write_comment(&out, slice_fmt(p->arena, "%s %s %02d %02d:%02d:%02d UTC %d", days[t.tm_wday], months[t.tm_mon],
                                             t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, t.tm_year + 1900));
    const struct spark_conf_entry **entries = ARENA_ARRAY(p->arena, p->conf->count + 1, const struct spark_conf_entry *);
    size_t count = 0;
    SPARK_CONF_FOREACH(e, p->conf)
        entries[count++] = e;
    qsort(entries, count, sizeof *entries, by_key);
    for (size_t i = 0; i < count; i++)
        properties_write_entry(&out, entries[i]->key, entries[i]->value);
    return strbuf_slice(&out);
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void mount_conf_map(struct planner *p, const struct json *data)
{
    struct arena *a = p->arena;
    struct json *source = plan_add_volume(p, S("spark-conf-volume-driver"), "configMap");
    struct slice *keys = ARENA_ARRAY(a, json_count(data) + 1, struct slice);
    size_t count = 0;
    JSON_FOREACH(file, data)
        keys[count++] = file->key;
    qsort(keys, count, sizeof *keys, by_text);
    struct json *items = json_ensure_array(a, source, "items");
    for (size_t i = 0; i < count; i++) {
        struct json *item = json_object(a);
        json_set_text(a, item, "key", keys[i]);
        json_set_i64(a, item, "mode", 0644);
        json_set_text(a, item, "path", keys[i]);
        json_append(items, item);
    }
    json_set_text(a, source, "name", p->in->names.conf_map);
    (void)plan_add_mount(p, S("spark-conf-volume-driver"), S(CONF_DIR));
    plan_add_env(p, "SPARK_CONF_DIR", S(CONF_DIR));
}

/* Last of all: everything that stands in spark.properties is known now. */
static struct err *plan_conf_map(struct planner *p)
{
    struct arena *a = p->arena;
    struct json *map = plan_object(a, "v1", "ConfigMap", p->in->names.conf_map);
    json_set_text(a, json_ensure_object(a, map, "metadata"), "namespace", p->namespace_);
    struct json *data = json_ensure_object(a, map, "data");
    TRY(add_conf_files(p, data));
    JSON_SET(a, data, "spark.properties", json_string(a, write_properties(p)));
    mount_conf_map(p, data);
    JSON_SET(a, data, "spark.kubernetes.namespace", json_string(a, p->namespace_));
    json_set_bool(a, map, "immutable", true);
    p->out->conf_map = map;
    return NULL;
}

/* ---- all of it ---- */

static const struct step {
    const char *name; /* of Spark's class, for excludedFeatureSteps */
    struct err *(*run)(struct planner *p);
} steps[] = {
    {"BasicDriverFeatureStep", plan_basic_driver},
    {"DriverKubernetesCredentialsFeatureStep", plan_credentials},
    {"DriverServiceFeatureStep", plan_service},
    {"NetworkPolicyFeatureStep", plan_network_policy},
    {"MountSecretsFeatureStep", plan_mount_secrets},
    {"EnvSecretsFeatureStep", plan_env_secrets},
    {"MountVolumesFeatureStep", plan_mount_volumes},
    {"DriverCommandFeatureStep", plan_command},
    {"HadoopConfDriverFeatureStep", plan_hadoop_conf},
    {"KerberosConfDriverFeatureStep", plan_kerberos},
    {"PodTemplateConfigMapStep", plan_executor_template},
    {"LocalDirsFeatureStep", plan_local_dirs},
};

static bool is_step_excluded(const struct planner *p, const char *name)
{
    if (!p->v43 && strcmp(name, "NetworkPolicyFeatureStep") == 0)
        return true;
    struct slice rest = p->v41 ? spark_conf_get(p->conf, "spark.kubernetes.driver.pod.excludedFeatureSteps") : SLICE_NONE;
    while (rest.ptr) {
        struct slice one = slice_trim(slice_cut(&rest, ','));
        if (slice_starts_with(one, S("org.apache.spark.deploy.k8s.features.")) &&
            slice_eq(slice_from(one, S("org.apache.spark.deploy.k8s.features.").len), slice_from_cstr(name)))
            return true;
    }
    return false;
}

/* Files of the submitter: none are here to upload (design: entry points come from S3 or the image). */
static struct err *check_no_uploads(const struct planner *p)
{
    static const char *const lists[] = {"spark.jars", "spark.files", "spark.archives", "spark.submit.pyFiles"};
    struct slice values[ARRAY_SIZE(lists) + 1];
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        values[i] = spark_conf_get(p->conf, lists[i]);
    values[ARRAY_SIZE(lists)] = p->options->language == SPARK_PYTHON ? p->options->primary_resource : SLICE_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        struct slice rest = values[i];
        while (rest.ptr) {
            struct slice one = slice_cut(&rest, ',');
            if (!slice_starts_with(one, S("file:")))
                continue;
            if (p->in->fetched_prefix.ptr && slice_starts_with(one, p->in->fetched_prefix))
                continue;
            if (!spark_conf_get(p->conf, "spark.kubernetes.file.upload.path").ptr)
                return err_new(ERR_INVALID, "Please specify spark.kubernetes.file.upload.path property.");
            return err_new(ERR_INVALID, "Uploading file %.*s failed: there are no local files at this submitter.", SLICE_ARG(one));
        }
    }
    return NULL;
}

static struct err *prepare_conf(struct planner *p)
{
    struct slice steps_of_user = spark_conf_get(p->conf, "spark.kubernetes.driver.pod.featureSteps");
    if (steps_of_user.len)
        return err_new(ERR_INVALID, "Failed to load feature step: %.*s. spark.kubernetes.driver.pod.featureSteps needs classes at the "
                                    "submitter, and this one runs none.", SLICE_ARG(steps_of_user));
    TRY(check_no_uploads(p));
    static const char *const kinds[] = {[SPARK_JVM] = "java", [SPARK_PYTHON] = "python", [SPARK_R] = "r"};
    plan_set_property(p, "spark.app.id", p->in->names.app_id);
    spark_conf_set_if_missing(p->conf, S("spark.app.submitTime"), slice_fmt(p->arena, "%lld", (long long)p->in->submit_time_ms),
                              SPARK_CONF_SYSTEM);
    plan_set_property(p, "spark.kubernetes.submitInDriver", S("true"));
    plan_set_property(p, "spark.kubernetes.driver.pod.name", p->in->names.pod);
    plan_set_property(p, "spark.kubernetes.resource.type", slice_from_cstr(kinds[p->options->language]));
    return NULL;
}

static void redact_tokens(struct planner *p)
{
    for (struct spark_conf_entry *e = p->conf->first; e; e = e->next)
        if (slice_ends_with(e->key, S("oauthToken")))
            e->value = S("<present_but_redacted>");
}

struct err *spark_plan_make(struct arena *arena, const struct spark_plan_input *input, struct spark_plan *ret_plan)
{
    struct spark_plan out = {.others = json_array(arena)};
    spark_conf_init(&out.conf, arena);
    SPARK_CONF_FOREACH(e, &input->options->conf)
        spark_conf_set(&out.conf, e->key, e->value, e->source);
    struct planner p = {
        .arena = arena,
        .in = input,
        .options = input->options,
        .conf = &out.conf,
        .out = &out,
        .namespace_ = spark_conf_get_or(&out.conf, "spark.kubernetes.namespace", "default"),
        .notes = {.arena = arena},
        .v4 = spark_version_at_least(input->spark_version, 4, 0),
        .v41 = spark_version_at_least(input->spark_version, 4, 1),
        .v43 = spark_version_at_least(input->spark_version, 4, 3),
    };
    TRY(prepare_conf(&p));
    TRY(plan_start_pod(&p));
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        if (!is_step_excluded(&p, steps[i].name))
            TRY(steps[i].run(&p));
    redact_tokens(&p);
    TRY(plan_conf_map(&p));
    plan_finish_pod(&p);
    out.pod = p.pod;
    out.namespace_ = p.namespace_;
    out.notes = p.notes.items;
    out.note_count = p.notes.count;
    *ret_plan = out;
    return NULL;
}

void spark_object_set_owner(struct arena *arena, struct json *object, struct slice pod_name, struct slice pod_uid)
{
    struct json *owner = json_object(arena);
    json_set_cstr(arena, owner, "apiVersion", "v1");
    json_set_cstr(arena, owner, "kind", "Pod");
    json_set_bool(arena, owner, "controller", true);
    json_set_text(arena, owner, "name", pod_name);
    json_set_text(arena, owner, "uid", pod_uid);
    struct json *owners = json_array(arena);
    json_append(owners, owner);
    JSON_SET(arena, json_ensure_object(arena, object, "metadata"), "ownerReferences", owners);
}
