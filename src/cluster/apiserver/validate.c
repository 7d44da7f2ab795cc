/* validate: kind by kind what validation of Kubernetes 1.34 refuses (pkg/apis/…/validation), as far as clients meet it. */
#include "base/arena.h"
#include "cluster/apiserver/quantity.h"
#include "cluster/apiserver/validate_internal.h"
#include <string.h>

#define MAP_MAX_BYTES (1024 * 1024)

/* --- ConfigMap, Secret --- */

static size_t check_keys(struct field_errors *errors, const struct json *object, const char *member)
{
    size_t total = 0;
    JSON_FOREACH (pair, json_get(object, slice_from_cstr(member))) {
        check_text(errors, PATH(errors, "%s[%.*s]", member, SLICE_ARG(pair->key)), pair->key, name_check_config_key);
        total += pair->text.len;
    }
    return total;
}

static void validate_config_map(struct field_errors *errors, const struct json *map)
{
    JSON_FOREACH (pair, json_get(map, S("data")))
        if (json_get(json_get(map, S("binaryData")), pair->key))
            field_invalid(errors, PATH(errors, "data[%.*s]", SLICE_ARG(pair->key)), json_string(errors->arena, pair->key),
                          "duplicate of key present in binaryData");
    size_t total = check_keys(errors, map, "data") + check_keys(errors, map, "binaryData") * 3 / 4;
    if (total > MAP_MAX_BYTES)
        field_too_long(errors, S(""), MAP_MAX_BYTES);
}

static void validate_secret(struct field_errors *errors, const struct json *secret)
{
    static const struct {
        const char *type, *key;
    } keys[] = {{"kubernetes.io/dockerconfigjson", ".dockerconfigjson"}, {"kubernetes.io/dockercfg", ".dockercfg"},
                {"kubernetes.io/ssh-auth", "ssh-privatekey"},            {"kubernetes.io/tls", "tls.crt"},
                {"kubernetes.io/tls", "tls.key"}};
    const struct json *data = json_get(secret, S("data"));
    struct slice type = json_get_text(secret, "type");
    if (check_keys(errors, secret, "data") * 3 / 4 > MAP_MAX_BYTES)
        field_too_long(errors, S("data"), MAP_MAX_BYTES);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (slice_eq(type, slice_from_cstr(keys[i].type)) && !json_get(data, slice_from_cstr(keys[i].key)))
            field_required(errors, PATH(errors, "data[%s]", keys[i].key), "");
    const struct json *account = json_get(JSON_AT(secret, "metadata", "annotations"), S("kubernetes.io/service-account.name"));
    if (slice_eq(type, S("kubernetes.io/service-account-token")) && json_text(account).len == 0)
        field_required(errors, S("metadata.annotations[kubernetes.io/service-account.name]"), "");
}

static bool differs(const struct json *old, const struct json *object, const char *member)
{
    const struct json *a = json_get(old, slice_from_cstr(member)), *b = json_get(object, slice_from_cstr(member));
    return (a == NULL) != (b == NULL) || (a && b && !json_equal(a, b));
}

static void validate_map_update(struct field_errors *errors, const struct json *old, const struct json *object)
{
    static const char *const members[] = {"data", "binaryData"};
    if (!json_get_bool(old, "immutable", false))
        return;
    if (!json_get_bool(object, "immutable", false))
        field_forbidden(errors, S("immutable"), "field is immutable when `immutable` is set");
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (differs(old, object, members[i]))
            field_forbidden(errors, slice_from_cstr(members[i]), "field is immutable when `immutable` is set");
}

static void validate_secret_update(struct field_errors *errors, const struct json *old, const struct json *secret)
{
    if (differs(old, secret, "type"))
        field_invalid(errors, S("type"), json_get(secret, S("type")), "field is immutable");
    validate_map_update(errors, old, secret);
}

/* --- Service --- */

static void validate_target_port(struct field_errors *errors, struct slice field, const struct json *target)
{
    if (json_is(target, JSON_STRING))
        check_text(errors, field, json_text(target), name_check_port_name);
    else
        check_port_number(errors, field, target);
}

static void validate_service_ports(struct field_errors *errors, const struct json *ports, bool headless)
{
    static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};
    size_t index = 0, count = json_count(ports);
    if (count > 1000) { /* they are compared with each other */
        field_too_many(errors, S("spec.ports"), (int64_t)count, 1000);
        return;
    }
    bool several = count > 1;
    JSON_FOREACH (port, ports) {
        struct slice at = PATH(errors, "spec.ports[%zu]", index++), name = json_get_text(port, "name");
        if (several && name.len == 0)
            field_required(errors, PATH(errors, "%.*s.name", SLICE_ARG(at)), "");
        else if (name.len)
            check_text(errors, PATH(errors, "%.*s.name", SLICE_ARG(at)), name, name_check_dns_label);
        JSON_FOREACH (other, ports) {
            if (other == port)
                break;
            if (name.len && slice_eq(json_get_text(other, "name"), name))
                field_duplicate(errors, PATH(errors, "%.*s.name", SLICE_ARG(at)), json_get(port, S("name")));
            if (json_get_i64(other, "port", 0) == json_get_i64(port, "port", 0) &&
                slice_eq(json_get_text(other, "protocol"), json_get_text(port, "protocol"))) {
                struct json *pair = json_object(errors->arena);
                json_set_i64(errors->arena, pair, "port", json_get_i64(port, "port", 0));
                json_set_text(errors->arena, pair, "protocol", json_get_text(port, "protocol"));
                field_duplicate(errors, at, pair);
            }
        }
        check_port_number(errors, PATH(errors, "%.*s.port", SLICE_ARG(at)), json_get(port, S("port")));
        check_choice(errors, PATH(errors, "%.*s.protocol", SLICE_ARG(at)), json_get(port, S("protocol")), protocols);
        validate_target_port(errors, PATH(errors, "%.*s.targetPort", SLICE_ARG(at)), json_get(port, S("targetPort")));
        if (headless && json_get_i64(port, "nodePort", 0) != 0)
            field_forbidden(errors, PATH(errors, "%.*s.nodePort", SLICE_ARG(at)), "may not be used when `type` is 'ClusterIP'");
    }
}

static void validate_cluster_ips(struct field_errors *errors, const struct json *spec)
{
    size_t index = 0;
    JSON_FOREACH (ip, json_get(spec, S("clusterIPs"))) {
        if (!slice_eq(json_text(ip), S("None")) && !name_is_ip(json_text(ip)))
            field_invalid(errors, PATH(errors, "spec.clusterIPs[%zu]", index), ip, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
        index++;
    }
}

static void validate_service(struct field_errors *errors, const struct json *service)
{
    static const char *const types[] = {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort", NULL};
    static const char *const affinities[] = {"ClientIP", "None", NULL};
    const struct json *spec = json_get(service, S("spec"));
    struct slice type = json_get_text(spec, "type");
    bool external = slice_eq(type, S("ExternalName")), headless = slice_eq(json_get_text(spec, "clusterIP"), S("None"));
    const struct json *ports = json_get(spec, S("ports"));
    if (json_count(ports) == 0 && !headless && !external)
        field_required(errors, S("spec.ports"), "");
    if (external && json_get_text(spec, "externalName").len == 0)
        field_required(errors, S("spec.externalName"), "");
    else if (external)
        check_text(errors, S("spec.externalName"), slice_lower(errors->arena, json_get_text(spec, "externalName")), name_check_dns_subdomain);
    if (external && json_get_text(spec, "clusterIP").len)
        field_forbidden(errors, S("spec.clusterIPs[0]"), "may not be set when `type` is 'ExternalName'");
    validate_service_ports(errors, ports, slice_eq(type, S("ClusterIP")));
    check_labels(errors, S("spec.selector"), json_get(spec, S("selector")));
    check_choice(errors, S("spec.sessionAffinity"), json_get(spec, S("sessionAffinity")), affinities);
    validate_cluster_ips(errors, spec);
    check_choice(errors, S("spec.type"), json_get(spec, S("type")), types);
}

static void validate_service_update(struct field_errors *errors, const struct json *old, const struct json *service)
{
    const struct json *before = json_get(old, S("spec")), *spec = json_get(service, S("spec"));
    struct slice was = json_get_text(before, "clusterIP");
    bool external = slice_eq(json_get_text(before, "type"), S("ExternalName")) || slice_eq(json_get_text(spec, "type"), S("ExternalName"));
    if (!external && was.len && !slice_eq(was, json_get_text(spec, "clusterIP"))) {
        struct json *now = json_array(errors->arena);
        json_append(now, json_string(errors->arena, json_get_text(spec, "clusterIP")));
        field_invalid(errors, S("spec.clusterIPs[0]"), now, "may not change once set");
    }
    validate_service(errors, service);
}

/* --- the others --- */

static void validate_pod(struct field_errors *errors, const struct json *pod)
{
    validate_pod_spec(errors, S("spec"), json_get(pod, S("spec")));
}

static void validate_pod_template(struct field_errors *errors, const struct json *object)
{
    const struct json *metadata = JSON_AT(object, "template", "metadata");
    check_labels(errors, S("template.labels"), json_get(metadata, S("labels")));
    check_annotations(errors, S("template.annotations"), json_get(metadata, S("annotations")));
    validate_pod_spec(errors, S("template.spec"), JSON_AT(object, "template", "spec"));
}

static void validate_claim(struct field_errors *errors, const struct json *claim)
{
    static const char *const modes[] = {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod", NULL};
    const struct json *spec = json_get(claim, S("spec")), *access = json_get(spec, S("accessModes"));
    if (json_count(access) == 0)
        field_required(errors, S("spec.accessModes"), "at least 1 access mode is required");
    JSON_FOREACH (mode, access)
        check_choice(errors, S("spec.accessModes"), mode, modes);
    const struct json *storage = JSON_AT(spec, "resources", "requests", "storage");
    struct quantity q = {0};
    if (!storage)
        field_required(errors, S("spec.resources[storage]"), "");
    else if (quantity_parse(storage->text, &q) && q.nano <= 0)
        field_invalid(errors, S("spec.resources[storage]"), storage, "must be greater than zero");
}

static void validate_claim_update(struct field_errors *errors, const struct json *old, const struct json *claim)
{
    struct json *a = json_clone(errors->arena, json_get(old, S("spec"))), *b = json_clone(errors->arena, json_get(claim, S("spec")));
    struct json *specs[] = {a, b};
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        json_remove(json_get(specs[i], S("resources")), S("requests"));
        json_remove(specs[i], S("volumeAttributesClassName"));
    }
    /* The binder fills these in once. */
    static const char *const late[] = {"volumeName", "storageClassName"};
    for (size_t i = 0; i < ARRAY_SIZE(late); i++)
        if (!json_get(a, slice_from_cstr(late[i])))
            json_remove(b, slice_from_cstr(late[i]));
    if (!json_equal(a, b))
        field_forbidden(errors, S("spec"), "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims");
    validate_claim(errors, claim);
}

static void validate_policy_rules(struct field_errors *errors, const struct json *spec, const char *member)
{
    static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};
    size_t rule_index = 0;
    JSON_FOREACH (rule, json_get(spec, slice_from_cstr(member))) {
        size_t index = 0;
        JSON_FOREACH (port, json_get(rule, S("ports"))) {
            struct slice at = PATH(errors, "spec.%s[%zu].ports[%zu]", member, rule_index, index++);
            check_choice(errors, PATH(errors, "%.*s.protocol", SLICE_ARG(at)), json_get(port, S("protocol")), protocols);
            if (json_get(port, S("port")))
                validate_target_port(errors, PATH(errors, "%.*s.port", SLICE_ARG(at)), json_get(port, S("port")));
        }
        rule_index++;
    }
}

static void validate_network_policy(struct field_errors *errors, const struct json *policy)
{
    static const char *const types[] = {"Egress", "Ingress", NULL};
    const struct json *spec = json_get(policy, S("spec"));
    check_labels(errors, S("spec.podSelector.matchLabels"), JSON_AT(spec, "podSelector", "matchLabels"));
    validate_policy_rules(errors, spec, "ingress");
    validate_policy_rules(errors, spec, "egress");
    size_t index = 0;
    JSON_FOREACH (type, json_get(spec, S("policyTypes")))
        check_choice(errors, PATH(errors, "spec.policyTypes[%zu]", index++), type, types);
}

/* --- ResourceQuota, LimitRange --- */

static bool is_quota_name(struct slice name)
{
    static const char *const names[] = {"cpu", "memory", "ephemeral-storage", "pods", "services", "replicationcontrollers", "resourcequotas", "secrets",
                                        "configmaps", "persistentvolumeclaims", "requests.cpu", "requests.memory", "requests.storage",
                                        "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage", "services.nodeports",
                                        "services.loadbalancers"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (slice_eq(name, slice_from_cstr(names[i])))
            return true;
    return slice_starts_with(name, S("hugepages-")) || slice_starts_with(name, S("requests.hugepages-"));
}

static void check_amount(struct field_errors *errors, struct slice field, const struct json *amount)
{
    struct quantity q;
    if (quantity_parse(amount->text, &q) && q.nano < 0)
        field_invalid(errors, field, amount, "must be greater than or equal to 0");
}

static void validate_quota(struct field_errors *errors, const struct json *quota)
{
    static const char *const scopes[] = {"Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity",
                                         "VolumeAttributesClass", NULL};
    JSON_FOREACH (limit, JSON_AT(quota, "spec", "hard")) {
        struct slice field = PATH(errors, "spec.hard[%.*s]", SLICE_ARG(limit->key));
        check_text(errors, field, limit->key, name_check_qualified);
        if (slice_index(limit->key, '/') < 0 && !is_quota_name(limit->key))
            field_invalid(errors, field, json_string(errors->arena, limit->key), "must be a standard resource for quotas");
        check_amount(errors, field, limit);
        struct quantity q;
        bool counts = slice_find(limit->key, S("cpu")) < 0 && slice_find(limit->key, S("memory")) < 0 && slice_find(limit->key, S("storage")) < 0;
        if (counts && slice_index(limit->key, '/') < 0 && quantity_parse(limit->text, &q) && q.nano % 1000000000)
            field_invalid(errors, field, limit, "must be an integer");
    }
    JSON_FOREACH (scope, JSON_AT(quota, "spec", "scopes")) {
        bool known = false;
        for (size_t i = 0; scopes[i]; i++)
            known |= slice_eq(json_text(scope), slice_from_cstr(scopes[i]));
        if (!known) {
            field_invalid(errors, S("spec.scopes"), JSON_AT(quota, "spec", "scopes"), "unsupported scope");
            break;
        }
    }
}

static void validate_quota_update(struct field_errors *errors, const struct json *old, const struct json *quota)
{
    const struct json *before = JSON_AT(old, "spec", "scopes"), *now = JSON_AT(quota, "spec", "scopes");
    validate_quota(errors, quota);
    if ((json_count(before) || json_count(now)) && !(before && now && json_equal(before, now)))
        field_invalid(errors, S("spec.scopes"), now ? now : json_array(errors->arena), "field is immutable");
}

/* low's value of each name must not be more than high's. */
static void check_order(struct field_errors *errors, struct slice path, const struct json *limit, const char *low, const char *high, const char *words)
{
    JSON_FOREACH (amount, json_get(limit, slice_from_cstr(low))) {
        const struct json *other = json_get(json_get(limit, slice_from_cstr(high)), amount->key);
        struct quantity less, more;
        if (!other || !quantity_parse(amount->text, &less) || !quantity_parse(other->text, &more) || quantity_cmp(less, more) <= 0)
            continue;
        field_invalid(errors, PATH(errors, "%.*s.%s[%.*s]", SLICE_ARG(path), low, SLICE_ARG(amount->key)), amount, "%s value %.*s is greater than %s value %.*s",
                      words, SLICE_ARG(amount->text), strcmp(high, "max") == 0 ? "max" : "default limit", SLICE_ARG(other->text));
    }
}

static void validate_limit_range(struct field_errors *errors, const struct json *range)
{
    static const char *const types[] = {"Container", "Pod", "PersistentVolumeClaim"}, *const pod_forbids[] = {"default", "defaultRequest"};
    size_t index = 0, seen[ARRAY_SIZE(types)] = {0};
    JSON_FOREACH (limit, JSON_AT(range, "spec", "limits")) {
        struct slice path = PATH(errors, "spec.limits[%zu]", index++), type = json_get_text(limit, "type");
        bool known = slice_index(type, '/') >= 0;
        for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
            if (!slice_eq(type, slice_from_cstr(types[i])))
                continue;
            known = true;
            if (seen[i]++)
                field_duplicate(errors, PATH(errors, "%.*s.type", SLICE_ARG(path)), json_get(limit, S("type")));
        }
        if (!known)
            field_invalid(errors, PATH(errors, "%.*s.type", SLICE_ARG(path)), json_string(errors->arena, type.ptr ? type : S("")),
                          "must be a standard limit type or fully qualified");
        for (size_t i = 0; i < ARRAY_SIZE(pod_forbids) && slice_eq(type, S("Pod")); i++)
            if (json_count(json_get(limit, slice_from_cstr(pod_forbids[i]))))
                field_forbidden(errors, PATH(errors, "%.*s.%s", SLICE_ARG(path), pod_forbids[i]), "may not be specified when `type` is 'Pod'");
        check_order(errors, path, limit, "min", "max", "min");
        check_order(errors, path, limit, "defaultRequest", "max", "default request");
        check_order(errors, path, limit, "defaultRequest", "default", "default request");
        check_order(errors, path, limit, "default", "max", "default");
    }
}

static void validate_event(struct field_errors *errors, const struct json *event)
{
    const struct json *involved = json_get(event, S("involvedObject"));
    struct slice own = json_get_text(json_get(event, S("metadata")), "namespace"), its = json_get_text(involved, "namespace");
    /* Events of cluster-scoped objects live in default. */
    bool fits = its.len ? slice_eq(own, its) : slice_eq(own, S("default")) || slice_eq(own, S("kube-system"));
    if (involved && !fits)
        field_invalid(errors, S("involvedObject.namespace"), json_string(errors->arena, its.ptr ? its : S("")), "does not match event.namespace");
}

static const struct {
    const char *message;
    void (*create)(struct field_errors *errors, const struct json *object);
    /* NULL: the same as create */
    void (*update)(struct field_errors *errors, const struct json *old, const struct json *object);
} validators[] = {
    {"k8s.io.api.core.v1.Pod", validate_pod, validate_pod_update},
    {"k8s.io.api.core.v1.PodTemplate", validate_pod_template, NULL},
    {"k8s.io.api.core.v1.Service", validate_service, validate_service_update},
    {"k8s.io.api.core.v1.ConfigMap", validate_config_map, validate_map_update},
    {"k8s.io.api.core.v1.Secret", validate_secret, validate_secret_update},
    {"k8s.io.api.core.v1.PersistentVolumeClaim", validate_claim, validate_claim_update},
    {"k8s.io.api.core.v1.Event", validate_event, NULL},
    {"k8s.io.api.core.v1.LimitRange", validate_limit_range, NULL},
    {"k8s.io.api.core.v1.ResourceQuota", validate_quota, validate_quota_update},
    {"k8s.io.api.networking.v1.NetworkPolicy", validate_network_policy, NULL},
};

struct err *strategy_validate_create(const struct strategy_context *context, const struct kind *kind, const struct json *object)
{
    struct field_errors errors = {.arena = context->arena};
    const struct json *metadata = json_get(object, S("metadata"));
    struct slice name = json_get_text(metadata, "name");
    validate_metadata(&errors, kind, metadata);
    for (size_t i = 0; i < ARRAY_SIZE(validators); i++)
        if (strcmp(validators[i].message, kind->message) == 0)
            validators[i].create(&errors, object);
    TRY(field_errors_to_err(&errors, kind, name));
    if (strcmp(kind->message, "k8s.io.api.core.v1.Pod") == 0 && slice_index(name, '.') >= 0)
        warning_add(context->warnings, "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is "
                                       "recommended: [must not contain dots]");
    return NULL;
}

struct err *strategy_validate_update(const struct strategy_context *context, const struct kind *kind, const char *subresource,
                                     const struct json *old, const struct json *object)
{
    struct field_errors errors = {.arena = context->arena};
    const struct json *metadata = json_get(object, S("metadata"));
    /* Kubernetes looks at metadata twice, once for all kinds and once in the kind's own validation, and lists both causes. */
    validate_metadata_update(&errors, kind, json_get(old, S("metadata")), metadata);
    validate_metadata_update(&errors, kind, json_get(old, S("metadata")), metadata);
    /* Of a subresource the spec is the old one, or (binding) the server's own. */
    for (size_t i = 0; i < ARRAY_SIZE(validators) && !subresource; i++) {
        if (strcmp(validators[i].message, kind->message) != 0)
            continue;
        if (validators[i].update)
            validators[i].update(&errors, old, object);
        else
            validators[i].create(&errors, object);
        if (validators[i].update == validate_map_update || validators[i].update == validate_secret_update)
            validators[i].create(&errors, object);
    }
    return field_errors_to_err(&errors, kind, json_get_text(metadata, "name"));
}
