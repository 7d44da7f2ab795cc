/* The client against a server that follows a script: each request must match the next step and gets its answer. */
#include "base/arena.h"
#include "base/strbuf.h"
#include "http/server.h"
#include "k8s/client.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum step_end { END_CLEAN, END_BROKEN, END_HANG };

struct step {
    const char *target; /* the request must contain this: "METHOD target|content-type|body" */
    int status;         /* 0: 200 */
    const char *body;
    enum step_end end;
};

struct script {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    const struct step *steps;
    size_t count, done;
    struct strbuf told; /* watch events, and what did not match */
    int synced, troubles;
    bool mismatch, stopping;
    struct http_server *server;
    struct k8s_client *client;
};

static void answer(struct http_request *request, struct script *s, const struct step *step)
{
    struct slice body = slice_from_cstr(step->body ? step->body : "");
    if (step->end == END_CLEAN) {
        http_respond(request, step->status ? step->status : 200, NULL, 0, body);
        return;
    }
    struct err *e = http_respond_begin(request, 200, NULL, 0, -1);
    if (!e)
        e = http_respond_write(request, body);
    err_free(e);
    pthread_mutex_lock(&s->lock);
    while (step->end == END_HANG && !s->stopping)
        pthread_cond_wait(&s->cond, &s->lock);
    pthread_mutex_unlock(&s->lock);
    /* returns without an end: the connection breaks */
}

static void handle(struct http_request *request, void *ctx)
{
    struct script *s = ctx;
    struct slice body = S("");
    err_free(http_body_read_all(request, 1 << 20, &body));
    struct slice seen =
        slice_fmt(request->arena, "%.*s %.*s|%.*s|%.*s|%.*s", SLICE_ARG(request->method), SLICE_ARG(request->target),
                  SLICE_ARG(http_header_get(request->headers, S("content-type"))), SLICE_ARG(body),
                  SLICE_ARG(http_header_get(request->headers, S("authorization"))));
    pthread_mutex_lock(&s->lock);
    const struct step *step = s->done < s->count ? &s->steps[s->done] : NULL;
    if (step && slice_find(seen, slice_from_cstr(step->target)) < 0) {
        strbuf_append_fmt(&s->told, "MISMATCH %.*s (not %s);", SLICE_ARG(seen), step->target);
        s->mismatch = true;
        step = NULL;
    }
    s->done += step != NULL;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->lock);
    if (step)
        answer(request, s, step);
    else
        http_respond(request, 503, NULL, 0, S("no such step"));
}

static void script_start(struct script *s, const struct step *steps, size_t count)
{
    *s = (struct script){
        .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER, .steps = steps, .count = count};
    assert_null(http_server_start(&(struct http_server_options){.address = "127.0.0.1", .handler = handle, .ctx = s},
                                  &s->server));
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", http_server_port(s->server));
    assert_null(
        k8s_client_new(&(struct k8s_client_options){.server = slice_from_cstr(url), .token = S("t0ken")}, &s->client));
}

static void script_end(struct script *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->lock);
    http_server_stop(s->server, 1000);
    k8s_client_free(s->client);
    strbuf_deinit(&s->told);
}

static void on_event(void *ctx, enum k8s_watch_event event, const struct json *object, const struct err *e)
{
    struct script *s = ctx;
    struct slice name = json_get_text(json_get(object, S("metadata")), "name");
    pthread_mutex_lock(&s->lock);
    switch (event) {
    case K8S_PRESENT:
        strbuf_append_fmt(&s->told, "+%.*s:%.*s ", SLICE_ARG(json_get_text(object, "kind")), SLICE_ARG(name));
        break;
    case K8S_GONE:
        strbuf_append_fmt(&s->told, "-%.*s:%.*s ", SLICE_ARG(json_get_text(object, "kind")), SLICE_ARG(name));
        break;
    case K8S_SYNCED:
        strbuf_append_cstr(&s->told, "= ");
        s->synced++;
        break;
    case K8S_TROUBLE:
        s->troubles++;
        break;
    }
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

/* Runs a watch until all steps were asked for and this was told. */
static void expect_told(struct script *s, struct slice selector, const char *want)
{
    struct k8s_watch *watch;
    assert_null(k8s_watch_start(s->client, S("/api/v1/pods"), selector, on_event, s, &watch));
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 120;
    pthread_mutex_lock(&s->lock);
    int code = 0;
    while (code == 0 && !s->mismatch &&
           !(s->done == s->count && slice_eq(strbuf_slice(&s->told), slice_from_cstr(want))))
        code = pthread_cond_timedwait(&s->cond, &s->lock, &until);
    bool good = code == 0 && !s->mismatch;
    if (!good)
        fprintf(stderr, "steps %zu of %zu; told: %.*s\n want: %s\n", s->done, s->count,
                SLICE_ARG(strbuf_slice(&s->told)), want);
    pthread_mutex_unlock(&s->lock);
    k8s_watch_stop(watch);
    assert_true(good);
}

#define OBJ(name, version)                                                   \
    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name \
    "\",\"namespace\":\"n\",\"resourceVersion\":\"" version "\"}}"
#define ITEM(name) "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\"}}"
#define LIST(version, more, items)                                                                       \
    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"" version "\"" more \
    "},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define GONE_STATUS \
    "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old resource version: 1 (2)\"}"

static void test_a_watch_lists_by_pages_then_follows_from_the_lists_version(void **state)
{
    static const struct step steps[] = {
        {"GET /api/v1/pods?labelSelector=app%3Dx%2Cy%20in%20%28z%29&limit=500|", 0,
         LIST("7", ",\"continue\":\"c/1\"", ITEM("a") "," ITEM("b")), END_CLEAN},
        {"limit=500&continue=c%2F1|", 0, LIST("7", "", ITEM("c")), END_CLEAN},
        {"&resourceVersion=7|", 0,
         EVENT("ADDED", OBJ("d", "8")) EVENT("MODIFIED", OBJ("a", "9")) EVENT("DELETED", OBJ("b", "10"))
             EVENT("BOOKMARK", OBJ("", "11")),
         END_CLEAN},
        {"&resourceVersion=11|", 0, "", END_HANG},
    };
    struct script s;
    script_start(&s, steps, ARRAY_SIZE(steps));
    expect_told(&s, S("app=x,y in (z)"), "+Pod:a +Pod:b +Pod:c = +Pod:d +Pod:a -Pod:b ");
    assert_int_equal(s.troubles, 0);
    script_end(&s);
}

static void test_a_watch_that_breaks_inside_an_event_goes_on_from_the_last_whole_one(void **state)
{
    static const struct step steps[] = {
        {"limit=500", 0, LIST("1", "", ""), END_CLEAN},
        {"resourceVersion=1|", 0, EVENT("ADDED", OBJ("a", "2")) "{\"type\":\"ADDED\",\"obj", END_BROKEN},
        {"resourceVersion=2|", 0, EVENT("ADDED", OBJ("b", "3")), END_HANG},
    };
    struct script s;
    script_start(&s, steps, ARRAY_SIZE(steps));
    expect_told(&s, SLICE_NONE, "= +Pod:a +Pod:b = "); /* the trouble is over */
    assert_int_equal(s.troubles, 1);
    script_end(&s);
}

static void test_a_server_that_was_away_is_listed_again_so_that_its_return_is_told(void **state)
{
    static const struct step steps[] = {
        {"limit=500", 0, LIST("1", "", ITEM("a")), END_CLEAN},
        {"resourceVersion=1|", 500, "away", END_CLEAN},
        {"resourceVersion=1|", 500, "away", END_CLEAN},
        {"limit=500", 0, LIST("2", "", ""), END_CLEAN},
        {"resourceVersion=2|", 0, "", END_HANG}, /* says nothing */
    };
    struct script s;
    script_start(&s, steps, ARRAY_SIZE(steps));
    expect_told(&s, SLICE_NONE, "+Pod:a = -Pod:a = ");
    assert_int_equal(s.troubles, 2);
    script_end(&s);
}

static void *interrupt(void *arg)
{
    struct script *s = arg;
    pthread_mutex_lock(&s->lock);
    while (s->done < s->count)
        pthread_cond_wait(&s->cond, &s->lock);
    pthread_mutex_unlock(&s->lock);
    k8s_client_interrupt(s->client);
    return NULL;
}

static void test_an_interrupted_call_ends_and_so_do_later_ones(void **state)
{
    static const struct step steps[] = {{"GET /api/v1/namespaces/n", 0, "{", END_HANG}};
    struct script s;
    pthread_t thread;
    struct json *object;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    script_start(&s, steps, ARRAY_SIZE(steps));
    pthread_create(&thread, NULL, interrupt, &s);
    for (int i = 0; i < 2; i++) {
        struct err *e = k8s_get(s.client, arena, S("/api/v1/namespaces/n"), &object);
        assert_true(e && e->kind == ERR_UNAVAILABLE);
        err_free(e);
    }
    pthread_join(thread, NULL);
    script_end(&s);
}

static void test_an_expired_version_in_an_event_lists_again_and_tells_who_vanished(void **state)
{
    static const struct step steps[] = {
        {"limit=500", 0, LIST("1", "", ITEM("a") "," ITEM("b")), END_CLEAN},
        {"resourceVersion=1|", 0, EVENT("ERROR", GONE_STATUS), END_CLEAN},
        {"limit=500", 0, LIST("5", "", ITEM("b")), END_CLEAN},
        {"resourceVersion=5|", 0, "", END_HANG},
    };
    struct script s;
    script_start(&s, steps, ARRAY_SIZE(steps));
    expect_told(&s, SLICE_NONE, "+Pod:a +Pod:b = +Pod:b -Pod:a = ");
    assert_int_equal(s.troubles, 0);
    script_end(&s);
}

static void test_an_expired_version_as_a_status_lists_again(void **state)
{
    static const struct step steps[] = {
        {"limit=500", 0, LIST("1", "", ""), END_CLEAN},
        {"resourceVersion=1|", 410, GONE_STATUS, END_CLEAN},
        {"limit=500", 0, LIST("5", "", ITEM("b")), END_CLEAN},
        {"resourceVersion=5|", 0, "", END_HANG},
    };
    struct script s;
    script_start(&s, steps, ARRAY_SIZE(steps));
    expect_told(&s, SLICE_NONE, "= +Pod:b = ");
    script_end(&s);
}

static void test_a_busy_server_is_told_as_trouble_and_tried_again(void **state)
{
    static const struct step steps[] = {
        {"limit=500", 429, "{\"kind\":\"Status\",\"code\":429,\"reason\":\"TooManyRequests\",\"message\":\"busy\"}",
         END_CLEAN},
        {"limit=500", 500, "not json", END_CLEAN},
        {"limit=500", 0, LIST("1", "", ITEM("a")), END_CLEAN},
        {"resourceVersion=1|", 0, "", END_HANG},
    };
    struct script s;
    script_start(&s, steps, ARRAY_SIZE(steps));
    expect_told(&s, SLICE_NONE, "+Pod:a = ");
    assert_int_equal(s.troubles, 2);
    script_end(&s);
}

static void test_objects_are_read_made_patched_and_deleted(void **state)
{
    static const struct step steps[] = {
        {"GET /api/v1/namespaces/n/pods/a|||Bearer t0ken", 0, OBJ("a", "1"), END_CLEAN},
        {"POST /api/v1/namespaces/n/pods|application/json|{\"x\":1}|", 201, OBJ("a", "1"), END_CLEAN},
        {"PATCH /p/a|application/merge-patch+json|{\"x\":1}|", 0, OBJ("a", "2"), END_CLEAN},
        {"PATCH /p/a|application/strategic-merge-patch+json|", 0, OBJ("a", "2"), END_CLEAN},
        {"PATCH /p/a|application/json-patch+json|", 0, OBJ("a", "2"), END_CLEAN},
        {"PATCH /p/a?fieldManager=ember&force=true|application/apply-patch+yaml|", 0, OBJ("a", "2"), END_CLEAN},
        {"DELETE "
         "/p/a|application/"
         "json|{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Background\","
         "\"gracePeriodSeconds\":5}|",
         0, "{}", END_CLEAN},
        {"DELETE /p/a", 404,
         "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":\"pods \\\"a\\\" not found\"}",
         END_CLEAN},
    };
    struct script s;
    script_start(&s, steps, ARRAY_SIZE(steps));
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct json *object, *body = json_object(arena);
    json_set_i64(arena, body, "x", 1);
    assert_null(k8s_get(s.client, arena, S("/api/v1/namespaces/n/pods/a"), &object));
    assert_string_equal(slice_cstr(arena, json_get_text(json_get(object, S("metadata")), "name")), "a");
    assert_null(k8s_create(s.client, arena, S("/api/v1/namespaces/n/pods"), body, &object));
    assert_null(k8s_patch(s.client, arena, S("/p/a"), K8S_PATCH_MERGE, body, &object));
    assert_null(k8s_patch(s.client, arena, S("/p/a"), K8S_PATCH_STRATEGIC, body, NULL));
    assert_null(k8s_patch(s.client, arena, S("/p/a"), K8S_PATCH_JSON, body, NULL));
    assert_null(k8s_patch(s.client, arena, S("/p/a"), K8S_PATCH_APPLY, body, NULL));
    assert_null(k8s_delete(s.client, arena, S("/p/a"), 5));
    assert_null(k8s_delete(s.client, arena, S("/p/a"), -1)); /* absent is fine */
    assert_int_equal(s.done, s.count);
    script_end(&s);
}

static void test_errors_carry_the_servers_reason_and_words(void **state)
{
    static const struct {
        struct step step;
        enum err_kind kind;
        const char *code, *message;
    } cases[] = {
        {{"GET", 404,
          "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":\"pods \\\"a\\\" not found\"}"},
         ERR_NOT_FOUND,
         "NotFound",
         "pods \"a\" not found"},
        {{"GET", 409, "{\"kind\":\"Status\",\"code\":409,\"reason\":\"AlreadyExists\",\"message\":\"m\"}"},
         ERR_CONFLICT,
         "AlreadyExists",
         "m"},
        {{"GET", 403, "{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\",\"message\":\"m\"}"},
         ERR_DENIED,
         "Forbidden",
         "m"},
        {{"GET", 422, "{\"kind\":\"Status\",\"code\":422,\"reason\":\"Invalid\",\"message\":\"m\"}"},
         ERR_INVALID,
         "Invalid",
         "m"},
        {{"GET", 503, "upstream"}, ERR_UNAVAILABLE, NULL, "GET /x: the Kubernetes API answered 503"},
        {{"GET", 200, "{"}, ERR_INVALID, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct script s;
        script_start(&s, &cases[i].step, 1);
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        struct json *object;
        struct err *e = k8s_get(s.client, arena, S("/x"), &object);
        assert_non_null(e);
        assert_int_equal(e->kind, cases[i].kind);
        if (cases[i].code)
            assert_string_equal(e->code, cases[i].code);
        if (cases[i].message)
            assert_string_equal(e->message, cases[i].message);
        err_free(e);
        script_end(&s);
    }
}

static struct err *collect(void *ctx, struct slice data)
{
    strbuf_append(ctx, data);
    return NULL;
}

static void test_a_log_is_followed_by_stream_and_an_error_is_told(void **state)
{
    static const struct step steps[] = {
        {"GET /version|", 0, "{\"major\":\"1\",\"minor\":\"34+\"}", END_CLEAN},
        {"GET "
         "/api/v1/namespaces/n/pods/p/"
         "log?container=c&follow=true&timestamps=true&sinceTime=2026-01-01T00%3A00%3A00Z&stream=Stderr|",
         0, "one\ntwo\n", END_CLEAN},
        {"GET /api/v1/namespaces/n/pods/p/log|", 400,
         "{\"kind\":\"Status\",\"code\":400,\"reason\":\"BadRequest\",\"message\":\"container is waiting\"}",
         END_CLEAN},
    };
    struct script s;
    script_start(&s, steps, ARRAY_SIZE(steps));
    struct strbuf text = STRBUF_HEAP;
    struct k8s_log_options options = {.namespace_name = S("n"),
                                      .pod = S("p"),
                                      .container = S("c"),
                                      .stream = K8S_LOG_STDERR,
                                      .follow = true,
                                      .timestamps = true,
                                      .since_time = S("2026-01-01T00:00:00Z")};
    assert_null(k8s_log_read(s.client, &options, collect, &text, NULL));
    assert_string_equal(text.ptr, "one\ntwo\n");
    struct err *e = k8s_log_read(s.client, &(struct k8s_log_options){.namespace_name = S("n"), .pod = S("p")}, collect,
                                 &text, NULL);
    assert_non_null(e);
    assert_int_equal(e->status, 400);
    assert_string_equal(e->message, "container is waiting");
    err_free(e);
    strbuf_deinit(&text);
    script_end(&s);
}

#define READ_BOTH(s, text)                                                                                             \
    do {                                                                                                               \
        struct k8s_log_options both_ = {.namespace_name = S("n"), .pod = S("p"), .stream = K8S_LOG_STDOUT};             \
        assert_null(k8s_log_read((s)->client, &both_, collect, (text), NULL));                                         \
        both_.stream = K8S_LOG_STDERR;                                                                                 \
        assert_null(k8s_log_read((s)->client, &both_, collect, (text), NULL));                                         \
    } while (0)

static void test_a_server_that_refuses_or_does_not_know_streams_gives_all_as_stdout(void **state)
{
    static const struct step refusing[] = {
        {"GET /version|", 0, "{\"major\":\"1\",\"minor\":\"33\"}", END_CLEAN},
        {"log?stream=Stdout|", 422,
         "{\"kind\":\"Status\",\"code\":422,\"reason\":\"Invalid\",\"message\":\"PodLogOptions \\\"p\\\" is invalid: "
         "stream: Forbidden: may not be specified\"}",
         END_CLEAN},
        {"/log|", 0, "all\n", END_CLEAN},
    };
    static const struct step old[] = {
        {"GET /version|", 0, "{\"major\":\"1\",\"minor\":\"30+\"}", END_CLEAN},
        {"/log|", 0, "all\n", END_CLEAN},
    };
    for (int i = 0; i < 2; i++) {
        struct script s;
        script_start(&s, i ? old : refusing, i ? ARRAY_SIZE(old) : ARRAY_SIZE(refusing));
        struct strbuf text = STRBUF_HEAP;
        READ_BOTH(&s, &text);
        assert_string_equal(text.ptr, "all\n");
        assert_int_equal(s.done, s.count);
        strbuf_deinit(&text);
        script_end(&s);
    }
}

/* clang-format off */
static const struct {
    const char *text, *error; /* NULL: taken */
} kubeconfigs[] = {
#define CONTEXT "current-context: x\ncontexts:\n- name: x\n  context: {cluster: c, user: u}\n"
    {CONTEXT "clusters:\n- name: c\n  cluster: {server: 'https://h:6443', certificate-authority-data: aGk=}\nusers:\n- name: u\n  user: {token: abc}\n", NULL},
    {CONTEXT "clusters:\n- name: c\n  cluster: {server: 'https://h'}\nusers:\n- name: u\n  user: {client-certificate-data: aGk=, client-key-data: aGk=}\n", NULL},
    {CONTEXT "clusters:\n- name: c\n  cluster: {server: 'https://h'}\n", NULL},
    {"a: b\n", "kubeconfig: there is no current-context"},
    {"current-context: z\n", "kubeconfig: there is no context z"},
    {CONTEXT, "kubeconfig: the context x names a cluster that is not there"},
    {CONTEXT "clusters:\n- name: c\n  cluster: {}\n", "kubeconfig: the current context's cluster has no server"},
    {CONTEXT "clusters:\n- name: c\n  cluster: {server: 'h'}\n", "the Kubernetes server's address \"h\" does not begin with https:// or http://"},
    {CONTEXT "clusters:\n- name: c\n  cluster: {server: 'https://h', proxy-url: 'http://p'}\n", "kubeconfig: the cluster has proxy-url, which is not supported; use a client certificate or a token"},
    {CONTEXT "clusters:\n- name: c\n  cluster: {server: 'https://h'}\nusers:\n- name: u\n  user: {exec: {command: aws}}\n", "kubeconfig: the user has exec, which is not supported; use a client certificate or a token"},
    {CONTEXT "clusters:\n- name: c\n  cluster: {server: 'https://h'}\nusers:\n- name: u\n  user: {client-key-data: aGk=}\n", "kubeconfig: client-certificate and client-key go together"},
    {CONTEXT "clusters:\n- name: c\n  cluster: {server: 'https://h', certificate-authority: ca.pem}\n", "kubeconfig: certificate-authority must be an absolute path, or embedded (kubectl config view --flatten)"},
    {CONTEXT "clusters:\n- name: c\n  cluster: {server: 'https://h', certificate-authority-data: '*'}\n", "kubeconfig: certificate-authority-data is not base64"},
};
/* clang-format on */

static void test_a_kubeconfig_gives_a_client_or_says_what_it_cannot_do(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(kubeconfigs); i++) {
        struct k8s_client *client;
        struct err *e = k8s_client_from_kubeconfig(slice_from_cstr(kubeconfigs[i].text), &client);
        if (!kubeconfigs[i].error) {
            assert_null(e);
            k8s_client_free(client);
            continue;
        }
        assert_non_null(e);
        assert_string_equal(e->message, kubeconfigs[i].error);
        err_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_watch_lists_by_pages_then_follows_from_the_lists_version),
        cmocka_unit_test(test_a_watch_that_breaks_inside_an_event_goes_on_from_the_last_whole_one),
        cmocka_unit_test(test_a_server_that_was_away_is_listed_again_so_that_its_return_is_told),
        cmocka_unit_test(test_an_interrupted_call_ends_and_so_do_later_ones),
        cmocka_unit_test(test_an_expired_version_in_an_event_lists_again_and_tells_who_vanished),
        cmocka_unit_test(test_an_expired_version_as_a_status_lists_again),
        cmocka_unit_test(test_a_busy_server_is_told_as_trouble_and_tried_again),
        cmocka_unit_test(test_objects_are_read_made_patched_and_deleted),
        cmocka_unit_test(test_errors_carry_the_servers_reason_and_words),
        cmocka_unit_test(test_a_log_is_followed_by_stream_and_an_error_is_told),
        cmocka_unit_test(test_a_server_that_refuses_or_does_not_know_streams_gives_all_as_stdout),
        cmocka_unit_test(test_a_kubeconfig_gives_a_client_or_says_what_it_cannot_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
