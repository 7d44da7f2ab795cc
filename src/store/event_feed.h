/* event_feed: the changes of state of all job runs in the order in which they were committed, from a place on, and being woken when there
 * are more. A place is a sequence number: they only grow, also over a restart, and none appears below one that was read, since one thread
 * commits. Nothing of it is ever deleted. Also keeps how far a delivery came. Any thread. */
#pragma once
#include "store/store.h"

struct event_row {
    int64_t sequence;
    struct instant at;
    struct slice event, to, details; /* details absent or empty: none */
    bool moved;                      /* the state became another one; false: another attempt's driver was made */
    int64_t attempt;                 /* 1.. */
    struct slice previous_failure;   /* !moved: why the attempt before it failed */
    /* of its run; what never changes, and the reason that it has once it FAILED */
    struct slice job_run_id, virtual_cluster_id, name, created_by, release_label, execution_role_arn, failure_reason;
};

/* The first limit rows behind after that clients are told of: changes of state, and drivers of new attempts. */
struct err *store_events_after(struct store *store, struct arena *arena, int64_t after, int64_t limit, struct event_row **ret_rows,
                               size_t *ret_count) NODISCARD;
/* The place behind everything there is; 0 before the first row. */
struct err *store_events_end(struct store *store, int64_t *ret_sequence) NODISCARD;
/* Rows behind after, and when the first of them was written (ms 0: there are none). */
struct err *store_events_behind(struct store *store, int64_t after, int64_t *ret_count, struct instant *ret_oldest) NODISCARD;

/* How far the delivery of this name came; the end of what there is when it is new. On disk when it returns. */
struct err *store_delivery_begin(struct store *store, struct slice name, int64_t *ret_sequence) NODISCARD;
struct err *store_delivery_advance(struct store *store, struct slice name, int64_t sequence) NODISCARD;

/* Waiting: take the count, read, and if there was nothing wait for another count. False: deadline_ms (of monotonic_ms) has passed. */
uint64_t store_events_count(struct store *store);
bool store_events_wait(struct store *store, uint64_t count, int64_t deadline_ms);
/* Lets all who wait look again at what else they wait for. */
void store_events_poke(struct store *store);
