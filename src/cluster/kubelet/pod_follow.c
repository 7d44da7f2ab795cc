/* pod_follow: from what ember-run says about a pod to what the registry says. */
#include "cluster/kubelet/node_internal.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/proc.h"
#include "cluster/kubelet/kube_status.h"
#include "cluster/kubelet/pod_event.h"
#include "cluster/kubelet/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <unistd.h>

#define EVENTS_MAX (3 * POD_CONTAINERS_MAX)

/* ---- publish ---- */

struct publication {
    const struct pod_record *record;
    const struct kube_status_input *status;
    const struct pod_event *events;
    size_t event_count;
    bool then_delete;
};

static struct err *set_status(void *ctx, struct arena *arena, struct json *pod)
{
    const struct publication *p = ctx;
    if (!slice_eq(json_text(JSON_AT(pod, "metadata", "uid")), p->record->pod->uid))
        return err_code(ERR_NOT_FOUND, "NotFound", "pod %.*s is another one by now", SLICE_ARG(p->record->pod->name));
    struct kube_status_input input = *p->status;
    input.pod = pod;
    JSON_SET(arena, pod, "status", kube_status_make(arena, &input));
    return NULL;
}

static struct err *publish_in_tx(struct registry_tx *tx, void *ctx)
{
    struct publication *p = ctx;
    const struct object *pod = p->record->pod;
    if (p->status)
        TRY(registry_tx_update(tx, S("pods"), pod->namespace_name, pod->name, set_status, p, NULL));
    for (size_t i = 0; i < p->event_count; i++)
        TRY(pod_event_post_tx(tx, pod, &p->events[i]));
    if (!p->then_delete)
        return NULL;
    struct delete_options options = {.grace_seconds = 0, .uid = pod->uid};
    return registry_tx_delete(tx, S("pods"), pod->namespace_name, pod->name, &options, NULL);
}

bool pod_publish(struct kubelet *k, struct pod_record *record, const struct kube_status_input *status, const struct pod_event *events,
                 size_t event_count, bool then_delete)
{
    if (record->gone)
        return true;
    struct publication p = {record, status, events, event_count, then_delete};
    struct err *e = registry_write(k->options.registry, publish_in_tx, &p);
    bool said = !e || e->kind == ERR_NOT_FOUND;
    if (!said) { /* a registry that cannot write, say on a full disk: the pod is looked at again soon, the status file read again */
        record->status_hash = 0;
        record->dirty = true;
    }
    err_free(e);
    return said;
}

/* ---- read ---- */

bool pod_dir_is_held(struct arena *arena, const char *dir)
{
    struct slice path = slice_fmt(arena, "%s/" WIRE_LOCK_FILE, dir);
    _cleanup_(fd_closep) int fd = open(path.ptr, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* NULL: there is none, or it is none of this pod's. */
static struct json *read_status(const struct pod_record *record, struct arena *arena, struct slice *ret_text)
{
    struct slice path = slice_fmt(arena, "%s/" WIRE_STATUS_FILE, record->dir), text;
    struct json *json = NULL;
    struct err *e = file_read(arena, path.ptr, WIRE_FILE_MAX_BYTES, &text);
    if (!e)
        e = json_parse(arena, text, JSON_DUPLICATES_LAST_WINS, &json);
    bool ours = !e && slice_eq(json_get_text(json, "podUid"), record->pod->uid);
    err_free(e);
    if (!ours)
        return NULL;
    *ret_text = text;
    return json;
}

/* ember-run's death shall wake us. */
static void watch_supervisor(struct kubelet *k, struct pod_record *record, const struct json *run)
{
    if (record->pidfd >= 0)
        return;
    record->pidfd = proc_open((pid_t)json_get_i64(run, "pid", -1), json_get_i64(run, "startTicks", -1));
    if (record->pidfd < 0)
        return;
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = record};
    if (epoll_ctl(k->epoll_fd, EPOLL_CTL_ADD, record->pidfd, &event) < 0) {
        close(record->pidfd);
        record->pidfd = -1;
    }
}

/* ---- events ---- */

static void add_event(struct pod_event *events, size_t *count, const struct pod_record *record, const char *reason, struct slice message,
                      const struct json *row)
{
    if (*count == EVENTS_MAX)
        return;
    events[(*count)++] = (struct pod_event){
        .source = POD_EVENT_KUBELET,
        .type = slice_eq(slice_from_cstr(reason), S("BackOff")) || slice_eq(slice_from_cstr(reason), S("Failed")) ? "Warning" : "Normal",
        .reason = reason,
        .message = message,
        .node = object_field(record->pod, "spec", "nodeName"),
        .container = json_get_text(row, "name"),
        .init_container = json_get_bool(row, "init", false),
    };
}

static struct slice image_of(const struct json *pod, struct slice name)
{
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        JSON_FOREACH(container, json_get(JSON_AT(pod, "spec"), slice_from_cstr(lists[i])))
        {
            if (slice_eq(json_get_text(container, "name"), name))
                return json_get_text(container, "image");
        }
    return S("");
}

static void collect_events(struct arena *arena, struct pod_record *record, const struct json *run, struct pod_event *events, size_t *ret_count)
{
    struct json *pod = object_json(arena, record->pod);
    size_t index = 0;
    JSON_FOREACH(row, JSON_AT(run, "containers"))
    {
        struct slice name = json_get_text(row, "name"), kind = json_text(JSON_AT(row, "state", "kind"));
        struct slice reason = json_text(JSON_AT(row, "state", "reason"));
        int start = (int)json_get_i64(row, "restartCount", 0) + 1;
        bool started = json_text(JSON_AT(row, "state", "startedAt")).len > 0, failed = slice_eq(reason, S("StartError"));
        if (index < POD_CONTAINERS_MAX && record->told_started[index] < start && !slice_eq(kind, S("waiting"))) {
            record->told_started[index] = start;
            add_event(events, ret_count, record, "Pulled",
                      slice_fmt(arena, "Container image \"%.*s\" already present on machine", SLICE_ARG(image_of(pod, name))), row);
            add_event(events, ret_count, record, "Created", slice_fmt(arena, "Created container: %.*s", SLICE_ARG(name)), row);
            if (started)
                add_event(events, ret_count, record, "Started", slice_fmt(arena, "Started container %.*s", SLICE_ARG(name)), row);
            else if (failed)
                add_event(events, ret_count, record, "Failed",
                          slice_fmt(arena, "Error: %.*s", SLICE_ARG(json_text(JSON_AT(row, "state", "message")))), row);
        }
        if (slice_eq(reason, S("CrashLoopBackOff")))
            add_event(events, ret_count, record, "BackOff",
                      slice_fmt(arena, "Back-off restarting failed container %.*s in pod %.*s", SLICE_ARG(name), SLICE_ARG(record->pod->name)), row);
        index++;
    }
}

/* ---- follow ---- */

static void forget_supervisor(struct kubelet *k, struct pod_record *record)
{
    if (record->pidfd >= 0) {
        epoll_ctl(k->epoll_fd, EPOLL_CTL_DEL, record->pidfd, NULL);
        close(record->pidfd);
    }
    record->pidfd = -1;
}

static void publish_run(struct kubelet *k, struct pod_record *record, struct arena *arena, const struct json *run, bool lost)
{
    struct pod_event *events = ARENA_ARRAY(arena, EVENTS_MAX, struct pod_event);
    size_t count = 0;
    struct kube_status_input status = {.run = run, .pod_ip = slice_from_cstr(record->ip), .host_ip = k->options.api_host, .lost = lost};
    bool done = lost || json_get_bool(run, "done", false);
    collect_events(arena, record, run, events, &count);
    if (done)
        forget_supervisor(k, record);
    bool said = pod_publish(k, record, &status, events, count, done && record->pod->deleting);
    if (done && said) {
        record->stage = POD_ENDED;
        k->hosts_dirty = true;
    }
}

void pod_follow(struct kubelet *k, struct pod_record *record)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice text = SLICE_NONE;
    struct json *run = read_status(record, arena, &text);
    bool done = json_get_bool(run, "done", false);
    if (run && !done)
        watch_supervisor(k, record, run);
    /* Asked after the file was read, and the file once more after that: its last word may have come in between. */
    bool may_be_dead = !run || record->pidfd < 0;
    bool lost = false;
    if (!done && may_be_dead && !pod_dir_is_held(arena, record->dir)) {
        run = read_status(record, arena, &text);
        lost = !json_get_bool(run, "done", false);
    }
    uint64_t hash = text.ptr ? slice_hash(text) : 0;
    if (!lost && (!run || hash == record->status_hash))
        return;
    record->status_hash = hash;
    publish_run(k, record, arena, run, lost);
}

void pod_stop(struct kubelet *k, struct pod_record *record, int64_t grace_seconds)
{
    if (record->stage != POD_STARTED || (record->stop_grace >= 0 && grace_seconds >= record->stop_grace))
        return;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice path = slice_fmt(arena, "%s/" WIRE_STOP_FILE, record->dir);
    bool first = record->stop_grace < 0;
    struct err *e = file_write_atomic(path.ptr, slice_fmt(arena, "%lld\n", (long long)grace_seconds), 0600);
    if (e) { /* looked at again with the next event of the pod, or after a second */
        record->dirty = true;
        err_free(e);
        return;
    }
    record->stop_grace = grace_seconds;
    if (!first || record->gone)
        return;
    struct json *pod = object_json(arena, record->pod);
    struct pod_event *events = ARENA_ARRAY(arena, EVENTS_MAX, struct pod_event);
    size_t count = 0;
    JSON_FOREACH(container, JSON_AT(pod, "spec", "containers"))
    {
        add_event(events, &count, record, "Killing", slice_fmt(arena, "Stopping container %.*s", SLICE_ARG(json_get_text(container, "name"))),
                  container);
    }
    (void)pod_publish(k, record, NULL, events, count, false);
}

bool pod_adopt(struct kubelet *k, struct pod_record *record)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice text, run_path = slice_fmt(arena, "%s/" WIRE_RUN_FILE, record->dir);
    if (!path_exists(run_path.ptr))
        return false;
    struct json *run = read_status(record, arena, &text);
    if (!run && !pod_dir_is_held(arena, record->dir))
        return false; /* it had not begun: start it again */
    record->stage = POD_STARTED;
    size_t index = 0;
    JSON_FOREACH(row, JSON_AT(run, "containers"))
    {
        if (index < POD_CONTAINERS_MAX && !slice_eq(json_text(JSON_AT(row, "state", "kind")), S("waiting")))
            record->told_started[index] = (int)json_get_i64(row, "restartCount", 0) + 1;
        index++;
    }
    /* Tokens may have run out of their 80 % meanwhile. */
    record->renew_at = instant_now();
    pod_watch(k, record);
    return true;
}
