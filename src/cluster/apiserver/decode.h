/* decode: a request's body becomes an object: JSON, YAML or protobuf by content type; types and field names checked against
 * the kind's schema (schema.h); quantities made canonical. Pure; errors are Statuses (status_error.h). */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "cluster/apiserver/kinds.h"

/* The query parameter fieldValidation; absent: Warn. */
enum field_validation { FIELD_VALIDATION_WARN, FIELD_VALIDATION_STRICT, FIELD_VALIDATION_IGNORE };

/* 422 for an unknown value (operation: "CreateOptions", "UpdateOptions", "PatchOptions"). */
struct err *field_validation_parse(struct slice text, const char *operation, enum field_validation *ret_validation) NODISCARD;

/* Texts for `Warning: 299 - "TEXT"` headers; strings live in the arena of the call. */
struct warnings {
    struct arena *arena;
    struct json *texts; /* array of strings, NULL: none */
};
void warning_add(struct warnings *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define OBJECT_MEMBERS_MAX 10000 /* of one JSON object in a body: 413 past that */

struct decode_input {
    const struct kind *kind;           /* what the path wants */
    struct slice content_type;         /* as sent; absent or empty: JSON */
    struct slice body;
    enum field_validation validation;
    struct warnings *warnings;
};

/* kind and apiVersion are filled in from the path when a JSON body has none; a wrong one is 400. The result has unknown fields
 * dropped, nulls dropped and quantities canonical. 400, 415. */
struct err *decode_object(struct arena *arena, const struct decode_input *input, struct json **ret_object) NODISCARD;
/* The body of DELETE: {} when empty; kind and apiVersion may be missing. 500 (as Kubernetes has it), 415, 422. */
struct err *decode_delete_options(struct arena *arena, struct slice content_type, struct slice body, struct json **ret_options) NODISCARD;
/* 422 for an unknown propagationPolicy, or both that and orphanDependents; also for options that came in the query. */
struct err *delete_options_validate(struct arena *arena, const struct json *options) NODISCARD;
/* After a patch: the same checks on an object that is already a tree (changed in place). 422 for a wrong type
 * or a changed kind, in the words of a patch; unknown fields by validation. */
struct err *decode_check(struct arena *arena, const struct kind *kind, struct json *object, enum field_validation validation,
                         struct warnings *warnings) NODISCARD;
/* Any body as a tree, for patches: JSON, or YAML where allow_yaml. 400 with Kubernetes's words. */
struct err *decode_patch_body(struct arena *arena, struct slice body, struct json **ret_tree) NODISCARD;
struct err *decode_patch_body_yaml(struct arena *arena, struct slice body, struct json **ret_tree) NODISCARD;
