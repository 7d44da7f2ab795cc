/* sparkSubmitParameters: any bytes are either words or refused; words never grow past the text. */
#include "spark/shell_split.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice *words;
    size_t count, total = 0;
    struct err *e = shell_split(arena, slice_of((const char *)data, size), &words, &count);
    if (!e)
        for (size_t i = 0; i < count; i++)
            total += words[i].len;
    if (total > size)
        abort();
    err_free(e);
    arena_free(arena);
    return 0;
}
