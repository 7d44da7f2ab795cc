/* work_queue: keys with a time at which somebody should look at them. A key is in it once; while a worker has it, further adds are
 * remembered and it comes again afterwards, so one key is never in two workers. Thread-safe. */
#pragma once
#include "base/slice.h"

struct work_queue;

struct work_queue *work_queue_new(void);
void work_queue_free(struct work_queue *queue);
/* due_ms: monotonic_ms() or later; an earlier time replaces a later one. */
void work_queue_add(struct work_queue *queue, struct slice key, int64_t due_ms);
/* Only when it is not in the queue and no worker has it. */
void work_queue_add_absent(struct work_queue *queue, struct slice key, int64_t due_ms);
/* Waits for the next due key. False when the queue was stopped. The key stays valid until work_queue_done. */
bool work_queue_take(struct work_queue *queue, struct slice *ret_key);
/* As take, at this time and without waiting: false when none is due. */
bool work_queue_poll(struct work_queue *queue, int64_t now_ms, struct slice *ret_key);
/* When the first key that waits is due; false: none waits. */
bool work_queue_next_due(struct work_queue *queue, int64_t *ret_due_ms);
/* Keys that wait, and how many of them are due at this time. */
void work_queue_count(struct work_queue *queue, int64_t now_ms, size_t *ret_waiting, size_t *ret_due);
/* again_ms: look again then (monotonic); 0: only when it is added again. */
void work_queue_done(struct work_queue *queue, struct slice key, int64_t again_ms);
void work_queue_stop(struct work_queue *queue); /* wakes all takers */
