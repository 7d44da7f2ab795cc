/* The pure parts of the job engine: state table, decisions, words, queue. */
#include "base/arena.h"
#include "jobs/ask.h"
#include "jobs/decide.h"
#include "jobs/job_run.h"
#include "jobs/retry.h"
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
    assert_int_equal(edges, 15);
    for (int s = 0; s < JOB_RUN_STATE_COUNT; s++) {
        enum job_run_state back;
        assert_true(job_run_state_parse(job_run_state_name((enum job_run_state)s), &back));
        assert_int_equal(back, s);
    }
}

static void test_sizes_of_rotation_are_2KB_to_2GB_without_decimals(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes; /* 0: refused */
    } cases[] = {
        {"2KB", 2048}, {"2K", 2048}, {"2Kb", 2048}, {"10MB", 10 << 20}, {"1500MB", 1500LL << 20}, {"2GB", 2LL << 30}, {"2048M", 2LL << 30},
        {"0002KB", 2048}, {"1KB", 0}, {"0G", 0}, {"3GB", 0}, {"2049MB", 0}, {"2097153K", 0}, {"1.5GB", 0}, {"10", 0}, {"KB", 0}, {"", 0},
        {"B", 0}, {"-2KB", 0}, {"10TB", 0}, {"9999999999G", 0}, {"2kB", 0}, {"10 MB", 0}, {"2KBB", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t bytes = 0;
        bool ok = job_run_parse_rotation_size(slice_from_cstr(cases[i].text), &bytes);
        if (ok != (cases[i].bytes > 0) || bytes != cases[i].bytes)
            fail_msg("%s: %d, %lld", cases[i].text, ok, (long long)bytes);
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
    const struct slice broke = S("{\"succeeded\":false,\"exitCode\":1,\"retryable\":true,\"failureReason\":\"USER_ERROR\",\"cause\":\"The driver ended with exit code 1\"}");
    static const struct instant long_ago = {.ms = NOW - 3600 * 1000};
    static const struct queue_look free_now = {.verdict = QUEUE_FREE}, behind = {.verdict = QUEUE_BEHIND},
                                   full = {.verdict = QUEUE_FULL, .under_way = 2, .max_concurrent = 2}, full_kept = {.verdict = QUEUE_FULL, .waits_for_room = true},
                                   no_room = {.verdict = QUEUE_NO_ROOM},
                                   no_room_kept = {.verdict = QUEUE_NO_ROOM, .used = {.memory_bytes = 5632LL << 20, .cpu_millis = 4500}, .waits_for_room = true};
    const struct row rows[] = {
        {"pending waits for the first list", {.state = JOB_RUN_PENDING, .queue = free_now}, {0}, ACTION_WAIT, 0, NULL},
        {"the head of the queue leaves it", {.state = JOB_RUN_PENDING, .queue = free_now}, {.synced = true}, ACTION_LEAVE_QUEUE, 0, NULL},
        {"who has left it is launched", {.state = JOB_RUN_PENDING, .launch_started_at = early}, {.synced = true}, ACTION_LAUNCH, 0, NULL},
        {"a full virtual cluster is told with numbers", {.state = JOB_RUN_PENDING, .queue = full}, {0}, ACTION_NOTE, 0,
         "Queued: 2 of at most 2 job runs of the virtual cluster are under way (maxConcurrentJobRuns)."},
        {"and once", {.state = JOB_RUN_PENDING, .queue = behind, .state_details = S("Queued behind earlier job runs of the virtual cluster.")}, {0}, ACTION_WAIT, 0, NULL},
        {"a run that waits its turn needs no cluster", {.state = JOB_RUN_PENDING, .queue = behind, .created_at = old},
         {.trouble = S("connection refused"), .trouble_since = old}, ACTION_NOTE, 0, "Queued behind earlier job runs of the virtual cluster."},
        {"that it waits for room is kept", {.state = JOB_RUN_PENDING, .queue = no_room}, {.synced = true}, ACTION_LEAVE_QUEUE, 0, NULL},
        {"and told with numbers", {.state = JOB_RUN_PENDING, .queue = no_room_kept, .ask = {.memory_bytes = 2816LL << 20, .cpu_millis = 2000}, .room = {.memory_bytes = 6000LL << 20, .cpu_millis = 16000}},
         {.synced = true}, ACTION_NOTE, 0,
         "Queued: the driver and one executor need 2816 MiB of memory and 2 CPUs; job runs under way hold 5632 MiB and 4.500 of the machine's 6000 MiB and 16."},
        {"no longer for room is kept too", {.state = JOB_RUN_PENDING, .queue = full_kept}, {.synced = true}, ACTION_LEAVE_QUEUE, 0, NULL},
        {"no cluster rejects", {.state = JOB_RUN_PENDING, .cluster = S("c")}, {.no_cluster = true}, ACTION_MOVE, JOB_RUN_EVENT_REJECTED, "Cluster c does not exist."},
        {"a cluster that is briefly away is waited for", {.state = JOB_RUN_PENDING, .queue = free_now, .created_at = early},
         {.trouble = S("connection refused"), .trouble_since = early}, ACTION_WAIT, 0, NULL},
        {"a cluster that is long away rejects", {.state = JOB_RUN_PENDING, .cluster = S("c"), .queue = free_now, .created_at = old},
         {.trouble = S("connection refused"), .trouble_since = old}, ACTION_MOVE, JOB_RUN_EVENT_REJECTED, "Cluster c is currently not reachable. connection refused"},
        {"a cluster that refuses us rejects in AWS's words", {.state = JOB_RUN_PENDING, .cluster = S("c"), .queue = free_now, .created_at = old},
         {.trouble = S("pods is forbidden: User \"ember\" cannot list"), .trouble_since = old}, ACTION_MOVE, JOB_RUN_EVENT_REJECTED,
         "Cluster c does not have sufficient permissions. pods is forbidden: User \"ember\" cannot list"},
        {"submitted and starting waits", {.state = JOB_RUN_SUBMITTED, .driver_created_at = early, .start_timeout_s = 900},
         {.synced = true, .driver = DRIVER_PENDING}, ACTION_WAIT, 0, NULL},
        {"the scheduler's words reach the details", {.state = JOB_RUN_SUBMITTED, .driver_created_at = early, .start_timeout_s = 900},
         {.synced = true, .driver = DRIVER_PENDING, .waiting = S("0/1 nodes are available: 1 Insufficient memory.")}, ACTION_NOTE, 0, "0/1 nodes are available"},
        {"and are said once", {.state = JOB_RUN_SUBMITTED, .driver_created_at = early, .start_timeout_s = 900, .state_details = S("0/1 nodes")},
         {.synced = true, .driver = DRIVER_PENDING, .waiting = S("0/1 nodes")}, ACTION_WAIT, 0, NULL},
        {"a driver that does not start in time fails", {.state = JOB_RUN_SUBMITTED, .driver_created_at = old, .start_timeout_s = 900},
         {.synced = true, .driver = DRIVER_PENDING}, ACTION_RECORD, 0, NULL},
        {"but not while its cluster does not answer", {.state = JOB_RUN_SUBMITTED, .driver_created_at = old, .start_timeout_s = 900},
         {.synced = true, .driver = DRIVER_PENDING, .trouble = S("connection refused"), .trouble_since = early}, ACTION_WAIT, 0, NULL},
        {"a running driver is RUNNING", {.state = JOB_RUN_SUBMITTED}, {.synced = true, .driver = DRIVER_RUNNING}, ACTION_MOVE, JOB_RUN_EVENT_DRIVER_STARTED, ""},
        {"running stays running", {.state = JOB_RUN_RUNNING, .driver_started_at = early}, {.synced = true, .driver = DRIVER_RUNNING}, ACTION_WAIT, 0, NULL},
        {"an executor may wait a moment", {.state = JOB_RUN_RUNNING, .driver_started_at = early},
         {.synced = true, .driver = DRIVER_RUNNING, .executor_waiting = S("executor 1: no room"), .executor_waiting_since = {.ms = NOW - 14999}}, ACTION_WAIT, 0, NULL},
        {"then it is told that none runs", {.state = JOB_RUN_RUNNING, .driver_started_at = early},
         {.synced = true, .driver = DRIVER_RUNNING, .executor_waiting = S("executor 1: no room"), .executor_waiting_since = {.ms = NOW - 15000}}, ACTION_NOTE, 0,
         "No executor is running: executor 1: no room"},
        {"once", {.state = JOB_RUN_RUNNING, .driver_started_at = early, .state_details = S("No executor is running: executor 1: no room")},
         {.synced = true, .driver = DRIVER_RUNNING, .executor_waiting = S("executor 1: no room"), .executor_waiting_since = old}, ACTION_WAIT, 0, NULL},
        {"until one runs", {.state = JOB_RUN_RUNNING, .driver_started_at = early, .state_details = S("No executor is running: executor 1: no room")},
         {.synced = true, .driver = DRIVER_RUNNING}, ACTION_NOTE, 0, ""},
        {"in front of the words about the attempt before", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 2, .driver_created_at = early, .driver_started_at = early, .state_details = S("Attempt 2 of 2. Attempt 1 failed: x")},
         {.synced = true, .driver = DRIVER_RUNNING, .executor_waiting = S("executor 1: no room"), .executor_waiting_since = old}, ACTION_NOTE, 0,
         "No executor is running: executor 1: no room. Attempt 2 of 2. Attempt 1 failed: x"},
        {"once", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 2, .driver_created_at = early, .driver_started_at = early, .state_details = S("No executor is running: executor 1: no room. Attempt 2 of 2. Attempt 1 failed: x")},
         {.synced = true, .driver = DRIVER_RUNNING, .executor_waiting = S("executor 1: no room"), .executor_waiting_since = old}, ACTION_WAIT, 0, NULL},
        {"and those stay when one runs", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 2, .driver_created_at = early, .driver_started_at = early, .state_details = S("No executor is running: executor 1: no room. Attempt 2 of 2. Attempt 1 failed: x")},
         {.synced = true, .driver = DRIVER_RUNNING, .executor_there = true}, ACTION_NOTE, 0, "Attempt 2 of 2. Attempt 1 failed: x"},
        {"a waiting driver is told beside the attempt before", {.state = JOB_RUN_SUBMITTED, .attempt = 2, .max_attempts = 2, .driver_created_at = early, .start_timeout_s = 900, .state_details = S("Attempt 2 of 2. Attempt 1 failed: x")},
         {.synced = true, .driver = DRIVER_PENDING, .waiting = S("0/1 nodes are available.")}, ACTION_NOTE, 0, "0/1 nodes are available. Attempt 2 of 2. Attempt 1 failed: x"},
        {"until it starts", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 2, .driver_created_at = early, .state_details = S("0/1 nodes are available. Attempt 2 of 2. Attempt 1 failed: x")},
         {.synced = true, .driver = DRIVER_RUNNING}, ACTION_MOVE, JOB_RUN_EVENT_DRIVER_STARTED, "Attempt 2 of 2. Attempt 1 failed: x"},
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
        {"a failure that is not the last is told", {.state = JOB_RUN_RUNNING, .attempt = 1, .max_attempts = 3, .outcome = broke, .outcome_at = early},
         {.synced = true, .attempt_read = true, .pods = 1, .last_error_line = S("ValueError: x")}, ACTION_NOTE, 0, "Attempt 1 of 3 failed, the next one begins at 1970-01-12T13:46:45Z: The driver ended with exit code 1. ValueError: x"},
        {"when its logs are read", {.state = JOB_RUN_RUNNING, .attempt = 1, .max_attempts = 3, .outcome = broke, .outcome_at = early},
         {.synced = true, .pods = 1}, ACTION_WAIT, 0, NULL},
        {"then its objects go", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 3, .outcome = broke, .outcome_at = early, .state_details = S("Attempt 2 of 3 failed, the next one begins at 1970-01-12T13:46:55Z: The driver ended with exit code 1")},
         {.synced = true, .attempt_read = true, .pods = 1}, ACTION_CLEAN, 0, NULL},
        {"the back-off is waited for", {.state = JOB_RUN_SUBMITTED, .attempt = 2, .max_attempts = 3, .outcome = broke, .outcome_at = early, .state_details = S("Attempt 2 of 3 failed, the next one begins at 1970-01-12T13:46:55Z: The driver ended with exit code 1")},
         {.synced = true, .attempt_read = true}, ACTION_WAIT, 0, NULL},
        {"and then the next attempt begins", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 3, .outcome = broke, .outcome_at = old},
         {.synced = true, .attempt_read = true}, ACTION_RETRY, JOB_RUN_EVENT_RETRIED, "Attempt 3 of 3. Attempt 2 failed: The driver ended with exit code 1"},
        {"logs that can't be read hold it back a while only", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 3, .outcome = broke, .outcome_at = old},
         {.synced = true}, ACTION_RETRY, JOB_RUN_EVENT_RETRIED, NULL},
        {"an old attempt's pods do", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 3, .outcome = broke, .outcome_at = old},
         {.synced = true, .attempt_read = true, .pods = 1}, ACTION_CLEAN, 0, NULL},
        {"the next attempt is launched", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 3, .launch_started_at = early}, {.synced = true}, ACTION_LAUNCH, 0, NULL},
        {"and waited for", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 3, .launch_started_at = early, .driver_created_at = early, .start_timeout_s = 900, .state_details = S("Attempt 2 of 3. x")},
         {.synced = true, .driver = DRIVER_PENDING}, ACTION_WAIT, 0, NULL},
        {"its driver starts", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 3, .launch_started_at = early, .driver_created_at = early},
         {.synced = true, .driver = DRIVER_RUNNING}, ACTION_MOVE, JOB_RUN_EVENT_DRIVER_STARTED, NULL},
        {"or does not, which no attempt cures", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 3, .driver_created_at = old, .start_timeout_s = 900},
         {.synced = true, .driver = DRIVER_PENDING}, ACTION_RECORD, 0, NULL},
        {"the last attempt's cause ends the run", {.state = JOB_RUN_RUNNING, .attempt = 3, .max_attempts = 3, .outcome = broke},
         {.synced = true, .logs_settled = true}, ACTION_MOVE, JOB_RUN_EVENT_BROKE, "Attempt 3 of 3 failed. The driver ended with exit code 1. JobRun failed."},
        {"and those before behind it", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 2, .outcome = broke, .state_details = S("Attempt 2 of 2. Attempt 1 failed: Evicted")},
         {.synced = true, .logs_settled = true}, ACTION_MOVE, JOB_RUN_EVENT_BROKE,
         "Attempt 2 of 2 failed. The driver ended with exit code 1. JobRun failed. Please refer logs uploaded to S3/CloudWatch based on your monitoring configuration. Attempt 1 failed: Evicted"},
        {"also of an attempt that had no executors", {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 2, .outcome = broke, .state_details = S("No executor is running: x. Attempt 2 of 2. Attempt 1 failed: Evicted")},
         {.synced = true, .logs_settled = true}, ACTION_MOVE, JOB_RUN_EVENT_BROKE,
         "Attempt 2 of 2 failed. The driver ended with exit code 1. JobRun failed. Please refer logs uploaded to S3/CloudWatch based on your monitoring configuration. Attempt 1 failed: Evicted"},
        {"what is no driver's failure is not tried again", {.state = JOB_RUN_RUNNING, .attempt = 1, .max_attempts = 3, .outcome = bad}, {.synced = true, .logs_settled = true},
         ACTION_MOVE, JOB_RUN_EVENT_BROKE, "The driver ended with exit code 1."},
        {"a cancel ends the back-off", {.state = JOB_RUN_CANCEL_PENDING, .attempt = 1, .max_attempts = 3, .launch_started_at = early, .outcome = broke},
         {.synced = true, .logs_settled = true}, ACTION_MOVE, JOB_RUN_EVENT_STOPPED, NULL},
        {"a cancel between attempts waits for the logs", {.state = JOB_RUN_CANCEL_PENDING, .attempt = 2, .max_attempts = 3, .launch_started_at = early}, {.synced = true}, ACTION_RECORD, 0, NULL},
        {"a cluster that is away is borne for a while", {.state = JOB_RUN_RUNNING, .driver_started_at = old}, {.synced = true, .driver = DRIVER_RUNNING, .trouble = S("x"), .trouble_since = old}, ACTION_WAIT, 0, NULL},
        {"a lost one is told", {.state = JOB_RUN_RUNNING, .driver_started_at = old}, {.synced = true, .driver = DRIVER_RUNNING, .trouble = S("x"), .trouble_since = long_ago}, ACTION_RECORD, 0, NULL},
        {"a lost one ends the back-off", {.state = JOB_RUN_RUNNING, .attempt = 1, .max_attempts = 3, .outcome = broke, .outcome_at = old}, {.trouble = S("x"), .trouble_since = long_ago}, ACTION_RECORD, 0, NULL},
        {"cancel does not wait for a lost one", {.state = JOB_RUN_CANCEL_PENDING, .cluster = S("c"), .launch_started_at = early}, {.trouble = S("x"), .trouble_since = long_ago}, ACTION_MOVE, JOB_RUN_EVENT_STOPPED,
         "JobRun CANCELLED. Cluster c is currently not reachable"},
        {"cancel of a pending run needs no cluster", {.state = JOB_RUN_CANCEL_PENDING}, {0}, ACTION_MOVE, JOB_RUN_EVENT_STOPPED, "JobRun CANCELLED successfully."},
        {"it says who asked", {.state = JOB_RUN_CANCEL_PENDING, .state_details = S("Cancelled by arn:aws:iam::111122223333:user/ann.")}, {0}, ACTION_MOVE, JOB_RUN_EVENT_STOPPED,
         "JobRun CANCELLED successfully. Cancelled by arn:aws:iam::111122223333:user/ann."},
        {"cancel after a launch waits for the list", {.state = JOB_RUN_CANCEL_PENDING, .launch_started_at = early}, {0}, ACTION_WAIT, 0, NULL},
        {"cancel kills a running driver", {.state = JOB_RUN_CANCEL_PENDING, .launch_started_at = early}, {.synced = true, .driver = DRIVER_RUNNING}, ACTION_KILL, 0, NULL},
        {"once", {.state = JOB_RUN_CANCEL_PENDING, .launch_started_at = early}, {.synced = true, .driver = DRIVER_RUNNING, .deleting = true, .deleted_by = early}, ACTION_WAIT, 0, NULL},
        {"a driver that outstays its grace is killed without", {.state = JOB_RUN_CANCEL_PENDING, .launch_started_at = early},
         {.synced = true, .driver = DRIVER_RUNNING, .deleting = true, .deleted_by = {.ms = NOW - POD_FORCE_AFTER_MS}}, ACTION_KILL, 0, NULL},
        {"and then recorded as over", {.state = JOB_RUN_CANCEL_PENDING, .launch_started_at = early},
         {.synced = true, .driver = DRIVER_PENDING, .deleting = true, .deleted_by = {.ms = NOW - POD_HELD_MAX_MS}}, ACTION_RECORD, 0, NULL},
        {"a cancel waits no longer for it, and says what is left", {.state = JOB_RUN_CANCEL_PENDING, .driver_pod = S("p"), .launch_started_at = early, .outcome = bad, .state_details = S("Cancelled by ann.")},
         {.synced = true, .driver = DRIVER_RUNNING, .deleting = true, .deleted_by = old, .held_by = S("the finalizer x/y holds it"), .logs_settled = true}, ACTION_MOVE, JOB_RUN_EVENT_STOPPED,
         "JobRun CANCELLED. Pod p is still terminating: the finalizer x/y holds it. Its deletion goes on. Cancelled by ann."},
        {"a driver on its way out may still end by itself", {.state = JOB_RUN_RUNNING, .attempt = 1, .driver_started_at = early},
         {.synced = true, .driver = DRIVER_RUNNING, .deleting = true, .deleted_by = early}, ACTION_WAIT, 0, NULL},
        {"or is killed, if its node is dead", {.state = JOB_RUN_RUNNING, .attempt = 1, .driver_started_at = early},
         {.synced = true, .driver = DRIVER_RUNNING, .deleting = true, .deleted_by = {.ms = NOW - POD_FORCE_AFTER_MS}}, ACTION_KILL, 0, NULL},
        {"and is given up after that", {.state = JOB_RUN_RUNNING, .attempt = 1, .driver_started_at = early},
         {.synced = true, .driver = DRIVER_RUNNING, .deleting = true, .deleted_by = old}, ACTION_RECORD, 0, NULL},
        {"a clock that was set back does not hold up the next attempt", {.state = JOB_RUN_RUNNING, .attempt = 1, .max_attempts = 2, .outcome = broke, .outcome_at = {.ms = NOW + 3600 * 1000}},
         {.synced = true}, ACTION_RETRY, 0, NULL},
        {"an attempt waits for what is left of the one before", {.state = JOB_RUN_RUNNING, .attempt = 1, .max_attempts = 2, .outcome = broke, .outcome_at = old},
         {.synced = true, .attempt_read = true, .pods = 1, .pods_deleted_by = early}, ACTION_CLEAN, 0, NULL},
        {"but not for ever", {.state = JOB_RUN_RUNNING, .attempt = 1, .max_attempts = 2, .outcome = broke, .outcome_at = old},
         {.synced = true, .attempt_read = true, .pods = 1, .pods_deleted_by = old}, ACTION_RETRY, 0, NULL},
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

static void test_how_a_driver_ended(void **state)
{
    static const struct {
        struct observation seen;
        const char *cause;
    } ROWS[] = {
        {{.has_exit_code = true, .exit_code = 1}, "The driver ended with exit code 1"},
        {{.has_exit_code = true, .exit_code = 143}, "The driver ended with exit code 143, SIGTERM"},
        {{.has_exit_code = true, .exit_code = 137, .reason = S_INIT("OOMKilled")}, "The driver was killed for using more memory than its limit (OOMKilled, exit code 137, SIGKILL)"},
        {{.has_exit_code = true, .exit_code = 1, .reason = S_INIT("Error"), .executor_trouble = S_INIT("Executor 1 was evicted: low on disk")},
         "Executor 1 was evicted: low on disk. The driver ended with exit code 1"},
        {{.has_exit_code = true, .exit_code = 128, .reason = S_INIT("StartError"), .message = S_INIT("no such program")}, "no such program (exit code 128)"},
        {{.reason = S_INIT("Evicted"), .message = S_INIT("The node was low on resource: ephemeral-storage")}, "Evicted: The node was low on resource: ephemeral-storage"},
        {{.reason = S_INIT("NodeLost")}, "The driver pod failed: NodeLost"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct observation seen = ROWS[i].seen;
        seen.synced = true;
        seen.driver = DRIVER_ENDED;
        struct action a = decide(arena, &(struct run_facts){.state = JOB_RUN_RUNNING}, &seen, (struct instant){.ms = 1});
        if (a.kind != ACTION_RECORD || !slice_eq(a.outcome.cause, slice_from_cstr(ROWS[i].cause)) || !slice_eq(a.outcome.failure_reason, FAILURE_USER_ERROR))
            fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(a.outcome.cause), ROWS[i].cause);
    }
}

static void test_a_driver_that_ended_without_executors_says_so(void **state)
{
    static const struct {
        const char *details, *cause;
    } ROWS[] = {
        {"No executor is running: exceeded quota: q, limited: pods=1", "The driver ended with exit code 1. No executor was running: exceeded quota: q, limited: pods=1"},
        {"No executor is running: executor 1: 0/1 nodes. Attempt 2 of 3. Attempt 1 failed: x", "The driver ended with exit code 1. No executor was running: executor 1: 0/1 nodes"},
        {"Attempt 2 of 3. Attempt 1 failed: No executor is running: y", "The driver ended with exit code 1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct run_facts run = {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 3, .driver_created_at = {.ms = 1}, .state_details = slice_from_cstr(ROWS[i].details)};
        struct action a = decide(arena, &run, &(struct observation){.synced = true, .driver = DRIVER_ENDED, .has_exit_code = true, .exit_code = 1}, (struct instant){.ms = 1});
        if (a.kind != ACTION_RECORD || !slice_eq(a.outcome.cause, slice_from_cstr(ROWS[i].cause)))
            fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(a.outcome.cause), ROWS[i].cause);
    }
}

static void test_words_of_two_kinds_leave_each_other_room(void **state)
{
    char waiting[300], before[300];
    memset(waiting, 'w', sizeof(waiting));
    memset(before, 'b', sizeof(before));
    struct run_facts run = {.state = JOB_RUN_RUNNING, .attempt = 2, .max_attempts = 3, .driver_created_at = {.ms = 1}, .driver_started_at = {.ms = 1},
                            .state_details = slice_fmt(arena, "Attempt 2 of 3. Attempt 1 failed: %.200s", before)};
    struct observation seen = {.synced = true, .driver = DRIVER_RUNNING, .executor_waiting = slice_of(waiting, sizeof(waiting)), .executor_waiting_since = {.ms = 1}};
    struct action a = decide(arena, &run, &seen, (struct instant){.ms = 100000});
    assert_int_equal(a.kind, ACTION_NOTE);
    assert_int_equal(a.state_details.len, 256);
    assert_true(slice_starts_with(a.state_details, S("No executor is running: www")));
    assert_true(slice_find(a.state_details, S("w... Attempt 2 of 3. Attempt 1 failed: bbb")) > 0);
    run.state_details = a.state_details;
    assert_int_equal(decide(arena, &run, &seen, (struct instant){.ms = 100000}).kind, ACTION_WAIT); /* it is the same again */
}

static void test_the_back_off_doubles_up_to_six_minutes(void **state)
{
    static const int64_t SECONDS[] = {10, 20, 40, 80, 160, 320, 360, 360};
    for (size_t i = 0; i < ARRAY_SIZE(SECONDS); i++)
        assert_int_equal(retry_backoff_ms((int64_t)i + 1), SECONDS[i] * 1000);
    assert_int_equal(retry_backoff_ms(INT32_MAX), 360 * 1000);
    assert_int_equal(retry_due((struct instant){.ms = 5}, 2).ms, 20005);
}

static void test_a_run_asks_for_its_driver_and_one_executor(void **state)
{
    struct spark_emr_plan plan = {0};
    const struct resources roomy = {.memory_bytes = 1LL << 40, .cpu_millis = 64000}, tight = {.memory_bytes = 2000LL << 20, .cpu_millis = 64000},
                           tiny = {.memory_bytes = 1000LL << 20, .cpu_millis = 64000}, none = {0};
    assert_null(json_parse(arena, S("{\"spec\":{\"containers\":[{\"resources\":{\"requests\":{\"memory\":\"1408Mi\",\"cpu\":\"1\"}}}]}}"), JSON_DUPLICATES_REFUSE, &plan.pod));
    spark_conf_init(&plan.conf, arena);
    struct resources ask = ask_of_plan(&plan, &roomy);
    assert_int_equal(ask.memory_bytes, 2816LL << 20); /* twice 1 GiB and 384 MiB */
    assert_int_equal(ask.cpu_millis, 2000);
    assert_int_equal(ask_of_plan(&plan, &tight).memory_bytes, 1408LL << 20); /* its executor can't ever be placed */
    assert_int_equal(ask_of_plan(&plan, &tiny).memory_bytes, 0);             /* nor can this driver */
    assert_int_equal(ask_of_plan(&plan, &none).memory_bytes, 0);
    spark_conf_set(&plan.conf, S("spark.executor.memory"), S("4g"), SPARK_CONF_ARGUMENT);
    spark_conf_set(&plan.conf, S("spark.executor.memoryOverhead"), S("1g"), SPARK_CONF_ARGUMENT);
    spark_conf_set(&plan.conf, S("spark.executor.pyspark.memory"), S("512m"), SPARK_CONF_ARGUMENT);
    spark_conf_set(&plan.conf, S("spark.kubernetes.executor.request.cores"), S("500m"), SPARK_CONF_ARGUMENT);
    ask = ask_of_plan(&plan, &roomy);
    assert_int_equal(ask.memory_bytes, (1408LL + 4096 + 1024 + 512) << 20);
    assert_int_equal(ask.cpu_millis, 1500);
    spark_conf_set(&plan.conf, S("spark.executor.instances"), S("0"), SPARK_CONF_ARGUMENT);
    assert_int_equal(ask_of_plan(&plan, &roomy).memory_bytes, 1408LL << 20);
}

static void test_an_ask_beyond_all_numbers_is_one_that_can_never_be_placed(void **state)
{
    const struct resources roomy = {.memory_bytes = 64LL << 30, .cpu_millis = 16000};
    const char *one = "{\"resources\":{\"requests\":{\"memory\":\"9999999999T\",\"cpu\":\"9999999999T\"}}}";
    struct strbuf text = STRBUF_ARENA(arena);
    strbuf_append_cstr(&text, "{\"spec\":{\"containers\":[{\"resources\":{\"requests\":{\"memory\":\"1Gi\"}}}");
    for (int i = 0; i < 20; i++)
        strbuf_append_fmt(&text, ",%s", one);
    strbuf_append_cstr(&text, "]}}");
    struct spark_emr_plan plan = {0};
    spark_conf_init(&plan.conf, arena);
    assert_null(json_parse(arena, strbuf_slice(&text), JSON_DUPLICATES_REFUSE, &plan.pod));
    struct resources ask = ask_of_plan(&plan, &roomy);
    assert_int_equal(ask.memory_bytes, 0);
    assert_int_equal(ask.cpu_millis, 0);
    assert_null(json_parse(arena, S("{\"spec\":{\"containers\":[{\"resources\":{\"requests\":{\"memory\":\"1Gi\"}}}]}}"), JSON_DUPLICATES_REFUSE, &plan.pod));
    static const char *const SIZES[] = {"spark.executor.memory", "spark.executor.pyspark.memory", "spark.memory.offHeap.size"};
    for (size_t i = 0; i < ARRAY_SIZE(SIZES); i++)
        spark_conf_set(&plan.conf, slice_from_cstr(SIZES[i]), S("9223372036854775807"), SPARK_CONF_ARGUMENT);
    spark_conf_set(&plan.conf, S("spark.memory.offHeap.enabled"), S("true"), SPARK_CONF_ARGUMENT);
    spark_conf_set(&plan.conf, S("spark.executor.memoryOverheadFactor"), S("-1e300"), SPARK_CONF_ARGUMENT);
    assert_int_equal(ask_of_plan(&plan, &roomy).memory_bytes, 1LL << 30); /* the driver alone */
    spark_conf_set(&plan.conf, S("spark.executor.memoryOverhead"), S("9223372036854775807"), SPARK_CONF_ARGUMENT);
    assert_int_equal(ask_of_plan(&plan, &roomy).memory_bytes, 1LL << 30);
}

static void test_amounts_and_rooms(void **state)
{
    assert_int_equal(amount_bytes(S("1408Mi")), 1408LL << 20);
    assert_int_equal(amount_bytes(S("1.5G")), 1500000000);
    assert_int_equal(amount_millis(S("500m")), 500);
    assert_int_equal(amount_millis(S("0.1")), 100);
    assert_int_equal(amount_millis(S("1u")), 0);
    assert_int_equal(amount_bytes(S("")), 0);
    assert_int_equal(amount_bytes(S("99999999999Ti")), (int64_t)1 << 60);
    struct json *nodes;
    assert_null(json_parse(arena, S("{\"items\":[{\"status\":{\"allocatable\":{\"memory\":\"1Gi\",\"cpu\":\"8\"}}},{\"status\":{\"allocatable\":{\"memory\":\"2Gi\",\"cpu\":\"16\"}}}]}"),
                           JSON_DUPLICATES_REFUSE, &nodes));
    struct resources room = room_of_nodes(nodes);
    assert_int_equal(room.memory_bytes, 2LL << 30);
    assert_int_equal(room.cpu_millis, 16000);
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
        cmocka_unit_test_setup_teardown(test_sizes_of_rotation_are_2KB_to_2GB_without_decimals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_sort_by_time_and_decode_to_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decisions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_how_a_driver_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_driver_that_ended_without_executors_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_words_of_two_kinds_leave_each_other_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_back_off_doubles_up_to_six_minutes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_run_asks_for_its_driver_and_one_executor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_ask_beyond_all_numbers_is_one_that_can_never_be_placed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_amounts_and_rooms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_details_are_cut_at_a_character, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_key_is_never_in_two_workers, setup, teardown),
    };
    return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
