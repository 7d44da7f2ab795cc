/* registry_internal: shared by object.c, registry.c, registry_write.c and registry_events.c only. */
#pragma once
#include "base/db.h"
#include "base/mutex.h"
#include "cluster/apiserver/kinds.h"
#include "cluster/apiserver/registry.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

struct object_block {
    struct object object; /* first: an object is its block */
    atomic_int references;
    _Alignas(max_align_t) char storage[];
};

/* json must have kind and apiVersion first, and metadata complete. */
struct object *object_new(struct slice resource, const struct json *json);

/* All live objects of one resource, by namespace, then name. */
struct shelf {
    char *resource;
    struct object **objects;
    size_t count, cap;
};

#define SHELVES_MAX 64

struct registry_subscription {
    struct registry *registry;
    struct slice resource; /* owned; absent: all */
    int64_t after;
    registry_event_fn fn;
    void *ctx;
    struct registry_subscription *next;
};

struct registry {
    struct db *db;
    struct err *(*settle)(struct registry_tx *tx);

    struct mutex lock; /* guards everything to the next blank line */
    struct condition published_changed;
    int64_t published; /* newest revision that reads see */
    struct shelf shelves[SHELVES_MAX];
    size_t shelf_count;
    struct registry_event *history; /* ring */
    size_t history_cap, history_first, history_count, history_bytes;
    size_t history_max_events, history_max_bytes;
    int64_t history_start; /* events after this revision are in the ring */
    int64_t delivered;     /* the dispatcher has told everything up to here */
    bool closing;

    struct mutex dispatch_lock; /* guards the rest; taken before lock */
    struct registry_subscription *subscriptions;
    int64_t dispatched;
    pthread_t dispatcher;
};

/* Under lock. NULL when there is no such shelf (make: it is made). */
struct shelf *shelf_find(struct registry *registry, struct slice resource);
struct shelf *shelf_make(struct registry *registry, struct slice resource);
/* Index of the object, or where it would be; *ret_found says which. */
size_t shelf_search(const struct shelf *shelf, struct slice namespace_name, struct slice name, bool *ret_found);
void shelf_insert(struct shelf *shelf, size_t index, struct object *object); /* takes the reference */
struct object *shelf_remove(struct shelf *shelf, size_t index);             /* gives the reference */

/* Under lock: takes the event's references. */
void history_append(struct registry *registry, struct registry_event event);
void history_clear(struct registry *registry);
void *registry_dispatch(void *registry); /* the dispatcher thread */

/* The row for messages: the first of kinds[] with that resource. */
const struct kind *kind_of_resource(struct slice resource);
