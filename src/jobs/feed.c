#include "jobs/feed.h"
#include "base/arena.h"
#include "base/log.h"
#include "jobs/ask.h"
#include "jobs/reconciler_internal.h"
#include <stdlib.h>
#include <string.h>

#define WRITERS_PER_CLUSTER 4
#define WRITERS_IN_TROUBLE 1
#define CHECK_EVERY_MS 2000
#define ROOM_KEPT_MS 60000

/* lock guards both lists. */
struct feeds {
    struct reconciler *reconciler;
    struct mutex lock;
    struct feed *live, *retired;
};

/* ---- what the watch tells ---- */

static void nudge_all(struct reconciler *r, struct slice cluster)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct open_run *runs;
    size_t count;
    struct err *e = store_job_run_list_open(r->options.store, arena, &runs, &count);
    if (e) {
        log_event(RECONCILER_TROUBLE, LOG_ERR(e));
        err_free(e);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(runs[i].cluster, cluster))
            reconciler_nudge(r, runs[i].id);
    }
}

/* Another cluster has the name: what was seen of this one's pods says nothing of the other. */
static struct err *forget_all(struct reconciler *r, struct slice cluster)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct open_run *runs;
    size_t count;
    TRY(store_job_run_list_open(r->options.store, arena, &runs, &count));
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(runs[i].cluster, cluster))
            observations_drop(r->observations, runs[i].id);
    }
    return NULL;
}

static void set_trouble(struct feed *feed, const struct err *e)
{
    struct instant now = reconciler_now(feed->feeds->reconciler);
    mutex_lock(&feed->lock);
    if (e && !feed->trouble)
        feed->trouble_since = now;
    free(feed->trouble);
    feed->trouble = e ? xstrdup(e->message ? e->message : "no answer") : NULL;
    if (e && e->kind == ERR_DENIED)
        denials_note_all(&feed->denials);
    mutex_unlock(&feed->lock);
}

static void watched(void *ctx, enum k8s_watch_event event, const struct json *object, const struct err *e)
{
    struct feed *feed = ctx;
    struct reconciler *r = feed->feeds->reconciler;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice run_id = SLICE_NONE;
    switch (event) {
    case K8S_PRESENT:
    case K8S_GONE:
        observations_told(r->observations, arena, slice_from_cstr(feed->cluster), object, event == K8S_GONE ? OBSERVED_GONE : OBSERVED_PRESENT, &run_id);
        if (run_id.ptr)
            reconciler_nudge(r, run_id);
        set_trouble(feed, NULL); /* it answers again */
        return;
    case K8S_SYNCED:
        set_trouble(feed, NULL);
        atomic_store(&feed->synced, true);
        nudge_all(r, slice_from_cstr(feed->cluster));
        return;
    case K8S_TROUBLE: {
        struct err *none = e ? NULL : err_new(ERR_UNAVAILABLE, "no answer");
        set_trouble(feed, e ? e : none);
        log_event(CLUSTER_TROUBLE, LOG_CSTR("cluster", feed->cluster), LOG_ERR(e));
        err_free(none);
        return;
    }
    }
}

/* ---- life ---- */

struct feeds *feeds_new(struct reconciler *reconciler)
{
    struct feeds *feeds = xcalloc(1, sizeof(*feeds));
    feeds->reconciler = reconciler;
    mutex_init(&feeds->lock, LOCK_RECONCILER);
    return feeds;
}

static void feed_free(struct feed *feed)
{
    if (feed->watch)
        k8s_watch_stop(feed->watch);
    mutex_deinit(&feed->lock);
    denials_deinit(&feed->denials);
    free(feed->trouble);
    free(feed->cluster);
    free(feed);
}

static void list_free(struct feed *feed)
{
    while (feed) {
        struct feed *next = feed->next;
        feed_free(feed);
        feed = next;
    }
}

void feeds_interrupt(struct feeds *feeds)
{
    if (!feeds)
        return;
    mutex_lock(&feeds->lock);
    for (struct feed *f = feeds->live; f; f = f->next)
        k8s_client_interrupt(f->is.client);
    for (struct feed *f = feeds->retired; f; f = f->next)
        k8s_client_interrupt(f->is.client);
    mutex_unlock(&feeds->lock);
}

void feeds_free(struct feeds *feeds)
{
    if (!feeds)
        return;
    list_free(feeds->live);
    list_free(feeds->retired);
    mutex_deinit(&feeds->lock);
    free(feeds);
}

static struct err *feed_new(struct feeds *feeds, struct arena *arena, struct slice cluster, const struct reconciler_cluster *is, struct feed **ret_feed)
{
    struct feed *feed = xcalloc(1, sizeof(*feed));
    feed->feeds = feeds;
    feed->cluster = xstrdup(slice_cstr(arena, cluster));
    feed->is = *is;
    mutex_init(&feed->lock, LOCK_CLUSTER_FEED);
    struct err *e = k8s_watch_start(is->client, S("/api/v1/pods"), S(LABEL_JOB_ID), watched, feed, &feed->watch);
    if (e) {
        feed_free(feed);
        return e;
    }
    *ret_feed = feed;
    return NULL;
}

/* Time to ask whether the cluster is still the one that was connected to. */
static bool wants_check(struct feed *feed, int64_t now_ms)
{
    mutex_lock(&feed->lock);
    bool wants = feed->trouble && now_ms - feed->checked_ms >= CHECK_EVERY_MS;
    if (wants)
        feed->checked_ms = now_ms;
    mutex_unlock(&feed->lock);
    return wants;
}

/* Under the lock: out of the list of live ones. */
static void retire(struct feeds *feeds, struct feed *feed)
{
    struct feed **link = &feeds->live;
    while (*link != feed)
        link = &(*link)->next;
    *link = feed->next;
    feed->next = feeds->retired;
    feeds->retired = feed;
}

/* *ret_leaving: the caller has to let it go, and then to ask again. */
static struct err *find_or_make(struct feeds *feeds, struct arena *arena, struct slice cluster, struct feed **ret_feed, struct feed **ret_leaving)
{
    const struct reconciler_options *o = &feeds->reconciler->options;
    struct reconciler_cluster is;
    struct err *e = NULL;
    struct feed *feed = feeds->live;
    while (feed && !slice_eq(slice_from_cstr(feed->cluster), cluster))
        feed = feed->next;
    bool leaving = feed && feed->leaving;
    if (feed && !leaving && !wants_check(feed, reconciler_monotonic_ms(feeds->reconciler))) {
        *ret_feed = feed;
        return NULL;
    }
    if (!leaving)
        e = o->connect(o->connect_ctx, cluster, &is);
    bool same = feed && !leaving && (e ? e->kind != ERR_NOT_FOUND : is.client == feed->is.client);
    if (same) {
        err_free(e); /* it is in trouble already */
        *ret_feed = feed;
        return NULL;
    }
    if (feed) {
        err_free(e);
        if (feed->forgetting)
            return err_new(ERR_UNAVAILABLE, "another cluster takes the place of %.*s", SLICE_ARG(cluster));
        feed->leaving = feed->forgetting = true;
        *ret_leaving = feed;
        return NULL;
    }
    if (e)
        return e;
    TRY(feed_new(feeds, arena, cluster, &is, &feed));
    feed->next = feeds->live;
    feeds->live = feed;
    *ret_feed = feed;
    return NULL;
}

/* All that it told is forgotten before another one tells anything. */
static struct err *let_go(struct feeds *feeds, struct feed *feed, struct slice cluster)
{
    if (feed->watch)
        k8s_watch_stop(STEAL(feed->watch));
    struct err *e = forget_all(feeds->reconciler, cluster);
    mutex_lock(&feeds->lock);
    feed->forgetting = false;
    if (!e)
        retire(feeds, feed);
    mutex_unlock(&feeds->lock);
    if (!e)
        nudge_all(feeds->reconciler, cluster);
    return e;
}

struct err *feed_get(struct feeds *feeds, struct arena *arena, struct slice cluster, struct feed **ret_feed)
{
    for (;;) {
        struct feed *leaving = NULL;
        mutex_lock(&feeds->lock);
        struct err *e = find_or_make(feeds, arena, cluster, ret_feed, &leaving);
        mutex_unlock(&feeds->lock);
        if (!leaving)
            return e;
        TRY(let_go(feeds, leaving, cluster));
    }
}

/* ---- doors ---- */

void feed_observe(struct feed *feed, struct arena *arena, struct observation *seen)
{
    if (!feed) {
        seen->no_cluster = true;
        return;
    }
    seen->synced = atomic_load(&feed->synced);
    mutex_lock(&feed->lock);
    if (feed->trouble) {
        seen->trouble = slice_dup_cstr(arena, feed->trouble);
        seen->trouble_since = feed->trouble_since;
    }
    mutex_unlock(&feed->lock);
}

bool feed_enter(struct feed *feed)
{
    mutex_lock(&feed->lock);
    int places = feed->failing || feed->trouble ? WRITERS_IN_TROUBLE : WRITERS_PER_CLUSTER;
    bool entered = feed->writers < places;
    feed->writers += entered;
    mutex_unlock(&feed->lock);
    return entered;
}

void feed_leave(struct feed *feed, const struct err *e)
{
    mutex_lock(&feed->lock);
    feed->writers--;
    feed->failing = e && e->kind == ERR_UNAVAILABLE;
    mutex_unlock(&feed->lock);
}

void feed_removed(struct feed *feed, struct slice virtual_cluster_id, const struct err *e)
{
    mutex_lock(&feed->lock);
    denials_note(&feed->denials, virtual_cluster_id, e && e->kind == ERR_DENIED);
    mutex_unlock(&feed->lock);
}

bool feed_confirm_denied(struct feed *feed, struct slice virtual_cluster_id)
{
    mutex_lock(&feed->lock);
    bool confirmed = denials_confirm(&feed->denials, virtual_cluster_id);
    mutex_unlock(&feed->lock);
    return confirmed;
}

struct err *feed_room(struct feed *feed, struct arena *arena, struct resources *ret_room)
{
    *ret_room = (struct resources){0};
    if (!feed->is.one_machine)
        return NULL;
    int64_t now_ms = reconciler_monotonic_ms(feed->feeds->reconciler);
    mutex_lock(&feed->lock);
    *ret_room = feed->room;
    bool fresh = feed->room.memory_bytes && now_ms - feed->room_ms < ROOM_KEPT_MS;
    mutex_unlock(&feed->lock);
    if (fresh)
        return NULL;
    struct json *nodes;
    TRY(k8s_get(feed->is.client, arena, S("/api/v1/nodes"), &nodes));
    struct resources room = room_of_nodes(nodes);
    mutex_lock(&feed->lock);
    feed->room = room;
    feed->room_ms = now_ms;
    mutex_unlock(&feed->lock);
    *ret_room = room;
    return NULL;
}

static bool is_same(const struct resources *a, const struct resources *b)
{
    return a->memory_bytes == b->memory_bytes && a->cpu_millis == b->cpu_millis;
}

bool feed_recall_ask(struct feed *feed, struct slice run_id, const struct resources *room, struct resources *ret_ask)
{
    mutex_lock(&feed->lock);
    const struct kept_ask *kept = &feed->asks[slice_hash(run_id) % ASKS_KEPT];
    bool known = slice_eq(slice_from_cstr(kept->id), run_id) && is_same(&kept->room, room);
    if (known)
        *ret_ask = kept->ask;
    mutex_unlock(&feed->lock);
    return known;
}

void feed_keep_ask(struct feed *feed, struct slice run_id, const struct resources *room, const struct resources *ask)
{
    struct kept_ask kept = {.room = *room, .ask = *ask};
    if (run_id.len >= sizeof(kept.id) || !ask->memory_bytes)
        return;
    memcpy(kept.id, run_id.ptr, run_id.len);
    mutex_lock(&feed->lock);
    feed->asks[slice_hash(run_id) % ASKS_KEPT] = kept;
    mutex_unlock(&feed->lock);
}
