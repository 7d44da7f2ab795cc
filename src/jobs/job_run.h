/* job_run: a job run as the services and the reconciler see it: ids, the wish to start and the wish to cancel. Everything that
 * happens to a run afterwards is the reconciler's. Any thread. */
#pragma once
#include "jobs/job_run_state.h"
#include "store/job_run.h"

/* 19 chars of base32hex: (milliseconds << 16) | 15 random bits; sorts by time (reference: emr-on-eks.md section 1). */
struct slice job_run_id_new(struct arena *arena, struct instant now);
/* True for 1 to 64 of [0-9a-z], what the model allows. */
bool job_run_id_is_well_formed(struct slice id);
/* 25 chars of [0-9a-z]. */
struct slice virtual_cluster_id_new(struct arena *arena);

/* containerLogRotationConfiguration.rotationSize: "2KB" to "2GB", digits, one of K, M and G (of 1024), and perhaps a B. False: not that, or out
 * of these bounds. The model's pattern lets decimals through, the guide says that they are not supported. */
bool job_run_parse_rotation_size(struct slice text, int64_t *ret_bytes);

/* Moves a run that is PENDING, SUBMITTED or RUNNING to CANCEL_PENDING and says who asked: an ARN, or words ("the deletion of …"). ERR_NOT_FOUND; ERR_CONFLICT (no code) when it is in another
 * state: the caller words it. Nudge the reconciler afterwards. */
struct err *job_run_cancel(struct store *store, struct slice id, struct slice who, struct instant now) NODISCARD;
