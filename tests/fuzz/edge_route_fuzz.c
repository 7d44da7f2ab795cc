/* edge_route_fuzz: line one the Host, line two an Authorization header, then headers, a blank line, and method, path and query, and a
 * body: which service a request is for, and which operation. There is always one to answer in; a bucket named by the host is a part of it. */
#include "edge/edge_internal.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice rest = slice_of((const char *)data, size), host = input_line(&rest), authorization = input_line(&rest), line;
    struct aws_header headers[8] = {{S("Authorization"), authorization}};
    size_t count = authorization.len ? 1 : 0;
    while ((line = input_line(&rest)).len)
        if (count < ARRAY_SIZE(headers) && slice_split(line, ':', &headers[count].name, &headers[count].value))
            count++;
    struct slice request_line = input_line(&rest), method = slice_cut(&request_line, ' '), path = slice_cut(&request_line, ' ');
    struct aws_request request = {
        .method = method, .path = path.len ? path : S("/"), .query = request_line, .headers = {headers, count}, .body = rest, .bucket = SLICE_NONE};
    struct target target = edge_route_target(arena, &request, host);
    ENSURE(target.service);
    ENSURE(!target.bucket.ptr || (target.bucket.len && slice_starts_with(host, target.bucket) && target.bucket.len < host.len));
    ENSURE((target.door == DOOR_UNKNOWN) <= (target.scope_service.ptr != NULL));
    request.bucket = target.bucket;
    struct aws_route route = {0};
    void *in;
    struct err *e = aws_route(arena, target.service, &request, &route);
    ENSURE(e || (route.operation && route.operation->served));
    if (!e)
        e = aws_decode_request(arena, &route, &request, &in);
    if (!e)
        e = aws_validate(arena, route.operation, in);
    if (e) {
        struct aws_response answer = aws_encode_error(arena, target.service, &request, S("id"), e);
        ENSURE(answer.status >= 300 && answer.status < 600);
    }
    err_free(e);
    arena_free(arena);
    return 0;
}
