/* encode: hex, base64, percent-encoding, base36. Pure. */
#pragma once
#include "base/slice.h"

struct slice hex_encode(struct arena *arena, struct slice bytes); /* lower case */
void hex_encode_to(char *out, const uint8_t *bytes, size_t len);   /* 2*len chars, no NUL */
bool hex_decode(struct arena *arena, struct slice text, struct slice *ret_bytes);
struct slice base64_encode(struct arena *arena, struct slice bytes);     /* with padding */
struct slice base64url_encode(struct arena *arena, struct slice bytes);  /* no padding */
bool base64_decode(struct arena *arena, struct slice text, struct slice *ret_bytes);    /* strict, padding required */
bool base64url_decode(struct arena *arena, struct slice text, struct slice *ret_bytes); /* padding optional */
/* AWS's percent-encoding: all but A-Za-z0-9-_.~ ; and '/' kept where asked. Upper-case hex. */
enum uri_slash { URI_ENCODE_SLASH, URI_KEEP_SLASH };
struct slice uri_encode(struct arena *arena, struct slice text, enum uri_slash slash);
/* %XX decoded; '+' is a blank only with URI_PLUS_IS_SPACE. A stray % is kept as it is. */
enum uri_plus { URI_PLUS_KEPT, URI_PLUS_IS_SPACE };
struct slice uri_decode(struct arena *arena, struct slice text, enum uri_plus plus);
/* Bytes as one big-endian integer in digits 0-9a-z, no leading zeros (emr-containers service account names). */
struct slice base36_encode(struct arena *arena, struct slice bytes);
