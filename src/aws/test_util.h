/* test_util: shared by this folder's unit tests. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aws/codec.h"
#include "base/arena.h"
#include "base/strbuf.h"

#define assert_slice(got, expected)                                                                                    \
    do {                                                                                                               \
        struct slice got_ = (got), expected_ = (expected);                                                             \
        if (!slice_eq(got_, expected_))                                                                                \
            fail_msg("got \"%.*s\", expected \"%.*s\"", SLICE_ARG(got_), SLICE_ARG(expected_));                        \
    } while (0)

#define assert_ok(expression)                                                                                          \
    do {                                                                                                               \
        struct err *e_ = (expression);                                                                                 \
        if (e_)                                                                                                        \
            fail_msg("%s: %s", e_->code ? e_->code : "no code", e_->message);                                          \
    } while (0)

/* Frees the error. */
#define assert_error(expression, wanted_code, wanted_status)                                                           \
    do {                                                                                                               \
        struct err *e_ = (expression);                                                                                 \
        assert_non_null(e_);                                                                                           \
        assert_string_equal(e_->code ? e_->code : "", (wanted_code));                                                  \
        assert_int_equal(aws_error_status(NULL, e_), (wanted_status));                                                 \
        err_free(e_);                                                                                                  \
    } while (0)

static inline int make_arena(void **state)
{
    *state = arena_new();
    return 0;
}

static inline int free_arena(void **state)
{
    arena_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown((name), make_arena, free_arena)
