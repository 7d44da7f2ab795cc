/* Worker threads take keys from the queue. A key is a job run's id, "vc/" and a virtual cluster's, or the sweep's. One step: row + observation ->
 * decide() -> do it -> write the fact. Watches and the log shipper only put keys in. What a step does: run_step.c, run_logs.c,
 * virtual_cluster_step.c; the clusters: feed.c. */
#include "jobs/reconciler.h"
#include "base/arena.h"
#include "base/log.h"
#include "jobs/reconciler_internal.h"
#include "store/virtual_cluster.h"
#include <stdlib.h>

#define RETRY_MAX_MS 60000
#define CHECK_TIMEOUT_MS 5000

struct instant reconciler_now(const struct reconciler *r)
{
    const struct reconciler_clock *clock = r->options.clock;
    return clock ? clock->now(clock->ctx) : instant_now();
}

int64_t reconciler_monotonic_ms(const struct reconciler *r)
{
    const struct reconciler_clock *clock = r->options.clock;
    return clock ? clock->monotonic_ms(clock->ctx) : monotonic_ms();
}

/* ---- steps ---- */

static struct slice virtual_cluster_key(struct arena *arena, struct slice id)
{
    return slice_fmt(arena, VIRTUAL_CLUSTER_KEY "%.*s", SLICE_ARG(id));
}

static struct err *add_terminating(struct reconciler *r, struct arena *arena)
{
    const struct slice terminating = S("TERMINATING");
    struct virtual_cluster_filter filter = {.states = &terminating, .state_count = 1, .limit = 100000};
    struct virtual_cluster_page page;
    TRY(store_virtual_cluster_list(r->options.store, arena, &filter, &page));
    for (size_t i = 0; i < page.count; i++)
        work_queue_add_absent(r->queue, virtual_cluster_key(arena, page.rows[i].id), reconciler_monotonic_ms(r));
    return NULL;
}

static struct err *add_open(struct reconciler *r, struct arena *arena)
{
    struct open_run *runs;
    size_t count;
    TRY(store_job_run_list_open(r->options.store, arena, &runs, &count));
    for (size_t i = 0; i < count; i++)
        work_queue_add_absent(r->queue, runs[i].id, reconciler_monotonic_ms(r));
    return NULL;
}

/* Longer and longer, by how long it has been tried, not by how often: no state to keep. */
static int64_t retry_ms(const struct step *s)
{
    int64_t tried_ms = s->failing_since.ms ? (s->now.ms - s->failing_since.ms) / 8 : RETRY_MIN_MS;
    return tried_ms < RETRY_MIN_MS ? RETRY_MIN_MS : tried_ms > RETRY_MAX_MS ? RETRY_MAX_MS : tried_ms;
}

/* Of every open run and every virtual cluster that is to end somebody is told: when it was written down, and at the start. But what was
 * written down may have had its answer lost, and then nobody was. */
static struct err *sweep(struct step *s)
{
    struct reconciler *r = s->reconciler;
    TRY(add_terminating(r, s->arena));
    return add_open(r, s->arena);
}

static struct err *step_of(struct step *s, struct slice key)
{
    const struct slice cluster_prefix = S(VIRTUAL_CLUSTER_KEY);
    if (slice_eq(key, S(SWEEP_KEY)))
        return sweep(s);
    return slice_starts_with(key, cluster_prefix) ? step_virtual_cluster(s, slice_from(key, cluster_prefix.len)) : step_run(s, key);
}

static void step_key(struct reconciler *r, struct slice key)
{
    struct step s = {.reconciler = r, .arena = arena_new(), .now = reconciler_now(r)};
    int64_t began_us = monotonic_us();
    struct err *e = step_of(&s, key);
    int64_t now_ms = reconciler_monotonic_ms(r), latest = now_ms + LOOK_AGAIN_MS;
    int64_t again = s.over ? now_ms : s.again_ms ? s.again_ms : s.done ? 0 : latest;
    if (e) {
        log_event(RECONCILE_FAILED, LOG_SLICE("jobRunId", key), LOG_ERR(e));
        atomic_fetch_add_explicit(&r->step_failures, 1, memory_order_relaxed);
        again = now_ms + retry_ms(&s);
        err_free(e);
    }
    if (!s.done && again > latest)
        again = latest;
    arena_free(s.arena);
    histogram_add(&r->steps, monotonic_us() - began_us);
    work_queue_done(r->queue, key, again);
}

void reconciler_get_stats(struct reconciler *r, struct reconciler_stats *ret_stats)
{
    *ret_stats = (struct reconciler_stats){.steps = &r->steps, .step_failures = atomic_load(&r->step_failures)};
    work_queue_count(r->queue, reconciler_monotonic_ms(r), &ret_stats->waiting, &ret_stats->due);
}

static void *work(void *arg)
{
    struct reconciler *r = arg;
    pthread_setname_np(pthread_self(), "reconciler");
    struct slice key;
    while (work_queue_take(r->queue, &key))
        step_key(r, key);
    return NULL;
}

bool reconciler_step(struct reconciler *r)
{
    struct slice key;
    if (!work_queue_poll(r->queue, reconciler_monotonic_ms(r), &key))
        return false;
    step_key(r, key);
    return true;
}

bool reconciler_next_due(struct reconciler *r, int64_t *ret_due_ms)
{
    return work_queue_next_due(r->queue, ret_due_ms);
}

/* ---- start, stop ---- */

static void logs_changed(void *ctx, struct slice job_run_id)
{
    reconciler_nudge(ctx, job_run_id);
}

static struct err *start_workers(struct reconciler *r)
{
    size_t wanted = r->options.workers == RECONCILER_STEPPED ? 0 : WORKER_COUNT;
    while (r->worker_count < wanted) {
        int result = pthread_create(&r->workers[r->worker_count], NULL, work, r);
        if (result)
            return err_errno(result, "starting a reconciler");
        r->worker_count++;
    }
    return NULL;
}

struct err *reconciler_start(const struct reconciler_options *options, struct reconciler **ret_reconciler)
{
    struct reconciler *r = xcalloc(1, sizeof(*r));
    r->options = *options;
    r->started_at = reconciler_now(r);
    r->queue = work_queue_new();
    r->observations = observations_new();
    r->feeds = feeds_new(r);
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
        e = add_terminating(r, arena);
    if (!e)
        e = add_open(r, arena);
    if (!e)
        e = start_workers(r);
    if (e) {
        reconciler_stop(r);
        return e;
    }
    work_queue_add(r->queue, S(SWEEP_KEY), reconciler_monotonic_ms(r) + LOOK_AGAIN_MS);
    *ret_reconciler = r;
    return NULL;
}

void reconciler_stop(struct reconciler *r)
{
    if (!r)
        return;
    work_queue_stop(r->queue);
    logship_interrupt(r->logship); /* a worker may be in logship_check */
    feeds_interrupt(r->feeds);     /* or in a call to a cluster */
    for (size_t i = 0; i < r->worker_count; i++)
        pthread_join(r->workers[i], NULL);
    feeds_free(r->feeds);
    logship_stop(r->logship);
    observations_free(r->observations);
    work_queue_free(r->queue);
    free(r);
}

/* ---- doors ---- */

void reconciler_nudge(struct reconciler *r, struct slice job_run_id)
{
    work_queue_add(r->queue, job_run_id, reconciler_monotonic_ms(r));
}

void reconciler_nudge_virtual_cluster(struct reconciler *r, struct slice virtual_cluster_id)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    reconciler_nudge(r, virtual_cluster_key(arena, virtual_cluster_id));
}

void reconciler_nudge_queues(struct reconciler *r)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice *heads;
    size_t count;
    struct err *e = store_job_queue_heads(r->options.store, arena, &heads, &count);
    if (e) { /* each is looked at once a minute in any case */
        log_event(RECONCILER_TROUBLE, LOG_ERR(e));
        err_free(e);
        return;
    }
    for (size_t i = 0; i < count; i++)
        reconciler_nudge(r, heads[i]);
}

struct err *reconciler_check_namespace(struct reconciler *r, struct slice cluster, struct slice namespace_)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct feed *feed;
    struct err *e = feed_get(r->feeds, arena, cluster, &feed);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return err_code(ERR_NOT_FOUND, "Cluster", "no cluster %.*s", SLICE_ARG(cluster));
    }
    if (e)
        return e;
    struct json *ignored;
    e = k8s_get_within(feed->is.client, arena, slice_fmt(arena, "/api/v1/namespaces/%.*s", SLICE_ARG(namespace_)), CHECK_TIMEOUT_MS, &ignored);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return err_code(ERR_NOT_FOUND, "Namespace", "no namespace %.*s", SLICE_ARG(namespace_));
    }
    return e;
}
