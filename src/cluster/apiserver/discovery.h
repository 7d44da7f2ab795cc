/* discovery: the documents by which clients learn what is served: /api, /apis (legacy and aggregated), /api/v1, /apis/G[/V],
 * /version, /openapi/v2, /openapi/v3. All made from kinds[]. Pure. */
#pragma once
#include "base/err.h"
#include "base/json.h"

struct discovery_answer {
    int status;              /* 200; 304 is the caller's business */
    const char *content_type; /* NULL: none */
    struct slice body;
};

struct discovery_input {
    struct slice path;           /* decoded, without query: "/api/v1" */
    struct slice accept;
    struct slice server_address; /* "127.16.0.1:6443", for serverAddressByClientCIDRs */
};

/* True when the path is one of discovery's (also with a trailing slash): "/", "/api", "/api/X", "/apis", "/apis/G", "/apis/G/V",
 * "/version", "/openapi/…". GET only: the caller answers 405 to other methods. */
bool discovery_is_path(struct slice path);
/* The document, or the text `404 page not found` with status 404; 406, and 404 for an unknown version of a known group, as err. */
struct err *discovery_get(struct arena *arena, const struct discovery_input *input, struct discovery_answer *ret_answer) NODISCARD;

/* For the answers of discovery_get: the OpenAPI documents (openapi.c). path is behind /openapi/v3, "" for the index; SLICE_NONE: 404. */
struct slice openapi_get(struct arena *arena, struct slice path);
