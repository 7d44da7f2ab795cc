/* One step of a job run: what is known, what decide() says, and that. */
#include "base/arena.h"
#include "base/log.h"
#include "jobs/reconciler_internal.h"

#define UNTOLD_MAX_MS 10000 /* how long a driver that we have written may be unknown to the watch */
#define CLUSTER_FORGOTTEN_MS ((int64_t)24 * 3600 * 1000) /* how long what is left in a cluster that does not answer is kept in mind */

struct launch_context launch_context_of(const struct step *s)
{
    return (struct launch_context){
        .options = &s->reconciler->options,
        .logship = s->reconciler->logship,
        .client = s->feed->is.client,
        .driver_master = s->feed->is.driver_master,
        .driver_known = s->seen.driver != DRIVER_ABSENT,
    };
}

static void look_again_in(struct step *s, int64_t ms)
{
    s->again_ms = reconciler_monotonic_ms(s->reconciler) + ms;
}

/* A place among those who write to the cluster; without one the step comes again soon. */
static bool enter(struct step *s)
{
    if (feed_enter(s->feed))
        return true;
    look_again_in(s, RETRY_MIN_MS / 4);
    return false;
}

/* ---- what is known ---- */

/* Of a run in the queue: its verdict, and only at the head what it asks for. *ret_waits: its turn has not come, whatever the cluster does. */
static struct err *look_at_queue(struct step *s, bool *ret_waits)
{
    s->wish = (struct queue_wish){.id = s->run.id};
    TRY(store_job_queue_look(s->reconciler->options.store, &s->wish, &s->facts.queue));
    *ret_waits = s->facts.queue.verdict != QUEUE_FREE;
    return NULL;
}

static struct err *look_for_room(struct step *s)
{
    TRY(feed_room(s->feed, s->arena, &s->wish.room));
    if (!s->wish.room.memory_bytes)
        return NULL;
    if (!feed_recall_ask(s->feed, s->run.id, &s->wish.room, &s->wish.ask)) {
        struct launch_context context = launch_context_of(s);
        s->wish.ask = launch_ask(&context, s->arena, &s->run, &s->wish.room);
        feed_keep_ask(s->feed, s->run.id, &s->wish.room, &s->wish.ask);
    }
    s->facts.ask = s->wish.ask;
    s->facts.room = s->wish.room;
    return store_job_queue_look(s->reconciler->options.store, &s->wish, &s->facts.queue);
}

static void take_facts(struct step *s)
{
    s->facts = (struct run_facts){
        .state = s->state,
        .cluster = s->run.cluster,
        .driver_pod = launch_driver_name(s->arena, &s->run),
        .attempt = s->run.attempt,
        .max_attempts = s->run.retry_max_attempts,
        .created_at = s->run.created_at,
        .launch_started_at = s->run.launch_started_at,
        .driver_created_at = s->run.driver_created_at,
        .driver_started_at = s->run.driver_started_at,
        .outcome = s->run.outcome,
        .outcome_at = s->run.outcome_at,
        .state_details = s->run.state_details,
        .start_timeout_s = s->run.start_timeout_s,
        .reaped = s->run.reaped,
    };
}

static void observe(struct step *s)
{
    observations_place(s->reconciler->observations, s->run.id, s->run.cluster, s->run.namespace_);
    observations_pin(s->reconciler->observations, s->run.id, s->facts.driver_pod, s->run.driver_uid);
    observations_get(s->reconciler->observations, s->arena, s->run.id, s->facts.driver_pod, &s->seen);
    feed_observe(s->feed, s->arena, &s->seen);
}

static struct json *tombstone_of(struct step *s)
{
    struct json *pod = json_object(s->arena), *meta = json_ensure_object(s->arena, pod, "metadata"), *labels = json_ensure_object(s->arena, meta, "labels");
    json_set_text(s->arena, meta, "name", s->facts.driver_pod);
    json_set_text(s->arena, labels, LABEL_JOB_ID, s->run.id);
    json_set_cstr(s->arena, labels, LABEL_SPARK_ROLE, "driver");
    return pod;
}

static struct slice uid_of(const struct json *pod)
{
    return json_text(JSON_AT(pod, "metadata", "uid"));
}

/* A pod of the driver's name that is not the one on record. */
static bool is_namesake(const struct step *s, const struct json *pod)
{
    return s->run.driver_uid.len && !slice_eq(uid_of(pod), s->run.driver_uid);
}

/* Nobody has told of a driver: the answer to its creation may have been lost. */
static struct err *look_for_unknown(struct step *s, const struct launch_context *context, bool *ret_none)
{
    struct json *pod;
    struct slice ignored;
    struct err *e = launch_look(context, s->arena, &s->run, &pod);
    if (e && e->kind != ERR_NOT_FOUND)
        return e;
    *ret_none = e || is_namesake(s, pod);
    if (!*ret_none)
        observations_pod(s->reconciler->observations, s->arena, pod, OBSERVED_CREATED, &ignored);
    err_free(e);
    return NULL;
}

/* A run that is cancelled is not over as long as nobody has looked whether its driver was made after all. */
static struct err *look_before_end(struct step *s)
{
    bool over = s->state != JOB_RUN_CANCEL_PENDING || s->run.outcome.ptr || s->seen.driver != DRIVER_ABSENT, none;
    if (!s->feed || over || !s->seen.synced || s->seen.trouble.ptr)
        return NULL;
    struct launch_context context = launch_context_of(s);
    TRY(look_for_unknown(s, &context, &none));
    if (!none)
        observe(s);
    return NULL;
}

/* A pod that went between our writing and the watch's next list is never told as gone: the watch has not known it. */
static struct err *look_for_untold(struct step *s)
{
    struct reconciler *r = s->reconciler;
    if (!s->feed || !s->seen.untold || s->now.ms - s->seen.driver_created_at.ms < UNTOLD_MAX_MS || s->seen.trouble.ptr)
        return NULL;
    struct launch_context context = launch_context_of(s);
    struct json *pod;
    struct slice ignored;
    struct err *e = launch_look(&context, s->arena, &s->run, &pod);
    if (e && e->kind != ERR_NOT_FOUND)
        return e;
    bool gone = e || is_namesake(s, pod);
    observations_pod(r->observations, s->arena, gone ? tombstone_of(s) : pod, gone ? OBSERVED_GONE : OBSERVED_CREATED, &ignored);
    err_free(e);
    observe(s);
    return NULL;
}

static struct err *take_observation(struct step *s)
{
    struct reconciler *r = s->reconciler;
    bool started = s->run.launch_started_at.ms != 0, queued = s->state == JOB_RUN_PENDING && !started, waits = false;
    if (queued)
        TRY(look_at_queue(s, &waits));
    if (waits || (s->state == JOB_RUN_CANCEL_PENDING && !started)) /* no cluster is needed for that */
        return NULL;
    struct err *e = feed_get(r->feeds, s->arena, s->run.cluster, &s->feed);
    if (e && e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    observe(s);
    TRY(look_for_untold(s));
    TRY(look_before_end(s));
    if (queued && s->feed && s->seen.synced)
        return look_for_room(s);
    TRY(step_follow_logs(s));
    step_find_error_line(s);
    step_find_refused_executors(s);
    return NULL;
}

/* ---- what is done ---- */

static struct err *change(struct step *s, struct job_run_change what)
{
    bool changed;
    what.id = s->run.id;
    what.from = what.from.ptr ? what.from : s->run.state;
    what.attempt = s->run.attempt;
    what.at = s->now;
    TRY(store_job_run_change(s->reconciler->options.store, &what, &changed));
    s->changed = changed;
    s->over = true; /* also when somebody else moved it: look again */
    return NULL;
}

static struct err *move(struct step *s, const struct action *action)
{
    enum job_run_state to;
    if (!job_run_state_next(s->state, action->event, &to))
        return err_new(ERR_INTERNAL, "no edge from %.*s by %.*s", SLICE_ARG(s->run.state), SLICE_ARG(job_run_event_name(action->event)));
    bool final = job_run_state_is_final(to);
    TRY(change(s, (struct job_run_change){
                      .to = job_run_state_name(to),
                      .event = job_run_event_name(action->event),
                      .failure_reason = action->failure_reason,
                      .state_details = action->state_details,
                      .driver_created_at = action->driver_created_at,
                      .driver_started_at = action->driver_started_at,
                      .finished_at = final ? s->now : (struct instant){0},
                      .reaped = final && !s->run.launch_started_at.ms, /* there never was anything */
                  }));
    log_event(JOB_RUN_MOVED, LOG_SLICE("jobRunId", s->run.id), LOG_SLICE("from", s->run.state), LOG_SLICE("to", job_run_state_name(to)),
              LOG_SLICE("stateDetails", action->state_details));
    if (final)
        reconciler_nudge_queues(s->reconciler);
    return NULL;
}

/* By its node's clock, as it began, for how long it ran; the back-off of one that failed is by ours, and a node's may be ahead. */
static struct err *record(struct step *s, const struct action *action)
{
    struct instant told_at = s->seen.driver_finished_at;
    return change(s, (struct job_run_change){
                         .outcome = outcome_to_json(s->arena, &action->outcome),
                         .outcome_at = told_at.ms && (action->outcome.succeeded || told_at.ms < s->now.ms) ? told_at : s->now,
                         .driver_created_at = action->driver_created_at,
                         .driver_started_at = action->driver_started_at,
                     });
}

static struct err *leave_queue(struct step *s)
{
    struct queue_look look;
    TRY(store_job_queue_leave(s->reconciler->options.store, &s->wish, s->now, &look));
    s->over = true;
    if (look.verdict == QUEUE_FREE)
        reconciler_nudge_queues(s->reconciler); /* there may be a place for the next one too */
    return NULL;
}

static struct instant later_of(struct instant a, struct instant b)
{
    return a.ms > b.ms ? a : b;
}

/* Takes e. The first attempt was never there: the run is over. A later one ends the run as its last one would, when all logs are whole. */
static struct err *reject(struct step *s, struct err *e)
{
    struct slice reason = e->code && slice_ends_with(slice_from_cstr(e->code), S("_ERROR")) ? slice_dup_cstr(s->arena, e->code) : FAILURE_INTERNAL_ERROR;
    if (e->kind == ERR_UNAVAILABLE || (e->code && slice_eq(slice_from_cstr(e->code), FAILURE_CLUSTER_UNAVAILABLE)))
        reason = FAILURE_CLUSTER_UNAVAILABLE;
    struct slice cause = outcome_cut_details(s->arena, slice_dup_cstr(s->arena, e->message));
    logship_control_line(s->reconciler->logship, s->run.id, S("stderr"), cause);
    err_free(e);
    if (s->state == JOB_RUN_PENDING)
        return move(s, &(struct action){.kind = ACTION_MOVE, .event = JOB_RUN_EVENT_REJECTED, .failure_reason = reason, .state_details = cause});
    return record(s, &(struct action){.kind = ACTION_RECORD, .outcome = {.failure_reason = reason, .cause = cause}});
}

static struct instant created_at_of(const struct json *pod, struct instant otherwise)
{
    struct instant t;
    struct slice text = json_text(JSON_AT(pod, "metadata", "creationTimestamp"));
    return text.ptr && instant_parse_iso8601(text, &t) ? t : otherwise;
}

/* Its driver is not there, whatever the watch has told by now. */
static void observe_gone(struct step *s)
{
    struct slice ignored;
    observations_pod(s->reconciler->observations, s->arena, tombstone_of(s), OBSERVED_GONE, &ignored);
    s->over = true;
}

/* Its driver came and went while the answers to its launch were lost: another would be a second one of the attempt. Unless that was made
 * already, before anybody knew of the first, and its answer was lost too. */
static struct err *launched_and_gone(struct step *s)
{
    struct launch_context context = launch_context_of(s);
    enum job_run_state to;
    struct json *pod;
    struct err *e = launch_look(&context, s->arena, &s->run, &pod);
    if (!e) {
        struct slice ignored;
        observations_pod(s->reconciler->observations, s->arena, pod, OBSERVED_LAUNCHED, &ignored);
        s->over = true;
        return NULL;
    }
    if (e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    if (!job_run_state_next(s->state, JOB_RUN_EVENT_LAUNCHED, &to))
        return err_new(ERR_INTERNAL, "a run that is %.*s was launched", SLICE_ARG(s->run.state));
    return change(s, (struct job_run_change){
                         .to = job_run_state_name(to),
                         .event = job_run_event_name(JOB_RUN_EVENT_LAUNCHED),
                         .driver_created_at = s->seen.driver_created_at.ms ? s->seen.driver_created_at : s->now,
                     });
}

static struct err *launch(struct step *s)
{
    struct launch_context context = launch_context_of(s);
    struct launched launched;
    enum job_run_state to;
    if (s->seen.gone)
        return launched_and_gone(s);
    if (!enter(s))
        return NULL;
    struct err *e = launch_run(&context, s->arena, &s->run, &launched);
    feed_leave(s->feed, e);
    s->failing_since = later_of(s->run.launch_started_at, s->reconciler->started_at);
    if (e && e->code == LAUNCH_DRIVER_GONE) {
        err_free(e);
        observe_gone(s);
        return NULL;
    }
    if (e && e->kind == ERR_UNAVAILABLE && s->now.ms - s->failing_since.ms < CLUSTER_TROUBLE_MAX_MS)
        return err_wrap(e, "launching job run %.*s", SLICE_ARG(s->run.id));
    if (e)
        return reject(s, e);
    /* The watch may be behind this write: put the pod in, so that its absence means that it was deleted. */
    struct slice ignored;
    observations_pod(s->reconciler->observations, s->arena, launched.pod, OBSERVED_LAUNCHED, &ignored);
    if (!job_run_state_next(s->state, JOB_RUN_EVENT_LAUNCHED, &to))
        return err_new(ERR_INTERNAL, "a run that is %.*s was launched", SLICE_ARG(s->run.state));
    TRY(change(s, (struct job_run_change){
                      .to = job_run_state_name(to),
                      .event = job_run_event_name(JOB_RUN_EVENT_LAUNCHED),
                      .state_details = s->run.attempt > 1 ? SLICE_NONE : S(""),
                      .driver_created_at = created_at_of(launched.pod, s->now),
                      .driver_uid = uid_of(launched.pod),
                      .start_timeout_s = launched.start_timeout_s,
                      .effective_configuration = launched.effective_configuration,
                  }));
    if (!s->changed) /* a cancel was quicker: what it ran with is kept all the same */
        return change(s, (struct job_run_change){
                             .from = job_run_state_name(JOB_RUN_CANCEL_PENDING),
                             .driver_created_at = created_at_of(launched.pod, s->now),
                             .driver_uid = uid_of(launched.pod),
                             .effective_configuration = launched.effective_configuration,
                         });
    log_event(JOB_RUN_LAUNCHED, LOG_SLICE("jobRunId", s->run.id), LOG_INT("attempt", s->run.attempt), LOG_SLICE("cluster", s->run.cluster));
    return NULL;
}

/* Removes what the run's attempt has in its cluster; *ret_gone when no pod of the run is left there. */
static struct err *remove_objects(struct step *s, bool *ret_gone)
{
    struct reconciler *r = s->reconciler;
    struct slice *pods;
    size_t count;
    *ret_gone = false;
    observations_pods(r->observations, s->arena, s->run.id, &pods, &count);
    struct launch_context context = launch_context_of(s);
    if (!enter(s))
        return NULL;
    bool held = s->seen.pods_deleted_by.ms && s->now.ms >= s->seen.pods_deleted_by.ms + POD_FORCE_AFTER_MS;
    struct err *e = launch_remove(&context, s->arena, &s->run, pods, count, held ? 0 : -1);
    feed_leave(s->feed, e);
    feed_removed(s->feed, s->run.virtual_cluster_id, e);
    if (e)
        return err_wrap(e, "removing what is left of job run %.*s", SLICE_ARG(s->run.id));
    observations_pods(r->observations, s->arena, s->run.id, &pods, &count);
    *ret_gone = count == 0;
    return count == 0 && !s->seen.gone ? look_for_unknown(s, &context, ret_gone) : NULL;
}

static struct err *clean(struct step *s, bool *ret_gone)
{
    s->failing_since = s->run.outcome_at;
    look_again_in(s, REAP_POLL_MS);
    return remove_objects(s, ret_gone);
}

static struct err *retry(struct step *s, const struct action *action)
{
    bool gone, changed;
    enum job_run_state to;
    TRY(clean(s, &gone));
    if (!gone && !pods_are_held(&s->seen, s->now)) /* the watch tells when they are */
        return NULL;
    if (!job_run_state_next(s->state, action->event, &to))
        return err_new(ERR_INTERNAL, "a run that is %.*s can't be tried again", SLICE_ARG(s->run.state));
    TRY(store_job_run_retry(s->reconciler->options.store,
                            &(struct job_run_change){
                                .id = s->run.id,
                                .from = s->run.state,
                                .attempt = s->run.attempt,
                                .to = job_run_state_name(to),
                                .event = job_run_event_name(action->event),
                                .state_details = action->state_details,
                                .at = s->now,
                            },
                            &changed));
    s->over = true;
    return NULL;
}

static struct err *kill_driver(struct step *s, const struct action *action)
{
    struct launch_context context = launch_context_of(s);
    if (!enter(s))
        return NULL;
    look_again_in(s, action->again_at.ms ? action->again_at.ms - s->now.ms : REAP_POLL_MS);
    struct err *e = launch_kill(&context, s->arena, &s->run, s->seen.deleting ? 0 : -1);
    feed_leave(s->feed, e);
    feed_removed(s->feed, s->run.virtual_cluster_id, e);
    return e;
}

/* Logs first: pods stay until they are read, the key and the spool until they are shipped, each for its time. */
static struct err *reap(struct step *s)
{
    struct reconciler *r = s->reconciler;
    bool shipped, read;
    step_logs_over(s, &shipped, &read);
    look_again_in(s, REAP_POLL_MS);
    s->failing_since = s->run.finished_at;
    bool gone = !s->feed || !s->run.launch_started_at.ms || (s->seen.trouble.ptr && s->now.ms - s->run.finished_at.ms > CLUSTER_FORGOTTEN_MS);
    if (!gone && (!s->seen.synced || !read))
        return NULL;
    if (!gone)
        TRY(remove_objects(s, &gone));
    if (!gone) { /* they are on their way: the watch tells when they are gone */
        if (pods_are_held(&s->seen, s->now))
            look_again_in(s, LOOK_AGAIN_MS);
        return NULL;
    }
    if (!shipped) { /* the log shipper tells when they are */
        look_again_in(s, LOOK_AGAIN_MS);
        return NULL;
    }
    logship_close(r->logship, s->run.id);
    observations_drop(r->observations, s->run.id);
    TRY(change(s, (struct job_run_change){.reaped = true})); /* with its key: a crash before finds it again instead of making another */
    s->over = false;
    s->done = true;
    return NULL;
}

static struct err *perform(struct step *s, const struct action *action)
{
    bool ignored;
    switch (action->kind) {
    case ACTION_WAIT:
        if (action->again_at.ms)
            look_again_in(s, action->again_at.ms > s->now.ms ? action->again_at.ms - s->now.ms : 0);
        return NULL;
    case ACTION_LEAVE_QUEUE:
        return leave_queue(s);
    case ACTION_LAUNCH:
        return launch(s);
    case ACTION_CLEAN:
        return clean(s, &ignored);
    case ACTION_RETRY:
        return retry(s, action);
    case ACTION_MOVE:
        return move(s, action);
    case ACTION_NOTE:
        return change(s, (struct job_run_change){.state_details = action->state_details, .driver_created_at = action->driver_created_at});
    case ACTION_RECORD:
        return record(s, action);
    case ACTION_KILL:
        return kill_driver(s, action);
    case ACTION_REAP:
        return reap(s);
    }
    return NULL;
}

struct err *step_run(struct step *s, struct slice id)
{
    struct reconciler *r = s->reconciler;
    struct err *e = store_job_run_get(r->options.store, s->arena, id, &s->run);
    s->done = (!e && s->run.reaped) || (e && e->kind == ERR_NOT_FOUND);
    if (s->done) { /* pods of a run that is over, or of another installation's on the same cluster */
        err_free(e);
        observations_drop(r->observations, id);
        return NULL;
    }
    if (e)
        return e;
    if (!job_run_state_parse(s->run.state, &s->state))
        return err_new(ERR_INTERNAL, "job run %.*s has the unknown state %.*s", SLICE_ARG(id), SLICE_ARG(s->run.state));
    take_facts(s);
    TRY(take_observation(s));
    struct action action = decide(s->arena, &s->facts, &s->seen, s->now);
    return perform(s, &action);
}
