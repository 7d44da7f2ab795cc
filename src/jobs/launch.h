/* launch: a run's objects into its cluster and out of it again. Every name is derived from the run id and attempt, so that each of these
 * may run twice. Called by the reconciler's workers only. */
#pragma once
#include "jobs/ask.h"
#include "jobs/reconciler.h"
#include "logship/logship.h"
#include "store/job_run.h"

struct launch_context {
    const struct reconciler_options *options;
    struct logship *logship;
    struct k8s_client *client;
    struct slice driver_master;
    bool driver_known; /* the attempt's driver has been seen: it is not made again */
};

/* The code (ERR_NOT_FOUND) of launch_run for a driver that is known and gone. */
extern const char LAUNCH_DRIVER_GONE[];

/* What the run must have to get on, of what the room has (jobs/ask.h). A run that can't be planned asks for nothing: its launch says why. */
struct resources launch_ask(const struct launch_context *context, struct arena *arena, const struct job_run *run, const struct resources *room);

/* What the run's log shipping needs to know; makes the run's key if it has none. */
struct err *launch_describe_logs(const struct launch_context *context, struct arena *arena, const struct job_run *run, struct logship_run *ret_run) NODISCARD;

struct launched {
    struct json *pod;        /* as the API server has it now */
    int64_t start_timeout_s;
    struct slice effective_configuration; /* JSON of spark_emr_plan */
};
/* Writes everything of the driver. Errors: ERR_UNAVAILABLE may be tried again; LAUNCH_DRIVER_GONE; any other rejects the run: e->code is then the failure
 * reason (FAILURE_…), the message is the cause. */
struct err *launch_run(const struct launch_context *context, struct arena *arena, const struct job_run *run, struct launched *ret_launched) NODISCARD;

/* The name of the attempt's driver pod. */
struct slice launch_driver_name(struct arena *arena, const struct job_run *run);

/* The attempt's driver pod as it is now. ERR_NOT_FOUND. */
struct err *launch_look(const struct launch_context *context, struct arena *arena, const struct job_run *run, struct json **ret_pod) NODISCARD;

/* Deletes the driver pod. grace_s -1: with its own grace. */
struct err *launch_kill(const struct launch_context *context, struct arena *arena, const struct job_run *run, int64_t grace_s) NODISCARD;
/* Deletes whatever the run has in its cluster: the named objects, the driver, and with grace_s the given pods. */
struct err *launch_remove(const struct launch_context *context, struct arena *arena, const struct job_run *run, const struct slice *pods, size_t pod_count,
                          int64_t grace_s) NODISCARD;
