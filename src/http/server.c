/* server: start, stop, and the workers. The work itself is in waiter.c (waiting), request.c and respond.c (one
 * request), stream.c (answers that outlive their handler), parser.c (bytes). */
#include "http/server_internal.h"
#include "base/fd.h"
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKERS_DEFAULT = 8, LISTEN_BACKLOG = 1024 };

bool server_is_stopping(const struct http_server *server)
{
    return __atomic_load_n(&server->stopping, __ATOMIC_ACQUIRE);
}

int64_t server_now_ms(const struct http_server *server)
{
    return server->options.now_ms ? server->options.now_ms(server->options.now_ctx) : monotonic_ms();
}

void http_server_clock_moved(struct http_server *server)
{
    server_wake(server);
}

void server_wake(struct http_server *server)
{
    (void)eventfd_write(server->wake_fd, 1);
}

static void queue_push(struct connection_queue *queue, struct connection *connection)
{
    connection->queue_next = NULL;
    *(queue->last ? &queue->last->queue_next : &queue->first) = connection;
    queue->last = connection;
}

static struct connection *queue_pop(struct connection_queue *queue)
{
    struct connection *connection = queue->first;
    queue->first = connection->queue_next;
    if (!queue->first)
        queue->last = NULL;
    return connection;
}

/* ---- workers ---- */

static void *worker_main(void *arg);

/* Our threads take no signals: the daemon's signal thread does; and a write to a closed connection is an error, not
 * SIGPIPE. */
static int thread_start(pthread_t *ret_thread, const pthread_attr_t *attributes, void *(*body)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(ret_thread, attributes, body, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* server->lock is held. */
static bool worker_spawn(struct http_server *server)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 1024 * 1024);
    bool started = thread_start(&thread, &attributes, worker_main, server) == 0;
    pthread_attr_destroy(&attributes);
    server->worker_count += started;
    return started;
}

/* server->lock is held. */
static int working_workers(const struct http_server *server)
{
    return server->worker_count - server->waiting_workers;
}

/* Workers that wait for slow clients do not count: others take their place. */
void server_spawn_if_needed(struct http_server *server)
{
    /* An idle worker that was woken but did not run yet is still counted as idle, and its connection as ready: so
     * compare. */
    if (server->ready_count > server->idle_workers && server->worker_count < (int)server->options.worker_max &&
        working_workers(server) < (int)server->options.worker_count)
        server->spawn_failed = !worker_spawn(server);
}

void server_dispatch(struct http_server *server, struct connection *connection)
{
    mutex_lock(&server->lock);
    bool handshake = connection->tls && !connection->tls_ready;
    queue_push(handshake ? &server->ready_handshakes : &server->ready, connection);
    server->ready_count++;
    server_spawn_if_needed(server);
    condition_signal(&server->ready_cond);
    mutex_unlock(&server->lock);
}

void server_return(struct http_server *server, struct connection *connection)
{
    mutex_lock(&server->lock);
    bool wake = !server->returned.first;
    queue_push(&server->returned, connection);
    mutex_unlock(&server->lock);
    if (wake)
        server_wake(server);
}

/* True when this worker may wait a moment for its connection's next request: nobody else wants it, and half of them stay free. */
static bool linger_begin(struct http_server *server)
{
    mutex_lock(&server->lock);
    bool may = !server->ready_count && server->lingering_workers < (int)server->options.worker_count / 2;
    server->lingering_workers += may;
    mutex_unlock(&server->lock);
    return may;
}

/* False: others wait for a worker now. */
static bool linger_end(struct http_server *server)
{
    mutex_lock(&server->lock);
    server->lingering_workers--;
    bool is_free = !server->ready_count;
    mutex_unlock(&server->lock);
    return is_free;
}

/* A client that asks one thing after the other sends its next request at once: it is taken where the last one was answered,
 * which saves the way through the waiter thread and back, most of the cost of a small request. True: run it. */
static bool connection_goes_on(struct connection *connection)
{
    struct http_server *server = connection->server;
    if (connection->after != AFTER_KEEP || server_is_stopping(server) || !linger_begin(server))
        return false;
    bool complete = request_await(connection);
    return linger_end(server) && complete; /* if not, the waiter looks at what was read */
}

/* Handshakes and requests take turns, so that neither kind holds up the other. lock is held. */
static struct connection *ready_pop(struct http_server *server)
{
    bool handshake = server->ready_handshakes.first && (server->handshake_next || !server->ready.first);
    server->handshake_next = !handshake;
    server->ready_count--;
    return queue_pop(handshake ? &server->ready_handshakes : &server->ready);
}

static void connection_work(struct connection *connection)
{
    if (connection->tls && !connection->tls_ready) {
        request_handshake(connection);
        return;
    }
    do
        request_run(connection);
    while (connection_goes_on(connection));
}

static void *worker_main(void *arg)
{
    struct http_server *server = arg;
    pthread_setname_np(pthread_self(), server->options.name);
    mutex_lock(&server->lock);
    for (;;) {
        while (!server->ready_count && !server->quitting &&
               working_workers(server) <= (int)server->options.worker_count) {
            server->idle_workers++;
            mutex_wait(&server->ready_cond, &server->lock);
            server->idle_workers--;
        }
        if (!server->ready_count)
            break; /* quitting, or one too many */
        struct connection *connection = ready_pop(server);
        mutex_unlock(&server->lock);
        connection_work(connection);
        server_return(server, connection);
        mutex_lock(&server->lock);
    }
    server->worker_count--;
    if (!server->worker_count)
        condition_signal(&server->workers_cond);
    mutex_unlock(&server->lock);
    return NULL;
}

static void workers_stop(struct http_server *server)
{
    mutex_lock(&server->lock);
    server->quitting = true;
    condition_broadcast(&server->ready_cond);
    while (server->worker_count > 0)
        mutex_wait(&server->workers_cond, &server->lock);
    mutex_unlock(&server->lock);
}

/* ---- start ---- */

static struct err *address_parse(const struct http_server_options *options, struct connection *ret_address,
                                 socklen_t *ret_len)
{
    struct connection address = {0};
    if (inet_pton(AF_INET, options->address, &address.peer.v4.sin_addr) == 1) {
        address.peer.v4.sin_family = AF_INET;
        address.peer.v4.sin_port = htons(options->port);
        *ret_len = sizeof(address.peer.v4);
    } else if (inet_pton(AF_INET6, options->address, &address.peer.v6.sin6_addr) == 1) {
        address.peer.v6.sin6_family = AF_INET6;
        address.peer.v6.sin6_port = htons(options->port);
        *ret_len = sizeof(address.peer.v6);
    } else {
        return err_new(ERR_INVALID, "%s is no numeric address to listen on", options->address);
    }
    *ret_address = address;
    return NULL;
}

static struct err *listener_open(struct http_server *server)
{
    const struct http_server_options *options = &server->options;
    struct connection address;
    socklen_t len;
    TRY(address_parse(options, &address, &len));
    server->listen_fd = socket(address.peer.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->listen_fd < 0)
        return err_errno(errno, "while making a socket");
    int on = 1;
    (void)setsockopt(server->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(server->listen_fd, &address.peer.any, len) < 0 || listen(server->listen_fd, LISTEN_BACKLOG) < 0) {
        if (errno == EADDRINUSE)
            return err_new(
                ERR_CONFLICT,
                "another program listens on %s port %u already: stop it (ss -ltnp shows it) or choose another port",
                options->address, options->port);
        return err_errno(errno, "while listening on %s port %u", options->address, options->port);
    }
    len = sizeof(address.peer);
    if (getsockname(server->listen_fd, &address.peer.any, &len) < 0)
        return err_errno(errno, "while asking for the port");
    server->port = ntohs(address.peer.any.sa_family == AF_INET ? address.peer.v4.sin_port : address.peer.v6.sin6_port);
    return NULL;
}

static struct err *epoll_open(struct http_server *server)
{
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event listener = {.events = EPOLLIN, .data.ptr = server};
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = &server->wake_fd};
    if (server->epoll_fd < 0 || server->wake_fd < 0 ||
        epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->listen_fd, &listener) < 0 ||
        epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->wake_fd, &wake) < 0)
        return err_errno(errno, "while setting up epoll");
    return NULL;
}

static void server_free(struct http_server *server)
{
    fd_closep(&server->listen_fd);
    fd_closep(&server->epoll_fd);
    fd_closep(&server->wake_fd);
    tls_context_free(server->tls);
    condition_deinit(&server->ready_cond);
    condition_deinit(&server->workers_cond);
    mutex_deinit(&server->lock);
    free(server);
}

static struct err *tls_open(const struct http_server *server, const char *cert_path, const char *key_path,
                            struct tls_context **ret_context)
{
    return tls_context_new(&(struct tls_context_options){.cert_path = cert_path ? cert_path : server->options.tls_cert_path,
                                                         .key_path = key_path ? key_path : server->options.tls_key_path,
                                                         .client_ca_path = server->options.client_ca_path},
                           ret_context);
}

struct err *http_server_reload_tls(struct http_server *server, const char *cert_path, const char *key_path)
{
    if (!server->options.tls_cert_path)
        return err_new(ERR_INVALID, "the server was started without TLS");
    struct tls_context *fresh;
    TRY(tls_open(server, cert_path, key_path, &fresh));
    mutex_lock(&server->lock);
    struct tls_context *old = server->tls;
    server->tls = fresh;
    mutex_unlock(&server->lock);
    tls_context_free(old);
    server_count(&server->totals.tls_reloads);
    return NULL;
}

static struct err *server_open(struct http_server *server)
{
    if (server->options.tls_cert_path)
        TRY(tls_open(server, NULL, NULL, &server->tls));
    TRY(listener_open(server));
    TRY(epoll_open(server));
    if (thread_start(&server->waiter, NULL, waiter_main, server) != 0)
        return err_new(ERR_INTERNAL, "no thread for the HTTP server");
    return NULL;
}

/* The rest of the process must be able to open its files whatever clients do. */
static size_t connections_that_fit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 * 3 >= CONNECTIONS_MAX)
        return CONNECTIONS_MAX;
    return limit.rlim_cur / 4 * 3;
}

struct err *http_server_start(const struct http_server_options *options, struct http_server **ret_server)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    server->options = *options;
    if (!server->options.worker_count)
        server->options.worker_count = WORKERS_DEFAULT;
    if (!server->options.worker_max)
        server->options.worker_max = WORKERS_MAX;
    if (!server->options.connection_max)
        server->options.connection_max = connections_that_fit();
    if (!server->options.name)
        server->options.name = "http";
    server->listen_fd = server->epoll_fd = server->wake_fd = -1;
    server->wake_at_ms = INT64_MAX;
    server->lists[WAIT_HANDSHAKE].timeout_ms = HANDSHAKE_TIMEOUT_MS;
    server->lists[WAIT_HEAD].timeout_ms = HEAD_TIMEOUT_MS;
    server->lists[WAIT_BODY].timeout_ms = SMALL_BODY_TIMEOUT_MS;
    server->lists[WAIT_IDLE].timeout_ms = IDLE_TIMEOUT_MS;
    server->lists[WAIT_STREAM_STALLED].timeout_ms = STREAM_STALLED_TIMEOUT_MS;
    server->lists[WAIT_DRAIN].timeout_ms = DRAIN_TIMEOUT_MS;
    mutex_init(&server->lock, LOCK_HTTP_SERVER);
    condition_init(&server->ready_cond);
    condition_init(&server->workers_cond);
    struct err *e = server_open(server);
    if (e) {
        server_free(server);
        return e;
    }
    *ret_server = server;
    return NULL;
}

static uint64_t total_of(const uint64_t *total)
{
    return __atomic_load_n(total, __ATOMIC_RELAXED);
}

void http_server_stats(struct http_server *server, struct http_server_stats *ret_stats)
{
    const struct server_totals *totals = &server->totals;
    struct http_server_stats stats = {
        .accepted = total_of(&totals->accepted),
        .requests = total_of(&totals->requests),
        .refused_malformed = total_of(&totals->refused_malformed),
        .refused_late = total_of(&totals->refused_late),
        .closed_idle = total_of(&totals->closed_idle),
        .closed_for_room = total_of(&totals->closed_for_room),
        .cut_slow = total_of(&totals->cut_slow),
        .cut_for_room = total_of(&totals->cut_for_room),
        .accept_failures = total_of(&totals->accept_failures),
        .tls_handshakes = total_of(&totals->tls_handshakes),
        .tls_handshake_failures = total_of(&totals->tls_handshake_failures),
        .tls_reloads = total_of(&totals->tls_reloads),
    };
    mutex_lock(&server->lock);
    const size_t *counts = server->phase_counts;
    stats.connections = server->connections_now;
    stats.handshaking = counts[WAIT_HANDSHAKE];
    stats.idle = counts[WAIT_IDLE];
    stats.heads = counts[WAIT_HEAD];
    stats.bodies = counts[WAIT_BODY];
    stats.running = counts[WAIT_RUNNING];
    stats.streams = counts[WAIT_STREAM] + counts[WAIT_STREAM_STALLED];
    stats.closing = counts[WAIT_DRAIN];
    stats.workers = (size_t)server->worker_count;
    stats.workers_busy = (size_t)(server->worker_count - server->idle_workers - server->waiting_workers);
    stats.workers_waiting = (size_t)server->waiting_workers;
    stats.requests_waiting = (size_t)server->ready_count;
    mutex_unlock(&server->lock);
    *ret_stats = stats;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_stop(struct http_server *server, int grace_ms)
{
    if (!server)
        return;
    server->stop_deadline_ms = server_now_ms(server) + grace_ms;
    __atomic_store_n(&server->stopping, true, __ATOMIC_RELEASE);
    server_wake(server);
    pthread_join(server->waiter, NULL); /* it has every connection back, so no worker is busy */
    workers_stop(server);
    server_free(server);
}
