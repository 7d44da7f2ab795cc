/* apply: server-side apply without managedFields: for each object and manager the last applied body is known (the caller keeps
 * it), and ownership follows from those bodies. Pure. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "cluster/apiserver/decode.h"
#include "cluster/apiserver/kinds.h"

struct apply_manager {
    struct slice name;
    const struct json *applied; /* its last applied body, or for a writer by PUT/PATCH/POST what it set */
};

struct apply_input {
    const struct kind *kind;
    const struct json *live;                /* NULL: absent, the result is the body */
    const struct json *previous;            /* what this manager applied last; NULL: nothing */
    const struct json *body;                /* from apply_parse */
    const struct apply_manager *others;     /* the other managers of this object */
    size_t other_count;
    struct slice manager;
    bool force;
};

/* YAML or JSON body; 400 without kind and apiVersion or with managedFields, 500 for a field that the schema does not have. */
struct err *apply_parse(struct arena *arena, const struct kind *kind, struct slice body, struct json **ret_body) NODISCARD;
/* 409 `Apply failed with 1 conflict: conflict with "one": .data.k` unless force. A fresh tree. The others'
 * bodies stay as they are: who applied a value that is no longer the live one counts as an owner no more. */
struct err *apply_patch(struct arena *arena, const struct apply_input *input, struct json **ret_object) NODISCARD;
