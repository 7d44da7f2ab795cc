/* Everything that is mounted into the driver: credentials, secrets, volumes, Hadoop's configuration, Kerberos, the executors' pod
 * template, local directories. One function for each of Spark's feature steps. */
#include "base/encode.h"
#include "spark/plan_internal.h"

#define CREDENTIALS_DIR "/mnt/secrets/spark-kubernetes-credentials"

/* ---- DriverKubernetesCredentialsFeatureStep ---- */

static const struct credential {
    const char *property;    /* behind spark.kubernetes.authenticate.driver. */
    const char *key;         /* in the Secret, and the file's name */
    const char *mounted;     /* behind …driver.mounted. */
    bool is_file;
} credentials[] = {
    {"oauthToken", "oauth-token", "oauthTokenFile", false},
    {"caCertFile", "ca-cert", "caCertFile", true},
    {"clientKeyFile", "client-key", "clientKeyFile", true},
    {"clientCertFile", "client-cert", "clientCertFile", true},
};

static struct err *add_credential(struct planner *p, const struct credential *c, struct json *secret)
{
    struct arena *a = p->arena;
    const char *key = slice_cstr(a, slice_fmt(a, "spark.kubernetes.authenticate.driver.%s", c->property));
    struct slice value = spark_conf_get(p->conf, key), content = value;
    if (!value.ptr)
        return NULL;
    if (c->is_file) {
        if (!p->in->read.read)
            return err_new(ERR_INVALID, "Driver %s file provided at %.*s does not exist", c->key, SLICE_ARG(value));
        TRY(p->in->read.read(p->in->read.context, a, value, &content));
    }
    json_set_text(a, json_ensure_object(a, secret, "data"), c->key, base64_encode(a, content));
    const char *mounted = slice_cstr(a, slice_fmt(a, "spark.kubernetes.authenticate.driver.mounted.%s", c->mounted));
    plan_set_property(p, mounted, slice_fmt(a, CREDENTIALS_DIR "/%s", c->key));
    return NULL;
}

struct err *plan_credentials(struct planner *p)
{
    struct arena *a = p->arena;
    struct slice name = plan_name(p, "-kubernetes-credentials");
    struct json *secret = plan_object(a, "v1", "Secret", name);
    for (size_t i = 0; i < ARRAY_SIZE(credentials); i++)
        TRY(add_credential(p, &credentials[i], secret));
    if (json_get(secret, S("data"))) {
        json_set_bool(a, secret, "immutable", true);
        json_append(p->out->others, secret);
        json_set_text(a, plan_add_volume(p, S("kubernetes-credentials"), "secret"), "secretName", name);
        (void)plan_add_mount(p, S("kubernetes-credentials"), S(CREDENTIALS_DIR));
        return NULL;
    }
    struct slice account = spark_conf_get(p->conf, "spark.kubernetes.authenticate.driver.serviceAccountName");
    if (account.ptr) {
        json_set_text(a, p->spec, "serviceAccount", account);
        json_set_text(a, p->spec, "serviceAccountName", account);
    }
    return NULL;
}

/* ---- MountSecretsFeatureStep, EnvSecretsFeatureStep ---- */

struct err *plan_mount_secrets(struct planner *p)
{
    SPARK_CONF_FOREACH(e, p->conf) {
        struct slice name = plan_suffix(e->key, "spark.kubernetes.driver.secrets.");
        if (!name.ptr)
            continue;
        struct slice volume = slice_fmt(p->arena, "%.*s-volume", SLICE_ARG(name));
        json_set_text(p->arena, plan_add_volume(p, volume, "secret"), "secretName", name);
        (void)plan_add_mount(p, volume, e->value);
    }
    return NULL;
}

struct err *plan_env_secrets(struct planner *p)
{
    struct arena *a = p->arena;
    SPARK_CONF_FOREACH(e, p->conf) {
        struct slice name = plan_suffix(e->key, "spark.kubernetes.driver.secretKeyRef."), secret, key;
        if (!name.ptr)
            continue;
        if (!slice_split(e->value, ':', &secret, &key) || slice_index(key, ':') >= 0)
            return err_new(ERR_INVALID, "SecretKeyRef must be in the form name:key.");
        struct json *entry = json_object(a);
        json_set_text(a, entry, "name", name);
        struct json *reference = json_ensure_object(a, json_ensure_object(a, entry, "valueFrom"), "secretKeyRef");
        json_set_text(a, reference, "key", key);
        json_set_text(a, reference, "name", secret);
        json_append(json_ensure_array(a, p->container, "env"), entry);
    }
    return NULL;
}

/* ---- MountVolumesFeatureStep: spark.kubernetes.driver.volumes.TYPE.NAME.… ---- */

struct volume {
    struct slice type, name;
    struct spark_notes labels, annotations; /* of its claim: key and value in turn */
};

static struct slice volume_option(const struct planner *p, const struct volume *v, const char *option)
{
    struct slice key = slice_fmt(p->arena, "spark.kubernetes.driver.volumes.%.*s.%.*s.%s", SLICE_ARG(v->type), SLICE_ARG(v->name), option);
    const struct spark_conf_entry *e = spark_conf_find(p->conf, key);
    return e ? e->value : SLICE_NONE;
}

static struct err *volume_required(const struct planner *p, const struct volume *v, const char *option, struct slice *ret_value)
{
    *ret_value = volume_option(p, v, option);
    if (!ret_value->ptr)
        return err_new(ERR_INVALID, "%.*s.%.*s.%s is required for %.*s", SLICE_ARG(v->type), SLICE_ARG(v->name), option,
                       SLICE_ARG(v->type));
    return NULL;
}

static struct err *check_size(struct slice size)
{
    int64_t bytes;
    if (size.ptr && slice_to_i64(size, 0, 1023, &bytes))
        return err_new(ERR_INVALID, "Volume size `%.*s` is smaller than 1KiB. Missing units?", SLICE_ARG(size));
    return NULL;
}

static void set_text(struct planner *p, struct json *object, const char *key, struct slice value)
{
    json_set_text(p->arena, object, key, value.ptr ? value : S(""));
}

/* label.* and annotation.* of a claim, 4.0 and later. */
static void copy_claim_metadata(struct planner *p, const struct spark_notes *pairs, struct json *metadata, const char *member)
{
    struct plan_members members;
    if (!pairs->count || !p->v4)
        return;
    plan_members_init(&members, p->arena, json_ensure_object(p->arena, metadata, member));
    for (size_t i = 0; i < pairs->count; i += 2)
        plan_members_set(&members, pairs->items[i], pairs->items[i + 1]);
}

static void add_claim(struct planner *p, const struct volume *v, struct slice name, struct slice class, struct slice size)
{
    struct arena *a = p->arena;
    struct json *claim = plan_object(a, "v1", "PersistentVolumeClaim", name);
    struct json *metadata = json_ensure_object(a, claim, "metadata"), *spec = json_ensure_object(a, claim, "spec");
    copy_claim_metadata(p, &v->labels, metadata, "labels");
    json_set_text(a, json_ensure_object(a, metadata, "labels"), "spark-app-selector", p->in->names.app_id);
    copy_claim_metadata(p, &v->annotations, metadata, "annotations");
    bool once = spark_conf_get_bool(p->conf, "spark.kubernetes.legacy.useReadWriteOnceAccessMode", !p->v4);
    json_append(json_ensure_array(a, spec, "accessModes"), json_cstr(a, once ? "ReadWriteOnce" : "ReadWriteOncePod"));
    json_set_text(a, json_ensure_object(a, json_ensure_object(a, spec, "resources"), "requests"), "storage", size);
    json_set_text(a, spec, "storageClassName", class);
    json_append(p->out->others, claim);
}

static struct err *add_claim_volume(struct planner *p, const struct volume *v, size_t index, bool read_only)
{
    struct slice name, class = volume_option(p, v, "options.storageClass"), size = volume_option(p, v, "options.sizeLimit");
    TRY(volume_required(p, v, "options.claimName", &name));
    TRY(check_size(size));
    name = plan_replace(p->arena, name, S("OnDemand"),
                        slice_fmt(p->arena, "%.*s-driver-pvc-%zu", SLICE_ARG(p->in->names.prefix), index));
    if (class.ptr && size.ptr)
        add_claim(p, v, name, class, size);
    struct json *source = plan_add_volume(p, v->name, "persistentVolumeClaim");
    json_set_text(p->arena, source, "claimName", name);
    json_set_bool(p->arena, source, "readOnly", read_only);
    return NULL;
}

static struct err *add_volume_source(struct planner *p, const struct volume *v, size_t index, bool read_only)
{
    struct slice path, server;
    if (slice_eq(v->type, S("persistentVolumeClaim")))
        return add_claim_volume(p, v, index, read_only);
    if (slice_eq(v->type, S("hostPath"))) {
        TRY(volume_required(p, v, "options.path", &path));
        struct json *source = plan_add_volume(p, v->name, "hostPath");
        json_set_text(p->arena, source, "path", path);
        set_text(p, source, "type", p->v4 ? volume_option(p, v, "options.type") : S(""));
        return NULL;
    }
    if (slice_eq(v->type, S("emptyDir"))) {
        struct slice size = volume_option(p, v, "options.sizeLimit");
        TRY(check_size(size));
        struct json *source = plan_add_volume(p, v->name, "emptyDir");
        set_text(p, source, "medium", volume_option(p, v, "options.medium"));
        if (size.ptr)
            json_set_text(p->arena, source, "sizeLimit", size);
        return NULL;
    }
    if (slice_eq(v->type, S("nfs"))) {
        TRY(volume_required(p, v, "options.path", &path));
        TRY(volume_required(p, v, "options.server", &server));
        struct json *source = plan_add_volume(p, v->name, "nfs");
        json_set_text(p->arena, source, "path", path);
        json_set_text(p->arena, source, "server", server);
        return NULL;
    }
    return err_new(ERR_INVALID, "Kubernetes Volume type `%.*s` is not supported", SLICE_ARG(v->type));
}

static struct err *add_volume(struct planner *p, const struct volume *v, size_t index)
{
    struct slice path, sub = volume_option(p, v, "mount.subPath");
    struct slice sub_expression = p->v4 ? volume_option(p, v, "mount.subPathExpr") : SLICE_NONE;
    TRY(volume_required(p, v, "mount.path", &path));
    if (sub.len && sub_expression.len)
        return err_new(ERR_INVALID, "These config options are mutually exclusive: %.*s.%.*s.mount.subPath, mount.subPathExpr",
                       SLICE_ARG(v->type), SLICE_ARG(v->name));
    struct spark_index_entry *mounted = spark_index_at(&p->paths, path);
    if (mounted->number)
        return err_new(ERR_INVALID, "Found duplicated mountPath: `%.*s`", SLICE_ARG(path));
    mounted->number = 1;
    bool read_only = slice_eq_nocase(volume_option(p, v, "mount.readOnly"), S("true"));
    TRY(add_volume_source(p, v, index, read_only));
    struct json *mount = plan_add_mount(p, v->name, path);
    json_set_bool(p->arena, mount, "readOnly", read_only);
    set_text(p, mount, "subPath", sub);
    if (p->v4)
        set_text(p, mount, "subPathExpr", sub_expression);
    return NULL;
}

static void note_claim_metadata(struct planner *p, struct volume *v, struct slice option, struct slice value)
{
    struct slice label = plan_suffix(option, "label."), annotation = plan_suffix(option, "annotation.");
    struct spark_notes *pairs = label.ptr ? &v->labels : &v->annotations;
    if (!label.ptr && !annotation.ptr)
        return;
    pairs->arena = p->arena;
    spark_notes_add(pairs, label.ptr ? label : annotation);
    spark_notes_add(pairs, value);
}

struct err *plan_mount_volumes(struct planner *p)
{
    size_t count = 0;
    struct volume *volumes = ARENA_ARRAY(p->arena, p->conf->count + 1, struct volume);
    struct spark_index known = {.arena = p->arena}; /* by "TYPE.NAME"; item: the volume */
    SPARK_CONF_FOREACH(e, p->conf) {
        struct slice all = plan_suffix(e->key, "spark.kubernetes.driver.volumes."), rest = all;
        if (!rest.ptr)
            continue;
        struct volume v = {.type = slice_cut(&rest, '.')};
        if (!rest.ptr)
            continue;
        v.name = slice_cut(&rest, '.');
        struct spark_index_entry *entry = spark_index_at(&known, slice_sub(all, 0, v.type.len + 1 + v.name.len));
        if (!entry->item) {
            volumes[count] = v;
            entry->item = &volumes[count++];
        }
        note_claim_metadata(p, entry->item, rest, e->value);
    }
    p->paths = (struct spark_index){.arena = p->arena};
    JSON_FOREACH(mount, json_get(p->container, S("volumeMounts")))
        spark_index_at(&p->paths, json_get_text(mount, "mountPath"))->number = 1;
    for (size_t i = 0; i < count; i++)
        TRY(add_volume(p, &volumes[i], i));
    return NULL;
}

/* ---- HadoopConfDriverFeatureStep, KerberosConfDriverFeatureStep ---- */

struct err *plan_hadoop_conf(struct planner *p)
{
    struct arena *a = p->arena;
    struct slice existing = spark_conf_get(p->conf, "spark.kubernetes.hadoop.configMapName"), name = existing;
    if (existing.ptr && p->in->hadoop_file_count)
        return err_new(ERR_INVALID, "Do not specify both the `HADOOP_CONF_DIR` in your ENV and the ConfigMap as the creation of an "
                                    "additional ConfigMap, when one is already specified is extraneous");
    if (!existing.ptr && !p->in->hadoop_file_count)
        return NULL;
    if (!existing.ptr)
        name = plan_name(p, "-hadoop-config");
    struct json *source = plan_add_volume(p, S("hadoop-properties"), "configMap");
    json_set_text(a, source, "name", name);
    if (!existing.ptr) {
        struct json *map = plan_object(a, "v1", "ConfigMap", name);
        for (size_t i = 0; i < p->in->hadoop_file_count; i++) {
            const struct spark_file *file = &p->in->hadoop_files[i];
            json_set(a, json_ensure_object(a, map, "data"), file->name, json_string(a, file->text));
            struct json *item = json_object(a);
            json_set_text(a, item, "key", file->name);
            json_set_text(a, item, "path", file->name);
            json_append(json_ensure_array(a, source, "items"), item);
        }
        json_set_bool(a, map, "immutable", true);
        json_append(p->out->others, map);
    }
    (void)plan_add_mount(p, S("hadoop-properties"), S("/opt/hadoop/conf"));
    plan_add_env(p, "HADOOP_CONF_DIR", S("/opt/hadoop/conf"));
    plan_set_property(p, "spark.kubernetes.executor.hadoopConfigMapName", name);
    return NULL;
}

struct err *plan_kerberos(struct planner *p)
{
    struct slice map = spark_conf_get(p->conf, "spark.kubernetes.kerberos.krb5.configMapName");
    struct slice secret = spark_conf_get(p->conf, "spark.kubernetes.kerberos.tokenSecret.name");
    struct slice key = spark_conf_get(p->conf, "spark.kubernetes.kerberos.tokenSecret.itemKey");
    struct slice keytab = spark_conf_get(p->conf, "spark.kerberos.keytab");
    if (spark_conf_get(p->conf, "spark.kubernetes.kerberos.krb5.path").ptr)
        return err_new(ERR_INVALID, "spark.kubernetes.kerberos.krb5.path names a file of the submitter, and there are none here: use "
                                    "spark.kubernetes.kerberos.krb5.configMapName.");
    if (keytab.ptr && !slice_starts_with(keytab, S("local:")))
        return err_new(ERR_INVALID, "Keytab file: %.*s does not exist", SLICE_ARG(keytab));
    if (secret.ptr && !key.ptr)
        return err_new(ERR_INVALID, "If a secret storing a Kerberos Delegation Token is specified you must also specify the item-key "
                                    "where the data is stored");
    if (key.ptr && !secret.ptr)
        return err_new(ERR_INVALID, "If a secret data item-key where the data of the Kerberos Delegation Token is specified you must "
                                    "also specify the name of the secret");
    if (map.ptr) {
        json_set_text(p->arena, plan_add_volume(p, S("krb5-file"), "configMap"), "name", map);
        json_set_cstr(p->arena, plan_add_mount(p, S("krb5-file"), S("/etc/krb5.conf")), "subPath", "krb5.conf");
    }
    if (secret.ptr) {
        json_set_text(p->arena, plan_add_volume(p, S("hadoop-secret"), "secret"), "secretName", secret);
        (void)plan_add_mount(p, S("hadoop-secret"), S("/mnt/secrets/hadoop-credentials"));
        plan_add_env(p, "HADOOP_TOKEN_FILE_LOCATION", slice_fmt(p->arena, "/mnt/secrets/hadoop-credentials/%.*s", SLICE_ARG(key)));
    }
    return NULL;
}

/* ---- PodTemplateConfigMapStep ---- */

struct err *plan_executor_template(struct planner *p)
{
    struct arena *a = p->arena;
    struct slice uri = spark_conf_get(p->conf, "spark.kubernetes.executor.podTemplateFile"), text;
    if (!uri.ptr)
        return NULL;
    if (!p->in->read.read)
        return err_new(ERR_INVALID, "Could not load pod from template file %.*s.", SLICE_ARG(uri));
    TRY(err_wrap(p->in->read.read(p->in->read.context, a, uri, &text), "Could not load pod from template file %.*s.", SLICE_ARG(uri)));
    struct slice name = plan_name(p, "-driver-podspec-conf-map");
    struct json *map = plan_object(a, "v1", "ConfigMap", name);
    json_set_text(a, json_ensure_object(a, map, "data"), "podspec-configmap-key", text);
    json_set_bool(a, map, "immutable", true);
    json_append(p->out->others, map);
    struct json *source = plan_add_volume(p, S("pod-template-volume"), "configMap"), *item = json_object(a);
    json_set_cstr(a, item, "key", "podspec-configmap-key");
    json_set_cstr(a, item, "path", "pod-spec-template.yml");
    json_append(json_ensure_array(a, source, "items"), item);
    json_set_text(a, source, "name", name);
    (void)plan_add_mount(p, S("pod-template-volume"), S("/opt/spark/pod-template"));
    plan_set_property(p, "spark.kubernetes.executor.podTemplateFile", S("/opt/spark/pod-template/pod-spec-template.yml"));
    return NULL;
}

/* ---- LocalDirsFeatureStep ---- */

static struct slice mounted_local_dirs(struct planner *p)
{
    struct strbuf dirs = STRBUF_ARENA(p->arena);
    JSON_FOREACH(mount, json_get(p->container, S("volumeMounts"))) {
        if (!slice_starts_with(json_get_text(mount, "name"), S("spark-local-dir-")))
            continue;
        if (dirs.len)
            strbuf_append_char(&dirs, ',');
        strbuf_append(&dirs, json_get_text(mount, "mountPath"));
    }
    return strbuf_slice(&dirs);
}

struct err *plan_local_dirs(struct planner *p)
{
    struct slice dirs = mounted_local_dirs(p);
    if (dirs.len) {
        plan_add_env(p, "SPARK_LOCAL_DIRS", dirs);
        return NULL;
    }
    dirs = spark_conf_get(p->conf, "spark.local.dir");
    for (size_t i = 0; i < p->options->env_count; i++)
        if (slice_eq(p->options->env[i].name, S("SPARK_LOCAL_DIRS")))
            dirs = p->options->env[i].value;
    if (!dirs.len)
        dirs = p->in->names.local_dir;
    plan_add_env(p, "SPARK_LOCAL_DIRS", dirs);
    bool in_memory = spark_conf_get_bool(p->conf, "spark.kubernetes.local.dirs.tmpfs", false);
    int number = 1;
    for (struct slice rest = dirs; rest.ptr; number++) {
        struct slice dir = slice_cut(&rest, ','), name = slice_fmt(p->arena, "spark-local-dir-%d", number);
        struct json *source = plan_add_volume(p, name, "emptyDir");
        if (in_memory)
            json_set_cstr(p->arena, source, "medium", "Memory");
        (void)plan_add_mount(p, name, dir);
    }
    return NULL;
}
