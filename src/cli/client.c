/* client: see the header. */
#include "cli/client.h"
#include "aws/sigv4.h"
#include "base/clock.h"
#include "base/encode.h"

#define TIMEOUT_MS 20000
#define TIMEOUT_MS_PER_MIB 1000
#define BODY_MAX ((size_t)1 << 30)

struct err *client_open(struct command *command, struct client *ret_client)
{
    struct client client = {.command = command};
    TRY(command_client_access(command, &client.access));
    TRY(http_client_new(&(struct http_client_options){.ca_path = client.access.ca_path}, &client.http));
    *ret_client = client;
    return NULL;
}

void client_look_again(struct client *client)
{
    struct access access;
    struct err *e = command_client_access(client->command, &access);
    if (!e)
        client->access = access;
    err_free(e);
}

void client_close(struct client *client)
{
    http_client_free(client->http);
    client->http = NULL;
}

struct request {
    const char *service;
    struct slice method, path, query;
    const struct aws_header *headers;
    size_t header_count;
    struct slice body;
};

static struct err *send_signed(struct client *client, struct arena *arena, const struct request *r,
                               struct http_response *ret_response)
{
    const struct access *access = &client->access;
    struct slice scheme, host;
    if (!slice_split(access->endpoint, ':', &scheme, &host))
        host = access->endpoint;
    host = slice_from(host, 2);
    const struct sigv4_credentials credentials = {
        .access_key_id = access->access_key_id, .secret = access->secret, .session_token = access->session_token};
    struct aws_headers more = aws_sign_request(arena,
                                               &(struct sigv4_request){
                                                   .method = r->method,
                                                   .host = host,
                                                   .path = r->path,
                                                   .query = r->query,
                                                   .headers = r->headers,
                                                   .header_count = r->header_count,
                                                   .body = r->body,
                                                   .region = access->region,
                                                   .service = slice_from_cstr(r->service),
                                               },
                                               &credentials, instant_now());
    struct http_header *headers = ARENA_ARRAY(arena, r->header_count + more.count, struct http_header);
    size_t count = 0;
    for (size_t i = 0; i < r->header_count; i++)
        headers[count++] = (struct http_header){.name = r->headers[i].name, .value = r->headers[i].value};
    for (size_t i = 0; i < more.count; i++)
        headers[count++] = (struct http_header){.name = more.items[i].name, .value = more.items[i].value};
    struct err *e =
        http_client_call(client->http, arena,
                         &(struct http_call){
                             .method = r->method,
                             .url = slice_fmt(arena, "%.*s%.*s%s%.*s", SLICE_ARG(access->endpoint), SLICE_ARG(r->path),
                                              r->query.len ? "?" : "", SLICE_ARG(r->query)),
                             .headers = headers,
                             .header_count = count,
                             .body = r->body,
                             .timeout_ms = TIMEOUT_MS + (int)(r->body.len >> 20) * TIMEOUT_MS_PER_MIB,
                             .max_body_bytes = BODY_MAX,
                             .stop = &client->stop,
                         },
                         ret_response);
    if (!e || e->kind != ERR_UNAVAILABLE)
        return err_wrap(e, "Ember does not answer");
    /* Of "URL: Failed to connect to …: Couldn't connect to server" the end is the news. */
    struct slice cause = err_message(e);
    ptrdiff_t colon = slice_rindex(cause, ':');
    cause = slice_trim(slice_from(cause, colon < 0 ? 0 : (size_t)colon + 1));
    struct err *mine = err_new(ERR_UNAVAILABLE, "Ember does not answer at %.*s (%.*s): is emberd running there?", SLICE_ARG(access->endpoint), SLICE_ARG(cause));
    err_free(e);
    return mine;
}

/* Its words, ending without a full stop, and its code. */
static struct err *refused(int status, struct slice code, struct slice message)
{
    ptrdiff_t hash = slice_index(code, '#'), colon = slice_index(code, ':');
    if (hash >= 0)
        code = slice_from(code, (size_t)hash + 1);
    else if (colon >= 0)
        code = slice_sub(code, 0, (size_t)colon);
    bool busy =
        status >= 500 || status == 429 || slice_starts_with(code, S("Throttl")) || slice_eq(code, S("SlowDown"));
    bool missing = status == 404 || slice_find(code, S("NotFound")) >= 0;
    enum err_kind kind = busy ? ERR_UNAVAILABLE : status == 403 ? ERR_DENIED : missing ? ERR_NOT_FOUND : ERR_CONFLICT;
    while (message.len && message.ptr[message.len - 1] == '.')
        message.len--;
    if (!message.len)
        message = status == 403   ? S("this key may not do that")
                  : status == 404 ? S("it does not exist")
                                  : S("the service refused");
    return code.len ? err_new(kind, "%.*s (%.*s)", SLICE_ARG(message), SLICE_ARG(code))
                    : err_new(kind, "%.*s (HTTP status %d)", SLICE_ARG(message), status);
}

static struct err *read_json(struct arena *arena, const struct http_response *response, struct json **ret_output)
{
    struct json *output = NULL;
    struct err *unread =
        response->body.len ? json_parse(arena, response->body, JSON_DUPLICATES_LAST_WINS, &output) : NULL;
    if (response->status / 100 == 2) {
        if (unread) {
            struct err *e =
                err_new(ERR_UNAVAILABLE, "the answer is not of an AWS service: %.*s", SLICE_ARG(err_message(unread)));
            err_free(unread);
            return e;
        }
        *ret_output = output ? output : json_object(arena);
        return NULL;
    }
    err_free(unread);
    struct slice code = http_header_get(response->headers, S("x-amzn-ErrorType")),
                 message = json_get_text(output, "message");
    if (!code.ptr)
        code = json_get_text(output, "__type");
    if (!message.ptr)
        message = json_get_text(output, "Message");
    return refused(response->status, code, message);
}

struct err *client_emr(struct client *client, struct arena *arena, struct slice method, struct slice path,
                       struct slice query, const struct json *input, struct json **ret_output)
{
    const struct aws_header type = {.name = S("Content-Type"), .value = S("application/json")};
    struct http_response response;
    TRY(send_signed(client, arena,
                    &(struct request){.service = "emr-containers",
                                      .method = method,
                                      .path = path,
                                      .query = query,
                                      .headers = &type,
                                      .header_count = input ? 1 : 0,
                                      .body = input ? json_to_slice(arena, input) : SLICE_NONE},
                    &response));
    return read_json(arena, &response, ret_output);
}

struct err *client_logs(struct client *client, struct arena *arena, const char *operation, const struct json *input,
                        struct json **ret_output)
{
    const struct aws_header headers[] = {
        {.name = S("Content-Type"), .value = S("application/x-amz-json-1.1")},
        {.name = S("X-Amz-Target"), .value = slice_fmt(arena, "Logs_20140328.%s", operation)},
    };
    struct http_response response;
    TRY(send_signed(client, arena,
                    &(struct request){.service = "logs",
                                      .method = S("POST"),
                                      .path = S("/"),
                                      .headers = headers,
                                      .header_count = ARRAY_SIZE(headers),
                                      .body = json_to_slice(arena, input)},
                    &response));
    return read_json(arena, &response, ret_output);
}

static struct slice between(struct slice text, struct slice before, struct slice after)
{
    ptrdiff_t from = slice_find(text, before);
    if (from < 0)
        return SLICE_NONE;
    struct slice rest = slice_from(text, (size_t)from + before.len);
    ptrdiff_t to = slice_find(rest, after);
    return to < 0 ? SLICE_NONE : slice_sub(rest, 0, (size_t)to);
}

struct err *client_s3(struct client *client, struct arena *arena, const struct s3_call *call,
                      struct http_response *ret_response)
{
    const struct aws_header condition = {.name = S("If-None-Match"), .value = call->etag};
    struct slice path = slice_fmt(arena, "/%.*s", SLICE_ARG(uri_encode(arena, call->bucket, URI_ENCODE_SLASH)));
    if (call->key.ptr)
        path = slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(path), SLICE_ARG(uri_encode(arena, call->key, URI_KEEP_SLASH)));
    TRY(send_signed(client, arena,
                    &(struct request){.service = "s3",
                                      .method = call->method,
                                      .path = path,
                                      .query = call->query,
                                      .headers = &condition,
                                      .header_count = call->etag.len ? 1 : 0,
                                      .body = call->body},
                    ret_response));
    if (ret_response->status / 100 == 2 || ret_response->status == 304)
        return NULL;
    struct slice body = ret_response->body;
    return refused(ret_response->status, between(body, S("<Code>"), S("</Code>")),
                   between(body, S("<Message>"), S("</Message>")));
}
