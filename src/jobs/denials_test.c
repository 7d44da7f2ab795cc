/* denials: which virtual cluster is refused, and which was once. */
#include "jobs/denials.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define A S("a")
#define B S("b")

static void test_a_refusal_counts_when_there_was_one_before_the_last_question_too(void **state)
{
    struct denials denials = {0};
    assert_false(denials_confirm(&denials, A));
    denials_note(&denials, A, true);
    assert_false(denials_confirm(&denials, A));
    assert_false(denials_confirm(&denials, A)); /* none since */
    denials_note(&denials, A, true);
    assert_false(denials_confirm(&denials, A));
    denials_note(&denials, A, true);
    assert_true(denials_confirm(&denials, A));
    assert_null(denials.first);
    denials_note(&denials, A, true);
    assert_false(denials_confirm(&denials, A)); /* asked anew after the repair */
    denials_note(&denials, A, true);
    denials_note(&denials, A, false);
    assert_false(denials_confirm(&denials, A));
    denials_deinit(&denials);
}

static void test_what_is_refused_to_one_virtual_cluster_says_nothing_of_another(void **state)
{
    struct denials denials = {0};
    int confirmed = 0;
    for (int i = 0; i < 10; i++) {
        denials_note(&denials, B, true);
        denials_note(&denials, A, false);
        assert_false(denials_confirm(&denials, A));
        confirmed += denials_confirm(&denials, B);
    }
    assert_int_equal(confirmed, 5);
    denials_note(&denials, B, true);
    denials_note(&denials, B, false); /* never asked for: nothing is kept */
    denials_deinit(&denials);
    assert_null(denials.first);
}

static void test_a_refused_watch_is_refused_to_all(void **state)
{
    struct denials denials = {0};
    denials_note_all(&denials);
    assert_false(denials_confirm(&denials, A));
    assert_false(denials_confirm(&denials, B));
    assert_false(denials_confirm(&denials, B));
    for (int i = 0; i < 4; i++) /* the same one, over and over */
        assert_false(denials_confirm(&denials, B));
    denials_note(&denials, A, false);
    denials_note_all(&denials);
    assert_true(denials_confirm(&denials, A));
    denials_deinit(&denials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_refusal_counts_when_there_was_one_before_the_last_question_too),
        cmocka_unit_test(test_what_is_refused_to_one_virtual_cluster_says_nothing_of_another),
        cmocka_unit_test(test_a_refused_watch_is_refused_to_all),
    };
    return cmocka_run_group_tests_name("denials", tests, NULL, NULL);
}
