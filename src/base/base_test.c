/* The foundation's behaviour, one table or one sentence a test. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/db.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/fd.h"
#include "base/gzip.h"
#include "base/json.h"
#include "base/proc.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void assert_slice(struct slice got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

static void test_numbers_parse_within_their_bounds_only(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max, value;
        bool ok;
    } ROWS[] = {
        {"0", 0, 10, 0, true},       {"10", 0, 10, 10, true},       {"11", 0, 10, 0, false},
        {"-1", -1, 1, -1, true},     {"-1", 0, 1, 0, false},        {"", 0, 1, 0, false},
        {"+1", 0, 1, 0, false},      {" 1", 0, 1, 0, false},        {"1x", 0, 9, 0, false},
        {"9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX, true},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN, true},
        {"9223372036854775808", INT64_MIN, INT64_MAX, 0, false},
        {"99999999999999999999", INT64_MIN, INT64_MAX, 0, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        int64_t v = 0;
        assert_int_equal(slice_to_i64(slice_from_cstr(ROWS[i].text), ROWS[i].min, ROWS[i].max, &v), ROWS[i].ok);
        if (ROWS[i].ok)
            assert_true(v == ROWS[i].value);
    }
}

static void test_cutting_a_list_gives_every_part_once(void **state)
{
    struct slice rest = S("a,,b,");
    const char *want[] = {"a", "", "b", ""};
    size_t n = 0;
    while (rest.ptr)
        assert_slice(slice_cut(&rest, ','), want[n++]);
    assert_int_equal(n, 4);
}

static void test_only_well_formed_utf8_passes(void **state)
{
    assert_true(slice_is_utf8(S("Ünï cödé \xF0\x9F\x94\xA5")));
    const char *bad[] = {"\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "a\x80", "\xC3"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(slice_is_utf8(slice_from_cstr(bad[i])));
}

static void test_known_encodings(void **state)
{
    assert_slice(base64_encode(arena, S("hello")), "aGVsbG8=");
    struct slice out;
    assert_true(base64_decode(arena, S("aGVsbG8="), &out));
    assert_slice(out, "hello");
    assert_false(base64_decode(arena, S("aGVsbG8"), &out));
    assert_false(base64_decode(arena, S("aGVsbG9="), &out)); /* stray bits */
    assert_true(base64url_decode(arena, S("aGVsbG8"), &out));
    assert_slice(uri_encode(arena, S("a b/ü~"), URI_KEEP_SLASH), "a%20b/%C3%BC~");
    assert_slice(uri_encode(arena, S("a/b"), URI_ENCODE_SLASH), "a%2Fb");
    assert_slice(uri_decode(arena, S("a+b%20%zz%4"), URI_PLUS_IS_SPACE), "a b %zz%4");
    /* emr-on-eks.md section 8: names checked against live clusters */
    assert_slice(base36_encode(arena, S("ts-eks-emr-eks-emr-cli")), "j3uv6jk0kk3sogu231qj91fmo3mvwfl561");
    assert_slice(base36_encode(arena, S("EMRContainers-JobExecutionRole")), "189nnyj7mn9w2lqiewgg1u0l3jhmo0z69yjkj9u6qhosj8l");
}

static void test_known_digests_and_checksums(void **state)
{
    assert_slice(sha256_hex(arena, S("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(crc64nvme_update(0, "123456789", 9) == 0xAE8B14860A799888u);
    assert_true(crc32c_update(0, "123456789", 9) == 0xE3069283u);
    assert_true(crc32_update(0, "123456789", 9) == 0xCBF43926u);
    /* in pieces as in one */
    char data[1000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7);
    assert_true(crc64nvme_update(crc64nvme_update(0, data, 13), data + 13, 987) == crc64nvme_update(0, data, 1000));
    assert_true(crc32c_update(crc32c_update(0, data, 501), data + 501, 499) == crc32c_update(0, data, 1000));
}

/* Keys shorter than a block, as long, and longer; computed with Python's hmac. */
static void test_known_hmacs(void **state)
{
    static const struct {
        size_t key_len; /* of 'k' */
        const char *sha256, *sha1;
    } rows[] = {
        {0, "adf339eb4e16f103a2eb80b29853b6d0b2c36696b5ee5c7bff566353935dca68", "d6568161c19ef52499ade8d6e60add4b9fbb9f66"},
        {3, "cd09ff486854115fc7fc040a1bd6c40f2fded8b80c44a3825b9ab5b8b14a9505", "1c0fa5b0ca9ae8ee4738a50831a8a52da2c32a8b"},
        {64, "6507aeb80eeb997e4125a2e585eb1da31e6d59ea1c193ecb02406d64b6fe7c0d", "0398b6ac99ad1fceeb0cf5d8797c2f6eeaf4de07"},
        {65, "406dd0b3d1ecec6532fde35d878245202e18480306a266a203513e605a33f916", "69d1fca7fcafd900fc16e03256a007a2ea32ebd2"},
        {131, "0531c730a6d19f8e593d9cf3bf998b724a8c749e8a7fc9f40f8e10df67e4f108", "e956492e983c0f51fd79c6b33506f23eecea49dc"},
    };
    char key[131];
    memset(key, 'k', sizeof(key));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t mac[SHA256_BYTES];
        hmac_sha256(slice_of(key, rows[i].key_len), S("what is signed"), mac);
        assert_slice(hex_encode(arena, slice_of((const char *)mac, SHA256_BYTES)), rows[i].sha256);
        hmac_sha1(slice_of(key, rows[i].key_len), S("what is signed"), mac);
        assert_slice(hex_encode(arena, slice_of((const char *)mac, 20)), rows[i].sha1);
    }
}

static void test_times_survive_there_and_back(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *iso;
    } ROWS[] = {
        {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
        {"2022-01-07T01:53:57.822Z", 1641520437822, "2022-01-07T01:53:57Z"},
        {"2024-02-29T23:59:59+01:00", 1709247599000, "2024-02-29T22:59:59Z"},
        {"1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59Z"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct instant t;
        assert_true(instant_parse_iso8601(slice_from_cstr(ROWS[i].text), &t));
        assert_true(t.ms == ROWS[i].ms);
        assert_slice(instant_iso8601(arena, t), ROWS[i].iso);
    }
    const char *bad[] = {"", "2023-02-29T00:00:00Z", "2022-13-01T00:00:00Z", "2022-01-01T24:00:00Z", "2022-01-01T00:00:00", "2022-01-01T00:00:00.Z"};
    struct instant t;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(instant_parse_iso8601(slice_from_cstr(bad[i]), &t));
    t.ms = 1641520437822;
    assert_slice(instant_rfc1123(arena, t), "Fri, 07 Jan 2022 01:53:57 GMT");
    assert_slice(instant_basic(arena, t), "20220107T015357Z");
    struct instant back;
    assert_true(instant_parse_rfc1123(S("Fri, 07 Jan 2022 01:53:57 GMT"), &back) && back.ms == 1641520437000);
    assert_true(instant_parse_basic(S("20220107T015357Z"), &back) && back.ms == 1641520437000);
}

static void test_json_keeps_order_and_numbers_as_written(void **state)
{
    struct json *j;
    const char *text = "{\"b\":1700000000.123,\"a\":[true,null,\"\\u00fc\\n\\u0001\"],\"c\":{}}";
    assert_null(json_parse(arena, slice_from_cstr(text), JSON_DUPLICATES_REFUSE, &j));
    assert_slice(json_to_slice(arena, j), "{\"b\":1700000000.123,\"a\":[true,null,\"ü\\n\\u0001\"],\"c\":{}}");
    json_set_i64(arena, j, "b", 5);
    assert_true(json_remove(j, S("a")));
    json_prepend(json_ensure_array(arena, j, "l"), json_cstr(arena, "x"));
    assert_slice(json_to_slice(arena, j), "{\"b\":5,\"c\":{},\"l\":[\"x\"]}");
    assert_true(json_get_i64(j, "b", 0) == 5);
    assert_null(JSON_AT(j, "c", "d", "e"));
    struct json *copy = json_clone(arena, j);
    assert_true(json_equal(copy, j));
    json_set_bool(arena, copy, "c", false);
    assert_false(json_equal(copy, j));
}

/* 200,000 members: what looks at each pair of them takes minutes. */
static void test_json_objects_with_very_many_members_are_compared_and_cleared_of_duplicates_in_little_time(void **state)
{
    enum { COUNT = 200000 };
    struct strbuf up = STRBUF_ARENA(arena), down = STRBUF_ARENA(arena);
    for (int i = 0; i < COUNT; i++) {
        strbuf_append_fmt(&up, "%c\"k%d\":%d", i ? ',' : '{', i, i);
        strbuf_append_fmt(&down, "%c\"k%d\":%d", i ? ',' : '{', COUNT - 1 - i, COUNT - 1 - i);
    }
    strbuf_append_char(&up, '}');
    strbuf_append_cstr(&down, ",\"k7\":7,\"k5\":5}");
    struct json *a, *b;
    assert_null(json_parse(arena, strbuf_slice(&up), JSON_DUPLICATES_REFUSE, &a));
    assert_null(json_parse(arena, strbuf_slice(&down), JSON_DUPLICATES_LAST_WINS, &b));
    assert_int_equal(json_count(b), COUNT);
    assert_slice(b->last->key, "k5");
    assert_true(json_equal(a, b) && json_equal(b, a));
    b->first->text = S("0");
    assert_false(json_equal(a, b));
}

static void test_json_that_is_not_strict_is_refused(void **state)
{
    const char *bad[] = {"", "{", "{\"a\":1,}", "[01]", "nul", "{\"a\":1} x", "\"\xff\"", "{\"a\":1,\"a\":2}", "NaN"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct json *j;
        struct err *e = json_parse(arena, slice_from_cstr(bad[i]), JSON_DUPLICATES_REFUSE, &j);
        assert_non_null(e);
        assert_int_equal(e->kind, ERR_INVALID);
        err_free(e);
    }
    struct json *j;
    assert_null(json_parse(arena, S("{\"a\":1,\"a\":2}"), JSON_DUPLICATES_LAST_WINS, &j));
    assert_slice(json_to_slice(arena, j), "{\"a\":2}");
    char deep[2000];
    memset(deep, '[', 1000);
    memset(deep + 1000, ']', 1000);
    struct err *e = json_parse(arena, slice_of(deep, 2000), JSON_DUPLICATES_REFUSE, &j);
    assert_non_null(e);
    err_free(e);
}

static void test_gzip_comes_back_whole_and_bounded(void **state)
{
    struct strbuf packed = STRBUF_ARENA(arena);
    gzip_append(&packed, S("hello "));
    gzip_append(&packed, S("world"));
    struct slice out;
    assert_null(gzip_decode(arena, strbuf_slice(&packed), 100, &out));
    assert_slice(out, "hello world");
    struct err *e = gzip_decode(arena, strbuf_slice(&packed), 5, &out);
    assert_int_equal(e->kind, ERR_LIMIT);
    err_free(e);
    e = gzip_decode(arena, slice_sub(strbuf_slice(&packed), 0, 15), 100, &out);
    assert_int_equal(e->kind, ERR_INVALID);
    err_free(e);
}

static void test_errors_keep_kind_and_code_while_context_is_added(void **state)
{
    struct err *e = err_wrap(err_code(ERR_NOT_FOUND, "NoSuchKey", "no %s", "x"), "while reading %d", 7);
    assert_string_equal(e->message, "while reading 7: no x");
    assert_int_equal(e->kind, ERR_NOT_FOUND);
    assert_true(err_has_code(e, "NoSuchKey"));
    err_free(e);
}

struct counter {
    struct db *db;
    int64_t total;
};

static struct err *insert_one(struct db_tx *tx, void *arg)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "INSERT INTO t(k, v) VALUES(?, ?)", &stmt));
    db_bind_i64(stmt, 1, *(int64_t *)arg);
    db_bind_text(stmt, 2, S("v"));
    return db_run(stmt);
}

static struct err *count_all(struct db_tx *tx, void *arg)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT count(*) FROM t", &stmt));
    TRY(db_step(stmt, &row));
    ((struct counter *)arg)->total = db_col_i64(stmt, 0);
    return NULL;
}

static void *insert_many(void *arg)
{
    struct counter *c = arg;
    for (int64_t i = 0; i < 200; i++) {
        int64_t key = c->total + i;
        assert_null(db_write(c->db, insert_one, &key));
    }
    return NULL;
}

static void test_writers_are_grouped_and_a_failed_one_takes_nobody_with_it(void **state)
{
    char dir[] = "/tmp/ember-db-test.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct slice path = slice_fmt(arena, "%s/x.db", dir);
    static const char *const SCHEMA[] = {"CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT NOT NULL) STRICT"};
    struct db *db;
    assert_null(db_open(path.ptr, SCHEMA, 1, &db));
    pthread_t threads[4];
    struct counter counters[4];
    for (int i = 0; i < 4; i++) {
        counters[i] = (struct counter){.db = db, .total = i * 1000};
        pthread_create(&threads[i], NULL, insert_many, &counters[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    int64_t key = 5;
    struct err *e = db_write(db, insert_one, &key);
    assert_int_equal(e->kind, ERR_CONFLICT);
    err_free(e);
    struct counter c = {0};
    assert_null(db_read(db, count_all, &c));
    assert_int_equal(c.total, 800);
    db_close(db);
    /* what was answered is there after a new open */
    assert_null(db_open(path.ptr, SCHEMA, 1, &db));
    assert_null(db_read(db, count_all, &c));
    assert_int_equal(c.total, 800);
    db_close(db);
    e = db_open(path.ptr, SCHEMA, 0, &db); /* an older program */
    assert_int_equal(e->kind, ERR_INVALID);
    err_free(e);
    assert_null(tree_remove(dir));
}

static struct err *note_thread(struct db_tx *tx, void *arg)
{
    (void)tx;
    *(pthread_t *)arg = pthread_self();
    return NULL;
}

static void test_who_writes_alone_runs_its_closure_itself(void **state)
{
    char dir[] = "/tmp/ember-db-test.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct db *db;
    assert_null(db_open(slice_fmt(arena, "%s/x.db", dir).ptr, NULL, 0, &db));
    pthread_t thread = 0;
    assert_null(db_write(db, note_thread, &thread));
    assert_true(pthread_equal(thread, pthread_self()));
    db_close(db);
    assert_null(tree_remove(dir));
}

#define BIG_ROWS 100

static struct err *insert_big(struct db_tx *tx, void *arg)
{
    char page[4000];
    memset(page, 'x', sizeof(page));
    for (int64_t i = 0; i < BIG_ROWS; i++) {
        struct db_stmt *stmt;
        TRY(db_prepare(tx, "INSERT INTO t(k, v) VALUES(?, ?)", &stmt));
        db_bind_i64(stmt, 1, *(int64_t *)arg * BIG_ROWS + i);
        db_bind_text(stmt, 2, slice_of(page, sizeof(page)));
        TRY(db_run(stmt));
    }
    return NULL;
}

static void *insert_much(void *arg)
{
    struct counter *c = arg;
    for (int64_t i = 0; i < 50; i++) {
        int64_t key = c->total + i;
        assert_null(db_write(c->db, insert_big, &key));
    }
    return NULL;
}

static void test_the_log_is_written_back_while_writers_go_on(void **state)
{
    char dir[] = "/tmp/ember-db-test.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct slice path = slice_fmt(arena, "%s/x.db", dir);
    static const char *const SCHEMA[] = {"CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT NOT NULL) STRICT"};
    struct db *db;
    assert_null(db_open(path.ptr, SCHEMA, 1, &db));
    pthread_t threads[3];
    struct counter counters[3];
    for (int i = 0; i < 3; i++) {
        counters[i] = (struct counter){.db = db, .total = i * 1000};
        pthread_create(&threads[i], NULL, insert_much, &counters[i]);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    struct stat log;
    assert_int_equal(stat(slice_fmt(arena, "%s-wal", path.ptr).ptr, &log), 0);
    assert_true(log.st_size < 3 * 50 * BIG_ROWS * 4096 / 2); /* much less than was written */
    db_close(db);
    struct counter c = {0};
    assert_null(db_open(path.ptr, SCHEMA, 1, &db));
    assert_null(db_read(db, count_all, &c));
    assert_int_equal(c.total, 3 * 50 * BIG_ROWS);
    db_close(db);
    assert_null(db_quick_check(path.ptr));
    assert_null(tree_remove(dir));
}

/* More than the connection's cache holds, and changed again after it was written out. *arg: whether it is to fail in the end. */
static struct err *insert_more_than_fits(struct db_tx *tx, void *arg)
{
    for (int64_t i = 0; i < 15; i++)
        TRY(insert_big(tx, &i));
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "UPDATE t SET v = 'y' || substr(v, 2) WHERE k % 7 = 0", &stmt));
    TRY(db_run(stmt));
    return *(bool *)arg ? err_new(ERR_INVALID, "not this time") : NULL;
}

static void test_a_transaction_larger_than_the_cache_is_kept_or_undone_whole(void **state)
{
    char dir[] = "/tmp/ember-db-test.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct slice path = slice_fmt(arena, "%s/x.db", dir);
    static const char *const SCHEMA[] = {"CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT NOT NULL) STRICT"};
    struct db *db;
    assert_null(db_open(path.ptr, SCHEMA, 1, &db));
    bool fails = true;
    struct err *e = db_write(db, insert_more_than_fits, &fails);
    assert_int_equal(e->kind, ERR_INVALID);
    err_free(e);
    struct counter c = {0};
    assert_null(db_read(db, count_all, &c));
    assert_int_equal(c.total, 0);
    fails = false;
    assert_null(db_write(db, insert_more_than_fits, &fails));
    assert_null(db_read(db, count_all, &c));
    assert_int_equal(c.total, 15 * BIG_ROWS);
    db_close(db);
    assert_null(db_quick_check(path.ptr));
    assert_null(tree_remove(dir));
}

static void test_an_atomic_file_write_replaces_and_leaves_nothing_beside(void **state)
{
    char dir[] = "/tmp/ember-fd-test.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct slice path = slice_fmt(arena, "%s/a/b/f", dir);
    assert_null(dir_make(slice_fmt(arena, "%s/a/b", dir).ptr, 0700));
    assert_null(file_write_atomic(path.ptr, S("one"), 0600));
    assert_null(file_write_atomic(path.ptr, S("two"), 0600));
    struct slice data;
    assert_null(file_read(arena, path.ptr, 10, &data));
    assert_slice(data, "two");
    struct err *e = file_read(arena, path.ptr, 2, &data);
    assert_int_equal(e->kind, ERR_LIMIT);
    err_free(e);
    assert_int_equal(unlink(path.ptr), 0);
    assert_int_equal(rmdir(slice_fmt(arena, "%s/a/b", dir).ptr), 0);
    assert_null(tree_remove(dir));
    assert_false(path_exists(dir));
}

static void test_a_program_that_does_not_detach_in_time_is_killed(void **state)
{
    const char *const stays[] = {"/bin/sleep", "100", NULL}, *const goes[] = {"/bin/true", NULL}, *const fails[] = {"/bin/false", NULL};
    int64_t began_ms = monotonic_ms();
    struct err *e = proc_run_detaching(stays, "/dev/null", 50);
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_UNAVAILABLE);
    assert_string_equal(e->message, "/bin/sleep did not detach within 50 ms");
    assert_true(monotonic_ms() - began_ms < 50000);
    err_free(e);
    assert_null(proc_run_detaching(goes, "/dev/null", 30000));
    e = proc_run_detaching(fails, "/dev/null", 30000);
    assert_string_equal(e->message, "/bin/false ended with exit code 1");
    err_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_numbers_parse_within_their_bounds_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cutting_a_list_gives_every_part_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_well_formed_utf8_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_known_encodings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_known_digests_and_checksums, setup, teardown),
        cmocka_unit_test_setup_teardown(test_known_hmacs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times_survive_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_keeps_order_and_numbers_as_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_objects_with_very_many_members_are_compared_and_cleared_of_duplicates_in_little_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_that_is_not_strict_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gzip_comes_back_whole_and_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors_keep_kind_and_code_while_context_is_added, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writers_are_grouped_and_a_failed_one_takes_nobody_with_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_writes_alone_runs_its_closure_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_log_is_written_back_while_writers_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_transaction_larger_than_the_cache_is_kept_or_undone_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_atomic_file_write_replaces_and_leaves_nothing_beside, setup, teardown),
        cmocka_unit_test(test_a_program_that_does_not_detach_in_time_is_killed),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
