/* metrics_door: /metrics, and who may read it. With a token: who shows it, from anywhere. Without one: a client on loopback that speaks to a
 * loopback address by its number or as localhost, so that neither a proxy on this machine nor a browser's page under a name that was
 * made to point here opens it to others. nginx, left as it is, speaks HTTP/1.0 to a loopback address and says nothing of whom it speaks for. */
#include "edge/edge_internal.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/strbuf.h"
#include <stdlib.h>
#include <string.h>

#define TYPE S("text/plain; version=0.0.4; charset=utf-8")

void edge_set_metrics_token(struct edge *edge, struct slice token)
{
    char *copy = NULL;
    if (token.len) {
        copy = xmalloc(token.len);
        memcpy(copy, token.ptr, token.len);
    }
    mutex_lock(&edge->lock);
    struct slice old = edge->metrics_token;
    edge->metrics_token = copy ? slice_of(copy, token.len) : SLICE_NONE;
    mutex_unlock(&edge->lock);
    if (old.ptr)
        secret_wipe((char *)(uintptr_t)old.ptr, old.len);
    free((char *)(uintptr_t)old.ptr);
}

/* *ret_fits is true only for the right one. False: there is no token to show. */
static bool check_token(struct edge *edge, struct slice authorization, bool *ret_fits)
{
    struct slice shown = slice_starts_with_nocase(authorization, S("Bearer ")) ? slice_trim(slice_from(authorization, 7)) : S("");
    mutex_lock(&edge->lock);
    bool has_token = edge->metrics_token.ptr != NULL;
    *ret_fits = has_token && secret_equal(edge->metrics_token, shown);
    mutex_unlock(&edge->lock);
    return has_token;
}

static bool is_local(const struct http_request *http)
{
    if (http->minor_version == 0)
        return false;
    static const char *const forwarded[] = {"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"};
    for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
        if (http_header_get(http->headers, slice_from_cstr(forwarded[i])).ptr)
            return false;
    struct slice host = http->host;
    ptrdiff_t colon = slice_rindex(host, ':');
    if (colon >= 0 && slice_index(slice_from(host, (size_t)colon), ']') < 0)
        host = slice_sub(host, 0, (size_t)colon);
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = slice_sub(host, 1, host.len - 2);
    bool numeric = host.len && strspn(host.ptr, "0123456789.:") >= host.len;
    return edge_is_loopback(http->remote_address) && (slice_eq_nocase(host, S("localhost")) || (numeric && edge_is_loopback(host)));
}

static void answer(struct http_request *http, struct slice request_id, int status, struct slice text)
{
    const struct http_header headers[] = {
        {.name = S("Content-Type"), .value = status == 200 ? TYPE : S("text/plain")},
        {.name = S("x-amzn-RequestId"), .value = request_id},
        {.name = S("Cache-Control"), .value = S("no-store")},
        {.name = S("WWW-Authenticate"), .value = S("Bearer")},
    };
    http_respond(http, status, headers, ARRAY_SIZE(headers) - (status == 401 ? 0 : 1), text);
}

void edge_serve_metrics(struct edge *edge, struct http_request *http, struct slice request_id)
{
    bool fits;
    struct err *e = edge_limit_address(edge, http->arena, aws_service_find(S("s3")), http->remote_address);
    if (e) {
        err_free(e);
        answer(http, request_id, 429, S("too many requests without a valid token\n"));
        return;
    }
    if (check_token(edge, http_header_get(http->headers, S("Authorization")), &fits)) {
        if (!fits) {
            edge_count_failure(edge, http->arena, http->remote_address, S("other"));
            answer(http, request_id, 401, S("show the token of metrics-token-file\n"));
            return;
        }
    } else if (!is_local(http)) {
        answer(http, request_id, 403, S("only for clients on loopback; with metrics-token-file for who shows the token\n"));
        return;
    }
    if (!slice_eq(http->method, S("GET")) && !http->head_only) {
        answer(http, request_id, 405, S("GET it\n"));
        return;
    }
    struct strbuf page = STRBUF_ARENA(http->arena);
    if (edge->metrics)
        metrics_render(edge->metrics, &page);
    if (edge->collect && edge_enter_now(edge)) {
        edge->collect(edge->collect_ctx, &page);
        edge_leave(edge, EDGE_CONTROL);
    }
    answer(http, request_id, 200, strbuf_slice(&page));
}
