#include "services/emr_containers/page_token.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include <string.h>

#define MAC_BYTES 16 /* of SHA-256's 32: more than can be guessed */

static void sign(struct arena *arena, struct slice key, struct slice asked, struct slice place, uint8_t out[SHA256_BYTES])
{
    hmac_sha256(key, slice_fmt(arena, "%zu %.*s%.*s", asked.len, SLICE_ARG(asked), SLICE_ARG(place)), out);
}

struct slice page_token_encode(struct arena *arena, struct slice key, struct slice asked, struct slice place)
{
    uint8_t mac[SHA256_BYTES];
    sign(arena, key, asked, place, mac);
    char *bytes = arena_alloc(arena, MAC_BYTES + place.len);
    memcpy(bytes, mac, MAC_BYTES);
    memcpy(bytes + MAC_BYTES, place.ptr, place.len);
    return base64url_encode(arena, slice_of(bytes, MAC_BYTES + place.len));
}

bool page_token_decode(struct arena *arena, struct slice key, struct slice asked, struct slice token, struct slice *ret_place)
{
    struct slice bytes;
    if (!base64url_decode(arena, token, &bytes) || bytes.len <= MAC_BYTES)
        return false;
    struct slice place = slice_from(bytes, MAC_BYTES);
    uint8_t mac[SHA256_BYTES];
    sign(arena, key, asked, place, mac);
    if (!secret_equal(slice_of((const char *)mac, MAC_BYTES), slice_sub(bytes, 0, MAC_BYTES)))
        return false;
    *ret_place = place;
    return true;
}
