/* http_stream_fuzz: a connection's bytes, requests one behind the other. First byte: how they are cut into pieces. What the server
 * would make of them in pieces is what it makes of them whole. And what is taken is framed as a sloppy reader in front of us would
 * frame it (lines by LF alone, blanks before colons, the last Content-Length): else one of the two can be made to see a request that
 * the other does not. */
#include "base/strbuf.h"
#include "fuzz.h"
#include "http/parser.h"
#include <string.h>

/* ---- the sloppy reader ---- */

struct sloppy {
    size_t head_len;
    bool chunked;
    int64_t content_length; /* -1: none */
};

static struct slice sloppy_trim(struct slice s)
{
    while (s.len && (unsigned char)s.ptr[0] <= ' ')
        s = slice_from(s, 1);
    while (s.len && (unsigned char)s.ptr[s.len - 1] <= ' ')
        s.len--;
    return s;
}

static void sloppy_header(struct arena *arena, struct slice line, struct sloppy *sloppy)
{
    struct slice name, value;
    if (!slice_split(line, ':', &name, &value))
        return;
    name = sloppy_trim(name);
    if (slice_eq_nocase(name, S("content-length")))
        sloppy->content_length = strtoll(slice_cstr(arena, sloppy_trim(value)), NULL, 10);
    else if (slice_eq_nocase(name, S("transfer-encoding")) && slice_find(slice_lower(arena, value), S("chunked")) >= 0)
        sloppy->chunked = true;
}

static struct sloppy sloppy_head(struct arena *arena, struct slice bytes)
{
    struct sloppy sloppy = {.content_length = -1};
    bool request_line = false;
    for (size_t at = 0; at < bytes.len;) {
        const char *end = memchr(bytes.ptr + at, '\n', bytes.len - at);
        size_t len = end ? (size_t)(end - bytes.ptr) - at : bytes.len - at;
        struct slice line = sloppy_trim(slice_sub(bytes, at, len));
        at += len + 1;
        if (request_line && !line.len) {
            sloppy.head_len = at;
            return sloppy;
        }
        if (request_line)
            sloppy_header(arena, line, &sloppy);
        else
            request_line = line.len > 0;
    }
    return sloppy;
}

/* ---- our reader ---- */

/* Reads one request off the front as the server does: its head's fields and its body go to out. False: more bytes are needed, or the
 * connection is over (*over). */
static bool take_request(struct slice bytes, size_t *scanned, struct strbuf *out, size_t *ret_used, bool *over)
{
    size_t len = 0, used;
    int status = 0;
    enum http_scan scan = http_head_scan(bytes, scanned, &len, &status);
    if (scan != HTTP_SCAN_COMPLETE) {
        *over = scan == HTTP_SCAN_REFUSED;
        if (*over)
            strbuf_append_fmt(out, "[%d]", status);
        return false;
    }
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct http_head head;
    const char *why = NULL;
    status = http_head_parse(arena, slice_sub(bytes, 0, len), &head, &why);
    if (status) {
        ENSURE(why && (status == 400 || status == 414 || status == 417 || status == 431 || status == 505));
        strbuf_append_fmt(out, "[%d]", status);
        *over = true;
        return false;
    }
    ENSURE(!(head.chunked && head.content_length >= 0) && head.method.len && head.path.len);
    struct sloppy sloppy = sloppy_head(arena, bytes);
    ENSURE(sloppy.head_len == len && sloppy.chunked == head.chunked && sloppy.content_length == head.content_length);
    struct slice rest = slice_from(bytes, len), data;
    struct strbuf body = STRBUF_ARENA(arena);
    if (head.chunked) {
        struct http_chunks chunks = {0};
        enum http_chunks_result result;
        do {
            result = http_chunks_next(&chunks, rest, &used, &data);
            strbuf_append(&body, data);
            rest = slice_from(rest, used);
        } while (result == HTTP_CHUNKS_DATA && rest.len);
        if (result == HTTP_CHUNKS_BROKEN) {
            strbuf_append_cstr(out, "[chunks]");
            *over = true;
        }
        if (result != HTTP_CHUNKS_END)
            return false;
    } else if (head.content_length > 0) {
        if (rest.len < (uint64_t)head.content_length)
            return false;
        strbuf_append(&body, slice_sub(rest, 0, (size_t)head.content_length));
        rest = slice_from(rest, (size_t)head.content_length);
    }
    strbuf_append_fmt(out, "(%.*s %.*s %zu %d %.*s)", SLICE_ARG(head.method), SLICE_ARG(head.target), head.headers.count, head.keep_alive,
                      SLICE_ARG(strbuf_slice(&body)));
    *ret_used = bytes.len - rest.len;
    *over = !head.keep_alive;
    return true;
}

/* seed 0: all at once. */
static struct slice serve(struct arena *arena, struct slice wire, uint32_t seed)
{
    struct strbuf out = STRBUF_ARENA(arena);
    size_t start = 0, arrived = 0, scanned = 0;
    bool over = false;
    while (!over && arrived < wire.len) {
        arrived += seed ? piece_size(&seed, 1 + seed % 251) : wire.len;
        arrived = arrived < wire.len ? arrived : wire.len;
        size_t used;
        while (!over && take_request(slice_sub(wire, start, arrived - start), &scanned, &out, &used, &over)) {
            start += used;
            scanned = 0;
        }
        scanned = 0; /* a body that is not all there: the head is looked at again */
    }
    return strbuf_slice(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size);
    uint32_t seed = 1u + input_byte(&input);
    struct slice whole = serve(arena, input, 0), pieces = serve(arena, input, seed);
    ENSURE(slice_eq(whole, pieces));
    arena_free(arena);
    return 0;
}
