#include "cluster/kubelet/pod_run.h"

#include "base/arena.h"
#include "base/fd.h"
#include "cluster/apiserver/quantity.h"
#include "cluster/kubelet/image.h"
#include "cluster/kubelet/wire.h"

#include <string.h>
#include <sys/stat.h>

struct slice pod_hostname(struct arena *arena, const struct json *pod)
{
    struct slice name = json_text(JSON_AT(pod, "spec", "hostname"));
    if (!name.len)
        name = json_text(JSON_AT(pod, "metadata", "name"));
    struct slice cut = slice_sub(name, 0, 63);
    while (cut.len && (cut.ptr[cut.len - 1] == '-' || cut.ptr[cut.len - 1] == '.'))
        cut.len--;
    return slice_dup(arena, cut);
}

static const struct json *volume_named(const struct json *pod, struct slice name)
{
    JSON_FOREACH(volume, JSON_AT(pod, "spec", "volumes"))
    {
        if (slice_eq(json_get_text(volume, "name"), name))
            return volume;
    }
    return NULL;
}

static size_t mount_users(const struct json *pod, struct slice volume)
{
    static const char *const lists[] = {"containers", "initContainers"};
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        JSON_FOREACH(container, json_get(JSON_AT(pod, "spec"), slice_from_cstr(lists[i])))
        {
            JSON_FOREACH(mount, JSON_AT(container, "volumeMounts"))
            {
                count += slice_eq(json_get_text(mount, "name"), volume);
            }
        }
    return count;
}

static bool path_is_clean(struct slice path)
{
    struct slice rest = path;
    while (rest.ptr)
        if (slice_eq(slice_cut(&rest, '/'), S("..")))
            return false;
    return !slice_has_nul(path) && !slice_starts_with(path, S("/"));
}

static struct err *add_mount(struct arena *arena, const struct pod_run_input *input, const struct json *mount,
                             struct pod_env_list *env, struct json *mounts, struct json *tmpfs)
{
    struct slice name = json_get_text(mount, "name"), target = json_get_text(mount, "mountPath");
    struct slice sub = json_get_text(mount, "subPath");
    const struct json *volume = volume_named(input->env->pod, name), *empty = JSON_AT(volume, "emptyDir");
    if (json_get_text(mount, "subPathExpr").len)
        TRY(pod_env_expand(arena, json_get_text(mount, "subPathExpr"), env, &sub));
    if (!volume)
        return err_new(ERR_INVALID, "volume \"%.*s\" not found", SLICE_ARG(name));
    if (!path_is_clean(sub))
        return err_new(ERR_INVALID, "subPath \"%.*s\" leaves the volume", SLICE_ARG(sub));
    if (!slice_starts_with(target, S("/")))
        target = slice_fmt(arena, "/%.*s", SLICE_ARG(target));
    while (target.len > 1 && target.ptr[target.len - 1] == '/')
        target.len--;
    struct json *item = json_object(arena);
    json_set_text(arena, item, "target", target);
    /* Memory of one container alone is a tmpfs of its sandbox and goes with it. Shared by several it is a folder. */
    if (slice_eq(json_get_text(empty, "medium"), S("Memory")) && !sub.len && mount_users(input->env->pod, name) == 1) {
        json_set_i64(arena, item, "sizeBytes", quantity_json_to_i64(JSON_AT(empty, "sizeLimit"), 0));
        json_append(tmpfs, item);
        return NULL;
    }
    struct slice source = slice_fmt(arena, "%.*s/" WIRE_VOLUMES_DIR "/%.*s%s%.*s", SLICE_ARG(input->pod_dir), SLICE_ARG(name),
                                    sub.len ? "/" : "", SLICE_ARG(sub));
    if (empty && sub.len) {
        TRY(dir_make(source.ptr, 0777));
        chmod(source.ptr, 0777);
    }
    json_set_text(arena, item, "source", source);
    json_set_bool(arena, item, "readOnly", !empty || json_get_bool(mount, "readOnly", false));
    json_append(mounts, item);
    return NULL;
}

static struct err *expanded_list(struct arena *arena, const struct json *list, struct pod_env_list *env, struct json **ret_list)
{
    struct json *out = json_array(arena);
    JSON_FOREACH(item, list)
    {
        struct slice text;
        TRY(pod_env_expand(arena, json_text(item), env, &text));
        json_append(out, json_string(arena, text));
    }
    *ret_list = out;
    return NULL;
}

static struct err *put_image(struct arena *arena, const struct pod_run_input *input, const struct json *container, struct json *out)
{
    struct image image;
    struct json *json = json_object(arena);
    TRY(image_find(arena, input->releases_dir, json_get_text(container, "image"), &image));
    json_set_cstr(arena, json, "kind", image.spark ? "spark" : "host");
    if (image.spark) {
        json_set_text(arena, json, "sparkHome", image.spark_home);
        json_set_text(arena, json, "sparkVersion", image.spark_version);
        if (input->archives_dir.len)
            json_set_text(arena, json, "archivesDir",
                          slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(input->archives_dir), SLICE_ARG(image.spark_version)));
        if (input->python_path.len)
            json_set_text(arena, json, "pythonPath", input->python_path);
        if (input->dump_dir.len)
            json_set_text(arena, out, "dumpClassArchive", input->dump_dir);
    }
    JSON_SET(arena, out, "image", json);
    return NULL;
}

static struct err *build_container(struct arena *arena, const struct pod_run_input *input, const struct json *container, bool init,
                                   struct json **ret_json, const char **ret_reason)
{
    struct json *out = json_object(arena), *vars = json_array(arena), *mounts = json_array(arena), *tmpfs = json_array(arena);
    struct pod_env_list env = {0};
    json_set_text(arena, out, "name", json_get_text(container, "name"));
    json_set_bool(arena, out, "init", init);
    struct err *e = put_image(arena, input, container, out);
    if (e) {
        *ret_reason = e->code ? e->code : "ErrImagePull";
        return e;
    }
    *ret_reason = "CreateContainerConfigError";
    TRY(pod_env_build(arena, input->env, container, &env));
    JSON_FOREACH(mount, JSON_AT(container, "volumeMounts"))
    {
        TRY(add_mount(arena, input, mount, &env, mounts, tmpfs));
    }
    for (size_t i = 0; i < env.count; i++) {
        struct json *pair = json_array(arena);
        json_append(pair, json_string(arena, env.items[i].name));
        json_append(pair, json_string(arena, env.items[i].value));
        json_append(vars, pair);
    }
    struct json *command, *args;
    TRY(expanded_list(arena, JSON_AT(container, "command"), &env, &command));
    TRY(expanded_list(arena, JSON_AT(container, "args"), &env, &args));
    JSON_SET(arena, out, "command", command);
    JSON_SET(arena, out, "args", args);
    JSON_SET(arena, out, "env", vars);
    JSON_SET(arena, out, "mounts", mounts);
    JSON_SET(arena, out, "tmpfs", tmpfs);
    if (json_get_text(container, "workingDir").len)
        json_set_text(arena, out, "workingDir", json_get_text(container, "workingDir"));
    int64_t cpu = quantity_json_to_milli(JSON_AT(container, "resources", "limits", "cpu"), 0);
    json_set_i64(arena, out, "memoryLimitBytes", quantity_json_to_i64(JSON_AT(container, "resources", "limits", "memory"), 0));
    json_set_i64(arena, out, "cpuMillis", cpu ? cpu : quantity_json_to_milli(JSON_AT(container, "resources", "requests", "cpu"), 0));
    *ret_json = out;
    return NULL;
}

static struct err *add_containers(struct arena *arena, const struct pod_run_input *input, const char *list, bool init,
                                  struct json *containers, struct pod_run_problem *ret_problem)
{
    JSON_FOREACH(container, json_get(JSON_AT(input->env->pod, "spec"), slice_from_cstr(list)))
    {
        struct json *json = NULL;
        const char *reason = NULL;
        struct err *e = build_container(arena, input, container, init, &json, &reason);
        if (e) {
            *ret_problem = (struct pod_run_problem){json_get_text(container, "name"), reason,
                                                    e->kind == ERR_NOT_FOUND && strcmp(reason, "CreateContainerConfigError") == 0};
            return e;
        }
        json_append(containers, json);
    }
    return NULL;
}

struct err *pod_run_build(struct arena *arena, const struct pod_run_input *input, struct slice *ret_text, struct pod_run_problem *ret_problem)
{
    const struct json *pod = input->env->pod, *spec = JSON_AT(pod, "spec");
    struct json *out = json_object(arena), *containers = json_array(arena);
    json_set_i64(arena, out, "version", WIRE_VERSION);
    json_set_text(arena, out, "podUid", json_text(JSON_AT(pod, "metadata", "uid")));
    json_set_text(arena, out, "namespace", json_text(JSON_AT(pod, "metadata", "namespace")));
    json_set_text(arena, out, "podName", json_text(JSON_AT(pod, "metadata", "name")));
    json_set_text(arena, out, "hostname", pod_hostname(arena, pod));
    json_set_text(arena, out, "podIp", input->env->pod_ip);
    if (input->run_uid > 0)
        json_set_i64(arena, out, "runUid", input->run_uid);
    json_set_i64(arena, out, "graceSeconds", json_get_i64(spec, "terminationGracePeriodSeconds", 30));
    struct slice policy = json_get_text(spec, "restartPolicy");
    json_set_text(arena, out, "restartPolicy", policy.len ? policy : S("Always"));
    if (json_get_i64(spec, "activeDeadlineSeconds", 0) > 0)
        json_set_i64(arena, out, "activeDeadlineSeconds", json_get_i64(spec, "activeDeadlineSeconds", 0));
    json_set_i64(arena, out, "logMaxBytes", WIRE_LOG_MAX_BYTES);
    TRY(add_containers(arena, input, "initContainers", true, containers, ret_problem));
    TRY(add_containers(arena, input, "containers", false, containers, ret_problem));
    JSON_SET(arena, out, "containers", containers);
    struct slice text = json_to_slice(arena, out);
    *ret_problem = (struct pod_run_problem){.reason = "CreateContainerConfigError"};
    if (json_count(containers) > WIRE_CONTAINERS_MAX)
        return err_new(ERR_INVALID, "the pod has %zu containers, more than the %d that are run here", json_count(containers), WIRE_CONTAINERS_MAX);
    if (text.len > WIRE_FILE_MAX_BYTES)
        return err_new(ERR_INVALID, "commands and environments of the pod are larger than %d bytes", WIRE_FILE_MAX_BYTES);
    *ret_text = text;
    return NULL;
}
