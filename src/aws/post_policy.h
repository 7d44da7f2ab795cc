/* post_policy: the policy of an S3 POST form: until when it holds, what the form's fields must be and how big the file may be. Pure.
 * Source: S3 API reference, "POST Policy" and "Creating an HTML form"; messages as S3 words them. */
#pragma once
#include "aws/message.h"
#include "base/clock.h"
#include "base/err.h"

#define POST_POLICY_MAX_CONDITIONS 1000

struct post_condition {
    bool starts_with;    /* else: equals */
    struct slice field;  /* lower case, without its dollar sign */
    struct slice value;
};

struct post_policy {
    struct instant expires_at;
    const struct post_condition *conditions;
    size_t condition_count;
    int64_t min_bytes, max_bytes; /* of the file; INT64_MAX: nothing was said */
};

/* text: as the field "policy" has it, Base64 of JSON. InvalidPolicyDocument. */
struct err *post_policy_parse(struct arena *arena, struct slice text, struct post_policy *ret_policy) NODISCARD;
/* fields: of the form with their variables replaced, names in any case, none twice; the bucket is among them. AccessDenied: expired, a
 * condition that does not hold, or a field that no condition speaks of. */
struct err *post_policy_check(struct arena *arena, const struct post_policy *policy, struct aws_headers fields,
                              struct instant now) NODISCARD;
