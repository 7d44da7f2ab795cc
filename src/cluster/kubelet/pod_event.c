#include "cluster/kubelet/pod_event.h"

#include "base/arena.h"
#include "base/clock.h"

#include <time.h>
#include <unistd.h>

static struct slice micro_time(struct arena *arena)
{
    struct timespec now;
    struct tm tm;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    return slice_fmt(arena, "%.*s.%06ldZ", (int)n, text, now.tv_nsec / 1000);
}

/* POD.HEX16: the same for the same remark about the same pod, so that a repetition finds it. */
static struct slice event_name(struct arena *arena, const struct object *pod, const struct pod_event *event)
{
    struct slice all = slice_fmt(arena, "%.*s/%s/%s/%.*s/%.*s", SLICE_ARG(pod->uid), event->type, event->reason,
                                 SLICE_ARG(event->container), SLICE_ARG(event->message));
    return slice_fmt(arena, "%.*s.%016llx", SLICE_ARG(pod->name), (unsigned long long)slice_hash(all));
}

static struct json *involved_object(struct arena *arena, const struct object *pod, const struct pod_event *event)
{
    struct json *involved = json_object(arena);
    json_set_cstr(arena, involved, "kind", "Pod");
    json_set_text(arena, involved, "namespace", pod->namespace_name);
    json_set_text(arena, involved, "name", pod->name);
    json_set_text(arena, involved, "uid", pod->uid);
    json_set_cstr(arena, involved, "apiVersion", "v1");
    json_set_text(arena, involved, "resourceVersion", slice_fmt(arena, "%lld", (long long)pod->revision));
    if (event->container.len)
        json_set_text(arena, involved, "fieldPath",
                      slice_fmt(arena, event->init_container ? "spec.initContainers{%.*s}" : "spec.containers{%.*s}",
                                SLICE_ARG(event->container)));
    return involved;
}

static struct json *event_json(struct arena *arena, const struct object *pod, const struct pod_event *event)
{
    struct json *json = json_object(arena), *metadata = json_object(arena), *source = json_object(arena);
    json_set_cstr(arena, json, "kind", "Event");
    json_set_cstr(arena, json, "apiVersion", "v1");
    json_set_text(arena, metadata, "name", event_name(arena, pod, event));
    json_set_text(arena, metadata, "namespace", pod->namespace_name);
    JSON_SET(arena, json, "metadata", metadata);
    JSON_SET(arena, json, "involvedObject", involved_object(arena, pod, event));
    json_set_cstr(arena, json, "reason", event->reason);
    json_set_text(arena, json, "message", event->message);
    JSON_SET(arena, json, "source", source);
    switch (event->source) {
    case POD_EVENT_SCHEDULER:
        JSON_SET(arena, json, "firstTimestamp", json_null(arena));
        JSON_SET(arena, json, "lastTimestamp", json_null(arena));
        json_set_cstr(arena, json, "type", event->type);
        json_set_text(arena, json, "eventTime", micro_time(arena));
        json_set_cstr(arena, json, "action", event->type[0] == 'W' ? "Scheduling" : "Binding");
        json_set_cstr(arena, json, "reportingComponent", "default-scheduler");
        json_set_cstr(arena, json, "reportingInstance", "default-scheduler-ember");
        break;
    case POD_EVENT_KUBELET:
        json_set_cstr(arena, source, "component", "kubelet");
        json_set_text(arena, source, "host", event->node);
        json_set_text(arena, json, "firstTimestamp", instant_iso8601(arena, instant_now()));
        json_set_text(arena, json, "lastTimestamp", instant_iso8601(arena, instant_now()));
        json_set_i64(arena, json, "count", 1);
        json_set_cstr(arena, json, "type", event->type);
        JSON_SET(arena, json, "eventTime", json_null(arena));
        json_set_cstr(arena, json, "reportingComponent", "kubelet");
        json_set_text(arena, json, "reportingInstance", event->node);
        break;
    }
    return json;
}

static struct err *count_up(void *ctx, struct arena *arena, struct json *object)
{
    const struct pod_event *event = ctx;
    switch (event->source) {
    case POD_EVENT_SCHEDULER: {
        struct json *series = json_ensure_object(arena, object, "series");
        json_set_i64(arena, series, "count", json_get_i64(series, "count", 1) + 1);
        json_set_text(arena, series, "lastObservedTime", micro_time(arena));
        break;
    }
    case POD_EVENT_KUBELET:
        json_set_i64(arena, object, "count", json_get_i64(object, "count", 1) + 1);
        json_set_text(arena, object, "lastTimestamp", instant_iso8601(arena, instant_now()));
        break;
    }
    return NULL;
}

struct err *pod_event_post_tx(struct registry_tx *tx, const struct object *pod, const struct pod_event *event)
{
    struct arena *arena = registry_tx_arena(tx);
    struct slice name = event_name(arena, pod, event);
    struct pod_event mine = *event;
    if (registry_tx_exists(tx, S("events"), pod->namespace_name, name))
        return registry_tx_update(tx, S("events"), pod->namespace_name, name, count_up, &mine, NULL);
    return registry_tx_create(tx, S("events"), event_json(arena, pod, event), NULL);
}

struct post {
    const struct object *pod;
    const struct pod_event *event;
};

static struct err *post_in_tx(struct registry_tx *tx, void *ctx)
{
    const struct post *post = ctx;
    return pod_event_post_tx(tx, post->pod, post->event);
}

void pod_event_post(struct registry *registry, const struct object *pod, const struct pod_event *event)
{
    struct post post = {pod, event};
    struct err *e = registry_write(registry, post_in_tx, &post);
    err_free(e);
}
