/* defaults: the values that Kubernetes's API server fills in (apis/core/v1/defaults.go and its siblings of 1.34; recorded in
 * default-kinds). Idempotent. */
#include "base/arena.h"
#include "cluster/apiserver/schema.h"
#include "cluster/apiserver/strategy.h"
#include "cluster/apiserver/quantity.h"
#include <string.h>

static void set_if_absent(struct arena *arena, struct json *object, const char *key, const char *text)
{
    if (json_get_text(object, key).len == 0)
        json_set_cstr(arena, object, key, text);
}

static void set_if_absent_i64(struct arena *arena, struct json *object, const char *key, int64_t value)
{
    if (!json_get(object, slice_from_cstr(key)))
        json_set_i64(arena, object, key, value);
}

/* Go's zero is no pointer here: 0 counts as absent. */
static void set_if_zero(struct arena *arena, struct json *object, const char *key, int64_t value)
{
    if (json_get_i64(object, key, 0) == 0)
        json_set_i64(arena, object, key, value);
}

static void default_http_get(struct arena *arena, struct json *action)
{
    if (!action)
        return;
    set_if_absent(arena, action, "path", "/");
    set_if_absent(arena, action, "scheme", "HTTP");
}

static void default_probe(struct arena *arena, struct json *probe)
{
    if (!probe)
        return;
    default_http_get(arena, json_get(probe, S("httpGet")));
    struct json *grpc = json_get(probe, S("grpc"));
    if (grpc && !json_get(grpc, S("service")))
        json_set_cstr(arena, grpc, "service", "");
    set_if_zero(arena, probe, "timeoutSeconds", 1);
    set_if_zero(arena, probe, "periodSeconds", 10);
    set_if_zero(arena, probe, "successThreshold", 1);
    set_if_zero(arena, probe, "failureThreshold", 3);
}

static void default_field_ref(struct arena *arena, struct json *holder)
{
    struct json *ref = json_get(holder, S("fieldRef"));
    if (ref)
        set_if_absent(arena, ref, "apiVersion", "v1");
}

/* No tag and no digest, or :latest. */
static bool is_latest(struct slice image)
{
    if (slice_index(image, '@') >= 0)
        return false;
    ptrdiff_t slash = slice_rindex(image, '/');
    struct slice last = slice_from(image, (size_t)(slash + 1));
    ptrdiff_t colon = slice_rindex(last, ':');
    return colon < 0 || slice_eq(slice_from(last, (size_t)colon + 1), S("latest"));
}

static void default_requests(struct arena *arena, struct json *container)
{
    struct json *resources = json_get(container, S("resources"));
    const struct json *limits = json_get(resources, S("limits"));
    if (!limits || !limits->first)
        return;
    struct json *requests = json_ensure_object(arena, resources, "requests");
    JSON_FOREACH (limit, limits)
        if (!json_get(requests, limit->key))
            json_set(arena, requests, limit->key, json_clone(arena, limit));
}

static void default_container(struct arena *arena, struct json *container, bool host_network, bool is_pod)
{
    if (container->type != JSON_OBJECT)
        return;
    set_if_absent(arena, container, "terminationMessagePath", "/dev/termination-log");
    set_if_absent(arena, container, "terminationMessagePolicy", "File");
    set_if_absent(arena, container, "imagePullPolicy", is_latest(json_get_text(container, "image")) ? "Always" : "IfNotPresent");
    JSON_FOREACH (port, json_get(container, S("ports"))) {
        set_if_absent(arena, port, "protocol", "TCP");
        if (host_network && is_pod && json_get(port, S("containerPort")))
            set_if_zero(arena, port, "hostPort", json_get_i64(port, "containerPort", 0));
    }
    JSON_FOREACH (variable, json_get(container, S("env")))
        default_field_ref(arena, json_get(variable, S("valueFrom")));
    default_probe(arena, json_get(container, S("livenessProbe")));
    default_probe(arena, json_get(container, S("readinessProbe")));
    default_probe(arena, json_get(container, S("startupProbe")));
    default_http_get(arena, JSON_AT(container, "lifecycle", "preStop", "httpGet"));
    default_http_get(arena, JSON_AT(container, "lifecycle", "postStart", "httpGet"));
    struct json *context = json_get(container, S("securityContext"));
    if (context && json_get(context, S("procMount")) && json_get_text(context, "procMount").len == 0)
        json_remove(context, S("procMount"));
    if (is_pod)
        default_requests(arena, container);
}

static void default_downward_items(struct arena *arena, struct json *source)
{
    JSON_FOREACH (item, json_get(source, S("items")))
        default_field_ref(arena, item);
}

static void default_volume(struct arena *arena, struct json *volume)
{
    static const char *const moded[] = {"configMap", "secret", "projected", "downwardAPI"};
    struct json *source;
    if (volume->type != JSON_OBJECT)
        return;
    if (json_count(volume) == (json_get(volume, S("name")) ? 1u : 0u))
        json_set(arena, volume, S("emptyDir"), json_object(arena));
    for (size_t i = 0; i < ARRAY_SIZE(moded); i++)
        if ((source = json_get(volume, slice_from_cstr(moded[i]))))
            set_if_absent_i64(arena, source, "defaultMode", 420);
    default_downward_items(arena, json_get(volume, S("downwardAPI")));
    JSON_FOREACH (projection, JSON_AT(volume, "projected", "sources")) {
        default_downward_items(arena, json_get(projection, S("downwardAPI")));
        if ((source = json_get(projection, S("serviceAccountToken"))))
            set_if_absent_i64(arena, source, "expirationSeconds", 3600);
    }
    if ((source = json_get(volume, S("hostPath"))) && !json_get(source, S("type")))
        json_set_cstr(arena, source, "type", "");
    if ((source = JSON_AT(volume, "ephemeral", "volumeClaimTemplate", "spec")))
        set_if_absent(arena, source, "volumeMode", "Filesystem");
}

static void default_pod_spec(struct arena *arena, struct json *spec, bool is_pod)
{
    static const char *const lists[] = {"initContainers", "containers"};
    set_if_absent(arena, spec, "restartPolicy", "Always");
    set_if_absent(arena, spec, "dnsPolicy", "ClusterFirst");
    set_if_absent(arena, spec, "schedulerName", "default-scheduler");
    set_if_absent_i64(arena, spec, "terminationGracePeriodSeconds", 30);
    json_ensure_object(arena, spec, "securityContext");
    /* The two names of one field; serviceAccountName wins. */
    struct slice account = json_get_text(spec, "serviceAccountName");
    if (account.len == 0)
        account = json_get_text(spec, "serviceAccount");
    if (account.len) {
        json_set_text(arena, spec, "serviceAccountName", account);
        json_set_text(arena, spec, "serviceAccount", account);
    }
    bool host_network = json_get_bool(spec, "hostNetwork", false);
    if (is_pod && !json_get(spec, S("enableServiceLinks")))
        json_set_bool(arena, spec, "enableServiceLinks", true);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        JSON_FOREACH (container, json_get(spec, slice_from_cstr(lists[i])))
            default_container(arena, container, host_network, is_pod);
    JSON_FOREACH (volume, json_get(spec, S("volumes")))
        default_volume(arena, volume);
}

static void default_service(struct arena *arena, struct json *service)
{
    struct json *spec = json_ensure_object(arena, service, "spec");
    set_if_absent(arena, spec, "sessionAffinity", "None");
    set_if_absent(arena, spec, "type", "ClusterIP");
    struct slice type = json_get_text(spec, "type");
    bool external_name = slice_eq(type, S("ExternalName"));
    bool outside = slice_eq(type, S("NodePort")) || slice_eq(type, S("LoadBalancer"));
    if (slice_eq(json_get_text(spec, "sessionAffinity"), S("ClientIP")))
        set_if_absent_i64(arena, json_ensure_object(arena, json_ensure_object(arena, spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds",
                          10800);
    JSON_FOREACH (port, json_get(spec, S("ports"))) {
        if (port->type != JSON_OBJECT)
            continue;
        set_if_absent(arena, port, "protocol", "TCP");
        const struct json *target = json_get(port, S("targetPort"));
        bool unset = !target || (target->type == JSON_STRING ? target->text.len == 0 : json_to_i64(target, 0) == 0);
        if (unset)
            json_set_i64(arena, port, "targetPort", json_get_i64(port, "port", 0));
    }
    if (outside)
        set_if_absent(arena, spec, "externalTrafficPolicy", "Cluster");
    if (slice_eq(type, S("LoadBalancer")) && !json_get(spec, S("allocateLoadBalancerNodePorts")))
        json_set_bool(arena, spec, "allocateLoadBalancerNodePorts", true);
    if (external_name)
        return;
    set_if_absent(arena, spec, "internalTrafficPolicy", "Cluster");
    struct slice ip = json_get_text(spec, "clusterIP");
    struct json *all = json_get(spec, S("clusterIPs"));
    if (ip.len && !json_count(all))
        json_append(json_ensure_array(arena, spec, "clusterIPs"), json_string(arena, ip));
    else if (!ip.len && json_count(all))
        json_set_text(arena, spec, "clusterIP", json_text(all->first));
    /* Headless without a selector is for addresses of any family. */
    bool any_family = slice_eq(ip, S("None")) && !json_count(json_get(spec, S("selector")));
    if (!json_get(spec, S("ipFamilies"))) {
        struct json *families = json_ensure_array(arena, spec, "ipFamilies");
        json_append(families, json_cstr(arena, "IPv4"));
        if (any_family)
            json_append(families, json_cstr(arena, "IPv6"));
    }
    set_if_absent(arena, spec, "ipFamilyPolicy", any_family ? "RequireDualStack" : "SingleStack");
}

static void default_network_ports(struct arena *arena, struct json *rules)
{
    JSON_FOREACH (rule, rules)
        JSON_FOREACH (port, json_get(rule, S("ports")))
            if (port->type == JSON_OBJECT)
                set_if_absent(arena, port, "protocol", "TCP");
}

static void default_network_policy(struct arena *arena, struct json *policy)
{
    struct json *spec = json_ensure_object(arena, policy, "spec");
    default_network_ports(arena, json_get(spec, S("ingress")));
    default_network_ports(arena, json_get(spec, S("egress")));
    if (json_count(json_get(spec, S("policyTypes"))))
        return;
    struct json *types = json_ensure_array(arena, spec, "policyTypes");
    json_append(types, json_cstr(arena, "Ingress"));
    if (json_count(json_get(spec, S("egress"))))
        json_append(types, json_cstr(arena, "Egress"));
}

static void default_namespace(struct arena *arena, struct json *object)
{
    struct json *metadata = json_ensure_object(arena, object, "metadata");
    struct slice name = json_get_text(metadata, "name");
    if (name.len)
        json_set_text(arena, json_ensure_object(arena, metadata, "labels"), "kubernetes.io/metadata.name", name);
}

static void default_pod(struct arena *arena, struct json *pod)
{
    default_pod_spec(arena, json_ensure_object(arena, pod, "spec"), true);
    struct json *status = json_ensure_object(arena, pod, "status");
    set_if_absent(arena, status, "phase", "Pending");
    /* podIP is the authority; podIPs follows it (the conversion of apis/core/v1). */
    struct slice ip = json_get_text(status, "podIP");
    const struct json *ips = json_get(status, S("podIPs"));
    if (ip.len && !(ips && ips->first && slice_eq(json_get_text(ips->first, "ip"), ip))) {
        struct json *list = json_array(arena), *one = json_object(arena);
        json_set_text(arena, one, "ip", ip);
        json_append(list, one);
        json_set(arena, status, S("podIPs"), list);
    } else if (!ip.len && ips && ips->first) {
        json_set_text(arena, status, "podIP", json_get_text(ips->first, "ip"));
    }
    if (json_get_text(status, "qosClass").len == 0)
        json_set_text(arena, status, "qosClass", pod_qos_class(pod));
}

static void default_pod_template(struct arena *arena, struct json *object)
{
    default_pod_spec(arena, json_ensure_object(arena, json_ensure_object(arena, object, "template"), "spec"), false);
}

static void default_claim(struct arena *arena, struct json *claim)
{
    set_if_absent(arena, json_ensure_object(arena, claim, "spec"), "volumeMode", "Filesystem");
    set_if_absent(arena, json_ensure_object(arena, claim, "status"), "phase", "Pending");
}

static void set_missing(struct arena *arena, struct json *limit, const char *member, const char *from)
{
    JSON_FOREACH (amount, json_get(limit, slice_from_cstr(from)))
        if (!json_get(json_get(limit, slice_from_cstr(member)), amount->key))
            json_set(arena, json_ensure_object(arena, limit, member), amount->key, json_clone(arena, amount));
}

static void default_limit_range(struct arena *arena, struct json *range)
{
    JSON_FOREACH (limit, JSON_AT(range, "spec", "limits")) {
        if (!slice_eq(json_get_text(limit, "type"), S("Container")))
            continue;
        set_missing(arena, limit, "default", "max");
        set_missing(arena, limit, "defaultRequest", "default");
        set_missing(arena, limit, "defaultRequest", "min");
    }
}

static void default_secret(struct arena *arena, struct json *secret)
{
    set_if_absent(arena, secret, "type", "Opaque");
}

static void default_node(struct arena *arena, struct json *node)
{
    struct json *status = json_get(node, S("status"));
    const struct json *capacity = json_get(status, S("capacity"));
    if (capacity && !json_get(status, S("allocatable")))
        json_set(arena, status, S("allocatable"), json_clone(arena, capacity));
}

static const struct {
    const char *message;
    void (*fill)(struct arena *arena, struct json *object);
} fillers[] = {
    {"k8s.io.api.core.v1.Pod", default_pod},
    {"k8s.io.api.core.v1.PodTemplate", default_pod_template},
    {"k8s.io.api.core.v1.Service", default_service},
    {"k8s.io.api.core.v1.Namespace", default_namespace},
    {"k8s.io.api.core.v1.PersistentVolumeClaim", default_claim},
    {"k8s.io.api.core.v1.LimitRange", default_limit_range},
    {"k8s.io.api.core.v1.Secret", default_secret},
    {"k8s.io.api.core.v1.Node", default_node},
    {"k8s.io.api.networking.v1.NetworkPolicy", default_network_policy},
};

void strategy_default(const struct strategy_context *context, const struct kind *kind, struct json *object)
{
    for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
        if (strcmp(fillers[i].message, kind->message) == 0)
            fillers[i].fill(context->arena, object);
    schema_canonicalize(context->arena, schema_find(kind->message), object);
}

/* --- quality of service (component-helpers' qos.ComputePodQOS) --- */

static bool positive(const struct json *quantities, struct slice name, struct quantity *ret_quantity)
{
    const struct json *value = json_get(quantities, name);
    return value && quantity_parse(value->text, ret_quantity) && ret_quantity->nano > 0;
}

struct slice pod_qos_class(const struct json *pod)
{
    static const char *const lists[] = {"initContainers", "containers"};
    const struct json *spec = json_get(pod, S("spec"));
    bool any = false, guaranteed = true, have_container = false;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        JSON_FOREACH (container, json_get(spec, slice_from_cstr(lists[i]))) {
            const struct json *requests = JSON_AT(container, "resources", "requests"), *limits = JSON_AT(container, "resources", "limits");
            have_container = true;
            for (size_t r = 0; r < 2; r++) {
                struct slice name = r ? S("memory") : S("cpu");
                struct quantity request, limit;
                bool has_limit = positive(limits, name, &limit), has_request = positive(requests, name, &request);
                any |= has_limit || has_request;
                guaranteed &= has_limit && (!has_request || quantity_cmp(request, limit) == 0);
            }
        }
    return !any ? S("BestEffort") : guaranteed && have_container ? S("Guaranteed") : S("Burstable");
}
