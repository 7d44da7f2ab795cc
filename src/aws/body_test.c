/* body_test: aws-chunked framing with AWS's documented signatures, and everything a body is checked against. */
#include "aws/test_util.h"

#include "aws/body.h"
#include "aws/gen/s3.h"
#include "base/digest.h"
#include <stdio.h>
#include <string.h>

struct memory {
    struct slice rest;
    size_t step; /* bytes a read gives at most */
};

static struct err *memory_read(void *ctx, void *buf, size_t cap, size_t *ret_len)
{
    struct memory *memory = ctx;
    size_t len = memory->rest.len;
    len = len < cap ? len : cap;
    len = len < memory->step ? len : memory->step;
    if (len)
        memcpy(buf, memory->rest.ptr, len);
    memory->rest = slice_from(memory->rest, len);
    *ret_len = len;
    return NULL;
}

static struct sigv4_chain chain_of(enum sigv4_payload payload, const char *seed)
{
    struct sigv4_chain chain = {
        .payload = payload, .amz_date = S("20130524T000000Z"), .scope = S("20130524/us-east-1/s3/aws4_request")};
    sigv4_signing_key(S("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), S("20130524"), S("us-east-1"), S("s3"), chain.key);
    if (seed)
        memcpy(chain.signature, seed, 64);
    return chain;
}

struct put {
    const struct sigv4_chain *chain;
    struct slice wire;
    struct aws_header headers[4];
    size_t step;
    const char *operation;
};

static struct err *put(struct arena *arena, const struct put *put, struct slice *ret_data, struct slice *ret_checksum)
{
    size_t count = 0;
    while (count < 4 && put->headers[count].name.ptr)
        count++;
    struct memory memory = {.rest = put->wire, .step = put->step ? put->step : 4096};
    struct aws_body_options options = {
        .reader = {memory_read, &memory},
        .headers = {put->headers, count},
        .content_length = (int64_t)put->wire.len,
        .chain = put->chain,
        .operation = aws_operation_find(&s3_service, slice_from_cstr(put->operation ? put->operation : "PutObject")),
    };
    struct aws_body *body = NULL;
    TRY(aws_body_open(arena, &options, &body));
    struct err *e = aws_body_read_all(arena, body, 1 << 20, ret_data);
    if (!e && ret_checksum)
        *ret_checksum = aws_body_checksum(arena, body);
    aws_body_close(body);
    return e;
}

static void append_chunk(struct strbuf *wire, size_t size, const char *signature)
{
    if (signature)
        strbuf_append_fmt(wire, "%zx;chunk-signature=%s\r\n", size, signature);
    else
        strbuf_append_fmt(wire, "%zx\r\n", size);
    for (size_t i = 0; i < size; i++)
        strbuf_append_char(wire, 'a');
    if (size)
        strbuf_append_cstr(wire, "\r\n");
}

#define SEED "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
#define CHUNK1 "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
#define CHUNK2 "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
#define CHUNK3 "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"

static struct slice documented_wire(struct arena *arena)
{
    struct strbuf wire = STRBUF_ARENA(arena);
    append_chunk(&wire, 65536, CHUNK1);
    append_chunk(&wire, 1024, CHUNK2);
    append_chunk(&wire, 0, CHUNK3);
    strbuf_append_cstr(&wire, "\r\n");
    return strbuf_slice(&wire);
}

static void test_documented_chunk_signatures_hold(void **state)
{
    struct slice data, wire = documented_wire(*state);
    struct sigv4_chain chain = chain_of(SIGV4_PAYLOAD_CHUNKS, SEED);
    static const size_t steps[] = {1, 7, 16384};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        struct put request = {.chain = &chain,
                              .wire = wire,
                              .step = steps[i],
                              .headers = {{S("x-amz-decoded-content-length"), S("66560")}}};
        assert_ok(put(*state, &request, &data, NULL));
        assert_int_equal(data.len, 66560);
    }
}

static void test_a_changed_byte_breaks_the_chain(void **state)
{
    struct sigv4_chain chain = chain_of(SIGV4_PAYLOAD_CHUNKS, SEED);
    struct slice wire = documented_wire(*state), data;
    size_t places[] = {100, wire.len - 10, wire.len - 60, 65536 + 90 + 200};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char *copy = slice_cstr(*state, wire);
        copy[places[i]] ^= 1;
        struct put request = {.chain = &chain,
                              .wire = slice_of(copy, wire.len),
                              .headers = {{S("x-amz-decoded-content-length"), S("66560")}}};
        assert_error(put(*state, &request, &data, NULL), "SignatureDoesNotMatch", 403);
    }
}

static void test_a_documented_trailer_signature_holds(void **state)
{
    struct sigv4_chain chain =
        chain_of(SIGV4_PAYLOAD_CHUNKS_TRAILER, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    struct slice data;
    struct strbuf wire = STRBUF_ARENA(*state);
    append_chunk(&wire, 65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
    append_chunk(&wire, 1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
    append_chunk(&wire, 0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
    strbuf_append_cstr(
        &wire,
        "x-amz-checksum-crc32c:sOO8/"
        "Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n");
    struct put request = {
        .chain = &chain,
        .wire = strbuf_slice(&wire),
        .headers = {{S("x-amz-decoded-content-length"), S("66560")}, {S("x-amz-trailer"), S("x-amz-checksum-crc32c")}}};
    assert_ok(put(*state, &request, &data, NULL));
    assert_int_equal(data.len, 66560);
}

/* As minio's clients write it: S3's text taken to the letter. */
static void test_a_trailer_signature_behind_a_blank_line_holds(void **state)
{
    struct sigv4_chain chain =
        chain_of(SIGV4_PAYLOAD_CHUNKS_TRAILER, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    struct slice data;
    struct strbuf wire = STRBUF_ARENA(*state);
    append_chunk(&wire, 65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
    append_chunk(&wire, 1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
    append_chunk(&wire, 0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
    strbuf_append_cstr(
        &wire,
        "x-amz-checksum-crc32c:sOO8/"
        "Q==\n\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n");
    struct put request = {
        .chain = &chain,
        .wire = strbuf_slice(&wire),
        .headers = {{S("x-amz-decoded-content-length"), S("66560")}, {S("x-amz-trailer"), S("x-amz-checksum-crc32c")}}};
    assert_ok(put(*state, &request, &data, NULL));
    assert_int_equal(data.len, 66560);
}

/* An object of gigabytes has hundreds of thousands of them. */
static void test_a_chunk_leaves_nothing_in_the_arena(void **state)
{
    enum { CHUNKS = 100, CHUNK_BYTES = 8192 };
    struct sigv4_chain chain = chain_of(SIGV4_PAYLOAD_CHUNKS, SEED), seed = chain;
    struct strbuf wire = STRBUF_ARENA(*state);
    char text[CHUNK_BYTES];
    uint8_t hash[DIGEST_MAX_BYTES];
    memset(text, 'a', sizeof(text));
    for (int i = 0; i <= CHUNKS; i++) {
        size_t size = i < CHUNKS ? CHUNK_BYTES : 0;
        digest_once(DIGEST_SHA256, slice_of(text, size), hash);
        sigv4_chain_chunk(*state, &chain, hash);
        append_chunk(&wire, size, slice_fmt(*state, "%.64s", chain.signature).ptr);
    }
    strbuf_append_cstr(&wire, "\r\n");
    struct memory memory = {.rest = strbuf_slice(&wire), .step = SIZE_MAX};
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct aws_chunked *chunked = aws_chunked_new(arena, (struct aws_reader){memory_read, &memory}, &seed, false);
    size_t used = arena_used(arena), len;
    do
        assert_ok(aws_chunked_read(chunked, text, sizeof(text), &len));
    while (len);
    assert_int_equal(arena_used(arena), used);
    aws_chunked_free(chunked);
}

static void test_a_trailer_is_signed_once(void **state)
{
    struct sigv4_chain chain = {.payload = SIGV4_PAYLOAD_UNSIGNED_TRAILER};
    struct slice data;
    struct put request = {.chain = &chain,
                          .wire = S("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:a\r\nx-amz-trailer-signature:a\r\n\r\n"),
                          .headers = {{S("x-amz-decoded-content-length"), S("5")}, {S("x-amz-trailer"), S("x-amz-checksum-crc32")}}};
    assert_error(put(*state, &request, &data, NULL), "MalformedTrailerError", 400);
}

static void test_an_unsigned_trailer_is_checked(void **state)
{
    static const struct {
        const char *wire, *length, *trailer, *code;
    } rows[] = {
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "5", "x-amz-checksum-crc32", NULL},
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\n", "5", "x-amz-checksum-crc32", NULL},
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\n", "5", "x-amz-checksum-crc32", NULL}, /* minio's */
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\nmore", "5", "x-amz-checksum-crc32",
         "MalformedTrailerError"},
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "5",
         "x-amz-checksum-crc32", "MalformedTrailerError"},
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc64nvme:M3eFcAZSQlc=\r\n\r\n", "5", "x-amz-checksum-crc64nvme", NULL},
        {"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "0", "x-amz-checksum-crc32", NULL},
        {"5\r\nhellO\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "5", "x-amz-checksum-crc32", "BadDigest"},
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:NhCmhg==\r\n\r\n", "5", "x-amz-checksum-crc32",
         "MalformedTrailerError"},
        {"5\r\nhello\r\n0\r\n\r\n", "5", "x-amz-checksum-crc32", "MalformedTrailerError"},
        {"5\r\nhello\r\n0\r\nnonsense\r\n\r\n", "5", "x-amz-checksum-crc32", "MalformedTrailerError"},
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\nmore", "5", "x-amz-checksum-crc32",
         "MalformedTrailerError"},
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:!\r\n\r\n", "5", "x-amz-checksum-crc32", "InvalidRequest"},
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "6", "x-amz-checksum-crc32", "IncompleteBody"},
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "4", "x-amz-checksum-crc32", "IncompleteBody"},
        {"5\r\nhel", "5", "x-amz-checksum-crc32", "IncompleteBody"},
        {"5\r\nhello\r\n", "5", "x-amz-checksum-crc32", "IncompleteBody"},
        {"zz\r\nhello\r\n", "5", "x-amz-checksum-crc32", "InvalidRequest"},
        {"ffffffffffffffff\r\nhello\r\n", "5", "x-amz-checksum-crc32", "InvalidRequest"},
        {"5\r\nhelloXX0\r\n\r\n", "5", "x-amz-checksum-crc32", "InvalidRequest"},
        {"2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "5", "x-amz-checksum-crc32",
         "InvalidChunkSizeError"},
        {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "5", "x-amz-checksum-foo", "InvalidRequest"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sigv4_chain chain = {.payload = SIGV4_PAYLOAD_UNSIGNED_TRAILER};
        struct slice data;
        struct put request = {.chain = &chain,
                              .wire = slice_from_cstr(rows[i].wire),
                              .step = 1 + i % 3,
                              .headers = {{S("x-amz-decoded-content-length"), slice_from_cstr(rows[i].length)},
                                          {S("x-amz-trailer"), slice_from_cstr(rows[i].trailer)}}};
        struct err *e = put(*state, &request, &data, NULL);
        if (!rows[i].code)
            assert_ok(e);
        else if (!e || strcmp(e->code, rows[i].code) != 0)
            fail_msg("row %zu: %s, expected %s", i, e ? e->code : "no error", rows[i].code);
        else
            err_free(e);
    }
}

static void test_a_streamed_body_needs_its_decoded_length(void **state)
{
    struct sigv4_chain chain = {.payload = SIGV4_PAYLOAD_UNSIGNED_TRAILER};
    struct slice data;
    struct put request = {
        .chain = &chain, .wire = S("0\r\n\r\n"), .headers = {{S("x-amz-trailer"), S("x-amz-checksum-crc32")}}};
    assert_error(put(*state, &request, &data, NULL), "MissingContentLength", 411);
}

static void test_plain_bodies_are_held_against_their_headers(void **state)
{
    static const struct {
        const char *name, *value, *code;
    } rows[] = {
        {"Content-MD5", "XUFAKrxLKna5cZ2REBfFkg==", NULL},
        {"Content-MD5", "XUFAKrxLKna5cZ2REBfFkA==", "BadDigest"},
        {"Content-MD5", "XUFA", "InvalidDigest"},
        {"Content-MD5", "not base64", "InvalidDigest"},
        {"x-amz-checksum-crc32", "NhCmhg==", NULL},
        {"X-Amz-Checksum-Crc32", "NhCmhA==", "BadDigest"},
        {"x-amz-checksum-crc32", "NhCmhg", "InvalidRequest"},
        {"x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00=", NULL},
        {"x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", NULL},
        {"x-amz-checksum-crc32c", "mnG7TA==", NULL},
        {"x-amz-checksum-crc64nvme", "M3eFcAZSQlc=", NULL},
        {"x-amz-checksum-sha512", "AA==", "InvalidRequest"},
        {"x-amz-checksum-foo", "AA==", "InvalidRequest"},
        {"x-amz-checksum-algorithm", "CRC32", NULL},
        {"x-amz-sdk-checksum-algorithm", "CRC32", "InvalidRequest"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sigv4_chain chain = {.payload = SIGV4_PAYLOAD_UNSIGNED};
        struct slice data;
        struct put request = {.chain = &chain,
                              .wire = S("hello"),
                              .headers = {{slice_from_cstr(rows[i].name), slice_from_cstr(rows[i].value)}}};
        struct err *e = put(*state, &request, &data, NULL);
        if (!rows[i].code)
            assert_ok(e);
        else if (!e || strcmp(e->code, rows[i].code) != 0)
            fail_msg("%s: %s: %s", rows[i].name, rows[i].value, e ? e->code : "no error");
        else
            err_free(e);
    }
}

static void test_the_payload_hash_is_checked(void **state)
{
    struct sigv4_chain chain = {.payload = SIGV4_PAYLOAD_HASHED,
                                .payload_hash = S("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")};
    struct slice data, checksum;
    struct put request = {.chain = &chain, .wire = S("hello")};
    assert_ok(put(*state, &request, &data, &checksum));
    assert_slice(checksum, S("M3eFcAZSQlc=")); /* nobody asked: CRC64NVME */
    request.wire = S("hellO");
    assert_error(put(*state, &request, &data, NULL), "XAmzContentSHA256Mismatch", 400);
}

static void test_two_checksums_are_one_too_many(void **state)
{
    struct slice data;
    struct put request = {
        .wire = S("hello"),
        .headers = {{S("x-amz-checksum-crc32"), S("NhCmhg==")}, {S("x-amz-checksum-crc64nvme"), S("M3eFcAZSQlc=")}}};
    assert_error(put(*state, &request, &data, NULL), "InvalidRequest", 400);
}

static void test_complete_names_the_objects_checksum_not_the_bodys(void **state)
{
    struct slice data;
    struct put request = {.wire = S("hello"),
                          .operation = "CompleteMultipartUpload",
                          .headers = {{S("x-amz-checksum-crc32"), S("AAAAAA==")}}};
    assert_ok(put(*state, &request, &data, NULL));
    struct put delete_objects = {.wire = S("hello"), .operation = "DeleteObjects"};
    assert_error(put(*state, &delete_objects, &data, NULL), "InvalidRequest", 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_documented_chunk_signatures_hold),
        TEST(test_a_changed_byte_breaks_the_chain),
        TEST(test_a_documented_trailer_signature_holds),
        TEST(test_a_trailer_signature_behind_a_blank_line_holds),
        TEST(test_a_chunk_leaves_nothing_in_the_arena),
        TEST(test_a_trailer_is_signed_once),
        TEST(test_an_unsigned_trailer_is_checked),
        TEST(test_a_streamed_body_needs_its_decoded_length),
        TEST(test_plain_bodies_are_held_against_their_headers),
        TEST(test_the_payload_hash_is_checked),
        TEST(test_two_checksums_are_one_too_many),
        TEST(test_complete_names_the_objects_checksum_not_the_bodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
