/* post_policy: see the header. */
#include "aws/post_policy.h"
#include "aws/codec.h"
#include "base/arena.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/strbuf.h"

static struct err *invalid(const char *what)
{
    return aws_err(ERR_INVALID, 400, "InvalidPolicyDocument", "Invalid Policy: %s", what);
}

/* Forms made by hand break the Base64 into lines. */
static struct slice without_blanks(struct arena *arena, struct slice text)
{
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '\n' && text.ptr[i] != '\r' && text.ptr[i] != ' ')
            strbuf_append_char(&out, text.ptr[i]);
    return strbuf_slice(&out);
}

static struct err *add(struct arena *arena, struct post_policy *policy, struct post_condition *conditions, bool starts_with,
                       struct slice field, const struct json *value)
{
    if (policy->condition_count == POST_POLICY_MAX_CONDITIONS)
        return invalid("Too many conditions.");
    if (!json_is(value, JSON_STRING))
        return invalid("Invalid Condition: the value must be a string.");
    conditions[policy->condition_count++] =
        (struct post_condition){.starts_with = starts_with, .field = slice_lower(arena, field), .value = json_text(value)};
    return NULL;
}

static bool size_of(const struct json *value, int64_t *ret_size)
{
    return (json_is(value, JSON_NUMBER) || json_is(value, JSON_STRING)) && slice_to_i64(value->text, 0, INT64_MAX, ret_size);
}

static struct err *parse_range(const struct json *item, struct post_policy *policy)
{
    int64_t min, max;
    if (json_count(item) != 3 || !size_of(json_item(item, 1), &min) || !size_of(json_item(item, 2), &max) || min > max)
        return invalid("Invalid Content-Length-Range condition: two numbers are needed.");
    /* Several must all hold. */
    policy->min_bytes = min > policy->min_bytes ? min : policy->min_bytes;
    policy->max_bytes = max < policy->max_bytes ? max : policy->max_bytes;
    return NULL;
}

static struct err *parse_condition(struct arena *arena, const struct json *item, struct post_policy *policy, struct post_condition *conditions)
{
    if (json_is(item, JSON_OBJECT)) {
        if (json_count(item) != 1)
            return invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.");
        return add(arena, policy, conditions, false, item->first->key, item->first);
    }
    if (!json_is(item, JSON_ARRAY))
        return invalid("Invalid Condition: it must be a list or an object.");
    struct slice operator = json_text(json_item(item, 0)), field = json_text(json_item(item, 1));
    if (slice_eq_nocase(operator, S("content-length-range")))
        return parse_range(item, policy);
    bool starts_with = slice_eq_nocase(operator, S("starts-with"));
    if (!starts_with && !slice_eq_nocase(operator, S("eq")))
        return invalid("Invalid Condition: unknown operation.");
    if (json_count(item) != 3 || field.len < 2 || field.ptr[0] != '$')
        return invalid("Invalid Condition: an operation, a field with a dollar sign and a value are needed.");
    return add(arena, policy, conditions, starts_with, slice_from(field, 1), json_item(item, 2));
}

struct err *post_policy_parse(struct arena *arena, struct slice text, struct post_policy *ret_policy)
{
    struct post_policy policy = {.max_bytes = INT64_MAX};
    struct slice document;
    struct json *root;
    if (!base64_decode(arena, without_blanks(arena, text), &document))
        return invalid("Invalid Base64.");
    struct err *e = json_parse(arena, document, JSON_DUPLICATES_REFUSE, &root);
    if (e || !json_is(root, JSON_OBJECT)) {
        err_free(e);
        return invalid("Invalid JSON.");
    }
    const struct json *expiration = json_get(root, S("expiration")), *list = json_get(root, S("conditions"));
    if (!expiration)
        return invalid("Policy missing expiration.");
    if (!json_is(expiration, JSON_STRING) || !instant_parse_iso8601(expiration->text, &policy.expires_at))
        return invalid("Invalid 'expiration' value.");
    if (!list)
        return invalid("Policy missing conditions.");
    if (!json_is(list, JSON_ARRAY))
        return invalid("Invalid 'conditions' value: must be a List.");
    if (json_count(root) != 2)
        return invalid("Unexpected property.");
    size_t count = json_count(list);
    struct post_condition *conditions =
        ARENA_ARRAY(arena, count < POST_POLICY_MAX_CONDITIONS ? count + 1 : POST_POLICY_MAX_CONDITIONS, struct post_condition);
    policy.conditions = conditions;
    JSON_FOREACH(item, list)
        TRY(parse_condition(arena, item, &policy, conditions));
    *ret_policy = policy;
    return NULL;
}

/* A Content-Type may be a list, and then each of it must begin so. */
static bool begins_with(const struct post_condition *condition, struct slice value)
{
    if (!slice_eq(condition->field, S("content-type")))
        return slice_starts_with(value, condition->value);
    while (value.ptr)
        if (!slice_starts_with(slice_trim(slice_cut(&value, ',')), condition->value))
            return false;
    return true;
}

static struct err *failed(struct arena *arena, const struct post_condition *condition)
{
    struct strbuf text = STRBUF_ARENA(arena);
    strbuf_append_cstr(&text, condition->starts_with ? "[\"starts-with\", " : "[\"eq\", ");
    json_write_string(&text, slice_fmt(arena, "$%.*s", SLICE_ARG(condition->field)));
    strbuf_append_cstr(&text, ", ");
    json_write_string(&text, condition->value);
    strbuf_append_char(&text, ']');
    return aws_err(ERR_DENIED, 403, "AccessDenied", "Invalid according to Policy: Policy Condition failed: %.*s",
                   SLICE_ARG(strbuf_slice(&text)));
}

/* What signs the form, and what nobody looks at, needs no condition. */
static bool is_exempt(struct slice name)
{
    static const struct slice names[] = {S_INIT("policy"), S_INIT("signature"), S_INIT("x-amz-signature"), S_INIT("awsaccesskeyid"),
                                         S_INIT("file")};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (slice_eq_nocase(name, names[i]))
            return true;
    return slice_starts_with_nocase(name, S("x-ignore-"));
}

static bool is_covered(const struct post_policy *policy, struct slice name)
{
    for (size_t i = 0; i < policy->condition_count; i++)
        if (slice_eq_nocase(policy->conditions[i].field, name))
            return true;
    return is_exempt(name);
}

struct err *post_policy_check(struct arena *arena, const struct post_policy *policy, struct aws_headers fields, struct instant now)
{
    if (now.ms > policy->expires_at.ms)
        return aws_err(ERR_DENIED, 403, "AccessDenied", "Invalid according to Policy: Policy expired.");
    for (size_t i = 0; i < policy->condition_count; i++) {
        const struct post_condition *condition = &policy->conditions[i];
        struct slice value = aws_header_get(fields, condition->field);
        bool holds = condition->starts_with ? begins_with(condition, value.ptr ? value : S("")) : value.ptr && slice_eq(value, condition->value);
        if (!holds)
            return failed(arena, condition);
    }
    struct strbuf extra = STRBUF_ARENA(arena);
    for (size_t i = 0; i < fields.count; i++) {
        if (is_covered(policy, fields.items[i].name))
            continue;
        strbuf_append_cstr(&extra, extra.len ? ", " : "");
        strbuf_append(&extra, slice_lower(arena, fields.items[i].name));
    }
    if (extra.len)
        return aws_err(ERR_DENIED, 403, "AccessDenied", "Invalid according to Policy: Extra input fields: %.*s",
                       SLICE_ARG(strbuf_slice(&extra)));
    return NULL;
}
