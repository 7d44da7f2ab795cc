/* authn: who sends a request: client certificate, service account token, a token that a sink outside knows (EKS), or nobody.
 * Source: kubernetes documentation, "Authenticating"; captures error-unauthorized, authn-tokens. */
#pragma once
#include "cluster/apiserver/call.h"

/* Tokens that are not ours (k8s-aws-v1.…). ERR_DENIED: not known either; the user's slices are in the arena. */
typedef struct err *(*authn_token_fn)(void *ctx, struct arena *arena, struct slice token, struct user *ret_user);

/* Fills call->user. 401; 403 for an impersonation that is not allowed. */
struct err *authenticate(struct api_call *call) NODISCARD;
/* system:serviceaccount:NS:NAME of a checked token. */
struct tokens;
struct err *authenticate_token(struct tokens *tokens, struct arena *arena, struct slice token, struct slice audience,
                               struct user *ret_user) NODISCARD;
bool user_in_group(const struct user *user, struct slice group);
/* As UserInfo of reviews: {username, uid, groups, extra}. */
struct json *user_to_json(struct arena *arena, const struct user *user);
