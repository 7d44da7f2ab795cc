/* stream: answers that outlive their handler. The owner queues bytes under the stream's lock and marks it dirty; the
 * waiter thread alone sends. Each side lets go by itself; the second one frees. */
#include "http/server_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 16 * 1024 };

static void stream_free(struct http_stream *stream)
{
    while (stream->first) {
        struct stream_block *next = stream->first->next;
        free(stream->first);
        stream->first = next;
    }
    condition_deinit(&stream->closed_cond);
    mutex_deinit(&stream->lock);
    free(stream);
}

static void queue_append(struct http_stream *stream, struct slice data)
{
    stream->queued_bytes += data.len;
    while (data.len) {
        struct stream_block *block = stream->last;
        if (!block || block->start + block->len == block->cap) {
            size_t cap = data.len > BLOCK_BYTES ? data.len
                         : stream->first        ? BLOCK_BYTES
                         : data.len < 512       ? 512
                                                : data.len;
            block = xmalloc(sizeof(*block) + cap);
            *block = (struct stream_block){.cap = cap};
            if (stream->last)
                stream->last->next = block;
            else
                stream->first = block;
            stream->last = block;
        }
        size_t room = block->cap - block->start - block->len;
        size_t n = data.len < room ? data.len : room;
        memcpy(block->data + block->start + block->len, data.ptr, n);
        block->len += n;
        data = slice_from(data, n);
    }
}

/* stream->lock is held. */
static void mark_dirty(struct http_stream *stream)
{
    struct http_server *server = stream->server;
    if (!server)
        return;
    mutex_lock(&server->lock);
    bool wake = !stream->is_dirty;
    if (wake) {
        stream->is_dirty = true;
        stream->dirty_next = server->dirty;
        server->dirty = stream;
    }
    mutex_unlock(&server->lock);
    if (wake)
        server_wake(server);
}

struct err *http_stream_write(struct http_stream *stream, struct slice data)
{
    struct err *e = NULL;
    mutex_lock(&stream->lock);
    if (stream->dead || stream->ending) {
        e = err_new(ERR_UNAVAILABLE, "the client is gone");
    } else if (data.len > STREAM_QUEUE_MAX_BYTES || stream->queued_bytes + data.len > STREAM_QUEUE_MAX_BYTES) {
        e = err_new(ERR_LIMIT, "the client is more than %d bytes behind", STREAM_QUEUE_MAX_BYTES);
    } else if (data.len && !stream->bodyless) {
        char size[32];
        int n = snprintf(size, sizeof(size), "%zx\r\n", data.len);
        if (!stream->raw)
            queue_append(stream, slice_of(size, (size_t)n));
        queue_append(stream, data);
        if (!stream->raw)
            queue_append(stream, S("\r\n"));
        mark_dirty(stream);
    }
    mutex_unlock(&stream->lock);
    return e;
}

void http_stream_close(struct http_stream *stream)
{
    mutex_lock(&stream->lock);
    bool in_closed = stream->closed_running && stream->server && pthread_equal(pthread_self(), stream->server->waiter);
    while (stream->closed_running && !in_closed)
        mutex_wait(&stream->closed_cond, &stream->lock);
    stream->ending = true;
    stream->closed_called = true;
    if (!stream->raw && !stream->bodyless && !stream->dead)
        queue_append(stream, S("0\r\n\r\n"));
    bool last = !stream->connection;
    if (!last)
        mark_dirty(stream);
    mutex_unlock(&stream->lock);
    if (last)
        stream_free(stream);
}

size_t http_stream_queued(const struct http_stream *stream)
{
    struct http_stream *s = (struct http_stream *)(uintptr_t)stream; /* only its lock is touched */
    mutex_lock(&s->lock);
    size_t queued = s->queued_bytes;
    mutex_unlock(&s->lock);
    return queued;
}

/* ---- waiter ---- */

enum stream_state stream_flush(struct http_stream *stream, struct connection *connection)
{
    enum stream_state state = STREAM_IDLE;
    mutex_lock(&stream->lock);
    while (stream->first && !stream->dead && state == STREAM_IDLE) {
        struct stream_block *block = stream->first;
        size_t sent = 0;
        enum io_result result = connection_send(connection, block->data + block->start, block->len, &sent);
        if (result == IO_WAIT_READ || result == IO_WAIT_WRITE)
            state = STREAM_BLOCKED;
        else if (result != IO_OK)
            stream->dead = true;
        block->start += sent;
        block->len -= sent;
        stream->queued_bytes -= sent;
        if (block->len == 0 && state == STREAM_IDLE) {
            stream->first = block->next;
            if (!stream->first)
                stream->last = NULL;
            free(block);
        }
    }
    if (stream->dead)
        state = STREAM_BROKEN;
    else if (state == STREAM_IDLE && stream->ending)
        state = STREAM_ENDED;
    mutex_unlock(&stream->lock);
    return state;
}

void stream_tell_closed(struct http_stream *stream)
{
    mutex_lock(&stream->lock);
    stream->dead = true;
    bool call = !stream->closed_called;
    stream->closed_called = true;
    stream->closed_running = call;
    mutex_unlock(&stream->lock);
    if (!call)
        return;
    if (stream->closed)
        stream->closed(stream->owner);
    mutex_lock(&stream->lock);
    stream->closed_running = false;
    condition_broadcast(&stream->closed_cond);
    mutex_unlock(&stream->lock);
}

void stream_release(struct http_stream *stream)
{
    mutex_lock(&stream->lock);
    struct http_server *server = stream->server;
    mutex_lock(&server->lock);
    if (stream->is_dirty)
        for (struct http_stream **at = &server->dirty; *at; at = &(*at)->dirty_next)
            if (*at == stream) {
                *at = stream->dirty_next;
                break;
            }
    stream->is_dirty = false;
    mutex_unlock(&server->lock);
    stream->dead = true;
    stream->server = NULL;
    stream->connection = NULL;
    bool last = stream->ending;
    mutex_unlock(&stream->lock);
    if (last)
        stream_free(stream);
}
