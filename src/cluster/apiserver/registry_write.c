/* Writing. A write is a closure in the database's writer thread, which reads what it needs from the same transaction (so that a
 * write sees the ones before it in its commit group) and stages its events. When the group is on disk the caller's thread
 * publishes them: writes publish in the order of their revisions, each waiting for the one before. Revisions have no gaps,
 * because the counter is rolled back with a failed closure. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "cluster/apiserver/registry_internal.h"
#include "cluster/apiserver/status_error.h"
#include <stdlib.h>

struct registry_tx {
    struct registry *registry;
    struct db_tx *db;
    struct arena *arena;
    int64_t revision; /* taken so far */
    struct registry_event *staged;
    size_t staged_count, staged_cap;
};

struct write {
    struct registry *registry;
    registry_tx_fn fn;
    void *ctx;
    struct registry_tx tx;
};

struct arena *registry_tx_arena(struct registry_tx *tx)
{
    return tx->arena;
}

static void staged_clear(struct registry_tx *tx)
{
    for (size_t i = 0; i < tx->staged_count; i++)
        object_unref(tx->staged[i].object);
    tx->staged_count = 0;
}

static void stage(struct registry_tx *tx, enum registry_event_type type, struct object *object)
{
    if (tx->staged_count == tx->staged_cap) {
        tx->staged_cap = tx->staged_cap ? tx->staged_cap * 2 : 4;
        tx->staged = xrealloc(tx->staged, tx->staged_cap * sizeof(*tx->staged));
    }
    tx->staged[tx->staged_count++] = (struct registry_event){.type = type, .revision = object->revision, .object = object_ref(object)};
}

/* In the writer thread; again from the start after a busy group. */
static struct err *write_in_db(struct db_tx *db, void *arg)
{
    struct write *write = arg;
    struct registry_tx *tx = &write->tx;
    staged_clear(tx);
    arena_reset(tx->arena);
    tx->db = db;

    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(db, "SELECT revision FROM counter WHERE id = 1", &stmt));
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_INTERNAL, "the registry has no counter");
    int64_t before = db_col_i64(stmt, 0);
    tx->revision = before;
    TRY(write->fn(tx, write->ctx));
    if (tx->revision == before)
        return NULL;
    if (write->registry->settle)
        TRY(write->registry->settle(tx));
    TRY(db_prepare(db, "UPDATE counter SET revision = ?1 WHERE id = 1", &stmt));
    db_bind_i64(stmt, 1, tx->revision);
    return db_run(stmt);
}

/* Takes over the references of the staged events. */
static void publish(struct registry *registry, struct registry_tx *tx)
{
    if (!tx->staged_count)
        return;
    mutex_lock(&registry->lock);
    while (registry->published + 1 != tx->staged[0].revision)
        mutex_wait(&registry->published_changed, &registry->lock);
    for (size_t i = 0; i < tx->staged_count; i++) {
        struct registry_event event = tx->staged[i];
        struct shelf *shelf = shelf_make(registry, event.object->resource);
        bool found;
        size_t index = shelf_search(shelf, event.object->namespace_name, event.object->name, &found);
        if (found)
            event.before = shelf_remove(shelf, index);
        if (event.type != REGISTRY_DELETED)
            shelf_insert(shelf, index, object_ref(event.object));
        history_append(registry, event);
        registry->published = event.revision;
    }
    tx->staged_count = 0;
    condition_broadcast(&registry->published_changed);
    mutex_unlock(&registry->lock);
}

struct err *registry_write(struct registry *registry, registry_tx_fn fn, void *ctx)
{
    struct write write = {.registry = registry, .fn = fn, .ctx = ctx, .tx = {.registry = registry, .arena = arena_new()}};
    struct err *e = db_write(registry->db, write_in_db, &write);
    if (!e)
        publish(registry, &write.tx);
    staged_clear(&write.tx);
    free(write.tx.staged);
    arena_free(write.tx.arena);
    return e;
}

/* ---- rows ---- */

struct err *registry_tx_get(struct registry_tx *tx, struct slice resource, struct slice namespace_name, struct slice name,
                            struct json **ret_object)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx->db, "SELECT text FROM object WHERE resource = ?1 AND namespace = ?2 AND name = ?3", &stmt));
    db_bind_text(stmt, 1, resource);
    db_bind_text(stmt, 2, namespace_name.ptr ? namespace_name : S(""));
    db_bind_text(stmt, 3, name);
    TRY(db_step(stmt, &row));
    if (!row) {
        *ret_object = NULL;
        return NULL;
    }
    return json_parse(tx->arena, db_col_text(stmt, 0, tx->arena), JSON_DUPLICATES_LAST_WINS, ret_object);
}

struct err *registry_tx_list(struct registry_tx *tx, struct slice resource, struct slice namespace_name, struct json **ret_objects)
{
    struct db_stmt *stmt;
    bool row;
    struct json *objects = json_array(tx->arena);
    TRY(db_prepare(tx->db, "SELECT text FROM object WHERE resource = ?1 AND namespace = ?2 ORDER BY name", &stmt));
    db_bind_text(stmt, 1, resource);
    db_bind_text(stmt, 2, namespace_name.ptr ? namespace_name : S(""));
    for (;;) {
        struct json *object;
        TRY(db_step(stmt, &row));
        if (!row)
            break;
        TRY(json_parse(tx->arena, db_col_text(stmt, 0, tx->arena), JSON_DUPLICATES_LAST_WINS, &object));
        json_append(objects, object);
    }
    *ret_objects = objects;
    return NULL;
}

size_t registry_tx_change_count(const struct registry_tx *tx)
{
    return tx->staged_count;
}

const struct registry_event *registry_tx_change(const struct registry_tx *tx, size_t number)
{
    return &tx->staged[number];
}

bool registry_tx_exists(struct registry_tx *tx, struct slice resource, struct slice namespace_name, struct slice name)
{
    struct json *object = NULL;
    struct err *e = registry_tx_get(tx, resource, namespace_name, name, &object);
    err_free(e); /* a broken database shows itself at the write that follows */
    return object != NULL;
}

/* kind and apiVersion to the front, version set: what object_new expects. */
static struct object *seal(struct registry_tx *tx, struct slice resource, struct json *object)
{
    static const char *const front[] = {"apiVersion", "kind"};
    for (size_t i = 0; i < ARRAY_SIZE(front); i++) {
        struct json *member = json_get(object, slice_from_cstr(front[i]));
        if (member) {
            json_unlink(object, member);
            json_prepend(object, member);
        }
    }
    struct json *metadata = json_ensure_object(tx->arena, object, "metadata");
    json_set(tx->arena, metadata, S("resourceVersion"), json_fmt(tx->arena, "%lld", (long long)++tx->revision));
    return object_new(resource, object);
}

static struct err *row_put(struct registry_tx *tx, const struct object *object, enum registry_event_type type)
{
    struct db_stmt *stmt;
    if (type == REGISTRY_ADDED)
        TRY(db_prepare(tx->db, "INSERT INTO object (text, resource, namespace, name) VALUES (?1, ?2, ?3, ?4)", &stmt));
    else
        TRY(db_prepare(tx->db, "UPDATE object SET text = ?1 WHERE resource = ?2 AND namespace = ?3 AND name = ?4", &stmt));
    db_bind_text(stmt, 1, object->text);
    db_bind_text(stmt, 2, object->resource);
    db_bind_text(stmt, 3, object->namespace_name);
    db_bind_text(stmt, 4, object->name);
    return db_run(stmt);
}

static struct err *row_remove(struct registry_tx *tx, const struct object *object)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx->db, "DELETE FROM object WHERE resource = ?1 AND namespace = ?2 AND name = ?3", &stmt));
    db_bind_text(stmt, 1, object->resource);
    db_bind_text(stmt, 2, object->namespace_name);
    db_bind_text(stmt, 3, object->name);
    TRY(db_run(stmt));
    TRY(db_prepare(tx->db, "DELETE FROM applied WHERE uid = ?1", &stmt));
    db_bind_text(stmt, 1, object->uid);
    return db_run(stmt);
}

/* Gives object (sealed, one reference, always consumed) to the database and the event queue. */
static struct err *store(struct registry_tx *tx, struct object *object, enum registry_event_type type, struct object **ret_object)
{
    struct err *e = type == REGISTRY_DELETED ? row_remove(tx, object) : row_put(tx, object, type);
    if (!e) {
        stage(tx, type, object);
        if (ret_object) {
            object_unref(*ret_object); /* of a run before, or of a step before */
            *ret_object = object_ref(object);
        }
    }
    object_unref(object);
    return e;
}

/* ---- create ---- */

struct err *registry_tx_create(struct registry_tx *tx, struct slice resource, const struct json *object, struct object **ret_object)
{
    struct json *fresh = json_clone(tx->arena, object);
    struct json *metadata = json_ensure_object(tx->arena, fresh, "metadata");
    struct slice namespace_name = json_get_text(metadata, "namespace");
    struct slice name = json_get_text(metadata, "name");

    struct json *old;
    TRY(registry_tx_get(tx, resource, namespace_name, name, &old));
    if (old && JSON_AT(old, "metadata", "deletionTimestamp"))
        return status_already_exists_deleting(kind_of_resource(resource), name);
    if (old)
        return status_already_exists(kind_of_resource(resource), name);

    if (!json_get_text(metadata, "uid").len)
        json_set_text(tx->arena, metadata, "uid", random_uuid(tx->arena));
    if (!json_get_text(metadata, "creationTimestamp").len)
        json_set_text(tx->arena, metadata, "creationTimestamp", instant_iso8601(tx->arena, instant_now()));
    return store(tx, seal(tx, resource, fresh), REGISTRY_ADDED, ret_object);
}

/* ---- update ---- */

static bool is_held(struct slice resource, const struct json *object)
{
    const struct json *metadata = json_get(object, S("metadata"));
    if (json_count(json_get(metadata, S("finalizers"))))
        return true;
    if (slice_eq(resource, S("namespaces")))
        return json_count(JSON_AT(object, "spec", "finalizers")) > 0;
    if (slice_eq(resource, S("pods")))
        return json_get_i64(metadata, "deletionGracePeriodSeconds", 0) > 0;
    return false;
}

/* What no writer may change. */
static void keep_identity(struct arena *arena, const struct json *old, struct json *object)
{
    static const char *const kept[] = {"name", "namespace", "uid", "creationTimestamp"};
    struct json *metadata = json_ensure_object(arena, object, "metadata");
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        const struct json *value = json_get(json_get(old, S("metadata")), slice_from_cstr(kept[i]));
        if (value)
            json_set(arena, metadata, slice_from_cstr(kept[i]), json_clone(arena, value));
        else
            json_remove(metadata, slice_from_cstr(kept[i]));
    }
    JSON_SET(arena, object, "kind", json_clone(arena, json_get(old, S("kind"))));
    JSON_SET(arena, object, "apiVersion", json_clone(arena, json_get(old, S("apiVersion"))));
}

static struct err *unchanged(struct slice resource, const struct json *old, struct object **ret_object)
{
    if (ret_object) {
        object_unref(*ret_object);
        *ret_object = object_new(resource, old);
    }
    return NULL;
}

struct err *registry_tx_update(struct registry_tx *tx, struct slice resource, struct slice namespace_name, struct slice name,
                               object_mutate_fn mutate, void *ctx, struct object **ret_object)
{
    struct json *old;
    TRY(registry_tx_get(tx, resource, namespace_name, name, &old));
    if (!old)
        return status_not_found(kind_of_resource(resource), name);
    struct json *fresh = json_clone(tx->arena, old);
    TRY(mutate(ctx, tx->arena, fresh));

    struct slice wanted = json_get_text(json_get(fresh, S("metadata")), "resourceVersion");
    struct slice stored = json_get_text(json_get(old, S("metadata")), "resourceVersion");
    if (wanted.len && !slice_eq(wanted, stored))
        return status_conflict_version(kind_of_resource(resource), name);
    keep_identity(tx->arena, old, fresh);
    json_set_text(tx->arena, json_get(fresh, S("metadata")), "resourceVersion", stored);

    /* The last finalizer went: the caller sees what it asked for, watches the last state that was stored. */
    if (JSON_AT(fresh, "metadata", "deletionTimestamp") && !is_held(resource, fresh)) {
        TRY(unchanged(resource, fresh, ret_object));
        return store(tx, seal(tx, resource, old), REGISTRY_DELETED, NULL);
    }
    if (json_equal(old, fresh))
        return unchanged(resource, old, ret_object);
    return store(tx, seal(tx, resource, fresh), REGISTRY_MODIFIED, ret_object);
}

/* ---- delete ---- */

static bool pod_is_terminal(const struct json *pod)
{
    struct slice phase = json_text(JSON_AT(pod, "status", "phase"));
    return slice_eq(phase, S("Succeeded")) || slice_eq(phase, S("Failed"));
}

static int64_t pod_grace(const struct json *pod, int64_t asked)
{
    if (!json_text(JSON_AT(pod, "spec", "nodeName")).len || pod_is_terminal(pod))
        return 0;
    int64_t grace = asked >= 0 ? asked : json_get_i64(json_get(pod, S("spec")), "terminationGracePeriodSeconds", 30);
    return grace < 0 ? 1 : grace;
}

#define GRACE_MAX_SECONDS (INT64_C(100) * 365 * 86400) /* what clients ask for is any number: the time stays one */

static int64_t grace_ms(int64_t seconds)
{
    return (seconds < GRACE_MAX_SECONDS ? seconds : GRACE_MAX_SECONDS) * 1000;
}

static void mark_deleted(struct arena *arena, struct json *object, int64_t grace_seconds)
{
    struct json *metadata = json_ensure_object(arena, object, "metadata");
    struct instant at = {.ms = instant_now().ms + grace_ms(grace_seconds)};
    struct instant old;
    /* A second deletion counts its grace from the first one. */
    if (instant_parse_iso8601(json_get_text(metadata, "deletionTimestamp"), &old))
        at.ms = old.ms - grace_ms(json_get_i64(metadata, "deletionGracePeriodSeconds", 0)) + grace_ms(grace_seconds);
    else if (json_get(metadata, S("generation")))
        json_set_i64(arena, metadata, "generation", json_get_i64(metadata, "generation", 0) + 1);
    json_set_text(arena, metadata, "deletionTimestamp", instant_iso8601(arena, at));
    json_set_i64(arena, metadata, "deletionGracePeriodSeconds", grace_seconds);
}

/* The finalizer by which the garbage collector keeps an owner; the one of the other policy goes. */
static void set_propagation(struct arena *arena, struct json *object, enum propagation propagation)
{
    static const char *const names[] = {
        [PROPAGATION_BACKGROUND] = NULL, [PROPAGATION_FOREGROUND] = "foregroundDeletion", [PROPAGATION_ORPHAN] = "orphan"};
    const char *name = names[propagation];
    struct json *metadata = json_ensure_object(arena, object, "metadata");
    struct json *finalizers = json_get(metadata, S("finalizers"));
    bool there = false;
    struct json *next;
    for (struct json *f = finalizers ? finalizers->first : NULL; f; f = next) {
        next = f->next;
        if (name && slice_eq(json_text(f), slice_from_cstr(name)))
            there = true;
        else if (slice_eq(json_text(f), S("foregroundDeletion")) || slice_eq(json_text(f), S("orphan")))
            json_unlink(finalizers, f);
    }
    if (name && !there)
        json_append(json_ensure_array(arena, metadata, "finalizers"), json_cstr(arena, name));
    if (finalizers && !json_count(finalizers))
        json_remove(metadata, S("finalizers"));
}

static struct err *check_preconditions(const struct kind *kind, struct slice name, const struct json *old,
                                       const struct delete_options *options)
{
    const struct json *metadata = json_get(old, S("metadata"));
    if (options->uid.ptr && !slice_eq(options->uid, json_get_text(metadata, "uid")))
        return status_conflict_precondition(kind, name, "UID", options->uid, json_get_text(metadata, "uid"));
    if (options->resource_version.ptr && !slice_eq(options->resource_version, json_get_text(metadata, "resourceVersion")))
        return status_conflict_precondition(kind, name, "ResourceVersion", options->resource_version,
                                            json_get_text(metadata, "resourceVersion"));
    return NULL;
}

/* The object with the marks that this deletion leaves on it. Source: registry/rest BeforeDelete and updateForGracefulDeletion. */
static struct json *with_deletion_marks(struct registry_tx *tx, struct slice resource, const struct json *old,
                                        const struct delete_options *options)
{
    struct json *fresh = json_clone(tx->arena, old);
    bool deleting = JSON_AT(old, "metadata", "deletionTimestamp") != NULL;
    if (options->propagation != PROPAGATION_BACKGROUND)
        set_propagation(tx->arena, fresh, options->propagation);
    if (slice_eq(resource, S("pods"))) {
        int64_t grace = pod_grace(fresh, options->grace_seconds);
        if (!deleting || (options->grace_seconds >= 0 && grace < json_get_i64(json_get(fresh, S("metadata")), "deletionGracePeriodSeconds", 0)))
            mark_deleted(tx->arena, fresh, grace);
        return fresh;
    }
    if (!deleting && is_held(resource, fresh)) {
        mark_deleted(tx->arena, fresh, 0);
        if (slice_eq(resource, S("namespaces"))) {
            json_remove(json_get(fresh, S("metadata")), S("deletionGracePeriodSeconds"));
            json_set_cstr(tx->arena, json_ensure_object(tx->arena, fresh, "status"), "phase", "Terminating");
        }
    }
    return fresh;
}

struct err *registry_tx_delete(struct registry_tx *tx, struct slice resource, struct slice namespace_name, struct slice name,
                               const struct delete_options *options, struct delete_result *ret_result)
{
    static const struct delete_options plain = {.grace_seconds = -1};
    if (!options)
        options = &plain;
    const struct kind *kind = kind_of_resource(resource);
    struct json *old;
    TRY(registry_tx_get(tx, resource, namespace_name, name, &old));
    if (!old)
        return status_not_found(kind, name);
    TRY(check_preconditions(kind, name, old, options));

    struct object *last = NULL;
    struct json *fresh = with_deletion_marks(tx, resource, old, options);
    bool removed = !is_held(resource, fresh);
    struct err *e = NULL;
    if (json_equal(old, fresh))
        e = unchanged(resource, old, &last);
    else
        e = store(tx, seal(tx, resource, fresh), REGISTRY_MODIFIED, &last);
    if (!e && removed)
        e = store(tx, seal(tx, resource, fresh), REGISTRY_DELETED, NULL);
    if (!e && ret_result) {
        object_unref(ret_result->object);
        *ret_result = (struct delete_result){.object = object_ref(last), .removed = removed};
    }
    object_unref(last);
    return e;
}

/* ---- applied bodies ---- */

struct err *registry_tx_applied(struct registry_tx *tx, struct slice uid, struct slice manager, struct json **ret_body)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx->db, "SELECT body FROM applied WHERE uid = ?1 AND manager = ?2", &stmt));
    db_bind_text(stmt, 1, uid);
    db_bind_text(stmt, 2, manager);
    TRY(db_step(stmt, &row));
    if (!row) {
        *ret_body = NULL;
        return NULL;
    }
    return json_parse(tx->arena, db_col_text(stmt, 0, tx->arena), JSON_DUPLICATES_LAST_WINS, ret_body);
}

struct err *registry_tx_set_applied(struct registry_tx *tx, struct slice uid, struct slice manager, const struct json *body)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx->db, "INSERT INTO applied (uid, manager, body) VALUES (?1, ?2, ?3)"
                           " ON CONFLICT (uid, manager) DO UPDATE SET body = excluded.body", &stmt));
    struct slice text = json_to_slice(tx->arena, body);
    db_bind_text(stmt, 1, uid);
    db_bind_text(stmt, 2, manager);
    db_bind_text(stmt, 3, text);
    return db_run(stmt);
}

struct err *registry_tx_managers(struct registry_tx *tx, struct slice uid, struct json **ret_managers)
{
    struct db_stmt *stmt;
    bool row;
    struct json *managers = json_array(tx->arena);
    TRY(db_prepare(tx->db, "SELECT manager, body FROM applied WHERE uid = ?1 ORDER BY manager", &stmt));
    db_bind_text(stmt, 1, uid);
    for (;;) {
        TRY(db_step(stmt, &row));
        if (!row)
            break;
        struct json *body;
        TRY(json_parse(tx->arena, db_col_text(stmt, 1, tx->arena), JSON_DUPLICATES_LAST_WINS, &body));
        struct json *entry = json_object(tx->arena);
        json_set_text(tx->arena, entry, "manager", db_col_text(stmt, 0, tx->arena));
        JSON_SET(tx->arena, entry, "applied", body);
        json_append(managers, entry);
    }
    *ret_managers = managers;
    return NULL;
}

/* ---- single writes ---- */

struct single {
    struct slice resource, namespace_name, name;
    const struct json *object;
    object_mutate_fn mutate;
    void *ctx;
    const struct delete_options *options;
    struct object *ret_object;
    struct delete_result ret_deleted;
};

static struct err *single_give(struct err *e, struct single *single, struct object **ret_object)
{
    if (!e && ret_object)
        *ret_object = STEAL(single->ret_object);
    object_unref(single->ret_object);
    return e;
}

static struct err *create_in_tx(struct registry_tx *tx, void *ctx)
{
    struct single *single = ctx;
    return registry_tx_create(tx, single->resource, single->object, &single->ret_object);
}

struct err *registry_create(struct registry *registry, struct slice resource, const struct json *object, struct object **ret_object)
{
    struct single single = {.resource = resource, .object = object};
    return single_give(registry_write(registry, create_in_tx, &single), &single, ret_object);
}

static struct err *update_in_tx(struct registry_tx *tx, void *ctx)
{
    struct single *single = ctx;
    return registry_tx_update(tx, single->resource, single->namespace_name, single->name, single->mutate, single->ctx, &single->ret_object);
}

struct err *registry_update(struct registry *registry, struct slice resource, struct slice namespace_name, struct slice name,
                            object_mutate_fn mutate, void *ctx, struct object **ret_object)
{
    struct single single = {.resource = resource, .namespace_name = namespace_name, .name = name, .mutate = mutate, .ctx = ctx};
    return single_give(registry_write(registry, update_in_tx, &single), &single, ret_object);
}

struct status_write {
    struct slice resource, name, uid;
    const struct json *status;
};

static struct err *put_status(void *ctx, struct arena *arena, struct json *object)
{
    const struct status_write *write = ctx;
    if (write->uid.len && !slice_eq(json_text(JSON_AT(object, "metadata", "uid")), write->uid))
        return status_not_found(kind_of_resource(write->resource), write->name);
    JSON_SET(arena, object, "status", json_clone(arena, write->status));
    return NULL;
}

struct err *registry_set_status(struct registry *registry, struct slice resource, struct slice namespace_name, struct slice name,
                                struct slice uid, const struct json *status, struct object **ret_object)
{
    struct status_write write = {.resource = resource, .name = name, .uid = uid, .status = status};
    return registry_update(registry, resource, namespace_name, name, put_status, &write, ret_object);
}

static struct err *delete_in_tx(struct registry_tx *tx, void *ctx)
{
    struct single *single = ctx;
    return registry_tx_delete(tx, single->resource, single->namespace_name, single->name, single->options, &single->ret_deleted);
}

struct err *registry_delete(struct registry *registry, struct slice resource, struct slice namespace_name, struct slice name,
                            const struct delete_options *options, struct delete_result *ret_result)
{
    struct single single = {.resource = resource, .namespace_name = namespace_name, .name = name, .options = options};
    struct err *e = registry_write(registry, delete_in_tx, &single);
    if (!e && ret_result) {
        *ret_result = single.ret_deleted;
        return NULL;
    }
    object_unref(single.ret_deleted.object);
    return e;
}
