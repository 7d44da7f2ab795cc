#include "http/answers_kit.h"
#include "base/arena.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static void answer_chunks(struct http_request *request)
{
    struct err *e = http_respond_begin(request, 200, NULL, 0, -1);
    if (!e)
        e = http_respond_write(request, S("ab"));
    if (!e)
        e = http_respond_write(request, S("cde"));
    http_respond_end(request);
    err_free(e);
}

void kit_handle(struct http_request *request, void *ctx)
{
    (void)ctx;
    struct arena *arena = request->arena;
    if (slice_eq(request->path, S("/echo"))) {
        struct slice body;
        struct err *e = http_body_read_all(request, 1000000, &body);
        int status = !e ? 200 : e->kind == ERR_LIMIT ? 413 : 400;
        http_respond(request, status, NULL, 0,
                     !e                       ? body
                     : e->kind == ERR_LIMIT   ? S("LIMIT")
                     : e->kind == ERR_INVALID ? S("INVALID")
                                              : S("?"));
        err_free(e);
    } else if (slice_eq(request->path, S("/ignore"))) {
        http_respond(request, 200, NULL, 0, S("ignored"));
    } else if (slice_eq(request->path, S("/header"))) {
        http_respond(request, 200, NULL, 0,
                     slice_fmt(arena, "[%.*s]", SLICE_ARG(http_header_get(request->headers, S("x-raw")))));
    } else if (slice_eq(request->path, S("/204")) || slice_eq(request->path, S("/304"))) {
        http_respond(request, slice_eq(request->path, S("/204")) ? 204 : 304, NULL, 0, S("never sent"));
    } else if (slice_eq(request->path, S("/split"))) {
        http_respond(request, 200, &(struct http_header){S("X"), S("a\r\nSet-Cookie: b")}, 1, S("x"));
    } else if (slice_eq(request->path, S("/large"))) {
        static char large[64 << 20]; /* more than any socket takes; never touched */
        http_respond(request, 200, NULL, 0, slice_of(large, sizeof(large)));
    } else if (slice_eq(request->path, S("/large-stream"))) {
        struct http_stream *stream = http_detach(request, 200, NULL, 0, NULL, NULL);
        size_t len = 15 << 20;
        err_free(http_stream_write(stream, slice_of(arena_alloc(arena, len), len)));
        http_stream_close(stream);
    } else if (slice_eq(request->path, S("/chunks"))) {
        answer_chunks(request);
    } else if (slice_eq(request->path, S("/twice"))) {
        http_respond(request, 200, NULL, 0, S("one"));
        http_respond(request, 200, NULL, 0, S("two"));
    } else if (!slice_eq(request->path, S("/silent"))) {
        struct slice text = request->query.ptr
                                ? slice_fmt(arena, "%.*s %.*s ?%.*s", SLICE_ARG(request->method),
                                            SLICE_ARG(request->path), SLICE_ARG(request->query))
                                : slice_fmt(arena, "%.*s %.*s", SLICE_ARG(request->method), SLICE_ARG(request->path));
        http_respond(request, 200, NULL, 0, text);
    }
}

struct http_server *kit_start(void)
{
    struct http_server *server;
    struct err *e = http_server_start(&(struct http_server_options){.address = "127.0.0.1", .handler = kit_handle}, &server);
    assert_null(e);
    return server;
}

int kit_dial(const struct http_server *server)
{
    return kit_dial_port(http_server_port(server));
}

int kit_dial_port(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

void kit_say(int fd, struct slice bytes)
{
    (void)!send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL); /* refused early: the answer tells */
}

/* ---- what must be heard ---- */

#define DATE "Date: D\r\n"

static void expect_one(struct strbuf *out, struct slice answer, bool keep)
{
    bool refusal = slice_starts_with(answer, S("!"));
    if (refusal)
        answer = slice_from(answer, 1);
    int64_t status, head_length = -1;
    assert_true(slice_to_i64(slice_sub(answer, 0, 3), 100, 999, &status));
    if (status == 100) {
        strbuf_append(out, S("HTTP/1.1 100 Continue\r\n\r\n"));
        return;
    }
    char mode = answer.len > 3 ? answer.ptr[3] : ' ';
    struct slice body = answer.len > 4 ? slice_from(answer, 4) : S("");
    if (mode == '-')
        assert_true(slice_to_i64(slice_cut(&body, ' '), 0, 1000000, &head_length));
    char refused[300];
    strbuf_append_fmt(out, "HTTP/1.1 %d %s\r\n", (int)status, http_status_text((int)status));
    if (refusal) {
        strbuf_append(out, S("Content-Type: text/plain; charset=utf-8\r\n"));
        int n = snprintf(refused, sizeof(refused), "%d %s: %.*s\n", (int)status, http_status_text((int)status), SLICE_ARG(body));
        body = slice_of(refused, (size_t)n);
    }
    strbuf_append(out, S(DATE));
    if (status != 204 && status != 304)
        strbuf_append_fmt(out, "Content-Length: %lld\r\n", head_length >= 0 ? (long long)head_length : (long long)body.len);
    strbuf_append(out, keep || mode == '+' ? S("Connection: keep-alive\r\n\r\n") : S("Connection: close\r\n\r\n"));
    if (head_length < 0)
        strbuf_append(out, body);
}

#define CHUNKED_HEAD "HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"

static void expect_all(struct strbuf *out, const char *answers, bool open)
{
    if (!strcmp(answers, "chunked ab|cde")) {
        strbuf_append(out, S(CHUNKED_HEAD "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"));
    } else if (!strcmp(answers, "head of chunks")) {
        strbuf_append(out, S(CHUNKED_HEAD));
    } else if (!strcmp(answers, "raw abcde")) {
        strbuf_append(out, S("HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\n\r\nabcde"));
    } else {
        struct slice rest = answers[0] ? slice_from_cstr(answers) : SLICE_NONE;
        while (rest.ptr) {
            struct slice answer = slice_cut(&rest, '|');
            expect_one(out, answer, rest.ptr || open);
        }
    }
}

/* Dates become "D", so that answers can be compared. */
static void blank_dates(struct strbuf *text)
{
    struct strbuf out = STRBUF_HEAP;
    struct slice rest = strbuf_slice(text);
    ptrdiff_t at;
    while ((at = slice_find(rest, S("\r\nDate: "))) >= 0) {
        strbuf_append(&out, slice_sub(rest, 0, (size_t)at));
        strbuf_append(&out, S("\r\nDate: D"));
        rest = slice_from(rest, (size_t)at + 8);
        ptrdiff_t end = slice_find(rest, S("\r\n"));
        rest = slice_from(rest, end < 0 ? rest.len : (size_t)end);
    }
    strbuf_append(&out, rest);
    strbuf_deinit(text);
    *text = out;
}

/* Reads until that many bytes (dates blanked) are there, or the end, or two minutes have passed. */
static void read_answer(int fd, struct strbuf *text, size_t want)
{
    struct strbuf raw = STRBUF_HEAP;
    for (;;) {
        strbuf_deinit(text);
        *text = STRBUF_HEAP;
        strbuf_append(text, strbuf_slice(&raw));
        blank_dates(text);
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        char buf[4096];
        if (text->len >= want || poll(&entry, 1, 120000) <= 0)
            break;
        ssize_t n = recv(fd, buf, sizeof(buf), 0);
        if (n <= 0)
            break;
        strbuf_append_bytes(&raw, buf, (size_t)n);
    }
    strbuf_deinit(&raw);
}

void kit_hear(int fd, struct slice title, const char *answers, bool open)
{
    struct strbuf want = STRBUF_HEAP, got = STRBUF_HEAP;
    expect_all(&want, answers, open);
    read_answer(fd, &got, want.len);
    if (!slice_eq(strbuf_slice(&got), strbuf_slice(&want)))
        fail_msg("%.*s\n--- gave\n%.*s\n--- not\n%.*s", SLICE_ARG(title), SLICE_ARG(strbuf_slice(&got)), SLICE_ARG(strbuf_slice(&want)));
    strbuf_deinit(&want);
    strbuf_deinit(&got);
}

#define PROBE "GET /probe HTTP/1.1\r\nHost: h\r\n\r\n"

void kit_barrier(const struct http_server *server)
{
    int fd = kit_dial(server);
    kit_say(fd, S("GET /probe HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    kit_hear(fd, S("barrier"), "200 GET /probe", false);
    close(fd);
}

void kit_hear_nothing(const struct http_server *server, int fd, struct slice title)
{
    char c;
    kit_barrier(server);
    if (recv(fd, &c, 1, MSG_DONTWAIT) >= 0)
        fail_msg("%.*s\n--- said something too early: %c", SLICE_ARG(title), c);
}

void kit_check_after(int fd, struct slice title, bool open)
{
    if (open) {
        kit_say(fd, S(PROBE));
        kit_hear(fd, title, "200 GET /probe", true);
        return;
    }
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    char c;
    if (poll(&entry, 1, 120000) != 1 || recv(fd, &c, 1, 0) != 0)
        fail_msg("%.*s\n--- left the connection open, or said more", SLICE_ARG(title));
}

void kit_check_case(const struct http_server *server, const struct raw_case *c, size_t split)
{
    struct slice request = slice_of(c->request, c->len);
    int fd = kit_dial(server);
    if (split) {
        kit_say(fd, slice_sub(request, 0, split));
        kit_barrier(server);
    }
    kit_say(fd, slice_from(request, split));
    if (c->half_close)
        shutdown(fd, SHUT_WR);
    kit_hear(fd, request, c->answers, c->open);
    kit_check_after(fd, request, c->open);
    close(fd);
}
