#include "cluster/apiserver/limit_range.h"
#include "base/arena.h"
#include "base/strbuf.h"
#include "cluster/apiserver/amounts.h"
#include "cluster/apiserver/status_error.h"
#include <string.h>

static bool is_type(const struct json *limit, const char *type)
{
    return slice_eq(json_get_text(limit, "type"), slice_from_cstr(type));
}

/* ---- defaults ---- */

/* Names that were set, "cpu, memory", each once. */
static struct slice fill(struct arena *arena, const struct json *from, struct json *container, const char *member, const struct json *also)
{
    struct strbuf set = STRBUF_ARENA(arena);
    JSON_FOREACH (amount, from) {
        struct json *resources = json_ensure_object(arena, container, "resources");
        if (json_get(json_get(resources, slice_from_cstr(member)), amount->key) || json_get(also, amount->key))
            continue;
        json_set(arena, json_ensure_object(arena, resources, member), amount->key, json_clone(arena, amount));
        strbuf_append_fmt(&set, "%s%.*s", set.len ? ", " : "", SLICE_ARG(amount->key));
    }
    return set.len ? strbuf_slice(&set) : SLICE_NONE;
}

/* The defaults of all ranges as one object: of two that name the same the later wins. */
static struct json *defaults_of(struct arena *arena, const struct json *ranges, const char *member)
{
    struct json *all = json_object(arena);
    JSON_FOREACH (range, ranges)
        JSON_FOREACH (limit, JSON_AT(range, "spec", "limits"))
            if (is_type(limit, "Container"))
                JSON_FOREACH (amount, json_get(limit, slice_from_cstr(member)))
                    json_set(arena, all, amount->key, json_clone(arena, amount));
    return all;
}

static void append_note(struct strbuf *notes, struct slice set, const char *what, const char *role, const struct json *container)
{
    if (set.len)
        strbuf_append_fmt(notes, "%s%.*s %s for %s %.*s", notes->len ? "; " : "", SLICE_ARG(set), what, role,
                          SLICE_ARG(json_get_text(container, "name")));
}

void limit_range_apply(struct arena *arena, const struct json *ranges, struct json *pod)
{
    static const struct {
        const char *list, *role;
    } lists[] = {{"containers", "container"}, {"initContainers", "init container"}};
    const struct json *limits = defaults_of(arena, ranges, "default"), *requests = defaults_of(arena, ranges, "defaultRequest");
    struct strbuf notes = STRBUF_ARENA(arena);
    if (!limits->first && !requests->first)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        JSON_FOREACH (container, json_get(json_get(pod, S("spec")), slice_from_cstr(lists[i].list))) {
            if (!json_is(container, JSON_OBJECT))
                continue;
            /* By the time of Kubernetes's plugin a limit of the container's own is its request too. */
            const struct json *own = JSON_AT(container, "resources", "limits");
            struct slice requested = fill(arena, requests, container, "requests", own), limited = fill(arena, limits, container, "limits", NULL);
            append_note(&notes, requested, "request", lists[i].role, container);
            append_note(&notes, limited, "limit", lists[i].role, container);
        }
    if (!notes.len)
        return;
    struct json *annotations = json_ensure_object(arena, json_ensure_object(arena, pod, "metadata"), "annotations");
    json_set(arena, annotations, S("kubernetes.io/limit-ranger"),
             json_string(arena, slice_fmt(arena, "LimitRanger plugin set: %.*s", SLICE_ARG(strbuf_slice(&notes)))));
}

/* ---- checks ---- */

struct check {
    struct arena *arena;
    const char *type; /* "Container" */
    const struct json *limit;
    struct amounts requests, limits;
    struct json *complaints; /* array of texts */
};

__attribute__((format(printf, 2, 3))) static void complain(struct check *check, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct strbuf text = STRBUF_ARENA(check->arena);
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    JSON_FOREACH (other, check->complaints)
        if (slice_eq(json_text(other), strbuf_slice(&text)))
            return;
    json_append(check->complaints, json_string(check->arena, strbuf_slice(&text)));
}

enum bound { MINIMUM, MAXIMUM };

static bool breaks(enum bound bound, const struct quantity *value, struct quantity enforced)
{
    int order = quantity_cmp(*value, enforced);
    return bound == MINIMUM ? order < 0 : order > 0;
}

/* first: what must be there and fit; second: what must fit if it is there. */
static void check_bound(struct check *check, enum bound bound, bool requests_first)
{
    static const char *const words[] = {"request", "limit"}, *const bounds[] = {"minimum", "maximum"}, *const members[] = {"min", "max"};
    JSON_FOREACH (amount, json_get(check->limit, slice_from_cstr(members[bound]))) {
        struct quantity enforced;
        if (!quantity_parse(amount->text, &enforced))
            continue;
        struct slice text = quantity_to_text(check->arena, enforced);
        const struct quantity *values[] = {amounts_get(&check->requests, amount->key), amounts_get(&check->limits, amount->key)};
        int first = requests_first ? 0 : 1, second = 1 - first;
        const struct quantity *bad = values[first] && breaks(bound, values[first], enforced)     ? values[first]
                                     : values[second] && breaks(bound, values[second], enforced) ? values[second]
                                                                                                  : NULL;
        if (!values[first])
            complain(check, "%s %.*s usage per %s is %.*s.  No %s is specified", bounds[bound], SLICE_ARG(amount->key), check->type, SLICE_ARG(text),
                     words[first]);
        else if (bad)
            complain(check, "%s %.*s usage per %s is %.*s, but %s is %.*s", bounds[bound], SLICE_ARG(amount->key), check->type, SLICE_ARG(text),
                     bad == values[0] ? words[0] : words[1], SLICE_ARG(quantity_to_text(check->arena, *bad)));
    }
}

static void check_ratio(struct check *check)
{
    JSON_FOREACH (amount, json_get(check->limit, S("maxLimitRequestRatio"))) {
        struct quantity most;
        const struct quantity *request = amounts_get(&check->requests, amount->key), *limit = amounts_get(&check->limits, amount->key);
        if (!quantity_parse(amount->text, &most))
            continue;
        struct slice text = quantity_to_text(check->arena, most);
        if (!request || !request->nano)
            complain(check, "%.*s max limit to request ratio per %s is %.*s, but no request is specified or request is 0", SLICE_ARG(amount->key),
                     check->type, SLICE_ARG(text));
        else if (!limit || !limit->nano)
            complain(check, "%.*s max limit to request ratio per %s is %.*s, but no limit is specified or limit is 0", SLICE_ARG(amount->key),
                     check->type, SLICE_ARG(text));
        else if ((double)limit->nano / (double)request->nano > (double)most.nano / 1e9)
            complain(check, "%.*s max limit to request ratio per %s is %.*s, but provided ratio is %f", SLICE_ARG(amount->key), check->type,
                     SLICE_ARG(text), (double)limit->nano / (double)request->nano);
    }
}

static void check_amounts(struct check *check)
{
    check_bound(check, MINIMUM, true);
    check_bound(check, MAXIMUM, false);
    check_ratio(check);
}

static struct check check_of(struct arena *arena, const char *type, const struct json *limit, struct json *complaints)
{
    return (struct check){.arena = arena, .type = type, .limit = limit, .requests = {.arena = arena}, .limits = {.arena = arena}, .complaints = complaints};
}

static void check_pod(struct arena *arena, const struct json *limit, const struct json *pod, struct json *complaints)
{
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t i = 0; i < ARRAY_SIZE(lists) && is_type(limit, "Container"); i++)
        JSON_FOREACH (container, json_get(json_get(pod, S("spec")), slice_from_cstr(lists[i]))) {
            struct check check = check_of(arena, "Container", limit, complaints);
            amounts_add_json(&check.requests, JSON_AT(container, "resources", "requests"));
            amounts_add_json(&check.limits, JSON_AT(container, "resources", "limits"));
            check_amounts(&check);
        }
    if (!is_type(limit, "Pod"))
        return;
    struct check check = check_of(arena, "Pod", limit, complaints);
    pod_amounts(pod, "requests", &check.requests);
    pod_amounts(pod, "limits", &check.limits);
    check_amounts(&check);
}

/* A claim has requests only. */
static void check_claim(struct arena *arena, const struct json *limit, const struct json *claim, struct json *complaints)
{
    if (!is_type(limit, "PersistentVolumeClaim"))
        return;
    struct check check = check_of(arena, "PersistentVolumeClaim", limit, complaints);
    amounts_add_json(&check.requests, JSON_AT(claim, "spec", "resources", "requests"));
    check_bound(&check, MINIMUM, true);
    check_bound(&check, MAXIMUM, true);
}

struct err *limit_range_check(struct arena *arena, const struct json *ranges, const struct kind *kind, const struct json *object)
{
    /* The first range that is broken is told. */
    JSON_FOREACH (range, ranges) {
        struct json *complaints = json_array(arena);
        JSON_FOREACH (limit, JSON_AT(range, "spec", "limits")) {
            if (strcmp(kind->resource, "pods") == 0)
                check_pod(arena, limit, object, complaints);
            else
                check_claim(arena, limit, object, complaints);
        }
        if (!complaints->first)
            continue;
        struct strbuf text = STRBUF_ARENA(arena);
        bool several = json_count(complaints) > 1;
        JSON_FOREACH (complaint, complaints)
            strbuf_append_fmt(&text, "%s%.*s", complaint != complaints->first ? ", " : several ? "[" : "", SLICE_ARG(json_text(complaint)));
        return status_forbidden(kind, json_text(JSON_AT(object, "metadata", "name")), "%.*s%s", SLICE_ARG(strbuf_slice(&text)), several ? "]" : "");
    }
    return NULL;
}
