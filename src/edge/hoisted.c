/* hoisted: headers that stand in the query of a presigned URL of S3, so that whoever uses it need not send them: user metadata (the SDKs for
 * JavaScript 3, Go 1 and Ruby write it there), and with version 2 what botocore signs beside it, Content-Type and Content-MD5. S3 stores such
 * metadata (aws-sdk-js-v3 #4694, aws-sdk-ruby #1808, aws-sdk-go-v2 #1474), but was seen to ignore checksums in URLs (aws-sdk-go-v2 #2610,
 * aws-sdk #480), which are those of a body that was not there yet; so they are ignored here. */
#include "edge/edge_internal.h"
#include "aws/codec.h"
#include "base/arena.h"

static bool is_hoisted(const struct target *target, struct slice name)
{
    static const struct slice of_version2[] = {S_INIT("content-type"), S_INIT("content-md5")};
    if (target->signing == SIGNING_V2_QUERY)
        for (size_t i = 0; i < ARRAY_SIZE(of_version2); i++)
            if (slice_eq_nocase(name, of_version2[i]))
                return true;
    return slice_starts_with_nocase(name, S("x-amz-meta-"));
}

/* A token, RFC 9110 5.6.2: anything else would be another header in an answer, or none. */
bool edge_is_header_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || slice_index(S("-_.!#$%&'*+^`|~"), c) >= 0))
            return false;
    }
    return name.len > 0;
}

bool edge_is_header_value(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (((unsigned char)value.ptr[i] < 0x20 && value.ptr[i] != '\t') || value.ptr[i] == 0x7f)
            return false;
    return true;
}

struct err *edge_take_hoisted(struct arena *arena, const struct target *target, struct aws_request *request)
{
    struct aws_params params;
    if (target->signing != SIGNING_QUERY && target->signing != SIGNING_V2_QUERY)
        return NULL;
    (void)aws_params_parse(arena, request->query, AWS_PLUS_KEPT, &params);
    struct aws_header *headers = ARENA_ARRAY(arena, request->headers.count + params.count + 1, struct aws_header);
    size_t count = 0;
    for (; count < request->headers.count; count++)
        headers[count] = request->headers.items[count];
    for (size_t i = 0; i < params.count; i++) {
        struct aws_param param = params.items[i];
        /* A header of that name is signed as well, and is what is used. */
        if (!is_hoisted(target, param.name) || aws_header_get(request->headers, param.name).ptr)
            continue;
        if (!edge_is_header_name(param.name) || !edge_is_header_value(param.value)) /* neither is repeated: no XML can hold some of these */
            return aws_err(ERR_INVALID, 400, "InvalidArgument", "A header in the query has a character that headers may not have.");
        headers[count++] = (struct aws_header){.name = param.name, .value = slice_trim(param.value)};
    }
    request->headers = (struct aws_headers){.items = headers, .count = count};
    return NULL;
}
