#include "cluster/kubelet/feed.h"

#include "base/arena.h"
#include "base/mutex.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FEED_RESOURCES_MAX 8

struct feed {
    struct mutex lock; /* guards items, count, cap */
    struct feed_item *items;
    size_t count, cap;
    int wake_fd;
    struct registry_subscription *subscriptions[FEED_RESOURCES_MAX];
    size_t subscription_count;
};

void feed_poke(struct feed *feed)
{
    uint64_t one = 1;
    ssize_t n = write(feed->wake_fd, &one, sizeof(one));
    (void)n; /* full: readable already */
}

static void append(struct feed *feed, enum registry_event_type type, struct object *object)
{
    mutex_lock(&feed->lock);
    if (feed->count == feed->cap) {
        feed->cap = feed->cap ? feed->cap * 2 : 64;
        feed->items = xrealloc(feed->items, feed->cap * sizeof(*feed->items));
    }
    feed->items[feed->count++] = (struct feed_item){type, object_ref(object)};
    mutex_unlock(&feed->lock);
}

static void on_event(void *ctx, const struct registry_event *event)
{
    struct feed *feed = ctx;
    append(feed, event->type, event->object);
    feed_poke(feed);
}

static struct err *follow(struct feed *feed, struct registry *registry, struct slice resource)
{
    /* Expired between list and subscribe: the history is shorter than this moment's burst. Then once more from the start. */
    for (int attempt = 0;; attempt++) {
        struct object_list list;
        registry_list(registry, resource, SLICE_NONE, &list);
        for (size_t i = 0; i < list.count; i++)
            append(feed, REGISTRY_ADDED, list.items[i]);
        int64_t revision = list.revision;
        object_list_deinit(&list);
        struct err *e = registry_subscribe(registry, resource, revision, on_event, feed, &feed->subscriptions[feed->subscription_count]);
        if (!e) {
            feed->subscription_count++;
            feed_poke(feed);
            return NULL;
        }
        if (attempt == 3 || !err_has_code(e, "Expired"))
            return e;
        err_free(e);
    }
}

struct err *feed_open(struct registry *registry, const struct slice *resources, size_t resource_count, struct feed **ret_feed)
{
    struct feed *feed = xcalloc(1, sizeof(*feed));
    mutex_init(&feed->lock, LOCK_KUBELET_FEED);
    feed->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct err *e = feed->wake_fd < 0 ? err_errno(errno, "eventfd") : NULL;
    for (size_t i = 0; i < resource_count && i < FEED_RESOURCES_MAX && !e; i++)
        e = follow(feed, registry, resources[i]);
    if (e) {
        feed_close(feed);
        return e;
    }
    *ret_feed = feed;
    return NULL;
}

int feed_fd(const struct feed *feed)
{
    return feed->wake_fd;
}

struct feed_item *feed_take(struct feed *feed, size_t *ret_count)
{
    uint64_t value;
    ssize_t n = read(feed->wake_fd, &value, sizeof(value));
    (void)n;
    mutex_lock(&feed->lock);
    struct feed_item *items = STEAL(feed->items);
    *ret_count = feed->count;
    feed->count = feed->cap = 0;
    mutex_unlock(&feed->lock);
    return items;
}

void feed_items_free(struct feed_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        object_unref(items[i].object);
    free(items);
}

void feed_close(struct feed *feed)
{
    if (!feed)
        return;
    for (size_t i = 0; i < feed->subscription_count; i++)
        registry_unsubscribe(feed->subscriptions[i]);
    feed_items_free(feed->items, feed->count);
    if (feed->wake_fd >= 0)
        close(feed->wake_fd);
    mutex_deinit(&feed->lock);
    free(feed);
}
