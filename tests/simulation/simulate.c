/* simulate [--twice] [--trace] [--real-store DIR] SEED [COUNT]: COUNT worlds (1) from SEED on. Ends with 1 at the first whose invariants break, after
 * its trace (--trace: all of it) and its seed; that seed alone replays it, step by step. --twice: each is run twice and must come out the same.
 * --real-store: every call to the model of the store is made to a real one in DIR too, with equal answers. */
#include "base/log.h"
#include "simulation/sim.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool number(const char *text, uint64_t *ret_value)
{
    return slice_to_u64(slice_from_cstr(text), UINT64_MAX, ret_value);
}

int main(int argc, char **argv)
{
    bool twice = false;
    const char *dir = NULL;
    uint64_t seed = 0, count = 1, runs = 0, steps = 0, hash = 0;
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--twice") == 0)
            twice = true;
        else if (strcmp(argv[i], "--trace") == 0)
            sim_trace_whole = true;
        else if (strcmp(argv[i], "--real-store") == 0 && i + 1 < argc)
            dir = argv[++i];
        else
            i = argc;
    }
    if (i >= argc || !number(argv[i], &seed) || (i + 1 < argc && !number(argv[i + 1], &count))) {
        fprintf(stderr, "usage: simulate [--twice] [--trace] [--real-store DIR] SEED [COUNT]\n");
        return 2;
    }
    log_set_level(LOG_ERROR);
    log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    int64_t began_ms = monotonic_ms();
    for (uint64_t k = 0; k < count; k++) {
        world_run(seed + k, dir);
        runs += (uint64_t)sim.run_count;
        steps += sim.steps;
        hash ^= sim.hash + k;
        if (twice) {
            uint64_t first = sim.hash;
            world_run(seed + k, NULL);
            if (sim.hash != first) {
                printf("FAILED seed %llu: it does not replay\n", (unsigned long long)(seed + k));
                return 1;
            }
        }
    }
    double seconds = (double)(monotonic_ms() - began_ms + 1) / 1000;
    printf("%llu seeds, %llu job runs, %llu steps in %.1f s (%.0f runs/s), trace %016llx\n", (unsigned long long)count, (unsigned long long)runs,
           (unsigned long long)steps, seconds, (double)runs / seconds, (unsigned long long)hash);
    return 0;
}
