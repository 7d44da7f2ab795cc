/* feed: the clusters that are in use, each with its client and its watch. A feed is made on first use; when its cluster is in trouble it is
 * asked whether it is still the same one, and another takes its place when it is not. Old ones are stopped but kept until the end, since
 * steps and log readers may still hold them. Any thread.
 *
 * Steps that write to a cluster hold one of its few places: a cluster that hangs never has all workers. */
#pragma once
#include "base/clock.h"
#include "base/mutex.h"
#include "jobs/decide.h"
#include "jobs/denials.h"
#include "jobs/reconciler.h"
#include <stdatomic.h>

struct feeds;

/* What a run at the head of its queue asks of a machine with that room. */
struct kept_ask {
    char id[24];
    struct resources room, ask;
};
#define ASKS_KEPT 64

struct feed {
    struct feed *next;
    struct feeds *feeds;
    char *cluster;
    struct reconciler_cluster is; /* client, master, whether its nodes are one machine */
    struct k8s_watch *watch;
    atomic_bool synced;
    bool leaving, forgetting; /* under feeds' lock: another cluster has the name, or none; somebody forgets what this one told */
    struct mutex lock; /* guards all below */
    int writers;
    bool failing;         /* the last write found no answer */
    struct denials denials;
    char *trouble;        /* why it does not answer, or NULL */
    struct instant trouble_since; /* as this daemon knows: after a restart runs of a cluster that is away are given up later, never sooner */
    int64_t checked_ms;   /* monotonic: when it was last asked whether it is the same cluster */
    struct resources room; /* memory_bytes 0: not known */
    int64_t room_ms;      /* monotonic: when it was read */
    struct kept_ask asks[ASKS_KEPT]; /* by the hash of the run's id */
};

struct feeds *feeds_new(struct reconciler *reconciler);
void feeds_interrupt(struct feeds *feeds); /* calls that run end; new ones fail */
void feeds_free(struct feeds *feeds);      /* stops the watches */

/* ERR_NOT_FOUND: no such cluster. */
struct err *feed_get(struct feeds *feeds, struct arena *arena, struct slice cluster, struct feed **ret_feed) NODISCARD;
/* What the watch says of the cluster itself: synced, trouble. feed NULL: no_cluster. */
void feed_observe(struct feed *feed, struct arena *arena, struct observation *seen);
/* A place among those who write; false: come again soon. */
bool feed_enter(struct feed *feed);
void feed_leave(struct feed *feed, const struct err *e);
/* How a call that removes something of a virtual cluster's went. */
void feed_removed(struct feed *feed, struct slice virtual_cluster_id, const struct err *e);
/* Whether such calls are refused for lack of permission: see denials_confirm. */
bool feed_confirm_denied(struct feed *feed, struct slice virtual_cluster_id);
/* What its machine has; memory_bytes 0: no bound. Asks the cluster now and then. */
struct err *feed_room(struct feed *feed, struct arena *arena, struct resources *ret_room) NODISCARD;
/* What a run asks for is made of its plan, which may have to be read from S3: as long as the room is the same that is done once. False: it is
 * not known. Nothing that could not be planned is kept. */
bool feed_recall_ask(struct feed *feed, struct slice run_id, const struct resources *room, struct resources *ret_ask);
void feed_keep_ask(struct feed *feed, struct slice run_id, const struct resources *room, const struct resources *ask);
