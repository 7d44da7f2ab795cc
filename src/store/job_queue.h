/* job_queue: the queue of a virtual cluster, by rows alone: a PENDING run whose launch has not started waits in it, in the order of ids,
 * which is the order of creation. A run holds one of its virtual cluster's places from the transaction in which it leaves the queue until
 * its final state, over all its attempts.
 *
 * Room: where the nodes of a cluster are one machine (embedded clusters), runs under way keep what a driver and one executor ask for, so
 * that a machine full of drivers never waits for ever for executors. All such clusters share the machine, so the oldest run that waits for
 * room goes first, whatever its virtual cluster. A run that asks for more than there is asks for what can ever be placed (jobs/ask.c), so
 * that the head of the queue can always go once nothing else is under way: nothing waits for ever. */
#pragma once
#include "store/store.h"

/* EMR's own limit when none is configured (model: SchedulerConfiguration.maxConcurrentJobRuns). */
#define QUEUE_CONCURRENT_DEFAULT 1000

struct resources {
    int64_t memory_bytes, cpu_millis;
};

struct queue_wish {
    struct slice id;       /* of the run */
    struct resources ask;  /* what it must have to get on */
    struct resources room; /* what the machine has; memory_bytes 0: no bound */
};

enum queue_verdict {
    QUEUE_LEFT,      /* it has left the queue, or has ended */
    QUEUE_FREE,      /* it may leave now */
    QUEUE_BEHIND,    /* an older run of its virtual cluster waits */
    QUEUE_FULL,      /* maxConcurrentJobRuns are under way */
    QUEUE_NO_ROOM,   /* the machine has no room for its driver and an executor */
    QUEUE_ROOM_TAKEN, /* an older run of another virtual cluster waits for room */
};

struct queue_look {
    enum queue_verdict verdict;
    int64_t under_way, max_concurrent; /* of the virtual cluster; not known (0) when QUEUE_BEHIND */
    struct resources used;             /* by all runs under way that share the machine */
    bool waits_for_room;               /* as it is kept in the row */
};

/* How it stands with a run. */
struct err *store_job_queue_look(struct store *store, const struct queue_wish *wish, struct queue_look *ret_look) NODISCARD;
/* Lets the run leave when it may (launch_started_at becomes at, its ask is kept), else keeps whether it waits for room. *ret_look is how it
 * stood: QUEUE_FREE means that it has left. */
struct err *store_job_queue_leave(struct store *store, const struct queue_wish *wish, struct instant at, struct queue_look *ret_look) NODISCARD;
/* The oldest waiting run of each virtual cluster that has any: who may gain when a run ends or a limit is changed. */
struct err *store_job_queue_heads(struct store *store, struct arena *arena, struct slice **ret_ids, size_t *ret_count) NODISCARD;

/* schedulerStatus: PENDING and SUBMITTED runs, RUNNING ones. */
struct queue_counts {
    int64_t in_queue, running;
};
struct err *store_job_queue_counts(struct store *store, struct slice virtual_cluster_id, struct queue_counts *ret_counts) NODISCARD;

/* Inside a transaction: ERR_LIMIT with code "QueueFull" when the virtual cluster may have no further PENDING or SUBMITTED run. */
struct err *job_queue_check_depth(struct db_tx *tx, struct slice virtual_cluster_id) NODISCARD;
