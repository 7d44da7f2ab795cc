/* A seed's world: its odds, its users, what befalls it, whose turn is next; and its end: with all faults over, everything must come to
 * rest within a bounded time. */
#include "simulation/sim.h"
#include "jobs/job_run.h"
#include <stdio.h>
#include <string.h>

#define EPOCH_MS ((int64_t)1764000000 * 1000)
#define STEPS_MAX 400000
#define REST_MAX_MS (40 * HOUR)

/* ---- the daemon ---- */

static struct instant clock_now(void *ctx)
{
    return (struct instant){.ms = sim.now};
}

static int64_t clock_monotonic(void *ctx)
{
    return sim.now - EPOCH_MS + 1;
}

static const struct reconciler_clock CLOCK = {.now = clock_now, .monotonic_ms = clock_monotonic};

static void daemon_end(void)
{
    sim.no_nesting = true;
    reconciler_stop(sim.reconciler);
    sim.no_nesting = false;
    sim.reconciler = NULL;
    kube_forget_watches();
    logs_forget();
}

static void daemon_start(void)
{
    static const struct slice installed[] = {S_INIT("3.5.9")};
    sim.dead = false;
    sim.crash_in = 0;
    bool faults = sim.faults;
    sim.faults = false; /* a store that fails at the start ends the daemon: that is all there would be to see */
    sim.no_nesting = true;
    sim_trace("the daemon starts", NULL, -1, 0);
    struct err *e = reconciler_start(&(struct reconciler_options){.store = sim.store,
                                                                  .connect = kube_connect,
                                                                  .clock = &CLOCK,
                                                                  .workers = RECONCILER_STEPPED,
                                                                  .account_id = S("111122223333"),
                                                                  .region = S("us-east-1"),
                                                                  .endpoint = S("http://127.0.0.1:1"),
                                                                  .installed = installed,
                                                                  .installed_count = 1,
                                                                  .spool_dir = S("spool")},
                                     &sim.reconciler);
    if (e)
        sim_fail(-1, "the reconciler does not start: %s", e->message);
    sim.no_nesting = false;
    sim.faults = faults;
}

/* ---- users ---- */

/* Who is refused, or thinks so, tells the reconciler nothing. */
static bool is_done(const char *what, struct err *e)
{
    if (e)
        sim_trace("a user is refused", what, -1, 0);
    bool done = !e && !sim.dead;
    err_free(e);
    return done;
}

static void user_cancels(int run)
{
    sim_trace("a user cancels", NULL, run, 0);
    struct slice id = sim.runs[run].row.id;
    if (is_done("cancel", job_run_cancel(sim.store, id, S("arn:aws:iam::111122223333:root"), (struct instant){.ms = sim.now})))
        reconciler_nudge(sim.reconciler, id);
}

static void user_deletes(int vc)
{
    bool changed;
    struct virtual_cluster *row = &sim.vcs[vc].row;
    sim_trace("a user deletes virtual cluster", NULL, -1, vc);
    sim.vcs[vc].wants_end = true;
    if (slice_eq(row->state, S("TERMINATED")))
        return;
    if (is_done("delete", store_virtual_cluster_move(sim.store, row->id, row->state, S("TERMINATING"), &changed)))
        reconciler_nudge_virtual_cluster(sim.reconciler, row->id);
}

static void user_limits(int vc)
{
    struct virtual_cluster_limits limits = {.max_concurrent_job_runs = sim_below(4), .max_in_queue_job_runs = sim_one_in(4) ? 1 + sim_below(6) : 0};
    sim_trace("a user sets a limit", NULL, -1, limits.max_concurrent_job_runs);
    struct instant now = {.ms = sim.now};
    if (is_done("limits", store_virtual_cluster_update(sim.store, sim.arena, sim.vcs[vc].row.id, &limits, SLICE_NONE, SLICE_NONE, now)))
        reconciler_nudge_queues(sim.reconciler);
}

static void user_turn(void)
{
    bool before = sim.in_user;
    sim.in_user = sim.user_busy = true;
    sim.users_at = sim.now < sim.faults_end + MINUTE ? sim.now + sim_delay() : NEVER;
    int vc = (int)sim_below(sim.vc_count);
    switch (sim_below(12)) {
    case 0:
        if (sim.run_count)
            user_cancels((int)sim_below(sim.run_count));
        break;
    case 1:
        if (sim.run_count) {
            int run = sim.run_count - 1;
            user_cancels(run);
            if (sim_one_in(2) && !sim.dead)
                user_cancels(run);
        }
        break;
    case 2:
        if (sim_one_in(6))
            user_deletes(vc);
        break;
    case 3:
        user_limits(vc);
        break;
    case 4:
        if (sim.run_count) {
            int run = (int)sim_below(sim.run_count);
            (void)is_done("start", sim_start_run(sim.runs[run].vc, run));
        }
        break;
    case 5:
        if (sim.run_count) { /* somebody looks, or the service is told twice */
            reconciler_nudge(sim.reconciler, sim.runs[sim_below(sim.run_count)].row.id);
        }
        break;
    default:
        if (sim.run_count < sim.runs_wanted)
            (void)is_done("start", sim_start_run(vc, -1));
        break;
    }
    sim.in_user = before;
    sim.user_busy = false;
}

/* ---- what befalls the world ---- */

static void fault_turn(void)
{
    sim.fault_at = sim.now + 10 * SECOND + sim_delay();
    int cluster = (int)sim_below(CLUSTERS);
    if (sim_one_in(sim.odds.crashes)) {
        sim.crash_in = 1 + (int)sim_below(sim_one_in(3) ? 60 : 8);
        sim.crash_after = sim_one_in(2);
    }
    if (sim_one_in(sim.odds.outages))
        kube_outage(cluster, sim.now + (sim_one_in(4) ? 35 * MINUTE : sim_one_in(2) ? 11 * MINUTE : sim_delay()));
    if (sim_one_in(sim.odds.gone))
        kube_remove(cluster);
    if (sim_one_in(sim.odds.replaced))
        kube_replace(cluster);
    if (sim_one_in(sim.odds.reached_anew))
        kube_reconnect(cluster);
}

static void faults_end(void)
{
    sim_trace("no faults from here on", NULL, -1, 0);
    sim.faults = false;
    sim.fault_at = NEVER;
    sim.crash_in = 0;
    kube_calm();
}

/* ---- turns ---- */

enum actor { ACTOR_ENGINE, ACTOR_KUBE, ACTOR_LOGS, ACTOR_USER, ACTOR_FAULT, ACTOR_COUNT };

static void due_times(bool nested, int64_t due[ACTOR_COUNT])
{
    int64_t engine;
    due[ACTOR_ENGINE] = reconciler_next_due(sim.reconciler, &engine) ? engine + EPOCH_MS - 1 : NEVER;
    due[ACTOR_KUBE] = kube_due();
    due[ACTOR_LOGS] = logs_due();
    due[ACTOR_USER] = sim.user_busy ? NEVER : sim.users_at;
    due[ACTOR_FAULT] = nested ? NEVER : sim.fault_at;
}

static void engine_turn(void)
{
    bool user = sim.in_user;
    sim.in_user = false;
    sim.steps++;
    sim_trace("step", NULL, -1, 0);
    (void)reconciler_step(sim.reconciler);
    sim.in_user = user;
}

bool world_turn(bool nested)
{
    int64_t due[ACTOR_COUNT];
    int ready[ACTOR_COUNT], count = 0;
    due_times(nested, due);
    for (int i = 0; i < ACTOR_COUNT; i++) {
        if (due[i] <= sim.now)
            ready[count++] = i;
    }
    if (!count)
        return false;
    switch (ready[count == 1 ? 0 : sim_below(count)]) {
    case ACTOR_ENGINE:
        engine_turn();
        break;
    case ACTOR_KUBE:
        kube_turn();
        break;
    case ACTOR_LOGS:
        logs_turn();
        break;
    case ACTOR_USER:
        user_turn();
        break;
    default:
        fault_turn();
        break;
    }
    return true;
}

static bool at_rest(void)
{
    for (int i = 0; i < sim.run_count; i++) {
        if (!sim.runs[i].row.reaped)
            return false;
    }
    for (int i = 0; i < sim.vc_count; i++) {
        if (sim.vcs[i].wants_end && !slice_eq(sim.vcs[i].row.state, S("TERMINATED")))
            return false;
    }
    return kube_is_at_rest();
}

static void wait_for_turn(void)
{
    int64_t due[ACTOR_COUNT], next = NEVER;
    due_times(false, due);
    for (int i = 0; i < ACTOR_COUNT; i++)
        next = due[i] < next ? due[i] : next;
    if (next == NEVER && !at_rest())
        sim_fail(-1, "nobody waits for anything any more");
    sim.now = next != NEVER && next > sim.now ? next : sim.now;
}

static void play(void)
{
    while (sim.faults || !at_rest() || sim.users_at != NEVER) {
        if (sim.dead) {
            daemon_end();
            sim.now += sim_delay();
            daemon_start();
        }
        if (sim.faults && sim.now >= sim.faults_end)
            faults_end();
        if (!world_turn(false))
            wait_for_turn();
        store_model_check();
        /* Whoever was refused asks again. */
        for (int i = 0; i < sim.vc_count && !sim.faults && !sim.dead; i++) {
            if (sim.vcs[i].wants_end && (slice_eq(sim.vcs[i].row.state, S("ARRESTED")) || slice_eq(sim.vcs[i].row.state, S("RUNNING"))))
                user_deletes(i);
        }
        if (sim.steps > STEPS_MAX)
            sim_fail(-1, "too many steps");
        if (sim.now > sim.faults_end + REST_MAX_MS) {
            store_model_end();
            sim_fail(-1, "the world does not come to rest");
        }
    }
}

/* ---- a seed ---- */

static int64_t rate(int64_t most_often)
{
    return sim_one_in(2) ? 0 : most_often << sim_below(4);
}

static void choose_odds(void)
{
    sim.odds = (struct odds){
        .between = rate(3),
        .slow = rate(20),
        .store_fails = rate(20),
        .unavailable = rate(5),
        .lost_answer = rate(5),
        .conflict = rate(20),
        .denied = rate(20),
        .watch_breaks = rate(5),
        .watch_repeats = rate(3),
        .log_fails = rate(2),
        .check_fails = rate(10),
        .crashes = rate(1),
        .outages = rate(8),
        .gone = sim_one_in(8) ? 30 : 0,
        .replaced = sim_one_in(8) ? 30 : 0,
        .reached_anew = sim_one_in(6) ? 10 : 0,
        .vanish = rate(5),
        .stuck = rate(10),
        .held = rate(4),
        .dead_node = rate(10),
        .strangers = rate(2),
    };
}

static void make_clusters(void)
{
    sim.no_nesting = true;
    int wanted = 1 + (int)sim_below(VCS_MAX - 1);
    for (int i = 0; i < wanted; i++) {
        int cluster = (int)sim_below(CLUSTERS);
        struct slice ignored;
        struct virtual_cluster row = {
            .id = slice_fmt(sim.arena, "vc%d", i),
            .name = S("n"),
            .state = S("RUNNING"),
            .cluster = slice_fmt(sim.arena, "cluster-%d", cluster),
            .namespace_ = slice_fmt(sim.arena, "ns%d", i),
            .max_concurrent_job_runs = sim_below(4),
            .created_at = {.ms = sim.now},
        };
        err_free(store_virtual_cluster_insert(sim.store, sim.arena, &row, slice_fmt(sim.arena, "arn/vc%d", i), SLICE_NONE, SLICE_NONE, &ignored));
        sim.vcs[i].cluster = cluster;
    }
    sim.no_nesting = false;
}

void world_run(uint64_t seed, const char *store_dir)
{
    sim_trace_reset();
    sim = (struct sim){.seed = seed, .random = seed * 0x2545f4914f6cdd1du + 1, .now = EPOCH_MS, .arena = arena_new()};
    if (store_dir) {
        struct err *e = store_open(slice_fmt(sim.arena, "%s/%llu.db", store_dir, (unsigned long long)seed).ptr, &sim.store);
        if (e)
            sim_fail(-1, "the real store does not open: %s", e->message);
    }
    kube_reset();
    choose_odds();
    make_clusters();
    sim.runs_wanted = 2 + (int)sim_below(RUNS_MAX / 2 - 2);
    sim.faults_end = sim.now + 2 * MINUTE + sim_below(sim_one_in(6) ? 60 : 10) * MINUTE;
    sim.users_at = sim.now;
    sim.fault_at = sim.now + sim_delay();
    sim.faults = true;
    daemon_start();
    play();
    store_model_end();
    logs_check_end();
    kube_check_end();
    daemon_end();
    kube_free_all();
    if (sim.store)
        store_close(sim.store);
    arena_free(sim.arena);
    sim.arena = NULL;
}
