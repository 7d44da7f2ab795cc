/* API servers: objects by name, pods that live, watches that list, tell and break, a garbage collector. By the contract of k8s/client.h:
 * what a watch tells of one pod is in order; it may be late, repeated, or skipped up to the next list. */
#include "simulation/sim.h"
#include "jobs/observe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PODS_MAX 256
#define OBJECTS_MAX 512
#define EVENTS_MAX 512
#define WATCHES_MAX 8
#define GRACE_MS (30 * SECOND)
#define HELD_MAX_MS (5 * MINUTE) /* the engine waits no longer for a pod that is to go */

enum pod_phase { POD_PENDING, POD_RUNNING, POD_ENDED };
enum pod_fate { FATE_SUCCEEDS, FATE_FAILS, FATE_OOM, FATE_EVICTED, FATE_VANISHES, FATE_NEVER_PLACED, FATE_IMAGE_MISSING, FATE_COUNT };
static const char *const FATES[] = {"succeeds", "fails", "is killed for memory", "is evicted", "vanishes", "is never placed", "has no image"};

struct pod {
    char name[64];
    int run, attempt, owner; /* owner: an executor's driver, -1: none */
    bool driver, gone, deleting, no_status;
    bool foreign; /* somebody else's, with the run's labels; a driver: with the name of one that went */
    uint64_t told_gone_at; /* sim.operation: this daemon knows that it was there and has gone */
    enum pod_phase phase;
    enum pod_fate fate;
    int exit_code;
    int executors_left;
    int64_t created_at, started_at, ended_at, due, gone_due;
    bool node_dead;     /* nothing of it changes any more; it goes when it is deleted without grace, or its node is removed */
    int64_t held_until; /* by a finalizer */
    int64_t deleted_by; /* its deletionTimestamp */
    unsigned uid, owner_uid; /* owner_uid 0: none */
};

struct object {
    char name[100];
    int run, owner;
    bool there;
    int64_t gone_due;
};

struct event {
    enum k8s_watch_event kind;
    struct pod pod;
    bool tombstone;
    int index;
    int64_t due;
};

struct k8s_watch {
    struct k8s_client *client;
    k8s_watch_fn fn;
    void *ctx;
    struct event events[EVENTS_MAX];
    size_t first, count;
    bool known[PODS_MAX], live, stopped, delivering;
    int64_t list_due, troubled_since; /* 0: as far as is told, all is well */
};

struct k8s_client {
    int cluster;
    struct pod pods[PODS_MAX];
    int pod_count;
    struct object objects[OBJECTS_MAX];
    int object_count;
    int64_t away_since, away_until;
    bool retired;
    struct k8s_client *next;
};

static struct k8s_client *all_clients;
static struct k8s_watch *watches[WATCHES_MAX];
static unsigned pods_made; /* in this seed */

/* ---- clusters ---- */

static struct k8s_client *client_new(int cluster)
{
    struct k8s_client *c = xcalloc(1, sizeof(*c));
    c->cluster = cluster;
    c->next = all_clients;
    all_clients = c;
    return c;
}

void kube_free_all(void)
{
    while (all_clients) {
        struct k8s_client *next = all_clients->next;
        free(all_clients);
        all_clients = next;
    }
}

void kube_reset(void)
{
    kube_free_all();
    pods_made = 0;
    for (int i = 0; i < CLUSTERS; i++)
        sim.clusters[i] = client_new(i);
}

static bool is_away(const struct k8s_client *c)
{
    return c->retired || sim.now < c->away_until;
}

void kube_outage(int cluster, int64_t until)
{
    if (!sim.clusters[cluster])
        return;
    sim_trace("outage of cluster", NULL, -1, cluster);
    sim.clusters[cluster]->away_since = sim.now;
    sim.clusters[cluster]->away_until = until;
    for (int i = 0; i < WATCHES_MAX; i++) {
        if (watches[i] && watches[i]->client == sim.clusters[cluster]) {
            watches[i]->live = false;
            watches[i]->count = 0;
            watches[i]->list_due = sim.now;
        }
    }
}

int64_t kube_away_ms(int cluster)
{
    const struct k8s_client *c = sim.clusters[cluster];
    int64_t away_ms = !c ? NEVER : is_away(c) ? sim.now - c->away_since : 0;
    for (int i = 0; i < WATCHES_MAX; i++) {
        const struct k8s_watch *w = watches[i];
        bool troubled = w && !w->stopped && w->client->cluster == cluster && w->troubled_since;
        if (troubled && sim.now - w->troubled_since > away_ms)
            away_ms = sim.now - w->troubled_since;
    }
    return away_ms;
}

void kube_calm(void)
{
    for (int i = 0; i < CLUSTERS; i++) {
        if (sim.clusters[i])
            sim.clusters[i]->away_until = 0;
    }
}

static void break_watches_of(struct k8s_client *c)
{
    for (int i = 0; i < WATCHES_MAX; i++) {
        if (watches[i] && watches[i]->client == c) {
            watches[i]->live = false;
            watches[i]->count = 0;
            watches[i]->list_due = sim.now + sim_delay();
        }
    }
}

void kube_remove(int cluster)
{
    struct k8s_client *c = sim.clusters[cluster];
    if (!c)
        return;
    sim_trace("gone: cluster", NULL, -1, cluster);
    c->retired = true;
    break_watches_of(c);
    sim.clusters[cluster] = NULL;
}

void kube_replace(int cluster)
{
    kube_remove(cluster);
    sim_trace("another cluster has the name of", NULL, -1, cluster);
    sim.clusters[cluster] = client_new(cluster);
}

/* The same cluster, reached anew: whoever holds the old client gets no answer. */
void kube_reconnect(int cluster)
{
    struct k8s_client *old = sim.clusters[cluster];
    if (!old)
        return;
    sim_trace("reached anew: cluster", NULL, -1, cluster);
    struct k8s_client *fresh = client_new(cluster), *next = fresh->next;
    *fresh = *old;
    fresh->next = next;
    old->retired = true;
    old->pod_count = old->object_count = 0;
    break_watches_of(old);
    sim.clusters[cluster] = fresh;
}

struct err *kube_connect(void *ctx, struct slice cluster, struct reconciler_cluster *ret_cluster)
{
    int index = cluster.ptr[cluster.len - 1] - '0';
    if (sim.dead || (sim.faults && sim_one_in(sim.odds.unavailable)))
        return err_new(ERR_UNAVAILABLE, "no way to the cluster");
    if (!sim.clusters[index])
        return err_new(ERR_NOT_FOUND, "no cluster");
    *ret_cluster = (struct reconciler_cluster){.client = sim.clusters[index], .driver_master = S("https://127.16.0.1:6443"), .one_machine = index == 1};
    return NULL;
}

/* ---- pods as JSON ---- */

static void set_time(struct arena *arena, struct json *object, const char *key, int64_t ms)
{
    json_set_text(arena, object, key, instant_iso8601(arena, (struct instant){.ms = ms}));
}

static void write_status(struct arena *arena, struct json *object, const struct pod *p)
{
    static const char *const PHASES[] = {"Pending", "Running", "Failed"};
    struct json *status = json_ensure_object(arena, object, "status");
    json_set_cstr(arena, status, "phase", p->phase == POD_ENDED && !p->exit_code && !p->no_status ? "Succeeded" : PHASES[p->phase]);
    if (p->no_status) {
        json_set_cstr(arena, status, "reason", "Evicted");
        json_set_cstr(arena, status, "message", "The node was low on resource: memory.");
        return;
    }
    if (p->phase == POD_PENDING && p->fate == FATE_NEVER_PLACED) {
        struct json *condition = json_object(arena);
        json_set_cstr(arena, condition, "type", "PodScheduled");
        json_set_cstr(arena, condition, "status", "False");
        json_set_cstr(arena, condition, "message", "0/1 nodes are available: 1 Insufficient memory.");
        json_append(json_ensure_array(arena, status, "conditions"), condition);
        return;
    }
    if (p->phase == POD_PENDING && p->fate != FATE_IMAGE_MISSING)
        return;
    struct json *container = json_object(arena), *state = json_ensure_object(arena, container, "state");
    json_append(json_ensure_array(arena, status, "containerStatuses"), container);
    json_set_cstr(arena, container, "name", p->driver ? DRIVER_CONTAINER : "spark-kubernetes-executor");
    struct json *what = json_ensure_object(arena, state, p->phase == POD_PENDING ? "waiting" : p->phase == POD_RUNNING ? "running" : "terminated");
    if (p->phase == POD_PENDING) {
        json_set_cstr(arena, what, "reason", "ImagePullBackOff");
        return;
    }
    set_time(arena, what, "startedAt", p->started_at);
    if (p->phase == POD_ENDED) {
        set_time(arena, what, "finishedAt", p->ended_at);
        json_set_i64(arena, what, "exitCode", p->exit_code);
        if (p->exit_code == 137)
            json_set_cstr(arena, what, "reason", "OOMKilled");
    }
}

static struct json *pod_json(struct arena *arena, const struct pod *p, bool tombstone)
{
    struct json *object = json_object(arena), *meta = json_ensure_object(arena, object, "metadata"), *labels = json_ensure_object(arena, meta, "labels");
    json_set_text(arena, meta, "name", slice_from_cstr(p->name));
    json_set_text(arena, meta, "uid", slice_fmt(arena, "u%u", p->uid));
    json_set_text(arena, meta, "namespace", sim.vcs[sim.runs[p->run].vc].row.namespace_);
    json_set_text(arena, labels, LABEL_JOB_ID, sim.runs[p->run].row.id);
    json_set_cstr(arena, labels, LABEL_SPARK_ROLE, p->driver ? "driver" : "executor");
    if (tombstone)
        return object;
    if (p->owner_uid) {
        struct json *owner = json_object(arena);
        json_set_text(arena, owner, "uid", slice_fmt(arena, "u%u", p->owner_uid));
        json_append(json_ensure_array(arena, meta, "ownerReferences"), owner);
    }
    set_time(arena, meta, "creationTimestamp", p->created_at);
    if (p->deleting)
        set_time(arena, meta, "deletionTimestamp", p->deleted_by);
    write_status(arena, object, p);
    return object;
}

/* ---- watches ---- */

static void push(struct k8s_watch *w, const struct event *event)
{
    if (w->count == EVENTS_MAX)
        sim_fail(-1, "too many events for a watch");
    w->events[(w->first + w->count++) % EVENTS_MAX] = *event;
}

static bool is_named(const struct event *e, const char *name)
{
    return e->index >= 0 && strcmp(e->pod.name, name) == 0;
}

static void tell(struct k8s_client *c, int index, bool gone)
{
    for (int i = 0; i < WATCHES_MAX; i++) {
        struct k8s_watch *w = watches[i];
        if (!w || w->client != c || !w->live || w->stopped)
            continue;
        struct event event = {.kind = gone ? K8S_GONE : K8S_PRESENT, .pod = c->pods[index], .index = index, .due = sim.now + sim_delay()};
        /* Late ones hold up those behind them, now and then only those of their own name. */
        for (size_t k = 0; k < w->count; k++) {
            const struct event *before = &w->events[(w->first + k) % EVENTS_MAX];
            if (before->due > event.due && (is_named(before, c->pods[index].name) || sim_below(4)))
                event.due = before->due;
        }
        push(w, &event);
        if (sim.faults && sim_one_in(sim.odds.watch_repeats))
            push(w, &event);
        if (sim.faults && sim_one_in(sim.odds.watch_breaks)) {
            sim_trace("a watch breaks", NULL, -1, c->cluster);
            w->live = false;
            w->count = (size_t)sim_below((int64_t)w->count + 1);
            w->list_due = sim.now + sim_delay();
        }
    }
}

static int pod_index(const struct k8s_client *c, struct slice name)
{
    for (int i = 0; i < c->pod_count; i++) {
        if (!c->pods[i].gone && slice_eq(slice_from_cstr(c->pods[i].name), name))
            return i;
    }
    return -1;
}

static void list(struct k8s_watch *w)
{
    struct k8s_client *c = w->client;
    for (int i = 0; i < c->pod_count; i++) {
        if (!c->pods[i].gone)
            push(w, &(struct event){.kind = K8S_PRESENT, .pod = c->pods[i], .index = i, .due = sim.now});
        else if (w->known[i] && pod_index(c, slice_from_cstr(c->pods[i].name)) < 0) /* else the name is there: it is told of */
            push(w, &(struct event){.kind = K8S_GONE, .pod = c->pods[i], .index = i, .tombstone = true, .due = sim.now});
    }
    push(w, &(struct event){.kind = K8S_SYNCED, .index = -1, .due = sim.now});
    w->live = true;
}

static int64_t watch_due(const struct k8s_watch *w)
{
    if (!w || w->stopped || w->delivering)
        return NEVER;
    int64_t due = w->live ? NEVER : w->list_due;
    for (size_t k = 0; k < w->count; k++) {
        int64_t at = w->events[(w->first + k) % EVENTS_MAX].due;
        due = at < due ? at : due;
    }
    return due;
}

/* The first event that is due; of one pod they are in order of time. */
static bool take(struct k8s_watch *w, struct event *ret_event)
{
    size_t best = w->count;
    for (size_t k = 0; k < w->count; k++) {
        const struct event *e = &w->events[(w->first + k) % EVENTS_MAX];
        if (e->due <= sim.now && (best == w->count || e->due < w->events[(w->first + best) % EVENTS_MAX].due))
            best = k;
    }
    if (best == w->count)
        return false;
    *ret_event = w->events[(w->first + best) % EVENTS_MAX];
    for (; best > 0; best--)
        w->events[(w->first + best) % EVENTS_MAX] = w->events[(w->first + best - 1) % EVENTS_MAX];
    w->first = (w->first + 1) % EVENTS_MAX;
    w->count--;
    return true;
}

/* Somebody's pod in another namespace has the name and the labels of a run's; that it ended well says nothing. */
static void tell_of_another(struct k8s_watch *w, struct arena *arena, const struct event *event)
{
    struct pod other = event->pod;
    other.uid += 1000000;
    other.phase = POD_ENDED;
    other.exit_code = 0;
    other.no_status = other.deleting = false;
    other.started_at = other.ended_at = sim.now;
    struct json *object = pod_json(arena, &other, false);
    json_set_cstr(arena, json_ensure_object(arena, object, "metadata"), "namespace", "another");
    w->fn(w->ctx, sim_one_in(4) ? K8S_GONE : K8S_PRESENT, object, NULL);
}

static void deliver(struct k8s_watch *w)
{
    static const char *const KINDS[] = {"present", "gone", "synced", "trouble"};
    struct event event;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    w->delivering = true;
    if (take(w, &event)) {
        sim_trace("the watch tells", KINDS[event.kind], event.index < 0 ? -1 : event.pod.run, event.index < 0 ? 0 : event.pod.attempt);
        if (event.index >= 0)
            w->known[event.index] = event.kind == K8S_PRESENT;
        if (event.kind == K8S_GONE)
            w->client->pods[event.index].told_gone_at = ++sim.operation;
        w->troubled_since = 0;
        if (event.index >= 0 && sim.faults && sim_one_in(10))
            tell_of_another(w, arena, &event);
        w->fn(w->ctx, event.kind, event.index < 0 ? NULL : pod_json(arena, &event.pod, event.tombstone), NULL);
    } else if (!w->live && w->count == 0 && is_away(w->client)) {
        struct err *e = sim_one_in(4) && sim.faults ? err_new(ERR_DENIED, "forbidden") : err_new(ERR_UNAVAILABLE, "connection refused");
        sim_trace("the watch tells", "trouble", -1, w->client->cluster);
        w->troubled_since = w->troubled_since ? w->troubled_since : sim.now;
        w->list_due = sim.now + 10 * SECOND;
        w->fn(w->ctx, K8S_TROUBLE, NULL, e);
        err_free(e);
    } else if (!w->live && w->count == 0) {
        sim_trace("the watch lists", NULL, -1, w->client->cluster);
        list(w);
    } else if (!w->live) {
        w->list_due = sim.now + SECOND; /* what is on its way first */
    }
    w->delivering = false;
}

struct err *k8s_watch_start(struct k8s_client *client, struct slice path, struct slice label_selector, k8s_watch_fn fn, void *ctx, struct k8s_watch **ret_watch)
{
    int i = 0;
    while (i < WATCHES_MAX && watches[i] && !(watches[i]->stopped && !watches[i]->delivering))
        i++;
    if (i == WATCHES_MAX || (sim.faults && sim_one_in(50)))
        return err_new(ERR_UNAVAILABLE, "no thread for a watch");
    free(watches[i]);
    watches[i] = xcalloc(1, sizeof(struct k8s_watch));
    *watches[i] = (struct k8s_watch){.client = client, .fn = fn, .ctx = ctx, .list_due = sim.now + sim_delay()};
    *ret_watch = watches[i];
    return NULL;
}

void k8s_watch_stop(struct k8s_watch *watch)
{
    watch->stopped = true; /* one that is telling is freed later */
}

void kube_forget_watches(void)
{
    for (struct k8s_client *c = all_clients; c; c = c->next) {
        for (int i = 0; i < c->pod_count; i++)
            c->pods[i].told_gone_at = 0;
    }
    for (int i = 0; i < WATCHES_MAX; i++) {
        free(watches[i]);
        watches[i] = NULL;
    }
}

/* ---- pods ---- */

static int pod_add(struct k8s_client *c, const struct pod *what);

/* Somebody takes the name of a driver that is on record and has gone. */
static void add_namesake(struct k8s_client *c, const struct pod *driver)
{
    struct pod other = {.run = driver->run, .attempt = driver->attempt, .owner = -1, .driver = true, .foreign = true, .fate = FATE_SUCCEEDS};
    memcpy(other.name, driver->name, sizeof(other.name));
    sim_trace("somebody else's pod has the name of the driver", NULL, driver->run, driver->attempt);
    pod_add(c, &other);
}

static bool is_on_record(const struct pod *p)
{
    char uid[16];
    (void)snprintf(uid, sizeof(uid), "u%u", p->uid);
    return slice_eq(sim.runs[p->run].row.driver_uid, slice_from_cstr(uid));
}

static void pod_goes(struct k8s_client *c, int index)
{
    struct pod *p = &c->pods[index];
    if (p->gone)
        return;
    p->gone = true;
    p->due = p->gone_due = NEVER;
    sim_trace(p->driver ? "driver is gone" : "executor is gone", NULL, p->run, p->attempt);
    tell(c, index, true);
    for (int i = 0; i < c->pod_count; i++) {
        if (c->pods[i].owner == index && !c->pods[i].gone)
            c->pods[i].gone_due = sim.now + sim_delay();
    }
    for (int i = 0; i < c->object_count; i++) {
        if (c->objects[i].there && c->objects[i].owner == index)
            c->objects[i].gone_due = sim.now + sim_delay();
    }
    if (sim.faults && p->driver && !p->foreign && is_on_record(p) && sim_one_in(sim.odds.strangers))
        add_namesake(c, p);
}

static bool is_held(const struct pod *p)
{
    return sim.now < p->held_until;
}

static int pod_add(struct k8s_client *c, const struct pod *what)
{
    if (c->pod_count == PODS_MAX)
        sim_fail(what->run, "too many pods");
    c->pods[c->pod_count] = *what;
    struct pod *p = &c->pods[c->pod_count];
    p->uid = ++pods_made;
    p->created_at = sim.now;
    p->gone_due = NEVER;
    p->due = sim.now + sim_delay();
    p->held_until = sim.faults && sim_one_in(sim.odds.held) ? sim.now + (1 + sim_below(90)) * MINUTE : 0;
    tell(c, c->pod_count, false);
    return c->pod_count++;
}

static void pod_ends(struct k8s_client *c, int index, int exit_code)
{
    struct pod *p = &c->pods[index];
    p->phase = POD_ENDED;
    p->exit_code = exit_code;
    p->ended_at = sim.now;
    p->due = p->foreign ? sim.now + sim_delay() : NEVER;
    if (p->driver && !p->foreign && exit_code == 0)
        sim.runs[p->run].exited_0 = true;
    sim_trace(p->driver ? "driver ends" : "executor ends", NULL, p->run, exit_code);
    tell(c, index, false);
    for (int i = 0; p->driver && i < c->pod_count; i++) {
        if (c->pods[i].owner == index && !c->pods[i].gone)
            c->pods[i].due = sim.now + sim_delay();
    }
}

static void pod_starts(struct k8s_client *c, int index)
{
    struct pod *p = &c->pods[index];
    if (p->fate == FATE_NEVER_PLACED || p->fate == FATE_IMAGE_MISSING) {
        p->due = NEVER;
        tell(c, index, false);
        return;
    }
    p->phase = POD_RUNNING;
    p->started_at = sim.now;
    p->due = sim.now + sim_delay();
    p->executors_left = p->driver && !p->foreign ? (int)sim_below(3) : 0;
    sim_trace(p->driver ? "driver starts" : "executor starts", FATES[p->fate], p->run, p->attempt);
    tell(c, index, false);
}

static void pod_runs(struct k8s_client *c, int index)
{
    struct pod *p = &c->pods[index];
    if (sim.faults && !p->foreign && sim_one_in(sim.odds.dead_node)) {
        sim_trace("its node dies", NULL, p->run, p->attempt);
        p->node_dead = true;
        p->due = sim.now + 5 * MINUTE;
        return;
    }
    if (p->executors_left > 0) {
        bool foreign = sim.faults && sim_one_in(sim.odds.strangers);
        struct pod executor = {.run = p->run, .attempt = p->attempt, .owner = foreign ? -1 : index, .owner_uid = foreign ? 0 : p->uid, .foreign = foreign};
        struct slice name = slice_fmt(sim.arena, "%.25s-%d-exec-%d", p->name, p->attempt, p->executors_left + (foreign ? 10 : 0));
        memcpy(executor.name, slice_dup(sim.arena, name).ptr, name.len + 1);
        memcpy(executor.name, "exec-", 5);
        p->executors_left--;
        p->due = sim.now + sim_delay();
        pod_add(c, &executor);
        return;
    }
    switch (p->fate) {
    case FATE_SUCCEEDS:
        pod_ends(c, index, 0);
        return;
    case FATE_FAILS:
        pod_ends(c, index, 1);
        return;
    case FATE_OOM:
        pod_ends(c, index, 137);
        return;
    case FATE_EVICTED:
        p->no_status = true;
        pod_ends(c, index, -1);
        return;
    case FATE_VANISHES:
        pod_goes(c, index);
        return;
    case FATE_NEVER_PLACED:
    case FATE_IMAGE_MISSING:
    case FATE_COUNT:
        return;
    }
}

static void pod_turn(struct k8s_client *c, int index)
{
    struct pod *p = &c->pods[index];
    if (p->gone_due <= sim.now) {
        if (p->phase == POD_RUNNING && p->deleting && !p->node_dead && (is_held(p) || sim_one_in(2))) { /* it is told to end, does so, and goes */
            pod_ends(c, index, sim_one_in(4) ? 0 : 143);
            p->gone_due = sim.now + sim_delay();
        } else if (is_held(p)) {
            p->gone_due = p->held_until;
        } else {
            pod_goes(c, index);
        }
        return;
    }
    if (p->node_dead) { /* whoever looks after nodes deletes what was on it */
        p->due = NEVER;
        if (!p->deleting)
            p->deleted_by = sim.now + GRACE_MS;
        p->deleting = true;
        p->gone_due = sim.faults && sim_one_in(2) ? NEVER : sim.now + (1 + sim_below(120)) * MINUTE;
        sim_trace("is to go with its dead node", NULL, p->run, p->attempt);
        tell(c, index, false);
        return;
    }
    if (p->phase == POD_PENDING)
        pod_starts(c, index);
    else if (p->phase == POD_RUNNING && p->driver)
        pod_runs(c, index);
    else if (p->phase == POD_RUNNING) {
        p->due = NEVER;
        if (p->foreign || c->pods[p->owner].gone || c->pods[p->owner].phase == POD_ENDED || sim_one_in(2))
            pod_ends(c, index, sim_one_in(8) ? 137 : 0);
    } else if (p->foreign) {
        pod_goes(c, index);
    } else {
        p->due = NEVER;
    }
}

static void uid_text(const struct pod *p, char text[16])
{
    (void)snprintf(text, 16, "u%u", p->uid);
}

bool kube_pod_is_gone(int cluster, const char *uid)
{
    const struct k8s_client *c = sim.clusters[cluster];
    for (int i = 0; c && i < c->pod_count; i++) {
        char text[16];
        uid_text(&c->pods[i], text);
        if (!c->pods[i].gone && strcmp(text, uid) == 0)
            return c->pods[i].phase == POD_PENDING;
    }
    return true;
}

/* Whether its log is in the spool, or need not be. */
static bool log_is_read(const struct pod *p)
{
    char text[16];
    uid_text(p, text);
    return logs_have(p->run, text);
}

/* ---- turns ---- */

static int64_t client_due(const struct k8s_client *c)
{
    int64_t due = NEVER;
    for (int i = 0; i < c->pod_count; i++) {
        const struct pod *p = &c->pods[i];
        if (p->gone)
            continue;
        due = p->due < due ? p->due : due;
        due = p->gone_due < due ? p->gone_due : due;
    }
    for (int i = 0; i < c->object_count; i++) {
        if (c->objects[i].there && c->objects[i].gone_due < due)
            due = c->objects[i].gone_due;
    }
    return due;
}

bool kube_is_at_rest(void)
{
    for (int i = 0; i < CLUSTERS; i++) {
        if (sim.clusters[i] && client_due(sim.clusters[i]) != NEVER)
            return false;
    }
    return true;
}

int64_t kube_due(void)
{
    int64_t due = NEVER;
    for (int i = 0; i < CLUSTERS; i++) {
        int64_t at = sim.clusters[i] ? client_due(sim.clusters[i]) : NEVER;
        due = at < due ? at : due;
    }
    for (int i = 0; i < WATCHES_MAX; i++) {
        int64_t at = watch_due(watches[i]);
        due = at < due ? at : due;
    }
    return due;
}

static bool client_turn(struct k8s_client *c)
{
    for (int i = 0; i < c->object_count; i++) {
        struct object *o = &c->objects[i];
        if (o->there && o->gone_due <= sim.now) {
            o->there = false;
            return true;
        }
    }
    int offset = c->pod_count ? (int)sim_below(c->pod_count) : 0;
    for (int k = 0; k < c->pod_count; k++) {
        int i = (k + offset) % c->pod_count;
        if (!c->pods[i].gone && (c->pods[i].due <= sim.now || c->pods[i].gone_due <= sim.now)) {
            pod_turn(c, i);
            return true;
        }
    }
    return false;
}

void kube_turn(void)
{
    int offset = (int)sim_below(WATCHES_MAX + CLUSTERS);
    for (int k = 0; k < WATCHES_MAX + CLUSTERS; k++) {
        int i = (k + offset) % (WATCHES_MAX + CLUSTERS);
        if (i < CLUSTERS) {
            if (sim.clusters[i] && client_turn(sim.clusters[i]))
                return;
        } else if (watch_due(watches[i - CLUSTERS]) <= sim.now) {
            deliver(watches[i - CLUSTERS]);
            return;
        }
    }
}

/* ---- calls ---- */

/* What becomes of a call; *ret_e is its answer when it is none of the server's. */
static enum fate request(struct k8s_client *c, const char *what, int run, struct err **ret_e)
{
    enum fate fate = sim_call(what, run);
    *ret_e = NULL;
    if (fate != FATE_DONE) {
        *ret_e = err_new(ERR_UNAVAILABLE, "nobody answers");
        return is_away(c) ? FATE_NOT : fate;
    }
    if (is_away(c)) {
        sim.now += sim.faults && sim_one_in(3) ? 15 * SECOND : 0;
        *ret_e = err_new(ERR_UNAVAILABLE, "connection refused");
        return FATE_NOT;
    }
    if (!sim.faults)
        return FATE_DONE;
    if (sim_one_in(sim.odds.unavailable)) {
        *ret_e = err_new(ERR_UNAVAILABLE, "503");
        return FATE_NOT;
    }
    if (sim_one_in(sim.odds.lost_answer)) {
        sim_trace("the answer is lost", NULL, run, 0);
        *ret_e = err_new(ERR_UNAVAILABLE, "timeout");
        return FATE_LOST;
    }
    if (sim_one_in(sim.odds.conflict)) {
        *ret_e = err_code(ERR_CONFLICT, "Conflict", "the object has been modified");
        return FATE_NOT;
    }
    if (sim_one_in(sim.odds.denied)) {
        sim_trace("forbidden", NULL, run, 0);
        *ret_e = err_code(ERR_DENIED, "Forbidden", "pods is forbidden");
        return FATE_NOT;
    }
    return FATE_DONE;
}

struct slice sim_id(struct slice name)
{
    if (slice_starts_with(name, S("spark-")) || slice_starts_with(name, S("exec--")))
        name = slice_from(name, 6);
    return slice_sub(name, 0, ID_LENGTH);
}

static struct slice last_of(struct slice path)
{
    return slice_from(path, (size_t)(slice_rindex(path, '/') + 1));
}

static struct object *object_named(struct k8s_client *c, struct slice name)
{
    for (int i = 0; i < c->object_count; i++) {
        if (c->objects[i].there && slice_eq(slice_from_cstr(c->objects[i].name), name))
            return &c->objects[i];
    }
    return NULL;
}

static void check_launch(const struct k8s_client *c, int run, int attempt, bool pod)
{
    const struct sim_run *r = &sim.runs[run];
    if (!r->row.launch_started_at.ms)
        sim_fail(run, "launched before it has left the queue");
    if (r->cancelled_queued)
        sim_fail(run, "cancelled before its launch, and launched");
    if (r->cancelled_at && r->cancelled_at < r->read_at)
        sim_fail(run, "launched after its cancel was seen");
    if (job_run_state_is_final(r->state))
        sim_fail(run, "launched after its end");
    if (!pod)
        return;
    if (attempt != r->row.attempt)
        sim_fail(run, "a driver of attempt %d", attempt);
    if (r->row.outcome.ptr)
        sim_fail(run, "a driver after the attempt's end is recorded");
    for (int i = 0; i < c->pod_count; i++) {
        bool given_up = c->pods[i].deleting && sim.now >= c->pods[i].deleted_by / SECOND * SECOND + HELD_MAX_MS;
        if (c->pods[i].driver && !c->pods[i].foreign && c->pods[i].run == run && !c->pods[i].gone && !given_up)
            sim_fail(run, "two drivers at a time");
        /* With its creation's answer lost and it gone before anybody was told, nobody can know. */
        if (c->pods[i].driver && !c->pods[i].foreign && c->pods[i].run == run && c->pods[i].attempt == attempt && c->pods[i].told_gone_at &&
            c->pods[i].told_gone_at < r->read_at)
            sim_fail(run, "a second driver of attempt %d", attempt);
    }
}

static int attempt_of(struct slice name)
{
    struct slice tail = slice_from(name, strlen("spark--driver") + ID_LENGTH);
    return tail.len ? tail.ptr[1] - '0' : 1;
}

static void create_pod(struct k8s_client *c, struct slice name)
{
    static const enum pod_fate USUAL[] = {FATE_SUCCEEDS, FATE_SUCCEEDS, FATE_SUCCEEDS, FATE_FAILS, FATE_FAILS, FATE_OOM, FATE_EVICTED};
    int run = sim_run_of(sim_id(name)), attempt = attempt_of(name);
    check_launch(c, run, attempt, true);
    struct pod driver = {.run = run, .attempt = attempt, .driver = true, .owner = -1, .fate = USUAL[sim_below((int64_t)ARRAY_SIZE(USUAL))]};
    if (sim_one_in(sim.odds.vanish))
        driver.fate = FATE_VANISHES;
    if (sim_one_in(sim.odds.stuck))
        driver.fate = sim_one_in(2) ? FATE_NEVER_PLACED : FATE_IMAGE_MISSING;
    memcpy(driver.name, name.ptr, name.len);
    sim_trace("driver is created", NULL, run, attempt);
    pod_add(c, &driver);
}

static void create_object(struct k8s_client *c, struct slice name)
{
    int run = sim_run_of(sim_id(name));
    check_launch(c, run, 0, false);
    if (c->object_count == OBJECTS_MAX)
        sim_fail(run, "too many objects");
    struct object *o = &c->objects[c->object_count++];
    *o = (struct object){.run = run, .owner = -1, .there = true, .gone_due = NEVER};
    memcpy(o->name, name.ptr, name.len);
}

static struct json *as_json(struct arena *arena, struct k8s_client *c, struct slice name, bool pod)
{
    if (pod)
        return pod_json(arena, &c->pods[pod_index(c, name)], false);
    struct json *object = json_object(arena), *meta = json_ensure_object(arena, object, "metadata");
    json_set_text(arena, meta, "name", slice_dup(arena, name));
    return object;
}

struct err *k8s_create(struct k8s_client *c, struct arena *arena, struct slice path, const struct json *object, struct json **ret_object)
{
    struct slice name = json_text(JSON_AT(object, "metadata", "name"));
    bool pod = slice_ends_with(path, S("/pods")), shared = slice_ends_with(path, S("/serviceaccounts"));
    struct err *e;
    enum fate fate = request(c, pod ? "create the driver" : shared ? "create an account" : "create an object", shared ? -1 : sim_run_of(sim_id(name)), &e);
    if (fate == FATE_NOT)
        return e;
    if (!shared && (pod ? pod_index(c, name) >= 0 : object_named(c, name) != NULL)) {
        err_free(e);
        return err_code(ERR_CONFLICT, "AlreadyExists", "it is there");
    }
    if (pod)
        create_pod(c, name);
    else if (!shared)
        create_object(c, name);
    if (!e)
        *ret_object = as_json(arena, c, name, pod);
    sim_between();
    return e;
}

struct err *k8s_get(struct k8s_client *c, struct arena *arena, struct slice path, struct json **ret_object)
{
    bool pod = slice_find(path, S("/pods/")) >= 0;
    struct slice name = last_of(path);
    struct err *e;
    (void)request(c, "get", -1, &e);
    if (e)
        return e;
    if (slice_ends_with(path, S("/nodes"))) {
        static const struct slice NODES = S_INIT("{\"items\":[{\"status\":{\"allocatable\":{\"memory\":\"4Gi\",\"cpu\":\"4\"}}}]}");
        return json_parse(arena, NODES, JSON_DUPLICATES_REFUSE, ret_object);
    }
    if (pod ? pod_index(c, name) < 0 : !object_named(c, name))
        return err_code(ERR_NOT_FOUND, "NotFound", "none");
    *ret_object = as_json(arena, c, name, pod);
    return NULL;
}

struct err *k8s_get_within(struct k8s_client *c, struct arena *arena, struct slice path, int timeout_ms, struct json **ret_object)
{
    return k8s_get(c, arena, path, ret_object);
}

/* Only owners are ever patched in. */
struct err *k8s_patch(struct k8s_client *c, struct arena *arena, struct slice path, enum k8s_patch kind, const struct json *body, struct json **ret_object)
{
    struct slice name = last_of(path);
    struct err *e;
    if (request(c, "own an object", sim_run_of(sim_id(name)), &e) == FATE_NOT)
        return e;
    struct object *o = object_named(c, name);
    if (!o) {
        err_free(e);
        return err_code(ERR_NOT_FOUND, "NotFound", "none");
    }
    for (int i = 0; i < c->pod_count; i++) {
        if (c->pods[i].driver && !c->pods[i].foreign && c->pods[i].run == o->run && (o->owner < 0 || !c->pods[i].gone))
            o->owner = i;
    }
    if (o->owner >= 0 && c->pods[o->owner].gone) /* the collector finds no such owner */
        o->gone_due = sim.now + sim_delay();
    *ret_object = json_object(arena);
    return e;
}

static void delete_pod(struct k8s_client *c, int index, int64_t grace_seconds)
{
    struct pod *p = &c->pods[index];
    const struct sim_run *r = &sim.runs[p->run];
    bool wanted = r->cancelled_at || job_run_state_is_final(r->state) || p->foreign;
    if (p->foreign && !p->driver)
        sim_fail(p->run, "somebody else's pod is deleted");
    if (p->driver && !wanted && !r->row.outcome.ptr && !p->deleting)
        sim_fail(p->run, "its driver is deleted while it is under way");
    if (p->driver && p->phase == POD_ENDED && !p->deleting && !p->no_status && !wanted && sim.now - r->row.outcome_at.ms < MINUTE && !log_is_read(p))
        sim_fail(p->run, "its driver is deleted before its log is read");
    if (grace_seconds == 0 && p->driver && !p->foreign && (!p->deleting || sim.now < p->deleted_by / SECOND * SECOND + MINUTE))
        sim_fail(p->run, "its driver is deleted without grace before its time");
    if (p->deleting) {
        if (!grace_seconds && p->node_dead && p->gone_due > sim.now + 10 * SECOND)
            p->gone_due = is_held(p) ? p->held_until : sim.now + sim_delay();
        return;
    }
    sim_trace(p->driver ? "driver is to go" : "executor is to go", NULL, p->run, p->attempt);
    p->deleted_by = sim.now + GRACE_MS;
    p->deleting = true;
    p->gone_due = p->node_dead ? NEVER : sim.now + sim_delay();
    if (p->phase != POD_RUNNING && !is_held(p) && sim_one_in(2)) {
        pod_goes(c, index);
        return;
    }
    tell(c, index, false);
}

struct err *k8s_delete(struct k8s_client *c, struct arena *arena, struct slice path, int64_t grace_seconds)
{
    bool pod = slice_find(path, S("/pods/")) >= 0;
    struct slice name = last_of(path);
    struct err *e;
    if (request(c, "delete", sim_run_of(sim_id(name)), &e) == FATE_NOT)
        return e;
    int index = pod ? pod_index(c, name) : -1;
    struct object *o = pod ? NULL : object_named(c, name);
    if (index >= 0)
        delete_pod(c, index, grace_seconds);
    if (o)
        o->there = false;
    sim_between();
    return e;
}

void k8s_client_interrupt(struct k8s_client *c)
{
}

/* ---- invariants ---- */

/* Executors that nobody has told of are the collector's, as is what has an owner that is gone. A driver that is told to go will. */
void kube_check_reaped(int run)
{
    const struct sim_run *r = &sim.runs[run];
    const struct k8s_client *c = sim.clusters[sim.vcs[r->vc].cluster];
    for (int i = 0; c && i < c->pod_count; i++) {
        if (c->pods[i].run == run && c->pods[i].driver && !c->pods[i].foreign && !c->pods[i].gone && !c->pods[i].deleting)
            sim_fail(run, "reaped, and its driver of attempt %d is left", c->pods[i].attempt);
    }
    for (int i = 0; c && i < c->object_count; i++) {
        if (c->objects[i].run == run && c->objects[i].there && c->objects[i].gone_due == NEVER)
            sim_fail(run, "reaped, and %s is left", c->objects[i].name);
    }
}

/* CANCELLED: no driver that the daemon's watch has told of runs on, unless its cluster has been away for long. */
void kube_check_stopped(int run)
{
    int cluster = sim.vcs[sim.runs[run].vc].cluster;
    const struct k8s_client *c = sim.clusters[cluster];
    for (int i = 0; i < WATCHES_MAX; i++) {
        const struct k8s_watch *w = watches[i];
        for (int k = 0; c && w && w->client == c && !w->stopped && k < c->pod_count; k++) {
            const struct pod *p = &c->pods[k];
            bool given_up = p->deleting && sim.now >= p->deleted_by / SECOND * SECOND + HELD_MAX_MS;
            if (p->run == run && p->driver && !p->foreign && !p->gone && !given_up && p->phase != POD_ENDED && w->known[k] && kube_away_ms(cluster) < 10 * MINUTE)
                sim_fail(run, "CANCELLED, and its driver runs on");
        }
    }
}

/* COMPLETED: the log of the driver that ended is whole, as long as there was a pod to read it from. */
void kube_check_created_logs(int run)
{
    const struct k8s_client *c = sim.clusters[sim.vcs[sim.runs[run].vc].cluster];
    for (int i = 0; c && i < c->pod_count; i++) {
        const struct pod *p = &c->pods[i];
        if (p->run == run && p->driver && !p->foreign && !p->gone && !p->deleting && p->attempt == sim.runs[run].row.attempt && !log_is_read(p))
            sim_fail(run, "COMPLETED before its driver's log is read");
    }
}

void kube_check_end(void)
{
    for (int k = 0; k < CLUSTERS; k++) {
        const struct k8s_client *c = sim.clusters[k];
        for (int i = 0; c && i < c->pod_count; i++) {
            if (!c->pods[i].gone)
                sim_fail(c->pods[i].run, "%s is left", c->pods[i].name);
        }
        for (int i = 0; c && i < c->object_count; i++) {
            if (c->objects[i].there)
                sim_fail(c->objects[i].run, "%s is left", c->objects[i].name);
        }
    }
}
