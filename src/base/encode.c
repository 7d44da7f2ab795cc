#include "base/encode.h"
#include "base/arena.h"
#include <string.h>

static const char HEX_LOWER[] = "0123456789abcdef";
static const char HEX_UPPER[] = "0123456789ABCDEF";

void hex_encode_to(char *out, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = HEX_LOWER[bytes[i] >> 4];
        out[2 * i + 1] = HEX_LOWER[bytes[i] & 15];
    }
}

struct slice hex_encode(struct arena *arena, struct slice bytes)
{
    char *out = arena_array(arena, bytes.len + 1, 2);
    hex_encode_to(out, (const uint8_t *)bytes.ptr, bytes.len);
    return slice_of(out, bytes.len * 2);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(struct arena *arena, struct slice text, struct slice *ret_bytes)
{
    if (text.len % 2)
        return false;
    char *out = arena_alloc(arena, text.len / 2 + 1);
    for (size_t i = 0; i < text.len / 2; i++) {
        int hi = hex_value(text.ptr[2 * i]), lo = hex_value(text.ptr[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i] = (char)(hi << 4 | lo);
    }
    *ret_bytes = slice_of(out, text.len / 2);
    return true;
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static struct slice encode64(struct arena *arena, struct slice bytes, const char *alphabet, bool pad)
{
    const uint8_t *in = (const uint8_t *)bytes.ptr;
    char *out = arena_array(arena, bytes.len / 3 + 2, 4);
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t v = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);
        out[n++] = alphabet[v >> 18];
        out[n++] = alphabet[v >> 12 & 63];
        if (left > 1)
            out[n++] = alphabet[v >> 6 & 63];
        else if (pad)
            out[n++] = '=';
        if (left > 2)
            out[n++] = alphabet[v & 63];
        else if (pad)
            out[n++] = '=';
    }
    return slice_of(out, n);
}

struct slice base64_encode(struct arena *arena, struct slice bytes)
{
    return encode64(arena, bytes, BASE64, true);
}

struct slice base64url_encode(struct arena *arena, struct slice bytes)
{
    return encode64(arena, bytes, BASE64URL, false);
}

static int value64(char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    if (c == (url ? '_' : '/'))
        return 63;
    return -1;
}

static bool decode64(struct arena *arena, struct slice text, bool url, struct slice *ret_bytes)
{
    size_t len = text.len;
    if (!url && len % 4)
        return false;
    for (int pad = 0; pad < 2 && len && text.ptr[len - 1] == '='; pad++)
        len--;
    if (len % 4 == 1)
        return false;
    char *out = arena_alloc(arena, len / 4 * 3 + 4);
    size_t n = 0;
    uint32_t v = 0;
    int bits = 0;
    for (size_t i = 0; i < len; i++) {
        int d = value64(text.ptr[i], url);
        if (d < 0)
            return false;
        v = v << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(v >> bits & 255);
        }
    }
    if (v & ((1u << bits) - 1)) /* stray bits: not canonical */
        return false;
    *ret_bytes = slice_of(out, n);
    return true;
}

bool base64_decode(struct arena *arena, struct slice text, struct slice *ret_bytes)
{
    return decode64(arena, text, false, ret_bytes);
}

bool base64url_decode(struct arena *arena, struct slice text, struct slice *ret_bytes)
{
    return decode64(arena, text, true, ret_bytes);
}

static bool unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '~';
}

struct slice uri_encode(struct arena *arena, struct slice text, enum uri_slash slash)
{
    char *out = arena_array(arena, text.len + 1, 3);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (unreserved(c) || (c == '/' && slash == URI_KEEP_SLASH)) {
            out[n++] = c;
            continue;
        }
        out[n++] = '%';
        out[n++] = HEX_UPPER[(unsigned char)c >> 4];
        out[n++] = HEX_UPPER[(unsigned char)c & 15];
    }
    return slice_of(out, n);
}

struct slice uri_decode(struct arena *arena, struct slice text, enum uri_plus plus)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%' && text.len - i > 2) {
            int hi = hex_value(text.ptr[i + 1]), lo = hex_value(text.ptr[i + 2]);
            if (hi >= 0 && lo >= 0) {
                out[n++] = (char)(hi << 4 | lo);
                i += 2;
                continue;
            }
        }
        out[n++] = c == '+' && plus == URI_PLUS_IS_SPACE ? ' ' : c;
    }
    return slice_of(out, n);
}

struct slice base36_encode(struct arena *arena, struct slice bytes)
{
    static const char DIGITS[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    size_t len = bytes.len;
    uint8_t *number = arena_alloc(arena, len + 1);
    if (len)
        memcpy(number, bytes.ptr, len);
    size_t cap = len * 2 + 2, n = cap;
    char *out = arena_alloc(arena, cap);
    size_t start = 0;
    while (start < len && number[start] == 0)
        start++;
    while (start < len) {
        unsigned rest = 0;
        for (size_t i = start; i < len; i++) {
            unsigned v = rest << 8 | number[i];
            number[i] = (uint8_t)(v / 36);
            rest = v % 36;
        }
        out[--n] = DIGITS[rest];
        while (start < len && number[start] == 0)
            start++;
    }
    if (n == cap)
        out[--n] = '0';
    return slice_of(out + n, cap - n);
}
