/* ask: what a run must have of a machine to get on: its driver and one executor; and what machines have. Pure. */
#pragma once
#include "spark/emr.h"
#include "store/job_queue.h"

/* Of a plan. Parts that the room can never hold are left out: they will not be placed, so nothing is kept for them, and the scheduler says
 * why. room->memory_bytes 0: nothing is asked. */
struct resources ask_of_plan(const struct spark_emr_plan *plan, const struct resources *room);
/* The largest allocatable of a NodeList: for clusters whose nodes are one machine. */
struct resources room_of_nodes(const struct json *nodes);
/* Why a run waits in its queue, with numbers; at most 256 chars. */
struct slice queue_words(struct arena *arena, const struct queue_look *look, const struct resources *ask, const struct resources *room);
/* Kubernetes's amounts, rounded up: "1408Mi" in bytes, "500m" in thousandths. 0 for what is none. */
int64_t amount_bytes(struct slice text);
int64_t amount_millis(struct slice text);
