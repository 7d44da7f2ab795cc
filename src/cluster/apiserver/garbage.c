#include "cluster/apiserver/garbage.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "cluster/apiserver/kinds.h"
#include "cluster/apiserver/namespaces.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EVENT_LIFE_MS = 3600000, SWEEP_EVERY_MS = 300000, RETRY_MS = 1000 };

enum work_kind { WORK_EXAMINE, WORK_GONE };

struct work {
    enum work_kind kind;
    struct object *object; /* a reference */
    struct work *next;
};

struct controllers {
    struct registry *registry;
    struct registry_subscription *subscription;
    pthread_t thread;

    struct mutex lock; /* guards the rest */
    struct condition changed;
    struct work *first, **last;
    bool stopping, look_again;
};

/* ---- the queue ---- */

static void enqueue(struct controllers *controllers, enum work_kind kind, struct object *object)
{
    struct work *work = xcalloc(1, sizeof(*work));
    *work = (struct work){.kind = kind, .object = object_ref(object)};
    mutex_lock(&controllers->lock);
    *controllers->last = work;
    controllers->last = &work->next;
    condition_signal(&controllers->changed);
    mutex_unlock(&controllers->lock);
}

static bool same_owners(const struct object *a, const struct object *b)
{
    bool same = a->owner_count == b->owner_count;
    for (size_t i = 0; same && i < a->owner_count; i++)
        same = slice_eq(a->owner_uids[i], b->owner_uids[i]);
    return same;
}

/* What a change may ask for; everything else (a pod's status, say) costs nothing. */
static void tell(void *ctx, const struct registry_event *event)
{
    struct object *object = event->object;
    if (event->type == REGISTRY_DELETED) {
        enqueue(ctx, WORK_GONE, object);
        return;
    }
    bool new_owners = object->owner_count && (event->type == REGISTRY_ADDED || !same_owners(event->before, object));
    bool held = object->deleting && (object->has_finalizers || slice_eq(object->resource, S("namespaces")));
    bool newly_held = held && (!event->before || !event->before->deleting);
    if (new_owners || newly_held)
        enqueue(ctx, WORK_EXAMINE, object);
}

/* ---- owners ---- */

enum owner_state { OWNER_ABSENT, OWNER_UNKNOWN, OWNER_PRESENT, OWNER_WAITS };

static bool has_finalizer(const struct json *object, const char *name)
{
    JSON_FOREACH (f, JSON_AT(object, "metadata", "finalizers"))
        if (slice_eq(json_text(f), slice_from_cstr(name)))
            return true;
    return false;
}

static struct err *find_owner(struct controllers *controllers, struct slice namespace_name, const struct json *reference,
                              struct object **ret_owner, enum owner_state *ret_state)
{
    const struct kind *kind = kind_find_by_name(json_get_text(reference, "apiVersion"), json_get_text(reference, "kind"));
    if (!kind || !kind->stored_as) {
        *ret_state = OWNER_UNKNOWN; /* a kind that is not served: nobody can say that it is gone */
        return NULL;
    }
    struct slice where = kind->namespaced ? namespace_name : S("");
    struct object *owner = NULL;
    struct err *e = registry_get(controllers->registry, slice_from_cstr(kind->resource), where, json_get_text(reference, "name"), &owner);
    if (e && e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    if (owner && !slice_eq(owner->uid, json_get_text(reference, "uid"))) {
        object_unref(owner);
        owner = NULL;
    }
    *ret_owner = owner;
    *ret_state = owner ? OWNER_PRESENT : OWNER_ABSENT;
    return NULL;
}

struct owners {
    size_t absent, present, waiting;
};

static struct err *look_at_owners(struct controllers *controllers, struct arena *arena, const struct object *object,
                                  const struct json *json, struct owners *ret_owners)
{
    struct owners owners = {0};
    JSON_FOREACH (reference, JSON_AT(json, "metadata", "ownerReferences")) {
        _cleanup_(object_unrefp) struct object *owner = NULL;
        enum owner_state state;
        TRY(find_owner(controllers, object->namespace_name, reference, &owner, &state));
        if (state == OWNER_PRESENT && owner->deleting && has_finalizer(object_json(arena, owner), "foregroundDeletion"))
            owners.waiting++;
        else if (state == OWNER_ABSENT)
            owners.absent++;
        else
            owners.present++;
    }
    *ret_owners = owners;
    return NULL;
}

static struct err *delete_this(struct controllers *controllers, const struct object *object, enum propagation propagation)
{
    struct delete_options options = {.grace_seconds = -1, .propagation = propagation, .uid = object->uid};
    struct err *e = registry_delete(controllers->registry, object->resource, object->namespace_name, object->name, &options, NULL);
    if (e && (e->kind == ERR_NOT_FOUND || e->kind == ERR_CONFLICT)) { /* gone, or another one by that name */
        err_free(e);
        e = NULL;
    }
    return e;
}

/* Deletes what has lost its last owner. */
static struct err *collect(struct controllers *controllers, struct arena *arena, const struct object *object, const struct json *json)
{
    struct owners owners;
    TRY(look_at_owners(controllers, arena, object, json, &owners));
    if (owners.present || !(owners.absent + owners.waiting) || object->deleting)
        return NULL;
    enum propagation propagation = PROPAGATION_BACKGROUND;
    if (owners.waiting) {
        struct object_list dependents;
        registry_list_owned(controllers->registry, object->uid, &dependents);
        if (dependents.count)
            propagation = PROPAGATION_FOREGROUND;
        object_list_deinit(&dependents);
    }
    return delete_this(controllers, object, propagation);
}

/* ---- foreground and orphan ---- */

struct finalizer_drop {
    const char *name;
    struct slice uid;
};

static struct err *drop_finalizer(void *ctx, struct arena *arena, struct json *object)
{
    const struct finalizer_drop *drop = ctx;
    struct json *metadata = json_get(object, S("metadata"));
    struct json *finalizers = json_get(metadata, S("finalizers"));
    struct json *next;
    if (!slice_eq(json_get_text(metadata, "uid"), drop->uid))
        return NULL;
    for (struct json *f = finalizers ? finalizers->first : NULL; f; f = next) {
        next = f->next;
        if (slice_eq(json_text(f), slice_from_cstr(drop->name)))
            json_unlink(finalizers, f);
    }
    if (finalizers && !json_count(finalizers))
        json_remove(metadata, S("finalizers"));
    return NULL;
}

static struct err *release(struct controllers *controllers, const struct object *object, const char *finalizer)
{
    struct finalizer_drop drop = {.name = finalizer, .uid = object->uid};
    struct err *e = registry_update(controllers->registry, object->resource, object->namespace_name, object->name, drop_finalizer, &drop, NULL);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        e = NULL;
    }
    return e;
}

static bool blocks(struct arena *arena, const struct object *dependent, struct slice owner_uid)
{
    JSON_FOREACH (reference, JSON_AT(object_json(arena, dependent), "metadata", "ownerReferences"))
        if (slice_eq(json_get_text(reference, "uid"), owner_uid))
            return json_get_bool(reference, "blockOwnerDeletion", false);
    return false;
}

static struct err *foreground(struct controllers *controllers, struct arena *arena, const struct object *owner)
{
    struct object_list dependents;
    registry_list_owned(controllers->registry, owner->uid, &dependents);
    struct err *e = NULL;
    size_t blocking = 0;
    for (size_t i = 0; i < dependents.count && !e; i++) {
        blocking += blocks(arena, dependents.items[i], owner->uid);
        e = collect(controllers, arena, dependents.items[i], object_json(arena, dependents.items[i]));
    }
    object_list_deinit(&dependents);
    if (e || blocking)
        return e; /* comes back when one of them is gone */
    return release(controllers, owner, "foregroundDeletion");
}

static struct err *forget_owner(void *ctx, struct arena *arena, struct json *object)
{
    const struct slice *uid = ctx;
    struct json *metadata = json_get(object, S("metadata"));
    struct json *owners = json_get(metadata, S("ownerReferences"));
    struct json *next;
    for (struct json *o = owners ? owners->first : NULL; o; o = next) {
        next = o->next;
        if (slice_eq(json_get_text(o, "uid"), *uid))
            json_unlink(owners, o);
    }
    if (owners && !json_count(owners))
        json_remove(metadata, S("ownerReferences"));
    return NULL;
}

static struct err *orphan(struct controllers *controllers, const struct object *owner)
{
    struct object_list dependents;
    registry_list_owned(controllers->registry, owner->uid, &dependents);
    struct err *e = NULL;
    struct slice uid = owner->uid;
    for (size_t i = 0; i < dependents.count && !e; i++) {
        const struct object *d = dependents.items[i];
        e = registry_update(controllers->registry, d->resource, d->namespace_name, d->name, forget_owner, &uid, NULL);
        if (e && e->kind == ERR_NOT_FOUND) {
            err_free(e);
            e = NULL;
        }
    }
    object_list_deinit(&dependents);
    return e ? e : release(controllers, owner, "orphan");
}

/* ---- claims: kubernetes.io/pvc-protection holds one while a pod that has not ended uses it ---- */

static bool uses_claim(struct arena *arena, const struct object *pod, struct slice claim)
{
    struct slice phase = object_field(pod, "status", "phase");
    if (slice_eq(phase, S("Succeeded")) || slice_eq(phase, S("Failed")))
        return false;
    JSON_FOREACH (volume, JSON_AT(object_json(arena, pod), "spec", "volumes"))
        if (slice_eq(json_text(JSON_AT(volume, "persistentVolumeClaim", "claimName")), claim))
            return true;
    return false;
}

static struct err *release_claim(struct controllers *controllers, struct arena *arena, const struct object *claim)
{
    struct object_list pods;
    registry_list(controllers->registry, S("pods"), claim->namespace_name, &pods);
    bool used = false;
    for (size_t i = 0; i < pods.count && !used; i++)
        used = uses_claim(arena, pods.items[i], claim->name);
    object_list_deinit(&pods);
    return used ? NULL : release(controllers, claim, "kubernetes.io/pvc-protection");
}

static struct err *look_at_claims(struct controllers *controllers, struct arena *arena, struct slice namespace_name)
{
    struct object_list claims;
    registry_list(controllers->registry, S("persistentvolumeclaims"), namespace_name, &claims);
    struct err *e = NULL;
    for (size_t i = 0; i < claims.count && !e; i++)
        if (claims.items[i]->deleting)
            e = release_claim(controllers, arena, claims.items[i]);
    object_list_deinit(&claims);
    return e;
}

/* ---- one piece of work ---- */

static struct err *examine(struct controllers *controllers, struct arena *arena, const struct object *seen)
{
    _cleanup_(object_unrefp) struct object *object = NULL;
    struct err *e = registry_get(controllers->registry, seen->resource, seen->namespace_name, seen->name, &object);
    if (e) {
        bool gone = e->kind == ERR_NOT_FOUND;
        if (!gone)
            return e;
        err_free(e);
        return NULL;
    }
    if (object->deleting && slice_eq(object->resource, S("namespaces")))
        return namespace_reap(controllers->registry, object->name);
    const struct json *json = object_json(arena, object);
    if (object->deleting && has_finalizer(json, "foregroundDeletion"))
        return foreground(controllers, arena, object);
    if (object->deleting && has_finalizer(json, "orphan"))
        return orphan(controllers, object);
    if (object->deleting && slice_eq(object->resource, S("persistentvolumeclaims")))
        return release_claim(controllers, arena, object);
    return object->owner_count ? collect(controllers, arena, object, json) : NULL;
}

static struct err *after(struct controllers *controllers, struct arena *arena, const struct object *gone)
{
    struct object_list dependents;
    registry_list_owned(controllers->registry, gone->uid, &dependents);
    struct err *e = NULL;
    for (size_t i = 0; i < dependents.count && !e; i++)
        e = examine(controllers, arena, dependents.items[i]);
    object_list_deinit(&dependents);
    if (e)
        return e;
    if (gone->owner_count)
        JSON_FOREACH (reference, JSON_AT(object_json(arena, gone), "metadata", "ownerReferences")) {
            _cleanup_(object_unrefp) struct object *owner = NULL;
            enum owner_state state;
            TRY(find_owner(controllers, gone->namespace_name, reference, &owner, &state));
            if (owner && owner->deleting)
                TRY(examine(controllers, arena, owner));
        }
    if (!gone->namespace_name.len)
        return NULL;
    if (slice_eq(gone->resource, S("pods")))
        TRY(look_at_claims(controllers, arena, gone->namespace_name));
    struct object *space = NULL;
    err_free(registry_get(controllers->registry, S("namespaces"), S(""), gone->namespace_name, &space));
    if (space && space->deleting)
        e = namespace_reap(controllers->registry, space->name);
    object_unref(space);
    return e;
}

/* ---- sweeps ---- */

static struct err *sweep_events(struct controllers *controllers, struct arena *arena)
{
    struct object_list events;
    registry_list(controllers->registry, S("events"), SLICE_NONE, &events);
    int64_t oldest_ms = instant_now().ms - EVENT_LIFE_MS;
    struct err *e = NULL;
    for (size_t i = 0; i < events.count && !e; i++) {
        struct json *event = object_json(arena, events.items[i]);
        struct slice last = json_get_text(event, "lastTimestamp");
        struct instant t;
        if (!last.len)
            last = json_text(JSON_AT(event, "metadata", "creationTimestamp"));
        if (instant_parse_iso8601(last, &t) && t.ms < oldest_ms)
            e = delete_this(controllers, events.items[i], PROPAGATION_BACKGROUND);
        if (i % 256 == 255)
            arena_reset(arena);
    }
    object_list_deinit(&events);
    return e;
}

/* Everything that may have been missed while nobody listened. */
static struct err *look_at_all(struct controllers *controllers, struct arena *arena)
{
    for (size_t k = 0; k < kinds_count; k++) {
        if (!kinds[k].stored_as)
            continue;
        struct object_list list;
        registry_list(controllers->registry, slice_from_cstr(kinds[k].resource), SLICE_NONE, &list);
        struct err *e = NULL;
        for (size_t i = 0; i < list.count && !e; i++) {
            const struct object *object = list.items[i];
            if (object->owner_count || (object->deleting && (object->has_finalizers || slice_eq(object->resource, S("namespaces")))))
                e = examine(controllers, arena, object);
        }
        object_list_deinit(&list);
        TRY(e);
        arena_reset(arena);
    }
    return NULL;
}

static void *run(void *arg)
{
    struct controllers *controllers = arg;
    struct arena *arena = arena_new();
    int64_t sweep_at_ms = monotonic_ms() + SWEEP_EVERY_MS, retry_at_ms = 0;
    for (;;) {
        mutex_lock(&controllers->lock);
        while (!controllers->stopping && !controllers->first) {
            int64_t now_ms = monotonic_ms();
            int64_t until_ms = controllers->look_again && retry_at_ms < sweep_at_ms ? retry_at_ms : sweep_at_ms;
            if (now_ms >= until_ms)
                break;
            (void)mutex_wait_until(&controllers->changed, &controllers->lock, until_ms);
        }
        struct work *work = controllers->first;
        if (work && !(controllers->first = work->next))
            controllers->last = &controllers->first;
        bool stopping = controllers->stopping;
        bool look = !work && controllers->look_again;
        if (look)
            controllers->look_again = false;
        mutex_unlock(&controllers->lock);

        struct err *e = NULL;
        if (work) {
            if (!stopping)
                e = work->kind == WORK_GONE ? after(controllers, arena, work->object) : examine(controllers, arena, work->object);
            object_unref(work->object);
            free(work);
        } else if (stopping) {
            break;
        } else if (look) {
            e = look_at_all(controllers, arena);
        } else {
            e = sweep_events(controllers, arena);
            sweep_at_ms = monotonic_ms() + SWEEP_EVERY_MS;
        }
        if (e) {
            log_event(GARBAGE_FAILED, LOG_ERR(e));
            err_free(e);
            retry_at_ms = monotonic_ms() + RETRY_MS;
            mutex_lock(&controllers->lock);
            controllers->look_again = true;
            mutex_unlock(&controllers->lock);
        }
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

struct err *controllers_start(struct registry *registry, struct controllers **ret_controllers)
{
    struct controllers *controllers = xcalloc(1, sizeof(*controllers));
    controllers->registry = registry;
    controllers->last = &controllers->first;
    controllers->look_again = true;
    mutex_init(&controllers->lock, LOCK_CONTROLLERS);
    condition_init(&controllers->changed);
    struct err *e = registry_subscribe(registry, SLICE_NONE, registry_revision(registry), tell, controllers, &controllers->subscription);
    if (!e) {
        int failed = pthread_create(&controllers->thread, NULL, run, controllers);
        if (failed)
            e = err_errno(failed, "cannot start the controllers");
    }
    if (e) {
        registry_unsubscribe(controllers->subscription);
        free(controllers);
        return e;
    }
    *ret_controllers = controllers;
    return NULL;
}

void controllers_stop(struct controllers *controllers)
{
    if (!controllers)
        return;
    registry_unsubscribe(controllers->subscription);
    mutex_lock(&controllers->lock);
    controllers->stopping = true;
    condition_signal(&controllers->changed);
    mutex_unlock(&controllers->lock);
    pthread_join(controllers->thread, NULL);
    mutex_deinit(&controllers->lock);
    condition_deinit(&controllers->changed);
    free(controllers);
}
