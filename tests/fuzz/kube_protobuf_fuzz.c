/* kube_protobuf_fuzz: a body of type application/vnd.kubernetes.protobuf; what decodes must pass on to the type checks. */
#include "base/arena.h"
#include "cluster/apiserver/decode.h"
#include "cluster/apiserver/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice body = slice_of((const char *)data, size);
    struct json *object;
    err_free(protobuf_decode(arena, body, &object));
    for (size_t i = 0; i < kinds_count; i++) {
        struct warnings warnings = {.arena = arena};
        struct decode_input input = {
            .kind = &kinds[i], .content_type = S("application/vnd.kubernetes.protobuf"), .body = body, .warnings = &warnings};
        err_free(decode_object(arena, &input, &object));
    }
    arena_free(arena);
    return 0;
}
