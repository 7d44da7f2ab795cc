#include "cluster/apiserver/namespaces.h"
#include "base/arena.h"
#include "base/clock.h"
#include "cluster/apiserver/kinds.h"
#include "cluster/apiserver/status_error.h"

#define ROOT_CA_DESCRIPTION                                                                                                    \
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal "    \
    "service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."

static struct json *new_object(struct arena *arena, const char *kind, struct slice namespace_name, struct slice name)
{
    struct json *object = json_object(arena);
    json_set_cstr(arena, object, "kind", kind);
    json_set_cstr(arena, object, "apiVersion", "v1");
    struct json *metadata = json_ensure_object(arena, object, "metadata");
    json_set_text(arena, metadata, "name", name);
    if (namespace_name.len)
        json_set_text(arena, metadata, "namespace", namespace_name);
    return object;
}

struct err *namespace_fill(struct registry_tx *tx, struct slice ca_pem, struct slice name)
{
    struct arena *arena = registry_tx_arena(tx);
    TRY(registry_tx_create(tx, S("serviceaccounts"), new_object(arena, "ServiceAccount", name, S("default")), NULL));
    struct json *authority = new_object(arena, "ConfigMap", name, S("kube-root-ca.crt"));
    json_set_cstr(arena, json_ensure_object(arena, json_get(authority, S("metadata")), "annotations"), "kubernetes.io/description",
                  ROOT_CA_DESCRIPTION);
    json_set_text(arena, json_ensure_object(arena, authority, "data"), "ca.crt", ca_pem);
    return registry_tx_create(tx, S("configmaps"), authority, NULL);
}

/* ---- what every cluster has ---- */

struct bootstrap {
    struct slice ca_pem, address;
    int port;
};

static struct err *make_namespace(struct registry_tx *tx, struct slice ca_pem, struct slice name)
{
    struct arena *arena = registry_tx_arena(tx);
    if (registry_tx_exists(tx, S("namespaces"), S(""), name))
        return NULL;
    struct json *object = new_object(arena, "Namespace", S(""), name);
    json_set_text(arena, json_ensure_object(arena, json_get(object, S("metadata")), "labels"), "kubernetes.io/metadata.name", name);
    json_append(json_ensure_array(arena, json_ensure_object(arena, object, "spec"), "finalizers"), json_cstr(arena, "kubernetes"));
    json_set_cstr(arena, json_ensure_object(arena, object, "status"), "phase", "Active");
    TRY(registry_tx_create(tx, S("namespaces"), object, NULL));
    return namespace_fill(tx, ca_pem, name);
}

/* Clients inside reach the API server by its own address: no packet is ever translated here. */
static void service_spec(struct arena *arena, struct json *object, const struct bootstrap *bootstrap)
{
    struct json *spec = json_object(arena);
    json_set_text(arena, spec, "clusterIP", bootstrap->address);
    json_append(json_ensure_array(arena, spec, "clusterIPs"), json_string(arena, bootstrap->address));
    json_set_cstr(arena, spec, "internalTrafficPolicy", "Cluster");
    json_append(json_ensure_array(arena, spec, "ipFamilies"), json_cstr(arena, "IPv4"));
    json_set_cstr(arena, spec, "ipFamilyPolicy", "SingleStack");
    struct json *port = json_object(arena);
    json_set_cstr(arena, port, "name", "https");
    json_set_i64(arena, port, "port", bootstrap->port);
    json_set_cstr(arena, port, "protocol", "TCP");
    json_set_i64(arena, port, "targetPort", bootstrap->port);
    json_append(json_ensure_array(arena, spec, "ports"), port);
    json_set_cstr(arena, spec, "sessionAffinity", "None");
    json_set_cstr(arena, spec, "type", "ClusterIP");
    JSON_SET(arena, object, "spec", spec);
}

static struct err *point_service(void *ctx, struct arena *arena, struct json *object)
{
    service_spec(arena, object, ctx);
    return NULL;
}

static struct err *renew_authority(void *ctx, struct arena *arena, struct json *object)
{
    const struct bootstrap *bootstrap = ctx;
    json_set_text(arena, json_ensure_object(arena, object, "data"), "ca.crt", bootstrap->ca_pem);
    return NULL;
}

static struct err *bootstrap_in_tx(struct registry_tx *tx, void *ctx)
{
    static const char *const names[] = {"default", "kube-system", "kube-public", "kube-node-lease"};
    struct bootstrap *bootstrap = ctx;
    struct arena *arena = registry_tx_arena(tx);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        TRY(make_namespace(tx, bootstrap->ca_pem, slice_from_cstr(names[i])));
    if (registry_tx_exists(tx, S("services"), S("default"), S("kubernetes")))
        return registry_tx_update(tx, S("services"), S("default"), S("kubernetes"), point_service, bootstrap, NULL);
    struct json *service = new_object(arena, "Service", S("default"), S("kubernetes"));
    struct json *labels = json_ensure_object(arena, json_get(service, S("metadata")), "labels");
    json_set_cstr(arena, labels, "component", "apiserver");
    json_set_cstr(arena, labels, "provider", "kubernetes");
    service_spec(arena, service, bootstrap);
    json_ensure_object(arena, json_ensure_object(arena, service, "status"), "loadBalancer");
    return registry_tx_create(tx, S("services"), service, NULL);
}

struct err *namespaces_bootstrap(struct registry *registry, struct slice ca_pem, struct slice address, int port)
{
    struct bootstrap bootstrap = {.ca_pem = ca_pem, .address = address, .port = port};
    TRY(registry_write(registry, bootstrap_in_tx, &bootstrap));
    /* The certificate authority lives as long as the cluster; this mends namespaces whose ConfigMap was edited. */
    struct object_list namespaces;
    registry_list(registry, S("namespaces"), SLICE_NONE, &namespaces);
    struct err *e = NULL;
    for (size_t i = 0; i < namespaces.count && !e; i++) {
        e = registry_update(registry, S("configmaps"), namespaces.items[i]->name, S("kube-root-ca.crt"), renew_authority, &bootstrap, NULL);
        if (e && e->kind == ERR_NOT_FOUND) {
            err_free(e);
            e = NULL;
        }
    }
    object_list_deinit(&namespaces);
    return e;
}

/* ---- the end of a namespace ---- */

struct remains {
    struct arena *arena;
    struct strbuf resources; /* "configmaps. has 1 resource instances, …" */
    struct json *finalizers; /* name: count */
};

static void count_finalizers(struct remains *remains, const struct object *object)
{
    struct json *json = object_json(remains->arena, object);
    JSON_FOREACH (finalizer, JSON_AT(json, "metadata", "finalizers")) {
        const char *name = slice_cstr(remains->arena, json_text(finalizer));
        json_set_i64(remains->arena, remains->finalizers, name, json_get_i64(remains->finalizers, name, 0) + 1);
    }
}

static struct err *reap_resource(struct registry *registry, const struct kind *kind, struct slice namespace_name, struct remains *remains)
{
    struct slice resource = slice_from_cstr(kind->resource);
    struct object_list list;
    registry_list(registry, resource, namespace_name, &list);
    struct err *e = NULL;
    size_t left = 0;
    for (size_t i = 0; i < list.count && !e; i++) {
        struct delete_result result = {0};
        e = registry_delete(registry, resource, namespace_name, list.items[i]->name, NULL, &result);
        if (!e && !result.removed) {
            left++;
            if (result.object->has_finalizers)
                count_finalizers(remains, result.object);
        }
        if (e && e->kind == ERR_NOT_FOUND) {
            err_free(e);
            e = NULL;
        }
        object_unref(result.object);
    }
    object_list_deinit(&list);
    if (left)
        strbuf_append_fmt(&remains->resources, "%s%s.%s has %zu resource instances", remains->resources.len ? ", " : "", kind->resource,
                          kind->group, left);
    return e;
}

struct condition {
    const char *type, *reason;
    bool holds;
    struct slice message;
};

static void set_condition(struct arena *arena, struct json *conditions, const struct condition *condition)
{
    const char *status = condition->holds ? "True" : "False";
    JSON_FOREACH (old, conditions)
        if (slice_eq(json_get_text(old, "type"), slice_from_cstr(condition->type))) {
            if (!slice_eq(json_get_text(old, "status"), slice_from_cstr(status)))
                json_set_text(arena, old, "lastTransitionTime", instant_iso8601(arena, instant_now()));
            json_set_cstr(arena, old, "status", status);
            json_set_cstr(arena, old, "reason", condition->reason);
            json_set_text(arena, old, "message", condition->message);
            return;
        }
    struct json *fresh = json_object(arena);
    json_set_cstr(arena, fresh, "type", condition->type);
    json_set_cstr(arena, fresh, "status", status);
    json_set_text(arena, fresh, "lastTransitionTime", instant_iso8601(arena, instant_now()));
    json_set_cstr(arena, fresh, "reason", condition->reason);
    json_set_text(arena, fresh, "message", condition->message);
    json_append(conditions, fresh);
}

static struct err *tell_conditions(void *ctx, struct arena *arena, struct json *object)
{
    const struct remains *remains = ctx;
    bool left = remains->resources.len > 0;
    bool held = json_count(remains->finalizers) > 0;
    struct strbuf holders = STRBUF_ARENA(arena);
    JSON_FOREACH (finalizer, remains->finalizers)
        strbuf_append_fmt(&holders, "%s%.*s in %.*s resource instances", holders.len ? ", " : "", SLICE_ARG(finalizer->key),
                          SLICE_ARG(finalizer->text));
    const struct condition conditions[] = {
        {"NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", false, S("All resources successfully discovered")},
        {"NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", false, S("All legacy kube types successfully parsed")},
        {"NamespaceDeletionContentFailure", "ContentDeleted", false, S("All content successfully deleted, may be waiting on finalization")},
        {"NamespaceContentRemaining", left ? "SomeResourcesRemain" : "ContentRemoved", left,
         left ? slice_fmt(arena, "Some resources are remaining: %.*s", SLICE_ARG(strbuf_slice(&remains->resources)))
              : S("All content successfully removed")},
        {"NamespaceFinalizersRemaining", held ? "SomeFinalizersRemain" : "ContentHasNoFinalizers", held,
         held ? slice_fmt(arena, "Some content in the namespace has finalizers remaining: %.*s", SLICE_ARG(strbuf_slice(&holders)))
              : S("All content-preserving finalizers finished")},
    };
    struct json *list = json_ensure_array(arena, json_ensure_object(arena, object, "status"), "conditions");
    for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
        set_condition(arena, list, &conditions[i]);
    return NULL;
}

static struct err *drop_finalizer(void *ctx, struct arena *arena, struct json *object)
{
    struct json *finalizers = JSON_AT(object, "spec", "finalizers");
    struct json *next;
    for (struct json *f = finalizers ? finalizers->first : NULL; f; f = next) {
        next = f->next;
        if (slice_eq(json_text(f), S("kubernetes")))
            json_unlink(finalizers, f);
    }
    return NULL;
}

static struct err *reap(struct registry *registry, struct slice name, struct remains *remains)
{
    for (size_t i = 0; i < kinds_count; i++) {
        const struct kind *kind = &kinds[i];
        if (!kind->namespaced || !kind->stored_as || !kind->resource[0])
            continue;
        struct slice group = slice_from_cstr(kind->group);
        struct slice stored = slice_from_cstr(kind->stored_as);
        if (slice_starts_with(stored, group) && stored.ptr[group.len] == '/') /* not a second view of the same objects */
            TRY(reap_resource(registry, kind, name, remains));
    }
    TRY(registry_update(registry, S("namespaces"), S(""), name, tell_conditions, remains, NULL));
    if (remains->resources.len)
        return NULL;
    return registry_update(registry, S("namespaces"), S(""), name, drop_finalizer, NULL, NULL);
}

struct err *namespace_reap(struct registry *registry, struct slice name)
{
    struct arena *arena = arena_new();
    struct remains remains = {.arena = arena, .resources = STRBUF_ARENA(arena), .finalizers = json_object(arena)};
    struct err *e = reap(registry, name, &remains);
    if (e && e->kind == ERR_NOT_FOUND) { /* gone meanwhile: what was wanted */
        err_free(e);
        e = NULL;
    }
    arena_free(arena);
    return e;
}
