/* Names, limits and tokens that every operation of CloudWatch Logs uses. */
#include "services/logs/logs.h"

#include "base/encode.h"

struct err *logs_invalid_parameter(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct strbuf text = STRBUF_HEAP;
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    struct err *e = aws_err(ERR_INVALID, 400, "InvalidParameterException", "%s", text.ptr ? text.ptr : "");
    strbuf_deinit(&text);
    return e;
}

struct err *logs_group_name(struct slice name, struct slice identifier, struct slice *ret_name)
{
    if (name.ptr && identifier.ptr)
        return logs_invalid_parameter("Only one of logGroupName or logGroupIdentifier may be specified.");
    if (!name.ptr && !identifier.ptr)
        return logs_invalid_parameter("One of logGroupName or logGroupIdentifier must be specified.");
    struct slice group = name.ptr ? name : identifier;
    if (!name.ptr && slice_starts_with(group, S("arn:"))) {
        ptrdiff_t at = slice_find(group, S(":log-group:"));
        if (at < 0)
            return logs_invalid_parameter("The logGroupIdentifier is not the ARN of a log group.");
        group = slice_from(group, (size_t)at + sizeof(":log-group:") - 1);
        if (slice_ends_with(group, S(":*")))
            group = slice_sub(group, 0, group.len - 2);
    }
    *ret_name = group;
    return NULL;
}

struct slice logs_group_arn(const struct call *call, struct slice group)
{
    return slice_fmt(call->arena, "arn:aws:logs:%.*s:%.*s:log-group:%.*s", SLICE_ARG(call->parts->region),
                     SLICE_ARG(call->parts->account_id), SLICE_ARG(group));
}

struct err *logs_limit(struct opt_i64 limit, int64_t max, size_t *ret_limit)
{
    if (limit.set && (limit.value < 1 || limit.value > max))
        return logs_invalid_parameter(
            "1 validation error detected: Value '%lld' at 'limit' failed to satisfy constraint: Member must have value %s than or equal to %lld",
            (long long)limit.value, limit.value < 1 ? "greater" : "less", (long long)(limit.value < 1 ? 1 : max));
    *ret_limit = (size_t)(limit.set ? limit.value : max);
    return NULL;
}

struct slice logs_list_token(struct arena *arena, struct slice last)
{
    return base64url_encode(arena, slice_fmt(arena, "n%.*s", SLICE_ARG(last)));
}

struct err *logs_list_token_parse(struct arena *arena, struct slice token, struct slice *ret_after)
{
    struct slice text;
    if (!token.len) {
        *ret_after = SLICE_NONE;
        return NULL;
    }
    if (!base64url_decode(arena, token, &text) || !text.len || text.ptr[0] != 'n')
        return logs_invalid_parameter("The specified nextToken is invalid.");
    *ret_after = slice_from(text, 1);
    return NULL;
}
