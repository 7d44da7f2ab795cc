/* table_pod: READY, STATUS and RESTARTS of a pod, as Kubernetes's printers make them (pkg/printers/internalversion, printPod);
 * recorded with 38 forged pods in table-pod-status. */
#include "base/arena.h"
#include "cluster/apiserver/table_internal.h"

/* An init container that goes on running beside the others. */
static bool is_sidecar(const struct json *pod, struct slice name)
{
    JSON_FOREACH (container, JSON_AT(pod, "spec", "initContainers"))
        if (slice_eq(json_get_text(container, "name"), name))
            return slice_eq(json_get_text(container, "restartPolicy"), S("Always"));
    return false;
}

struct restarts {
    int64_t count, sidecar_count;
    struct slice last, sidecar_last; /* when a container ended last; absent: never */
};

static void note_end(const struct json *status, struct slice *last)
{
    struct slice finished = json_text(JSON_AT(status, "lastState", "terminated", "finishedAt"));
    struct instant a, b;
    if (instant_parse_iso8601(finished, &a) && (!last->ptr || (instant_parse_iso8601(*last, &b) && a.ms > b.ms)))
        *last = finished;
}

static bool has_condition(const struct json *pod, const char *type)
{
    JSON_FOREACH (condition, JSON_AT(pod, "status", "conditions"))
        if (slice_eq(json_get_text(condition, "type"), slice_from_cstr(type)))
            return slice_eq(json_get_text(condition, "status"), S("True"));
    return false;
}

/* "Signal:9" or "ExitCode:1", where a terminated state has no reason. */
static struct slice exit_text(struct arena *arena, const char *prefix, const struct json *terminated)
{
    int64_t sig = json_get_i64(terminated, "signal", 0);
    if (sig)
        return slice_fmt(arena, "%sSignal:%lld", prefix, (long long)sig);
    return slice_fmt(arena, "%sExitCode:%lld", prefix, (long long)json_get_i64(terminated, "exitCode", 0));
}

/* True, and the text, while an init container is not done. */
static bool init_reason(struct arena *arena, const struct json *pod, struct restarts *restarts, int64_t *ready, struct slice *reason)
{
    size_t index = 0, total = json_count(JSON_AT(pod, "spec", "initContainers"));
    *restarts = (struct restarts){0};
    JSON_FOREACH (status, JSON_AT(pod, "status", "initContainerStatuses")) {
        const struct json *state = json_get(status, S("state")), *terminated = json_get(state, S("terminated")),
                          *waiting = json_get(state, S("waiting"));
        bool sidecar = is_sidecar(pod, json_get_text(status, "name"));
        restarts->count += json_get_i64(status, "restartCount", 0);
        note_end(status, &restarts->last);
        if (sidecar) {
            restarts->sidecar_count += json_get_i64(status, "restartCount", 0);
            note_end(status, &restarts->sidecar_last);
        }
        size_t at = index++;
        if (terminated && json_get_i64(terminated, "exitCode", 0) == 0)
            continue;
        if (sidecar && json_get_bool(status, "started", false)) {
            *ready += json_get_bool(status, "ready", false) ? 1 : 0;
            continue;
        }
        struct slice why = json_get_text(terminated ? terminated : waiting, "reason");
        if (terminated && why.len == 0)
            *reason = exit_text(arena, "Init:", terminated);
        else if (terminated || (waiting && why.len && !slice_eq(why, S("PodInitializing"))))
            *reason = slice_fmt(arena, "Init:%.*s", SLICE_ARG(why));
        else
            *reason = slice_fmt(arena, "Init:%zu/%zu", at, total);
        return true;
    }
    return false;
}

static void main_reason(struct arena *arena, const struct json *pod, struct restarts *restarts, int64_t *ready, struct slice *reason)
{
    const struct json *statuses = JSON_AT(pod, "status", "containerStatuses");
    bool running = false, found = false;
    *restarts = (struct restarts){.count = restarts->sidecar_count, .last = restarts->sidecar_last};
    /* From last to first, the later word wins: so the first container that has one. */
    JSON_FOREACH (status, statuses) {
        const struct json *state = json_get(status, S("state")), *terminated = json_get(state, S("terminated")),
                          *waiting = json_get(state, S("waiting"));
        struct slice why = SLICE_NONE;
        restarts->count += json_get_i64(status, "restartCount", 0);
        note_end(status, &restarts->last);
        if (json_get_text(waiting, "reason").len)
            why = json_get_text(waiting, "reason");
        else if (json_get_text(terminated, "reason").len)
            why = json_get_text(terminated, "reason");
        else if (terminated)
            why = exit_text(arena, "", terminated);
        else if (json_get_bool(status, "ready", false) && json_get(state, S("running"))) {
            running = true;
            ++*ready;
        }
        if (why.ptr && !found) {
            found = true;
            *reason = why;
        }
    }
    if (slice_eq(*reason, S("Completed")) && running)
        *reason = has_condition(pod, "Ready") ? S("Running") : S("NotReady");
}

static bool is_ended(struct slice phase)
{
    return slice_eq(phase, S("Succeeded")) || slice_eq(phase, S("Failed"));
}

static struct slice pod_reason(struct arena *arena, const struct json *pod, struct restarts *restarts, int64_t *ready)
{
    const struct json *status = json_get(pod, S("status"));
    struct slice phase = json_get_text(status, "phase"), why = json_get_text(status, "reason");
    struct slice reason = why.len ? why : phase;
    JSON_FOREACH (condition, json_get(status, S("conditions")))
        if (slice_eq(json_get_text(condition, "type"), S("PodScheduled")) &&
            slice_eq(json_get_text(condition, "reason"), S("SchedulingGated")))
            reason = S("SchedulingGated");
    if (!init_reason(arena, pod, restarts, ready, &reason) || has_condition(pod, "Initialized"))
        main_reason(arena, pod, restarts, ready, &reason);
    if (JSON_AT(pod, "metadata", "deletionTimestamp")) {
        if (slice_eq(why, S("NodeLost")))
            reason = S("Unknown");
        else if (!is_ended(phase))
            reason = S("Terminating");
    }
    return reason;
}

static struct slice gates_text(struct arena *arena, const struct json *pod)
{
    size_t total = 0, met = 0;
    JSON_FOREACH (gate, JSON_AT(pod, "spec", "readinessGates")) {
        total++;
        JSON_FOREACH (condition, JSON_AT(pod, "status", "conditions"))
            if (slice_eq(json_get_text(condition, "type"), json_get_text(gate, "conditionType")))
                met += slice_eq(json_get_text(condition, "status"), S("True")) ? 1 : 0;
    }
    return total ? slice_fmt(arena, "%zu/%zu", met, total) : S("<none>");
}

void table_pod_row(struct arena *arena, const struct json *pod, struct instant now, struct json *cells)
{
    const struct json *spec = json_get(pod, S("spec")), *status = json_get(pod, S("status"));
    struct restarts restarts = {0};
    int64_t ready = 0;
    struct slice reason = pod_reason(arena, pod, &restarts, &ready);
    size_t total = json_count(json_get(spec, S("containers")));
    JSON_FOREACH (container, json_get(spec, S("initContainers")))
        total += slice_eq(json_get_text(container, "restartPolicy"), S("Always")) ? 1 : 0;
    struct slice count = slice_fmt(arena, "%lld", (long long)restarts.count);
    if (restarts.count && restarts.last.ptr)
        count = slice_fmt(arena, "%.*s (%.*s ago)", SLICE_ARG(count), SLICE_ARG(age_text(arena, restarts.last, now)));
    const struct json *ips = json_get(status, S("podIPs"));
    struct slice ip = ips && ips->first ? json_get_text(ips->first, "ip") : json_get_text(status, "podIP");

    cell_text(arena, cells, json_text(JSON_AT(pod, "metadata", "name")));
    cell_text(arena, cells, slice_fmt(arena, "%lld/%zu", (long long)ready, total));
    cell_text(arena, cells, reason);
    cell_text(arena, cells, count);
    cell_age(arena, cells, pod, now);
    cell_text_or(arena, cells, ip, "<none>");
    cell_text_or(arena, cells, json_get_text(spec, "nodeName"), "<none>");
    cell_text_or(arena, cells, json_get_text(status, "nominatedNodeName"), "<none>");
    cell_text(arena, cells, gates_text(arena, pod));
}

struct json *table_pod_conditions(struct arena *arena, const struct json *pod)
{
    struct slice phase = json_text(JSON_AT(pod, "status", "phase"));
    if (!is_ended(phase))
        return NULL;
    struct json *conditions = json_array(arena), *condition = json_object(arena);
    json_set_cstr(arena, condition, "type", "Completed");
    json_set_cstr(arena, condition, "status", "True");
    json_set_text(arena, condition, "reason", phase);
    json_set_cstr(arena, condition, "message",
                  slice_eq(phase, S("Failed")) ? "The pod failed." : "The pod has completed successfully.");
    json_append(conditions, condition);
    return conditions;
}
