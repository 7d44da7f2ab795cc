/* Many clients at once: ten thousand idle ones, a thousand slow ones, a thousand handshakes that stop; and TLS certificates that
 * change meanwhile. What is measured is printed; memory is judged only in builds without sanitizers. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/x509.h"
#include "http/answers_kit.h"
#include "http/client.h"
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: h\r\n"

static struct http_server_stats stats_of(struct http_server *server)
{
    struct http_server_stats stats;
    http_server_stats(server, &stats);
    return stats;
}

/* Who waited for one of the others would wait for at least this long; a busy machine is no such thing. */
enum { STARVED_MS = 25000 };

/* As many as asked for, or what the limit of file descriptors leaves. */
static int connections_allowed(int wanted)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int fits = limit.rlim_cur > 1000000 ? wanted : (int)(limit.rlim_cur / 4 * 3) - 200;
    return fits < wanted ? fits : wanted;
}

static int64_t resident_kib(void)
{
    int64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The longest of some requests, each on a connection of its own, in ms. */
static int64_t slowest_request_ms(const struct http_server *server, int count)
{
    int64_t worst_ms = 0;
    for (int i = 0; i < count; i++) {
        int64_t begun_ms = monotonic_ms();
        kit_barrier(server);
        int64_t took_ms = monotonic_ms() - begun_ms;
        worst_ms = took_ms > worst_ms ? took_ms : worst_ms;
    }
    return worst_ms;
}

/* In a process of its own, since both ends need a file descriptor: asks once on each connection, then says so, and holds them. */
static int run_idle_clients(int port_fd, int ready_fd, int count)
{
    uint16_t port;
    if (read(port_fd, &port, sizeof(port)) != sizeof(port))
        return 1;
    int *fds = xcalloc((size_t)count, sizeof(int));
    for (int i = 0; i < count; i++) {
        char buf[1024];
        struct slice request = S(GET "\r\n");
        fds[i] = kit_dial_port(port);
        if (send(fds[i], request.ptr, request.len, MSG_NOSIGNAL) != (ssize_t)request.len || recv(fds[i], buf, sizeof(buf), 0) <= 0)
            return 1;
    }
    if (write(ready_fd, "r", 1) != 1)
        return 1;
    (void)!read(port_fd, &port, 1); /* until the test closes it */
    for (int i = 0; i < count; i++)
        close(fds[i]);
    free(fds);
    return 0;
}

static void test_ten_thousand_idle_connections_cost_little_and_delay_nobody(void **state)
{
    int count = connections_allowed(10000);
    int port_pipe[2], ready_pipe[2];
    assert_int_equal(pipe(port_pipe) + pipe(ready_pipe), 0);
    pid_t child = fork(); /* before the server has threads */
    if (child == 0) {
        close(port_pipe[1]);
        _exit(run_idle_clients(port_pipe[0], ready_pipe[1], count));
    }
    struct http_server *server = kit_start();
    kit_barrier(server);
    int64_t before_kib = resident_kib();
    uint16_t port = http_server_port(server);
    char ready;
    assert_int_equal(write(port_pipe[1], &port, sizeof(port)), sizeof(port));
    assert_int_equal(read(ready_pipe[0], &ready, 1), 1);
    assert_true(stats_of(server).connections >= (size_t)count);
    double each_kib = (double)(resident_kib() - before_kib) / count;
    int64_t worst_ms = slowest_request_ms(server, 200);
    print_message("%d idle connections: %.2f KiB each; slowest of 200 requests beside them: %lld ms\n", count, each_kib, (long long)worst_ms);
    assert_true(IS_SANITIZED || each_kib < 4);
    assert_true(worst_ms < STARVED_MS);
    close(port_pipe[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(port_pipe[0]);
    close(ready_pipe[0]);
    close(ready_pipe[1]);
    http_server_stop(server, 1000);
}

#ifdef __SANITIZE_THREAD__
enum { SLOW = 200 }; /* its threads are slow to start */
#else
enum { SLOW = 1000 };
#endif

/* A quarter each: heads that stop, small bodies that stop, large bodies that stop, answers that nobody reads. */
static void dial_slow(const struct http_server *server, int fds[SLOW])
{
    static const char *const begins[] = {"GET / HTT", POST "Content-Length: 5\r\n\r\nhe", POST "Content-Length: 900000\r\n\r\nhe",
                                         "GET /large HTTP/1.1\r\nHost: h\r\n\r\n"};
    for (int i = 0; i < SLOW; i++) {
        int small = 4096;
        fds[i] = kit_dial(server);
        if (i % 4 == 3)
            (void)setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        kit_say(fds[i], slice_from_cstr(begins[i % 4]));
    }
}

static void test_slow_clients_starve_nobody_and_are_served_at_their_pace(void **state)
{
    int fds[SLOW];
    (void)connections_allowed(SLOW);
    struct http_server *server = kit_start();
    dial_slow(server, fds);
    int64_t worst_ms = slowest_request_ms(server, 100);
    struct http_server_stats stats = stats_of(server);
    print_message("%d slow clients: slowest of 100 requests beside them: %lld ms; %zu workers\n", SLOW, (long long)worst_ms, stats.workers);
    assert_true(worst_ms < STARVED_MS);
    assert_int_equal(stats.cut_slow + stats.cut_for_room, 0);
    for (int i = 0; i < SLOW; i++) {
        if (i % 4 < 2) {
            kit_say(fds[i], i % 4 ? S("llo") : S("P/1.1\r\nHost: h\r\n\r\n"));
            kit_hear(fds[i], S("slow"), i % 4 ? "200 hello" : "200 GET /", true);
        }
        close(fds[i]);
    }
    http_server_stop(server, 1000);
}

static void test_more_slow_clients_than_workers_delay_others_by_a_bound(void **state)
{
    int fds[SLOW];
    struct http_server *server;
    assert_null(http_server_start(&(struct http_server_options){.address = "127.0.0.1", .handler = kit_handle, .worker_max = 64}, &server));
    dial_slow(server, fds);
    int64_t worst_ms = slowest_request_ms(server, 20);
    struct http_server_stats stats = stats_of(server);
    print_message("%d slow clients, 64 workers: slowest of 20 requests: %lld ms; %llu were cut off\n", SLOW, (long long)worst_ms,
                  (unsigned long long)stats.cut_for_room);
    assert_true(worst_ms < 40000); /* 500 that need a worker, 64 in each half second: some 4 s, not the minute that each of them has */
    assert_true(stats.workers <= 64);
    for (int i = 0; i < SLOW; i++)
        close(fds[i]);
    http_server_stop(server, 1000);
}

/* ---- TLS ---- */

struct pki {
    char dir[32];
    char *cert_path, *key_path, *second_cert_path, *second_key_path;
    struct x509_pair ca, second_ca;
};

static char *write_pem(struct arena *arena, const char *dir, const char *name, struct slice pem)
{
    char *path = slice_cstr(arena, slice_fmt(arena, "%s/%s", dir, name));
    assert_null(file_write_atomic(path, pem, 0600));
    return path;
}

static void make_leaf(struct arena *arena, const struct pki *pki, const struct x509_pair *ca, const char *name, char **ret_cert, char **ret_key)
{
    const struct slice address = S("127.0.0.1");
    struct x509_pair leaf;
    assert_null(x509_make_leaf(
        arena, ca, &(struct x509_leaf_options){.common_name = slice_from_cstr(name), .addresses = &address, .address_count = 1}, &leaf));
    *ret_cert = write_pem(arena, pki->dir, slice_cstr(arena, slice_fmt(arena, "%s.crt", name)), leaf.cert_pem);
    *ret_key = write_pem(arena, pki->dir, slice_cstr(arena, slice_fmt(arena, "%s.key", name)), leaf.key_pem);
}

static void pki_make(struct arena *arena, struct pki *pki)
{
    strncpy(pki->dir, "/tmp/http_test.XXXXXX", sizeof(pki->dir));
    assert_non_null(mkdtemp(pki->dir));
    assert_null(x509_make_ca(arena, S("first CA"), &pki->ca));
    assert_null(x509_make_ca(arena, S("second CA"), &pki->second_ca));
    make_leaf(arena, pki, &pki->ca, "first", &pki->cert_path, &pki->key_path);
    make_leaf(arena, pki, &pki->second_ca, "second", &pki->second_cert_path, &pki->second_key_path);
}

static int64_t ahead_ms, held_ms; /* atomic; held_ms: the clock stands there, 0: it runs */

static int64_t moved_now_ms(void *unused)
{
    (void)unused;
    int64_t held = __atomic_load_n(&held_ms, __ATOMIC_ACQUIRE);
    return (held ? held : monotonic_ms()) + __atomic_load_n(&ahead_ms, __ATOMIC_ACQUIRE);
}

static struct http_server *start_tls(const struct pki *pki)
{
    struct http_server *server;
    struct err *e = http_server_start(&(struct http_server_options){.address = "127.0.0.1",
                                                                    .handler = kit_handle,
                                                                    .now_ms = moved_now_ms,
                                                                    .tls_cert_path = pki->cert_path,
                                                                    .tls_key_path = pki->key_path},
                                      &server);
    assert_null(e);
    return server;
}

static struct http_client *client_that_trusts(const struct x509_pair *ca)
{
    struct http_client *client;
    assert_null(http_client_new(&(struct http_client_options){.ca_pem = ca->cert_pem}, &client));
    return client;
}

/* False: the call failed. */
static bool client_asks(struct http_client *client, const struct http_server *server)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct http_response response;
    struct err *e = http_client_call(
        client, arena,
        &(struct http_call){.method = S("GET"), .url = slice_fmt(arena, "https://127.0.0.1:%u/", http_server_port(server))}, &response);
    bool answered = !e;
    if (e)
        print_message("%s\n", e->message);
    err_free(e);
    assert_true(!answered || slice_eq(response.body, S("GET /")));
    return answered;
}

static void test_stopped_handshakes_starve_nobody_and_end_after_ten_seconds(void **state)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct pki pki;
    pki_make(arena, &pki);
    int fds[SLOW];
    (void)connections_allowed(SLOW);
    __atomic_store_n(&held_ms, monotonic_ms(), __ATOMIC_RELEASE); /* however long it takes to dial them all */
    struct http_server *server = start_tls(&pki);
    struct http_client *client = client_that_trusts(&pki.ca);
    for (int i = 0; i < SLOW; i++) {
        fds[i] = kit_dial(server);
        if (i % 2)
            kit_say(fds[i], S("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"));
    }
    int64_t begun_ms = monotonic_ms();
    assert_true(client_asks(client, server));
    int64_t took_ms = monotonic_ms() - begun_ms;
    print_message("%d stopped handshakes: a whole one and a request beside them: %lld ms\n", SLOW, (long long)took_ms);
    while (stats_of(server).handshaking != SLOW && monotonic_ms() < begun_ms + 120000)
        assert_true(client_asks(client, server));
    assert_int_equal(stats_of(server).handshaking, SLOW);
    __atomic_store_n(&ahead_ms, 11000, __ATOMIC_RELEASE);
    http_server_clock_moved(server);
    for (int i = 0; i < SLOW; i++)
        kit_check_after(fds[i], S("a stopped handshake"), false);
    assert_true(client_asks(client, server));
    assert_int_equal(stats_of(server).tls_handshakes, 1); /* the client's connection went on */
    assert_true(stats_of(server).tls_handshake_failures >= SLOW);
    __atomic_store_n(&held_ms, 0, __ATOMIC_RELEASE);
    for (int i = 0; i < SLOW; i++)
        close(fds[i]);
    http_client_free(client);
    http_server_stop(server, 1000);
    assert_null(tree_remove(pki.dir));
}

static void expect_reload_error(struct http_server *server, const char *cert_path, const char *key_path)
{
    struct err *e = http_server_reload_tls(server, cert_path, key_path);
    assert_non_null(e);
    err_free(e);
}

static void test_a_new_certificate_is_for_new_connections_and_a_bad_one_changes_nothing(void **state)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct pki pki;
    pki_make(arena, &pki);
    struct http_server *server = start_tls(&pki);
    struct http_client *old = client_that_trusts(&pki.ca), *stranger = client_that_trusts(&pki.ca);
    struct http_client *second = client_that_trusts(&pki.second_ca);
    assert_true(client_asks(old, server));
    assert_false(client_asks(second, server));

    expect_reload_error(server, "/nonexistent", NULL);
    expect_reload_error(server, pki.second_cert_path, NULL); /* not the first one's key */
    expect_reload_error(server, pki.key_path, pki.key_path);
    assert_false(client_asks(second, server));

    assert_null(http_server_reload_tls(server, pki.second_cert_path, pki.second_key_path));
    uint64_t handshakes = stats_of(server).tls_handshakes;
    assert_true(client_asks(old, server)); /* on the connection that it has */
    assert_int_equal(stats_of(server).tls_handshakes, handshakes);
    assert_true(client_asks(second, server));
    assert_false(client_asks(stranger, server));

    assert_null(http_server_reload_tls(server, NULL, NULL)); /* what it was started with */
    assert_true(client_asks(stranger, server));
    assert_int_equal(stats_of(server).tls_reloads, 2);
    http_client_free(old);
    http_client_free(second);
    http_client_free(stranger);
    http_server_stop(server, 1000);

    server = kit_start();
    expect_reload_error(server, pki.cert_path, pki.key_path); /* no TLS there */
    http_server_stop(server, 1000);
    assert_null(tree_remove(pki.dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_thousand_idle_connections_cost_little_and_delay_nobody),
        cmocka_unit_test(test_slow_clients_starve_nobody_and_are_served_at_their_pace),
        cmocka_unit_test(test_more_slow_clients_than_workers_delay_others_by_a_bound),
        cmocka_unit_test(test_stopped_handshakes_starve_nobody_and_end_after_ten_seconds),
        cmocka_unit_test(test_a_new_certificate_is_for_new_connections_and_a_bad_one_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
