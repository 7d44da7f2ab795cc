#include "runner/run_spec.h"

#include "base/arena.h"
#include "base/json.h"
#include "cluster/kubelet/wire.h"

static struct err *need_text(const struct json *object, const char *key, struct slice *ret_text)
{
    struct slice text = json_get_text(object, key);
    if (!text.ptr || slice_has_nul(text))
        return err_new(ERR_INVALID, "run.json: %s is missing or no string", key);
    *ret_text = text;
    return NULL;
}

static struct err *read_texts(struct arena *arena, const struct json *array, const char *what, struct slice **ret_items, size_t *ret_count)
{
    size_t count = json_count(array), i = 0;
    struct slice *items = ARENA_ARRAY(arena, count + 1, struct slice);
    JSON_FOREACH(item, array)
    {
        items[i] = json_text(item);
        if (!items[i].ptr || slice_has_nul(items[i]))
            return err_new(ERR_INVALID, "run.json: %s[%zu] is no string", what, i);
        i++;
    }
    *ret_items = items;
    *ret_count = count;
    return NULL;
}

static struct err *read_env(struct arena *arena, const struct json *array, struct run_container *container)
{
    container->env = ARENA_ARRAY(arena, json_count(array) + 1, struct run_env);
    JSON_FOREACH(pair, array)
    {
        struct slice name = json_text(json_item(pair, 0)), value = json_text(json_item(pair, 1));
        if (!name.ptr || !value.ptr || name.len == 0 || slice_index(name, '=') >= 0 || slice_has_nul(name) || slice_has_nul(value))
            return err_new(ERR_INVALID, "run.json: an environment variable of container %.*s is not [name, value]",
                           SLICE_ARG(container->name));
        container->env[container->env_count++] = (struct run_env){name, value};
    }
    return NULL;
}

static struct err *read_mounts(struct arena *arena, const struct json *json, struct run_container *container)
{
    const struct json *mounts = JSON_AT(json, "mounts"), *tmpfs = JSON_AT(json, "tmpfs");
    container->mounts = ARENA_ARRAY(arena, json_count(mounts) + 1, struct run_mount);
    JSON_FOREACH(item, mounts)
    {
        struct run_mount mount = {.read_only = json_get_bool(item, "readOnly", false)};
        TRY(need_text(item, "source", &mount.source));
        TRY(need_text(item, "target", &mount.target));
        if (!slice_starts_with(mount.target, S("/")))
            return err_new(ERR_INVALID, "run.json: mount target %.*s is not absolute", SLICE_ARG(mount.target));
        container->mounts[container->mount_count++] = mount;
    }
    container->tmpfs = ARENA_ARRAY(arena, json_count(tmpfs) + 1, struct run_tmpfs);
    JSON_FOREACH(item, tmpfs)
    {
        struct run_tmpfs one = {.size_bytes = json_get_i64(item, "sizeBytes", 0)};
        TRY(need_text(item, "target", &one.target));
        container->tmpfs[container->tmpfs_count++] = one;
    }
    return NULL;
}

static struct err *read_image(const struct json *image, struct run_container *container)
{
    struct slice kind;
    TRY(need_text(image, "kind", &kind));
    if (slice_eq(kind, S("host"))) {
        container->image = IMAGE_HOST;
        return NULL;
    }
    if (!slice_eq(kind, S("spark")))
        return err_new(ERR_INVALID, "run.json: image kind %.*s is not known", SLICE_ARG(kind));
    container->image = IMAGE_SPARK;
    TRY(need_text(image, "sparkHome", &container->spark_home));
    TRY(need_text(image, "sparkVersion", &container->spark_version));
    container->archives_dir = json_get_text(image, "archivesDir");
    container->python_path = json_get_text(image, "pythonPath");
    return NULL;
}

static struct err *read_container(struct arena *arena, const struct json *json, struct run_container *ret_container)
{
    struct run_container container = {
        .init = json_get_bool(json, "init", false),
        .working_dir = json_get_text(json, "workingDir"),
        .memory_limit_bytes = json_get_i64(json, "memoryLimitBytes", 0),
        .cpu_millis = json_get_i64(json, "cpuMillis", 0),
        .dump_class_archive = json_get_text(json, "dumpClassArchive"),
    };
    TRY(need_text(json, "name", &container.name));
    if (container.name.len == 0 || container.name.len > 253 || slice_index(container.name, '/') >= 0 || container.name.ptr[0] == '.')
        return err_new(ERR_INVALID, "run.json: container name %.*s", SLICE_ARG(container.name));
    TRY(read_texts(arena, JSON_AT(json, "command"), "command", &container.command, &container.command_count));
    TRY(read_texts(arena, JSON_AT(json, "args"), "args", &container.args, &container.arg_count));
    TRY(read_env(arena, JSON_AT(json, "env"), &container));
    TRY(read_mounts(arena, json, &container));
    TRY(read_image(JSON_AT(json, "image"), &container));
    *ret_container = container;
    return NULL;
}

static struct err *read_restart_policy(struct slice text, enum restart_policy *ret_policy)
{
    if (slice_eq(text, S("Never")))
        *ret_policy = RESTART_NEVER;
    else if (slice_eq(text, S("OnFailure")))
        *ret_policy = RESTART_ON_FAILURE;
    else if (slice_eq(text, S("Always")))
        *ret_policy = RESTART_ALWAYS;
    else
        return err_new(ERR_INVALID, "run.json: restartPolicy %.*s", SLICE_ARG(text));
    return NULL;
}

struct err *run_spec_parse(struct arena *arena, struct slice text, struct run_spec *ret_spec)
{
    struct json *json = NULL;
    TRY(err_wrap(json_parse(arena, text, JSON_DUPLICATES_REFUSE, &json), "run.json"));
    if (json_get_i64(json, "version", 0) != WIRE_VERSION)
        return err_new(ERR_INVALID, "run.json: version %lld is not %d", (long long)json_get_i64(json, "version", 0), WIRE_VERSION);
    struct run_spec spec = {
        .run_uid = json_get_i64(json, "runUid", -1),
        .grace_seconds = json_get_i64(json, "graceSeconds", 30),
        .active_deadline_seconds = json_get_i64(json, "activeDeadlineSeconds", 0),
        .log_max_bytes = json_get_i64(json, "logMaxBytes", WIRE_LOG_MAX_BYTES),
    };
    TRY(need_text(json, "podUid", &spec.pod_uid));
    TRY(need_text(json, "namespace", &spec.namespace_name));
    TRY(need_text(json, "podName", &spec.pod_name));
    TRY(need_text(json, "hostname", &spec.hostname));
    TRY(need_text(json, "podIp", &spec.pod_ip));
    TRY(read_restart_policy(json_get_text(json, "restartPolicy"), &spec.restart_policy));
    const struct json *containers = JSON_AT(json, "containers");
    size_t count = json_count(containers);
    if (count == 0 || count > WIRE_CONTAINERS_MAX)
        return err_new(ERR_INVALID, "run.json: %zu containers", count);
    spec.containers = ARENA_ARRAY(arena, count, struct run_container);
    JSON_FOREACH(item, containers)
    {
        TRY(read_container(arena, item, &spec.containers[spec.container_count]));
        spec.container_count++;
    }
    *ret_spec = spec;
    return NULL;
}

bool run_container_is_sparks(const struct run_container *container)
{
    return slice_eq(container->name, S("spark-kubernetes-driver")) || slice_eq(container->name, S("spark-kubernetes-executor"));
}

struct slice run_container_env(const struct run_container *container, struct slice name)
{
    for (size_t i = container->env_count; i > 0; i--)
        if (slice_eq(container->env[i - 1].name, name))
            return container->env[i - 1].value;
    return SLICE_NONE;
}
