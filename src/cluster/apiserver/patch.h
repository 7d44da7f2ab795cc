/* patch: the three kinds of PATCH that are functions of (live, body); server-side apply is in apply.h. The live object is never
 * changed: results are fresh trees. Errors are Statuses. The result still has to go through decode_check and strategy_*. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "cluster/apiserver/kinds.h"

enum patch_type { PATCH_JSON, PATCH_MERGE, PATCH_STRATEGIC, PATCH_APPLY };

/* From the content type; 415 with the list of accepted ones. */
struct err *patch_type_parse(struct slice content_type, enum patch_type *ret_type) NODISCARD;

/* Parses body (JSON; 400 when it is none or no object / array) and applies it to live. Not for PATCH_APPLY. */
struct err *patch_object(struct arena *arena, const struct kind *kind, enum patch_type type, const struct json *live,
                         struct slice body, struct json **ret_object) NODISCARD;

/* RFC 7386. */
struct json *patch_merge(struct arena *arena, const struct json *target, const struct json *patch);
/* RFC 6902; patch is an array. 422 when it does not fit, 400 when malformed. */
struct err *patch_json(struct arena *arena, const struct json *target, const struct json *patch, struct json **ret_object) NODISCARD;
/* Kubernetes's strategic merge with $patch, $setElementOrder, $deleteFromPrimitiveList, $retainKeys. */
struct err *patch_strategic(struct arena *arena, const struct kind *kind, const struct json *target, const struct json *patch,
                            struct json **ret_object) NODISCARD;
