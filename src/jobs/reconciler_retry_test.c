/* The reconciler over a real store, against a Kubernetes of a few lines (fake_kube.h). Attempts of a retry policy. */
#include "jobs/reconciler_fixture.h"

static void attempt(int number, const char *ended)
{
    const char *driver = number > 1 ? slice_fmt(arena, DRIVER_OF("r1") "-%d", number).ptr : DRIVER_OF("r1");
    wait_pod(driver, true);
    set_status(driver, slice_fmt(arena, CONTAINER("{\"running\":{\"startedAt\":\"%.*s\"}}"), SLICE_ARG(instant_iso8601(arena, ahead_now(NULL)))).ptr);
    set_status(driver, ended);
}

static void wait_attempt(int number)
{
    for (int64_t until = monotonic_ms() + DEADLINE_MS; get_run("r1").attempt != number; wait_a_little()) {
        revive();
        if (monotonic_ms() > until)
            fail_msg("attempt %lld (%.*s), not %d", (long long)get_run("r1").attempt, SLICE_ARG(get_run("r1").state_details), number);
    }
}

static void expect_driver_pods(int count)
{
    pthread_mutex_lock(&kube->lock);
    int creates = 0, names = 0;
    for (size_t i = 0; i < kube->object_count; i++) {
        if (fake_object_is_pod(&kube->objects[i])) {
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
    assert_true(slice_find(get_run("r1").state_details, S("The driver ended with exit code 1. ValueError: no such column")) > 0);
    wait_pod(DRIVER_OF("r1"), false); /* before the next begins */
    assert_false(slice_eq(get_run("r1").state, S("FAILED")));
    if (ahead_now(NULL).ms + 2000 < due_ms)
        advance(due_ms - 2000 - ahead_now(NULL).ms);
    bool begun = pod_there(kube, DRIVER_OF("r1") "-2");
    assert_true(!begun || ahead_now(NULL).ms >= due_ms);
    stop(); /* the due time is on disk */
    start();
    begun = get_run("r1").attempt != 1;
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
    assert_int_equal(get_run("r1").attempt, 3);
    assert_true(puts_done >= 7); /* metadata is checked by each attempt, stdout and stderr of each */
}

static void test_what_is_left_of_an_attempt_holds_up_the_next_only_for_a_while(void **state)
{
    kube->finalizers = true;
    max_attempts = 2;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    attempt(1, ended_now(1));
    wait_details("r1", "Attempt 1 of 2 failed");
    advance(4 * 60 * 1000);
    for (int i = 0; i < 20; i++)
        wait_a_little();
    assert_int_equal(get_run("r1").attempt, 1);
    advance(2 * 60 * 1000);
    wait_attempt(2);
    assert_true(pod_there(kube, DRIVER_OF("r1")));
    attempt(2, ended_now(0));
    wait_state("r1", "COMPLETED");
    assert_false(get_run("r1").reaped);
    pthread_mutex_lock(&kube->lock);
    kube->finalizers = false;
    pthread_mutex_unlock(&kube->lock);
    wait_reaped("r1");
    expect_driver_pods(2);
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
    assert_true(slice_starts_with(get_run("r1").state_details, S("Attempt 2 of 2 failed. The driver ended with exit code 3. ValueError: no such column. JobRun failed.")));
    wait_reaped("r1");
}

static void die_at(int at, bool after)
{
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
    assert_int_equal(get_run("r1").attempt, 3);
}

/* Before or after the call's effect, by turns: the simulation has both at each. */
static void test_a_daemon_that_dies_at_any_call_starts_no_attempt_twice_and_skips_none(void **state)
{
    int last = 0;
    for (int at = 1; at == 1 || at <= last; at++) {
        die_at(at, at & 1);
        last = kube->calls > last && at == 1 ? kube->calls : last;
        teardown(NULL);
        setup(NULL);
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
        int64_t reached = get_run("r1").attempt;
        assert_true(reached == 1 || (moment > 1 && reached == 2));
        advance(1000000);
        assert_false(pod_there(kube, DRIVER_OF("r1") "-2"));
        expect_nothing_left("r1", (int)reached);
        teardown(NULL);
        setup(NULL);
    }
    start();
}

static void test_a_node_whose_clock_is_ahead_does_not_lengthen_the_back_off(void **state)
{
    max_attempts = 2;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    attempt(1, CONTAINER("{\"terminated\":{\"exitCode\":1,\"startedAt\":\"2036-11-21T21:10:00Z\",\"finishedAt\":\"2036-11-21T21:10:41Z\"}}"));
    wait_details("r1", "Attempt 1 of 2 failed");
    assert_true(get_run("r1").outcome_at.ms <= ahead_now(NULL).ms);
    advance(11000);
    wait_attempt(2);
    attempt(2, ended_now(0));
    wait_state("r1", "COMPLETED");
    wait_reaped("r1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_node_whose_clock_is_ahead_does_not_lengthen_the_back_off),
        TEST(test_a_driver_that_fails_is_tried_again_after_its_back_off),
        TEST(test_what_is_left_of_an_attempt_holds_up_the_next_only_for_a_while),
        TEST(test_the_last_attempts_cause_ends_the_run),
        TEST(test_a_daemon_that_dies_at_any_call_starts_no_attempt_twice_and_skips_none),
        TEST(test_cancel_at_any_moment_of_a_retry_starts_nothing_more),
    };
    return cmocka_run_group_tests_name("reconciler_retry", tests, NULL, NULL);
}
