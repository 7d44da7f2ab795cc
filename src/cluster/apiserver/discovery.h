/* discovery: the documents by which clients learn what is served: /api, /apis (legacy and aggregated), /api/v1, /apis/G[/V],
 * /version, /openapi/v3. All made from kinds[]. Pure. */
#pragma once
#include "base/err.h"
#include "base/json.h"

struct discovery_answer {
    int status;              /* 200; 304 is the caller's business */
    const char *content_type;
    struct slice body;
};

struct discovery_input {
    struct slice path;           /* decoded, without query: "/api/v1" */
    struct slice accept;
    struct slice server_address; /* "127.16.0.1:6443", for serverAddressByClientCIDRs */
};

/* True when the path is one of discovery's (also with a trailing slash): then ret_answer is filled, or the error (406, 404 for an
 * unknown group) returned. False: not ours. GET only: the caller answers 405 to other methods. */
bool discovery_is_path(struct slice path);
struct err *discovery_get(struct arena *arena, const struct discovery_input *input, struct discovery_answer *ret_answer) NODISCARD;
