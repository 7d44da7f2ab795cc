/* jwt_fuzz: line one a token, line two a key set, the rest a PEM text. No foreign token is ever verified; claims that we sign come back,
 * and a token of ours with one character changed does not. */
#include "base/jwt.h"
#include "base/x509.h"
#include "fuzz.h"

static void check_ours(struct arena *arena, const struct jwt_key *key, struct slice text)
{
    struct json *claims = json_object(arena), *back;
    struct slice token;
    json_set_text(arena, claims, "sub", text);
    if (!slice_is_utf8(text))
        return;
    ENSURE(!jwt_sign(arena, key, claims, &token));
    struct err *e = jwt_verify(arena, key, token, &back);
    ENSURE(e ? token.len > 16384 : json_equal(back, claims));
    err_free(e);
    char *changed = slice_cstr(arena, token);
    size_t at = text.len * 31 % token.len;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    e = jwt_verify(arena, key, slice_of(changed, token.len), &back);
    if (!e)
        ENSURE(json_equal(back, claims)); /* the last character's unused bits */
    err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwt_key *key;
    if (!key)
        ENSURE(!jwt_key_generate(&key));
    struct arena *arena = arena_new();
    struct slice rest = slice_of((const char *)data, size), token = input_line(&rest), jwks_text = input_line(&rest);
    struct json *claims, *jwks = NULL, *own_jwk, *own = json_object(arena);
    struct err *e = jwt_verify(arena, key, token, &claims);
    ENSURE(e && e->kind == ERR_DENIED);
    err_free(e);
    err_free(jwt_peek(arena, token, &claims));
    err_free(json_parse(arena, jwks_text, JSON_DUPLICATES_LAST_WINS, &jwks));
    err_free(jwt_verify_jwks(arena, jwks, token, &claims)); /* a foreign set may know its own key */
    ENSURE(!jwt_key_jwk(arena, key, &own_jwk));
    json_append(json_ensure_array(arena, own, "keys"), own_jwk);
    e = jwt_verify_jwks(arena, own, token, &claims);
    ENSURE(e);
    err_free(e);
    struct jwt_key *parsed = NULL;
    e = jwt_key_parse(rest, &parsed);
    ENSURE(!e == !!parsed);
    err_free(e);
    jwt_key_free(parsed);
    struct x509_pair pair = {rest, rest};
    (void)x509_usable(&pair, (struct instant){1795295400000});
    if (size % 64 == 1)
        check_ours(arena, key, token);
    arena_free(arena);
    return 0;
}
