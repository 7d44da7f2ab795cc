/* tokens: service account tokens of one cluster (JWTs, kubernetes-api: TokenRequest). A token dies with its account or pod:
 * both are looked up in the registry at every check. Any thread. */
#pragma once
#include "base/clock.h"
#include "base/err.h"

struct tokens;
struct registry;

struct tokens_options {
    const char *dir;        /* sa.key is kept in it */
    struct slice issuer;    /* claim iss, and the audience of tokens that name none */
    struct registry *registry;
};
struct err *tokens_open(const struct tokens_options *options, struct tokens **ret_tokens) NODISCARD;
void tokens_close(struct tokens *tokens);

struct token_request {
    struct slice namespace_name, service_account;
    const struct slice *audiences; /* none: the issuer */
    size_t audience_count;
    int64_t expiration_seconds;    /* 0: 3600 */
    struct slice pod, pod_uid;     /* bound to this pod; absent: not bound. pod_uid absent: whichever has the name */
};
struct token_grant {
    struct slice token; /* secret */
    struct instant expires_at;
    struct slice service_account_uid;
};
/* ERR_NOT_FOUND: no such account or pod; ERR_CONFLICT: the pod has another uid. */
struct err *token_issue(struct tokens *tokens, struct arena *arena, const struct token_request *request,
                        struct token_grant *ret_grant) NODISCARD;

struct token_identity {
    struct slice namespace_name, service_account, uid;
    struct slice jwt_id;
    struct slice pod, pod_uid, node, node_uid; /* absent when not bound */
    const struct slice *audiences;
    size_t audience_count;
};
/* ERR_DENIED, never says why. audience absent: the issuer must be among the token's audiences. */
struct err *token_check(struct tokens *tokens, struct arena *arena, struct slice token, struct slice audience,
                        struct token_identity *ret_identity) NODISCARD;
struct slice tokens_issuer(const struct tokens *tokens);
/* The OpenID discovery document and the key set. */
struct err *tokens_openid_configuration(struct tokens *tokens, struct arena *arena, struct slice *ret_json) NODISCARD;
struct err *tokens_jwks(struct tokens *tokens, struct arena *arena, struct slice *ret_json) NODISCARD;
