#include "edge/rate_limit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define SECOND_US 1000000
static const struct rate TEN_A_SECOND = {.per_minute = 600, .burst = 3};

static int take_all(struct rate_limiter *limiter, struct slice key, struct rate rate, int64_t now_us)
{
    int taken = 0;
    while (taken < 1000 && rate_limiter_take(limiter, key, rate, now_us))
        taken++;
    return taken;
}

static void test_a_burst_then_the_rate(void **state)
{
    struct rate_limiter *limiter = rate_limiter_new(8);
    int64_t now = 5 * SECOND_US;
    assert_int_equal(take_all(limiter, S("k"), TEN_A_SECOND, now), 3);
    assert_int_equal(take_all(limiter, S("k"), TEN_A_SECOND, now + 99999), 0);
    assert_int_equal(take_all(limiter, S("k"), TEN_A_SECOND, now + 100000), 1);
    assert_int_equal(take_all(limiter, S("k"), TEN_A_SECOND, now + 300000), 2);
    assert_int_equal(take_all(limiter, S("k"), TEN_A_SECOND, now + 60LL * SECOND_US), 3);
    rate_limiter_free(limiter);
}

static void test_little_by_little_is_not_lost(void **state)
{
    struct rate_limiter *limiter = rate_limiter_new(8);
    int64_t now = SECOND_US;
    int taken = take_all(limiter, S("k"), TEN_A_SECOND, now);
    for (int i = 0; i < 10000; i++) /* ten seconds in steps of a millisecond */
        taken += take_all(limiter, S("k"), TEN_A_SECOND, now += 1000);
    assert_int_equal(taken, 103);
    rate_limiter_free(limiter);
}

static void test_keys_have_buckets_of_their_own(void **state)
{
    struct rate_limiter *limiter = rate_limiter_new(8);
    assert_int_equal(take_all(limiter, S("a"), TEN_A_SECOND, 1), 3);
    assert_int_equal(take_all(limiter, S("b"), TEN_A_SECOND, 1), 3);
    assert_int_equal(take_all(limiter, S("a"), TEN_A_SECOND, 1), 0);
    rate_limiter_free(limiter);
}

static void test_looking_takes_nothing(void **state)
{
    struct rate_limiter *limiter = rate_limiter_new(8);
    for (int i = 0; i < 10; i++)
        assert_true(rate_limiter_has(limiter, S("a"), TEN_A_SECOND, 1));
    assert_int_equal(take_all(limiter, S("a"), TEN_A_SECOND, 1), 3);
    assert_false(rate_limiter_has(limiter, S("a"), TEN_A_SECOND, 1));
    rate_limiter_free(limiter);
}

static void test_no_limit_needs_no_bucket(void **state)
{
    struct rate_limiter *limiter = rate_limiter_new(8);
    assert_int_equal(take_all(limiter, S("a"), (struct rate){0}, 1), 1000);
    assert_int_equal(rate_limiter_bucket_count(limiter), 0);
    rate_limiter_free(limiter);
}

static void test_a_changed_rate_holds_at_once(void **state)
{
    struct rate_limiter *limiter = rate_limiter_new(8);
    const struct rate small = {.per_minute = 60, .burst = 1};
    assert_true(rate_limiter_take(limiter, S("a"), (struct rate){.per_minute = 6000, .burst = 100}, 1));
    assert_int_equal(take_all(limiter, S("a"), small, 2), 1);
    rate_limiter_free(limiter);
}

static void test_the_bucket_that_was_unused_longest_goes(void **state)
{
    struct rate_limiter *limiter = rate_limiter_new(4);
    char key[16];
    for (int i = 0; i < 4; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(take_all(limiter, slice_from_cstr(key), TEN_A_SECOND, 1), 3);
    }
    assert_int_equal(take_all(limiter, S("k0"), TEN_A_SECOND, 1), 0); /* used just now */
    assert_int_equal(take_all(limiter, S("new"), TEN_A_SECOND, 1), 3);
    assert_int_equal(rate_limiter_bucket_count(limiter), 4);
    assert_int_equal(take_all(limiter, S("k0"), TEN_A_SECOND, 1), 0);
    assert_int_equal(take_all(limiter, S("k1"), TEN_A_SECOND, 1), 3); /* forgotten */
    rate_limiter_free(limiter);
}

static void test_times_that_overflow_or_go_back_do_no_harm(void **state)
{
    struct rate_limiter *limiter = rate_limiter_new(4);
    const struct rate fast = {.per_minute = 60000000, .burst = 10};
    assert_int_equal(take_all(limiter, S("k"), fast, 0), 10);
    assert_int_equal(take_all(limiter, S("k"), fast, INT64_MAX), 10);
    assert_int_equal(take_all(limiter, S("k"), fast, 5), 0);
    rate_limiter_free(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burst_then_the_rate),
        cmocka_unit_test(test_little_by_little_is_not_lost),
        cmocka_unit_test(test_keys_have_buckets_of_their_own),
        cmocka_unit_test(test_looking_takes_nothing),
        cmocka_unit_test(test_no_limit_needs_no_bucket),
        cmocka_unit_test(test_a_changed_rate_holds_at_once),
        cmocka_unit_test(test_the_bucket_that_was_unused_longest_goes),
        cmocka_unit_test(test_times_that_overflow_or_go_back_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
