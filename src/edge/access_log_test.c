#include "edge/access_log.h"
#include "base/arena.h"
#include "base/fd.h"
#include "base/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const struct access_entry PLAIN = {
    .request_id = {"id-1", 4}, .method = {"GET", 3}, .path = {"/b/k", 4}, .status = 200, .bytes_out = 5, .duration_us = 1234};

static struct json *parse(struct arena *arena, struct slice line)
{
    struct json *json;
    assert_int_equal(line.ptr[line.len - 1], '\n');
    assert_int_equal(slice_index(line, '\n'), (ptrdiff_t)line.len - 1);
    assert_null(json_parse(arena, line, JSON_DUPLICATES_REFUSE, &json));
    return json;
}

static void test_a_line_has_what_is_known(void **state)
{
    struct arena *arena = arena_new();
    struct slice line = access_log_line(arena, &PLAIN);
    assert_true(slice_eq(line, S("{\"time\":\"1970-01-01T00:00:00.000Z\",\"requestId\":\"id-1\",\"method\":\"GET\",\"path\":\"/b/k\",\"status\":200,"
                                 "\"bytesIn\":0,\"bytesOut\":5,\"durationMs\":1.234}\n")));
    arena_free(arena);
}

static void test_secrets_of_the_query_are_struck_out(void **state)
{
    static const char *const rows[][2] = {
        {"a=1&b", "a=1&b"},
        {"X-Amz-Signature=abc&X-Amz-Date=d", "X-Amz-Signature=***&X-Amz-Date=d"},
        {"X-Amz-Security-Token=abc", "X-Amz-Security-Token=***"},
        {"x-amz-%53ignature=abc", "x-amz-%53ignature=***"},
        {"AWSAccessKeyId=K&Signature=a%2Fb&Expires=1", "AWSAccessKeyId=K&Signature=***&Expires=1"},
        {"Action=A&WebIdentityToken=ey.x&SAMLAssertion=q=r", "Action=A&WebIdentityToken=***&SAMLAssertion=***"},
        {"list-type=2&&=x", "list-type=2&&=x"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct access_entry entry = PLAIN;
        entry.query = slice_from_cstr(rows[i][0]);
        struct json *json = parse(arena, access_log_line(arena, &entry));
        assert_true(slice_eq(json_get_text(json, "query"), slice_from_cstr(rows[i][1])));
    }
    arena_free(arena);
}

static void test_nothing_that_a_client_sends_breaks_a_line(void **state)
{
    struct arena *arena = arena_new();
    char wild[5000];
    for (size_t i = 0; i < sizeof(wild); i++)
        wild[i] = (char)(i * 7);
    struct slice all = slice_of(wild, sizeof(wild));
    struct access_entry entry = {.request_id = all, .remote_address = all, .method = all, .path = all, .query = all, .service = all,
                                 .operation = all, .access_key_id = all, .principal_arn = all, .error_code = all, .user_agent = all,
                                 .bytes_in = UINT64_MAX, .duration_us = INT64_MAX};
    struct slice line = access_log_line(arena, &entry);
    assert_true(line.len <= ACCESS_LOG_LINE_MAX);
    parse(arena, line);
    entry.user_agent = S("x\"}\n{\"status\":200,\"fake\":\"\x1b[2J\x7f");
    assert_true(slice_eq(json_get_text(parse(arena, access_log_line(arena, &entry)), "userAgent"), entry.user_agent));
    arena_free(arena);
}

/* ---- the file ---- */

struct place {
    char folder[64], path[96], old[96];
};

static void make_place(struct place *place)
{
    snprintf(place->folder, sizeof(place->folder), "/tmp/access-log-test-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->path, sizeof(place->path), "%s/a.log", place->folder);
    snprintf(place->old, sizeof(place->old), "%s/a.log.1", place->folder);
}

static void remove_place(struct place *place)
{
    unlink(place->path);
    unlink(place->old);
    rmdir(place->folder);
}

static size_t count_lines(const char *path)
{
    struct arena *arena = arena_new();
    struct slice text;
    size_t lines = 0;
    assert_null(file_read(arena, path, 64 << 20, &text));
    for (struct slice rest = text; rest.len; lines++) {
        struct slice line = slice_cut(&rest, '\n');
        struct json *json;
        assert_null(json_parse(arena, line, JSON_DUPLICATES_REFUSE, &json));
    }
    arena_free(arena);
    return lines;
}

static void test_lines_are_in_a_private_file_when_it_is_closed(void **state)
{
    struct place place;
    make_place(&place);
    struct access_log *log = access_log_new();
    access_log_write(log, &PLAIN); /* not open yet */
    assert_null(access_log_open(log, place.path, 0));
    for (int i = 0; i < 100; i++)
        access_log_write(log, &PLAIN);
    access_log_free(log);
    struct stat st;
    assert_int_equal(stat(place.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(count_lines(place.path), 100);
    remove_place(&place);
}

static void test_opened_again_it_writes_to_the_new_file(void **state)
{
    struct place place;
    make_place(&place);
    struct access_log *log = access_log_new();
    struct access_log_stats stats = {0};
    assert_null(access_log_open(log, place.path, 0));
    access_log_write(log, &PLAIN);
    while (!stats.written)
        access_log_get_stats(log, &stats);
    assert_int_equal(rename(place.path, place.old), 0);
    assert_null(access_log_open(log, place.path, 0));
    access_log_write(log, &PLAIN);
    access_log_write(log, &PLAIN);
    access_log_free(log);
    assert_int_equal(count_lines(place.old), 1);
    assert_int_equal(count_lines(place.path), 2);
    remove_place(&place);
}

static void test_a_large_file_is_put_aside(void **state)
{
    struct place place;
    make_place(&place);
    struct access_log *log = access_log_new();
    struct access_log_stats stats = {0};
    assert_null(access_log_open(log, place.path, 1000));
    for (uint64_t i = 1; i <= 30; i++) {
        access_log_write(log, &PLAIN);
        while (stats.written < i)
            access_log_get_stats(log, &stats);
    }
    access_log_free(log);
    struct stat st;
    assert_int_equal(stat(place.path, &st), 0);
    assert_true(st.st_size < 1000);
    assert_int_equal(stat(place.old, &st), 0);
    assert_true(st.st_size >= 1000 && st.st_size < 1200);
    assert_true(count_lines(place.old) > 0);
    remove_place(&place);
}

static void test_a_full_disk_costs_lines_not_requests(void **state)
{
    struct access_log *log = access_log_new();
    struct access_log_stats stats = {0};
    assert_null(access_log_open(log, "/dev/full", 0));
    for (int i = 0; i < 10; i++)
        access_log_write(log, &PLAIN);
    while (stats.dropped < 10)
        access_log_get_stats(log, &stats);
    assert_int_equal(stats.written, 0);
    assert_true(stats.failures >= 1);
    access_log_free(log);
}

static void test_a_file_that_cannot_be_opened_leaves_the_old_one(void **state)
{
    struct place place;
    make_place(&place);
    struct access_log *log = access_log_new();
    assert_null(access_log_open(log, place.path, 0));
    struct err *e = access_log_open(log, "/nowhere/at/all.log", 0);
    assert_non_null(e);
    err_free(e);
    access_log_write(log, &PLAIN);
    access_log_free(log);
    assert_int_equal(count_lines(place.path), 1);
    remove_place(&place);
}

static void test_a_place_that_is_not_used_changes_nothing(void **state)
{
    struct place place, other;
    make_place(&place);
    make_place(&other);
    struct access_log *log = access_log_new();
    struct access_log_place *unused, *used;
    assert_null(access_log_open(log, place.path, 0));
    assert_null(access_log_place_open(other.path, &unused));
    access_log_write(log, &PLAIN);
    access_log_place_close(unused);
    assert_null(access_log_place_open(NULL, &used));
    access_log_free(log); /* writes the line */
    log = access_log_new();
    access_log_use(log, used, 0);
    assert_false(access_log_is_open(log));
    access_log_free(log);
    assert_int_equal(count_lines(place.path), 1);
    assert_int_equal(count_lines(other.path), 0);
    remove_place(&place);
    remove_place(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_has_what_is_known),
        cmocka_unit_test(test_secrets_of_the_query_are_struck_out),
        cmocka_unit_test(test_nothing_that_a_client_sends_breaks_a_line),
        cmocka_unit_test(test_lines_are_in_a_private_file_when_it_is_closed),
        cmocka_unit_test(test_opened_again_it_writes_to_the_new_file),
        cmocka_unit_test(test_a_large_file_is_put_aside),
        cmocka_unit_test(test_a_full_disk_costs_lines_not_requests),
        cmocka_unit_test(test_a_file_that_cannot_be_opened_leaves_the_old_one),
        cmocka_unit_test(test_a_place_that_is_not_used_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
