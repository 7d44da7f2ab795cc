/* Tables of what is pure in S3's operations: ranges, conditions, bucket names, errors' elements. */
#include "services/s3/s3.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_ranges_are_cut_ignored_or_refused(void **state)
{
    static const struct {
        const char *header;
        int64_t size, first, len;
        int status;
    } rows[] = {
        {"bytes=0-4", 10, 0, 5, 206},      {"bytes=5-", 10, 5, 5, 206},     {"bytes=-3", 10, 7, 3, 206},   {"bytes=0-99", 10, 0, 10, 206},
        {"bytes=-99", 10, 0, 10, 206},     {"bytes=10-", 10, 0, 0, 416},    {"bytes=-0", 10, 0, 0, 416},   {"bytes=40-50", 0, 0, 0, 416},
        {"bytes=-5", 0, 0, 0, 200},        {"bytes=5-4", 10, 0, 10, 200},   {"bytes=0-1,3-4", 10, 0, 10, 200}, {"chars=0-1", 10, 0, 10, 200},
        {"bytes=x-y", 10, 0, 10, 200},     {"bytes=", 10, 0, 10, 200},      {"bytes=9-9", 10, 9, 1, 206},
        {"bytes=99999999999999999999-", 10, 0, 10, 200},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct s3_range range = {0};
        struct err *e = s3_range_parse(arena, slice_from_cstr(rows[i].header), rows[i].size, &range);
        int status = e ? 416 : range.partial ? 206 : 200;
        if (status != rows[i].status || (!e && (range.first != rows[i].first || range.size_bytes != rows[i].len)))
            fail_msg("%s of %lld: %d, %lld+%lld", rows[i].header, (long long)rows[i].size, status, (long long)range.first,
                     (long long)range.size_bytes);
        err_free(e);
    }
    arena_free(arena);
}

#define AT(seconds) OPT_INSTANT(((struct instant){(seconds) * 1000}))

static void test_conditions_of_reads_have_their_order(void **state)
{
    /* The object: ETag e, modified at 100 s; now is 1000 s. */
    const struct {
        struct s3_read_conditions conditions;
        int status;
    } rows[] = {
        {.status = 200},
        {{.if_match = S("\"e\"")}, 200},
        {{.if_match = S("e")}, 200},
        {{.if_match = S("*")}, 200},
        {{.if_match = S("\"x\"")}, 412},
        {{.if_match = S("e"), .if_unmodified_since = AT(50)}, 200},
        {{.if_match = S("e"), .if_none_match = S("e")}, 304},
        {{.if_none_match = S("\"e\"")}, 304},
        {{.if_none_match = S("x"), .if_modified_since = AT(200)}, 200},
        {{.if_none_match = S("e"), .if_unmodified_since = AT(50)}, 412},
        {{.if_modified_since = AT(50)}, 200},
        {{.if_modified_since = AT(100)}, 304},
        {{.if_modified_since = AT(5000)}, 200}, /* the future does not count */
        {{.if_unmodified_since = AT(100)}, 200},
        {{.if_unmodified_since = AT(99)}, 412},
        {{.if_modified_since = AT(200), .if_unmodified_since = AT(50)}, 412},
        {{.if_match = S("e"), .if_modified_since = AT(200)}, 304},
    };
    struct object_view view = {.etag = S("e"), .modified_at.ms = 100999};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *condition;
        int status = s3_read_conditions_check(&rows[i].conditions, &view, (struct instant){1000000}, &condition);
        if (status != rows[i].status)
            fail_msg("row %zu: %d", i, status);
    }
}

static void test_bucket_names_are_held_to_their_rules(void **state)
{
    const char *good[] = {"abc", "a-b.c", "123", "my-bucket-1"};
    const char *bad[] = {"ab", "Abc", "a_b", "-abc", "abc-", "a..b", "192.168.5.4", "xn--abc", "sthree-x", "abc-s3alias", "healthz", "metrics",
                         "console", "id", "", "a23456789012345678901234567890123456789012345678901234567890123x"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_null(s3_bucket_name_check(slice_from_cstr(good[i])));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct err *e = s3_bucket_name_check(slice_from_cstr(bad[i]));
        if (!e)
            fail_msg("%s", bad[i]);
        err_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_are_cut_ignored_or_refused),
        cmocka_unit_test(test_conditions_of_reads_have_their_order),
        cmocka_unit_test(test_bucket_names_are_held_to_their_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
