/* quantity: Kubernetes's resource amounts ("500m", "1Gi", "1e3"). Pure, exact: no doubles.
 * Source: apimachinery's resource.Quantity 0.34 and its behaviour in default-kinds, error-invalid-pods. */
#pragma once
#include "base/json.h"

enum quantity_format { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI, QUANTITY_DECIMAL_EXPONENT };

struct quantity {
    __int128 nano; /* value * 10^9, rounded up, capped at ±(2^63-1) * 10^9 */
    enum quantity_format format;
};

/* False when text is no quantity. A JSON number's literal is one too. */
bool quantity_parse(struct slice text, struct quantity *ret_quantity);
int quantity_cmp(struct quantity a, struct quantity b); /* <0, 0, >0 */
struct quantity quantity_add(struct quantity a, struct quantity b);
struct quantity quantity_sub(struct quantity a, struct quantity b);
/* "0.5" -> "500m", "1024Mi" -> "1Gi", "1073741824" stays. */
struct slice quantity_to_text(struct arena *arena, struct quantity q);
int64_t quantity_to_milli(struct quantity q); /* rounded up, saturating: CPU */
int64_t quantity_to_i64(struct quantity q);   /* rounded up, saturating: bytes */
/* Of a JSON string or number; otherwise when absent or malformed. */
int64_t quantity_json_to_milli(const struct json *value, int64_t otherwise);
int64_t quantity_json_to_i64(const struct json *value, int64_t otherwise);
