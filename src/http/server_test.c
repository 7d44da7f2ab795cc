/* The server's behaviour over time: waiting clients, streams, stopping, TLS, many connections; and the client against
 * it. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include "base/x509.h"
#include "http/client.h"
#include "http/server.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- helpers ---- */

struct fixture {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct http_stream *stream; /* of /stream */
    int closed;                 /* calls of its closed */
    int running;                /* handlers in /block */
    bool release;               /* they may end */
    struct http_server *server;
};

static void fixture_closed(void *owner)
{
    struct fixture *f = owner;
    pthread_mutex_lock(&f->lock);
    f->closed++;
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->lock);
}

static void handle_block(struct http_request *request, struct fixture *f)
{
    pthread_mutex_lock(&f->lock);
    f->running++;
    pthread_cond_broadcast(&f->cond);
    while (!f->release)
        pthread_cond_wait(&f->cond, &f->lock);
    f->running--;
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->lock);
    http_respond(request, 200, NULL, 0, S("released"));
}

static void handle_file(struct http_request *request)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct err *e = http_respond_begin(request, 200, NULL, 0, 300000);
    if (!e)
        e = http_respond_file(request, fd, 10, 300000);
    http_respond_end(request);
    err_free(e);
    close(fd);
}

static void handle(struct http_request *request, void *ctx)
{
    struct fixture *f = ctx;
    if (slice_eq(request->path, S("/stream"))) {
        pthread_mutex_lock(&f->lock);
        f->stream = http_detach(request, 200, NULL, 0, fixture_closed, f);
        pthread_cond_broadcast(&f->cond);
        pthread_mutex_unlock(&f->lock);
    } else if (slice_eq(request->path, S("/block"))) {
        handle_block(request, f);
    } else if (slice_eq(request->path, S("/file"))) {
        handle_file(request);
    } else if (slice_eq(request->path, S("/who"))) {
        http_respond(request, 200, NULL, 0,
                     slice_fmt(request->arena, "%s [%.*s] [%.*s]", request->client_common_name.ptr ? "known" : "nobody",
                               SLICE_ARG(request->client_common_name), SLICE_ARG(request->client_organizations)));
    } else if (slice_eq(request->path, S("/big"))) {
        size_t len = 5000000;
        char *bytes = arena_alloc(request->arena, len);
        memset(bytes, 'b', len);
        http_respond(request, 200, &(struct http_header){S("X-Kind"), S("big")}, 1, slice_of(bytes, len));
    } else if (slice_eq(request->path, S("/short"))) {
        struct err *e = http_respond_begin(request, 200, NULL, 0, 10);
        if (!e)
            e = http_respond_write(request, S("abc"));
        http_respond_end(request);
        err_free(e);
    } else {
        struct slice body;
        struct err *e = http_body_read_all(request, 10000000, &body);
        http_respond(request, e ? 400 : 200, NULL, 0, e ? err_message(e) : body);
        err_free(e);
    }
}

static void fixture_start_tls(struct fixture *f, const char *cert, const char *key, const char *ca)
{
    *f = (struct fixture){.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    struct err *e = http_server_start(&(struct http_server_options){.address = "127.0.0.1",
                                                                    .handler = handle,
                                                                    .ctx = f,
                                                                    .worker_count = 2,
                                                                    .tls_cert_path = cert,
                                                                    .tls_key_path = key,
                                                                    .client_ca_path = ca},
                                      &f->server);
    if (e)
        fail_msg("%s", e->message);
}

static void fixture_start(struct fixture *f)
{
    fixture_start_tls(f, NULL, NULL, NULL);
}

/* Waits for *value to become want; two minutes. */
static void fixture_wait(struct fixture *f, const int *value, int want)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 120;
    pthread_mutex_lock(&f->lock);
    while (*value != want)
        assert_int_equal(pthread_cond_timedwait(&f->cond, &f->lock, &until), 0);
    pthread_mutex_unlock(&f->lock);
}

static struct http_stream *fixture_stream(struct fixture *f)
{
    pthread_mutex_lock(&f->lock);
    while (!f->stream)
        pthread_cond_wait(&f->cond, &f->lock);
    struct http_stream *stream = f->stream;
    f->stream = NULL;
    pthread_mutex_unlock(&f->lock);
    return stream;
}

static int dial(const struct fixture *f)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_server_port(f->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until the text is there; NUL-terminated in *buf. */
static void hear(int fd, const char *text)
{
    static char buf[8192];
    size_t len = 0;
    for (;;) {
        buf[len] = '\0';
        if (strstr(buf, text))
            return;
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        if (poll(&entry, 1, 120000) != 1)
            fail_msg("waited for \"%s\", got \"%s\"", text, buf);
        ssize_t n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0);
        if (n <= 0)
            fail_msg("end before \"%s\", got \"%s\"", text, buf);
        len += (size_t)n;
    }
}

static void hear_end(int fd)
{
    char c;
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&entry, 1, 120000), 1);
    assert_true(recv(fd, &c, 1, 0) <= 0);
}

/* ---- tests ---- */

static void test_a_client_that_waits_hears_100_once_before_it_sends(void **state)
{
    struct fixture f;
    fixture_start(&f);
    int fd = dial(&f);
    say(fd, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    hear(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "he");
    say(fd, "llo");
    hear(fd, "\r\n\r\nhello");
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(fd, "200 OK");
    close(fd);
    http_server_stop(f.server, 1000);
}

static void test_a_client_that_closes_its_side_still_gets_its_answer(void **state)
{
    struct fixture f;
    fixture_start(&f);
    int fd = dial(&f);
    say(fd, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    shutdown(fd, SHUT_WR);
    hear(fd, "\r\n\r\nhello");
    hear_end(fd);
    close(fd);
    http_server_stop(f.server, 1000);
}

static void test_a_body_that_ends_early_is_an_error(void **state)
{
    struct fixture f;
    fixture_start(&f);
    int fd = dial(&f);
    say(fd, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nhello");
    shutdown(fd, SHUT_WR);
    hear(fd, "the request ended before its body was complete");
    close(fd);
    http_server_stop(f.server, 1000);
}

static void test_an_answer_shorter_than_promised_ends_the_connection(void **state)
{
    struct fixture f;
    fixture_start(&f);
    int fd = dial(&f);
    say(fd, "GET /short HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(fd, "abc");
    hear_end(fd);
    close(fd);
    http_server_stop(f.server, 1000);
}

static void test_slow_heads_and_slow_bodies_hold_no_worker(void **state)
{
    struct fixture f;
    fixture_start(&f); /* two workers */
    int slow[20];
    for (int i = 0; i < 20; i++) {
        slow[i] = dial(&f);
        say(slow[i], i % 2 ? "GET / HTT" : "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
    }
    int fd = dial(&f);
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(fd, "200 OK");
    for (int i = 0; i < 20; i++) {
        say(slow[i], i % 2 ? "P/1.1\r\nHost: h\r\n\r\n" : "llo");
        hear(slow[i], i % 2 ? "200 OK" : "hello");
        close(slow[i]);
    }
    close(fd);
    http_server_stop(f.server, 1000);
}

static void test_a_blocked_handler_never_holds_back_a_request_that_came_with_it(void **state)
{
    struct fixture f;
    fixture_start(&f); /* two workers */
    for (int round = 0; round < 200; round++) {
        int fds[2] = {dial(&f), dial(&f)};
        for (int i = 0; i < 2; i++)
            say(fds[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        for (int i = 0; i < 2; i++)
            hear(fds[i], "200 OK");
        say(fds[0], "GET /block HTTP/1.1\r\nHost: h\r\n\r\n");
        say(fds[1], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        hear(fds[1], "200 OK");
        pthread_mutex_lock(&f.lock);
        f.release = true;
        pthread_cond_broadcast(&f.cond);
        pthread_mutex_unlock(&f.lock);
        hear(fds[0], "released");
        fixture_wait(&f, &f.running, 0);
        f.release = false;
        close(fds[0]);
        close(fds[1]);
    }
    http_server_stop(f.server, 1000);
}

static void *write_lines(void *arg)
{
    for (int i = 0; i < 1000; i++)
        err_free(http_stream_write(arg, S("0123456789")));
    return NULL;
}

static void test_a_stream_takes_writes_from_other_threads_and_then_serves_the_next_request(void **state)
{
    struct fixture f;
    fixture_start(&f);
    int fd = dial(&f);
    say(fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    struct http_stream *stream = fixture_stream(&f);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, write_lines, stream);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    http_stream_close(stream);
    struct strbuf got = STRBUF_HEAP;
    while (!slice_ends_with(strbuf_slice(&got), S("\r\n0\r\n\r\n"))) {
        char buf[4096];
        ssize_t n = recv(fd, buf, sizeof(buf), 0);
        assert_true(n > 0);
        strbuf_append_bytes(&got, buf, (size_t)n);
    }
    ptrdiff_t head = slice_find(strbuf_slice(&got), S("\r\n\r\n"));
    assert_int_equal(got.len - (size_t)head - 4, 2000 * 15 + 5);
    strbuf_deinit(&got);
    say(fd, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nnext");
    hear(fd, "next");
    assert_int_equal(f.closed, 0);
    close(fd);
    http_server_stop(f.server, 1000);
}

static void test_a_stream_tells_once_that_its_client_went_away(void **state)
{
    struct fixture f;
    fixture_start(&f);
    int fd = dial(&f);
    say(fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    struct http_stream *stream = fixture_stream(&f);
    assert_null(http_stream_write(stream, S("x")));
    hear(fd, "1\r\nx\r\n");
    close(fd);
    fixture_wait(&f, &f.closed, 1);
    struct err *e = http_stream_write(stream, S("y"));
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_UNAVAILABLE);
    err_free(e);
    http_stream_close(stream);
    http_server_stop(f.server, 1000);
    assert_int_equal(f.closed, 1);
}

static void test_a_stream_whose_client_does_not_read_is_bounded(void **state)
{
    struct fixture f;
    fixture_start(&f);
    int fd = dial(&f);
    say(fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    struct http_stream *stream = fixture_stream(&f);
    char *bytes = calloc(1, 1 << 20);
    struct err *e = NULL;
    for (int i = 0; !e && i < 64; i++)
        e = http_stream_write(stream, slice_of(bytes, 1 << 20));
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_LIMIT);
    assert_true(http_stream_queued(stream) <= 16 << 20);
    err_free(e);
    free(bytes);
    close(fd);
    fixture_wait(&f, &f.closed, 1);
    http_stream_close(stream);
    http_server_stop(f.server, 1000);
}

static void *stop_server(void *arg)
{
    http_server_stop(((struct fixture *)arg)->server, 5000);
    return NULL;
}

static void test_stopping_lets_a_running_request_finish_and_closes_streams(void **state)
{
    struct fixture f;
    fixture_start(&f);
    int fd = dial(&f), watching = dial(&f), idle = dial(&f);
    say(watching, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    struct http_stream *stream = fixture_stream(&f);
    assert_null(http_stream_write(stream, S("event")));
    say(fd, "GET /block HTTP/1.1\r\nHost: h\r\n\r\n");
    fixture_wait(&f, &f.running, 1);
    pthread_t stopper;
    pthread_create(&stopper, NULL, stop_server, &f);
    fixture_wait(&f, &f.closed, 1);
    hear(watching, "5\r\nevent\r\n0\r\n\r\n");
    hear_end(watching);
    hear_end(idle);
    pthread_mutex_lock(&f.lock);
    f.release = true;
    pthread_cond_broadcast(&f.cond);
    pthread_mutex_unlock(&f.lock);
    hear(fd, "Connection: close\r\n\r\nreleased");
    close(fd);
    close(idle);
    close(watching);
    pthread_join(stopper, NULL);
    http_stream_close(stream); /* may come after the server is gone */
    assert_int_equal(f.closed, 1);
}

static void test_two_thousand_idle_connections_cost_no_worker_and_all_still_answer(void **state)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 5000 ? limit.rlim_max : 5000;
    setrlimit(RLIMIT_NOFILE, &limit);
    int count = limit.rlim_cur >= 4200 ? 2000 : (int)limit.rlim_cur / 2 - 50;
    struct fixture f;
    fixture_start(&f);
    int *fds = calloc((size_t)count, sizeof(int));
    for (int i = 0; i < count; i++) {
        fds[i] = dial(&f);
        say(fds[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    for (int i = 0; i < count; i++)
        hear(fds[i], "200 OK");
    for (int i = 0; i < count; i += 100) {
        say(fds[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        hear(fds[i], "200 OK");
    }
    for (int i = 0; i < count; i++)
        close(fds[i]);
    free(fds);
    http_server_stop(f.server, 1000);
}

static void test_a_taken_port_is_a_conflict(void **state)
{
    struct fixture f;
    fixture_start(&f);
    struct http_server *second;
    struct err *e = http_server_start(
        &(struct http_server_options){.address = "127.0.0.1", .port = http_server_port(f.server), .handler = handle},
        &second);
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_CONFLICT);
    err_free(e);
    http_server_stop(f.server, 1000);
}

/* ---- with the client ---- */

static struct slice client_get(struct http_client *client, struct arena *arena, const struct fixture *f,
                               const char *scheme, const char *path)
{
    struct http_response response;
    struct err *e = http_client_call(
        client, arena,
        &(struct http_call){.method = S("GET"),
                            .url = slice_fmt(arena, "%s://127.0.0.1:%u%s", scheme, http_server_port(f->server), path)},
        &response);
    if (e) {
        struct slice text = slice_fmt(arena, "error: %s", e->message);
        err_free(e);
        return text;
    }
    assert_int_equal(response.status, 200);
    return response.body;
}

static struct err *count_bytes(void *ctx, struct slice data)
{
    *(size_t *)ctx += data.len;
    return NULL;
}

static struct err *refuse_bytes(void *ctx, struct slice data)
{
    return err_new(ERR_INVALID, "enough");
}

static void test_the_client_reads_whole_answers_streams_files_and_bounds(void **state)
{
    struct fixture f;
    fixture_start(&f);
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct http_client *client;
    assert_null(http_client_new(&(struct http_client_options){0}, &client));
    assert_int_equal(client_get(client, arena, &f, "http", "/big").len, 5000000);
    assert_int_equal(client_get(client, arena, &f, "http", "/file").len, 300000);
    struct slice url = slice_fmt(arena, "http://127.0.0.1:%u/big", http_server_port(f.server));
    struct http_response response;
    struct err *e = http_client_call(
        client, arena, &(struct http_call){.method = S("GET"), .url = url, .max_body_bytes = 1000}, &response);
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_LIMIT);
    err_free(e);
    size_t bytes = 0;
    assert_null(http_client_call(
        client, arena, &(struct http_call){.method = S("GET"), .url = url, .sink = count_bytes, .sink_ctx = &bytes},
        &response));
    assert_int_equal(bytes, 5000000);
    assert_string_equal(slice_cstr(arena, http_header_get(response.headers, S("x-kind"))), "big");
    e = http_client_call(client, arena, &(struct http_call){.method = S("GET"), .url = url, .sink = refuse_bytes},
                         &response);
    assert_non_null(e);
    assert_string_equal(e->message, "enough");
    err_free(e);
    assert_null(http_client_call(client, arena, &(struct http_call){.method = S("HEAD"), .url = url}, &response));
    assert_int_equal(response.body.len, 0);
    assert_null(http_client_call(
        client, arena,
        &(struct http_call){.method = S("PUT"),
                            .url = slice_fmt(arena, "http://127.0.0.1:%u/x", http_server_port(f.server)),
                            .body = S("abc")},
        &response));
    assert_string_equal(slice_cstr(arena, response.body), "abc");
    e = http_client_call(client, arena,
                         &(struct http_call){.method = S("GET"), .url = S("ftp://127.0.0.1/"), .body = S("abc")},
                         &response);
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_INVALID);
    err_free(e);
    http_client_free(client);
    http_server_stop(f.server, 1000);
}

static void *raise_flag(void *flag)
{
    poll(NULL, 0, 100);
    __atomic_store_n((bool *)flag, true, __ATOMIC_RELAXED);
    return NULL;
}

static void test_a_client_call_ends_at_its_stop_flag_and_at_its_limits(void **state)
{
    struct fixture f;
    fixture_start(&f);
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct http_client *client;
    assert_null(http_client_new(&(struct http_client_options){0}, &client));
    struct slice url = slice_fmt(arena, "http://127.0.0.1:%u/stream", http_server_port(f.server));
    struct http_response response;
    bool stop = false;
    pthread_t thread;
    pthread_create(&thread, NULL, raise_flag, &stop);
    size_t bytes = 0;
    struct http_call call = {.method = S("GET"), .url = url, .sink = count_bytes, .sink_ctx = &bytes, .stop = &stop};
    int64_t begun_ms = monotonic_ms();
    struct err *e = http_client_call(client, arena, &call, &response);
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_UNAVAILABLE);
    err_free(e);
    assert_true(monotonic_ms() - begun_ms < 30000); /* the stream has no end of its own */
    pthread_join(thread, NULL);
    fixture_wait(&f, &f.closed, 1);
    http_stream_close(fixture_stream(&f));
    call.stop = NULL;
    call.timeout_ms = 300; /* silence */
    e = http_client_call(client, arena, &call, &response);
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_UNAVAILABLE);
    err_free(e);
    fixture_wait(&f, &f.closed, 2);
    http_stream_close(fixture_stream(&f));
    e = http_client_call(client, arena, &(struct http_call){.method = S("GET"), .url = url, .timeout_ms = 300},
                         &response);
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_UNAVAILABLE);
    err_free(e);
    fixture_wait(&f, &f.closed, 3);
    http_stream_close(fixture_stream(&f));
    http_client_free(client);
    http_server_stop(f.server, 1000);
}

static char *write_pem(struct arena *arena, const char *dir, const char *name, struct slice pem)
{
    char *path = slice_cstr(arena, slice_fmt(arena, "%s/%s", dir, name));
    assert_null(file_write_atomic(path, pem, 0600));
    return path;
}

static void test_tls_serves_everybody_and_names_those_with_a_certificate(void **state)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    char dir[] = "/tmp/http_test.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct x509_pair ca, other_ca, leaf, user, stranger;
    const struct slice address = S("127.0.0.1");
    const struct slice organizations[] = {S("system:masters"), S("ops")};
    assert_null(x509_make_ca(arena, S("test"), &ca));
    assert_null(x509_make_ca(arena, S("other"), &other_ca));
    assert_null(x509_make_leaf(
        arena, &ca, &(struct x509_leaf_options){.common_name = S("server"), .addresses = &address, .address_count = 1},
        &leaf));
    const struct x509_leaf_options user_options = {
        .common_name = S("alice"), .organizations = organizations, .organization_count = 2};
    assert_null(x509_make_leaf(arena, &ca, &user_options, &user));
    assert_null(x509_make_leaf(arena, &other_ca, &user_options, &stranger));
    char *ca_path = write_pem(arena, dir, "ca", ca.cert_pem);
    struct fixture f;
    fixture_start_tls(&f, write_pem(arena, dir, "cert", leaf.cert_pem), write_pem(arena, dir, "key", leaf.key_pem),
                      ca_path);

    struct http_client *client;
    assert_null(http_client_new(&(struct http_client_options){.ca_path = ca_path}, &client));
    assert_string_equal(slice_cstr(arena, client_get(client, arena, &f, "https", "/who")), "nobody [] []");
    assert_int_equal(client_get(client, arena, &f, "https", "/big").len, 5000000);
    assert_int_equal(client_get(client, arena, &f, "https", "/file").len, 300000);
    http_client_free(client);

    assert_null(http_client_new(&(struct http_client_options){.ca_pem = ca.cert_pem,
                                                              .client_cert_pem = user.cert_pem,
                                                              .client_key_pem = user.key_pem},
                                &client));
    assert_string_equal(slice_cstr(arena, client_get(client, arena, &f, "https", "/who")),
                        "known [alice] [system:masters\nops]");
    size_t len = 3000000;
    char *bytes = arena_alloc(arena, len);
    struct http_response response;
    assert_null(http_client_call(
        client, arena,
        &(struct http_call){.method = S("PUT"),
                            .url = slice_fmt(arena, "https://127.0.0.1:%u/x", http_server_port(f.server)),
                            .body = slice_of(bytes, len)},
        &response));
    assert_int_equal(response.body.len, len);
    http_client_free(client);

    assert_null(http_client_new(&(struct http_client_options){.ca_pem = ca.cert_pem,
                                                              .client_cert_pem = stranger.cert_pem,
                                                              .client_key_pem = stranger.key_pem},
                                &client));
    assert_true(slice_starts_with(client_get(client, arena, &f, "https", "/who"), S("error: ")));
    http_client_free(client);
    assert_null(http_client_new(&(struct http_client_options){.ca_pem = other_ca.cert_pem}, &client));
    assert_true(slice_starts_with(client_get(client, arena, &f, "https", "/who"), S("error: ")));
    http_client_free(client);

    int fd = dial(&f); /* plain text on a TLS port */
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    shutdown(fd, SHUT_WR);
    char buf[100];
    while (recv(fd, buf, sizeof(buf), 0) > 0)
        ;
    close(fd);
    http_server_stop(f.server, 1000);
    assert_null(tree_remove(dir));
}

static void *write_and_close(void *arg)
{
    struct http_stream *stream = fixture_stream(arg);
    char *bytes = calloc(1, 100000);
    for (int i = 0; i < 3; i++)
        err_free(http_stream_write(stream, slice_of(bytes, 100000)));
    free(bytes);
    http_stream_close(stream);
    return NULL;
}

static void test_a_stream_over_tls_arrives_and_ends(void **state)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    char dir[] = "/tmp/http_test.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct x509_pair ca, leaf;
    const struct slice address = S("127.0.0.1");
    assert_null(x509_make_ca(arena, S("test"), &ca));
    assert_null(x509_make_leaf(
        arena, &ca, &(struct x509_leaf_options){.common_name = S("server"), .addresses = &address, .address_count = 1},
        &leaf));
    struct fixture f;
    fixture_start_tls(&f, write_pem(arena, dir, "cert", leaf.cert_pem), write_pem(arena, dir, "key", leaf.key_pem),
                      NULL);
    struct http_client *client;
    assert_null(http_client_new(&(struct http_client_options){.ca_pem = ca.cert_pem}, &client));
    pthread_t thread;
    pthread_create(&thread, NULL, write_and_close, &f);
    size_t bytes = 0;
    struct http_response response;
    const struct http_call call = {.method = S("GET"),
                                   .url = slice_fmt(arena, "https://127.0.0.1:%u/stream", http_server_port(f.server)),
                                   .sink = count_bytes,
                                   .sink_ctx = &bytes,
                                   .timeout_ms = 120000};
    assert_null(http_client_call(client, arena, &call, &response));
    assert_int_equal(bytes, 3 * 100000);
    pthread_join(thread, NULL);
    assert_int_equal(client_get(client, arena, &f, "https", "/big").len, 5000000); /* on the same connection */
    http_client_free(client);
    http_server_stop(f.server, 1000);
    assert_null(tree_remove(dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_client_that_waits_hears_100_once_before_it_sends),
        cmocka_unit_test(test_a_client_that_closes_its_side_still_gets_its_answer),
        cmocka_unit_test(test_a_body_that_ends_early_is_an_error),
        cmocka_unit_test(test_an_answer_shorter_than_promised_ends_the_connection),
        cmocka_unit_test(test_slow_heads_and_slow_bodies_hold_no_worker),
        cmocka_unit_test(test_a_blocked_handler_never_holds_back_a_request_that_came_with_it),
        cmocka_unit_test(test_a_stream_takes_writes_from_other_threads_and_then_serves_the_next_request),
        cmocka_unit_test(test_a_stream_tells_once_that_its_client_went_away),
        cmocka_unit_test(test_a_stream_whose_client_does_not_read_is_bounded),
        cmocka_unit_test(test_stopping_lets_a_running_request_finish_and_closes_streams),
        cmocka_unit_test(test_two_thousand_idle_connections_cost_no_worker_and_all_still_answer),
        cmocka_unit_test(test_a_taken_port_is_a_conflict),
        cmocka_unit_test(test_the_client_reads_whole_answers_streams_files_and_bounds),
        cmocka_unit_test(test_a_client_call_ends_at_its_stop_flag_and_at_its_limits),
        cmocka_unit_test(test_tls_serves_everybody_and_names_those_with_a_certificate),
        cmocka_unit_test(test_a_stream_over_tls_arrives_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
