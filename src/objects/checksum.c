/* Running checksums, and CRCs of concatenations without the bytes: a CRC is linear over GF(2), so crc(a||b) is crc(a) sent
 * through |b| zero bytes, xored with crc(b). The matrix of one zero bit is squared along the bits of the length. */
#include "objects/checksum.h"

#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/strbuf.h"

struct checksum {
    enum checksum_kind kind;
    uint64_t crc;
    struct digest *digest; /* SHA-1 and SHA-256 only */
};

static const struct checksum_row {
    struct slice name;
    size_t size_bytes;
    uint64_t polynomial; /* reflected; 0: not a CRC */
} rows[] = {
    [CHECKSUM_NONE] = {.name = {0}},
    [CHECKSUM_CRC32] = {.name = S_INIT("CRC32"), .size_bytes = 4, .polynomial = 0xEDB88320u},
    [CHECKSUM_CRC32C] = {.name = S_INIT("CRC32C"), .size_bytes = 4, .polynomial = 0x82F63B78u},
    [CHECKSUM_CRC64NVME] = {.name = S_INIT("CRC64NVME"), .size_bytes = 8, .polynomial = 0x9A6C9329AC4BC9B5ull},
    [CHECKSUM_SHA1] = {.name = S_INIT("SHA1"), .size_bytes = 20},
    [CHECKSUM_SHA256] = {.name = S_INIT("SHA256"), .size_bytes = 32},
};

struct slice checksum_name(enum checksum_kind kind)
{
    return rows[kind].name;
}

struct slice checksum_type_name(enum checksum_type type)
{
    return type == CHECKSUM_COMPOSITE ? S("COMPOSITE") : S("FULL_OBJECT");
}

bool checksum_from_name(struct slice name, enum checksum_kind *ret_kind)
{
    for (size_t i = CHECKSUM_CRC32; i < ARRAY_SIZE(rows); i++) {
        if (slice_eq_nocase(name, rows[i].name)) {
            *ret_kind = (enum checksum_kind)i;
            return true;
        }
    }
    return false;
}

size_t checksum_size(enum checksum_kind kind)
{
    return rows[kind].size_bytes;
}

enum checksum_type checksum_default_type(enum checksum_kind kind)
{
    return kind == CHECKSUM_CRC64NVME ? CHECKSUM_FULL_OBJECT : CHECKSUM_COMPOSITE;
}

bool checksum_type_allowed(enum checksum_kind kind, enum checksum_type type)
{
    if (type == CHECKSUM_COMPOSITE)
        return kind != CHECKSUM_CRC64NVME;
    return rows[kind].polynomial != 0;
}

static enum digest_kind digest_kind_of(enum checksum_kind kind)
{
    return kind == CHECKSUM_SHA1 ? DIGEST_SHA1 : DIGEST_SHA256;
}

struct checksum *checksum_new(enum checksum_kind kind)
{
    struct checksum *sum = xcalloc(1, sizeof(*sum));
    sum->kind = kind;
    if (kind == CHECKSUM_SHA1 || kind == CHECKSUM_SHA256)
        sum->digest = digest_new(digest_kind_of(kind));
    return sum;
}

void checksum_update(struct checksum *sum, struct slice data)
{
    switch (sum->kind) {
    case CHECKSUM_NONE:
        break;
    case CHECKSUM_CRC32:
        sum->crc = crc32_update((uint32_t)sum->crc, data.ptr, data.len);
        break;
    case CHECKSUM_CRC32C:
        sum->crc = crc32c_update((uint32_t)sum->crc, data.ptr, data.len);
        break;
    case CHECKSUM_CRC64NVME:
        sum->crc = crc64nvme_update(sum->crc, data.ptr, data.len);
        break;
    case CHECKSUM_SHA1:
    case CHECKSUM_SHA256:
        digest_update(sum->digest, data.ptr, data.len);
        break;
    }
}

static struct slice crc_text(struct arena *arena, enum checksum_kind kind, uint64_t crc)
{
    uint8_t bytes[8];
    size_t size = checksum_size(kind);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(crc >> (8 * (size - 1 - i)));
    return base64_encode(arena, slice_of((const char *)bytes, size));
}

struct slice checksum_finish(struct checksum *sum, struct arena *arena)
{
    if (sum->kind == CHECKSUM_NONE)
        return SLICE_NONE;
    if (!sum->digest)
        return crc_text(arena, sum->kind, sum->crc);
    uint8_t out[DIGEST_MAX_BYTES];
    digest_final(sum->digest, out);
    return base64_encode(arena, slice_of((const char *)out, checksum_size(sum->kind)));
}

void checksum_free(struct checksum *sum)
{
    if (!sum)
        return;
    digest_free(sum->digest);
    freep(&sum);
}

struct gf2_matrix {
    uint64_t column[64];
};

static uint64_t gf2_times(const struct gf2_matrix *matrix, uint64_t vector)
{
    uint64_t sum = 0;
    for (size_t i = 0; vector; i++, vector >>= 1) {
        if (vector & 1)
            sum ^= matrix->column[i];
    }
    return sum;
}

static void gf2_square(struct gf2_matrix *out, const struct gf2_matrix *in, size_t width)
{
    for (size_t i = 0; i < width; i++)
        out->column[i] = gf2_times(in, in->column[i]);
}

uint64_t checksum_combine(enum checksum_kind kind, uint64_t crc_a, uint64_t crc_b, int64_t size_b_bytes)
{
    if (size_b_bytes <= 0)
        return crc_a;
    size_t width = checksum_size(kind) * 8;
    struct gf2_matrix odd = {0}, even = {0};
    odd.column[0] = rows[kind].polynomial; /* one zero bit */
    for (size_t i = 1; i < width; i++)
        odd.column[i] = UINT64_C(1) << (i - 1);
    gf2_square(&even, &odd, width); /* two zero bits */
    gf2_square(&odd, &even, width); /* four */
    uint64_t left = (uint64_t)size_b_bytes;
    struct gf2_matrix *current = &even, *other = &odd; /* current becomes eight bits: one zero byte */
    while (left) {
        gf2_square(current, other, width);
        if (left & 1)
            crc_a = gf2_times(current, crc_a);
        left >>= 1;
        struct gf2_matrix *swap = current;
        current = other;
        other = swap;
    }
    return crc_a ^ crc_b;
}

static bool value_decode(struct arena *arena, enum checksum_kind kind, struct slice text, struct slice *ret_bytes)
{
    struct slice bytes;
    if (!text.ptr || !base64_decode(arena, text, &bytes) || bytes.len != checksum_size(kind))
        return false;
    *ret_bytes = bytes;
    return true;
}

bool checksum_is_valid(struct arena *arena, enum checksum_kind kind, struct slice text)
{
    struct slice bytes;
    return value_decode(arena, kind, text, &bytes);
}

static uint64_t big_endian(struct slice bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++)
        value = value << 8 | (uint8_t)bytes.ptr[i];
    return value;
}

struct err *checksum_of_parts(struct arena *arena, enum checksum_kind kind, enum checksum_type type, const struct slice *values,
                              const int64_t *sizes_bytes, size_t count, struct slice *ret_value)
{
    struct checksum *sum = type == CHECKSUM_COMPOSITE ? checksum_new(kind) : NULL;
    uint64_t crc = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice bytes;
        if (!value_decode(arena, kind, values[i], &bytes)) {
            checksum_free(sum);
            return err_new(ERR_INVALID, "part %zu has no %.*s checksum", i + 1, SLICE_ARG(checksum_name(kind)));
        }
        if (sum)
            checksum_update(sum, bytes);
        else
            crc = i ? checksum_combine(kind, crc, big_endian(bytes), sizes_bytes[i]) : big_endian(bytes);
    }
    if (sum) {
        struct slice whole = checksum_finish(sum, arena); /* once: SLICE_ARG looks at its argument more than once */
        *ret_value = slice_fmt(arena, "%.*s-%zu", SLICE_ARG(whole), count);
        checksum_free(sum);
    } else {
        *ret_value = crc_text(arena, kind, crc);
    }
    return NULL;
}
