#include "runner/pod_status.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/proc.h"
#include "cluster/kubelet/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

const char *pod_phase(const struct pod_state *state)
{
    bool started = false, all_ended = true, all_good = true;
    for (size_t i = 0; i < state->spec->container_count; i++) {
        const struct container *c = &state->containers[i];
        if (c->spec->init)
            continue;
        started |= c->started_at.ms > 0 || c->ended_once;
        bool ended = c->phase == CONTAINER_TERMINATED && c->ended_once;
        all_ended &= ended;
        all_good &= ended && c->end.exit_code == 0;
    }
    if (state->done)
        return all_good && !state->failed ? "Succeeded" : "Failed";
    if (all_ended && all_good && !state->failed && state->spec->restart_policy != RESTART_ALWAYS)
        return "Succeeded";
    return started ? "Running" : "Pending";
}

static struct json *end_json(struct arena *arena, const struct container_end *end)
{
    struct json *json = json_object(arena);
    json_set_cstr(arena, json, "kind", "terminated");
    json_set_i64(arena, json, "exitCode", end->exit_code);
    if (end->signal)
        json_set_i64(arena, json, "signal", end->signal);
    json_set_cstr(arena, json, "reason", end->reason);
    if (end->message)
        json_set_text(arena, json, "message", slice_from_cstr(end->message));
    if (end->started_at.ms)
        json_set_text(arena, json, "startedAt", instant_iso8601_ms(arena, end->started_at));
    json_set_text(arena, json, "finishedAt", instant_iso8601_ms(arena, end->finished_at));
    return json;
}

static struct json *waiting_json(struct arena *arena, const char *reason)
{
    struct json *json = json_object(arena);
    json_set_cstr(arena, json, "kind", "waiting");
    json_set_cstr(arena, json, "reason", reason);
    return json;
}

static struct json *state_json(struct arena *arena, const struct pod_state *state, const struct container *container)
{
    struct json *json;
    switch (container->phase) {
    case CONTAINER_RUNNING:
        json = json_object(arena);
        json_set_cstr(arena, json, "kind", "running");
        json_set_text(arena, json, "startedAt", instant_iso8601_ms(arena, container->started_at));
        json_set_i64(arena, json, "pid", container->sandbox_pid);
        return json;
    case CONTAINER_TERMINATED:
        return end_json(arena, &container->end);
    case CONTAINER_BACKOFF:
        return waiting_json(arena, "CrashLoopBackOff");
    case CONTAINER_WAITING:
    case CONTAINER_FETCHING:
    case CONTAINER_STARTING:
        break;
    }
    bool inits = false;
    for (size_t i = 0; i < state->spec->container_count; i++)
        inits |= state->containers[i].spec->init && !(state->containers[i].ended_once && state->containers[i].end.exit_code == 0);
    return waiting_json(arena, inits ? "PodInitializing" : "ContainerCreating");
}

struct slice pod_status_text(struct arena *arena, const struct pod_state *state)
{
    struct json *json = json_object(arena);
    int64_t ticks = 0;
    proc_start_ticks(getpid(), &ticks);
    json_set_i64(arena, json, "version", WIRE_VERSION);
    json_set_text(arena, json, "podUid", state->spec->pod_uid);
    json_set_i64(arena, json, "pid", getpid());
    json_set_i64(arena, json, "startTicks", ticks);
    json_set_cstr(arena, json, "phase", pod_phase(state));
    /* Not before all processes are gone: whoever reads that a pod has failed gives its room and its address to others. */
    if (state->done && state->reason)
        json_set_cstr(arena, json, "reason", state->reason);
    if (state->done && state->message)
        json_set_cstr(arena, json, "message", state->message);
    json_set_bool(arena, json, "done", state->done);
    struct json *containers = json_array(arena);
    for (size_t i = 0; i < state->spec->container_count; i++) {
        const struct container *c = &state->containers[i];
        struct json *one = json_object(arena);
        json_set_text(arena, one, "name", c->spec->name);
        json_set_bool(arena, one, "init", c->spec->init);
        json_set_i64(arena, one, "restartCount", c->restart_count);
        JSON_SET(arena, one, "state", state_json(arena, state, c));
        if (c->phase != CONTAINER_TERMINATED && c->ended_once)
            JSON_SET(arena, one, "lastState", end_json(arena, &c->end));
        else if (c->phase == CONTAINER_TERMINATED && c->last_end.reason)
            JSON_SET(arena, one, "lastState", end_json(arena, &c->last_end));
        json_append(containers, one);
    }
    JSON_SET(arena, json, "containers", containers);
    return json_to_slice(arena, json);
}

struct err *pod_status_write(struct arena *arena, const struct pod_state *state, struct slice pod_dir)
{
    struct slice path = slice_fmt(arena, "%.*s/" WIRE_STATUS_FILE, SLICE_ARG(pod_dir));
    struct slice fresh = slice_fmt(arena, "%.*s.new", SLICE_ARG(path));
    _cleanup_(fd_closep) int fd = open(fresh.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "cannot write %s", fresh.ptr);
    TRY(fd_write_all(fd, pod_status_text(arena, state)));
    if (rename(fresh.ptr, path.ptr) < 0)
        return err_errno(errno, "cannot rename %s", fresh.ptr);
    return NULL;
}
