/* body: see the header. Framing is decided by x-amz-content-sha256: STREAMING-…, not by Content-Encoding, which some
 * clients leave out. */
#include "aws/body.h"
#include "aws/codec.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include <string.h>

struct aws_body {
    struct arena *arena;
    struct aws_reader reader;
    struct sigv4_chain chain;
    bool has_chain;
    struct aws_chunked *chunked; /* NULL: no framing */
    int64_t expected_bytes, bytes;
    bool check_hash, check_md5, check_checksum, ended;
    struct digest *sha256, *md5;
    struct slice payload_hash, content_md5; /* content_md5: raw bytes */
    struct aws_checksum checksum;
    bool clients_checksum;
    struct slice expected_checksum; /* base64; absent: in the trailer */
    struct slice trailer_name;      /* of the checksum to come, lower case */
    uint8_t md5_bytes[DIGEST_MAX_BYTES], checksum_bytes[AWS_CHECKSUM_MAX_BYTES];
};

static struct err *invalid_request(const char *text)
{
    return aws_err(ERR_INVALID, 400, "InvalidRequest", "%s", text);
}

static bool is_checksum_value_header(struct slice name)
{
    return slice_starts_with_nocase(name, S("x-amz-checksum-")) &&
           !slice_eq_nocase(name, S("x-amz-checksum-algorithm")) && !slice_eq_nocase(name, S("x-amz-checksum-type")) &&
           !slice_eq_nocase(name, S("x-amz-checksum-mode"));
}

static struct err *valid_checksum(struct arena *arena, enum aws_checksum_kind kind, struct slice header,
                                  struct slice value)
{
    struct slice raw;
    if (base64_decode(arena, value, &raw) && raw.len == aws_checksum_size(kind))
        return NULL;
    return aws_err(ERR_INVALID, 400, "InvalidRequest", "Value for %.*s header is invalid.",
                   SLICE_ARG(slice_lower(arena, header)));
}

/* Which checksum comes, and where. */
static struct err *find_checksum(struct aws_body *body, const struct aws_body_options *options)
{
    enum aws_checksum_kind kind = AWS_CHECKSUM_CRC64NVME;
    size_t found = 0;
    for (size_t i = 0; i < options->headers.count; i++) {
        const struct aws_header *header = &options->headers.items[i];
        if (!is_checksum_value_header(header->name))
            continue;
        if (!aws_checksum_by_header(header->name, &kind))
            return invalid_request("The algorithm type you specified in x-amz-checksum- header is invalid.");
        TRY(valid_checksum(body->arena, kind, header->name, header->value));
        body->expected_checksum = header->value;
        found++;
    }
    struct slice trailer = aws_header_get(options->headers, S("x-amz-trailer"));
    for (struct slice rest = trailer; rest.ptr;) {
        struct slice name = slice_trim(slice_cut(&rest, ','));
        if (!name.len)
            continue;
        if (!is_checksum_value_header(name) || !aws_checksum_by_header(name, &kind))
            return invalid_request("The value specified in the x-amz-trailer header is not supported");
        body->trailer_name = slice_lower(body->arena, name);
        found++;
    }
    if (found > 1)
        return invalid_request("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
    struct slice algorithm = aws_header_get(options->headers, S("x-amz-sdk-checksum-algorithm"));
    enum aws_checksum_kind named;
    if (algorithm.len && !aws_checksum_by_name(algorithm, &named))
        return invalid_request(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
    if (algorithm.len && !found)
        return invalid_request("x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
                               "x-amz-trailer headers were found.");
    if (algorithm.len && named != kind)
        return invalid_request("Value for x-amz-sdk-checksum-algorithm header is invalid.");
    body->clients_checksum = found > 0;
    body->check_checksum = found > 0;
    aws_checksum_init(&body->checksum, kind);
    return NULL;
}

static struct err *find_md5(struct aws_body *body, const struct aws_body_options *options)
{
    struct slice text = aws_header_get(options->headers, S("Content-MD5"));
    if (!text.ptr)
        return NULL;
    if (!base64_decode(body->arena, text, &body->content_md5) || body->content_md5.len != 16)
        return aws_err_member(aws_err(ERR_INVALID, 400, "InvalidDigest", "The Content-MD5 you specified was invalid."),
                              "Content-MD5", text);
    body->check_md5 = true;
    return NULL;
}

/* Without a verified signature the header still says how the body is framed. */
static struct err *payload_of(const struct aws_body_options *options, enum sigv4_payload *ret_payload,
                              struct slice *ret_hash)
{
    if (options->chain) {
        *ret_payload = options->chain->payload;
        *ret_hash = options->chain->payload_hash;
        return NULL;
    }
    struct slice text = aws_header_get(options->headers, S("x-amz-content-sha256"));
    *ret_hash = text;
    *ret_payload = SIGV4_PAYLOAD_UNSIGNED;
    if (slice_eq(text, S("STREAMING-UNSIGNED-PAYLOAD-TRAILER")))
        *ret_payload = SIGV4_PAYLOAD_UNSIGNED_TRAILER;
    else if (slice_starts_with(text, S("STREAMING-")))
        return invalid_request("A signed streaming payload needs a signed request.");
    else if (text.len == 64)
        *ret_payload = SIGV4_PAYLOAD_HASHED;
    return NULL;
}

static struct err *set_framing(struct aws_body *body, const struct aws_body_options *options)
{
    enum sigv4_payload payload;
    TRY(payload_of(options, &payload, &body->payload_hash));
    body->expected_bytes = options->content_length;
    bool trailer = false, signed_chunks = false;
    switch (payload) {
    case SIGV4_PAYLOAD_HASHED:
        body->check_hash = true;
        body->sha256 = digest_new(DIGEST_SHA256);
        return NULL;
    case SIGV4_PAYLOAD_UNSIGNED:
        return NULL;
    case SIGV4_PAYLOAD_UNSIGNED_TRAILER:
        trailer = true;
        break;
    case SIGV4_PAYLOAD_CHUNKS:
        signed_chunks = true;
        break;
    case SIGV4_PAYLOAD_CHUNKS_TRAILER:
        trailer = signed_chunks = true;
        break;
    }
    struct slice decoded = aws_header_get(options->headers, S("x-amz-decoded-content-length"));
    if (!decoded.ptr)
        return aws_err(ERR_INVALID, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
    if (!slice_to_i64(decoded, 0, INT64_MAX, &body->expected_bytes))
        return aws_err(ERR_INVALID, 400, "InvalidArgument", "x-amz-decoded-content-length must be a number");
    if (trailer && !body->trailer_name.ptr && !signed_chunks)
        return aws_err(
            ERR_INVALID, 400, "MalformedTrailerError",
            "The request contained trailing data that was not well-formed or did not conform to our published schema.");
    if (!trailer && body->trailer_name.ptr)
        return invalid_request("x-amz-trailer needs an x-amz-content-sha256 that announces a trailer");
    body->chunked = aws_chunked_new(body->arena, options->reader, signed_chunks ? &body->chain : NULL, trailer);
    return NULL;
}

static struct err *open_body(struct aws_body *body, const struct aws_body_options *options)
{
    const struct aws_operation *operation = options->operation;
    /* CompleteMultipartUpload has the object's checksum in these headers, not the body's. */
    if (operation->body_checksum)
        TRY(find_checksum(body, options));
    else
        aws_checksum_init(&body->checksum, AWS_CHECKSUM_CRC64NVME);
    TRY(find_md5(body, options));
    if (operation->checksum_required && !body->check_checksum && !body->check_md5)
        return invalid_request("Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
    TRY(set_framing(body, options));
    bool streamed = operation->request && operation->request->payload && operation->request->payload->streaming;
    if (streamed && body->expected_bytes < 0)
        return aws_err(ERR_INVALID, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
    if (body->trailer_name.ptr && !body->chunked)
        return invalid_request("x-amz-trailer needs an x-amz-content-sha256 that announces a trailer");
    return NULL;
}

struct err *aws_body_open(struct arena *arena, const struct aws_body_options *options, struct aws_body **ret_body)
{
    struct aws_body *body = ARENA_NEW(arena, struct aws_body);
    body->arena = arena;
    body->reader = options->reader;
    if (options->chain)
        body->chain = *options->chain;
    body->md5 = digest_new(DIGEST_MD5);
    struct err *e = open_body(body, options);
    if (e) {
        aws_body_close(body);
        return e;
    }
    *ret_body = body;
    return NULL;
}

void aws_body_close(struct aws_body *body)
{
    if (!body)
        return;
    aws_chunked_free(body->chunked);
    digest_freep(&body->sha256);
    digest_freep(&body->md5);
    aws_checksum_deinit(&body->checksum);
    secret_wipe(body->chain.key, sizeof(body->chain.key));
}

int64_t aws_body_length(const struct aws_body *body)
{
    return body->expected_bytes;
}

/* What the connection says, in S3's words; errors with a code are already so. */
static struct err *reword(struct err *e)
{
    if (!e || e->code || (e->kind != ERR_INVALID && e->kind != ERR_UNAVAILABLE))
        return e;
    struct err *told =
        e->kind == ERR_INVALID
            ? aws_err(ERR_INVALID, 400, "IncompleteBody",
                      "You did not provide the number of bytes specified by the Content-Length HTTP header")
            : aws_err(ERR_UNAVAILABLE, 400, "RequestTimeout",
                      "Your socket connection to the server was not read from or written to within the timeout period. "
                      "Idle "
                      "connections will be closed.");
    err_free(e);
    return told;
}

static struct err *check_trailer_names(const struct aws_body *body, struct slice *ret_value)
{
    struct aws_headers trailers = aws_chunked_trailers(body->chunked);
    struct slice value = SLICE_NONE;
    bool strange = false;
    for (size_t i = 0; i < trailers.count; i++) {
        if (body->trailer_name.ptr && slice_eq(trailers.items[i].name, body->trailer_name) && !value.ptr)
            value = trailers.items[i].value;
        else
            strange = true;
    }
    if (strange || (body->trailer_name.ptr && !value.ptr))
        return aws_err(
            ERR_INVALID, 400, "MalformedTrailerError",
            "The request contained trailing data that was not well-formed or did not conform to our published schema.");
    *ret_value = value;
    return NULL;
}

static struct err *check_hash(struct aws_body *body)
{
    uint8_t hash[DIGEST_MAX_BYTES];
    digest_final(body->sha256, hash);
    struct slice hex = hex_encode(body->arena, slice_of((const char *)hash, SHA256_BYTES));
    if (slice_eq_nocase(hex, body->payload_hash))
        return NULL;
    struct err *e = aws_err(ERR_INVALID, 400, "XAmzContentSHA256Mismatch",
                            "The provided 'x-amz-content-sha256' header does not match what was computed.");
    e = aws_err_member(e, "ClientComputedContentSHA256", body->payload_hash);
    return aws_err_member(e, "S3ComputedContentSHA256", hex);
}

static struct err *check_end(struct aws_body *body)
{
    struct arena *arena = body->arena;
    struct slice trailer = SLICE_NONE;
    if (body->chunked)
        TRY(check_trailer_names(body, &trailer));
    if (body->expected_bytes >= 0 && body->bytes != body->expected_bytes)
        return aws_err(ERR_INVALID, 400, "IncompleteBody",
                       "You did not provide the number of bytes specified by the Content-Length HTTP header");
    digest_final(body->md5, body->md5_bytes);
    aws_checksum_final(&body->checksum, body->checksum_bytes);
    if (body->check_hash)
        TRY(check_hash(body));
    if (body->check_md5 && memcmp(body->md5_bytes, body->content_md5.ptr, 16) != 0) {
        struct err *e =
            aws_err(ERR_INVALID, 400, "BadDigest", "The Content-MD5 you specified did not match what we received.");
        e = aws_err_member(e, "ExpectedDigest", base64_encode(arena, body->content_md5));
        return aws_err_member(e, "CalculatedDigest", base64_encode(arena, slice_of((const char *)body->md5_bytes, 16)));
    }
    if (!body->check_checksum)
        return NULL;
    struct slice expected = body->expected_checksum;
    if (trailer.ptr) {
        expected = trailer;
        TRY(valid_checksum(arena, body->checksum.kind, body->trailer_name, expected));
    }
    if (!slice_eq(expected, aws_body_checksum(arena, body)))
        return aws_err(ERR_INVALID, 400, "BadDigest", "The %.*s you specified did not match the calculated checksum.",
                       SLICE_ARG(aws_checksum_name(body->checksum.kind)));
    return NULL;
}

struct err *aws_body_read(struct aws_body *body, void *buf, size_t cap, size_t *ret_len)
{
    size_t len = 0;
    if (body->ended) {
        *ret_len = 0;
        return NULL;
    }
    TRY(reword(body->chunked ? aws_chunked_read(body->chunked, buf, cap, &len)
                             : body->reader.read(body->reader.ctx, buf, cap, &len)));
    if (!len) {
        TRY(check_end(body));
        body->ended = true;
    } else {
        body->bytes += (int64_t)len;
        if (body->expected_bytes >= 0 && body->bytes > body->expected_bytes)
            return aws_err(ERR_INVALID, 400, "IncompleteBody", "The request body has more bytes than it announced");
        digest_update(body->md5, buf, len);
        aws_checksum_update(&body->checksum, buf, len);
        if (body->sha256)
            digest_update(body->sha256, buf, len);
    }
    *ret_len = len;
    return NULL;
}

struct err *aws_body_read_all(struct arena *arena, struct aws_body *body, size_t max_bytes, struct slice *ret_data)
{
    struct strbuf data = STRBUF_ARENA(arena);
    char *buf = arena_alloc(arena, 16384);
    size_t len;
    do {
        TRY(aws_body_read(body, buf, 16384, &len));
        if (data.len + len > max_bytes)
            return aws_err(ERR_LIMIT, 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
        strbuf_append_bytes(&data, buf, len);
    } while (len);
    *ret_data = strbuf_slice(&data);
    return NULL;
}

struct slice aws_body_md5_hex(struct arena *arena, const struct aws_body *body)
{
    return hex_encode(arena, slice_of((const char *)body->md5_bytes, 16));
}

const uint8_t *aws_body_md5(const struct aws_body *body)
{
    return body->md5_bytes;
}

int64_t aws_body_bytes(const struct aws_body *body)
{
    return body->bytes;
}

enum aws_checksum_kind aws_body_checksum_kind(const struct aws_body *body)
{
    return body->checksum.kind;
}

bool aws_body_checksum_is_clients(const struct aws_body *body)
{
    return body->clients_checksum;
}

struct slice aws_body_checksum(struct arena *arena, const struct aws_body *body)
{
    return base64_encode(arena, slice_of((const char *)body->checksum_bytes, aws_checksum_size(body->checksum.kind)));
}

const uint8_t *aws_body_checksum_bytes(const struct aws_body *body)
{
    return body->checksum_bytes;
}
