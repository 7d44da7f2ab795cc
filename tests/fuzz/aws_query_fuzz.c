/* aws_query_fuzz: a form as the body of STS, and as the query of S3's and emr-containers's list operations: route,
 * decode, validate, and write whatever error comes of it. */
#include "aws/codec.h"
#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void serve(struct slice service_name, const struct aws_request *request)
{
    struct arena *arena = arena_new();
    const struct aws_service *service = aws_service_find(service_name);
    struct aws_route route;
    void *in = NULL;
    struct err *e = aws_route(arena, service, request, &route);
    if (!e)
        e = aws_decode_request(arena, &route, request, &in);
    if (!e)
        e = aws_validate(arena, route.operation, in);
    if (e)
        aws_encode_error(arena, service, request, S("id"), e);
    err_free(e);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    serve(S("sts"), &(struct aws_request){.method = S("POST"), .path = S("/"), .body = text});
    serve(S("s3"), &(struct aws_request){.method = S("GET"), .path = S("/bucket"), .query = text});
    serve(S("s3"), &(struct aws_request){.method = S("PUT"), .path = S("/bucket/key"), .query = text});
    serve(S("emr-containers"),
          &(struct aws_request){.method = S("GET"), .path = S("/virtualclusters/vc/jobruns"), .query = text});
    return 0;
}
