/* page_token_fuzz: a foreign token is refused; a place comes back out of its token, and only for what was asked when it was made. The rest of
 * our services' small texts: log group names and ARNs. */
#include "fuzz.h"
#include "services/emr_containers/page_token.h"
#include "services/logs/logs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice text = slice_of((const char *)data, size), key = S("0123456789abcdef"), place, again;
    ENSURE(!page_token_decode(arena, key, S("ListJobRuns {}"), text, &place));
    if (size) {
        struct slice token = page_token_encode(arena, key, S("ListJobRuns {}"), text);
        ENSURE(page_token_decode(arena, key, S("ListJobRuns {}"), token, &again) && slice_eq(again, text));
        ENSURE(!page_token_decode(arena, key, S("ListJobRuns {\"name\":\"x\"}"), token, &again));
        ENSURE(!page_token_decode(arena, S("another"), S("ListJobRuns {}"), token, &again));
        struct err *e = logs_list_token_parse(arena, logs_list_token(arena, text), &again);
        ENSURE(slice_has_nul(text) || (!e && slice_eq(again, text))); /* no name has a NUL */
        err_free(e);
    }
    err_free(logs_list_token_parse(arena, text, &place));
    struct err *e = logs_group_name(SLICE_NONE, text, &place);
    if (!e)
        ENSURE(place.len <= text.len);
    err_free(e);
    arena_free(arena);
    return 0;
}
