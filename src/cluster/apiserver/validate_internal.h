/* validate_internal: the pieces of validation, for validate*.c alone. Each appends what is wrong to errors; words and order are
 * those of Kubernetes 1.34 (error-invalid-*, error-immutable). */
#pragma once
#include "cluster/apiserver/names.h"
#include "cluster/apiserver/strategy.h"

/* A field path in the arena of the errors. */
#define PATH(errors, ...) slice_fmt((errors)->arena, __VA_ARGS__)

typedef const char *name_checker(struct arena *arena, struct slice name);

/* Text against one of name_check_*; value is quoted in the message. */
void check_text(struct field_errors *errors, struct slice field, struct slice text, name_checker *check);
/* One of choices (NULL-terminated); absent or "" is not supported either. order: as the message lists them. */
void check_choice(struct field_errors *errors, struct slice field, const struct json *value, const char *const *choices);
void check_labels(struct field_errors *errors, struct slice field, const struct json *labels);
void check_annotations(struct field_errors *errors, struct slice field, const struct json *annotations);
void check_port_number(struct field_errors *errors, struct slice field, const struct json *value);

void validate_metadata(struct field_errors *errors, const struct kind *kind, const struct json *metadata);
void validate_metadata_update(struct field_errors *errors, const struct kind *kind, const struct json *old, const struct json *metadata);

void validate_pod_spec(struct field_errors *errors, struct slice path, const struct json *spec);
void validate_pod_update(struct field_errors *errors, const struct json *old, const struct json *pod);
void validate_volumes(struct field_errors *errors, struct slice path, const struct json *volumes);
/* path: …resources; requests against limits, names and signs. */
void validate_resources(struct field_errors *errors, struct slice path, const struct json *resources);
