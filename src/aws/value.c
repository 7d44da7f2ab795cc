/* value: the one place that does pointer arithmetic over generated structs. */
#include "aws/value.h"
#include "aws/timestamp.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool aws_value_is_set(const struct aws_shape *shape, const void *value)
{
    switch (shape->kind) {
    case AWS_STRUCTURE:
        return true;
    case AWS_LIST:
        return ((const struct aws_list *)value)->set;
    case AWS_MAP:
        return ((const struct aws_map *)value)->set;
    case AWS_STRING:
    case AWS_BLOB:
        return ((const struct slice *)value)->ptr != NULL;
    case AWS_BOOLEAN:
        return ((const struct opt_bool *)value)->set;
    case AWS_INTEGER:
        return ((const struct opt_i64 *)value)->set;
    case AWS_FLOAT:
        return ((const struct opt_f64 *)value)->set;
    case AWS_TIMESTAMP:
        return ((const struct opt_instant *)value)->set;
    case AWS_DOCUMENT:
        return *(const struct json *const *)value != NULL;
    }
    return false;
}

const void *aws_member_value(const struct aws_member *member, const void *structure)
{
    if (member->offset == AWS_NO_OFFSET)
        return NULL;
    const void *field = (const char *)structure + member->offset;
    if (member->shape->kind == AWS_STRUCTURE)
        return *(const void *const *)field;
    return aws_value_is_set(member->shape, field) ? field : NULL;
}

void *aws_member_slot(struct arena *arena, const struct aws_member *member, void *structure)
{
    void *field = (char *)structure + member->offset;
    if (member->shape->kind != AWS_STRUCTURE)
        return field;
    void *made = arena_alloc(arena, member->shape->size);
    *(void **)field = made;
    return made;
}

const void *aws_list_item(const struct aws_shape *list, const void *value, size_t index)
{
    return (const char *)((const struct aws_list *)value)->items + index * list->item->size;
}

struct slice aws_map_key(const struct aws_shape *map, const void *value, size_t index)
{
    const char *entry = (const char *)((const struct aws_map *)value)->entries + index * map->entry_size;
    return *(const struct slice *)(const void *)entry;
}

const void *aws_map_value(const struct aws_shape *map, const void *value, size_t index)
{
    return (const char *)((const struct aws_map *)value)->entries + index * map->entry_size + map->value_offset;
}

static bool parse_float(struct arena *arena, struct slice text, struct opt_f64 *ret)
{
    static const struct {
        struct slice text;
        double value;
    } names[] = {{S_INIT("NaN"), NAN}, {S_INIT("Infinity"), INFINITY}, {S_INIT("-Infinity"), -INFINITY}};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (slice_eq(text, names[i].text)) {
            *ret = (struct opt_f64){.set = true, .value = names[i].value, .text = text};
            return true;
        }
    if (!text.len || text.len > 64)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789+-.eE", text.ptr[i]))
            return false;
    char *copy = slice_cstr(arena, text), *end = NULL;
    double value = strtod(copy, &end);
    if (*end || !isfinite(value))
        return false;
    *ret = (struct opt_f64){.set = true, .value = value, .text = text};
    return true;
}

static int64_t largest(int bits)
{
    return bits >= 64 || bits <= 0 ? INT64_MAX : (INT64_C(1) << (bits - 1)) - 1;
}

int64_t aws_integer_truncate(struct arena *arena, struct slice literal, int bits)
{
    int64_t most = largest(bits), least = -most - 1, value;
    bool negative = literal.len && literal.ptr[0] == '-';
    if (slice_index(literal, 'e') >= 0 || slice_index(literal, 'E') >= 0) {
        double number = strtod(slice_cstr(arena, literal), NULL);
        return number >= (double)most ? most : number <= (double)least ? least : (int64_t)number;
    }
    ptrdiff_t dot = slice_index(literal, '.');
    struct slice whole = dot < 0 ? literal : slice_sub(literal, 0, (size_t)dot);
    if (slice_to_i64(whole, least, most, &value))
        return value;
    return negative ? least : most;
}

bool aws_scalar_parse(struct arena *arena, const struct aws_shape *shape, enum aws_timestamp_format format,
                      struct slice text, void *slot)
{
    switch (shape->kind) {
    case AWS_STRING:
        *(struct slice *)slot = text.ptr ? text : S("");
        return true;
    case AWS_BLOB:
        return base64_decode(arena, text, slot);
    case AWS_BOOLEAN:
        if (!slice_eq_nocase(text, S("true")) && !slice_eq_nocase(text, S("false")))
            return false;
        *(struct opt_bool *)slot = OPT_BOOL(slice_eq_nocase(text, S("true")));
        return true;
    case AWS_INTEGER:
        ((struct opt_i64 *)slot)->set =
            slice_to_i64(text, -largest(shape->bits) - 1, largest(shape->bits), &((struct opt_i64 *)slot)->value);
        return ((struct opt_i64 *)slot)->set;
    case AWS_FLOAT:
        return parse_float(arena, text, slot);
    case AWS_TIMESTAMP: {
        struct instant t;
        if (!aws_timestamp_parse(text, format, &t))
            return false;
        *(struct opt_instant *)slot = OPT_INSTANT(t);
        return true;
    }
    case AWS_STRUCTURE:
    case AWS_LIST:
    case AWS_MAP:
    case AWS_DOCUMENT:
        return false;
    }
    return false;
}

struct slice aws_scalar_format(struct arena *arena, const struct aws_shape *shape, enum aws_timestamp_format format,
                               const void *value)
{
    switch (shape->kind) {
    case AWS_STRING:
        return *(const struct slice *)value;
    case AWS_BLOB:
        return base64_encode(arena, *(const struct slice *)value);
    case AWS_BOOLEAN:
        return ((const struct opt_bool *)value)->value ? S("true") : S("false");
    case AWS_INTEGER:
        return slice_fmt(arena, "%lld", (long long)((const struct opt_i64 *)value)->value);
    case AWS_FLOAT: {
        const struct opt_f64 *number = value;
        if (number->text.ptr)
            return number->text;
        if (!isfinite(number->value))
            return isnan(number->value) ? S("NaN") : number->value > 0 ? S("Infinity") : S("-Infinity");
        return slice_fmt(arena, "%.17g", number->value);
    }
    case AWS_TIMESTAMP:
        return aws_timestamp_format(arena, ((const struct opt_instant *)value)->value, format);
    case AWS_STRUCTURE:
    case AWS_LIST:
    case AWS_MAP:
    case AWS_DOCUMENT:
        return S("");
    }
    return S("");
}

enum aws_timestamp_format aws_timestamp_of(const struct aws_member *member, enum aws_timestamp_format place)
{
    if (member->timestamp != AWS_TIMESTAMP_DEFAULT)
        return member->timestamp;
    return place;
}

bool aws_shape_has_body(const struct aws_shape *structure)
{
    for (size_t i = 0; i < structure->member_count; i++)
        if (structure->members[i].location == AWS_IN_BODY && !structure->members[i].streaming)
            return true;
    return false;
}

void aws_fill_idempotency_tokens(struct arena *arena, const struct aws_shape *structure, void *in)
{
    for (size_t i = 0; i < structure->member_count; i++) {
        const struct aws_member *member = &structure->members[i];
        if (member->idempotency_token && member->shape->kind == AWS_STRING && !aws_member_value(member, in))
            *(struct slice *)aws_member_slot(arena, member, in) = random_uuid(arena);
    }
}
