#include "cluster/scheduler/machine.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/mutex.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESERVED_FOR_SYSTEM (1024LL * 1024 * 1024)
#define CPU_OVERCOMMIT 8
#define BUCKETS 1024

struct reservation {
    struct reservation *next;
    char *uid;
    struct machine_amount amount;
};

struct machine_waiter {
    struct machine_waiter *next;
    void (*wake)(void *ctx);
    void *ctx;
};

struct machine {
    struct mutex lock; /* guards everything below but the sizes, which do not change */
    struct machine_amount capacity, allocatable;
    struct machine_amount used;
    struct reservation *buckets[BUCKETS];
    struct machine_waiter *waiters;
};

struct machine *machine_new_sized(int64_t allocatable_cpu_millis, int64_t capacity_memory_bytes)
{
    struct machine *machine = xcalloc(1, sizeof(*machine));
    mutex_init(&machine->lock, LOCK_MACHINE);
    int64_t memory = capacity_memory_bytes - RESERVED_FOR_SYSTEM;
    machine->capacity = (struct machine_amount){allocatable_cpu_millis, capacity_memory_bytes};
    machine->allocatable = (struct machine_amount){allocatable_cpu_millis, memory > 0 ? memory : 0};
    return machine;
}

/* A memory limit of the group that we run in (a container), where it is lower than the machine. */
static int64_t group_limit(void)
{
    static const char *const paths[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        char text[64];
        _cleanup_(fd_closep) int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
            continue;
        text[n] = '\0';
        long long value = strtoll(text, NULL, 10);
        if (value > 0)
            return value;
    }
    return INT64_MAX;
}

struct machine *machine_new(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    int64_t memory = (int64_t)(pages > 0 ? pages : 0) * (page > 0 ? page : 4096), limit = group_limit();
    return machine_new_sized((cores > 0 ? cores : 1) * 1000LL * CPU_OVERCOMMIT, limit < memory ? limit : memory);
}

void machine_free(struct machine *machine)
{
    if (!machine)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct reservation *r = machine->buckets[i], *next; r; r = next) {
            next = r->next;
            free(r->uid);
            free(r);
        }
    for (struct machine_waiter *w = machine->waiters, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    mutex_deinit(&machine->lock);
    free(machine);
}

struct machine_amount machine_allocatable(const struct machine *machine)
{
    return machine->allocatable;
}

struct machine_amount machine_capacity(const struct machine *machine)
{
    return machine->capacity;
}

static struct machine_amount free_locked(const struct machine *machine)
{
    return (struct machine_amount){machine->allocatable.cpu_millis - machine->used.cpu_millis,
                                   machine->allocatable.memory_bytes - machine->used.memory_bytes};
}

struct machine_amount machine_free_now(struct machine *machine)
{
    mutex_lock(&machine->lock);
    struct machine_amount amount = free_locked(machine);
    mutex_unlock(&machine->lock);
    return amount;
}

static struct reservation **find(struct machine *machine, struct slice uid)
{
    struct reservation **at = &machine->buckets[slice_hash(uid) % BUCKETS];
    while (*at && !slice_eq(slice_from_cstr((*at)->uid), uid))
        at = &(*at)->next;
    return at;
}

static int64_t within(int64_t amount, int64_t most)
{
    return amount < 0 ? 0 : amount > most ? most : amount;
}

/* More than the machine has counts as all of it, so that the sum stays a number whatever is bound to a node without being asked for. */
static bool reserve(struct machine *machine, struct slice pod_uid, struct machine_amount amount, bool anyway)
{
    mutex_lock(&machine->lock);
    struct reservation **at = find(machine, pod_uid);
    struct machine_amount room = free_locked(machine);
    bool there = *at != NULL;
    bool fits = anyway || ((amount.cpu_millis <= 0 || amount.cpu_millis <= room.cpu_millis) &&
                           (amount.memory_bytes <= 0 || amount.memory_bytes <= room.memory_bytes));
    if (!there && fits) {
        struct reservation *r = xcalloc(1, sizeof(*r));
        r->uid = xcalloc(1, pod_uid.len + 1);
        if (pod_uid.len)
            memcpy(r->uid, pod_uid.ptr, pod_uid.len);
        r->amount = (struct machine_amount){within(amount.cpu_millis, machine->capacity.cpu_millis),
                                            within(amount.memory_bytes, machine->capacity.memory_bytes)};
        *at = r;
        machine->used.cpu_millis += r->amount.cpu_millis;
        machine->used.memory_bytes += r->amount.memory_bytes;
    }
    mutex_unlock(&machine->lock);
    return there || fits;
}

bool machine_reserve(struct machine *machine, struct slice pod_uid, struct machine_amount amount)
{
    return reserve(machine, pod_uid, amount, false);
}

void machine_reserve_anyway(struct machine *machine, struct slice pod_uid, struct machine_amount amount)
{
    reserve(machine, pod_uid, amount, true);
}

void machine_release(struct machine *machine, struct slice pod_uid)
{
    mutex_lock(&machine->lock);
    struct reservation **at = find(machine, pod_uid), *r = *at;
    if (r) {
        *at = r->next;
        machine->used.cpu_millis -= r->amount.cpu_millis;
        machine->used.memory_bytes -= r->amount.memory_bytes;
        /* Under the lock, so that machine_unwait means: never again. */
        for (struct machine_waiter *w = machine->waiters; w; w = w->next)
            w->wake(w->ctx);
    }
    mutex_unlock(&machine->lock);
    if (r)
        free(r->uid);
    free(r);
}

struct machine_waiter *machine_wait(struct machine *machine, void (*wake)(void *ctx), void *ctx)
{
    struct machine_waiter *waiter = xcalloc(1, sizeof(*waiter));
    waiter->wake = wake;
    waiter->ctx = ctx;
    mutex_lock(&machine->lock);
    waiter->next = machine->waiters;
    machine->waiters = waiter;
    mutex_unlock(&machine->lock);
    return waiter;
}

void machine_unwait(struct machine *machine, struct machine_waiter *waiter)
{
    if (!waiter)
        return;
    mutex_lock(&machine->lock);
    struct machine_waiter **at = &machine->waiters;
    while (*at && *at != waiter)
        at = &(*at)->next;
    if (*at)
        *at = waiter->next;
    mutex_unlock(&machine->lock);
    free(waiter);
}
