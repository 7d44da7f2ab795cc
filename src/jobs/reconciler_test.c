/* The reconciler over a real store, against a Kubernetes of a few lines (fake_kube.h). Life of a run; its end at any call to the cluster ("kill"); lost and repeated watch events. */
#include "jobs/reconciler_fixture.h"

static void test_a_run_lives_from_pending_to_completed(void **state)
{
    start();
    add_cluster("vc", "local");
    add_run("r1", "vc", TO_S3);
    live("r1", ENDED(0), "COMPLETED");
    struct job_run run = get_run("r1");
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
    struct job_run run = get_run("r1");
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

static void test_a_pod_that_took_the_drivers_name_while_the_daemon_was_down_is_not_the_driver(void **state)
{
    struct json *pod, *made;
    start();
    add_cluster("vc", "local");
    ADD_RUNNING("r1");
    assert_true(get_run("r1").driver_uid.len > 0);
    stop();
    fake_kube_drop_pod(kube, DRIVER_OF("r1"));
    assert_null(json_parse(arena, S("{\"metadata\":{\"name\":\"" DRIVER_OF("r1") "\",\"labels\":{\"emr-containers.amazonaws.com/job.id\":\"r1\",\"spark-role\":\"driver\"}}}"),
                           JSON_DUPLICATES_REFUSE, &pod));
    assert_null(k8s_create(kube, arena, S("/api/v1/namespaces/ns/pods"), pod, &made));
    set_status(DRIVER_OF("r1"), ENDED(0));
    start();
    wait_state("r1", "FAILED");
    assert_true(slice_starts_with(get_run("r1").state_details, S("The driver pod was deleted before it ended")));
    wait_reaped("r1");
}

static void test_a_driver_that_is_deleted_fails_the_run(void **state)
{
    start();
    add_cluster("vc", "local");
    ADD_RUNNING("r1");
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

static void test_a_run_that_nobody_was_told_of_is_found(void **state)
{
    stepped = true;
    start();
    add_cluster("vc", "local");
    step_all();
    add_run_untold("r1", "vc", NULL); /* its insert was committed, and the answer was lost */
    step_all();
    assert_int_equal(get_run("r1").launch_started_at.ms, 0);
    clock_ahead_ms += 60 * 1000;
    step_all();
    wait_pod(DRIVER_OF("r1"), true);
}

static struct slice driver_text(const char *id)
{
    pthread_mutex_lock(&kube->lock);
    struct fake_object *o = fake_kube_object(kube, slice_fmt(arena, "/api/v1/namespaces/ns/pods/spark-%s-driver", id), false);
    struct slice text = o && o->text ? slice_dup_cstr(arena, o->text) : SLICE_NONE;
    pthread_mutex_unlock(&kube->lock);
    return text;
}

static void set_deaf(bool deaf)
{
    pthread_mutex_lock(&kube->lock);
    kube->deaf = deaf;
    pthread_mutex_unlock(&kube->lock);
}

/* Both creations' answers are lost; the first pod goes before the watch tells of it, and is told of when there is the second. */
static void test_late_events_of_an_earlier_driver_do_not_end_the_present_one(void **state)
{
    stepped = true;
    start();
    add_cluster("vc", "local");
    set_deaf(true);
    kube->undelivered_creates = 2;
    add_run("r1", "vc", NULL);
    wait_pod(DRIVER_OF("r1"), true);
    struct slice first = driver_text("r1");
    fake_kube_drop_pod(kube, DRIVER_OF("r1"));
    wait_pod(DRIVER_OF("r1"), true);
    assert_false(slice_eq(driver_text("r1"), first));
    pthread_mutex_lock(&kube->lock);
    kube->deaf = false;
    fake_kube_tell(kube, K8S_PRESENT, first.ptr);
    fake_kube_tell(kube, K8S_GONE, first.ptr);
    pthread_mutex_unlock(&kube->lock);
    wait_state("r1", "SUBMITTED");
    set_status(DRIVER_OF("r1"), RUNNING);
    wait_state("r1", "RUNNING");
    set_status(DRIVER_OF("r1"), ENDED(0));
    wait_state("r1", "COMPLETED");
    wait_reaped("r1");
    expect_history("r1", "START LAUNCHED DRIVER_STARTED SUCCEEDED ");
    expect_nothing_left("r1", 2);
}

static void test_a_driver_that_went_while_the_answer_to_its_launch_was_lost_is_not_made_again(void **state)
{
    for (int told = 0; told < 2; told++) { /* whether the watch tells that it has gone */
        stepped = true;
        start();
        add_cluster("vc", "local");
        kube->undelivered_creates = 1;
        set_deaf(true); /* what is told makes the reconciler look again at once */
        add_run("r1", "vc", NULL);
        wait_pod(DRIVER_OF("r1"), true);
        pthread_mutex_lock(&kube->lock);
        kube->deaf = false;
        fake_kube_tell(kube, K8S_PRESENT, fake_kube_object(kube, S("/api/v1/namespaces/ns/pods/" DRIVER_OF("r1")), false)->text);
        pthread_mutex_unlock(&kube->lock);
        fake_kube_settle(kube);
        set_deaf(!told);
        fake_kube_drop_pod(kube, DRIVER_OF("r1"));
        fake_kube_settle(kube);
        wait_state("r1", "FAILED");
        assert_true(slice_starts_with(get_run("r1").state_details, S("The driver pod was deleted before it ended")));
        wait_reaped("r1");
        expect_nothing_left("r1", 1);
        teardown(NULL);
        setup(NULL);
    }
    start();
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
        TEST(test_a_pod_that_took_the_drivers_name_while_the_daemon_was_down_is_not_the_driver),
        TEST(test_a_driver_that_is_deleted_fails_the_run),
        TEST(test_a_driver_that_goes_before_the_watch_knows_it_is_missed),
        TEST(test_lost_events_are_made_good_by_the_next_list),
        TEST(test_repeated_events_change_nothing),
        TEST(test_a_run_that_nobody_was_told_of_is_found),
        TEST(test_late_events_of_an_earlier_driver_do_not_end_the_present_one),
        TEST(test_a_driver_that_went_while_the_answer_to_its_launch_was_lost_is_not_made_again),
        TEST(test_pods_of_unknown_runs_are_left_alone),
    };
    return cmocka_run_group_tests_name("reconciler", tests, NULL, NULL);
}
