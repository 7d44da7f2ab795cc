/* A run's logs, as its steps see them: what is told to the log shipper, and how far that is. */
#include "base/arena.h"
#include "jobs/error_line.h"
#include "jobs/reconciler_internal.h"

#define LOGS_KEPT_MS ((int64_t)24 * 3600 * 1000) /* how long shipping goes on behind a final state */
#define LOGS_READ_MS ((int64_t)15 * 60 * 1000)   /* how long pods are kept for logs that can't be read */
#define EXECUTORS_GRACE_MS 30000 /* how long the executors' logs hold the end back after the driver's */
#define UNTOLD_MAX_MS ((int64_t)2 * 60 * 1000) /* how long a cluster that does not answer may still tell of containers */
#define ERROR_TAIL_BYTES ((size_t)32 * 1024)

/* Tells what is known of the run's containers; *ret_alive is how many have not ended, as far as is known. */
static void tell_containers(struct step *s, size_t *ret_alive)
{
    struct reconciler *r = s->reconciler;
    struct observed_container *containers;
    size_t count, alive = 0;
    bool final = job_run_state_is_final(s->state);
    observations_containers(r->observations, s->arena, s->run.id, &containers, &count);
    bool overdue = final || !s->feed || (s->run.outcome_at.ms && s->now.ms - s->run.outcome_at.ms > EXECUTORS_GRACE_MS);
    for (size_t i = 0; i < count; i++) {
        /* Side cars have no part in EMR's layout of logs, and may run for ever. */
        if (!containers[i].started || !container_is_sparks(containers[i].container))
            continue;
        bool ended = containers[i].ended || overdue;
        alive += !ended;
        logship_container(r->logship, s->run.id, containers[i].pod, containers[i].uid, containers[i].container,
                          ended ? LOGSHIP_CONTAINER_ENDED : LOGSHIP_CONTAINER_STARTED);
    }
    *ret_alive = alive;
}

/* In a final state too: shipping may go on. */
struct err *step_follow_logs(struct step *s)
{
    struct reconciler *r = s->reconciler;
    if (!s->run.launch_started_at.ms)
        return NULL;
    bool driver_over = (s->run.outcome.ptr && !run_retries(s->arena, &s->facts)) || job_run_state_is_final(s->state);
    struct slice trouble = SLICE_NONE;
    enum logship_state state = logship_state(r->logship, s->arena, s->run.id, &trouble);
    if (!s->feed && state == LOGSHIP_UNKNOWN) { /* the cluster went while nobody looked */
        s->seen.logs_settled = s->seen.attempt_read = true;
        return NULL;
    }
    if (state == LOGSHIP_UNKNOWN) {
        struct launch_context context = launch_context_of(s);
        struct logship_run logs;
        TRY(launch_describe_logs(&context, s->arena, &s->run, &logs));
        TRY(logship_open(r->logship, &logs));
    }
    size_t alive;
    tell_containers(s, &alive);
    bool nobody_tells = !s->feed || (s->seen.trouble.ptr && s->now.ms - s->seen.trouble_since.ms > UNTOLD_MAX_MS);
    if (driver_over && (s->seen.synced || nobody_tells) && alive == 0)
        logship_finish(r->logship, s->run.id);
    trouble = SLICE_NONE;
    state = logship_state(r->logship, s->arena, s->run.id, &trouble);
    s->seen.logs_settled = driver_over && (state == LOGSHIP_WHOLE || state == LOGSHIP_GIVEN_UP);
    s->seen.attempt_read = s->seen.logs_settled || (s->run.outcome.ptr && alive == 0 && logship_has_caught_up(r->logship, s->run.id));
    s->seen.log_trouble = trouble;
    return NULL;
}

void step_find_error_line(struct step *s)
{
    if (!s->seen.attempt_read)
        return;
    struct slice driver = launch_driver_name(s->arena, &s->run);
    struct logship *ship = s->reconciler->logship;
    s->seen.last_error_line = error_line_find(s->arena, logship_tail(ship, s->arena, s->run.id, driver, S("stderr"), ERROR_TAIL_BYTES),
                                              logship_tail(ship, s->arena, s->run.id, driver, S("stdout"), ERROR_TAIL_BYTES));
}

void step_find_refused_executors(struct step *s)
{
    struct observation *seen = &s->seen;
    if (s->state != JOB_RUN_RUNNING || seen->driver != DRIVER_RUNNING || seen->executor_there)
        return;
    struct slice driver = launch_driver_name(s->arena, &s->run);
    seen->executor_waiting = error_line_refused_pod(s->arena, logship_tail(s->reconciler->logship, s->arena, s->run.id, driver, S("stderr"), ERROR_TAIL_BYTES));
    seen->executor_waiting_since = seen->driver_started_at;
}

/* A run that never got a driver has only what it was rejected for, and its destination may be the reason: that is given up with the state. */
void step_logs_over(struct step *s, bool *ret_shipped, bool *ret_read)
{
    struct slice trouble;
    int64_t age_ms = s->now.ms - s->run.finished_at.ms;
    enum logship_state logs = logship_state(s->reconciler->logship, s->arena, s->run.id, &trouble);
    *ret_shipped = logs == LOGSHIP_WHOLE || logs == LOGSHIP_UNKNOWN || age_ms > LOGS_KEPT_MS || (logs == LOGSHIP_GIVEN_UP && !s->run.outcome.ptr);
    *ret_read = *ret_shipped || age_ms > LOGS_READ_MS || logship_is_read(s->reconciler->logship, s->run.id);
}
