#include "jobs/job_run_state.h"

/* clang-format off */
static const struct slice STATES[] = {
#define STATE(name) S_INIT(#name),
    JOB_RUN_STATES(STATE)
#undef STATE
};

static const struct slice EVENTS[] = {
#define EVENT(name) S_INIT(#name),
    JOB_RUN_EVENTS(EVENT)
#undef EVENT
};

static const struct {
    enum job_run_state from;
    enum job_run_event event;
    enum job_run_state to;
} EDGES[] = {
#define EDGE(from_name, event_name, to_name) {JOB_RUN_##from_name, JOB_RUN_EVENT_##event_name, JOB_RUN_##to_name},
    JOB_RUN_EDGES(EDGE)
#undef EDGE
};
/* clang-format on */

_Static_assert(sizeof(STATES) / sizeof(STATES[0]) == JOB_RUN_STATE_COUNT, "a name for each state");
_Static_assert(sizeof(EVENTS) / sizeof(EVENTS[0]) == JOB_RUN_EVENT_COUNT, "a name for each event");

struct slice job_run_state_name(enum job_run_state state)
{
    return STATES[state];
}

struct slice job_run_event_name(enum job_run_event event)
{
    return EVENTS[event];
}

bool job_run_state_parse(struct slice name, enum job_run_state *ret_state)
{
    for (int i = 0; i < JOB_RUN_STATE_COUNT; i++) {
        if (slice_eq(STATES[i], name)) {
            *ret_state = (enum job_run_state)i;
            return true;
        }
    }
    return false;
}

bool job_run_state_is_final(enum job_run_state state)
{
    return state == JOB_RUN_COMPLETED || state == JOB_RUN_FAILED || state == JOB_RUN_CANCELLED;
}

bool job_run_state_next(enum job_run_state from, enum job_run_event event, enum job_run_state *ret_to)
{
    for (size_t i = 0; i < sizeof(EDGES) / sizeof(EDGES[0]); i++) {
        if (EDGES[i].from == from && EDGES[i].event == event) {
            *ret_to = EDGES[i].to;
            return true;
        }
    }
    return false;
}
