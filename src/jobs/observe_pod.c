/* A pod as the API server shows it -> what of it matters to a run. */
#include "base/arena.h"
#include "jobs/observe_internal.h"
#include <stdlib.h>

void pod_free(struct pod *p)
{
    arena_free(p->arena);
    free(p);
}

static struct instant time_at(const struct json *object, const char *key)
{
    struct instant t = {0};
    struct slice text = json_get_text(object, key);
    if (text.ptr && !instant_parse_iso8601(text, &t))
        t.ms = 0;
    return t;
}

bool container_is_sparks(struct slice name)
{
    return slice_eq(name, S(DRIVER_CONTAINER)) || slice_eq(name, S(EXECUTOR_CONTAINER));
}

/* Spark's own container in a list of containers or of their statuses; side cars do not decide. */
static const struct json *main_container(const struct json *containers)
{
    JSON_FOREACH(c, containers) {
        if (container_is_sparks(json_get_text(c, "name")))
            return c;
    }
    return json_item(containers, 0);
}

static const struct json *main_status(const struct json *pod)
{
    return main_container(JSON_AT(pod, "status", "containerStatuses"));
}

/* " The driver asks for memory 1408Mi, cpu 1." An executor is named before. */
static struct slice request_words(struct arena *arena, const struct json *pod)
{
    const struct json *c = main_container(JSON_AT(pod, "spec", "containers")), *requests = JSON_AT(c, "resources", "requests");
    struct slice memory = json_get_text(requests, "memory"), cpu = json_get_text(requests, "cpu");
    const char *who = slice_eq(json_get_text(c, "name"), S(DRIVER_CONTAINER)) ? "The driver" : "It";
    return memory.len && cpu.len ? slice_fmt(arena, " %s asks for memory %.*s, cpu %.*s.", who, SLICE_ARG(memory), SLICE_ARG(cpu)) : S("");
}

/* The numbers behind the scheduler's first sentence: what follows it, on preemption, is the first to be cut off. */
static struct slice unschedulable_words(struct arena *arena, const struct json *pod, struct slice message)
{
    ptrdiff_t end = slice_find(message, S(". "));
    size_t first = end < 0 ? message.len : (size_t)end + 1;
    return slice_fmt(arena, "%.*s%.*s%.*s", SLICE_ARG(slice_sub(message, 0, first)), SLICE_ARG(request_words(arena, pod)), SLICE_ARG(slice_from(message, first)));
}

static struct slice waiting_words(struct arena *arena, const struct json *pod, const struct json *status)
{
    JSON_FOREACH(c, JSON_AT(pod, "status", "conditions")) {
        if (slice_eq(json_get_text(c, "type"), S("PodScheduled")) && slice_eq(json_get_text(c, "status"), S("False")))
            return unschedulable_words(arena, pod, json_get_text(c, "message"));
    }
    const struct json *waiting = JSON_AT(status, "state", "waiting");
    struct slice reason = json_get_text(waiting, "reason");
    if (!reason.len || slice_eq(reason, S("ContainerCreating")) || slice_eq(reason, S("PodInitializing")))
        return SLICE_NONE;
    struct slice message = json_get_text(waiting, "message");
    return slice_fmt(arena, "%.*s%s%.*s", SLICE_ARG(reason), message.len ? ": " : "", SLICE_ARG(message));
}

/* Nothing of it matters before the pod's time is over. */
static struct slice held_words(struct arena *arena, const struct json *pod)
{
    struct slice finalizer = json_text(json_item(JSON_AT(pod, "metadata", "finalizers"), 0)), node = json_text(JSON_AT(pod, "spec", "nodeName"));
    if (finalizer.len)
        return slice_fmt(arena, "the finalizer %.*s holds it", SLICE_ARG(finalizer));
    return node.len ? slice_fmt(arena, "node %.*s does not say that it has ended", SLICE_ARG(node)) : SLICE_NONE;
}

/* Of a pod whose main container never began: the init container that failed; absent: none did. */
static struct slice init_words(struct arena *arena, const struct json *pod)
{
    JSON_FOREACH(s, JSON_AT(pod, "status", "initContainerStatuses")) {
        const struct json *terminated = JSON_AT(s, "state", "terminated");
        int64_t code = json_get_i64(terminated, "exitCode", 0);
        struct slice reason = json_get_text(terminated, "reason"), message = slice_trim(json_get_text(terminated, "message"));
        bool says = reason.len && !slice_eq(reason, S("Error"));
        if (code)
            return slice_fmt(arena, "Init container %.*s ended with exit code %lld%s%.*s%s%.*s", SLICE_ARG(json_get_text(s, "name")), (long long)code,
                             says ? ", " : "", SLICE_ARG(says ? reason : S("")), message.len ? ": " : "", SLICE_ARG(message));
    }
    return SLICE_NONE;
}

static void read_driver(struct pod *p, const struct json *pod)
{
    struct observation *f = &p->facts;
    const struct json *status = main_status(pod), *terminated = JSON_AT(status, "state", "terminated"),
                      *running = JSON_AT(status, "state", "running");
    struct slice phase = json_text(JSON_AT(pod, "status", "phase"));
    f->driver_created_at = time_at(json_get(pod, S("metadata")), "creationTimestamp");
    f->deleting = JSON_AT(pod, "metadata", "deletionTimestamp") != NULL;
    f->deleted_by = p->deleted_by;
    f->held_by = f->deleting ? held_words(p->arena, pod) : SLICE_NONE;
    f->driver = DRIVER_PENDING;
    if (terminated) {
        f->driver = DRIVER_ENDED;
        f->driver_started_at = time_at(terminated, "startedAt");
        f->driver_finished_at = time_at(terminated, "finishedAt");
        f->has_exit_code = json_get(terminated, S("exitCode")) != NULL;
        f->exit_code = json_get_i64(terminated, "exitCode", -1);
        f->reason = slice_dup(p->arena, json_get_text(terminated, "reason"));
        f->message = slice_dup(p->arena, slice_trim(json_get_text(terminated, "message")));
    } else if (slice_eq(phase, S("Failed")) || slice_eq(phase, S("Succeeded"))) {
        f->driver = DRIVER_ENDED;
        f->has_exit_code = slice_eq(phase, S("Succeeded"));
        f->reason = slice_dup(p->arena, json_text(JSON_AT(pod, "status", "reason")));
        f->message = slice_dup(p->arena, slice_trim(json_text(JSON_AT(pod, "status", "message"))));
        if (!f->message.len && !f->reason.len)
            f->message = init_words(p->arena, pod);
    } else if (running) {
        f->driver = DRIVER_RUNNING;
        f->driver_started_at = time_at(running, "startedAt");
    } else {
        f->waiting = waiting_words(p->arena, pod, status);
    }
}

/* An executor that did not end by itself; what its own log has ended is told by the driver. */
static void read_executor(struct pod *p, const struct json *pod)
{
    const struct json *status = main_status(pod), *terminated = JSON_AT(status, "state", "terminated");
    struct slice number = json_text(JSON_AT(pod, "metadata", "labels", LABEL_EXECUTOR_ID)), reason = json_text(JSON_AT(pod, "status", "reason"));
    if (!number.len)
        number = p->name;
    p->created_at = time_at(json_get(pod, S("metadata")), "creationTimestamp");
    p->running = JSON_AT(status, "state", "running") != NULL;
    struct slice waiting = p->running || terminated ? SLICE_NONE : waiting_words(p->arena, pod, status);
    if (waiting.len)
        p->waiting = slice_fmt(p->arena, "executor %.*s: %.*s", SLICE_ARG(number), SLICE_ARG(waiting));
    if (slice_eq(json_get_text(terminated, "reason"), S("OOMKilled")))
        p->trouble = slice_fmt(p->arena, "Executor %.*s was killed for using more memory than its limit (OOMKilled)", SLICE_ARG(number));
    else if (slice_eq(reason, S("Evicted")))
        p->trouble = slice_fmt(p->arena, "Executor %.*s was evicted: %.*s", SLICE_ARG(number), SLICE_ARG(json_text(JSON_AT(pod, "status", "message"))));
}

static void read_owners(struct pod *p, const struct json *meta)
{
    const struct json *references = json_get(meta, S("ownerReferences"));
    p->owners = ARENA_ARRAY(p->arena, json_count(references) + 1, struct slice);
    JSON_FOREACH(r, references)
        p->owners[p->owner_count++] = slice_dup(p->arena, json_get_text(r, "uid"));
}

static void read_containers(struct pod *p, const struct json *pod)
{
    const struct json *statuses = JSON_AT(pod, "status", "containerStatuses");
    p->containers = ARENA_ARRAY(p->arena, json_count(statuses) + 1, struct container);
    JSON_FOREACH(s, statuses) {
        bool ended = JSON_AT(s, "state", "terminated") != NULL;
        p->containers[p->container_count++] = (struct container){
            .name = slice_dup(p->arena, json_get_text(s, "name")),
            .started = ended || JSON_AT(s, "state", "running") != NULL,
            .ended = ended,
        };
    }
}

struct pod *pod_read(const struct json *pod, const struct observed_place *place, enum observed what)
{
    const struct json *meta = json_get(pod, S("metadata"));
    struct pod *fresh = xcalloc(1, sizeof(*fresh));
    fresh->arena = arena_new();
    fresh->name = slice_dup(fresh->arena, json_get_text(meta, "name"));
    fresh->uid = slice_dup(fresh->arena, json_get_text(meta, "uid"));
    fresh->place = (struct observed_place){slice_dup(fresh->arena, place->cluster), slice_dup(fresh->arena, place->namespace_)};
    fresh->driver = slice_eq(json_text(JSON_AT(meta, "labels", LABEL_SPARK_ROLE)), S("driver"));
    fresh->gone = what == OBSERVED_GONE;
    fresh->untold = fresh->facts.untold = what == OBSERVED_CREATED || what == OBSERVED_LAUNCHED;
    fresh->deleted_by = time_at(meta, "deletionTimestamp");
    if (fresh->driver)
        read_driver(fresh, pod);
    else
        read_executor(fresh, pod);
    read_owners(fresh, meta);
    read_containers(fresh, pod);
    return fresh;
}
