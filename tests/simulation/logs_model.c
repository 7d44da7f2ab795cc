/* Log shipping by the contract of logship/logship.h: streams that are read late, sinks that are away, a spool that outlives the daemon. */
#include "simulation/sim.h"
#include "logship/logship.h"
#include <string.h>

#define GIVE_UP_MS (2 * MINUTE)

static void (*changed)(void *ctx, struct slice job_run_id);
static void *changed_ctx;

void logs_reset(void)
{
    memset(sim.logs, 0, sizeof(sim.logs));
}

void logs_forget(void)
{
    for (int i = 0; i < sim.run_count; i++) {
        struct sim_logs *l = &sim.logs[i];
        l->open = l->finished = l->shipped = l->given_up_told = false;
        for (size_t k = 0; k < l->stream_count; k++)
            l->streams[k].told = l->streams[k].ended_told = l->streams[k].ended = false;
    }
}

static struct sim_logs *open_logs(struct slice id)
{
    int run = sim_run_of(id);
    return run >= 0 && sim.logs[run].open ? &sim.logs[run] : NULL;
}

static bool all_ended(const struct sim_logs *l)
{
    for (size_t k = 0; k < l->stream_count; k++) {
        if (!l->streams[k].ended)
            return false;
    }
    return true;
}

static enum logship_state state_of(const struct sim_logs *l)
{
    if (!l->open)
        return LOGSHIP_UNKNOWN;
    if (l->finished && l->shipped && all_ended(l))
        return LOGSHIP_WHOLE;
    return l->finished && sim.now - l->finished_at >= GIVE_UP_MS ? LOGSHIP_GIVEN_UP : LOGSHIP_SHIPPING;
}

bool logs_are_settled(int run)
{
    enum logship_state state = state_of(&sim.logs[run]);
    /* Nothing was ever read of a run whose cluster went while nobody looked. */
    return state == LOGSHIP_WHOLE || state == LOGSHIP_GIVEN_UP || !sim.clusters[sim.vcs[sim.runs[run].vc].cluster] || (state == LOGSHIP_UNKNOWN && sim.odds.gone);
}

bool logs_have(int run, const char *uid)
{
    const struct sim_logs *l = &sim.logs[run];
    if (state_of(l) == LOGSHIP_GIVEN_UP || l->excused)
        return true;
    for (size_t k = 0; k < l->stream_count; k++) {
        if (strcmp(l->streams[k].uid, uid) == 0)
            return l->streams[k].whole;
    }
    return false;
}

void logs_check_reaped(int run)
{
    if (sim.logs[run].spool || sim.logs[run].open)
        sim_fail(run, "reaped, and its spool is left");
}

void logs_check_end(void)
{
    for (int i = 0; i < sim.run_count; i++)
        logs_check_reaped(i);
}

/* ---- turns ---- */

static int64_t stream_due(const struct sim_log_stream *s)
{
    return s->ended_told && !s->ended ? s->due : NEVER;
}

static int64_t due_of(const struct sim_logs *l)
{
    int64_t due = NEVER;
    if (!l->open)
        return NEVER;
    for (size_t k = 0; k < l->stream_count; k++)
        due = stream_due(&l->streams[k]) < due ? stream_due(&l->streams[k]) : due;
    if (l->finished && !l->shipped && all_ended(l) && l->ship_due < due)
        due = l->ship_due;
    if (l->finished && !l->given_up_told && !(l->shipped && all_ended(l)) && l->finished_at + GIVE_UP_MS < due)
        due = l->finished_at + GIVE_UP_MS;
    return due;
}

int64_t logs_due(void)
{
    int64_t due = NEVER;
    for (int i = 0; i < sim.run_count; i++) {
        int64_t at = due_of(&sim.logs[i]);
        due = at < due ? at : due;
    }
    return due;
}

static void turn(int run)
{
    struct sim_logs *l = &sim.logs[run];
    for (size_t k = 0; k < l->stream_count; k++) {
        struct sim_log_stream *s = &l->streams[k];
        if (stream_due(s) > sim.now)
            continue;
        if (sim.faults && sim_one_in(sim.odds.log_fails)) {
            s->due = sim.now + 1 + sim_delay();
            return;
        }
        s->ended = true;
        s->whole = s->whole || !kube_pod_is_gone(sim.vcs[sim.runs[run].vc].cluster, s->uid);
        l->ship_due = sim.now + (sim.faults && sim_one_in(sim.odds.log_fails) ? HOUR : sim_delay());
        sim_trace("a log is read", s->whole ? "whole" : "as far as it was", run, 0);
        changed(changed_ctx, sim.runs[run].row.id);
        return;
    }
    if (l->finished && !l->shipped && all_ended(l) && l->ship_due <= sim.now) {
        l->shipped = true;
        sim_trace("logs are shipped", NULL, run, 0);
    } else {
        l->given_up_told = true;
        sim_trace("logs are given up", NULL, run, 0);
    }
    changed(changed_ctx, sim.runs[run].row.id);
}

void logs_turn(void)
{
    for (int i = 0; i < sim.run_count; i++) {
        if (due_of(&sim.logs[i]) <= sim.now) {
            turn(i);
            return;
        }
    }
}

/* ---- doors ---- */

struct err *logship_start(const struct logship_options *options, struct logship **ret_ship)
{
    changed = options->changed;
    changed_ctx = options->changed_ctx;
    *ret_ship = (struct logship *)&sim;
    return NULL;
}

void logship_interrupt(struct logship *ship)
{
}

void logship_stop(struct logship *ship)
{
}

struct err *logship_check(struct logship *ship, const struct logship_run *run)
{
    if (sim_call("check the log destination", sim_run_of(run->job_run_id)) != FATE_DONE || (sim.faults && sim_one_in(sim.odds.log_fails)))
        return err_new(ERR_UNAVAILABLE, "no answer");
    if (sim.faults && sim_one_in(sim.odds.check_fails))
        return err_new(ERR_DENIED, "Access Denied");
    return NULL;
}

/* No run of a simulation names one. */
struct err *logship_read_object(struct logship *ship, const struct logship_run *run, struct arena *arena, struct slice bucket, struct slice key, size_t max_bytes,
                                struct slice *ret_data)
{
    return err_new(ERR_NOT_FOUND, "no such object");
}

struct err *logship_open(struct logship *ship, const struct logship_run *what)
{
    int run = sim_run_of(what->job_run_id);
    if (sim.dead)
        return err_new(ERR_UNAVAILABLE, "dead");
    struct sim_logs *l = &sim.logs[run];
    if (l->open)
        return NULL;
    if (sim.runs[run].row.reaped)
        sim_fail(run, "logs are opened of a run that is reaped");
    l->open = l->spool = true;
    sim_trace("logs are opened", NULL, run, (int64_t)l->stream_count);
    return NULL;
}

static void stream_end(struct sim_logs *l, struct sim_log_stream *s)
{
    if (s->ended_told)
        return;
    s->ended_told = true;
    s->due = sim.now + sim_delay();
    l->shipped = false;
}

void logship_container(struct logship *ship, struct slice job_run_id, struct slice pod, struct slice pod_uid, struct slice container,
                       enum logship_container_state state)
{
    struct sim_logs *l = open_logs(job_run_id);
    if (sim.dead || !l)
        return;
    size_t k = 0;
    while (k < l->stream_count && !slice_eq(slice_from_cstr(l->streams[k].uid), pod_uid))
        k++;
    for (size_t i = 0; i < l->stream_count && k == l->stream_count; i++) { /* one that had its name before */
        if (slice_eq(slice_from_cstr(l->streams[i].pod), pod))
            stream_end(l, &l->streams[i]);
    }
    struct sim_log_stream *s = &l->streams[k];
    if (k == l->stream_count) {
        if (k == ARRAY_SIZE(l->streams))
            sim_fail(sim_run_of(job_run_id), "too many streams");
        l->stream_count++;
        memcpy(s->pod, pod.ptr, pod.len);
        memcpy(s->uid, pod_uid.ptr, pod_uid.len < sizeof(s->uid) ? pod_uid.len : sizeof(s->uid) - 1);
        l->shipped = false;
    }
    s->told = true;
    if (state == LOGSHIP_CONTAINER_ENDED || l->finished)
        stream_end(l, s);
}

void logship_control_line(struct logship *ship, struct slice job_run_id, struct slice stream, struct slice line)
{
}

void logship_finish(struct logship *ship, struct slice job_run_id)
{
    struct sim_logs *l = open_logs(job_run_id);
    if (sim.dead || !l || l->finished)
        return;
    l->finished = true;
    l->finished_at = sim.now;
    l->excused = l->excused || kube_away_ms(sim.vcs[sim.runs[sim_run_of(job_run_id)].vc].cluster) > 2 * MINUTE;
    l->ship_due = sim.now + sim_delay();
    sim_trace("logs are finished", NULL, sim_run_of(job_run_id), 0);
    for (size_t k = 0; k < l->stream_count; k++) {
        if (l->streams[k].told)
            stream_end(l, &l->streams[k]);
        else
            l->streams[k].ended = true;
    }
}

bool logship_is_read(struct logship *ship, struct slice job_run_id)
{
    const struct sim_logs *l = open_logs(job_run_id);
    return l && l->finished && all_ended(l);
}

bool logship_has_caught_up(struct logship *ship, struct slice job_run_id)
{
    const struct sim_logs *l = open_logs(job_run_id);
    for (size_t k = 0; l && k < l->stream_count; k++) {
        if (l->streams[k].told && !l->streams[k].ended)
            return false;
    }
    return true;
}

enum logship_state logship_state(struct logship *ship, struct arena *arena, struct slice job_run_id, struct slice *ret_trouble)
{
    const struct sim_logs *l = open_logs(job_run_id);
    enum logship_state state = l ? state_of(l) : LOGSHIP_UNKNOWN;
    if (state == LOGSHIP_GIVEN_UP)
        *ret_trouble = S("they could not be shipped in time");
    return state;
}

struct slice logship_tail(struct logship *ship, struct arena *arena, struct slice job_run_id, struct slice pod, struct slice stream, size_t max_bytes)
{
    return slice_eq(stream, S("stderr")) ? S("ValueError: no such column\n") : S("");
}

void logship_close(struct logship *ship, struct slice job_run_id)
{
    int run = sim_run_of(job_run_id);
    if (sim_call("close the logs", run) == FATE_NOT)
        return;
    if (!job_run_state_is_final(sim.runs[run].state))
        sim_fail(run, "its spool is removed before its end");
    sim.logs[run] = (struct sim_logs){0};
}
