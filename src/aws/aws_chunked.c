/* aws_chunked: see the header. */
#include "aws/aws_chunked.h"
#include "aws/codec.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/strbuf.h"
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES 16384
#define LINE_MAX_BYTES 1024
#define TRAILERS_MAX 16
#define CHUNK_MIN_BYTES 8192        /* of every chunk but the last */
#define CHUNK_MAX_BYTES (5LL << 30) /* no object part is larger */

enum state { STATE_HEAD, STATE_DATA, STATE_DATA_END, STATE_TRAILER, STATE_END };

struct aws_chunked {
    struct arena *arena;
    struct aws_reader reader;
    struct sigv4_chain *chain;
    bool expect_trailer;
    enum state state;
    char buffer[BUFFER_BYTES];
    size_t start, end;
    bool input_ended;
    int64_t chunk_left;
    int64_t chunk_number, last_size; /* of the chunk before */
    char expected[64];               /* this chunk's signature as sent */
    struct digest *digest;           /* of this chunk's data */
    struct aws_header trailers[TRAILERS_MAX];
    size_t trailer_count;
    struct slice trailer_signature;
    bool bare_newline; /* the last line ended with LF alone */
};

static struct err *incomplete(void)
{
    return aws_err(ERR_INVALID, 400, "IncompleteBody", "The request body terminated unexpectedly");
}

static struct err *malformed_chunk(void)
{
    return aws_err(ERR_INVALID, 400, "InvalidRequest", "The chunked encoding of the request body is malformed");
}

static struct err *malformed_trailer(void)
{
    return aws_err(
        ERR_INVALID, 400, "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.");
}

static struct err *wrong_signature(void)
{
    return aws_err(ERR_DENIED, 403, "SignatureDoesNotMatch",
                   "The request signature we calculated does not match the signature you provided. Check your key and "
                   "signing method.");
}

struct aws_chunked *aws_chunked_new(struct arena *arena, struct aws_reader reader, struct sigv4_chain *chain,
                                    bool expect_trailer)
{
    struct aws_chunked *chunked = ARENA_NEW(arena, struct aws_chunked);
    chunked->arena = arena;
    chunked->reader = reader;
    chunked->chain = chain;
    chunked->expect_trailer = expect_trailer;
    chunked->last_size = CHUNK_MIN_BYTES;
    return chunked;
}

void aws_chunked_free(struct aws_chunked *chunked)
{
    if (chunked)
        digest_freep(&chunked->digest);
}

/* Makes room and reads more behind what is there. False at the end of the input. */
static struct err *fill(struct aws_chunked *chunked, bool *ret_more)
{
    if (chunked->start) {
        memmove(chunked->buffer, chunked->buffer + chunked->start, chunked->end - chunked->start);
        chunked->end -= chunked->start;
        chunked->start = 0;
    }
    size_t got = 0;
    if (!chunked->input_ended && chunked->end < BUFFER_BYTES) {
        TRY(chunked->reader.read(chunked->reader.ctx, chunked->buffer + chunked->end, BUFFER_BYTES - chunked->end,
                                 &got));
        chunked->input_ended = got == 0;
    }
    chunked->end += got;
    *ret_more = got > 0;
    return NULL;
}

/* One line without its end (CRLF, or LF as a few clients send in trailers). *ret_ended: the input was over first. */
static struct err *read_line(struct aws_chunked *chunked, struct slice *ret_line, bool *ret_ended)
{
    size_t scanned = 0;
    *ret_ended = false;
    for (;;) {
        char *from = chunked->buffer + chunked->start;
        size_t have = chunked->end - chunked->start;
        char *newline = memchr(from + scanned, '\n', have - scanned);
        if (newline) {
            size_t len = (size_t)(newline - from);
            chunked->start += len + 1;
            chunked->bare_newline = !len || from[len - 1] != '\r';
            *ret_line = slice_of(from, chunked->bare_newline ? len : len - 1);
            return len > LINE_MAX_BYTES ? malformed_chunk() : NULL;
        }
        if (have > LINE_MAX_BYTES)
            return malformed_chunk();
        scanned = have;
        bool more;
        TRY(fill(chunked, &more));
        if (!more) {
            *ret_line = slice_of(chunked->buffer + chunked->start, chunked->end - chunked->start);
            chunked->start = chunked->end;
            *ret_ended = true;
            return NULL;
        }
    }
}

static bool parse_hex(struct slice text, int64_t *ret_value)
{
    int64_t value = 0;
    if (!text.len || text.len > 15)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return false;
        value = value * 16 + digit;
    }
    *ret_value = value;
    return value <= CHUNK_MAX_BYTES;
}

static struct err *read_head(struct aws_chunked *chunked)
{
    struct slice line, extension = SLICE_NONE, size_text;
    bool ended;
    TRY(read_line(chunked, &line, &ended));
    if (ended)
        return incomplete();
    if (!slice_split(line, ';', &size_text, &extension))
        size_text = line;
    if (!parse_hex(size_text, &chunked->chunk_left))
        return malformed_chunk();
    if (chunked->chain) {
        struct slice prefix = S("chunk-signature=");
        if (!slice_starts_with(extension, prefix) || extension.len != prefix.len + 64)
            return wrong_signature();
        memcpy(chunked->expected, extension.ptr + prefix.len, 64);
        digest_freep(&chunked->digest);
        chunked->digest = digest_new(DIGEST_SHA256);
    }
    chunked->chunk_number++;
    if (chunked->chunk_left > 0 && chunked->last_size < CHUNK_MIN_BYTES) {
        struct err *e = aws_err(ERR_INVALID, 403, "InvalidChunkSizeError",
                                "Only the last chunk is allowed to have a size less than 8192 bytes");
        e = aws_err_member(e, "Chunk", slice_fmt(chunked->arena, "%lld", (long long)chunked->chunk_number));
        return aws_err_member(e, "BadChunkSize", slice_fmt(chunked->arena, "%lld", (long long)chunked->last_size));
    }
    chunked->last_size = chunked->chunk_left;
    chunked->state = chunked->chunk_left > 0 ? STATE_DATA : STATE_TRAILER;
    return NULL;
}

static struct err *check_chunk(struct aws_chunked *chunked)
{
    if (!chunked->chain)
        return NULL;
    uint8_t hash[DIGEST_MAX_BYTES];
    _cleanup_(arena_freep) struct arena *arena = arena_new(); /* the request's own lives for as long as there are chunks */
    digest_final(chunked->digest, hash);
    sigv4_chain_chunk(arena, chunked->chain, hash);
    return secret_equal(slice_of(chunked->expected, 64), slice_of(chunked->chain->signature, 64)) ? NULL
                                                                                                  : wrong_signature();
}

static struct err *read_data(struct aws_chunked *chunked, void *buf, size_t cap, size_t *ret_len)
{
    if (chunked->start == chunked->end) {
        bool more;
        TRY(fill(chunked, &more));
        if (!more)
            return incomplete();
    }
    size_t len = chunked->end - chunked->start;
    len = len < cap ? len : cap;
    len = (int64_t)len < chunked->chunk_left ? len : (size_t)chunked->chunk_left;
    memcpy(buf, chunked->buffer + chunked->start, len);
    chunked->start += len;
    chunked->chunk_left -= (int64_t)len;
    if (chunked->chain)
        digest_update(chunked->digest, buf, len);
    if (!chunked->chunk_left)
        chunked->state = STATE_DATA_END;
    *ret_len = len;
    return NULL;
}

static struct err *read_data_end(struct aws_chunked *chunked)
{
    struct slice line;
    bool ended;
    TRY(check_chunk(chunked));
    TRY(read_line(chunked, &line, &ended));
    if (ended)
        return incomplete();
    if (line.len)
        return malformed_chunk();
    chunked->state = STATE_HEAD;
    return NULL;
}

static int compare_names(const void *a, const void *b)
{
    return slice_cmp(((const struct aws_header *)a)->name, ((const struct aws_header *)b)->name);
}

static struct err *check_trailer(struct aws_chunked *chunked)
{
    qsort(chunked->trailers, chunked->trailer_count, sizeof(chunked->trailers[0]), compare_names);
    if (!chunked->chain || !chunked->expect_trailer)
        return NULL;
    struct strbuf canonical = STRBUF_ARENA(chunked->arena);
    for (size_t i = 0; i < chunked->trailer_count; i++)
        strbuf_append_fmt(&canonical, "%.*s:%.*s\n", SLICE_ARG(chunked->trailers[i].name),
                          SLICE_ARG(chunked->trailers[i].value));
    if (!chunked->trailer_signature.ptr)
        return malformed_trailer();
    sigv4_chain_trailer(chunked->arena, chunked->chain, strbuf_slice(&canonical));
    return secret_equal(chunked->trailer_signature, slice_of(chunked->chain->signature, 64)) ? NULL : wrong_signature();
}

/* Lines until an empty one, or the end of the input where the client left that out. Some clients (minio's) follow S3's text to the
 * letter, where a trailer is "name:value\n" and then "\r\n": the blank line right behind a bare LF is not the end. */
static struct err *read_trailer(struct aws_chunked *chunked)
{
    TRY(check_chunk(chunked));
    bool after_bare = false;
    for (;;) {
        struct slice line, name, value;
        bool ended;
        TRY(read_line(chunked, &line, &ended));
        if (!line.len && !ended && after_bare && !chunked->bare_newline) {
            after_bare = false;
            continue;
        }
        if (!line.len)
            break;
        after_bare = chunked->bare_newline;
        if (!slice_split(line, ':', &name, &value) || !chunked->expect_trailer)
            return malformed_trailer();
        name = slice_lower(chunked->arena, slice_trim(name));
        value = slice_dup(chunked->arena, slice_trim(value));
        if (slice_eq(name, S("x-amz-trailer-signature"))) {
            if (chunked->trailer_signature.ptr)
                return malformed_trailer();
            chunked->trailer_signature = value;
        } else if (chunked->trailer_count == TRAILERS_MAX) {
            return malformed_trailer();
        } else {
            chunked->trailers[chunked->trailer_count++] = (struct aws_header){.name = name, .value = value};
        }
        if (ended)
            break;
    }
    TRY(check_trailer(chunked));
    bool more = chunked->start != chunked->end;
    if (!more)
        TRY(fill(chunked, &more));
    if (more)
        return malformed_trailer(); /* something stands behind the end */
    chunked->state = STATE_END;
    return NULL;
}

struct err *aws_chunked_read(struct aws_chunked *chunked, void *buf, size_t cap, size_t *ret_len)
{
    for (;;) {
        switch (chunked->state) {
        case STATE_HEAD:
            TRY(read_head(chunked));
            break;
        case STATE_DATA:
            return read_data(chunked, buf, cap, ret_len);
        case STATE_DATA_END:
            TRY(read_data_end(chunked));
            break;
        case STATE_TRAILER:
            TRY(read_trailer(chunked));
            break;
        case STATE_END:
            *ret_len = 0;
            return NULL;
        }
    }
}

struct aws_headers aws_chunked_trailers(const struct aws_chunked *chunked)
{
    return (struct aws_headers){.items = chunked->trailers, .count = chunked->trailer_count};
}
