/* waiter: the one thread that sits in epoll: the listener, idle connections, heads (and small bodies) still arriving, streams,
 * and connections that are read empty before they are closed; and the one that knows the time: all limits end here.
 * Everything here is non-blocking; requests and the steps of TLS handshakes run in workers.
 * Sockets are armed for one event at a time (EPOLLONESHOT), so a connection that a worker has makes none. */
#include "http/server_internal.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256,
    ACCEPTS_AT_ONCE = 64,
    ACCEPT_RETRY_MS = 200,
    ROOM_AGE_MS = 1000,               /* a head that may be closed for a new connection's place is at least that old */
    DRAIN_AT_ONCE_BYTES = 256 * 1024, /* then others have their turn */
    UNSENT_MAX_BYTES = 512 * 1024,    /* of one answer in the kernel: else megabytes for each client that does not read */
};

/* ---- lists ---- */

static void list_remove(struct http_server *server, struct connection *connection)
{
    struct wait_list *list = &server->lists[connection->phase];
    *(connection->prev ? &connection->prev->next : &list->first) = connection->next;
    *(connection->next ? &connection->next->prev : &list->last) = connection->prev;
    connection->prev = connection->next = NULL;
    list->count--;
}

static void list_append(struct http_server *server, struct connection *connection, enum wait_phase phase)
{
    struct wait_list *list = &server->lists[phase];
    connection->phase = phase;
    connection->deadline_ms = list->timeout_ms ? server_now_ms(server) + list->timeout_ms : INT64_MAX;
    connection->prev = list->last;
    connection->next = NULL;
    *(list->last ? &list->last->next : &list->first) = connection;
    list->last = connection;
    list->count++;
}

static void list_move(struct http_server *server, struct connection *connection, enum wait_phase phase)
{
    list_remove(server, connection);
    list_append(server, connection, phase);
}

static void connection_arm(struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT, .data.ptr = connection};
    (void)epoll_ctl(connection->server->epoll_fd, EPOLL_CTL_MOD, connection->fd,
                    &event); /* fails for lack of memory only */
}

/* ---- the listener ---- */

static void listener_arm(struct http_server *server, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = server};
    (void)epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->listen_fd, &event);
    server->accept_paused = !on;
    server->accept_retry_at_ms = 0;
}

static void connection_close(struct connection *connection)
{
    struct http_server *server = connection->server;
    list_remove(server, connection);
    if (connection->tls) {
        tls_shutdown(connection->tls);
        tls_session_free(connection->tls);
    }
    close(connection->fd);
    strbuf_deinit(&connection->in);
    free(connection);
    server->connection_count--;
    if (server->accept_paused && server->listen_fd >= 0)
        listener_arm(server, true);
}

static void connection_add(struct http_server *server, int fd, const struct connection *peer)
{
    struct connection *connection = xcalloc(1, sizeof(*connection));
    connection->server = server;
    connection->fd = fd;
    connection->peer = peer->peer;
    int on = 1, idle_s = 60, unsent_bytes = UNSENT_MAX_BYTES;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof(unsent_bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    mutex_lock(&server->lock); /* the context may be exchanged */
    if (server->tls)
        connection->tls = tls_session_new(server->tls, fd);
    mutex_unlock(&server->lock);
    server->connection_count++;
    server_count(&server->totals.accepted);
    list_append(server, connection, connection->tls ? WAIT_HANDSHAKE : WAIT_HEAD);
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = connection};
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        connection_close(connection);
}

/* A connection that nobody will miss when a new one needs its place: the longest idle, else the oldest whose request still is
 * not there. NULL: all are at work. */
static struct connection *find_room(const struct http_server *server)
{
    static const enum wait_phase phases[] = {WAIT_IDLE, WAIT_HANDSHAKE, WAIT_HEAD, WAIT_BODY};
    int64_t now_ms = server_now_ms(server);
    for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
        const struct wait_list *list = &server->lists[phases[i]];
        struct connection *oldest = list->first;
        bool is_old = oldest && oldest->deadline_ms - list->timeout_ms + ROOM_AGE_MS <= now_ms;
        if (oldest && !oldest->at_worker && (is_old || phases[i] == WAIT_IDLE))
            return oldest;
    }
    return NULL;
}

static void make_room(struct connection *connection)
{
    server_count(&connection->server->totals.closed_for_room);
    connection_close(connection);
}

static void listener_pause(struct http_server *server)
{
    server_count(&server->totals.accept_failures);
    listener_arm(server, false); /* until one ends, or a moment later */
    server->accept_retry_at_ms = server_now_ms(server) + ACCEPT_RETRY_MS;
}

/* False: there is none left to accept, or no room. */
static bool listener_accept_one(struct http_server *server)
{
    bool full = server->connection_count >= server->options.connection_max;
    struct connection *room = full ? find_room(server) : NULL;
    if (full && !room) {
        listener_pause(server);
        return false;
    }
    struct connection peer = {0};
    socklen_t len = sizeof(peer.peer);
    int fd = accept4(server->listen_fd, &peer.peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        if (room)
            make_room(room);
        connection_add(server, fd, &peer);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        room = find_room(server);
        if (room)
            make_room(room);
        else
            listener_pause(server);
        return room != NULL;
    }
    return errno == EINTR || errno == ECONNABORTED;
}

static void listener_accept(struct http_server *server)
{
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++)
        if (!listener_accept_one(server))
            return;
}

/* ---- closing ---- */

/* Ends our side and eats what the client still sends, for a while: closing at once would turn unread bytes into a
 * reset, which can destroy the answer in the client's kernel. */
static void drain_begin(struct connection *connection)
{
    if (connection->tls)
        tls_shutdown(connection->tls);
    (void)shutdown(connection->fd, SHUT_WR);
    strbuf_deinit(&connection->in);
    connection->in = STRBUF_HEAP;
    connection->drained_bytes = 0;
    list_move(connection->server, connection, WAIT_DRAIN);
    connection_arm(connection, EPOLLIN);
}

static void drain_advance(struct connection *connection)
{
    size_t until = connection->drained_bytes + DRAIN_AT_ONCE_BYTES;
    for (;;) {
        char buf[READ_BYTES];
        ssize_t n = recv(connection->fd, buf, sizeof(buf), 0); /* below TLS: nobody will look at it */
        bool goes_on = n > 0 && (connection->drained_bytes += (size_t)n) <= LINGER_MAX_BYTES;
        if ((goes_on && connection->drained_bytes < until) || (n < 0 && errno == EINTR))
            continue;
        if (goes_on || (n < 0 && errno == EAGAIN))
            connection_arm(connection, EPOLLIN);
        else
            connection_close(connection);
        return;
    }
}

/* ---- heads ---- */

static void connection_dispatch(struct connection *connection, size_t head_len, int refuse_status)
{
    connection->head_len = head_len;
    connection->refuse_status = refuse_status;
    connection->scanned = 0;
    connection->at_worker = true;
    list_move(connection->server, connection, WAIT_RUNNING);
    server_dispatch(connection->server, connection);
}

/* It stays in the list of its phase, so that its time limit is one for all steps. */
static void handshake_dispatch(struct connection *connection)
{
    connection->at_worker = true;
    server_dispatch(connection->server, connection);
}

/* True when a whole (or impossible) request is there: the connection is a worker's then. */
static bool head_try(struct connection *connection)
{
    if (connection->body_wanted) {
        if (connection->in.len < connection->body_wanted)
            return false;
        connection_dispatch(connection, connection->head_len, 0);
        return true;
    }
    if (!connection->in.len)
        return false;
    size_t len = 0;
    int status = 0;
    switch (http_head_scan(strbuf_slice(&connection->in), &connection->scanned, &len, &status)) {
    case HTTP_SCAN_MORE:
        return false;
    case HTTP_SCAN_COMPLETE:
    case HTTP_SCAN_REFUSED:
        break;
    }
    connection_dispatch(connection, len, status);
    return true;
}

/* What to wait for after a non-blocking call; false: nothing, the connection is gone. */
static bool arm_for(struct connection *connection, enum io_result result)
{
    if (result != IO_WAIT_READ && result != IO_WAIT_WRITE)
        return false;
    connection_arm(connection, result == IO_WAIT_READ ? EPOLLIN : EPOLLOUT);
    return true;
}

static void head_advance(struct connection *connection)
{
    while (!head_try(connection)) {
        char buf[READ_BYTES];
        size_t n;
        enum io_result result = connection_recv(connection, buf, sizeof(buf), &n);
        if (result == IO_EOF && connection->phase == WAIT_BODY) {
            connection_dispatch(connection, connection->head_len, 0); /* may be answered yet */
            return;
        }
        if (result != IO_OK) {
            if (!arm_for(connection, result))
                connection_close(connection);
            return;
        }
        if (connection->phase == WAIT_IDLE)
            list_move(connection->server, connection, WAIT_HEAD);
        strbuf_append_bytes(&connection->in, buf, n);
    }
}

static void handshake_adopt(struct connection *connection)
{
    if (connection->handshake != IO_OK) {
        if (!arm_for(connection, connection->handshake))
            drain_begin(connection); /* so that the alert arrives */
        return;
    }
    connection->tls_ready = true;
    list_move(connection->server, connection, WAIT_HEAD);
    head_advance(connection);
}

/* True when its client is between two requests, as far as we can see. */
static bool is_between_requests(const struct connection *connection)
{
    return connection->phase == WAIT_IDLE || (connection->phase == WAIT_HEAD && !connection->in.len);
}

static void keep_begin(struct connection *connection)
{
    struct http_server *server = connection->server;
    connection->scanned = 0;
    if (!connection->in.len) {
        strbuf_deinit(&connection->in); /* an idle connection holds no buffer */
        connection->in = STRBUF_HEAP;
    }
    list_move(server, connection, connection->in.len ? WAIT_HEAD : WAIT_IDLE);
    if (head_try(connection))
        return;
    if (server->idle_ended && is_between_requests(connection))
        drain_begin(connection);
    else if (connection->tls && tls_pending(connection->tls))
        head_advance(connection);
    else
        connection_arm(connection, EPOLLIN);
}

/* ---- streams ---- */

static void stream_gone(struct connection *connection)
{
    struct http_stream *stream = STEAL(connection->stream);
    stream_tell_closed(stream);
    stream_release(stream);
    connection_close(connection);
}

/* The server stops: what fits is sent, with a proper end if all of it did. */
static void stream_stop(struct connection *connection)
{
    struct http_stream *stream = connection->stream;
    size_t sent;
    if (stream_flush(stream, connection) == STREAM_IDLE && !stream->raw && !stream->bodyless)
        (void)connection_send(connection, "0\r\n\r\n", 5, &sent);
    stream_gone(connection);
}

/* Reads only to notice the end: a client that closes its side of a long stream is gone. Early next requests are kept.
 */
static bool stream_client_is_there(struct connection *connection)
{
    for (;;) {
        char buf[READ_BYTES];
        size_t n;
        enum io_result result = connection_recv(connection, buf, sizeof(buf), &n);
        if (result == IO_WAIT_READ || result == IO_WAIT_WRITE)
            return true;
        if (result != IO_OK || connection->in.len + n > HTTP_HEAD_MAX_BYTES)
            return false;
        strbuf_append_bytes(&connection->in, buf, n);
    }
}

static void stream_advance(struct connection *connection, uint32_t events)
{
    struct http_server *server = connection->server;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !stream_client_is_there(connection)) {
        stream_gone(connection);
        return;
    }
    switch (stream_flush(connection->stream, connection)) {
    case STREAM_IDLE:
        if (connection->phase != WAIT_STREAM)
            list_move(server, connection, WAIT_STREAM);
        connection_arm(connection, EPOLLIN);
        return;
    case STREAM_BLOCKED:
        if (connection->phase != WAIT_STREAM_STALLED || (events & EPOLLOUT))
            list_move(server, connection, WAIT_STREAM_STALLED);
        connection_arm(connection, EPOLLIN | EPOLLOUT);
        return;
    case STREAM_ENDED:
        stream_release(STEAL(connection->stream));
        if (connection->exchange.keep_alive)
            keep_begin(connection);
        else
            drain_begin(connection);
        return;
    case STREAM_BROKEN:
        stream_gone(connection);
        return;
    }
}

static void streams_flush_dirty(struct http_server *server)
{
    for (;;) {
        mutex_lock(&server->lock);
        struct http_stream *stream = server->dirty;
        if (stream) {
            server->dirty = stream->dirty_next;
            stream->is_dirty = false;
        }
        mutex_unlock(&server->lock);
        if (!stream)
            return;
        /* Only this thread changes stream->connection after it was adopted; before that its phase is RUNNING. */
        struct connection *connection = stream->connection;
        if (connection->phase == WAIT_STREAM || connection->phase == WAIT_STREAM_STALLED)
            stream_advance(connection, 0);
    }
}

/* ---- the loop ---- */

static void connection_adopt(struct connection *connection)
{
    connection->at_worker = false;
    if (connection->doomed) {
        connection_close(connection);
        return;
    }
    switch (connection->after) {
    case AFTER_KEEP:
        keep_begin(connection);
        return;
    case AFTER_BODY:
        list_move(connection->server, connection, WAIT_BODY);
        head_advance(connection);
        return;
    case AFTER_HANDSHAKE:
        handshake_adopt(connection);
        return;
    case AFTER_DRAIN:
        drain_begin(connection);
        return;
    case AFTER_CLOSE:
        connection_close(connection);
        return;
    case AFTER_STREAM:
        list_move(connection->server, connection, WAIT_STREAM);
        if (server_is_stopping(connection->server))
            stream_stop(connection);
        else
            stream_advance(connection, EPOLLIN); /* TLS may hold bytes already */
        return;
    }
}

static void adopt_returned(struct http_server *server)
{
    mutex_lock(&server->lock);
    struct connection *connection = server->returned.first;
    server->returned = (struct connection_queue){0};
    mutex_unlock(&server->lock);
    while (connection) {
        struct connection *next = connection->queue_next;
        connection_adopt(connection);
        connection = next;
    }
}

static void connection_event(struct connection *connection, uint32_t events)
{
    switch (connection->phase) {
    case WAIT_HANDSHAKE:
        handshake_dispatch(connection);
        return;
    case WAIT_HEAD:
    case WAIT_BODY:
    case WAIT_IDLE:
        head_advance(connection);
        return;
    case WAIT_STREAM:
    case WAIT_STREAM_STALLED:
        stream_advance(connection, events);
        return;
    case WAIT_DRAIN:
        drain_advance(connection);
        return;
    case WAIT_RUNNING:
    case WAIT_PHASES:
        return;
    }
}

/* Closes one that a worker may have just now (a step of its handshake). */
static void connection_end(struct connection *connection)
{
    connection->doomed = connection->at_worker;
    if (connection->doomed)
        list_move(connection->server, connection, WAIT_RUNNING);
    else
        connection_close(connection);
}

static void connection_expire(struct connection *connection)
{
    switch (connection->phase) {
    case WAIT_HEAD:
    case WAIT_BODY:
        if (connection->in.len)
            connection_dispatch(connection, 0, 408);
        else
            connection_close(connection);
        return;
    case WAIT_STREAM_STALLED:
        stream_gone(connection);
        return;
    case WAIT_HANDSHAKE:
        server_count(&connection->server->totals.tls_handshake_failures);
        connection_end(connection);
        return;
    case WAIT_IDLE:
        server_count(&connection->server->totals.closed_idle);
        connection_close(connection);
        return;
    case WAIT_DRAIN:
        connection_close(connection);
        return;
    case WAIT_STREAM:
    case WAIT_RUNNING:
    case WAIT_PHASES:
        return;
    }
}

/* Returns when the next limit ends. */
static int64_t expire_all(struct http_server *server, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    for (int phase = 0; phase < WAIT_PHASES; phase++) {
        struct wait_list *list = &server->lists[phase];
        while (list->first && list->first->deadline_ms <= now_ms)
            connection_expire(list->first);
        if (list->first && list->first->deadline_ms < next_ms)
            next_ms = list->first->deadline_ms;
    }
    if (server->accept_paused && server->accept_retry_at_ms) {
        if (server->accept_retry_at_ms <= now_ms)
            listener_arm(server, true);
        else if (server->accept_retry_at_ms < next_ms)
            next_ms = server->accept_retry_at_ms;
    }
    return next_ms;
}

/* ---- stopping ---- */

/* Whoever is connected is still served: what the kernel has accepted or received was on its way before we stopped. */
static void stop_begin(struct http_server *server)
{
    while (listener_accept_one(server))
        ;
    close(server->listen_fd);
    server->listen_fd = -1;
    server->accept_paused = false;
    while (server->lists[WAIT_STREAM].first)
        stream_stop(server->lists[WAIT_STREAM].first);
    while (server->lists[WAIT_STREAM_STALLED].first)
        stream_stop(server->lists[WAIT_STREAM_STALLED].first);
}

/* A moment later: clients that asked nothing meanwhile (those that did heard "Connection: close") are between two requests. */
static void stop_idle(struct http_server *server)
{
    server->idle_ended = true;
    while (server->lists[WAIT_HANDSHAKE].first)
        connection_end(server->lists[WAIT_HANDSHAKE].first);
    while (server->lists[WAIT_IDLE].first)
        connection_close(server->lists[WAIT_IDLE].first);
    struct connection *next;
    for (struct connection *c = server->lists[WAIT_HEAD].first; c; c = next) {
        next = c->next;
        if (is_between_requests(c))
            connection_close(c);
    }
}

/* The grace is over: running requests find their connections dead, then come back. */
static void stop_force(struct http_server *server)
{
    static const enum wait_phase phases[] = {WAIT_HEAD, WAIT_BODY, WAIT_IDLE, WAIT_DRAIN};
    for (struct connection *c = server->lists[WAIT_RUNNING].first; c; c = c->next)
        (void)shutdown(c->fd, SHUT_RDWR);
    for (size_t i = 0; i < ARRAY_SIZE(phases); i++)
        while (server->lists[phases[i]].first)
            connection_close(server->lists[phases[i]].first);
}

struct stopping {
    enum { STOP_NOT, STOP_BEGUN, STOP_IDLE_ENDED, STOP_FORCED } state;
    int64_t idle_until_ms;
};

/* Returns when it has to go on. */
static int64_t stop_advance(struct http_server *server, struct stopping *stopping, int64_t now_ms)
{
    if (stopping->state == STOP_NOT && server_is_stopping(server)) {
        stopping->state = STOP_BEGUN;
        stopping->idle_until_ms = now_ms + STOP_IDLE_MS;
        stop_begin(server);
    }
    if (stopping->state == STOP_BEGUN && (now_ms >= stopping->idle_until_ms || now_ms >= server->stop_deadline_ms)) {
        stopping->state = STOP_IDLE_ENDED;
        stop_idle(server);
    }
    if (stopping->state == STOP_IDLE_ENDED && now_ms >= server->stop_deadline_ms) {
        stopping->state = STOP_FORCED;
        stop_force(server);
    }
    switch (stopping->state) {
    case STOP_BEGUN:
        return stopping->idle_until_ms < server->stop_deadline_ms ? stopping->idle_until_ms : server->stop_deadline_ms;
    case STOP_IDLE_ENDED:
        return server->stop_deadline_ms;
    case STOP_NOT:
    case STOP_FORCED:
        break;
    }
    return INT64_MAX;
}

/* ---- the loop ---- */

static void counts_publish(struct http_server *server)
{
    mutex_lock(&server->lock);
    server->connections_now = server->connection_count;
    for (int phase = 0; phase < WAIT_PHASES; phase++)
        server->phase_counts[phase] = server->lists[phase].count;
    mutex_unlock(&server->lock);
}

static int wait_timeout_ms(const struct http_server *server, int64_t next_ms)
{
    if (next_ms == INT64_MAX)
        return -1;
    int64_t left_ms = next_ms - server_now_ms(server);
    return left_ms < 0 ? 0 : left_ms > 60000 ? 60000 : (int)left_ms + 1;
}

void *waiter_main(void *arg)
{
    struct http_server *server = arg;
    pthread_setname_np(pthread_self(), server->options.name);
    struct stopping stopping = {0};
    int64_t next_ms = INT64_MAX;
    while (stopping.state == STOP_NOT || server->connection_count > 0) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(server->epoll_fd, events, EVENTS_MAX, wait_timeout_ms(server, next_ms));
        bool accept_due = false;
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == server) {
                accept_due = true;
            } else if (events[i].data.ptr == &server->wake_fd) {
                eventfd_t count;
                (void)eventfd_read(server->wake_fd, &count);
            } else {
                connection_event(events[i].data.ptr, events[i].events);
            }
        }
        /* Only now: these may free connections that the events above still named. */
        adopt_returned(server);
        streams_flush_dirty(server);
        if (accept_due && server->listen_fd >= 0)
            listener_accept(server);
        int64_t now_ms = server_now_ms(server);
        int64_t stop_ms = stop_advance(server, &stopping, now_ms);
        next_ms = expire_all(server, now_ms);
        next_ms = server_cut_slow(server, now_ms, stop_ms < next_ms ? stop_ms : next_ms);
        counts_publish(server);
    }
    return NULL;
}
