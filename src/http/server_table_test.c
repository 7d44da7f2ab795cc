/* Raw requests over a real socket: the exact answers, byte for byte but for the date, and whether the connection lives
 * on. */
#include "base/arena.h"
#include "base/strbuf.h"
#include "http/server.h"
#include <arpa/inet.h>
#include <netinet/in.h>
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

/* request; answers, '|' between them: "200 BODY" is the handler's, "!400 WHY" the server's refusal; open: the
 * connection may be used again. */
struct raw_case {
    const char *request;
    size_t len; /* 0: strlen */
    const char *answers;
    bool open;
};

#define R(text) text, sizeof(text) - 1
#define GET "GET / HTTP/1.1\r\nHost: h\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: h\r\n"
#define X8(s) s s s s s s s s
#define X64(s) X8(s) X8(s) X8(s) X8(s) X8(s) X8(s) X8(s) X8(s)

/* clang-format off */
static const struct raw_case cases[] = {
    /* well-formed */
    {R(GET "\r\n"), "200 GET /", true},
    {R("\r\n\r\n" GET "\r\n"), "200 GET /", true},
    {R("GET /a/../b%2F%00?x=1&y HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET /a/../b%2F%00 ?x=1&y", true},
    {R("GET //a?? HTTP/1.1\r\nhOsT:h:80\r\n\r\n"), "200 GET //a ??", true},
    {R("GET http://h/p?q HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET /p ?q", true},
    {R("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET /", true},
    {R("GET HTTPS://h?q HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET / ?q", true},
    {R("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), "200 OPTIONS *", true},
    {R("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "200 GET /", true},
    {R("M-SEARCH / HTTP/1.1\r\nHost: h\r\n\r\n"), "200 M-SEARCH /", true},
    {R("GET /header HTTP/1.1\r\nHost: h\r\nX-Raw: \t a  b\t\r\n\r\n"), "200 [a  b]", true},
    {R("GET /header HTTP/1.1\r\nHost: h\r\nX-Raw:\r\n\r\n"), "200 []", true},
    {R("GET /header HTTP/1.1\r\nHost: h\r\nX-Raw:\xc3\xa9\r\n\r\n"), "200 [\xc3\xa9]", true},
    {R("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "200 GET /", false},
    {R("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n"), "200 GET /", false},
    {R("GET / HTTP/1.0\r\n\r\n"), "200 GET /", false},
    {R("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"), "200 GET /", false},
    {R("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"), "200-6", true},
    {R("GET /204 HTTP/1.1\r\nHost: h\r\n\r\n"), "204", true},
    {R("GET /304 HTTP/1.1\r\nHost: h\r\n\r\n"), "304", true},
    {R("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n"), "500", false},
    {R("GET /split HTTP/1.1\r\nHost: h\r\n\r\n"), "500", true},
    {R("GET /twice HTTP/1.1\r\nHost: h\r\n\r\n"), "200 one", true},
    {R("GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n"), "chunked ab|cde", true},
    {R("GET /chunks HTTP/1.0\r\n\r\n"), "raw abcde", false},
    {R(GET "\r\n" GET "\r\n" "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET /|200 GET /|200 GET /2", true},
    /* bodies */
    {R(POST "Content-Length: 0\r\n\r\n"), "200 ", true},
    {R(POST "Content-Length: 5\r\n\r\nhello"), "200 hello", true},
    {R(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"), "200 hello", true},
    {R(POST "Content-Length: 5\r\n\r\nhello" GET "\r\n"), "200 hello|200 GET /", true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "200 hello", true},
    {R(POST "transfer-encoding: CHUNKED\r\n\r\n5;a=\"b\"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX-T: y\r\n\r\n" GET "\r\n"),
     "200 hello0123456789|200 GET /", true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "200 ", true},
    {R("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" GET "\r\n"), "200 ignored|200 GET /", true},
    {R("POST /ignore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "200 ignored", false},
    {R("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nhello"), "200 ignored", false},
    {R("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"), "200 ignored", false},
    {R(POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"), "200 hello", true},
    {R(POST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n"), "200 ", true},
    {R("POST /echo HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nab"), "200 ab", false},
    {R(POST "Content-Length: 2000000\r\n\r\n"), "413 LIMIT", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\nz\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\nb\r\n\r\n"), "400 INVALID", false},
    /* framing that two readers could read in two ways */
    {R(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "!400 there are both Content-Length and Transfer-Encoding", false},
    {R(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), "!400 there are two different Content-Length headers", false},
    {R(POST "Content-Length: 5, 5\r\n\r\nhello"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: +5\r\n\r\nhello"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: -5\r\n\r\n"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: 0x5\r\n\r\n"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length:\r\n\r\n"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: 99999999999999999999\r\n\r\n"), "!400 Content-Length is no number", false},
    {R(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: identity\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n"), "!400 a header's value has a control byte", false},
    {R("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), "!400 HTTP/1.0 has no Transfer-Encoding", false},
    {R("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), "!400 there are two Host headers", false},
    {R("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), "!400 the Host header is no host", false},
    {R("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), "!400 the Host header is no host", false},
    {R("GET / HTTP/1.1\r\n\r\n"), "!400 there is no Host header", false},
    {R("GET http://other/ HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the Host header is not the request target's host", false},
    {R("GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target's host is none", false},
    {R("GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target's host is none", false},
    {R(GET "Foo : b\r\n\r\n"), "!400 a header's name has a byte that no name may have", false},
    {R(GET " Foo: b\r\n\r\n"), "!400 a header goes on over two lines", false},
    {R(GET "Foo: b\r\n\tc\r\n\r\n"), "!400 a header goes on over two lines", false},
    {R(GET "Foo\r\n\r\n"), "!400 a header has no colon", false},
    {R(GET ": b\r\n\r\n"), "!400 a header's name has a byte that no name may have", false},
    {R(GET "F\xc3\xa9: b\r\n\r\n"), "!400 a header's name has a byte that no name may have", false},
    {R(GET "Foo: a\x7f\r\n\r\n"), "!400 a header's value has a control byte", false},
    {R(GET "Foo: a\0b\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R(GET "Foo:\rTransfer-Encoding: chunked\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R(GET "Foo: a\nBar: b\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R("GET / HTTP/1.1\nHost: h\n\n"), "!400 the head is malformed or too large", false},
    {R(" GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R("\x16\x03\x01\x02"), "!400 the head is malformed or too large", false},
    /* request lines */
    {R("GET /\r\nHost: h\r\n\r\n"), "!400 the request line must be method, target and version", false},
    {R("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request line must be method, target and version", false},
    {R("GET / HTTP/1.1 \r\nHost: h\r\n\r\n"), "!400 the request line's version is none", false},
    {R("GET / http/1.1\r\nHost: h\r\n\r\n"), "!400 the request line's version is none", false},
    {R("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), "!505 only HTTP/1.0 and HTTP/1.1 are spoken here", false},
    {R("PRI * HTTP/2.0\r\n\r\n"), "!505 only HTTP/1.0 and HTTP/1.1 are spoken here", false},
    {R("GE(T / HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request line has no method", false},
    {R("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target has a byte that must be encoded", false},
    {R("GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target has a byte that must be encoded", false},
    {R("GET * HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target * is for OPTIONS", false},
    {R("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target is neither a path nor an absolute URL", false},
    {R("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target is neither a path nor an absolute URL", false},
    {R(POST "Content-Length: 3\r\nExpect: 200-ok\r\n\r\n"), "!417 only 100-continue can be expected", false},
    {R(GET X64("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") "C: d\r\nC: d\r\nC: d\r\n\r\n"), "200 GET /", true},
    {R(GET X64("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") "C: d\r\nC: d\r\nC: d\r\nC: d\r\n\r\n"),
     "!431 there are more than 100 headers", false},
};
/* clang-format on */

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

static void handle(struct http_request *request, void *ctx)
{
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

#define DATE "Date: D\r\n"

static void expect_one(struct strbuf *out, struct slice answer, bool keep)
{
    bool refusal = slice_starts_with(answer, S("!"));
    if (refusal)
        answer = slice_from(answer, 1);
    const char *connection = keep ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    struct slice body = SLICE_NONE;
    struct slice rest = answer;
    struct slice status_text = slice_cut(&rest, ' ');
    int64_t head_length = -1;
    struct slice number = status_text, after_dash;
    if (slice_split(status_text, '-', &number, &after_dash))
        assert_true(slice_to_i64(after_dash, 0, 1000000, &head_length));
    int64_t status;
    assert_true(slice_to_i64(number, 100, 999, &status));
    body = rest.ptr ? rest : S("");
    char refused[300];
    strbuf_append_fmt(out, "HTTP/1.1 %d %s\r\n", (int)status, http_status_text((int)status));
    if (refusal) {
        strbuf_append(out, S("Content-Type: text/plain; charset=utf-8\r\n"));
        int n = snprintf(refused, sizeof(refused), "%d %s: %.*s\n", (int)status, http_status_text((int)status),
                         SLICE_ARG(body));
        body = slice_of(refused, (size_t)n);
    }
    strbuf_append(out, S(DATE));
    if (status != 204 && status != 304)
        strbuf_append_fmt(out, "Content-Length: %lld\r\n",
                          head_length >= 0 ? (long long)head_length : (long long)body.len);
    strbuf_append_cstr(out, connection);
    strbuf_append(out, body);
}

static void expect_all(struct strbuf *out, const struct raw_case *c)
{
    if (!strcmp(c->answers, "chunked ab|cde")) {
        strbuf_append(
            out, S("HTTP/1.1 200 OK\r\n" DATE
                   "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"));
        return;
    }
    if (!strcmp(c->answers, "raw abcde")) {
        strbuf_append(out, S("HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\n\r\nabcde"));
        return;
    }
    struct slice rest = slice_from_cstr(c->answers);
    while (rest.ptr) {
        struct slice answer = slice_cut(&rest, '|');
        expect_one(out, answer, rest.ptr || c->open);
    }
}

static int dial(const struct http_server *server)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(http_server_port(server)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
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
        rest = slice_from(rest, (size_t)slice_find(rest, S("\r\n")));
    }
    strbuf_append(&out, rest);
    strbuf_deinit(text);
    *text = out;
}

/* Reads until that many bytes (dates blanked) are there, or the end, or 5 s. */
static bool read_answer(int fd, struct strbuf *text, size_t want)
{
    struct strbuf raw = STRBUF_HEAP;
    bool ended = false;
    for (;;) {
        strbuf_deinit(text);
        *text = STRBUF_HEAP;
        strbuf_append(text, strbuf_slice(&raw));
        blank_dates(text);
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        if (text->len >= want || ended || poll(&entry, 1, 5000) <= 0)
            break;
        char buf[4096];
        ssize_t n = recv(fd, buf, sizeof(buf), 0);
        ended = n <= 0;
        if (n > 0)
            strbuf_append_bytes(&raw, buf, (size_t)n);
    }
    strbuf_deinit(&raw);
    return !ended;
}

static bool is_at_end(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    char c;
    return poll(&entry, 1, 5000) == 1 && recv(fd, &c, 1, 0) == 0;
}

static void check_case(const struct http_server *server, const struct raw_case *c, size_t piece)
{
    int fd = dial(server);
    for (size_t at = 0; at < c->len; at += piece) {
        size_t n = c->len - at < piece ? c->len - at : piece;
        if (send(fd, c->request + at, n, MSG_NOSIGNAL) != (ssize_t)n)
            break; /* refused early: the answer tells */
    }
    struct strbuf want = STRBUF_HEAP, got = STRBUF_HEAP;
    expect_all(&want, c);
    (void)read_answer(fd, &got, want.len);
    if (!slice_eq(strbuf_slice(&got), strbuf_slice(&want)))
        fail_msg("%.*s\n--- gave\n%.*s\n--- not\n%.*s", (int)c->len, c->request, SLICE_ARG(strbuf_slice(&got)),
                 SLICE_ARG(strbuf_slice(&want)));
    if (c->open) {
        const char probe[] = "GET /probe HTTP/1.1\r\nHost: h\r\n\r\n";
        assert_int_equal(send(fd, probe, sizeof(probe) - 1, MSG_NOSIGNAL), sizeof(probe) - 1);
        strbuf_truncate(&want, 0);
        expect_one(&want, S("200 GET /probe"), true);
        (void)read_answer(fd, &got, want.len);
        assert_true(slice_eq(strbuf_slice(&got), strbuf_slice(&want)));
    } else if (!is_at_end(fd)) {
        fail_msg("%.*s\n--- left the connection open", (int)c->len, c->request);
    }
    strbuf_deinit(&want);
    strbuf_deinit(&got);
    close(fd);
}

static struct http_server *start(void)
{
    struct http_server *server;
    struct err *e =
        http_server_start(&(struct http_server_options){.address = "127.0.0.1", .handler = handle}, &server);
    assert_null(e);
    return server;
}

static void test_raw_requests_get_their_exact_answers(void **state)
{
    struct http_server *server = start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_case(server, &cases[i], 1 << 20);
    http_server_stop(server, 1000);
}

static void test_raw_requests_that_arrive_byte_by_byte_get_the_same(void **state)
{
    struct http_server *server = start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (cases[i].len < 300 && cases[i].open)
            check_case(server, &cases[i], 1);
    http_server_stop(server, 1000);
}

static void test_heads_that_are_too_large_are_refused(void **state)
{
    struct http_server *server = start();
    struct strbuf text = STRBUF_HEAP;
    strbuf_append(&text, S("GET /"));
    for (int i = 0; i < 70000; i++)
        strbuf_append_char(&text, 'a');
    check_case(server, &(struct raw_case){text.ptr, text.len, "!414 the head is malformed or too large", false},
               1 << 20);
    strbuf_truncate(&text, 40000);
    strbuf_append(&text, S(" HTTP/1.1\r\nHost: h\r\n\r\n"));
    check_case(server, &(struct raw_case){text.ptr, text.len, "!414 the request target is too long", false}, 1 << 20);
    strbuf_truncate(&text, 0);
    strbuf_append(&text, S(GET "X: "));
    for (int i = 0; i < 70000; i++)
        strbuf_append_char(&text, 'a');
    check_case(server, &(struct raw_case){text.ptr, text.len, "!431 the head is malformed or too large", false},
               1 << 20);
    strbuf_truncate(&text, 60000);
    strbuf_append(&text, S("\r\n\r\n"));
    check_case(server, &(struct raw_case){text.ptr, text.len, "200 GET /", true}, 1 << 20);
    strbuf_deinit(&text);
    http_server_stop(server, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw_requests_get_their_exact_answers),
        cmocka_unit_test(test_raw_requests_that_arrive_byte_by_byte_get_the_same),
        cmocka_unit_test(test_heads_that_are_too_large_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
