#include "cluster/apiserver/admission.h"
#include "cluster/apiserver/limit_range.h"
#include "cluster/apiserver/server_internal.h"
#include "cluster/apiserver/strategy.h"

/* ---- namespaces ---- */

struct err *admit_namespace(struct registry_tx *tx, const struct kind *kind, struct slice namespace_name, struct slice name)
{
    if (!kind->namespaced)
        return NULL;
    struct json *namespace_object;
    TRY(registry_tx_get(tx, S("namespaces"), S(""), namespace_name, &namespace_object));
    if (!namespace_object)
        return status_not_found(kind_find(S(""), S("v1"), S("namespaces")), namespace_name);
    if (JSON_AT(namespace_object, "metadata", "deletionTimestamp"))
        return status_namespace_terminating(kind, name, namespace_name);
    return NULL;
}

struct err *admit_namespace_seen(struct apiserver *server, const struct kind *kind, struct slice namespace_name, struct slice name)
{
    if (!kind->namespaced)
        return NULL;
    _cleanup_(object_unrefp) struct object *space = NULL;
    TRY(registry_get(server->registry, S("namespaces"), S(""), namespace_name, &space));
    return space->deleting ? status_namespace_terminating(kind, name, namespace_name) : NULL;
}

/* ---- pods ---- */

static struct json *limit_ranges_of(struct apiserver *server, struct arena *arena, struct slice namespace_name)
{
    struct object_list list;
    struct json *ranges = json_array(arena);
    registry_list(server->registry, S("limitranges"), namespace_name, &list);
    for (size_t i = 0; i < list.count; i++)
        json_append(ranges, object_json(arena, list.items[i]));
    object_list_deinit(&list);
    return ranges;
}

struct err *admit_limits(struct apiserver *server, struct arena *arena, const struct kind *kind, const struct json *object)
{
    bool limited = slice_eq(slice_from_cstr(kind->resource), S("pods")) || slice_eq(slice_from_cstr(kind->resource), S("persistentvolumeclaims"));
    if (!limited)
        return NULL;
    return limit_range_check(arena, limit_ranges_of(server, arena, json_text(JSON_AT(object, "metadata", "namespace"))), kind, object);
}

struct err *admit_create(struct apiserver *server, const struct strategy_context *context, const struct kind *kind, struct json *object)
{
    if (!slice_eq(slice_from_cstr(kind->resource), S("pods")))
        return NULL;
    _cleanup_(object_unrefp) struct object *stored = NULL;
    struct slice namespace_name = json_text(JSON_AT(object, "metadata", "namespace"));
    struct err *e = registry_get(server->registry, S("serviceaccounts"), namespace_name, pod_service_account_name(object), &stored);
    if (e && e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    TRY(strategy_admit_pod(context, object, stored ? object_json(context->arena, stored) : NULL));
    limit_range_apply(context->arena, limit_ranges_of(server, context->arena, namespace_name), object);
    return NULL;
}

/* ---- service addresses ---- */

enum { SERVICE_NET = 240 << 8, SERVICE_COUNT = 4094 }; /* 127.N.240.1 … 127.N.255.254 */

static bool address_taken(const struct object_list *services, struct slice address)
{
    for (size_t i = 0; i < services->count; i++)
        if (slice_eq(object_field(services->items[i], "spec", "clusterIP"), address))
            return true;
    return false;
}

struct err *admit_service_address(struct apiserver *server, struct arena *arena, const struct kind *kind, struct json *object)
{
    if (!slice_eq(slice_from_cstr(kind->resource), S("services")))
        return NULL;
    struct json *spec = json_ensure_object(arena, object, "spec");
    if (json_get_text(spec, "clusterIP").len || slice_eq(json_get_text(spec, "type"), S("ExternalName")))
        return NULL;
    struct object_list services;
    registry_list(server->registry, S("services"), SLICE_NONE, &services);
    struct slice address = SLICE_NONE;
    for (unsigned i = 0; i < SERVICE_COUNT && !address.len; i++) {
        /* Each attempt takes another number, so two creations at once never choose the same. */
        unsigned offset = SERVICE_NET + 1 + atomic_fetch_add(&server->next_service_ip, 1) % SERVICE_COUNT;
        struct slice candidate = slice_fmt(arena, "127.%d.%u.%u", server->options.network, offset >> 8, offset & 255);
        if (!address_taken(&services, candidate))
            address = candidate;
    }
    object_list_deinit(&services);
    if (!address.len)
        return status_internal("failed to allocate a serviceIP: range is full");
    json_set_text(arena, spec, "clusterIP", address);
    struct json *addresses = json_array(arena);
    json_append(addresses, json_string(arena, address));
    JSON_SET(arena, spec, "clusterIPs", addresses);
    return NULL;
}
