/* The pure parts of the job engine: state table, decisions, words, queue. */
#include "base/arena.h"
#include "jobs/decide.h"
#include "jobs/job_run.h"
#include "jobs/work_queue.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;

static int setup(void **state)
{
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

static void assert_text(struct slice got, const char *want)
{
    if (!slice_eq(got, slice_from_cstr(want)))
        fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(got), want);
}

static void test_every_pair_of_state_and_event_is_an_edge_or_refused(void **state)
{
    size_t edges = 0;
    for (int s = 0; s < JOB_RUN_STATE_COUNT; s++) {
        for (int e = 0; e < JOB_RUN_EVENT_COUNT; e++) {
            enum job_run_state to;
            if (!job_run_state_next((enum job_run_state)s, (enum job_run_event)e, &to))
                continue;
            edges++;
            assert_false(job_run_state_is_final((enum job_run_state)s)); /* a final state is final */
        }
    }
    assert_int_equal(edges, 10);
    for (int s = 0; s < JOB_RUN_STATE_COUNT; s++) {
        enum job_run_state back;
        assert_true(job_run_state_parse(job_run_state_name((enum job_run_state)s), &back));
        assert_int_equal(back, s);
    }
}

static void test_ids_sort_by_time_and_decode_to_it(void **state)
{
    /* emr-on-eks.md section 1: 00000002vhi7od3su5d was made at 2022-01-07T01:53:57.822Z */
    struct slice id = job_run_id_new(arena, (struct instant){.ms = 1641520437822});
    assert_int_equal(id.len, 19);
    assert_true(slice_starts_with(id, S("00000002vhi7od3s")) || slice_starts_with(id, S("00000002vhi7od3")));
    struct slice later = job_run_id_new(arena, (struct instant){.ms = 1641520437823});
    assert_true(slice_cmp(id, later) < 0);
    assert_true(job_run_id_is_well_formed(id));
    assert_false(job_run_id_is_well_formed(S("UPPER")));
    assert_false(job_run_id_is_well_formed(S("")));
}

#define NOW 1000000000LL

struct row {
    const char *what;
    struct run_facts run;
    struct observation seen;
    enum action_kind kind;
    enum job_run_event event;
    const char *details; /* prefix; NULL: not looked at */
};

static void test_decisions(void **state)
{
    static const struct instant early = {.ms = NOW - 5000}, old = {.ms = NOW - 1000 * 1000};
    const struct slice ok = S("{\"succeeded\":true,\"hasExitCode\":true,\"exitCode\":0}");
    const struct slice bad = S("{\"succeeded\":false,\"exitCode\":1,\"failureReason\":\"USER_ERROR\",\"cause\":\"The driver ended with exit code 1\"}");
    const struct row rows[] = {
        {"pending waits for the first list", {.state = JOB_RUN_PENDING}, {0}, ACTION_WAIT, 0, NULL},
        {"pending is launched", {.state = JOB_RUN_PENDING}, {.synced = true}, ACTION_LAUNCH, 0, NULL},
        {"no cluster rejects", {.state = JOB_RUN_PENDING}, {.no_cluster = true}, ACTION_MOVE, JOB_RUN_EVENT_REJECTED, "Cluster does not exist."},
        {"a cluster that is briefly away is waited for", {.state = JOB_RUN_PENDING, .created_at = early},
         {.trouble = S("connection refused"), .trouble_since = early}, ACTION_WAIT, 0, NULL},
        {"a cluster that is long away rejects", {.state = JOB_RUN_PENDING, .created_at = old},
         {.trouble = S("connection refused"), .trouble_since = old}, ACTION_MOVE, JOB_RUN_EVENT_REJECTED, "Cluster is currently not reachable: connection refused."},
        {"submitted and starting waits", {.state = JOB_RUN_SUBMITTED, .driver_created_at = early, .start_timeout_s = 900},
         {.synced = true, .driver = DRIVER_PENDING}, ACTION_WAIT, 0, NULL},
        {"the scheduler's words reach the details", {.state = JOB_RUN_SUBMITTED, .driver_created_at = early, .start_timeout_s = 900},
         {.synced = true, .driver = DRIVER_PENDING, .waiting = S("0/1 nodes are available: 1 Insufficient memory.")}, ACTION_NOTE, 0, "0/1 nodes are available"},
        {"and are said once", {.state = JOB_RUN_SUBMITTED, .driver_created_at = early, .start_timeout_s = 900, .state_details = S("0/1 nodes")},
         {.synced = true, .driver = DRIVER_PENDING, .waiting = S("0/1 nodes")}, ACTION_WAIT, 0, NULL},
        {"a driver that does not start in time fails", {.state = JOB_RUN_SUBMITTED, .driver_created_at = old, .start_timeout_s = 900},
         {.synced = true, .driver = DRIVER_PENDING}, ACTION_RECORD, 0, NULL},
        {"a running driver is RUNNING", {.state = JOB_RUN_SUBMITTED}, {.synced = true, .driver = DRIVER_RUNNING}, ACTION_MOVE, JOB_RUN_EVENT_DRIVER_STARTED, ""},
        {"running stays running", {.state = JOB_RUN_RUNNING}, {.synced = true, .driver = DRIVER_RUNNING}, ACTION_WAIT, 0, NULL},
        {"before the first list nothing is concluded", {.state = JOB_RUN_RUNNING}, {.driver = DRIVER_ABSENT}, ACTION_WAIT, 0, NULL},
        {"a deleted driver is recorded", {.state = JOB_RUN_RUNNING}, {.synced = true, .driver = DRIVER_ABSENT}, ACTION_RECORD, 0, NULL},
        {"an ended driver is recorded", {.state = JOB_RUN_RUNNING}, {.synced = true, .driver = DRIVER_ENDED, .has_exit_code = true}, ACTION_RECORD, 0, NULL},
        {"logs hold the end back", {.state = JOB_RUN_RUNNING, .outcome = ok}, {.synced = true}, ACTION_WAIT, 0, NULL},
        {"whole logs let it complete", {.state = JOB_RUN_RUNNING, .outcome = ok, .driver_started_at = {.ms = NOW - 41000}, .outcome_at = {.ms = NOW}},
         {.synced = true, .logs_settled = true}, ACTION_MOVE, JOB_RUN_EVENT_SUCCEEDED, "JobRun completed successfully. It ran for 41 Seconds"},
        {"a driver that came and went passes RUNNING", {.state = JOB_RUN_SUBMITTED, .outcome = ok}, {.synced = true, .logs_settled = true}, ACTION_MOVE,
         JOB_RUN_EVENT_DRIVER_STARTED, NULL},
        {"a failure says its cause and last line", {.state = JOB_RUN_RUNNING, .outcome = bad},
         {.synced = true, .logs_settled = true, .last_error_line = S("ValueError: no such column")}, ACTION_MOVE, JOB_RUN_EVENT_BROKE,
         "The driver ended with exit code 1. ValueError: no such column. JobRun failed. Please refer logs uploaded to S3/CloudWatch"},
        {"cancel of a pending run needs no cluster", {.state = JOB_RUN_CANCEL_PENDING}, {0}, ACTION_MOVE, JOB_RUN_EVENT_STOPPED, "JobRun CANCELLED successfully."},
        {"cancel after a launch waits for the list", {.state = JOB_RUN_CANCEL_PENDING, .launch_started_at = early}, {0}, ACTION_WAIT, 0, NULL},
        {"cancel kills a running driver", {.state = JOB_RUN_CANCEL_PENDING, .launch_started_at = early}, {.synced = true, .driver = DRIVER_RUNNING}, ACTION_KILL, 0, NULL},
        {"once", {.state = JOB_RUN_CANCEL_PENDING, .launch_started_at = early}, {.synced = true, .driver = DRIVER_RUNNING, .deleting = true}, ACTION_WAIT, 0, NULL},
        {"cancel ends when all is gone and logged", {.state = JOB_RUN_CANCEL_PENDING, .launch_started_at = early, .outcome = bad},
         {.synced = true, .driver = DRIVER_ABSENT, .logs_settled = true}, ACTION_MOVE, JOB_RUN_EVENT_STOPPED, NULL},
        {"a final state is reaped", {.state = JOB_RUN_COMPLETED}, {.synced = true}, ACTION_REAP, 0, NULL},
        {"once", {.state = JOB_RUN_COMPLETED, .reaped = true}, {.synced = true}, ACTION_WAIT, 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct action a = decide(arena, &rows[i].run, &rows[i].seen, (struct instant){.ms = NOW});
        if (a.kind != rows[i].kind || (a.kind == ACTION_MOVE && a.event != rows[i].event))
            fail_msg("%s: action %d event %d", rows[i].what, a.kind, a.event);
        if (rows[i].details && !slice_starts_with(a.state_details, slice_from_cstr(rows[i].details)))
            fail_msg("%s: \"%.*s\"", rows[i].what, SLICE_ARG(a.state_details));
        enum job_run_state to;
        if (a.kind == ACTION_MOVE && !job_run_state_next(rows[i].run.state, a.event, &to))
            fail_msg("%s: no such edge", rows[i].what);
        assert_true(a.state_details.len <= 256);
    }
}

static void test_the_line_that_says_most_is_found(void **state)
{
    static const struct {
        const char *tail, *line;
    } ROWS[] = {
        {"Traceback (most recent call last):\n  File \"x.py\", line 3, in <module>\n    raise ValueError(\"no\")\nValueError: no\n26/11/21 INFO ShutdownHookManager: Shutdown hook called\n", "ValueError: no"},
        {"Exception in thread \"main\" java.lang.IllegalStateException: broken\n\tat a.b.C(C.java:1)\nCaused by: java.io.IOException: disk\n\tat x\n", "java.io.IOException: disk"},
        {"26/11/21 ERROR Foo: something Failed badly\nbye\n", "26/11/21 ERROR Foo: something Failed badly"},
        {"all fine\n", ""},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
        assert_text(outcome_last_error_line(slice_from_cstr(ROWS[i].tail)), ROWS[i].line);
}

static void test_details_are_cut_at_a_character(void **state)
{
    struct strbuf text = STRBUF_ARENA(arena);
    for (int i = 0; i < 200; i++)
        strbuf_append_cstr(&text, "ü");
    struct slice cut = outcome_cut_details(arena, strbuf_slice(&text));
    assert_int_equal(cut.len, 256);
    assert_true(slice_is_utf8(cut));
}

struct shared {
    struct work_queue *queue;
    atomic_int inside[4], taken;
};

static void *take_all(void *arg)
{
    struct shared *s = arg;
    struct slice key;
    while (work_queue_take(s->queue, &key)) {
        int k = key.ptr[0] - 'a';
        assert_int_equal(atomic_fetch_add(&s->inside[k], 1), 0); /* never in two workers */
        int n = atomic_fetch_add(&s->taken, 1);
        atomic_fetch_sub(&s->inside[k], 1);
        work_queue_done(s->queue, key, n < 2000 ? 1 : 0);
        if (n > 2000)
            work_queue_stop(s->queue);
    }
    return NULL;
}

static void test_a_key_is_never_in_two_workers(void **state)
{
    static struct shared s;
    s.queue = work_queue_new();
    for (int i = 0; i < 4; i++)
        work_queue_add(s.queue, slice_of(&"abcd"[i], 1), 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, take_all, &s);
    for (int i = 0; i < 200; i++)
        work_queue_add(s.queue, S("a"), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    work_queue_free(s.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_pair_of_state_and_event_is_an_edge_or_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_sort_by_time_and_decode_to_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decisions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_line_that_says_most_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_details_are_cut_at_a_character, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_key_is_never_in_two_workers, setup, teardown),
    };
    return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
