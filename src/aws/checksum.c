/* checksum: see the header. */
#include "aws/checksum.h"
#include "base/arena.h"
#include "base/digest.h"

static const struct {
    struct slice name, header;
    size_t size;
} rows[AWS_CHECKSUM_KINDS] = {
    [AWS_CHECKSUM_CRC32] = {S_INIT("CRC32"), S_INIT("x-amz-checksum-crc32"), 4},
    [AWS_CHECKSUM_CRC32C] = {S_INIT("CRC32C"), S_INIT("x-amz-checksum-crc32c"), 4},
    [AWS_CHECKSUM_CRC64NVME] = {S_INIT("CRC64NVME"), S_INIT("x-amz-checksum-crc64nvme"), 8},
    [AWS_CHECKSUM_SHA1] = {S_INIT("SHA1"), S_INIT("x-amz-checksum-sha1"), 20},
    [AWS_CHECKSUM_SHA256] = {S_INIT("SHA256"), S_INIT("x-amz-checksum-sha256"), 32},
};

struct slice aws_checksum_name(enum aws_checksum_kind kind)
{
    return rows[kind].name;
}

struct slice aws_checksum_header(enum aws_checksum_kind kind)
{
    return rows[kind].header;
}

size_t aws_checksum_size(enum aws_checksum_kind kind)
{
    return rows[kind].size;
}

bool aws_checksum_by_name(struct slice name, enum aws_checksum_kind *ret_kind)
{
    for (size_t i = 0; i < AWS_CHECKSUM_KINDS; i++)
        if (slice_eq_nocase(rows[i].name, name)) {
            *ret_kind = (enum aws_checksum_kind)i;
            return true;
        }
    return false;
}

bool aws_checksum_by_header(struct slice header, enum aws_checksum_kind *ret_kind)
{
    struct slice prefix = S("x-amz-checksum-");
    return slice_starts_with_nocase(header, prefix) && aws_checksum_by_name(slice_from(header, prefix.len), ret_kind);
}

void aws_checksum_init(struct aws_checksum *checksum, enum aws_checksum_kind kind)
{
    *checksum = (struct aws_checksum){.kind = kind};
    if (kind == AWS_CHECKSUM_SHA1)
        checksum->digest = digest_new(DIGEST_SHA1);
    else if (kind == AWS_CHECKSUM_SHA256)
        checksum->digest = digest_new(DIGEST_SHA256);
}

void aws_checksum_update(struct aws_checksum *checksum, const void *data, size_t len)
{
    switch (checksum->kind) {
    case AWS_CHECKSUM_CRC32:
        checksum->crc = crc32_update((uint32_t)checksum->crc, data, len);
        return;
    case AWS_CHECKSUM_CRC32C:
        checksum->crc = crc32c_update((uint32_t)checksum->crc, data, len);
        return;
    case AWS_CHECKSUM_CRC64NVME:
        checksum->crc = crc64nvme_update(checksum->crc, data, len);
        return;
    case AWS_CHECKSUM_SHA1:
    case AWS_CHECKSUM_SHA256:
        digest_update(checksum->digest, data, len);
        return;
    }
}

void aws_checksum_final(struct aws_checksum *checksum, uint8_t out[AWS_CHECKSUM_MAX_BYTES])
{
    if (checksum->digest) {
        digest_final(checksum->digest, out);
        return;
    }
    size_t size = rows[checksum->kind].size;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(checksum->crc >> (8 * (size - 1 - i)));
}

void aws_checksum_deinit(struct aws_checksum *checksum)
{
    digest_freep(&checksum->digest);
}
