#include "cluster/apiserver/tokens.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/jwt.h"
#include "cluster/apiserver/registry.h"
#include "cluster/apiserver/status_error.h"
#include <stdlib.h>
#include <string.h>

struct tokens {
    struct jwt_key *key;
    struct registry *registry;
    char *issuer;
};

enum { KEY_MAX_BYTES = 16384 };

static struct err *load_key(const char *path, struct arena *arena, struct jwt_key **ret_key)
{
    struct slice pem;
    struct err *e = file_read(arena, path, KEY_MAX_BYTES, &pem);
    if (!e)
        return jwt_key_parse(pem, ret_key);
    if (e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    struct jwt_key *key;
    TRY(jwt_key_generate(&key));
    e = jwt_key_pem(arena, key, &pem);
    if (!e)
        e = file_write_atomic(path, pem, 0600);
    if (e)
        jwt_key_free(key);
    else
        *ret_key = key;
    return e;
}

struct err *tokens_open(const struct tokens_options *options, struct tokens **ret_tokens)
{
    struct arena *arena = arena_new();
    struct tokens *tokens = xcalloc(1, sizeof(*tokens));
    struct slice path = slice_fmt(arena, "%s/sa.key", options->dir);
    struct err *e = load_key(path.ptr, arena, &tokens->key);
    if (!e) {
        tokens->registry = options->registry;
        tokens->issuer = xstrdup(slice_cstr(arena, options->issuer));
        *ret_tokens = tokens;
    } else {
        free(tokens);
    }
    arena_free(arena);
    return err_wrap(e, "while opening the service account key");
}

void tokens_close(struct tokens *tokens)
{
    if (!tokens)
        return;
    jwt_key_free(tokens->key);
    free(tokens->issuer);
    free(tokens);
}

struct slice tokens_issuer(const struct tokens *tokens)
{
    return slice_from_cstr(tokens->issuer);
}

/* ---- issue ---- */

static struct json *reference(struct arena *arena, struct slice name, struct slice uid)
{
    struct json *r = json_object(arena);
    json_set_text(arena, r, "name", name);
    json_set_text(arena, r, "uid", uid);
    return r;
}

/* The pod, and the node it is bound to. */
static struct err *add_pod(struct tokens *tokens, struct arena *arena, const struct token_request *request, struct json *claim)
{
    _cleanup_(object_unrefp) struct object *pod = NULL;
    TRY(registry_get(tokens->registry, S("pods"), request->namespace_name, request->pod, &pod));
    if (request->pod_uid.len && !slice_eq(request->pod_uid, pod->uid)) {
        static const struct kind as_kind = {.group = "", .version = "v1", .resource = "Pod", .kind = "Pod"};
        return status_conflict(&as_kind, request->pod,
                               "the UID in the bound object reference (%.*s) does not match the UID in record. The object might have "
                               "been deleted and then recreated",
                               SLICE_ARG(request->pod_uid));
    }
    JSON_SET(arena, claim, "pod", reference(arena, slice_dup(arena, pod->name), slice_dup(arena, pod->uid)));

    struct slice node_name = object_field(pod, "spec", "nodeName");
    _cleanup_(object_unrefp) struct object *node = NULL;
    if (node_name.len) {
        err_free(registry_get(tokens->registry, S("nodes"), S(""), node_name, &node));
        if (node)
            JSON_SET(arena, claim, "node", reference(arena, slice_dup(arena, node->name), slice_dup(arena, node->uid)));
    }
    return NULL;
}

struct err *token_issue(struct tokens *tokens, struct arena *arena, const struct token_request *request, struct token_grant *ret_grant)
{
    _cleanup_(object_unrefp) struct object *account = NULL;
    TRY(registry_get(tokens->registry, S("serviceaccounts"), request->namespace_name, request->service_account, &account));
    int64_t lifetime_s = request->expiration_seconds ? request->expiration_seconds : 3600;
    int64_t now_s = instant_now().ms / 1000;

    struct json *claims = json_object(arena);
    struct json *audiences = json_ensure_array(arena, claims, "aud");
    for (size_t i = 0; i < request->audience_count; i++)
        json_append(audiences, json_string(arena, request->audiences[i]));
    if (!request->audience_count)
        json_append(audiences, json_cstr(arena, tokens->issuer));
    json_set_i64(arena, claims, "exp", now_s + lifetime_s);
    json_set_i64(arena, claims, "iat", now_s);
    json_set_cstr(arena, claims, "iss", tokens->issuer);
    json_set_text(arena, claims, "jti", random_uuid(arena));
    struct json *kubernetes = json_ensure_object(arena, claims, "kubernetes.io");
    json_set_text(arena, kubernetes, "namespace", request->namespace_name);
    if (request->pod.len)
        TRY(add_pod(tokens, arena, request, kubernetes));
    JSON_SET(arena, kubernetes, "serviceaccount", reference(arena, request->service_account, slice_dup(arena, account->uid)));
    json_set_i64(arena, claims, "nbf", now_s);
    json_set_text(arena, claims, "sub", slice_fmt(arena, "system:serviceaccount:%.*s:%.*s", SLICE_ARG(request->namespace_name),
                                                  SLICE_ARG(request->service_account)));
    struct slice token;
    TRY(jwt_sign(arena, tokens->key, claims, &token));
    *ret_grant = (struct token_grant){
        .token = token,
        .expires_at = {.ms = (now_s + lifetime_s) * 1000},
        .service_account_uid = slice_dup(arena, account->uid),
    };
    return NULL;
}

/* ---- check ---- */

static struct err *refused(void)
{
    return err_new(ERR_DENIED, "the token is not valid");
}

static bool still_lives(struct tokens *tokens, const char *resource, struct slice namespace_name, const struct json *ref)
{
    struct object *object = NULL;
    err_free(registry_get(tokens->registry, slice_from_cstr(resource), namespace_name, json_get_text(ref, "name"), &object));
    bool lives = object && slice_eq(object->uid, json_get_text(ref, "uid"));
    object_unref(object);
    return lives;
}

static bool has_audience(const struct token_identity *identity, struct slice wanted)
{
    for (size_t i = 0; i < identity->audience_count; i++)
        if (slice_eq(identity->audiences[i], wanted))
            return true;
    return false;
}

struct err *token_check(struct tokens *tokens, struct arena *arena, struct slice token, struct slice audience,
                        struct token_identity *ret_identity)
{
    struct json *claims;
    TRY(jwt_verify(arena, tokens->key, token, &claims));
    int64_t now_s = instant_now().ms / 1000;
    if (json_get_i64(claims, "exp", 0) <= now_s || json_get_i64(claims, "nbf", INT64_MAX) > now_s + 1 ||
        !slice_eq(json_get_text(claims, "iss"), tokens_issuer(tokens)))
        return refused();

    const struct json *kubernetes = json_get(claims, S("kubernetes.io"));
    const struct json *account = json_get(kubernetes, S("serviceaccount"));
    const struct json *pod = json_get(kubernetes, S("pod"));
    const struct json *node = json_get(kubernetes, S("node"));
    struct token_identity identity = {
        .namespace_name = json_get_text(kubernetes, "namespace"),
        .service_account = json_get_text(account, "name"),
        .uid = json_get_text(account, "uid"),
        .jwt_id = json_get_text(claims, "jti"),
        .pod = json_get_text(pod, "name"),
        .pod_uid = json_get_text(pod, "uid"),
        .node = json_get_text(node, "name"),
        .node_uid = json_get_text(node, "uid"),
    };
    struct slice *audiences = ARENA_ARRAY(arena, json_count(json_get(claims, S("aud"))) + 1, struct slice);
    JSON_FOREACH (a, json_get(claims, S("aud")))
        audiences[identity.audience_count++] = json_text(a);
    identity.audiences = audiences;
    if (!has_audience(&identity, audience.ptr ? audience : tokens_issuer(tokens)))
        return refused();
    if (!still_lives(tokens, "serviceaccounts", identity.namespace_name, account) ||
        (pod && !still_lives(tokens, "pods", identity.namespace_name, pod)))
        return refused();
    *ret_identity = identity;
    return NULL;
}

/* ---- OpenID ---- */

struct err *tokens_openid_configuration(struct tokens *tokens, struct arena *arena, struct slice *ret_json)
{
    struct json *document = json_object(arena);
    json_set_cstr(arena, document, "issuer", tokens->issuer);
    json_set_text(arena, document, "jwks_uri", slice_fmt(arena, "%s/openid/v1/jwks", tokens->issuer));
    json_append(json_ensure_array(arena, document, "response_types_supported"), json_cstr(arena, "id_token"));
    json_append(json_ensure_array(arena, document, "subject_types_supported"), json_cstr(arena, "public"));
    json_append(json_ensure_array(arena, document, "id_token_signing_alg_values_supported"), json_cstr(arena, "RS256"));
    *ret_json = json_to_slice(arena, document);
    return NULL;
}

struct err *tokens_jwks(struct tokens *tokens, struct arena *arena, struct slice *ret_json)
{
    struct json *jwk;
    TRY(jwt_key_jwk(arena, tokens->key, &jwk));
    struct json *set = json_object(arena);
    json_append(json_ensure_array(arena, set, "keys"), jwk);
    *ret_json = json_to_slice(arena, set);
    return NULL;
}
