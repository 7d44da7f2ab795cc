/* encode_fuzz: hex, base64, base64url and percent-encoding both ways: what was encoded is decoded as it was, and what decodes encodes
 * to the same text, or to its one canonical form. */
#include "base/encode.h"
#include "base/gzip.h"
#include "base/strbuf.h"
#include "fuzz.h"

static void there_and_back(struct arena *arena, struct slice bytes)
{
    struct slice out;
    ENSURE(hex_decode(arena, hex_encode(arena, bytes), &out) && slice_eq(out, bytes));
    ENSURE(base64_decode(arena, base64_encode(arena, bytes), &out) && slice_eq(out, bytes));
    ENSURE(base64url_decode(arena, base64url_encode(arena, bytes), &out) && slice_eq(out, bytes));
    for (int i = 0; i < 4; i++)
        ENSURE(slice_eq(uri_decode(arena, uri_encode(arena, bytes, i & 1 ? URI_KEEP_SLASH : URI_ENCODE_SLASH),
                                   i & 2 ? URI_PLUS_IS_SPACE : URI_PLUS_KEPT),
                        bytes));
    struct strbuf zipped = STRBUF_ARENA(arena);
    gzip_append(&zipped, bytes);
    struct err *e = gzip_decode(arena, strbuf_slice(&zipped), bytes.len, &out);
    ENSURE(!e && slice_eq(out, bytes));
}

static void back_and_there(struct arena *arena, struct slice text)
{
    struct slice bytes;
    if (hex_decode(arena, text, &bytes)) {
        ENSURE(bytes.len * 2 == text.len);
        ENSURE(slice_eq_nocase(hex_encode(arena, bytes), text));
    }
    if (base64_decode(arena, text, &bytes))
        ENSURE(slice_eq(base64_encode(arena, bytes), text));
    if (base64url_decode(arena, text, &bytes)) {
        struct slice again = base64url_encode(arena, bytes);
        ENSURE(again.len <= text.len && slice_starts_with(text, again));
    }
    struct slice decoded = uri_decode(arena, text, URI_PLUS_KEPT);
    ENSURE(decoded.len <= text.len);
    struct slice unzipped;
    struct err *e = gzip_decode(arena, text, 65536, &unzipped);
    if (!e)
        ENSURE(unzipped.len <= 65536);
    err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice text = slice_of((const char *)data, size);
    there_and_back(arena, text);
    back_and_there(arena, text);
    if (size <= 256)
        (void)base36_encode(arena, text);
    arena_free(arena);
    return 0;
}
