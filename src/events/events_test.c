/* Events of job runs: envelopes, ids, cursors, pages, signatures, pauses, delivery. With real runs and kills: tests/e2e/test_events.py. */
#include "base/arena.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include "events/backoff.h"
#include "events/feed.h"
#include "events/webhook.h"
#include "http/server.h"
#include "store/job_run.h"
#include "store/virtual_cluster.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;
static struct store *store;
static struct feed *feed;
static char dir[64];

static const struct event_source SOURCE = {.account_id = S_INIT("111122223333"), .region = S_INIT("us-east-1"), .key = S_INIT("key")};

static int setup(void **state)
{
    arena = arena_new();
    snprintf(dir, sizeof(dir), "/tmp/events_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_null(store_open(slice_fmt(arena, "%s/ember.db", dir).ptr, &store));
    feed = feed_new(store, &SOURCE);
    return 0;
}

static int teardown(void **state)
{
    feed_free(feed);
    store_close(store);
    arena_free(arena);
    assert_null(tree_remove(dir));
    return 0;
}

static void add_run(const char *id)
{
    struct slice ignored;
    struct virtual_cluster cluster = {.id = S("vc"), .name = S("n"), .state = S("RUNNING"), .cluster = S("local"), .namespace_ = S("ns"), .created_at = {.ms = 1}};
    struct err *e = store_virtual_cluster_insert(store, arena, &cluster, S("arn/vc"), SLICE_NONE, SLICE_NONE, &ignored);
    err_free(e); /* there already */
    struct job_run run = {.id = slice_from_cstr(id), .virtual_cluster_id = S("vc"), .name = S("pi"), .state = S("PENDING"),
                          .execution_role_arn = S("arn:aws:iam::111122223333:role/job"), .release_label = S("emr-6.2.0-latest"), .job_driver = S("{}"),
                          .created_by = S("arn:aws:iam::111122223333:root"), .created_at = {.ms = 1700000000123}};
    assert_null(store_job_run_insert(store, arena, &run, slice_fmt(arena, "arn/%s", id), SLICE_NONE, SLICE_NONE, &ignored));
}

static void move(const char *id, const char *from, const char *event, const char *to, const char *details, const char *reason)
{
    bool changed;
    assert_null(store_job_run_change(store,
                                     &(struct job_run_change){.id = slice_from_cstr(id),
                                                              .from = slice_from_cstr(from),
                                                              .to = slice_from_cstr(to),
                                                              .event = slice_from_cstr(event),
                                                              .state_details = slice_from_cstr(details),
                                                              .failure_reason = slice_from_cstr(reason),
                                                              .at = {.ms = 1700000001999}},
                                     &changed));
    assert_true(changed);
}

static void retry(const char *id, int64_t attempt, const char *details)
{
    bool changed;
    assert_null(store_job_run_retry(store,
                                    &(struct job_run_change){.id = slice_from_cstr(id), .from = S("RUNNING"), .to = S("RUNNING"), .attempt = attempt,
                                                             .event = S("RETRIED"), .state_details = slice_from_cstr(details), .at = {.ms = 1700000002000}},
                                    &changed));
    assert_true(changed);
}

static struct json *read_page(struct slice after, int64_t limit)
{
    struct json *page;
    assert_null(feed_read(feed, arena, &(struct feed_question){.after = after, .limit = limit}, &page));
    return page;
}

static void test_envelopes_are_as_eventbridge_writes_them(void **state)
{
    static const char *const WANT[] = {
        "{\"version\":\"0\",\"id\":\"1ID\",\"detail-type\":\"EMR Job Run State Change\",\"source\":\"aws.emr-containers\",\"account\":\"111122223333\","
        "\"time\":\"2023-11-14T22:13:20Z\",\"region\":\"us-east-1\",\"resources\":[],\"detail\":{\"severity\":\"INFO\",\"name\":\"pi\",\"id\":\"r\","
        "\"arn\":\"arn:aws:emr-containers:us-east-1:111122223333:/virtualclusters/vc/jobruns/r\",\"virtualClusterId\":\"vc\",\"state\":\"PENDING\","
        "\"createdBy\":\"arn:aws:iam::111122223333:root\",\"releaseLabel\":\"emr-6.2.0-latest\",\"executionRoleArn\":\"arn:aws:iam::111122223333:role/job\","
        "\"message\":\"Job run r is now PENDING.\"}}",
        "{\"version\":\"0\",\"id\":\"1ID\",\"detail-type\":\"EMR Job Run State Change\",\"source\":\"aws.emr-containers\",\"account\":\"111122223333\","
        "\"time\":\"2023-11-14T22:13:21Z\",\"region\":\"us-east-1\",\"resources\":[],\"detail\":{\"severity\":\"INFO\",\"name\":\"pi\",\"id\":\"r\","
        "\"arn\":\"arn:aws:emr-containers:us-east-1:111122223333:/virtualclusters/vc/jobruns/r\",\"virtualClusterId\":\"vc\",\"state\":\"RUNNING\","
        "\"createdBy\":\"arn:aws:iam::111122223333:root\",\"releaseLabel\":\"emr-6.2.0-latest\",\"executionRoleArn\":\"arn:aws:iam::111122223333:role/job\","
        "\"message\":\"Job run r is now RUNNING.\"}}",
        "{\"version\":\"0\",\"id\":\"1ID\",\"detail-type\":\"EMR Job Run New Driver Attempt\",\"source\":\"aws.emr-containers\",\"account\":\"111122223333\","
        "\"time\":\"2023-11-14T22:13:21Z\",\"region\":\"us-east-1\",\"resources\":[],\"detail\":{\"severity\":\"INFO\",\"name\":\"pi\",\"id\":\"r\","
        "\"arn\":\"arn:aws:emr-containers:us-east-1:111122223333:/virtualclusters/vc/jobruns/r\",\"virtualClusterId\":\"vc\",\"state\":\"RUNNING\","
        "\"createdBy\":\"arn:aws:iam::111122223333:root\",\"releaseLabel\":\"emr-6.2.0-latest\",\"executionRoleArn\":\"arn:aws:iam::111122223333:role/job\","
        "\"newDriverPodName\":\"spark-r-driver-2\",\"newDriverCreatedAt\":\"2023-11-14T22:13:21Z\",\"previousDriverFailureMessage\":\"it \\\"broke\\\"\","
        "\"currentAttemptCount\":2,\"message\":\"Job run r has a new driver for attempt 2.\"}}",
        "{\"version\":\"0\",\"id\":\"1ID\",\"detail-type\":\"EMR Job Run State Change\",\"source\":\"aws.emr-containers\",\"account\":\"111122223333\","
        "\"time\":\"2023-11-14T22:13:21Z\",\"region\":\"us-east-1\",\"resources\":[],\"detail\":{\"severity\":\"ERROR\",\"name\":\"pi\",\"id\":\"r\","
        "\"arn\":\"arn:aws:emr-containers:us-east-1:111122223333:/virtualclusters/vc/jobruns/r\",\"virtualClusterId\":\"vc\",\"state\":\"FAILED\","
        "\"createdBy\":\"arn:aws:iam::111122223333:root\",\"releaseLabel\":\"emr-6.2.0-latest\",\"executionRoleArn\":\"arn:aws:iam::111122223333:role/job\","
        "\"failureReason\":\"USER_ERROR\",\"stateDetails\":\"JobRun failed.\",\"message\":\"Job run r is now FAILED.\"}}",
    };
    add_run("r");
    move("r", "PENDING", "DRIVER_STARTED", "RUNNING", "", NULL);
    retry("r", 1, "it \"broke\"");
    move("r", "RUNNING", "LAUNCHED", "RUNNING", NULL, NULL);
    move("r", "RUNNING", "DRIVER_STARTED", "RUNNING", NULL, NULL); /* of attempts: told by the one before */
    move("r", "RUNNING", "BROKE", "FAILED", "JobRun failed.", "USER_ERROR");
    struct json *events = json_get(read_page(SLICE_NONE, 100), S("events"));
    assert_int_equal(json_count(events), ARRAY_SIZE(WANT));
    for (size_t i = 0; i < ARRAY_SIZE(WANT); i++) {
        struct json *event = json_get(json_item(events, i), S("event"));
        assert_int_equal(json_get_text(event, "id").len, 36);
        json_set_cstr(arena, event, "id", "1ID");
        assert_string_equal(slice_cstr(arena, json_to_slice(arena, event)), WANT[i]);
    }
}

static void test_ids_are_of_the_installation_and_the_row(void **state)
{
    struct event_source other = SOURCE;
    other.key = S("another");
    struct slice id = event_id(arena, &SOURCE, 7);
    assert_true(slice_eq(id, event_id(arena, &SOURCE, 7)));
    assert_false(slice_eq(id, event_id(arena, &SOURCE, 8)));
    assert_false(slice_eq(id, event_id(arena, &other, 7)));
    assert_int_equal(id.ptr[14], '8'); /* the version */
    assert_true(strchr("89ab", id.ptr[19]));
}

static void test_a_cursor_is_read_as_it_was_made_and_sorts_as_its_place(void **state)
{
    static const int64_t places[] = {0, 1, 9, 10, 255, 256, 1000000, INT64_MAX};
    struct slice before = S("");
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        int64_t place = -1;
        struct slice cursor = event_cursor(arena, &SOURCE, places[i]);
        assert_true(event_cursor_parse(&SOURCE, cursor, &place));
        assert_int_equal(place, places[i]);
        assert_true(slice_cmp(cursor, before) > 0);
        before = cursor;
    }
}

static void test_a_cursor_that_was_changed_is_none(void **state)
{
    struct event_source other = SOURCE;
    other.key = S("another");
    int64_t place = -1;
    struct slice cursor = event_cursor(arena, &SOURCE, 10);
    for (size_t i = 0; i < cursor.len; i++) {
        char *changed = slice_cstr(arena, cursor);
        changed[i] = changed[i] == '0' ? '1' : '0';
        assert_false(event_cursor_parse(&SOURCE, slice_of(changed, cursor.len), &place));
    }
    assert_false(event_cursor_parse(&other, cursor, &place));
    assert_false(event_cursor_parse(&SOURCE, slice_sub(cursor, 0, 23), &place));
    assert_false(event_cursor_parse(&SOURCE, S("ffffffffffffffff00000000"), &place));
    assert_false(event_cursor_parse(&SOURCE, S(""), &place));
    assert_int_equal(place, -1);
}

static void test_pages_join_without_gap_or_repetition(void **state)
{
    for (int i = 0; i < 7; i++)
        add_run(slice_cstr(arena, slice_fmt(arena, "r%d", i)));
    struct slice after = SLICE_NONE;
    for (int i = 0; i < 8; i++) {
        struct json *page = read_page(after, 1), *event = JSON_AT(json_item(json_get(page, S("events")), 0), "event", "detail");
        after = json_get_text(page, "cursor");
        if (i < 7)
            assert_true(slice_eq(json_get_text(event, "id"), slice_fmt(arena, "r%d", i)));
        else
            assert_null(event);
    }
    assert_int_equal(json_count(json_get(read_page(S("now"), 100), S("events"))), 0);
    assert_true(slice_eq(json_get_text(read_page(S("now"), 1), "cursor"), after));
}

static void test_a_cursor_beyond_what_is_on_record_is_refused(void **state)
{
    struct json *page;
    struct err *e = feed_read(feed, arena, &(struct feed_question){.after = event_cursor(arena, &SOURCE, 5), .limit = 1}, &page);
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_INVALID);
    err_free(e);
}

static void *wait_for_one(void *ret_page)
{
    struct err *e = feed_read(feed, arena, &(struct feed_question){.after = S("now"), .limit = 10, .wait_ms = FEED_WAIT_MAX_MS}, ret_page);
    assert_null(e);
    return NULL;
}

static void test_a_wait_ends_when_the_feed_does(void **state)
{
    pthread_t thread;
    struct json *page = NULL;
    int64_t began_ms = monotonic_ms();
    assert_int_equal(pthread_create(&thread, NULL, wait_for_one, &page), 0);
    feed_end_waits(feed);
    pthread_join(thread, NULL);
    assert_int_equal(json_count(json_get(page, S("events"))), 0);
    assert_true(monotonic_ms() - began_ms < FEED_WAIT_MAX_MS);
}

static void test_a_delivery_begins_with_what_happens_next(void **state)
{
    int64_t place;
    add_run("r");
    assert_null(store_delivery_begin(store, S("webhook"), &place));
    assert_int_equal(place, 1);
    add_run("s");
    assert_null(store_delivery_begin(store, S("webhook"), &place));
    assert_int_equal(place, 1);
    assert_null(store_delivery_advance(store, S("webhook"), 2));
    assert_null(store_delivery_advance(store, S("webhook"), 1)); /* never back */
    assert_null(store_delivery_begin(store, S("webhook"), &place));
    assert_int_equal(place, 2);
}

static void test_pauses_double_up_to_five_minutes(void **state)
{
    static const struct { int64_t failures, least, most; } rows[] = {
        {1, 500, 1000}, {2, 1000, 2000}, {3, 2000, 4000}, {8, 64000, 128000}, {9, 128000, 256000}, {10, 150000, 300000}, {1000000, 150000, 300000},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(backoff_delay_ms(rows[i].failures, 0), rows[i].least);
        assert_int_equal(backoff_delay_ms(rows[i].failures, (uint32_t)(rows[i].most - rows[i].least)), rows[i].most);
        for (uint32_t random = 1; random < 4000000000u; random += 99999989u) {
            int64_t ms = backoff_delay_ms(rows[i].failures, random);
            assert_in_range(ms, rows[i].least, rows[i].most);
        }
    }
}

static void test_a_failure_is_due_again_after_its_pause(void **state)
{
    struct backoff backoff = {0};
    backoff_fail(&backoff, 10000, 0);
    assert_int_equal(backoff.due_ms, 10500);
    backoff_fail(&backoff, 20000, 0);
    assert_int_equal(backoff.due_ms, 21000);
    assert_int_equal(backoff.failures, 2);
}

static void test_signatures_are_over_time_and_body(void **state)
{
    struct slice signature = webhook_signature(arena, S("0123456789abcdef"), 1700000000, S("{\"a\":1}"));
    assert_string_equal(slice_cstr(arena, signature), "v1=9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23");
}

/* ---- delivery ---- */

/* A receiver that refuses its first request, or all about one run. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    int requests, taken;
    const char *unwanted; /* this run's id; NULL: the first request */
    const int *statuses;  /* what it is told, one after the other; the last for ever, behind it stands 0 */
    struct strbuf told; /* "id:state " of each event that was taken */
} receiver = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static const char LONG_ANSWER[300000] = "nobody reads it";

static void receive(struct http_request *request, void *ctx)
{
    struct slice body, timestamp = http_header_get(request->headers, S("X-Ember-Timestamp"));
    struct json *event = NULL;
    int64_t timestamp_s = 0;
    struct err *e = http_body_read_all(request, 1 << 20, &body);
    bool whole = !e && slice_to_i64(timestamp, 0, INT64_MAX, &timestamp_s) &&
                 slice_eq(http_header_get(request->headers, S("X-Ember-Signature")), webhook_signature(request->arena, S("secret"), timestamp_s, body));
    err_free(e);
    if (whole)
        err_free(json_parse(request->arena, body, JSON_DUPLICATES_REFUSE, &event));
    pthread_mutex_lock(&receiver.lock);
    struct json *detail = json_get(event, S("detail"));
    receiver.requests++;
    bool wanted = receiver.unwanted ? !slice_eq(json_get_text(detail, "id"), slice_from_cstr(receiver.unwanted)) : receiver.requests > 1;
    bool take = whole && wanted;
    int refusal = receiver.unwanted ? *receiver.statuses : 500;
    if (!take && receiver.unwanted && receiver.statuses[1])
        receiver.statuses++;
    if (take) {
        strbuf_append_fmt(&receiver.told, "%.*s:%.*s ", SLICE_ARG(json_get_text(detail, "id")), SLICE_ARG(json_get_text(detail, "state")));
        receiver.taken++;
    }
    pthread_cond_broadcast(&receiver.more);
    pthread_mutex_unlock(&receiver.lock);
    http_respond(request, take ? 200 : refusal, NULL, 0, slice_of(LONG_ANSWER, sizeof(LONG_ANSWER)));
}

static void wait_taken(int count)
{
    pthread_mutex_lock(&receiver.lock);
    while (receiver.taken < count)
        pthread_cond_wait(&receiver.more, &receiver.lock);
    pthread_mutex_unlock(&receiver.lock);
}

static void wait_requests(int count)
{
    pthread_mutex_lock(&receiver.lock);
    while (receiver.requests < count)
        pthread_cond_wait(&receiver.more, &receiver.lock);
    pthread_mutex_unlock(&receiver.lock);
}

static void start_delivery(struct http_server *server, int64_t give_up_ms, struct webhook **ret_webhook)
{
    const char *url = slice_cstr(arena, slice_fmt(arena, "http://127.0.0.1:%u/", (unsigned)http_server_port(server)));
    assert_null(webhook_start(&(struct webhook_options){.store = store, .source = SOURCE}, ret_webhook));
    assert_null(webhook_set(*ret_webhook, &(struct webhook_settings){.url = url, .secret = S("secret"), .give_up_ms = give_up_ms}));
}

static void test_events_are_delivered_in_order_over_refusals_and_restarts(void **state)
{
    struct http_server *server;
    struct webhook *webhook;
    struct webhook_stats stats;
    assert_null(http_server_start(&(struct http_server_options){.address = "127.0.0.1", .handler = receive}, &server));
    add_run("before"); /* there was no webhook */
    start_delivery(server, 1, &webhook); /* an error of the receiver's own is never given up for */
    add_run("a");
    move("a", "PENDING", "LAUNCHED", "SUBMITTED", NULL, NULL);
    wait_taken(2);
    webhook_stop(webhook); /* what was taken is on disk when it returns */
    add_run("b");
    start_delivery(server, 1, &webhook);
    assert_null(webhook_set(webhook, &(struct webhook_settings){.url = NULL}));
    assert_null(webhook_get_stats(webhook, &stats));
    assert_false(stats.on);
    webhook_stop(webhook);
    start_delivery(server, 1, &webhook);
    add_run("c");
    wait_taken(4);
    webhook_stop(webhook);
    http_server_stop(server, 1000);
    assert_string_equal(receiver.told.ptr, "a:PENDING a:SUBMITTED b:PENDING c:PENDING ");
    assert_int_equal(receiver.requests, 5);
    strbuf_deinit(&receiver.told);
}

/* Refuses what run "bad" tells with these statuses, until "good" comes through, or so many requests have come. */
static void refuse_for_ever(const int *statuses, int64_t give_up_ms, bool comes_through, int requests)
{
    struct http_server *server;
    struct webhook *webhook;
    struct webhook_stats stats;
    receiver.requests = receiver.taken = 0;
    receiver.unwanted = "bad";
    receiver.statuses = statuses;
    receiver.told = STRBUF_HEAP;
    assert_null(http_server_start(&(struct http_server_options){.address = "127.0.0.1", .handler = receive}, &server));
    start_delivery(server, give_up_ms, &webhook);
    add_run("bad");
    add_run("good");
    if (comes_through)
        wait_taken(1);
    else
        wait_requests(requests);
    assert_null(webhook_get_stats(webhook, &stats));
    assert_int_equal(stats.set_aside, comes_through ? 1 : 0);
    webhook_stop(webhook);
    http_server_stop(server, 1000);
    assert_int_equal(receiver.taken, comes_through ? 1 : 0);
    if (comes_through)
        assert_string_equal(receiver.told.ptr, "good:PENDING ");
    strbuf_deinit(&receiver.told);
    receiver.unwanted = NULL;
}

static void test_an_event_that_is_refused_for_too_long_is_set_aside(void **state)
{
    refuse_for_ever((const int[]){400, 0}, 1, true, 0);
    assert_int_equal(json_count(json_get(read_page(SLICE_NONE, 10), S("events"))), 2); /* it is on record all the same */
}

static void test_without_a_limit_a_refused_event_holds_up_those_behind_it(void **state)
{
    refuse_for_ever((const int[]){400, 0}, 0, false, 2);
}

static void test_trouble_of_the_receiver_itself_sets_no_event_aside(void **state)
{
    refuse_for_ever((const int[]){429, 0}, 1, false, 2);
}

static void test_an_outage_between_two_refusals_begins_the_time_anew(void **state)
{
    refuse_for_ever((const int[]){400, 503, 400, 0}, 1, false, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_envelopes_are_as_eventbridge_writes_them, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_are_of_the_installation_and_the_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_cursor_is_read_as_it_was_made_and_sorts_as_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_cursor_that_was_changed_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages_join_without_gap_or_repetition, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_cursor_beyond_what_is_on_record_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_wait_ends_when_the_feed_does, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_delivery_begins_with_what_happens_next, setup, teardown),
        cmocka_unit_test(test_pauses_double_up_to_five_minutes),
        cmocka_unit_test(test_a_failure_is_due_again_after_its_pause),
        cmocka_unit_test_setup_teardown(test_events_are_delivered_in_order_over_refusals_and_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_event_that_is_refused_for_too_long_is_set_aside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_a_limit_a_refused_event_holds_up_those_behind_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trouble_of_the_receiver_itself_sets_no_event_aside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_outage_between_two_refusals_begins_the_time_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signatures_are_over_time_and_body, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
