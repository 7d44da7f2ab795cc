/* edge: the state behind the endpoint: the root key, the gate at the door, and who is inside. */
#include "edge/edge_internal.h"
#include "base/digest.h"
#include "base/strbuf.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long a request waits for a daemon that is still starting. */
#define START_WAIT_MS 30000

static struct slice heap_dup(struct slice s)
{
    char *copy = xmalloc(s.len + 1);
    memcpy(copy, s.ptr ? s.ptr : "", s.len);
    copy[s.len] = 0;
    return slice_of(copy, s.len);
}

static void heap_free(struct slice s)
{
    free((char *)(uintptr_t)s.ptr);
}

struct edge *edge_new(const struct edge_options *options)
{
    struct edge *edge = xcalloc(1, sizeof(*edge));
    pthread_condattr_t attributes;
    pthread_mutex_init(&edge->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&edge->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    edge->store = options->store;
    edge->account_id = heap_dup(options->account_id);
    edge->region = heap_dup(options->region);
    edge->root_access_key_id = heap_dup(options->root_access_key_id);
    edge->root_secret = heap_dup(options->root_secret);
    struct strbuf arn = STRBUF_HEAP;
    strbuf_append_fmt(&arn, "arn:aws:iam::%.*s:root", SLICE_ARG(options->account_id));
    edge->root_arn = strbuf_slice(&arn);
    return edge;
}

void edge_free(struct edge *edge)
{
    if (!edge)
        return;
    secret_wipe((char *)(uintptr_t)edge->root_secret.ptr, edge->root_secret.len);
    heap_free(edge->account_id);
    heap_free(edge->region);
    heap_free(edge->root_access_key_id);
    heap_free(edge->root_secret);
    heap_free(edge->root_arn);
    pthread_cond_destroy(&edge->changed);
    pthread_mutex_destroy(&edge->lock);
    free(edge);
}

void edge_open(struct edge *edge, const struct parts *parts)
{
    pthread_mutex_lock(&edge->lock);
    edge->parts = parts;
    pthread_cond_broadcast(&edge->changed);
    pthread_mutex_unlock(&edge->lock);
}

static struct timespec deadline_after(int timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

bool edge_close_control(struct edge *edge, int timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    pthread_mutex_lock(&edge->lock);
    edge->control_closed = true;
    pthread_cond_broadcast(&edge->changed);
    while (edge->control_calls && pthread_cond_timedwait(&edge->changed, &edge->lock, &deadline) != ETIMEDOUT)
        ;
    bool clear = edge->control_calls == 0;
    pthread_mutex_unlock(&edge->lock);
    return clear;
}

const struct parts *edge_enter(struct edge *edge, enum edge_side side)
{
    struct timespec deadline = deadline_after(START_WAIT_MS);
    pthread_mutex_lock(&edge->lock);
    while (!edge->parts && !edge->control_closed && pthread_cond_timedwait(&edge->changed, &edge->lock, &deadline) != ETIMEDOUT)
        ;
    const struct parts *parts = edge->control_closed && side == EDGE_CONTROL ? NULL : edge->parts;
    if (parts && side == EDGE_CONTROL)
        edge->control_calls++;
    pthread_mutex_unlock(&edge->lock);
    return parts;
}

void edge_leave(struct edge *edge, enum edge_side side)
{
    if (side == EDGE_DATA)
        return;
    pthread_mutex_lock(&edge->lock);
    if (--edge->control_calls == 0)
        pthread_cond_broadcast(&edge->changed);
    pthread_mutex_unlock(&edge->lock);
}
