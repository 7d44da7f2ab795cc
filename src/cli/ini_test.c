#include "cli/command.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct ini_setting SETTINGS[] = {{S_INIT("region"), S_INIT("us-east-1")}, {S_INIT("endpoint_url"), S_INIT("http://x")}};

static void check(const char *before, const char *after)
{
    struct arena *arena = arena_new();
    struct slice text = ini_set(arena, slice_from_cstr(before), S("profile ember"), SETTINGS, ARRAY_SIZE(SETTINGS));
    assert_string_equal(slice_cstr(arena, text), after);
    /* Once more changes nothing. */
    text = ini_set(arena, text, S("profile ember"), SETTINGS, ARRAY_SIZE(SETTINGS));
    assert_string_equal(slice_cstr(arena, text), after);
    arena_free(arena);
}

static void test_an_empty_file_gets_the_profile(void **state)
{
    check("", "[profile ember]\nregion = us-east-1\nendpoint_url = http://x\n");
}

static void test_other_profiles_and_comments_are_kept(void **state)
{
    check("# mine\n[default]\nregion=eu-west-1\ns3 =\n    endpoint_url = http://y\n",
          "# mine\n[default]\nregion=eu-west-1\ns3 =\n    endpoint_url = http://y\n\n"
          "[profile ember]\nregion = us-east-1\nendpoint_url = http://x\n");
}

static void test_settings_of_the_profile_are_replaced_and_others_kept(void **state)
{
    check("[profile ember]\nregion = old\noutput = json\n\n[default]\nregion = a",
          "[profile ember]\nregion = us-east-1\nendpoint_url = http://x\noutput = json\n\n[default]\nregion = a\n");
}

static void test_a_setting_is_read_from_its_own_section(void **state)
{
    struct slice text = S("[a]\nk = 1\n[ember]\n k = 3\nk=2 \n");
    assert_true(slice_eq(ini_get(text, S("ember"), S("k")), S("2")));
    assert_null(ini_get(text, S("ember"), S("other")).ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_file_gets_the_profile),
        cmocka_unit_test(test_other_profiles_and_comments_are_kept),
        cmocka_unit_test(test_settings_of_the_profile_are_replaced_and_others_kept),
        cmocka_unit_test(test_a_setting_is_read_from_its_own_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
