/* The spool's pure parts: batches and their limits, what was sent before a crash, where a log goes on. */
#include "base/arena.h"
#include "base/fd.h"
#include "logship/spool.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena *arena;
static char dir[64];

static int setup(void **state)
{
    arena = arena_new();
    snprintf(dir, sizeof(dir), "/tmp/spool_test.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    arena_free(arena);
    assert_null(tree_remove(dir));
    return 0;
}

static void assert_text(struct slice got, struct slice want)
{
    if (!slice_eq(got, want))
        fail_msg("got \"%.*s\", want \"%.*s\"", SLICE_ARG(got), SLICE_ARG(want));
}

#define T "2026-11-21T21:10:"
#define T_MS 1795295400000LL
#define P(text) ((struct spool_part){.data = S(text), .whole = true})

static void test_file_names_come_back(void **state)
{
    struct slice pod, container, stream;
    assert_true(spool_parse_file_name(spool_file_name(arena, S("a-b"), S("spark-kubernetes-driver"), S("stdout")), &pod, &container, &stream));
    assert_text(pod, S("a-b"));
    assert_text(container, S("spark-kubernetes-driver"));
    assert_text(stream, S("stdout"));
    assert_false(spool_parse_file_name(S("a__b__stdout.log.progress"), &pod, &container, &stream));
    assert_false(spool_parse_file_name(S("a.log"), &pod, &container, &stream));
}

static void test_a_batch_has_whole_lines_with_their_times(void **state)
{
    struct spool_part part = {.data = S(T "00.5Z one\n" T "01Z \n" T "00Z earlier\n" T "02Z half")};
    struct spool_batch b = spool_next_batch(arena, part, 0);
    assert_int_equal(b.count, 3);
    assert_text(b.lines[0].message, S("one"));
    assert_int_equal(b.lines[0].timestamp_ms, T_MS + 500);
    assert_text(b.lines[1].message, S(" ")); /* CloudWatch takes no empty event */
    assert_int_equal(b.lines[2].timestamp_ms, T_MS + 1000); /* never back */
    assert_int_equal(part.data.len - (size_t)b.next_offset, strlen(T "02Z half"));
    assert_false(b.full);
    part.whole = true;
    assert_int_equal(spool_next_batch(arena, part, 0).count, 4);
    assert_int_equal(spool_next_batch(arena, part, T_MS + 9000).lines[0].timestamp_ms, T_MS + 9000);
    assert_int_equal(spool_next_batch(arena, P(""), 0).count, 0);
}

static void test_bytes_that_are_no_utf8_are_replaced(void **state)
{
    struct spool_batch b = spool_next_batch(arena, P(T "00Z a\xff\xc3\xa4\xc3\n"), 0);
    assert_int_equal(b.count, 1);
    assert_text(b.lines[0].message, S("a\xEF\xBF\xBD\xc3\xa4\xEF\xBF\xBD"));
}

static void test_what_is_stripped_keeps_its_newlines(void **state)
{
    assert_text(spool_strip(arena, P(T "00Z one\n" T "01.25+01:00 two words\n" T "01Z \nno stamp here\n" T "02Z end")),
                S("one\ntwo words\n\nno stamp here\nend"));
    assert_text(spool_strip(arena, (struct spool_part){.data = S(T "00Z is text\n" T "01Z one\n"), .continues = true}), S(T "00Z is text\none\n"));
}

static struct slice repeat(struct slice text, size_t count)
{
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < count; i++)
        strbuf_append(&out, text);
    return strbuf_slice(&out);
}

/* Ships all of data in batches, each within the limits, and gives the messages joined (of one line: the line). */
static struct slice ship(struct slice data, size_t *ret_batches)
{
    struct strbuf out = STRBUF_ARENA(arena);
    int64_t offset = 0, last_ms = 0;
    bool continues = false;
    for (*ret_batches = 0; offset < (int64_t)data.len; (*ret_batches)++) {
        struct spool_part part = {.data = slice_from(data, (size_t)offset), .continues = continues, .whole = true};
        struct spool_batch b = spool_next_batch(arena, part, last_ms);
        size_t bytes = 0;
        assert_true(b.count > 0 && b.count <= 10000);
        for (size_t i = 0; i < b.count; i++) {
            assert_true(b.lines[i].message.len + 26 <= 262144 && b.lines[i].message.len > 0);
            assert_true(b.lines[i].timestamp_ms >= last_ms);
            assert_true(b.lines[i].timestamp_ms - b.lines[0].timestamp_ms <= 24LL * 3600 * 1000);
            last_ms = b.lines[i].timestamp_ms;
            bytes += b.lines[i].message.len + 26;
            strbuf_append(&out, b.lines[i].message);
        }
        assert_true(bytes <= 1048576);
        offset += b.next_offset;
        continues = b.continues;
    }
    return strbuf_slice(&out);
}

static void test_batches_keep_to_the_limits_and_lose_nothing(void **state)
{
    size_t batches;
    assert_int_equal(ship(repeat(S(T "00Z x\n"), 10001), &batches).len, 10001);
    assert_int_equal(batches, 2);
    struct slice kilo = repeat(S("y"), 1000);
    struct slice line = slice_fmt(arena, T "00Z %.*s\n", SLICE_ARG(kilo));
    assert_int_equal(ship(repeat(line, 3000), &batches).len, 3000 * 1000);
    assert_int_equal(batches, 4);
    ship(S(T "00Z a\n2026-11-23T00:00:00Z b\n"), &batches);
    assert_int_equal(batches, 2);
}

static void test_a_line_longer_than_a_request_is_sent_in_several(void **state)
{
    size_t batches;
    struct slice text = repeat(S("\xc3\xa4z"), 1500000); /* 4.5 MB */
    assert_text(ship(slice_fmt(arena, T "00Z %.*s\n" T "01Z end\n", SLICE_ARG(text)), &batches), slice_fmt(arena, "%.*send", SLICE_ARG(text)));
    assert_true(batches > 4);
    /* Before its end is known its full pieces go, the rest waits. */
    struct slice half = slice_fmt(arena, T "00Z %.*s", SLICE_ARG(slice_sub(text, 0, 900000)));
    struct spool_batch b = spool_next_batch(arena, (struct spool_part){.data = half}, 0);
    assert_int_equal(b.count, 3);
    assert_true(b.continues);
    struct spool_batch rest = spool_next_batch(arena, (struct spool_part){.data = slice_from(half, (size_t)b.next_offset), .continues = true}, T_MS);
    assert_int_equal(rest.count, 0);
}

/* Whatever was acknowledged and whatever was on its way, sent or not: afterwards each event is in the stream once. */
static void check_crash(struct slice data, size_t acked_events, size_t sending_events, bool arrived)
{
    struct spool_batch all = spool_next_batch(arena, (struct spool_part){.data = data, .whole = true}, 0);
    int64_t acked = 0, sending = 0, last_ms = 0;
    for (size_t i = 0, offset = 0; i < acked_events + sending_events; i++) {
        offset += (size_t)slice_index(slice_from(data, offset), '\n') + 1;
        if (i + 1 == acked_events)
            acked = (int64_t)offset;
        sending = (int64_t)offset;
    }
    if (acked_events)
        last_ms = all.lines[acked_events - 1].timestamp_ms;
    size_t in_stream = acked_events + (arrived ? sending_events : 0), seen = in_stream < 1000 ? in_stream : 1000;
    struct spool_part part = {.data = slice_sub(data, (size_t)acked, (size_t)(sending - acked)), .whole = true};
    struct spool_batch batch = spool_next_batch(arena, part, last_ms);
    assert_int_equal(batch.count, sending_events);
    struct spool_sent sent = {.before = {.data = slice_sub(data, 0, (size_t)acked)}, .at_start = true, .last = all.lines + in_stream - seen, .last_count = seen};
    if (spool_was_sent(arena, &batch, &sent) != arrived)
        fail_msg("%zu acknowledged, %zu on their way, arrived %d", acked_events, sending_events, arrived);
}

static void test_a_line_is_one_event_as_long_as_it_fits(void **state)
{
    size_t most = 262144 - 26;
    struct slice line = repeat(S("z"), most);
    struct spool_batch b = spool_next_batch(arena, (struct spool_part){.data = slice_fmt(arena, T "00Z %.*s\n", SLICE_ARG(line))}, 0);
    assert_int_equal(b.count, 1);
    assert_int_equal(b.lines[0].message.len, most);
    b = spool_next_batch(arena, (struct spool_part){.data = slice_fmt(arena, T "00Z %.*sz\n", SLICE_ARG(line))}, 0);
    assert_int_equal(b.count, 2);
    assert_int_equal(b.lines[1].message.len, 1);
    struct slice bad = repeat(S("\xff"), most); /* three bytes instead of each */
    b = spool_next_batch(arena, ((struct spool_part){.data = slice_fmt(arena, T "00Z %.*s\n", SLICE_ARG(bad)), .whole = true}), 0);
    assert_int_equal(b.count, 4);
    assert_int_equal(b.lines[0].message.len, most / 3 * 3);
}

/* Whatever was cut off a line, and went, is cut in the same way when only that much of it is asked about. */
static void test_pieces_of_a_line_are_the_same_when_it_ends_behind_them(void **state)
{
    struct strbuf text = STRBUF_ARENA(arena);
    uint32_t seed = 7;
    strbuf_append_cstr(&text, T "00Z ");
    while (text.len < 1200000) {
        static const char *const parts[] = {"plain text ", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x88", "\xff", "\xe2\x82", "\x80\x80", "\xc3"};
        seed = seed * 1664525u + 1013904223u;
        strbuf_append_cstr(&text, parts[(seed >> 16) % ARRAY_SIZE(parts)]);
    }
    struct slice data = strbuf_slice(&text);
    for (int64_t from = 0; from < (int64_t)data.len;) {
        struct spool_part part = {.data = slice_from(data, (size_t)from), .continues = from > 0};
        struct spool_batch b = spool_next_batch(arena, part, T_MS);
        if (!b.count)
            break;
        struct spool_part again = {.data = slice_sub(part.data, 0, (size_t)b.next_offset), .continues = part.continues, .whole = true};
        struct spool_batch same = spool_next_batch(arena, again, T_MS);
        assert_int_equal(same.count, b.count);
        assert_int_equal(same.next_offset, b.next_offset);
        for (size_t i = 0; i < b.count; i++)
            assert_true(slice_eq(same.lines[i].message, b.lines[i].message) && b.lines[i].message.len + 26 <= 262144);
        from += b.next_offset;
    }
}

static void test_a_crash_between_sending_and_noting_loses_and_doubles_nothing(void **state)
{
    const struct slice logs[] = {
        S(T "00Z a\n" T "00Z b\n" T "01Z c\n" T "02Z d\n" T "02Z e\n" T "03Z f\n"),
        S(T "00Z x\n" T "00Z x\n" T "00Z x\n" T "00Z x\n" T "00Z x\n" T "00Z x\n"), /* a log that repeats itself */
        S(T "00Z x\n" T "00Z y\n" T "00Z x\n" T "00Z y\n" T "00Z x\n" T "00Z y\n"),
        S(T "05Z a\n" T "00Z \n" T "00Z \n" T "01Z b\n" T "00Z \n" T "09Z a\n"), /* the clock went back */
    };
    for (size_t l = 0; l < ARRAY_SIZE(logs); l++) {
        for (size_t acked = 0; acked < 6; acked++) {
            for (size_t sending = 1; acked + sending <= 6; sending++) {
                check_crash(logs[l], acked, sending, false);
                check_crash(logs[l], acked, sending, true);
            }
        }
    }
}

static void test_where_it_cannot_be_known_twice_is_better_than_never(void **state)
{
    struct log_line same[3] = {{T_MS, S("x")}, {T_MS, S("x")}, {T_MS, S("x")}};
    struct spool_batch batch = {.lines = same, .count = 1};
    struct spool_sent sent = {.before = {.data = S(T "00Z x\n" T "00Z x\n" T "00Z x\n")}, .at_start = false, .last = same, .last_count = 3};
    assert_false(spool_was_sent(arena, &batch, &sent));
}

static void test_progress_comes_back(void **state)
{
    struct slice path = slice_fmt(arena, "%s/p", dir);
    struct spool_progress p;
    assert_null(spool_progress_read(path.ptr, &p));
    assert_int_equal(p.offset, 0);
    assert_null(spool_progress_write(path.ptr, &(struct spool_progress){.offset = 1234567890123, .last_ms = T_MS, .sending_offset = 7}, true));
    assert_null(spool_progress_write(path.ptr, &(struct spool_progress){.offset = 12, .last_ms = 1, .sending_offset = 7}, false));
    assert_null(spool_progress_read(path.ptr, &p));
    assert_int_equal(p.offset, 12);
    assert_int_equal(p.last_ms, 1);
    assert_int_equal(p.sending_offset, 7);
    assert_null(file_write_atomic(path.ptr, S("rubbish"), 0600));
    assert_null(spool_progress_read(path.ptr, &p));
    assert_int_equal(p.offset, 0);
}

/* The spool has the log's first have bytes; the log is told again from tell on, in pieces: the spool must become the log. */
static void check_resume(struct slice log, size_t have, size_t tell, size_t piece)
{
    const char *path = slice_fmt(arena, "%s/spool", dir).ptr;
    struct spool_resume r;
    struct strbuf out = STRBUF_ARENA(arena);
    assert_null(file_write_atomic(path, slice_sub(log, 0, have), 0600));
    assert_null(spool_resume_init(&r, path, 0, (int64_t)have));
    strbuf_append(&out, slice_sub(log, 0, (size_t)r.size));
    for (size_t at = tell; at < log.len; at += piece)
        spool_resume_take(&r, slice_sub(log, at, piece), &out);
    spool_resume_deinit(&r);
    if (!slice_eq(strbuf_slice(&out), log))
        fail_msg("with %zu bytes and told from %zu in pieces of %zu:\n%.*s", have, tell, piece, SLICE_ARG(strbuf_slice(&out)));
}

static void test_a_log_goes_on_wherever_it_was_cut(void **state)
{
    struct slice log = S(T "00.000000001Z one\n" T "00.000000001Z one\n" T "00.000000001Z two\n" T "00.000000002Z \n" T "01.5Z three is longer\n" T
                           "01.5Z three\n" T "02.000000000Z half");
    for (size_t have = 0; have <= log.len; have++) {
        check_resume(log, have, 0, 1);
        check_resume(log, have, 0, 7);
        check_resume(log, have, 0, 1000);
    }
}

static void test_a_log_that_lost_its_beginning_goes_on_too(void **state)
{
    struct slice log = S(T "00Z one\n" T "01Z two\n" T "02Z three\n" T "03Z four\n");
    size_t two = strlen(T "00Z one\n"), three = two + strlen(T "01Z two\n");
    check_resume(log, three, two, 5); /* rotated, or asked for by time */
    check_resume(log, three + 3, two, 5);
    check_resume(log, three, three, 5); /* the known lines are gone altogether */
}

static void test_a_line_that_was_cut_and_is_gone_is_ended(void **state)
{
    const char *path = slice_fmt(arena, "%s/spool", dir).ptr;
    struct spool_resume r;
    struct strbuf out = STRBUF_ARENA(arena);
    assert_null(file_write_atomic(path, S(T "00Z one\n" T "01Z tw"), 0600));
    assert_null(spool_resume_init(&r, path, 0, (int64_t)strlen(T "00Z one\n" T "01Z tw")));
    spool_resume_take(&r, S(T "02Z three\nunable to retrieve\n"), &out);
    spool_resume_deinit(&r);
    assert_text(strbuf_slice(&out), S("\n" T "02Z three\nunable to retrieve\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file_names_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_batch_has_whole_lines_with_their_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_that_are_no_utf8_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_stripped_keeps_its_newlines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batches_keep_to_the_limits_and_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_longer_than_a_request_is_sent_in_several, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_is_one_event_as_long_as_it_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pieces_of_a_line_are_the_same_when_it_ends_behind_them, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_crash_between_sending_and_noting_loses_and_doubles_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_it_cannot_be_known_twice_is_better_than_never, setup, teardown),
        cmocka_unit_test_setup_teardown(test_progress_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_log_goes_on_wherever_it_was_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_log_that_lost_its_beginning_goes_on_too, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_that_was_cut_and_is_gone_is_ended, setup, teardown),
    };
    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
