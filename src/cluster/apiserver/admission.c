#include "cluster/apiserver/admission.h"
#include "cluster/apiserver/server_internal.h"
#include "cluster/apiserver/strategy.h"
#include <string.h>

/* Services get addresses of 127.N.240.0/20; .240.0 itself is left out. */
#define SERVICE_ADDRESSES 4096

static bool is_core(const struct kind *kind, const char *resource)
{
    return kind->group[0] == '\0' && strcmp(kind->resource, resource) == 0;
}

static const struct kind *namespaces_kind(void)
{
    return kind_find(S(""), S("v1"), S("namespaces"));
}

/* Before anything else is looked at, so that a pod in a missing namespace hears of that and not of its service account. */
static struct err *check_namespace(struct registry *registry, const struct kind *kind, struct slice namespace_name, struct slice name)
{
    _cleanup_(object_unrefp) struct object *object = NULL;
    struct err *e = registry_get(registry, S("namespaces"), SLICE_NONE, namespace_name, &object);
    if (e) {
        err_free(e);
        return status_not_found(namespaces_kind(), namespace_name);
    }
    return object->deleting ? status_namespace_terminating(kind, name, namespace_name) : NULL;
}

static struct err *admit_pod(struct apiserver *server, struct arena *arena, struct slice namespace_name, struct json *pod)
{
    struct strategy_context context = {.arena = arena, .now = instant_now(), .namespace_name = namespace_name};
    _cleanup_(object_unrefp) struct object *account = NULL;
    struct err *e = registry_get(server->registry, S("serviceaccounts"), namespace_name, pod_service_account_name(pod), &account);
    err_free(e);
    return strategy_admit_pod(&context, pod, account ? object_json(arena, account) : NULL);
}

struct err *admit_create(struct apiserver *server, struct arena *arena, const struct kind *kind, struct json *object)
{
    const struct json *metadata = json_get(object, S("metadata"));
    struct slice namespace_name = json_get_text(metadata, "namespace");
    if (kind->namespaced)
        TRY(check_namespace(server->registry, kind, namespace_name, json_get_text(metadata, "name")));
    return is_core(kind, "pods") ? admit_pod(server, arena, namespace_name, object) : NULL;
}

struct err *admit_namespace(struct registry_tx *tx, const struct kind *kind, struct slice namespace_name, struct slice name)
{
    struct json *object = NULL;
    if (!kind->namespaced)
        return NULL;
    TRY(registry_tx_get(tx, S("namespaces"), SLICE_NONE, namespace_name, &object));
    if (!object)
        return status_not_found(namespaces_kind(), namespace_name);
    return JSON_AT(object, "metadata", "deletionTimestamp") ? status_namespace_terminating(kind, name, namespace_name) : NULL;
}

static bool address_is_taken(struct registry *registry, struct slice ip)
{
    struct object_list services;
    registry_list(registry, S("services"), SLICE_NONE, &services);
    bool taken = false;
    for (size_t i = 0; i < services.count && !taken; i++)
        taken = slice_eq(object_field(services.items[i], "spec", "clusterIP"), ip);
    object_list_deinit(&services);
    return taken;
}

static struct err *refuse_address(struct arena *arena, const struct kind *kind, const struct json *service, struct slice ip, const char *why)
{
    struct field_errors errors = {.arena = arena};
    struct json *ips = json_array(arena);
    json_append(ips, json_string(arena, ip));
    field_invalid(&errors, S("spec.clusterIPs"), ips, "failed to allocate IP %.*s: %s", SLICE_ARG(ip), why);
    return field_errors_to_err(&errors, kind, json_text(JSON_AT(service, "metadata", "name")));
}

/* 127.N.240.1 to 127.N.255.255. */
static bool is_service_address(int network, struct slice ip)
{
    struct slice rest = ip;
    int64_t parts[4] = {0};
    for (size_t i = 0; i < 4; i++)
        if (!rest.ptr || !slice_to_i64(slice_cut(&rest, '.'), 0, 255, &parts[i]))
            return false;
    return !rest.ptr && parts[0] == 127 && parts[1] == network && parts[2] >= 240;
}

struct err *admit_service_address(struct apiserver *server, struct arena *arena, const struct kind *kind, struct json *object)
{
    if (!is_core(kind, "services"))
        return NULL;
    struct slice given = json_text(JSON_AT(object, "spec", "clusterIP"));
    if (given.len && !slice_eq(given, S("None"))) {
        if (!is_service_address(server->options.network, given))
            return refuse_address(arena, kind, object, given, "the provided IP is not in the valid range");
        return address_is_taken(server->registry, given) ? refuse_address(arena, kind, object, given, "provided IP is already allocated") : NULL;
    }
    if (!service_needs_cluster_ip(object))
        return NULL;
    for (int i = 0; i < SERVICE_ADDRESSES; i++) {
        unsigned offset = atomic_fetch_add(&server->next_service_ip, 1) % SERVICE_ADDRESSES;
        if (offset == 0)
            continue;
        struct slice ip = slice_fmt(arena, "127.%d.%u.%u", server->options.network, 240 + offset / 256, offset % 256);
        if (!address_is_taken(server->registry, ip)) {
            service_set_cluster_ip(arena, object, ip);
            return NULL;
        }
    }
    return status_internal("failed to allocate a serviceIP: range is full");
}
