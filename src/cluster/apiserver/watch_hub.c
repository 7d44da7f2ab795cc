#include "cluster/apiserver/watch_hub.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mutex.h"
#include "cluster/apiserver/list_options.h"
#include "cluster/apiserver/table.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    BOOKMARK_EVERY_MS = 60000,
    LAST_BOOKMARK_BEFORE_MS = 2000,
    TIMEOUT_MIN_MS = 1800000, /* a watch without timeoutSeconds lives 30 to 60 minutes */
    CATCH_UP_BYTES = 4 << 20, /* what is told of the past waits while the client is this far behind */
    CATCH_UP_LOOK_MS = 20,    /* no event tells that it has read some of it */
    CATCH_UP_STEP = 64,       /* revisions */
};

struct watch {
    struct watch_hub *hub;
    struct http_stream *stream;
    struct arena *arena; /* selectors */
    struct list_options options;
    const struct kind *kind;
    struct slice resource, namespace_name, name; /* namespace and name: empty is any */
    struct answer_choice choice;
    enum table_include include;
    bool columns_sent;
    int64_t after; /* told up to here, once present is */
    struct object_list present; /* what is there at the start, to be told first; from present_at on it is not yet */
    size_t present_at;
    bool tells_end;             /* of present, with a bookmark */
    bool behind;                /* not all of the past is told: news wait in the history */
    int64_t ends_at_ms, bookmark_at_ms; /* monotonic */
    atomic_bool gone;
    bool broken; /* a write failed: buried by the timer */
    struct watch *next;
};

struct watch_hub {
    struct registry *registry;
    struct registry_subscription *subscription;

    struct mutex lock; /* guards to the next blank line; held while frames are queued */
    struct watch *watches;
    int64_t seen; /* dispatched to this hub */

    struct mutex kick_lock; /* never held while calling out: http's closed() takes it */
    struct condition kick;
    bool kicked, stopping;
    pthread_t timer;
};

static void hub_kick(struct watch_hub *hub)
{
    mutex_lock(&hub->kick_lock);
    hub->kicked = true;
    condition_signal(&hub->kick);
    mutex_unlock(&hub->kick_lock);
}

/* ---- frames ---- */

static void frame_write(struct watch *watch, struct slice frame)
{
    if (watch->broken || atomic_load(&watch->gone))
        return;
    struct err *e = http_stream_write(watch->stream, frame);
    if (!e)
        return;
    err_free(e); /* the client left, or reads too slowly: the stream ends and it lists again */
    watch->broken = true;
    hub_kick(watch->hub);
}

static void frame_json(struct watch *watch, const char *type, const struct json *object)
{
    struct strbuf frame = STRBUF_HEAP;
    strbuf_append_fmt(&frame, "{\"type\":\"%s\",\"object\":", type);
    json_write(&frame, object);
    strbuf_append(&frame, S("}\n"));
    frame_write(watch, strbuf_slice(&frame));
    strbuf_deinit(&frame);
}

static void frame_text(struct watch *watch, const char *type, struct slice text)
{
    struct strbuf frame = STRBUF_HEAP;
    strbuf_reserve(&frame, text.len + 64);
    strbuf_append_fmt(&frame, "{\"type\":\"%s\",\"object\":", type);
    strbuf_append(&frame, text);
    strbuf_append(&frame, S("}\n"));
    frame_write(watch, strbuf_slice(&frame));
    strbuf_deinit(&frame);
}

/* version 0: the object's own, else this one (an object that left the selection is told as it was, at the version of the change). */
static void frame_object(struct watch *watch, const char *type, const struct object *object, int64_t version)
{
    bool plain = watch->choice.form == ANSWER_OBJECT && !kind_is_view(watch->kind) && (!version || version == object->revision);
    if (plain) {
        frame_text(watch, type, object->text);
        return;
    }
    struct arena *arena = arena_new();
    struct json *json = object_json_as(arena, watch->kind, object);
    if (version)
        json_set(arena, json_ensure_object(arena, json, "metadata"), S("resourceVersion"), json_fmt(arena, "%lld", (long long)version));
    if (watch->choice.form == ANSWER_TABLE) {
        struct table_options options = {.include = watch->include, .now = instant_now(), .omit_columns = watch->columns_sent};
        json = table_render(arena, watch->kind, json, NULL, &options);
        watch->columns_sent = true;
    } else if (watch->choice.form == ANSWER_PARTIAL) {
        json = partial_object_metadata(arena, json);
    }
    frame_json(watch, type, json);
    arena_free(arena);
}

enum bookmark { BOOKMARK_PLAIN, BOOKMARK_INITIAL_END };

static void frame_bookmark(struct watch *watch, enum bookmark which, int64_t version)
{
    struct arena *arena = arena_new();
    struct json *object = json_object(arena);
    json_set_cstr(arena, object, "kind", watch->kind->kind);
    json_set_text(arena, object, "apiVersion", kind_api_version(arena, watch->kind));
    struct json *metadata = json_ensure_object(arena, object, "metadata");
    json_set(arena, metadata, S("resourceVersion"), json_fmt(arena, "%lld", (long long)version));
    if (which == BOOKMARK_INITIAL_END)
        json_set_cstr(arena, json_ensure_object(arena, metadata, "annotations"), "k8s.io/initial-events-end", "true");
    if (watch->choice.form == ANSWER_TABLE) {
        struct table_options options = {.include = watch->include, .now = instant_now(), .omit_columns = watch->columns_sent};
        struct json *none = json_array(arena);
        object = table_render(arena, watch->kind, none, metadata, &options);
    }
    frame_json(watch, "BOOKMARK", object);
    arena_free(arena);
}

static void frame_err(struct watch *watch, struct err *e)
{
    struct arena *arena = arena_new();
    int status;
    frame_json(watch, "ERROR", status_error_to_json(arena, e, &status));
    err_free(e);
    arena_free(arena);
}

/* ---- events ---- */

static bool is_selected(const struct watch *watch, const struct object *object)
{
    return object && (!watch->namespace_name.len || slice_eq(object->namespace_name, watch->namespace_name)) &&
           (!watch->name.len || slice_eq(object->name, watch->name)) && list_options_match(&watch->options, watch->kind, object);
}

static void watch_tell(void *ctx, const struct registry_event *event)
{
    struct watch *watch = ctx;
    if (event->revision <= watch->after || !slice_eq(event->object->resource, watch->resource))
        return;
    watch->after = event->revision;
    bool was = event->type != REGISTRY_ADDED && is_selected(watch, event->before);
    bool is = event->type != REGISTRY_DELETED && is_selected(watch, event->object);
    if (is)
        frame_object(watch, was ? "MODIFIED" : "ADDED", event->object, 0);
    else if (was && event->type == REGISTRY_DELETED)
        frame_object(watch, "DELETED", event->object, 0);
    else if (was)
        frame_object(watch, "DELETED", event->before, event->revision);
}

/* In the registry's dispatcher thread. */
static void hub_tell(void *ctx, const struct registry_event *event)
{
    struct watch_hub *hub = ctx;
    mutex_lock(&hub->lock);
    hub->seen = event->revision;
    for (struct watch *watch = hub->watches; watch; watch = watch->next)
        if (!watch->behind)
            watch_tell(watch, event);
    mutex_unlock(&hub->lock);
}

/* ---- the end of watches ---- */

static void watch_free(struct watch *watch)
{
    object_list_deinit(&watch->present);
    arena_free(watch->arena);
    free(watch);
}

/* Runs in the HTTP server's waiter thread. */
static void watch_closed(void *owner)
{
    struct watch *watch = owner;
    struct watch_hub *hub = watch->hub;
    atomic_store(&watch->gone, true);
    hub_kick(hub);
}

/* Closing a stream may wait for watch_closed(): not under the hub's lock. */
static void watches_bury(struct watch *watches)
{
    while (watches) {
        struct watch *watch = watches;
        watches = watch->next;
        http_stream_close(watch->stream);
        watch_free(watch);
    }
}

/* ---- the past ---- */

static bool may_go_on(const struct watch *watch)
{
    return !watch->broken && !atomic_load(&watch->gone) && http_stream_queued(watch->stream) < CATCH_UP_BYTES;
}

/* Under the hub's lock: tells as much of the past as the client keeps up with. False: the watch has ended with an ERROR frame. */
static bool watch_catch_up(struct watch *watch)
{
    int64_t seen = watch->hub->seen;
    for (; watch->present_at < watch->present.count; watch->present_at++) {
        if (!may_go_on(watch))
            return true;
        if (is_selected(watch, watch->present.items[watch->present_at]))
            frame_object(watch, "ADDED", watch->present.items[watch->present_at], 0);
    }
    object_list_deinit(&watch->present);
    watch->present_at = 0;
    if (watch->tells_end)
        frame_bookmark(watch, BOOKMARK_INITIAL_END, watch->after);
    watch->tells_end = false;
    while (watch->after < seen) {
        if (!may_go_on(watch))
            return true;
        int64_t until = watch->after + CATCH_UP_STEP < seen ? watch->after + CATCH_UP_STEP : seen;
        struct err *e = registry_history(watch->hub->registry, watch->resource, watch->after, until, watch_tell, watch);
        if (e) {
            watch->behind = false; /* that was its last word */
            frame_err(watch, e);
            return false;
        }
        watch->after = until;
    }
    watch->behind = false;
    return true;
}

/* Under the hub's lock: takes out what is over, sends bookmarks; the time of the next thing to do. */
static int64_t hub_round(struct watch_hub *hub, int64_t now_ms, struct watch **ret_over)
{
    struct watch *over = NULL;
    int64_t next_ms = now_ms + BOOKMARK_EVERY_MS;
    struct watch **at = &hub->watches;
    while (*at) {
        struct watch *watch = *at;
        if (watch->behind && !watch_catch_up(watch))
            watch->ends_at_ms = now_ms;
        if (atomic_load(&watch->gone) || watch->broken || now_ms >= watch->ends_at_ms) {
            *at = watch->next;
            watch->next = over;
            over = watch;
            continue;
        }
        if (watch->behind) {
            next_ms = next_ms < now_ms + CATCH_UP_LOOK_MS ? next_ms : now_ms + CATCH_UP_LOOK_MS;
            at = &watch->next;
            continue;
        }
        if (watch->options.bookmarks && now_ms >= watch->bookmark_at_ms) {
            int64_t version = watch->after > hub->seen ? watch->after : hub->seen;
            frame_bookmark(watch, BOOKMARK_PLAIN, version);
            int64_t last_ms = watch->ends_at_ms - LAST_BOOKMARK_BEFORE_MS;
            bool was_last = watch->bookmark_at_ms >= last_ms;
            watch->bookmark_at_ms = was_last ? INT64_MAX : now_ms + BOOKMARK_EVERY_MS < last_ms ? now_ms + BOOKMARK_EVERY_MS : last_ms;
        }
        if (watch->ends_at_ms < next_ms)
            next_ms = watch->ends_at_ms;
        if (watch->options.bookmarks && watch->bookmark_at_ms < next_ms)
            next_ms = watch->bookmark_at_ms;
        at = &watch->next;
    }
    *ret_over = over;
    return next_ms;
}

static void *hub_timer(void *arg)
{
    struct watch_hub *hub = arg;
    for (;;) {
        mutex_lock(&hub->lock);
        struct watch *over;
        int64_t next_ms = hub_round(hub, monotonic_ms(), &over);
        mutex_unlock(&hub->lock);
        watches_bury(over);

        mutex_lock(&hub->kick_lock);
        while (!hub->kicked && !hub->stopping)
            if (!mutex_wait_until(&hub->kick, &hub->kick_lock, next_ms))
                break;
        hub->kicked = false;
        bool stopping = hub->stopping;
        mutex_unlock(&hub->kick_lock);
        if (stopping)
            return NULL;
    }
}

/* ---- a new watch ---- */

/* Under the hub's lock. False: the watch has ended with an ERROR frame. */
static bool watch_begin(struct watch *watch)
{
    const struct list_options *options = &watch->options;
    bool from_now = !options->has_version || options->version == 0;
    bool send_present = options->has_send_initial ? options->send_initial : from_now;
    watch->behind = true;
    if (send_present) {
        registry_list(watch->hub->registry, watch->resource, watch->namespace_name, &watch->present);
        watch->after = watch->present.revision;
        watch->tells_end = options->bookmarks && (options->send_initial || !options->has_version);
    } else {
        watch->after = from_now ? watch->hub->seen : options->version;
    }
    return watch_catch_up(watch);
}

static bool wants_upgrade(const struct api_call *call)
{
    return slice_eq_nocase(http_header_get(call->http->headers, S("Upgrade")), S("websocket"));
}

struct err *watch_serve(struct watch_hub *hub, struct api_call *call)
{
    struct watch *watch = xcalloc(1, sizeof(*watch));
    watch->arena = arena_new();
    watch->hub = hub;
    watch->kind = call->kind;
    watch->resource = call_stored_resource(call->kind);
    watch->namespace_name = slice_dup(watch->arena, call->namespace_name);
    watch->name = slice_dup(watch->arena, call->name);
    struct err *e = list_options_parse(call, watch->arena, FOR_WATCH, &watch->options);
    if (!e)
        e = negotiate_answer(http_header_get(call->http->headers, S("Accept")), NEGOTIATE_LIST, &watch->choice);
    if (!e && watch->choice.encoding == ANSWER_YAML)
        e = status_not_acceptable("application/json");
    if (!e)
        e = table_include_parse(call_query(call, "includeObject"), &watch->include);
    if (e || wants_upgrade(call)) {
        watch_free(watch);
        /* An empty answer that ends makes clients of WebSockets ask again without: a streamed one would hang them. */
        if (!e)
            answer_text(call, 200, NULL, S(""));
        return e;
    }

    watch->options.continue_token = SLICE_NONE; /* of the call's arena, and of no use here */
    int64_t now_ms = monotonic_ms();
    uint32_t spread;
    random_bytes(&spread, sizeof(spread));
    watch->ends_at_ms = now_ms + (watch->options.timeout_s > 0 ? watch->options.timeout_s * 1000 : TIMEOUT_MIN_MS + spread % TIMEOUT_MIN_MS);
    int64_t last_ms = watch->ends_at_ms - LAST_BOOKMARK_BEFORE_MS;
    watch->bookmark_at_ms = now_ms + BOOKMARK_EVERY_MS < last_ms ? now_ms + BOOKMARK_EVERY_MS : last_ms > now_ms ? last_ms : INT64_MAX;

    const struct http_header headers[] = {
        {S("Audit-Id"), call->audit_id},
        {S("Cache-Control"), S("no-cache, private")},
        {S("Content-Type"), S("application/json")},
    };
    /* Sends the head, which waits for a client that does not read: not under the lock. watch_closed() cannot come before the handler is over. */
    watch->stream = http_detach(call->http, 200, headers, ARRAY_SIZE(headers), watch_closed, watch);
    mutex_lock(&hub->lock);
    bool goes_on = watch_begin(watch);
    if (!goes_on)
        watch->ends_at_ms = now_ms;
    watch->next = hub->watches;
    hub->watches = watch;
    mutex_unlock(&hub->lock);
    hub_kick(hub);
    return NULL;
}

/* ---- life ---- */

struct err *watch_hub_start(struct registry *registry, struct watch_hub **ret_hub)
{
    struct watch_hub *hub = xcalloc(1, sizeof(*hub));
    hub->registry = registry;
    mutex_init(&hub->lock, LOCK_WATCH_HUB);
    mutex_init(&hub->kick_lock, LOCK_WATCH_HUB_KICK);
    condition_init(&hub->kick);
    hub->seen = registry_revision(registry);
    struct err *e = registry_subscribe(registry, SLICE_NONE, hub->seen, hub_tell, hub, &hub->subscription);
    if (!e) {
        int failed = pthread_create(&hub->timer, NULL, hub_timer, hub);
        if (failed)
            e = err_errno(failed, "cannot start the watch hub");
    }
    if (e) {
        registry_unsubscribe(hub->subscription);
        free(hub);
        return e;
    }
    *ret_hub = hub;
    return NULL;
}

void watch_hub_stop(struct watch_hub *hub)
{
    if (!hub)
        return;
    registry_unsubscribe(hub->subscription);
    mutex_lock(&hub->kick_lock);
    hub->stopping = true;
    condition_signal(&hub->kick);
    mutex_unlock(&hub->kick_lock);
    pthread_join(hub->timer, NULL);
    watches_bury(hub->watches);
    mutex_deinit(&hub->lock);
    mutex_deinit(&hub->kick_lock);
    condition_deinit(&hub->kick);
    free(hub);
}
