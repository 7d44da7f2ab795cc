/* sigv4_keys_test: what the cache of signing keys gives back, and what it must not. */
#include "aws/test_util.h"

#include "aws/sigv4.h"
#include "aws/sigv4_keys.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sigv4_key_name name_of(struct slice id)
{
    return (struct sigv4_key_name){.access_key_id = id, .date = S("20261121"), .region = S("us-east-1"), .service = S("s3")};
}

static void test_a_key_comes_back_for_its_name_and_secret(void **state)
{
    struct sigv4_keys *keys = sigv4_keys_new();
    struct sigv4_key_name name = name_of(S("AK")), other = name_of(S("AK"));
    uint8_t key[32] = {1, 2, 3}, found[32] = {0};
    assert_false(sigv4_keys_find(keys, &name, S("secret"), found));
    sigv4_keys_keep(keys, &name, S("secret"), key);
    assert_true(sigv4_keys_find(keys, &name, S("secret"), found));
    assert_memory_equal(found, key, 32);
    other.region = S("us-east-2");
    assert_false(sigv4_keys_find(keys, &other, S("secret"), found));
    other = name_of(S("A"));
    other.date = S("K/20261121");
    assert_false(sigv4_keys_find(keys, &other, S("secret"), found));
    sigv4_keys_free(keys);
}

static void test_a_changed_secret_finds_nothing_and_replaces(void **state)
{
    struct sigv4_keys *keys = sigv4_keys_new();
    struct sigv4_key_name name = name_of(S("AK"));
    uint8_t first[32] = {1}, second[32] = {2}, found[32];
    sigv4_keys_keep(keys, &name, S("secret"), first);
    assert_false(sigv4_keys_find(keys, &name, S("secreT"), found));
    assert_false(sigv4_keys_find(keys, &name, S("secret2"), found));
    sigv4_keys_keep(keys, &name, S("secreT"), second);
    assert_true(sigv4_keys_find(keys, &name, S("secreT"), found));
    assert_memory_equal(found, second, 32);
    assert_false(sigv4_keys_find(keys, &name, S("secret"), found));
    sigv4_keys_free(keys);
}

static void test_a_removed_key_is_forgotten_in_all_its_scopes(void **state)
{
    struct sigv4_keys *keys = sigv4_keys_new();
    struct sigv4_key_name name = name_of(S("AK")), longer = name_of(S("AKB"));
    uint8_t key[32] = {1}, found[32];
    sigv4_keys_keep(keys, &longer, S("secret"), key);
    for (int i = 0; i < 8; i++) {
        name.region = slice_fmt(*state, "r%d", i);
        sigv4_keys_keep(keys, &name, S("secret"), key);
    }
    sigv4_keys_forget(keys, S("AK"));
    for (int i = 0; i < 8; i++) {
        name.region = slice_fmt(*state, "r%d", i);
        assert_false(sigv4_keys_find(keys, &name, S("secret"), found));
    }
    assert_true(sigv4_keys_find(keys, &longer, S("secret"), found));
    sigv4_keys_free(keys);
}

static void test_the_cache_is_bounded_and_keeps_what_is_used(void **state)
{
    struct sigv4_keys *keys = sigv4_keys_new();
    struct sigv4_key_name hot = name_of(S("HOT"));
    uint8_t key[32] = {1}, found[32];
    size_t kept = 0;
    sigv4_keys_keep(keys, &hot, S("secret"), key);
    for (int i = 0; i < 4000; i++) {
        struct sigv4_key_name name = name_of(slice_fmt(*state, "AK%d", i));
        sigv4_keys_keep(keys, &name, S("secret"), key);
        assert_true(sigv4_keys_find(keys, &hot, S("secret"), found));
    }
    for (int i = 0; i < 4000; i++) {
        struct sigv4_key_name name = name_of(slice_fmt(*state, "AK%d", i));
        kept += sigv4_keys_find(keys, &name, S("secret"), found);
    }
    assert_in_range(kept, 100, 255);
    sigv4_keys_free(keys);
}

static void test_odd_lengths_are_not_kept(void **state)
{
    struct sigv4_keys *keys = sigv4_keys_new();
    char text[300];
    memset(text, 'x', sizeof(text));
    uint8_t key[32] = {1}, found[32];
    struct sigv4_key_name name = name_of(S("AK")), longer = name_of(slice_of(text, 200));
    sigv4_keys_keep(keys, &longer, S("secret"), key);
    assert_false(sigv4_keys_find(keys, &longer, S("secret"), found));
    sigv4_keys_keep(keys, &name, slice_of(text, 129), key);
    assert_false(sigv4_keys_find(keys, &name, slice_of(text, 129), found));
    sigv4_keys_keep(keys, &name, S(""), key);
    assert_false(sigv4_keys_find(keys, &name, S(""), found));
    assert_false(sigv4_keys_find(NULL, &name, S("secret"), found));
    sigv4_keys_keep(NULL, &name, S("secret"), key);
    sigv4_keys_forget(keys, S("nobody"));
    sigv4_keys_free(keys);
}

/* Signatures that were let in fill it; others do not, and a cached key lets in nothing that a derived one would not. */
static void test_only_good_signatures_are_kept(void **state)
{
    struct sigv4_keys *keys = sigv4_keys_new();
    struct instant now = {1795295400000};
    struct sigv4_request wish = {.method = S("GET"), .host = S("h"), .path = S("/"), .body = S(""), .region = S("us-east-1"), .service = S("logs")};
    struct aws_headers ours = aws_sign_request(*state, &wish, &(struct sigv4_credentials){S("AK"), S("secret"), SLICE_NONE}, now);
    struct aws_header headers[4] = {{S("Host"), S("h")}, ours.items[0], ours.items[1]};
    struct aws_request request = {.method = S("GET"), .path = S("/"), .headers = {headers, 3}, .body = S("")};
    struct sigv4_auth auth;
    struct sigv4_chain chain;
    uint8_t found[32];
    assert_int_equal(sigv4_parse(*state, &request, &auth).check, SIGV4_OK);
    struct sigv4_key_name name = {auth.access_key_id, auth.date, auth.region, auth.service};
    assert_int_equal(sigv4_check_signature_with(*state, keys, &auth, &request, S("wrong"), &chain).check, SIGV4_MISMATCH);
    assert_false(sigv4_keys_find(keys, &name, S("wrong"), found));
    for (int i = 0; i < 2; i++)
        assert_int_equal(sigv4_check_signature_with(*state, keys, &auth, &request, S("secret"), &chain).check, SIGV4_OK);
    assert_true(sigv4_keys_find(keys, &name, S("secret"), found));
    assert_int_equal(sigv4_check_signature_with(*state, keys, &auth, &request, S("wrong"), &chain).check, SIGV4_MISMATCH);
    request.body = S("other");
    assert_int_equal(sigv4_check_signature_with(*state, keys, &auth, &request, S("secret"), &chain).check, SIGV4_MISMATCH);
    sigv4_keys_free(keys);
}

/* EMBER_BENCH=1: what a verification costs with and without the cache. */
static void test_measure(void **state)
{
    if (!getenv("EMBER_BENCH"))
        return;
    struct sigv4_keys *keys = sigv4_keys_new();
    struct sigv4_key_name name = name_of(S("AKIAIOSFODNN7EXAMPLE"));
    uint8_t key[32];
    enum { ROUNDS = 200000 };
    int64_t start = monotonic_us();
    for (int i = 0; i < ROUNDS; i++)
        sigv4_signing_key(S("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), name.date, name.region, name.service, key);
    int64_t derived = monotonic_us();
    sigv4_keys_keep(keys, &name, S("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), key);
    for (int i = 0; i < ROUNDS; i++)
        assert_true(sigv4_keys_find(keys, &name, S("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), key));
    int64_t found = monotonic_us();
    print_message("derive: %.0f ns, find: %.0f ns\n", (double)(derived - start) * 1000 / ROUNDS, (double)(found - derived) * 1000 / ROUNDS);
    sigv4_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_key_comes_back_for_its_name_and_secret),
        TEST(test_a_changed_secret_finds_nothing_and_replaces),
        TEST(test_a_removed_key_is_forgotten_in_all_its_scopes),
        TEST(test_the_cache_is_bounded_and_keeps_what_is_used),
        TEST(test_odd_lengths_are_not_kept),
        TEST(test_only_good_signatures_are_kept),
        TEST(test_measure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
