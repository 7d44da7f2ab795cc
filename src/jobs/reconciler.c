/* Worker threads take keys from the queue. A key is a job run's id, or "vc/" and a virtual cluster's. One step: row + observation ->
 * decide() -> do it -> write the fact. Watches and the log shipper only put keys in.
 *
 * lock guards feeds (the list; a feed's fields have their own rules below). Steps that write to a cluster hold one of its few places
 * (feed_enter): a cluster that hangs never has all workers. */
#include "jobs/reconciler.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "jobs/decide.h"
#include "jobs/job_run.h"
#include "jobs/launch.h"
#include "jobs/observe.h"
#include "jobs/work_queue.h"
#include "logship/logship.h"
#include "store/access_key.h"
#include "store/virtual_cluster.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WORKER_COUNT 8
#define WRITERS_PER_CLUSTER 4 /* so that a cluster that hangs leaves workers for the others */
#define WRITERS_IN_TROUBLE 1
#define LOOK_AGAIN_MS 60000   /* every open run is looked at so often, told or not */
#define LOGS_KEPT_MS ((int64_t)24 * 3600 * 1000) /* how long shipping goes on behind a final state */
#define LOGS_READ_MS ((int64_t)15 * 60 * 1000)   /* how long pods are kept for logs that can't be read */
#define VIRTUAL_CLUSTER_KEY "vc/"
#define VIRTUAL_CLUSTER_POLL_MS 500
#define EXECUTORS_GRACE_MS 30000 /* how long the executors' logs hold the end back after the driver's */
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 60000
#define REAP_POLL_MS 2000
#define ERROR_TAIL_BYTES ((size_t)32 * 1024)

/* One watched cluster. Made once, kept until the end. */
struct feed {
    struct feed *next;
    struct reconciler *reconciler;
    char *cluster;
    struct k8s_client *client;
    struct slice driver_master;
    struct k8s_watch *watch;
    atomic_bool synced;
    struct mutex lock; /* guards all below */
    int writers;
    bool failing;         /* the last write found no answer */
    char *trouble;        /* why it does not answer, or NULL */
    struct instant trouble_since;
};

struct reconciler {
    struct reconciler_options options;
    struct work_queue *queue;
    struct observations *observations;
    struct logship *logship;
    struct mutex lock;
    struct feed *feeds;
    struct instant started_at;
    pthread_t workers[WORKER_COUNT];
    size_t worker_count;
};

/* ---- watches ---- */

static void nudge_all(struct reconciler *r, struct slice cluster)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct open_run *runs;
    size_t count;
    struct err *e = store_job_run_list_open(r->options.store, arena, &runs, &count);
    if (e) {
        log_event(RECONCILER_TROUBLE, LOG_ERR(e));
        err_free(e);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!cluster.ptr || slice_eq(runs[i].cluster, cluster))
            work_queue_add(r->queue, runs[i].id, monotonic_ms());
    }
}

static void set_trouble(struct feed *feed, const char *message)
{
    mutex_lock(&feed->lock);
    if (message && !feed->trouble)
        feed->trouble_since = instant_now();
    free(feed->trouble);
    feed->trouble = message ? xstrdup(message) : NULL;
    mutex_unlock(&feed->lock);
}

static void watched(void *ctx, enum k8s_watch_event event, const struct json *object, const struct err *e)
{
    struct feed *feed = ctx;
    struct reconciler *r = feed->reconciler;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice run_id = SLICE_NONE;
    switch (event) {
    case K8S_PRESENT:
    case K8S_GONE:
        observations_pod(r->observations, arena, object, event == K8S_GONE ? OBSERVED_GONE : OBSERVED_PRESENT, &run_id);
        if (run_id.ptr)
            work_queue_add(r->queue, run_id, monotonic_ms());
        set_trouble(feed, NULL); /* it answers again */
        return;
    case K8S_SYNCED:
        set_trouble(feed, NULL);
        if (!atomic_exchange(&feed->synced, true))
            nudge_all(r, slice_from_cstr(feed->cluster));
        return;
    case K8S_TROUBLE:
        set_trouble(feed, e ? e->message : "no answer");
        log_event(CLUSTER_TROUBLE, LOG_CSTR("cluster", feed->cluster), LOG_ERR(e));
        return;
    }
}

static void feed_free(struct feed *feed)
{
    if (feed->watch)
        k8s_watch_stop(feed->watch);
    mutex_deinit(&feed->lock);
    free(feed->trouble);
    free(feed->cluster);
    free(feed);
}

/* The feed of a cluster, made and watched on first use. ERR_NOT_FOUND: no such cluster. */
static struct err *feed_get(struct reconciler *r, struct arena *arena, struct slice cluster, struct feed **ret_feed)
{
    struct err *e = NULL;
    mutex_lock(&r->lock);
    struct feed *feed = r->feeds;
    while (feed && !slice_eq(slice_from_cstr(feed->cluster), cluster))
        feed = feed->next;
    if (!feed) {
        struct k8s_client *client;
        struct slice master;
        e = r->options.connect(r->options.connect_ctx, cluster, &client, &master);
        if (!e) {
            feed = xcalloc(1, sizeof(*feed));
            *feed = (struct feed){.reconciler = r, .cluster = xstrdup(slice_cstr(arena, cluster)), .client = client, .driver_master = master};
            mutex_init(&feed->lock, LOCK_CLUSTER_FEED);
            e = k8s_watch_start(client, S("/api/v1/pods"), S(LABEL_JOB_ID), watched, feed, &feed->watch);
            if (e) {
                feed_free(feed);
            } else {
                feed->next = r->feeds;
                r->feeds = feed;
            }
        }
    }
    mutex_unlock(&r->lock);
    if (e)
        return e;
    *ret_feed = feed;
    return NULL;
}

/* ---- one step of a run ---- */

struct step {
    struct reconciler *reconciler;
    struct arena *arena;
    struct job_run run;
    enum job_run_state state;
    struct feed *feed; /* NULL: there is no such cluster */
    struct observation seen;
    struct instant now;
    int64_t again_ms; /* monotonic; 0: wait for an observation */
    bool over;        /* the step did something: look again at once */
    bool done;        /* nothing will ever happen to it again */
    struct instant failing_since; /* what is tried has been tried since then; ms 0: not known */
};

/* A place among those who write to the cluster; without one the step comes again soon. */
static bool feed_enter(struct step *s)
{
    mutex_lock(&s->feed->lock);
    int places = s->feed->failing || s->feed->trouble ? WRITERS_IN_TROUBLE : WRITERS_PER_CLUSTER;
    bool entered = s->feed->writers < places;
    s->feed->writers += entered;
    mutex_unlock(&s->feed->lock);
    if (!entered)
        s->again_ms = monotonic_ms() + RETRY_MIN_MS / 4;
    return entered;
}

static void feed_leave(struct step *s, const struct err *e)
{
    mutex_lock(&s->feed->lock);
    s->feed->writers--;
    s->feed->failing = e && e->kind == ERR_UNAVAILABLE;
    mutex_unlock(&s->feed->lock);
}

static struct launch_context launch_context_of(const struct step *s)
{
    return (struct launch_context){
        .options = &s->reconciler->options,
        .logship = s->reconciler->logship,
        .client = s->feed->client,
        .driver_master = s->feed->driver_master,
    };
}

static void observe_feed(struct step *s)
{
    if (!s->feed) {
        s->seen.no_cluster = true;
        return;
    }
    s->seen.synced = atomic_load(&s->feed->synced);
    mutex_lock(&s->feed->lock);
    if (s->feed->trouble) {
        s->seen.trouble = slice_dup_cstr(s->arena, s->feed->trouble);
        s->seen.trouble_since = s->feed->trouble_since;
    }
    mutex_unlock(&s->feed->lock);
}

/* Tells the log shipper what is known of the run's containers, and learns how far it is. In a final state too: shipping may go on. */
static struct err *follow_logs(struct step *s)
{
    struct reconciler *r = s->reconciler;
    if (!s->run.launch_started_at.ms)
        return NULL;
    bool final = job_run_state_is_final(s->state), driver_over = s->run.outcome.ptr || final;
    struct slice trouble = SLICE_NONE;
    enum logship_state state = logship_state(r->logship, s->arena, s->run.id, &trouble);
    if (!s->feed && state == LOGSHIP_UNKNOWN) { /* the cluster went while nobody looked */
        s->seen.logs_settled = true;
        return NULL;
    }
    if (state == LOGSHIP_UNKNOWN) {
        struct launch_context context = launch_context_of(s);
        struct logship_run logs;
        TRY(launch_describe_logs(&context, s->arena, &s->run, &logs));
        TRY(logship_open(r->logship, &logs));
    }
    struct observed_container *containers;
    size_t count, alive = 0;
    observations_containers(r->observations, s->arena, s->run.id, &containers, &count);
    bool overdue = final || !s->feed || (s->run.outcome_at.ms && s->now.ms - s->run.outcome_at.ms > EXECUTORS_GRACE_MS);
    for (size_t i = 0; i < count; i++) {
        if (!containers[i].started)
            continue;
        bool ended = containers[i].ended || overdue;
        alive += !ended;
        logship_container(r->logship, s->run.id, containers[i].pod, containers[i].container,
                          ended ? LOGSHIP_CONTAINER_ENDED : LOGSHIP_CONTAINER_STARTED);
    }
    if (driver_over && (s->seen.synced || !s->feed) && alive == 0)
        logship_finish(r->logship, s->run.id);
    state = logship_state(r->logship, s->arena, s->run.id, &trouble);
    s->seen.logs_settled = driver_over && (state == LOGSHIP_WHOLE || state == LOGSHIP_GIVEN_UP);
    if (state == LOGSHIP_GIVEN_UP)
        s->seen.log_trouble = trouble;
    return NULL;
}

static void find_error_line(struct step *s)
{
    if (!s->seen.logs_settled)
        return;
    struct observed_container *containers;
    size_t count;
    observations_containers(s->reconciler->observations, s->arena, s->run.id, &containers, &count);
    for (size_t i = 0; i < count && !s->seen.last_error_line.ptr; i++) {
        if (!slice_eq(containers[i].container, S(DRIVER_CONTAINER)))
            continue;
        const struct slice streams[] = {S("stderr"), S("stdout")};
        for (size_t k = 0; k < ARRAY_SIZE(streams) && !s->seen.last_error_line.ptr; k++)
            s->seen.last_error_line = outcome_last_error_line(
                logship_tail(s->reconciler->logship, s->arena, s->run.id, containers[i].pod, streams[k], ERROR_TAIL_BYTES));
    }
}

static struct err *change(struct step *s, struct job_run_change what)
{
    bool changed;
    what.id = s->run.id;
    what.from = s->run.state;
    what.at = s->now;
    TRY(store_job_run_change(s->reconciler->options.store, &what, &changed));
    s->over = true; /* also when somebody else moved it: look again */
    return NULL;
}

static struct err *move(struct step *s, const struct action *action)
{
    enum job_run_state to;
    if (!job_run_state_next(s->state, action->event, &to))
        return err_new(ERR_INTERNAL, "no edge from %.*s by %.*s", SLICE_ARG(s->run.state), SLICE_ARG(job_run_event_name(action->event)));
    TRY(change(s, (struct job_run_change){
                      .to = job_run_state_name(to),
                      .event = job_run_event_name(action->event),
                      .failure_reason = action->failure_reason,
                      .state_details = action->state_details,
                      .driver_created_at = action->driver_created_at,
                      .driver_started_at = action->driver_started_at,
                      .finished_at = job_run_state_is_final(to) ? s->now : (struct instant){0},
                  }));
    log_event(JOB_RUN_MOVED, LOG_SLICE("jobRunId", s->run.id), LOG_SLICE("from", s->run.state), LOG_SLICE("to", job_run_state_name(to)),
              LOG_SLICE("stateDetails", action->state_details));
    return NULL;
}

static struct instant later_of(struct instant a, struct instant b)
{
    return a.ms > b.ms ? a : b;
}

/* Takes e. */
static struct err *reject(struct step *s, struct err *e)
{
    struct slice reason = e->code && slice_ends_with(slice_from_cstr(e->code), S("_ERROR")) ? slice_dup_cstr(s->arena, e->code) : FAILURE_INTERNAL_ERROR;
    if (e->kind == ERR_UNAVAILABLE || (e->code && slice_eq(slice_from_cstr(e->code), FAILURE_CLUSTER_UNAVAILABLE)))
        reason = FAILURE_CLUSTER_UNAVAILABLE;
    struct action rejected = {
        .kind = ACTION_MOVE,
        .event = JOB_RUN_EVENT_REJECTED,
        .failure_reason = reason,
        .state_details = outcome_cut_details(s->arena, slice_dup_cstr(s->arena, e->message)),
    };
    logship_control_line(s->reconciler->logship, s->run.id, S("stderr"), rejected.state_details);
    err_free(e);
    return move(s, &rejected);
}

static struct err *launch(struct step *s)
{
    struct launch_context context = launch_context_of(s);
    if (!s->run.launch_started_at.ms) {
        /* On disk before the first write to the cluster: cancel and crash know that there may be something to remove. */
        TRY(change(s, (struct job_run_change){.launch_started_at = s->now}));
        return NULL;
    }
    struct launched launched;
    if (!feed_enter(s))
        return NULL;
    struct err *e = launch_run(&context, s->arena, &s->run, &launched);
    feed_leave(s, e);
    s->failing_since = later_of(s->run.launch_started_at, s->reconciler->started_at);
    if (e && e->kind == ERR_UNAVAILABLE && s->now.ms - s->failing_since.ms < CLUSTER_TROUBLE_MAX_MS)
        return err_wrap(e, "launching job run %.*s", SLICE_ARG(s->run.id));
    if (e)
        return reject(s, e);
    /* The watch may be behind this write: put the pod in, so that its absence means that it was deleted. */
    struct slice ignored;
    observations_pod(s->reconciler->observations, s->arena, launched.pod, OBSERVED_CREATED, &ignored);
    TRY(change(s, (struct job_run_change){
                      .to = job_run_state_name(JOB_RUN_SUBMITTED),
                      .event = job_run_event_name(JOB_RUN_EVENT_LAUNCHED),
                      .start_timeout_s = launched.start_timeout_s,
                  }));
    log_event(JOB_RUN_LAUNCHED, LOG_SLICE("jobRunId", s->run.id), LOG_INT("attempt", s->run.attempt), LOG_SLICE("cluster", s->run.cluster));
    return NULL;
}

/* Removes what the run has in its cluster; *ret_gone when nothing of it is left there. */
static struct err *remove_objects(struct step *s, bool *ret_gone)
{
    struct reconciler *r = s->reconciler;
    struct slice *pods;
    size_t count;
    *ret_gone = false;
    observations_pods(r->observations, s->arena, s->run.id, &pods, &count);
    struct launch_context context = launch_context_of(s);
    if (!feed_enter(s))
        return NULL;
    struct err *e = launch_remove(&context, s->arena, &s->run, pods, count);
    feed_leave(s, e);
    if (e)
        return err_wrap(e, "removing what is left of job run %.*s", SLICE_ARG(s->run.id));
    observations_pods(r->observations, s->arena, s->run.id, &pods, &count);
    *ret_gone = count == 0;
    return NULL;
}

/* Logs first: pods stay until they are read, the key and the spool until they are shipped, each for its time. A run that never got a
 * driver has only what it was rejected for, and its destination may be the reason: that is given up with the state. */
static struct err *reap(struct step *s)
{
    struct reconciler *r = s->reconciler;
    struct slice trouble;
    int64_t age_ms = s->now.ms - s->run.finished_at.ms;
    enum logship_state logs = logship_state(r->logship, s->arena, s->run.id, &trouble);
    bool shipped = logs == LOGSHIP_WHOLE || logs == LOGSHIP_UNKNOWN || age_ms > LOGS_KEPT_MS || (logs == LOGSHIP_GIVEN_UP && !s->run.outcome.ptr);
    bool read = shipped || age_ms > LOGS_READ_MS || logship_is_read(r->logship, s->run.id);
    s->again_ms = monotonic_ms() + REAP_POLL_MS;
    s->failing_since = s->run.finished_at;
    bool gone = !s->feed || !s->run.launch_started_at.ms;
    if (!gone && (!s->seen.synced || !read))
        return NULL;
    if (!gone)
        TRY(remove_objects(s, &gone));
    if (!gone) /* they are on their way: the watch tells when they are gone */
        return NULL;
    if (!shipped) { /* the log shipper tells when they are */
        s->again_ms = monotonic_ms() + LOOK_AGAIN_MS;
        return NULL;
    }
    /* The key last: a crash before finds it again instead of making another. */
    logship_close(r->logship, s->run.id);
    TRY(store_access_key_remove(r->options.store, s->run.id));
    observations_drop(r->observations, s->run.id);
    TRY(change(s, (struct job_run_change){.reaped = true}));
    s->over = false;
    s->done = true;
    return NULL;
}

static struct err *perform(struct step *s, const struct action *action)
{
    switch (action->kind) {
    case ACTION_WAIT:
        if (action->again_at.ms)
            s->again_ms = monotonic_ms() + (action->again_at.ms > s->now.ms ? action->again_at.ms - s->now.ms : 0);
        return NULL;
    case ACTION_LAUNCH:
        return launch(s);
    case ACTION_MOVE:
        return move(s, action);
    case ACTION_NOTE:
        return change(s, (struct job_run_change){.state_details = action->state_details, .driver_created_at = action->driver_created_at});
    case ACTION_RECORD:
        return change(s, (struct job_run_change){
                             .outcome = outcome_to_json(s->arena, &action->outcome),
                             .outcome_at = s->seen.driver_finished_at.ms ? s->seen.driver_finished_at : s->now,
                             .driver_created_at = action->driver_created_at,
                             .driver_started_at = action->driver_started_at,
                         });
    case ACTION_KILL: {
        struct launch_context context = launch_context_of(s);
        if (!feed_enter(s))
            return NULL;
        s->again_ms = monotonic_ms() + REAP_POLL_MS;
        struct err *e = launch_kill(&context, s->arena, &s->run);
        feed_leave(s, e);
        return e;
    }
    case ACTION_REAP:
        return reap(s);
    }
    return NULL;
}

static struct err *step_run(struct step *s, struct slice id)
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
    e = feed_get(r, s->arena, s->run.cluster, &s->feed);
    bool never_there = s->state == JOB_RUN_CANCEL_PENDING && !s->run.launch_started_at.ms; /* to end that, no cluster is needed */
    if (e && e->kind != ERR_NOT_FOUND && !never_there)
        return e;
    err_free(e);
    observations_get(r->observations, s->arena, id, &s->seen);
    observe_feed(s);
    TRY(follow_logs(s));
    find_error_line(s);
    struct run_facts facts = {
        .state = s->state,
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
    struct action action = decide(s->arena, &facts, &s->seen, s->now);
    return perform(s, &action);
}

/* ---- virtual clusters that are to end ---- */

static struct err *step_virtual_cluster(struct step *s, struct slice id)
{
    struct reconciler *r = s->reconciler;
    struct virtual_cluster row;
    struct err *missing = store_virtual_cluster_get(r->options.store, s->arena, id, &row);
    s->done = (missing && missing->kind == ERR_NOT_FOUND) || (!missing && !slice_eq(row.state, S("TERMINATING")));
    if (s->done) {
        err_free(missing);
        return NULL;
    }
    if (missing)
        return missing;
    struct slice *live;
    size_t count;
    TRY(store_job_run_list_live(r->options.store, s->arena, id, &live, &count));
    for (size_t i = 0; i < count; i++) {
        struct err *e = job_run_cancel(r->options.store, live[i], s->now);
        if (e && e->kind != ERR_CONFLICT) /* a conflict: it is on its way to its end already */
            return e;
        err_free(e);
        work_queue_add(r->queue, live[i], monotonic_ms());
    }
    if (count) {
        s->again_ms = monotonic_ms() + VIRTUAL_CLUSTER_POLL_MS;
        return NULL;
    }
    bool changed;
    return store_virtual_cluster_move(r->options.store, id, S("TERMINATING"), S("TERMINATED"), &changed);
}

/* Longer and longer, by how long it has been tried, not by how often: no state to keep. */
static int64_t retry_ms(const struct step *s)
{
    int64_t tried_ms = s->failing_since.ms ? (s->now.ms - s->failing_since.ms) / 8 : RETRY_MIN_MS;
    return tried_ms < RETRY_MIN_MS ? RETRY_MIN_MS : tried_ms > RETRY_MAX_MS ? RETRY_MAX_MS : tried_ms;
}

static void *work(void *arg)
{
    struct reconciler *r = arg;
    pthread_setname_np(pthread_self(), "reconciler");
    struct slice key;
    while (work_queue_take(r->queue, &key)) {
        struct step s = {.reconciler = r, .arena = arena_new(), .now = instant_now()};
        struct slice cluster_prefix = S(VIRTUAL_CLUSTER_KEY);
        struct err *e = slice_starts_with(key, cluster_prefix) ? step_virtual_cluster(&s, slice_from(key, cluster_prefix.len)) : step_run(&s, key);
        int64_t again = s.over ? monotonic_ms() : s.again_ms ? s.again_ms : s.done ? 0 : monotonic_ms() + LOOK_AGAIN_MS;
        if (e) {
            log_event(RECONCILE_FAILED, LOG_SLICE("jobRunId", key), LOG_ERR(e));
            again = monotonic_ms() + retry_ms(&s);
            err_free(e);
        }
        if (!s.done && again > monotonic_ms() + LOOK_AGAIN_MS)
            again = monotonic_ms() + LOOK_AGAIN_MS;
        arena_free(s.arena);
        work_queue_done(r->queue, key, again);
    }
    return NULL;
}

/* ---- start, stop, doors ---- */

static void logs_changed(void *ctx, struct slice job_run_id)
{
    reconciler_nudge(ctx, job_run_id);
}

static struct err *nudge_terminating(struct reconciler *r, struct arena *arena)
{
    const struct slice terminating = S("TERMINATING");
    struct virtual_cluster_filter filter = {.states = &terminating, .state_count = 1, .limit = 100000};
    struct virtual_cluster_page page;
    TRY(store_virtual_cluster_list(r->options.store, arena, &filter, &page));
    for (size_t i = 0; i < page.count; i++)
        reconciler_nudge_virtual_cluster(r, page.rows[i].id);
    return NULL;
}

struct err *reconciler_start(const struct reconciler_options *options, struct reconciler **ret_reconciler)
{
    struct reconciler *r = xcalloc(1, sizeof(*r));
    r->options = *options;
    r->started_at = instant_now();
    r->queue = work_queue_new();
    r->observations = observations_new();
    mutex_init(&r->lock, LOCK_RECONCILER);
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct err *e = logship_start(
        &(struct logship_options){
            .spool_dir = options->spool_dir,
            .endpoint = options->endpoint,
            .region = options->region,
            .give_up_ms = options->logs_give_up_ms,
            .changed = logs_changed,
            .changed_ctx = r,
        },
        &r->logship);
    if (!e)
        e = nudge_terminating(r, arena);
    if (!e)
        nudge_all(r, SLICE_NONE);
    while (!e && r->worker_count < WORKER_COUNT) {
        int result = pthread_create(&r->workers[r->worker_count], NULL, work, r);
        if (result)
            e = err_errno(result, "starting a reconciler");
        else
            r->worker_count++;
    }
    if (e) {
        reconciler_stop(r);
        return e;
    }
    *ret_reconciler = r;
    return NULL;
}

void reconciler_stop(struct reconciler *r)
{
    if (!r)
        return;
    work_queue_stop(r->queue);
    logship_interrupt(r->logship); /* a worker may be in logship_check */
    for (size_t i = 0; i < r->worker_count; i++)
        pthread_join(r->workers[i], NULL);
    for (struct feed *f = r->feeds; f;) {
        struct feed *next = f->next;
        feed_free(f);
        f = next;
    }
    logship_stop(r->logship);
    observations_free(r->observations);
    work_queue_free(r->queue);
    mutex_deinit(&r->lock);
    free(r);
}

void reconciler_nudge(struct reconciler *r, struct slice job_run_id)
{
    work_queue_add(r->queue, job_run_id, monotonic_ms());
}

void reconciler_nudge_virtual_cluster(struct reconciler *r, struct slice virtual_cluster_id)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    work_queue_add(r->queue, slice_fmt(arena, VIRTUAL_CLUSTER_KEY "%.*s", SLICE_ARG(virtual_cluster_id)), monotonic_ms());
}

struct err *reconciler_check_namespace(struct reconciler *r, struct slice cluster, struct slice namespace_)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct feed *feed;
    struct json *ignored;
    struct err *e = feed_get(r, arena, cluster, &feed);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return err_code(ERR_NOT_FOUND, "Cluster", "no cluster %.*s", SLICE_ARG(cluster));
    }
    if (e)
        return e;
    e = k8s_get(feed->client, arena, slice_fmt(arena, "/api/v1/namespaces/%.*s", SLICE_ARG(namespace_)), &ignored);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return err_code(ERR_NOT_FOUND, "Namespace", "no namespace %.*s", SLICE_ARG(namespace_));
    }
    return e;
}
