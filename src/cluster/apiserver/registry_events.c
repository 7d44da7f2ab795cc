/* The history of changes and their delivery. Ring and revisions are guarded by registry->lock, subscriptions and the position of
 * the dispatcher by registry->dispatch_lock, which is held while sinks run. */
#include "base/arena.h"
#include "cluster/apiserver/registry_internal.h"
#include "cluster/apiserver/status_error.h"
#include <stdlib.h>
#include <string.h>

static struct registry_event *history_at(struct registry *registry, size_t index)
{
    return &registry->history[(registry->history_first + index) % registry->history_cap];
}

static void event_release(struct registry_event *event)
{
    object_unref(event->before);
    object_unref(event->object);
}

static void history_drop_oldest(struct registry *registry)
{
    struct registry_event *event = history_at(registry, 0);
    registry->history_bytes -= event->object->text.len;
    registry->history_start = event->revision;
    event_release(event);
    registry->history_first = (registry->history_first + 1) % registry->history_cap;
    registry->history_count--;
}

static void history_grow(struct registry *registry)
{
    size_t cap = registry->history_cap ? registry->history_cap * 2 : 256;
    struct registry_event *ring = xcalloc(cap, sizeof(*ring));
    for (size_t i = 0; i < registry->history_count; i++)
        ring[i] = *history_at(registry, i);
    free(registry->history);
    registry->history = ring;
    registry->history_cap = cap;
    registry->history_first = 0;
}

void history_append(struct registry *registry, struct registry_event event)
{
    if (registry->history_count == registry->history_cap)
        history_grow(registry);
    registry->history_count++;
    *history_at(registry, registry->history_count - 1) = event;
    registry->history_bytes += event.object->text.len;
    /* What the dispatcher has not told yet stays, whatever it weighs: live sinks must not miss a change. */
    while (registry->history_count > 1 && history_at(registry, 0)->revision <= registry->delivered &&
           (registry->history_count > registry->history_max_events || registry->history_bytes > registry->history_max_bytes))
        history_drop_oldest(registry);
}

void history_clear(struct registry *registry)
{
    for (size_t i = 0; i < registry->history_count; i++)
        event_release(history_at(registry, i));
    free(registry->history);
    registry->history = NULL;
    registry->history_count = registry->history_cap = 0;
}

/* Index of the first event after that revision. Revisions in the ring are consecutive. */
static size_t history_after(struct registry *registry, int64_t after)
{
    if (!registry->history_count)
        return 0;
    int64_t first = history_at(registry, 0)->revision;
    return after < first ? 0 : (size_t)(after - first) + 1;
}

/* Copies at most max events with after < revision <= until; takes references. False: Expired. */
static bool history_copy(struct registry *registry, int64_t after, int64_t until, struct registry_event *out, size_t max,
                         size_t *ret_count)
{
    size_t count = 0;
    mutex_lock(&registry->lock);
    bool reachable = after >= registry->history_start || after >= until;
    if (reachable)
        for (size_t i = history_after(registry, after); i < registry->history_count && count < max; i++) {
            struct registry_event *event = history_at(registry, i);
            if (event->revision > until)
                break;
            out[count] = *event;
            if (event->before)
                object_ref(event->before);
            object_ref(event->object);
            count++;
        }
    mutex_unlock(&registry->lock);
    *ret_count = count;
    return reachable;
}

enum { BATCH = 64 };

struct err *registry_history(struct registry *registry, struct slice resource, int64_t after, int64_t until, registry_event_fn fn,
                             void *ctx)
{
    struct registry_event batch[BATCH];
    for (;;) {
        size_t count;
        if (!history_copy(registry, after, until, batch, BATCH, &count))
            return status_expired("too old resource version: %lld (%lld)", (long long)after,
                                  (long long)registry_history_start(registry));
        if (!count)
            return NULL;
        for (size_t i = 0; i < count; i++) {
            if (!resource.len || slice_eq(batch[i].object->resource, resource))
                fn(ctx, &batch[i]);
            after = batch[i].revision;
            event_release(&batch[i]);
        }
    }
}

int64_t registry_history_start(struct registry *registry)
{
    mutex_lock(&registry->lock);
    int64_t start = registry->history_start;
    mutex_unlock(&registry->lock);
    return start;
}

void *registry_dispatch(void *arg)
{
    struct registry *registry = arg;
    struct registry_event batch[BATCH];
    int64_t position = registry->dispatched;
    for (;;) {
        mutex_lock(&registry->lock);
        while (registry->published == position && !registry->closing)
            mutex_wait(&registry->published_changed, &registry->lock);
        bool closing = registry->closing;
        int64_t until = registry->published;
        registry->delivered = position;
        mutex_unlock(&registry->lock);
        if (closing)
            return NULL;

        mutex_lock(&registry->dispatch_lock);
        size_t count;
        history_copy(registry, position, until, batch, BATCH, &count);
        for (size_t i = 0; i < count; i++) {
            for (struct registry_subscription *s = registry->subscriptions; s; s = s->next)
                if (batch[i].revision > s->after && (!s->resource.len || slice_eq(batch[i].object->resource, s->resource)))
                    s->fn(s->ctx, &batch[i]);
            position = batch[i].revision;
            event_release(&batch[i]);
        }
        registry->dispatched = position;
        mutex_unlock(&registry->dispatch_lock);
    }
}

struct err *registry_subscribe(struct registry *registry, struct slice resource, int64_t after, registry_event_fn fn, void *ctx,
                               struct registry_subscription **ret_subscription)
{
    mutex_lock(&registry->dispatch_lock);
    struct err *e = NULL;
    if (after < registry->dispatched)
        e = registry_history(registry, resource, after, registry->dispatched, fn, ctx);
    if (!e) {
        struct registry_subscription *subscription = xcalloc(1, sizeof(*subscription));
        *subscription = (struct registry_subscription){
            .registry = registry,
            .after = after > registry->dispatched ? after : registry->dispatched,
            .fn = fn,
            .ctx = ctx,
            .next = registry->subscriptions,
        };
        if (resource.len) {
            char *own = xmalloc(resource.len);
            memcpy(own, resource.ptr, resource.len);
            subscription->resource = slice_of(own, resource.len);
        }
        registry->subscriptions = subscription;
        *ret_subscription = subscription;
    }
    mutex_unlock(&registry->dispatch_lock);
    return e;
}

void registry_unsubscribe(struct registry_subscription *subscription)
{
    if (!subscription)
        return;
    struct registry *registry = subscription->registry;
    mutex_lock(&registry->dispatch_lock);
    struct registry_subscription **at = &registry->subscriptions;
    while (*at && *at != subscription)
        at = &(*at)->next;
    if (*at)
        *at = subscription->next;
    mutex_unlock(&registry->dispatch_lock);
    /* An owned copy, const only in the slice. */
    free((void *)(uintptr_t)subscription->resource.ptr);
    free(subscription);
}

/* ---- the past ---- */

static bool is_listed(const struct object *object, struct slice resource, struct slice namespace_name)
{
    return slice_eq(object->resource, resource) && (!namespace_name.len || slice_eq(object->namespace_name, namespace_name));
}

static void undo(struct shelf *past, const struct registry_event *event)
{
    bool found;
    size_t index = shelf_search(past, event->object->namespace_name, event->object->name, &found);
    if (found)
        object_unref(shelf_remove(past, index));
    if (event->before)
        shelf_insert(past, index, object_ref(event->before));
}

struct err *registry_list_at(struct registry *registry, struct slice resource, struct slice namespace_name, int64_t revision,
                             struct object_list *ret_list)
{
    struct shelf past = {0};
    struct err *e = NULL;
    mutex_lock(&registry->lock);
    if (revision > registry->published) {
        e = err_new(ERR_INVALID, "revision %lld is not there yet", (long long)revision);
    } else if (revision < registry->history_start) {
        e = status_expired("The resourceVersion for the provided list is too old.");
    } else {
        const struct shelf *shelf = shelf_find(registry, resource);
        for (size_t i = 0; shelf && i < shelf->count; i++)
            if (is_listed(shelf->objects[i], resource, namespace_name))
                shelf_insert(&past, past.count, object_ref(shelf->objects[i]));
        for (size_t i = registry->history_count; i-- > history_after(registry, revision);)
            if (is_listed(history_at(registry, i)->object, resource, namespace_name))
                undo(&past, history_at(registry, i));
    }
    mutex_unlock(&registry->lock);
    if (e)
        return e;
    *ret_list = (struct object_list){.items = past.objects, .count = past.count, .revision = revision};
    return NULL;
}
