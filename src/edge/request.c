/* request: the pipeline. Each step's failure becomes an answer in the service's protocol; whatever has no AWS name is the
 * service's internal error, logged here once with the request id. */
#include "edge/edge_internal.h"
#include "edge/record.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/log.h"
#include <string.h>

/* Bodies that are held whole; bigger ones (objects, parts) are streamed. AWS's own limits for these services are lower. */
#define MAX_BODY_BYTES (4 << 20)
/* Of those, what is taken before anything is known of who asks. */
#define STRANGERS_BODY_MAX_BYTES (64 << 10)
#define REQUEST_ID_ALPHABET S("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")

/* One request on its way through the pipeline. */
struct passage {
    struct edge *edge;
    struct arena *arena;
    struct http_request *http;
    struct aws_request request;
    struct target target;
    const struct aws_service *counted; /* among those in flight */
    struct aws_route route;
    struct identity identity;
    struct call call;
    struct slice request_id;
    struct slice error_code; /* of the answer; absent: no error */
    struct instant now;
    int64_t held_bytes; /* of a large body */
};

static bool is_data_service(const struct aws_service *service)
{
    return service->protocol == AWS_REST_XML || service->protocol == AWS_JSON_1_1 || service->protocol == AWS_QUERY;
}

static void record(struct passage *p, const struct exchange *answer)
{
    struct exchange exchange = *answer;
    exchange.http = p->http;
    exchange.service = p->target.service->id;
    exchange.operation = p->route.operation ? p->route.operation->name : SLICE_NONE;
    exchange.principal = p->identity.principal.arn;
    exchange.request_body = p->request.body;
    if (!p->call.form) /* its answer is not the PutObject's */
        edge_record(&exchange);
}

static void send(struct passage *p, const struct aws_response *response)
{
    struct http_header *headers = ARENA_ARRAY(p->arena, response->header_count + 1, struct http_header);
    for (size_t i = 0; i < response->header_count; i++)
        headers[i] = (struct http_header){.name = response->headers[i].name, .value = response->headers[i].value};
    record(p, &(struct exchange){.status = response->status, .headers = headers, .header_count = response->header_count, .body = response->body});
    http_respond(p->http, response->status, headers, response->header_count, response->body);
}

static void log_request(struct passage *p, const struct err *e, int status)
{
    struct slice operation = p->route.operation ? p->route.operation->name : S("");
    struct slice service = p->target.service->signing_name;
    /* Internal errors are ours to explain; everything else the client was told, and a full disk the operator by now. */
    if (e && status >= 500 && status != 501 && status != 503 && !e->no_space)
        log_event(REQUEST_FAILED, LOG_SLICE("requestId", p->request_id), LOG_SLICE("service", service), LOG_SLICE("operation", operation),
                  LOG_ERR(e));
    else
        log_event(REQUEST_DONE, LOG_SLICE("requestId", p->request_id), LOG_SLICE("service", service), LOG_SLICE("operation", operation),
                  LOG_INT("status", status), LOG_SLICE("accessKeyId", p->identity.principal.access_key_id));
}

/* The disk is full: no client's fault, and it passes. Where the service's model has a word for that, clients try again; elsewhere it
 * is the internal error. The operator is told in any case. */
static struct err *name_full_disk(struct passage *p, struct err *e)
{
    const struct aws_service *service = p->target.service;
    if (!e->no_space)
        return e;
    log_event(STORAGE_FULL, LOG_SLICE("requestId", p->request_id), LOG_ERR(e));
    if (e->code || !aws_error_find(service, S("ServiceUnavailableException")))
        return e;
    err_free(e);
    e = err_code(ERR_LIMIT, "ServiceUnavailableException", "There is no space left to record this. Please try again.");
    e->no_space = true; /* log_request: the operator knows */
    return e;
}

static void fail(struct passage *p, struct err *e)
{
    e = name_full_disk(p, e);
    p->error_code = e->code ? slice_dup_cstr(p->arena, e->code) : p->target.service->internal_code;
    if (http_responded(p->http)) {
        /* The head is out: the connection is cut, which the client sees as a body that is too short. */
        bool gone = e->kind == ERR_UNAVAILABLE || e->kind == ERR_INVALID;
        log_request(p, gone ? NULL : e, gone ? 499 : 500);
        err_free(e);
        return;
    }
    struct aws_response response = aws_encode_error(p->arena, p->target.service, &p->request, p->request_id, e);
    log_request(p, e, response.status);
    send(p, &response);
    err_free(e);
}

static struct err *read_whole_body(struct passage *p)
{
    struct err *e = http_body_read_all(p->http, MAX_BODY_BYTES, &p->request.body);
    if (!e)
        return NULL;
    struct err *told = NULL;
    switch (e->kind) {
    case ERR_LIMIT:
        told = aws_err(ERR_LIMIT, 413, "RequestEntityTooLargeException", "Request size exceeded %d bytes.", MAX_BODY_BYTES);
        break;
    case ERR_UNAVAILABLE:
    case ERR_INVALID:
        told = aws_err(ERR_INVALID, 400, p->target.service->serialization_code.ptr, "The request's body ended early or came too slowly.");
        break;
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_DENIED:
    case ERR_INTERNAL:
        return e;
    }
    err_free(e);
    return told;
}

/* A service that is not here is refused in its own protocol family. */
static struct err *refuse_service(const struct target *target)
{
    struct slice name = target->scope_service;
    switch (target->service->protocol) {
    case AWS_QUERY:
        return aws_err(ERR_INVALID, 400, "InvalidAction", "The service %.*s is not served here.", SLICE_ARG(name));
    case AWS_REST_XML:
        return aws_err(ERR_INVALID, 501, "NotImplemented", "A header you provided implies functionality that is not implemented");
    case AWS_REST_JSON:
    case AWS_JSON_1_1:
        return aws_err(ERR_INVALID, target->service->protocol == AWS_REST_JSON ? 404 : 400, "UnknownOperationException",
                       "The service %.*s is not served here.", SLICE_ARG(name));
    }
    return NULL;
}

/* S3's POST form: who asks stands in the body, so it is read first, up to the file. */
static struct err *identify_form(struct passage *p)
{
    TRY(edge_open_form(p->edge, &p->call, &p->request, &p->identity));
    return aws_route(p->arena, p->target.service, &p->request, &p->route);
}

/* Unknown operations are told only to those who have shown who they are. */
static struct err *identify(struct passage *p)
{
    struct err *routed = NULL;
    bool s3 = p->target.service->protocol == AWS_REST_XML;
    /* An unsigned form names its service by Action=, which the body had to tell first. */
    if (!s3 && p->target.door == DOOR_SERVICE && p->target.signing == SIGNING_NONE)
        p->target = edge_route_target(p->arena, &p->request, p->http->host);
    if (s3 || p->target.door == DOOR_SERVICE)
        routed = aws_route(p->arena, p->target.service, &p->request, &p->route);
    struct err *e = edge_authenticate(p->edge, p->arena, &p->target, &p->request, p->now, &p->identity);
    if (e) {
        err_free(routed);
        return e;
    }
    if (p->target.door == DOOR_UNKNOWN) {
        err_free(routed);
        return refuse_service(&p->target);
    }
    /* Before a byte of the body is read. */
    if (p->identity.principal.kind == PRINCIPAL_ANONYMOUS && (routed || !p->route.operation->unsigned_allowed)) {
        err_free(routed);
        return aws_err(ERR_DENIED, 403, "AccessDenied", "Access Denied");
    }
    return routed || !s3 ? routed : edge_take_hoisted(p->arena, &p->target, &p->request);
}

/* *ret_response is still to be sent, unless the operation has answered by itself. */
static struct err *run(struct passage *p, struct aws_response *ret_response)
{
    const struct aws_operation *operation = p->route.operation;
    void *in;
    p->call.operation = operation;
    p->call.principal = p->identity.principal;
    if (!p->call.form)
        TRY(edge_open_body(&p->call, &p->request, &p->identity.chain, MAX_BODY_BYTES));
    TRY(aws_decode_request(p->arena, &p->route, &p->request, &in));
    TRY(edge_authorize(&p->call, &p->route));
    TRY(aws_validate(p->arena, operation, in));
    void *out = arena_alloc(p->arena, operation->response->size ? operation->response->size : 1);
    service_function serve = service_function_of(operation);
    if (!serve)
        return aws_err_unknown_operation(operation->service, operation->name);
    TRY(serve(&p->call, in, out));
    if (http_responded(p->http)) {
        log_request(p, NULL, 200);
        record(p, &(struct exchange){.status = p->call.sent_status, .headers = p->call.sent_headers,
                                     .header_count = p->call.sent_header_count, .streamed = true});
        return NULL;
    }
    *ret_response = aws_encode_response(p->arena, operation, &p->request, p->request_id, out);
    if (p->call.form)
        *ret_response = edge_form_response(&p->call, ret_response);
    return NULL;
}

/* Failures to say who asks are counted. */
static struct err *count_failure(struct passage *p, struct err *e)
{
    bool theirs = e && e->kind != ERR_INTERNAL && e->kind != ERR_UNAVAILABLE;
    if (theirs && p->identity.principal.kind == PRINCIPAL_ANONYMOUS)
        edge_count_failure(p->edge, p->arena, p->http->remote_address, slice_from_cstr(e->code));
    return e;
}

/* What is done before the daemon's parts are entered, since a stop waits for those inside: who is slow with a body waits out here. */
static struct err *receive(struct passage *p)
{
    TRY(edge_limit_address(p->edge, p->arena, p->target.service, p->http->remote_address));
    if (p->target.service->protocol == AWS_REST_XML)
        return NULL;
    bool too_large = p->http->content_length > MAX_BODY_BYTES; /* is told without reading it */
    if (!too_large && (p->http->chunked || p->http->content_length > STRANGERS_BODY_MAX_BYTES)) {
        int64_t size_bytes = p->http->chunked ? MAX_BODY_BYTES : p->http->content_length;
        TRY(count_failure(p, edge_authenticate_head(p->edge, p->arena, &p->target, &p->request, p->now)));
        TRY(edge_hold_body(p->edge, p->target.service, size_bytes));
        p->held_bytes = size_bytes;
    }
    return count_failure(p, read_whole_body(p));
}

/* Who may go on, after where they come from by who they are. */
static struct err *admit(struct passage *p)
{
    TRY(count_failure(p, edge_is_form_upload(&p->target, &p->request) ? identify_form(p) : identify(p)));
    return edge_limit_principal(p->edge, p->arena, &p->identity.principal, p->route.operation);
}

static void tell_closed(struct passage *p)
{
    bool s3 = p->target.service->protocol == AWS_REST_XML;
    fail(p, aws_err(ERR_UNAVAILABLE, 503, s3 ? "ServiceUnavailable" : "ServiceUnavailableException",
                    "The service is starting or stopping. Please try again."));
}

static struct err *run_own(struct passage *p, struct slice *ret_json)
{
    TRY(count_failure(p, edge_authenticate(p->edge, p->arena, &p->target, &p->request, p->now, &p->identity)));
    if (p->target.door == DOOR_EFFECTIVE)
        return edge_read_effective(p->edge, p->arena, &p->identity.principal, p->target.service, &p->request, ret_json);
    return edge_read_events(p->edge, p->arena, &p->identity.principal, p->target.service, &p->request, ret_json);
}

static void serve_own(struct passage *p)
{
    struct slice json;
    struct err *e = receive(p);
    if (e) {
        fail(p, e);
        return;
    }
    if (!edge_enter(p->edge, EDGE_CONTROL)) {
        tell_closed(p);
        return;
    }
    e = run_own(p, &json);
    secret_wipe(&p->identity.chain.key, sizeof(p->identity.chain.key));
    edge_leave(p->edge, EDGE_CONTROL);
    if (e) {
        fail(p, e);
    } else {
        const struct http_header headers[] = {{.name = S("Content-Type"), .value = S("application/json")},
                                              {.name = S("x-amzn-RequestId"), .value = p->request_id}};
        http_respond(p->http, 200, headers, ARRAY_SIZE(headers), json);
    }
}

static void serve_aws(struct passage *p)
{
    enum edge_side side = is_data_service(p->target.service) ? EDGE_DATA : EDGE_CONTROL;
    struct err *e = receive(p);
    if (e) {
        fail(p, e);
        return;
    }
    const struct parts *parts = edge_enter(p->edge, side);
    if (!parts) {
        tell_closed(p);
        return;
    }
    p->call = (struct call){
        .arena = p->arena,
        .parts = parts,
        .request_id = p->request_id,
        .now = p->now,
        .http = p->http,
        .body_length = -1,
    };
    struct aws_response response;
    e = admit(p);
    if (!e)
        e = run(p, &response);
    edge_close_body(&p->call);
    secret_wipe(&p->identity.chain.key, sizeof(p->identity.chain.key));
    edge_leave(p->edge, side); /* before the answer, which a client may take as slowly as it sent its body */
    if (e) {
        fail(p, e);
    } else if (!http_responded(p->http)) {
        log_request(p, NULL, response.status);
        send(p, &response);
    }
}

static void answer_plain(struct passage *p, int status, struct slice text)
{
    const struct http_header headers[] = {{.name = S("Content-Type"), .value = S("text/plain")},
                                          {.name = S("x-amzn-RequestId"), .value = p->request_id}};
    http_respond(p->http, status, headers, ARRAY_SIZE(headers), text);
}

/* Whether the daemon lets requests in: not yet while it starts, no longer while it stops. */
static void serve_health(struct passage *p)
{
    if (!edge_enter_now(p->edge)) {
        answer_plain(p, 503, S("not ready\n"));
        return;
    }
    edge_leave(p->edge, EDGE_CONTROL);
    answer_plain(p, 200, S("ok\n"));
}

static bool is_aws(const struct passage *p)
{
    return p->target.door == DOOR_SERVICE || p->target.door == DOOR_UNKNOWN;
}

static void serve(struct passage *p)
{
    switch (p->target.door) {
    case DOOR_HEALTH:
        serve_health(p);
        return;
    case DOOR_METRICS:
        edge_serve_metrics(p->edge, p->http, p->request_id);
        return;
    case DOOR_EVENTS:
    case DOOR_EFFECTIVE:
        serve_own(p);
        return;
    case DOOR_OURS:
        answer_plain(p, 404, S("not found\n"));
        return;
    case DOOR_SERVICE:
    case DOOR_UNKNOWN:
        serve_aws(p);
        return;
    }
}

/* The request in the access log and in the metrics. */
static void account(struct passage *p)
{
    const struct http_request *http = p->http;
    bool aws = is_aws(p), known = p->target.door == DOOR_SERVICE;
    int64_t duration_us = monotonic_us() - http->started_us;
    if (p->edge->metrics)
        metrics_request_ends(p->edge->metrics, &(struct metrics_request){.service = aws ? p->target.service : NULL,
                                                                         .begun_as = p->counted,
                                                                         .operation = p->route.operation,
                                                                         .status = http->status,
                                                                         .bytes_in = http->bytes_in,
                                                                         .bytes_out = http->bytes_out,
                                                                         .duration_us = duration_us});
    if (!p->edge->access_log)
        return;
    access_log_write(p->edge->access_log, &(struct access_entry){
                                              .time = p->now,
                                              .request_id = p->request_id,
                                              .remote_address = http->peer_address,
                                              .method = http->method,
                                              .path = http->path,
                                              .query = http->query,
                                              .service = known ? p->target.service->id : p->target.scope_service,
                                              .operation = p->route.operation ? p->route.operation->name : SLICE_NONE,
                                              .access_key_id = p->identity.principal.access_key_id,
                                              .principal_arn = p->identity.principal.arn,
                                              .status = http->status,
                                              .error_code = p->error_code,
                                              .bytes_in = http->bytes_in,
                                              .bytes_out = http->bytes_out,
                                              .duration_us = duration_us,
                                              .user_agent = http_header_get(http->headers, S("User-Agent")),
                                          });
}

void edge_handle(struct http_request *http, void *ctx)
{
    struct passage p = {.edge = ctx, .arena = http->arena, .http = http, .error_code = SLICE_NONE, .now = instant_now()};
    struct aws_header *headers = ARENA_ARRAY(p.arena, http->headers.count + 1, struct aws_header);
    for (size_t i = 0; i < http->headers.count; i++)
        headers[i] = (struct aws_header){.name = http->headers.items[i].name, .value = http->headers.items[i].value};
    p.request = (struct aws_request){
        .method = http->method,
        .path = http->path,
        .query = http->query,
        .headers = {.items = headers, .count = http->headers.count},
        .body = SLICE_NONE,
        .bucket = SLICE_NONE,
    };
    p.target = edge_route_target(p.arena, &p.request, http->host);
    p.request.bucket = p.target.bucket;
    p.counted = is_aws(&p) ? p.target.service : NULL;
    bool s3 = p.counted && p.counted->protocol == AWS_REST_XML;
    p.request_id = s3 ? random_text(p.arena, 16, REQUEST_ID_ALPHABET) : random_uuid(p.arena);
    log_set_request(p.request_id);
    if (p.edge->metrics)
        metrics_request_begins(p.edge->metrics, p.counted);
    serve(&p);
    edge_release_body(p.edge, p.held_bytes);
    account(&p);
    log_set_request(SLICE_NONE);
}

void edge_refuse(struct http_request *http, int status, struct slice text, void *ctx)
{
    struct passage p = {.edge = ctx, .arena = http->arena, .http = http, .error_code = SLICE_NONE, .now = instant_now()};
    p.target = (struct target){.door = DOOR_OURS, .scope_service = SLICE_NONE};
    p.request_id = random_uuid(p.arena);
    if (p.edge->metrics)
        metrics_request_begins(p.edge->metrics, NULL);
    answer_plain(&p, status, text);
    account(&p);
}
