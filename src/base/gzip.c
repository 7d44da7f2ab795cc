#include "base/gzip.h"
#include "base/arena.h"
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16)
#define STEP_BYTES ((size_t)1 << 30) /* zlib counts in 32 bits */

static Bytef *input_of(struct slice data)
{
    return (Bytef *)(uintptr_t)data.ptr; /* zlib's next_in is not const unless ZLIB_CONST; it is only read */
}

void gzip_append(struct strbuf *out, struct slice data)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        fprintf(stderr, "ember: zlib has no memory\n");
        abort();
    }
    int result = Z_OK;
    do {
        if (z.avail_in == 0 && data.len) {
            size_t n = data.len < STEP_BYTES ? data.len : STEP_BYTES;
            z.next_in = input_of(data);
            z.avail_in = (uInt)n;
            data = slice_from(data, n);
        }
        strbuf_reserve(out, 16384);
        z.next_out = (Bytef *)out->ptr + out->len;
        z.avail_out = 16384;
        result = deflate(&z, data.len ? Z_NO_FLUSH : Z_FINISH);
        out->len += 16384 - z.avail_out;
    } while (result != Z_STREAM_END);
    out->ptr[out->len] = 0;
    deflateEnd(&z);
}

struct err *gzip_decode(struct arena *arena, struct slice data, size_t max_bytes, struct slice *ret_data)
{
    struct strbuf out = STRBUF_ARENA(arena);
    if (data.len > STEP_BYTES)
        return err_new(ERR_LIMIT, "gzip input of %zu bytes is too large", data.len);
    z_stream z = {.next_in = input_of(data), .avail_in = (uInt)data.len};
    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        return err_new(ERR_INTERNAL, "zlib has no memory");
    struct err *e = NULL;
    for (;;) {
        strbuf_reserve(&out, 16384);
        z.next_out = (Bytef *)out.ptr + out.len;
        z.avail_out = 16384;
        int result = inflate(&z, Z_NO_FLUSH);
        out.len += 16384 - z.avail_out;
        if (out.len > max_bytes)
            e = err_new(ERR_LIMIT, "more than %zu bytes after unpacking", max_bytes);
        else if (result == Z_STREAM_END && z.avail_in == 0)
            break;
        else if (result == Z_STREAM_END)
            inflateReset(&z); /* next member */
        else if (result != Z_OK)
            e = err_new(ERR_INVALID, "not gzip: %s", z.msg ? z.msg : "it ends early");
        if (e)
            break;
    }
    inflateEnd(&z);
    if (e)
        return e;
    *ret_data = strbuf_slice(&out);
    return NULL;
}
