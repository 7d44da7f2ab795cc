/* sigv4_sign: our own requests to AWS or something like it (log shipping, ember-run). */
#include "aws/sigv4.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/strbuf.h"
#include <stdlib.h>

static int compare_names(const void *a, const void *b)
{
    return slice_cmp(((const struct aws_header *)a)->name, ((const struct aws_header *)b)->name);
}

struct aws_headers aws_sign_request(struct arena *arena, const struct sigv4_request *request,
                                    const struct sigv4_credentials *credentials, struct instant now)
{
    bool s3 = slice_eq(request->service, S("s3"));
    struct slice amz_date = instant_basic(arena, now), date = slice_sub(amz_date, 0, 8);
    struct slice hash = request->unsigned_payload && s3 ? S("UNSIGNED-PAYLOAD") : sha256_hex(arena, request->body);

    struct aws_header *ours = ARENA_ARRAY(arena, 4, struct aws_header);
    size_t count = 0;
    ours[count++] = (struct aws_header){.name = S("X-Amz-Date"), .value = amz_date};
    if (credentials->session_token.len)
        ours[count++] = (struct aws_header){.name = S("X-Amz-Security-Token"), .value = credentials->session_token};
    if (s3)
        ours[count++] = (struct aws_header){.name = S("x-amz-content-sha256"), .value = hash};

    struct aws_header *all = ARENA_ARRAY(arena, request->header_count + count + 1, struct aws_header);
    size_t total = 0;
    all[total++] = (struct aws_header){.name = S("host"), .value = request->host};
    for (size_t i = 0; i < request->header_count; i++)
        all[total++] = (struct aws_header){.name = slice_lower(arena, request->headers[i].name),
                                           .value = request->headers[i].value};
    for (size_t i = 0; i < count; i++)
        all[total++] = (struct aws_header){.name = slice_lower(arena, ours[i].name), .value = ours[i].value};
    qsort(all, total, sizeof(*all), compare_names);
    struct strbuf names = STRBUF_ARENA(arena);
    for (size_t i = 0; i < total; i++) {
        if (i && slice_eq(all[i].name, all[i - 1].name))
            continue;
        if (i)
            strbuf_append_char(&names, ';');
        strbuf_append(&names, all[i].name);
    }

    struct aws_request as_sent = {
        .method = request->method, .path = request->path, .query = request->query, .headers = {all, total}};
    struct slice path = sigv4_canonical_path(arena, request->path, s3 ? SIGV4_PATH_S3 : SIGV4_PATH_NORMALISED);
    struct slice scope = slice_fmt(arena, "%.*s/%.*s/%.*s/aws4_request", SLICE_ARG(date), SLICE_ARG(request->region),
                                   SLICE_ARG(request->service));
    struct slice canonical = sigv4_canonical_request(arena, &as_sent, SIGV4_TABS_ARE_BLANKS, path, strbuf_slice(&names), hash);
    uint8_t key[32];
    char signature[64];
    sigv4_signing_key(credentials->secret, date, request->region, request->service, key);
    sigv4_signature(arena, key, amz_date, scope, canonical, signature);
    secret_wipe(key, sizeof(key));
    ours[count++] = (struct aws_header){
        .name = S("Authorization"),
        .value = slice_fmt(arena, "AWS4-HMAC-SHA256 Credential=%.*s/%.*s, SignedHeaders=%.*s, Signature=%.64s",
                           SLICE_ARG(credentials->access_key_id), SLICE_ARG(scope), SLICE_ARG(strbuf_slice(&names)),
                           signature),
    };
    return (struct aws_headers){.items = ours, .count = count};
}
