#include "jobs/decide.h"
#include "base/arena.h"
#include "jobs/ask.h"
#include "jobs/retry.h"

#define CLEAN_POLL_MS 2000
#define LOGS_POLL_MS 5000
#define TROUBLE_POLL_MS 5000
#define EXECUTOR_WAIT_MS 15000 /* before it is told that none runs: others may be about to make room */
#define EXECUTOR_WORDS "No executor is running: "
#define FORCE_POLL_MS 15000

static struct action wait_until(int64_t at_ms)
{
    return (struct action){.kind = ACTION_WAIT, .again_at = {.ms = at_ms}};
}

static struct action note(struct slice words)
{
    return (struct action){.kind = ACTION_NOTE, .state_details = words};
}

static bool is_noted(const struct run_facts *run, struct slice words)
{
    return slice_eq(words, run->state_details.ptr ? run->state_details : S(""));
}

/* The cluster does not answer, for longer than that. */
static bool is_lost(const struct observation *seen, struct instant now, int64_t max_ms)
{
    return seen->trouble.ptr && seen->trouble_since.ms && now.ms - seen->trouble_since.ms > max_ms;
}

bool pods_are_held(const struct observation *seen, struct instant now)
{
    return seen->pods_deleted_by.ms && now.ms >= seen->pods_deleted_by.ms + POD_HELD_MAX_MS;
}

static bool is_driver_there(const struct observation *seen)
{
    return seen->driver == DRIVER_PENDING || seen->driver == DRIVER_RUNNING;
}

/* The driver is to go and has not ended. False: it is held, for too long; else *ret_action is what to do until it is gone. */
static bool wait_for_deletion(const struct observation *seen, struct instant now, struct action *ret_action)
{
    int64_t force_at = seen->deleted_by.ms + POD_FORCE_AFTER_MS, held_at = seen->deleted_by.ms + POD_HELD_MAX_MS, again_at = now.ms + FORCE_POLL_MS;
    if (now.ms >= held_at)
        return false;
    *ret_action = now.ms < force_at ? wait_until(force_at) : (struct action){.kind = ACTION_KILL, .again_at = {.ms = again_at < held_at ? again_at : held_at}};
    return true;
}

/* "Pod p is still terminating: the finalizer x holds it" */
static struct slice held_words(struct arena *arena, const struct run_facts *run, const struct observation *seen)
{
    return slice_fmt(arena, "Pod %.*s is still terminating%s%.*s", SLICE_ARG(run->driver_pod), seen->held_by.len ? ": " : "", SLICE_ARG(seen->held_by));
}

static struct slice attempt_head(struct arena *arena, const struct run_facts *run)
{
    return slice_fmt(arena, "Attempt %lld of %lld. ", (long long)run->attempt, (long long)run->max_attempts);
}

/* "Attempt 2 of 3. Attempt 1 failed: …": the end of the words as they are; empty when there is none. */
static struct slice attempt_words(struct arena *arena, const struct run_facts *run)
{
    ptrdiff_t at = run->attempt > 1 ? slice_find(run->state_details, attempt_head(arena, run)) : -1;
    return at < 0 ? S("") : slice_from(run->state_details, (size_t)at);
}

/* What the attempt waits for, and then those before it: each is shortened for the other. */
static struct slice with_attempts(struct arena *arena, const struct run_facts *run, struct slice words)
{
    struct slice attempts = attempt_words(arena, run);
    if (!attempts.len || !words.len)
        return attempts.len ? attempts : outcome_cut_details(arena, words);
    bool ended = slice_ends_with(words, S("."));
    size_t least = OUTCOME_DETAILS_MAX / 2, left = attempts.len + 2 < least ? OUTCOME_DETAILS_MAX - attempts.len - 2 : least;
    words = outcome_shorten(arena, words, left);
    return outcome_cut_details(arena, slice_fmt(arena, "%.*s%s %.*s", SLICE_ARG(words), ended || slice_ends_with(words, S(".")) ? "" : ".", SLICE_ARG(attempts)));
}

/* "Attempt 2 failed: …; attempt 1 …" of the words that retry_words() has left; empty when there are none. */
static struct slice earlier_causes(struct arena *arena, const struct run_facts *run)
{
    struct slice attempts = attempt_words(arena, run);
    if (attempts.len)
        return slice_from(attempts, attempt_head(arena, run).len);
    ptrdiff_t at = run->attempt > 1 ? slice_find(run->state_details, S(". Attempt ")) : -1;
    return at < 0 ? S("") : slice_from(run->state_details, (size_t)at + 2);
}

/* Why no executor ran, as far as it was told; empty when it was not. */
static struct slice told_of_executors(struct arena *arena, const struct run_facts *run)
{
    if (!slice_starts_with(run->state_details, S(EXECUTOR_WORDS)))
        return S("");
    size_t end = run->state_details.len - attempt_words(arena, run).len;
    struct slice words = slice_trim(slice_from(slice_sub(run->state_details, 0, end), sizeof(EXECUTOR_WORDS) - 1));
    return slice_ends_with(words, S(".")) ? slice_sub(words, 0, words.len - 1) : words;
}

static struct action failed(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct outcome outcome)
{
    struct slice line = outcome.has_exit_code ? seen->last_error_line : SLICE_NONE;
    if (run->max_attempts > 1 && outcome.retryable)
        outcome.cause = slice_fmt(arena, "Attempt %lld of %lld failed. %.*s", (long long)run->attempt, (long long)run->max_attempts, SLICE_ARG(outcome.cause));
    struct slice words = outcome_failure_details(arena, &outcome, line, seen->log_trouble), earlier = earlier_causes(arena, run);
    if (earlier.len && words.len + 16 < OUTCOME_DETAILS_MAX) /* what is left of the room */
        words = outcome_cut_details(arena, slice_fmt(arena, "%.*s %.*s", SLICE_ARG(words), SLICE_ARG(earlier)));
    return (struct action){
        .kind = ACTION_MOVE,
        .event = JOB_RUN_EVENT_BROKE,
        .failure_reason = outcome.failure_reason.ptr ? outcome.failure_reason : FAILURE_USER_ERROR,
        .state_details = words,
    };
}

/* How the driver ended, or why it will never start. */
static struct outcome outcome_of(struct arena *arena, const struct run_facts *run, const struct observation *seen)
{
    struct outcome o = {
        .succeeded = seen->has_exit_code && seen->exit_code == 0,
        .has_exit_code = seen->has_exit_code,
        .exit_code = seen->exit_code,
        .failure_reason = FAILURE_USER_ERROR,
    };
    if (o.succeeded)
        return o;
    o.retryable = true;
    struct slice words = outcome_exit_words(arena, seen->exit_code), waited = told_of_executors(arena, run);
    if (slice_eq(seen->reason, S("OOMKilled")))
        o.cause = slice_fmt(arena, "The driver was killed for using more memory than its limit (OOMKilled, %.*s)", SLICE_ARG(words));
    else if (seen->has_exit_code && seen->message.len)
        o.cause = slice_fmt(arena, "%.*s (%.*s)", SLICE_ARG(seen->message), SLICE_ARG(words));
    else if (seen->has_exit_code && seen->executor_trouble.len)
        o.cause = slice_fmt(arena, "%.*s. The driver ended with %.*s", SLICE_ARG(seen->executor_trouble), SLICE_ARG(words));
    else if (seen->has_exit_code && waited.len)
        o.cause = slice_fmt(arena, "The driver ended with %.*s. No executor was running: %.*s", SLICE_ARG(words), SLICE_ARG(waited)); /* the code is never cut off */
    else if (seen->has_exit_code)
        o.cause = slice_fmt(arena, "The driver ended with %.*s", SLICE_ARG(words));
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

static struct action rejected(struct slice details)
{
    return (struct action){.kind = ACTION_MOVE, .event = JOB_RUN_EVENT_REJECTED, .failure_reason = FAILURE_CLUSTER_UNAVAILABLE, .state_details = details};
}

/* Why a cluster that is there can't be used: AWS's sentence (EMR on EKS guide, "Job run errors"), then what was really told. */
static struct slice cluster_words(struct arena *arena, const char *before, const struct run_facts *run, struct slice trouble)
{
    bool denied = slice_find(trouble, S("forbidden")) >= 0 || slice_find(trouble, S("Forbidden")) >= 0 || slice_find(trouble, S("Unauthorized")) >= 0;
    const char *end = denied ? "does not have sufficient permissions" : "is currently not reachable";
    return outcome_cut_details(arena, slice_fmt(arena, "%sCluster %.*s %s. %.*s", before, SLICE_ARG(run->cluster), end, SLICE_ARG(trouble)));
}

static struct action decide_queued(struct arena *arena, const struct run_facts *run)
{
    enum queue_verdict verdict = run->queue.verdict;
    bool for_room = verdict == QUEUE_NO_ROOM || verdict == QUEUE_ROOM_TAKEN;
    if (verdict == QUEUE_FREE || verdict == QUEUE_LEFT || for_room != run->queue.waits_for_room)
        return (struct action){.kind = ACTION_LEAVE_QUEUE};
    struct slice words = queue_words(arena, &run->queue, &run->ask, &run->room);
    return is_noted(run, words) ? wait_until(0) : note(words);
}

static struct action decide_pending(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    bool queued = !run->launch_started_at.ms;
    if (seen->no_cluster)
        return rejected(outcome_cut_details(arena, slice_fmt(arena, "Cluster %.*s does not exist.", SLICE_ARG(run->cluster))));
    if (queued && run->queue.verdict != QUEUE_FREE) /* whatever the cluster does: its turn has not come */
        return decide_queued(arena, run);
    if (!seen->synced && seen->trouble.ptr) {
        if (is_lost(seen, now, CLUSTER_TROUBLE_MAX_MS) && now.ms - run->created_at.ms > CLUSTER_TROUBLE_MAX_MS)
            return rejected(cluster_words(arena, "", run, seen->trouble));
        return wait_until(now.ms + TROUBLE_POLL_MS);
    }
    if (!seen->synced)
        return wait_until(0); /* the first list is on its way */
    return queued ? decide_queued(arena, run) : (struct action){.kind = ACTION_LAUNCH};
}

/* SUBMITTED or RUNNING with a recorded outcome: only the logs keep it from its end. */
static struct action decide_ending(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    struct outcome o;
    if (!outcome_from_json(arena, run->outcome, &o))
        o = (struct outcome){.failure_reason = FAILURE_INTERNAL_ERROR, .cause = S("Trouble monitoring your JobRun due to an internal error. The outcome of the driver can't be read")};
    if (!seen->logs_settled)
        return wait_until(now.ms + LOGS_POLL_MS); /* the log shipper tells before */
    if (!o.succeeded)
        return failed(arena, run, seen, o);
    if (run->state == JOB_RUN_SUBMITTED) /* a driver that came and went between two looks */
        return (struct action){.kind = ACTION_MOVE, .event = JOB_RUN_EVENT_DRIVER_STARTED, .driver_started_at = run->outcome_at};
    struct slice details = outcome_success_details(arena, run->driver_started_at, run->outcome_at);
    if (seen->log_trouble.len)
        details = outcome_cut_details(arena, slice_fmt(arena, "%.*s. Logs are not complete: %.*s", SLICE_ARG(details), SLICE_ARG(seen->log_trouble)));
    return (struct action){.kind = ACTION_MOVE, .event = JOB_RUN_EVENT_SUCCEEDED, .state_details = details};
}

bool run_retries(struct arena *arena, const struct run_facts *run)
{
    struct outcome o;
    return (run->state == JOB_RUN_SUBMITTED || run->state == JOB_RUN_RUNNING) && run->attempt < run->max_attempts &&
           outcome_from_json(arena, run->outcome, &o) && o.retryable;
}

/* "Attempt 2 of 3. Attempt 1 failed: The driver ended with exit code 1. ValueError: x", and then what those before failed for. */
static struct slice retry_words(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant due)
{
    struct outcome o = {0};
    (void)outcome_from_json(arena, run->outcome, &o);
    struct slice line = o.has_exit_code ? seen->last_error_line : SLICE_NONE, earlier = earlier_causes(arena, run);
    long long attempt = run->attempt, most = run->max_attempts;
    struct slice head = due.ms ? slice_fmt(arena, "Attempt %lld of %lld failed, the next one begins at %.*s: ", attempt, most, SLICE_ARG(instant_iso8601(arena, due)))
                               : slice_fmt(arena, "Attempt %lld of %lld. Attempt %lld failed: ", attempt + 1, most, attempt);
    return outcome_cut_details(arena, slice_fmt(arena, "%.*s%.*s%s%.*s%s%.*s", SLICE_ARG(head), SLICE_ARG(o.cause), line.len ? ". " : "", SLICE_ARG(line),
                                                earlier.len ? ". " : "", SLICE_ARG(earlier)));
}

/* Between two attempts: the logs, the words, the clean-up, the back-off, the next. */
static struct action decide_between(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    bool set_back = run->outcome_at.ms > now.ms; /* the clock was, since then: nobody knows how long ago that is */
    struct instant due = set_back ? now : retry_due(run->outcome_at, run->attempt);
    int64_t logs_until = set_back ? now.ms : run->outcome_at.ms + ATTEMPT_LOGS_MAX_MS;
    if (!seen->attempt_read && now.ms < logs_until)
        return wait_until(now.ms + LOGS_POLL_MS < logs_until ? now.ms + LOGS_POLL_MS : logs_until);
    struct slice words = retry_words(arena, run, seen, due);
    if (now.ms < due.ms && !is_noted(run, words))
        return note(words);
    if (!seen->synced)
        return wait_until(0);
    if (seen->pods && !pods_are_held(seen, now))
        return (struct action){.kind = ACTION_CLEAN, .again_at = {.ms = now.ms + CLEAN_POLL_MS}};
    if (now.ms < due.ms)
        return wait_until(due.ms);
    return (struct action){.kind = ACTION_RETRY, .event = JOB_RUN_EVENT_RETRIED, .state_details = retry_words(arena, run, seen, (struct instant){0}),
                           .again_at = {.ms = now.ms + CLEAN_POLL_MS}};
}

/* The driver pod is there and has not started. */
static struct action decide_starting(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    struct instant created = run->driver_created_at.ms ? run->driver_created_at : seen->driver_created_at;
    int64_t deadline = (created.ms ? created.ms : now.ms) + run->start_timeout_s * 1000;
    if (now.ms >= deadline && seen->trouble.ptr) /* it may have: nobody can tell */
        return wait_until(now.ms + TROUBLE_POLL_MS);
    if (now.ms >= deadline) {
        struct outcome o = {.failure_reason = FAILURE_USER_ERROR,
                            .cause = slice_fmt(arena, "The driver did not start within %lld seconds (cluster timeout): %.*s", (long long)run->start_timeout_s,
                                               SLICE_ARG(seen->waiting.len ? seen->waiting : S("its pod was created and waits to be scheduled or for its container")))};
        return record(o, seen);
    }
    struct slice words = with_attempts(arena, run, seen->waiting.ptr ? seen->waiting : S(""));
    return is_noted(run, words) ? wait_until(deadline) : note(words);
}

static struct action driver_started(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    return (struct action){.kind = ACTION_MOVE,
                           .event = JOB_RUN_EVENT_DRIVER_STARTED,
                           .state_details = with_attempts(arena, run, S("")),
                           .driver_created_at = seen->driver_created_at,
                           .driver_started_at = seen->driver_started_at.ms ? seen->driver_started_at : now};
}

/* The driver runs. A job whose executors can't start goes on for ever and says so in its driver's log alone, unless this does. */
static struct action decide_running(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    bool told = slice_starts_with(run->state_details, S(EXECUTOR_WORDS));
    int64_t due = seen->executor_waiting_since.ms + EXECUTOR_WAIT_MS;
    if (!seen->executor_waiting.len && !told)
        return wait_until(seen->executor_there ? 0 : now.ms + EXECUTOR_WAIT_MS); /* that none can be made is told by its log alone */
    if (!seen->executor_waiting.len)
        return note(with_attempts(arena, run, S("")));
    if (now.ms < due && !told)
        return wait_until(due);
    struct slice words = with_attempts(arena, run, slice_fmt(arena, EXECUTOR_WORDS "%.*s", SLICE_ARG(seen->executor_waiting)));
    if (!is_noted(run, words))
        return note(words);
    return wait_until(seen->executor_there ? 0 : now.ms + EXECUTOR_WAIT_MS);
}

static struct action decide_started(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    struct outcome gone = {.failure_reason = FAILURE_CLUSTER_UNAVAILABLE,
                           .cause = slice_fmt(arena, "Trouble monitoring your JobRun. Cluster %.*s does not exist", SLICE_ARG(run->cluster))};
    bool between = run_retries(arena, run);
    if (run->outcome.ptr && !between)
        return decide_ending(arena, run, seen, now);
    if (seen->no_cluster)
        return record(gone, seen);
    if (is_lost(seen, now, CLUSTER_LOST_MAX_MS)) {
        gone.cause = cluster_words(arena, "Trouble monitoring your JobRun. ", run, seen->trouble);
        return record(gone, seen);
    }
    if (between)
        return decide_between(arena, run, seen, now);
    if (!seen->synced)
        return wait_until(0);
    if (run->attempt > 1 && !run->driver_created_at.ms) /* LAUNCHED sets it */
        return (struct action){.kind = ACTION_LAUNCH};
    struct action until_gone;
    if (is_driver_there(seen) && seen->deleting && now.ms >= seen->deleted_by.ms + POD_FORCE_AFTER_MS) { /* somebody has deleted it, or its node is dead */
        if (wait_for_deletion(seen, now, &until_gone))
            return until_gone;
        return record((struct outcome){.retryable = true, .failure_reason = FAILURE_USER_ERROR,
                                       .cause = slice_fmt(arena, "The driver pod was deleted before it ended. %.*s", SLICE_ARG(held_words(arena, run, seen)))},
                      seen);
    }
    switch (seen->driver) {
    case DRIVER_ABSENT:
        return record((struct outcome){.retryable = true, .failure_reason = FAILURE_USER_ERROR, .cause = S("The driver pod was deleted before it ended")}, seen);
    case DRIVER_PENDING:
        return run->state == JOB_RUN_SUBMITTED || !run->driver_started_at.ms ? decide_starting(arena, run, seen, now) : wait_until(0);
    case DRIVER_RUNNING:
        return run->state == JOB_RUN_SUBMITTED || !run->driver_started_at.ms ? driver_started(arena, run, seen, now) : decide_running(arena, run, seen, now);
    case DRIVER_ENDED:
        return record(outcome_of(arena, run, seen), seen);
    }
    return wait_until(0);
}

static struct action decide_cancel(struct arena *arena, const struct run_facts *run, const struct observation *seen, struct instant now)
{
    bool asked = slice_starts_with(run->state_details, JOB_RUN_CANCEL_WORDS); /* who did */
    struct slice who = asked ? slice_fmt(arena, " %.*s", SLICE_ARG(run->state_details)) : S("");
    struct action stopped = {.kind = ACTION_MOVE, .event = JOB_RUN_EVENT_STOPPED,
                             .state_details = outcome_cut_details(arena, slice_fmt(arena, "JobRun CANCELLED successfully.%.*s", SLICE_ARG(who)))};
    struct action until_gone;
    if (run->launch_started_at.ms == 0 || seen->no_cluster) /* nothing was ever written to the cluster, or nothing is left to stop */
        return stopped;
    if (is_lost(seen, now, CLUSTER_TROUBLE_MAX_MS)) {
        stopped.state_details = outcome_cut_details(
            arena, slice_fmt(arena, "JobRun CANCELLED. Cluster %.*s is currently not reachable, its driver is removed when it is again: %.*s", SLICE_ARG(run->cluster),
                             SLICE_ARG(seen->trouble)));
        return stopped;
    }
    if (!seen->synced)
        return wait_until(0);
    if (is_driver_there(seen) && !seen->deleting)
        return (struct action){.kind = ACTION_KILL};
    if (is_driver_there(seen)) {
        if (wait_for_deletion(seen, now, &until_gone))
            return until_gone;
        stopped.state_details = outcome_cut_details(
            arena, slice_fmt(arena, "JobRun CANCELLED. %.*s. Its deletion goes on.%.*s", SLICE_ARG(held_words(arena, run, seen)), SLICE_ARG(who)));
    }
    if (!run->outcome.ptr) /* so that the logs come to their end */
        return record((struct outcome){.failure_reason = FAILURE_USER_ERROR, .cause = S("Cancelled")}, seen);
    return seen->logs_settled ? stopped : wait_until(now.ms + LOGS_POLL_MS);
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
        return decide_cancel(arena, run, seen, now);
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
