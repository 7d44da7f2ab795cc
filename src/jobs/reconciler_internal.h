/* reconciler_internal: what the reconciler's files share. A step is one look at one key: it has an arena of its own, reads the row and what
 * is known of the world, does one thing and says when to look again. Steps of different keys run at the same time, of one key never. */
#pragma once
#include "base/histogram.h"
#include "base/mutex.h"
#include "jobs/decide.h"
#include "jobs/feed.h"
#include "jobs/launch.h"
#include "jobs/observe.h"
#include "jobs/work_queue.h"
#include <pthread.h>

#define WORKER_COUNT 8
#define RETRY_MIN_MS 1000
#define LOOK_AGAIN_MS 60000 /* every open run is looked at so often, told or not */
#define REAP_POLL_MS 2000
#define VIRTUAL_CLUSTER_KEY "vc/"
#define SWEEP_KEY "sweep/"

struct reconciler {
    struct reconciler_options options;
    struct work_queue *queue;
    struct observations *observations;
    struct logship *logship;
    struct feeds *feeds;
    struct instant started_at;
    struct histogram steps; /* how long they took */
    _Atomic uint64_t step_failures;
    pthread_t workers[WORKER_COUNT];
    size_t worker_count;
};

struct step {
    struct reconciler *reconciler;
    struct arena *arena;
    struct job_run run;
    enum job_run_state state;
    struct run_facts facts;
    struct queue_wish wish; /* of a run in the queue */
    struct feed *feed;      /* NULL: there is no such cluster, or it does not matter */
    struct observation seen;
    struct instant now;
    int64_t again_ms; /* monotonic; 0: wait for an observation */
    bool changed;     /* the last change of the row found it as it was read */
    bool over;        /* the step did something: look again at once */
    bool done;        /* nothing will ever happen to it again */
    struct instant failing_since; /* what is tried has been tried since then; ms 0: not known */
};

/* reconciler.c */
int64_t reconciler_monotonic_ms(const struct reconciler *r);
struct instant reconciler_now(const struct reconciler *r);
/* Everybody who may gain when a place or room becomes free. */
void reconciler_nudge_queues(struct reconciler *r);

/* run_step.c, run_logs.c, virtual_cluster_step.c */
struct err *step_run(struct step *s, struct slice id) NODISCARD;
struct launch_context launch_context_of(const struct step *s);
struct err *step_follow_logs(struct step *s) NODISCARD;
void step_find_error_line(struct step *s);
/* Of a driver that runs without executors: that the cluster refuses to make them, which its log alone tells. */
void step_find_refused_executors(struct step *s);
/* Every log is shipped, or its time is over; every log is read. Of a run in a final state. */
void step_logs_over(struct step *s, bool *ret_shipped, bool *ret_read);
struct err *step_virtual_cluster(struct step *s, struct slice id) NODISCARD;
