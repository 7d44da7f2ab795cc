/* server: HTTP/1.1 over TCP or TLS. Knows no AWS and no Kubernetes; the AWS edge and the embedded API servers are handlers.
 *
 * Threads: one waiter thread (epoll) holds the listener, idle connections, heads still arriving and long streams; N worker
 * threads run the handler, one request from its complete head to its answer. A handler reads the body and answers with the
 * blocking calls below, each bounded by the connection's deadlines (limits in server.c).
 *
 * The handler must answer exactly once (http_respond, or begin…end, or http_detach). If it returns without an answer the
 * server sends 500 and closes.
 *
 * Slow clients: heads, TLS handshakes and small bodies arrive in the waiter thread and cost no worker. Workers that wait for
 * a client (large bodies, large answers) are replaced while they wait, up to worker_max in all. A client must move at least
 * 4 KiB/s on average: one that is a minute behind that is cut off, and when every worker waits while requests do, the one
 * furthest behind at once. So slow clients take time from each other, never from those that keep up. */
#pragma once
#include "base/err.h"
#include "http/message.h"

struct arena;
struct http_server;
struct http_stream;

struct http_request {
    struct arena *arena;          /* the request's own; gone after the handler returned */
    struct slice method;          /* "GET" */
    struct slice target;          /* raw request target */
    struct slice path;            /* raw, before '?', never decoded; absolute-form targets are already cut to the path */
    struct slice query;           /* raw, after '?'; SLICE_NONE when there is no '?' */
    struct http_headers headers;
    int minor_version;            /* of HTTP/1.0 or 1.1 */
    struct slice host;            /* Host header as sent */
    int64_t content_length;       /* -1: none given */
    bool chunked;                 /* Transfer-Encoding: chunked */
    bool head_only;               /* HEAD: the answer's body is left out by the server */
    bool tls;
    struct slice peer_address;    /* "127.0.0.1:51234" */
    struct slice remote_address;  /* "127.0.0.1", "::1" */
    int64_t started_us;           /* monotonic_us() when the whole head was there */
    int status;                   /* of the answer, once begun; 0 before */
    uint64_t bytes_in, bytes_out; /* so far: head and body as received, answer as sent (below TLS they are a bit more) */
    /* Subject of a verified client certificate, else SLICE_NONE. organizations: '\n'-separated O values. */
    struct slice client_common_name;
    struct slice client_organizations;
    void *connection;             /* the server's own */
};

/* The handler; ctx is http_server_options.ctx. Runs in a worker thread. */
typedef void (*http_handler)(struct http_request *request, void *ctx);

struct http_server_options {
    const char *address;         /* numeric; "127.0.0.1" */
    uint16_t port;               /* 0: any free one */
    http_handler handler;
    void *ctx;
    /* Answers what HTTP itself refuses (http_respond; what is known of the head is in request, slices of the rest are absent); NULL: the
     * text alone. */
    void (*refuse)(struct http_request *request, int status, struct slice text, void *ctx);
    size_t worker_count;         /* that work at the same time; 0: 8 */
    size_t worker_max;           /* with those that wait for slow clients; 0: 512 */
    size_t connection_max;       /* 0: 16384, or three quarters of the process's file descriptors if that is less */
    const char *name;            /* of its threads in ps and top, at most 15 bytes; NULL: "http" */
    /* TLS when cert is set: PEM files. client_ca: PEM file; clients may then show a certificate signed by it (optional). */
    const char *tls_cert_path, *tls_key_path, *client_ca_path;
    /* The clock of all time limits, for tests; NULL: monotonic_ms. Who moves it calls http_server_clock_moved. */
    int64_t (*now_ms)(void *ctx);
    void *now_ctx;
};

/* Binds and starts; requests are served when it returns. ERR_CONFLICT when the port is busy (message says by what to do). */
struct err *http_server_start(const struct http_server_options *options, struct http_server **ret_server) NODISCARD;
uint16_t http_server_port(const struct http_server *server);
/* Graceful: no new connections, running requests get at most grace_ms, streams are closed; then everything is freed. */
void http_server_stop(struct http_server *server, int grace_ms);
void http_server_clock_moved(struct http_server *server);

/* Reads certificate, key and client CA again (the files may have new contents; NULL: the paths it was started with). Connections
 * that exist go on with what they began with; new ones get the new certificate. On an error the old one stays in use.
 * ERR_INVALID also when the server was started without TLS. Any thread. */
struct err *http_server_reload_tls(struct http_server *server, const char *cert_path, const char *key_path) NODISCARD;

/* What /metrics shows. Numbers "now", and totals since the start. */
struct http_server_stats {
    /* now */
    size_t connections;         /* all open ones, which are: */
    size_t handshaking;         /* TLS is being agreed on */
    size_t idle;                /* between requests */
    size_t heads;               /* new, or their head is still arriving */
    size_t bodies;              /* their head is here, and their small body still arriving */
    size_t running;             /* a worker has them, or they wait for one */
    size_t streams;             /* watches, log follows */
    size_t closing;             /* answered; what the client still sends is read away */
    size_t workers;             /* threads, which are: */
    size_t workers_busy;        /* in a handler */
    size_t workers_waiting;     /* for a slow client */
    size_t requests_waiting;    /* for a worker */
    /* totals */
    uint64_t accepted;          /* connections */
    uint64_t requests;          /* given to the handler */
    uint64_t refused_malformed; /* answered 400, 414, 417, 431, 505 without the handler */
    uint64_t refused_late;      /* answered 408: the head or a small body took too long */
    uint64_t closed_idle;       /* idle for too long */
    uint64_t closed_for_room;   /* idle, closed because a new connection needed its place */
    uint64_t cut_slow;          /* too slow in a large body or in taking the answer */
    uint64_t cut_for_room;      /* the same, earlier, because requests waited for a worker */
    uint64_t accept_failures;   /* no file descriptor or memory for a new connection */
    uint64_t tls_handshakes, tls_handshake_failures;
    uint64_t tls_reloads;
};
/* Any thread; the numbers are of about the same moment. */
void http_server_stats(struct http_server *server, struct http_server_stats *ret_stats);

/* Body. Sends "100 Continue" before the first byte is read, if the client waits for it (so authenticate first).
 * *ret_len 0 is the end. ERR_INVALID: broken chunking or early end; ERR_LIMIT; ERR_UNAVAILABLE: too slow. */
struct err *http_body_read(struct http_request *request, void *buf, size_t cap, size_t *ret_len) NODISCARD;
/* The whole body into the request's arena; ERR_LIMIT past max_bytes. */
struct err *http_body_read_all(struct http_request *request, size_t max_bytes, struct slice *ret_body) NODISCARD;

/* Answer with a whole body. The server adds Date, Content-Length and Connection; everything else is the handler's. What is
 * left of the request's body is drained up to a bound, else the connection closes after the answer. */
void http_respond(struct http_request *request, int status, const struct http_header *headers, size_t header_count, struct slice body);
/* Streamed answers. content_length -1: chunked. Write errors (client gone) are returned once and end the handler's work. */
struct err *http_respond_begin(struct http_request *request, int status, const struct http_header *headers, size_t header_count,
                               int64_t content_length) NODISCARD;
struct err *http_respond_write(struct http_request *request, struct slice data) NODISCARD;
struct err *http_respond_file(struct http_request *request, int fd, int64_t offset, int64_t length) NODISCARD; /* after begin */
void http_respond_end(struct http_request *request);
bool http_responded(const struct http_request *request); /* begun or done */

/* Long streams (watches, log follows): sends the head of a chunked 200 and hands the connection to the waiter thread. The
 * handler returns at once. Any thread may then write; closed is called once (in the waiter thread) when the client went away
 * or the server stops; after it the owner must call http_stream_close to free its side. */
struct http_stream *http_detach(struct http_request *request, int status, const struct http_header *headers, size_t header_count,
                                void (*closed)(void *owner), void *owner);
/* Queues data as one chunk; never blocks. ERR_UNAVAILABLE when the client is gone, ERR_LIMIT when it is more than 16 MiB behind. */
struct err *http_stream_write(struct http_stream *stream, struct slice data) NODISCARD;
/* Ends the answer cleanly (last chunk) once everything queued is sent, and gives up the handle: owner and closed are not touched
 * after it returned. So it waits while closed is running in the waiter thread (except when called from closed itself): do not
 * hold a lock here that closed takes. Every stream must be given up exactly once, before or after closed. */
void http_stream_close(struct http_stream *stream);
size_t http_stream_queued(const struct http_stream *stream); /* bytes not yet sent */
