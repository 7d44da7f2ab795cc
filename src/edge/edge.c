/* edge: the state behind the endpoint: the root key, the gate at the door, and who is inside. */
#include "edge/edge_internal.h"
#include "aws/sigv4_keys.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/strbuf.h"
#include <stdlib.h>
#include <string.h>

/* How long a request waits for a daemon that is still starting. */
#define START_WAIT_MS 30000
/* Callers whose rate is remembered: some 200 bytes each. */
#define MAX_BUCKETS 8192

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
    mutex_init(&edge->lock, LOCK_EDGE);
    condition_init(&edge->changed);
    edge->store = options->store;
    edge->access_log = options->access_log;
    edge->metrics = options->metrics;
    edge->collect = options->collect;
    edge->events = options->events;
    edge->collect_ctx = options->collect_ctx;
    edge->limiter = rate_limiter_new(MAX_BUCKETS);
    edge->signing_keys = sigv4_keys_new();
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
    edge_set_metrics_token(edge, SLICE_NONE);
    rate_limiter_free(edge->limiter);
    sigv4_keys_free(edge->signing_keys);
    heap_free(edge->account_id);
    heap_free(edge->region);
    heap_free(edge->root_access_key_id);
    heap_free(edge->root_secret);
    heap_free(edge->root_arn);
    condition_deinit(&edge->changed);
    mutex_deinit(&edge->lock);
    free(edge);
}

void edge_open(struct edge *edge, const struct parts *parts)
{
    mutex_lock(&edge->lock);
    edge->parts = parts;
    condition_broadcast(&edge->changed);
    mutex_unlock(&edge->lock);
}

bool edge_close_control(struct edge *edge, int timeout_ms)
{
    int64_t deadline_ms = monotonic_ms() + timeout_ms;
    mutex_lock(&edge->lock);
    edge->control_closed = true;
    condition_broadcast(&edge->changed);
    while (edge->control_calls && mutex_wait_until(&edge->changed, &edge->lock, deadline_ms))
        ;
    bool clear = edge->control_calls == 0;
    mutex_unlock(&edge->lock);
    return clear;
}

const struct parts *edge_enter(struct edge *edge, enum edge_side side)
{
    int64_t deadline_ms = monotonic_ms() + START_WAIT_MS;
    mutex_lock(&edge->lock);
    while (!edge->parts && !edge->control_closed && mutex_wait_until(&edge->changed, &edge->lock, deadline_ms))
        ;
    const struct parts *parts = edge->control_closed && side == EDGE_CONTROL ? NULL : edge->parts;
    if (parts && side == EDGE_CONTROL)
        edge->control_calls++;
    mutex_unlock(&edge->lock);
    return parts;
}

bool edge_enter_now(struct edge *edge)
{
    mutex_lock(&edge->lock);
    bool open = edge->parts && !edge->control_closed;
    edge->control_calls += open;
    mutex_unlock(&edge->lock);
    return open;
}

void edge_leave(struct edge *edge, enum edge_side side)
{
    if (side == EDGE_DATA)
        return;
    mutex_lock(&edge->lock);
    if (--edge->control_calls == 0)
        condition_broadcast(&edge->changed);
    mutex_unlock(&edge->lock);
}
