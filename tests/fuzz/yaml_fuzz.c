/* yaml_fuzz: what is read must be writable as JSON and read again as the same. */
#include "base/arena.h"
#include "base/yaml.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct json *value, *again;
    struct err *e = yaml_parse(arena, slice_of((const char *)data, size), &value);
    if (!e) {
        e = json_parse(arena, json_to_slice(arena, value), JSON_DUPLICATES_REFUSE, &again);
        if (e)
            abort();
    }
    err_free(e);
    arena_free(arena);
    return 0;
}
