#include "cluster/scheduler/scheduler.h"

#include "base/arena.h"
#include "base/clock.h"
#include "cluster/kubelet/feed.h"
#include "cluster/kubelet/pod_event.h"
#include "cluster/scheduler/fit.h"
#include "cluster/scheduler/machine.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024

/* What the scheduler knows of one pod: the thread's alone. */
struct entry {
    struct entry *next; /* of its bucket */
    struct object *pod; /* newest version, a reference */
    struct slice node;  /* of pod, borrowed: where it is bound; empty when it is not or has ended */
    uint64_t order;     /* as first seen: creation order */
    bool is_ours;       /* not bound, not ended, not being deleted, and nobody else's to schedule */
    bool reserved, failed_told;
    bool changed;             /* not looked at since its last event */
    uint64_t looked_at;       /* generation of the scheduler when it was last looked at */
    enum fit_reason lacks;    /* what all nodes lacked then, as far as numbers say it; FIT_OK: something else */
    struct machine_amount request;
    uint64_t told_hash; /* of the last FailedScheduling message */
};

struct scheduler {
    struct registry *registry;
    struct machine *machine;
    struct machine_waiter *waiter;
    struct feed *feed;
    pthread_t thread;
    atomic_bool stopping;
    atomic_bool room_freed;
    struct entry *buckets[BUCKETS];
    size_t entry_count;
    uint64_t next_order;
    /* Counts what may let waiting pods in: room that became free, nodes that changed. With thousands of pods waiting, only those are
     * looked at that came since or for which that may matter. */
    uint64_t generation;
    uint64_t nodes_hash; /* of what fit_check looks at */
};

/* ---- the table ---- */

static struct entry **find(struct scheduler *s, struct slice uid)
{
    struct entry **at = &s->buckets[slice_hash(uid) % BUCKETS];
    while (*at && !slice_eq((*at)->pod->uid, uid))
        at = &(*at)->next;
    return at;
}

static bool pod_has_ended(const struct object *pod)
{
    struct slice phase = object_field(pod, "status", "phase");
    return slice_eq(phase, S("Succeeded")) || slice_eq(phase, S("Failed"));
}

static struct slice pod_node(const struct object *pod)
{
    return object_field(pod, "spec", "nodeName");
}

static void unreserve(struct scheduler *s, struct entry *entry)
{
    if (entry->reserved)
        machine_release(s->machine, entry->pod->uid);
    entry->reserved = false;
}

static void take_pod(struct scheduler *s, enum registry_event_type type, struct object *pod)
{
    struct entry **at = find(s, pod->uid), *entry = *at;
    if (type == REGISTRY_DELETED) {
        if (!entry)
            return;
        unreserve(s, entry);
        *at = entry->next;
        s->entry_count--;
        object_unref(entry->pod);
        free(entry);
        return;
    }
    if (!entry) {
        entry = xcalloc(1, sizeof(*entry));
        entry->order = s->next_order++;
        *at = entry;
        s->entry_count++;
    } else {
        object_unref(entry->pod);
    }
    struct slice scheduler = object_field(pod, "spec", "schedulerName");
    entry->pod = object_ref(pod);
    entry->node = pod_has_ended(pod) ? S("") : pod_node(pod);
    entry->is_ours = !pod->deleting && !pod_node(pod).len && !pod_has_ended(pod) && (!scheduler.len || slice_eq(scheduler, S("default-scheduler")));
    entry->changed = true;
    if (pod_has_ended(pod)) {
        unreserve(s, entry);
    } else if (pod_node(pod).len && !entry->reserved) {
        /* Bound before we came (a restart), or by its maker: it runs, whether it fits or not. */
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        machine_reserve_anyway(s->machine, pod->uid, pod_request(object_json(arena, pod)));
        entry->reserved = true;
    }
}

/* A heartbeat changes nothing that matters here. */
static void take_nodes(struct scheduler *s)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct object_list list;
    registry_list(s->registry, S("nodes"), SLICE_NONE, &list);
    uint64_t hash = list.count;
    for (size_t i = 0; i < list.count; i++) {
        const struct json *node = object_json(arena, list.items[i]), *labels = JSON_AT(node, "metadata", "labels"), *spec = JSON_AT(node, "spec");
        hash = hash * 31 + slice_hash(list.items[i]->name);
        hash = hash * 31 + (labels ? slice_hash(json_to_slice(arena, labels)) : 0);
        hash = hash * 31 + (spec ? slice_hash(json_to_slice(arena, spec)) : 0);
    }
    object_list_deinit(&list);
    s->generation += hash != s->nodes_hash;
    s->nodes_hash = hash;
}

static void take_all(struct scheduler *s)
{
    size_t count;
    struct feed_item *items = feed_take(s->feed, &count);
    bool nodes = false;
    for (size_t i = 0; i < count; i++)
        if (slice_eq(items[i].object->resource, S("pods")))
            take_pod(s, items[i].type, items[i].object);
        else
            nodes = true;
    feed_items_free(items, count);
    if (nodes)
        take_nodes(s);
    if (atomic_exchange(&s->room_freed, false))
        s->generation++;
}

/* ---- writing ---- */

/* Sets the condition PodScheduled; keeps the time of an unchanged one. */
static void set_scheduled(struct arena *arena, struct json *pod, const char *status, const char *reason, struct slice message)
{
    struct json *conditions = json_ensure_array(arena, json_ensure_object(arena, pod, "status"), "conditions");
    struct json *condition = json_object(arena), *old = NULL;
    JSON_FOREACH(item, conditions)
    {
        if (slice_eq(json_get_text(item, "type"), S("PodScheduled")))
            old = item;
    }
    json_set_cstr(arena, condition, "type", "PodScheduled");
    struct json *generation = JSON_AT(pod, "metadata", "generation");
    if (generation && reason) /* a binding says none */
        JSON_SET(arena, condition, "observedGeneration", json_clone(arena, generation));
    json_set_cstr(arena, condition, "status", status);
    JSON_SET(arena, condition, "lastProbeTime", json_null(arena));
    bool same = old && slice_eq(json_get_text(old, "status"), slice_from_cstr(status));
    json_set_text(arena, condition, "lastTransitionTime",
                  same ? json_get_text(old, "lastTransitionTime") : instant_iso8601(arena, instant_now()));
    if (reason)
        json_set_cstr(arena, condition, "reason", reason);
    if (message.len)
        json_set_text(arena, condition, "message", message);
    if (old)
        json_replace(conditions, old, condition);
    else
        json_prepend(conditions, condition);
}

struct verdict {
    const struct object *pod;
    struct slice node;    /* absent: it fits nowhere */
    struct slice message;
};

static struct err *write_verdict(void *ctx, struct arena *arena, struct json *pod)
{
    const struct verdict *verdict = ctx;
    if (!slice_eq(json_get_text(JSON_AT(pod, "metadata"), "uid"), verdict->pod->uid) || JSON_AT(pod, "metadata", "deletionTimestamp"))
        return err_code(ERR_CONFLICT, "Conflict", "pod %.*s is not the one that was looked at", SLICE_ARG(verdict->pod->name));
    if (json_get_text(JSON_AT(pod, "spec"), "nodeName").len)
        return err_code(ERR_CONFLICT, "Conflict", "pod %.*s is already assigned to a node", SLICE_ARG(verdict->pod->name));
    if (!verdict->node.len) {
        set_scheduled(arena, pod, "False", "Unschedulable", slice_dup(arena, verdict->message));
        return NULL;
    }
    json_set_text(arena, json_ensure_object(arena, pod, "spec"), "nodeName", slice_dup(arena, verdict->node));
    set_scheduled(arena, pod, "True", NULL, SLICE_NONE);
    return NULL;
}

static struct err *verdict_in_tx(struct registry_tx *tx, void *ctx)
{
    struct verdict *verdict = ctx;
    TRY(registry_tx_update(tx, S("pods"), verdict->pod->namespace_name, verdict->pod->name, write_verdict, verdict, NULL));
    struct pod_event event = {
        .source = POD_EVENT_SCHEDULER,
        .type = verdict->node.len ? "Normal" : "Warning",
        .reason = verdict->node.len ? "Scheduled" : "FailedScheduling",
        .message = verdict->message,
    };
    return pod_event_post_tx(tx, verdict->pod, &event);
}

/* ---- deciding ---- */

struct nodes {
    struct fit_node *items;
    struct slice *names;
    size_t count;
};

static void read_nodes(struct scheduler *s, struct arena *arena, struct nodes *ret_nodes)
{
    struct object_list list;
    registry_list(s->registry, S("nodes"), SLICE_NONE, &list);
    struct nodes nodes = {.items = ARENA_ARRAY(arena, list.count + 1, struct fit_node), .names = ARENA_ARRAY(arena, list.count + 1, struct slice)};
    for (size_t i = 0; i < list.count; i++) {
        nodes.names[i] = slice_dup(arena, list.items[i]->name);
        nodes.items[i].node = object_json(arena, list.items[i]);
    }
    nodes.count = list.count;
    object_list_deinit(&list);
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct entry *e = s->buckets[b]; e; e = e->next)
            for (size_t i = 0; i < nodes.count && e->node.len; i++)
                nodes.items[i].pod_count += slice_eq(e->node, nodes.names[i]);
    *ret_nodes = nodes;
}

/* Index of the emptiest node that takes the pod, or -1; reasons for all. */
static ptrdiff_t choose(struct scheduler *s, const struct json *pod, struct machine_amount request, const struct nodes *nodes,
                        enum fit_reason *reasons)
{
    struct machine_amount room = machine_free_now(s->machine);
    ptrdiff_t best = -1;
    for (size_t i = 0; i < nodes->count; i++) {
        reasons[i] = fit_check(pod, request, &nodes->items[i], room);
        if (reasons[i] == FIT_OK && (best < 0 || nodes->items[i].pod_count < nodes->items[best].pod_count))
            best = (ptrdiff_t)i;
    }
    return best;
}

/* What every node lacks for the request; FIT_OK when one does not, or when they differ. */
static enum fit_reason lacked_by_all(struct scheduler *s, struct machine_amount request, const struct nodes *nodes)
{
    struct machine_amount room = machine_free_now(s->machine);
    enum fit_reason common = nodes->count ? fit_numbers(request, &nodes->items[0], room) : FIT_OK;
    for (size_t i = 1; i < nodes->count; i++)
        if (fit_numbers(request, &nodes->items[i], room) != common)
            return FIT_OK;
    return common;
}

static void schedule(struct scheduler *s, struct entry *entry, struct nodes *nodes)
{
    entry->looked_at = s->generation;
    if (!entry->changed && entry->lacks != FIT_OK && entry->lacks == lacked_by_all(s, entry->request, nodes))
        return; /* as before: no need to read the pod */
    entry->changed = false;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct json *pod = object_json(arena, entry->pod);
    struct machine_amount request = entry->request = pod_request(pod);
    enum fit_reason *reasons = ARENA_ARRAY(arena, nodes->count + 1, enum fit_reason);
    ptrdiff_t best = choose(s, pod, request, nodes, reasons);
    while (best >= 0 && !machine_reserve(s->machine, entry->pod->uid, request)) /* another cluster was faster */
        best = choose(s, pod, request, nodes, reasons);
    struct verdict verdict = {.pod = entry->pod};
    if (best >= 0) {
        entry->reserved = true;
        verdict.node = nodes->names[best];
        verdict.message = slice_fmt(arena, "Successfully assigned %.*s/%.*s to %.*s", SLICE_ARG(entry->pod->namespace_name),
                                    SLICE_ARG(entry->pod->name), SLICE_ARG(verdict.node));
    } else {
        entry->lacks = lacked_by_all(s, request, nodes);
        verdict.message = fit_message(arena, reasons, nodes->count, request, machine_allocatable(s->machine));
        uint64_t hash = slice_hash(verdict.message);
        if (entry->failed_told && entry->told_hash == hash)
            return;
        entry->failed_told = true;
        entry->told_hash = hash;
    }
    struct err *e = registry_write(s->registry, verdict_in_tx, &verdict);
    if (e) { /* deleted or bound meanwhile: its next event tells */
        unreserve(s, entry);
        entry->changed = true;
        entry->failed_told = false;
        err_free(e);
    } else if (best >= 0) {
        nodes->items[best].pod_count++;
    }
}

static bool is_due(const struct scheduler *s, const struct entry *entry)
{
    return entry->is_ours && !entry->reserved && (entry->changed || entry->looked_at != s->generation);
}

static int order_cmp(const void *a, const void *b)
{
    const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void schedule_all(struct scheduler *s)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct entry **waiting = ARENA_ARRAY(arena, s->entry_count + 1, struct entry *);
    size_t count = 0;
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct entry *e = s->buckets[b]; e; e = e->next)
            if (is_due(s, e))
                waiting[count++] = e;
    if (count == 0)
        return;
    qsort(waiting, count, sizeof(struct entry *), order_cmp);
    struct nodes nodes;
    read_nodes(s, arena, &nodes);
    for (size_t i = 0; i < count && !atomic_load(&s->stopping); i++)
        schedule(s, waiting[i], &nodes);
}

/* ---- thread ---- */

static void wake(void *ctx)
{
    struct scheduler *s = ctx;
    atomic_store(&s->room_freed, true);
    feed_poke(s->feed);
}

static void *run(void *arg)
{
    struct scheduler *s = arg;
    pthread_setname_np(pthread_self(), "scheduler");
    while (!atomic_load(&s->stopping)) {
        struct pollfd fd = {.fd = feed_fd(s->feed), .events = POLLIN};
        if (poll(&fd, 1, -1) < 0 && errno != EINTR)
            break;
        take_all(s);
        schedule_all(s);
    }
    return NULL;
}

struct err *scheduler_start(struct registry *registry, struct machine *machine, struct scheduler **ret_scheduler)
{
    const struct slice resources[] = {S("pods"), S("nodes")};
    struct scheduler *s = xcalloc(1, sizeof(*s));
    s->registry = registry;
    s->machine = machine;
    struct err *e = feed_open(registry, resources, ARRAY_SIZE(resources), &s->feed);
    if (e) {
        free(s);
        return e;
    }
    s->waiter = machine_wait(machine, wake, s);
    int rc = pthread_create(&s->thread, NULL, run, s);
    if (rc) {
        machine_unwait(machine, s->waiter);
        feed_close(s->feed);
        free(s);
        return err_errno(rc, "cannot start the scheduler's thread");
    }
    *ret_scheduler = s;
    return NULL;
}

void scheduler_stop(struct scheduler *s)
{
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    feed_poke(s->feed);
    pthread_join(s->thread, NULL);
    machine_unwait(s->machine, s->waiter);
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct entry *e = s->buckets[b], *next; e; e = next) {
            next = e->next;
            unreserve(s, e);
            object_unref(e->pod);
            free(e);
        }
    feed_close(s->feed);
    free(s);
}
