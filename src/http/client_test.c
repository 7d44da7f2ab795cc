/* The client against a server that answers what the test says, byte for byte. */
#include "http/client.h"
#include "base/arena.h"
#include "base/fd.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct fake {
    int listener;
    char url[64];
    const char *const *answers; /* one a request, on one connection; ends with NULL */
    pthread_t thread;
};

static void *fake_main(void *arg)
{
    struct fake *f = arg;
    int fd = accept(f->listener, NULL, NULL);
    assert_true(fd >= 0);
    for (const char *const *answer = f->answers; *answer; answer++) {
        char head[4096];
        size_t len = 0;
        while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
            ssize_t n = read(fd, head + len, sizeof(head) - len);
            if (n <= 0) { /* the client took another connection */
                close(fd);
                fd = accept(f->listener, NULL, NULL);
                len = 0;
                continue;
            }
            len += (size_t)n;
        }
        assert_int_equal(write(fd, *answer, strlen(*answer)), strlen(*answer));
    }
    close(fd);
    return NULL;
}

static void fake_start(struct fake *f, const char *const *answers)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    f->answers = answers;
    assert_int_equal(bind(f->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(f->listener, 4), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&f->thread, NULL, fake_main, f), 0);
}

static void fake_end(struct fake *f)
{
    pthread_join(f->thread, NULL);
    close(f->listener);
}

/* libcurl 7.88 remembers the last header of the answer before, freed by then, when the same handle is used again. */
static void test_a_folded_first_header_does_not_touch_the_answer_before(void **state)
{
    (void)state;
    static const char *const ANSWERS[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Last: a value that is long enough\r\n\r\nhi",
        "HTTP/1.1 200 OK\n folded: onto nothing\r\nConnection: close\r\nContent-Length: 2\r\n\r\nho",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend",
        NULL,
    };
    struct fake f;
    struct http_client *client;
    fake_start(&f, ANSWERS);
    assert_null(http_client_new(&(struct http_client_options){0}, &client));
    for (int i = 0; i < 3; i++) {
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        struct http_response response;
        struct err *e = http_client_call(client, arena, &(struct http_call){.method = S("GET"), .url = slice_from_cstr(f.url), .timeout_ms = 20000}, &response);
        if (i != 1) { /* what the second becomes is libcurl's to say */
            assert_null(e);
            assert_int_equal(response.status, 200);
        }
        err_free(e);
    }
    http_client_free(client);
    fake_end(&f);
}

static void test_an_answer_without_a_status_is_none(void **state)
{
    (void)state;
    static const char *const ANSWERS[] = {"HTTP/200 OK\r\nConnection: close\r\n\r\n", NULL};
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct fake f;
    struct http_client *client;
    struct http_response response;
    fake_start(&f, ANSWERS);
    assert_null(http_client_new(&(struct http_client_options){0}, &client));
    struct err *e = http_client_call(client, arena, &(struct http_call){.method = S("GET"), .url = slice_from_cstr(f.url), .timeout_ms = 20000}, &response);
    assert_true(e && e->kind == ERR_UNAVAILABLE);
    err_free(e);
    http_client_free(client);
    fake_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_folded_first_header_does_not_touch_the_answer_before),
        cmocka_unit_test(test_an_answer_without_a_status_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
