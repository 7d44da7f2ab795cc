/* scheduler: binds the pods of one cluster to its nodes, oldest first, or says in Kubernetes's own words why not. One thread
 * per cluster, which only reacts to changes in the registry and to room on the machine. Owns nothing but its thread: what is
 * bound stands in the pods themselves, so a restart simply looks again. */
#pragma once
#include "base/err.h"

struct machine;
struct registry;
struct scheduler;

/* registry and machine are borrowed and must outlive the scheduler. */
struct err *scheduler_start(struct registry *registry, struct machine *machine, struct scheduler **ret_scheduler) NODISCARD;
/* Ends the thread; the cluster's reservations on the machine are given back. NULL is fine. */
void scheduler_stop(struct scheduler *scheduler);
