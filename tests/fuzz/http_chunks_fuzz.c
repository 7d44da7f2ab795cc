/* http_chunks_fuzz: the decoder of chunked bodies. First byte: how the rest is cut into pieces. The rest as a body: in pieces it gives
 * what it gives whole, and a plain second reader reads the same. The rest as data: chunked by us, it comes back. */
#include "base/strbuf.h"
#include "fuzz.h"
#include "http/parser.h"

struct outcome {
    enum http_chunks_result result;
    size_t used;
    struct slice data;
};

static struct outcome decode(struct arena *arena, struct slice wire, uint32_t seed)
{
    struct http_chunks chunks = {0};
    struct strbuf out = STRBUF_ARENA(arena);
    struct outcome outcome = {.result = HTTP_CHUNKS_MORE};
    while (outcome.used < wire.len) {
        size_t n = seed ? piece_size(&seed, 1 + seed % 61) : wire.len, used;
        struct slice piece = slice_sub(wire, outcome.used, n), data;
        outcome.result = http_chunks_next(&chunks, piece, &used, &data);
        ENSURE(used <= piece.len && data.len <= used);
        ENSURE(outcome.result != HTTP_CHUNKS_MORE || used == piece.len);
        outcome.used += used;
        strbuf_append(&out, data);
        if (outcome.result == HTTP_CHUNKS_END || outcome.result == HTTP_CHUNKS_BROKEN)
            break;
    }
    outcome.data = strbuf_slice(&out);
    return outcome;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* A reader that looks at lines: only asked about bodies that the decoder took. */
static struct slice read_plainly(struct arena *arena, struct slice wire)
{
    struct strbuf out = STRBUF_ARENA(arena);
    for (;;) {
        ptrdiff_t end = slice_find(wire, S("\r\n"));
        ENSURE(end > 0);
        size_t size = 0;
        for (ptrdiff_t i = 0; i < end && wire.ptr[i] != ';'; i++) {
            ENSURE(hex_digit(wire.ptr[i]) >= 0);
            size = size * 16 + (size_t)hex_digit(wire.ptr[i]);
        }
        wire = slice_from(wire, (size_t)end + 2);
        if (!size)
            return strbuf_slice(&out);
        ENSURE(size + 2 <= wire.len && wire.ptr[size] == '\r' && wire.ptr[size + 1] == '\n');
        strbuf_append(&out, slice_sub(wire, 0, size));
        wire = slice_from(wire, size + 2);
    }
}

static void round_trip(struct arena *arena, struct slice data, uint32_t seed)
{
    struct strbuf wire = STRBUF_ARENA(arena);
    for (struct slice rest = data; rest.len;) {
        struct slice chunk = slice_sub(rest, 0, piece_size(&seed, 97));
        strbuf_append_fmt(&wire, seed & 0x10000 ? "%zx\r\n" : "%zX;a=\"b\"\r\n", chunk.len);
        strbuf_append(&wire, chunk);
        strbuf_append_cstr(&wire, "\r\n");
        rest = slice_from(rest, chunk.len);
    }
    strbuf_append_cstr(&wire, seed & 0x20000 ? "0\r\n\r\n" : "000\r\nTrailer: x\r\n\r\n");
    size_t len = wire.len;
    strbuf_append_cstr(&wire, "GET");
    struct outcome outcome = decode(arena, strbuf_slice(&wire), seed);
    ENSURE(outcome.result == HTTP_CHUNKS_END && outcome.used == len && slice_eq(outcome.data, data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size);
    uint32_t seed = 1u + input_byte(&input);
    struct outcome whole = decode(arena, input, 0), pieces = decode(arena, input, seed);
    ENSURE(whole.result == pieces.result || whole.result == HTTP_CHUNKS_DATA || pieces.result == HTTP_CHUNKS_DATA);
    ENSURE(whole.used == pieces.used && slice_eq(whole.data, pieces.data) && whole.data.len <= input.len);
    if (whole.result == HTTP_CHUNKS_END)
        ENSURE(slice_eq(read_plainly(arena, slice_sub(input, 0, whole.used)), whole.data));
    round_trip(arena, input, seed);
    arena_free(arena);
    return 0;
}
