/* post_policy_fuzz: line one is a form's fields (a=b&c=d), the rest its policy document. Nothing may crash, and a policy that lets the form in
 * speaks of each of its fields. */
#include "aws/post_policy.h"
#include "base/arena.h"
#include "base/encode.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIELDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice rest = slice_of((const char *)data, size), line = slice_cut(&rest, '\n');
    struct aws_header fields[FIELDS_MAX];
    struct aws_params params;
    struct post_policy policy;
    size_t count = 0;
    (void)aws_params_parse(arena, line, AWS_PLUS_KEPT, &params);
    for (; count < params.count && count < FIELDS_MAX; count++)
        fields[count] = (struct aws_header){.name = params.items[count].name, .value = params.items[count].value};
    struct err *e = post_policy_parse(arena, rest, &policy); /* rarely Base64 */
    err_free(e);
    e = post_policy_parse(arena, base64_encode(arena, rest.ptr ? rest : S("")), &policy);
    if (!e) {
        if (policy.condition_count > POST_POLICY_MAX_CONDITIONS || policy.min_bytes < 0 || policy.max_bytes < 0)
            abort();
        e = post_policy_check(arena, &policy, (struct aws_headers){fields, count}, policy.expires_at);
        if (!e && count && !policy.condition_count && slice_eq(fields[0].name, S("key")))
            abort();
    }
    err_free(e);
    arena_free(arena);
    return 0;
}
