/* limits: how much of the edge one caller may take. Keys and their words; the buckets are rate_limit.c's.
 *
 * Whoever showed a valid signature is counted by principal and service, their writes once more; a job run's own key only against the limit
 * for jobs. Large bodies that are held in memory have one limit together. Whoever did not is counted by address (IPv6: by /64, which is one customer's), and while they are too many nothing from there
 * is even looked at, so that guessing is slow: also not what would be valid. */
#include "edge/edge_internal.h"
#include "base/arena.h"
#include <arpa/inet.h>
#include <string.h>

static struct err *throttled(struct edge *edge, const struct aws_service *service, enum throttle_reason reason)
{
    if (edge->metrics)
        metrics_throttled(edge->metrics, service, reason);
    switch (service->protocol) {
    case AWS_QUERY:
        return aws_err(ERR_LIMIT, 400, "Throttling", "Rate exceeded");
    case AWS_JSON_1_1:
        return aws_err(ERR_LIMIT, 400, "ThrottlingException", "Rate exceeded");
    case AWS_REST_JSON:
        if (aws_error_find(service, S("RequestThrottledException")))
            return aws_err(ERR_LIMIT, 400, "RequestThrottledException", "Rate exceeded");
        return aws_err(ERR_LIMIT, 429, "ThrottlingException", "Rate exceeded");
    case AWS_REST_XML:
        break;
    }
    return aws_err(ERR_LIMIT, 503, "SlowDown", "Please reduce your request rate.");
}

/* By method where methods mean that, else by the verbs that AWS's names begin with. */
static bool is_write(const struct aws_operation *operation)
{
    static const struct slice verbs[] = {S_INIT("Get"), S_INIT("List"), S_INIT("Describe"), S_INIT("Filter"), S_INIT("Head"), S_INIT("Test"), S_INIT("Simulate")};
    if (slice_eq(operation->method, S("GET")) || slice_eq(operation->method, S("HEAD")))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (slice_starts_with(operation->name, verbs[i]))
            return false;
    return true;
}

static struct edge_limits limits_of(struct edge *edge)
{
    mutex_lock(&edge->lock);
    struct edge_limits limits = edge->limits;
    mutex_unlock(&edge->lock);
    return limits;
}

void edge_set_limits(struct edge *edge, const struct edge_limits *limits)
{
    mutex_lock(&edge->lock);
    edge->limits = *limits;
    mutex_unlock(&edge->lock);
}

static struct slice key_of(struct arena *arena, const char *kind, const struct aws_service *service, struct slice who)
{
    return slice_fmt(arena, "%s|%.*s|%.*s", kind, SLICE_ARG(service->id), SLICE_ARG(who));
}

struct err *edge_limit_principal(struct edge *edge, struct arena *arena, const struct principal *principal, const struct aws_operation *operation)
{
    const struct aws_service *service = operation->service;
    struct edge_limits limits = limits_of(edge);
    int64_t now_us = monotonic_us();
    if (principal->kind == PRINCIPAL_ANONYMOUS)
        return NULL; /* counted by address */
    if (principal->job_run_id.len)
        return rate_limiter_take(edge->limiter, key_of(arena, "j", service, principal->job_run_id), limits.job, now_us)
                   ? NULL
                   : throttled(edge, service, THROTTLE_JOB);
    if (!rate_limiter_take(edge->limiter, key_of(arena, "p", service, principal->arn), limits.principal, now_us))
        return throttled(edge, service, THROTTLE_PRINCIPAL);
    if (is_write(operation) && !rate_limiter_take(edge->limiter, key_of(arena, "w", service, principal->arn), limits.writes, now_us))
        return throttled(edge, service, THROTTLE_WRITES);
    return NULL;
}

/* ---- bodies ---- */

/* A key's id is no secret, so that it is known says little of who sends a body. */
#define HELD_BODIES_MAX_BYTES (INT64_C(256) << 20)

struct err *edge_hold_body(struct edge *edge, const struct aws_service *service, int64_t size_bytes)
{
    mutex_lock(&edge->lock);
    bool fits = edge->held_bytes + size_bytes <= HELD_BODIES_MAX_BYTES;
    edge->held_bytes += fits ? size_bytes : 0;
    mutex_unlock(&edge->lock);
    return fits ? NULL : throttled(edge, service, THROTTLE_BODIES);
}

void edge_release_body(struct edge *edge, int64_t size_bytes)
{
    if (!size_bytes)
        return;
    mutex_lock(&edge->lock);
    edge->held_bytes -= size_bytes;
    mutex_unlock(&edge->lock);
}

/* ---- addresses ---- */

bool edge_is_loopback(struct slice address)
{
    return slice_starts_with(address, S("127.")) || slice_eq(address, S("::1")) || slice_starts_with_nocase(address, S("::ffff:127."));
}

static struct slice address_key(struct arena *arena, struct slice address)
{
    struct in6_addr v6;
    if (inet_pton(AF_INET6, slice_cstr(arena, address), &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6))
        return slice_fmt(arena, "a|%.*s", SLICE_ARG(address));
    memset(&v6.s6_addr[8], 0, 8);
    char text[INET6_ADDRSTRLEN];
    return slice_fmt(arena, "a|%s/64", inet_ntop(AF_INET6, &v6, text, sizeof(text)) ? text : "");
}

static bool address_counts(const struct edge_limits *limits, struct slice address)
{
    return limits->auth_failure.per_minute && (limits->auth_failure_loopback || !edge_is_loopback(address));
}

struct err *edge_limit_address(struct edge *edge, struct arena *arena, const struct aws_service *service, struct slice address)
{
    struct edge_limits limits = limits_of(edge);
    if (!address_counts(&limits, address) ||
        rate_limiter_has(edge->limiter, address_key(arena, address), limits.auth_failure, monotonic_us()))
        return NULL;
    return throttled(edge, service, THROTTLE_ADDRESS);
}

void edge_count_failure(struct edge *edge, struct arena *arena, struct slice address, struct slice code)
{
    struct edge_limits limits = limits_of(edge);
    if (edge->metrics)
        metrics_authentication_failed(edge->metrics, code);
    if (address_counts(&limits, address))
        (void)rate_limiter_take(edge->limiter, address_key(arena, address), limits.auth_failure, monotonic_us());
}
