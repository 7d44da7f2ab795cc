/* filter_pattern_fuzz: line one is a filter pattern of CloudWatch Logs, the rest a message. What compiles matches any message in bounded
 * time, the same twice; a quoted term is found where the message has it, and nowhere else. */
#include "base/strbuf.h"
#include "fuzz.h"
#include "logstore/filter_pattern.h"

/* term as a pattern of one quoted term; false when no pattern can say it. */
static bool quoted(struct arena *arena, struct slice term, struct slice *ret_pattern)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_char(&out, '"');
    for (size_t i = 0; i < term.len; i++) {
        if (term.ptr[i] == '"' || term.ptr[i] == '\\')
            return false;
        strbuf_append_char(&out, term.ptr[i]);
    }
    strbuf_append_char(&out, '"');
    *ret_pattern = strbuf_slice(&out);
    return term.len > 0 && term.len < 200 && slice_is_utf8(term) && slice_trim(term).len == term.len;
}

static void check_term(struct arena *arena, struct slice term, struct slice message)
{
    struct filter_pattern *pattern;
    struct slice text;
    if (!quoted(arena, term, &text))
        return;
    struct err *e = filter_pattern_compile(arena, text, &pattern);
    if (!e)
        ENSURE(filter_pattern_match(pattern, message) == (slice_find(message, term) >= 0));
    err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice message = slice_of((const char *)data, size), text = input_line(&message);
    struct filter_pattern *pattern;
    struct err *e = filter_pattern_compile(arena, text, &pattern);
    ENSURE(!e || err_has_code(e, "InvalidParameterException"));
    ENSURE(e || text.len <= FILTER_PATTERN_MAX_BYTES);
    if (!e) {
        bool matches = filter_pattern_match(pattern, message);
        ENSURE(matches == filter_pattern_match(pattern, message));
        ENSURE(slice_trim(text).len || matches);
    }
    err_free(e);
    check_term(arena, slice_sub(text, 0, 30), message);
    arena_free(arena);
    return 0;
}
