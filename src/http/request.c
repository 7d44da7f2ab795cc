/* request: runs one request in a worker: head -> handler -> answer, and the body in between. */
#include "http/server_internal.h"
#include <poll.h>
#include <string.h>

/* ---- body ---- */

/* A failed read leaves bytes of unknown meaning on the connection: it is closed after the answer. */
static struct err *body_fail(struct exchange *exchange, struct err *e)
{
    exchange->keep_alive = false;
    exchange->body_failed = true;
    return e;
}

/* Bytes of the body as they are on the wire: what the waiter had read already, then the socket. */
static struct err *body_read_wire(struct http_request *request, void *buf, size_t cap, int timeout_ms, size_t *ret_len)
{
    struct connection *connection = request_connection(request);
    if (connection->in.len) {
        size_t n = connection->in.len < cap ? connection->in.len : cap;
        memcpy(buf, connection->in.ptr, n);
        strbuf_consume(&connection->in, n);
        *ret_len = n;
        return NULL;
    }
    struct exchange *exchange = &connection->exchange;
    if (exchange->continue_due) {
        exchange->continue_due = false;
        TRY(connection_write(connection, S("HTTP/1.1 100 Continue\r\n\r\n")));
    }
    TRY(connection_read(connection, buf, cap, timeout_ms, ret_len));
    if (!*ret_len)
        return err_new(ERR_INVALID, "the request ended before its body was complete");
    return NULL;
}

static struct err *body_read_counted(struct http_request *request, void *buf, size_t cap, int timeout_ms,
                                     size_t *ret_len)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    if (cap > (uint64_t)exchange->body_left)
        cap = (size_t)exchange->body_left;
    TRY(body_read_wire(request, buf, cap, timeout_ms, ret_len));
    exchange->body_left -= (int64_t)*ret_len;
    exchange->body_done = exchange->body_left == 0;
    return NULL;
}

static struct err *body_read_chunked(struct http_request *request, char *buf, size_t cap, int timeout_ms,
                                     size_t *ret_len)
{
    struct connection *connection = request_connection(request);
    struct exchange *exchange = &connection->exchange;
    for (;;) {
        if (!connection->in.len) {
            char wire[READ_BYTES];
            size_t n;
            TRY(body_read_wire(request, wire, sizeof(wire), timeout_ms, &n));
            strbuf_append_bytes(&connection->in, wire, n);
        }
        size_t len = 0, at = 0;
        while (len < cap && !exchange->body_done && at < connection->in.len) {
            struct slice data;
            size_t used;
            /* No more than fits: the rest of a chunk stays in the buffer. Framing bytes only make that shorter. */
            enum http_chunks_result result = http_chunks_next(
                &exchange->chunks, slice_sub(strbuf_slice(&connection->in), at, cap - len), &used, &data);
            if (result == HTTP_CHUNKS_BROKEN)
                return err_new(ERR_INVALID, "the request's chunked body is broken");
            if (data.len)
                memcpy(buf + len, data.ptr, data.len);
            len += data.len;
            at += used;
            exchange->body_done = result == HTTP_CHUNKS_END;
        }
        strbuf_consume(&connection->in, at);
        if (len || exchange->body_done) {
            *ret_len = len;
            return NULL;
        }
    }
}

static struct err *body_read(struct http_request *request, void *buf, size_t cap, int timeout_ms, size_t *ret_len)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    if (exchange->body_done || !cap) {
        *ret_len = 0;
        return NULL;
    }
    if (exchange->broken || exchange->body_failed)
        return err_new(ERR_UNAVAILABLE, "the request's body cannot be read any further");
    size_t len = 0;
    struct err *e = request->chunked ? body_read_chunked(request, buf, cap, timeout_ms, &len)
                                     : body_read_counted(request, buf, cap, timeout_ms, &len);
    if (e)
        return body_fail(exchange, e);
    *ret_len = len;
    return NULL;
}

struct err *http_body_read(struct http_request *request, void *buf, size_t cap, size_t *ret_len)
{
    return body_read(request, buf, cap, BODY_IDLE_TIMEOUT_MS, ret_len);
}

struct err *http_body_read_all(struct http_request *request, size_t max_bytes, struct slice *ret_body)
{
    if (request->content_length >= 0 && (uint64_t)request->content_length > max_bytes)
        return err_new(ERR_LIMIT, "the request's body is larger than %zu bytes", max_bytes);
    struct strbuf body = STRBUF_ARENA(request->arena);
    if (request->content_length > 0)
        strbuf_reserve(&body,
                       (size_t)request->content_length < 1024 * 1024 ? (size_t)request->content_length : 1024 * 1024);
    for (;;) {
        char buf[READ_BYTES];
        size_t n;
        TRY(http_body_read(request, buf, sizeof(buf), &n));
        if (!n)
            break;
        if (body.len + n > max_bytes)
            return err_new(ERR_LIMIT, "the request's body is larger than %zu bytes", max_bytes);
        strbuf_append_bytes(&body, buf, n);
    }
    *ret_body = strbuf_slice(&body);
    return NULL;
}

bool request_drain_body(struct http_request *request)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    if (exchange->continue_due)
        return exchange->body_done;
    size_t drained = 0;
    int64_t deadline_ms = monotonic_ms() + DRAIN_TIMEOUT_MS;
    while (!exchange->body_done && drained <= DRAIN_MAX_BYTES) {
        char buf[READ_BYTES];
        size_t n;
        int64_t left_ms = deadline_ms - monotonic_ms();
        struct err *e = left_ms > 0 ? body_read(request, buf, sizeof(buf), (int)left_ms, &n) : NULL;
        if (e || left_ms <= 0) {
            err_free(e);
            return false;
        }
        drained += n;
    }
    return exchange->body_done;
}

/* ---- run ---- */

static void exchange_begin(struct connection *connection, const struct http_head *head)
{
    bool has_body = head->chunked || head->content_length > 0;
    connection->exchange = (struct exchange){
        .head = *head,
        .continue_due = head->expect_continue && connection->in.len == 0,
        .body_done = !has_body,
        .body_left = head->content_length > 0 ? head->content_length : 0,
        .answer_left = -1,
        .keep_alive = head->keep_alive,
    };
}

static void request_fill(struct http_request *request, struct connection *connection, const struct http_head *head)
{
    request->method = head->method;
    request->target = head->target;
    request->path = head->path;
    request->query = head->query;
    request->headers = head->headers;
    request->host = head->host;
    request->content_length = head->content_length;
    request->chunked = head->chunked;
    request->head_only = slice_eq(head->method, S("HEAD"));
    if (connection->tls && connection->server->options.client_ca_path &&
        !tls_peer_subject(connection->tls, request->arena, &request->client_common_name,
                          &request->client_organizations))
        request->client_common_name = request->client_organizations = SLICE_NONE;
}

static void request_serve(struct http_request *request, struct slice head_bytes)
{
    struct connection *connection = request_connection(request);
    struct exchange *exchange = &connection->exchange;
    struct http_head head;
    const char *why;
    int status = http_head_parse(request->arena, head_bytes, &head, &why);
    if (status) {
        respond_refusal(request, status, why);
        return;
    }
    exchange_begin(connection, &head);
    request_fill(request, connection, &head);
    connection->server->options.handler(request, connection->server->options.ctx);
    if (connection->stream)
        return;
    if (exchange->answer == ANSWER_NONE) {
        exchange->keep_alive = false;
        http_respond(request, 500, NULL, 0, SLICE_NONE);
    } else if (exchange->answer == ANSWER_BEGUN) {
        exchange->broken = true; /* the client must see that the answer is not whole */
    }
}

static enum connection_after request_after(struct http_request *request)
{
    struct connection *connection = request_connection(request);
    struct exchange *exchange = &connection->exchange;
    if (connection->stream)
        return AFTER_STREAM;
    if (exchange->broken)
        return AFTER_CLOSE;
    if (!exchange->keep_alive || !request_drain_body(request))
        return AFTER_DRAIN;
    return AFTER_KEEP;
}

void request_run(struct connection *connection)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct http_request request = {.arena = arena,
                                   .content_length = -1,
                                   .tls = connection->tls != NULL,
                                   .peer_address = connection_peer_text(connection, arena),
                                   .connection = connection};
    connection->exchange = (struct exchange){.body_done = true, .answer_left = -1};
    if (connection->refuse_status) {
        respond_refusal(&request, connection->refuse_status,
                        connection->refuse_status == 408 ? "the head did not arrive in time"
                                                         : "the head is malformed or too large");
    } else {
        struct slice head = slice_dup(arena, slice_of(connection->in.ptr, connection->head_len));
        strbuf_consume(&connection->in, connection->head_len);
        request_serve(&request, head);
    }
    connection->after = request_after(&request);
}

bool request_await(struct connection *connection)
{
    size_t scanned = 0;
    for (int round = 0; round < 2; round++) {
        if (connection->in.len) {
            int status = 0;
            if (http_head_scan(strbuf_slice(&connection->in), &scanned, &connection->head_len, &status) == HTTP_SCAN_COMPLETE)
                return true;
        }
        struct pollfd entry = {.fd = connection->fd, .events = POLLIN};
        char buf[READ_BYTES];
        size_t n;
        bool has_pending = connection->tls && tls_pending(connection->tls);
        if (round || (!has_pending && poll(&entry, 1, LINGER_MS) <= 0) || connection_recv(connection, buf, sizeof(buf), &n) != IO_OK)
            return false; /* an end or an error the waiter sees too */
        strbuf_append_bytes(&connection->in, buf, n);
    }
    return false;
}
