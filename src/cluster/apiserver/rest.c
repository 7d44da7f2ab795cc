/* The handler of one request: who, may they, what; then the verb. */
#include "cluster/apiserver/rest.h"
#include "base/digest.h"
#include "base/log.h"
#include "cluster/apiserver/authn.h"
#include "cluster/apiserver/authz.h"
#include "cluster/apiserver/discovery.h"
#include "cluster/apiserver/server_internal.h"
#include "cluster/apiserver/tokens.h"
#include "cluster/apiserver/watch_hub.h"
#include <string.h>

/* ---- paths that are no resources ---- */

static const char *const health_checks[] = {"ping", "log", "etcd"}; /* the registry answers to the name of what it stands for */

static bool is_health(struct slice path)
{
    static const char *const roots[] = {"/healthz", "/livez", "/readyz"};
    for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
        struct slice root = slice_from_cstr(roots[i]);
        if (slice_eq(path, root))
            return true;
        for (size_t k = 0; k < ARRAY_SIZE(health_checks); k++)
            if (slice_starts_with(path, root) && path.len > root.len && path.ptr[root.len] == '/' &&
                slice_eq(slice_from(path, root.len + 1), slice_from_cstr(health_checks[k])))
                return true;
    }
    return false;
}

static void answer_health(struct api_call *call)
{
    if (!call_query(call, "verbose").ptr) {
        answer_text(call, 200, "text/plain; charset=utf-8", S("ok"));
        return;
    }
    struct strbuf body = STRBUF_ARENA(call->arena);
    for (size_t i = 0; i < ARRAY_SIZE(health_checks); i++)
        strbuf_append_fmt(&body, "[+]%s ok\n", health_checks[i]);
    strbuf_append_fmt(&body, "%.*s check passed\n", SLICE_ARG(slice_from(call->path, 1)));
    answer_text(call, 200, "text/plain; charset=utf-8", strbuf_slice(&body));
}

static struct err *serve_openid(struct api_call *call, struct slice path)
{
    struct slice body;
    if (slice_eq(path, S("/.well-known/openid-configuration"))) {
        TRY(tokens_openid_configuration(call->server->tokens, call->arena, &body));
        answer_text(call, 200, "application/json", body);
        return NULL;
    }
    struct slice accept = http_header_get(call->http->headers, S("Accept"));
    bool fits = !accept.len || slice_find(accept, S("*/*")) >= 0 || slice_find(accept, S("application/jwk-set+json")) >= 0 ||
                slice_find(accept, S("application/*")) >= 0;
    if (!fits)
        return status_not_acceptable_at_all("application/jwk-set+json");
    TRY(tokens_jwks(call->server->tokens, call->arena, &body));
    answer_text(call, 200, "application/jwk-set+json", body);
    return NULL;
}

static struct err *serve_path(struct api_call *call)
{
    struct slice path = call->path;
    bool get = slice_eq(call->http->method, S("GET"));
    if (path.len > 1 && slice_ends_with(path, S("/")))
        path = slice_sub(path, 0, path.len - 1);
    bool openid = slice_eq(path, S("/.well-known/openid-configuration")) || slice_eq(path, S("/openid/v1/jwks"));
    bool discovery = discovery_is_path(call->path);
    if ((is_health(path) || openid || discovery) && !get)
        return status_method_not_allowed();
    if (is_health(path)) {
        answer_health(call);
        return NULL;
    }
    if (openid)
        return serve_openid(call, path);
    if (discovery) {
        struct discovery_input input = {
            .path = call->path,
            .accept = http_header_get(call->http->headers, S("Accept")),
            .server_address = slice_from_cstr(call->server->address_port),
        };
        struct discovery_answer answer;
        TRY(discovery_get(call->arena, &input, &answer));
        answer_text(call, answer.status, answer.content_type, answer.body);
        return NULL;
    }
    answer_text(call, 404, "text/plain; charset=utf-8", S("404 page not found\n"));
    return NULL;
}

/* ---- resources ---- */

static bool verb_is(const struct api_call *call, const char *verb)
{
    return call->verb && strcmp(call->verb, verb) == 0;
}

static enum verb verb_bit(const struct api_call *call)
{
    static const struct {
        const char *name;
        enum verb bit;
    } verbs[] = {
        {"create", VERB_CREATE}, {"delete", VERB_DELETE}, {"deletecollection", VERB_DELETECOLLECTION}, {"get", VERB_GET},
        {"list", VERB_LIST},     {"patch", VERB_PATCH},   {"update", VERB_UPDATE},                     {"watch", VERB_WATCH},
    };
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (verb_is(call, verbs[i].name))
            return verbs[i].bit;
    return 0;
}

static struct err *serve_subresource(struct api_call *call)
{
    if (!call->sub)
        return status_unknown_resource();
    struct slice sub = call->subresource;
    if (!(call->sub->verbs & (unsigned)verb_bit(call)))
        return status_method_not_allowed();
    if (slice_eq(sub, S("status")) || slice_eq(sub, S("finalize"))) {
        if (verb_is(call, "get"))
            return rest_get(call);
        return verb_is(call, "update") ? rest_update(call) : rest_patch(call);
    }
    if (slice_eq(sub, S("log")))
        return rest_log(call);
    if (slice_eq(sub, S("token")))
        return rest_token(call);
    if (slice_eq(sub, S("eviction")))
        return rest_eviction(call);
    if (slice_eq(sub, S("binding")))
        return rest_binding(call);
    return status_unknown_resource();
}

/* Names on paths that no method takes: POST with a name, PUT without one. */
static bool shape_fits(const struct api_call *call, enum verb verb)
{
    bool named = call->name.len > 0;
    switch (verb) {
    case VERB_CREATE:
        return !named;
    case VERB_UPDATE:
    case VERB_PATCH:
    case VERB_GET:
    case VERB_DELETE:
        return named;
    case VERB_LIST:
    case VERB_DELETECOLLECTION:
        return !named;
    case VERB_WATCH:
        return true;
    }
    return false;
}

static struct err *serve_resource(struct api_call *call)
{
    if (!call->kind) {
        if (kind_group_is_served(call->group, call->version))
            return status_unknown_resource();
        answer_text(call, 404, "text/plain; charset=utf-8", S("404 page not found\n"));
        return NULL;
    }
    if (!call->kind->namespaced)
        call->namespace_name = S("");
    if (call->subresource.len)
        return serve_subresource(call);
    enum verb verb = verb_bit(call);
    if (!verb || !kind_has_verb(call->kind, verb) || !shape_fits(call, verb))
        return status_method_not_allowed();
    bool reads_all = verb & (VERB_LIST | VERB_WATCH);
    if (call->kind->namespaced && !call->namespace_name.len && !reads_all)
        return status_method_not_allowed();
    if (!call->kind->stored_as)
        return rest_review(call);
    switch (verb) {
    case VERB_GET:
        return rest_get(call);
    case VERB_LIST:
        return rest_list(call);
    case VERB_WATCH:
        return watch_serve(call->server->hub, call);
    case VERB_CREATE:
        return rest_create(call);
    case VERB_UPDATE:
        return rest_update(call);
    case VERB_PATCH:
        return rest_patch(call);
    case VERB_DELETE:
        return rest_delete(call);
    case VERB_DELETECOLLECTION:
        return rest_delete_collection(call);
    }
    return status_method_not_allowed();
}

/* Kubernetes takes the client's where it is short and plain, so that a call can be followed through several servers. */
static struct slice audit_id_of(const struct api_call *call)
{
    struct slice given = http_header_get(call->http->headers, S("Audit-ID"));
    bool plain = given.len > 0 && given.len <= 63;
    for (size_t i = 0; plain && i < given.len; i++)
        plain = strchr("0123456789-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", given.ptr[i]) && given.ptr[i];
    return plain ? given : random_uuid(call->arena);
}

void rest_serve(struct http_request *request, void *ctx)
{
    struct api_call call = {.http = request, .server = ctx, .arena = request->arena, .warnings = {.arena = request->arena}};
    call.audit_id = audit_id_of(&call);
    log_set_request(call.audit_id);
    call_parse(&call);
    struct err *e = authenticate(&call);
    if (!e && (call.verb || !call.is_resource))
        e = authorize(&call);
    if (!e)
        e = call.is_resource ? serve_resource(&call) : serve_path(&call);
    if (e)
        answer_err(&call, e);
    log_set_request(SLICE_NONE);
}
