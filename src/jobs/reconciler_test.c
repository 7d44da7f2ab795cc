/* The reconciler over a real store, against a Kubernetes of a few lines: the k8s_* functions here are linked instead of the client's.
 * Life of a run, its end at any call to the cluster ("kill"), cancels, lost and repeated watch events, clusters that hang. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include "http/server.h"
#include "jobs/job_run.h"
#include "jobs/reconciler.h"
#include "store/access_key.h"
#include "store/virtual_cluster.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define OBJECTS_MAX 256
#define EVENTS_MAX 1024
#define DEADLINE_MS 15000
#define DRIVER_OF(id) "spark-" id "-driver"

/* ---- a Kubernetes ---- */

struct object {
    char path[300];
    char *text; /* NULL: deleted */
    int creates;
};

struct event {
    enum k8s_watch_event kind;
    char *text;
};

struct k8s_client {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct object objects[OBJECTS_MAX];
    size_t object_count;
    struct event events[EVENTS_MAX]; /* since the watch began */
    size_t event_count;
    bool deaf;       /* events are lost until the next list */
    bool repeating;  /* each event is told twice */
    bool list_again;
    int calls;
    int die_at;      /* the daemon dies at this call */
    bool die_after;  /* after its effect */
    bool dead;       /* nothing answers */
    bool hanging;    /* nothing answers, for long */
    const char *log; /* what a container's log holds */
    bool log_missing;
    bool deny_deletes;
    const char *trouble; /* to be told by the watch */
    bool trouble_told;
};

struct k8s_watch {
    struct k8s_client *client;
    k8s_watch_fn fn;
    void *ctx;
    pthread_t thread;
    size_t told;
    bool stop;
};

static struct object *object_at(struct k8s_client *c, struct slice path, bool make)
{
    for (size_t i = 0; i < c->object_count; i++) {
        if (slice_eq(slice_from_cstr(c->objects[i].path), path))
            return &c->objects[i];
    }
    if (!make)
        return NULL;
    assert_true(c->object_count < OBJECTS_MAX);
    struct object *o = &c->objects[c->object_count++];
    snprintf(o->path, sizeof(o->path), "%.*s", SLICE_ARG(path));
    return o;
}

static bool is_pod(const struct object *o)
{
    return strstr(o->path, "/pods/") != NULL;
}

static void tell(struct k8s_client *c, enum k8s_watch_event kind, const char *text)
{
    for (int i = 0; i < (c->repeating ? 2 : 1) && !c->deaf; i++) {
        assert_true(c->event_count < EVENTS_MAX);
        c->events[c->event_count++] = (struct event){.kind = kind, .text = xstrdup(text)};
    }
    pthread_cond_broadcast(&c->changed);
}

static struct err *dead(void)
{
    return err_new(ERR_UNAVAILABLE, "nobody answers");
}

/* Under the lock: counts a call; true when it must not take effect. */
static bool call_begin(struct k8s_client *c)
{
    while (c->hanging)
        pthread_cond_wait(&c->changed, &c->lock);
    if (!c->dead && ++c->calls == c->die_at) {
        c->dead = true;
        pthread_cond_broadcast(&c->changed);
        return !c->die_after;
    }
    return c->dead;
}

struct err *k8s_get(struct k8s_client *c, struct arena *arena, struct slice path, struct json **ret_object)
{
    pthread_mutex_lock(&c->lock);
    bool none = call_begin(c);
    struct object *o = object_at(c, path, false);
    struct err *e = none || c->dead ? dead() : !o || !o->text ? err_code(ERR_NOT_FOUND, "NotFound", "none") : NULL;
    if (!e)
        e = json_parse(arena, slice_dup_cstr(arena, o->text), JSON_DUPLICATES_REFUSE, ret_object);
    pthread_mutex_unlock(&c->lock);
    return e;
}

struct err *k8s_get_within(struct k8s_client *c, struct arena *arena, struct slice path, int timeout_ms, struct json **ret_object)
{
    return k8s_get(c, arena, path, ret_object);
}

void k8s_client_interrupt(struct k8s_client *c)
{
}

struct err *k8s_create(struct k8s_client *c, struct arena *arena, struct slice path, const struct json *object, struct json **ret_object)
{
    struct json *made = json_clone(arena, object), *meta = json_ensure_object(arena, made, "metadata");
    struct slice name = json_get_text(meta, "name");
    json_set_cstr(arena, meta, "uid", "u");
    json_set_text(arena, meta, "creationTimestamp", instant_iso8601(arena, instant_now()));
    pthread_mutex_lock(&c->lock);
    bool none = call_begin(c);
    struct object *o = object_at(c, slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(path), SLICE_ARG(name)), true);
    struct err *e = none ? dead() : o->text ? err_code(ERR_CONFLICT, "AlreadyExists", "it is there") : NULL;
    if (!e) {
        o->text = xstrdup(slice_cstr(arena, json_to_slice(arena, made)));
        o->creates++;
        if (is_pod(o))
            tell(c, K8S_PRESENT, o->text);
        if (c->dead)
            e = dead(); /* the answer is lost */
    }
    pthread_mutex_unlock(&c->lock);
    if (!e)
        *ret_object = made;
    return e;
}

struct err *k8s_patch(struct k8s_client *c, struct arena *arena, struct slice path, enum k8s_patch kind, const struct json *body, struct json **ret_object)
{
    return k8s_get(c, arena, path, ret_object);
}

struct err *k8s_delete(struct k8s_client *c, struct arena *arena, struct slice path, int64_t grace_seconds)
{
    pthread_mutex_lock(&c->lock);
    bool none = call_begin(c);
    struct object *o = object_at(c, path, false);
    if (c->deny_deletes) {
        pthread_mutex_unlock(&c->lock);
        return err_code(ERR_DENIED, "Forbidden", "pods is forbidden");
    }
    if (!none && o && o->text) {
        if (is_pod(o))
            tell(c, K8S_GONE, o->text);
        free(o->text);
        o->text = NULL;
    }
    struct err *e = none || c->dead ? dead() : NULL;
    pthread_mutex_unlock(&c->lock);
    return e;
}

struct err *k8s_log_read(struct k8s_client *c, const struct k8s_log_options *options, struct err *(*sink)(void *ctx, struct slice data), void *sink_ctx,
                         const volatile bool *stop)
{
    pthread_mutex_lock(&c->lock);
    const char *text = options->stream == K8S_LOG_STDERR ? c->log : "";
    struct err *e = c->dead ? dead() : c->log_missing ? err_new(ERR_NOT_FOUND, "no log") : NULL;
    pthread_mutex_unlock(&c->lock);
    return e ? e : sink(sink_ctx, slice_from_cstr(text));
}

static void watch_tell(struct k8s_watch *w, enum k8s_watch_event kind, const char *text)
{
    struct arena *arena = arena_new();
    struct json *object = NULL;
    if (text)
        assert_null(json_parse(arena, slice_from_cstr(text), JSON_DUPLICATES_REFUSE, &object));
    w->fn(w->ctx, kind, object, NULL);
    arena_free(arena);
}

/* Every object as it is, those that went without their status, and SYNCED. */
static void watch_list(struct k8s_watch *w)
{
    struct k8s_client *c = w->client;
    for (size_t i = 0; i < c->object_count; i++) {
        struct object *o = &c->objects[i];
        if (!is_pod(o) || !o->creates)
            continue;
        struct arena *arena = arena_new();
        char *text = o->text ? xstrdup(o->text) : NULL;
        const char *name = strrchr(o->path, '/') + 1;
        const char *tail = strstr(name, "-driver");
        struct slice id = slice_sub(slice_from_cstr(name), strlen("spark-"), (size_t)(tail - name) - strlen("spark-"));
        struct slice tombstone = slice_fmt(arena, "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"emr-containers.amazonaws.com/job.id\":\"%.*s\",\"spark-role\":\"driver\"}}}",
                                           name, SLICE_ARG(id));
        pthread_mutex_unlock(&c->lock);
        watch_tell(w, text ? K8S_PRESENT : K8S_GONE, text ? text : tombstone.ptr);
        free(text);
        arena_free(arena);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    watch_tell(w, K8S_SYNCED, NULL);
    pthread_mutex_lock(&c->lock);
}

static void *watch_main(void *arg)
{
    struct k8s_watch *w = arg;
    struct k8s_client *c = w->client;
    pthread_mutex_lock(&c->lock);
    w->told = c->event_count;
    watch_list(w);
    while (!w->stop) {
        if (c->trouble && !c->list_again && w->told >= c->event_count) { /* after all that came before: an event says that it answers again */
            struct err *e = err_new(ERR_UNAVAILABLE, "%s", c->trouble);
            c->trouble = NULL;
            pthread_mutex_unlock(&c->lock);
            w->fn(w->ctx, K8S_TROUBLE, NULL, e);
            err_free(e);
            pthread_mutex_lock(&c->lock);
            c->trouble_told = true;
        } else if (c->list_again) {
            c->list_again = false;
            watch_list(w);
        } else if (w->told < c->event_count) {
            struct event *event = &c->events[w->told++];
            pthread_mutex_unlock(&c->lock);
            watch_tell(w, event->kind, event->text);
            pthread_mutex_lock(&c->lock);
        } else {
            pthread_cond_wait(&c->changed, &c->lock);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct err *k8s_watch_start(struct k8s_client *client, struct slice path, struct slice label_selector, k8s_watch_fn fn, void *ctx, struct k8s_watch **ret_watch)
{
    struct k8s_watch *w = xcalloc(1, sizeof(*w));
    *w = (struct k8s_watch){.client = client, .fn = fn, .ctx = ctx};
    assert_int_equal(pthread_create(&w->thread, NULL, watch_main, w), 0);
    *ret_watch = w;
    return NULL;
}

void k8s_watch_stop(struct k8s_watch *w)
{
    pthread_mutex_lock(&w->client->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->client->changed);
    pthread_mutex_unlock(&w->client->lock);
    pthread_join(w->thread, NULL);
    free(w);
}

/* ---- a daemon ---- */

static struct arena *arena;
static char dir[64];
static struct store *store;
static struct k8s_client *kube, *other;
static struct reconciler *reconciler;
static struct http_server *sinks;
static char endpoint[64];
static bool sinks_away, connect_fails; /* guarded by kube->lock */
static int max_concurrent; /* of virtual clusters that are added */
static int max_attempts;   /* of runs that are added */
static bool cluster_gone, cluster_replaced; /* guarded by kube->lock */
static bool one_machine;
static _Atomic int64_t clock_ahead_ms; /* of the reconciler's clock */

static struct instant ahead_now(void *ctx)
{
    return (struct instant){.ms = instant_now().ms + clock_ahead_ms};
}

static int64_t real_monotonic_ms(void *ctx)
{
    return monotonic_ms();
}

static const struct reconciler_clock CLOCK = {.now = ahead_now, .monotonic_ms = real_monotonic_ms};
static int puts_done;

static struct k8s_client *kube_new(void)
{
    struct k8s_client *c = xcalloc(1, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    c->log = "2026-11-21T21:10:00Z hello\n2026-11-21T21:10:01Z ValueError: no such column\n";
    return c;
}

static void kube_free(struct k8s_client *c)
{
    for (size_t i = 0; i < c->object_count; i++)
        free(c->objects[i].text);
    for (size_t i = 0; i < c->event_count; i++)
        free(c->events[i].text);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static void serve_sinks(struct http_request *request, void *ctx)
{
    struct slice body;
    err_free(http_body_read_all(request, 64 << 20, &body));
    pthread_mutex_lock(&kube->lock);
    bool away = sinks_away;
    puts_done += !away;
    pthread_mutex_unlock(&kube->lock);
    http_respond(request, away ? 503 : 200, NULL, 0, away ? S("<html>try later</html>") : S(""));
}

static struct err *connect_to(void *ctx, struct slice cluster, struct reconciler_cluster *ret_cluster)
{
    pthread_mutex_lock(&kube->lock);
    bool fails = connect_fails, gone = cluster_gone, replaced = cluster_replaced;
    pthread_mutex_unlock(&kube->lock);
    if (fails)
        return err_new(ERR_UNAVAILABLE, "no way to the cluster");
    if (gone || slice_eq(cluster, S("none")))
        return err_new(ERR_NOT_FOUND, "no cluster none");
    *ret_cluster = (struct reconciler_cluster){.client = replaced || slice_eq(cluster, S("other")) ? other : kube,
                                               .driver_master = S("https://127.16.0.1:6443"),
                                               .one_machine = one_machine};
    return NULL;
}

static void start(void)
{
    static const struct slice installed[] = {S_INIT("3.5.9")};
    assert_null(store_open(slice_fmt(arena, "%s/ember.db", dir).ptr, &store));
    assert_null(reconciler_start(&(struct reconciler_options){.store = store,
                                                              .connect = connect_to,
                                                              .clock = &CLOCK,
                                                              .account_id = S("111122223333"),
                                                              .region = S("us-east-1"),
                                                              .endpoint = slice_from_cstr(endpoint),
                                                              .installed = installed,
                                                              .installed_count = 1,
                                                              .spool_dir = slice_fmt(arena, "%s/spool", dir),
                                                              .logs_give_up_ms = 300},
                                 &reconciler));
}

static void stop(void)
{
    reconciler_stop(reconciler);
    reconciler = NULL;
    store_close(store);
    store = NULL;
}

static void open_store_only(void)
{
    assert_null(store_open(slice_fmt(arena, "%s/ember.db", dir).ptr, &store));
}

static int setup(void **state)
{
    arena = arena_new();
    kube = kube_new();
    other = kube_new();
    sinks_away = connect_fails = one_machine = cluster_gone = cluster_replaced = false;
    max_concurrent = max_attempts = 0;
    clock_ahead_ms = 0;
    snprintf(dir, sizeof(dir), "/tmp/reconciler_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_null(http_server_start(&(struct http_server_options){.address = "127.0.0.1", .handler = serve_sinks}, &sinks));
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", http_server_port(sinks));
    return 0;
}

static int teardown(void **state)
{
    pthread_mutex_lock(&other->lock);
    other->hanging = false;
    pthread_cond_broadcast(&other->changed);
    pthread_mutex_unlock(&other->lock);
    stop();
    http_server_stop(sinks, 1000);
    kube_free(kube);
    kube_free(other);
    arena_free(arena);
    assert_null(tree_remove(dir));
    return 0;
}

static void add_cluster(const char *id, const char *cluster)
{
    struct slice ignored;
    struct virtual_cluster row = {.id = slice_from_cstr(id),
                                  .max_concurrent_job_runs = max_concurrent,
                                  .name = S("n"),
                                  .state = S("RUNNING"),
                                  .cluster = slice_from_cstr(cluster),
                                  .namespace_ = strcmp(id, "vc") == 0 ? S("ns") : slice_from_cstr(id),
                                  .created_at = instant_now()};
    assert_null(store_virtual_cluster_insert(store, arena, &row, slice_fmt(arena, "arn/%s", id), SLICE_NONE, SLICE_NONE, &ignored));
}

#define TO_S3 "{\"monitoringConfiguration\":{\"s3MonitoringConfiguration\":{\"logUri\":\"s3://logs/a\"}}}"

static void add_run(const char *id, const char *cluster, const char *overrides)
{
    struct slice ignored;
    struct job_run row = {.id = slice_from_cstr(id),
                          .virtual_cluster_id = slice_from_cstr(cluster),
                          .name = S("pi"),
                          .retry_max_attempts = max_attempts,
                          .state = S("PENDING"),
                          .execution_role_arn = S("arn:aws:iam::111122223333:role/job"),
                          .release_label = S("emr-6.2.0-latest"),
                          .job_driver = S("{\"sparkSubmitJobDriver\":{\"entryPoint\":\"local:///usr/lib/spark/examples/src/main/python/pi.py\"}}"),
                          .configuration_overrides = slice_from_cstr(overrides),
                          .created_by = S("arn:aws:iam::111122223333:root"),
                          .created_at = instant_now()};
    assert_null(store_job_run_insert(store, arena, &row, slice_fmt(arena, "arn/%s", id), SLICE_NONE, SLICE_NONE, &ignored));
    if (reconciler)
        reconciler_nudge(reconciler, row.id);
}

static struct job_run get(const char *id)
{
    struct job_run run;
    assert_null(store_job_run_get(store, arena, slice_from_cstr(id), &run));
    return run;
}

/* ---- waiting: for a change in the fake, or a short while for one in the store ---- */

static void wait_a_little(void)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += 5 * 1000 * 1000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    pthread_mutex_lock(&kube->lock);
    pthread_cond_timedwait(&kube->changed, &kube->lock, &at);
    pthread_mutex_unlock(&kube->lock);
}

/* If the daemon died: another one. */
static void revive(void)
{
    pthread_mutex_lock(&kube->lock);
    bool died = kube->dead;
    pthread_mutex_unlock(&kube->lock);
    if (!died)
        return;
    stop();
    pthread_mutex_lock(&kube->lock);
    kube->dead = false;
    pthread_mutex_unlock(&kube->lock);
    start();
}

static void wait_state(const char *id, const char *state)
{
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !slice_eq(get(id).state, slice_from_cstr(state)); wait_a_little()) {
        revive();
        if (monotonic_ms() > until)
            fail_msg("%s is %.*s (%.*s), not %s", id, SLICE_ARG(get(id).state), SLICE_ARG(get(id).state_details), state);
    }
}

static void wait_reaped(const char *id)
{
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !get(id).reaped; wait_a_little()) {
        revive();
        if (monotonic_ms() > until)
            fail_msg("%s is not reaped", id);
    }
}

static bool pod_there(struct k8s_client *c, const char *name)
{
    pthread_mutex_lock(&c->lock);
    struct object *o = object_at(c, slice_fmt(arena, "/api/v1/namespaces/ns/pods/%s", name), false);
    bool there = o && o->text;
    pthread_mutex_unlock(&c->lock);
    return there;
}

static void wait_pod(const char *name, bool there)
{
    for (int64_t until = monotonic_ms() + DEADLINE_MS; pod_there(kube, name) != there; wait_a_little()) {
        revive();
        if (monotonic_ms() > until)
            fail_msg("pod %s %s", name, there ? "does not come" : "stays");
    }
}

static void set_status(const char *name, const char *status)
{
    struct json *pod, *value;
    pthread_mutex_lock(&kube->lock);
    struct object *o = object_at(kube, slice_fmt(arena, "/api/v1/namespaces/ns/pods/%s", name), false);
    if (o && o->text) {
        assert_null(json_parse(arena, slice_from_cstr(o->text), JSON_DUPLICATES_REFUSE, &pod));
        assert_null(json_parse(arena, slice_from_cstr(status), JSON_DUPLICATES_REFUSE, &value));
        json_set(arena, pod, S("status"), value);
        free(o->text);
        o->text = xstrdup(slice_cstr(arena, json_to_slice(arena, pod)));
        tell(kube, K8S_PRESENT, o->text);
    }
    pthread_mutex_unlock(&kube->lock);
}

#define CONTAINER(state) "{\"containerStatuses\":[{\"name\":\"spark-kubernetes-driver\",\"state\":" state "}]}"
#define RUNNING CONTAINER("{\"running\":{\"startedAt\":\"2026-11-21T21:10:00Z\"}}")
#define ENDED(code) CONTAINER("{\"terminated\":{\"exitCode\":" #code ",\"startedAt\":\"2026-11-21T21:10:00Z\",\"finishedAt\":\"2026-11-21T21:10:41Z\"}}")

static struct strbuf *history;

static struct err *read_history(struct db_tx *tx, void *arg)
{
    struct slice *id = arg;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "SELECT event FROM job_run_event WHERE job_run_id = ? ORDER BY sequence", &stmt));
    db_bind_text(stmt, 1, *id);
    for (bool row;;) {
        TRY(db_step(stmt, &row));
        if (!row)
            return NULL;
        strbuf_append_fmt(history, "%.*s ", SLICE_ARG(db_col_text(stmt, 0, arena)));
    }
}

static void expect_history(const char *id, const char *want)
{
    struct strbuf text = STRBUF_ARENA(arena);
    struct slice key = slice_from_cstr(id);
    history = &text;
    assert_null(db_read(store_db(store), read_history, &key));
    if (!slice_eq(strbuf_slice(&text), slice_from_cstr(want)))
        fail_msg("%s: %.*s", id, SLICE_ARG(strbuf_slice(&text)));
}

/* Nothing of the run is left: no object but its service accounts, no spool, and it had one driver. */
static void expect_nothing_left(const char *id, int drivers)
{
    pthread_mutex_lock(&kube->lock);
    int created = 0;
    const char *left = NULL;
    for (size_t i = 0; i < kube->object_count; i++) {
        struct object *o = &kube->objects[i];
        if (o->text && !strstr(o->path, "/serviceaccounts/"))
            left = o->path;
        created += is_pod(o) && strstr(o->path, id) ? o->creates : 0;
    }
    pthread_mutex_unlock(&kube->lock);
    if (left)
        fail_msg("%s is left", left);
    assert_int_equal(created, drivers);
    assert_false(path_exists(slice_fmt(arena, "%s/spool/%s", dir, id).ptr));
}

/* ---- tests ---- */

static void live(const char *id, const char *ended, const char *last_state)
{
    struct slice driver = slice_fmt(arena, "spark-%s-driver", id);
    wait_pod(driver.ptr, true);
    set_status(driver.ptr, RUNNING);
    if (strcmp(last_state, "COMPLETED") == 0)
        wait_state(id, "RUNNING");
    set_status(driver.ptr, ended);
    wait_state(id, last_state);
    wait_reaped(id);
}

static void test_a_run_lives_from_pending_to_completed(void **state)
{
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", TO_S3);
    live("r1", ENDED(0), "COMPLETED");
    struct job_run run = get("r1");
    assert_true(slice_eq(run.state_details, S("JobRun completed successfully. It ran for 41 Seconds")));
    expect_history("r1", "START LAUNCHED DRIVER_STARTED SUCCEEDED ");
    expect_nothing_left("r1", 1);
    assert_true(puts_done >= 3); /* metadata, stdout, stderr */
}

static void test_a_failed_driver_says_its_last_error(void **state)
{
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    live("r1", ENDED(1), "FAILED");
    struct job_run run = get("r1");
    assert_true(slice_starts_with(run.state_details, S("The driver ended with exit code 1. ValueError: no such column. ")));
    assert_true(slice_eq(run.failure_reason, S("USER_ERROR")));
    expect_nothing_left("r1", 1);
}

static void test_a_daemon_that_dies_at_any_call_loses_and_doubles_nothing(void **state)
{
    int last = 0;
    for (int after = 0; after < 2; after++) {
        for (int at = 1; at == 1 || at <= last; at++) {
            start();
            pthread_mutex_lock(&kube->lock);
            kube->calls = 0;
            kube->die_at = at;
            kube->die_after = after;
            pthread_mutex_unlock(&kube->lock);
            add_cluster("vc", "local");
            add_run("r1", "vc", NULL);
            live("r1", ENDED(0), "COMPLETED");
            expect_history("r1", "START LAUNCHED DRIVER_STARTED SUCCEEDED ");
            expect_nothing_left("r1", 1);
            last = kube->calls > last && at == 1 ? kube->calls : last;
            teardown(NULL);
            setup(NULL);
        }
    }
    assert_true(last > 10);
    start();
}

static void test_runs_queued_at_a_restart_all_run_once(void **state)
{
    open_store_only();
    add_cluster("vc", "local");
    for (int i = 0; i < 10; i++)
        add_run(slice_fmt(arena, "q%d", i).ptr, "vc", NULL);
    store_close(store);
    start();
    for (int i = 0; i < 10; i++)
        live(slice_fmt(arena, "q%d", i).ptr, ENDED(0), "COMPLETED");
    for (int i = 0; i < 10; i++)
        expect_nothing_left(slice_fmt(arena, "q%d", i).ptr, 1);
}

static void test_a_driver_that_ended_while_the_daemon_was_down_is_told(void **state)
{
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    wait_state("r1", "SUBMITTED");
    stop();
    set_status(DRIVER_OF("r1"), ENDED(0));
    start();
    wait_state("r1", "COMPLETED");
    expect_history("r1", "START LAUNCHED DRIVER_STARTED SUCCEEDED ");
    wait_reaped("r1");
}

static void test_a_driver_that_is_deleted_fails_the_run(void **state)
{
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    wait_state("r1", "SUBMITTED");
    set_status(DRIVER_OF("r1"), RUNNING);
    wait_state("r1", "RUNNING");
    assert_null(k8s_delete(kube, arena, S("/api/v1/namespaces/ns/pods/" DRIVER_OF("r1")), -1));
    wait_state("r1", "FAILED");
    wait_reaped("r1");
    expect_nothing_left("r1", 1);
}

static void test_a_driver_that_goes_before_the_watch_knows_it_is_missed(void **state)
{
    start();
    add_cluster("vc", "local");
    pthread_mutex_lock(&kube->lock);
    kube->deaf = true;
    pthread_mutex_unlock(&kube->lock);
    add_run("r1", "vc", NULL);
    wait_state("r1", "SUBMITTED");
    assert_null(k8s_delete(kube, arena, S("/api/v1/namespaces/ns/pods/" DRIVER_OF("r1")), -1));
    clock_ahead_ms += 11000; /* no list tells of it: nobody but us has ever known it */
    reconciler_nudge(reconciler, S("r1"));
    wait_state("r1", "FAILED");
    wait_reaped("r1");
    expect_nothing_left("r1", 1);
}

static void test_lost_events_are_made_good_by_the_next_list(void **state)
{
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    wait_state("r1", "SUBMITTED");
    pthread_mutex_lock(&kube->lock);
    kube->deaf = true;
    pthread_mutex_unlock(&kube->lock);
    set_status(DRIVER_OF("r1"), RUNNING);
    set_status(DRIVER_OF("r1"), ENDED(0));
    pthread_mutex_lock(&kube->lock);
    kube->deaf = false;
    kube->list_again = true;
    pthread_cond_broadcast(&kube->changed);
    pthread_mutex_unlock(&kube->lock);
    wait_state("r1", "COMPLETED");
    wait_reaped("r1");
    expect_nothing_left("r1", 1);
}

static void test_repeated_events_change_nothing(void **state)
{
    kube->repeating = true;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    live("r1", ENDED(0), "COMPLETED");
    expect_history("r1", "START LAUNCHED DRIVER_STARTED SUCCEEDED ");
}

static void cancel(const char *id)
{
    assert_null(job_run_cancel(store, slice_from_cstr(id), S("somebody"), instant_now()));
    reconciler_nudge(reconciler, slice_from_cstr(id));
}

static void test_a_pending_run_is_cancelled_without_a_cluster(void **state)
{
    connect_fails = true;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    cancel("r1");
    wait_state("r1", "CANCELLED");
    expect_history("r1", "START CANCEL_ASKED STOPPED ");
    expect_nothing_left("r1", 0);
}

static void test_a_starting_and_a_running_run_are_cancelled(void **state)
{
    start();
    add_cluster("vc", "local");
    for (int running = 0; running < 2; running++) {
        const char *id = running ? "r1" : "r0";
        struct slice driver = slice_fmt(arena, "spark-%s-driver", id);
        add_run(id, "vc", NULL);
        wait_state(id, "SUBMITTED");
        if (running)
            set_status(driver.ptr, RUNNING);
        if (running)
            wait_state(id, "RUNNING");
        cancel(id);
        wait_state(id, "CANCELLED");
        wait_reaped(id);
        expect_history(id, running ? "START LAUNCHED DRIVER_STARTED CANCEL_ASKED STOPPED " : "START LAUNCHED CANCEL_ASKED STOPPED ");
        expect_nothing_left(id, 1);
    }
}

static void test_a_cancel_that_races_with_the_launch_leaves_no_driver(void **state)
{
    for (int at = 1; at < 14; at++) {
        start();
        add_cluster("vc", "local");
        add_run("r1", "vc", NULL);
        for (int64_t until = monotonic_ms() + DEADLINE_MS; monotonic_ms() < until; wait_a_little()) {
            pthread_mutex_lock(&kube->lock);
            bool reached = kube->calls >= at;
            pthread_mutex_unlock(&kube->lock);
            if (reached || slice_eq(get("r1").state, S("SUBMITTED")))
                break;
        }
        cancel("r1");
        wait_state("r1", "CANCELLED");
        wait_reaped("r1");
        assert_false(pod_there(kube, DRIVER_OF("r1")));
        teardown(NULL);
        setup(NULL);
    }
    start();
}

static void test_a_virtual_cluster_ends_with_its_runs(void **state)
{
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    wait_state("r1", "SUBMITTED");
    bool changed;
    assert_null(store_virtual_cluster_move(store, S("vc"), S("RUNNING"), S("TERMINATING"), &changed));
    reconciler_nudge_virtual_cluster(reconciler, S("vc"));
    wait_state("r1", "CANCELLED");
    struct virtual_cluster row = {0};
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !slice_eq(row.state, S("TERMINATED")); wait_a_little()) {
        assert_true(monotonic_ms() < until);
        assert_null(store_virtual_cluster_get(store, arena, S("vc"), &row));
    }
}

static void test_no_cluster_rejects_a_run(void **state)
{
    start();
    add_cluster("vc", "none");
    add_run("r1", "vc", NULL);
    wait_state("r1", "FAILED");
    assert_true(slice_eq(get("r1").failure_reason, S("CLUSTER_UNAVAILABLE")));
    wait_reaped("r1");
}

static void test_a_log_destination_that_cannot_be_rejects_a_run(void **state)
{
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", "{\"monitoringConfiguration\":{\"s3MonitoringConfiguration\":{\"logUri\":\"https://logs\"}}}");
    wait_state("r1", "FAILED");
    struct job_run run = get("r1");
    assert_true(slice_find(run.state_details, S("https://logs is no s3:// URI")) >= 0);
    wait_reaped("r1");
    expect_nothing_left("r1", 0);
}

static void test_a_cluster_that_hangs_does_not_hold_up_another(void **state)
{
    other->hanging = true;
    start();
    add_cluster("hung", "other");
    add_cluster("vc", "local");
    for (int i = 0; i < 20; i++)
        add_run(slice_fmt(arena, "h%d", i).ptr, "hung", NULL);
    add_run("r1", "vc", NULL);
    live("r1", ENDED(0), "COMPLETED");
    assert_true(slice_eq(get("h0").state, S("PENDING")));
    pthread_mutex_lock(&other->lock);
    other->hanging = false;
    pthread_cond_broadcast(&other->changed);
    pthread_mutex_unlock(&other->lock);
    wait_state("h0", "SUBMITTED");
    wait_state("h19", "SUBMITTED");
}

static void set_sinks_away(bool away)
{
    pthread_mutex_lock(&kube->lock);
    sinks_away = away;
    pthread_mutex_unlock(&kube->lock);
}

static void test_a_sink_that_is_away_holds_the_end_back_a_while_and_gets_the_logs_later(void **state)
{
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", TO_S3);
    wait_state("r1", "SUBMITTED");
    set_sinks_away(true);
    set_status(DRIVER_OF("r1"), RUNNING);
    wait_state("r1", "RUNNING");
    set_status(DRIVER_OF("r1"), ENDED(0));
    wait_state("r1", "COMPLETED");
    assert_true(slice_find(get("r1").state_details, S("Logs are not complete: s3://logs")) >= 0);
    wait_pod(DRIVER_OF("r1"), false); /* its log is read: the pod is not needed */
    assert_false(get("r1").reaped);
    stop(); /* shipping goes on behind the final state, over a restart too */
    pthread_mutex_lock(&kube->lock);
    int before = puts_done;
    pthread_mutex_unlock(&kube->lock);
    start();
    set_sinks_away(false);
    wait_reaped("r1");
    assert_true(puts_done >= before + 2);
    expect_nothing_left("r1", 1);
    struct access_key key;
    assert_null(store_access_key_ensure(store, arena, S("r1"), S("p"), S("u"), &key)); /* the old one is gone: this is new */
}

static void test_a_log_destination_that_is_away_at_the_launch_is_waited_for(void **state)
{
    sinks_away = true; /* with a page instead of AWS's error: no reason to reject */
    start();
    add_cluster("vc", "local");
    add_run("s3", "vc", TO_S3);
    add_run("logs", "vc", "{\"monitoringConfiguration\":{\"cloudWatchMonitoringConfiguration\":{\"logGroupName\":\"/g\"}}}");
    for (int64_t until = monotonic_ms() + 500; monotonic_ms() < until; wait_a_little())
        assert_true(slice_eq(get("s3").state, S("PENDING")) && slice_eq(get("logs").state, S("PENDING")));
    set_sinks_away(false);
    wait_state("s3", "SUBMITTED");
    wait_state("logs", "SUBMITTED");
}

/* ---- queue ---- */

static void wait_details(const char *id, const char *start)
{
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !slice_starts_with(get(id).state_details, slice_from_cstr(start)); wait_a_little()) {
        revive();
        if (monotonic_ms() > until)
            fail_msg("%s (%.*s) says \"%.*s\", not \"%s\"", id, SLICE_ARG(get(id).state), SLICE_ARG(get(id).state_details), start);
    }
}

static void set_limits(const char *id, int concurrent)
{
    struct virtual_cluster_limits limits = {.max_concurrent_job_runs = concurrent};
    assert_null(store_virtual_cluster_update(store, arena, slice_from_cstr(id), &limits, SLICE_NONE, SLICE_NONE, instant_now()));
    reconciler_nudge_queues(reconciler);
}

static int under_way(const char *prefix, int count)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        struct job_run run = get(slice_fmt(arena, "%s%d", prefix, i).ptr);
        n += run.launch_started_at.ms && !run.finished_at.ms;
    }
    return n;
}

static void test_runs_leave_the_queue_in_order_and_no_more_than_may(void **state)
{
    max_concurrent = 2;
    start();
    add_cluster("vc", "local");
    for (int i = 0; i < 6; i++)
        add_run(slice_fmt(arena, "q%d", i).ptr, "vc", NULL);
    wait_details("q2", "Queued: 2 of at most 2 job runs of the virtual cluster are under way (maxConcurrentJobRuns).");
    wait_details("q5", "Queued behind earlier job runs of the virtual cluster.");
    for (int i = 0; i < 6; i++) {
        const char *id = slice_fmt(arena, "q%d", i).ptr;
        wait_state(id, "SUBMITTED");
        assert_true(under_way("q", 6) <= 2);
        for (int later = i + 2; later < 6; later++)
            assert_int_equal(get(slice_fmt(arena, "q%d", later).ptr).launch_started_at.ms, 0);
        live(id, ENDED(0), "COMPLETED");
    }
}

static void test_a_queued_run_is_cancelled_at_once_and_the_next_moves_up(void **state)
{
    max_concurrent = 1;
    start();
    add_cluster("vc", "local");
    for (int i = 0; i < 3; i++)
        add_run(slice_fmt(arena, "q%d", i).ptr, "vc", NULL);
    wait_state("q0", "SUBMITTED");
    cancel("q1");
    wait_state("q1", "CANCELLED");
    wait_reaped("q1");
    struct err *again = job_run_cancel(store, S("q1"), S("somebody"), instant_now());
    assert_true(again && again->kind == ERR_CONFLICT);
    err_free(again);
    live("q0", ENDED(0), "COMPLETED");
    live("q2", ENDED(0), "COMPLETED");
    expect_history("q1", "START CANCEL_ASKED STOPPED ");
}

static void test_a_changed_limit_counts_at_once(void **state)
{
    max_concurrent = 1;
    start();
    add_cluster("vc", "local");
    for (int i = 0; i < 4; i++)
        add_run(slice_fmt(arena, "q%d", i).ptr, "vc", NULL);
    wait_state("q0", "SUBMITTED");
    wait_details("q1", "Queued: 1 of at most 1 ");
    set_limits("vc", 3);
    wait_state("q2", "SUBMITTED");
    wait_details("q3", "Queued: 3 of at most 3 ");
    set_limits("vc", 0);
    wait_state("q3", "SUBMITTED");
}

static void test_a_daemon_that_dies_at_any_call_keeps_the_queue(void **state)
{
    for (int at = 1; at < 40; at += 3) {
        max_concurrent = 1;
        start();
        pthread_mutex_lock(&kube->lock);
        kube->calls = 0;
        kube->die_at = at;
        kube->die_after = at & 1;
        pthread_mutex_unlock(&kube->lock);
        add_cluster("vc", "local");
        for (int i = 0; i < 3; i++)
            add_run(slice_fmt(arena, "q%d", i).ptr, "vc", NULL);
        for (int i = 0; i < 3; i++) {
            const char *id = slice_fmt(arena, "q%d", i).ptr;
            wait_state(id, "SUBMITTED");
            assert_true(under_way("q", 3) == 1);
            live(id, ENDED(0), "COMPLETED");
            expect_history(id, "START LAUNCHED DRIVER_STARTED SUCCEEDED ");
        }
        for (int i = 0; i < 3; i++)
            expect_nothing_left(slice_fmt(arena, "q%d", i).ptr, 1);
        teardown(NULL);
        setup(NULL);
    }
    start();
}

static void add_node(const char *memory)
{
    struct object *o = object_at(kube, S("/api/v1/nodes"), true);
    o->text = xstrdup(slice_fmt(arena, "{\"items\":[{\"status\":{\"allocatable\":{\"memory\":\"%s\",\"cpu\":\"64\"}}}]}", memory).ptr);
}

static void test_drivers_leave_room_for_an_executor_and_older_runs_go_first(void **state)
{
    one_machine = true;
    start();
    add_node("8Gi"); /* two drivers with an executor each: 2866 MiB, with the overhead of Python */
    add_cluster("vc", "local");
    add_cluster("vd", "local");
    add_run("q0", "vc", NULL);
    wait_state("q0", "SUBMITTED");
    add_run("q1", "vc", NULL);
    wait_state("q1", "SUBMITTED");
    add_run("q2", "vc", NULL);
    wait_details("q2", "Queued: the driver and one executor need 2866 MiB of memory and 2 CPUs; job runs under way hold 5732 MiB and 4 of the machine's 8192 MiB and 64.");
    add_run("q3", "vd", "{\"applicationConfiguration\":[{\"classification\":\"spark-defaults\",\"properties\":{\"spark.driver.memory\":\"1m\"}}]}");
    wait_details("q3", "Queued: earlier job runs of other virtual clusters wait for room on the machine."); /* though it is small */
    cancel("q2");
    wait_state("q2", "CANCELLED");
    wait_state("q3", "SUBMITTED");
    live("q0", ENDED(0), "COMPLETED");
}

static void test_a_run_that_can_never_be_placed_is_left_to_the_scheduler(void **state)
{
    one_machine = true;
    start();
    add_node("2Gi");
    add_cluster("vc", "local");
    add_run("q0", "vc", "{\"applicationConfiguration\":[{\"classification\":\"spark-defaults\",\"properties\":{\"spark.driver.memory\":\"4000g\"}}]}");
    wait_state("q0", "SUBMITTED");
    add_run("q1", "vc", NULL); /* its driver only */
    wait_state("q1", "SUBMITTED");
}

/* ---- retry ---- */

static void advance(int64_t ms)
{
    clock_ahead_ms += ms;
    if (reconciler)
        reconciler_nudge(reconciler, S("r1"));
}

/* Attempt `attempt` of r1 runs and ends. */
static void attempt(int number, const char *ended)
{
    const char *driver = number > 1 ? slice_fmt(arena, DRIVER_OF("r1") "-%d", number).ptr : DRIVER_OF("r1");
    wait_pod(driver, true);
    set_status(driver, slice_fmt(arena, CONTAINER("{\"running\":{\"startedAt\":\"%.*s\"}}"), SLICE_ARG(instant_iso8601(arena, ahead_now(NULL)))).ptr);
    set_status(driver, ended);
}

static char *ended_now(int code)
{
    struct slice now = instant_iso8601(arena, ahead_now(NULL));
    return slice_cstr(arena, slice_fmt(arena, CONTAINER("{\"terminated\":{\"exitCode\":%d,\"startedAt\":\"%.*s\",\"finishedAt\":\"%.*s\"}}"), code, SLICE_ARG(now), SLICE_ARG(now)));
}

static void wait_attempt(int number)
{
    for (int64_t until = monotonic_ms() + DEADLINE_MS; get("r1").attempt != number; wait_a_little()) {
        revive();
        if (monotonic_ms() > until)
            fail_msg("attempt %lld (%.*s), not %d", (long long)get("r1").attempt, SLICE_ARG(get("r1").state_details), number);
    }
}

static void expect_driver_pods(int count)
{
    pthread_mutex_lock(&kube->lock);
    int creates = 0, names = 0;
    for (size_t i = 0; i < kube->object_count; i++) {
        if (is_pod(&kube->objects[i])) {
            names++;
            creates += kube->objects[i].creates;
        }
    }
    pthread_mutex_unlock(&kube->lock);
    assert_int_equal(names, count);
    assert_int_equal(creates, count);
}

static void test_a_driver_that_fails_is_tried_again_after_its_back_off(void **state)
{
    max_attempts = 3;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", TO_S3);
    int64_t due_ms = ahead_now(NULL).ms + 10000; /* at the earliest, however slow this machine is */
    attempt(1, ended_now(1));
    wait_details("r1", "Attempt 1 of 3 failed, the next one begins at ");
    assert_true(slice_find(get("r1").state_details, S("The driver ended with exit code 1. ValueError: no such column")) > 0);
    wait_pod(DRIVER_OF("r1"), false); /* before the next begins */
    assert_false(slice_eq(get("r1").state, S("FAILED")));
    if (ahead_now(NULL).ms + 2000 < due_ms)
        advance(due_ms - 2000 - ahead_now(NULL).ms);
    bool begun = pod_there(kube, DRIVER_OF("r1") "-2");
    assert_true(!begun || ahead_now(NULL).ms >= due_ms);
    stop(); /* the due time is on disk */
    start();
    begun = get("r1").attempt != 1;
    assert_true(!begun || ahead_now(NULL).ms >= due_ms);
    advance(12000);
    wait_attempt(2);
    attempt(2, ended_now(1));
    wait_details("r1", "Attempt 2 of 3 failed");
    advance(21000);
    attempt(3, ended_now(0));
    wait_state("r1", "COMPLETED");
    wait_reaped("r1");
    expect_driver_pods(3);
    pthread_mutex_lock(&kube->lock);
    bool left = false;
    for (size_t i = 0; i < kube->object_count; i++)
        left = left || (kube->objects[i].text && !strstr(kube->objects[i].path, "/serviceaccounts/"));
    pthread_mutex_unlock(&kube->lock);
    assert_false(left);
    assert_int_equal(get("r1").attempt, 3);
    assert_true(puts_done >= 7); /* metadata is checked by each attempt, stdout and stderr of each */
}

static void test_the_last_attempts_cause_ends_the_run(void **state)
{
    max_attempts = 2;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    attempt(1, ended_now(1));
    wait_details("r1", "Attempt 1 of 2 failed");
    advance(11000);
    attempt(2, ended_now(3));
    wait_state("r1", "FAILED");
    assert_true(slice_starts_with(get("r1").state_details, S("Attempt 2 of 2 failed. The driver ended with exit code 3. ValueError: no such column. JobRun failed.")));
    wait_reaped("r1");
}

static void test_a_daemon_that_dies_at_any_call_starts_no_attempt_twice_and_skips_none(void **state)
{
    int last = 0;
    for (int after = 0; after < 2; after++) {
        for (int at = 1; at == 1 || at <= last; at += at < 8 ? 4 : 1) {
            max_attempts = 3;
            start();
            pthread_mutex_lock(&kube->lock);
            kube->calls = 0;
            kube->die_at = at;
            kube->die_after = after;
            pthread_mutex_unlock(&kube->lock);
            add_cluster("vc", "local");
            add_run("r1", "vc", NULL);
            for (int number = 1; number <= 3; number++) {
                wait_attempt(number);
                attempt(number, ended_now(number < 3));
                if (number == 3)
                    break;
                wait_details("r1", slice_fmt(arena, "Attempt %d of 3 failed", number).ptr);
                advance(41000);
            }
            wait_state("r1", "COMPLETED");
            wait_reaped("r1");
            expect_driver_pods(3);
            assert_int_equal(get("r1").attempt, 3);
            last = kube->calls > last && at == 1 ? kube->calls : last;
            teardown(NULL);
            setup(NULL);
        }
    }
    assert_true(last > 25);
    start();
}

static void test_cancel_at_any_moment_of_a_retry_starts_nothing_more(void **state)
{
    for (int moment = 0; moment < 4; moment++) {
        max_attempts = 3;
        start();
        add_cluster("vc", "local");
        add_run("r1", "vc", NULL);
        attempt(1, ended_now(1));
        if (moment > 0)
            wait_details("r1", "Attempt 1 of 3 failed");
        if (moment > 1)
            advance(11000);
        if (moment > 2)
            wait_pod(DRIVER_OF("r1") "-2", true);
        cancel("r1");
        wait_state("r1", "CANCELLED");
        wait_reaped("r1");
        int64_t reached = get("r1").attempt;
        assert_true(reached == 1 || (moment > 1 && reached == 2));
        advance(1000000);
        assert_false(pod_there(kube, DRIVER_OF("r1") "-2"));
        expect_nothing_left("r1", (int)reached);
        teardown(NULL);
        setup(NULL);
    }
    start();
}

/* ---- clusters that go ---- */

static void tell_trouble(const char *words)
{
    pthread_mutex_lock(&kube->lock);
    kube->trouble = words;
    kube->deaf = true; /* a cluster that is away tells of nothing: an event would say that it is back */
    pthread_cond_broadcast(&kube->changed);
    pthread_mutex_unlock(&kube->lock);
}

static void wait_trouble_told(void)
{
    bool told = false;
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !told; wait_a_little()) {
        pthread_mutex_lock(&kube->lock);
        told = kube->trouble_told;
        pthread_mutex_unlock(&kube->lock);
        assert_true(monotonic_ms() < until);
    }
}

static void test_runs_of_a_cluster_that_is_lost_end_with_the_cause(void **state)
{
    max_attempts = 3;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    wait_pod(DRIVER_OF("r1"), true);
    set_status(DRIVER_OF("r1"), RUNNING);
    wait_state("r1", "RUNNING");
    add_run("r2", "vc", NULL);
    wait_pod(DRIVER_OF("r2"), true);
    set_status(DRIVER_OF("r2"), RUNNING);
    wait_state("r2", "RUNNING");
    tell_trouble("connection refused");
    wait_trouble_told();
    advance(29 * 60 * 1000);
    assert_true(slice_eq(get("r1").state, S("RUNNING")));
    cancel("r2");
    wait_state("r2", "CANCELLED");
    assert_true(slice_starts_with(get("r2").state_details, S("JobRun CANCELLED. Cluster local is currently not reachable")));
    assert_false(get("r1").outcome.ptr);
    advance(2 * 60 * 1000);
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !get("r1").outcome.ptr; wait_a_little()) {
        reconciler_nudge(reconciler, S("r1"));
        assert_true(monotonic_ms() < until);
    }
    advance(40 * 1000); /* what the executors have */
    wait_state("r1", "FAILED");
    assert_true(slice_eq(get("r1").failure_reason, S("CLUSTER_UNAVAILABLE")));
    assert_true(slice_starts_with(get("r1").state_details, S("Trouble monitoring your JobRun. Cluster local is currently not reachable. connection refused.")));
}

static void expect_virtual_cluster(const char *id, const char *state)
{
    struct virtual_cluster row = {0};
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !slice_eq(row.state, slice_from_cstr(state)); wait_a_little()) {
        assert_true(monotonic_ms() < until);
        assert_null(store_virtual_cluster_get(store, arena, slice_from_cstr(id), &row));
    }
}

static void set_deny_deletes(bool deny)
{
    pthread_mutex_lock(&kube->lock);
    kube->deny_deletes = deny;
    pthread_mutex_unlock(&kube->lock);
}

static void test_a_virtual_cluster_that_may_not_be_emptied_is_arrested_and_may_be_deleted_again(void **state)
{
    bool changed;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    wait_state("r1", "SUBMITTED");
    set_deny_deletes(true);
    assert_null(store_virtual_cluster_move(store, S("vc"), S("RUNNING"), S("TERMINATING"), &changed));
    reconciler_nudge_virtual_cluster(reconciler, S("vc"));
    expect_virtual_cluster("vc", "ARRESTED");
    assert_true(slice_eq(get("r1").state, S("CANCEL_PENDING")));
    set_deny_deletes(false);
    assert_null(store_virtual_cluster_move(store, S("vc"), S("ARRESTED"), S("TERMINATING"), &changed));
    reconciler_nudge_virtual_cluster(reconciler, S("vc"));
    expect_virtual_cluster("vc", "TERMINATED");
    assert_true(slice_eq(get("r1").state, S("CANCELLED")));
}

static void test_a_virtual_cluster_whose_cluster_is_gone_ends_too(void **state)
{
    bool changed;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    wait_state("r1", "SUBMITTED");
    stop();
    pthread_mutex_lock(&kube->lock);
    cluster_gone = true;
    pthread_mutex_unlock(&kube->lock);
    start();
    assert_null(store_virtual_cluster_move(store, S("vc"), S("RUNNING"), S("TERMINATING"), &changed));
    reconciler_nudge_virtual_cluster(reconciler, S("vc"));
    expect_virtual_cluster("vc", "TERMINATED");
    wait_reaped("r1");
}

static void test_another_cluster_under_the_name_takes_its_place(void **state)
{
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    wait_state("r1", "SUBMITTED");
    pthread_mutex_lock(&kube->lock);
    cluster_replaced = true;
    pthread_mutex_unlock(&kube->lock);
    tell_trouble("certificate signed by unknown authority");
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !slice_eq(get("r1").state, S("FAILED")); wait_a_little()) {
        reconciler_nudge(reconciler, S("r1"));
        assert_true(monotonic_ms() < until);
    }
    assert_true(slice_starts_with(get("r1").state_details, S("The driver pod was deleted before it ended.")));
    add_run("r2", "vc", NULL);
    wait_state("r2", "SUBMITTED");
    assert_true(pod_there(other, DRIVER_OF("r2")));
}

static void test_a_driver_that_does_not_start_in_time_is_not_tried_again(void **state)
{
    max_attempts = 3;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    wait_state("r1", "SUBMITTED");
    advance(899 * 1000 - 60000);
    wait_pod(DRIVER_OF("r1"), true);
    assert_true(slice_eq(get("r1").state, S("SUBMITTED")));
    advance(62000);
    wait_state("r1", "FAILED");
    assert_true(slice_starts_with(get("r1").state_details, S("The driver did not start within 900 seconds (cluster timeout)")));
    assert_int_equal(get("r1").attempt, 1);
    wait_reaped("r1");
}

static void test_pods_of_unknown_runs_are_left_alone(void **state)
{
    struct json *pod, *made;
    assert_null(json_parse(arena, S("{\"metadata\":{\"name\":\"spark-x-driver\",\"labels\":{\"emr-containers.amazonaws.com/job.id\":\"x\",\"spark-role\":\"driver\"}}}"),
                           JSON_DUPLICATES_REFUSE, &pod));
    assert_null(k8s_create(kube, arena, S("/api/v1/namespaces/ns/pods"), pod, &made));
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    live("r1", ENDED(0), "COMPLETED");
    assert_true(pod_there(kube, "spark-x-driver"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_run_lives_from_pending_to_completed),
        TEST(test_a_failed_driver_says_its_last_error),
        TEST(test_a_daemon_that_dies_at_any_call_loses_and_doubles_nothing),
        TEST(test_runs_queued_at_a_restart_all_run_once),
        TEST(test_a_driver_that_ended_while_the_daemon_was_down_is_told),
        TEST(test_a_driver_that_is_deleted_fails_the_run),
        TEST(test_a_driver_that_goes_before_the_watch_knows_it_is_missed),
        TEST(test_lost_events_are_made_good_by_the_next_list),
        TEST(test_repeated_events_change_nothing),
        TEST(test_a_pending_run_is_cancelled_without_a_cluster),
        TEST(test_a_starting_and_a_running_run_are_cancelled),
        TEST(test_a_cancel_that_races_with_the_launch_leaves_no_driver),
        TEST(test_a_virtual_cluster_ends_with_its_runs),
        TEST(test_no_cluster_rejects_a_run),
        TEST(test_a_log_destination_that_cannot_be_rejects_a_run),
        TEST(test_a_cluster_that_hangs_does_not_hold_up_another),
        TEST(test_a_sink_that_is_away_holds_the_end_back_a_while_and_gets_the_logs_later),
        TEST(test_a_log_destination_that_is_away_at_the_launch_is_waited_for),
        TEST(test_runs_leave_the_queue_in_order_and_no_more_than_may),
        TEST(test_a_queued_run_is_cancelled_at_once_and_the_next_moves_up),
        TEST(test_a_changed_limit_counts_at_once),
        TEST(test_a_daemon_that_dies_at_any_call_keeps_the_queue),
        TEST(test_drivers_leave_room_for_an_executor_and_older_runs_go_first),
        TEST(test_a_run_that_can_never_be_placed_is_left_to_the_scheduler),
        TEST(test_a_driver_that_fails_is_tried_again_after_its_back_off),
        TEST(test_the_last_attempts_cause_ends_the_run),
        TEST(test_a_daemon_that_dies_at_any_call_starts_no_attempt_twice_and_skips_none),
        TEST(test_cancel_at_any_moment_of_a_retry_starts_nothing_more),
        TEST(test_a_driver_that_does_not_start_in_time_is_not_tried_again),
        TEST(test_runs_of_a_cluster_that_is_lost_end_with_the_cause),
        TEST(test_a_virtual_cluster_that_may_not_be_emptied_is_arrested_and_may_be_deleted_again),
        TEST(test_a_virtual_cluster_whose_cluster_is_gone_ends_too),
        TEST(test_another_cluster_under_the_name_takes_its_place),
        TEST(test_pods_of_unknown_runs_are_left_alone),
    };
    return cmocka_run_group_tests_name("reconciler", tests, NULL, NULL);
}
