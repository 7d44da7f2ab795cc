#include "cluster/apiserver/authn.h"
#include "base/encode.h"
#include "cluster/apiserver/server_internal.h"
#include "cluster/apiserver/tokens.h"

bool user_in_group(const struct user *user, struct slice group)
{
    for (size_t i = 0; i < user->group_count; i++)
        if (slice_eq(user->groups[i], group))
            return true;
    return false;
}

struct json *user_to_json(struct arena *arena, const struct user *user)
{
    struct json *info = json_object(arena);
    json_set_text(arena, info, "username", user->name);
    if (user->uid.len)
        json_set_text(arena, info, "uid", user->uid);
    struct json *groups = json_ensure_array(arena, info, "groups");
    for (size_t i = 0; i < user->group_count; i++)
        json_append(groups, json_string(arena, user->groups[i]));
    if (user->extra)
        JSON_SET(arena, info, "extra", json_clone(arena, user->extra));
    return info;
}

static void extra_add(struct arena *arena, struct json *extra, const char *key, struct slice value)
{
    if (value.len)
        json_append(json_ensure_array(arena, extra, key), json_string(arena, value));
}

struct err *authenticate_token(struct tokens *tokens, struct arena *arena, struct slice token, struct slice audience,
                               struct user *ret_user)
{
    struct token_identity identity;
    TRY(token_check(tokens, arena, token, audience, &identity));
    struct slice *groups = ARENA_ARRAY(arena, 3, struct slice);
    groups[0] = S("system:serviceaccounts");
    groups[1] = slice_fmt(arena, "system:serviceaccounts:%.*s", SLICE_ARG(identity.namespace_name));
    groups[2] = S("system:authenticated");
    struct json *extra = json_object(arena);
    extra_add(arena, extra, "authentication.kubernetes.io/credential-id", slice_fmt(arena, "JTI=%.*s", SLICE_ARG(identity.jwt_id)));
    extra_add(arena, extra, "authentication.kubernetes.io/node-name", identity.node);
    extra_add(arena, extra, "authentication.kubernetes.io/node-uid", identity.node_uid);
    extra_add(arena, extra, "authentication.kubernetes.io/pod-name", identity.pod);
    extra_add(arena, extra, "authentication.kubernetes.io/pod-uid", identity.pod_uid);
    *ret_user = (struct user){
        .name = slice_fmt(arena, "system:serviceaccount:%.*s:%.*s", SLICE_ARG(identity.namespace_name),
                          SLICE_ARG(identity.service_account)),
        .uid = identity.uid,
        .groups = groups,
        .group_count = 3,
        .extra = extra,
    };
    return NULL;
}

/* system:authenticated for everyone known; the organizations of a certificate are groups. */
static void user_of_certificate(struct arena *arena, const struct http_request *http, struct user *user)
{
    size_t max = 2;
    for (size_t i = 0; i < http->client_organizations.len; i++)
        max += http->client_organizations.ptr[i] == '\n';
    struct slice *groups = ARENA_ARRAY(arena, max, struct slice);
    size_t count = 0;
    struct slice rest = http->client_organizations;
    while (rest.ptr) {
        struct slice group = slice_cut(&rest, '\n');
        if (group.len)
            groups[count++] = group;
    }
    groups[count++] = S("system:authenticated");
    *user = (struct user){.name = http->client_common_name, .groups = groups, .group_count = count};
}

static struct err *user_of_bearer(struct api_call *call, struct slice token)
{
    struct err *e = authenticate_token(call->server->tokens, call->arena, token, SLICE_NONE, &call->user);
    if (e && call->server->options.authn_token) {
        err_free(e);
        e = call->server->options.authn_token(call->server->options.authn_ctx, call->arena, token, &call->user);
    }
    if (!e)
        return NULL;
    err_free(e);
    return status_unauthorized();
}

/* ---- impersonation ---- */

static bool service_account_of(struct slice name, struct slice *ret_namespace)
{
    struct slice account;
    return slice_starts_with(name, S("system:serviceaccount:")) &&
           slice_split(slice_from(name, sizeof("system:serviceaccount:") - 1), ':', ret_namespace, &account);
}

static struct json *impersonated_extra(struct api_call *call)
{
    struct json *extra = NULL;
    struct http_headers headers = call->http->headers;
    for (size_t i = 0; i < headers.count; i++) {
        struct slice prefix = S("Impersonate-Extra-");
        if (!slice_starts_with_nocase(headers.items[i].name, prefix))
            continue;
        if (!extra)
            extra = json_object(call->arena);
        struct slice key = slice_lower(call->arena, slice_from(headers.items[i].name, prefix.len));
        extra_add(call->arena, extra, slice_cstr(call->arena, uri_decode(call->arena, key, URI_PLUS_KEPT)), headers.items[i].value);
    }
    return extra;
}

static struct err *impersonate(struct api_call *call, struct slice name)
{
    if (!user_in_group(&call->user, S("system:masters"))) {
        static const struct kind users = {.group = "", .version = "v1", .resource = "users", .kind = "User"};
        return status_forbidden(&users, name, "User \"%.*s\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
                                SLICE_ARG(call->user.name));
    }
    struct http_headers headers = call->http->headers;
    struct slice *groups = ARENA_ARRAY(call->arena, headers.count + 3, struct slice);
    size_t count = 0;
    for (size_t i = 0; i < headers.count; i++)
        if (slice_eq_nocase(headers.items[i].name, S("Impersonate-Group")))
            groups[count++] = headers.items[i].value;
    struct slice account_namespace;
    if (!count && service_account_of(name, &account_namespace)) {
        groups[count++] = S("system:serviceaccounts");
        groups[count++] = slice_fmt(call->arena, "system:serviceaccounts:%.*s", SLICE_ARG(account_namespace));
    }
    struct user user = {.name = name, .groups = groups, .uid = http_header_get(headers, S("Impersonate-Uid"))};
    user.group_count = count;
    struct slice known = slice_eq(name, S("system:anonymous")) ? S("system:unauthenticated") : S("system:authenticated");
    if (!user_in_group(&user, known))
        groups[user.group_count++] = known;
    user.extra = impersonated_extra(call);
    call->user = user;
    return NULL;
}

struct err *authenticate(struct api_call *call)
{
    static const struct slice nobody[] = {S_INIT("system:unauthenticated")};
    struct slice authorization = http_header_get(call->http->headers, S("Authorization"));
    struct slice token = SLICE_NONE;
    if (slice_starts_with_nocase(authorization, S("Bearer ")))
        token = slice_trim(slice_from(authorization, 7));
    if (token.len)
        TRY(user_of_bearer(call, token));
    else if (call->http->client_common_name.len)
        user_of_certificate(call->arena, call->http, &call->user);
    else
        call->user = (struct user){.name = S("system:anonymous"), .groups = nobody, .group_count = 1};

    struct slice impersonated = http_header_get(call->http->headers, S("Impersonate-User"));
    return impersonated.len ? impersonate(call, impersonated) : NULL;
}
