#include "base/arena.h"
#include "base/fd.h"
#include "cluster/apiserver/registry_internal.h"
#include "cluster/apiserver/status_error.h"
#include <stdlib.h>
#include <string.h>

static const char *const migrations[] = {
    "CREATE TABLE object (resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL,"
    " PRIMARY KEY (resource, namespace, name)) STRICT;"
    "CREATE TABLE counter (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL) STRICT;"
    "INSERT INTO counter VALUES (1, 1);"
    "CREATE TABLE applied (uid TEXT NOT NULL, manager TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (uid, manager)) STRICT;",
};

const struct kind *kind_of_resource(struct slice resource)
{
    for (size_t i = 0; i < kinds_count; i++)
        if (slice_eq(slice_from_cstr(kinds[i].resource), resource))
            return &kinds[i];
    return NULL;
}

/* ---- shelves ---- */

struct shelf *shelf_find(struct registry *registry, struct slice resource)
{
    for (size_t i = 0; i < registry->shelf_count; i++)
        if (slice_eq(slice_from_cstr(registry->shelves[i].resource), resource))
            return &registry->shelves[i];
    return NULL;
}

struct shelf *shelf_make(struct registry *registry, struct slice resource)
{
    struct shelf *shelf = shelf_find(registry, resource);
    if (shelf)
        return shelf;
    if (registry->shelf_count == SHELVES_MAX)
        abort(); /* more resources than kinds.def has rows: ours to mend */
    shelf = &registry->shelves[registry->shelf_count++];
    *shelf = (struct shelf){.resource = xmalloc(resource.len + 1)};
    memcpy(shelf->resource, resource.ptr, resource.len);
    shelf->resource[resource.len] = '\0';
    return shelf;
}

static int key_cmp(const struct object *object, struct slice namespace_name, struct slice name)
{
    int by_namespace = slice_cmp(object->namespace_name, namespace_name);
    return by_namespace ? by_namespace : slice_cmp(object->name, name);
}

size_t shelf_search(const struct shelf *shelf, struct slice namespace_name, struct slice name, bool *ret_found)
{
    size_t low = 0, high = shelf->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = key_cmp(shelf->objects[middle], namespace_name, name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

void shelf_insert(struct shelf *shelf, size_t index, struct object *object)
{
    if (shelf->count == shelf->cap) {
        shelf->cap = shelf->cap ? shelf->cap * 2 : 16;
        shelf->objects = xrealloc(shelf->objects, shelf->cap * sizeof(struct object *));
    }
    memmove(shelf->objects + index + 1, shelf->objects + index, (shelf->count - index) * sizeof(struct object *));
    shelf->objects[index] = object;
    shelf->count++;
}

struct object *shelf_remove(struct shelf *shelf, size_t index)
{
    struct object *object = shelf->objects[index];
    memmove(shelf->objects + index, shelf->objects + index + 1, (shelf->count - index - 1) * sizeof(struct object *));
    shelf->count--;
    return object;
}

/* ---- open ---- */

static struct err *load(struct db_tx *tx, void *arg)
{
    struct registry *registry = arg;
    struct db_stmt *stmt;
    bool row;

    TRY(db_prepare(tx, "SELECT revision FROM counter WHERE id = 1", &stmt));
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_INTERNAL, "the registry has no counter");
    registry->published = db_col_i64(stmt, 0);

    TRY(db_prepare(tx, "SELECT resource, text FROM object ORDER BY resource, namespace, name", &stmt));
    struct arena *arena = arena_new();
    struct err *e = NULL;
    for (;;) {
        e = db_step(stmt, &row);
        if (e || !row)
            break;
        arena_reset(arena);
        struct slice resource = db_col_text(stmt, 0, arena);
        struct json *json;
        e = json_parse(arena, db_col_text(stmt, 1, arena), JSON_DUPLICATES_LAST_WINS, &json);
        if (e)
            break;
        struct object *object = object_new(resource, json);
        struct shelf *shelf = shelf_make(registry, resource);
        bool found;
        size_t index = shelf_search(shelf, object->namespace_name, object->name, &found);
        shelf_insert(shelf, index, object);
    }
    arena_free(arena);
    return err_wrap(e, "while loading the registry");
}

static void registry_free(struct registry *registry)
{
    for (size_t i = 0; i < registry->shelf_count; i++) {
        for (size_t k = 0; k < registry->shelves[i].count; k++)
            object_unref(registry->shelves[i].objects[k]);
        free(registry->shelves[i].objects);
        free(registry->shelves[i].resource);
    }
    history_clear(registry);
    db_close(registry->db);
    mutex_deinit(&registry->lock);
    mutex_deinit(&registry->dispatch_lock);
    condition_deinit(&registry->published_changed);
    free(registry);
}

struct err *registry_open(const struct registry_options *options, struct registry **ret_registry)
{
    struct registry *registry = xcalloc(1, sizeof(*registry));
    registry->settle = options->settle;
    mutex_init(&registry->lock, LOCK_REGISTRY);
    mutex_init(&registry->dispatch_lock, LOCK_REGISTRY_DISPATCH);
    condition_init(&registry->published_changed);
    registry->history_max_events = options->history_max_events ? options->history_max_events : 100000;
    registry->history_max_bytes = options->history_max_bytes ? options->history_max_bytes : (size_t)16 << 20;

    struct arena *arena = arena_new();
    struct slice path = slice_fmt(arena, "%s/registry.db", options->dir);
    struct err *e = dir_make(options->dir, 0700);
    if (!e)
        e = db_open(path.ptr, migrations, ARRAY_SIZE(migrations), &registry->db);
    if (!e)
        e = db_read(registry->db, load, registry);
    arena_free(arena);
    if (!e) {
        registry->history_start = registry->published;
        registry->dispatched = registry->delivered = registry->published;
        int failed = pthread_create(&registry->dispatcher, NULL, registry_dispatch, registry);
        if (failed)
            e = err_errno(failed, "cannot start the registry's dispatcher");
    }
    if (e) {
        registry_free(registry);
        return err_wrap(e, "while opening the registry in %s", options->dir);
    }
    *ret_registry = registry;
    return NULL;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    mutex_lock(&registry->lock);
    registry->closing = true;
    condition_broadcast(&registry->published_changed);
    mutex_unlock(&registry->lock);
    pthread_join(registry->dispatcher, NULL);
    registry_free(registry);
}

/* ---- read ---- */

int64_t registry_revision(struct registry *registry)
{
    mutex_lock(&registry->lock);
    int64_t revision = registry->published;
    mutex_unlock(&registry->lock);
    return revision;
}

struct err *registry_get(struct registry *registry, struct slice resource, struct slice namespace_name, struct slice name,
                         struct object **ret_object)
{
    struct object *object = NULL;
    mutex_lock(&registry->lock);
    struct shelf *shelf = shelf_find(registry, resource);
    if (shelf) {
        bool found;
        size_t index = shelf_search(shelf, namespace_name, name, &found);
        if (found)
            object = object_ref(shelf->objects[index]);
    }
    mutex_unlock(&registry->lock);
    if (!object)
        return status_not_found(kind_of_resource(resource), name);
    *ret_object = object;
    return NULL;
}

static void list_add(struct object_list *list, size_t *cap, struct object *object)
{
    if (list->count == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        list->items = xrealloc(list->items, *cap * sizeof(struct object *));
    }
    list->items[list->count++] = object_ref(object);
}

void registry_list(struct registry *registry, struct slice resource, struct slice namespace_name, struct object_list *ret_list)
{
    struct object_list list = {0};
    size_t cap = 0;
    mutex_lock(&registry->lock);
    struct shelf *shelf = shelf_find(registry, resource);
    if (shelf) {
        bool found;
        size_t i = namespace_name.len ? shelf_search(shelf, namespace_name, S(""), &found) : 0;
        for (; i < shelf->count; i++) {
            if (namespace_name.len && !slice_eq(shelf->objects[i]->namespace_name, namespace_name))
                break;
            list_add(&list, &cap, shelf->objects[i]);
        }
    }
    list.revision = registry->published;
    mutex_unlock(&registry->lock);
    *ret_list = list;
}

void registry_list_owned(struct registry *registry, struct slice uid, struct object_list *ret_list)
{
    struct object_list list = {0};
    size_t cap = 0;
    mutex_lock(&registry->lock);
    for (size_t s = 0; s < registry->shelf_count; s++) {
        const struct shelf *shelf = &registry->shelves[s];
        for (size_t i = 0; i < shelf->count; i++)
            for (size_t k = 0; k < shelf->objects[i]->owner_count; k++)
                if (slice_eq(shelf->objects[i]->owner_uids[k], uid)) {
                    list_add(&list, &cap, shelf->objects[i]);
                    break;
                }
    }
    list.revision = registry->published;
    mutex_unlock(&registry->lock);
    *ret_list = list;
}

void object_list_deinit(struct object_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        object_unref(list->items[i]);
    free(list->items);
    *list = (struct object_list){0};
}
