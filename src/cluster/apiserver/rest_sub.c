/* Subresources with bodies of their own (token, eviction, binding) and the reviews. */
#include "cluster/apiserver/authn.h"
#include "cluster/apiserver/authz.h"
#include "cluster/apiserver/rest.h"
#include "cluster/apiserver/server_internal.h"
#include "cluster/apiserver/strategy.h"
#include "cluster/apiserver/tokens.h"

static struct err *read_body(struct api_call *call, const struct kind *kind, struct json **ret_body)
{
    struct decode_input input = {.kind = kind, .warnings = &call->warnings};
    TRY(field_validation_parse(call_query(call, "fieldValidation"), "CreateOptions", &input.validation));
    input.content_type = http_header_get(call->http->headers, S("Content-Type"));
    TRY(call_body(call, &input.body));
    return decode_object(call->arena, &input, ret_body);
}

static const struct kind *body_kind(const struct api_call *call)
{
    struct slice api_version = call->sub->group[0] ? slice_fmt(call->arena, "%s/%s", call->sub->group, call->sub->version)
                                                   : slice_from_cstr(call->sub->version);
    return kind_find_by_name(api_version, slice_from_cstr(call->sub->kind));
}

/* ---- serviceaccounts/token ---- */

struct err *rest_token(struct api_call *call)
{
    struct arena *arena = call->arena;
    struct tokens *tokens = call->server->tokens;
    _cleanup_(object_unrefp) struct object *account = NULL;
    TRY(registry_get(call->server->registry, S("serviceaccounts"), call->namespace_name, call->name, &account));
    struct json *body;
    TRY(read_body(call, body_kind(call), &body));
    strategy_default_token_request(arena, body, tokens_issuer(tokens));
    TRY(strategy_validate_token_request(arena, body));

    struct json *spec = json_ensure_object(arena, body, "spec");
    const struct json *audiences = json_get(spec, S("audiences"));
    const struct json *bound = json_get(spec, S("boundObjectRef"));
    struct slice *audience_texts = ARENA_ARRAY(arena, json_count(audiences) + 1, struct slice);
    struct token_request request = {
        .namespace_name = call->namespace_name,
        .service_account = call->name,
        .audiences = audience_texts,
        .expiration_seconds = json_get_i64(spec, "expirationSeconds", 3600),
    };
    JSON_FOREACH (audience, audiences)
        audience_texts[request.audience_count++] = json_text(audience);
    if (json_is(bound, JSON_OBJECT)) {
        if (!slice_eq(json_get_text(bound, "kind"), S("Pod")))
            return status_bad_request("cannot bind token for serviceaccount \"%.*s\" to %.*s with name \"%.*s\": only pods are supported",
                                      SLICE_ARG(call->name), SLICE_ARG(json_get_text(bound, "kind")), SLICE_ARG(json_get_text(bound, "name")));
        request.pod = json_get_text(bound, "name");
        request.pod_uid = json_get_text(bound, "uid");
    }
    struct token_grant grant;
    TRY(token_issue(tokens, arena, &request, &grant));

    struct json *metadata = json_object(arena);
    json_set_text(arena, metadata, "name", call->name);
    json_set_text(arena, metadata, "namespace", call->namespace_name);
    json_set_text(arena, metadata, "uid", account->uid);
    json_set_text(arena, metadata, "creationTimestamp", instant_iso8601(arena, instant_now()));
    JSON_SET(arena, body, "metadata", metadata);
    if (!json_is(bound, JSON_OBJECT))
        JSON_SET(arena, spec, "boundObjectRef", json_null(arena));
    struct json *status = json_object(arena);
    json_set_text(arena, status, "token", grant.token);
    json_set_text(arena, status, "expirationTimestamp", instant_iso8601(arena, grant.expires_at));
    JSON_SET(arena, body, "status", status);
    answer_json(call, 201, body);
    return NULL;
}

/* ---- pods/eviction, pods/binding ---- */

static void answer_success(struct api_call *call)
{
    struct json *status = json_object(call->arena);
    json_set_cstr(call->arena, status, "kind", "Status");
    json_set_cstr(call->arena, status, "apiVersion", "v1");
    json_ensure_object(call->arena, status, "metadata");
    json_set_cstr(call->arena, status, "status", "Success");
    json_set_i64(call->arena, status, "code", 201);
    answer_json(call, 201, status);
}

struct err *rest_eviction(struct api_call *call)
{
    struct json *body;
    TRY(read_body(call, body_kind(call), &body));
    const struct json *asked = json_get(body, S("deleteOptions"));
    struct delete_options options = {
        .grace_seconds = json_get_i64(asked, "gracePeriodSeconds", -1),
        .uid = json_text(JSON_AT(asked, "preconditions", "uid")),
        .resource_version = json_text(JSON_AT(asked, "preconditions", "resourceVersion")),
    };
    TRY(registry_delete(call->server->registry, S("pods"), call->namespace_name, call->name, &options, NULL));
    answer_success(call);
    return NULL;
}

static struct err *bind(void *ctx, struct arena *arena, struct json *pod)
{
    const struct json *binding = ctx;
    struct slice name = json_text(JSON_AT(pod, "metadata", "name"));
    const struct kind *pods = kind_find(S(""), S("v1"), S("pods"));
    if (json_text(JSON_AT(pod, "spec", "nodeName")).len)
        return status_conflict(pods, name, "pod %.*s is already assigned to node \"%.*s\"", SLICE_ARG(name),
                               SLICE_ARG(json_text(JSON_AT(pod, "spec", "nodeName"))));
    json_set_text(arena, json_ensure_object(arena, pod, "spec"), "nodeName", json_text(JSON_AT(binding, "target", "name")));
    struct json *condition = json_object(arena);
    json_set_cstr(arena, condition, "type", "PodScheduled");
    json_set_cstr(arena, condition, "status", "True");
    JSON_SET(arena, condition, "lastProbeTime", json_null(arena));
    json_set_text(arena, condition, "lastTransitionTime", instant_iso8601(arena, instant_now()));
    struct json *conditions = json_ensure_array(arena, json_ensure_object(arena, pod, "status"), "conditions");
    JSON_FOREACH (old, conditions)
        if (slice_eq(json_get_text(old, "type"), S("PodScheduled"))) {
            json_unlink(conditions, old);
            break;
        }
    json_append(conditions, condition);
    return NULL;
}

struct err *rest_binding(struct api_call *call)
{
    struct json *body;
    TRY(read_body(call, body_kind(call), &body));
    if (!json_text(JSON_AT(body, "target", "name")).len)
        return status_bad_request("target.name is required");
    TRY(registry_update(call->server->registry, S("pods"), call->namespace_name, call->name, bind, body, NULL));
    answer_success(call);
    return NULL;
}

/* ---- reviews ---- */

static struct err *review_access(struct api_call *call, struct json *review)
{
    const struct json *attributes = JSON_AT(review, "spec", "resourceAttributes");
    const struct json *path = JSON_AT(review, "spec", "nonResourceAttributes");
    if (!attributes == !path) {
        struct field_errors errors = {.arena = call->arena};
        field_invalid(&errors, S("spec.resourceAttributes"), attributes ? attributes : json_null(call->arena), "%s",
                      attributes ? "cannot be specified in combination with nonResourceAttributes"
                                 : "exactly one of nonResourceAttributes or resourceAttributes must be specified");
        return field_errors_to_err_of(&errors, "authorization.k8s.io", "SelfSubjectAccessReview", S(""));
    }
    struct authz_request request = {
        .verb = json_get_text(attributes ? attributes : path, "verb"),
        .is_resource = attributes != NULL,
        .path = json_get_text(path, "path"),
        .group = json_get_text(attributes, "group"),
        .resource = json_get_text(attributes, "resource"),
        .subresource = json_get_text(attributes, "subresource"),
        .namespace_name = json_get_text(attributes, "namespace"),
        .name = json_get_text(attributes, "name"),
    };
    const char *reason = "";
    bool allowed = authz_allows(&call->user, &request, &reason);
    struct json *status = json_object(call->arena);
    json_set_bool(call->arena, status, "allowed", allowed);
    if (allowed && reason[0])
        json_set_cstr(call->arena, status, "reason", reason);
    JSON_SET(call->arena, review, "status", status);
    return NULL;
}

static void review_token(struct api_call *call, struct json *review)
{
    struct arena *arena = call->arena;
    const struct json *spec = json_get(review, S("spec"));
    const struct json *asked = json_get(spec, S("audiences"));
    struct user user = {0};
    struct slice audience = json_text(json_item(asked, 0));
    struct json *status = json_object(arena);
    struct err *e = authenticate_token(call->server->tokens, arena, json_get_text(spec, "token"), audience, &user);
    for (size_t i = 1; e && i < json_count(asked); i++) {
        err_free(e);
        audience = json_text(json_item(asked, i));
        e = authenticate_token(call->server->tokens, arena, json_get_text(spec, "token"), audience, &user);
    }
    if (e) {
        json_ensure_object(arena, status, "user");
        json_set_cstr(arena, status, "error", "invalid bearer token");
        err_free(e);
    } else {
        json_set_bool(arena, status, "authenticated", true);
        JSON_SET(arena, status, "user", user_to_json(arena, &user));
        json_append(json_ensure_array(arena, status, "audiences"),
                    json_string(arena, audience.len ? audience : tokens_issuer(call->server->tokens)));
    }
    JSON_SET(arena, review, "status", status);
}

struct err *rest_review(struct api_call *call)
{
    struct json *review;
    TRY(read_body(call, call->kind, &review));
    struct arena *arena = call->arena;
    struct json *metadata = json_object(arena);
    if (slice_eq(call->resource, S("selfsubjectaccessreviews"))) {
        TRY(review_access(call, review));
    } else if (slice_eq(call->resource, S("selfsubjectrulesreviews"))) {
        struct slice namespace_name = json_text(JSON_AT(review, "spec", "namespace"));
        JSON_SET(arena, review, "spec", json_object(arena));
        JSON_SET(arena, review, "status", authz_rules(arena, &call->user, namespace_name));
    } else if (slice_eq(call->resource, S("selfsubjectreviews"))) {
        json_set_text(arena, metadata, "creationTimestamp", instant_iso8601(arena, instant_now()));
        JSON_SET(arena, json_ensure_object(arena, review, "status"), "userInfo", user_to_json(arena, &call->user));
    } else if (slice_eq(call->resource, S("tokenreviews"))) {
        review_token(call, review);
    } else if (slice_eq(call->resource, S("bindings"))) {
        call->name = json_text(JSON_AT(review, "metadata", "name"));
        TRY(registry_update(call->server->registry, S("pods"), call->namespace_name, call->name, bind, review, NULL));
        answer_success(call);
        return NULL;
    } else {
        return status_method_not_allowed();
    }
    JSON_SET(arena, review, "metadata", metadata);
    answer_json(call, 201, review);
    return NULL;
}
