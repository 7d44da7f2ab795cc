#include "cluster/apiserver/strategy.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include <string.h>

#define NAME_ALPHABET S("bcdfghjklmnpqrstvwxz2456789")

struct slice name_generate(struct arena *arena, struct slice prefix)
{
    struct slice tail = random_text(arena, 5, NAME_ALPHABET);
    return slice_fmt(arena, "%.*s%.*s", SLICE_ARG(slice_sub(prefix, 0, 58)), SLICE_ARG(tail));
}

static bool has_status_subresource(const struct kind *kind)
{
    return kind_find_subresource(kind, S("status")) != NULL;
}

static bool is_kind(const struct kind *kind, const char *resource)
{
    return kind->group[0] == '\0' && strcmp(kind->resource, resource) == 0;
}

/* Takes the member over from old; gone there, gone here. */
static void keep(struct arena *arena, const struct json *old, struct json *object, const char *key)
{
    const struct json *value = json_get(old, slice_from_cstr(key));
    if (value)
        json_set(arena, object, slice_from_cstr(key), json_clone(arena, value));
    else
        json_remove(object, slice_from_cstr(key));
}

static struct err *check_namespace(const struct strategy_context *context, const struct kind *kind, const struct json *metadata)
{
    struct slice given = json_get_text(metadata, "namespace");
    if (given.len && !(kind->namespaced && slice_eq(given, context->namespace_name)))
        return status_bad_request("the namespace of the provided object does not match the namespace sent on the request");
    return NULL;
}

static void merge_string_data(struct arena *arena, struct json *secret)
{
    const struct json *strings = json_get(secret, S("stringData"));
    if (strings && strings->first) {
        struct json *data = json_ensure_object(arena, secret, "data");
        JSON_FOREACH (pair, strings)
            json_set(arena, data, pair->key, json_string(arena, base64_encode(arena, pair->text)));
    }
    json_remove(secret, S("stringData"));
}

static bool list_has(const struct json *list, struct slice text)
{
    JSON_FOREACH (item, list)
        if (slice_eq(json_text(item), text))
            return true;
    return false;
}

static void add_once(struct arena *arena, struct json *list, const char *text)
{
    if (!list_has(list, slice_from_cstr(text)))
        json_append(list, json_cstr(arena, text));
}

static struct json *gated_condition(struct arena *arena)
{
    struct json *condition = json_object(arena);
    json_set_cstr(arena, condition, "type", "PodScheduled");
    json_set_cstr(arena, condition, "status", "False");
    json_set_cstr(arena, condition, "reason", "SchedulingGated");
    json_set_cstr(arena, condition, "message", "Scheduling is blocked due to non-empty scheduling gates");
    return condition;
}

static void prepare_create_of_kind(struct arena *arena, const struct kind *kind, struct json *object)
{
    struct json *status;
    if (has_status_subresource(kind) && !is_kind(kind, "nodes"))
        json_remove(object, S("status"));
    if (is_kind(kind, "pods")) {
        status = json_ensure_object(arena, object, "status");
        json_set_cstr(arena, status, "phase", "Pending");
        struct json *spec = json_ensure_object(arena, object, "spec");
        if (json_count(json_get(spec, S("schedulingGates"))))
            json_append(json_ensure_array(arena, status, "conditions"), gated_condition(arena));
        if (json_get_i64(spec, "terminationGracePeriodSeconds", 0) < 0)
            json_set_i64(arena, spec, "terminationGracePeriodSeconds", 1);
    } else if (is_kind(kind, "namespaces")) {
        status = json_ensure_object(arena, object, "status");
        json_set_cstr(arena, status, "phase", "Active");
        add_once(arena, json_ensure_array(arena, json_ensure_object(arena, object, "spec"), "finalizers"), "kubernetes");
    } else if (is_kind(kind, "persistentvolumeclaims")) {
        status = json_ensure_object(arena, object, "status");
        json_set_cstr(arena, status, "phase", "Pending");
        add_once(arena, json_ensure_array(arena, json_ensure_object(arena, object, "metadata"), "finalizers"), "kubernetes.io/pvc-protection");
    } else if (is_kind(kind, "resourcequotas")) {
        json_ensure_object(arena, object, "status");
    } else if (is_kind(kind, "secrets")) {
        merge_string_data(arena, object);
    }
}

struct err *strategy_prepare_create(const struct strategy_context *context, const struct kind *kind, struct json *object)
{
    static const char *const servers[] = {"resourceVersion",   "selfLink",      "deletionTimestamp", "deletionGracePeriodSeconds",
                                          "creationTimestamp", "managedFields", "uid"};
    struct arena *arena = context->arena;
    struct json *metadata = json_ensure_object(arena, object, "metadata");
    TRY(check_namespace(context, kind, metadata));
    struct slice version = json_get_text(metadata, "resourceVersion");
    if (version.len && !slice_eq(version, S("0")))
        return status_plain_500("resourceVersion should not be set on objects to be created");
    for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
        json_remove(metadata, slice_from_cstr(servers[i]));
    if (kind->name_rule == NAME_NONE)
        return NULL;
    if (kind->namespaced)
        json_set_text(arena, metadata, "namespace", context->namespace_name);
    json_set_text(arena, metadata, "uid", context->uid);
    json_set_text(arena, metadata, "creationTimestamp", instant_iso8601(arena, context->now));
    struct slice prefix = json_get_text(metadata, "generateName");
    if (json_get_text(metadata, "name").len == 0 && prefix.len)
        json_set_text(arena, metadata, "name", name_generate(arena, prefix));
    switch (kind->generation) {
    case GENERATION_SPEC:
        json_set_i64(arena, metadata, "generation", 1);
        break;
    case GENERATION_NONE:
        break;
    }
    prepare_create_of_kind(arena, kind, object);
    return NULL;
}

/* A Service's addresses are its own: a PUT or patch that leaves them out keeps them. */
static void keep_service_addresses(struct arena *arena, const struct json *old, struct json *object)
{
    const struct json *old_spec = json_get(old, S("spec"));
    struct json *spec = json_ensure_object(arena, object, "spec");
    if (slice_eq(json_get_text(spec, "type"), S("ExternalName")))
        return;
    if (json_get_text(spec, "clusterIP").len == 0 && !json_count(json_get(spec, S("clusterIPs")))) {
        keep(arena, old_spec, spec, "clusterIP");
        keep(arena, old_spec, spec, "clusterIPs");
    }
    static const char *const families[] = {"ipFamilies", "ipFamilyPolicy"};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        if (!json_get(spec, slice_from_cstr(families[i])))
            keep(arena, old_spec, spec, families[i]);
}

static void restrict_to_subresource(struct arena *arena, const struct kind *kind, const char *subresource, const struct json *old,
                                    struct json *object)
{
    if (subresource && strcmp(subresource, "status") == 0) {
        keep(arena, old, object, "spec");
        if (is_kind(kind, "pods"))
            keep(arena, json_get(old, S("metadata")), json_ensure_object(arena, object, "metadata"), "ownerReferences");
    } else if (has_status_subresource(kind)) {
        keep(arena, old, object, "status");
    }
    if (is_kind(kind, "namespaces") && !(subresource && strcmp(subresource, "finalize") == 0))
        keep(arena, old, object, "spec");
    if (is_kind(kind, "services") && !subresource)
        keep_service_addresses(arena, old, object);
    if (is_kind(kind, "secrets"))
        merge_string_data(arena, object);
}

static struct err *check_identity(const struct strategy_context *context, const struct kind *kind, const struct json *old_metadata,
                                  const struct json *metadata)
{
    struct slice name = json_get_text(metadata, "name"), old_name = json_get_text(old_metadata, "name");
    if (name.len == 0)
        return status_bad_request("the name of the object (%.*s based on URL) was undeterminable: name must be provided", SLICE_ARG(old_name));
    if (!slice_eq(name, old_name))
        return status_bad_request("the name of the object (%.*s) does not match the name on the URL (%.*s)", SLICE_ARG(name), SLICE_ARG(old_name));
    TRY(check_namespace(context, kind, metadata));
    struct slice uid = json_get_text(metadata, "uid"), old_uid = json_get_text(old_metadata, "uid");
    if (context->put && uid.len && !slice_eq(uid, old_uid))
        return status_conflict(kind, name, "Precondition failed: UID in precondition: %.*s, UID in object meta: %.*s", SLICE_ARG(uid),
                               SLICE_ARG(old_uid));
    return NULL;
}

/* The part of the object that counts for generation. */
static bool spec_changed(const struct json *old, const struct json *object)
{
    static const char *const parts[] = {"spec", "template"};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        const struct json *a = json_get(old, slice_from_cstr(parts[i])), *b = json_get(object, slice_from_cstr(parts[i]));
        if ((a == NULL) != (b == NULL) || (a && b && !json_equal(a, b)))
            return true;
    }
    return false;
}

struct err *strategy_prepare_update(const struct strategy_context *context, const struct kind *kind, const char *subresource,
                                    const struct json *old, struct json *object)
{
    struct arena *arena = context->arena;
    const struct json *old_metadata = json_get(old, S("metadata"));
    struct json *metadata = json_ensure_object(arena, object, "metadata");
    TRY(check_identity(context, kind, old_metadata, metadata));
    json_remove(metadata, S("resourceVersion"));
    json_remove(metadata, S("selfLink"));
    json_remove(metadata, S("managedFields"));
    keep(arena, old_metadata, metadata, "namespace");
    keep(arena, old_metadata, metadata, "creationTimestamp");
    if (json_get_text(metadata, "uid").len == 0)
        keep(arena, old_metadata, metadata, "uid");
    if (json_get(old_metadata, S("deletionTimestamp")))
        keep(arena, old_metadata, metadata, "deletionTimestamp");
    if (!json_get(metadata, S("deletionGracePeriodSeconds")))
        keep(arena, old_metadata, metadata, "deletionGracePeriodSeconds");
    restrict_to_subresource(arena, kind, subresource, old, object);
    if (is_kind(kind, "pods") && !subresource)
        pod_add_default_tolerations(arena, json_ensure_object(arena, object, "spec"));
    strategy_default(context, kind, object);
    switch (kind->generation) {
    case GENERATION_SPEC:
        keep(arena, old_metadata, metadata, "generation");
        if (spec_changed(old, object))
            json_set_i64(arena, metadata, "generation", json_get_i64(old_metadata, "generation", 0) + 1);
        break;
    case GENERATION_NONE:
        keep(arena, old_metadata, metadata, "generation");
        break;
    }
    return NULL;
}

static bool metadata_equal(const struct json *a, const struct json *b)
{
    JSON_FOREACH (member, a) {
        if (slice_eq(member->key, S("resourceVersion")) || slice_eq(member->key, S("managedFields")))
            continue;
        const struct json *other = json_get(b, member->key);
        if (!other || !json_equal(member, other))
            return false;
    }
    return true;
}

bool strategy_is_unchanged(const struct json *old, const struct json *object)
{
    if (json_count(old) != json_count(object))
        return false;
    JSON_FOREACH (member, old) {
        const struct json *other = json_get(object, member->key);
        if (!other)
            return false;
        if (slice_eq(member->key, S("metadata"))) {
            if (!metadata_equal(member, other) || !metadata_equal(other, member))
                return false;
        } else if (!json_equal(member, other)) {
            return false;
        }
    }
    return true;
}

/* --- Services --- */

bool service_needs_cluster_ip(const struct json *service)
{
    const struct json *spec = json_get(service, S("spec"));
    return !slice_eq(json_get_text(spec, "type"), S("ExternalName")) && json_get_text(spec, "clusterIP").len == 0;
}

void service_set_cluster_ip(struct arena *arena, struct json *service, struct slice ip)
{
    struct json *spec = json_ensure_object(arena, service, "spec"), *all = json_array(arena);
    json_append(all, json_string(arena, slice_dup(arena, ip)));
    json_set_text(arena, spec, "clusterIP", slice_dup(arena, ip));
    json_set(arena, spec, S("clusterIPs"), all);
}

struct json *service_port_without_node_port(const struct json *service)
{
    const struct json *spec = json_get(service, S("spec"));
    struct slice type = json_get_text(spec, "type");
    bool balanced = slice_eq(type, S("LoadBalancer")) && json_get_bool(spec, "allocateLoadBalancerNodePorts", true);
    if (!slice_eq(type, S("NodePort")) && !balanced)
        return NULL;
    JSON_FOREACH (port, json_get(spec, S("ports")))
        if (port->type == JSON_OBJECT && json_get_i64(port, "nodePort", 0) == 0)
            return port;
    return NULL;
}

/* --- token requests --- */

void strategy_default_token_request(struct arena *arena, struct json *request, struct slice server_audience)
{
    struct json *spec = json_ensure_object(arena, request, "spec");
    if (!json_count(json_get(spec, S("audiences"))))
        json_append(json_ensure_array(arena, spec, "audiences"), json_string(arena, server_audience));
    if (!json_get(spec, S("expirationSeconds")))
        json_set_i64(arena, spec, "expirationSeconds", 3600);
    if (!json_get(spec, S("boundObjectRef")))
        json_set(arena, spec, S("boundObjectRef"), json_null(arena));
}

struct err *strategy_validate_token_request(struct arena *arena, const struct json *request)
{
    struct field_errors errors = {.arena = arena};
    const struct json *seconds = JSON_AT(request, "spec", "expirationSeconds");
    int64_t value = json_to_i64(seconds, 3600);
    if (value < 600)
        field_invalid(&errors, S("spec.expirationSeconds"), seconds, "may not specify a duration less than 10 minutes");
    else if (value > (INT64_C(1) << 32))
        field_invalid(&errors, S("spec.expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds");
    return field_errors_to_err_of(&errors, "authentication.k8s.io", "TokenRequest", S(""));
}
