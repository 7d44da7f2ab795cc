/* clang-format off */
/* validate: the model's constraints over a decoded request, in the words of AWS's own validator: every violation, joined
 * by "; ", members in the model's order, pattern before length for one value. Form read off real answers of IAM, STS, Logs:
 *   2 validation errors detected: Value 'x' at 'roleArn' failed to satisfy constraint: Member must …; Value null at …
 * S3 words its complaints one by one and differently. */
/* clang-format on */
#include "aws/codec.h"
#include "aws/regex.h"
#include "aws/value.h"
#include "base/arena.h"
#include "base/strbuf.h"

#define MAX_REPORTED 10        /* AWS stops looking after so many (recorded answers in kinesalite's and dynalite's tests) */
#define VALUE_SHOWN_BYTES 4096 /* of one value in a message */

struct report {
    struct arena *arena;
    struct strbuf text;
    size_t count;
};

static bool is_full(const struct report *report)
{
    return report->count == MAX_REPORTED;
}

static size_t utf16_length(struct slice text)
{
    size_t units = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        units += (c & 0xc0) == 0x80 ? 0 : c >= 0xf0 ? 2 : 1;
    }
    return units;
}

static void show_value(struct report *report, const struct aws_shape *shape, const void *value);

static void show_items(struct report *report, const struct aws_shape *shape, const void *value)
{
    const struct aws_list *list = value;
    strbuf_append_char(&report->text, '[');
    for (size_t i = 0; i < list->count && i < 100; i++) {
        if (i)
            strbuf_append_cstr(&report->text, ", ");
        show_value(report, shape->item, aws_list_item(shape, value, i));
    }
    strbuf_append_char(&report->text, ']');
}

/* As Java's toString would. */
static void show_value(struct report *report, const struct aws_shape *shape, const void *value)
{
    switch (shape->kind) {
    case AWS_LIST:
        show_items(report, shape, value);
        return;
    case AWS_MAP:
        strbuf_append_char(&report->text, '{');
        for (size_t i = 0; i < ((const struct aws_map *)value)->count && i < 100; i++) {
            if (i)
                strbuf_append_cstr(&report->text, ", ");
            strbuf_append(&report->text, slice_sub(aws_map_key(shape, value, i), 0, VALUE_SHOWN_BYTES));
            strbuf_append_char(&report->text, '=');
            if (!shape->item->sensitive)
                show_value(report, shape->item, aws_map_value(shape, value, i));
        }
        strbuf_append_char(&report->text, '}');
        return;
    case AWS_STRUCTURE:
        strbuf_append(&report->text, shape->name);
        strbuf_append_cstr(&report->text, "()");
        return;
    case AWS_BLOB: {
        size_t len = ((const struct slice *)value)->len;
        strbuf_append_fmt(&report->text, "java.nio.HeapByteBuffer[pos=0 lim=%zu cap=%zu]", len, len);
        return;
    }
    case AWS_STRING:
    case AWS_BOOLEAN:
    case AWS_INTEGER:
    case AWS_FLOAT:
    case AWS_TIMESTAMP:
        strbuf_append(&report->text, slice_sub(aws_scalar_format(report->arena, shape, AWS_TIMESTAMP_ISO8601, value), 0,
                                               VALUE_SHOWN_BYTES));
        return;
    case AWS_DOCUMENT:
        return;
    }
}

/* value NULL: absent. constraint is what follows "failed to satisfy constraint: ". */
static void add(struct report *report, const struct aws_shape *shape, const void *value, bool sensitive,
                struct slice path, struct slice constraint)
{
    if (is_full(report))
        return;
    report->count++;
    if (report->count > 1)
        strbuf_append_cstr(&report->text, "; ");
    strbuf_append_cstr(&report->text, "Value ");
    if (!value)
        strbuf_append_cstr(&report->text, "null ");
    else if (!sensitive) {
        strbuf_append_char(&report->text, '\'');
        show_value(report, shape, value);
        strbuf_append_cstr(&report->text, "' ");
    }
    strbuf_append_fmt(&report->text, "at '%.*s' failed to satisfy constraint: ", SLICE_ARG(path));
    strbuf_append(&report->text, constraint);
}

/* The constraints a value breaks, without those of what it contains, each handed to told. */
struct broken {
    struct slice texts[6];
    size_t count;
};

static void broken_bounds(struct arena *arena, const struct aws_shape *shape, int64_t measure, const char *what,
                          struct broken *broken)
{
    if (shape->has_min && measure < shape->min)
        broken->texts[broken->count++] =
            slice_fmt(arena, "Member must have %s greater than or equal to %lld", what, (long long)shape->min);
    if (shape->has_max && measure > shape->max)
        broken->texts[broken->count++] =
            slice_fmt(arena, "Member must have %s less than or equal to %lld", what, (long long)shape->max);
}

static bool in_enum(const struct aws_shape *shape, struct slice text)
{
    for (size_t i = 0; i < shape->enum_count; i++)
        if (slice_eq(shape->enum_values[i], text))
            return true;
    return shape->enum_count == 0;
}

static struct broken broken_by(struct arena *arena, const struct aws_shape *shape, const void *value)
{
    struct broken broken = {.count = 0};
    switch (shape->kind) {
    case AWS_STRING: {
        struct slice text = *(const struct slice *)value;
        if (!in_enum(shape, text)) {
            struct strbuf set = STRBUF_ARENA(arena);
            for (size_t i = 0; i < shape->enum_count; i++)
                strbuf_append_fmt(&set, "%s%.*s", i ? ", " : "", SLICE_ARG(shape->enum_values[i]));
            broken.texts[broken.count++] =
                slice_fmt(arena, "Member must satisfy enum value set: [%.*s]", SLICE_ARG(strbuf_slice(&set)));
        }
        if (shape->pattern && !aws_regex_matches(shape->pattern, text))
            broken.texts[broken.count++] = slice_fmt(arena, "Member must satisfy regular expression pattern: %.*s",
                                                     SLICE_ARG(shape->pattern->text));
        broken_bounds(arena, shape, (int64_t)utf16_length(text), "length", &broken);
        break;
    }
    case AWS_BLOB:
        broken_bounds(arena, shape, (int64_t)((const struct slice *)value)->len, "length", &broken);
        break;
    case AWS_LIST:
        broken_bounds(arena, shape, (int64_t)((const struct aws_list *)value)->count, "length", &broken);
        break;
    case AWS_MAP:
        broken_bounds(arena, shape, (int64_t)((const struct aws_map *)value)->count, "length", &broken);
        break;
    case AWS_INTEGER:
        broken_bounds(arena, shape, ((const struct opt_i64 *)value)->value, "value", &broken);
        break;
    case AWS_STRUCTURE:
    case AWS_BOOLEAN:
    case AWS_FLOAT:
    case AWS_TIMESTAMP:
    case AWS_DOCUMENT:
        break;
    }
    return broken;
}

/* All constraint texts of a scalar as one list, for the wrapped form: Map keys must satisfy constraint: [a, b]. */
static struct slice joined_constraints(struct arena *arena, const struct aws_shape *shape)
{
    struct strbuf all = STRBUF_ARENA(arena);
    const char *comma = "";
    if (shape->has_max) {
        strbuf_append_fmt(&all, "%sMember must have length less than or equal to %lld", comma, (long long)shape->max);
        comma = ", ";
    }
    if (shape->has_min) {
        strbuf_append_fmt(&all, "%sMember must have length greater than or equal to %lld", comma,
                          (long long)shape->min);
        comma = ", ";
    }
    if (shape->pattern)
        strbuf_append_fmt(&all, "%sMember must satisfy regular expression pattern: %.*s", comma,
                          SLICE_ARG(shape->pattern->text));
    for (size_t i = 0; i < shape->enum_count; i++)
        strbuf_append_fmt(&all, "%s%.*s", i ? ", " : "Member must satisfy enum value set: [",
                          SLICE_ARG(shape->enum_values[i]));
    if (shape->enum_count)
        strbuf_append_char(&all, ']');
    return strbuf_slice(&all);
}

static bool is_scalar(const struct aws_shape *shape)
{
    return shape->kind != AWS_STRUCTURE && shape->kind != AWS_LIST && shape->kind != AWS_MAP &&
           shape->kind != AWS_DOCUMENT;
}

static void check_members(struct report *report, const struct aws_shape *structure, const void *value, bool sensitive,
                          struct slice prefix);
static void check_value(struct report *report, const struct aws_shape *shape, const void *value, bool sensitive,
                        struct slice path);

static void check_list(struct report *report, const struct aws_shape *shape, const void *value, bool sensitive,
                       struct slice path)
{
    for (size_t i = 0; i < ((const struct aws_list *)value)->count && !is_full(report); i++) {
        const void *item = aws_list_item(shape, value, i);
        if (is_scalar(shape->item)) {
            /* A scalar item is told at the list's own path. */
            if (!aws_value_is_set(shape->item, item) || broken_by(report->arena, shape->item, item).count) {
                add(report, shape, value, sensitive || shape->item->sensitive, path,
                    slice_fmt(report->arena, "Member must satisfy constraint: [%.*s]",
                              SLICE_ARG(joined_constraints(report->arena, shape->item))));
                return;
            }
            continue;
        }
        check_value(report, shape->item, item, sensitive,
                    slice_fmt(report->arena, "%.*s.%zu.member", SLICE_ARG(path), i + 1));
    }
}

static void check_map(struct report *report, const struct aws_shape *shape, const void *value, bool sensitive,
                      struct slice path)
{
    bool keys_told = false, values_told = false;
    for (size_t i = 0; i < ((const struct aws_map *)value)->count && !is_full(report); i++) {
        struct slice key = aws_map_key(shape, value, i);
        const void *item = aws_map_value(shape, value, i);
        if (!keys_told && broken_by(report->arena, shape->key, &key).count) {
            keys_told = true;
            add(report, shape, value, sensitive || shape->key->sensitive, path,
                slice_fmt(report->arena, "Map keys must satisfy constraint: [%.*s]",
                          SLICE_ARG(joined_constraints(report->arena, shape->key))));
        }
        if (!is_scalar(shape->item)) {
            check_value(report, shape->item, item, sensitive,
                        slice_fmt(report->arena, "%.*s.%.*s.member", SLICE_ARG(path), SLICE_ARG(key)));
        } else if (!values_told &&
                   (!aws_value_is_set(shape->item, item) || broken_by(report->arena, shape->item, item).count)) {
            values_told = true;
            add(report, shape, value, sensitive || shape->item->sensitive, path,
                slice_fmt(report->arena, "Map value must satisfy constraint: [%.*s]",
                          SLICE_ARG(joined_constraints(report->arena, shape->item))));
        }
    }
}

static void check_value(struct report *report, const struct aws_shape *shape, const void *value, bool sensitive,
                        struct slice path)
{
    sensitive = sensitive || shape->sensitive;
    struct broken broken = broken_by(report->arena, shape, value);
    for (size_t i = 0; i < broken.count; i++)
        add(report, shape, value, sensitive, path, broken.texts[i]);
    if (shape->kind == AWS_STRUCTURE)
        check_members(report, shape, value, sensitive, path);
    else if (shape->kind == AWS_LIST)
        check_list(report, shape, value, sensitive, path);
    else if (shape->kind == AWS_MAP)
        check_map(report, shape, value, sensitive, path);
}

static void check_members(struct report *report, const struct aws_shape *structure, const void *value, bool sensitive,
                          struct slice prefix)
{
    for (size_t i = 0; i < structure->member_count && !is_full(report); i++) {
        const struct aws_member *member = &structure->members[i];
        if (member->offset == AWS_NO_OFFSET)
            continue;
        /* Lower camel of the member's name: RoleName is told as roleName. */
        char first = member->name.ptr[0];
        first = first >= 'A' && first <= 'Z' ? (char)(first - 'A' + 'a') : first;
        struct slice path = slice_fmt(report->arena, "%.*s%s%c%.*s", SLICE_ARG(prefix), prefix.len ? "." : "", first,
                                      SLICE_ARG(slice_from(member->name, 1)));
        const void *child = aws_member_value(member, value);
        if (child)
            check_value(report, member->shape, child, sensitive, path);
        else if (member->required)
            add(report, member->shape, NULL, false, path, S("Member must not be null"));
    }
}

/* ---- S3 ---- */

static struct err *malformed_xml(const struct aws_service *service)
{
    return aws_err_serialization(service, "XML");
}

/* Only what is required and the numbers' bounds: S3 checks other values where they are used, each with a code of its
 * own. */
static struct err *check_s3_document(struct arena *arena, const struct aws_service *service,
                                     const struct aws_shape *shape, const void *value)
{
    if (shape->kind == AWS_LIST) {
        for (size_t i = 0; i < ((const struct aws_list *)value)->count; i++)
            TRY(check_s3_document(arena, service, shape->item, aws_list_item(shape, value, i)));
        return NULL;
    }
    if (shape->kind != AWS_STRUCTURE)
        return NULL;
    for (size_t i = 0; i < shape->member_count; i++) {
        const void *child = aws_member_value(&shape->members[i], value);
        if (!child && shape->members[i].required)
            return malformed_xml(service);
        if (child)
            TRY(check_s3_document(arena, service, shape->members[i].shape, child));
    }
    return NULL;
}

static struct err *validate_s3(struct arena *arena, const struct aws_operation *operation, const void *in)
{
    const struct aws_shape *shape = operation->request;
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct aws_member *member = &shape->members[i];
        const void *value = aws_member_value(member, in);
        if (member == shape->payload || member->location == AWS_IN_BODY) {
            if (value)
                TRY(check_s3_document(arena, operation->service, member->shape, value));
            else if (member->required)
                return aws_err(ERR_INVALID, 400, "MissingRequestBodyError", "Request Body is empty");
            continue;
        }
        struct slice text = value && member->shape->kind == AWS_STRING ? *(const struct slice *)value : SLICE_NONE;
        struct err *e = NULL;
        if (!value && member->required)
            e = aws_err(ERR_INVALID, 400, "InvalidArgument", "Missing required parameter %.*s",
                        SLICE_ARG(member->wire));
        else if (text.ptr && !in_enum(member->shape, text))
            e = slice_eq(member->wire, S("x-amz-storage-class"))
                    ? aws_err(ERR_INVALID, 400, "InvalidStorageClass", "The storage class you specified is not valid")
                : slice_eq(member->wire, S("encoding-type"))
                    ? aws_err(ERR_INVALID, 400, "InvalidArgument", "Invalid Encoding Method specified in Request")
                    : aws_err(ERR_INVALID, 400, "InvalidArgument", "Invalid value for %.*s", SLICE_ARG(member->wire));
        else if (value && member->shape->kind == AWS_INTEGER && broken_by(arena, member->shape, value).count)
            e = aws_err(ERR_INVALID, 400, "InvalidArgument", "Argument %.*s must be an integer between %lld and %lld",
                        SLICE_ARG(member->wire), (long long)member->shape->min, (long long)member->shape->max);
        if (e) {
            e = aws_err_member(e, "ArgumentName", member->wire);
            return text.ptr ? aws_err_member(e, "ArgumentValue", text) : e;
        }
    }
    return NULL;
}

struct err *aws_validate(struct arena *arena, const struct aws_operation *operation, const void *in)
{
    const struct aws_service *service = operation->service;
    if (service->protocol == AWS_REST_XML)
        return validate_s3(arena, operation, in);
    struct report report = {.arena = arena, .text = STRBUF_ARENA(arena)};
    check_members(&report, operation->request, in, false, SLICE_NONE);
    if (!report.count)
        return NULL;
    struct slice text = strbuf_slice(&report.text);
    return aws_err(ERR_INVALID, 400, service->validation_code.ptr, "%zu validation error%s detected: %.*s",
                   report.count, report.count == 1 ? "" : "s", SLICE_ARG(text));
}
