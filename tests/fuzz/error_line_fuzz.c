/* error_line_fuzz: the end of a driver's output, any bytes, as either stream and cut in two: what is found is absent or one line of UTF-8
 * without control characters, within its limit, and fits into stateDetails. */
#include "fuzz.h"
#include "jobs/error_line.h"
#include "jobs/outcome.h"

static void check_line(struct slice line)
{
    ENSURE(line.len <= ERROR_LINE_MAX_BYTES && slice_is_utf8(line));
    for (size_t i = 0; i < line.len; i++)
        ENSURE((unsigned char)line.ptr[i] >= ' ' && line.ptr[i] != 0x7F);
}

static void check(struct arena *arena, struct slice err, struct slice out)
{
    struct slice line = error_line_find(arena, err, out);
    check_line(line);
    check_line(error_line_refused_pod(arena, err));
    struct slice details = outcome_failure_details(arena, &(struct outcome){.cause = line}, line, line);
    ENSURE(details.len <= OUTCOME_DETAILS_MAX && slice_is_utf8(details));
    ENSURE(slice_ends_with(details, S("based on your monitoring configuration.")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice text = slice_of((const char *)data, size);
    check(arena, text, SLICE_NONE);
    check(arena, SLICE_NONE, text);
    check(arena, slice_sub(text, 0, size / 2), slice_from(text, size / 2));
    check(arena, slice_from(text, size / 3), SLICE_NONE); /* as a tail begins: in the middle of a trace */
    arena_free(arena);
    return 0;
}
