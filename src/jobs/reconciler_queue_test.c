/* The reconciler over a real store, against a Kubernetes of a few lines (fake_kube.h). Queues of virtual clusters and room on a machine. */
#include "jobs/reconciler_fixture.h"

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
        struct job_run run = get_run(slice_fmt(arena, "%s%d", prefix, i).ptr);
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
            assert_int_equal(get_run(slice_fmt(arena, "q%d", later).ptr).launch_started_at.ms, 0);
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
    struct fake_object *o = fake_kube_object(kube, S("/api/v1/nodes"), true);
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

static int gets(void)
{
    pthread_mutex_lock(&kube->lock);
    int count = gets_done;
    pthread_mutex_unlock(&kube->lock);
    return count;
}

static void test_a_run_that_waits_for_room_reads_its_template_once(void **state)
{
    one_machine = true;
    start();
    add_node("4Gi");
    add_cluster("vc", "local");
    add_run("q0", "vc", NULL);
    wait_state("q0", "SUBMITTED");
    int before = gets();
    add_run("q1", "vc", "{\"applicationConfiguration\":[{\"classification\":\"spark-defaults\",\"properties\":"
                        "{\"spark.kubernetes.driver.podTemplateFile\":\"s3://b/template\"}}]}");
    wait_details("q1", "Queued: the driver and one executor need 2866 MiB");
    for (int i = 0; i < 40; i++)
        wait_a_little();
    assert_int_equal(gets(), before + 1);
    cancel("q0");
    wait_state("q1", "SUBMITTED");
    assert_int_equal(gets(), before + 2); /* the launch takes it as it is then */
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_runs_leave_the_queue_in_order_and_no_more_than_may),
        TEST(test_a_queued_run_is_cancelled_at_once_and_the_next_moves_up),
        TEST(test_a_changed_limit_counts_at_once),
        TEST(test_a_daemon_that_dies_at_any_call_keeps_the_queue),
        TEST(test_drivers_leave_room_for_an_executor_and_older_runs_go_first),
        TEST(test_a_run_that_waits_for_room_reads_its_template_once),
        TEST(test_a_run_that_can_never_be_placed_is_left_to_the_scheduler),
    };
    return cmocka_run_group_tests_name("reconciler_queue", tests, NULL, NULL);
}
