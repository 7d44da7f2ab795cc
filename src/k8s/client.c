/* client: REST on single objects. Facts: kubernetes.io "API concepts" and "Status" (meta/v1). */
#include "base/digest.h"
#include "base/encode.h"
#include "base/fd.h"
#include "k8s/client_internal.h"
#include <stdlib.h>
#include <string.h>

enum { CALL_TIMEOUT_MS = 15 * 1000, ANSWER_MAX_BYTES = 128 * 1024 * 1024 };

/* ---- life ---- */

static char *heap_cstr(struct slice s)
{
    char *copy = xmalloc(s.len + 1);
    memcpy(copy, s.ptr ? s.ptr : "", s.len);
    copy[s.len] = '\0';
    return copy;
}

struct err *k8s_client_connect(const struct k8s_connect *connect, struct k8s_client **ret_client)
{
    struct slice server = connect->server;
    if (!slice_starts_with(server, S("https://")) && !slice_starts_with(server, S("http://")))
        return err_new(ERR_INVALID, "the Kubernetes server's address \"%.*s\" does not begin with https:// or http://",
                       SLICE_ARG(server));
    while (slice_ends_with(server, S("/")))
        server.len--;
    struct http_client *http;
    TRY(http_client_new(&connect->http, &http));
    struct k8s_client *client = xcalloc(1, sizeof(*client));
    client->http = http;
    client->server = heap_cstr(server);
    client->token = connect->token.len ? heap_cstr(connect->token) : NULL;
    client->token_path = connect->token_path.len ? heap_cstr(connect->token_path) : NULL;
    *ret_client = client;
    return NULL;
}

struct err *k8s_client_new(const struct k8s_client_options *options, struct k8s_client **ret_client)
{
    return k8s_client_connect(&(struct k8s_connect){.http = {.ca_path = options->ca_path,
                                                             .client_cert_path = options->client_cert_path,
                                                             .client_key_path = options->client_key_path},
                                                    .server = options->server,
                                                    .token = options->token},
                              ret_client);
}

void k8s_client_interrupt(struct k8s_client *client)
{
    __atomic_store_n(&client->stop, true, __ATOMIC_RELAXED);
}

void k8s_client_free(struct k8s_client *client)
{
    if (!client)
        return;
    http_client_free(client->http);
    free(client->server);
    if (client->token)
        secret_wipe(client->token, strlen(client->token));
    free(client->token);
    free(client->token_path);
    free(client);
}

/* ---- errors ---- */

/* Reasons of meta/v1; err.code must be static. */
static const char *const reasons[] = {"Unauthorized",
                                      "Forbidden",
                                      "NotFound",
                                      "AlreadyExists",
                                      "Conflict",
                                      "Gone",
                                      "Invalid",
                                      "ServerTimeout",
                                      "StoreReadError",
                                      "Timeout",
                                      "TooManyRequests",
                                      "BadRequest",
                                      "MethodNotAllowed",
                                      "NotAcceptable",
                                      "RequestEntityTooLarge",
                                      "UnsupportedMediaType",
                                      "InternalError",
                                      "Expired",
                                      "ServiceUnavailable"};

static enum err_kind kind_of_status(int status)
{
    if (status == 404)
        return ERR_NOT_FOUND;
    if (status == 409)
        return ERR_CONFLICT;
    if (status == 401 || status == 403)
        return ERR_DENIED;
    if (status == 413)
        return ERR_LIMIT;
    if (status == 408 || status == 410 || status == 429 || status >= 500)
        return ERR_UNAVAILABLE;
    return ERR_INVALID;
}

struct err *k8s_status_err(int http_status, const struct json *status, struct slice what)
{
    struct slice reason = SLICE_NONE, message = SLICE_NONE;
    int code = http_status;
    if (slice_eq(json_get_text(status, "kind"), S("Status"))) {
        reason = json_get_text(status, "reason");
        message = json_get_text(status, "message");
        int64_t told = json_get_i64(status, "code", http_status);
        code = told >= 400 && told < 600 ? (int)told : http_status;
    }
    const char *name = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(reasons) && !name; i++)
        if (slice_eq(reason, slice_from_cstr(reasons[i])))
            name = reasons[i];
    struct err *e = message.len ? err_code(kind_of_status(code), name, "%.*s", SLICE_ARG(slice_sub(message, 0, 4096)))
                                : err_code(kind_of_status(code), name, "%.*s: the Kubernetes API answered %d",
                                           SLICE_ARG(what), code);
    e->status = code;
    return e;
}

/* ---- calls ---- */

struct slice k8s_path_with(struct arena *arena, struct slice path, const char *name, struct slice value)
{
    struct slice encoded = uri_encode(arena, value, URI_ENCODE_SLASH);
    return slice_fmt(arena, "%.*s%c%s=%.*s", SLICE_ARG(path), slice_index(path, '?') >= 0 ? '&' : '?', name,
                     SLICE_ARG(encoded));
}

static struct err *authorization_get(struct k8s_client *client, struct arena *arena, struct slice *ret_value)
{
    *ret_value = SLICE_NONE;
    struct slice token = slice_from_cstr(client->token);
    if (client->token_path) {
        TRY(file_read(arena, client->token_path, 64 * 1024, &token));
        token = slice_trim(token);
    }
    if (token.len)
        *ret_value = slice_fmt(arena, "Bearer %.*s", SLICE_ARG(token));
    return NULL;
}

struct err *k8s_request_send(struct k8s_client *client, struct arena *arena, const struct k8s_request *request,
                             struct http_response *ret_response)
{
    struct http_header headers[3] = {{S("Accept"), S("application/json, */*")}};
    size_t count = 1;
    struct slice authorization;
    TRY(authorization_get(client, arena, &authorization));
    if (authorization.ptr)
        headers[count++] = (struct http_header){S("Authorization"), authorization};
    if (request->content_type)
        headers[count++] = (struct http_header){S("Content-Type"), slice_from_cstr(request->content_type)};
    struct http_response response;
    TRY(http_client_call(
        client->http, arena,
        &(struct http_call){.method = slice_from_cstr(request->method),
                            .url = slice_fmt(arena, "%s%.*s", client->server, SLICE_ARG(request->path)),
                            .headers = headers,
                            .header_count = count,
                            .body = request->content_type ? request->body : SLICE_NONE,
                            .timeout_ms = request->sink ? request->silence_ms : request->timeout_ms ? request->timeout_ms : CALL_TIMEOUT_MS,
                            .max_body_bytes = ANSWER_MAX_BYTES,
                            .sink = request->sink,
                            .sink_ctx = request->sink_ctx,
                            .stop = request->stop ? request->stop : &client->stop},
        &response));
    if (response.status >= 200 && response.status < 300) {
        *ret_response = response;
        return NULL;
    }
    struct json *status = NULL;
    err_free(json_parse(arena, response.body, JSON_DUPLICATES_LAST_WINS, &status));
    struct slice what = slice_fmt(arena, "%s %.*s", request->method, SLICE_ARG(request->path));
    return k8s_status_err(response.status, status, what);
}

static struct err *call_for_object(struct k8s_client *client, struct arena *arena, const struct k8s_request *request,
                                   struct json **ret_object)
{
    struct http_response response;
    TRY(k8s_request_send(client, arena, request, &response));
    if (!ret_object)
        return NULL;
    struct json *object;
    struct err *e = json_parse(arena, response.body, JSON_DUPLICATES_LAST_WINS, &object);
    if (e)
        return err_wrap(e, "the Kubernetes API's answer to %s %.*s", request->method, SLICE_ARG(request->path));
    *ret_object = object;
    return NULL;
}

struct err *k8s_get(struct k8s_client *client, struct arena *arena, struct slice path, struct json **ret_object)
{
    return call_for_object(client, arena, &(struct k8s_request){.method = "GET", .path = path}, ret_object);
}

struct err *k8s_get_within(struct k8s_client *client, struct arena *arena, struct slice path, int timeout_ms, struct json **ret_object)
{
    return call_for_object(client, arena, &(struct k8s_request){.method = "GET", .path = path, .timeout_ms = timeout_ms}, ret_object);
}

struct err *k8s_create(struct k8s_client *client, struct arena *arena, struct slice path, const struct json *object,
                       struct json **ret_object)
{
    return call_for_object(
        client, arena,
        &(struct k8s_request){
            .method = "POST", .path = path, .content_type = "application/json", .body = json_to_slice(arena, object)},
        ret_object);
}

struct err *k8s_patch(struct k8s_client *client, struct arena *arena, struct slice path, enum k8s_patch kind,
                      const struct json *body, struct json **ret_object)
{
    const char *type = NULL;
    switch (kind) {
    case K8S_PATCH_MERGE:
        type = "application/merge-patch+json";
        break;
    case K8S_PATCH_STRATEGIC:
        type = "application/strategic-merge-patch+json";
        break;
    case K8S_PATCH_JSON:
        type = "application/json-patch+json";
        break;
    case K8S_PATCH_APPLY:
        type = "application/apply-patch+yaml"; /* JSON is YAML */
        path = k8s_path_with(arena, k8s_path_with(arena, path, "fieldManager", S("ember")), "force", S("true"));
        break;
    }
    return call_for_object(
        client, arena,
        &(struct k8s_request){
            .method = "PATCH", .path = path, .content_type = type, .body = json_to_slice(arena, body)},
        ret_object);
}

struct err *k8s_delete(struct k8s_client *client, struct arena *arena, struct slice path, int64_t grace_seconds)
{
    struct json *options = json_object(arena);
    json_set_cstr(arena, options, "kind", "DeleteOptions");
    json_set_cstr(arena, options, "apiVersion", "v1");
    json_set_cstr(arena, options, "propagationPolicy", "Background");
    if (grace_seconds >= 0)
        json_set_i64(arena, options, "gracePeriodSeconds", grace_seconds);
    struct err *e = call_for_object(client, arena,
                                    &(struct k8s_request){.method = "DELETE",
                                                          .path = path,
                                                          .content_type = "application/json",
                                                          .body = json_to_slice(arena, options)},
                                    NULL);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return NULL;
    }
    return e;
}

/* ---- logs ---- */

/* Feature PodLogsQuerySplitStreams (alpha in 1.32): older servers ignore `stream`, so that both logs would hold both streams. */
static bool client_splits_logs(struct k8s_client *client)
{
    enum log_split split = __atomic_load_n(&client->log_split, __ATOMIC_RELAXED);
    if (split != LOG_SPLIT_UNKNOWN)
        return split == LOG_SPLIT_YES;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct json *version = NULL;
    struct err *e = k8s_get(client, arena, S("/version"), &version);
    bool answered = !e || e->kind != ERR_UNAVAILABLE;
    err_free(e);
    struct slice minor = json_get_text(version, "minor"); /* "31", or "31+" */
    if (slice_ends_with(minor, S("+")))
        minor.len--;
    int64_t number;
    bool old = slice_to_i64(minor, 0, 10000, &number) && number < 32;
    if (answered)
        __atomic_store_n(&client->log_split, old ? LOG_SPLIT_NO : LOG_SPLIT_YES, __ATOMIC_RELAXED);
    return !old;
}

/* 422 `PodLogOptions "p" is invalid: stream: Forbidden: may not be specified`: the feature gate is off. */
static bool is_split_refusal(const struct err *e)
{
    return e && e->kind == ERR_INVALID && slice_find(err_message(e), S("stream: ")) >= 0;
}

static struct err *log_read_stream(struct k8s_client *client, const struct k8s_log_options *options,
                                   enum k8s_log_stream stream, struct err *(*sink)(void *ctx, struct slice data),
                                   void *sink_ctx, const volatile bool *stop)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice path = slice_fmt(arena, "/api/v1/namespaces/%.*s/pods/%.*s/log", SLICE_ARG(options->namespace_name),
                                  SLICE_ARG(options->pod));
    if (options->container.ptr)
        path = k8s_path_with(arena, path, "container", options->container);
    if (options->follow)
        path = k8s_path_with(arena, path, "follow", S("true"));
    if (options->timestamps)
        path = k8s_path_with(arena, path, "timestamps", S("true"));
    if (options->since_time.ptr)
        path = k8s_path_with(arena, path, "sinceTime", options->since_time);
    if (stream != K8S_LOG_ALL)
        path = k8s_path_with(arena, path, "stream", stream == K8S_LOG_STDOUT ? S("Stdout") : S("Stderr"));
    struct http_response response;
    return k8s_request_send(
        client, arena,
        &(struct k8s_request){.method = "GET",
                              .path = path,
                              .sink = sink,
                              .sink_ctx = sink_ctx,
                              .silence_ms = options->follow ? 0 : 60 * 1000, /* a job may say nothing for hours */
                              .stop = stop},
        &response);
}

struct err *k8s_log_read(struct k8s_client *client, const struct k8s_log_options *options,
                         struct err *(*sink)(void *ctx, struct slice data), void *sink_ctx, const volatile bool *stop)
{
    if (options->stream == K8S_LOG_ALL)
        return log_read_stream(client, options, K8S_LOG_ALL, sink, sink_ctx, stop);
    if (client_splits_logs(client)) {
        struct err *e = log_read_stream(client, options, options->stream, sink, sink_ctx, stop);
        if (!is_split_refusal(e))
            return e;
        err_free(e);
        __atomic_store_n(&client->log_split, LOG_SPLIT_NO, __ATOMIC_RELAXED);
    }
    if (options->stream == K8S_LOG_STDERR)
        return NULL; /* it is in the other one */
    return log_read_stream(client, options, K8S_LOG_ALL, sink, sink_ctx, stop);
}
