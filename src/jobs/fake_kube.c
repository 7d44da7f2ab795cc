#include "jobs/fake_kube.h"
#include "base/arena.h"
#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static _Atomic int pods_made; /* for uids: a name may have another pod after it */

struct k8s_watch {
    struct k8s_client *client;
    k8s_watch_fn fn;
    void *ctx;
    pthread_t thread;
    size_t told;
    bool stop;
};

struct k8s_client *fake_kube_new(void)
{
    struct k8s_client *c = xcalloc(1, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    c->log = "2026-11-21T21:10:00Z hello\n2026-11-21T21:10:01Z ValueError: no such column\n";
    return c;
}

void fake_kube_free(struct k8s_client *c)
{
    for (size_t i = 0; i < c->object_count; i++)
        free(c->objects[i].text);
    for (size_t i = 0; i < c->event_count; i++)
        free(c->events[i].text);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct fake_object *fake_kube_object(struct k8s_client *c, struct slice path, bool make)
{
    for (size_t i = 0; i < c->object_count; i++) {
        if (slice_eq(slice_from_cstr(c->objects[i].path), path))
            return &c->objects[i];
    }
    if (!make)
        return NULL;
    assert_true(c->object_count < FAKE_OBJECTS_MAX);
    struct fake_object *o = &c->objects[c->object_count++];
    snprintf(o->path, sizeof(o->path), "%.*s", SLICE_ARG(path));
    return o;
}

bool fake_object_is_pod(const struct fake_object *o)
{
    return strstr(o->path, "/pods/") != NULL;
}

void fake_kube_tell(struct k8s_client *c, enum k8s_watch_event kind, const char *text)
{
    for (int i = 0; i < (c->repeating ? 2 : 1) && !c->deaf; i++) {
        assert_true(c->event_count < FAKE_EVENTS_MAX);
        c->events[c->event_count++] = (struct fake_event){.kind = kind, .text = xstrdup(text)};
    }
    pthread_cond_broadcast(&c->changed);
}

void fake_kube_settle(struct k8s_client *c)
{
    pthread_mutex_lock(&c->lock);
    while (c->told < c->event_count)
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static struct err *dead(void)
{
    return err_new(ERR_UNAVAILABLE, "nobody answers");
}

/* Under the lock: counts a call; true when it must not take effect. */
static bool call_begin(struct k8s_client *c)
{
    while (c->hanging)
        pthread_cond_wait(&c->changed, &c->lock);
    if (c->hook && c->calls + 1 == c->hook_at) {
        c->hook_at = 0;
        pthread_mutex_unlock(&c->lock);
        c->hook();
        pthread_mutex_lock(&c->lock);
    }
    if (!c->dead && ++c->calls == c->die_at) {
        c->dead = true;
        pthread_cond_broadcast(&c->changed);
        return !c->die_after;
    }
    return c->dead;
}

struct err *k8s_get(struct k8s_client *c, struct arena *arena, struct slice path, struct json **ret_object)
{
    pthread_mutex_lock(&c->lock);
    bool none = call_begin(c);
    struct fake_object *o = fake_kube_object(c, path, false);
    struct err *e = none || c->dead ? dead() : !o || !o->text ? err_code(ERR_NOT_FOUND, "NotFound", "none") : NULL;
    if (!e)
        e = json_parse(arena, slice_dup_cstr(arena, o->text), JSON_DUPLICATES_REFUSE, ret_object);
    pthread_mutex_unlock(&c->lock);
    return e;
}

struct err *k8s_get_within(struct k8s_client *c, struct arena *arena, struct slice path, int timeout_ms, struct json **ret_object)
{
    return k8s_get(c, arena, path, ret_object);
}

void k8s_client_interrupt(struct k8s_client *c)
{
}

struct err *k8s_create(struct k8s_client *c, struct arena *arena, struct slice path, const struct json *object, struct json **ret_object)
{
    struct json *made = json_clone(arena, object), *meta = json_ensure_object(arena, made, "metadata");
    struct slice name = json_get_text(meta, "name");
    json_set_text(arena, meta, "uid", slice_fmt(arena, "u%d", ++pods_made));
    json_set_text(arena, meta, "creationTimestamp", instant_iso8601(arena, instant_now()));
    pthread_mutex_lock(&c->lock);
    bool none = call_begin(c);
    struct fake_object *o = fake_kube_object(c, slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(path), SLICE_ARG(name)), true);
    struct err *e = none ? dead() : o->text ? err_code(ERR_CONFLICT, "AlreadyExists", "it is there") : NULL;
    if (!e) {
        o->text = xstrdup(slice_cstr(arena, json_to_slice(arena, made)));
        o->creates++;
        if (fake_object_is_pod(o))
            fake_kube_tell(c, K8S_PRESENT, o->text);
        bool undelivered = fake_object_is_pod(o) && c->undelivered_creates > 0;
        c->undelivered_creates -= undelivered;
        if (c->dead || undelivered)
            e = dead(); /* the answer is lost */
    }
    pthread_mutex_unlock(&c->lock);
    if (!e)
        *ret_object = made;
    return e;
}

struct err *k8s_patch(struct k8s_client *c, struct arena *arena, struct slice path, enum k8s_patch kind, const struct json *body, struct json **ret_object)
{
    return k8s_get(c, arena, path, ret_object);
}

/* Under the lock. */
static void object_goes(struct k8s_client *c, struct fake_object *o)
{
    if (fake_object_is_pod(o))
        fake_kube_tell(c, K8S_GONE, o->text);
    free(o->text);
    o->text = NULL;
}

/* Under the lock: the pod is to go, and something holds it. */
static void pod_terminates(struct k8s_client *c, struct arena *arena, struct fake_object *o)
{
    struct json *pod;
    assert_null(json_parse(arena, slice_dup_cstr(arena, o->text), JSON_DUPLICATES_REFUSE, &pod));
    struct json *meta = json_ensure_object(arena, pod, "metadata");
    if (json_get(meta, S("deletionTimestamp")))
        return;
    json_set_text(arena, meta, "deletionTimestamp", instant_iso8601(arena, instant_now()));
    struct json *finalizer;
    assert_null(json_parse(arena, S("[\"example.com/hold\"]"), JSON_DUPLICATES_REFUSE, &finalizer));
    json_set(arena, meta, S("finalizers"), finalizer);
    free(o->text);
    o->text = xstrdup(slice_cstr(arena, json_to_slice(arena, pod)));
    fake_kube_tell(c, K8S_PRESENT, o->text);
}

struct err *k8s_delete(struct k8s_client *c, struct arena *arena, struct slice path, int64_t grace_seconds)
{
    pthread_mutex_lock(&c->lock);
    bool none = call_begin(c);
    struct fake_object *o = fake_kube_object(c, path, false);
    if (c->deny_deletes) {
        pthread_mutex_unlock(&c->lock);
        return err_code(ERR_DENIED, "Forbidden", "pods is forbidden");
    }
    if (!none && o && o->text) {
        if (fake_object_is_pod(o))
            c->last_grace = grace_seconds;
        if (fake_object_is_pod(o) && c->finalizers)
            pod_terminates(c, arena, o);
        else
            object_goes(c, o);
    }
    struct err *e = none || c->dead ? dead() : NULL;
    pthread_mutex_unlock(&c->lock);
    return e;
}

void fake_kube_drop_pod(struct k8s_client *c, const char *name)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    pthread_mutex_lock(&c->lock);
    struct fake_object *o = fake_kube_object(c, slice_fmt(arena, "/api/v1/namespaces/ns/pods/%s", name), false);
    assert_true(o && o->text);
    object_goes(c, o);
    pthread_mutex_unlock(&c->lock);
}

struct err *k8s_log_read(struct k8s_client *c, const struct k8s_log_options *options, struct err *(*sink)(void *ctx, struct slice data), void *sink_ctx,
                         const volatile bool *stop)
{
    pthread_mutex_lock(&c->lock);
    const char *text = options->stream == K8S_LOG_STDERR ? c->log : "";
    struct err *e = c->dead || c->log_away ? dead() : c->log_missing ? err_new(ERR_NOT_FOUND, "no log") : NULL;
    pthread_mutex_unlock(&c->lock);
    return e ? e : sink(sink_ctx, slice_from_cstr(text));
}

static void watch_tell(struct k8s_watch *w, enum k8s_watch_event kind, const char *text)
{
    struct arena *arena = arena_new();
    struct json *object = NULL;
    if (text)
        assert_null(json_parse(arena, slice_from_cstr(text), JSON_DUPLICATES_REFUSE, &object));
    w->fn(w->ctx, kind, object, NULL);
    arena_free(arena);
}

/* Every object as it is, those that went without their status, and SYNCED. */
static void watch_list(struct k8s_watch *w)
{
    struct k8s_client *c = w->client;
    for (size_t i = 0; i < c->object_count; i++) {
        struct fake_object *o = &c->objects[i];
        if (!fake_object_is_pod(o) || !o->creates)
            continue;
        struct arena *arena = arena_new();
        char *text = o->text ? xstrdup(o->text) : NULL;
        const char *name = strrchr(o->path, '/') + 1;
        const char *tail = strstr(name, "-driver");
        struct slice id = slice_sub(slice_from_cstr(name), strlen("spark-"), (size_t)(tail - name) - strlen("spark-"));
        struct slice tombstone = slice_fmt(arena, "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"emr-containers.amazonaws.com/job.id\":\"%.*s\",\"spark-role\":\"driver\"}}}",
                                           name, SLICE_ARG(id));
        pthread_mutex_unlock(&c->lock);
        watch_tell(w, text ? K8S_PRESENT : K8S_GONE, text ? text : tombstone.ptr);
        free(text);
        arena_free(arena);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    watch_tell(w, K8S_SYNCED, NULL);
    pthread_mutex_lock(&c->lock);
}

static void *watch_main(void *arg)
{
    struct k8s_watch *w = arg;
    struct k8s_client *c = w->client;
    pthread_mutex_lock(&c->lock);
    w->told = c->told = c->event_count;
    if (!c->list_away)
        watch_list(w);
    while (!w->stop) {
        if (c->trouble && !c->list_again && w->told >= c->event_count) { /* after all that came before: an event says that it answers again */
            struct err *e = err_new(ERR_UNAVAILABLE, "%s", c->trouble);
            c->trouble = NULL;
            pthread_mutex_unlock(&c->lock);
            w->fn(w->ctx, K8S_TROUBLE, NULL, e);
            err_free(e);
            pthread_mutex_lock(&c->lock);
            c->trouble_told = true;
        } else if (c->list_again) {
            c->list_again = false;
            watch_list(w);
        } else if (w->told < c->event_count) {
            struct fake_event *event = &c->events[w->told++];
            pthread_mutex_unlock(&c->lock);
            watch_tell(w, event->kind, event->text);
            pthread_mutex_lock(&c->lock);
            c->told = w->told;
            pthread_cond_broadcast(&c->changed);
        } else {
            pthread_cond_wait(&c->changed, &c->lock);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct err *k8s_watch_start(struct k8s_client *client, struct slice path, struct slice label_selector, k8s_watch_fn fn, void *ctx, struct k8s_watch **ret_watch)
{
    struct k8s_watch *w = xcalloc(1, sizeof(*w));
    *w = (struct k8s_watch){.client = client, .fn = fn, .ctx = ctx};
    assert_int_equal(pthread_create(&w->thread, NULL, watch_main, w), 0);
    *ret_watch = w;
    return NULL;
}

void k8s_watch_stop(struct k8s_watch *w)
{
    pthread_mutex_lock(&w->client->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->client->changed);
    pthread_mutex_unlock(&w->client->lock);
    pthread_join(w->thread, NULL);
    free(w);
}
