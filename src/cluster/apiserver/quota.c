#include "cluster/apiserver/quota.h"
#include "base/arena.h"
#include "base/strbuf.h"
#include "cluster/apiserver/amounts.h"
#include "cluster/apiserver/status_error.h"
#include "cluster/apiserver/strategy.h"
#include <string.h>

#define ONE ((struct quantity){.nano = 1000000000, .format = QUANTITY_DECIMAL_SI})

static bool is(const struct kind *kind, const char *resource)
{
    return kind->group[0] == '\0' && strcmp(kind->resource, resource) == 0;
}

static bool is_counted(const struct kind *kind)
{
    return kind->namespaced && kind->stored_as && kind->resource[0] && strcmp(kind->resource, "events") != 0;
}

/* ---- which kind a name of a quota counts ---- */

static bool is_compute(struct slice name)
{
    return slice_eq(name, S("cpu")) || slice_eq(name, S("memory")) || slice_eq(name, S("ephemeral-storage"));
}

static bool is_of_pods(struct slice name)
{
    struct slice prefixes[] = {S("requests."), S("limits.")};
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (slice_starts_with(name, prefixes[i]))
            return !slice_eq(name, S("requests.storage"));
    return is_compute(name) || slice_eq(name, S("pods")) || slice_starts_with(name, S("hugepages-"));
}

static bool is_counted_by(struct arena *arena, const struct kind *kind, struct slice name)
{
    if (slice_starts_with(name, S("count/")))
        return slice_eq(slice_from(name, 6), kind_qualified_resource(arena, kind));
    if (is(kind, "pods"))
        return is_of_pods(name);
    if (is(kind, "services"))
        return slice_eq(name, S("services")) || slice_eq(name, S("services.nodeports")) || slice_eq(name, S("services.loadbalancers"));
    if (is(kind, "persistentvolumeclaims"))
        return slice_eq(name, S("persistentvolumeclaims")) || slice_eq(name, S("requests.storage"));
    bool has_own_name = is(kind, "configmaps") || is(kind, "secrets") || is(kind, "resourcequotas");
    return has_own_name && slice_eq(name, slice_from_cstr(kind->resource));
}

/* ---- what one object uses ---- */

static bool pod_has_ended(const struct json *pod)
{
    struct slice phase = json_text(JSON_AT(pod, "status", "phase"));
    return slice_eq(phase, S("Succeeded")) || slice_eq(phase, S("Failed"));
}

static void add_compute(struct arena *arena, const struct amounts *requests, const struct amounts *limits, struct amounts *use)
{
    for (size_t i = 0; i < requests->count; i++) {
        struct slice name = requests->items[i].name;
        if (is_compute(name) || slice_starts_with(name, S("hugepages-")))
            amounts_add(use, name, requests->items[i].value);
        amounts_add(use, slice_fmt(arena, "requests.%.*s", SLICE_ARG(name)), requests->items[i].value);
    }
    for (size_t i = 0; i < limits->count; i++)
        if (is_compute(limits->items[i].name))
            amounts_add(use, slice_fmt(arena, "limits.%.*s", SLICE_ARG(limits->items[i].name)), limits->items[i].value);
}

static void add_pod(const struct json *pod, struct amounts *use)
{
    struct amounts requests = {.arena = use->arena}, limits = {.arena = use->arena};
    if (pod_has_ended(pod))
        return;
    amounts_add(use, S("pods"), ONE);
    pod_amounts(pod, "requests", &requests);
    pod_amounts(pod, "limits", &limits);
    add_compute(use->arena, &requests, &limits, use);
}

static void add_service(const struct json *service, struct amounts *use)
{
    struct slice type = json_text(JSON_AT(service, "spec", "type"));
    bool balancer = slice_eq(type, S("LoadBalancer"));
    amounts_add(use, S("services"), ONE);
    if (balancer)
        amounts_add(use, S("services.loadbalancers"), ONE);
    if (balancer || slice_eq(type, S("NodePort")))
        JSON_FOREACH (port, JSON_AT(service, "spec", "ports"))
            amounts_add(use, S("services.nodeports"), ONE);
}

static void add_claim(const struct json *claim, struct amounts *use)
{
    struct quantity storage;
    const struct json *asked = JSON_AT(claim, "spec", "resources", "requests", "storage");
    amounts_add(use, S("persistentvolumeclaims"), ONE);
    if (asked && quantity_parse(asked->text, &storage))
        amounts_add(use, S("requests.storage"), storage);
}

/* Everything but its own name where it has one is count/RESOURCE, of pods that have ended too. */
static void add_use(const struct kind *kind, const struct json *object, struct amounts *use)
{
    struct slice count = slice_fmt(use->arena, "count/%.*s", SLICE_ARG(kind_qualified_resource(use->arena, kind)));
    amounts_add(use, count, ONE);
    if (is(kind, "pods"))
        add_pod(object, use);
    else if (is(kind, "services"))
        add_service(object, use);
    else if (is(kind, "persistentvolumeclaims"))
        add_claim(object, use);
    else
        amounts_add(use, slice_from_cstr(kind->resource), ONE);
}

/* ---- scopes ---- */

static bool is_in(const struct json *values, struct slice text)
{
    JSON_FOREACH (value, values)
        if (slice_eq(json_text(value), text))
            return true;
    return false;
}

/* What is no scope of ours (cross-namespace affinity, say) holds for no pod. */
static bool scope_holds(struct slice scope, const struct json *expression, const struct json *pod)
{
    bool ends = JSON_AT(pod, "spec", "activeDeadlineSeconds") != NULL;
    if (slice_eq(scope, S("Terminating")))
        return ends;
    if (slice_eq(scope, S("NotTerminating")))
        return !ends;
    if (slice_eq(scope, S("BestEffort")))
        return slice_eq(pod_qos_class(pod), S("BestEffort"));
    if (slice_eq(scope, S("NotBestEffort")))
        return !slice_eq(pod_qos_class(pod), S("BestEffort"));
    if (!slice_eq(scope, S("PriorityClass")))
        return false;
    struct slice class = json_text(JSON_AT(pod, "spec", "priorityClassName")), op = json_get_text(expression, "operator");
    const struct json *values = json_get(expression, S("values"));
    if (slice_eq(op, S("In")))
        return class.len && is_in(values, class);
    if (slice_eq(op, S("NotIn")))
        return !is_in(values, class);
    if (slice_eq(op, S("DoesNotExist")))
        return !class.len;
    return class.len > 0;
}

static bool scopes_hold(const struct json *quota, const struct kind *kind, const struct json *object)
{
    const struct json *scopes = JSON_AT(quota, "spec", "scopes"), *expressions = JSON_AT(quota, "spec", "scopeSelector", "matchExpressions");
    if (!is(kind, "pods"))
        return !json_count(scopes) && !json_count(expressions);
    JSON_FOREACH (scope, scopes)
        if (!scope_holds(json_text(scope), NULL, object))
            return false;
    JSON_FOREACH (expression, expressions)
        if (!scope_holds(json_get_text(expression, "scopeName"), expression, object))
            return false;
    return true;
}

static bool counts_any(struct arena *arena, const struct json *hard, const struct kind *kind)
{
    JSON_FOREACH (limit, hard)
        if (is_counted_by(arena, kind, limit->key))
            return true;
    return false;
}

/* ---- admission ---- */

/* Names that each container must give a value for, where a quota limits them. */
static bool must_be_given(struct slice name)
{
    static const char *const names[] = {"cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (slice_eq(name, slice_from_cstr(names[i])))
            return true;
    return false;
}

static bool container_gives(struct arena *arena, const struct json *container, struct slice name)
{
    struct amounts requests = {.arena = arena}, limits = {.arena = arena}, use = {.arena = arena};
    amounts_add_json(&requests, JSON_AT(container, "resources", "requests"));
    amounts_add_json(&limits, JSON_AT(container, "resources", "limits"));
    add_compute(arena, &requests, &limits, &use);
    return amounts_get(&use, name) != NULL;
}

/* "c,d", sorted: the containers that say nothing about name. */
static struct slice silent_containers(struct arena *arena, const struct json *pod, struct slice name)
{
    static const char *const lists[] = {"containers", "initContainers"};
    struct amounts silent = {.arena = arena}; /* for its order */
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        JSON_FOREACH (container, json_get(json_get(pod, S("spec")), slice_from_cstr(lists[i])))
            if (!container_gives(arena, container, name))
                amounts_add(&silent, json_get_text(container, "name"), ONE);
    for (size_t i = 0; i < silent.count; i++)
        strbuf_append_fmt(&out, "%s%.*s", i ? "," : "", SLICE_ARG(silent.items[i].name));
    return silent.count ? strbuf_slice(&out) : SLICE_NONE;
}

struct admission {
    struct arena *arena;
    const struct kind *kind;
    const struct json *object;
    struct slice name; /* the object's */
    struct amounts use;
};

static struct err *check_given(const struct admission *a, const struct json *quota)
{
    struct strbuf missing = STRBUF_ARENA(a->arena);
    JSON_FOREACH (limit, JSON_AT(quota, "status", "hard")) {
        struct slice silent = must_be_given(limit->key) ? silent_containers(a->arena, a->object, limit->key) : SLICE_NONE;
        if (silent.len)
            strbuf_append_fmt(&missing, "%s%.*s for: %.*s", missing.len ? "; " : "", SLICE_ARG(limit->key), SLICE_ARG(silent));
    }
    if (!missing.len)
        return NULL;
    struct slice quota_name = json_text(JSON_AT(quota, "metadata", "name"));
    return status_forbidden(a->kind, a->name, "failed quota: %.*s: must specify %.*s", SLICE_ARG(quota_name), SLICE_ARG(strbuf_slice(&missing)));
}

static void append_pair(struct strbuf *out, struct slice name, struct slice value)
{
    strbuf_append_fmt(out, "%s%.*s=%.*s", out->len ? "," : "", SLICE_ARG(name), SLICE_ARG(value));
}

static struct err *check_room(const struct admission *a, const struct json *quota)
{
    struct strbuf requested = STRBUF_ARENA(a->arena), used = STRBUF_ARENA(a->arena), limited = STRBUF_ARENA(a->arena);
    JSON_FOREACH (limit, JSON_AT(quota, "status", "hard")) {
        const struct quantity *more = amounts_get(&a->use, limit->key);
        const struct json *now = json_get(JSON_AT(quota, "status", "used"), limit->key);
        struct quantity have = {0}, most;
        if (!more || !more->nano || !is_counted_by(a->arena, a->kind, limit->key) || !quantity_parse(limit->text, &most))
            continue;
        if (now && !quantity_parse(now->text, &have))
            continue;
        if (quantity_cmp(quantity_add(have, *more), most) <= 0)
            continue;
        append_pair(&requested, limit->key, quantity_to_text(a->arena, *more));
        append_pair(&used, limit->key, quantity_to_text(a->arena, have));
        append_pair(&limited, limit->key, quantity_to_text(a->arena, most));
    }
    if (!requested.len)
        return NULL;
    struct slice quota_name = json_text(JSON_AT(quota, "metadata", "name"));
    return status_forbidden(a->kind, a->name, "exceeded quota: %.*s, requested: %.*s, used: %.*s, limited: %.*s", SLICE_ARG(quota_name),
                            SLICE_ARG(strbuf_slice(&requested)), SLICE_ARG(strbuf_slice(&used)), SLICE_ARG(strbuf_slice(&limited)));
}

struct err *quota_admit(struct registry_tx *tx, const struct kind *kind, const struct json *object)
{
    struct admission a = {.arena = registry_tx_arena(tx), .kind = kind, .object = object};
    struct json *quotas;
    if (!is_counted(kind))
        return NULL;
    TRY(registry_tx_list(tx, S("resourcequotas"), json_text(JSON_AT(object, "metadata", "namespace")), &quotas));
    a.name = json_text(JSON_AT(object, "metadata", "name"));
    a.use.arena = a.arena;
    if (quotas->first)
        add_use(kind, object, &a.use);
    for (int step = 0; step < 2; step++)
        JSON_FOREACH (quota, quotas) {
            if (!counts_any(a.arena, JSON_AT(quota, "status", "hard"), kind) || !scopes_hold(quota, kind, object))
                continue;
            if (step == 1)
                TRY(check_room(&a, quota));
            else if (is(kind, "pods"))
                TRY(check_given(&a, quota));
        }
    return NULL;
}

/* ---- status.used ---- */

/* What all objects of one kind in the namespace use. */
static struct err *add_use_of_all(struct registry_tx *tx, const struct json *quota, const struct kind *kind, struct slice namespace_name,
                                  struct amounts *use)
{
    struct json *objects;
    TRY(registry_tx_list(tx, slice_from_cstr(kind->resource), namespace_name, &objects));
    JSON_FOREACH (object, objects)
        if (scopes_hold(quota, kind, object))
            add_use(kind, object, use);
    return NULL;
}

static struct err *put_status(void *ctx, struct arena *arena, struct json *quota)
{
    JSON_SET(arena, quota, "status", json_clone(arena, ctx));
    return NULL;
}

static struct err *count_anew(struct registry_tx *tx, const struct json *quota)
{
    struct arena *arena = registry_tx_arena(tx);
    const struct json *hard = JSON_AT(quota, "spec", "hard");
    struct slice namespace_name = json_text(JSON_AT(quota, "metadata", "namespace"));
    struct amounts use = {.arena = arena}, known = {.arena = arena};
    for (size_t k = 0; k < kinds_count; k++) {
        if (!is_counted(&kinds[k]) || !counts_any(arena, hard, &kinds[k]))
            continue;
        TRY(add_use_of_all(tx, quota, &kinds[k], namespace_name, &use));
        JSON_FOREACH (limit, hard)
            if (is_counted_by(arena, &kinds[k], limit->key))
                amounts_raise(&known, limit->key, (struct quantity){0});
    }
    struct json *status = json_object(arena), *used = json_object(arena);
    JSON_FOREACH (limit, hard) {
        const struct quantity *sum = amounts_get(&use, limit->key);
        if (amounts_get(&known, limit->key))
            json_set(arena, used, limit->key, json_string(arena, quantity_to_text(arena, sum ? *sum : (struct quantity){0})));
    }
    if (hard) {
        JSON_SET(arena, status, "hard", json_clone(arena, hard));
        JSON_SET(arena, status, "used", used);
    }
    return registry_tx_update(tx, S("resourcequotas"), namespace_name, json_text(JSON_AT(quota, "metadata", "name")), put_status, status, NULL);
}

/* May this change what quotas count? Of pods only their end counts: what they ask for stays. */
static bool concerns_quotas(const struct registry_event *change)
{
    const struct object *object = change->object;
    if (!object->namespace_name.len || slice_eq(object->resource, S("events")))
        return false;
    if (change->type != REGISTRY_MODIFIED)
        return true;
    struct slice phase = slice_eq(object->resource, S("pods")) ? object_field(object, "status", "phase") : SLICE_NONE;
    return slice_eq(phase, S("Succeeded")) || slice_eq(phase, S("Failed")) || slice_eq(object->resource, S("resourcequotas")) ||
           slice_eq(object->resource, S("services")) || slice_eq(object->resource, S("persistentvolumeclaims"));
}

static bool was_seen(struct registry_tx *tx, size_t number)
{
    struct slice name = registry_tx_change(tx, number)->object->namespace_name;
    for (size_t i = 0; i < number; i++)
        if (concerns_quotas(registry_tx_change(tx, i)) && slice_eq(registry_tx_change(tx, i)->object->namespace_name, name))
            return true;
    return false;
}

struct err *quota_settle(struct registry_tx *tx)
{
    size_t count = registry_tx_change_count(tx); /* those that this makes itself come behind */
    for (size_t i = 0; i < count; i++) {
        if (!concerns_quotas(registry_tx_change(tx, i)) || was_seen(tx, i))
            continue;
        struct json *quotas;
        TRY(registry_tx_list(tx, S("resourcequotas"), registry_tx_change(tx, i)->object->namespace_name, &quotas));
        JSON_FOREACH (quota, quotas)
            TRY(count_anew(tx, quota));
    }
    return NULL;
}
