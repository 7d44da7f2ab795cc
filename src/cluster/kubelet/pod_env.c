#include "cluster/kubelet/pod_env.h"

#include "base/arena.h"
#include "base/encode.h"
#include "cluster/apiserver/quantity.h"

#include <string.h>

enum { FIRST_CAP = 32 }; /* a power of two */

static size_t slot_of(const struct pod_env_list *list, struct slice name)
{
    size_t slot = (size_t)slice_hash(name) & (list->slot_count - 1);
    while (list->slots[slot] && !slice_eq(list->items[list->slots[slot] - 1].name, name))
        slot = (slot + 1) & (list->slot_count - 1);
    return slot;
}

static struct pod_env_var *find_var(const struct pod_env_list *list, struct slice name)
{
    if (list->slot_count) {
        size_t index = name.len <= list->longest_name ? list->slots[slot_of(list, name)] : 0;
        return index ? &list->items[index - 1] : NULL;
    }
    for (size_t i = 0; i < list->count; i++)
        if (slice_eq(list->items[i].name, name))
            return &list->items[i];
    return NULL;
}

static void grow(struct arena *arena, struct pod_env_list *list)
{
    size_t cap = list->cap ? list->cap * 2 : FIRST_CAP;
    struct pod_env_var *items = ARENA_ARRAY(arena, cap, struct pod_env_var);
    if (list->count)
        memcpy(items, list->items, list->count * sizeof(*items));
    list->items = items;
    list->cap = cap;
    list->slot_count = 2 * cap;
    list->slots = ARENA_ARRAY(arena, list->slot_count, size_t);
    for (size_t i = 0; i < list->count; i++)
        list->slots[slot_of(list, items[i].name)] = i + 1;
}

static void set_var(struct arena *arena, struct pod_env_list *list, struct slice name, struct slice value)
{
    struct pod_env_var *known = find_var(list, name);
    if (known) {
        known->value = value;
        return;
    }
    if (list->count == list->cap)
        grow(arena, list);
    size_t slot = slot_of(list, name);
    list->items[list->count++] = (struct pod_env_var){name, value};
    list->slots[slot] = list->count;
    if (name.len > list->longest_name)
        list->longest_name = name.len;
}

static struct err *too_much(void)
{
    return err_new(ERR_INVALID, "arguments and environment are larger than %zu bytes once their references are expanded", POD_ENV_MAX_BYTES);
}

struct err *pod_env_expand(struct arena *arena, struct slice text, struct pod_env_list *list, struct slice *ret_text)
{
    if (slice_index(text, '$') < 0) {
        *ret_text = text;
        return NULL;
    }
    struct strbuf out = STRBUF_ARENA(arena);
    size_t end = 0; /* the next ')' from where it was last looked for; text.len: none */
    strbuf_append(&out, S(""));
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], next = i + 1 < text.len ? text.ptr[i + 1] : '\0';
        if (c != '$' || (next != '$' && next != '(')) {
            strbuf_append_char(&out, c);
            continue;
        }
        if (next == '$') { /* $$ is one $ and ends what could be a reference */
            strbuf_append_char(&out, '$');
            i++;
            continue;
        }
        if (end < i + 2) {
            ptrdiff_t found = slice_index(slice_from(text, i + 2), ')');
            end = found < 0 ? text.len : i + 2 + (size_t)found;
        }
        const struct pod_env_var *var = end < text.len ? find_var(list, slice_sub(text, i + 2, end - i - 2)) : NULL;
        if (!var) { /* unknown: left as it is */
            strbuf_append_char(&out, '$');
            continue;
        }
        list->expanded_bytes += var->value.len;
        if (list->expanded_bytes > POD_ENV_MAX_BYTES)
            return too_much();
        strbuf_append(&out, var->value);
        i = end;
    }
    *ret_text = strbuf_slice(&out);
    return NULL;
}

/* ---- references ---- */

static struct slice map_lines(struct arena *arena, const struct json *map)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append(&out, S(""));
    JSON_FOREACH(pair, map)
    {
        if (out.len)
            strbuf_append_char(&out, '\n');
        strbuf_append_fmt(&out, "%.*s=", SLICE_ARG(pair->key));
        json_write_string(&out, json_text(pair));
    }
    return strbuf_slice(&out);
}

/* metadata.labels['KEY']: KEY, or SLICE_NONE. */
static struct slice subscript(struct slice path, struct slice prefix)
{
    if (!slice_starts_with(path, prefix))
        return SLICE_NONE;
    struct slice rest = slice_from(path, prefix.len);
    if (rest.len < 4 || !slice_starts_with(rest, S("['")) || !slice_ends_with(rest, S("']")))
        return SLICE_NONE;
    return slice_sub(rest, 2, rest.len - 4);
}

static struct slice or_empty(struct slice s)
{
    return s.ptr ? s : S("");
}

struct err *pod_field(struct arena *arena, const struct pod_env_input *input, struct slice path, struct slice *ret_value)
{
    const struct json *metadata = JSON_AT(input->pod, "metadata"), *spec = JSON_AT(input->pod, "spec");
    struct slice label = subscript(path, S("metadata.labels")), annotation = subscript(path, S("metadata.annotations"));
    if (label.ptr)
        *ret_value = or_empty(json_text(json_get(JSON_AT(metadata, "labels"), label)));
    else if (annotation.ptr)
        *ret_value = or_empty(json_text(json_get(JSON_AT(metadata, "annotations"), annotation)));
    else if (slice_eq(path, S("metadata.labels")) || slice_eq(path, S("metadata.annotations")))
        *ret_value = map_lines(arena, json_get(metadata, slice_from(path, sizeof("metadata.") - 1)));
    else if (slice_eq(path, S("metadata.name")) || slice_eq(path, S("metadata.namespace")) || slice_eq(path, S("metadata.uid")))
        *ret_value = or_empty(json_text(json_get(metadata, slice_from(path, sizeof("metadata.") - 1))));
    else if (slice_eq(path, S("spec.nodeName")) || slice_eq(path, S("spec.serviceAccountName")))
        *ret_value = or_empty(json_text(json_get(spec, slice_from(path, sizeof("spec.") - 1))));
    else if (slice_eq(path, S("status.podIP")) || slice_eq(path, S("status.podIPs")))
        *ret_value = input->pod_ip;
    else if (slice_eq(path, S("status.hostIP")) || slice_eq(path, S("status.hostIPs")))
        *ret_value = input->host_ip;
    else
        return err_new(ERR_INVALID, "unsupported fieldPath: %.*s", SLICE_ARG(path));
    return NULL;
}

static int64_t divide_up(int64_t value, int64_t divisor)
{
    return divisor <= 0 ? value : value / divisor + (value % divisor > 0);
}

struct err *pod_resource_field(struct arena *arena, const struct pod_env_input *input, const struct json *container,
                               const struct json *reference, struct slice *ret_value)
{
    struct slice kind, name, resource = json_get_text(reference, "resource");
    if (!slice_split(resource, '.', &kind, &name) || (!slice_eq(kind, S("limits")) && !slice_eq(kind, S("requests"))))
        return err_new(ERR_INVALID, "unsupported resource: %.*s", SLICE_ARG(resource));
    const struct json *amount = json_get(json_get(JSON_AT(container, "resources"), kind), name);
    const struct json *divisor = JSON_AT(reference, "divisor");
    bool limit = slice_eq(kind, S("limits"));
    int64_t value;
    if (slice_eq(name, S("cpu"))) {
        int64_t by = quantity_json_to_milli(divisor, 1000);
        value = divide_up(quantity_json_to_milli(amount, limit ? input->allocatable_cpu_millis : 0), by > 0 ? by : 1000);
    } else {
        int64_t by = quantity_json_to_i64(divisor, 1);
        int64_t missing = limit && slice_eq(name, S("memory")) ? input->allocatable_memory_bytes : 0;
        value = divide_up(quantity_json_to_i64(amount, missing), by > 0 ? by : 1);
    }
    *ret_value = slice_fmt(arena, "%lld", (long long)value);
    return NULL;
}

struct slice pod_data_get(struct arena *arena, const struct json *object, struct slice key)
{
    bool secret = slice_eq(json_get_text(object, "kind"), S("Secret"));
    struct slice text = json_text(json_get(JSON_AT(object, "data"), key)), bytes;
    if (text.ptr && !secret)
        return text;
    if (!text.ptr)
        text = json_text(json_get(JSON_AT(object, "binaryData"), key));
    if (!text.ptr || !base64_decode(arena, text, &bytes))
        return SLICE_NONE;
    return or_empty(bytes);
}

/* A configMapKeyRef or secretKeyRef. ret_value absent: optional and not there. */
static struct err *key_ref(struct arena *arena, const struct pod_env_input *input, const struct json *reference, const char *resource,
                           struct slice *ret_value)
{
    bool secret = resource[0] == 's', optional = json_get_bool(reference, "optional", false);
    struct slice name = json_get_text(reference, "name"), key = json_get_text(reference, "key");
    const struct json *object = input->source.get(input->source.ctx, arena, resource, name);
    struct slice value = object ? pod_data_get(arena, object, key) : SLICE_NONE;
    if (!value.ptr && !optional) {
        if (!object)
            return err_new(ERR_NOT_FOUND, "%s \"%.*s\" not found", secret ? "secret" : "configmap", SLICE_ARG(name));
        return err_new(ERR_NOT_FOUND, "couldn't find key %.*s in %s %.*s/%.*s", SLICE_ARG(key), secret ? "Secret" : "ConfigMap",
                       SLICE_ARG(json_text(JSON_AT(input->pod, "metadata", "namespace"))), SLICE_ARG(name));
    }
    *ret_value = value;
    return NULL;
}

static struct err *add_env_from(struct arena *arena, const struct pod_env_input *input, const struct json *from, struct pod_env_list *list)
{
    const struct json *config = JSON_AT(from, "configMapRef"), *secret = JSON_AT(from, "secretRef");
    const struct json *reference = config ? config : secret;
    struct slice name = json_get_text(reference, "name"), prefix = or_empty(json_get_text(from, "prefix"));
    const struct json *object = input->source.get(input->source.ctx, arena, config ? "configmaps" : "secrets", name);
    if (!object && !json_get_bool(reference, "optional", false))
        return err_new(ERR_NOT_FOUND, "%s \"%.*s\" not found", config ? "configmap" : "secret", SLICE_ARG(name));
    JSON_FOREACH(pair, JSON_AT(object, "data"))
    {
        struct slice value = pod_data_get(arena, object, pair->key);
        if (value.ptr && !slice_has_nul(value))
            set_var(arena, list, slice_fmt(arena, "%.*s%.*s", SLICE_ARG(prefix), SLICE_ARG(pair->key)), value);
    }
    return NULL;
}

static struct err *add_env(struct arena *arena, const struct pod_env_input *input, const struct json *container, const struct json *var,
                           struct pod_env_list *list)
{
    const struct json *from = JSON_AT(var, "valueFrom");
    struct slice name = json_get_text(var, "name"), value = SLICE_NONE;
    if (!from)
        TRY(pod_env_expand(arena, or_empty(json_get_text(var, "value")), list, &value));
    else if (JSON_AT(from, "fieldRef"))
        TRY(pod_field(arena, input, json_get_text(JSON_AT(from, "fieldRef"), "fieldPath"), &value));
    else if (JSON_AT(from, "resourceFieldRef"))
        TRY(pod_resource_field(arena, input, container, JSON_AT(from, "resourceFieldRef"), &value));
    else if (JSON_AT(from, "configMapKeyRef"))
        TRY(key_ref(arena, input, JSON_AT(from, "configMapKeyRef"), "configmaps", &value));
    else if (JSON_AT(from, "secretKeyRef"))
        TRY(key_ref(arena, input, JSON_AT(from, "secretKeyRef"), "secrets", &value));
    else
        return err_new(ERR_INVALID, "the source of variable %.*s is not served", SLICE_ARG(name));
    if (slice_has_nul(value))
        return err_new(ERR_INVALID, "the value of variable %.*s has a NUL byte", SLICE_ARG(name));
    if (value.ptr)
        set_var(arena, list, name, value);
    return NULL;
}

struct err *pod_env_build(struct arena *arena, const struct pod_env_input *input, const struct json *container, struct pod_env_list *ret_list)
{
    struct pod_env_list list = {0};
    struct slice port = slice_fmt(arena, "%d", input->api_port);
    set_var(arena, &list, S("KUBERNETES_SERVICE_HOST"), input->api_host);
    set_var(arena, &list, S("KUBERNETES_SERVICE_PORT"), port);
    set_var(arena, &list, S("KUBERNETES_SERVICE_PORT_HTTPS"), port);
    JSON_FOREACH(from, JSON_AT(container, "envFrom"))
    {
        TRY(add_env_from(arena, input, from, &list));
    }
    JSON_FOREACH(var, JSON_AT(container, "env"))
    {
        TRY(add_env(arena, input, container, var, &list));
    }
    *ret_list = list;
    return NULL;
}
