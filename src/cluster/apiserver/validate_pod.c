#include "base/arena.h"
#include "cluster/apiserver/quantity.h"
#include "cluster/apiserver/validate_internal.h"
#include <stdlib.h>

/* Lists whose elements are compared with each other: a bound of ours, far above any real pod. */
#define LIST_MAX 1000

static bool is_short(struct field_errors *errors, struct slice field, const struct json *list)
{
    size_t count = json_count(list);
    if (count <= LIST_MAX)
        return true;
    field_too_many(errors, field, (int64_t)count, LIST_MAX);
    return false;
}

/* --- resources --- */

static bool is_container_resource(struct slice name)
{
    return slice_eq(name, S("cpu")) || slice_eq(name, S("memory")) || slice_eq(name, S("ephemeral-storage")) ||
           slice_starts_with(name, S("hugepages-"));
}

static void validate_amounts(struct field_errors *errors, struct slice path, const struct json *amounts)
{
    JSON_FOREACH (amount, amounts) {
        struct slice field = PATH(errors, "%.*s[%.*s]", SLICE_ARG(path), SLICE_ARG(amount->key));
        const char *words = name_check_qualified(errors->arena, amount->key);
        struct quantity q = {0};
        if (words)
            field_invalid(errors, field, json_string(errors->arena, amount->key), "%s", words);
        if (slice_index(amount->key, '/') < 0 && !is_container_resource(amount->key)) {
            field_invalid(errors, field, json_string(errors->arena, amount->key), "must be a standard resource type or fully qualified");
            field_invalid(errors, field, json_string(errors->arena, amount->key), "must be a standard resource for containers");
        }
        if (quantity_parse(amount->text, &q) && q.nano < 0)
            field_invalid(errors, field, amount, "must be greater than or equal to 0");
    }
}

void validate_resources(struct field_errors *errors, struct slice path, const struct json *resources)
{
    const struct json *limits = json_get(resources, S("limits")), *requests = json_get(resources, S("requests"));
    validate_amounts(errors, PATH(errors, "%.*s.limits", SLICE_ARG(path)), limits);
    validate_amounts(errors, PATH(errors, "%.*s.requests", SLICE_ARG(path)), requests);
    JSON_FOREACH (request, requests) {
        const struct json *limit = json_get(limits, request->key);
        struct quantity a, b;
        if (limit && quantity_parse(request->text, &a) && quantity_parse(limit->text, &b) && quantity_cmp(a, b) > 0)
            field_invalid(errors, PATH(errors, "%.*s.requests", SLICE_ARG(path)), request, "must be less than or equal to %.*s limit of %.*s",
                          SLICE_ARG(request->key), SLICE_ARG(limit->text));
    }
}

/* --- volumes --- */

static void validate_items(struct field_errors *errors, struct slice path, const struct json *items)
{
    size_t index = 0;
    JSON_FOREACH (item, items) {
        struct slice at = PATH(errors, "%.*s.items[%zu]", SLICE_ARG(path), index++);
        struct slice target = json_get_text(item, "path");
        if (json_get_text(item, "key").len == 0)
            field_required(errors, PATH(errors, "%.*s.key", SLICE_ARG(at)), "");
        if (target.len == 0)
            field_required(errors, PATH(errors, "%.*s.path", SLICE_ARG(at)), "");
        else if (target.ptr[0] == '/')
            field_invalid(errors, PATH(errors, "%.*s.path", SLICE_ARG(at)), json_get(item, S("path")), "must be a relative path");
        else if (slice_find(target, S("..")) >= 0)
            field_invalid(errors, PATH(errors, "%.*s.path", SLICE_ARG(at)), json_get(item, S("path")), "must not contain '..'");
    }
}

static void validate_projected(struct field_errors *errors, struct slice path, const struct json *sources)
{
    size_t index = 0;
    JSON_FOREACH (source, sources) {
        struct slice at = PATH(errors, "%.*s.sources[%zu]", SLICE_ARG(path), index++);
        const struct json *token = json_get(source, S("serviceAccountToken"));
        static const char *const named[] = {"configMap", "secret"};
        for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
            const struct json *one = json_get(source, slice_from_cstr(named[i]));
            if (!one)
                continue;
            if (json_get_text(one, "name").len == 0)
                field_required(errors, PATH(errors, "%.*s.%s.name", SLICE_ARG(at), named[i]), "");
            validate_items(errors, PATH(errors, "%.*s.%s", SLICE_ARG(at), named[i]), json_get(one, S("items")));
        }
        if (!token)
            continue;
        const struct json *seconds = json_get(token, S("expirationSeconds"));
        struct slice field = PATH(errors, "%.*s.serviceAccountToken.expirationSeconds", SLICE_ARG(at));
        if (json_to_i64(seconds, 3600) < 600)
            field_invalid(errors, field, seconds, "may not specify a duration less than 10 minutes");
        else if (json_to_i64(seconds, 3600) > (INT64_C(1) << 32))
            field_invalid(errors, field, seconds, "may not specify a duration larger than 2^32 seconds");
        if (json_get_text(token, "path").len == 0)
            field_required(errors, PATH(errors, "%.*s.serviceAccountToken.path", SLICE_ARG(at)), "");
    }
}

static void validate_volume_source(struct field_errors *errors, struct slice path, const struct json *volume)
{
    static const struct {
        const char *source, *member;
    } required[] = {{"configMap", "name"}, {"secret", "secretName"}, {"persistentVolumeClaim", "claimName"}, {"hostPath", "path"}};
    size_t count = 0;
    JSON_FOREACH (source, volume) {
        if (slice_eq(source->key, S("name")))
            continue;
        struct slice at = PATH(errors, "%.*s.%.*s", SLICE_ARG(path), SLICE_ARG(source->key));
        if (count++) {
            field_forbidden(errors, at, "may not specify more than 1 volume type");
            continue;
        }
        for (size_t i = 0; i < ARRAY_SIZE(required); i++)
            if (slice_eq(source->key, slice_from_cstr(required[i].source)) && json_get_text(source, required[i].member).len == 0)
                field_required(errors, PATH(errors, "%.*s.%s", SLICE_ARG(at), required[i].member), "");
        validate_items(errors, at, slice_eq(source->key, S("downwardAPI")) ? NULL : json_get(source, S("items")));
        validate_projected(errors, at, json_get(source, S("sources")));
    }
    if (count == 0)
        field_required(errors, path, "must specify a volume type");
}

static bool seen_before(const struct json *list, const struct json *until, const char *key)
{
    JSON_FOREACH (other, list) {
        if (other == until)
            return false;
        if (slice_eq(json_get_text(other, key), json_get_text(until, key)))
            return true;
    }
    return false;
}

void validate_volumes(struct field_errors *errors, struct slice path, const struct json *volumes)
{
    size_t index = 0;
    if (!is_short(errors, path, volumes))
        return;
    JSON_FOREACH (volume, volumes) {
        struct slice at = PATH(errors, "%.*s[%zu]", SLICE_ARG(path), index++), name = json_get_text(volume, "name");
        validate_volume_source(errors, at, volume);
        if (name.len == 0)
            field_required(errors, PATH(errors, "%.*s.name", SLICE_ARG(at)), "");
        else
            check_text(errors, PATH(errors, "%.*s.name", SLICE_ARG(at)), name, name_check_dns_label);
        if (name.len && seen_before(volumes, volume, "name"))
            field_duplicate(errors, PATH(errors, "%.*s.name", SLICE_ARG(at)), json_get(volume, S("name")));
    }
}

/* --- containers --- */

static bool is_env_field(struct slice path)
{
    static const char *const known[] = {"metadata.name",   "metadata.namespace", "metadata.uid",  "spec.nodeName", "spec.serviceAccountName",
                                        "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs"};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (slice_eq(path, slice_from_cstr(known[i])))
            return true;
    return (slice_starts_with(path, S("metadata.labels['")) || slice_starts_with(path, S("metadata.annotations['"))) &&
           slice_ends_with(path, S("']"));
}

static void validate_value_from(struct field_errors *errors, struct slice path, const struct json *variable)
{
    const struct json *from = json_get(variable, S("valueFrom"));
    if (!from)
        return;
    if (json_count(from) == 0)
        field_invalid(errors, path, json_cstr(errors->arena, ""), "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
                                                                  "`secretKeyRef`");
    else if (json_get_text(variable, "value").len)
        field_invalid(errors, path, json_cstr(errors->arena, ""), "may not be specified when `value` is not empty");
    else if (json_count(from) > 1)
        field_invalid(errors, path, json_cstr(errors->arena, ""), "may not have more than one field specified at a time");
    const struct json *field = JSON_AT(from, "fieldRef", "fieldPath");
    struct slice at = PATH(errors, "%.*s.fieldRef.fieldPath", SLICE_ARG(path));
    if (json_get(from, S("fieldRef")) && json_text(field).len == 0)
        field_required(errors, at, "");
    else if (field && !is_env_field(json_text(field)))
        field_invalid(errors, at, field, "error converting fieldPath: field label not supported: %.*s", SLICE_ARG(json_text(field)));
    static const char *const refs[] = {"configMapKeyRef", "secretKeyRef"};
    for (size_t i = 0; i < ARRAY_SIZE(refs); i++) {
        const struct json *ref = json_get(from, slice_from_cstr(refs[i]));
        if (!ref)
            continue;
        if (json_get_text(ref, "name").len == 0)
            field_required(errors, PATH(errors, "%.*s.%s.name", SLICE_ARG(path), refs[i]), "");
        if (json_get_text(ref, "key").len == 0)
            field_required(errors, PATH(errors, "%.*s.%s.key", SLICE_ARG(path), refs[i]), "");
    }
}

static void validate_env(struct field_errors *errors, struct slice path, const struct json *env)
{
    size_t index = 0;
    JSON_FOREACH (variable, env) {
        struct slice at = PATH(errors, "%.*s.env[%zu]", SLICE_ARG(path), index++), name = json_get_text(variable, "name");
        if (name.len == 0)
            field_required(errors, PATH(errors, "%.*s.name", SLICE_ARG(at)), "");
        else
            check_text(errors, PATH(errors, "%.*s.name", SLICE_ARG(at)), name, name_check_env);
        validate_value_from(errors, PATH(errors, "%.*s.valueFrom", SLICE_ARG(at)), variable);
    }
}

static void validate_env_from(struct field_errors *errors, struct slice path, const struct json *sources)
{
    size_t index = 0;
    JSON_FOREACH (source, sources) {
        struct slice at = PATH(errors, "%.*s.envFrom[%zu]", SLICE_ARG(path), index++), prefix = json_get_text(source, "prefix");
        if (prefix.len)
            check_text(errors, PATH(errors, "%.*s.prefix", SLICE_ARG(at)), prefix, name_check_env);
    }
}

static void validate_ports(struct field_errors *errors, struct slice path, const struct json *ports)
{
    static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};
    size_t index = 0;
    if (!is_short(errors, PATH(errors, "%.*s.ports", SLICE_ARG(path)), ports))
        return;
    JSON_FOREACH (port, ports) {
        struct slice at = PATH(errors, "%.*s.ports[%zu]", SLICE_ARG(path), index++), name = json_get_text(port, "name");
        struct slice name_at = PATH(errors, "%.*s.name", SLICE_ARG(at));
        if (name.len && name_check_port_name(errors->arena, name))
            check_text(errors, name_at, name, name_check_port_name);
        else if (name.len && seen_before(ports, port, "name"))
            field_duplicate(errors, name_at, json_get(port, S("name")));
        const struct json *number = json_get(port, S("containerPort")), *host = json_get(port, S("hostPort"));
        if (json_to_i64(number, 0) == 0)
            field_required(errors, PATH(errors, "%.*s.containerPort", SLICE_ARG(at)), "");
        else
            check_port_number(errors, PATH(errors, "%.*s.containerPort", SLICE_ARG(at)), number);
        if (json_to_i64(host, 0) != 0)
            check_port_number(errors, PATH(errors, "%.*s.hostPort", SLICE_ARG(at)), host);
        check_choice(errors, PATH(errors, "%.*s.protocol", SLICE_ARG(at)), json_get(port, S("protocol")), protocols);
    }
}

static const struct json *find_named(const struct json *list, struct slice name)
{
    JSON_FOREACH (item, list)
        if (slice_eq(json_get_text(item, "name"), name))
            return item;
    return NULL;
}

static void validate_mounts(struct field_errors *errors, struct slice path, const struct json *mounts, const struct json *volumes)
{
    size_t index = 0;
    if (!is_short(errors, PATH(errors, "%.*s.volumeMounts", SLICE_ARG(path)), mounts))
        return;
    JSON_FOREACH (mount, mounts) {
        struct slice at = PATH(errors, "%.*s.volumeMounts[%zu]", SLICE_ARG(path), index++), name = json_get_text(mount, "name");
        if (name.len == 0)
            field_required(errors, PATH(errors, "%.*s.name", SLICE_ARG(at)), "");
        else if (!find_named(volumes, name))
            field_not_found(errors, PATH(errors, "%.*s.name", SLICE_ARG(at)), json_get(mount, S("name")));
        if (json_get_text(mount, "mountPath").len == 0)
            field_required(errors, PATH(errors, "%.*s.mountPath", SLICE_ARG(at)), "");
        else if (seen_before(mounts, mount, "mountPath"))
            field_invalid(errors, PATH(errors, "%.*s.mountPath", SLICE_ARG(at)), json_get(mount, S("mountPath")), "must be unique");
        struct slice sub = json_get_text(mount, "subPath");
        if (sub.len && sub.ptr[0] == '/')
            field_invalid(errors, PATH(errors, "%.*s.subPath", SLICE_ARG(at)), json_get(mount, S("subPath")), "must be a relative path");
        else if (slice_eq(sub, S("..")) || slice_starts_with(sub, S("../")) || slice_ends_with(sub, S("/..")) || slice_find(sub, S("/../")) >= 0)
            field_invalid(errors, PATH(errors, "%.*s.subPath", SLICE_ARG(at)), json_get(mount, S("subPath")), "must not contain '..'");
    }
}

static void validate_handler(struct field_errors *errors, struct slice path, const struct json *handler)
{
    static const char *const kinds_of[] = {"exec", "httpGet", "tcpSocket", "grpc", "sleep"};
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(kinds_of); i++) {
        if (!json_get(handler, slice_from_cstr(kinds_of[i])))
            continue;
        if (count++)
            field_forbidden(errors, PATH(errors, "%.*s.%s", SLICE_ARG(path), kinds_of[i]), "may not specify more than 1 handler type");
    }
    if (handler && count == 0)
        field_required(errors, path, "must specify a handler type");
}

static void validate_probe(struct field_errors *errors, struct slice path, const struct json *container, const char *name)
{
    static const char *const numbers[] = {"initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"};
    const struct json *probe = json_get(container, slice_from_cstr(name));
    struct slice at = PATH(errors, "%.*s.%s", SLICE_ARG(path), name);
    if (!probe)
        return;
    validate_handler(errors, at, probe);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (json_get_i64(probe, numbers[i], 0) < 0)
            field_invalid(errors, PATH(errors, "%.*s.%s", SLICE_ARG(at), numbers[i]), json_get(probe, slice_from_cstr(numbers[i])),
                          "must be greater than or equal to 0");
}

static void validate_ids(struct field_errors *errors, struct slice path, const struct json *context)
{
    static const char *const ids[] = {"runAsUser", "runAsGroup", "fsGroup"};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        const struct json *id = json_get(context, slice_from_cstr(ids[i]));
        int64_t value = json_to_i64(id, 0);
        if (id && (value < 0 || value > INT32_MAX))
            field_invalid(errors, PATH(errors, "%.*s.%s", SLICE_ARG(path), ids[i]), id, "must be between 0 and 2147483647, inclusive");
    }
}

static void validate_image(struct field_errors *errors, struct slice path, const struct json *container)
{
    struct slice image = json_get_text(container, "image"), field = PATH(errors, "%.*s.image", SLICE_ARG(path));
    if (image.len == 0)
        field_required(errors, field, "");
    else if (slice_trim(image).len != image.len)
        field_invalid(errors, field, json_get(container, S("image")), "must not have leading or trailing whitespace");
}

static void validate_container(struct field_errors *errors, struct slice path, const struct json *container, const struct json *volumes)
{
    static const char *const pull[] = {"Always", "IfNotPresent", "Never", NULL};
    static const char *const message[] = {"FallbackToLogsOnError", "File", NULL};
    struct slice name = json_get_text(container, "name");
    if (name.len == 0)
        field_required(errors, PATH(errors, "%.*s.name", SLICE_ARG(path)), "");
    else
        check_text(errors, PATH(errors, "%.*s.name", SLICE_ARG(path)), name, name_check_dns_label);
    validate_image(errors, path, container);
    check_choice(errors, PATH(errors, "%.*s.terminationMessagePolicy", SLICE_ARG(path)), json_get(container, S("terminationMessagePolicy")), message);
    validate_ports(errors, path, json_get(container, S("ports")));
    validate_env(errors, path, json_get(container, S("env")));
    validate_env_from(errors, path, json_get(container, S("envFrom")));
    validate_mounts(errors, path, json_get(container, S("volumeMounts")), volumes);
    check_choice(errors, PATH(errors, "%.*s.imagePullPolicy", SLICE_ARG(path)), json_get(container, S("imagePullPolicy")), pull);
    validate_resources(errors, PATH(errors, "%.*s.resources", SLICE_ARG(path)), json_get(container, S("resources")));
    validate_ids(errors, PATH(errors, "%.*s.securityContext", SLICE_ARG(path)), json_get(container, S("securityContext")));
    validate_handler(errors, PATH(errors, "%.*s.lifecycle.postStart", SLICE_ARG(path)), JSON_AT(container, "lifecycle", "postStart"));
    validate_handler(errors, PATH(errors, "%.*s.lifecycle.preStop", SLICE_ARG(path)), JSON_AT(container, "lifecycle", "preStop"));
    validate_probe(errors, path, container, "livenessProbe");
    validate_probe(errors, path, container, "readinessProbe");
    validate_probe(errors, path, container, "startupProbe");
}

static void validate_containers(struct field_errors *errors, struct slice path, const struct json *spec, const char *list)
{
    const struct json *containers = json_get(spec, slice_from_cstr(list)), *volumes = json_get(spec, S("volumes"));
    size_t index = 0;
    if (!is_short(errors, PATH(errors, "%.*s.%s", SLICE_ARG(path), list), containers) ||
        !is_short(errors, PATH(errors, "%.*s.volumes", SLICE_ARG(path)), volumes))
        return;
    JSON_FOREACH (container, containers) {
        struct slice at = PATH(errors, "%.*s.%s[%zu]", SLICE_ARG(path), list, index++);
        struct slice name = json_get_text(container, "name");
        validate_container(errors, at, container, volumes);
        /* Names are one space over both lists; the main containers are read first. */
        bool init = slice_eq(slice_from_cstr(list), S("initContainers"));
        bool taken = name.len && (seen_before(containers, container, "name") || (init && find_named(json_get(spec, S("containers")), name)));
        if (taken)
            field_duplicate(errors, PATH(errors, "%.*s.name", SLICE_ARG(at)), json_get(container, S("name")));
    }
}

/* --- the spec --- */

static void validate_toleration(struct field_errors *errors, struct slice at, const struct json *toleration)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};
    static const char *const operators[] = {"Equal", "Exists", NULL};
    struct slice key = json_get_text(toleration, "key"), op = json_get_text(toleration, "operator");
    const struct json *effect = json_get(toleration, S("effect"));
    if (key.len)
        check_text(errors, PATH(errors, "%.*s.key", SLICE_ARG(at)), key, name_check_label_key);
    else if (!slice_eq(op, S("Exists")))
        field_invalid(errors, PATH(errors, "%.*s.operator", SLICE_ARG(at)), json_string(errors->arena, op.ptr ? op : S("")),
                      "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
    if (json_get(toleration, S("tolerationSeconds")) && !slice_eq(json_text(effect), S("NoExecute")))
        field_invalid(errors, PATH(errors, "%.*s.effect", SLICE_ARG(at)), effect ? effect : json_cstr(errors->arena, ""),
                      "effect must be 'NoExecute' when `tolerationSeconds` is set");
    if (slice_eq(op, S("Exists")) && json_get_text(toleration, "value").len)
        field_invalid(errors, PATH(errors, "%.*s.operator", SLICE_ARG(at)), json_get(toleration, S("value")),
                      "value must be empty when `operator` is 'Exists'");
    else if (op.len)
        check_choice(errors, PATH(errors, "%.*s.operator", SLICE_ARG(at)), json_get(toleration, S("operator")), operators);
    if (json_text(effect).len)
        check_choice(errors, PATH(errors, "%.*s.effect", SLICE_ARG(at)), effect, effects);
}

static void validate_scheduling(struct field_errors *errors, struct slice path, const struct json *spec)
{
    size_t index = 0;
    JSON_FOREACH (toleration, json_get(spec, S("tolerations")))
        validate_toleration(errors, PATH(errors, "%.*s.tolerations[%zu]", SLICE_ARG(path), index++), toleration);
    check_labels(errors, PATH(errors, "%.*s.nodeSelector", SLICE_ARG(path)), json_get(spec, S("nodeSelector")));
    struct slice node = json_get_text(spec, "nodeName"), account = json_get_text(spec, "serviceAccountName");
    if (account.len)
        check_text(errors, PATH(errors, "%.*s.serviceAccountName", SLICE_ARG(path)), account, name_check_dns_subdomain);
    if (node.len)
        check_text(errors, PATH(errors, "%.*s.nodeName", SLICE_ARG(path)), node, name_check_dns_subdomain);
}

static void validate_names(struct field_errors *errors, struct slice path, const struct json *spec)
{
    static const char *const labels[] = {"hostname", "subdomain"};
    for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
        struct slice name = json_get_text(spec, labels[i]);
        if (name.len)
            check_text(errors, PATH(errors, "%.*s.%s", SLICE_ARG(path), labels[i]), name, name_check_dns_label);
    }
    size_t index = 0;
    JSON_FOREACH (alias, json_get(spec, S("hostAliases"))) {
        if (!name_is_ip(json_get_text(alias, "ip")))
            field_invalid(errors, PATH(errors, "%.*s.hostAliases[%zu].ip", SLICE_ARG(path), index), json_get(alias, S("ip")),
                          "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
        index++;
    }
}

void validate_pod_spec(struct field_errors *errors, struct slice path, const struct json *spec)
{
    static const char *const restart[] = {"Always", "OnFailure", "Never", NULL};
    static const char *const dns[] = {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None", NULL};
    validate_volumes(errors, PATH(errors, "%.*s.volumes", SLICE_ARG(path)), json_get(spec, S("volumes")));
    if (json_count(json_get(spec, S("containers"))) == 0)
        field_required(errors, PATH(errors, "%.*s.containers", SLICE_ARG(path)), "");
    validate_containers(errors, path, spec, "containers");
    validate_containers(errors, path, spec, "initContainers");
    check_choice(errors, PATH(errors, "%.*s.restartPolicy", SLICE_ARG(path)), json_get(spec, S("restartPolicy")), restart);
    check_choice(errors, PATH(errors, "%.*s.dnsPolicy", SLICE_ARG(path)), json_get(spec, S("dnsPolicy")), dns);
    validate_ids(errors, PATH(errors, "%.*s.securityContext", SLICE_ARG(path)), json_get(spec, S("securityContext")));
    validate_scheduling(errors, path, spec);
    const struct json *deadline = json_get(spec, S("activeDeadlineSeconds"));
    int64_t seconds = json_to_i64(deadline, 1);
    if (deadline && (seconds < 1 || seconds > INT32_MAX))
        field_invalid(errors, PATH(errors, "%.*s.activeDeadlineSeconds", SLICE_ARG(path)), deadline,
                      "must be between 1 and 2147483647, inclusive");
    validate_names(errors, path, spec);
}

/* --- updates --- */

/* Gives fresh's containers the images of old's, so that only forbidden differences remain. */
static void forgive_images(struct arena *arena, const struct json *old, struct json *fresh, const char *list)
{
    const struct json *before = json_get(old, slice_from_cstr(list));
    const struct json *was = before ? before->first : NULL;
    JSON_FOREACH (container, json_get(fresh, slice_from_cstr(list))) {
        const struct json *image = json_get(was, S("image"));
        if (image)
            json_set(arena, container, S("image"), json_clone(arena, image));
        was = was ? was->next : NULL;
    }
}

static void forgive(struct arena *arena, const struct json *old, struct json *fresh, const char *key)
{
    const struct json *value = json_get(old, slice_from_cstr(key));
    if (value)
        json_set(arena, fresh, slice_from_cstr(key), json_clone(arena, value));
    else
        json_remove(fresh, slice_from_cstr(key));
}

static void check_deadline(struct field_errors *errors, const struct json *old, const struct json *spec)
{
    const struct json *before = json_get(old, S("activeDeadlineSeconds")), *now = json_get(spec, S("activeDeadlineSeconds"));
    if (now) {
        int64_t value = json_to_i64(now, 0);
        if (value < 0 || value > INT32_MAX)
            field_invalid(errors, S("spec.activeDeadlineSeconds"), now, "must be between 0 and 2147483647, inclusive");
        else if (before && json_to_i64(before, 0) < value)
            field_invalid(errors, S("spec.activeDeadlineSeconds"), now, "must be less than or equal to previous value");
    } else if (before) {
        field_invalid(errors, S("spec.activeDeadlineSeconds"), NULL, "must not update from a positive integer to nil value");
    }
}

/* All of a toleration but its tolerationSeconds. */
static struct slice toleration_text(struct arena *arena, const struct json *toleration)
{
    struct strbuf out = STRBUF_ARENA(arena);
    static const char *const members[] = {"key", "operator", "value", "effect"};
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        strbuf_append(&out, json_get_text(toleration, members[i]));
        strbuf_append_char(&out, '\0');
    }
    return strbuf_slice(&out);
}

static int text_cmp(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void check_old_tolerations(struct field_errors *errors, const struct json *old, const struct json *spec)
{
    const struct json *tolerations = json_get(spec, S("tolerations"));
    struct slice *now = ARENA_ARRAY(errors->arena, json_count(tolerations) + 1, struct slice);
    size_t count = 0;
    JSON_FOREACH (toleration, tolerations)
        now[count++] = toleration_text(errors->arena, toleration);
    qsort(now, count, sizeof(*now), text_cmp); /* there may be as many as a body holds */
    JSON_FOREACH (before, json_get(old, S("tolerations"))) {
        struct slice wanted = toleration_text(errors->arena, before);
        if (!bsearch(&wanted, now, count, sizeof(*now), text_cmp)) {
            field_forbidden(errors, S("spec.tolerations"), "existing toleration can not be modified except its tolerationSeconds");
            return;
        }
    }
}

void validate_pod_update(struct field_errors *errors, const struct json *old_pod, const struct json *pod)
{
    const struct json *old = json_get(old_pod, S("spec")), *spec = json_get(pod, S("spec"));
    static const char *const lists[] = {"initContainers", "containers"};
    struct json *munged = json_clone(errors->arena, spec);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        const struct json *containers = json_get(spec, slice_from_cstr(lists[i]));
        if (json_count(containers) != json_count(json_get(old, slice_from_cstr(lists[i])))) {
            field_forbidden(errors, PATH(errors, "spec.%s", lists[i]), "pod updates may not add or remove containers");
            return;
        }
        size_t index = 0;
        JSON_FOREACH (container, containers)
            validate_image(errors, PATH(errors, "spec.%s[%zu]", lists[i], index++), container);
        forgive_images(errors->arena, old, munged, lists[i]);
    }
    check_deadline(errors, old, spec);
    forgive(errors->arena, old, munged, "activeDeadlineSeconds");
    forgive(errors->arena, old, munged, "tolerations");
    if (json_get_i64(old, "terminationGracePeriodSeconds", 0) < 0 && json_get_i64(spec, "terminationGracePeriodSeconds", 0) == 1)
        forgive(errors->arena, old, munged, "terminationGracePeriodSeconds");
    if (!json_equal(old, munged))
        field_forbidden(errors, S("spec"),
                        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
                        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
                        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)");
    else
        check_old_tolerations(errors, old, spec);
}
