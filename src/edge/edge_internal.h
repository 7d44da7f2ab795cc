/* edge_internal: what the files of edge/ share. */
#pragma once
#include "aws/codec.h"
#include "aws/sigv4.h"
#include "base/mutex.h"
#include "edge/access_log.h"
#include "edge/edge.h"
#include "edge/metrics.h"
#include "http/server.h"
#include "services/call.h"

/* ---- route.c: which service a request is for (reference: credential scope, else target, action, host, path). Pure. ---- */

enum door {
    DOOR_SERVICE, /* service is set */
    DOOR_HEALTH,  /* unsigned /healthz: 200 while requests are let in, else 503 */
    DOOR_METRICS, /* /metrics, unsigned or with a bearer token */
    DOOR_EVENTS,  /* /ember/events, signed as service, which is emr-containers */
    DOOR_EFFECTIVE, /* /ember/jobruns/ID/effective, as well */
    DOOR_OURS,    /* another of our unsigned paths, which nothing serves yet: 404 */
    DOOR_UNKNOWN, /* signed for a service that is not here; service is one of the same protocol, scope_service its name */
};

enum signing {
    SIGNING_NONE,
    SIGNING_HEADER,    /* Authorization: AWS4-HMAC-SHA256 … */
    SIGNING_QUERY,     /* X-Amz-Algorithm=… in the query */
    SIGNING_V2_HEADER, /* Authorization: AWS key:signature */
    SIGNING_V2_QUERY,  /* AWSAccessKeyId, Signature, Expires in the query */
    SIGNING_OTHER,     /* some other Authorization */
};

struct target {
    enum door door;
    const struct aws_service *service;
    struct slice scope_service; /* as the client signed; absent when it did not say */
    enum signing signing;
    struct slice bucket; /* S3: named by the virtual host; absent: path style */
};

/* body: what of it is known: only looked at for Action= of an unsigned form; may be absent. */
struct target edge_route_target(struct arena *arena, const struct aws_request *request, struct slice host);

/* The bucket that a virtual host of S3 names: BUCKET.s3.…, BUCKET.s3-REGION.…, BUCKET.localhost; absent for other hosts. */
struct slice edge_virtual_bucket(struct slice host);

/* ---- edge.c ---- */

struct edge {
    struct mutex lock; /* guards the six below */
    struct condition changed;
    const struct parts *parts; /* NULL: closed */
    bool control_closed;
    size_t control_calls; /* under way */
    struct edge_limits limits;
    struct slice metrics_token; /* heap; absent: none */
    int64_t held_bytes;         /* of large bodies, see edge_hold_body */
    struct rate_limiter *limiter;
    struct access_log *access_log;
    struct metrics *metrics;
    void (*collect)(void *ctx, struct strbuf *out);
    struct err *(*events)(void *ctx, struct arena *arena, const struct edge_events_question *question, struct slice *ret_json);
    void *collect_ctx;
    struct store *store;
    struct slice account_id, region;
    struct slice root_access_key_id, root_secret, root_arn; /* heap */
    struct sigv4_keys *signing_keys;
};

enum edge_side {
    EDGE_DATA,    /* S3, Logs, STS: needs neither reconciler nor clusters, answered until the server stops */
    EDGE_CONTROL, /* everything else */
};
/* The daemon's parts, once it has started; NULL when it has not in time or is stopping. Pair with edge_leave unless NULL. */
const struct parts *edge_enter(struct edge *edge, enum edge_side side);
/* As EDGE_CONTROL, without waiting for the start; false: not now. */
bool edge_enter_now(struct edge *edge);
void edge_leave(struct edge *edge, enum edge_side side);

/* ---- limits.c: AWS's throttling error, or NULL ---- */

struct err *edge_limit_principal(struct edge *edge, struct arena *arena, const struct principal *principal,
                                 const struct aws_operation *operation) NODISCARD;
struct err *edge_limit_address(struct edge *edge, struct arena *arena, const struct aws_service *service, struct slice address) NODISCARD;
/* A request from there showed no valid signature; code is what it was told. */
void edge_count_failure(struct edge *edge, struct arena *arena, struct slice address, struct slice code);
/* Before a large body is read whole, which its signature needs: its bytes, to be given back with the request's memory. */
struct err *edge_hold_body(struct edge *edge, const struct aws_service *service, int64_t size_bytes) NODISCARD;
void edge_release_body(struct edge *edge, int64_t size_bytes);
bool edge_is_loopback(struct slice address);

/* ---- metrics_door.c ---- */

void edge_serve_metrics(struct edge *edge, struct http_request *http, struct slice request_id);

/* ---- effective_door.c ---- */

bool edge_is_effective_path(struct slice path);
/* As edge_read_events. */
struct err *edge_read_effective(struct edge *edge, struct arena *arena, const struct principal *principal, const struct aws_service *service,
                                const struct aws_request *request, struct slice *ret_json) NODISCARD;

/* ---- events_door.c ---- */

/* Of a request whose signature holds. The refusal in the words of service. */
struct err *edge_read_events(struct edge *edge, struct arena *arena, const struct principal *principal, const struct aws_service *service,
                             const struct aws_request *request, struct slice *ret_json) NODISCARD;

/* ---- authenticate.c ---- */

struct identity {
    struct principal principal;
    struct sigv4_chain chain; /* what is left to check of the body; its key is wiped by the caller. No amz_date: not of version 4 */
};
/* Whose request it is, or the refusal in the service's words. Unsigned ones are anonymous at S3 and refused elsewhere. */
struct err *edge_authenticate(struct edge *edge, struct arena *arena, const struct target *target, const struct aws_request *request,
                              struct instant now, struct identity *ret_identity) NODISCARD;
/* The refusal that its head alone is worth, NULL when the signature is still to be looked at: before a body is taken from a stranger. Not for
 * S3, whose signature needs no body. */
struct err *edge_authenticate_head(struct edge *edge, struct arena *arena, const struct target *target, const struct aws_request *request,
                                   struct instant now) NODISCARD;

/* Of a POST form, absent where the form has none. Version 2 signs with credential = key id, without date and algorithm. */
struct edge_form_signature {
    bool version2;
    struct slice policy, algorithm, credential, date, signature, session_token;
};
struct err *edge_authenticate_form(struct edge *edge, struct arena *arena, const struct edge_form_signature *form, struct instant now,
                                   struct identity *ret_identity) NODISCARD;

/* ---- form_upload.c: S3's POST form, which becomes a PutObject. ---- */

bool edge_is_form_upload(const struct target *target, const struct aws_request *request);
/* Reads the form up to its file, checks signature and policy, and makes request the PutObject that it stands for, call->body_read its file.
 * MalformedPOSTRequest, MaxPostPreDataLengthExceededError, InvalidArgument, InvalidPolicyDocument, AccessDenied, SignatureDoesNotMatch, … */
struct err *edge_open_form(struct edge *edge, struct call *call, struct aws_request *request, struct identity *ret_identity) NODISCARD;
/* The form's answer, made of the PutObject's. */
struct aws_response edge_form_response(const struct call *call, const struct aws_response *put);

/* ---- hoisted.c ---- */

/* Whether what came from elsewhere may be a header: a token; nothing that ends it. */
bool edge_is_header_name(struct slice name);
bool edge_is_header_value(struct slice value);
/* Of a URL of S3 whose signature holds: headers that stand in its query become request->headers. InvalidArgument: they can be none. */
struct err *edge_take_hoisted(struct arena *arena, const struct target *target, struct aws_request *request) NODISCARD;

/* ---- body.c ---- */

bool edge_streams_request(const struct aws_operation *operation);
/* S3: a streamed body becomes call->body_read, any other is read whole into request->body; nothing for other services. */
struct err *edge_open_body(struct call *call, struct aws_request *request, const struct sigv4_chain *chain, size_t max_bytes) NODISCARD;
void edge_close_body(struct call *call);

/* ---- authorize.c: until policies decide, who may do what is fixed: root everything, a job run's session S3 and Logs. Pure. ---- */

/* AccessDenied in the service's words. */
struct err *edge_authorize(const struct call *call, const struct aws_route *route) NODISCARD;
