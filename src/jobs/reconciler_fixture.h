/* reconciler_fixture: a daemon's reconciler over a real store in a directory of its own, against fake_kube.h, with HTTP servers that take its
 * logs: what the reconciler's test programs share. All of it belongs to the test's thread; what is guarded by kube->lock says so. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "jobs/fake_kube.h"
#include "jobs/job_run.h"
#include "jobs/reconciler.h"
#include "store/access_key.h"
#include "store/virtual_cluster.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEADLINE_MS 120000 /* for a busy machine: nothing is proven by it */
#define DRIVER_OF(id) "spark-" id "-driver"
#define TO_S3 "{\"monitoringConfiguration\":{\"s3MonitoringConfiguration\":{\"logUri\":\"s3://logs/a\"}}}"
#define CONTAINER(state) "{\"containerStatuses\":[{\"name\":\"spark-kubernetes-driver\",\"state\":" state "}]}"
#define RUNNING CONTAINER("{\"running\":{\"startedAt\":\"2026-11-21T21:10:00Z\"}}")
#define ENDED(code) CONTAINER("{\"terminated\":{\"exitCode\":" #code ",\"startedAt\":\"2026-11-21T21:10:00Z\",\"finishedAt\":\"2026-11-21T21:10:41Z\"}}")

extern struct arena *arena; /* of the test */
extern struct store *store;
extern struct reconciler *reconciler;
extern char dir[64];
extern struct k8s_client *kube, *other;  /* clusters "local" and "other" */
extern bool sinks_away, connect_fails, cluster_gone, cluster_replaced; /* guarded by kube->lock; cluster_replaced: other has the name "local" */
extern int puts_done, gets_done;         /* objects that the sinks took and gave; guarded by kube->lock */
extern bool one_machine;
extern int max_concurrent;               /* of virtual clusters that are added */
extern int max_attempts;                 /* of runs that are added */
extern _Atomic int64_t clock_ahead_ms;   /* of the reconciler's clock */
extern bool stepped;                     /* it has no workers: see step_all() */

int setup(void **state);
int teardown(void **state);
void start(void); /* the daemon, over the store as it is */
void stop(void);
void open_store_only(void);
struct instant ahead_now(void *ctx);
void advance(int64_t ms); /* the reconciler's clock, and it looks at run r1 */
void step_all(void);      /* stepped: whatever is due now */

void add_cluster(const char *id, const char *cluster); /* a virtual cluster, of "local", "other" or "none" */
void add_run(const char *id, const char *cluster, const char *overrides);
void add_run_untold(const char *id, const char *cluster, const char *overrides); /* and nobody tells the reconciler */
struct job_run get_run(const char *id);
void cancel(const char *id);
void set_sinks_away(bool away);

/* The container of a driver pod in namespace ns. */
void set_status(const char *name, const char *status);
char *ended_now(int code);
/* A run of vc whose driver comes and runs. */
#define ADD_RUNNING(id)                       \
    do {                                      \
        add_run(id, "vc", NULL);              \
        wait_state(id, "SUBMITTED");          \
        set_status(DRIVER_OF(id), RUNNING);   \
        wait_state(id, "RUNNING");            \
    } while (0)
/* The run's driver comes, runs and ends so. */
void live(const char *id, const char *ended, const char *last_state);

/* Waits for a change in the cluster, or a little for one in the store; now and then the reconciler looks at all runs, so that nobody waits
 * for its time-outs. */
void wait_a_little(void);
void revive(void); /* if the daemon died: another one */
void wait_state(const char *id, const char *state);
void wait_details(const char *id, const char *start);
void wait_reaped(const char *id);
void wait_pod(const char *name, bool there);
bool pod_there(struct k8s_client *c, const char *name);

void expect_history(const char *id, const char *want);
/* Nothing of the run is left: no object but its service accounts, no spool; and so many drivers were made. */
void expect_nothing_left(const char *id, int drivers);
void expect_virtual_cluster(const char *id, const char *state);
