/* edge: the one endpoint. Drives a request through route -> authenticate -> decode -> authorize -> validate -> call -> encode and
 * answers it in its service's protocol. Also answers the few unsigned paths that are ours (/healthz).
 *
 * edge_handle runs in the HTTP server's worker threads, any number at once. An edge starts closed: requests wait at the door
 * until edge_open tells it the daemon's parts, so that the server may take its port before the rest of the daemon stands. */
#pragma once
#include "base/err.h"
#include "edge/rate_limit.h"

struct access_log;
struct edge;
struct http_request;
struct metrics;
struct parts;
struct store;
struct strbuf;

/* GET /ember/events. */
#define EDGE_EVENTS_LIMIT_MAX 1000
#define EDGE_EVENTS_WAIT_MAX_S 20
struct edge_events_question {
    struct slice after; /* a cursor, "now", or absent */
    int64_t limit, wait_ms;
};

struct edge_options {
    struct slice account_id;         /* "111122223333" */
    struct slice region;             /* "us-east-1" */
    struct slice root_access_key_id; /* from DATA_DIR/root-credentials */
    struct slice root_secret;        /* copied, wiped by edge_free */
    struct store *store;             /* for the session keys of job runs; borrowed */
    struct access_log *access_log;   /* borrowed, as metrics is; NULL: none */
    struct metrics *metrics;
    /* Appends the families of the rest of the daemon to /metrics. Called while the edge is open and not closing, by any thread. */
    void (*collect)(void *ctx, struct strbuf *out);
    /* Answers the question in JSON. ERR_INVALID: the cursor is none; ERR_LIMIT: too many wait. Called as collect is; its wait must end when the
     * daemon stops. NULL: there are none. */
    struct err *(*events)(void *ctx, struct arena *arena, const struct edge_events_question *question, struct slice *ret_json);
    void *collect_ctx; /* ctx of both */
};

/* limits.c says what they count. */
struct edge_limits {
    struct rate principal, writes, job, auth_failure;
    bool auth_failure_loopback; /* count addresses of loopback, too */
};

struct edge *edge_new(const struct edge_options *options);
void edge_free(struct edge *edge); /* after the server has stopped; NULL is fine */

/* The http_handler; ctx is the edge. */
void edge_handle(struct http_request *request, void *ctx);

/* http_server_options.refuse: a request id and a line in the access log also for what is no HTTP. */
void edge_refuse(struct http_request *request, int status, struct slice text, void *ctx);

/* Any thread, any time; at first there are no limits, and no token. */
void edge_set_limits(struct edge *edge, const struct edge_limits *limits);
void edge_set_metrics_token(struct edge *edge, struct slice token); /* absent: none; then only loopback may read /metrics. Copied */

/* Lets requests in. parts is borrowed until edge_close_control (reconciler, clusters) and edge_free (the rest). */
void edge_open(struct edge *edge, const struct parts *parts);
/* First step of a shutdown: from now on only S3, Logs and STS are answered (the last logs of running jobs are still shipped through this
 * endpoint), everything else gets 503. Waits at most timeout_ms for such requests that are under way; false when some still are. */
bool edge_close_control(struct edge *edge, int timeout_ms);
