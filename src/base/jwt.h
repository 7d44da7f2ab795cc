/* jwt: JSON web tokens signed RS256 (RFC 7515, 7519) and the key set that verifies them (RFC 7517). Keys are immutable once
 * made and may be used from any thread. Claims are the caller's business: nothing here looks at exp, aud or iss. */
#pragma once
#include "base/err.h"
#include "base/json.h"

struct jwt_key;

struct err *jwt_key_generate(struct jwt_key **ret_key) NODISCARD; /* RSA 2048 */
struct err *jwt_key_parse(struct slice pem, struct jwt_key **ret_key) NODISCARD; /* private key; ERR_INVALID */
void jwt_key_free(struct jwt_key *key);                           /* NULL is fine */
struct err *jwt_key_pem(struct arena *arena, const struct jwt_key *key, struct slice *ret_pem) NODISCARD; /* PKCS#8, secret */
/* base64url(SHA-256(DER of the public key)), as Kubernetes names its keys. */
struct slice jwt_key_id(const struct jwt_key *key);

/* {alg: RS256, kid} . claims . signature */
struct err *jwt_sign(struct arena *arena, const struct jwt_key *key, const struct json *claims, struct slice *ret_token) NODISCARD;
/* Signature and form are right, the kid (when there is one) is the key's. ERR_DENIED otherwise; never says which. */
struct err *jwt_verify(struct arena *arena, const struct jwt_key *key, struct slice token, struct json **ret_claims) NODISCARD;
/* Claims of a token that is NOT verified: only to find out who should verify it. ERR_INVALID. */
struct err *jwt_peek(struct arena *arena, struct slice token, struct json **ret_claims) NODISCARD;
/* Verifies against a public key set document ({"keys":[…]}): the key with the token's kid. ERR_DENIED. */
struct err *jwt_verify_jwks(struct arena *arena, const struct json *jwks, struct slice token, struct json **ret_claims) NODISCARD;
/* {"use":"sig","kty":"RSA","kid":…,"alg":"RS256","n":…,"e":…} */
struct err *jwt_key_jwk(struct arena *arena, const struct jwt_key *key, struct json **ret_jwk) NODISCARD;
