/* slow: clients that workers wait for, and what ends such a wait. Workers only note that they wait and sleep in poll; the
 * waiter thread is the one who knows the time and shuts the sockets of those down that are too slow, which wakes their workers.
 *
 * Each connection's account says how far its client is behind SLOW_BYTES_PER_S: waiting for it adds, moved bytes take away.
 * When that reaches SLOW_LIMIT_MS it is cut off. When requests wait for a worker and all workers there may be wait for
 * clients, the client that is furthest behind is cut off already at SLOW_SHORTAGE_MS: so N slow clients delay others by about
 * N / worker_max times that at most, and who keeps up is never cut off. */
#include "http/server_internal.h"
#include <sys/socket.h>

bool server_is_short(const struct http_server *server)
{
    return server->ready_count > server->idle_workers &&
           server->worker_count - server->waiting_workers < (int)server->options.worker_count &&
           (server->worker_count >= (int)server->options.worker_max || server->spawn_failed);
}

/* When a shortage would cut this client off. lock is held. */
static int64_t shortage_deadline_ms(const struct connection *connection)
{
    return connection->wait_began_ms + SLOW_SHORTAGE_MS - connection->behind_us / 1000;
}

void server_wait_begin(struct connection *connection, enum io_result what, int64_t deadline_ms)
{
    struct http_server *server = connection->server;
    mutex_lock(&server->lock);
    connection->waits_to_read = what == IO_WAIT_READ;
    connection->wait_began_ms = server_now_ms(server);
    connection->wait_until_ms = connection->wait_began_ms + SLOW_LIMIT_MS - connection->behind_us / 1000;
    if (deadline_ms && deadline_ms < connection->wait_until_ms)
        connection->wait_until_ms = deadline_ms;
    connection->cut = CUT_NOT;
    connection->wait_prev = NULL;
    connection->wait_next = server->waiting;
    if (server->waiting)
        server->waiting->wait_prev = connection;
    server->waiting = connection;
    server->waiting_workers++;
    server_spawn_if_needed(server);
    int64_t look_at_ms = connection->wait_until_ms;
    if (server_is_short(server) && shortage_deadline_ms(connection) < look_at_ms)
        look_at_ms = shortage_deadline_ms(connection);
    bool wake = look_at_ms < server->wake_at_ms;
    if (wake)
        server->wake_at_ms = look_at_ms;
    mutex_unlock(&server->lock);
    if (wake)
        server_wake(server);
}

bool server_wait_end(struct connection *connection)
{
    struct http_server *server = connection->server;
    mutex_lock(&server->lock);
    *(connection->wait_prev ? &connection->wait_prev->wait_next : &server->waiting) = connection->wait_next;
    if (connection->wait_next)
        connection->wait_next->wait_prev = connection->wait_prev;
    connection->behind_us += (server_now_ms(server) - connection->wait_began_ms) * 1000;
    server->waiting_workers--;
    bool goes_on = connection->cut == CUT_NOT;
    mutex_unlock(&server->lock);
    return goes_on;
}

/* Its worker may still answer one whose body was too slow. lock is held: so its worker waits, and nobody closes it. */
static void cut_off(struct connection *connection, enum connection_cut cut)
{
    struct server_totals *totals = &connection->server->totals;
    connection->cut = cut;
    server_count(cut == CUT_SLOW ? &totals->cut_slow : &totals->cut_for_room);
    (void)shutdown(connection->fd, connection->waits_to_read ? SHUT_RD : SHUT_RDWR);
}

/* lock is held. */
static struct connection *furthest_behind(const struct http_server *server)
{
    struct connection *worst = NULL;
    for (struct connection *c = server->waiting; c; c = c->wait_next)
        if (c->cut == CUT_NOT && (!worst || shortage_deadline_ms(c) < shortage_deadline_ms(worst)))
            worst = c;
    return worst;
}

int64_t server_cut_slow(struct http_server *server, int64_t now_ms, int64_t next_ms)
{
    mutex_lock(&server->lock);
    int lacking = server_is_short(server) ? server->ready_count - server->idle_workers : 0;
    for (struct connection *c = server->waiting; c; c = c->wait_next) {
        if (c->cut == CUT_NOT && c->wait_until_ms <= now_ms)
            cut_off(c, CUT_SLOW);
        if (c->cut != CUT_NOT)
            lacking--; /* its worker is free in a moment */
        else if (c->wait_until_ms < next_ms)
            next_ms = c->wait_until_ms;
    }
    while (lacking-- > 0) {
        struct connection *worst = furthest_behind(server);
        if (!worst)
            break;
        if (shortage_deadline_ms(worst) > now_ms) {
            if (shortage_deadline_ms(worst) < next_ms)
                next_ms = shortage_deadline_ms(worst);
            break;
        }
        cut_off(worst, CUT_FOR_ROOM);
    }
    server->wake_at_ms = next_ms;
    mutex_unlock(&server->lock);
    return next_ms;
}
