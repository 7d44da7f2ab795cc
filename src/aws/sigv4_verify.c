/* sigv4_verify: scope, clock, what must be signed, and the signature itself. */
#include "aws/sigv4.h"
#include "aws/sigv4_keys.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/strbuf.h"
#include <string.h>

#define SKEW_MS (15 * 60 * 1000)

static struct sigv4_result failed(enum sigv4_check check, struct slice text)
{
    return (struct sigv4_result){.check = check, .text = text};
}

static bool is_signed(const struct sigv4_auth *auth, struct slice name)
{
    for (struct slice rest = auth->signed_headers; rest.ptr;)
        if (slice_eq_nocase(slice_cut(&rest, ';'), name))
            return true;
    return false;
}

static bool is_s3(const struct sigv4_auth *auth)
{
    return slice_eq(auth->service, S("s3"));
}

/* Every x-amz-* header that came unsigned is refused: it could have been added on the way. Not so Content-Type: AWS's
 * SDK for JavaScript 2 never signs it, and what is done with the body is signed (X-Amz-Target, Action in the body). */
static struct slice unsigned_headers(struct arena *arena, const struct sigv4_auth *auth,
                                     const struct aws_request *request)
{
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < request->headers.count; i++) {
        struct slice name = request->headers.items[i].name;
        if (!slice_starts_with_nocase(name, S("x-amz-")) || is_signed(auth, name))
            continue;
        /* A presigned URL says UNSIGNED-PAYLOAD by itself; some clients repeat it. */
        if (auth->presigned && slice_eq_nocase(name, S("x-amz-content-sha256")))
            continue;
        if (out.len)
            strbuf_append_cstr(&out, ", ");
        strbuf_append(&out, slice_lower(arena, name));
    }
    return strbuf_slice(&out);
}

static struct sigv4_result check_clock(struct arena *arena, const struct sigv4_auth *auth, struct instant now)
{
    /* STS has tokens of a quarter of an hour whatever X-Amz-Expires says. */
    bool by_expiry = auth->presigned && is_s3(auth);
    if (auth->time.ms > now.ms + SKEW_MS)
        return failed(SIGV4_TOO_NEW,
                      slice_fmt(arena, "Signature not yet current: %.*s is still later than %.*s (%.*s + 15 min.)",
                                SLICE_ARG(auth->amz_date),
                                SLICE_ARG(instant_basic(arena, (struct instant){now.ms + SKEW_MS})),
                                SLICE_ARG(instant_basic(arena, now))));
    if (by_expiry) {
        if (auth->expires_s < 0)
            return failed(SIGV4_PRESIGN_MALFORMED,
                          S("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."));
        return failed(now.ms > auth->time.ms + auth->expires_s * 1000 ? SIGV4_PRESIGN_EXPIRED : SIGV4_OK, SLICE_NONE);
    }
    if (auth->time.ms < now.ms - SKEW_MS)
        return failed(SIGV4_TOO_OLD,
                      slice_fmt(arena, "Signature expired: %.*s is now earlier than %.*s (%.*s - 15 min.)",
                                SLICE_ARG(auth->amz_date),
                                SLICE_ARG(instant_basic(arena, (struct instant){now.ms - SKEW_MS})),
                                SLICE_ARG(instant_basic(arena, now))));
    return failed(SIGV4_OK, SLICE_NONE);
}

struct sigv4_result sigv4_check_scope(struct arena *arena, const struct sigv4_auth *auth,
                                      const struct aws_request *request, struct slice service, struct slice region,
                                      struct instant now)
{
    if (!slice_ends_with(auth->scope, S("/aws4_request")))
        return failed(SIGV4_SCOPE_TERMINATOR, slice_from(auth->scope, (size_t)slice_rindex(auth->scope, '/') + 1));
    if (!slice_eq(auth->service, service))
        return failed(SIGV4_SCOPE_SERVICE, service);
    if (region.ptr && !slice_eq(auth->region, region))
        return failed(SIGV4_SCOPE_REGION, auth->region);
    if (!slice_eq(auth->date, slice_sub(auth->amz_date, 0, 8)))
        return failed(SIGV4_SCOPE_DATE, slice_fmt(arena,
                                                  "Date in Credential scope does not match YYYYMMDD from ISO-8601 "
                                                  "version of date from HTTP: '%.*s' != '%.*s', from '%.*s'.",
                                                  SLICE_ARG(auth->date), SLICE_ARG(slice_sub(auth->amz_date, 0, 8)),
                                                  SLICE_ARG(auth->amz_date)));
    struct sigv4_result clock = check_clock(arena, auth, now);
    if (clock.check != SIGV4_OK)
        return clock;
    if (!is_signed(auth, S("host")))
        return failed(SIGV4_HOST_NOT_SIGNED, SLICE_NONE);
    struct slice names = unsigned_headers(arena, auth, request);
    if (names.len)
        return failed(SIGV4_HEADERS_NOT_SIGNED, names);
    if (is_s3(auth)) {
        if (!auth->presigned && !aws_header_get(request->headers, S("x-amz-content-sha256")).ptr)
            return failed(SIGV4_NO_CONTENT_SHA256, SLICE_NONE);
    }
    return failed(SIGV4_OK, SLICE_NONE);
}

static bool is_hex64(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!((text.ptr[i] >= '0' && text.ptr[i] <= '9') || (text.ptr[i] >= 'a' && text.ptr[i] <= 'f') ||
              (text.ptr[i] >= 'A' && text.ptr[i] <= 'F')))
            return false;
    return text.len == 64;
}

/* S3's header value to the way the body is covered. */
static bool parse_payload(struct slice text, enum sigv4_payload *ret_payload)
{
    static const struct {
        struct slice text;
        enum sigv4_payload payload;
    } rows[] = {
        {S_INIT("UNSIGNED-PAYLOAD"), SIGV4_PAYLOAD_UNSIGNED},
        {S_INIT("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), SIGV4_PAYLOAD_UNSIGNED_TRAILER},
        {S_INIT("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), SIGV4_PAYLOAD_CHUNKS},
        {S_INIT("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"), SIGV4_PAYLOAD_CHUNKS_TRAILER},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (slice_eq(rows[i].text, text)) {
            *ret_payload = rows[i].payload;
            return true;
        }
    *ret_payload = SIGV4_PAYLOAD_HASHED;
    return is_hex64(text);
}

static struct sigv4_result cover_payload(struct arena *arena, const struct sigv4_auth *auth,
                                         const struct aws_request *request, struct sigv4_chain *chain)
{
    chain->payload = SIGV4_PAYLOAD_HASHED;
    if (!is_s3(auth)) {
        chain->payload_hash = sha256_hex(arena, request->body);
        return failed(SIGV4_OK, SLICE_NONE);
    }
    chain->payload_hash = aws_header_get(request->headers, S("x-amz-content-sha256"));
    if (auth->presigned && !chain->payload_hash.ptr) {
        struct aws_params params;
        aws_params_parse(arena, request->query, AWS_PLUS_KEPT, &params);
        chain->payload_hash = aws_params_get(params, S("X-Amz-Content-Sha256"));
    }
    if (!chain->payload_hash.ptr)
        chain->payload_hash = S("UNSIGNED-PAYLOAD");
    if (!parse_payload(chain->payload_hash, &chain->payload))
        return failed(SIGV4_CONTENT_SHA256_INVALID, chain->payload_hash);
    return failed(SIGV4_OK, SLICE_NONE);
}

static bool matches(struct arena *arena, const struct sigv4_auth *auth, const struct aws_request *request,
                    enum sigv4_tabs tabs, enum sigv4_path how, struct slice *last_path, struct sigv4_chain *chain)
{
    struct slice path = sigv4_canonical_path(arena, request->path, how);
    if (last_path->ptr && slice_eq(path, *last_path))
        return false;
    *last_path = path;
    struct slice canonical = sigv4_canonical_request(arena, request, tabs, path, auth->signed_headers, chain->payload_hash);
    sigv4_signature(arena, chain->key, auth->amz_date, auth->scope, canonical, chain->signature);
    return secret_equal(slice_of(chain->signature, 64), auth->signature);
}

/* The second form is what clients sign that do not do the first: Go does not normalise. */
static bool matches_some_path(struct arena *arena, const struct sigv4_auth *auth, const struct aws_request *request,
                              enum sigv4_tabs tabs, struct sigv4_chain *chain)
{
    struct slice last = SLICE_NONE;
    return is_s3(auth) ? matches(arena, auth, request, tabs, SIGV4_PATH_S3, &last, chain) ||
                             matches(arena, auth, request, tabs, SIGV4_PATH_AS_SENT, &last, chain)
                       : matches(arena, auth, request, tabs, SIGV4_PATH_NORMALISED, &last, chain) ||
                             matches(arena, auth, request, tabs, SIGV4_PATH_TWICE, &last, chain);
}

static bool has_signed_tab(const struct sigv4_auth *auth, const struct aws_request *request)
{
    for (size_t i = 0; i < request->headers.count; i++)
        if (slice_find(request->headers.items[i].value, S("\t")) >= 0 && is_signed(auth, request->headers.items[i].name))
            return true;
    return false;
}

struct sigv4_result sigv4_check_signature(struct arena *arena, const struct sigv4_auth *auth,
                                          const struct aws_request *request, struct slice secret,
                                          struct sigv4_chain *ret_chain)
{
    return sigv4_check_signature_with(arena, NULL, auth, request, secret, ret_chain);
}

struct sigv4_result sigv4_check_signature_with(struct arena *arena, struct sigv4_keys *keys,
                                               const struct sigv4_auth *auth, const struct aws_request *request,
                                               struct slice secret, struct sigv4_chain *ret_chain)
{
    struct sigv4_chain chain = {.amz_date = auth->amz_date, .scope = auth->scope};
    struct sigv4_result covered = cover_payload(arena, auth, request, &chain);
    if (covered.check != SIGV4_OK)
        return covered;
    struct sigv4_key_name name = {auth->access_key_id, auth->date, auth->region, auth->service};
    bool known = sigv4_keys_find(keys, &name, secret, chain.key);
    if (!known)
        sigv4_signing_key(secret, auth->date, auth->region, auth->service, chain.key);
    bool same = matches_some_path(arena, auth, request, SIGV4_TABS_ARE_BLANKS, &chain) ||
                (has_signed_tab(auth, request) && matches_some_path(arena, auth, request, SIGV4_TABS_KEPT, &chain));
    if (same) {
        *ret_chain = chain;
        if (!known) /* only now: nobody without the secret can fill the cache */
            sigv4_keys_keep(keys, &name, secret, chain.key);
    }
    secret_wipe(chain.key, sizeof(chain.key));
    return failed(same ? SIGV4_OK : SIGV4_MISMATCH, SLICE_NONE);
}
