/* body: an S3 request's body as the object's bytes: framing removed, and everything that covers it checked (payload
 * hash, Content-MD5, x-amz-checksum-* in headers or trailer, chunk and trailer signatures, decoded length). The checks
 * are complete when aws_body_read returns length 0 without an error: whoever stores the bytes publishes only then. One
 * thread at a time. */
#pragma once
#include "aws/aws_chunked.h"
#include "aws/checksum.h"
#include "aws/message.h"
#include "aws/sigv4.h"

struct aws_body;

struct aws_body_options {
    struct aws_reader reader; /* the raw HTTP body */
    struct aws_headers headers;
    int64_t content_length;          /* of the HTTP body; -1: unknown */
    const struct sigv4_chain *chain; /* of the verified signature; NULL: anonymous or SigV2. Copied */
    const struct aws_operation *operation;
};

/* Looks at the headers only. S3's errors: InvalidDigest, InvalidRequest, MissingContentLength (411), NotImplemented, …
 */
struct err *aws_body_open(struct arena *arena, const struct aws_body_options *options,
                          struct aws_body **ret_body) NODISCARD;
void aws_body_close(struct aws_body *body); /* NULL is fine; the object itself is the arena's */

int64_t aws_body_length(const struct aws_body *body); /* decoded length as announced; -1: unknown */
/* Errors: BadDigest, XAmzContentSHA256Mismatch, IncompleteBody, MalformedTrailerError, SignatureDoesNotMatch,
 * RequestTimeout, … */
struct err *aws_body_read(struct aws_body *body, void *buf, size_t cap, size_t *ret_len) NODISCARD;
/* The whole of it; EntityTooLarge past max_bytes. */
struct err *aws_body_read_all(struct arena *arena, struct aws_body *body, size_t max_bytes,
                              struct slice *ret_data) NODISCARD;

/* After the end. */
struct slice aws_body_md5_hex(struct arena *arena, const struct aws_body *body); /* the ETag without its quotes */
const uint8_t *aws_body_md5(const struct aws_body *body);                        /* 16 bytes */
int64_t aws_body_bytes(const struct aws_body *body);                             /* decoded bytes that came */
/* The checksum the client chose, else CRC64NVME, which S3 computes by itself: base64, and raw. */
enum aws_checksum_kind aws_body_checksum_kind(const struct aws_body *body);
bool aws_body_checksum_is_clients(const struct aws_body *body); /* the client named or sent it */
struct slice aws_body_checksum(struct arena *arena, const struct aws_body *body);
const uint8_t *aws_body_checksum_bytes(const struct aws_body *body);
