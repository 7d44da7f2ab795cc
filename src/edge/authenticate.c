/* authenticate: whose signature is it. The root key is the edge's own; the others are sessions of job runs, in the store. */
#include "edge/edge_internal.h"
#include "aws/sigv2.h"
#include "aws/sigv4_keys.h"
#include "base/digest.h"
#include "store/access_key.h"

#define FORM_LIFE_MS (INT64_C(7) * 24 * 3600 * 1000) /* of a signing key; the policy says by itself how long it holds */
#define SKEW_MS (15 * 60 * 1000)

/* What a key id stands for; secret and token are never told to anybody. */
struct credential {
    struct principal principal;
    struct slice secret;
    struct slice session_token; /* absent: none is to be shown */
    struct instant expires_at;  /* ms 0: never */
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
        sigv4_keys_forget(edge->signing_keys, access_key_id);
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
        .expires_at = key.expires_at,
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

static bool is_version2(const struct target *target)
{
    return target->signing == SIGNING_V2_QUERY || target->signing == SIGNING_V2_HEADER;
}

/* The key, its token and its end, in AWS's order; what is signed is checked after it. */
static struct err *check_key(struct edge *edge, struct arena *arena, const struct sigv4_auth *auth, struct instant now,
                             struct credential *ret_credential, struct sigv4_result *ret_result)
{
    bool found;
    struct credential credential = {0};
    TRY(find_credential(edge, arena, auth->access_key_id, &found, &credential));
    if (!found)
        ret_result->check = SIGV4_UNKNOWN_KEY;
    else if (!token_fits(&credential, auth->session_token))
        ret_result->check = SIGV4_BAD_TOKEN;
    else if (credential.expires_at.ms && now.ms >= credential.expires_at.ms)
        ret_result->check = SIGV4_EXPIRED_TOKEN;
    *ret_credential = credential;
    return NULL;
}

static struct sigv4_result check_form(struct edge *edge, struct arena *arena, const struct target *target,
                                      const struct aws_request *request, struct instant now, struct sigv4_auth *auth)
{
    struct sigv4_result result;
    if (is_version2(target)) {
        result = sigv2_parse(arena, request, auth);
        return result.check == SIGV4_OK ? sigv2_check_clock(auth, now) : result;
    }
    /* A service that is not here is refused only after the signature held for it. */
    struct slice service = target->door == DOOR_UNKNOWN ? target->scope_service : target->service->signing_name;
    result = sigv4_parse(arena, request, auth);
    return result.check == SIGV4_OK ? sigv4_check_scope(arena, auth, request, service, region_of(edge, target->service), now) : result;
}

/* All but the signature, and so without the body. */
static struct err *check_head(struct edge *edge, struct arena *arena, const struct target *target, const struct aws_request *request,
                              struct instant now, struct sigv4_auth *auth, struct credential *ret_credential, struct sigv4_result *ret_result)
{
    if (target->signing == SIGNING_NONE) {
        ret_result->check = SIGV4_NO_CREDENTIALS;
        return NULL;
    }
    if (target->signing == SIGNING_OTHER) {
        auth->authorization = aws_header_get(request->headers, S("Authorization"));
        *ret_result = (struct sigv4_result){.check = SIGV4_ALGORITHM, .text = S("Unsupported AWS 'algorithm'.")};
        return NULL;
    }
    *ret_result = check_form(edge, arena, target, request, now, auth);
    return ret_result->check == SIGV4_OK ? check_key(edge, arena, auth, now, ret_credential, ret_result) : NULL;
}

static struct err *check(struct edge *edge, struct arena *arena, const struct target *target, const struct aws_request *request,
                         struct instant now, struct sigv4_auth *auth, struct sigv4_result *ret_result, struct identity *ret_identity)
{
    struct credential credential = {0};
    TRY(check_head(edge, arena, target, request, now, auth, &credential, ret_result));
    if (ret_result->check != SIGV4_OK)
        return NULL;
    *ret_result = is_version2(target) ? sigv2_check_signature(arena, auth, request, credential.secret)
                                      : sigv4_check_signature_with(arena, edge->signing_keys, auth, request, credential.secret,
                                                                   &ret_identity->chain);
    if (ret_result->check == SIGV4_OK)
        ret_identity->principal = credential.principal;
    return NULL;
}

struct err *edge_authenticate(struct edge *edge, struct arena *arena, const struct target *target, const struct aws_request *request,
                              struct instant now, struct identity *ret_identity)
{
    struct sigv4_auth auth = {0};
    struct sigv4_result result = {.check = SIGV4_OK};
    if (target->signing == SIGNING_NONE && target->service->protocol == AWS_REST_XML) {
        ret_identity->principal = (struct principal){.kind = PRINCIPAL_ANONYMOUS, .arn = S("anonymous")};
        return NULL;
    }
    TRY(check(edge, arena, target, request, now, &auth, &result, ret_identity));
    return result.check == SIGV4_OK ? NULL : sigv4_err(arena, target->service, &auth, result, region_of(edge, target->service), now);
}

struct err *edge_authenticate_head(struct edge *edge, struct arena *arena, const struct target *target, const struct aws_request *request,
                                   struct instant now)
{
    struct sigv4_auth auth = {0};
    struct sigv4_result result = {.check = SIGV4_OK};
    struct credential credential = {0};
    TRY(check_head(edge, arena, target, request, now, &auth, &credential, &result));
    return result.check == SIGV4_OK ? NULL : sigv4_err(arena, target->service, &auth, result, region_of(edge, target->service), now);
}

/* Credential, scope and date of a form of version 4. */
static struct sigv4_result check_form_scope(const struct edge *edge, const struct edge_form_signature *form, struct instant now,
                                            struct sigv4_auth *auth)
{
    struct sigv4_result result = {.check = SIGV4_OK};
    if (!slice_eq(form->algorithm, S("AWS4-HMAC-SHA256")))
        result.check = SIGV4_ALGORITHM;
    else if (!sigv4_parse_credential(form->credential, auth))
        result = (struct sigv4_result){.check = SIGV4_PRESIGN_MALFORMED,
                                       .text = S("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
                                                 "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")};
    else if (!instant_parse_basic(form->date, &auth->time))
        result = (struct sigv4_result){.check = SIGV4_PRESIGN_MALFORMED,
                                       .text = S("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")};
    else if (!slice_ends_with(auth->scope, S("/aws4_request")))
        result = (struct sigv4_result){.check = SIGV4_SCOPE_TERMINATOR,
                                       .text = slice_from(auth->scope, (size_t)slice_rindex(auth->scope, '/') + 1)};
    else if (!slice_eq(auth->service, S("s3")))
        result.check = SIGV4_SCOPE_SERVICE;
    else if (!slice_eq(auth->region, edge->region))
        result.check = SIGV4_SCOPE_REGION;
    else if (!slice_eq(auth->date, slice_sub(form->date, 0, 8)))
        result.check = SIGV4_SCOPE_DATE;
    else if (auth->time.ms > now.ms + SKEW_MS)
        result.check = SIGV4_TOO_NEW;
    else if (auth->time.ms < now.ms - FORM_LIFE_MS)
        result.check = SIGV4_TOO_OLD;
    return result;
}

static bool form_signature_holds(struct edge *edge, struct arena *arena, const struct edge_form_signature *form, const struct sigv4_auth *auth,
                                 struct slice secret)
{
    if (form->version2)
        return sigv2_text_matches(arena, secret, form->policy, form->signature);
    struct sigv4_key_name name = {auth->access_key_id, auth->date, auth->region, auth->service};
    uint8_t key[32];
    char signature[64];
    bool known = sigv4_keys_find(edge->signing_keys, &name, secret, key);
    if (!known)
        sigv4_signing_key(secret, auth->date, auth->region, auth->service, key);
    sigv4_text_signature(key, form->policy, signature);
    bool holds = secret_equal(slice_of(signature, sizeof(signature)), form->signature);
    if (holds && !known)
        sigv4_keys_keep(edge->signing_keys, &name, secret, key);
    secret_wipe(key, sizeof(key));
    return holds;
}

struct err *edge_authenticate_form(struct edge *edge, struct arena *arena, const struct edge_form_signature *form, struct instant now,
                                   struct identity *ret_identity)
{
    struct sigv4_auth auth = {.presigned = true, .version2 = form->version2, .expires_s = -1};
    struct sigv4_result result = {.check = SIGV4_OK};
    struct credential credential = {0};
    auth.access_key_id = form->credential;
    auth.amz_date = form->date;
    auth.session_token = form->session_token;
    if (!form->version2)
        result = check_form_scope(edge, form, now, &auth);
    if (result.check == SIGV4_OK)
        TRY(check_key(edge, arena, &auth, now, &credential, &result));
    if (result.check == SIGV4_OK && !form_signature_holds(edge, arena, form, &auth, credential.secret))
        result.check = SIGV4_MISMATCH;
    if (result.check != SIGV4_OK)
        return sigv4_err(arena, NULL, &auth, result, edge->region, now);
    ret_identity->principal = credential.principal;
    return NULL;
}
