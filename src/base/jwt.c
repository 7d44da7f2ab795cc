#include "base/jwt.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

struct jwt_key {
    EVP_PKEY *pkey;
    char id[64]; /* base64url of 32 bytes: 43 characters */
};

enum { TOKEN_MAX_BYTES = 16384, RSA_BITS = 2048 };

static struct err *openssl_err(enum err_kind kind, const char *what)
{
    char text[200] = "unknown";
    unsigned long code = ERR_get_error();
    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return err_new(kind, "%s: %s", what, text);
}

static struct err *key_of(EVP_PKEY *pkey, struct jwt_key **ret_key)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    if (len <= 0)
        return openssl_err(ERR_INTERNAL, "cannot encode a public key");
    uint8_t hash[DIGEST_MAX_BYTES];
    digest_once(DIGEST_SHA256, slice_of((const char *)der, (size_t)len), hash);
    OPENSSL_free(der);
    struct jwt_key *key = xcalloc(1, sizeof(*key));
    key->pkey = pkey;
    struct arena *arena = arena_new();
    struct slice id = base64url_encode(arena, slice_of((const char *)hash, SHA256_BYTES));
    memcpy(key->id, id.ptr, id.len < sizeof(key->id) ? id.len : sizeof(key->id) - 1);
    arena_free(arena);
    *ret_key = key;
    return NULL;
}

struct err *jwt_key_generate(struct jwt_key **ret_key)
{
    EVP_PKEY *pkey = EVP_RSA_gen(RSA_BITS);
    if (!pkey)
        return openssl_err(ERR_INTERNAL, "cannot make an RSA key");
    struct err *e = key_of(pkey, ret_key);
    if (e)
        EVP_PKEY_free(pkey);
    return e;
}

struct err *jwt_key_parse(struct slice pem, struct jwt_key **ret_key)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (!pkey)
        return openssl_err(ERR_INVALID, "not a private key");
    struct err *e = EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA ? key_of(pkey, ret_key) : err_new(ERR_INVALID, "not an RSA key");
    if (e)
        EVP_PKEY_free(pkey);
    return e;
}

void jwt_key_free(struct jwt_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

struct err *jwt_key_pem(struct arena *arena, const struct jwt_key *key, struct slice *ret_pem)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL)) {
        BIO_free(bio);
        return openssl_err(ERR_INTERNAL, "cannot write a private key");
    }
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    *ret_pem = slice_dup(arena, slice_of(data, (size_t)len));
    BIO_free(bio);
    return NULL;
}

struct slice jwt_key_id(const struct jwt_key *key)
{
    return slice_from_cstr(key->id);
}

/* ---- sign ---- */

struct err *jwt_sign(struct arena *arena, const struct jwt_key *key, const struct json *claims, struct slice *ret_token)
{
    struct json *header = json_object(arena);
    json_set_cstr(arena, header, "alg", "RS256");
    json_set_text(arena, header, "kid", jwt_key_id(key));
    struct slice signed_part = slice_fmt(arena, "%.*s.%.*s", SLICE_ARG(base64url_encode(arena, json_to_slice(arena, header))),
                                         SLICE_ARG(base64url_encode(arena, json_to_slice(arena, claims))));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t len = (size_t)EVP_PKEY_get_size(key->pkey);
    unsigned char *signature = arena_alloc(arena, len);
    bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
              EVP_DigestSign(context, signature, &len, (const unsigned char *)signed_part.ptr, signed_part.len) == 1;
    EVP_MD_CTX_free(context);
    if (!ok)
        return openssl_err(ERR_INTERNAL, "cannot sign a token");
    *ret_token = slice_fmt(arena, "%.*s.%.*s", SLICE_ARG(signed_part),
                           SLICE_ARG(base64url_encode(arena, slice_of((const char *)signature, len))));
    return NULL;
}

/* ---- verify ---- */

struct parts {
    struct slice signed_part, signature;
    struct json *header, *claims;
};

static bool parse_segment(struct arena *arena, struct slice segment, struct json **ret_json)
{
    struct slice bytes;
    if (!base64url_decode(arena, segment, &bytes))
        return false;
    struct err *e = json_parse(arena, bytes, JSON_DUPLICATES_REFUSE, ret_json);
    bool ok = !e && json_is(*ret_json, JSON_OBJECT);
    err_free(e);
    return ok;
}

static bool take_apart(struct arena *arena, struct slice token, struct parts *ret_parts)
{
    struct slice header, claims, signature, rest;
    if (token.len > TOKEN_MAX_BYTES || !slice_split(token, '.', &header, &rest) || !slice_split(rest, '.', &claims, &signature) ||
        slice_index(signature, '.') >= 0)
        return false;
    ret_parts->signed_part = slice_of(token.ptr, header.len + 1 + claims.len);
    return parse_segment(arena, header, &ret_parts->header) && parse_segment(arena, claims, &ret_parts->claims) &&
           base64url_decode(arena, signature, &ret_parts->signature);
}

static bool signature_holds(EVP_PKEY *pkey, const struct parts *parts)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, pkey) == 1 &&
              EVP_DigestVerify(context, (const unsigned char *)parts->signature.ptr, parts->signature.len,
                               (const unsigned char *)parts->signed_part.ptr, parts->signed_part.len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}

static struct err *refused(void)
{
    return err_new(ERR_DENIED, "the token is not valid");
}

struct err *jwt_verify(struct arena *arena, const struct jwt_key *key, struct slice token, struct json **ret_claims)
{
    struct parts parts = {0};
    if (!take_apart(arena, token, &parts) || !slice_eq(json_get_text(parts.header, "alg"), S("RS256")))
        return refused();
    struct slice kid = json_get_text(parts.header, "kid");
    if ((kid.ptr && !slice_eq(kid, jwt_key_id(key))) || !signature_holds(key->pkey, &parts))
        return refused();
    *ret_claims = parts.claims;
    return NULL;
}

struct err *jwt_peek(struct arena *arena, struct slice token, struct json **ret_claims)
{
    struct parts parts = {0};
    if (!take_apart(arena, token, &parts))
        return err_new(ERR_INVALID, "not a web token");
    *ret_claims = parts.claims;
    return NULL;
}

static EVP_PKEY *pkey_of_jwk(struct arena *arena, const struct json *jwk)
{
    struct slice n, e;
    if (!slice_eq(json_get_text(jwk, "kty"), S("RSA")) || !base64url_decode(arena, json_get_text(jwk, "n"), &n) ||
        !base64url_decode(arena, json_get_text(jwk, "e"), &e) || n.len < 256 || n.len > 1024 || !e.len || e.len > 8)
        return NULL;
    EVP_PKEY *pkey = NULL;
    BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.ptr, (int)n.len, NULL);
    BIGNUM *exponent = BN_bin2bn((const unsigned char *)e.ptr, (int)e.len, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *params = NULL;
    if (modulus && exponent && builder && context && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) && (params = OSSL_PARAM_BLD_to_param(builder)) &&
        EVP_PKEY_fromdata_init(context) == 1 && EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(context);
    BN_free(modulus);
    BN_free(exponent);
    ERR_clear_error();
    return pkey;
}

struct err *jwt_verify_jwks(struct arena *arena, const struct json *jwks, struct slice token, struct json **ret_claims)
{
    struct parts parts = {0};
    if (!take_apart(arena, token, &parts) || !slice_eq(json_get_text(parts.header, "alg"), S("RS256")))
        return refused();
    struct slice kid = json_get_text(parts.header, "kid");
    JSON_FOREACH (jwk, json_get(jwks, S("keys"))) {
        if (kid.ptr && !slice_eq(kid, json_get_text(jwk, "kid")))
            continue;
        EVP_PKEY *pkey = pkey_of_jwk(arena, jwk);
        bool holds = pkey && signature_holds(pkey, &parts);
        EVP_PKEY_free(pkey);
        if (holds) {
            *ret_claims = parts.claims;
            return NULL;
        }
    }
    return refused();
}

static struct slice number_text(struct arena *arena, const struct jwt_key *key, const char *name)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(key->pkey, name, &number) != 1)
        return SLICE_NONE;
    size_t len = (size_t)BN_num_bytes(number);
    unsigned char *bytes = arena_alloc(arena, len ? len : 1);
    BN_bn2bin(number, bytes);
    BN_free(number);
    return base64url_encode(arena, slice_of((const char *)bytes, len));
}

struct err *jwt_key_jwk(struct arena *arena, const struct jwt_key *key, struct json **ret_jwk)
{
    struct slice n = number_text(arena, key, OSSL_PKEY_PARAM_RSA_N);
    struct slice e = number_text(arena, key, OSSL_PKEY_PARAM_RSA_E);
    if (!n.ptr || !e.ptr)
        return openssl_err(ERR_INTERNAL, "cannot read a public key");
    struct json *jwk = json_object(arena);
    json_set_cstr(arena, jwk, "use", "sig");
    json_set_cstr(arena, jwk, "kty", "RSA");
    json_set_text(arena, jwk, "kid", jwt_key_id(key));
    json_set_cstr(arena, jwk, "alg", "RS256");
    json_set_text(arena, jwk, "n", n);
    json_set_text(arena, jwk, "e", e);
    *ret_jwk = jwk;
    return NULL;
}
