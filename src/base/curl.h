/* curl: libcurl behind one blocking call. A pool keeps handles with their live connections; any thread may call, each
 * call takes a handle for its time. http and https only, no redirects, no signals, no cookies, HTTP/1.1. For
 * http/client.c. */
#pragma once
#include "base/err.h"

struct curl_pool;

struct curl_pool_options {
    const char *ca_path;                                  /* NULL and no ca_pem: the system's */
    const char *client_cert_path, *client_key_path;       /* both or none */
    struct slice ca_pem, client_cert_pem, client_key_pem; /* instead of the paths; copied */
    bool skip_verify;                                     /* the server's certificate is not looked at */
    int connect_timeout_ms;
};

struct err *curl_pool_new(const struct curl_pool_options *options, struct curl_pool **ret_pool) NODISCARD;
void curl_pool_free(struct curl_pool *pool); /* no call may be running */

struct curl_call {
    const char *method, *url;
    const char *const *header_lines; /* "Name: value"; an empty value as "Name;" */
    size_t header_count;
    struct slice body;         /* absent: none (but PUT, POST and PATCH say Content-Length: 0) */
    int timeout_ms;            /* of the whole call; > 0 unless silence_ms is used */
    int silence_ms;            /* longest time without a byte, 0: no such limit */
    const volatile bool *stop; /* may be NULL; looked at at least every 200 ms */
    /* All answers' head lines without the line's end, beginning with the status line "HTTP/1.1 200 OK" (also of interim
     * ones), then the body. An error returned ends the call with it. */
    struct err *(*on_head_line)(void *ctx, struct slice line);
    struct err *(*on_data)(void *ctx, int status, struct slice data);
    void *ctx;
};

/* ERR_UNAVAILABLE with libcurl's words; ERR_INVALID: the URL is none. */
struct err *curl_pool_perform(struct curl_pool *pool, const struct curl_call *call, int *ret_status) NODISCARD;
