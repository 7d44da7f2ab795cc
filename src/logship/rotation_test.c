/* Where a rotated log is cut: every object within its size, the whole log in them, and the same cuts however much of the log was there. */
#include "base/arena.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/gzip.h"
#include "logship/rotation.h"
#include "logship/spool.h"
#include <dirent.h>
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

#define T "2026-11-21T21:10:"
#define T_MS 1795295400000LL

static struct arena *arena;
static char dir[64];
static const char *path;

static int setup(void **state)
{
    arena = arena_new();
    snprintf(dir, sizeof(dir), "/tmp/rotation_test.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    path = slice_fmt(arena, "%s/spool.log", dir).ptr;
    return 0;
}

static int teardown(void **state)
{
    assert_null(tree_remove(dir));
    arena_free(arena);
    return 0;
}

static struct rotation_cut find(int64_t from, int64_t size, int64_t max)
{
    struct rotation_cut cut;
    assert_null(rotation_find(path, from, size, max, T_MS, &cut));
    return cut;
}

static struct slice text_of(int64_t from, int64_t to)
{
    _cleanup_(packed_deinit) struct packed packed = PACKED_EMPTY;
    struct slice text;
    assert_null(rotation_pack(path, from, to, &packed));
    assert_true(packed.small.len <= PACKED_IN_MEMORY_BYTES);
    assert_null(gzip_decode(arena, packed_bytes(&packed), (size_t)1 << 30, &text));
    return text;
}

/* Cuts the whole log; its objects joined are its text, each of them within max. Returns how many are full. */
static size_t check_cuts(struct slice log, int64_t max, struct slice text, int64_t *ends, size_t ends_max)
{
    struct strbuf joined = STRBUF_ARENA(arena);
    assert_null(file_write_atomic(path, log, 0600));
    int64_t start = 0;
    size_t count = 0;
    for (;; count++) {
        struct rotation_cut cut = find(start, (int64_t)log.len, max);
        struct slice piece = text_of(start, cut.end);
        strbuf_append(&joined, piece);
        assert_true((int64_t)piece.len <= max);
        if (!cut.full)
            break;
        assert_true(piece.len > 0 && cut.end > start && cut.end < (int64_t)log.len);
        if (count < ends_max)
            ends[count] = cut.end;
        start = cut.end;
    }
    assert_true(slice_eq(strbuf_slice(&joined), text));
    return count;
}

static void test_an_object_ends_before_the_line_that_does_not_fit(void **state)
{
    int64_t ends[8];
    struct slice log = S(T "00Z one\n" T "01Z two\n" T "02Z three\n" T "03Z \n" T "04Z four");
    assert_int_equal(check_cuts(log, 8, S("one\ntwo\nthree\n\nfour"), ends, 8), 2); /* "one two " just fits */
    assert_int_equal(ends[0], 2 * strlen(T "00Z one\n"));
    assert_int_equal(find(0, (int64_t)log.len, 8).last_ms, T_MS + 1000);
    assert_int_equal(check_cuts(log, 100, S("one\ntwo\nthree\n\nfour"), ends, 8), 0);
    assert_int_equal(check_cuts(S(""), 8, S(""), ends, 8), 0);
}

static void test_a_line_that_is_too_long_for_an_object_is_cut_between_characters(void **state)
{
    int64_t ends[8];
    struct slice log = S(T "00Z ab\n" T "01Z \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\n" T "02Z c\n");
    assert_int_equal(check_cuts(log, 5, S("ab\n\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\nc\n"), ends, 8), 3);
    assert_int_equal(ends[1] - ends[0], strlen(T "01Z ") + 4);
    check_cuts(S(T "00Z \x80\x80\x80\x80\x80\x80\x80\n"), 3, S("\x80\x80\x80\x80\x80\x80\x80\n"), ends, 8); /* no characters at all */
    struct strbuf line = STRBUF_ARENA(arena), text = STRBUF_ARENA(arena);
    for (int i = 0; i < 700000; i++)
        strbuf_append_cstr(&text, "\xc3\xa4z");
    strbuf_append_fmt(&line, T "00Z %.*s\n" T "01Z end\n", SLICE_ARG(strbuf_slice(&text)));
    strbuf_append_cstr(&text, "\nend\n");
    assert_int_equal(check_cuts(strbuf_slice(&line), 300000, strbuf_slice(&text), ends, 8), 7);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Lines of all lengths, some empty, some with bytes that are no text, some without a stamp, the last perhaps without an end. */
static struct slice random_log(uint32_t seed, struct slice *ret_text)
{
    struct strbuf log = STRBUF_ARENA(arena), text = STRBUF_ARENA(arena);
    int lines = 1 + (int)(next_random(&seed) % 60);
    for (int i = 0; i < lines; i++) {
        size_t len = next_random(&seed) % (next_random(&seed) % 5 ? 30 : 600);
        if (next_random(&seed) % 10)
            strbuf_append_fmt(&log, T "%02u.%03uZ ", (unsigned)i, next_random(&seed) % 1000);
        for (size_t k = 0; k < len; k++) {
            char c = (char)(next_random(&seed) % 20 ? 'a' + (char)(next_random(&seed) % 26) : (char)(0x80 + next_random(&seed) % 128));
            strbuf_append_char(&log, c);
            strbuf_append_char(&text, c);
        }
        if (i + 1 < lines || next_random(&seed) % 2) {
            strbuf_append_char(&log, '\n');
            strbuf_append_char(&text, '\n');
        }
    }
    *ret_text = strbuf_slice(&text);
    return strbuf_slice(&log);
}

static void test_cuts_are_the_same_however_much_of_the_log_was_there(void **state)
{
    for (uint32_t seed = 1; seed <= 60; seed++) {
        struct slice text, log = random_log(seed, &text);
        int64_t ends[400];
        int64_t max = 16 + seed * 7 % 300;
        size_t count = check_cuts(log, max, text, ends, ARRAY_SIZE(ends)), cut_count = 0;
        int64_t start = 0;
        for (int64_t size = 0; size <= (int64_t)log.len; size += 1 + (int64_t)(seed % 3)) { /* the log grows under the shipper */
            struct rotation_cut cut = find(start, size, max);
            for (; cut.full; cut = find(start, size, max)) {
                if (cut_count >= count || cut.end != ends[cut_count])
                    fail_msg("seed %u: cut %zu at %lld of %lld bytes is %lld", seed, cut_count, (long long)size, (long long)log.len, (long long)cut.end);
                start = cut.end;
                cut_count++;
            }
        }
    }
}

static void test_a_log_that_goes_on_is_not_told_into_half_a_time_stamp(void **state)
{
    struct strbuf log = STRBUF_ARENA(arena);
    size_t starts[4];
    const size_t texts[] = {0, 3, 200};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        starts[i] = log.len;
        strbuf_append_fmt(&log, "2026-11-21T21:10:00.12345678%zuZ %.*s\n", i, (int)texts[i], "2026-11-2ine 14" "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                                                                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    }
    starts[ARRAY_SIZE(texts)] = log.len;
    assert_null(file_write_atomic(path, strbuf_slice(&log), 0600));
    for (size_t line = 0; line < ARRAY_SIZE(texts); line++)
        for (size_t at = starts[line]; at < starts[line + 1]; at++)
            for (size_t from = 0; from <= at; from += 31) { /* an object may begin in the middle of a line, behind its stamp */
                size_t behind = from;
                for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                    if (from > starts[i] && from < starts[i] + 31)
                        behind = starts[i] + 31;
                if (behind > at)
                    continue;
                int64_t end;
                bool in_stamp = at < starts[line] + 31 && behind <= starts[line];
                assert_null(rotation_find_end(path, (int64_t)behind, (int64_t)at, &end));
                assert_int_equal(end, in_stamp ? starts[line] : at);
            }
}

static void test_the_record_comes_back_and_rubbish_is_none(void **state)
{
    struct rotation r;
    const char *record = slice_fmt(arena, "%s/r", dir).ptr;
    assert_null(rotation_read(record, &r));
    assert_int_equal(r.start + r.index + r.last_ms + r.freed, 0);
    assert_null(rotation_write(record, &(struct rotation){.start = 1234567890123, .index = 4294967296, .last_ms = T_MS, .freed = 99}, true));
    assert_null(rotation_write(record, &(struct rotation){.start = 12, .index = 3, .last_ms = 1, .freed = 0}, false));
    assert_null(rotation_read(record, &r));
    assert_true(r.start == 12 && r.index == 3 && r.last_ms == 1 && r.freed == 0);
    assert_null(file_write_atomic(record, S("12,x,1,1\n"), 0600));
    assert_null(rotation_read(record, &r));
    assert_int_equal(r.start, 0);
}

static void test_names_have_the_day_and_the_index(void **state)
{
    assert_string_equal(rotation_suffix(arena, T_MS, 12).ptr, "_20261121_12.gz");
}

static void test_what_is_given_back_is_no_longer_on_the_disk(void **state)
{
    struct stat before, after;
    char *bytes = arena_alloc(arena, 1 << 20);
    memset(bytes, 'x', 1 << 20);
    assert_null(file_write_atomic(path, slice_of(bytes, 1 << 20), 0600));
    assert_return_code(stat(path, &before), 0);
    struct err *e = rotation_free(path, 1 << 19);
    if (e && e->kind == ERR_INVALID) { /* not on this file system */
        err_free(e);
        skip();
    }
    assert_null(e);
    assert_return_code(stat(path, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_true(after.st_blocks < before.st_blocks);
    struct slice data;
    assert_null(spool_read(arena, path, 1 << 19, (1 << 19) + 3, &data));
    assert_true(slice_eq(data, S("xxx")));
}

static void test_text_that_packs_to_much_is_packed_whole_and_not_in_memory(void **state)
{
    size_t len = ((size_t)20 << 20) + 5; /* bytes at random do not get less */
    char *bytes = arena_alloc(arena, len);
    random_bytes(bytes, len);
    struct slice text = slice_of(bytes, len);
    for (size_t i = 0; i < len; i++) /* one line */
        bytes[i] = bytes[i] == '\n' ? ' ' : bytes[i];
    bytes[len - 1] = '\n';
    struct strbuf log = STRBUF_ARENA(arena);
    strbuf_append(&log, S(T "00Z "));
    strbuf_append(&log, text);
    assert_null(file_write_atomic(path, strbuf_slice(&log), 0600));
    assert_true(slice_eq(text_of(0, (int64_t)log.len), text));
    DIR *entries = opendir(dir);
    size_t count = 0;
    while (readdir(entries))
        count++;
    closedir(entries);
    assert_int_equal(count, 3); /* ".", ".." and the log */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_object_ends_before_the_line_that_does_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_that_is_too_long_for_an_object_is_cut_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cuts_are_the_same_however_much_of_the_log_was_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_log_that_goes_on_is_not_told_into_half_a_time_stamp, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_record_comes_back_and_rubbish_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_have_the_day_and_the_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_that_packs_to_much_is_packed_whole_and_not_in_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_given_back_is_no_longer_on_the_disk, setup, teardown),
    };
    return cmocka_run_group_tests_name("rotation", tests, NULL, NULL);
}
