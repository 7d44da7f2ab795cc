/* arn_fuzz: what is taken apart goes together again. */
#include "aws/arn.h"
#include "base/arena.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice text = slice_of((const char *)data, size), type, id;
    struct arn arn;
    if (arn_parse(text, &arn)) {
        arn_split_resource(&arn, &type, &id);
        if (!slice_eq(arn_format(arena, &arn), text) || type.len + id.len > arn.resource.len)
            abort();
    }
    arena_free(arena);
    return 0;
}
