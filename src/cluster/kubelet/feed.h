/* feed: the registry's changes of a few resources as a queue for one thread: first everything there is, as ADDED, then every
 * change in order. The registry's thread only appends; the owner waits on fd and takes. */
#pragma once
#include "cluster/apiserver/registry.h"

struct feed;

struct feed_item {
    enum registry_event_type type;
    struct object *object; /* a reference of the taker's */
};

struct err *feed_open(struct registry *registry, const struct slice *resources, size_t resource_count, struct feed **ret_feed) NODISCARD;
void feed_close(struct feed *feed); /* NULL is fine */
/* Readable while there is something to take, or somebody has poked. */
int feed_fd(const struct feed *feed);
/* Everything so far, oldest first; the caller frees the array and unrefs the objects (feed_items_free). Clears the fd. */
struct feed_item *feed_take(struct feed *feed, size_t *ret_count);
void feed_items_free(struct feed_item *items, size_t count);
/* Makes fd readable. Any thread. */
void feed_poke(struct feed *feed);
