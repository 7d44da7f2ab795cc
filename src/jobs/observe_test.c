/* Pods as the API server shows them -> what is observed of a run. */
#include "base/arena.h"
#include "jobs/observe.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena *arena;
static struct observations *obs;

static int setup(void **state)
{
    arena = arena_new();
    obs = observations_new();
    return 0;
}

static int teardown(void **state)
{
    observations_free(obs);
    arena_free(arena);
    return 0;
}

static void assert_text(struct slice got, const char *want)
{
    if (!slice_eq(got, slice_from_cstr(want)))
        fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(got), want);
}

static void tell_owned(const char *uid, const char *owner, const char *name, const char *role, const char *status, enum observed what)
{
    struct json *pod;
    struct slice id, text = slice_fmt(arena,
                                      "{\"metadata\":{\"uid\":\"%s\",\"ownerReferences\":[{\"kind\":\"Pod\",\"uid\":\"%s\"}],\"name\":\"%s\","
                                      "\"creationTimestamp\":\"2026-11-21T21:10:00Z\",\"labels\":{\"" LABEL_JOB_ID "\":\"r\",\"spark-role\":\"%s\"}},\"status\":%s}",
                                      uid, owner, name, role, status);
    assert_null(json_parse(arena, text, JSON_DUPLICATES_REFUSE, &pod));
    observations_pod(obs, arena, pod, what, &id);
    assert_text(id, "r");
}

/* Executors are those of the driver with the uid u. */
static void tell_of(const char *uid, const char *name, const char *role, const char *status, enum observed what)
{
    tell_owned(uid, "u", name, role, status, what);
}

static void tell(const char *name, const char *role, const char *status, enum observed what)
{
    tell_of("u", name, role, status, what);
}

static struct observation seen(void)
{
    struct observation o;
    observations_get(obs, arena, S("r"), S("d"), &o);
    return o;
}

#define MAIN "{\"name\":\"" DRIVER_CONTAINER "\",\"state\":"
#define WAITING(reason, message) "{\"phase\":\"Pending\",\"containerStatuses\":[" MAIN "{\"waiting\":{\"reason\":\"" reason "\",\"message\":\"" message "\"}}}]}"
#define RUNNING "{\"phase\":\"Running\",\"containerStatuses\":[" MAIN "{\"running\":{\"startedAt\":\"2026-11-21T21:10:05Z\"}}}]}"
#define ENDED(code, more)                                                                                                      \
    "{\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"sidecar\",\"state\":{\"running\":{}}}," MAIN                                 \
    "{\"terminated\":{\"exitCode\":" code ",\"startedAt\":\"2026-11-21T21:10:05Z\",\"finishedAt\":\"2026-11-21T21:10:09Z\"" more "}}}]}"

static void test_what_a_driver_pod_says(void **state)
{
    static const struct {
        const char *status;
        enum driver_phase phase;
        bool has_exit_code;
        int exit_code;
        const char *reason, *waiting;
    } ROWS[] = {
        {"{}", DRIVER_PENDING, false, 0, "", ""},
        {WAITING("ContainerCreating", ""), DRIVER_PENDING, false, 0, "", ""},
        {WAITING("ImagePullBackOff", "no such image"), DRIVER_PENDING, false, 0, "", "ImagePullBackOff: no such image"},
        {"{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\",\"message\":\"0/1 nodes\"}]}", DRIVER_PENDING, false, 0, "",
         "0/1 nodes"},
        {RUNNING, DRIVER_RUNNING, false, 0, "", ""},
        {ENDED("0", ""), DRIVER_ENDED, true, 0, "", ""},
        {ENDED("137", ",\"reason\":\"OOMKilled\""), DRIVER_ENDED, true, 137, "OOMKilled", ""},
        {"{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"low on memory\"}", DRIVER_ENDED, false, 0, "Evicted", ""},
        {"{\"phase\":\"Succeeded\"}", DRIVER_ENDED, true, 0, "", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        tell("d", "driver", ROWS[i].status, OBSERVED_PRESENT);
        struct observation o = seen();
        if (o.driver != ROWS[i].phase || o.has_exit_code != ROWS[i].has_exit_code || (o.has_exit_code && o.exit_code != ROWS[i].exit_code))
            fail_msg("row %zu: phase %d, exit code %d %lld", i, o.driver, o.has_exit_code, (long long)o.exit_code);
        assert_text(o.reason, ROWS[i].reason);
        assert_text(o.waiting, ROWS[i].waiting);
        assert_int_equal(o.driver_created_at.ms, 1795295400000);
    }
}

static void test_an_init_container_that_failed_is_told(void **state)
{
#define INIT(terminated) \
    "{\"phase\":\"Failed\",\"initContainerStatuses\":[{\"name\":\"first\",\"state\":{\"terminated\":{\"exitCode\":0,\"reason\":\"Completed\"}}},{\"name\":\"fetch\",\"state\":{\"terminated\":{" \
    terminated "}}}],\"containerStatuses\":[" MAIN "{\"waiting\":{\"reason\":\"PodInitializing\"}}}]}"
    static const struct {
        const char *status, *message;
    } ROWS[] = {
        {INIT("\"exitCode\":3,\"reason\":\"Error\""), "Init container fetch ended with exit code 3"},
        {INIT("\"exitCode\":137,\"reason\":\"OOMKilled\""), "Init container fetch ended with exit code 137, OOMKilled"},
        {INIT("\"exitCode\":128,\"reason\":\"StartError\",\"message\":\" no such program\\n\""), "Init container fetch ended with exit code 128, StartError: no such program"},
        {INIT("\"exitCode\":0"), ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        tell("d", "driver", ROWS[i].status, OBSERVED_PRESENT);
        assert_int_equal(seen().driver, DRIVER_ENDED);
        assert_false(seen().has_exit_code);
        assert_text(seen().message, ROWS[i].message);
    }
}

static void test_an_executor_that_was_killed_or_thrown_out_is_told(void **state)
{
    static const struct {
        const char *status, *trouble;
    } ROWS[] = {
        {RUNNING, ""},
        {ENDED("1", ""), ""}, /* its own affair: the driver's log tells */
        {"{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"The node was low on resource: ephemeral-storage.\"}",
         "Executor e was evicted: The node was low on resource: ephemeral-storage."},
        {ENDED("137", ",\"reason\":\"OOMKilled\""), "Executor e was killed for using more memory than its limit (OOMKilled)"},
    };
    tell("d", "driver", RUNNING, OBSERVED_PRESENT);
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        tell("e", "executor", ROWS[i].status, OBSERVED_PRESENT);
        assert_text(seen().executor_trouble, ROWS[i].trouble);
    }
    tell("e", "executor", "{}", OBSERVED_GONE); /* Spark has removed it */
    assert_text(seen().executor_trouble, "Executor e was killed for using more memory than its limit (OOMKilled)");
}

static void test_a_deleted_driver_is_absent_unless_it_had_ended(void **state)
{
    assert_int_equal(seen().driver, DRIVER_ABSENT);
    tell("d", "driver", RUNNING, OBSERVED_PRESENT);
    tell("d", "driver", RUNNING, OBSERVED_GONE);
    assert_int_equal(seen().driver, DRIVER_ABSENT);
    tell("d", "driver", ENDED("0", ""), OBSERVED_PRESENT);
    tell("d", "driver", "{}", OBSERVED_GONE); /* a tombstone */
    assert_int_equal(seen().driver, DRIVER_ENDED);
    assert_true(seen().has_exit_code);
    struct slice *names;
    size_t count;
    observations_pods(obs, arena, S("r"), &names, &count);
    assert_int_equal(count, 0);
}

static void test_a_tombstone_keeps_the_containers_as_ended(void **state)
{
    tell("d", "driver", RUNNING, OBSERVED_PRESENT);
    tell("d", "driver", "{}", OBSERVED_GONE);
    struct observed_container *containers;
    size_t count;
    observations_containers(obs, arena, S("r"), &containers, &count);
    assert_int_equal(count, 1);
    assert_true(containers[0].started && containers[0].ended);
}

static void test_what_was_created_never_replaces_what_was_told(void **state)
{
    tell("d", "driver", "{}", OBSERVED_CREATED);
    assert_int_equal(seen().driver, DRIVER_PENDING);
    tell("d", "driver", ENDED("0", ""), OBSERVED_PRESENT);
    tell("d", "driver", "{}", OBSERVED_CREATED); /* a slow worker */
    assert_int_equal(seen().driver, DRIVER_ENDED);
    tell("d", "driver", "{}", OBSERVED_GONE);
    tell("d", "driver", "{}", OBSERVED_CREATED);
    struct slice *names;
    size_t count;
    observations_pods(obs, arena, S("r"), &names, &count);
    assert_int_equal(count, 0);
}

static void test_a_driver_is_untold_until_the_watch_tells_of_it(void **state)
{
    tell("d", "driver", "{}", OBSERVED_CREATED);
    assert_true(seen().untold && !seen().gone);
    tell("d", "driver", RUNNING, OBSERVED_CREATED); /* as it was found since */
    assert_true(seen().untold && seen().driver == DRIVER_RUNNING);
    tell("d", "driver", RUNNING, OBSERVED_PRESENT);
    assert_false(seen().untold);
    tell("d", "driver", "{}", OBSERVED_GONE);
    assert_true(seen().gone && seen().driver == DRIVER_ABSENT);
}

static void test_what_is_late_of_an_earlier_pod_of_the_name_says_nothing_of_the_one_we_have_written(void **state)
{
    tell_of("u1", "d", "driver", RUNNING, OBSERVED_PRESENT);
    tell_of("u2", "d", "driver", "{}", OBSERVED_CREATED);
    assert_true(seen().untold && seen().driver == DRIVER_PENDING);
    tell_of("u1", "d", "driver", ENDED("1", ""), OBSERVED_PRESENT);
    tell_of("u1", "d", "driver", "{}", OBSERVED_GONE);
    assert_true(seen().untold && !seen().gone && seen().driver == DRIVER_PENDING);
    tell_of("u2", "d", "driver", RUNNING, OBSERVED_PRESENT);
    assert_true(!seen().untold && seen().driver == DRIVER_RUNNING);
    tell_of("u2", "d", "driver", RUNNING, OBSERVED_GONE);
    assert_true(seen().gone);
    tell_of("u3", "d", "driver", "{}", OBSERVED_CREATED); /* the watch has told that the one before is gone */
    assert_true(!seen().gone && seen().untold);
}

static void test_a_watch_that_knows_the_pod_tells_of_its_successor(void **state)
{
    tell_of("u1", "d", "driver", ENDED("1", ""), OBSERVED_PRESENT);
    tell_of("u2", "d", "driver", RUNNING, OBSERVED_PRESENT); /* between them a list */
    assert_int_equal(seen().driver, DRIVER_RUNNING);
    tell_of("u1", "d", "driver", "{}", OBSERVED_GONE);
    assert_false(seen().gone);
}

static void tell_deleted(const char *name, const char *by, const char *more)
{
    struct json *pod;
    struct slice id, text = slice_fmt(arena, "{\"metadata\":{\"uid\":\"u\",\"name\":\"%s\",\"deletionTimestamp\":\"%s\",\"labels\":{\"" LABEL_JOB_ID "\":\"r\",\"spark-role\":\"driver\"}%s",
                                      name, by, more);
    assert_null(json_parse(arena, text, JSON_DUPLICATES_REFUSE, &pod));
    observations_pod(obs, arena, pod, OBSERVED_PRESENT, &id);
}

static void test_when_pods_should_be_gone_and_what_holds_them(void **state)
{
    static const struct {
        const char *more, *held_by;
    } ROWS[] = {
        {"}}", ""},
        {",\"finalizers\":[\"a.b/c\",\"d\"]},\"spec\":{\"nodeName\":\"n1\"}}", "the finalizer a.b/c holds it"},
        {"},\"spec\":{\"nodeName\":\"n1\"}}", "node n1 does not say that it has ended"},
    };
    assert_int_equal(seen().pods_deleted_by.ms, 0);
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        tell_deleted("d", "2026-11-21T21:10:00Z", ROWS[i].more);
        assert_text(seen().held_by, ROWS[i].held_by);
    }
    assert_true(seen().deleting);
    assert_int_equal(seen().deleted_by.ms, 1795295400000);
    assert_int_equal(seen().pods_deleted_by.ms, 1795295400000);
    tell("e", "executor", RUNNING, OBSERVED_PRESENT); /* nobody has deleted that one */
    assert_int_equal(seen().pods_deleted_by.ms, 0);
    tell("e", "executor", "{}", OBSERVED_GONE);
    assert_int_equal(seen().pods_deleted_by.ms, 1795295400000);
}

static void test_pods_are_counted_and_only_the_driver_decides(void **state)
{
    tell("d", "driver", RUNNING, OBSERVED_PRESENT);
    tell("e1", "executor", ENDED("0", ""), OBSERVED_PRESENT);
    tell("e2", "executor", RUNNING, OBSERVED_PRESENT);
    assert_int_equal(seen().pods, 3);
    assert_int_equal(seen().driver, DRIVER_RUNNING);
    tell("e1", "executor", "{}", OBSERVED_GONE);
    assert_int_equal(seen().pods, 2);
    tell("d-2", "driver", ENDED("1", ""), OBSERVED_PRESENT); /* another attempt's */
    assert_int_equal(seen().driver, DRIVER_RUNNING);
    assert_int_equal(seen().pods, 3);
    observations_drop(obs, S("r"));
    observations_drop(obs, S("r"));
    assert_int_equal(seen().driver, DRIVER_ABSENT);
}

static void test_pods_of_no_run_are_ignored(void **state)
{
    struct json *pod;
    struct slice id;
    assert_null(json_parse(arena, S("{\"metadata\":{\"name\":\"x\",\"labels\":{}}}"), JSON_DUPLICATES_REFUSE, &pod));
    observations_pod(obs, arena, pod, OBSERVED_PRESENT, &id);
    assert_null(id.ptr);
    observations_pod(obs, arena, NULL, OBSERVED_GONE, &id);
    assert_null(id.ptr);
}

static struct slice told_in(const char *cluster, const char *namespace_, const char *uid, const char *role, const char *name, const char *status)
{
    struct json *pod;
    struct slice id;
    assert_null(json_parse(arena,
                           slice_fmt(arena,
                                     "{\"metadata\":{\"uid\":\"%s\",\"ownerReferences\":[{\"uid\":\"u2\"}],\"name\":\"%s\",\"namespace\":\"%s\",\"labels\":{\"" LABEL_JOB_ID "\":\"r\",\"spark-role\":\"%s\"}},"
                                     "\"status\":%s}",
                                     uid, name, namespace_, role, status),
                           JSON_DUPLICATES_REFUSE, &pod));
    observations_told(obs, arena, slice_from_cstr(cluster), pod, OBSERVED_PRESENT, &id);
    return id;
}

static void test_pods_of_another_namespace_or_cluster_are_not_the_runs(void **state)
{
    struct slice *names;
    size_t count;
    assert_text(told_in("c", "evil", "u1", "driver", "d", ENDED("0", "")), "r"); /* where the run is, is not known yet */
    assert_text(told_in("c", "ns", "u2", "driver", "d", RUNNING), "r");
    assert_text(told_in("other", "ns", "u3", "driver", "d", ENDED("0", "")), "r");
    assert_int_equal(seen().driver, DRIVER_ABSENT);
    observations_place(obs, S("r"), S("c"), S("ns"));
    assert_int_equal(seen().driver, DRIVER_RUNNING);
    assert_null(told_in("c", "evil", "u4", "driver", "d", ENDED("0", "")).ptr);
    assert_null(told_in("other", "ns", "u5", "driver", "d", ENDED("0", "")).ptr);
    assert_null(told_in("c", "evil", "u6", "executor", "e", RUNNING).ptr);
    assert_text(told_in("c", "ns", "u7", "executor", "f", RUNNING), "r");
    assert_int_equal(seen().driver, DRIVER_RUNNING);
    assert_int_equal(seen().pods, 2);
    observations_pods(obs, arena, S("r"), &names, &count);
    assert_int_equal(count, 2);
    assert_text(names[1], "f");
}

static void test_a_pod_that_takes_the_name_of_the_launched_driver_is_not_the_driver(void **state)
{
    tell_of("u1", "d", "driver", "{}", OBSERVED_LAUNCHED);
    tell_of("u0", "d", "driver", ENDED("0", ""), OBSERVED_PRESENT); /* from before it */
    assert_int_equal(seen().driver, DRIVER_PENDING);
    tell_of("u1", "d", "driver", RUNNING, OBSERVED_PRESENT);
    assert_int_equal(seen().driver, DRIVER_RUNNING);
    tell_of("u2", "d", "driver", ENDED("0", ""), OBSERVED_PRESENT);
    assert_int_equal(seen().driver, DRIVER_ABSENT);
    assert_true(seen().gone);
    tell_of("u3", "d", "driver", RUNNING, OBSERVED_LAUNCHED);
    assert_int_equal(seen().driver, DRIVER_RUNNING);
    assert_false(seen().gone);
}

static void test_only_the_pod_on_record_is_the_driver(void **state)
{
    tell_of("u2", "d", "driver", ENDED("0", ""), OBSERVED_PRESENT); /* the first that a new daemon hears of */
    assert_int_equal(seen().driver, DRIVER_ENDED);
    observations_pin(obs, S("r"), S("d"), S("u1"));
    assert_int_equal(seen().driver, DRIVER_ABSENT);
    assert_int_equal(seen().pods, 0);
    tell_of("u2", "d", "driver", ENDED("0", ""), OBSERVED_PRESENT);
    tell_of("u2", "d", "driver", ENDED("0", ""), OBSERVED_CREATED);
    assert_int_equal(seen().driver, DRIVER_ABSENT);
    tell_of("u1", "d", "driver", RUNNING, OBSERVED_PRESENT);
    tell_of("u2", "d", "driver", "{}", OBSERVED_GONE); /* late */
    assert_int_equal(seen().driver, DRIVER_RUNNING);
    tell_of("u3", "d", "driver", RUNNING, OBSERVED_PRESENT);
    assert_int_equal(seen().driver, DRIVER_ABSENT);
    assert_true(seen().gone);
    observations_pin(obs, S("r"), S("d"), S("u1"));
    observations_pin(obs, S("r"), S("d"), S("")); /* nothing is on record: what was pinned stays */
    tell_of("u3", "d", "driver", RUNNING, OBSERVED_PRESENT);
    assert_int_equal(seen().driver, DRIVER_ABSENT);
}

static void test_executors_are_those_that_a_driver_of_the_run_owns(void **state)
{
    struct observed_container *containers;
    struct slice *names;
    size_t count;
    tell_owned("e1", "u1", "e1", "executor", WAITING("ImagePullBackOff", "no such image"), OBSERVED_PRESENT); /* told before its driver */
    tell_owned("e2", "other", "e2", "executor", RUNNING, OBSERVED_PRESENT);
    tell_owned("e3", "", "e3", "executor", ENDED("137", ",\"reason\":\"OOMKilled\""), OBSERVED_PRESENT);
    assert_int_equal(seen().pods, 0);
    tell_of("u1", "d", "driver", RUNNING, OBSERVED_PRESENT);
    assert_int_equal(seen().pods, 2);
    assert_text(seen().executor_waiting, "executor e1: ImagePullBackOff: no such image");
    assert_null(seen().executor_trouble.ptr);
    tell_owned("e3", "", "e3", "executor", "{}", OBSERVED_GONE);
    observations_containers(obs, arena, S("r"), &containers, &count);
    for (size_t i = 0; i < count; i++)
        assert_true(slice_eq(containers[i].pod, S("d")) || slice_eq(containers[i].pod, S("e1")));
    assert_null(seen().executor_trouble.ptr);
    observations_pods(obs, arena, S("r"), &names, &count);
    assert_int_equal(count, 2);
    tell_of("u1", "d", "driver", "{}", OBSERVED_GONE); /* what it has left is still the run's */
    assert_int_equal(seen().pods, 1);
    observations_drop(obs, S("r"));
    observations_pin(obs, S("r"), S("d"), S("u1"));
    tell_owned("e1", "u1", "e1", "executor", RUNNING, OBSERVED_PRESENT);
    assert_int_equal(seen().pods, 1);
}

#define EXECUTORS 3000

static void test_an_executor_that_does_not_start_is_told_while_none_runs(void **state)
{
    tell("e1", "executor", WAITING("ImagePullBackOff", "no such image"), OBSERVED_PRESENT);
    assert_null(seen().executor_waiting.ptr); /* there is no driver for it */
    tell("d", "driver", RUNNING, OBSERVED_PRESENT);
    assert_text(seen().executor_waiting, "executor e1: ImagePullBackOff: no such image");
    assert_true(seen().executor_waiting_since.ms > 0);
    tell("e2", "executor", RUNNING, OBSERVED_PRESENT);
    assert_null(seen().executor_waiting.ptr);
    tell("e2", "executor", ENDED("0", ""), OBSERVED_PRESENT);
    assert_text(seen().executor_waiting, "executor e1: ImagePullBackOff: no such image");
    tell("e1", "executor", WAITING("ContainerCreating", ""), OBSERVED_PRESENT);
    assert_null(seen().executor_waiting.ptr);
    tell("e1", "executor",
         "{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\",\"message\":\"0/1 nodes are available: 1 Insufficient memory.\"}]}",
         OBSERVED_PRESENT);
    assert_text(seen().executor_waiting, "executor e1: 0/1 nodes are available: 1 Insufficient memory.");
    tell("e1", "executor", /* a side car comes first by its name */
         "{\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"a\",\"state\":{\"running\":{}}},{\"name\":\"spark-kubernetes-executor\","
         "\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\",\"message\":\"no such image\"}}}]}",
         OBSERVED_PRESENT);
    assert_text(seen().executor_waiting, "executor e1: ErrImagePull: no such image");
    tell("e1", "executor", "{}", OBSERVED_GONE);
    assert_null(seen().executor_waiting.ptr);
}

static void test_executors_that_are_gone_are_given_once_and_what_was_wrong_is_kept(void **state)
{
    struct observed_container *containers;
    size_t count;
    tell("d", "driver", RUNNING, OBSERVED_PRESENT);
    for (int i = 0; i < EXECUTORS; i++) {
        const char *name = slice_fmt(arena, "e%d", i).ptr;
        tell(name, "executor", RUNNING, OBSERVED_PRESENT);
        tell(name, "executor", i == 7 ? ENDED("137", ",\"reason\":\"OOMKilled\"") : ENDED("0", ""), OBSERVED_PRESENT);
        if (i % 3)
            tell(name, "executor", "{}", OBSERVED_GONE);
    }
    observations_containers(obs, arena, S("r"), &containers, &count);
    assert_int_equal(count, 1 + 2 * EXECUTORS);
    for (size_t i = 1; i < count; i++)
        assert_true(containers[i].ended || slice_eq(containers[i].container, S("sidecar")));
    observations_containers(obs, arena, S("r"), &containers, &count);
    assert_int_equal(count, 1 + 2 * (EXECUTORS / 3));
    assert_int_equal(seen().pods, 1 + EXECUTORS / 3);
    assert_text(seen().executor_trouble, "Executor e7 was killed for using more memory than its limit (OOMKilled)");
    tell("e7", "executor", "{}", OBSERVED_GONE); /* repeated */
    observations_containers(obs, arena, S("r"), &containers, &count);
    assert_int_equal(count, 1 + 2 * (EXECUTORS / 3));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_a_driver_pod_says),
        TEST(test_an_init_container_that_failed_is_told),
        TEST(test_an_executor_that_was_killed_or_thrown_out_is_told),
        TEST(test_a_deleted_driver_is_absent_unless_it_had_ended),
        TEST(test_a_tombstone_keeps_the_containers_as_ended),
        TEST(test_what_was_created_never_replaces_what_was_told),
        TEST(test_a_driver_is_untold_until_the_watch_tells_of_it),
        TEST(test_what_is_late_of_an_earlier_pod_of_the_name_says_nothing_of_the_one_we_have_written),
        TEST(test_a_watch_that_knows_the_pod_tells_of_its_successor),
        TEST(test_when_pods_should_be_gone_and_what_holds_them),
        TEST(test_pods_are_counted_and_only_the_driver_decides),
        TEST(test_pods_of_no_run_are_ignored),
        TEST(test_pods_of_another_namespace_or_cluster_are_not_the_runs),
        TEST(test_a_pod_that_takes_the_name_of_the_launched_driver_is_not_the_driver),
        TEST(test_only_the_pod_on_record_is_the_driver),
        TEST(test_executors_are_those_that_a_driver_of_the_run_owns),
        TEST(test_an_executor_that_does_not_start_is_told_while_none_runs),
        TEST(test_executors_that_are_gone_are_given_once_and_what_was_wrong_is_kept),
    };
    return cmocka_run_group_tests_name("observe", tests, NULL, NULL);
}
