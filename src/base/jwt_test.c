/* Web tokens and certificates. */
#include "base/arena.h"
#include "base/jwt.h"
#include "base/x509.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct arena *arena;
    struct jwt_key *key;
    struct slice token;
};

static void must(struct err *e)
{
    if (e)
        fail_msg("%.*s", SLICE_ARG(err_message(e)));
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->arena = arena_new();
    must(jwt_key_generate(&f->key));
    struct json *claims = json_object(f->arena);
    json_set_cstr(f->arena, claims, "sub", "someone");
    must(jwt_sign(f->arena, f->key, claims, &f->token));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    jwt_key_free(f->key);
    arena_free(f->arena);
    freep(state);
    return 0;
}

static void denied(struct err *e)
{
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_DENIED);
    err_free(e);
}

static void test_a_signed_token_is_verified_and_its_claims_are_given(void **state)
{
    struct fixture *f = *state;
    struct json *claims;
    must(jwt_verify(f->arena, f->key, f->token, &claims));
    assert_true(slice_eq(json_get_text(claims, "sub"), S("someone")));
}

static void test_a_changed_token_is_refused(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->token.len; i += 37) {
        char *copy = slice_cstr(f->arena, f->token);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        struct json *claims;
        denied(jwt_verify(f->arena, f->key, slice_of(copy, f->token.len), &claims));
    }
}

static void test_another_key_refuses_the_token(void **state)
{
    struct fixture *f = *state;
    struct jwt_key *other;
    struct json *claims;
    must(jwt_key_generate(&other));
    denied(jwt_verify(f->arena, other, f->token, &claims));
    jwt_key_free(other);
}

static void test_no_token_without_a_signature_passes(void **state)
{
    struct fixture *f = *state;
    struct json *claims;
    /* {"alg":"none"}.{"sub":"someone"}. */
    denied(jwt_verify(f->arena, f->key, S("eyJhbGciOiJub25lIn0.eyJzdWIiOiJzb21lb25lIn0."), &claims));
    denied(jwt_verify(f->arena, f->key, S(""), &claims));
    denied(jwt_verify(f->arena, f->key, S("a.b.c"), &claims));
}

static void test_the_key_set_verifies_what_the_key_signed(void **state)
{
    struct fixture *f = *state;
    struct json *jwk, *claims, *set = json_object(f->arena);
    must(jwt_key_jwk(f->arena, f->key, &jwk));
    json_append(json_ensure_array(f->arena, set, "keys"), jwk);
    must(jwt_verify_jwks(f->arena, set, f->token, &claims));
    assert_true(slice_eq(json_get_text(claims, "sub"), S("someone")));
    json_set_cstr(f->arena, jwk, "kid", "other");
    denied(jwt_verify_jwks(f->arena, set, f->token, &claims));
}

static void test_a_key_survives_its_text(void **state)
{
    struct fixture *f = *state;
    struct slice pem;
    struct jwt_key *again;
    struct json *claims;
    must(jwt_key_pem(f->arena, f->key, &pem));
    must(jwt_key_parse(pem, &again));
    assert_true(slice_eq(jwt_key_id(again), jwt_key_id(f->key)));
    must(jwt_verify(f->arena, again, f->token, &claims));
    jwt_key_free(again);
}

static void test_a_certificate_is_usable_with_its_own_key_until_it_ends(void **state)
{
    struct fixture *f = *state;
    struct x509_pair ca, leaf, mixed;
    struct slice names[] = {S("kubernetes.default.svc")};
    must(x509_make_ca(f->arena, S("test"), &ca));
    struct x509_leaf_options options = {.common_name = S("server"), .dns_names = names, .dns_name_count = 1, .valid_days = 2};
    must(x509_make_leaf(f->arena, &ca, &options, &leaf));
    assert_true(x509_usable(&leaf, instant_now()));
    assert_false(x509_usable(&leaf, (struct instant){.ms = instant_now().ms + (int64_t)3 * 86400 * 1000}));
    mixed = (struct x509_pair){.cert_pem = leaf.cert_pem, .key_pem = ca.key_pem};
    assert_false(x509_usable(&mixed, instant_now()));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_signed_token_is_verified_and_its_claims_are_given),
        TEST(test_a_changed_token_is_refused),
        TEST(test_another_key_refuses_the_token),
        TEST(test_no_token_without_a_signature_passes),
        TEST(test_the_key_set_verifies_what_the_key_signed),
        TEST(test_a_key_survives_its_text),
        TEST(test_a_certificate_is_usable_with_its_own_key_until_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
