/* The only file that includes OpenSSL's digests and zlib's crc32. */
#include "base/digest.h"
#include "base/arena.h"
#include "base/encode.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zlib.h>

static _Noreturn void crypto_failed(const char *what)
{
    fprintf(stderr, "ember: the crypto library failed in %s\n", what);
    abort();
}

/* Fetched once and kept: EVP_sha256() and its like are looked up by name, under locks, at each use. */
static EVP_MD *mds[3];
static pthread_once_t mds_once = PTHREAD_ONCE_INIT;

static void mds_init(void)
{
    static const char *const names[] = {[DIGEST_MD5] = "MD5", [DIGEST_SHA1] = "SHA1", [DIGEST_SHA256] = "SHA256"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        mds[i] = EVP_MD_fetch(NULL, names[i], NULL);
        if (!mds[i])
            crypto_failed("EVP_MD_fetch");
    }
}

static const EVP_MD *md_of(enum digest_kind kind)
{
    pthread_once(&mds_once, mds_init);
    return mds[kind];
}

size_t digest_size(enum digest_kind kind)
{
    return kind == DIGEST_MD5 ? 16 : kind == DIGEST_SHA1 ? 20 : 32;
}

struct digest {
    EVP_MD_CTX *ctx;
};

struct digest *digest_new(enum digest_kind kind)
{
    struct digest *d = xcalloc(1, sizeof(*d));
    d->ctx = EVP_MD_CTX_new();
    if (!d->ctx || EVP_DigestInit_ex(d->ctx, md_of(kind), NULL) != 1)
        crypto_failed("EVP_DigestInit_ex");
    return d;
}

void digest_update(struct digest *digest, const void *data, size_t len)
{
    if (len && EVP_DigestUpdate(digest->ctx, data, len) != 1)
        crypto_failed("EVP_DigestUpdate");
}

void digest_final(struct digest *digest, uint8_t out[DIGEST_MAX_BYTES])
{
    unsigned len = 0;
    if (EVP_DigestFinal_ex(digest->ctx, out, &len) != 1)
        crypto_failed("EVP_DigestFinal_ex");
}

void digest_free(struct digest *digest)
{
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->ctx);
    free(digest);
}

void digest_freep(struct digest **digest)
{
    digest_free(*digest);
    *digest = NULL;
}

void digest_once(enum digest_kind kind, struct slice data, uint8_t out[DIGEST_MAX_BYTES])
{
    unsigned len = 0;
    if (EVP_Digest(data.ptr ? data.ptr : "", data.len, out, &len, md_of(kind), NULL) != 1)
        crypto_failed("EVP_Digest");
}

struct slice sha256_hex(struct arena *arena, struct slice data)
{
    uint8_t hash[DIGEST_MAX_BYTES];
    digest_once(DIGEST_SHA256, data, hash);
    return hex_encode(arena, slice_of((const char *)hash, SHA256_BYTES));
}

#define HMAC_BLOCK_BYTES 64 /* of SHA-1 and SHA-256 */

static void pad_and_digest(struct digest *digest, const uint8_t block[HMAC_BLOCK_BYTES], uint8_t pad, struct slice data, uint8_t *out)
{
    uint8_t padded[HMAC_BLOCK_BYTES];
    for (size_t i = 0; i < sizeof(padded); i++)
        padded[i] = block[i] ^ pad;
    digest_update(digest, padded, sizeof(padded));
    digest_update(digest, data.ptr, data.len);
    digest_final(digest, out);
    secret_wipe(padded, sizeof(padded));
}

/* RFC 2104. OpenSSL's own HMAC() looks its algorithm up by name, under locks, at each call, which costs several times the two digests. */
static void hmac(enum digest_kind kind, struct slice key, struct slice data, uint8_t *out)
{
    uint8_t block[HMAC_BLOCK_BYTES] = {0}, inner[DIGEST_MAX_BYTES];
    struct digest *digest = digest_new(kind);
    if (key.len > sizeof(block))
        digest_once(kind, key, block);
    else if (key.len)
        memcpy(block, key.ptr, key.len);
    pad_and_digest(digest, block, 0x36, data, inner);
    if (EVP_DigestInit_ex(digest->ctx, md_of(kind), NULL) != 1)
        crypto_failed("EVP_DigestInit_ex");
    pad_and_digest(digest, block, 0x5c, slice_of((const char *)inner, digest_size(kind)), out);
    digest_free(digest);
    secret_wipe(block, sizeof(block));
    secret_wipe(inner, sizeof(inner));
}

void hmac_sha256(struct slice key, struct slice data, uint8_t out[SHA256_BYTES])
{
    hmac(DIGEST_SHA256, key, data, out);
}

void hmac_sha1(struct slice key, struct slice data, uint8_t out[20])
{
    hmac(DIGEST_SHA1, key, data, out);
}

uint32_t crc32_update(uint32_t crc, const void *data, size_t len)
{
    return len ? (uint32_t)crc32_z(crc, data, len) : crc;
}

/* Slicing-by-8 tables, filled once. */
static uint32_t crc32c_table[8][256];
static uint64_t crc64_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_tables_init(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint32_t a = i;
        uint64_t b = i;
        for (int k = 0; k < 8; k++) {
            a = a & 1 ? a >> 1 ^ 0x82F63B78u : a >> 1;
            b = b & 1 ? b >> 1 ^ 0x9A6C9329AC4BC9B5u : b >> 1; /* 0xAD93D23594C93659 reflected */
        }
        crc32c_table[0][i] = a;
        crc64_table[0][i] = b;
    }
    for (unsigned i = 0; i < 256; i++) {
        for (int t = 1; t < 8; t++) {
            crc32c_table[t][i] = crc32c_table[t - 1][i] >> 8 ^ crc32c_table[0][crc32c_table[t - 1][i] & 255];
            crc64_table[t][i] = crc64_table[t - 1][i] >> 8 ^ crc64_table[0][crc64_table[t - 1][i] & 255];
        }
    }
}

uint32_t crc32c_update(uint32_t crc, const void *data, size_t len)
{
    pthread_once(&crc_once, crc_tables_init);
    const uint8_t *p = data;
    uint32_t c = ~crc;
    for (; len >= 8; len -= 8, p += 8) {
        uint32_t lo = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        c = crc32c_table[7][lo & 255] ^ crc32c_table[6][lo >> 8 & 255] ^ crc32c_table[5][lo >> 16 & 255] ^
            crc32c_table[4][lo >> 24] ^ crc32c_table[3][p[4]] ^ crc32c_table[2][p[5]] ^ crc32c_table[1][p[6]] ^
            crc32c_table[0][p[7]];
    }
    for (; len; len--, p++)
        c = c >> 8 ^ crc32c_table[0][(c ^ *p) & 255];
    return ~c;
}

uint64_t crc64nvme_update(uint64_t crc, const void *data, size_t len)
{
    pthread_once(&crc_once, crc_tables_init);
    const uint8_t *p = data;
    uint64_t c = ~crc;
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t v = c;
        for (int i = 0; i < 8; i++)
            v ^= (uint64_t)p[i] << (8 * i);
        c = crc64_table[7][v & 255] ^ crc64_table[6][v >> 8 & 255] ^ crc64_table[5][v >> 16 & 255] ^
            crc64_table[4][v >> 24 & 255] ^ crc64_table[3][v >> 32 & 255] ^ crc64_table[2][v >> 40 & 255] ^
            crc64_table[1][v >> 48 & 255] ^ crc64_table[0][v >> 56];
    }
    for (; len; len--, p++)
        c = c >> 8 ^ crc64_table[0][(c ^ *p) & 255];
    return ~c;
}

bool secret_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

void secret_wipe(void *ptr, size_t len)
{
    OPENSSL_cleanse(ptr, len);
}

void random_bytes(void *out, size_t len)
{
    uint8_t *p = out;
    while (len) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            crypto_failed("getrandom");
        p += n;
        len -= (size_t)n;
    }
}

struct slice random_uuid(struct arena *arena)
{
    uint8_t b[16];
    random_bytes(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    char hex[32];
    hex_encode_to(hex, b, sizeof(b));
    return slice_fmt(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

struct slice random_text(struct arena *arena, size_t len, struct slice alphabet)
{
    char *out = arena_alloc(arena, len + 1);
    unsigned bound = (unsigned)(256 / alphabet.len * alphabet.len); /* refuse the rest: no bias */
    for (size_t i = 0; i < len;) {
        uint8_t b[64];
        random_bytes(b, sizeof(b));
        for (size_t k = 0; k < sizeof(b) && i < len; k++) {
            if (b[k] < bound)
                out[i++] = alphabet.ptr[b[k] % alphabet.len];
        }
    }
    return slice_of(out, len);
}
