/* aws_json_fuzz: a StartJobRun body: decode, validate; what was read is writable. */
#include "aws/codec.h"
#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    const struct aws_service *service = aws_service_find(S("emr-containers"));
    struct aws_request request = {
        .method = S("POST"), .path = S("/virtualclusters/vc/jobruns"), .body = slice_of((const char *)data, size)};
    struct aws_route route;
    void *in = NULL;
    struct err *e = aws_route(arena, service, &request, &route);
    if (!e)
        e = aws_decode_request(arena, &route, &request, &in);
    if (!e) {
        aws_json_encode(arena, route.operation->request, in);
        e = aws_validate(arena, route.operation, in);
    }
    err_free(e);
    arena_free(arena);
    return 0;
}
