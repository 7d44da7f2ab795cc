/* checksum: S3's additional checksums, computed as bytes go by. Values on the wire are base64 of big-endian bytes. */
#pragma once
#include "base/slice.h"

enum aws_checksum_kind {
    AWS_CHECKSUM_CRC32,
    AWS_CHECKSUM_CRC32C,
    AWS_CHECKSUM_CRC64NVME,
    AWS_CHECKSUM_SHA1,
    AWS_CHECKSUM_SHA256
};
#define AWS_CHECKSUM_KINDS 5
#define AWS_CHECKSUM_MAX_BYTES 32

struct slice aws_checksum_name(enum aws_checksum_kind kind);   /* "CRC32", as in x-amz-sdk-checksum-algorithm */
struct slice aws_checksum_header(enum aws_checksum_kind kind); /* "x-amz-checksum-crc32" */
size_t aws_checksum_size(enum aws_checksum_kind kind);         /* bytes */
bool aws_checksum_by_name(struct slice name, enum aws_checksum_kind *ret_kind);     /* any case */
bool aws_checksum_by_header(struct slice header, enum aws_checksum_kind *ret_kind); /* any case */

struct digest;
struct aws_checksum {
    enum aws_checksum_kind kind;
    uint64_t crc;
    struct digest *digest;
};
void aws_checksum_init(struct aws_checksum *checksum, enum aws_checksum_kind kind);
void aws_checksum_update(struct aws_checksum *checksum, const void *data, size_t len);
/* Raw bytes, aws_checksum_size of them; then only deinit. */
void aws_checksum_final(struct aws_checksum *checksum, uint8_t out[AWS_CHECKSUM_MAX_BYTES]);
void aws_checksum_deinit(struct aws_checksum *checksum);
