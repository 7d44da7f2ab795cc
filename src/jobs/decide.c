#include "jobs/decide.h"
#include "base/arena.h"

static struct action wait_until(int64_t at_ms)
{
    return (struct action){.kind = ACTION_WAIT, .again_at = {.ms = at_ms}};
}

static struct action failed(struct arena *arena, const struct observation *seen, struct outcome outcome)
{
    struct slice line = outcome.has_exit_code ? seen->last_error_line : SLICE_NONE;
    return (struct action){
        .kind = ACTION_MOVE,
        .event = JOB_RUN_EVENT_BROKE,
        .failure_reason = outcome.failure_reason.ptr ? outcome.failure_reason : FAILURE_USER_ERROR,
        .state_details = outcome_failure_details(arena, &outcome, line, seen->log_trouble),
    };
}

/* How the driver ended, or why it will never start. */
static struct outcome outcome_of(struct arena *arena, const struct observation *seen)
{
    struct outcome o = {
        .succeeded = seen->has_exit_code && seen->exit_code == 0,
        .has_exit_code = seen->has_exit_code,
        .exit_code = seen->exit_code,
        .failure_reason = FAILURE_USER_ERROR,
    };
    if (o.succeeded)
        return o;
    if (slice_eq(seen->reason, S("OOMKilled")))
        o.cause = slice_fmt(arena, "The driver was killed for using more memory than its limit (OOMKilled, exit code %lld)",
                            (long long)seen->exit_code);
    else if (seen->has_exit_code && seen->message.len)
        o.cause = slice_fmt(arena, "%.*s (exit code %lld)", SLICE_ARG(seen->message), (long long)seen->exit_code);
    else if (seen->has_exit_code)
        o.cause = slice_fmt(arena, "The driver ended with exit code %lld", (long long)seen->exit_code);
    else if (seen->message.len)
        o.cause = slice_fmt(arena, "%.*s%s%.*s", SLICE_ARG(seen->reason), seen->reason.len ? ": " : "", SLICE_ARG(seen->message));
    else
        o.cause = slice_fmt(arena, "The driver pod failed%s%.*s", seen->reason.len ? ": " : "", SLICE_ARG(seen->reason));
    return o;
}

static struct action record(struct outcome outcome, const struct observation *seen)
{
    return (struct action){
        .kind = ACTION_RECORD,
        .outcome = outcome,
        .driver_created_at = seen->driver_created_at,
        .driver_started_at = seen->driver_started_at,
    };
}

static struct action decide_pending(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    if (seen->no_cluster)
        return (struct action){
            .kind = ACTION_MOVE,
            .event = JOB_RUN_EVENT_REJECTED,
            .failure_reason = FAILURE_CLUSTER_UNAVAILABLE,
            .state_details = S("Cluster does not exist."),
        };
    if (!seen->synced && seen->trouble.ptr) {
        if (seen->trouble_since.ms && now.ms - seen->trouble_since.ms > CLUSTER_TROUBLE_MAX_MS && now.ms - run->created_at.ms > CLUSTER_TROUBLE_MAX_MS)
            return (struct action){
                .kind = ACTION_MOVE,
                .event = JOB_RUN_EVENT_REJECTED,
                .failure_reason = FAILURE_CLUSTER_UNAVAILABLE,
                .state_details = outcome_cut_details(arena, slice_fmt(arena, "Cluster is currently not reachable: %.*s.", SLICE_ARG(seen->trouble))),
            };
        return wait_until(now.ms + 5000);
    }
    if (!seen->synced)
        return wait_until(0); /* the first list is on its way */
    return (struct action){.kind = ACTION_LAUNCH};
}

/* SUBMITTED or RUNNING with a recorded outcome: only the logs keep it from its end. */
static struct action decide_ending(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    struct outcome o;
    if (!outcome_from_json(arena, run->outcome, &o))
        o = (struct outcome){.failure_reason = FAILURE_INTERNAL_ERROR, .cause = S("The outcome of the driver can't be read")};
    if (!seen->logs_settled)
        return wait_until(now.ms + 5000); /* the log shipper tells before */
    if (!o.succeeded)
        return failed(arena, seen, o);
    if (run->state == JOB_RUN_SUBMITTED) /* a driver that came and went between two looks */
        return (struct action){.kind = ACTION_MOVE, .event = JOB_RUN_EVENT_DRIVER_STARTED, .driver_started_at = run->outcome_at};
    struct slice details = outcome_success_details(arena, run->driver_started_at, run->outcome_at);
    if (seen->log_trouble.len)
        details = outcome_cut_details(arena, slice_fmt(arena, "%.*s. Logs are not complete: %.*s", SLICE_ARG(details), SLICE_ARG(seen->log_trouble)));
    return (struct action){.kind = ACTION_MOVE, .event = JOB_RUN_EVENT_SUCCEEDED, .state_details = details};
}

static struct action decide_submitted(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    struct instant created = run->driver_created_at.ms ? run->driver_created_at : seen->driver_created_at;
    int64_t deadline = (created.ms ? created.ms : now.ms) + run->start_timeout_s * 1000;
    if (now.ms >= deadline) {
        struct outcome o = {.failure_reason = FAILURE_USER_ERROR,
                            .cause = slice_fmt(arena, "The driver did not start within %lld seconds (cluster timeout)%s%.*s", (long long)run->start_timeout_s,
                                               seen->waiting.len ? ": " : "", SLICE_ARG(seen->waiting))};
        return record(o, seen);
    }
    struct slice note = seen->waiting.ptr ? outcome_cut_details(arena, seen->waiting) : S("");
    struct slice now_noted = run->state_details.ptr ? run->state_details : S("");
    if (!slice_eq(note, now_noted))
        return (struct action){.kind = ACTION_NOTE, .state_details = note, .driver_created_at = seen->driver_created_at};
    return wait_until(deadline);
}

static struct action decide_started(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    if (run->outcome.ptr)
        return decide_ending(arena, run, seen, now);
    if (seen->no_cluster)
        return record((struct outcome){.failure_reason = FAILURE_CLUSTER_UNAVAILABLE,
                                       .cause = S("Trouble monitoring your JobRun. Cluster does not exist")},
                      seen);
    if (!seen->synced)
        return wait_until(0);
    switch (seen->driver) {
    case DRIVER_ABSENT:
        return record((struct outcome){.failure_reason = FAILURE_USER_ERROR, .cause = S("The driver pod was deleted before it ended")}, seen);
    case DRIVER_PENDING:
        return run->state == JOB_RUN_SUBMITTED ? decide_submitted(arena, run, seen, now) : wait_until(0);
    case DRIVER_RUNNING:
        if (run->state == JOB_RUN_SUBMITTED)
            return (struct action){.kind = ACTION_MOVE,
                                   .event = JOB_RUN_EVENT_DRIVER_STARTED,
                                   .state_details = S(""),
                                   .driver_created_at = seen->driver_created_at,
                                   .driver_started_at = seen->driver_started_at.ms ? seen->driver_started_at : now};
        return wait_until(0);
    case DRIVER_ENDED:
        return record(outcome_of(arena, seen), seen);
    }
    return wait_until(0);
}

static struct action decide_cancel(const struct run_facts *run, const struct observation *seen, struct instant now)
{
    struct action stopped = {.kind = ACTION_MOVE, .event = JOB_RUN_EVENT_STOPPED, .state_details = S("JobRun CANCELLED successfully.")};
    if (run->launch_started_at.ms == 0 || seen->no_cluster) /* nothing was ever written to the cluster, or nothing is left to stop */
        return stopped;
    if (!seen->synced)
        return wait_until(0);
    if (seen->driver == DRIVER_PENDING || seen->driver == DRIVER_RUNNING)
        return seen->deleting ? wait_until(0) : (struct action){.kind = ACTION_KILL};
    if (!run->outcome.ptr) /* so that the logs come to their end */
        return record((struct outcome){.failure_reason = FAILURE_USER_ERROR, .cause = S("Cancelled")}, seen);
    return seen->logs_settled ? stopped : wait_until(now.ms + 5000);
}

struct action decide(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    switch (run->state) {
    case JOB_RUN_PENDING:
        return decide_pending(arena, run, seen, now);
    case JOB_RUN_SUBMITTED:
    case JOB_RUN_RUNNING:
        return decide_started(arena, run, seen, now);
    case JOB_RUN_CANCEL_PENDING:
        return decide_cancel(run, seen, now);
    case JOB_RUN_COMPLETED:
    case JOB_RUN_FAILED:
    case JOB_RUN_CANCELLED:
        if (run->reaped)
            return wait_until(0);
        return (struct action){.kind = ACTION_REAP};
    case JOB_RUN_STATE_COUNT:
        break;
    }
    return wait_until(0);
}
