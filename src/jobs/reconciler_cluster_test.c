/* The reconciler over a real store, against a Kubernetes of a few lines (fake_kube.h). Clusters and sinks that are away, hang, go, or are replaced. */
#include "jobs/reconciler_fixture.h"

static void test_no_cluster_rejects_a_run(void **state)
{
    start();
    add_cluster("vc", "none");
    add_run("r1", "vc", NULL);
    wait_state("r1", "FAILED");
    assert_true(slice_eq(get_run("r1").failure_reason, S("CLUSTER_UNAVAILABLE")));
    wait_reaped("r1");
}

static void test_a_log_destination_that_cannot_be_rejects_a_run(void **state)
{
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", "{\"monitoringConfiguration\":{\"s3MonitoringConfiguration\":{\"logUri\":\"https://logs\"}}}");
    wait_state("r1", "FAILED");
    struct job_run run = get_run("r1");
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
    assert_true(slice_eq(get_run("h0").state, S("PENDING")));
    pthread_mutex_lock(&other->lock);
    other->hanging = false;
    pthread_cond_broadcast(&other->changed);
    pthread_mutex_unlock(&other->lock);
    wait_state("h0", "SUBMITTED");
    wait_state("h19", "SUBMITTED");
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
    assert_true(slice_find(get_run("r1").state_details, S("Logs are not complete: s3://logs")) >= 0);
    wait_pod(DRIVER_OF("r1"), false); /* its log is read: the pod is not needed */
    assert_false(get_run("r1").reaped);
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
        assert_true(slice_eq(get_run("s3").state, S("PENDING")) && slice_eq(get_run("logs").state, S("PENDING")));
    set_sinks_away(false);
    wait_state("s3", "SUBMITTED");
    wait_state("logs", "SUBMITTED");
}

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

static void test_a_cluster_that_is_briefly_away_after_a_restart_does_not_end_logs(void **state)
{
    pthread_mutex_lock(&kube->lock);
    kube->log_away = true;
    pthread_mutex_unlock(&kube->lock);
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", TO_S3);
    wait_state("r1", "SUBMITTED");
    set_status(DRIVER_OF("r1"), RUNNING);
    wait_state("r1", "RUNNING");
    stop();
    set_status(DRIVER_OF("r1"), ENDED(0));
    start();
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !get_run("r1").outcome.ptr; wait_a_little())
        assert_true(monotonic_ms() < until);
    stop();
    pthread_mutex_lock(&kube->lock);
    kube->list_away = true;
    kube->trouble = "connection refused";
    kube->trouble_told = false;
    pthread_mutex_unlock(&kube->lock);
    start();
    wait_trouble_told();
    for (int i = 0; i < 100; i++) /* longer than logs_give_up_ms, from when they were said to be all */
        wait_a_little();
    assert_true(slice_eq(get_run("r1").state, S("RUNNING")));
    pthread_mutex_lock(&kube->lock);
    kube->log_away = false;
    kube->list_again = true;
    pthread_cond_broadcast(&kube->changed);
    pthread_mutex_unlock(&kube->lock);
    wait_state("r1", "COMPLETED");
    assert_true(slice_find(get_run("r1").state_details, S("Logs are not complete")) < 0);
    wait_reaped("r1");
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
    assert_true(slice_eq(get_run("r1").state, S("RUNNING")));
    cancel("r2");
    wait_state("r2", "CANCELLED");
    assert_true(slice_starts_with(get_run("r2").state_details, S("JobRun CANCELLED. Cluster local is currently not reachable")));
    assert_false(get_run("r1").outcome.ptr);
    advance(2 * 60 * 1000);
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !get_run("r1").outcome.ptr; wait_a_little()) {
        reconciler_nudge(reconciler, S("r1"));
        assert_true(monotonic_ms() < until);
    }
    advance(40 * 1000); /* what the executors have */
    wait_state("r1", "FAILED");
    assert_true(slice_eq(get_run("r1").failure_reason, S("CLUSTER_UNAVAILABLE")));
    assert_true(slice_starts_with(get_run("r1").state_details, S("Trouble monitoring your JobRun. Cluster local is currently not reachable. connection refused.")));
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
    for (int64_t until = monotonic_ms() + DEADLINE_MS; !slice_eq(get_run("r1").state, S("FAILED")); wait_a_little()) {
        reconciler_nudge(reconciler, S("r1"));
        assert_true(monotonic_ms() < until);
    }
    assert_true(slice_starts_with(get_run("r1").state_details, S("The driver pod was deleted before it ended.")));
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
    assert_true(slice_eq(get_run("r1").state, S("SUBMITTED")));
    advance(62000);
    wait_state("r1", "FAILED");
    assert_true(slice_starts_with(get_run("r1").state_details, S("The driver did not start within 900 seconds (cluster timeout)")));
    assert_int_equal(get_run("r1").attempt, 1);
    wait_reaped("r1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_no_cluster_rejects_a_run),
        TEST(test_a_log_destination_that_cannot_be_rejects_a_run),
        TEST(test_a_cluster_that_hangs_does_not_hold_up_another),
        TEST(test_a_sink_that_is_away_holds_the_end_back_a_while_and_gets_the_logs_later),
        TEST(test_a_log_destination_that_is_away_at_the_launch_is_waited_for),
        TEST(test_a_cluster_that_is_briefly_away_after_a_restart_does_not_end_logs),
        TEST(test_runs_of_a_cluster_that_is_lost_end_with_the_cause),
        TEST(test_another_cluster_under_the_name_takes_its_place),
        TEST(test_a_driver_that_does_not_start_in_time_is_not_tried_again),
    };
    return cmocka_run_group_tests_name("reconciler_cluster", tests, NULL, NULL);
}
