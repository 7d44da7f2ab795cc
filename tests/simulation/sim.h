/* sim: the reconciler in a world of its own. One thread, one seeded generator and one clock decide everything: when a watch tells, a pod ends,
 * a log is read, a user cancels, the daemon dies. The store, the API servers and log shipping are models with the contracts of
 * store/, k8s/client.h and logship/logship.h; they are also where the invariants are checked, at each call and after each step.
 *
 * Steps of other keys, events and users come in the middle of a step too, at any of its calls: sim_call() and sim_between(). A daemon that
 * dies sees no further effect of anything it calls (sim.dead); the world ends its step and starts another daemon. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "jobs/job_run_state.h"
#include "jobs/reconciler.h"
#include "k8s/client.h"
#include "store/job_queue.h"
#include "store/job_run.h"
#include "store/virtual_cluster.h"

#define RUNS_MAX 24
#define VCS_MAX 4
#define CLUSTERS 2
#define ATTEMPTS_MAX 4
#define NEVER INT64_MAX
#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define ID_LENGTH 19

/* ---- chance ---- */

uint64_t sim_random(void);
int64_t sim_below(int64_t n); /* 0..n-1 */
bool sim_one_in(int64_t n);   /* n 0: never */
int64_t sim_delay(void);      /* mostly short, now and then long: times that meet */

/* ---- what happens ---- */

/* Notes something in the trace; what and which are static. run -1: none. */
void sim_trace(const char *what, const char *which, int run, int64_t number);
void sim_trace_reset(void);
extern bool sim_trace_whole; /* a failure shows all of it that is kept, not just the end */
/* An invariant is broken: prints the seed and the trace, ends the process. */
void sim_fail(int run, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* One in how many calls goes so; 0: none in this seed. */
struct odds {
    int64_t between, slow, store_fails, unavailable, lost_answer, conflict, denied, watch_breaks, watch_repeats, log_fails, check_fails;
    int64_t crashes, outages, gone, replaced, reached_anew, vanish, stuck, held, dead_node, strangers; /* of the world's own turns, and of pods */
};

enum fate {
    FATE_DONE,
    FATE_NOT,  /* no effect, and an error is the answer */
    FATE_LOST, /* its effect, and an error is the answer */
};
/* Each call of the daemon to the world begins with it: time may pass, others may go first, the daemon may die. */
enum fate sim_call(const char *what, int run);
void sim_between(void); /* others may go now */

/* ---- runs ---- */

struct sim_event {
    int64_t at;
    enum job_run_event event;
    enum job_run_state to;
    int64_t attempt;
    bool start;
};

/* A row, and what is true of it. */
struct sim_run {
    struct job_run row;
    enum job_run_state state;
    struct slice token;
    int vc;
    bool waits_for_room, has_key;
    struct resources ask;
    struct sim_event events[64];
    size_t event_count;
    uint64_t read_at, cancelled_at; /* sim.operation of the engine's last look and of the cancel */
    int64_t cancelled_ms;
    bool cancelled_queued;          /* before anything of it was launched */
    bool bad_plan;
    bool exited_0;                  /* a driver of it did */
    int64_t start_timeout_s;
};

struct sim_vc {
    struct virtual_cluster row;
    int cluster;
    bool wants_end;
};

struct sim_log_stream {
    char pod[64], uid[16];
    bool told, ended_told, ended, whole; /* whole: every byte is in the spool */
    int64_t due;
};

struct sim_logs {
    bool spool, open, finished, shipped, given_up_told;
    bool excused; /* they were finished without a cluster that could tell more */
    int64_t finished_at, ship_due;
    struct sim_log_stream streams[32];
    size_t stream_count;
};

struct sim {
    uint64_t seed, random, hash, operation;
    int64_t now; /* ms since 1970 */
    struct odds odds;
    struct arena *arena; /* of the seed */
    struct reconciler *reconciler;
    struct store *store; /* the real one beside the model, or NULL */
    bool faults, dead, no_nesting;
    bool user_busy, in_user; /* a user's turn has begun; what is called now is called for that user */
    int depth, crash_in;
    bool crash_after;
    struct sim_run runs[RUNS_MAX];
    int run_count, runs_wanted;
    struct sim_vc vcs[VCS_MAX];
    int vc_count;
    struct sim_logs logs[RUNS_MAX];
    struct k8s_client *clusters[CLUSTERS]; /* NULL: gone */
    int64_t users_at, fault_at, faults_end;
    uint64_t steps;
};
extern struct sim sim;

int sim_run_of(struct slice id); /* -1: none */
struct slice sim_id(struct slice name); /* the run's id in the name of an object */

/* ---- the models; each tells when its next turn is due (NEVER: none) and takes one ---- */

void store_model_check(void);      /* after each step */
void store_model_end(void);        /* everything has come to rest */
struct err *sim_start_run(int vc, int run_same_as); /* -1: a new one; else the same request again */
void sim_compare_stores(int run);

void kube_reset(void);
void kube_free_all(void);
int64_t kube_due(void);
bool kube_is_at_rest(void); /* nothing will happen to what is in the clusters */
void kube_turn(void);
void kube_forget_watches(void); /* the daemon ended */
void kube_outage(int cluster, int64_t until);
void kube_replace(int cluster);
void kube_reconnect(int cluster);
void kube_remove(int cluster);
int64_t kube_away_ms(int cluster); /* how long an outage lasts by now, or lasts as far as the daemon was told; 0: it is there */
void kube_calm(void);           /* no outages any more */
void kube_check_reaped(int run);
void kube_check_stopped(int run);
void kube_check_created_logs(int run);
void kube_check_end(void);
struct err *kube_connect(void *ctx, struct slice cluster, struct reconciler_cluster *ret_cluster);
bool kube_pod_is_gone(int cluster, const char *uid); /* or has no log yet */

void logs_reset(void);
void logs_forget(void);         /* the daemon ended: what is on disk stays */
int64_t logs_due(void);
void logs_turn(void);
bool logs_are_settled(int run); /* WHOLE or GIVEN_UP */
bool logs_have(int run, const char *uid);
void logs_check_reaped(int run);
void logs_check_end(void);

void world_run(uint64_t seed, const char *store_dir); /* store_dir NULL: the model alone */
bool world_turn(bool nested); /* one turn of somebody who is due; false: nobody is */
