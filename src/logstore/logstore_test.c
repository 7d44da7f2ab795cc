/* Tests of groups, streams, and reading in both directions. */
#include "base/arena.h"
#include "base/fd.h"
#include "logstore/filter_pattern.h"
#include "logstore/logstore_internal.h"
#include "logstore/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
    struct logstore *store;
    struct arena *arena;
};

#define OK(expression)                                                                                                         \
    do {                                                                                                                       \
        struct err *ok_err_ = (expression);                                                                                    \
        if (ok_err_)                                                                                                           \
            fail_msg("%s", ok_err_->message);                                                                                  \
    } while (0)
#define FAILS(expression, wire_code)                                                                                           \
    do {                                                                                                                       \
        struct err *fails_err_ = (expression);                                                                                 \
        assert_non_null(fails_err_);                                                                                           \
        assert_string_equal(fails_err_->code, wire_code);                                                                      \
        err_free(fails_err_);                                                                                                  \
    } while (0)

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->arena = arena_new();
    memcpy(f->dir, "/tmp/logstore-test-XXXXXX", sizeof("/tmp/logstore-test-XXXXXX"));
    assert_non_null(mkdtemp(f->dir));
    OK(logstore_open(f->dir, &f->store));
    OK(log_group_create(f->store, S("g")));
    OK(log_stream_create(f->store, S("g"), S("s")));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    logstore_close(f->store);
    OK(tree_remove(f->dir));
    arena_free(f->arena);
    free(f);
    return 0;
}

/* Puts one event per letter at the given time. */
static void put(struct fixture *f, struct slice stream, int64_t at_ms, const char *letters)
{
    size_t count = strlen(letters);
    struct log_event_in *events = ARENA_ARRAY(f->arena, count, struct log_event_in);
    for (size_t i = 0; i < count; i++)
        events[i] = (struct log_event_in){.at.ms = at_ms, .message = slice_of(&letters[i], 1)};
    int retention_days;
    OK(log_events_put(f->store, S("g"), stream, events, count, instant_now(), &retention_days));
}

static const char *letters_of(struct fixture *f, const struct log_event_view *events, size_t count)
{
    char *text = arena_alloc(f->arena, count + 1);
    for (size_t i = 0; i < count; i++)
        text[i] = events[i].message.ptr[0];
    return text;
}

static struct log_page page(struct fixture *f, enum log_direction direction, struct slice token, size_t max)
{
    struct log_page result;
    OK(log_events_read(f->store, f->arena,
                       &(struct log_read){.group = S("g"),
                                          .stream = S("s"),
                                          .end_ms = LOGSTORE_TIME_MAX,
                                          .direction = direction,
                                          .token = token,
                                          .max_events = max,
                                          .max_bytes = 1 << 20},
                       &result));
    return result;
}

#define PAGE_IS(p, text) assert_string_equal(letters_of(f, (p).events, (p).count), (text))

static void test_a_stream_is_read_from_both_ends(void **state)
{
    struct fixture *f = *state;
    put(f, S("s"), 100, "abc");
    put(f, S("s"), 100, "de"); /* equal times: in order of arrival */
    put(f, S("s"), 50, "0");   /* late, older */
    struct log_page p = page(f, LOG_FROM_HEAD, SLICE_NONE, 4);
    PAGE_IS(p, "0abc");
    p = page(f, LOG_FROM_HEAD, p.forward_token, 4);
    PAGE_IS(p, "de");
    struct log_page end = page(f, LOG_FROM_HEAD, p.forward_token, 4);
    PAGE_IS(end, "");
    assert_true(slice_eq(end.forward_token, p.forward_token));
    PAGE_IS(page(f, LOG_FROM_HEAD, end.backward_token, 10), "0abcde"); /* and back over all */

    p = page(f, LOG_FROM_TAIL, SLICE_NONE, 2);
    PAGE_IS(p, "de");
    struct slice newest = p.forward_token;
    p = page(f, LOG_FROM_TAIL, p.backward_token, 3);
    PAGE_IS(p, "abc");
    p = page(f, LOG_FROM_HEAD, p.backward_token, 3); /* the token decides the direction */
    PAGE_IS(p, "0");
    struct log_page start = page(f, LOG_FROM_TAIL, p.backward_token, 3);
    PAGE_IS(start, "");
    assert_true(slice_eq(start.backward_token, p.backward_token));
    PAGE_IS(page(f, LOG_FROM_TAIL, start.forward_token, 10), "0abcde");

    put(f, S("s"), 200, "f"); /* a token at the end goes on when there is more */
    PAGE_IS(page(f, LOG_FROM_TAIL, newest, 10), "f");
    FAILS(log_events_read(f->store, f->arena, &(struct log_read){.group = S("g"), .stream = S("s"), .token = S("f/1/s")}, &p),
          "InvalidParameterException");
}

static void test_an_empty_stream_has_tokens_that_work_later(void **state)
{
    struct fixture *f = *state;
    struct log_page p = page(f, LOG_FROM_TAIL, SLICE_NONE, 10);
    assert_int_equal(p.count, 0);
    struct log_page again = page(f, LOG_FROM_TAIL, p.forward_token, 10);
    assert_true(slice_eq(again.forward_token, p.forward_token));
    put(f, S("s"), 100, "x");
    PAGE_IS(page(f, LOG_FROM_TAIL, p.forward_token, 10), "x");
}

static void test_a_large_batch_of_one_time_is_kept_in_its_order(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 77 }; /* neither one statement's rows nor a multiple of them */
    struct log_event_in events[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        events[i] = (struct log_event_in){.at.ms = 1000, .message = slice_fmt(f->arena, "%zu", i)};
    int retention_days;
    OK(log_events_put(f->store, S("g"), S("s"), events, COUNT, instant_now(), &retention_days));
    struct log_page page;
    OK(log_events_read(f->store, f->arena,
                       &(struct log_read){.group = S("g"), .stream = S("s"), .end_ms = LOGSTORE_TIME_MAX, .direction = LOG_FROM_HEAD, .max_events = 1000, .max_bytes = 1 << 20},
                       &page));
    assert_int_equal(page.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(slice_eq(page.events[i].message, events[i].message));
        assert_int_equal(page.events[i].at.ms, 1000);
        assert_int_equal(page.events[i].sequence, page.events[0].sequence + (int64_t)i);
        assert_int_equal(page.events[i].ingested_at.ms, page.events[0].ingested_at.ms);
    }
    struct log_group_view view;
    OK(log_group_get(f->store, f->arena, S("g"), &view));
    assert_int_equal(view.stored_bytes, 10 * 27 + (COUNT - 10) * 28);
}

static void test_start_is_inclusive_and_end_is_exclusive(void **state)
{
    struct fixture *f = *state;
    put(f, S("s"), 100, "a");
    put(f, S("s"), 200, "b");
    put(f, S("s"), 300, "c");
    struct log_page p;
    OK(log_events_read(f->store, f->arena,
                       &(struct log_read){.group = S("g"), .stream = S("s"), .start_ms = 100, .end_ms = 300, .max_events = 10, .max_bytes = 999},
                       &p));
    PAGE_IS(p, "ab");
}

static void test_a_page_ends_at_its_bytes_but_is_never_empty(void **state)
{
    struct fixture *f = *state;
    put(f, S("s"), 100, "abc");
    struct log_page p;
    OK(log_events_read(f->store, f->arena,
                       &(struct log_read){.group = S("g"), .stream = S("s"), .end_ms = 300, .max_events = 10, .max_bytes = 1}, &p));
    PAGE_IS(p, "a");
}

static const char *filtered(struct fixture *f, struct log_filter filter, size_t per_page)
{
    struct log_event_view all[64];
    size_t total = 0;
    filter.group = S("g");
    filter.max_events = per_page;
    filter.max_bytes = 1 << 20;
    for (int pages = 0; pages < 70; pages++) {
        struct log_event_view *events;
        size_t count;
        struct slice token;
        OK(log_events_filter(f->store, f->arena, &filter, &events, &count, &token));
        for (size_t i = 0; i < count; i++)
            all[total++] = events[i];
        if (!token.ptr)
            break;
        assert_false(slice_eq(token, filter.token)); /* botocore refuses the same token twice */
        filter.token = token;
    }
    for (size_t i = 1; i < total; i++)
        assert_true(slice_cmp(log_event_view_id(f->arena, &all[i - 1]), log_event_view_id(f->arena, &all[i])) < 0);
    return letters_of(f, all, total);
}

static void test_streams_are_merged_by_time_and_filtered(void **state)
{
    struct fixture *f = *state;
    OK(log_stream_create(f->store, S("g"), S("s2")));
    OK(log_stream_create(f->store, S("g"), S("t")));
    put(f, S("s"), 100, "a");
    put(f, S("s2"), 150, "b");
    put(f, S("t"), 120, "c");
    put(f, S("s"), 150, "d");
    put(f, S("t"), 400, "e");
    struct filter_pattern *pattern;
    OK(filter_pattern_compile(f->arena, S("?a ?d ?e"), &pattern));
    const struct slice two[] = {S_INIT("s"), S_INIT("t")};
    for (size_t per_page = 1; per_page < 7; per_page++) {
        assert_string_equal(filtered(f, (struct log_filter){.end_ms = LOGSTORE_TIME_MAX}, per_page), "acbde");
        assert_string_equal(filtered(f, (struct log_filter){.start_ms = 120, .end_ms = 150}, per_page), "cbd");
        assert_string_equal(filtered(f, (struct log_filter){.end_ms = 999, .pattern = pattern}, per_page), "ade");
        assert_string_equal(filtered(f, (struct log_filter){.end_ms = 999, .stream_prefix = S("s")}, per_page), "abd");
        assert_string_equal(filtered(f, (struct log_filter){.end_ms = 999, .streams = two, .stream_count = 2}, per_page), "acde");
        assert_string_equal(filtered(f, (struct log_filter){.end_ms = 999, .streams = two, .stream_count = 1}, per_page), "ad");
    }
}

static void test_deleted_streams_and_groups_are_gone_with_their_events(void **state)
{
    struct fixture *f = *state;
    OK(log_stream_create(f->store, S("g"), S("t")));
    put(f, S("s"), 100, "a");
    put(f, S("t"), 100, "b");
    OK(log_stream_delete(f->store, S("g"), S("s")));
    assert_string_equal(filtered(f, (struct log_filter){.end_ms = 999}, 10), "b");
    OK(log_stream_create(f->store, S("g"), S("s")));
    PAGE_IS(page(f, LOG_FROM_HEAD, SLICE_NONE, 10), "");
    for (bool more = true; more;)
        OK(logstore_sweep_some(f->store, &more));
    struct log_group_view view;
    OK(log_group_get(f->store, f->arena, S("g"), &view));
    assert_int_equal(view.stored_bytes, 27);
    OK(log_group_delete(f->store, S("g")));
    FAILS(log_group_delete(f->store, S("g")), "ResourceNotFoundException");
    OK(log_group_create(f->store, S("g")));
    FAILS(log_group_create(f->store, S("g")), "ResourceAlreadyExistsException");
    assert_string_equal(filtered(f, (struct log_filter){.end_ms = 999}, 10), "");
    for (bool more = true; more;)
        OK(logstore_sweep_some(f->store, &more));
}

static void test_expired_events_are_hidden_at_once_and_then_deleted(void **state)
{
    struct fixture *f = *state;
    int64_t now = instant_now().ms;
    put(f, S("s"), now - INT64_C(2) * 24 * 3600 * 1000, "o");
    put(f, S("s"), now, "n");
    OK(log_group_set_retention(f->store, S("g"), 1));
    PAGE_IS(page(f, LOG_FROM_HEAD, SLICE_NONE, 10), "n");
    for (bool more = true; more;)
        OK(logstore_sweep_some(f->store, &more));
    OK(log_group_set_retention(f->store, S("g"), LOGSTORE_NO_RETENTION));
    PAGE_IS(page(f, LOG_FROM_HEAD, SLICE_NONE, 10), "n");
    struct log_group_view view;
    OK(log_group_get(f->store, f->arena, S("g"), &view));
    assert_int_equal(view.stored_bytes, 27);
}

static void test_what_retention_would_delete_is_not_stored(void **state)
{
    struct fixture *f = *state;
    int64_t now = instant_now().ms;
    OK(log_group_set_retention(f->store, S("g"), 1));
    const struct log_event_in events[] = {{.at.ms = now - INT64_C(2) * 24 * 3600 * 1000, .message = S("o")}, {.at.ms = now, .message = S("n")}};
    int retention_days;
    OK(log_events_put(f->store, S("g"), S("s"), events, 2, instant_now(), &retention_days));
    assert_int_equal(retention_days, 1);
    OK(log_events_put(f->store, S("g"), S("s"), events, 1, instant_now(), &retention_days));
    OK(log_group_set_retention(f->store, S("g"), LOGSTORE_NO_RETENTION));
    PAGE_IS(page(f, LOG_FROM_HEAD, SLICE_NONE, 10), "n");
}

static void test_streams_are_listed_by_name_and_by_time(void **state)
{
    struct fixture *f = *state;
    OK(log_stream_create(f->store, S("g"), S("a")));
    OK(log_stream_create(f->store, S("g"), S("sx")));
    put(f, S("s"), 100, "x");
    put(f, S("a"), 200, "x");
    struct log_stream_view *views;
    size_t count;
    bool more;
    OK(log_stream_list(f->store, f->arena, S("g"), &(struct log_list){.prefix = S("s"), .max = 1}, &views, &count, &more));
    assert_int_equal(count, 1);
    assert_true(more);
    assert_true(views[0].has_events);
    OK(log_stream_list(f->store, f->arena, S("g"), &(struct log_list){.prefix = S("s"), .after = S("s"), .max = 1}, &views, &count, &more));
    assert_true(slice_eq(views[0].name, S("sx")));
    assert_false(views[0].has_events);
    assert_false(more);
    OK(log_stream_list(f->store, f->arena, S("g"), &(struct log_list){.descending = true, .max = 9}, &views, &count, &more));
    assert_true(slice_eq(views[0].name, S("sx")));
    assert_int_equal(count, 3);
    OK(log_stream_list_by_time(f->store, f->arena, S("g"), &(struct log_list){.descending = true, .max = 2}, 0, &views, &count, &more));
    assert_true(slice_eq(views[0].name, S("a")));
    assert_true(slice_eq(views[1].name, S("s")));
    assert_true(more);
    OK(log_stream_list_by_time(f->store, f->arena, S("g"), &(struct log_list){.descending = true, .after = views[1].name, .max = 2},
                               log_stream_time_place(&views[1]), &views, &count, &more));
    assert_int_equal(count, 1);
    assert_true(slice_eq(views[0].name, S("sx")));
}

static void test_places_are_texts_that_sort(void **state)
{
    struct fixture *f = *state;
    struct place place;
    char direction;
    struct slice token = place_token(f->arena, 'b', (struct place){INT64_MAX, INT64_MAX});
    assert_int_equal(token.len, 60);
    assert_true(place_token_parse(token, &direction, &place));
    assert_int_equal(place.at_ms, INT64_MAX);
    assert_int_equal(direction, 'b');
    assert_false(place_parse(S("399999999999999999999999999999999999999999999999999999999"), &place));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_stream_is_read_from_both_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_stream_has_tokens_that_work_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_large_batch_of_one_time_is_kept_in_its_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_start_is_inclusive_and_end_is_exclusive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_page_ends_at_its_bytes_but_is_never_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_streams_are_merged_by_time_and_filtered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted_streams_and_groups_are_gone_with_their_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expired_events_are_hidden_at_once_and_then_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_retention_would_delete_is_not_stored, setup, teardown),
        cmocka_unit_test_setup_teardown(test_streams_are_listed_by_name_and_by_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places_are_texts_that_sort, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
