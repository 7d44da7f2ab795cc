/* The API server as its clients see it: over TLS, with certificates and tokens. Nothing runs pods here. */
#include "cluster/apiserver/server.h"
#include "base/arena.h"
#include "base/fd.h"
#include "cluster/apiserver/authz.h"
#include "cluster/apiserver/quota.h"
#include "cluster/apiserver/registry.h"
#include "cluster/apiserver/tokens.h"
#include "cluster/pki.h"
#include "http/client.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
    int port;
    struct arena *arena;
    struct registry *registry;
    struct tokens *tokens;
    struct apiserver *server;
    struct http_client *admin, *plain;
};

static void must(struct err *e)
{
    if (e)
        fail_msg("%.*s", SLICE_ARG(err_message(e)));
}

static void start(struct fixture *f)
{
    struct pki pki;
    must(pki_open(f->arena, slice_from_cstr(f->dir), S("127.251.0.1"), &pki));
    must(registry_open(&(struct registry_options){.dir = f->dir, .settle = quota_settle}, &f->registry));
    must(tokens_open(&(struct tokens_options){.dir = f->dir, .issuer = S("https://issuer"), .registry = f->registry}, &f->tokens));
    struct apiserver_options options = {
        .registry = f->registry,
        .tokens = f->tokens,
        .address = "127.251.0.1",
        .network = 251,
        .tls_cert_path = pki.server_cert_path.ptr,
        .tls_key_path = pki.server_key_path.ptr,
        .client_ca_path = pki.ca_path.ptr,
        .ca_pem = pki.ca.cert_pem,
        .pods_dir = S("/nonexistent"),
    };
    struct err *e = NULL;
    for (options.port = 20000 + getpid() % 20000; options.port < 60000; options.port++) {
        e = apiserver_start(&options, &f->server);
        if (!e || e->kind != ERR_CONFLICT)
            break;
        err_free(e);
    }
    must(e);
    f->port = options.port;
    struct http_client_options with = {
        .ca_path = pki.ca_path.ptr,
        .client_cert_path = slice_fmt(f->arena, "%s/admin.crt", f->dir).ptr,
        .client_key_path = slice_fmt(f->arena, "%s/admin.key", f->dir).ptr,
    };
    must(http_client_new(&with, &f->admin));
    must(http_client_new(&(struct http_client_options){.ca_path = pki.ca_path.ptr}, &f->plain));
}

static void stop(struct fixture *f)
{
    http_client_free(f->admin);
    http_client_free(f->plain);
    apiserver_stop(f->server);
    tokens_close(f->tokens);
    registry_close(f->registry);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    const char *base = getenv("TMPDIR");
    snprintf(f->dir, sizeof(f->dir), "%s/apiserver-XXXXXX", base && base[0] ? base : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    f->arena = arena_new();
    start(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    stop(f);
    err_free(tree_remove(f->dir));
    arena_free(f->arena);
    free(f);
    return 0;
}

struct answer {
    int status;
    struct slice body;
};

static struct answer ask_as(struct fixture *f, struct http_client *client, struct slice token, const char *method, const char *path,
                            const char *body)
{
    struct http_header headers[] = {
        {S("Content-Type"), slice_eq(slice_from_cstr(method), S("PATCH")) ? S("application/merge-patch+json") : S("application/json")},
        {S("Authorization"), slice_fmt(f->arena, "Bearer %.*s", SLICE_ARG(token))},
    };
    struct http_call call = {
        .method = slice_from_cstr(method),
        .url = slice_fmt(f->arena, "https://127.251.0.1:%d%s", f->port, path),
        .headers = headers,
        .header_count = token.len ? 2 : 1,
        .body = slice_from_cstr(body),
        .timeout_ms = 20000,
    };
    struct http_response response;
    must(http_client_call(client, f->arena, &call, &response));
    return (struct answer){response.status, response.body};
}

static struct answer ask(struct fixture *f, const char *method, const char *path, const char *body)
{
    return ask_as(f, f->admin, SLICE_NONE, method, path, body);
}

static void expect(struct fixture *f, int status, const char *method, const char *path, const char *body)
{
    struct answer answer = ask(f, method, path, body);
    if (answer.status != status)
        fail_msg("%s %s: %d %.*s", method, path, answer.status, SLICE_ARG(answer.body));
}

#define CONFIG_MAPS "/api/v1/namespaces/default/configmaps"
#define PODS "/api/v1/namespaces/default/pods"
#define POD(name) "{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\"}]}}"

static bool contains(struct slice text, const char *part)
{
    return slice_find(text, slice_from_cstr(part)) >= 0;
}

static size_t count_of(struct slice text, const char *part)
{
    size_t count = 0;
    struct slice needle = slice_from_cstr(part);
    for (ptrdiff_t at; (at = slice_find(text, needle)) >= 0; count++)
        text = slice_from(text, (size_t)at + needle.len);
    return count;
}

/* ---- objects ---- */

static void test_a_namespace_comes_with_its_account_and_authority(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"n\"}}");
    expect(f, 200, "GET", "/api/v1/namespaces/n/serviceaccounts/default", NULL);
    expect(f, 200, "GET", "/api/v1/namespaces/n/configmaps/kube-root-ca.crt", NULL);
}

static void test_the_kubernetes_service_names_this_server(void **state)
{
    struct fixture *f = *state;
    struct answer answer = ask(f, "GET", "/api/v1/namespaces/default/services/kubernetes", NULL);
    assert_true(contains(answer.body, "\"clusterIP\":\"127.251.0.1\""));
    assert_true(contains(answer.body, slice_fmt(f->arena, "\"port\":%d", f->port).ptr));
}

static void test_services_get_addresses_of_their_own(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", "/api/v1/namespaces/default/services", "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":[{\"port\":1}]}}");
    expect(f, 201, "POST", "/api/v1/namespaces/default/services", "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"ports\":[{\"port\":1}]}}");
    struct object *a = NULL, *b = NULL;
    must(registry_get(f->registry, S("services"), S("default"), S("a"), &a));
    must(registry_get(f->registry, S("services"), S("default"), S("b"), &b));
    struct slice first = object_field(a, "spec", "clusterIP"), second = object_field(b, "spec", "clusterIP");
    assert_true(slice_starts_with(first, S("127.251.2")));
    assert_false(slice_eq(first, second));
    object_unref(a);
    object_unref(b);
}

static void test_a_pod_needs_its_service_account(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", PODS, POD("p"));
    expect(f, 200, "GET", PODS "/p/status", NULL);
    expect(f, 404, "GET", PODS "/p/status/extra", NULL);
    struct answer answer = ask(f, "POST", PODS,
                               "{\"metadata\":{\"name\":\"q\"},\"spec\":{\"serviceAccountName\":\"nobody\",\"containers\":[{\"name\":\"c\",\"image\":\"x\"}]}}");
    assert_int_equal(answer.status, 403);
    assert_true(contains(answer.body, "serviceaccount \\\"nobody\\\" not found"));
}

static void test_a_list_goes_on_where_the_page_before_ended_and_as_it_was(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", CONFIG_MAPS, "{\"metadata\":{\"name\":\"a\"}}");
    expect(f, 201, "POST", CONFIG_MAPS, "{\"metadata\":{\"name\":\"b\"}}");
    struct answer first = ask(f, "GET", CONFIG_MAPS "?limit=1", NULL);
    struct json *page;
    must(json_parse(f->arena, first.body, JSON_DUPLICATES_REFUSE, &page));
    expect(f, 200, "DELETE", CONFIG_MAPS "/b", NULL);
    struct slice token = json_text(JSON_AT(page, "metadata", "continue"));
    struct answer second = ask(f, "GET", slice_fmt(f->arena, CONFIG_MAPS "?limit=9&continue=%.*s", SLICE_ARG(token)).ptr, NULL);
    assert_int_equal(count_of(second.body, "\"name\":\"b\""), 1);
    assert_int_equal(count_of(second.body, "\"name\":\"a\""), 0);
}

/* ---- watches ---- */

static struct slice version_of_list(struct fixture *f, const char *path)
{
    struct json *list;
    must(json_parse(f->arena, ask(f, "GET", path, NULL).body, JSON_DUPLICATES_REFUSE, &list));
    return json_text(JSON_AT(list, "metadata", "resourceVersion"));
}

static void test_a_watch_tells_what_enters_stays_and_leaves_its_selection(void **state)
{
    struct fixture *f = *state;
    struct slice version = version_of_list(f, CONFIG_MAPS);
    expect(f, 201, "POST", CONFIG_MAPS, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"1\"}}");
    expect(f, 200, "PATCH", CONFIG_MAPS "/a", "{\"metadata\":{\"labels\":{\"app\":\"x\"}},\"data\":{\"k\":\"2\"}}");
    expect(f, 200, "PATCH", CONFIG_MAPS "/a", "{\"data\":{\"k\":\"3\"}}");
    expect(f, 200, "PATCH", CONFIG_MAPS "/a", "{\"data\":{\"k\":\"3\"}}");
    expect(f, 200, "PATCH", CONFIG_MAPS "/a", "{\"metadata\":{\"labels\":{\"app\":\"y\"}},\"data\":{\"k\":\"4\"}}");
    struct answer watch = ask(f, "GET", slice_fmt(f->arena, CONFIG_MAPS "?watch=true&labelSelector=app%%3Dx&timeoutSeconds=1&resourceVersion=%.*s",
                                                  SLICE_ARG(version)).ptr, NULL);
    assert_int_equal(watch.status, 200);
    assert_int_equal(count_of(watch.body, "\"type\""), 3);
    assert_true(slice_starts_with(watch.body, S("{\"type\":\"ADDED\"")));
    assert_int_equal(count_of(watch.body, "\"type\":\"MODIFIED\""), 1);
    assert_int_equal(count_of(watch.body, "\"type\":\"DELETED\""), 1);
    assert_int_equal(count_of(watch.body, "\"k\":\"3\""), 2); /* leaving shows the object as it was */
    assert_int_equal(count_of(watch.body, "\"k\":\"4\""), 0);
}

static void test_a_watch_from_before_the_restart_says_expired(void **state)
{
    struct fixture *f = *state;
    struct slice version = version_of_list(f, CONFIG_MAPS);
    expect(f, 201, "POST", CONFIG_MAPS, "{\"metadata\":{\"name\":\"a\"}}");
    stop(f);
    start(f);
    expect(f, 200, "GET", CONFIG_MAPS "/a", NULL);
    struct answer watch = ask(f, "GET", slice_fmt(f->arena, CONFIG_MAPS "?watch=true&timeoutSeconds=1&resourceVersion=%.*s", SLICE_ARG(version)).ptr, NULL);
    assert_true(slice_starts_with(watch.body, S("{\"type\":\"ERROR\"")));
    assert_true(contains(watch.body, "\"code\":410"));
}

/* ---- the garbage collector ---- */

static void test_dependents_and_namespaces_go_with_what_holds_them(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"n\"}}");
    expect(f, 201, "POST", "/api/v1/namespaces/n/configmaps", "{\"metadata\":{\"name\":\"owner\"}}");
    struct object *owner = NULL;
    must(registry_get(f->registry, S("configmaps"), S("n"), S("owner"), &owner));
    struct slice body = slice_fmt(f->arena,
                                  "{\"metadata\":{\"name\":\"child\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
                                  "\"name\":\"owner\",\"uid\":\"%.*s\"}]}}", SLICE_ARG(owner->uid));
    object_unref(owner);
    expect(f, 201, "POST", "/api/v1/namespaces/n/configmaps", body.ptr);
    struct slice version = version_of_list(f, "/api/v1/namespaces/n/configmaps");
    expect(f, 200, "DELETE", "/api/v1/namespaces/n/configmaps/owner", NULL);
    struct answer watch = ask(f, "GET", slice_fmt(f->arena, "/api/v1/namespaces/n/configmaps?watch=true&timeoutSeconds=2&resourceVersion=%.*s",
                                                  SLICE_ARG(version)).ptr, NULL);
    assert_int_equal(count_of(watch.body, "\"type\":\"DELETED\""), 2);

    version = version_of_list(f, "/api/v1/namespaces");
    expect(f, 200, "DELETE", "/api/v1/namespaces/n", NULL);
    watch = ask(f, "GET", slice_fmt(f->arena, "/api/v1/namespaces?watch=true&timeoutSeconds=2&resourceVersion=%.*s", SLICE_ARG(version)).ptr, NULL);
    assert_int_equal(count_of(watch.body, "\"type\":\"DELETED\""), 1);
    expect(f, 404, "GET", "/api/v1/namespaces/n", NULL);
}

/* ---- who may what ---- */

static struct slice token_of(struct fixture *f, const char *account, const char *pod)
{
    struct token_request request = {.namespace_name = S("default"), .service_account = slice_from_cstr(account), .pod = slice_from_cstr(pod)};
    struct token_grant grant;
    must(token_issue(f->tokens, f->arena, &request, &grant));
    return grant.token;
}

static int status_as(struct fixture *f, struct slice token, const char *method, const char *path, const char *body)
{
    return ask_as(f, f->plain, token, method, path, body).status;
}

static void test_nobody_sees_only_health_and_version(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(status_as(f, SLICE_NONE, "GET", "/healthz", NULL), 200);
    assert_int_equal(status_as(f, SLICE_NONE, "GET", "/version", NULL), 200);
    assert_int_equal(status_as(f, SLICE_NONE, "GET", PODS, NULL), 403);
    assert_int_equal(status_as(f, S("nonsense"), "GET", "/healthz", NULL), 401);
}

static void test_a_driver_works_in_its_own_namespace_only(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", "/api/v1/namespaces/default/serviceaccounts", "{\"metadata\":{\"name\":\"" DRIVER_ACCOUNT_PREFIX "-1-x\"}}");
    struct slice token = token_of(f, DRIVER_ACCOUNT_PREFIX "-1-x", NULL);
    assert_int_equal(status_as(f, token, "POST", PODS, POD("p")), 201);
    assert_int_equal(status_as(f, token, "GET", PODS, NULL), 200);
    assert_int_equal(status_as(f, token, "DELETE", CONFIG_MAPS "?labelSelector=a%3Db", NULL), 200);
    assert_int_equal(status_as(f, token, "GET", CONFIG_MAPS, NULL), 403);
    assert_int_equal(status_as(f, token, "GET", "/api/v1/namespaces/default/secrets", NULL), 403);
    assert_int_equal(status_as(f, token, "GET", "/api/v1/namespaces/kube-system/pods", NULL), 403);
    assert_int_equal(status_as(f, token, "GET", "/api/v1/pods", NULL), 403);
    assert_int_equal(status_as(f, token_of(f, "default", NULL), "GET", PODS, NULL), 403);
}

static void test_a_token_dies_with_its_account_and_with_its_pod(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", PODS, POD("p"));
    expect(f, 201, "POST", "/api/v1/namespaces/default/serviceaccounts", "{\"metadata\":{\"name\":\"a\"}}");
    struct slice of_pod = token_of(f, "default", "p"), of_account = token_of(f, "a", NULL);
    assert_int_equal(status_as(f, of_pod, "GET", "/api", NULL), 200);
    assert_int_equal(status_as(f, of_account, "GET", "/api", NULL), 200);
    expect(f, 200, "DELETE", PODS "/p", NULL);
    expect(f, 200, "DELETE", "/api/v1/namespaces/default/serviceaccounts/a", NULL);
    assert_int_equal(status_as(f, of_pod, "GET", "/api", NULL), 401);
    assert_int_equal(status_as(f, of_account, "GET", "/api", NULL), 401);
}

static void test_a_token_for_another_audience_is_no_credential(void **state)
{
    struct fixture *f = *state;
    struct slice audience = S("sts.amazonaws.com");
    struct token_request request = {.namespace_name = S("default"), .service_account = S("default"), .audiences = &audience, .audience_count = 1};
    struct token_grant grant;
    struct token_identity identity;
    must(token_issue(f->tokens, f->arena, &request, &grant));
    assert_int_equal(status_as(f, grant.token, "GET", "/api", NULL), 401);
    must(token_check(f->tokens, f->arena, grant.token, audience, &identity));
    assert_true(slice_eq(identity.service_account, S("default")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_namespace_comes_with_its_account_and_authority),
        TEST(test_the_kubernetes_service_names_this_server),
        TEST(test_services_get_addresses_of_their_own),
        TEST(test_a_pod_needs_its_service_account),
        TEST(test_a_list_goes_on_where_the_page_before_ended_and_as_it_was),
        TEST(test_a_watch_tells_what_enters_stays_and_leaves_its_selection),
        TEST(test_a_watch_from_before_the_restart_says_expired),
        TEST(test_dependents_and_namespaces_go_with_what_holds_them),
        TEST(test_nobody_sees_only_health_and_version),
        TEST(test_a_driver_works_in_its_own_namespace_only),
        TEST(test_a_token_dies_with_its_account_and_with_its_pod),
        TEST(test_a_token_for_another_audience_is_no_credential),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
