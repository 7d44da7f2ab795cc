/* client: outgoing HTTP(S) over libcurl (wrapped in base/curl.c). Blocking; each call has a deadline. A client keeps
 * connections alive and may be used by several threads at once (it pools handles). */
#pragma once
#include "base/err.h"
#include "http/message.h"

struct arena;
struct http_client;

struct http_client_options {
    const char *ca_path;                            /* PEM file to trust instead of the system's; NULL: system */
    const char *client_cert_path, *client_key_path; /* mutual TLS, both or none */
    int connect_timeout_ms;                         /* 0: 5000 */
    struct slice ca_pem, client_cert_pem, client_key_pem; /* PEM texts instead of the files (copied); absent: the paths count */
    bool skip_verify;                               /* do not look at the server's certificate (a kubeconfig may ask for it) */
};

struct err *http_client_new(const struct http_client_options *options, struct http_client **ret_client) NODISCARD;
void http_client_free(struct http_client *client);

struct http_call {
    struct slice method;
    struct slice url; /* absolute, already encoded */
    const struct http_header *headers;
    size_t header_count;
    struct slice body;  /* absent: none */
    int timeout_ms;     /* whole call, 0: 30 s; with a sink the longest silence, 0: no limit */
    size_t max_body_bytes; /* 0: 64 MiB */
    bool cut_body;         /* a longer answer is cut there; else it is ERR_LIMIT */
    /* When set, body bytes of 2xx answers go here as they arrive instead of response.body; return an error to end the call.
     * *stop (may be NULL) is looked at often: true ends the call with ERR_UNAVAILABLE. */
    struct err *(*sink)(void *ctx, struct slice data);
    void *sink_ctx;
    const volatile bool *stop;
};

struct http_response {
    int status;
    struct http_headers headers; /* in the arena */
    struct slice body;           /* in the arena */
};

/* Any status is success here. ERR_UNAVAILABLE: no connection, time out, broken answer, TLS failure (the message says which). */
struct err *http_client_call(struct http_client *client, struct arena *arena, const struct http_call *call,
                             struct http_response *ret_response) NODISCARD;
