/* call: one request to the API server on its way from authentication to its answer: who asks, for what, and the answering
 * functions. Lives in the worker thread that serves it; everything in it is in the request's arena. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "cluster/apiserver/decode.h"
#include "cluster/apiserver/kinds.h"
#include "cluster/apiserver/negotiate.h"
#include "cluster/apiserver/registry.h"
#include "cluster/apiserver/status_error.h"
#include "http/server.h"

struct apiserver;

struct user {
    struct slice name, uid;
    const struct slice *groups;
    size_t group_count;
    const struct json *extra; /* object of arrays, or NULL */
};

struct api_call {
    struct http_request *http;
    struct apiserver *server;
    struct arena *arena;
    struct user user;
    struct warnings warnings;
    struct slice audit_id; /* of the answer's head, and of what is logged meanwhile; the client's own, if it gave one */

    struct slice path;          /* decoded, without query */
    bool is_resource;           /* /api/V/… or /apis/G/V/… with something behind it */
    const char *verb;           /* "get", "list", "watch", …; of other paths the lower-case method; NULL: a method nobody has */
    struct slice group, version, resource, subresource;
    struct slice namespace_name; /* empty: none in the path */
    struct slice name;           /* empty: none in the path */
    const struct kind *kind;     /* NULL: not served */
    const struct subresource *sub; /* NULL: none, or not served */
};

/* Reads method and path into the call: pure. The segments are percent-decoded. */
void call_parse(struct api_call *call);
/* A query parameter, decoded; absent: SLICE_NONE. */
struct slice call_query(const struct api_call *call, const char *name);
/* Kubernetes's booleans: absent, "false", "0" are false, anything else is true. */
bool call_query_flag(const struct api_call *call, const char *name);
/* 400 `strconv.ParseInt: parsing "x": invalid syntax`; absent or empty: otherwise. */
struct err *call_query_i64(const struct api_call *call, const char *name, int64_t otherwise, int64_t *ret_value) NODISCARD;
/* The key of the call's kind in the registry. */
struct slice call_stored_resource(const struct kind *kind);
/* True when the kind is another view (events.k8s.io) of what is stored. */
bool kind_is_view(const struct kind *kind);
/* At most 3 MiB; 413 past that. */
struct err *call_body(struct api_call *call, struct slice *ret_body) NODISCARD;
/* dryRun=All; 422 for other values (operation: "CreateOptions"). */
struct err *call_dry_run(const struct api_call *call, const char *operation, bool *ret_dry_run) NODISCARD;

/* Answers. Each answers exactly once. */
void answer_text(struct api_call *call, int status, const char *content_type, struct slice body);
void answer_json(struct api_call *call, int status, const struct json *body);
void answer_err(struct api_call *call, struct err *e); /* takes e; logs failures */
/* One object in the form that the client accepts; text may be used as it is when the kind is what is stored. */
struct err *answer_object(struct api_call *call, int status, const struct object *object) NODISCARD;
struct err *answer_object_json(struct api_call *call, int status, struct json *object) NODISCARD;
