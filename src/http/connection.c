/* connection: bytes of one connection, plain or TLS. Sockets are always non-blocking; workers wait with poll. */
#include "http/server_internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static enum io_result io_from_tls(enum tls_result result)
{
    switch (result) {
    case TLS_OK:
        return IO_OK;
    case TLS_WANT_READ:
        return IO_WAIT_READ;
    case TLS_WANT_WRITE:
        return IO_WAIT_WRITE;
    case TLS_EOF:
        return IO_EOF;
    case TLS_BROKEN:
        break;
    }
    return IO_BROKEN;
}

enum io_result connection_handshake(struct connection *connection)
{
    return io_from_tls(tls_handshake(connection->tls));
}

enum io_result connection_recv(struct connection *connection, void *buf, size_t cap, size_t *ret_len)
{
    if (connection->tls)
        return io_from_tls(tls_read(connection->tls, buf, cap, ret_len));
    for (;;) {
        ssize_t n = recv(connection->fd, buf, cap, 0);
        if (n > 0) {
            *ret_len = (size_t)n;
            return IO_OK;
        }
        if (n == 0)
            return IO_EOF;
        if (errno == EAGAIN)
            return IO_WAIT_READ;
        if (errno != EINTR)
            return IO_BROKEN;
    }
}

enum io_result connection_send(struct connection *connection, const void *data, size_t len, size_t *ret_len)
{
    if (connection->tls)
        return io_from_tls(tls_write(connection->tls, data, len, ret_len));
    for (;;) {
        ssize_t n = send(connection->fd, data, len, MSG_NOSIGNAL);
        if (n >= 0) {
            *ret_len = (size_t)n;
            return IO_OK;
        }
        if (errno == EAGAIN)
            return IO_WAIT_WRITE;
        if (errno != EINTR)
            return IO_BROKEN;
    }
}

static struct err *connection_gone(void)
{
    return err_new(ERR_UNAVAILABLE, "the client closed the connection");
}

/* The waiter ends the wait of a client that is too slow (slow.c) by shutting its socket down: so there is one clock. */
static struct err *connection_wait(struct connection *connection, enum io_result what, int64_t deadline_ms)
{
    thread_may_block("a wait for a client");
    struct pollfd entry = {.fd = connection->fd, .events = what == IO_WAIT_READ ? POLLIN : POLLOUT};
    server_wait_begin(connection, what, deadline_ms);
    int n;
    do
        n = poll(&entry, 1, -1);
    while (n < 0 && errno == EINTR);
    struct err *e = n < 0 ? err_errno(errno, "while waiting for a client") : NULL;
    if (!server_wait_end(connection) && !e)
        e = err_new(ERR_UNAVAILABLE, "the client was too slow");
    return e;
}

static void connection_moved(struct connection *connection, uint64_t bytes)
{
    int64_t credit_us = bytes > 1000 * 1000 * 1000 ? INT64_MAX : (int64_t)(bytes * 1000000 / SLOW_BYTES_PER_S);
    connection->behind_us = credit_us < connection->behind_us ? connection->behind_us - credit_us : 0;
}

struct err *connection_read(struct connection *connection, void *buf, size_t cap, int64_t deadline_ms, size_t *ret_len)
{
    for (;;) {
        enum io_result result = connection_recv(connection, buf, cap, ret_len);
        switch (result) {
        case IO_OK:
            connection_moved(connection, *ret_len);
            return NULL;
        case IO_EOF:
            *ret_len = 0;
            return NULL;
        case IO_BROKEN:
            return connection_gone();
        case IO_WAIT_READ:
        case IO_WAIT_WRITE:
            TRY(connection_wait(connection, result, deadline_ms));
            break;
        }
    }
}

struct err *connection_write(struct connection *connection, struct slice data)
{
    while (data.len) {
        size_t sent = 0;
        enum io_result result = connection_send(connection, data.ptr, data.len, &sent);
        switch (result) {
        case IO_OK:
            connection_moved(connection, sent);
            data = slice_from(data, sent);
            break;
        case IO_EOF:
        case IO_BROKEN:
            return connection_gone();
        case IO_WAIT_READ:
        case IO_WAIT_WRITE:
            TRY(connection_wait(connection, result, 0));
            break;
        }
    }
    return NULL;
}

static struct err *copy_file(struct connection *connection, int fd, int64_t offset, int64_t length)
{
    char buf[READ_BYTES];
    while (length > 0) {
        ssize_t n = pread(fd, buf, length < READ_BYTES ? (size_t)length : READ_BYTES, offset);
        if (n < 0)
            return err_errno(errno, "while reading a file to send");
        if (n == 0)
            return err_new(ERR_INTERNAL, "a file to send is shorter than expected");
        TRY(connection_write(connection, slice_of(buf, (size_t)n)));
        offset += n;
        length -= n;
    }
    return NULL;
}

struct err *connection_send_file(struct connection *connection, int fd, int64_t offset, int64_t length)
{
    if (connection->tls)
        return copy_file(connection, fd, offset, length);
    off_t at = offset;
    while (length > 0) {
        ssize_t n = sendfile(connection->fd, fd, &at, length < (1 << 30) ? (size_t)length : 1u << 30);
        if (n > 0) {
            connection_moved(connection, (uint64_t)n);
            length -= n;
        } else if (n == 0) {
            return err_new(ERR_INTERNAL, "a file to send is shorter than expected");
        } else if (errno == EAGAIN) {
            TRY(connection_wait(connection, IO_WAIT_WRITE, 0));
        } else if (errno == EINVAL || errno == ENOSYS) {
            return copy_file(connection, fd, at, length); /* a file that cannot be mapped */
        } else if (errno != EINTR) {
            return connection_gone();
        }
    }
    return NULL;
}

void connection_name_peer(const struct connection *connection, struct http_request *request)
{
    char text[INET6_ADDRSTRLEN] = "";
    bool v6 = connection->peer.any.sa_family == AF_INET6;
    inet_ntop(v6 ? AF_INET6 : AF_INET,
              v6 ? (const void *)&connection->peer.v6.sin6_addr : (const void *)&connection->peer.v4.sin_addr, text, sizeof(text));
    unsigned port = ntohs(v6 ? connection->peer.v6.sin6_port : connection->peer.v4.sin_port);
    request->peer_address = slice_fmt(request->arena, v6 ? "[%s]:%u" : "%s:%u", text, port);
    request->remote_address = slice_sub(request->peer_address, v6 ? 1 : 0, strlen(text));
}
