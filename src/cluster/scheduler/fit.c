#include "cluster/scheduler/fit.h"

#include "base/arena.h"
#include "base/strbuf.h"
#include "cluster/apiserver/quantity.h"

#include <stdlib.h>

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Of amounts that are not negative; as much as there can be when it is more. */
static int64_t add64(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static struct machine_amount amount_of(const struct json *cpu, const struct json *memory)
{
    return (struct machine_amount){max64(quantity_json_to_milli(cpu, 0), 0), max64(quantity_json_to_i64(memory, 0), 0)};
}

static struct machine_amount container_request(const struct json *container)
{
    const struct json *resources = JSON_AT(container, "resources");
    const struct json *cpu = JSON_AT(resources, "requests", "cpu"), *memory = JSON_AT(resources, "requests", "memory");
    /* The API server defaults requests to limits; pods from before it did count the same way. */
    if (!cpu)
        cpu = JSON_AT(resources, "limits", "cpu");
    if (!memory)
        memory = JSON_AT(resources, "limits", "memory");
    return amount_of(cpu, memory);
}

struct machine_amount pod_request(const struct json *pod)
{
    struct machine_amount sum = {0}, init = {0};
    JSON_FOREACH(container, JSON_AT(pod, "spec", "containers"))
    {
        struct machine_amount one = container_request(container);
        sum.cpu_millis = add64(sum.cpu_millis, one.cpu_millis);
        sum.memory_bytes = add64(sum.memory_bytes, one.memory_bytes);
    }
    JSON_FOREACH(container, JSON_AT(pod, "spec", "initContainers"))
    {
        struct machine_amount one = container_request(container);
        init.cpu_millis = max64(init.cpu_millis, one.cpu_millis);
        init.memory_bytes = max64(init.memory_bytes, one.memory_bytes);
    }
    struct machine_amount overhead = amount_of(JSON_AT(pod, "spec", "overhead", "cpu"), JSON_AT(pod, "spec", "overhead", "memory"));
    return (struct machine_amount){add64(max64(sum.cpu_millis, init.cpu_millis), overhead.cpu_millis),
                                   add64(max64(sum.memory_bytes, init.memory_bytes), overhead.memory_bytes)};
}

/* ---- selectors ---- */

static bool in_values(const struct json *values, struct slice text)
{
    JSON_FOREACH(value, values)
    {
        if (slice_eq(json_text(value), text))
            return true;
    }
    return false;
}

static bool expression_matches(const struct json *expression, const struct json *labels)
{
    struct slice op = json_get_text(expression, "operator");
    const struct json *values = JSON_AT(expression, "values");
    struct slice label = json_text(json_get(labels, json_get_text(expression, "key")));
    int64_t have, want;
    if (slice_eq(op, S("In")))
        return label.ptr && in_values(values, label);
    if (slice_eq(op, S("NotIn")))
        return !label.ptr || !in_values(values, label);
    if (slice_eq(op, S("Exists")))
        return label.ptr != NULL;
    if (slice_eq(op, S("DoesNotExist")))
        return label.ptr == NULL;
    if (!label.ptr || !slice_to_i64(label, INT64_MIN, INT64_MAX, &have) ||
        !slice_to_i64(json_text(json_item(values, 0)), INT64_MIN, INT64_MAX, &want))
        return false;
    return slice_eq(op, S("Gt")) ? have > want : slice_eq(op, S("Lt")) && have < want;
}

/* Terms are or-ed, the expressions of one are and-ed; an empty term matches nothing. */
static bool affinity_matches(const struct json *pod, const struct json *node)
{
    const struct json *required = JSON_AT(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution");
    if (!required)
        return true;
    JSON_FOREACH(term, JSON_AT(required, "nodeSelectorTerms"))
    {
        const struct json *expressions = JSON_AT(term, "matchExpressions"), *fields = JSON_AT(term, "matchFields");
        bool all = json_count(expressions) + json_count(fields) > 0;
        JSON_FOREACH(expression, expressions)
        {
            all = all && expression_matches(expression, JSON_AT(node, "metadata", "labels"));
        }
        JSON_FOREACH(field, fields) /* metadata.name is the only one */
        {
            bool in = in_values(JSON_AT(field, "values"), json_text(JSON_AT(node, "metadata", "name")));
            all = all && (slice_eq(json_get_text(field, "operator"), S("In")) ? in : !in);
        }
        if (all)
            return true;
    }
    return false;
}

static bool selector_matches(const struct json *pod, const struct json *node)
{
    JSON_FOREACH(pair, JSON_AT(pod, "spec", "nodeSelector"))
    {
        struct slice label = json_text(json_get(JSON_AT(node, "metadata", "labels"), pair->key));
        if (!label.ptr || !slice_eq(label, json_text(pair)))
            return false;
    }
    return affinity_matches(pod, node);
}

static bool tolerates(const struct json *toleration, const struct json *taint)
{
    struct slice key = json_get_text(toleration, "key"), effect = json_get_text(toleration, "effect"), op = json_get_text(toleration, "operator");
    if (effect.len && !slice_eq(effect, json_get_text(taint, "effect")))
        return false;
    if (key.len && !slice_eq(key, json_get_text(taint, "key")))
        return false;
    if (slice_eq(op, S("Exists")))
        return true;
    return key.len && slice_eq(json_get_text(toleration, "value"), json_get_text(taint, "value"));
}

static bool taint_is_tolerated(const struct json *pod, const struct json *taint)
{
    JSON_FOREACH(toleration, JSON_AT(pod, "spec", "tolerations"))
    {
        if (tolerates(toleration, taint))
            return true;
    }
    return false;
}

static bool taints_are_tolerated(const struct json *pod, const struct json *node)
{
    JSON_FOREACH(taint, JSON_AT(node, "spec", "taints"))
    {
        struct slice effect = json_get_text(taint, "effect");
        bool matters = slice_eq(effect, S("NoSchedule")) || slice_eq(effect, S("NoExecute"));
        if (matters && !taint_is_tolerated(pod, taint))
            return false;
    }
    return true;
}

static bool tolerates_unschedulable(struct arena *arena, const struct json *pod)
{
    struct json *taint = json_object(arena);
    json_set_cstr(arena, taint, "key", "node.kubernetes.io/unschedulable");
    json_set_cstr(arena, taint, "effect", "NoSchedule");
    return taint_is_tolerated(pod, taint);
}

enum fit_reason fit_check(const struct json *pod, struct machine_amount request, const struct fit_node *node, struct machine_amount room)
{
    if (json_get_bool(JSON_AT(node->node, "spec"), "unschedulable", false)) {
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        if (!tolerates_unschedulable(arena, pod))
            return FIT_UNSCHEDULABLE;
    }
    if (!taints_are_tolerated(pod, node->node))
        return FIT_TAINT;
    if (!selector_matches(pod, node->node))
        return FIT_SELECTOR;
    return fit_numbers(request, node, room);
}

enum fit_reason fit_numbers(struct machine_amount request, const struct fit_node *node, struct machine_amount room)
{
    if (node->pod_count >= NODE_PODS_MAX)
        return FIT_TOO_MANY_PODS;
    bool cpu = request.cpu_millis > 0 && request.cpu_millis > room.cpu_millis;
    bool memory = request.memory_bytes > 0 && request.memory_bytes > room.memory_bytes;
    return cpu && memory ? FIT_INSUFFICIENT_BOTH : cpu ? FIT_INSUFFICIENT_CPU : memory ? FIT_INSUFFICIENT_MEMORY : FIT_OK;
}

/* ---- words ---- */

/* Sorted as kube-scheduler sorts them: as text, the count in front included. */
static int text_cmp(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static const struct {
    const char *text;
    enum fit_reason reasons[2];
} words[] = {
    {"Insufficient cpu", {FIT_INSUFFICIENT_CPU, FIT_INSUFFICIENT_BOTH}},
    {"Insufficient memory", {FIT_INSUFFICIENT_MEMORY, FIT_INSUFFICIENT_BOTH}},
    {"Too many pods", {FIT_TOO_MANY_PODS, FIT_TOO_MANY_PODS}},
    {"node(s) didn't match Pod's node affinity/selector", {FIT_SELECTOR, FIT_SELECTOR}},
    {"node(s) had untolerated taint(s)", {FIT_TAINT, FIT_TAINT}},
    {"node(s) were unschedulable", {FIT_UNSCHEDULABLE, FIT_UNSCHEDULABLE}},
    {"node(s) didn't match the requested node name", {FIT_NAME, FIT_NAME}},
};

struct slice fit_message(struct arena *arena, const enum fit_reason *reasons, size_t node_count, struct machine_amount request,
                         struct machine_amount allocatable)
{
    if (node_count == 0)
        return S("no nodes available to schedule pods");
    struct slice parts[ARRAY_SIZE(words)];
    size_t part_count = 0, victims = 0;
    /* More than a whole node has: no preemption would help. */
    bool never = request.cpu_millis > allocatable.cpu_millis || request.memory_bytes > allocatable.memory_bytes;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        size_t count = 0;
        for (size_t j = 0; j < node_count; j++)
            count += reasons[j] == words[i].reasons[0] || reasons[j] == words[i].reasons[1];
        if (count)
            parts[part_count++] = slice_fmt(arena, "%zu %s", count, words[i].text);
    }
    for (size_t j = 0; j < node_count; j++) {
        bool resources = reasons[j] == FIT_INSUFFICIENT_CPU || reasons[j] == FIT_INSUFFICIENT_MEMORY ||
                         reasons[j] == FIT_INSUFFICIENT_BOTH || reasons[j] == FIT_TOO_MANY_PODS;
        victims += resources && !never;
    }
    qsort(parts, part_count, sizeof(*parts), text_cmp);
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_fmt(&out, "0/%zu nodes are available: ", node_count);
    for (size_t i = 0; i < part_count; i++)
        strbuf_append_fmt(&out, "%s%.*s", i ? ", " : "", SLICE_ARG(parts[i]));
    strbuf_append_fmt(&out, ". no new claims to deallocate, preemption: 0/%zu nodes are available: ", node_count);
    if (victims)
        strbuf_append_fmt(&out, "%zu No preemption victims found for incoming pod", victims);
    if (victims < node_count)
        strbuf_append_fmt(&out, "%s%zu Preemption is not helpful for scheduling", victims ? ", " : "", node_count - victims);
    strbuf_append_char(&out, '.');
    return strbuf_slice(&out);
}
