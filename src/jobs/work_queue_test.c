/* Keys and their times, one after the other; what several workers do with them: decide_test. */
#include "jobs/work_queue.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct work_queue *queue;

static int setup(void **state)
{
    queue = work_queue_new();
    return 0;
}

static int teardown(void **state)
{
    work_queue_free(queue);
    return 0;
}

static void expect_next(int64_t now_ms, const char *want)
{
    struct slice key = SLICE_NONE;
    bool due = work_queue_poll(queue, now_ms, &key);
    assert_true(due == (want != NULL));
    if (want)
        assert_true(slice_eq(key, slice_from_cstr(want)));
}

static void test_the_key_that_is_due_first_comes_first(void **state)
{
    work_queue_add(queue, S("b"), 20);
    work_queue_add(queue, S("a"), 30);
    work_queue_add(queue, S("a"), 10); /* an earlier time counts */
    work_queue_add(queue, S("b"), 40); /* a later one does not */
    expect_next(9, NULL);
    expect_next(15, "a");
    expect_next(15, NULL);
    expect_next(20, "b");
}

static void test_a_key_that_is_there_is_not_added_as_absent(void **state)
{
    work_queue_add(queue, S("a"), 50);
    work_queue_add_absent(queue, S("a"), 10);
    expect_next(10, NULL);
    expect_next(50, "a");
    work_queue_add_absent(queue, S("a"), 10); /* a worker has it */
    work_queue_done(queue, S("a"), 0);
    expect_next(100, NULL);
    work_queue_add_absent(queue, S("a"), 10);
    expect_next(10, "a");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_key_that_is_due_first_comes_first),
        TEST(test_a_key_that_is_there_is_not_added_as_absent),
    };
    return cmocka_run_group_tests_name("work_queue", tests, NULL, NULL);
}
