/* timestamp_fuzz: what is understood is written, and understood again as the same instant. */
#include "aws/timestamp.h"
#include "base/arena.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum aws_timestamp_format formats[] = {AWS_TIMESTAMP_ISO8601, AWS_TIMESTAMP_RFC822,
                                                        AWS_TIMESTAMP_UNIX};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        struct instant t, again;
        if (!aws_timestamp_parse(slice_of((const char *)data, size), formats[i], &t))
            continue;
        struct slice text = aws_timestamp_format(arena, t, formats[i]);
        if (!aws_timestamp_parse(text, formats[i], &again) || again.ms != t.ms)
            abort();
    }
    arena_free(arena);
    return 0;
}
