/* machine: what the machine under all nodes of all clusters of this daemon can take. A pod's request counts once, against
 * every node of every cluster, since they all share one machine: memory is the machine's less 1 GiB, CPU 8 times the cores
 * (it is compressible). One per daemon, made by clusters_open; any thread (one lock, held for a few steps only). */
#pragma once
#include "base/slice.h"

struct machine;
struct machine_waiter;

struct machine_amount {
    int64_t cpu_millis;
    int64_t memory_bytes;
};

#define NODE_PODS_MAX 110 /* Kubernetes's default for one node */

/* Reads the machine (sysconf, and a memory limit of our own cgroup where it is lower). */
struct machine *machine_new(void);
/* For tests: a machine of that size. */
struct machine *machine_new_sized(int64_t allocatable_cpu_millis, int64_t capacity_memory_bytes);
void machine_free(struct machine *machine);

struct machine_amount machine_allocatable(const struct machine *machine);
struct machine_amount machine_capacity(const struct machine *machine);
struct machine_amount machine_free_now(struct machine *machine);

/* Takes amount for pod_uid when it fits; a uid that has something already keeps it (true). */
bool machine_reserve(struct machine *machine, struct slice pod_uid, struct machine_amount amount);
/* The same without asking whether it fits: for pods that run already when the daemon starts. */
void machine_reserve_anyway(struct machine *machine, struct slice pod_uid, struct machine_amount amount);
/* Gives it back and wakes everyone who waits for room. Unknown uids are fine. */
void machine_release(struct machine *machine, struct slice pod_uid);

/* wake(ctx) is called, in the releasing thread, after every release: it must only set a flag or write an eventfd. */
struct machine_waiter *machine_wait(struct machine *machine, void (*wake)(void *ctx), void *ctx);
void machine_unwait(struct machine *machine, struct machine_waiter *waiter); /* NULL is fine */
