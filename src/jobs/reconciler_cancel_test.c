/* The reconciler over a real store, against a Kubernetes of a few lines (fake_kube.h). Cancels in every state, ends of virtual clusters. */
#include "jobs/reconciler_fixture.h"

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
            if (reached || slice_eq(get_run("r1").state, S("SUBMITTED")))
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

static void cancel_r1(void)
{
    assert_null(job_run_cancel(store, S("r1"), S("somebody"), instant_now()));
}

static void test_what_a_run_would_have_run_with_is_kept_when_a_cancel_is_quicker_than_its_launch(void **state)
{
    struct slice effective;
    int64_t attempt;
    kube->hook_at = 8; /* the driver is there, and something of it still to be written */
    kube->hook = cancel_r1;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    wait_state("r1", "CANCELLED");
    expect_history("r1", "START CANCEL_ASKED STOPPED ");
    assert_null(store_job_run_get_effective(store, arena, S("r1"), &effective, &attempt));
    assert_int_equal(attempt, 1);
    assert_true(slice_find(effective, S("spark.driver.memory")) >= 0);
    wait_reaped("r1");
    expect_nothing_left("r1", 1);
}

static void test_a_driver_that_nobody_knows_of_is_stopped_by_a_cancel(void **state)
{
    pthread_mutex_lock(&kube->lock);
    kube->deaf = true;
    kube->undelivered_creates = 1;
    pthread_mutex_unlock(&kube->lock);
    stepped = true;
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", NULL);
    wait_pod(DRIVER_OF("r1"), true);
    cancel("r1"); /* between the launch that had no answer and the next try */
    wait_state("r1", "CANCELLED");
    assert_false(pod_there(kube, DRIVER_OF("r1")));
    wait_reaped("r1");
    expect_nothing_left("r1", 1);
}

static int64_t last_grace(void)
{
    pthread_mutex_lock(&kube->lock);
    int64_t grace_s = kube->last_grace;
    pthread_mutex_unlock(&kube->lock);
    return grace_s;
}

static void wait_last_grace(int64_t grace_s)
{
    for (int64_t until = monotonic_ms() + DEADLINE_MS; last_grace() != grace_s; wait_a_little())
        assert_true(monotonic_ms() < until);
}

static void test_a_driver_that_does_not_go_holds_a_cancel_only_for_a_while(void **state)
{
    kube->finalizers = true;
    start();
    add_cluster("vc", "local");
    ADD_RUNNING("r1");
    cancel("r1");
    wait_last_grace(-1);
    advance(55 * 1000);
    for (int i = 0; i < 20; i++)
        wait_a_little();
    assert_int_equal(last_grace(), -1);
    advance(10 * 1000);
    wait_last_grace(0);
    assert_true(slice_eq(get_run("r1").state, S("CANCEL_PENDING")));
    advance(5 * 60 * 1000);
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !get_run("r1").outcome.ptr; wait_a_little())
        assert_true(monotonic_ms() < until);
    advance(40 * 1000); /* its log is not waited for either */
    wait_state("r1", "CANCELLED");
    assert_true(slice_eq(get_run("r1").state_details, S("JobRun CANCELLED. Pod spark-r1-driver is still terminating: the finalizer example.com/hold holds it."
                                                        " Its deletion goes on. Cancelled by somebody.")));
    assert_true(pod_there(kube, DRIVER_OF("r1")));
    stop();
    start(); /* it goes on */
    pthread_mutex_lock(&kube->lock);
    kube->finalizers = false;
    pthread_mutex_unlock(&kube->lock);
    wait_reaped("r1");
    assert_int_equal(last_grace(), 0);
    expect_nothing_left("r1", 1);
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
    assert_true(slice_eq(get_run("r1").state, S("CANCEL_PENDING")));
    set_deny_deletes(false);
    assert_null(store_virtual_cluster_move(store, S("vc"), S("ARRESTED"), S("TERMINATING"), &changed));
    reconciler_nudge_virtual_cluster(reconciler, S("vc"));
    expect_virtual_cluster("vc", "TERMINATED");
    assert_true(slice_eq(get_run("r1").state, S("CANCELLED")));
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_pending_run_is_cancelled_without_a_cluster),
        TEST(test_a_starting_and_a_running_run_are_cancelled),
        TEST(test_a_cancel_that_races_with_the_launch_leaves_no_driver),
        TEST(test_what_a_run_would_have_run_with_is_kept_when_a_cancel_is_quicker_than_its_launch),
        TEST(test_a_driver_that_nobody_knows_of_is_stopped_by_a_cancel),
        TEST(test_a_driver_that_does_not_go_holds_a_cancel_only_for_a_while),
        TEST(test_a_virtual_cluster_ends_with_its_runs),
        TEST(test_a_virtual_cluster_that_may_not_be_emptied_is_arrested_and_may_be_deleted_again),
        TEST(test_a_virtual_cluster_whose_cluster_is_gone_ends_too),
    };
    return cmocka_run_group_tests_name("reconciler_cancel", tests, NULL, NULL);
}
