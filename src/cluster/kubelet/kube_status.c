#include "cluster/kubelet/kube_status.h"

#include "base/arena.h"

#include <string.h>

/* 2026-11-21T21:10:00.123Z -> 2026-11-21T21:10:00Z: Kubernetes's times have seconds. */
static struct slice to_seconds(struct arena *arena, struct slice time)
{
    struct instant t;
    return instant_parse_iso8601(time, &t) ? instant_iso8601(arena, t) : time;
}

static const struct json *named(const struct json *list, const char *member, struct slice name)
{
    JSON_FOREACH(item, list)
    {
        if (slice_eq(json_get_text(item, member), name))
            return item;
    }
    return NULL;
}

/* ---- containers ---- */

static void put_time(struct arena *arena, struct json *state, const struct json *from, const char *key)
{
    struct slice time = json_get_text(from, key);
    if (time.len)
        json_set_text(arena, state, key, to_seconds(arena, time));
    else
        json_set(arena, state, slice_from_cstr(key), json_null(arena));
}

/* STATE of status.json -> {running: {…}} */
static struct json *state_of(struct arena *arena, const struct json *from, struct slice container_id)
{
    struct json *state = json_object(arena), *inner = json_object(arena);
    struct slice kind = json_get_text(from, "kind"), message = json_get_text(from, "message");
    if (slice_eq(kind, S("running"))) {
        put_time(arena, inner, from, "startedAt");
        JSON_SET(arena, state, "running", inner);
    } else if (slice_eq(kind, S("terminated"))) {
        json_set_i64(arena, inner, "exitCode", json_get_i64(from, "exitCode", 0));
        json_set_text(arena, inner, "reason", json_get_text(from, "reason"));
        if (message.len)
            json_set_text(arena, inner, "message", message);
        put_time(arena, inner, from, "startedAt");
        put_time(arena, inner, from, "finishedAt");
        json_set_text(arena, inner, "containerID", container_id);
        JSON_SET(arena, state, "terminated", inner);
    } else {
        json_set_text(arena, inner, "reason", json_get_text(from, "reason"));
        if (message.len)
            json_set_text(arena, inner, "message", message);
        JSON_SET(arena, state, "waiting", inner);
    }
    return state;
}

static struct json *lost_state(struct arena *arena)
{
    struct json *state = json_object(arena);
    json_set_cstr(arena, state, "kind", "terminated");
    json_set_i64(arena, state, "exitCode", 137);
    json_set_cstr(arena, state, "reason", "ContainerStatusUnknown");
    json_set_cstr(arena, state, "message", "The container could not be located when the pod was terminated");
    return state;
}

static struct json *waiting_state(struct arena *arena, const struct kube_status_input *input, struct slice name)
{
    struct json *state = json_object(arena);
    bool its = input->waiting_reason && (!input->waiting_container.len || slice_eq(input->waiting_container, name));
    bool inits = json_count(JSON_AT(input->pod, "spec", "initContainers")) > 0;
    json_set_cstr(arena, state, "kind", "waiting");
    json_set_cstr(arena, state, "reason", its ? input->waiting_reason : inits ? "PodInitializing" : "ContainerCreating");
    if (its && input->waiting_message.len)
        json_set_text(arena, state, "message", input->waiting_message);
    return state;
}

static struct json *container_status(struct arena *arena, const struct kube_status_input *input, const struct json *spec, bool init)
{
    struct slice name = json_get_text(spec, "name"), image = json_get_text(spec, "image");
    const struct json *run = named(JSON_AT(input->run, "containers"), "name", name), *state = JSON_AT(run, "state");
    int64_t restarts = json_get_i64(run, "restartCount", 0);
    bool ended = slice_eq(json_get_text(state, "kind"), S("terminated")), running = slice_eq(json_get_text(state, "kind"), S("running"));
    if (input->lost && !ended) {
        state = lost_state(arena);
        running = false;
        ended = true;
    } else if (!state) {
        state = waiting_state(arena, input, name);
    }
    struct slice id = slice_fmt(arena, "ember://%.*s/%.*s/%lld", SLICE_ARG(json_text(JSON_AT(input->pod, "metadata", "uid"))),
                                SLICE_ARG(name), (long long)restarts);
    struct json *out = json_object(arena);
    json_set_text(arena, out, "name", name);
    JSON_SET(arena, out, "state", state_of(arena, state, id));
    JSON_SET(arena, out, "lastState", JSON_AT(run, "lastState") ? state_of(arena, JSON_AT(run, "lastState"), id) : json_object(arena));
    bool good = ended && json_get_i64(state, "exitCode", 1) == 0;
    json_set_bool(arena, out, "ready", init ? good : running);
    json_set_i64(arena, out, "restartCount", restarts);
    json_set_text(arena, out, "image", image);
    json_set_text(arena, out, "imageID", running || ended ? slice_fmt(arena, "ember://%.*s", SLICE_ARG(image)) : S(""));
    if (running || ended)
        json_set_text(arena, out, "containerID", id);
    json_set_bool(arena, out, "started", running);
    return out;
}

static struct json *container_statuses(struct arena *arena, const struct kube_status_input *input, const char *list, bool init)
{
    struct json *out = json_array(arena);
    JSON_FOREACH(spec, json_get(JSON_AT(input->pod, "spec"), slice_from_cstr(list)))
    {
        json_append(out, container_status(arena, input, spec, init));
    }
    return out;
}

static bool all_ready(const struct json *statuses)
{
    JSON_FOREACH(status, statuses)
    {
        if (!json_get_bool(status, "ready", false))
            return false;
    }
    return json_count(statuses) > 0;
}

/* ---- conditions ---- */

static void add_condition(struct arena *arena, const struct kube_status_input *input, struct json *conditions, const char *type, bool value,
                          const char *reason, struct slice message)
{
    const struct json *old = named(JSON_AT(input->pod, "status", "conditions"), "type", slice_from_cstr(type));
    const struct json *generation = JSON_AT(input->pod, "metadata", "generation");
    struct json *condition = json_object(arena);
    json_set_cstr(arena, condition, "type", type);
    if (generation)
        JSON_SET(arena, condition, "observedGeneration", json_clone(arena, generation));
    json_set_cstr(arena, condition, "status", value ? "True" : "False");
    JSON_SET(arena, condition, "lastProbeTime", json_null(arena));
    bool same = old && slice_eq(json_get_text(old, "status"), json_get_text(condition, "status"));
    json_set_text(arena, condition, "lastTransitionTime",
                  same ? slice_dup(arena, json_get_text(old, "lastTransitionTime")) : instant_iso8601(arena, instant_now()));
    if (reason)
        json_set_cstr(arena, condition, "reason", reason);
    if (message.len)
        json_set_text(arena, condition, "message", message);
    json_append(conditions, condition);
}

/* "containers with unready status: [a b]" */
static struct slice unready_message(struct arena *arena, const struct json *statuses, const char *what)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_fmt(&out, "containers with %s status: [", what);
    bool first = true;
    JSON_FOREACH(status, statuses)
    {
        if (json_get_bool(status, "ready", false))
            continue;
        strbuf_append_fmt(&out, "%s%.*s", first ? "" : " ", SLICE_ARG(json_get_text(status, "name")));
        first = false;
    }
    strbuf_append_char(&out, ']');
    return strbuf_slice(&out);
}

static struct json *make_conditions(struct arena *arena, const struct kube_status_input *input, struct slice phase, const struct json *inits,
                                    const struct json *containers)
{
    struct json *conditions = json_array(arena);
    bool over = slice_eq(phase, S("Succeeded")) || slice_eq(phase, S("Failed")), good = slice_eq(phase, S("Succeeded"));
    bool initialized = json_count(inits) == 0 || all_ready(inits), ready = !over && all_ready(containers);
    const char *why = ready ? NULL : good ? "PodCompleted" : slice_eq(phase, S("Failed")) ? "PodFailed" : "ContainersNotReady";
    struct slice message = ready || over ? SLICE_NONE : unready_message(arena, containers, "unready");
    add_condition(arena, input, conditions, "PodReadyToStartContainers", input->run && !over, NULL, SLICE_NONE);
    add_condition(arena, input, conditions, "Initialized", initialized || good, initialized ? (good ? "PodCompleted" : NULL) : "ContainersNotInitialized",
                  initialized || good ? SLICE_NONE : unready_message(arena, inits, "incomplete"));
    add_condition(arena, input, conditions, "Ready", ready, why, message);
    add_condition(arena, input, conditions, "ContainersReady", ready, why, message);
    JSON_FOREACH(old, JSON_AT(input->pod, "status", "conditions"))
    {
        if (!named(conditions, "type", json_get_text(old, "type")))
            json_append(conditions, json_clone(arena, old));
    }
    return conditions;
}

/* ---- the whole ---- */

static void put_address(struct arena *arena, struct json *status, const char *one, const char *many, struct slice ip)
{
    if (!ip.len)
        return;
    struct json *list = json_array(arena), *item = json_object(arena);
    json_set_text(arena, status, one, ip);
    json_set_text(arena, item, "ip", ip);
    json_append(list, item);
    json_set(arena, status, slice_from_cstr(many), list);
}

/* One of Kubernetes's phases, whatever the supervisor (of another version, or half written) says. */
static struct slice phase_of(const struct json *run)
{
    static const struct slice phases[] = {S_INIT("Pending"), S_INIT("Running"), S_INIT("Succeeded"), S_INIT("Failed")};
    struct slice phase = json_get_text(run, "phase");
    return slice_is_one_of(phase, phases, ARRAY_SIZE(phases)) ? phase : S("Pending");
}

struct json *kube_status_make(struct arena *arena, const struct kube_status_input *input)
{
    const struct json *old = JSON_AT(input->pod, "status");
    struct json *status = json_object(arena);
    struct slice phase = input->lost ? S("Failed") : phase_of(input->run);
    struct json *inits = container_statuses(arena, input, "initContainers", true);
    struct json *containers = container_statuses(arena, input, "containers", false);
    if (JSON_AT(input->pod, "metadata", "generation"))
        JSON_SET(arena, status, "observedGeneration", json_clone(arena, JSON_AT(input->pod, "metadata", "generation")));
    json_set_text(arena, status, "phase", phase);
    JSON_SET(arena, status, "conditions", make_conditions(arena, input, phase, inits, containers));
    struct slice message = json_get_text(input->run, "message"), reason = json_get_text(input->run, "reason");
    if (input->lost) {
        reason = S("Error");
        message = S("The pod's supervisor ended without a last word");
    }
    if (message.len)
        json_set_text(arena, status, "message", message);
    if (reason.len)
        json_set_text(arena, status, "reason", reason);
    put_address(arena, status, "hostIP", "hostIPs", input->host_ip);
    put_address(arena, status, "podIP", "podIPs", input->pod_ip);
    struct slice start = json_get_text(old, "startTime");
    json_set_text(arena, status, "startTime", start.len ? slice_dup(arena, start) : instant_iso8601(arena, instant_now()));
    if (json_count(inits))
        JSON_SET(arena, status, "initContainerStatuses", inits);
    JSON_SET(arena, status, "containerStatuses", containers);
    if (json_get_text(old, "qosClass").len)
        json_set_text(arena, status, "qosClass", slice_dup(arena, json_get_text(old, "qosClass")));
    return status;
}
