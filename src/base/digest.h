/* digest: hashes, HMAC and checksums (OpenSSL's libcrypto and zlib behind it). Any thread. */
#pragma once
#include "base/slice.h"

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256 };
#define DIGEST_MAX_BYTES 32
#define SHA256_BYTES 32

size_t digest_size(enum digest_kind kind);
void digest_once(enum digest_kind kind, struct slice data, uint8_t out[DIGEST_MAX_BYTES]);
struct digest;
struct digest *digest_new(enum digest_kind kind);
void digest_update(struct digest *digest, const void *data, size_t len);
void digest_final(struct digest *digest, uint8_t out[DIGEST_MAX_BYTES]); /* digest may then only be freed */
void digest_free(struct digest *digest);
void digest_freep(struct digest **digest);
struct slice sha256_hex(struct arena *arena, struct slice data);
void hmac_sha256(struct slice key, struct slice data, uint8_t out[SHA256_BYTES]);
void hmac_sha1(struct slice key, struct slice data, uint8_t out[20]);

/* Checksums: start with 0, feed the result back in. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t len);       /* zlib's */
uint32_t crc32c_update(uint32_t crc, const void *data, size_t len);      /* Castagnoli */
uint64_t crc64nvme_update(uint64_t crc, const void *data, size_t len);   /* "123456789" -> AE8B14860A799888 */

/* Constant-time equality of equally long secrets; different lengths are unequal at once. */
bool secret_equal(struct slice a, struct slice b);
void secret_wipe(void *ptr, size_t len);
void random_bytes(void *out, size_t len); /* getrandom; ends the process if the kernel has none */
struct slice random_uuid(struct arena *arena); /* 8-4-4-4-12 lower hex, version 4 */
struct slice random_text(struct arena *arena, size_t len, struct slice alphabet);
