/* page_token: where a page of a list ended, as clients carry it: base64url of the place and of an HMAC over it and over what was asked. A
 * token that was changed, or that belongs to another list or other filters, is none; one of an earlier run of the daemon is good, since
 * the key is kept. Pure. */
#pragma once
#include "base/slice.h"

struct slice page_token_encode(struct arena *arena, struct slice key, struct slice asked, struct slice place);
/* False when it is none. */
bool page_token_decode(struct arena *arena, struct slice key, struct slice asked, struct slice token, struct slice *ret_place);
