/* server_internal: what the server's files share. Who may touch what:
 * - a connection belongs to the waiter thread, but between waiter_dispatch and server_return to the one worker that
 * runs it;
 * - server.lock guards the fields listed under it and nothing else; stream.lock guards a stream's; never take both but
 * in the order stream.lock, server.lock;
 * - only the waiter closes connections. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/strbuf.h"
#include "base/tls.h"
#include "http/parser.h"
#include "http/server.h"
#include <netinet/in.h>
#include <pthread.h>

enum {
    CONNECTIONS_MAX = 16384,
    WORKERS_MAX = 512,
    HANDSHAKE_TIMEOUT_MS = 10 * 1000,
    HEAD_TIMEOUT_MS = 30 * 1000,
    SMALL_BODY_TIMEOUT_MS = 30 * 1000,
    IDLE_TIMEOUT_MS = 120 * 1000,
    STREAM_STALLED_TIMEOUT_MS = 60 * 1000,
    DRAIN_TIMEOUT_MS = 1000,
    STOP_IDLE_MS = 200, /* idle clients may still ask once when the server stops, and hear that it is over */
    LINGER_MS = 1, /* a worker's wait for the next request of its connection, or for a small body that comes behind its head */
    /* What a worker's client must move, on average of the time that is spent waiting for it. How far it is behind that is never less than
     * nothing: speed is not saved up. */
    SLOW_BYTES_PER_S = 4096,
    SLOW_LIMIT_MS = 60 * 1000, /* behind: it is cut off */
    SLOW_SHORTAGE_MS = 500,    /* the same while requests wait because every worker waits for a client; the furthest behind first */
    SMALL_BODY_MAX_BYTES = 32 * 1024, /* is read by the waiter if it is slow */
    DRAIN_MAX_BYTES = 64 * 1024, /* of a body, to keep the connection */
    /* Before closing: unread bytes in the kernel would make it a reset that eats the answer. More than the largest body that is held
     * whole, since clients send all of theirs before they read. */
    LINGER_MAX_BYTES = 16 * 1024 * 1024,
    STREAM_QUEUE_MAX_BYTES = 16 * 1024 * 1024,
    READ_BYTES = 16 * 1024,
};

/* A wait list: connections of one phase with one time limit; the first ends first. Waiter only. */
struct wait_list {
    struct connection *first, *last;
    size_t count;
    int timeout_ms; /* 0: none */
};

enum wait_phase {
    WAIT_HANDSHAKE,
    WAIT_HEAD,
    WAIT_BODY,
    WAIT_IDLE,
    WAIT_RUNNING,
    WAIT_STREAM,
    WAIT_STREAM_STALLED,
    WAIT_DRAIN,
    WAIT_PHASES
};

/* What the waiter shall do with a connection that a worker gives back. */
enum connection_after { AFTER_KEEP, AFTER_BODY, AFTER_DRAIN, AFTER_CLOSE, AFTER_STREAM, AFTER_HANDSHAKE };

/* Why a client that a worker waited for was cut off. */
enum connection_cut { CUT_NOT, CUT_SLOW, CUT_FOR_ROOM };

enum answer_state { ANSWER_NONE, ANSWER_BEGUN, ANSWER_DONE };

/* The request under way. Worker only. */
struct exchange {
    struct http_head head;
    bool continue_due; /* the client waits for 100 Continue */
    bool body_done, body_failed;
    int64_t body_left; /* with a Content-Length */
    struct http_chunks chunks;
    enum answer_state answer;
    bool bodyless; /* HEAD, 204, 304: body bytes are left out */
    bool answer_chunked;
    int64_t answer_left; /* with a Content-Length; -1: none */
    bool keep_alive;     /* what the answer's head promised */
    bool broken;         /* the connection is of no more use */
};

enum io_result { IO_OK, IO_WAIT_READ, IO_WAIT_WRITE, IO_EOF, IO_BROKEN };

struct connection {
    struct http_server *server;
    int fd;
    struct tls_session *tls; /* NULL: plain */
    bool tls_ready;
    bool at_worker; /* waiter: dispatched, not yet returned */
    bool doomed;    /* waiter: to be closed when the worker returns it */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
    struct strbuf in;  /* received, not yet used */
    size_t scanned;    /* of in, by http_head_scan */
    size_t head_len;   /* set at dispatch */
    int refuse_status; /* set at dispatch: answer this instead of running the handler */
    size_t body_wanted; /* AFTER_BODY: of in, before it goes to a worker again; 0: none */
    size_t drained_bytes;
    bool want_write; /* stream: the socket was full */
    /* waiter */
    enum wait_phase phase;
    struct connection *prev, *next;
    int64_t deadline_ms;
    /* in server.ready or server.returned */
    struct connection *queue_next;
    enum connection_after after;
    enum io_result handshake; /* AFTER_HANDSHAKE */
    struct exchange exchange;
    /* server.lock, while a worker waits for the client; else the worker's */
    struct connection *wait_prev, *wait_next;
    bool waits_to_read;
    int64_t wait_began_ms, wait_until_ms;
    int64_t behind_us;
    enum connection_cut cut;
    struct http_stream *stream;
};

struct connection_queue {
    struct connection *first, *last;
};

/* Written by any thread, atomically (server_count). */
struct server_totals {
    uint64_t accepted, requests, refused_malformed, refused_late, closed_idle, closed_for_room, cut_slow, cut_for_room;
    uint64_t accept_failures, tls_handshakes, tls_handshake_failures, tls_reloads;
};

static inline void server_count(uint64_t *total)
{
    (void)__atomic_fetch_add(total, 1, __ATOMIC_RELAXED);
}

struct http_server {
    struct http_server_options options;
    int listen_fd, epoll_fd, wake_fd;
    uint16_t port;
    struct tls_context *tls; /* lock: a reload changes it; sessions keep theirs alive */
    pthread_t waiter;
    /* waiter only */
    struct wait_list lists[WAIT_PHASES];
    size_t connection_count;
    bool accept_paused;
    int64_t accept_retry_at_ms;
    bool idle_ended; /* stopping: who is between two requests is closed */
    /* lock */
    struct mutex lock;
    struct condition ready_cond, workers_cond;
    struct connection_queue ready, ready_handshakes, returned;
    int ready_count; /* of both */
    bool handshake_next;
    struct connection *waiting; /* those that workers wait for */
    int64_t wake_at_ms;         /* when the waiter looks at them next */
    bool spawn_failed;
    size_t phase_counts[WAIT_PHASES], connections_now; /* copied for http_server_stats */
    struct http_stream *dirty; /* streams with something new to send */
    int worker_count, idle_workers, waiting_workers, lingering_workers;
    bool quitting; /* workers end */
    bool stopping; /* atomic: no new connections, no keep-alive */
    int64_t stop_deadline_ms;
    struct server_totals totals;
};

struct stream_block {
    struct stream_block *next;
    size_t start, len, cap;
    char data[];
};

struct http_stream {
    struct mutex lock;
    struct condition closed_cond;
    struct http_server *server; /* NULL once the waiter let go */
    struct connection *connection;
    void (*closed)(void *owner);
    void *owner;
    bool raw;           /* HTTP/1.0: no chunks */
    bool bodyless;      /* HEAD: nothing is sent */
    bool dead;          /* the client is gone, or we gave it up */
    bool ending;        /* the owner gave up its side */
    bool closed_called; /* or never to be called */
    bool closed_running;
    bool is_dirty;                  /* server.lock */
    struct http_stream *dirty_next; /* server.lock */
    struct stream_block *first, *last;
    size_t queued_bytes;
};

/* connection.c: bytes. Non-blocking. */
enum io_result connection_recv(struct connection *connection, void *buf, size_t cap, size_t *ret_len);
enum io_result connection_send(struct connection *connection, const void *data, size_t len, size_t *ret_len);
enum io_result connection_handshake(struct connection *connection);
/* Blocking, for workers: at least one byte (or *ret_len 0: end); all bytes. ERR_UNAVAILABLE when the client is too slow, or,
 * for reading, when deadline_ms (0: none but that) has come. */
struct err *connection_read(struct connection *connection, void *buf, size_t cap, int64_t deadline_ms,
                            size_t *ret_len) NODISCARD;
struct err *connection_write(struct connection *connection, struct slice data) NODISCARD;
struct err *connection_send_file(struct connection *connection, int fd, int64_t offset, int64_t length) NODISCARD;
void connection_name_peer(const struct connection *connection, struct http_request *request);

/* request.c: one request from its head to its answer, in a worker; sets connection->after. */
void request_run(struct connection *connection);
/* Waits for the next head on a connection that was just answered, LINGER_MS at most; true: it is there, run it. */
bool request_await(struct connection *connection);
/* Eats what is left of a body after the answer, if that is little; false: the connection must close. */
bool request_drain_body(struct http_request *request);
/* One step of the TLS handshake: the costly arithmetic is not for the waiter. */
void request_handshake(struct connection *connection);
static inline struct connection *request_connection(const struct http_request *request)
{
    return request->connection;
}

/* respond.c */
void respond_refusal(struct http_request *request, int status, const char *why);

/* stream.c, waiter side. */
enum stream_state { STREAM_IDLE, STREAM_BLOCKED, STREAM_ENDED, STREAM_BROKEN };
enum stream_state stream_flush(struct http_stream *stream, struct connection *connection);
void stream_tell_closed(struct http_stream *stream);
void stream_release(struct http_stream *stream); /* the waiter's side; frees it when the owner's is gone too */

/* waiter.c */
void *waiter_main(void *server);
/* server.c */
void server_dispatch(struct http_server *server, struct connection *connection); /* to the workers */
void server_return(struct http_server *server, struct connection *connection);   /* to the waiter */
void server_wake(struct http_server *server);
int64_t server_now_ms(const struct http_server *server);
/* slow.c: around a worker's waiting for its client. deadline_ms 0: none but the client's own slowness. False: it was cut off. */
void server_wait_begin(struct connection *connection, enum io_result what, int64_t deadline_ms);
bool server_wait_end(struct connection *connection);
/* The waiter: cuts off who is too slow, notes that it looks again at next_ms or returns an earlier time. */
int64_t server_cut_slow(struct http_server *server, int64_t now_ms, int64_t next_ms);
void server_spawn_if_needed(struct http_server *server); /* lock is held */
/* lock is held: requests wait though fewer than worker_count workers work, since the others wait for clients. */
bool server_is_short(const struct http_server *server);
bool server_is_stopping(const struct http_server *server);
