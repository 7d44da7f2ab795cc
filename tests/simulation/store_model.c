/* The store's rows in memory, by the contracts of store/job_run.h, job_queue.h, virtual_cluster.h and access_key.h. The linker gives these
 * functions to everybody who calls store_…; with sim.store the real ones are called as well and have to give the same answers. */
#include "simulation/sim.h"
#include "store/access_key.h"
#include <stdio.h>
#include <string.h>

#define CANCEL_MAX_MS (12 * MINUTE) /* however long pods are held, when the cluster answers: a grace, the force, the logs */
#define RETRY_MAX_MS (12 * MINUTE)  /* as long, or a back-off */
#define WRAPPED(name) __wrap_##name
#define DIGITS "0123456789abcdefghijklmnopqrstuv"

/* clang-format off */
#define REAL(result, name, ...) result __real_##name(__VA_ARGS__); result __wrap_##name(__VA_ARGS__)
REAL(struct err *, store_job_run_insert, struct store *, struct arena *, const struct job_run *, struct slice, struct slice, struct slice, struct slice *);
REAL(struct err *, store_job_run_get, struct store *, struct arena *, struct slice, struct job_run *);
REAL(struct err *, store_job_run_change, struct store *, const struct job_run_change *, bool *);
REAL(struct err *, store_job_run_retry, struct store *, const struct job_run_change *, bool *);
REAL(struct err *, store_job_run_list_open, struct store *, struct arena *, struct open_run **, size_t *);
REAL(struct err *, store_job_run_list_live, struct store *, struct arena *, struct slice, struct slice **, size_t *);
REAL(struct err *, store_job_queue_look, struct store *, const struct queue_wish *, struct queue_look *);
REAL(struct err *, store_job_queue_leave, struct store *, const struct queue_wish *, struct instant, struct queue_look *);
REAL(struct err *, store_job_queue_heads, struct store *, struct arena *, struct slice **, size_t *);
REAL(struct err *, store_virtual_cluster_insert, struct store *, struct arena *, const struct virtual_cluster *, struct slice, struct slice, struct slice, struct slice *);
REAL(struct err *, store_virtual_cluster_get, struct store *, struct arena *, struct slice, struct virtual_cluster *);
REAL(struct err *, store_virtual_cluster_move, struct store *, struct slice, struct slice, struct slice, bool *);
REAL(struct err *, store_virtual_cluster_update, struct store *, struct arena *, struct slice, const struct virtual_cluster_limits *, struct slice, struct slice, struct instant);
REAL(struct err *, store_virtual_cluster_list, struct store *, struct arena *, const struct virtual_cluster_filter *, struct virtual_cluster_page *);
REAL(struct err *, store_access_key_ensure, struct store *, struct arena *, struct slice, struct slice, struct slice, struct access_key *);
/* clang-format on */

int sim_run_of(struct slice id)
{
    for (int i = 0; i < sim.run_count; i++) {
        if (slice_eq(sim.runs[i].row.id, id))
            return i;
    }
    return -1;
}

static int vc_of(struct slice id)
{
    for (int i = 0; i < sim.vc_count; i++) {
        if (slice_eq(sim.vcs[i].row.id, id))
            return i;
    }
    return -1;
}

static struct err *store_error(void)
{
    return sim_one_in(2) ? err_new(ERR_INTERNAL, "disk I/O error") : err_new(ERR_LIMIT, "no space left on device");
}

/* A transaction: it is whole or not at all, but its answer may be lost. */
static enum fate transaction(const char *what, int run)
{
    enum fate fate = sim_call(what, run);
    if (fate == FATE_DONE && sim.faults && sim_one_in(sim.odds.store_fails)) {
        sim_trace("the store fails", NULL, run, 0);
        return sim_one_in(3) ? FATE_LOST : FATE_NOT;
    }
    return fate;
}

static struct err *after(enum fate fate)
{
    if (fate != FATE_DONE)
        return store_error();
    sim_between();
    return NULL;
}

static struct err *reading(const char *what, int run)
{
    return transaction(what, run) == FATE_DONE ? NULL : store_error();
}

/* The real store's answer to what the model has answered. */
static void must(int run, struct err *e, const char *what)
{
    if (e)
        sim_fail(run, "the real store does not do what the model does in %s: %s", what, e->message);
}

static void same(int run, bool equal, const char *what)
{
    if (!equal)
        sim_fail(run, "the real store and the model differ in %s", what);
}

/* ---- invariants of rows ---- */

static bool is_live(const struct sim_run *r)
{
    return !job_run_state_is_final(r->state);
}

static bool is_queued(const struct sim_run *r)
{
    return r->state == JOB_RUN_PENDING && !r->row.launch_started_at.ms;
}

static bool is_under_way(const struct sim_run *r)
{
    return is_live(r) && r->row.launch_started_at.ms;
}

static void check_edge(int run, const struct job_run_change *h, enum job_run_event *ret_event, enum job_run_state *ret_to)
{
    struct sim_run *r = &sim.runs[run];
    enum job_run_state to, expected;
    int event = 0;
    while (event < JOB_RUN_EVENT_COUNT && !slice_eq(job_run_event_name((enum job_run_event)event), h->event))
        event++;
    if (event == JOB_RUN_EVENT_COUNT || !job_run_state_parse(h->to, &to))
        sim_fail(run, "unknown event or state: %.*s to %.*s", SLICE_ARG(h->event), SLICE_ARG(h->to));
    if (!job_run_state_next(r->state, (enum job_run_event)event, &expected) || expected != to)
        sim_fail(run, "no edge from %.*s by %.*s to %.*s", SLICE_ARG(r->row.state), SLICE_ARG(h->event), SLICE_ARG(h->to));
    *ret_event = (enum job_run_event)event;
    *ret_to = to;
}

/* Nothing but what pods, logs and the store do holds anybody up. */
static bool is_quick_world(void)
{
    const struct odds *o = &sim.odds;
    return !o->outages && !o->crashes && !o->unavailable && !o->lost_answer && !o->denied && !o->slow && !o->gone && !o->replaced && !o->reached_anew;
}

static void check_final(int run, enum job_run_state to, enum job_run_event event)
{
    struct sim_run *r = &sim.runs[run];
    if (to == JOB_RUN_COMPLETED && !r->exited_0)
        sim_fail(run, "COMPLETED, but no driver of it has ended with 0");
    if (r->cancelled_at && to != JOB_RUN_CANCELLED)
        sim_fail(run, "cancelled, but it ends as %.*s", SLICE_ARG(job_run_state_name(to)));
    if (!r->cancelled_at && to == JOB_RUN_CANCELLED)
        sim_fail(run, "CANCELLED, but nobody has asked");
    if (event == JOB_RUN_EVENT_STOPPED)
        kube_check_stopped(run);
    if (event == JOB_RUN_EVENT_STOPPED && is_quick_world() && sim.now - r->cancelled_ms > CANCEL_MAX_MS)
        sim_fail(run, "it took %lld s to be CANCELLED", (long long)(sim.now - r->cancelled_ms) / SECOND);
    if (to == JOB_RUN_COMPLETED || event == JOB_RUN_EVENT_BROKE) {
        if (!logs_are_settled(run))
            sim_fail(run, "final before its logs are whole");
        if (to == JOB_RUN_COMPLETED)
            kube_check_created_logs(run);
    }
}

static void add_event(int run, const struct sim_event *event)
{
    struct sim_run *r = &sim.runs[run];
    if (r->event_count == ARRAY_SIZE(r->events))
        sim_fail(run, "too many events");
    r->events[r->event_count++] = *event;
    sim_trace("event", event->start ? "START" : job_run_event_name(event->event).ptr, run, event->attempt);
}

/* ---- job runs ---- */

static void id_write(char *id, uint64_t value)
{
    for (int i = ID_LENGTH - 1; i >= 0; i--) {
        id[i] = DIGITS[value & 31];
        value >>= 5;
    }
}

static uint64_t id_value(struct slice id)
{
    uint64_t value = 0;
    for (size_t i = 0; i < id.len; i++)
        value = value << 5 | (uint64_t)(strchr(DIGITS, id.ptr[i]) - DIGITS);
    return value;
}

static int64_t in_queue(int vc)
{
    int64_t count = 0;
    for (int i = 0; i < sim.run_count; i++)
        count += sim.runs[i].vc == vc && (sim.runs[i].state == JOB_RUN_PENDING || sim.runs[i].state == JOB_RUN_SUBMITTED);
    return count;
}

static struct err *insert(const struct job_run *row, struct slice token, struct slice *ret_id)
{
    for (int i = 0; i < sim.run_count; i++) {
        if (slice_eq(sim.runs[i].token, token)) {
            *ret_id = sim.runs[i].row.id;
            return NULL;
        }
    }
    int vc = vc_of(row->virtual_cluster_id);
    if (!slice_eq(sim.vcs[vc].row.state, S("RUNNING")))
        return err_code(ERR_CONFLICT, "VirtualClusterState", "%.*s", SLICE_ARG(sim.vcs[vc].row.state));
    int64_t most = sim.vcs[vc].row.max_in_queue_job_runs;
    if (most && in_queue(vc) >= most)
        return err_code(ERR_LIMIT, "QueueFull", "full");
    struct slice id = row->id, last = sim.run_count ? sim.runs[sim.run_count - 1].row.id : SLICE_NONE;
    if (last.ptr && slice_cmp(id, last) <= 0) {
        char *later = arena_alloc(sim.arena, ID_LENGTH + 1);
        id_write(later, ((id_value(last) >> 16) + 1) << 16 | (id_value(id) & 0x7fff));
        id = slice_of(later, ID_LENGTH);
    }
    int run = sim.run_count++;
    struct sim_run *r = &sim.runs[run];
    r->row = *row;
    r->row.id = id;
    r->row.attempt = 1;
    r->row.cluster = sim.vcs[vc].row.cluster;
    r->row.namespace_ = sim.vcs[vc].row.namespace_;
    r->token = token;
    r->vc = vc;
    r->state = JOB_RUN_PENDING;
    add_event(run, &(struct sim_event){.at = row->created_at.ms, .to = JOB_RUN_PENDING, .attempt = 1, .start = true});
    *ret_id = id;
    return NULL;
}

struct err *WRAPPED(store_job_run_insert)(struct store *store, struct arena *arena, const struct job_run *row, struct slice resource_arn, struct slice token,
                                          struct slice request_sha256, struct slice *ret_id)
{
    struct slice real_id;
    enum fate fate = transaction("insert", -1);
    if (fate == FATE_NOT)
        return store_error();
    struct err *e = insert(row, token, ret_id);
    if (sim.store) {
        struct err *real = __real_store_job_run_insert(sim.store, sim.arena, row, resource_arn, token, request_sha256, &real_id);
        same(-1, !real == !e && (e || slice_eq(real_id, *ret_id)), "insert");
        err_free(real);
    }
    if (e)
        return e;
    return after(fate);
}

static bool equal_rows(const struct job_run *a, const struct job_run *b)
{
    return slice_eq(a->id, b->id) && slice_eq(a->state, b->state) && a->attempt == b->attempt && slice_eq(a->outcome, b->outcome) &&
           slice_eq(a->state_details, b->state_details) && slice_eq(a->failure_reason, b->failure_reason) && a->finished_at.ms == b->finished_at.ms &&
           a->launch_started_at.ms == b->launch_started_at.ms && a->driver_created_at.ms == b->driver_created_at.ms &&
           a->driver_started_at.ms == b->driver_started_at.ms && a->outcome_at.ms == b->outcome_at.ms && a->reaped == b->reaped &&
           slice_eq(a->driver_uid, b->driver_uid) && slice_eq(a->cluster, b->cluster) && slice_eq(a->virtual_cluster_id, b->virtual_cluster_id) && a->retry_max_attempts == b->retry_max_attempts;
}

void sim_compare_stores(int run)
{
    struct job_run real;
    struct job_run_event_row *rows;
    size_t count;
    struct sim_run *r = &sim.runs[run];
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    must(run, __real_store_job_run_get(sim.store, arena, r->row.id, &real), "get");
    same(run, equal_rows(&real, &r->row), "a row");
    must(run, store_job_run_events(sim.store, arena, r->row.id, &rows, &count), "events");
    same(run, count == r->event_count, "the number of events");
    for (size_t i = 0; i < count; i++) {
        const struct sim_event *e = &r->events[i];
        same(run, slice_eq(rows[i].event, e->start ? S("START") : job_run_event_name(e->event)) && slice_eq(rows[i].to, job_run_state_name(e->to)) &&
                      rows[i].at.ms == e->at && rows[i].attempt == e->attempt,
             "an event");
    }
}

struct err *WRAPPED(store_job_run_get)(struct store *store, struct arena *arena, struct slice id, struct job_run *ret_row)
{
    int run = sim_run_of(id);
    TRY(reading("get", run));
    if (run < 0)
        return err_new(ERR_NOT_FOUND, "no job run");
    if (!sim.in_user)
        sim.runs[run].read_at = ++sim.operation;
    *ret_row = sim.runs[run].row;
    if (sim.store) {
        struct job_run real;
        must(run, __real_store_job_run_get(sim.store, sim.arena, id, &real), "get");
        same(run, equal_rows(&real, ret_row), "a row");
    }
    return NULL;
}

static struct slice keep(struct slice old, struct slice fresh)
{
    return fresh.ptr ? slice_dup(sim.arena, fresh) : old;
}

static void keep_instant(struct instant *old, struct instant fresh)
{
    if (fresh.ms)
        *old = fresh;
}

static bool change(int run, const struct job_run_change *h)
{
    struct sim_run *r = &sim.runs[run];
    if (!slice_eq(r->row.state, h->from) || (h->attempt && h->attempt != r->row.attempt))
        return false;
    enum job_run_state to = r->state;
    enum job_run_event event = JOB_RUN_EVENT_COUNT;
    if (job_run_state_is_final(r->state) && (h->to.ptr || h->outcome.ptr || h->failure_reason.ptr || h->state_details.ptr || h->finished_at.ms))
        sim_fail(run, "a final state is changed");
    if (h->to.ptr) {
        check_edge(run, h, &event, &to);
        if (job_run_state_is_final(to))
            check_final(run, to, event);
        if (job_run_state_is_final(to) != (h->finished_at.ms != 0))
            sim_fail(run, "finished_at does not go with the final state");
    }
    if (h->launch_started_at.ms)
        sim_fail(run, "launched past the queue");
    const struct slice again = S("\"retryable\":true"); /* between two attempts: their cluster may be lost */
    if (h->outcome.ptr && r->row.outcome.ptr && (slice_find(r->row.outcome, again) < 0 || slice_find(h->outcome, again) >= 0))
        sim_fail(run, "an outcome is recorded twice");
    if (event == JOB_RUN_EVENT_LAUNCHED && r->row.driver_created_at.ms)
        sim_fail(run, "launched twice");
    if (event == JOB_RUN_EVENT_CANCEL_ASKED) {
        r->cancelled_at = ++sim.operation;
        r->cancelled_ms = sim.now;
        r->cancelled_queued = !r->row.launch_started_at.ms;
    }
    r->state = to;
    r->row.state = job_run_state_name(to);
    r->row.failure_reason = keep(r->row.failure_reason, h->failure_reason);
    r->row.state_details = keep(r->row.state_details, h->state_details);
    r->row.outcome = keep(r->row.outcome, h->outcome);
    r->row.driver_uid = keep(r->row.driver_uid, h->driver_uid);
    keep_instant(&r->row.finished_at, h->finished_at);
    keep_instant(&r->row.driver_created_at, h->driver_created_at);
    keep_instant(&r->row.driver_started_at, h->driver_started_at);
    keep_instant(&r->row.outcome_at, h->outcome_at);
    r->row.start_timeout_s = h->start_timeout_s ? h->start_timeout_s : r->row.start_timeout_s;
    if (h->to.ptr)
        add_event(run, &(struct sim_event){.at = h->at.ms, .event = event, .to = to, .attempt = r->row.attempt});
    if (h->reaped) {
        r->row.reaped = true;
        if (!job_run_state_is_final(to))
            sim_fail(run, "reaped before it has ended");
        kube_check_reaped(run);
        logs_check_reaped(run);
        r->has_key = false;
        sim_trace("reaped", NULL, run, 0);
    }
    return true;
}

struct err *WRAPPED(store_job_run_change)(struct store *store, const struct job_run_change *what, bool *ret_changed)
{
    bool real;
    int run = sim_run_of(what->id);
    enum fate fate = transaction("change", run);
    if (fate == FATE_NOT)
        return store_error();
    *ret_changed = change(run, what);
    if (sim.store) {
        must(run, __real_store_job_run_change(sim.store, what, &real), "change");
        same(run, real == *ret_changed, "a change");
    }
    return after(fate);
}

static bool retry(int run, const struct job_run_change *h)
{
    struct sim_run *r = &sim.runs[run];
    enum job_run_state to;
    enum job_run_event event;
    if (!slice_eq(r->row.state, h->from) || h->attempt != r->row.attempt)
        return false;
    check_edge(run, h, &event, &to);
    if (event != JOB_RUN_EVENT_RETRIED)
        sim_fail(run, "another attempt by %.*s", SLICE_ARG(h->event));
    if (!r->row.outcome.ptr)
        sim_fail(run, "another attempt before the end of this one is recorded");
    if (r->row.attempt >= r->row.retry_max_attempts)
        sim_fail(run, "more attempts than the policy has");
    if (r->exited_0 && slice_find(r->row.outcome, S("\"succeeded\":true")) >= 0)
        sim_fail(run, "another attempt after a success");
    if (is_quick_world() && sim.now - r->row.outcome_at.ms > RETRY_MAX_MS)
        sim_fail(run, "another attempt only after %lld s", (long long)(sim.now - r->row.outcome_at.ms) / SECOND);
    r->row.attempt++;
    r->row.launch_started_at = h->at;
    r->row.state_details = slice_dup(sim.arena, h->state_details);
    r->row.outcome = r->row.driver_uid = SLICE_NONE;
    r->row.outcome_at = r->row.driver_created_at = r->row.driver_started_at = (struct instant){0};
    r->state = to;
    r->row.state = job_run_state_name(to);
    add_event(run, &(struct sim_event){.at = h->at.ms, .event = event, .to = to, .attempt = r->row.attempt});
    return true;
}

struct err *WRAPPED(store_job_run_retry)(struct store *store, const struct job_run_change *what, bool *ret_changed)
{
    bool real;
    int run = sim_run_of(what->id);
    enum fate fate = transaction("retry", run);
    if (fate == FATE_NOT)
        return store_error();
    *ret_changed = retry(run, what);
    if (sim.store) {
        must(run, __real_store_job_run_retry(sim.store, what, &real), "retry");
        same(run, real == *ret_changed, "a retry");
    }
    return after(fate);
}

struct err *WRAPPED(store_job_run_list_open)(struct store *store, struct arena *arena, struct open_run **ret_runs, size_t *ret_count)
{
    TRY(reading("list open runs", -1));
    struct open_run *runs = ARENA_ARRAY(arena, RUNS_MAX, struct open_run), *real;
    size_t count = 0, real_count;
    for (int i = 0; i < sim.run_count; i++) {
        if (!sim.runs[i].row.reaped)
            runs[count++] = (struct open_run){.id = sim.runs[i].row.id, .cluster = sim.runs[i].row.cluster};
    }
    if (sim.store) {
        must(-1, __real_store_job_run_list_open(sim.store, arena, &real, &real_count), "open runs");
        same(-1, real_count == count, "open runs");
    }
    *ret_runs = runs;
    *ret_count = count;
    return NULL;
}

struct err *WRAPPED(store_job_run_list_live)(struct store *store, struct arena *arena, struct slice virtual_cluster_id, struct slice **ret_ids, size_t *ret_count)
{
    TRY(reading("list live runs", -1));
    struct slice *ids = ARENA_ARRAY(arena, RUNS_MAX, struct slice), *real;
    size_t count = 0, real_count;
    for (int i = 0; i < sim.run_count; i++) {
        if (is_live(&sim.runs[i]) && slice_eq(sim.runs[i].row.virtual_cluster_id, virtual_cluster_id))
            ids[count++] = sim.runs[i].row.id;
    }
    if (sim.store) {
        must(-1, __real_store_job_run_list_live(sim.store, arena, virtual_cluster_id, &real, &real_count), "live runs");
        same(-1, real_count == count, "live runs");
    }
    *ret_ids = ids;
    *ret_count = count;
    return NULL;
}

/* ---- the queue ---- */

static struct queue_look look(int run, const struct queue_wish *wish)
{
    struct sim_run *r = &sim.runs[run];
    struct queue_look look = {.verdict = QUEUE_LEFT};
    if (!is_queued(r))
        return look;
    look.verdict = QUEUE_FREE;
    look.waits_for_room = r->waits_for_room;
    for (int i = 0; i < run; i++) {
        if (sim.runs[i].vc == r->vc && is_queued(&sim.runs[i]))
            look.verdict = QUEUE_BEHIND;
    }
    if (look.verdict == QUEUE_BEHIND)
        return look;
    int64_t limit = sim.vcs[r->vc].row.max_concurrent_job_runs;
    look.max_concurrent = limit ? limit : QUEUE_CONCURRENT_DEFAULT;
    for (int i = 0; i < sim.run_count; i++)
        look.under_way += sim.runs[i].vc == r->vc && is_under_way(&sim.runs[i]);
    if (look.under_way >= look.max_concurrent) {
        look.verdict = QUEUE_FULL;
        return look;
    }
    if (!wish->room.memory_bytes)
        return look;
    for (int i = 0; i < sim.run_count; i++) {
        if (is_under_way(&sim.runs[i])) {
            look.used.memory_bytes += sim.runs[i].ask.memory_bytes;
            look.used.cpu_millis += sim.runs[i].ask.cpu_millis;
        }
    }
    if (look.used.memory_bytes + wish->ask.memory_bytes > wish->room.memory_bytes || look.used.cpu_millis + wish->ask.cpu_millis > wish->room.cpu_millis) {
        look.verdict = QUEUE_NO_ROOM;
        return look;
    }
    for (int i = 0; i < run; i++) {
        if (is_queued(&sim.runs[i]) && sim.runs[i].waits_for_room)
            look.verdict = QUEUE_ROOM_TAKEN;
    }
    return look;
}

static bool equal_looks(const struct queue_look *a, const struct queue_look *b)
{
    return a->verdict == b->verdict && a->under_way == b->under_way && a->max_concurrent == b->max_concurrent && a->waits_for_room == b->waits_for_room &&
           a->used.memory_bytes == b->used.memory_bytes && a->used.cpu_millis == b->used.cpu_millis;
}

struct err *WRAPPED(store_job_queue_look)(struct store *store, const struct queue_wish *wish, struct queue_look *ret_look)
{
    int run = sim_run_of(wish->id);
    TRY(reading("look at the queue", run));
    *ret_look = look(run, wish);
    if (sim.store) {
        struct queue_look real;
        must(run, __real_store_job_queue_look(sim.store, wish, &real), "a look at the queue");
        same(run, equal_looks(&real, ret_look), "a look at the queue");
    }
    return NULL;
}

struct err *WRAPPED(store_job_queue_leave)(struct store *store, const struct queue_wish *wish, struct instant at, struct queue_look *ret_look)
{
    int run = sim_run_of(wish->id);
    struct sim_run *r = &sim.runs[run];
    enum fate fate = transaction("leave the queue", run);
    if (fate == FATE_NOT)
        return store_error();
    *ret_look = look(run, wish);
    if (sim.store) {
        struct queue_look real;
        must(run, __real_store_job_queue_leave(sim.store, wish, at, &real), "leaving the queue");
        same(run, equal_looks(&real, ret_look), "leaving the queue");
    }
    bool for_room = ret_look->verdict == QUEUE_NO_ROOM || ret_look->verdict == QUEUE_ROOM_TAKEN;
    if (ret_look->verdict == QUEUE_FREE) {
        r->row.launch_started_at = at;
        r->ask = wish->ask;
        sim_trace("has left the queue", NULL, run, 0);
    }
    if (ret_look->verdict != QUEUE_LEFT)
        r->waits_for_room = for_room;
    return after(fate);
}

struct err *WRAPPED(store_job_queue_heads)(struct store *store, struct arena *arena, struct slice **ret_ids, size_t *ret_count)
{
    TRY(reading("heads of queues", -1));
    struct slice *ids = ARENA_ARRAY(arena, VCS_MAX, struct slice), *real;
    size_t count = 0, real_count;
    bool seen[VCS_MAX] = {0};
    for (int i = 0; i < sim.run_count; i++) {
        if (is_queued(&sim.runs[i]) && !seen[sim.runs[i].vc]) {
            seen[sim.runs[i].vc] = true;
            ids[count++] = sim.runs[i].row.id;
        }
    }
    if (sim.store) {
        must(-1, __real_store_job_queue_heads(sim.store, arena, &real, &real_count), "heads of queues");
        same(-1, real_count == count, "heads of queues");
        for (size_t i = 0; i < count; i++)
            same(-1, slice_eq(real[i], ids[i]), "heads of queues");
    }
    *ret_ids = ids;
    *ret_count = count;
    return NULL;
}

/* ---- virtual clusters ---- */

struct err *WRAPPED(store_virtual_cluster_insert)(struct store *store, struct arena *arena, const struct virtual_cluster *row, struct slice resource_arn,
                                                  struct slice token, struct slice request_sha256, struct slice *ret_id)
{
    *ret_id = row->id;
    sim.vcs[sim.vc_count++].row = *row;
    if (sim.store)
        must(-1, __real_store_virtual_cluster_insert(sim.store, arena, row, resource_arn, token, request_sha256, ret_id), "a virtual cluster");
    return NULL;
}

struct err *WRAPPED(store_virtual_cluster_get)(struct store *store, struct arena *arena, struct slice id, struct virtual_cluster *ret_row)
{
    sim.in_user = true; /* what its step reads of runs is for cancels, as with users; until the step's end */
    TRY(reading("get a virtual cluster", -1));
    *ret_row = sim.vcs[vc_of(id)].row;
    return NULL;
}

struct err *WRAPPED(store_virtual_cluster_move)(struct store *store, struct slice id, struct slice from, struct slice to, bool *ret_changed)
{
    int vc = vc_of(id);
    bool real;
    enum fate fate = transaction("move a virtual cluster", -1);
    if (fate == FATE_NOT)
        return store_error();
    *ret_changed = slice_eq(sim.vcs[vc].row.state, from);
    if (*ret_changed && slice_eq(to, S("TERMINATED"))) {
        for (int i = 0; i < sim.run_count; i++) {
            if (sim.runs[i].vc == vc && is_live(&sim.runs[i]))
                sim_fail(i, "its virtual cluster is TERMINATED and it lives");
        }
    }
    if (*ret_changed) {
        sim.vcs[vc].row.state = slice_dup(sim.arena, to);
        sim_trace("virtual cluster", sim.vcs[vc].row.state.ptr, -1, vc);
    }
    if (sim.store) {
        must(-1, __real_store_virtual_cluster_move(sim.store, id, from, to, &real), "a virtual cluster's move");
        same(-1, real == *ret_changed, "a virtual cluster's move");
    }
    return after(fate);
}

struct err *WRAPPED(store_virtual_cluster_update)(struct store *store, struct arena *arena, struct slice id, const struct virtual_cluster_limits *limits,
                                                  struct slice token, struct slice request_sha256, struct instant now)
{
    struct virtual_cluster *row = &sim.vcs[vc_of(id)].row;
    enum fate fate = transaction("update limits", -1);
    if (fate == FATE_NOT)
        return store_error();
    bool conflict = !slice_eq(row->state, S("RUNNING"));
    if (sim.store) {
        struct err *real = __real_store_virtual_cluster_update(sim.store, arena, id, limits, token, request_sha256, now);
        same(-1, (real != NULL) == conflict, "new limits");
        err_free(real);
    }
    if (conflict)
        return err_new(ERR_CONFLICT, "it is not RUNNING");
    row->max_concurrent_job_runs = limits->max_concurrent_job_runs;
    row->max_in_queue_job_runs = limits->max_in_queue_job_runs;
    return after(fate);
}

struct err *WRAPPED(store_virtual_cluster_list)(struct store *store, struct arena *arena, const struct virtual_cluster_filter *filter,
                                                struct virtual_cluster_page *ret_page)
{
    TRY(reading("list virtual clusters", -1));
    *ret_page = (struct virtual_cluster_page){.rows = ARENA_ARRAY(arena, VCS_MAX, struct virtual_cluster)};
    for (int i = 0; i < sim.vc_count; i++) {
        if (slice_is_one_of(sim.vcs[i].row.state, filter->states, filter->state_count))
            ret_page->rows[ret_page->count++] = sim.vcs[i].row;
    }
    return NULL;
}

struct err *WRAPPED(store_access_key_ensure)(struct store *store, struct arena *arena, struct slice job_run_id, struct slice principal_arn, struct slice user_id,
                                             struct access_key *ret_key)
{
    int run = sim_run_of(job_run_id);
    enum fate fate = transaction("ensure the key", run);
    if (fate == FATE_NOT)
        return store_error();
    if (sim.runs[run].row.reaped)
        sim_fail(run, "a key is made for a run that is reaped");
    sim.runs[run].has_key = true;
    if (sim.store)
        must(run, __real_store_access_key_ensure(sim.store, arena, job_run_id, principal_arn, user_id, ret_key), "a key");
    *ret_key = (struct access_key){.access_key_id = S("ASIA"), .secret = S("s"), .session_token = S("t"), .job_run_id = job_run_id};
    return after(fate);
}

/* ---- users ---- */

struct err *sim_start_run(int vc, int same_as)
{
    if (same_as < 0 && sim.run_count == RUNS_MAX)
        return NULL;
    int next = sim.run_count;
    struct job_run row = {
        .virtual_cluster_id = sim.vcs[vc].row.id,
        .name = S("n"),
        .retry_max_attempts = sim_below(4),
        .state = S("PENDING"),
        .execution_role_arn = S("arn:aws:iam::111122223333:role/j"),
        .release_label = S("emr-6.2.0-latest"),
        .job_driver = S("{}"),
        .created_by = S("arn:aws:iam::111122223333:root"),
        .created_at = {.ms = sim.now},
    };
    struct slice id, token = slice_fmt(sim.arena, "token-%d", same_as < 0 ? next : same_as);
    char *wish = arena_alloc(sim.arena, ID_LENGTH + 1);
    id_write(wish, (uint64_t)(sim.now - (sim_one_in(8) ? SECOND : 0)) << 16 | (uint64_t)sim_below(0x8000));
    row.id = slice_of(wish, ID_LENGTH);
    sim.runs[next].bad_plan = same_as < 0 && sim_one_in(40);
    sim.runs[next].start_timeout_s = 60 + sim_below(4) * 60;
    struct err *e = store_job_run_insert(sim.store, sim.arena, &row, slice_fmt(sim.arena, "arn/%.*s", SLICE_ARG(row.id)), token, S("sha"), &id);
    if (e)
        return e;
    if (same_as >= 0 && !slice_eq(id, sim.runs[same_as].row.id))
        sim_fail(same_as, "the same request made another run");
    if (!sim.dead)
        reconciler_nudge(sim.reconciler, id);
    return NULL;
}

/* ---- after each step, at the end ---- */

void store_model_check(void)
{
    for (int i = 0; i < sim.run_count; i++) {
        struct sim_run *r = &sim.runs[i];
        enum job_run_state at = JOB_RUN_PENDING;
        int64_t attempt = 1;
        for (size_t k = 1; k < r->event_count; k++) {
            enum job_run_state to;
            if (!job_run_state_next(at, r->events[k].event, &to) || to != r->events[k].to)
                sim_fail(i, "its events do not make one history");
            attempt += r->events[k].event == JOB_RUN_EVENT_RETRIED;
            if (r->events[k].attempt != attempt)
                sim_fail(i, "an event of attempt %lld, not %lld", (long long)r->events[k].attempt, (long long)attempt);
            at = to;
        }
        if (at != r->state || attempt != r->row.attempt)
            sim_fail(i, "its events do not lead to its state");
        if (attempt > 1 && attempt > r->row.retry_max_attempts)
            sim_fail(i, "more attempts than its policy has");
    }
}

void store_model_end(void)
{
    for (int i = 0; i < sim.run_count; i++) {
        if (is_live(&sim.runs[i]) || !sim.runs[i].row.reaped)
            sim_fail(i, "lost: it never ends");
        if (sim.runs[i].has_key)
            sim_fail(i, "its key is left");
        if (sim.store)
            sim_compare_stores(i);
    }
}
