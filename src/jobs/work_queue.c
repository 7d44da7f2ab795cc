/* A hash table of entries and a binary heap of those that wait, ordered by due time. */
#include "jobs/work_queue.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/mutex.h"
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define NOT_IN_HEAP SIZE_MAX

struct entry {
    struct entry *next; /* in the bucket */
    struct slice key;   /* owned */
    int64_t due_ms;
    size_t position; /* in the heap, or NOT_IN_HEAP while a worker has it */
    bool again;      /* added while a worker had it */
    int64_t again_ms;
};

struct work_queue {
    struct mutex lock; /* guards all below */
    struct condition changed;
    struct entry *buckets[BUCKETS];
    struct entry **heap;
    size_t count, cap;
    bool stopped;
};

struct work_queue *work_queue_new(void)
{
    struct work_queue *q = xcalloc(1, sizeof(*q));
    mutex_init(&q->lock, LOCK_WORK_QUEUE);
    condition_init(&q->changed);
    return q;
}

static void entry_free(struct entry *e)
{
    free((void *)(uintptr_t)e->key.ptr);
    free(e);
}

void work_queue_free(struct work_queue *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *e = q->buckets[i]; e;) {
            struct entry *next = e->next;
            entry_free(e);
            e = next;
        }
    }
    free(q->heap);
    condition_deinit(&q->changed);
    mutex_deinit(&q->lock);
    free(q);
}

static void place(struct work_queue *q, struct entry *e, size_t i)
{
    q->heap[i] = e;
    e->position = i;
}

static void sift_up(struct work_queue *q, size_t i)
{
    struct entry *e = q->heap[i];
    for (; i > 0 && q->heap[(i - 1) / 2]->due_ms > e->due_ms; i = (i - 1) / 2)
        place(q, q->heap[(i - 1) / 2], i);
    place(q, e, i);
}

static void sift_down(struct work_queue *q, size_t i)
{
    struct entry *e = q->heap[i];
    for (size_t child; (child = 2 * i + 1) < q->count; i = child) {
        if (child + 1 < q->count && q->heap[child + 1]->due_ms < q->heap[child]->due_ms)
            child++;
        if (q->heap[child]->due_ms >= e->due_ms)
            break;
        place(q, q->heap[child], i);
    }
    place(q, e, i);
}

static void push(struct work_queue *q, struct entry *e)
{
    if (q->count == q->cap) {
        q->cap = q->cap ? q->cap * 2 : 64;
        q->heap = xrealloc(q->heap, q->cap * sizeof(struct entry *));
    }
    q->heap[q->count] = e;
    q->count++;
    sift_up(q, q->count - 1);
}

static struct entry *pop(struct work_queue *q)
{
    struct entry *top = q->heap[0];
    struct entry *last = q->heap[--q->count];
    if (q->count) {
        q->heap[0] = last;
        sift_down(q, 0);
    }
    top->position = NOT_IN_HEAP;
    return top;
}

static struct entry **find(struct work_queue *q, struct slice key)
{
    struct entry **link = &q->buckets[slice_hash(key) % BUCKETS];
    while (*link && !slice_eq((*link)->key, key))
        link = &(*link)->next;
    return link;
}

/* link: where find() has found nothing. */
static void insert(struct work_queue *q, struct entry **link, struct slice key, int64_t due_ms)
{
    struct entry *e = xcalloc(1, sizeof(*e));
    char *copy = xmalloc(key.len + 1);
    memcpy(copy, key.ptr, key.len);
    copy[key.len] = 0;
    e->key = slice_of(copy, key.len);
    e->due_ms = due_ms;
    *link = e;
    push(q, e);
}

void work_queue_add(struct work_queue *q, struct slice key, int64_t due_ms)
{
    mutex_lock(&q->lock);
    struct entry **link = find(q, key);
    struct entry *e = *link;
    if (!e) {
        insert(q, link, key, due_ms);
    } else if (e->position == NOT_IN_HEAP) {
        e->again_ms = e->again && e->again_ms < due_ms ? e->again_ms : due_ms;
        e->again = true;
    } else if (due_ms < e->due_ms) {
        e->due_ms = due_ms;
        sift_up(q, e->position);
    }
    condition_signal(&q->changed);
    mutex_unlock(&q->lock);
}

void work_queue_add_absent(struct work_queue *q, struct slice key, int64_t due_ms)
{
    mutex_lock(&q->lock);
    struct entry **link = find(q, key);
    if (!*link) {
        insert(q, link, key, due_ms);
        condition_signal(&q->changed);
    }
    mutex_unlock(&q->lock);
}

bool work_queue_take(struct work_queue *q, struct slice *ret_key)
{
    mutex_lock(&q->lock);
    for (;;) {
        if (q->stopped) {
            mutex_unlock(&q->lock);
            return false;
        }
        int64_t now = monotonic_ms();
        if (q->count && q->heap[0]->due_ms <= now)
            break;
        if (q->count) {
            (void)mutex_wait_until(&q->changed, &q->lock, q->heap[0]->due_ms);
        } else {
            mutex_wait(&q->changed, &q->lock);
        }
    }
    *ret_key = pop(q)->key;
    if (q->count)
        condition_signal(&q->changed); /* another worker may have the next one */
    mutex_unlock(&q->lock);
    return true;
}

bool work_queue_poll(struct work_queue *q, int64_t now_ms, struct slice *ret_key)
{
    mutex_lock(&q->lock);
    bool due = !q->stopped && q->count && q->heap[0]->due_ms <= now_ms;
    if (due)
        *ret_key = pop(q)->key;
    mutex_unlock(&q->lock);
    return due;
}

bool work_queue_next_due(struct work_queue *q, int64_t *ret_due_ms)
{
    mutex_lock(&q->lock);
    bool waits = q->count > 0;
    if (waits)
        *ret_due_ms = q->heap[0]->due_ms;
    mutex_unlock(&q->lock);
    return waits;
}

void work_queue_count(struct work_queue *q, int64_t now_ms, size_t *ret_waiting, size_t *ret_due)
{
    size_t due = 0;
    mutex_lock(&q->lock);
    for (size_t i = 0; i < q->count; i++)
        due += q->heap[i]->due_ms <= now_ms;
    *ret_waiting = q->count;
    mutex_unlock(&q->lock);
    *ret_due = due;
}

void work_queue_done(struct work_queue *q, struct slice key, int64_t again_ms)
{
    mutex_lock(&q->lock);
    struct entry **link = find(q, key);
    struct entry *e = *link;
    if (e->again && (!again_ms || e->again_ms < again_ms))
        again_ms = e->again_ms;
    e->again = false;
    if (again_ms) {
        e->due_ms = again_ms;
        push(q, e);
        condition_signal(&q->changed);
    } else {
        *link = e->next;
        entry_free(e);
    }
    mutex_unlock(&q->lock);
}

void work_queue_stop(struct work_queue *q)
{
    mutex_lock(&q->lock);
    q->stopped = true;
    condition_broadcast(&q->changed);
    mutex_unlock(&q->lock);
}
