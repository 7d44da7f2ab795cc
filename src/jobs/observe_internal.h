/* observe_internal: a pod as observe.c keeps it and observe_pod.c reads it from the API server's JSON. */
#pragma once
#include "base/json.h"
#include "jobs/observe.h"

struct container {
    struct slice name;
    bool started, ended;
};

struct pod {
    struct pod *next, *previous; /* in the order in which they were told */
    struct pod *chain;           /* of those whose names have one hash */
    struct arena *arena; /* all that is below */
    struct slice name, uid; /* a name may have another pod after it, a uid never */
    struct slice *owners;   /* the uids of its owners */
    size_t owner_count;
    struct observed_place place; /* absent parts: as the run's */
    bool driver, gone;
    bool untold;   /* as we have written it: the watch has not told of it */
    struct observation facts; /* of a driver */
    struct slice trouble;     /* of an executor: why it ended before its time */
    struct slice waiting;     /* of an executor: why it does not start */
    bool running;             /* of an executor */
    struct instant created_at, deleted_by; /* deleted_by: its deletionTimestamp; ms 0: it is not to go */
    struct container *containers;
    size_t container_count;
};

/* pod is one of a run's, with a name; pod_free. Pure. */
struct pod *pod_read(const struct json *pod, const struct observed_place *place, enum observed what);
void pod_free(struct pod *p);
