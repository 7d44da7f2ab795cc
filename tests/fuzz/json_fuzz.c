/* json_fuzz: a text that reads is written, and read again as the same tree, compact and indented; what duplicates do; any bytes are
 * writable as a string that reads as UTF-8. */
#include "base/json.h"
#include "fuzz.h"

static size_t depth_of(const struct json *value)
{
    size_t deepest = 0;
    JSON_FOREACH(child, value) {
        size_t depth = depth_of(child);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static void check_string(struct arena *arena, struct slice bytes)
{
    struct strbuf out = STRBUF_ARENA(arena);
    json_write_string(&out, bytes);
    struct json *again;
    ENSURE(!json_parse(arena, strbuf_slice(&out), JSON_DUPLICATES_REFUSE, &again));
    ENSURE(json_is(again, JSON_STRING) && slice_is_utf8(again->text));
    ENSURE(!slice_is_utf8(bytes) || slice_eq(again->text, bytes));
    ENSURE(slice_index(strbuf_slice(&out), '\n') < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice text = slice_of((const char *)data, size);
    struct json *strict, *lax, *again;
    struct err *refused = json_parse(arena, text, JSON_DUPLICATES_REFUSE, &strict);
    struct err *e = json_parse(arena, text, JSON_DUPLICATES_LAST_WINS, &lax);
    ENSURE(refused || !e);
    if (!refused)
        ENSURE(json_equal(strict, lax));
    if (!e) {
        ENSURE(depth_of(lax) <= 513);
        struct slice compact = json_to_slice(arena, lax);
        ENSURE(!json_parse(arena, compact, JSON_DUPLICATES_REFUSE, &again));
        ENSURE(json_equal(lax, again) && slice_eq(json_to_slice(arena, again), compact));
        struct strbuf pretty = STRBUF_ARENA(arena);
        json_write_pretty(&pretty, lax);
        ENSURE(!json_parse(arena, strbuf_slice(&pretty), JSON_DUPLICATES_REFUSE, &again));
        ENSURE(json_equal(lax, again));
        ENSURE(json_equal(json_clone(arena, lax), lax));
    }
    check_string(arena, text);
    err_free(refused);
    err_free(e);
    arena_free(arena);
    return 0;
}
