/* watch: list, then watch, for ever. The thread alone touches everything but stop. Facts: kubernetes.io "Efficient
 * detection of changes"; versions are opaque and never compared; a watch's errors come with HTTP 200 as an ERROR event.
 */
#include "base/clock.h"
#include "base/digest.h"
#include "base/mutex.h"
#include "k8s/client_internal.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PAGE_ITEMS = 500,
    FRAME_MAX_BYTES = 16 * 1024 * 1024,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 10 * 1000,
    WATCH_SECONDS = 300,
    LIST_TIMEOUT_MS = 60 * 1000, /* a page */
    BUCKETS = 1024,
};

/* One object that was told as present: enough of it to tell that it is gone. */
struct known {
    struct known *next;
    uint64_t hash;
    unsigned round; /* of the list that saw it last */
    size_t key_len;
    char *tombstone; /* JSON text */
    char key[];      /* namespace/name */
};

struct k8s_watch {
    struct k8s_client *client;
    char *path, *label_selector;
    k8s_watch_fn fn;
    void *ctx;
    pthread_t thread;
    struct mutex lock; /* with cond: wakes the back-off; guards nothing else */
    struct condition cond;
    volatile bool stop; /* atomic */
    /* thread */
    struct known *buckets[BUCKETS];
    unsigned round;
    char *version; /* resourceVersion to go on from */
    bool relist;
    bool troubled; /* K8S_TROUBLE was told and K8S_SYNCED was not, since */
    bool heard;          /* something arrived in this watch */
    struct strbuf frame; /* an event's bytes so far */
    struct arena *arena; /* of one event */
    int backoff_ms;
};

static bool watch_stopping(struct k8s_watch *watch)
{
    return __atomic_load_n(&watch->stop, __ATOMIC_RELAXED);
}

static void watch_set_version(struct k8s_watch *watch, struct slice version)
{
    if (!version.len)
        return;
    free(watch->version);
    watch->version = xmalloc(version.len + 1);
    memcpy(watch->version, version.ptr, version.len);
    watch->version[version.len] = '\0';
}

/* ---- known objects ---- */

static struct slice object_key(struct arena *arena, const struct json *object)
{
    const struct json *metadata = json_get(object, S("metadata"));
    return slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(json_get_text(metadata, "namespace")),
                     SLICE_ARG(json_get_text(metadata, "name")));
}

static struct known **known_find(struct k8s_watch *watch, struct slice key)
{
    uint64_t hash = slice_hash(key);
    struct known **at = &watch->buckets[hash % BUCKETS];
    while (*at && !((*at)->hash == hash && slice_eq(slice_of((*at)->key, (*at)->key_len), key)))
        at = &(*at)->next;
    return at;
}

static char *tombstone_make(struct arena *arena, const struct json *object)
{
    struct json *tombstone = json_object(arena), *metadata = json_ensure_object(arena, tombstone, "metadata");
    static const char *const copied[] = {"name", "namespace", "uid", "labels"};
    for (size_t i = 0; i < ARRAY_SIZE(copied); i++) {
        const struct json *value = json_at(object, "metadata", copied[i], NULL);
        if (value)
            json_set(arena, metadata, slice_from_cstr(copied[i]), json_clone(arena, value));
    }
    json_set_text(arena, tombstone, "kind", slice_dup(arena, json_get_text(object, "kind")));
    json_set_text(arena, tombstone, "apiVersion", slice_dup(arena, json_get_text(object, "apiVersion")));
    struct strbuf text = STRBUF_HEAP;
    json_write(&text, tombstone);
    return text.ptr;
}

static void known_add(struct k8s_watch *watch, const struct json *object)
{
    struct slice key = object_key(watch->arena, object);
    struct known **at = known_find(watch, key);
    if (!*at) {
        struct known *known = xcalloc(1, sizeof(*known) + key.len);
        known->hash = slice_hash(key);
        known->key_len = key.len;
        memcpy(known->key, key.ptr, key.len);
        *at = known;
    }
    (*at)->round = watch->round;
    free((*at)->tombstone);
    (*at)->tombstone = tombstone_make(watch->arena, object);
}

static void known_drop(struct known **at)
{
    struct known *known = *at;
    *at = known->next;
    free(known->tombstone);
    free(known);
}

static void tell_present(struct k8s_watch *watch, const struct json *object)
{
    known_add(watch, object);
    watch->fn(watch->ctx, K8S_PRESENT, object, NULL);
}

static void tell_gone(struct k8s_watch *watch, const struct json *object)
{
    struct known **at = known_find(watch, object_key(watch->arena, object));
    if (*at)
        known_drop(at);
    watch->fn(watch->ctx, K8S_GONE, object, NULL);
}

/* After a list: who was known before and not in it. */
static void tell_vanished(struct k8s_watch *watch)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct known **at = &watch->buckets[i]; *at;) {
            if ((*at)->round == watch->round) {
                at = &(*at)->next;
                continue;
            }
            struct json *tombstone = NULL;
            err_free(
                json_parse(watch->arena, slice_from_cstr((*at)->tombstone), JSON_DUPLICATES_LAST_WINS, &tombstone));
            known_drop(at);
            watch->fn(watch->ctx, K8S_GONE, tombstone, NULL);
        }
}

/* ---- list ---- */

static struct slice watch_path(struct k8s_watch *watch, struct arena *arena)
{
    struct slice path = slice_from_cstr(watch->path);
    return watch->label_selector ? k8s_path_with(arena, path, "labelSelector", slice_from_cstr(watch->label_selector))
                                 : path;
}

/* The items of a list carry neither; the list's own kind says them. */
static void item_complete(struct arena *arena, const struct json *list, struct json *item)
{
    struct slice kind = json_get_text(list, "kind");
    if (!json_get(item, S("kind")) && slice_ends_with(kind, S("List")))
        json_set_text(arena, item, "kind", slice_sub(kind, 0, kind.len - 4));
    if (!json_get(item, S("apiVersion")))
        json_set_text(arena, item, "apiVersion", json_get_text(list, "apiVersion"));
}

static struct err *watch_list_page(struct k8s_watch *watch, struct slice *cursor, struct arena *cursor_arena)
{
    struct arena *arena = watch->arena;
    arena_reset(arena);
    struct slice path = k8s_path_with(arena, watch_path(watch, arena), "limit", slice_fmt(arena, "%d", PAGE_ITEMS));
    if (cursor->len)
        path = k8s_path_with(arena, path, "continue", *cursor);
    struct http_response response;
    TRY(k8s_request_send(watch->client, arena,
                         &(struct k8s_request){.method = "GET", .path = path, .stop = &watch->stop, .timeout_ms = LIST_TIMEOUT_MS}, &response));
    struct json *list;
    TRY(json_parse(arena, response.body, JSON_DUPLICATES_LAST_WINS, &list));
    JSON_FOREACH (item, json_get(list, S("items"))) {
        item_complete(arena, list, item);
        tell_present(watch, item);
    }
    const struct json *metadata = json_get(list, S("metadata"));
    watch_set_version(watch, json_get_text(metadata, "resourceVersion"));
    *cursor = slice_dup(cursor_arena, json_get_text(metadata, "continue"));
    return NULL;
}

static struct err *watch_list(struct k8s_watch *watch)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice cursor = SLICE_NONE;
    watch->round++;
    do
        TRY(watch_list_page(watch, &cursor, arena));
    while (cursor.len);
    arena_reset(watch->arena);
    tell_vanished(watch);
    watch->fn(watch->ctx, K8S_SYNCED, NULL, NULL);
    watch->relist = watch->troubled = false;
    watch->backoff_ms = BACKOFF_MIN_MS;
    return NULL;
}

/* ---- watch ---- */

static void watch_over_trouble(struct k8s_watch *watch)
{
    if (watch->troubled)
        watch->fn(watch->ctx, K8S_SYNCED, NULL, NULL);
    watch->troubled = false;
}

static struct err *watch_take_event(struct k8s_watch *watch, struct slice text)
{
    if (!slice_trim(text).len)
        return NULL;
    struct json *event;
    arena_reset(watch->arena);
    TRY(json_parse(watch->arena, text, JSON_DUPLICATES_LAST_WINS, &event));
    struct slice type = json_get_text(event, "type");
    const struct json *object = json_get(event, S("object"));
    if (slice_eq(type, S("ERROR"))) {
        watch->relist = true; /* 410, and whatever else: a new list is always right */
        return k8s_status_err(500, object, S("watch"));
    }
    if (!json_is(object, JSON_OBJECT))
        return err_new(ERR_UNAVAILABLE, "a watch event has no object");
    watch->heard = true;
    watch->backoff_ms = BACKOFF_MIN_MS;
    watch_set_version(watch, json_get_text(json_get(object, S("metadata")), "resourceVersion"));
    if (slice_eq(type, S("ADDED")) || slice_eq(type, S("MODIFIED")))
        tell_present(watch, object);
    else if (slice_eq(type, S("DELETED")))
        tell_gone(watch, object);
    watch_over_trouble(watch);
    return NULL; /* BOOKMARK: the version was all */
}

static struct err *watch_sink(void *ctx, struct slice data)
{
    struct k8s_watch *watch = ctx;
    while (data.len) {
        ptrdiff_t end = slice_index(data, '\n');
        struct slice part = end >= 0 ? slice_sub(data, 0, (size_t)end) : data;
        data = slice_from(data, end >= 0 ? (size_t)end + 1 : data.len);
        if (watch->frame.len + part.len > FRAME_MAX_BYTES)
            return err_new(ERR_LIMIT, "a watch event is larger than %d bytes", FRAME_MAX_BYTES);
        if (end >= 0 && !watch->frame.len) {
            TRY(watch_take_event(watch, part));
            continue;
        }
        strbuf_append(&watch->frame, part);
        if (end >= 0) {
            struct err *e = watch_take_event(watch, strbuf_slice(&watch->frame));
            strbuf_truncate(&watch->frame, 0);
            TRY(e);
        }
    }
    return NULL;
}

static uint32_t random_below(uint32_t bound)
{
    uint32_t value;
    random_bytes(&value, sizeof(value));
    return value % bound;
}

static struct err *watch_follow(struct k8s_watch *watch)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    unsigned seconds = WATCH_SECONDS + random_below(60);
    struct slice path = k8s_path_with(arena, watch_path(watch, arena), "watch", S("1"));
    path = k8s_path_with(arena, path, "allowWatchBookmarks", S("true"));
    path = k8s_path_with(arena, path, "timeoutSeconds", slice_fmt(arena, "%u", seconds));
    path = k8s_path_with(arena, path, "resourceVersion", slice_from_cstr(watch->version ? watch->version : ""));
    watch->heard = false;
    strbuf_truncate(&watch->frame, 0); /* half an event of a broken connection is worth nothing */
    int64_t begun_ms = monotonic_ms();
    struct http_response response;
    struct err *e = k8s_request_send(watch->client, arena,
                                     &(struct k8s_request){.method = "GET",
                                                           .path = path,
                                                           .sink = watch_sink,
                                                           .sink_ctx = watch,
                                                           .silence_ms = (int)(seconds + 30) * 1000,
                                                           .stop = &watch->stop},
                                     &response);
    if (e && e->status == 410)
        watch->relist = true;
    if (!e && !watch->heard && monotonic_ms() - begun_ms < 1000)
        return err_new(ERR_UNAVAILABLE, "the watch ended as soon as it began");
    return e;
}

/* ---- thread ---- */

static void watch_back_off(struct k8s_watch *watch)
{
    int wait_ms = watch->backoff_ms / 2 + (int)random_below((uint32_t)watch->backoff_ms);
    watch->backoff_ms = watch->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : watch->backoff_ms * 2;
    int64_t until_ms = monotonic_ms() + wait_ms;
    mutex_lock(&watch->lock);
    while (!watch_stopping(watch) && mutex_wait_until(&watch->cond, &watch->lock, until_ms))
        ;
    mutex_unlock(&watch->lock);
}

static void *watch_main(void *arg)
{
    struct k8s_watch *watch = arg;
    while (!watch_stopping(watch)) {
        struct err *e = watch->relist ? watch_list(watch) : watch_follow(watch);
        if (!e) {
            watch_over_trouble(watch);
            continue;
        }
        bool expected = e->status == 410; /* history is gone: normal after a long silence */
        if (!watch_stopping(watch)) {
            if (!expected) {
                watch->relist = watch->relist || watch->troubled; /* a watch may say nothing for long; the answer to a list tells that it is over */
                watch->troubled = true;
                watch->fn(watch->ctx, K8S_TROUBLE, NULL, e);
            }
            watch_back_off(watch);
        }
        err_free(e);
    }
    return NULL;
}

static char *heap_cstr(struct slice s)
{
    char *copy = xmalloc(s.len + 1);
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

static void watch_free(struct k8s_watch *watch)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (watch->buckets[i])
            known_drop(&watch->buckets[i]);
    strbuf_deinit(&watch->frame);
    arena_free(watch->arena);
    condition_deinit(&watch->cond);
    mutex_deinit(&watch->lock);
    free(watch->version);
    free(watch->label_selector);
    free(watch->path);
    free(watch);
}

struct err *k8s_watch_start(struct k8s_client *client, struct slice path, struct slice label_selector, k8s_watch_fn fn,
                            void *ctx, struct k8s_watch **ret_watch)
{
    struct k8s_watch *watch = xcalloc(1, sizeof(*watch));
    watch->client = client;
    watch->path = heap_cstr(path);
    watch->label_selector = label_selector.len ? heap_cstr(label_selector) : NULL;
    watch->fn = fn;
    watch->ctx = ctx;
    watch->relist = true;
    watch->backoff_ms = BACKOFF_MIN_MS;
    watch->arena = arena_new();
    condition_init(&watch->cond);
    mutex_init(&watch->lock, LOCK_K8S_WATCH);
    if (pthread_create(&watch->thread, NULL, watch_main, watch) != 0) {
        watch_free(watch);
        return err_new(ERR_INTERNAL, "no thread for a watch");
    }
    *ret_watch = watch;
    return NULL;
}

void k8s_watch_stop(struct k8s_watch *watch)
{
    if (!watch)
        return;
    mutex_lock(&watch->lock);
    __atomic_store_n(&watch->stop, true, __ATOMIC_RELAXED);
    condition_broadcast(&watch->cond);
    mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    watch_free(watch);
}
