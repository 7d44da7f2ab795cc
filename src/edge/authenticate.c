/* authenticate: whose signature is it. The root key is the edge's own; the others are sessions of job runs, in the store. */
#include "edge/edge_internal.h"
#include "aws/sigv2.h"
#include "base/digest.h"
#include "store/access_key.h"

/* What a key id stands for; secret and token are never told to anybody. */
struct credential {
    struct principal principal;
    struct slice secret;
    struct slice session_token; /* absent: none is to be shown */
};

static struct err *find_credential(struct edge *edge, struct arena *arena, struct slice access_key_id, bool *ret_found,
                                   struct credential *ret_credential)
{
    *ret_found = true;
    if (slice_eq(access_key_id, edge->root_access_key_id)) {
        *ret_credential = (struct credential){
            .principal = {.kind = PRINCIPAL_ROOT, .arn = edge->root_arn, .user_id = edge->account_id, .access_key_id = access_key_id},
            .secret = edge->root_secret,
            .session_token = SLICE_NONE,
        };
        return NULL;
    }
    struct access_key key;
    struct err *e = store_access_key_get(edge->store, arena, access_key_id, &key);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        *ret_found = false;
        return NULL;
    }
    if (e)
        return e;
    *ret_credential = (struct credential){
        .principal = {.kind = PRINCIPAL_SESSION,
                      .arn = key.principal_arn,
                      .user_id = key.user_id,
                      .access_key_id = access_key_id,
                      .job_run_id = key.job_run_id},
        .secret = key.secret,
        .session_token = key.session_token,
    };
    return NULL;
}

/* A token that nobody asked for is ignored, as AWS does with long-term keys. */
static bool token_fits(const struct credential *credential, struct slice shown)
{
    return !credential->session_token.ptr || (shown.ptr && secret_equal(credential->session_token, shown));
}

/* iam and sts are global, and clients sign them with their own region when they are told an endpoint. */
static struct slice region_of(const struct edge *edge, const struct aws_service *service)
{
    return service->protocol == AWS_QUERY ? SLICE_NONE : edge->region;
}

/* Signature and key of auth, whichever version signed it. */
static struct err *check_key(struct edge *edge, struct arena *arena, const struct target *target, const struct aws_request *request,
                             struct instant now, const struct sigv4_auth *auth, struct sigv4_result *ret_result, struct identity *ret_identity)
{
    bool found;
    struct credential credential = {0};
    TRY(find_credential(edge, arena, auth->access_key_id, &found, &credential));
    if (!found) {
        ret_result->check = SIGV4_UNKNOWN_KEY;
        return NULL;
    }
    if (!token_fits(&credential, auth->session_token)) {
        ret_result->check = SIGV4_BAD_TOKEN;
        return NULL;
    }
    if (target->signing == SIGNING_V2_QUERY) {
        *ret_result = sigv2_check(arena, auth, request, credential.secret, now);
        ret_identity->chain.payload = SIGV4_PAYLOAD_UNSIGNED;
    } else {
        *ret_result = sigv4_check_signature(arena, auth, request, credential.secret, &ret_identity->chain);
    }
    ret_identity->principal = credential.principal;
    return NULL;
}

static struct err *check(struct edge *edge, struct arena *arena, const struct target *target, const struct aws_request *request,
                         struct instant now, struct sigv4_auth *auth, struct sigv4_result *ret_result, struct identity *ret_identity)
{
    if (target->signing == SIGNING_V2_QUERY) {
        *ret_result = sigv2_parse(arena, request, auth);
    } else {
        /* A service that is not here is refused only after the signature held for it. */
        struct slice service = target->door == DOOR_UNKNOWN ? target->scope_service : target->service->signing_name;
        *ret_result = sigv4_parse(arena, request, auth);
        if (ret_result->check == SIGV4_OK)
            *ret_result = sigv4_check_scope(arena, auth, request, service, region_of(edge, target->service), now);
    }
    return ret_result->check == SIGV4_OK ? check_key(edge, arena, target, request, now, auth, ret_result, ret_identity) : NULL;
}

struct err *edge_authenticate(struct edge *edge, struct arena *arena, const struct target *target, const struct aws_request *request,
                              struct instant now, struct identity *ret_identity)
{
    struct sigv4_auth auth = {0};
    struct sigv4_result result = {.check = SIGV4_OK};
    if (target->signing == SIGNING_NONE) {
        if (target->service->protocol == AWS_REST_XML) {
            ret_identity->principal = (struct principal){.kind = PRINCIPAL_ANONYMOUS, .arn = S("anonymous")};
            ret_identity->chain.payload = SIGV4_PAYLOAD_UNSIGNED;
            return NULL;
        }
        result.check = SIGV4_NO_CREDENTIALS;
    } else if (target->signing == SIGNING_V2_HEADER || target->signing == SIGNING_OTHER) {
        auth.authorization = aws_header_get(request->headers, S("Authorization"));
        result.check = SIGV4_ALGORITHM;
    } else {
        TRY(check(edge, arena, target, request, now, &auth, &result, ret_identity));
    }
    return result.check == SIGV4_OK ? NULL : sigv4_err(arena, target->service, &auth, result, region_of(edge, target->service), now);
}
