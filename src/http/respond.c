/* respond: answers. Every head goes through head_append, which alone decides framing and keep-alive. */
#include "http/server_internal.h"
#include <stdio.h>
#include <string.h>

static bool header_is_ours(struct slice name)
{
    return slice_eq_nocase(name, S("Date")) || slice_eq_nocase(name, S("Content-Length")) ||
           slice_eq_nocase(name, S("Connection")) || slice_eq_nocase(name, S("Transfer-Encoding"));
}

static bool is_clean(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\r' || text.ptr[i] == '\n' || text.ptr[i] == '\0')
            return false;
    return true;
}

static bool headers_are_clean(const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!headers[i].name.len || !is_clean(headers[i].name) || slice_index(headers[i].name, ':') >= 0 ||
            !is_clean(headers[i].value))
            return false;
    return true;
}

/* May the connection serve another request after this answer? Looked at when the head is written, since it says so. A
 * body that is not read yet is drained after the answer only if that is sure to be little. */
static bool may_keep_alive(struct http_request *request)
{
    struct connection *connection = request_connection(request);
    struct exchange *exchange = &connection->exchange;
    if (!exchange->keep_alive || server_is_stopping(connection->server))
        return false;
    if (exchange->body_done)
        return true;
    return !exchange->continue_due && !request->chunked && exchange->body_left <= DRAIN_MAX_BYTES;
}

/* content_length -1: not known before the end. Sets the exchange's framing. */
static void head_append(struct http_request *request, int status, const struct http_header *headers, size_t count,
                        int64_t content_length, struct strbuf *out)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    bool none_allowed = status == 204 || status == 304;
    exchange->bodyless = request->head_only || none_allowed;
    exchange->answer_left = content_length;
    exchange->answer_chunked = content_length < 0 && exchange->head.minor_version == 1 && !none_allowed;
    exchange->keep_alive = may_keep_alive(request);
    if (content_length < 0 && !exchange->answer_chunked && !exchange->bodyless)
        exchange->keep_alive = false; /* HTTP/1.0: the end of the connection is the end of the body */
    request->status = status;
    strbuf_append_fmt(out, "HTTP/1.1 %d %s\r\n", status, http_status_text(status));
    for (size_t i = 0; i < count; i++) {
        if (header_is_ours(headers[i].name))
            continue;
        strbuf_append(out, headers[i].name);
        strbuf_append(out, S(": "));
        strbuf_append(out, headers[i].value);
        strbuf_append(out, S("\r\n"));
    }
    strbuf_append(out, S("Date: "));
    strbuf_append(out, instant_rfc1123(request->arena, instant_now()));
    strbuf_append(out, S("\r\n"));
    if (exchange->answer_chunked)
        strbuf_append(out, S("Transfer-Encoding: chunked\r\n"));
    else if (content_length >= 0 && !none_allowed)
        strbuf_append_fmt(out, "Content-Length: %lld\r\n", (long long)content_length);
    strbuf_append(out, exchange->keep_alive ? S("Connection: keep-alive\r\n\r\n") : S("Connection: close\r\n\r\n"));
}

/* The first write error breaks the exchange; later ones are not told again. */
static struct err *write_or_break(struct http_request *request, struct slice data)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    if (exchange->broken)
        return err_new(ERR_UNAVAILABLE, "the client is gone");
    struct err *e = connection_write(request_connection(request), data);
    request->bytes_out += e ? 0 : data.len;
    exchange->broken = e != NULL;
    return e;
}

void http_respond(struct http_request *request, int status, const struct http_header *headers, size_t header_count,
                  struct slice body)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    if (exchange->answer != ANSWER_NONE)
        return;
    if (!headers_are_clean(headers, header_count)) {
        status = 500; /* a value that would split the answer in two: nothing of it is sent */
        header_count = 0;
        body = SLICE_NONE;
    }
    struct strbuf out = STRBUF_ARENA(request->arena);
    head_append(request, status, headers, header_count, (int64_t)body.len, &out);
    bool join = !exchange->bodyless && body.len <= READ_BYTES;
    if (join)
        strbuf_append(&out, body);
    struct err *e = write_or_break(request, strbuf_slice(&out));
    if (!e && !join && !exchange->bodyless)
        e = write_or_break(request, body);
    err_free(e); /* the client is gone: nobody to tell */
    exchange->answer = ANSWER_DONE;
}

void respond_refusal(struct http_request *request, int status, const char *why)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    exchange->keep_alive = false;
    exchange->head.minor_version = 1;
    struct slice body = slice_fmt(request->arena, "%d %s: %s\n", status, http_status_text(status), why);
    const struct http_server_options *options = &request_connection(request)->server->options;
    if (options->refuse)
        options->refuse(request, status, body, options->ctx);
    http_respond(request, status, &(struct http_header){S("Content-Type"), S("text/plain; charset=utf-8")}, 1, body); /* unless it is */
}

struct err *http_respond_begin(struct http_request *request, int status, const struct http_header *headers,
                               size_t header_count, int64_t content_length)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    if (exchange->answer != ANSWER_NONE)
        return err_new(ERR_INTERNAL, "a request was answered twice");
    if (!headers_are_clean(headers, header_count))
        return err_new(ERR_INTERNAL, "an answer's header has a line break");
    struct strbuf out = STRBUF_ARENA(request->arena);
    head_append(request, status, headers, header_count, content_length, &out);
    exchange->answer = ANSWER_BEGUN;
    return write_or_break(request, strbuf_slice(&out));
}

static struct err *answer_account(struct exchange *exchange, uint64_t len)
{
    if (exchange->answer != ANSWER_BEGUN)
        return err_new(ERR_INTERNAL, "an answer's body without its head");
    if (exchange->bodyless || exchange->answer_left < 0)
        return NULL;
    if (len > (uint64_t)exchange->answer_left) {
        exchange->broken = true;
        return err_new(ERR_INTERNAL, "an answer's body is longer than its Content-Length");
    }
    exchange->answer_left -= (int64_t)len;
    return NULL;
}

struct err *http_respond_write(struct http_request *request, struct slice data)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    TRY(answer_account(exchange, data.len));
    if (exchange->bodyless || !data.len)
        return NULL;
    if (!exchange->answer_chunked)
        return write_or_break(request, data);
    if (data.len > READ_BYTES) {
        char size[32];
        int n = snprintf(size, sizeof(size), "%zx\r\n", data.len);
        TRY(write_or_break(request, slice_of(size, (size_t)n)));
        TRY(write_or_break(request, data));
        return write_or_break(request, S("\r\n"));
    }
    char chunk[READ_BYTES + 32];
    int n = snprintf(chunk, 32, "%zx\r\n", data.len);
    memcpy(chunk + n, data.ptr, data.len);
    memcpy(chunk + n + data.len, "\r\n", 2);
    return write_or_break(request, slice_of(chunk, (size_t)n + data.len + 2));
}

struct err *http_respond_file(struct http_request *request, int fd, int64_t offset, int64_t length)
{
    struct connection *connection = request_connection(request);
    struct exchange *exchange = &connection->exchange;
    if (length < 0 || offset < 0)
        return err_new(ERR_INTERNAL, "a file's part to send is none");
    TRY(answer_account(exchange, (uint64_t)length));
    if (exchange->bodyless || !length)
        return NULL;
    if (exchange->broken)
        return err_new(ERR_UNAVAILABLE, "the client is gone");
    if (exchange->answer_chunked)
        TRY(write_or_break(request, slice_fmt(request->arena, "%llx\r\n", (long long)length)));
    struct err *e = connection_send_file(connection, fd, offset, length);
    if (e) {
        exchange->broken = true;
        return e;
    }
    request->bytes_out += (uint64_t)length;
    return exchange->answer_chunked ? write_or_break(request, S("\r\n")) : NULL;
}

void http_respond_end(struct http_request *request)
{
    struct exchange *exchange = &request_connection(request)->exchange;
    if (exchange->answer != ANSWER_BEGUN)
        return;
    exchange->answer = ANSWER_DONE;
    if (exchange->bodyless || exchange->broken)
        return;
    if (exchange->answer_chunked)
        err_free(write_or_break(request, S("0\r\n\r\n")));
    else if (exchange->answer_left > 0)
        exchange->broken = true; /* fewer bytes than promised: only a closed connection tells the client */
}

bool http_responded(const struct http_request *request)
{
    return request_connection(request)->exchange.answer != ANSWER_NONE || request_connection(request)->stream;
}

struct http_stream *http_detach(struct http_request *request, int status, const struct http_header *headers,
                                size_t header_count, void (*closed)(void *owner), void *owner)
{
    struct connection *connection = request_connection(request);
    struct exchange *exchange = &connection->exchange;
    struct http_stream *stream = xcalloc(1, sizeof(*stream));
    mutex_init(&stream->lock, LOCK_HTTP_STREAM);
    condition_init(&stream->closed_cond);
    stream->server = connection->server;
    stream->connection = connection;
    stream->closed = closed;
    stream->owner = owner;
    /* A body that was not read must not be taken for the next request. */
    exchange->keep_alive = exchange->keep_alive && exchange->body_done;
    struct err *e = http_respond_begin(request, status, headers, header_count, -1);
    stream->dead = e != NULL;
    err_free(e);
    stream->raw = !exchange->answer_chunked;
    stream->bodyless = exchange->bodyless;
    exchange->answer = ANSWER_DONE;
    connection->stream = stream;
    return stream;
}
