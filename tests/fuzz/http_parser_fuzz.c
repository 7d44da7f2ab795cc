/* http_parser_fuzz: a request's head in any pieces, then its chunked body. What is accepted must be self-consistent. */
#include "base/arena.h"
#include "http/parser.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of((const char *)data, size);
    struct arena *arena = arena_new();
    size_t scanned = 0, len = 0, len_in_pieces = 0, scanned_in_pieces = 0;
    int status = 0, status_in_pieces = 0;
    enum http_scan whole = http_head_scan(bytes, &scanned, &len, &status), pieces = HTTP_SCAN_MORE;
    for (size_t n = 1; n <= size && n < 4096 && pieces == HTTP_SCAN_MORE; n++)
        pieces = http_head_scan(slice_sub(bytes, 0, n), &scanned_in_pieces, &len_in_pieces, &status_in_pieces);
    if (size < 4096 && size > 0 && (pieces != whole || len != len_in_pieces || status != status_in_pieces))
        abort();
    struct http_head head;
    const char *why;
    if (whole == HTTP_SCAN_COMPLETE && http_head_parse(arena, slice_sub(bytes, 0, len), &head, &why) == 0) {
        if ((head.chunked && head.content_length >= 0) || !head.method.len || !head.path.len)
            abort();
        struct http_chunks chunks = {0};
        struct slice rest = slice_from(bytes, len), piece;
        size_t used;
        enum http_chunks_result result;
        do {
            result = http_chunks_next(&chunks, rest, &used, &piece);
            if (used > rest.len || piece.len > used)
                abort();
            rest = slice_from(rest, used);
        } while (result == HTTP_CHUNKS_DATA);
    }
    arena_free(arena);
    return 0;
}
