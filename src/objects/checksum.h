/* checksum: the checksums S3 keeps with an object: running over bytes, combined over parts, and their Base64 texts.
 * Pure; a running checksum belongs to one thread. Sources: S3 User Guide, "Checking object integrity"; CRC64NVME is
 * polynomial 0xAD93D23594C93659, reflected, all ones in and out. */
#pragma once
#include "base/err.h"
#include "base/slice.h"

enum checksum_kind { CHECKSUM_NONE, CHECKSUM_CRC32, CHECKSUM_CRC32C, CHECKSUM_CRC64NVME, CHECKSUM_SHA1, CHECKSUM_SHA256 };
/* FULL_OBJECT: over all bytes. COMPOSITE: over the parts' checksums, "base64-N". */
enum checksum_type { CHECKSUM_FULL_OBJECT, CHECKSUM_COMPOSITE };

#define CHECKSUM_MAX_BYTES 32

/* "CRC32", "SHA256"…; CHECKSUM_NONE has no name. */
struct slice checksum_name(enum checksum_kind kind);
/* "FULL_OBJECT", "COMPOSITE" */
struct slice checksum_type_name(enum checksum_type type);
/* The kind of a name in any case; false for one that we do not have. */
bool checksum_from_name(struct slice name, enum checksum_kind *ret_kind);
/* Bytes of the raw value: 4, 8, 20, 32. */
size_t checksum_size(enum checksum_kind kind);
/* What a multipart upload of this kind uses when the client names no type: CRC64NVME full, all others composite. */
enum checksum_type checksum_default_type(enum checksum_kind kind);
/* CRC64NVME cannot be composite; SHA-1 and SHA-256 cannot be combined, so never full over parts. */
bool checksum_type_allowed(enum checksum_kind kind, enum checksum_type type);

struct checksum; /* running */
struct checksum *checksum_new(enum checksum_kind kind);
void checksum_update(struct checksum *sum, struct slice data);
/* Base64 of the value; the checksum may then only be freed. */
struct slice checksum_finish(struct checksum *sum, struct arena *arena);
void checksum_free(struct checksum *sum);

/* CRC of a||b from crc(a), crc(b) and the length of b. Only the three CRCs. */
uint64_t checksum_combine(enum checksum_kind kind, uint64_t crc_a, uint64_t crc_b, int64_t size_b_bytes);

/* The checksum of an object made of parts; values are Base64 texts. ERR_INVALID when one is not of this kind. */
struct err *checksum_of_parts(struct arena *arena, enum checksum_kind kind, enum checksum_type type, const struct slice *values,
                              const int64_t *sizes_bytes, size_t count, struct slice *ret_value) NODISCARD;
/* True when text is Base64 of the right length for kind. */
bool checksum_is_valid(struct arena *arena, enum checksum_kind kind, struct slice text);
