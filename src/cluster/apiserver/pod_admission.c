/* pod_admission: what Kubernetes's built-in admission plugins add to a new pod (ServiceAccount, DefaultTolerationSeconds, Priority).
 * Recorded in default-kinds and admission-serviceaccount. */
#include "base/arena.h"
#include "base/digest.h"
#include "cluster/apiserver/strategy.h"

#define TOKEN_PATH "/var/run/secrets/kubernetes.io/serviceaccount"

struct slice pod_service_account_name(const struct json *pod)
{
    const struct json *spec = json_get(pod, S("spec"));
    struct slice name = json_get_text(spec, "serviceAccountName");
    if (name.len == 0)
        name = json_get_text(spec, "serviceAccount");
    return name.len ? name : S("default");
}

static bool has_mount(const struct json *container)
{
    JSON_FOREACH (mount, json_get(container, S("volumeMounts")))
        if (slice_eq(json_get_text(mount, "mountPath"), S(TOKEN_PATH)))
            return true;
    return false;
}

static struct json *object_with(struct arena *arena, const char *key, struct json *value)
{
    struct json *object = json_object(arena);
    json_set(arena, object, slice_from_cstr(key), value);
    return object;
}

static struct json *token_volume(struct arena *arena, struct slice name)
{
    struct json *volume = json_object(arena), *projected = json_object(arena), *sources = json_array(arena);
    struct json *token = json_object(arena), *map = json_object(arena), *item = json_object(arena), *field = json_object(arena);
    json_set_i64(arena, token, "expirationSeconds", 3607);
    json_set_cstr(arena, token, "path", "token");
    json_append(sources, object_with(arena, "serviceAccountToken", token));
    json_set_cstr(arena, map, "name", "kube-root-ca.crt");
    json_set_cstr(arena, item, "key", "ca.crt");
    json_set_cstr(arena, item, "path", "ca.crt");
    json_append(json_ensure_array(arena, map, "items"), item);
    json_append(sources, object_with(arena, "configMap", map));
    item = json_object(arena);
    json_set_cstr(arena, item, "path", "namespace");
    json_set_cstr(arena, field, "apiVersion", "v1");
    json_set_cstr(arena, field, "fieldPath", "metadata.namespace");
    json_set(arena, item, S("fieldRef"), field);
    map = json_object(arena);
    json_append(json_ensure_array(arena, map, "items"), item);
    json_append(sources, object_with(arena, "downwardAPI", map));
    json_set(arena, projected, S("sources"), sources);
    json_set_i64(arena, projected, "defaultMode", 420);
    json_set_text(arena, volume, "name", name);
    json_set(arena, volume, S("projected"), projected);
    return volume;
}

static void mount_token(struct arena *arena, struct json *spec)
{
    static const char *const lists[] = {"initContainers", "containers"};
    struct slice name = SLICE_NONE;
    /* A volume of that prefix made by hand is used as it is. */
    JSON_FOREACH (volume, json_get(spec, S("volumes")))
        if (slice_starts_with(json_get_text(volume, "name"), S("kube-api-access-")))
            name = json_get_text(volume, "name");
    bool known = name.ptr != NULL, used = false;
    if (!known)
        name = name_generate(arena, S("kube-api-access-"));
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        JSON_FOREACH (container, json_get(spec, slice_from_cstr(lists[i]))) {
            if (has_mount(container) || container->type != JSON_OBJECT)
                continue;
            struct json *mount = json_object(arena);
            json_set_text(arena, mount, "name", name);
            json_set_bool(arena, mount, "readOnly", true);
            json_set_cstr(arena, mount, "mountPath", TOKEN_PATH);
            json_append(json_ensure_array(arena, container, "volumeMounts"), mount);
            used = true;
        }
    if (used && !known)
        json_append(json_ensure_array(arena, spec, "volumes"), token_volume(arena, name));
}

static bool tolerates(const struct json *tolerations, struct slice key)
{
    JSON_FOREACH (toleration, tolerations) {
        struct slice effect = json_get_text(toleration, "effect"), own = json_get_text(toleration, "key");
        if ((slice_eq(own, key) || own.len == 0) && (effect.len == 0 || slice_eq(effect, S("NoExecute"))))
            return true;
    }
    return false;
}

void pod_add_default_tolerations(struct arena *arena, struct json *spec)
{
    static const char *const keys[] = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (tolerates(json_get(spec, S("tolerations")), slice_from_cstr(keys[i])))
            continue;
        struct json *toleration = json_object(arena);
        json_set_cstr(arena, toleration, "key", keys[i]);
        json_set_cstr(arena, toleration, "operator", "Exists");
        json_set_cstr(arena, toleration, "effect", "NoExecute");
        json_set_i64(arena, toleration, "tolerationSeconds", 300);
        json_append(json_ensure_array(arena, spec, "tolerations"), toleration);
    }
}

static struct err *set_priority(const struct strategy_context *context, struct slice pod_name, struct json *spec)
{
    static const struct kind pods = {.group = "", .version = "v1", .resource = "pods", .kind = "Pod"};
    static const struct {
        const char *name;
        int64_t value;
    } classes[] = {{"system-cluster-critical", 2000000000}, {"system-node-critical", 2000001000}};
    struct slice name = json_get_text(spec, "priorityClassName");
    int64_t priority = 0;
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (slice_eq(name, slice_from_cstr(classes[i].name)))
            priority = classes[i].value;
    if (name.len && priority == 0)
        return status_forbidden(&pods, pod_name, "no PriorityClass with name %.*s was found", SLICE_ARG(name));
    const struct json *given = json_get(spec, S("priority"));
    if (given && json_to_i64(given, priority) != priority)
        return status_forbidden(&pods, pod_name,
                                "the integer value of priority (%lld) must not be provided in pod spec; priority admission controller computed "
                                "%lld from the given PriorityClass name",
                                (long long)json_to_i64(given, 0), (long long)priority);
    json_set_i64(context->arena, spec, "priority", priority);
    if (!json_get(spec, S("preemptionPolicy")))
        json_set_cstr(context->arena, spec, "preemptionPolicy", "PreemptLowerPriority");
    return NULL;
}

struct err *strategy_admit_pod(const struct strategy_context *context, struct json *pod, const struct json *account)
{
    static const struct kind pods = {.group = "", .version = "v1", .resource = "pods", .kind = "Pod"};
    struct arena *arena = context->arena;
    struct json *spec = json_ensure_object(arena, pod, "spec");
    struct slice pod_name = json_get_text(json_get(pod, S("metadata")), "name"), name = pod_service_account_name(pod);
    if (!account)
        return status_forbidden(&pods, pod_name, "error looking up service account %.*s/%.*s: serviceaccount \"%.*s\" not found",
                                SLICE_ARG(context->namespace_name), SLICE_ARG(name), SLICE_ARG(name));
    json_set_text(arena, spec, "serviceAccountName", name);
    json_set_text(arena, spec, "serviceAccount", name);
    bool mount = json_get_bool(account, "automountServiceAccountToken", true);
    if (json_get_bool(spec, "automountServiceAccountToken", mount))
        mount_token(arena, spec);
    const struct json *secrets = json_get(account, S("imagePullSecrets"));
    if (json_count(secrets) && !json_count(json_get(spec, S("imagePullSecrets"))))
        json_set(arena, spec, S("imagePullSecrets"), json_clone(arena, secrets));
    pod_add_default_tolerations(arena, spec);
    return set_priority(context, pod_name, spec);
}
