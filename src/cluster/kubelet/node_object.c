#include "cluster/kubelet/node_object.h"

#include "base/arena.h"
#include "base/fd.h"
#include "cluster/apiserver/registry.h"
#include "cluster/scheduler/machine.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

struct slice node_name(struct arena *arena, const struct kubelet_options *options, int index)
{
    return slice_fmt(arena, "%.*s-%d", SLICE_ARG(options->cluster_name), index + 1);
}

bool node_is_ours(const struct kubelet_options *options, struct slice name)
{
    int64_t number;
    struct slice cluster = options->cluster_name;
    return slice_starts_with(name, cluster) && name.len > cluster.len + 1 && name.ptr[cluster.len] == '-' &&
           slice_to_i64(slice_from(name, cluster.len + 1), 1, options->node_count, &number);
}

static const char *machine_arch(const struct utsname *names)
{
    struct slice machine = slice_from_cstr(names->machine);
    return slice_eq(machine, S("x86_64")) ? "amd64" : slice_eq(machine, S("aarch64")) ? "arm64" : names->machine;
}

/* The value of a KEY="value" line of os-release. */
static struct slice os_name(struct arena *arena)
{
    struct slice text = S("");
    err_free(file_read(arena, "/etc/os-release", 65536, &text));
    while (text.ptr) {
        struct slice line = slice_cut(&text, '\n');
        if (slice_starts_with(line, S("PRETTY_NAME=\"")) && line.len > 14)
            return slice_sub(line, 13, line.len - 14);
    }
    return S("Linux");
}

static struct slice read_id(struct arena *arena, const char *path)
{
    struct slice text = S("");
    err_free(file_read(arena, path, 256, &text));
    return slice_trim(text);
}

static struct json *resources(struct arena *arena, struct machine_amount amount, const char *data_dir)
{
    struct json *json = json_object(arena);
    struct statvfs disk;
    unsigned long long disk_kib = statvfs(data_dir, &disk) == 0 ? (unsigned long long)disk.f_blocks * disk.f_frsize / 1024 : 0;
    if (amount.cpu_millis % 1000)
        json_set_text(arena, json, "cpu", slice_fmt(arena, "%lldm", (long long)amount.cpu_millis));
    else
        json_set_text(arena, json, "cpu", slice_fmt(arena, "%lld", (long long)(amount.cpu_millis / 1000)));
    json_set_text(arena, json, "ephemeral-storage", slice_fmt(arena, "%lluKi", disk_kib));
    json_set_text(arena, json, "memory", slice_fmt(arena, "%lldKi", (long long)(amount.memory_bytes / 1024)));
    json_set_text(arena, json, "pods", slice_fmt(arena, "%d", NODE_PODS_MAX));
    return json;
}

static void add_condition(struct arena *arena, struct json *conditions, const struct json *old, const char *type, const char *status,
                          const char *reason, const char *message)
{
    struct json *condition = json_object(arena);
    struct slice now = instant_iso8601(arena, instant_now()), since = now;
    JSON_FOREACH(item, old)
    {
        if (slice_eq(json_get_text(item, "type"), slice_from_cstr(type)) && slice_eq(json_get_text(item, "status"), slice_from_cstr(status)))
            since = slice_dup(arena, json_get_text(item, "lastTransitionTime"));
    }
    json_set_cstr(arena, condition, "type", type);
    json_set_cstr(arena, condition, "status", status);
    json_set_text(arena, condition, "lastHeartbeatTime", now);
    json_set_text(arena, condition, "lastTransitionTime", since);
    json_set_cstr(arena, condition, "reason", reason);
    json_set_cstr(arena, condition, "message", message);
    json_append(conditions, condition);
}

static struct json *addresses(struct arena *arena, const struct kubelet_options *options, struct slice name)
{
    struct json *list = json_array(arena);
    const struct {
        const char *type;
        struct slice address;
    } rows[] = {{"InternalIP", options->api_host}, {"Hostname", name}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct json *item = json_object(arena);
        json_set_cstr(arena, item, "type", rows[i].type);
        json_set_text(arena, item, "address", rows[i].address);
        json_append(list, item);
    }
    return list;
}

static struct json *node_info(struct arena *arena, const struct kubelet_options *options)
{
    struct json *info = json_object(arena);
    struct utsname names;
    uname(&names);
    json_set_text(arena, info, "machineID", read_id(arena, "/etc/machine-id"));
    json_set_text(arena, info, "systemUUID", read_id(arena, "/etc/machine-id"));
    json_set_text(arena, info, "bootID", read_id(arena, "/proc/sys/kernel/random/boot_id"));
    json_set_text(arena, info, "kernelVersion", slice_dup_cstr(arena, names.release));
    json_set_text(arena, info, "osImage", os_name(arena));
    json_set_cstr(arena, info, "containerRuntimeVersion", "ember://0.1.0");
    json_set_text(arena, info, "kubeletVersion", options->version);
    json_set_cstr(arena, info, "kubeProxyVersion", "");
    json_set_cstr(arena, info, "operatingSystem", "linux");
    json_set_text(arena, info, "architecture", slice_dup_cstr(arena, machine_arch(&names)));
    return info;
}

static struct json *node_status(struct arena *arena, const struct kubelet_options *options, struct slice name, const struct json *old)
{
    struct json *status = json_object(arena), *conditions = json_array(arena);
    const struct json *old_conditions = JSON_AT(old, "conditions");
    struct machine_amount capacity = machine_capacity(options->machine);
    const char *dir = slice_cstr(arena, options->pods_dir);
    JSON_SET(arena, status, "capacity", resources(arena, capacity, dir));
    JSON_SET(arena, status, "allocatable", resources(arena, machine_allocatable(options->machine), dir));
    add_condition(arena, conditions, old_conditions, "MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available");
    add_condition(arena, conditions, old_conditions, "DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure");
    add_condition(arena, conditions, old_conditions, "PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available");
    add_condition(arena, conditions, old_conditions, "Ready", "True", "KubeletReady", "kubelet is posting ready status");
    JSON_SET(arena, status, "conditions", conditions);
    JSON_SET(arena, status, "addresses", addresses(arena, options, name));
    JSON_SET(arena, status, "nodeInfo", node_info(arena, options));
    return status;
}

struct refresh {
    const struct kubelet_options *options;
    struct slice name;
};

static struct err *refresh(void *ctx, struct arena *arena, struct json *node)
{
    const struct refresh *r = ctx;
    JSON_SET(arena, node, "status", node_status(arena, r->options, r->name, JSON_AT(node, "status")));
    return NULL;
}

static struct json *new_node(struct arena *arena, const struct kubelet_options *options, struct slice name)
{
    struct json *node = json_object(arena), *metadata = json_object(arena), *labels = json_object(arena);
    struct utsname names;
    uname(&names);
    struct slice arch = slice_dup_cstr(arena, machine_arch(&names));
    json_set_cstr(arena, node, "kind", "Node");
    json_set_cstr(arena, node, "apiVersion", "v1");
    json_set_text(arena, metadata, "name", name);
    json_set_text(arena, labels, "beta.kubernetes.io/arch", arch);
    json_set_cstr(arena, labels, "beta.kubernetes.io/os", "linux");
    json_set_text(arena, labels, "kubernetes.io/arch", arch);
    json_set_text(arena, labels, "kubernetes.io/hostname", name);
    json_set_cstr(arena, labels, "kubernetes.io/os", "linux");
    JSON_SET(arena, metadata, "labels", labels);
    JSON_SET(arena, node, "metadata", metadata);
    JSON_SET(arena, node, "spec", json_object(arena));
    JSON_SET(arena, node, "status", node_status(arena, options, name, NULL));
    return node;
}

struct err *node_objects_write(const struct kubelet_options *options)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    for (int i = 0; i < options->node_count; i++) {
        struct refresh r = {options, node_name(arena, options, i)};
        struct err *e = registry_update(options->registry, S("nodes"), SLICE_NONE, r.name, refresh, &r, NULL);
        if (e && e->kind == ERR_NOT_FOUND) {
            err_free(e);
            e = registry_create(options->registry, S("nodes"), new_node(arena, options, r.name), NULL);
        }
        if (e)
            return err_wrap(e, "node %.*s", SLICE_ARG(r.name));
    }
    return NULL;
}
