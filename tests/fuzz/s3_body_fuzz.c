/* s3_body_fuzz: first byte: operation, payload mode and how reads are cut; then headers (Content-MD5, x-amz-checksum-*, x-amz-trailer,
 * x-amz-content-sha256, …), a blank line, and the body. What is accepted has the announced length and the checksums that came; and the
 * same body under the checksums computed here is accepted, but not once a bit is another. */
#include "aws/body.h"
#include "aws/gen/s3.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include "fuzz.h"
#include <string.h>

#define HEADERS_MAX 12

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

static struct err *receive(struct arena *arena, const char *operation, const struct aws_header *headers, size_t count, struct slice wire,
                           uint32_t seed, struct slice *ret_data)
{
    struct memory memory = {wire, seed};
    struct aws_body_options options = {.reader = {memory_read, &memory},
                                       .headers = {headers, count},
                                       .content_length = (int64_t)wire.len,
                                       .operation = aws_operation_find(&s3_service, slice_from_cstr(operation))};
    struct aws_body *body = NULL;
    TRY(aws_body_open(arena, &options, &body));
    struct err *e = aws_body_read_all(arena, body, 1 << 20, ret_data);
    if (!e) {
        ENSURE(aws_body_bytes(body) == (int64_t)ret_data->len && ret_data->len <= wire.len);
        struct slice md5 = aws_header_get(options.headers, S("Content-MD5"));
        ENSURE(!md5.ptr || slice_eq(md5, base64_encode(arena, slice_of((const char *)aws_body_md5(body), 16))));
        struct slice sum = aws_header_get(options.headers, aws_checksum_header(aws_body_checksum_kind(body)));
        ENSURE(!options.operation->body_checksum || !sum.ptr || slice_eq(sum, aws_body_checksum(arena, body)));
    }
    aws_body_close(body);
    return e;
}

static void with_right_sums(struct arena *arena, struct slice data, uint32_t seed)
{
    enum aws_checksum_kind kind = seed % AWS_CHECKSUM_KINDS;
    struct aws_checksum checksum;
    uint8_t sum[AWS_CHECKSUM_MAX_BYTES], md5[DIGEST_MAX_BYTES];
    aws_checksum_init(&checksum, kind);
    aws_checksum_update(&checksum, data.ptr, data.len);
    aws_checksum_final(&checksum, sum);
    aws_checksum_deinit(&checksum);
    digest_once(DIGEST_MD5, data, md5);
    struct aws_header headers[] = {
        {aws_checksum_header(kind), base64_encode(arena, slice_of((const char *)sum, aws_checksum_size(kind)))},
        {S("content-md5"), base64_encode(arena, slice_of((const char *)md5, 16))},
        {S("X-Amz-Content-Sha256"), sha256_hex(arena, data)},
        {S("x-amz-sdk-checksum-algorithm"), aws_checksum_name(kind)},
    };
    struct slice out;
    ENSURE(!receive(arena, "PutObject", headers, ARRAY_SIZE(headers), data, seed, &out) && slice_eq(out, data));
    if (!data.len)
        return;
    char *changed = slice_cstr(arena, data);
    changed[seed % data.len] ^= (char)(1 << seed % 8);
    for (size_t i = 0; i < 3; i++) {
        struct err *e = receive(arena, "PutObject", &headers[i], 1, slice_of(changed, data.len), seed, &out);
        ENSURE(e);
        err_free(e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const operations[] = {"PutObject", "UploadPart", "DeleteObjects", "CompleteMultipartUpload"};
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size), line, out;
    uint8_t flags = input_byte(&input);
    struct aws_header headers[HEADERS_MAX];
    size_t count = 0;
    while ((line = input_line(&input)).len)
        if (count < HEADERS_MAX && slice_split(line, ':', &headers[count].name, &headers[count].value)) {
            headers[count].value = slice_trim(headers[count].value);
            count++;
        }
    err_free(receive(arena, operations[flags & 3], headers, count, input, flags + 1u, &out));
    with_right_sums(arena, input, flags + 1u);
    arena_free(arena);
    return 0;
}
