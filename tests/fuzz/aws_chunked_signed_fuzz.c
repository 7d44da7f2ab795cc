/* aws_chunked_signed_fuzz: data cut into signed chunks, with or without a signed trailer, as an SDK sends it: it comes back whole in
 * reads of any size; with one bit of the wire changed, nothing but the same data and trailer may come to a clean end. Bytes: how it is cut,
 * flags, where and which bit to change; the rest is the data, repeated to make several chunks of it. */
#include "aws/aws_chunked.h"
#include "base/digest.h"
#include "base/strbuf.h"
#include "fuzz.h"
#include <string.h>

static struct sigv4_chain new_chain(void)
{
    struct sigv4_chain chain = {.amz_date = S("20130524T000000Z"), .scope = S("20130524/us-east-1/s3/aws4_request")};
    sigv4_signing_key(S("secret"), S("20130524"), S("us-east-1"), S("s3"), chain.key);
    memset(chain.signature, '0', sizeof(chain.signature));
    return chain;
}

static struct slice encode(struct arena *arena, struct slice data, uint32_t seed, bool is_signed, bool trailer)
{
    struct sigv4_chain chain = new_chain();
    struct strbuf wire = STRBUF_ARENA(arena);
    for (;;) {
        /* Every chunk but the last has 8 KiB or more. */
        struct slice chunk = slice_sub(data, 0, 8191 + piece_size(&seed, 211));
        uint8_t sum[DIGEST_MAX_BYTES];
        digest_once(DIGEST_SHA256, chunk, sum);
        sigv4_chain_chunk(arena, &chain, sum);
        strbuf_append_fmt(&wire, "%zx", chunk.len);
        if (is_signed)
            strbuf_append_fmt(&wire, ";chunk-signature=%.64s", chain.signature);
        strbuf_append_cstr(&wire, "\r\n");
        if (!chunk.len)
            break;
        strbuf_append(&wire, chunk);
        strbuf_append_cstr(&wire, "\r\n");
        data = slice_from(data, chunk.len);
    }
    if (trailer) {
        strbuf_append_cstr(&wire, "x-amz-checksum-crc32:AAAAAA==\r\n");
        sigv4_chain_trailer(arena, &chain, S("x-amz-checksum-crc32:AAAAAA==\n"));
        if (is_signed)
            strbuf_append_fmt(&wire, "x-amz-trailer-signature:%.64s\r\n", chain.signature);
    }
    strbuf_append_cstr(&wire, "\r\n");
    return strbuf_slice(&wire);
}

struct memory {
    struct slice rest;
    uint32_t seed;
};

static struct err *memory_read(void *ctx, void *buf, size_t cap, size_t *ret_len)
{
    struct memory *memory = ctx;
    size_t len = piece_size(&memory->seed, 300);
    len = len < cap ? len : cap;
    len = len < memory->rest.len ? len : memory->rest.len;
    if (len)
        memcpy(buf, memory->rest.ptr, len);
    memory->rest = slice_from(memory->rest, len);
    *ret_len = len;
    return NULL;
}

/* False when it was refused. */
static bool decode(struct arena *arena, struct slice wire, uint32_t seed, bool is_signed, bool trailer, struct slice *ret_data, struct slice *ret_sum)
{
    struct memory memory = {.rest = wire, .seed = seed};
    struct sigv4_chain chain = new_chain();
    struct aws_chunked *chunked = aws_chunked_new(arena, (struct aws_reader){memory_read, &memory}, is_signed ? &chain : NULL, trailer);
    struct strbuf out = STRBUF_ARENA(arena);
    char buf[257];
    size_t len = 1;
    struct err *e = NULL;
    while (!e && len) {
        e = aws_chunked_read(chunked, buf, 1 + seed % sizeof(buf), &len);
        if (!e)
            strbuf_append_bytes(&out, buf, len);
    }
    *ret_data = strbuf_slice(&out);
    *ret_sum = e ? SLICE_NONE : aws_header_get(aws_chunked_trailers(chunked), S("x-amz-checksum-crc32"));
    bool good = !e;
    err_free(e);
    aws_chunked_free(chunked);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size), out, sum;
    uint32_t seed = 1u + input_byte(&input);
    uint8_t flags = input_byte(&input);
    size_t at = (size_t)input_byte(&input) * 256;
    at += input_byte(&input);
    bool is_signed = flags & 1, trailer = flags & 2;
    struct strbuf repeated = STRBUF_ARENA(arena);
    strbuf_append(&repeated, input);
    while (input.len && repeated.len < (flags >> 2 & 3) * 9000u)
        strbuf_append(&repeated, input);
    input = strbuf_slice(&repeated);
    struct slice wire = encode(arena, input, seed, is_signed, trailer);
    ENSURE(decode(arena, wire, seed, is_signed, trailer, &out, &sum));
    ENSURE(slice_eq(out, input) && (!trailer || slice_eq(sum, S("AAAAAA=="))));
    char *changed = slice_cstr(arena, wire);
    changed[at % wire.len] ^= (char)(1 << (flags >> 5));
    if (decode(arena, slice_of(changed, wire.len), seed, is_signed, trailer, &out, &sum) && is_signed)
        ENSURE(slice_eq(out, input) && (!trailer || slice_eq(sum, S("AAAAAA=="))));
    ENSURE(out.len <= wire.len);
    if (decode(arena, slice_sub(wire, 0, at % wire.len), seed, is_signed, trailer, &out, &sum)) /* some clients leave the last line end out */
        ENSURE(slice_eq(out, input) && (!trailer || !is_signed || slice_eq(sum, S("AAAAAA=="))));
    arena_free(arena);
    return 0;
}
