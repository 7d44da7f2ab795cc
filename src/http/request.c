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
static struct err *body_read_wire(struct http_request *request, void *buf, size_t cap, int64_t deadline_ms, size_t *ret_len)
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
    TRY(connection_read(connection, buf, cap, deadline_ms, ret_len));
    if (!*ret_len)
        return err_new(ERR_INVALID, "the request ended before its body was complete");
    return NULL;
}

static struct err *body_read_counted(struct http_request *request, void *buf, size_t cap, int64_t deadline_ms,
                                     size_t *ret_len)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    if (cap > (uint64_t)exchange->body_left)
        cap = (size_t)exchange->body_left;
    TRY(body_read_wire(request, buf, cap, deadline_ms, ret_len));
    request->bytes_in += *ret_len;
    exchange->body_left -= (int64_t)*ret_len;
    exchange->body_done = exchange->body_left == 0;
    return NULL;
}

static struct err *body_read_chunked(struct http_request *request, char *buf, size_t cap, int64_t deadline_ms,
                                     size_t *ret_len)
{
    struct connection *connection = request_connection(request);
    struct exchange *exchange = &connection->exchange;
    for (;;) {
        if (!connection->in.len) {
            char wire[READ_BYTES];
            size_t n;
            TRY(body_read_wire(request, wire, sizeof(wire), deadline_ms, &n));
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
        request->bytes_in += at;
        if (len || exchange->body_done) {
            *ret_len = len;
            return NULL;
        }
    }
}

static struct err *body_read(struct http_request *request, void *buf, size_t cap, int64_t deadline_ms, size_t *ret_len)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    if (exchange->body_done || !cap) {
        *ret_len = 0;
        return NULL;
    }
    if (exchange->broken || exchange->body_failed)
        return err_new(ERR_UNAVAILABLE, "the request's body cannot be read any further");
    size_t len = 0;
    struct err *e = request->chunked ? body_read_chunked(request, buf, cap, deadline_ms, &len)
                                     : body_read_counted(request, buf, cap, deadline_ms, &len);
    if (e)
        return body_fail(exchange, e);
    *ret_len = len;
    return NULL;
}

struct err *http_body_read(struct http_request *request, void *buf, size_t cap, size_t *ret_len)
{
    return body_read(request, buf, cap, 0, ret_len);
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
    int64_t deadline_ms = server_now_ms(request_connection(request)->server) + DRAIN_TIMEOUT_MS;
    while (!exchange->body_done && drained <= DRAIN_MAX_BYTES) {
        char buf[READ_BYTES];
        size_t n;
        struct err *e = body_read(request, buf, sizeof(buf), deadline_ms, &n);
        if (e) {
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
    request->minor_version = head->minor_version;
    request->host = head->host;
    request->content_length = head->content_length;
    request->chunked = head->chunked;
    request->head_only = slice_eq(head->method, S("HEAD"));
    if (connection->tls && connection->server->options.client_ca_path &&
        !tls_peer_subject(connection->tls, request->arena, &request->client_common_name,
                          &request->client_organizations))
        request->client_common_name = request->client_organizations = SLICE_NONE;
}

/* What comes within LINGER_MS, once, into connection->in; false: nothing, or the end, which others see too. */
static bool read_lingering(struct connection *connection)
{
    struct pollfd entry = {.fd = connection->fd, .events = POLLIN};
    char buf[READ_BYTES];
    size_t n;
    bool has_pending = connection->tls && tls_pending(connection->tls);
    if ((!has_pending && poll(&entry, 1, LINGER_MS) <= 0) || connection_recv(connection, buf, sizeof(buf), &n) != IO_OK)
        return false;
    strbuf_append_bytes(&connection->in, buf, n);
    return true;
}

/* A small body that comes slowly costs no worker: the waiter gathers it behind its head, and the request begins anew when it is whole.
 * Usually it is there already, or a moment later. Not when the client waits for a word from us first. */
static bool body_is_for_the_waiter(struct connection *connection, const struct http_head *head, size_t head_len)
{
    bool again = connection->body_wanted != 0; /* whole now, or the client ended it */
    connection->body_wanted = 0;
    if (again || head->content_length <= 0 || head->content_length > SMALL_BODY_MAX_BYTES)
        return false;
    size_t wanted = head_len + (size_t)head->content_length;
    if (head->expect_continue && connection->in.len == head_len)
        return false;
    for (int round = 0; round < 4 && connection->in.len < wanted; round++)
        if (!read_lingering(connection))
            break;
    if (connection->in.len < wanted)
        connection->body_wanted = wanted;
    return connection->body_wanted != 0;
}

static void request_serve(struct http_request *request, struct slice head_bytes)
{
    struct connection *connection = request_connection(request);
    struct exchange *exchange = &connection->exchange;
    struct http_head head;
    const char *why;
    int status = http_head_parse(request->arena, head_bytes, &head, &why);
    if (status) {
        strbuf_consume(&connection->in, head_bytes.len);
        server_count(&connection->server->totals.refused_malformed);
        respond_refusal(request, status, why);
        return;
    }
    if (body_is_for_the_waiter(connection, &head, head_bytes.len))
        return;
    strbuf_consume(&connection->in, head_bytes.len);
    exchange_begin(connection, &head);
    request_fill(request, connection, &head);
    server_count(&connection->server->totals.requests);
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
    if (connection->body_wanted)
        return AFTER_BODY;
    if (connection->stream)
        return AFTER_STREAM;
    if (exchange->broken)
        return AFTER_CLOSE;
    if (!exchange->keep_alive || !request_drain_body(request))
        return AFTER_DRAIN;
    return AFTER_KEEP;
}

static const char *refusal_words(int status)
{
    return status == 408 ? "the request did not arrive in time" : "the head is malformed or too large";
}

void request_run(struct connection *connection)
{
    struct server_totals *totals = &connection->server->totals;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct http_request request = {.arena = arena,
                                   .content_length = -1,
                                   .tls = connection->tls != NULL,
                                   .started_us = monotonic_us(),
                                   .bytes_in = connection->head_len,
                                   .connection = connection};
    connection_name_peer(connection, &request);
    request.head_only = slice_starts_with(strbuf_slice(&connection->in), S("HEAD ")); /* known before the head is, for refusals */
    connection->exchange = (struct exchange){.body_done = true, .answer_left = -1};
    connection->behind_us = 0;
    if (connection->refuse_status) {
        connection->body_wanted = 0;
        server_count(connection->refuse_status == 408 ? &totals->refused_late : &totals->refused_malformed);
        respond_refusal(&request, connection->refuse_status, refusal_words(connection->refuse_status));
    } else {
        request_serve(&request, slice_dup(arena, slice_of(connection->in.ptr, connection->head_len)));
    }
    connection->after = request_after(&request);
}

void request_handshake(struct connection *connection)
{
    struct server_totals *totals = &connection->server->totals;
    connection->handshake = connection_handshake(connection);
    connection->after = AFTER_HANDSHAKE;
    if (connection->handshake == IO_OK)
        server_count(&totals->tls_handshakes);
    else if (connection->handshake == IO_BROKEN || connection->handshake == IO_EOF)
        server_count(&totals->tls_handshake_failures);
}

bool request_await(struct connection *connection)
{
    size_t scanned = 0;
    for (int round = 0; round < 2; round++) {
        int status = 0;
        if (connection->in.len &&
            http_head_scan(strbuf_slice(&connection->in), &scanned, &connection->head_len, &status) == HTTP_SCAN_COMPLETE)
            return true;
        if (round || !read_lingering(connection))
            return false;
    }
    return false;
}
