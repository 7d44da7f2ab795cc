/* registry: the objects of one cluster. JSON in SQLite (DIR/registry.db), all live objects also in memory, one revision
 * counter over all kinds (persisted, never goes back), a bounded history of changes for watches.
 *
 * Who calls: the REST handlers, the controllers, the scheduler and the kubelet, from any thread. Reads come from memory and
 * never wait for the disk. Writes run one after the other as transactions in the database's writer thread (group commit) and
 * are durable, and visible to every read, when they return. A write that changes nothing keeps the version and makes no event.
 *
 * resource: the plural name, "pods", "configmaps", … (events of both groups are "events"). Objects that were handed out are
 * immutable and shared: object_unref when done. */
#pragma once
#include "base/err.h"
#include "base/json.h"

struct registry;
struct registry_tx; /* valid inside the closure only */

/* One version of one object. Everything points into its own storage. Immutable but for the count. */
struct object {
    struct slice resource;       /* "pods" */
    struct slice namespace_name; /* empty: cluster-scoped */
    struct slice name;
    struct slice uid;
    int64_t revision;            /* metadata.resourceVersion of this version */
    struct slice text;           /* the whole object as compact JSON; kind and apiVersion come first */
    struct slice item;           /* the members behind kind and apiVersion, and the closing brace: an item of a list is "{" + item */
    /* What selectors look at, as a small tree: metadata.{name,namespace,labels} and the scalar members of the first two levels
     * (spec.nodeName, status.phase, involvedObject.uid, …). Never to be changed. */
    const struct json *index;
    const struct slice *owner_uids;
    size_t owner_count;
    bool deleting;               /* metadata.deletionTimestamp is set */
    bool has_finalizers;
};

struct object *object_ref(struct object *object);
void object_unref(struct object *object); /* NULL is fine */
void object_unrefp(struct object **object);
/* A tree of one's own, free to be changed. */
struct json *object_json(struct arena *arena, const struct object *object);
struct slice object_label(const struct object *object, struct slice key); /* absent: SLICE_NONE */
/* object_field(pod, "status", "phase"): text of index.status.phase; absent: SLICE_NONE. */
struct slice object_field(const struct object *object, const char *section, const char *member);

/* ---- open ---- */

struct registry_options {
    const char *dir;            /* registry.db is made in it */
    /* Runs at the end of every write that changed something: what it changes belongs to the same write. NULL: none. Has the rules of
     * object_mutate_fn. */
    struct err *(*settle)(struct registry_tx *tx);
    size_t history_max_events;  /* 0: 100,000 */
    size_t history_max_bytes;   /* 0: 16 MiB */
};

struct err *registry_open(const struct registry_options *options, struct registry **ret_registry) NODISCARD;
/* All subscribers must be gone. NULL is fine. */
void registry_close(struct registry *registry);
int64_t registry_revision(struct registry *registry); /* of the newest visible change */

/* ---- read: from memory ---- */

/* ERR_NOT_FOUND with Kubernetes's words (`pods "x" not found`, code "NotFound", status 404). namespace_name is empty for
 * cluster-scoped resources. */
struct err *registry_get(struct registry *registry, struct slice resource, struct slice namespace_name, struct slice name,
                         struct object **ret_object) NODISCARD;
struct object_list {
    struct object **items; /* by namespace, then name */
    size_t count;
    int64_t revision;      /* the list is the state after this revision */
};
/* namespace_name absent or empty: all namespaces. object_list_deinit drops the references. */
void registry_list(struct registry *registry, struct slice resource, struct slice namespace_name, struct object_list *ret_list);
/* The same as it was after that revision. ERR_INVALID Expired; a revision of the future is ERR_INVALID. */
struct err *registry_list_at(struct registry *registry, struct slice resource, struct slice namespace_name, int64_t revision,
                             struct object_list *ret_list) NODISCARD;
void object_list_deinit(struct object_list *list);
/* All objects of every resource that name uid as an owner. */
void registry_list_owned(struct registry *registry, struct slice uid, struct object_list *ret_list);

/* ---- write ---- */

/* Creates object (kind, apiVersion, metadata.name, and namespace when namespaced, must be set). The registry sets uid (if
 * absent), creationTimestamp and resourceVersion; the caller has defaulted and validated. ERR_CONFLICT AlreadyExists (409).
 * ret_object may be NULL. */
struct err *registry_create(struct registry *registry, struct slice resource, const struct json *object,
                            struct object **ret_object) NODISCARD;

/* Changes object in place, in the writer thread under the write: no locks, no waiting. May run more than once (on a fresh
 * tree): it may change only the tree and what ctx's ret_ fields point to. An error leaves the object as it is and is
 * returned by the update; ERR_CONFLICT is not retried. */
typedef struct err *(*object_mutate_fn)(void *ctx, struct arena *arena, struct json *object);
/* ERR_NOT_FOUND; what mutate returned. uid, name, namespace and creationTimestamp stay whatever mutate does; if
 * metadata.resourceVersion is changed to one that is not the stored one: ERR_CONFLICT Conflict (409). An object that is being
 * deleted and has lost its last finalizer is removed, except a pod with deletionGracePeriodSeconds > 0. */
struct err *registry_update(struct registry *registry, struct slice resource, struct slice namespace_name, struct slice name,
                            object_mutate_fn mutate, void *ctx, struct object **ret_object) NODISCARD;
/* Puts value (a copy) as .status of the object: the kubelet's and the scheduler's everyday call. uid: of the object meant;
 * another one there is ERR_NOT_FOUND. SLICE_NONE: any. */
struct err *registry_set_status(struct registry *registry, struct slice resource, struct slice namespace_name, struct slice name,
                                struct slice uid, const struct json *status, struct object **ret_object) NODISCARD;

enum propagation { PROPAGATION_BACKGROUND, PROPAGATION_FOREGROUND, PROPAGATION_ORPHAN };
struct delete_options {
    int64_t grace_seconds;           /* -1: the object's own (pods: spec.terminationGracePeriodSeconds, else 30) */
    enum propagation propagation;
    struct slice uid;                /* precondition; absent: none */
    struct slice resource_version;   /* precondition; absent: none */
};
struct delete_result {
    struct object *object; /* as it was stored last: with deletionTimestamp when it stays for now */
    bool removed;          /* false: waits for the kubelet or for finalizers */
};
/* Kubernetes's graceful deletion: pods that are bound and neither Succeeded nor Failed get deletionTimestamp and
 * deletionGracePeriodSeconds and stay until they are deleted with grace 0 (the kubelet, when their processes have ended); a
 * second deletion may shorten the grace only. Everything else goes at once unless finalizers hold it. options NULL: grace -1,
 * background. ERR_NOT_FOUND; ERR_CONFLICT (preconditions). ret_result may be NULL. */
struct err *registry_delete(struct registry *registry, struct slice resource, struct slice namespace_name, struct slice name,
                            const struct delete_options *options, struct delete_result *ret_result) NODISCARD;

/* Several changes in one transaction: all or nothing, consecutive revisions. fn has the rules of object_mutate_fn. */
typedef struct err *(*registry_tx_fn)(struct registry_tx *tx, void *ctx);
struct err *registry_write(struct registry *registry, registry_tx_fn fn, void *ctx) NODISCARD;
struct arena *registry_tx_arena(struct registry_tx *tx);
/* A fresh tree, or NULL. */
struct err *registry_tx_get(struct registry_tx *tx, struct slice resource, struct slice namespace_name, struct slice name,
                            struct json **ret_object) NODISCARD;
/* All of that resource in that namespace, by name: an array of fresh trees. */
struct err *registry_tx_list(struct registry_tx *tx, struct slice resource, struct slice namespace_name, struct json **ret_objects) NODISCARD;
bool registry_tx_exists(struct registry_tx *tx, struct slice resource, struct slice namespace_name, struct slice name);
struct err *registry_tx_create(struct registry_tx *tx, struct slice resource, const struct json *object, struct object **ret_object) NODISCARD;
struct err *registry_tx_update(struct registry_tx *tx, struct slice resource, struct slice namespace_name, struct slice name,
                               object_mutate_fn mutate, void *ctx, struct object **ret_object) NODISCARD;
struct err *registry_tx_delete(struct registry_tx *tx, struct slice resource, struct slice namespace_name, struct slice name,
                               const struct delete_options *options, struct delete_result *ret_result) NODISCARD;

/* Server-side apply: the body that manager applied last to the object with this uid; NULL: none. Forgotten with the object. */
struct err *registry_tx_applied(struct registry_tx *tx, struct slice uid, struct slice manager, struct json **ret_body) NODISCARD;
struct err *registry_tx_set_applied(struct registry_tx *tx, struct slice uid, struct slice manager, const struct json *body) NODISCARD;
/* Every manager of the object: an array of {"manager": M, "applied": BODY}. */
struct err *registry_tx_managers(struct registry_tx *tx, struct slice uid, struct json **ret_managers) NODISCARD;

/* ---- events ---- */

enum registry_event_type { REGISTRY_ADDED, REGISTRY_MODIFIED, REGISTRY_DELETED };
struct registry_event {
    enum registry_event_type type;
    int64_t revision;
    struct object *before; /* NULL for ADDED; borrowed: object_ref to keep */
    struct object *object; /* DELETED: the last state, with the revision of the deletion */
};
/* What this write has changed so far, in order; before is NULL in all of them. */
size_t registry_tx_change_count(const struct registry_tx *tx);
const struct registry_event *registry_tx_change(const struct registry_tx *tx, size_t number);

/* Runs in the registry's one dispatcher thread, in order of revision, each change once. Must only enqueue: never write to the
 * registry, never wait. */
typedef void (*registry_event_fn)(void *ctx, const struct registry_event *event);
struct registry_subscription;
/* Everything after revision `after` (what registry_list returned), first what the history has (told in the caller's thread, before
 * this returns), then what comes. resource absent: all resources.
 * ERR_INVALID with code "Expired" (410) when the history no longer reaches back so far: list again. */
struct err *registry_subscribe(struct registry *registry, struct slice resource, int64_t after, registry_event_fn fn, void *ctx,
                               struct registry_subscription **ret_subscription) NODISCARD;
/* When it returns fn is not running and will not run again. Not from fn itself. NULL is fine. */
void registry_unsubscribe(struct registry_subscription *subscription);
/* Tells fn the events of resource (absent: all) with after < revision <= until, in the caller's thread. ERR_INVALID Expired. */
struct err *registry_history(struct registry *registry, struct slice resource, int64_t after, int64_t until, registry_event_fn fn,
                             void *ctx) NODISCARD;
/* The oldest revision from which registry_history can go on. */
int64_t registry_history_start(struct registry *registry);
