/* aws_chunked_fuzz: the first byte chooses how many bytes a read gives and whether a trailer is expected; the rest is
 * the body. What comes out is never longer than what went in. */
#include "aws/aws_chunked.h"
#include "base/arena.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
    struct slice rest;
    size_t step;
};

static struct err *memory_read(void *ctx, void *buf, size_t cap, size_t *ret_len)
{
    struct memory *memory = ctx;
    size_t len = memory->rest.len < cap ? memory->rest.len : cap;
    len = len < memory->step ? len : memory->step;
    if (len)
        memcpy(buf, memory->rest.ptr, len);
    memory->rest = slice_from(memory->rest, len);
    *ret_len = len;
    return NULL;
}

static void decode(struct slice wire, size_t step, bool trailer, bool is_signed)
{
    struct arena *arena = arena_new();
    struct memory memory = {.rest = wire, .step = step};
    struct sigv4_chain chain = {.amz_date = S("20130524T000000Z"), .scope = S("20130524/us-east-1/s3/aws4_request")};
    struct aws_chunked *chunked =
        aws_chunked_new(arena, (struct aws_reader){memory_read, &memory}, is_signed ? &chain : NULL, trailer);
    char buf[1000];
    size_t len = 1, total = 0;
    struct err *e = NULL;
    while (!e && len) {
        e = aws_chunked_read(chunked, buf, sizeof(buf), &len);
        total += e ? 0 : len;
    }
    if (total > wire.len || (is_signed && !e))
        abort();
    err_free(e);
    aws_chunked_free(chunked);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct slice wire = slice_of((const char *)data + 1, size - 1);
    decode(wire, 1 + data[0] % 97, data[0] & 0x80, false);
    decode(wire, 1 + data[0] % 97, data[0] & 0x80, true);
    return 0;
}
