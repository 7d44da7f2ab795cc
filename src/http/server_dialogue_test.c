/* Requests whose answers depend on what was said when: 100-continue in all orders, bodies behind their heads, answers before the body
 * is there, large bodies, pipelines; and the time limits, by a clock that the tests move. */
#include "base/arena.h"
#include "base/clock.h"
#include "http/answers_kit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct step {
    const char *say;
    const char *hear; /* NULL: nothing */
};

struct dialogue {
    const char *title;
    struct step steps[5];
    bool open; /* after the last step */
};

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: h\r\n"
#define IGNORE "POST /ignore HTTP/1.1\r\nHost: h\r\n"
#define EXPECT "Expect: 100-continue\r\n"

/* clang-format off */
static const struct dialogue dialogues[] = {
    {"100, then the body", {{POST "Content-Length: 5\r\n" EXPECT "\r\n", "100"}, {"hello", "200 hello"}}, true},
    {"100 once for a body in pieces", {{POST "Content-Length: 5\r\n" EXPECT "\r\n", "100"}, {"he", NULL}, {"ll", NULL}, {"o", "200 hello"}}, true},
    {"100 for a chunked body", {{POST "Transfer-Encoding: chunked\r\n" EXPECT "\r\n", "100"}, {"5\r\nhe", NULL}, {"llo\r\n0\r\n", NULL}, {"\r\n", "200 hello"}}, true},
    {"100 in another case", {{POST "Content-Length: 2\r\nexpect: 100-CONTINUE\r\n\r\n", "100"}, {"ab", "200 ab"}}, true},
    {"100 for each of two", {{POST "Content-Length: 1\r\n" EXPECT "\r\n", "100"}, {"a" POST "Content-Length: 1\r\n" EXPECT "\r\n", "200 a|100"}, {"b", "200 b"}}, true},
    {"the body came with its head: no 100", {{POST "Content-Length: 5\r\n" EXPECT "\r\nhello", "200 hello"}}, true},
    {"some of the body came with its head: no 100", {{POST "Content-Length: 5\r\n" EXPECT "\r\nhe", NULL}, {"llo", "200 hello"}}, true},
    {"some of a large body came with its head: no 100", {{POST "Content-Length: 40000\r\n" EXPECT "\r\nhe", NULL}}, true},
    {"no body to wait for: no 100", {{POST "Content-Length: 0\r\n" EXPECT "\r\n", "200 "}}, true},
    {"no body at all: no 100", {{GET EXPECT "\r\n", "200 GET /"}}, true},
    {"HTTP/1.0 is not told 100", {{"POST /echo HTTP/1.0\r\nContent-Length: 2\r\n" EXPECT "\r\n", NULL}, {"ab", "200 ab"}}, false},
    {"HTTP/1.0 with an unknown expectation", {{"POST /echo HTTP/1.0\r\nContent-Length: 2\r\nExpect: x\r\n\r\nab", "200 ab"}}, false},
    {"an unknown expectation is refused before the body", {{POST "Content-Length: 5\r\nExpect: x\r\n\r\n", "!417 only 100-continue can be expected"}}, false},
    {"an unknown expectation, and the body comes all the same", {{POST "Content-Length: 5\r\nExpect: x\r\n\r\nhello" GET "\r\n", "!417 only 100-continue can be expected"}}, false},
    {"refused before the 100: it closes, since the body may come or not", {{IGNORE "Content-Length: 5\r\n" EXPECT "\r\n", "200 ignored"}}, false},
    {"refused before the 100, and the body comes all the same", {{IGNORE "Content-Length: 5\r\n" EXPECT "\r\n", "200 ignored"}, {"hello" GET "\r\n", ""}}, false},
    {"too large, before the 100", {{POST "Content-Length: 1000001\r\n" EXPECT "\r\n", "413 LIMIT"}}, false},
    {"chunked and refused before the 100", {{IGNORE "Transfer-Encoding: chunked\r\n" EXPECT "\r\n", "200 ignored"}}, false},
    {"broken chunks behind the 100", {{POST "Transfer-Encoding: chunked\r\n" EXPECT "\r\n", "100"}, {"x\r\n", "400 INVALID"}}, false},
    {"a small body behind its head", {{POST "Content-Length: 5\r\n\r\n", NULL}, {"hel", NULL}, {"lo", "200 hello"}}, true},
    {"a small body and the next request with its end", {{POST "Content-Length: 5\r\n\r\n", NULL}, {"hello" GET "\r\n", "200 hello|200 GET /"}}, true},
    {"a small body that the handler does not want", {{IGNORE "Content-Length: 5\r\n\r\n", NULL}, {"hello", "200 ignored"}}, true},
    {"a middling body that the handler does not want is eaten", {{IGNORE "Content-Length: 40000\r\n\r\n", "200 ignored"}, {"40000", ""}}, true},
    {"a large body that the handler does not want ends the connection", {{IGNORE "Content-Length: 100000\r\n\r\n", "200 ignored"}}, false},
    {"a body of unknown length that the handler does not want ends it", {{IGNORE "Transfer-Encoding: chunked\r\n\r\n", "200 ignored"}}, false},
    {"a chunked body in pieces", {{POST "Transfer-Encoding: chunked\r\n\r\n", NULL}, {"10\r", NULL}, {"\n0123456789abcdef", NULL}, {"\r\n0\r\nA:", NULL}, {" b\r\n\r\n", "200 0123456789abcdef"}}, true},
    {"half a pipelined head", {{GET "\r\nGET /2 HT", "200 GET /"}, {"TP/1.1\r\nHost: h\r\n\r\n", "200 GET /2"}}, true},
    {"a blank line behind a body", {{POST "Content-Length: 2\r\n\r\nab\r\n", "200 ab"}, {GET "\r\n", "200 GET /"}}, true},
    {"garbage behind a body", {{POST "Content-Length: 2\r\n\r\nab", "200 ab"}, {" x", "!400 the head is malformed or too large"}}, false},
    {"nothing for a while, then a request", {{"", NULL}, {"G", NULL}, {"ET / HTTP/1.1\r\nHost: h\r\n\r\n", "200 GET /"}}, true},
    {"refused at the first wrong byte", {{"GET / HTTP/1.1\r\nHost: h\r\nX: a\n", "!400 the head is malformed or too large"}}, false},
    {"HEAD behind a head", {{"HEAD /ignore HTTP/1.1\r\nHost: h\r\n", NULL}, {"\r\n", "200-7"}}, true},
};
/* clang-format on */

/* Digits alone stand for that many bytes. */
static void say_step(int fd, const char *text)
{
    int64_t count;
    if (!slice_to_i64(slice_from_cstr(text), 1, 100000, &count)) {
        kit_say(fd, slice_from_cstr(text));
        return;
    }
    char *bytes = calloc(1, (size_t)count);
    kit_say(fd, slice_of(bytes, (size_t)count));
    free(bytes);
}

static void test_dialogues(void **state)
{
    struct http_server *server = kit_start();
    for (size_t i = 0; i < ARRAY_SIZE(dialogues); i++) {
        const struct dialogue *d = &dialogues[i];
        int fd = kit_dial(server);
        bool answered = false;
        for (size_t at = 0; at < ARRAY_SIZE(d->steps) && d->steps[at].say; at++) {
            bool last = at + 1 == ARRAY_SIZE(d->steps) || !d->steps[at + 1].say || !d->steps[at + 1].hear || !d->steps[at + 1].hear[0];
            say_step(fd, d->steps[at].say);
            answered = d->steps[at].hear != NULL;
            if (d->steps[at].hear)
                kit_hear(fd, slice_from_cstr(d->title), d->steps[at].hear, d->open || !last);
            else
                kit_hear_nothing(server, fd, slice_from_cstr(d->title));
        }
        if (answered)
            kit_check_after(fd, slice_from_cstr(d->title), d->open);
        close(fd);
    }
    http_server_stop(server, 1000);
}

static void test_a_large_body_that_nobody_reads_is_drained_so_that_its_answer_arrives(void **state)
{
    struct http_server *server = kit_start();
    int fd = kit_dial(server);
    size_t len = 8 << 20;
    char *bytes = calloc(1, len);
    kit_say(fd, S(IGNORE "Content-Length: 8388608\r\n\r\n"));
    for (size_t at = 0; at < len;) { /* all of it, before the answer is looked at */
        ssize_t n = send(fd, bytes + at, len - at, MSG_NOSIGNAL);
        assert_true(n > 0);
        at += (size_t)n;
    }
    free(bytes);
    kit_hear(fd, S("drained"), "200 ignored", false);
    kit_check_after(fd, S("drained"), false);
    close(fd);
    http_server_stop(server, 1000);
}

/* ---- limits ---- */

static int64_t ahead_ms; /* atomic: of the real clock */

static int64_t moved_now_ms(void *unused)
{
    (void)unused;
    return monotonic_ms() + __atomic_load_n(&ahead_ms, __ATOMIC_ACQUIRE);
}

static void move_clock(struct http_server *server, int64_t by_ms)
{
    (void)__atomic_add_fetch(&ahead_ms, by_ms, __ATOMIC_ACQ_REL);
    http_server_clock_moved(server);
}

static struct http_server *start_with_clock(size_t worker_max)
{
    struct http_server *server;
    assert_null(http_server_start(
        &(struct http_server_options){
            .address = "127.0.0.1", .handler = kit_handle, .worker_count = 2, .worker_max = worker_max, .now_ms = moved_now_ms},
        &server));
    return server;
}

static struct http_server_stats stats_of(struct http_server *server)
{
    struct http_server_stats stats;
    http_server_stats(server, &stats);
    return stats;
}

/* Waits until the field is at least want; the server's own doings make it so. What was counted before the first barrier does not count. */
#define WAIT_STAT(server, field, want)                                              \
    do {                                                                            \
        int64_t until_ms_ = monotonic_ms() + 120000;                                \
        for (kit_barrier(server); stats_of(server).field < (want); kit_barrier(server)) \
            if (monotonic_ms() > until_ms_)                                         \
                fail_msg("%s is only %zu", #field, (size_t)stats_of(server).field); \
    } while (0)

static void test_a_head_has_thirty_seconds_however_it_drips(void **state)
{
    struct http_server *server = start_with_clock(0);
    int fd = kit_dial(server), silent = kit_dial(server);
    for (int second = 0; second < 25; second++) { /* what really passes comes on top of it */
        kit_say(fd, slice_sub(S("GET /a-path-that-is-rather-long"), (size_t)second, 1));
        kit_barrier(server);
        move_clock(server, 1000);
    }
    kit_hear_nothing(server, fd, S("too early"));
    move_clock(server, 6000);
    kit_hear(fd, S("slow head"), "!408 the request did not arrive in time", false);
    kit_check_after(fd, S("slow head"), false);
    kit_check_after(silent, S("nothing said"), false);
    assert_int_equal(stats_of(server).refused_late, 1);
    close(fd);
    close(silent);
    http_server_stop(server, 1000);
}

static void test_a_small_body_has_thirty_seconds_and_no_worker(void **state)
{
    struct http_server *server = start_with_clock(0);
    int fd = kit_dial(server);
    kit_say(fd, S(POST "Content-Length: 5\r\n\r\nh"));
    WAIT_STAT(server, bodies, 1);
    assert_int_equal(stats_of(server).workers_waiting, 0);
    move_clock(server, 24000);
    kit_say(fd, S("e"));
    kit_hear_nothing(server, fd, S("too early"));
    move_clock(server, 7000);
    kit_hear(fd, S("slow body"), "!408 the request did not arrive in time", false);
    kit_check_after(fd, S("slow body"), false);
    close(fd);
    http_server_stop(server, 1000);
}

static void test_an_idle_connection_is_closed_after_two_minutes(void **state)
{
    struct http_server *server = start_with_clock(0);
    int fd = kit_dial(server);
    kit_say(fd, S(GET "\r\n"));
    kit_hear(fd, S("idle"), "200 GET /", true);
    move_clock(server, 110 * 1000);
    kit_check_after(fd, S("idle"), true); /* and begins anew */
    WAIT_STAT(server, idle, 1);
    move_clock(server, 110 * 1000);
    kit_check_after(fd, S("idle"), true);
    WAIT_STAT(server, idle, 1);
    move_clock(server, 121 * 1000);
    kit_check_after(fd, S("idle"), false);
    assert_true(stats_of(server).closed_idle >= 1);
    close(fd);
    http_server_stop(server, 1000);
}

static void test_a_large_body_that_stops_is_cut_off_after_a_minute_and_told(void **state)
{
    struct http_server *server = start_with_clock(0);
    int fd = kit_dial(server);
    kit_say(fd, S(POST "Content-Length: 900000\r\n\r\nhe"));
    WAIT_STAT(server, workers_waiting, 1);
    move_clock(server, 50 * 1000);
    kit_hear_nothing(server, fd, S("too early"));
    move_clock(server, 11 * 1000);
    kit_hear(fd, S("stopped body"), "400 ?", false);
    kit_check_after(fd, S("stopped body"), false);
    assert_int_equal(stats_of(server).cut_slow, 1);
    close(fd);
    http_server_stop(server, 1000);
}

static void test_a_body_that_drips_is_cut_off_and_one_that_keeps_up_is_not(void **state)
{
    struct http_server *server = start_with_clock(0);
    int drip = kit_dial(server), steady = kit_dial(server);
    kit_say(drip, S(POST "Content-Length: 900000\r\n\r\n"));
    kit_say(steady, S(POST "Content-Length: 900000\r\n\r\n"));
    WAIT_STAT(server, workers_waiting, 2);
    char bytes[9000] = {0};
    for (int round = 0; round < 100; round++) {
        kit_say(steady, slice_of(bytes, sizeof(bytes))); /* 9000 bytes in 2 s */
        if (round < 31)
            kit_say(drip, slice_of(bytes, 10));
        if (round == 99)
            break;
        kit_barrier(server);
        WAIT_STAT(server, workers_waiting, round < 29 ? 2 : 1);
        move_clock(server, 2000);
    }
    kit_hear(drip, S("dripping body"), "400 ?", false);
    struct strbuf answer = STRBUF_HEAP;
    while (answer.len < 900000) {
        char buf[4096];
        ssize_t n = recv(steady, buf, sizeof(buf), 0);
        assert_true(n > 0);
        strbuf_append_bytes(&answer, buf, (size_t)n);
    }
    assert_true(slice_starts_with(strbuf_slice(&answer), S("HTTP/1.1 200 OK\r\n")));
    strbuf_deinit(&answer);
    assert_int_equal(stats_of(server).cut_slow, 1);
    close(drip);
    close(steady);
    http_server_stop(server, 1000);
}

static int dial_small(const struct http_server *server)
{
    int fd = kit_dial(server), small = 4096;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    return fd;
}

static void test_a_client_that_does_not_read_its_answer_is_cut_off_after_a_minute(void **state)
{
    struct http_server *server = start_with_clock(0);
    int fd = dial_small(server);
    kit_say(fd, S("GET /large HTTP/1.1\r\nHost: h\r\n\r\n"));
    WAIT_STAT(server, workers_waiting, 1);
    move_clock(server, 50 * 1000);
    kit_barrier(server);
    assert_int_equal(stats_of(server).workers_waiting, 1);
    move_clock(server, 11 * 1000);
    WAIT_STAT(server, cut_slow, 1);
    close(fd);
    http_server_stop(server, 1000);
}

static void test_a_stream_that_is_stopped_by_its_client_is_closed_after_a_minute(void **state)
{
    struct http_server *server = start_with_clock(0);
    int fd = dial_small(server);
    kit_say(fd, S("GET /large-stream HTTP/1.1\r\nHost: h\r\n\r\n"));
    WAIT_STAT(server, streams, 1);
    move_clock(server, 50 * 1000);
    kit_barrier(server);
    assert_int_equal(stats_of(server).streams, 1);
    move_clock(server, 11 * 1000);
    int64_t until_ms = monotonic_ms() + 120000;
    while (stats_of(server).streams && monotonic_ms() < until_ms)
        kit_barrier(server);
    assert_int_equal(stats_of(server).streams, 0);
    close(fd);
    http_server_stop(server, 1000);
}

static void test_slow_clients_make_room_at_once_when_others_wait(void **state)
{
    struct http_server *server = start_with_clock(6);
    int slow[20];
    for (int i = 0; i < 20; i++) {
        slow[i] = dial_small(server);
        kit_say(slow[i], i % 2 ? S("GET /large HTTP/1.1\r\nHost: h\r\n\r\n") : S(POST "Content-Length: 900000\r\n\r\nhe"));
    }
    int fd = kit_dial(server); /* by the real clock, too: half a second a turn */
    kit_say(fd, S(GET "\r\n"));
    kit_hear(fd, S("others"), "200 GET /", true);
    assert_true(stats_of(server).cut_for_room >= 10);
    assert_int_equal(stats_of(server).cut_slow, 0);
    assert_true(stats_of(server).workers <= 6);
    for (int i = 0; i < 20; i++)
        close(slow[i]);
    close(fd);
    http_server_stop(server, 1000);
}

static void test_a_full_server_closes_the_longest_idle_for_a_new_client(void **state)
{
    struct http_server *server;
    assert_null(http_server_start(
        &(struct http_server_options){.address = "127.0.0.1", .handler = kit_handle, .connection_max = 10, .now_ms = moved_now_ms}, &server));
    int idle[10], fd;
    for (int i = 0; i < 10; i++) {
        idle[i] = kit_dial(server);
        kit_say(idle[i], S(GET "\r\n"));
        kit_hear(idle[i], S("idle"), "200 GET /", true);
    }
    fd = kit_dial(server);
    kit_say(fd, S(GET "\r\n"));
    kit_hear(fd, S("new"), "200 GET /", true);
    int closed = 0;
    for (int i = 0; i < 10; i++) {
        char c;
        closed += recv(idle[i], &c, 1, MSG_DONTWAIT) == 0;
    }
    assert_int_equal(closed, 1);
    assert_int_equal(stats_of(server).closed_for_room, 1);
    for (int i = 0; i < 10; i++)
        close(idle[i]);
    close(fd);
    http_server_stop(server, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test(test_a_large_body_that_nobody_reads_is_drained_so_that_its_answer_arrives),
        cmocka_unit_test(test_a_head_has_thirty_seconds_however_it_drips),
        cmocka_unit_test(test_a_small_body_has_thirty_seconds_and_no_worker),
        cmocka_unit_test(test_an_idle_connection_is_closed_after_two_minutes),
        cmocka_unit_test(test_a_large_body_that_stops_is_cut_off_after_a_minute_and_told),
        cmocka_unit_test(test_a_body_that_drips_is_cut_off_and_one_that_keeps_up_is_not),
        cmocka_unit_test(test_a_client_that_does_not_read_its_answer_is_cut_off_after_a_minute),
        cmocka_unit_test(test_a_stream_that_is_stopped_by_its_client_is_closed_after_a_minute),
        cmocka_unit_test(test_slow_clients_make_room_at_once_when_others_wait),
        cmocka_unit_test(test_a_full_server_closes_the_longest_idle_for_a_new_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
