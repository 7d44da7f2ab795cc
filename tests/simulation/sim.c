/* Chance, the trace, and what a call may meet. */
#include "simulation/sim.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRACE_MAX 8192
#define TRACE_SHOWN 400
#define DEPTH_MAX 3

struct sim sim;
bool sim_trace_whole;

static struct note {
    const char *what, *which;
    int64_t at, number;
    int run, depth;
} trace[TRACE_MAX];
static uint64_t trace_count;

uint64_t sim_random(void) /* splitmix64 */
{
    uint64_t z = (sim.random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t sim_below(int64_t n)
{
    return (int64_t)(sim_random() % (uint64_t)n);
}

bool sim_one_in(int64_t n)
{
    return n > 0 && sim_below(n) == 0;
}

int64_t sim_delay(void)
{
    static const int64_t DELAYS[] = {0, 0, 1, 10, 100, 500, SECOND, 2 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE};
    int64_t i = sim_below((int64_t)ARRAY_SIZE(DELAYS));
    return DELAYS[i < 8 || sim_one_in(3) ? i : i / 2];
}

static uint64_t mix(uint64_t h, uint64_t value)
{
    h = (h ^ value) * 0x9fb21c651e98df25u;
    return h ^ (h >> 32);
}

void sim_trace(const char *what, const char *which, int run, int64_t number)
{
    trace[trace_count++ % TRACE_MAX] = (struct note){.what = what, .which = which, .at = sim.now, .number = number, .run = run, .depth = sim.depth};
    uint64_t h = sim.hash;
    for (const char *p = what; *p; p++)
        h = (h ^ (unsigned char)*p) * 1099511628211u;
    for (const char *p = which ? which : ""; *p; p++)
        h = (h ^ (unsigned char)*p) * 1099511628211u;
    sim.hash = mix(mix(mix(h, (uint64_t)sim.now), (uint64_t)number), (uint64_t)(run + 1));
}

void sim_trace_reset(void)
{
    trace_count = 0;
}

void sim_fail(int run, const char *format, ...)
{
    uint64_t shown = sim_trace_whole ? TRACE_MAX : TRACE_SHOWN, from = trace_count > shown ? trace_count - shown : 0;
    for (uint64_t i = from; i < trace_count; i++) {
        const struct note *n = &trace[i % TRACE_MAX];
        printf("%12.3f %*s%s%s%s", (double)(n->at % (1000 * HOUR)) / 1000, n->depth * 2, "", n->what, n->which ? " " : "", n->which ? n->which : "");
        printf(n->run >= 0 ? " run %d" : "", n->run);
        printf(n->number ? " (%lld)\n" : "\n", (long long)n->number);
    }
    printf("FAILED seed %llu: ", (unsigned long long)sim.seed);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    if (run >= 0)
        printf(" [run %d, attempt %lld, %.*s]", run, (long long)sim.runs[run].row.attempt, SLICE_ARG(job_run_state_name(sim.runs[run].state)));
    printf("\nreplay: simulate %llu (--trace: with all that came before)\n", (unsigned long long)sim.seed);
    fflush(stdout);
    _exit(1);
}

void sim_between(void)
{
    if (sim.dead || sim.no_nesting || sim.depth >= DEPTH_MAX || !sim_one_in(sim.odds.between))
        return;
    sim.depth++;
    for (int64_t turns = 1 + sim_below(4); turns > 0 && !sim.dead && world_turn(true); turns--)
        ;
    sim.depth--;
}

enum fate sim_call(const char *what, int run)
{
    sim.operation++;
    if (sim.dead)
        return FATE_NOT;
    if (sim.faults && sim_one_in(sim.odds.slow))
        sim.now += 1 + sim_delay();
    sim_between();
    if (sim.dead)
        return FATE_NOT;
    sim_trace(what, NULL, run, 0);
    if (sim.crash_in && --sim.crash_in == 0) {
        sim_trace("the daemon dies", sim.crash_after ? "after the call" : "before the call", run, 0);
        sim.dead = true;
        return sim.crash_after ? FATE_LOST : FATE_NOT;
    }
    return FATE_DONE;
}
