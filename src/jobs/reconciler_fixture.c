#include "jobs/reconciler_fixture.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include "http/server.h"
#include <stdio.h>
#include <time.h>

struct arena *arena;
struct store *store;
struct k8s_client *kube, *other;
struct reconciler *reconciler;
char dir[64];
bool sinks_away, connect_fails, cluster_gone, cluster_replaced, one_machine, stepped;
int max_concurrent, max_attempts, puts_done, gets_done;
_Atomic int64_t clock_ahead_ms;
static struct http_server *sinks;
static char endpoint[64];

struct instant ahead_now(void *ctx)
{
    return (struct instant){.ms = instant_now().ms + clock_ahead_ms};
}

/* Workers wait by the real one; without them time passes only in wait_a_little(). */
static int64_t ahead_monotonic_ms(void *ctx)
{
    return stepped ? 1 + clock_ahead_ms : monotonic_ms();
}

static const struct reconciler_clock CLOCK = {.now = ahead_now, .monotonic_ms = ahead_monotonic_ms};

static void serve_sinks(struct http_request *request, void *ctx)
{
    struct slice body;
    err_free(http_body_read_all(request, 64 << 20, &body));
    pthread_mutex_lock(&kube->lock);
    bool away = sinks_away, get = slice_eq(request->method, S("GET"));
    puts_done += !away && !get;
    gets_done += !away && get;
    pthread_mutex_unlock(&kube->lock);
    http_respond(request, away ? 503 : 200, NULL, 0, away ? S("<html>try later</html>") : get ? S("apiVersion: v1\nkind: Pod\n") : S(""));
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

void start(void)
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
                                                              .logs_give_up_ms = 300,
                                                              .workers = stepped ? RECONCILER_STEPPED : 0},
                                 &reconciler));
}

void stop(void)
{
    reconciler_stop(reconciler);
    reconciler = NULL;
    store_close(store);
    store = NULL;
}

void open_store_only(void)
{
    assert_null(store_open(slice_fmt(arena, "%s/ember.db", dir).ptr, &store));
}

int setup(void **state)
{
    arena = arena_new();
    kube = fake_kube_new();
    other = fake_kube_new();
    stepped = sinks_away = connect_fails = one_machine = cluster_gone = cluster_replaced = false;
    max_concurrent = max_attempts = 0;
    clock_ahead_ms = 0;
    snprintf(dir, sizeof(dir), "/tmp/reconciler_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_null(http_server_start(&(struct http_server_options){.address = "127.0.0.1", .handler = serve_sinks}, &sinks));
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", http_server_port(sinks));
    return 0;
}

int teardown(void **state)
{
    pthread_mutex_lock(&other->lock);
    other->hanging = false;
    pthread_cond_broadcast(&other->changed);
    pthread_mutex_unlock(&other->lock);
    stop();
    http_server_stop(sinks, 1000);
    fake_kube_free(kube);
    fake_kube_free(other);
    arena_free(arena);
    assert_null(tree_remove(dir));
    return 0;
}

void add_cluster(const char *id, const char *cluster)
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


void add_run_untold(const char *id, const char *cluster, const char *overrides)
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
}

void add_run(const char *id, const char *cluster, const char *overrides)
{
    add_run_untold(id, cluster, overrides);
    if (reconciler)
        reconciler_nudge(reconciler, slice_from_cstr(id));
}

struct job_run get_run(const char *id)
{
    struct job_run run;
    assert_null(store_job_run_get(store, arena, slice_from_cstr(id), &run));
    return run;
}

/* ---- waiting ---- */

/* The reconciler's own time-outs are real: whoever waits does not wait for them. */
static void nudge_open(void)
{
    _cleanup_(arena_freep) struct arena *a = arena_new();
    struct open_run *runs;
    size_t count;
    assert_null(store_job_run_list_open(store, a, &runs, &count));
    for (size_t i = 0; i < count; i++)
        reconciler_nudge(reconciler, runs[i].id);
}

void wait_a_little(void)
{
    static unsigned waits;
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += 5 * 1000 * 1000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    pthread_mutex_lock(&kube->lock);
    pthread_cond_timedwait(&kube->changed, &kube->lock, &at);
    pthread_mutex_unlock(&kube->lock);
    if (reconciler && ++waits % 4 == 0)
        nudge_open();
    if (reconciler && stepped) {
        clock_ahead_ms += 100;
        step_all();
    }
}

void revive(void)
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

void step_all(void)
{
    while (reconciler_step(reconciler))
        ;
}

void wait_state(const char *id, const char *state)
{
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !slice_eq(get_run(id).state, slice_from_cstr(state)); wait_a_little()) {
        revive();
        if (monotonic_ms() > until)
            fail_msg("%s is %.*s (%.*s), not %s", id, SLICE_ARG(get_run(id).state), SLICE_ARG(get_run(id).state_details), state);
    }
}

void wait_reaped(const char *id)
{
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !get_run(id).reaped; wait_a_little()) {
        revive();
        if (monotonic_ms() > until)
            fail_msg("%s is not reaped", id);
    }
}

bool pod_there(struct k8s_client *c, const char *name)
{
    pthread_mutex_lock(&c->lock);
    struct fake_object *o = fake_kube_object(c, slice_fmt(arena, "/api/v1/namespaces/ns/pods/%s", name), false);
    bool there = o && o->text;
    pthread_mutex_unlock(&c->lock);
    return there;
}

void wait_pod(const char *name, bool there)
{
    for (int64_t until = monotonic_ms() + DEADLINE_MS; pod_there(kube, name) != there; wait_a_little()) {
        revive();
        if (monotonic_ms() > until)
            fail_msg("pod %s %s", name, there ? "does not come" : "stays");
    }
}

void set_status(const char *name, const char *status)
{
    struct json *pod, *value;
    pthread_mutex_lock(&kube->lock);
    struct fake_object *o = fake_kube_object(kube, slice_fmt(arena, "/api/v1/namespaces/ns/pods/%s", name), false);
    if (o && o->text) {
        assert_null(json_parse(arena, slice_from_cstr(o->text), JSON_DUPLICATES_REFUSE, &pod));
        assert_null(json_parse(arena, slice_from_cstr(status), JSON_DUPLICATES_REFUSE, &value));
        json_set(arena, pod, S("status"), value);
        free(o->text);
        o->text = xstrdup(slice_cstr(arena, json_to_slice(arena, pod)));
        fake_kube_tell(kube, K8S_PRESENT, o->text);
    }
    pthread_mutex_unlock(&kube->lock);
}


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

void expect_history(const char *id, const char *want)
{
    struct strbuf text = STRBUF_ARENA(arena);
    struct slice key = slice_from_cstr(id);
    history = &text;
    assert_null(db_read(store_db(store), read_history, &key));
    if (!slice_eq(strbuf_slice(&text), slice_from_cstr(want)))
        fail_msg("%s: %.*s", id, SLICE_ARG(strbuf_slice(&text)));
}

void expect_nothing_left(const char *id, int drivers)
{
    pthread_mutex_lock(&kube->lock);
    int created = 0;
    const char *left = NULL;
    for (size_t i = 0; i < kube->object_count; i++) {
        struct fake_object *o = &kube->objects[i];
        if (o->text && !strstr(o->path, "/serviceaccounts/"))
            left = o->path;
        created += fake_object_is_pod(o) && strstr(o->path, id) ? o->creates : 0;
    }
    pthread_mutex_unlock(&kube->lock);
    if (left)
        fail_msg("%s is left", left);
    assert_int_equal(created, drivers);
    assert_false(path_exists(slice_fmt(arena, "%s/spool/%s", dir, id).ptr));
}

void live(const char *id, const char *ended, const char *last_state)
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

void cancel(const char *id)
{
    assert_null(job_run_cancel(store, slice_from_cstr(id), S("somebody"), instant_now()));
    reconciler_nudge(reconciler, slice_from_cstr(id));
}

void set_sinks_away(bool away)
{
    pthread_mutex_lock(&kube->lock);
    sinks_away = away;
    pthread_mutex_unlock(&kube->lock);
}

void wait_details(const char *id, const char *start)
{
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !slice_starts_with(get_run(id).state_details, slice_from_cstr(start)); wait_a_little()) {
        revive();
        if (monotonic_ms() > until)
            fail_msg("%s (%.*s) says \"%.*s\", not \"%s\"", id, SLICE_ARG(get_run(id).state), SLICE_ARG(get_run(id).state_details), start);
    }
}

void advance(int64_t ms)
{
    clock_ahead_ms += ms;
    if (reconciler)
        reconciler_nudge(reconciler, S("r1"));
}


char *ended_now(int code)
{
    struct slice now = instant_iso8601(arena, ahead_now(NULL));
    return slice_cstr(arena, slice_fmt(arena, CONTAINER("{\"terminated\":{\"exitCode\":%d,\"startedAt\":\"%.*s\",\"finishedAt\":\"%.*s\"}}"), code, SLICE_ARG(now), SLICE_ARG(now)));
}

void expect_virtual_cluster(const char *id, const char *state)
{
    struct virtual_cluster row = {0};
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !slice_eq(row.state, slice_from_cstr(state)); wait_a_little()) {
        assert_true(monotonic_ms() < until);
        reconciler_nudge_virtual_cluster(reconciler, slice_from_cstr(id));
        assert_null(store_virtual_cluster_get(store, arena, slice_from_cstr(id), &row));
    }
}
