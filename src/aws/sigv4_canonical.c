/* sigv4_canonical: the texts that are signed. S3 has its path encoded once and never normalised; everybody else has it
 * normalised and encoded again (%3A becomes %253A: ARNs in /tags/{arn} prove it). */
#include "aws/sigv4.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include <stdlib.h>
#include <string.h>

/* Dot segments and doubled slashes removed, as botocore does before it signs (it sends the path as it was). */
static struct slice normalise(struct arena *arena, struct slice path)
{
    size_t count = 1;
    for (size_t i = 0; i < path.len; i++)
        count += path.ptr[i] == '/';
    struct slice *kept = ARENA_ARRAY(arena, count, struct slice);
    size_t used = 0;
    for (struct slice rest = path; rest.ptr;) {
        struct slice part = slice_cut(&rest, '/');
        if (slice_eq(part, S("..")))
            used -= used > 0;
        else if (part.len && !slice_eq(part, S(".")))
            kept[used++] = part;
    }
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < used; i++) {
        strbuf_append_char(&out, '/');
        strbuf_append(&out, kept[i]);
    }
    if (!used || slice_ends_with(path, S("/")))
        strbuf_append_char(&out, '/');
    return strbuf_slice(&out);
}

struct slice sigv4_canonical_path(struct arena *arena, struct slice path, enum sigv4_path how)
{
    if (!path.len)
        path = S("/");
    switch (how) {
    case SIGV4_PATH_S3:
        return uri_encode(arena, uri_decode(arena, path, URI_PLUS_KEPT), URI_KEEP_SLASH);
    case SIGV4_PATH_AS_SENT:
        return path;
    case SIGV4_PATH_NORMALISED:
        return uri_encode(arena, normalise(arena, path), URI_KEEP_SLASH);
    case SIGV4_PATH_TWICE:
        return uri_encode(arena, path, URI_KEEP_SLASH);
    }
    return path;
}

static int compare_params(const void *a, const void *b)
{
    const struct aws_param *left = a, *right = b;
    int by_name = slice_cmp(left->name, right->name);
    return by_name ? by_name : slice_cmp(left->value, right->value);
}

struct slice sigv4_canonical_query(struct arena *arena, struct slice query)
{
    struct aws_params params;
    aws_params_parse(arena, query, AWS_PLUS_KEPT, &params);
    struct aws_param *sorted = ARENA_ARRAY(arena, params.count, struct aws_param);
    size_t count = 0;
    for (size_t i = 0; i < params.count; i++)
        if (!slice_eq(params.items[i].name, S("X-Amz-Signature")))
            sorted[count++] = (struct aws_param){.name = uri_encode(arena, params.items[i].name, URI_ENCODE_SLASH),
                                                 .value = uri_encode(arena, params.items[i].value, URI_ENCODE_SLASH)};
    qsort(sorted, count, sizeof(*sorted), compare_params);
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < count; i++) {
        if (i)
            strbuf_append_char(&out, '&');
        strbuf_append(&out, sorted[i].name);
        strbuf_append_char(&out, '=');
        strbuf_append(&out, sorted[i].value);
    }
    return strbuf_slice(&out);
}

static bool is_blank(char c, enum sigv4_tabs tabs)
{
    return c == ' ' || (c == '\t' && tabs == SIGV4_TABS_ARE_BLANKS);
}

/* Trimmed, inner runs of blanks as one. */
static void append_folded(struct strbuf *out, struct slice value, enum sigv4_tabs tabs)
{
    value = slice_trim(value);
    for (size_t i = 0; i < value.len; i++) {
        bool blank = is_blank(value.ptr[i], tabs);
        if (blank && is_blank(value.ptr[i - 1], tabs))
            continue;
        strbuf_append_char(out, blank ? ' ' : value.ptr[i]);
    }
}

static void append_header(struct arena *arena, struct strbuf *out, struct aws_headers headers, struct slice name, enum sigv4_tabs tabs)
{
    bool first = true;
    strbuf_append(out, slice_lower(arena, name));
    strbuf_append_char(out, ':');
    for (size_t i = 0; i < headers.count; i++) {
        if (!slice_eq_nocase(headers.items[i].name, name))
            continue;
        if (!first)
            strbuf_append_char(out, ',');
        first = false;
        append_folded(out, headers.items[i].value, tabs);
    }
    strbuf_append_char(out, '\n');
}

struct slice sigv4_canonical_request(struct arena *arena, const struct aws_request *request, enum sigv4_tabs tabs,
                                     struct slice canonical_path, struct slice signed_headers,
                                     struct slice payload_hash)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append(&out, request->method);
    strbuf_append_char(&out, '\n');
    strbuf_append(&out, canonical_path);
    strbuf_append_char(&out, '\n');
    strbuf_append(&out, sigv4_canonical_query(arena, request->query));
    strbuf_append_char(&out, '\n');
    for (struct slice rest = signed_headers; rest.ptr;)
        append_header(arena, &out, request->headers, slice_cut(&rest, ';'), tabs);
    strbuf_append_char(&out, '\n');
    strbuf_append(&out, signed_headers);
    strbuf_append_char(&out, '\n');
    strbuf_append(&out, payload_hash);
    return strbuf_slice(&out);
}

void sigv4_signing_key(struct slice secret, struct slice date, struct slice region, struct slice service,
                       uint8_t ret_key[32])
{
    struct strbuf first = STRBUF_HEAP;
    strbuf_append_cstr(&first, "AWS4");
    strbuf_append(&first, secret);
    uint8_t a[32], b[32];
    hmac_sha256(strbuf_slice(&first), date, a);
    hmac_sha256(slice_of((const char *)a, 32), region, b);
    hmac_sha256(slice_of((const char *)b, 32), service, a);
    hmac_sha256(slice_of((const char *)a, 32), S("aws4_request"), ret_key);
    secret_wipe(first.ptr, first.len);
    secret_wipe(a, sizeof(a));
    secret_wipe(b, sizeof(b));
    strbuf_deinit(&first);
}

void sigv4_text_signature(const uint8_t key[32], struct slice text, char ret_signature[64])
{
    uint8_t mac[32];
    hmac_sha256(slice_of((const char *)key, 32), text, mac);
    hex_encode_to(ret_signature, mac, sizeof(mac));
}

void sigv4_signature(struct arena *arena, const uint8_t key[32], struct slice amz_date, struct slice scope,
                     struct slice canonical_request, char ret_signature[64])
{
    sigv4_text_signature(key,
              slice_fmt(arena, "AWS4-HMAC-SHA256\n%.*s\n%.*s\n%.*s", SLICE_ARG(amz_date), SLICE_ARG(scope),
                        SLICE_ARG(sha256_hex(arena, canonical_request))),
              ret_signature);
}

void sigv4_chain_chunk(struct arena *arena, struct sigv4_chain *chain, const uint8_t data_sha256[32])
{
    char hash[64];
    hex_encode_to(hash, data_sha256, 32);
    sigv4_text_signature(chain->key,
              slice_fmt(arena, "AWS4-HMAC-SHA256-PAYLOAD\n%.*s\n%.*s\n%.64s\n%s\n%.64s", SLICE_ARG(chain->amz_date),
                        SLICE_ARG(chain->scope), chain->signature, SHA256_OF_NOTHING, hash),
              chain->signature);
}

void sigv4_chain_trailer(struct arena *arena, struct sigv4_chain *chain, struct slice canonical_trailer)
{
    sigv4_text_signature(chain->key,
              slice_fmt(arena, "AWS4-HMAC-SHA256-TRAILER\n%.*s\n%.*s\n%.64s\n%.*s", SLICE_ARG(chain->amz_date),
                        SLICE_ARG(chain->scope), chain->signature, SLICE_ARG(sha256_hex(arena, canonical_trailer))),
              chain->signature);
}
