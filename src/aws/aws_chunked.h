/* clang-format off */
/* aws_chunked: the framing that S3 clients put around a body they sign or checksum while they send it:
 *     <hex-size>[;chunk-signature=<64 hex>] CRLF <data> CRLF … 0[;…] CRLF
 *     [name:value CRLF …] [x-amz-trailer-signature:… CRLF] CRLF
 * A pull decoder with a fixed buffer: a chunk is never held whole (SDKs for Go send 5 MiB chunks). Signatures are checked
 * as each chunk ends, so bytes are handed out before they are known to be good: only a clean end (length 0) says that all
 * were. */
/* clang-format on */
#pragma once
#include "aws/message.h"
#include "aws/sigv4.h"

/* Reads at most cap bytes; *ret_len 0 is the end. */
struct aws_reader {
    struct err *(*read)(void *ctx, void *buf, size_t cap, size_t *ret_len);
    void *ctx;
};

struct aws_chunked;

/* chain: NULL when chunks are not signed; else borrowed, its signature advances. expect_trailer: a trailer is
 * announced. */
struct aws_chunked *aws_chunked_new(struct arena *arena, struct aws_reader reader, struct sigv4_chain *chain,
                                    bool expect_trailer);
void aws_chunked_free(struct aws_chunked *chunked); /* NULL is fine; the object itself is the arena's */
/* Errors have S3's codes: IncompleteBody, InvalidChunkSizeError, SignatureDoesNotMatch, MalformedTrailerError. */
struct err *aws_chunked_read(struct aws_chunked *chunked, void *buf, size_t cap, size_t *ret_len) NODISCARD;
/* After the end: trailers without the signature, names in lower case. */
struct aws_headers aws_chunked_trailers(const struct aws_chunked *chunked);
