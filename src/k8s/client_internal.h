/* client_internal: what the client's files share. */
#pragma once
#include "base/arena.h"
#include "base/strbuf.h"
#include "http/client.h"
#include "k8s/client.h"

enum log_split { LOG_SPLIT_UNKNOWN, LOG_SPLIT_YES, LOG_SPLIT_NO };

struct k8s_client {
    enum log_split log_split; /* atomic: does the API server know the log parameter `stream`? */
    volatile bool stop;       /* atomic; of all calls that have none of their own */
    struct http_client *http;
    char *server;     /* without a final slash */
    char *token;      /* NULL: none; secret */
    char *token_path; /* read anew for each call: such tokens are rotated; NULL: none */
};

struct k8s_connect {
    struct http_client_options http;
    struct slice server, token, token_path;
};
struct err *k8s_client_connect(const struct k8s_connect *connect, struct k8s_client **ret_client) NODISCARD;

struct k8s_request {
    const char *method;
    struct slice path;        /* may have a query */
    const char *content_type; /* NULL: no body */
    struct slice body;
    /* for streams, else NULL */
    struct err *(*sink)(void *ctx, struct slice data);
    void *sink_ctx;
    int silence_ms;
    const volatile bool *stop; /* NULL: the client's */
    int timeout_ms;            /* 0: the usual; not for streams */
};
/* Any status but 2xx becomes an error made of the Status in the answer. */
struct err *k8s_request_send(struct k8s_client *client, struct arena *arena, const struct k8s_request *request,
                             struct http_response *ret_response) NODISCARD;
/* Adds "name=value" to a path, value percent-encoded. */
struct slice k8s_path_with(struct arena *arena, struct slice path, const char *name, struct slice value);
/* Of a Status object. */
struct err *k8s_status_err(int http_status, const struct json *status, struct slice what) NODISCARD;
