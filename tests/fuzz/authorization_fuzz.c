/* authorization_fuzz: line one is the Authorization header, line two the query, line three the path. Nothing may crash,
 * and nobody gets in without the secret. */
#include "aws/sigv4.h"
#include "base/arena.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice rest = slice_of((const char *)data, size);
    struct aws_header headers[3] = {{S("Host"), S("h")}, {S("X-Amz-Date"), S("20261121T211000Z")}};
    struct aws_request request = {.method = S("GET"), .headers = {headers, 2}};
    struct slice authorization = slice_cut(&rest, '\n');
    if (authorization.len) {
        headers[2] = (struct aws_header){.name = S("Authorization"), .value = authorization};
        request.headers.count = 3;
    }
    request.query = rest.ptr ? slice_cut(&rest, '\n') : SLICE_NONE;
    request.path = rest.ptr ? rest : S("/");
    struct sigv4_auth auth;
    struct sigv4_result result = sigv4_parse(arena, &request, &auth);
    struct instant now = {1795295400000};
    if (result.check == SIGV4_OK)
        result = sigv4_check_scope(arena, &auth, &request, auth.service, SLICE_NONE, now);
    struct sigv4_chain chain;
    if (result.check == SIGV4_OK)
        result = sigv4_check_signature(arena, &auth, &request, S("a secret nobody guesses"), &chain);
    if (result.check == SIGV4_OK)
        abort();
    arena_free(arena);
    return 0;
}
