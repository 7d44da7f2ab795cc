/* client: see client.h; base/curl.h does the transfer. */
#include "http/client.h"
#include "base/arena.h"
#include "base/curl.h"
#include "base/strbuf.h"
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_TIMEOUT_MS = 30 * 1000, DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024, MAX_ANSWER_HEADERS = 200 };

struct http_client {
    struct curl_pool *pool;
};

struct err *http_client_new(const struct http_client_options *options, struct http_client **ret_client)
{
    struct curl_pool *pool;
    TRY(curl_pool_new(&(struct curl_pool_options){.ca_path = options->ca_path,
                                                  .client_cert_path = options->client_cert_path,
                                                  .client_key_path = options->client_key_path,
                                                  .ca_pem = options->ca_pem,
                                                  .client_cert_pem = options->client_cert_pem,
                                                  .client_key_pem = options->client_key_pem,
                                                  .skip_verify = options->skip_verify,
                                                  .connect_timeout_ms = options->connect_timeout_ms},
                      &pool));
    struct http_client *client = xmalloc(sizeof(*client));
    client->pool = pool;
    *ret_client = client;
    return NULL;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    curl_pool_free(client->pool);
    free(client);
}

struct receiver {
    const struct http_call *call;
    struct arena *arena;
    size_t max_body_bytes;
    struct http_header *headers;
    size_t header_count;
    struct strbuf body;
    int cut_status; /* of an answer that was cut; 0: it was not */
};

static struct err *receive_head_line(void *ctx, struct slice line)
{
    struct receiver *receiver = ctx;
    if (slice_starts_with(line, S("HTTP/"))) {
        receiver->header_count = 0; /* an interim answer's headers are not the answer's */
        return NULL;
    }
    struct slice name, value;
    if (receiver->header_count == MAX_ANSWER_HEADERS || !slice_split(line, ':', &name, &value))
        return NULL;
    receiver->headers[receiver->header_count++] = (struct http_header){
        .name = slice_dup(receiver->arena, name), .value = slice_dup(receiver->arena, slice_trim(value))};
    return NULL;
}

static struct err *receive_data(void *ctx, int status, struct slice data)
{
    struct receiver *receiver = ctx;
    if (receiver->call->sink && status >= 200 && status < 300)
        return receiver->call->sink(receiver->call->sink_ctx, data);
    size_t room = receiver->max_body_bytes - receiver->body.len;
    if (data.len > room && receiver->call->cut_body) {
        receiver->cut_status = status;
        data.len = room;
    }
    if (data.len > room)
        return err_new(ERR_LIMIT, "the answer of %.*s is larger than %zu bytes",
                       SLICE_ARG(slice_sub(receiver->call->url, 0, 200)), receiver->max_body_bytes);
    strbuf_append(&receiver->body, data);
    return receiver->cut_status ? err_new(ERR_LIMIT, "the rest is not wanted") : NULL;
}

static bool is_one_line(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0')
            return false;
    return true;
}

static struct err *call_check(const struct http_call *call)
{
    if (!is_one_line(call->method) || !is_one_line(call->url))
        return err_new(ERR_INVALID, "a request's method or URL has a line break");
    for (size_t i = 0; i < call->header_count; i++)
        if (!is_one_line(call->headers[i].name) || !is_one_line(call->headers[i].value))
            return err_new(ERR_INVALID, "a request's header has a line break");
    return NULL;
}

struct err *http_client_call(struct http_client *client, struct arena *arena, const struct http_call *call,
                             struct http_response *ret_response)
{
    TRY(call_check(call));
    const char **lines = ARENA_ARRAY(arena, call->header_count + 1, const char *);
    for (size_t i = 0; i < call->header_count; i++) {
        const struct http_header *h = &call->headers[i];
        struct slice line = h->value.len ? slice_fmt(arena, "%.*s: %.*s", SLICE_ARG(h->name), SLICE_ARG(h->value))
                                         : slice_fmt(arena, "%.*s;", SLICE_ARG(h->name));
        lines[i] = line.ptr;
    }
    struct receiver receiver = {.call = call,
                                .arena = arena,
                                .max_body_bytes = call->max_body_bytes ? call->max_body_bytes : DEFAULT_MAX_BODY_BYTES,
                                .headers = ARENA_ARRAY(arena, MAX_ANSWER_HEADERS, struct http_header),
                                .body = STRBUF_HEAP};
    int status = 0;
    struct err *e = curl_pool_perform(client->pool,
                                      &(struct curl_call){.method = slice_cstr(arena, call->method),
                                                          .url = slice_cstr(arena, call->url),
                                                          .header_lines = lines,
                                                          .header_count = call->header_count,
                                                          .body = call->body,
                                                          .timeout_ms = call->sink         ? 0
                                                                        : call->timeout_ms ? call->timeout_ms
                                                                                           : DEFAULT_TIMEOUT_MS,
                                                          .silence_ms = call->sink ? call->timeout_ms : 0,
                                                          .stop = call->stop,
                                                          .on_head_line = receive_head_line,
                                                          .on_data = receive_data,
                                                          .ctx = &receiver},
                                      &status);
    if (receiver.cut_status) {
        err_free(e);
        e = NULL;
        status = receiver.cut_status;
    }
    if (!e && (status < 100 || status > 999)) /* libcurl takes "HTTP/200 OK" for an answer without a status */
        e = err_new(ERR_UNAVAILABLE, "%.*s: the answer has no status", (int)strcspn(slice_cstr(arena, call->url), "?"), call->url.ptr);
    if (!e)
        *ret_response = (struct http_response){.status = status,
                                               .headers = {.items = receiver.headers, .count = receiver.header_count},
                                               .body = slice_dup(arena, strbuf_slice(&receiver.body))};
    strbuf_deinit(&receiver.body);
    return e;
}
