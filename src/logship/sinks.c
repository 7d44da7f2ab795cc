#include "logship/sinks.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json.h"

#define CALL_TIMEOUT_MS 20000
#define CALL_TIMEOUT_MS_PER_MIB 1000

bool sink_parse_log_uri(struct slice log_uri, struct slice *ret_bucket, struct slice *ret_prefix)
{
    struct slice scheme = S("s3://");
    if (!slice_starts_with(log_uri, scheme))
        return false;
    struct slice rest = slice_from(log_uri, scheme.len), prefix = S("");
    struct slice bucket = rest;
    if (slice_split(rest, '/', &bucket, &prefix)) {
        while (prefix.len && prefix.ptr[prefix.len - 1] == '/')
            prefix.len--;
    }
    *ret_bucket = bucket;
    *ret_prefix = prefix;
    return bucket.len > 0;
}

/* ---- one signed request ---- */

struct request {
    const char *service;
    struct slice method, path;
    const struct aws_header *headers;
    size_t header_count;
    struct slice body;
    size_t max_answer_bytes; /* 0: the usual */
};

static struct err *send_signed(const struct sink_caller *caller, const struct request *r, struct http_response *ret_response)
{
    struct arena *arena = caller->arena;
    const struct sinks *sinks = caller->sinks;
    struct slice host = sinks->endpoint;
    ptrdiff_t slashes = slice_find(host, S("://"));
    if (slashes >= 0)
        host = slice_from(host, (size_t)slashes + 3);
    struct aws_headers signed_headers = aws_sign_request(arena,
                                                         &(struct sigv4_request){
                                                             .method = r->method,
                                                             .host = host,
                                                             .path = r->path,
                                                             .headers = r->headers,
                                                             .header_count = r->header_count,
                                                             .body = r->body,
                                                             .region = sinks->region,
                                                             .service = slice_from_cstr(r->service),
                                                         },
                                                         caller->credentials, instant_now());
    size_t count = 0;
    struct http_header *headers = ARENA_ARRAY(arena, signed_headers.count + r->header_count + 1, struct http_header);
    for (size_t i = 0; i < r->header_count; i++)
        headers[count++] = (struct http_header){.name = r->headers[i].name, .value = r->headers[i].value};
    for (size_t i = 0; i < signed_headers.count; i++)
        headers[count++] = (struct http_header){.name = signed_headers.items[i].name, .value = signed_headers.items[i].value};
    return http_client_call(sinks->client, arena,
                            &(struct http_call){
                                .method = r->method,
                                .url = slice_fmt(arena, "%.*s%.*s", SLICE_ARG(sinks->endpoint), SLICE_ARG(r->path)),
                                .headers = headers,
                                .header_count = count,
                                .body = r->body,
                                .timeout_ms = CALL_TIMEOUT_MS + (int)(r->body.len >> 20) * CALL_TIMEOUT_MS_PER_MIB,
                                .max_body_bytes = r->max_answer_bytes,
                                .stop = caller->stop,
                            },
                            ret_response);
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

/* Error codes that are looked at, as static text. */
static const char *const KNOWN_CODES[] = {
    "NoSuchBucket",         "NoSuchKey",    "AccessDenied",   "InvalidAccessKeyId", "ResourceNotFoundException", "ResourceAlreadyExistsException",
    "AccessDeniedException", "InvalidBucketName", "BucketAlreadyExists", "BucketAlreadyOwnedByYou",
};

/* Codes with a status of 4xx that pass by themselves. */
static const char *const PASSING_CODES[] = {"SlowDown", "RequestTimeout", "OperationAborted", "OperationAbortedException", "ServiceUnavailableException",
                                            "RequestLimitExceeded", "TooManyRequestsException"};

static struct err *refused(struct slice what, int status, struct slice code, struct slice message)
{
    const char *known = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(KNOWN_CODES); i++) {
        if (slice_eq(code, slice_from_cstr(KNOWN_CODES[i])))
            known = KNOWN_CODES[i];
    }
    bool again = status >= 500 || status == 429 || slice_starts_with(code, S("Throttling"));
    for (size_t i = 0; i < ARRAY_SIZE(PASSING_CODES); i++)
        again = again || slice_eq(code, slice_from_cstr(PASSING_CODES[i]));
    enum err_kind kind = again ? ERR_UNAVAILABLE : status == 403 || slice_find(code, S("AccessDenied")) >= 0 ? ERR_DENIED : ERR_INVALID;
    if (slice_eq(code, S("NoSuchBucket")) || slice_eq(code, S("NoSuchKey")) || slice_eq(code, S("ResourceNotFoundException")))
        kind = ERR_NOT_FOUND;
    return err_code(kind, known, "%.*s: %.*s (%.*s)", SLICE_ARG(what), SLICE_ARG(message.len ? message : S("refused")), SLICE_ARG(code.len ? code : S("no code")));
}

/* ---- S3 ---- */

static struct err *s3_put(const struct sink_caller *caller, struct slice path, const struct sink_object *object, struct slice what)
{
    struct aws_header headers[2];
    size_t count = 0;
    if (object->content_type.len)
        headers[count++] = (struct aws_header){.name = S("Content-Type"), .value = object->content_type};
    if (object->rotated.len)
        headers[count++] = (struct aws_header){.name = S("x-amz-meta-rotated"), .value = object->rotated};
    struct http_response response;
    TRY(send_signed(caller,
                    &(struct request){.service = "s3", .method = S("PUT"), .path = path, .headers = headers, .header_count = count, .body = object->body},
                    &response));
    if (response.status / 100 == 2)
        return NULL;
    return refused(what, response.status, between(response.body, S("<Code>"), S("</Code>")), between(response.body, S("<Message>"), S("</Message>")));
}

struct err *sink_put_object(const struct sink_caller *caller, struct slice log_uri, const struct sink_object *object)
{
    struct slice bucket, prefix;
    if (!sink_parse_log_uri(log_uri, &bucket, &prefix))
        return err_new(ERR_INVALID, "%.*s is no s3:// URI", SLICE_ARG(log_uri));
    struct slice whole = prefix.len ? slice_fmt(caller->arena, "%.*s/%.*s", SLICE_ARG(prefix), SLICE_ARG(object->key)) : object->key;
    struct slice path = slice_fmt(caller->arena, "/%.*s/%.*s", SLICE_ARG(bucket), SLICE_ARG(uri_encode(caller->arena, whole, URI_KEEP_SLASH)));
    struct slice what = slice_fmt(caller->arena, "s3://%.*s", SLICE_ARG(bucket));
    struct err *e = s3_put(caller, path, object, what);
    if (!e || !err_has_code(e, "NoSuchBucket"))
        return e;
    err_free(e);
    e = s3_put(caller, slice_fmt(caller->arena, "/%.*s", SLICE_ARG(bucket)), &(struct sink_object){.body = S("")}, what);
    if (e && !err_has_code(e, "BucketAlreadyOwnedByYou")) /* another run of ours was faster */
        return e;
    err_free(e);
    return s3_put(caller, path, object, what);
}

struct err *sink_get_object(const struct sink_caller *caller, struct slice bucket, struct slice key, size_t max_bytes, struct slice *ret_text)
{
    struct slice path = slice_fmt(caller->arena, "/%.*s/%.*s", SLICE_ARG(bucket), SLICE_ARG(uri_encode(caller->arena, key, URI_KEEP_SLASH)));
    struct slice what = slice_fmt(caller->arena, "s3://%.*s/%.*s", SLICE_ARG(bucket), SLICE_ARG(key));
    struct http_response response;
    struct err *e = send_signed(caller, &(struct request){.service = "s3", .method = S("GET"), .path = path, .body = S(""), .max_answer_bytes = max_bytes}, &response);
    if (e && e->kind == ERR_LIMIT) {
        err_free(e);
        return err_new(ERR_LIMIT, "%.*s is larger than %zu bytes", SLICE_ARG(what), max_bytes);
    }
    TRY(e);
    if (response.status / 100 != 2)
        return refused(what, response.status, between(response.body, S("<Code>"), S("</Code>")), between(response.body, S("<Message>"), S("</Message>")));
    *ret_text = response.body;
    return NULL;
}

/* ---- CloudWatch Logs ---- */

static struct err *logs_call(const struct sink_caller *caller, const char *operation, const struct json *input, struct slice what, struct json **ret_output)
{
    struct arena *arena = caller->arena;
    const struct aws_header headers[] = {
        {.name = S("Content-Type"), .value = S("application/x-amz-json-1.1")},
        {.name = S("X-Amz-Target"), .value = slice_fmt(arena, "Logs_20140328.%s", operation)},
    };
    struct http_response response;
    TRY(send_signed(caller,
                    &(struct request){
                        .service = "logs",
                        .method = S("POST"),
                        .path = S("/"),
                        .headers = headers,
                        .header_count = ARRAY_SIZE(headers),
                        .body = json_to_slice(arena, input),
                    },
                    &response));
    struct json *output = NULL;
    struct err *unread = response.body.len ? json_parse(arena, response.body, JSON_DUPLICATES_LAST_WINS, &output) : NULL;
    if (response.status / 100 == 2) {
        if (unread)
            return err_wrap(unread, "answer of logs:%s", operation);
        *ret_output = output;
        return NULL;
    }
    err_free(unread); /* a proxy's page instead of an error of AWS: the status says enough */
    struct slice type = json_get_text(output, "__type"), namespace_, code;
    if (slice_split(type, '#', &namespace_, &code))
        type = code;
    return refused(what, response.status, type, json_get_text(output, "message"));
}

static struct json *stream_input(const struct sink_caller *caller, struct slice group, struct slice stream)
{
    struct json *input = json_object(caller->arena);
    json_set_text(caller->arena, input, "logGroupName", group);
    if (stream.ptr)
        json_set_text(caller->arena, input, "logStreamName", stream);
    return input;
}

static struct err *make_stream(const struct sink_caller *caller, struct slice group, struct slice stream, struct slice what)
{
    struct json *ignored;
    struct err *e = logs_call(caller, "CreateLogStream", stream_input(caller, group, stream), what, &ignored);
    if (e && err_has_code(e, "ResourceNotFoundException")) {
        err_free(e);
        e = logs_call(caller, "CreateLogGroup", stream_input(caller, group, SLICE_NONE), what, &ignored);
        if (e && !err_has_code(e, "ResourceAlreadyExistsException"))
            return e;
        err_free(e);
        e = logs_call(caller, "CreateLogStream", stream_input(caller, group, stream), what, &ignored);
    }
    if (e && err_has_code(e, "ResourceAlreadyExistsException")) {
        err_free(e);
        return NULL;
    }
    return e;
}

struct err *sink_put_events(const struct sink_caller *caller, struct slice group, struct slice stream, const struct log_line *lines, size_t count)
{
    struct arena *arena = caller->arena;
    struct slice what = slice_fmt(arena, "log group %.*s", SLICE_ARG(group));
    struct json *input = stream_input(caller, group, stream), *ignored;
    struct json *events = json_ensure_array(arena, input, "logEvents");
    for (size_t i = 0; i < count; i++) {
        struct json *event = json_object(arena);
        json_set_i64(arena, event, "timestamp", lines[i].timestamp_ms);
        json_set_text(arena, event, "message", lines[i].message);
        json_append(events, event);
    }
    struct err *e = logs_call(caller, "PutLogEvents", input, what, &ignored);
    if (!e || !err_has_code(e, "ResourceNotFoundException"))
        return e;
    err_free(e);
    TRY(make_stream(caller, group, stream, what));
    return logs_call(caller, "PutLogEvents", input, what, &ignored);
}

struct err *sink_last_events(const struct sink_caller *caller, struct slice group, struct slice stream, size_t limit, struct log_line **ret_lines,
                             size_t *ret_count)
{
    struct arena *arena = caller->arena;
    struct json *input = stream_input(caller, group, stream), *output;
    json_set_i64(arena, input, "limit", (int64_t)limit);
    struct err *e = logs_call(caller, "GetLogEvents", input, slice_fmt(arena, "log group %.*s", SLICE_ARG(group)), &output);
    if (e && err_has_code(e, "ResourceNotFoundException")) {
        err_free(e);
        *ret_lines = NULL;
        *ret_count = 0;
        return NULL;
    }
    if (e)
        return e;
    const struct json *events = json_get(output, S("events"));
    struct log_line *lines = ARENA_ARRAY(arena, json_count(events) + 1, struct log_line);
    size_t count = 0;
    JSON_FOREACH(event, events) {
        lines[count++] = (struct log_line){.timestamp_ms = json_get_i64(event, "timestamp", 0), .message = json_get_text(event, "message")};
    }
    *ret_lines = lines;
    *ret_count = count;
    return NULL;
}
