#include "cluster/apiserver/schema.h"
#include "base/arena.h"
#include "base/json.h"
#include "cluster/apiserver/schema_internal.h"
#include <string.h>

const struct schema_message *schema_find(const char *message)
{
    size_t low = 0, high = schema_messages_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(message, schema_messages[middle]->name);
        if (order == 0)
            return schema_messages[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct schema_field *schema_field_by_name(const struct schema_message *message, struct slice name)
{
    if (!message || name.len == 0)
        return NULL;
    for (size_t i = 0; i < message->field_count; i++) {
        const char *candidate = message->fields[i].name;
        if (strncmp(candidate, name.ptr, name.len) == 0 && candidate[name.len] == '\0')
            return &message->fields[i];
    }
    return NULL;
}

const struct schema_field *schema_field_by_number(const struct schema_message *message, uint64_t number)
{
    if (!message || number == 0)
        return NULL;
    for (size_t i = 0; i < message->field_count; i++)
        if (message->fields[i].number == number)
            return &message->fields[i];
    return NULL;
}

const char *schema_short_name(const struct schema_message *message)
{
    const char *dot = strrchr(message->name, '.');
    return dot ? dot + 1 : message->name;
}

static bool is_zero(const struct schema_field *field, const struct json *value)
{
    switch (value->type) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        return !value->boolean;
    case JSON_NUMBER:
        /* IntOrString is a struct: a zero in it is kept. */
        return field->type != SCHEMA_INT_OR_STRING && slice_eq(value->text, S("0"));
    case JSON_STRING:
        return value->text.len == 0;
    case JSON_ARRAY:
        return value->first == NULL;
    case JSON_OBJECT:
        return field->map && value->first == NULL;
    }
    return false;
}

static void canonicalize_value(struct arena *arena, const struct schema_field *field, struct json *value)
{
    if (field->type != SCHEMA_MESSAGE)
        return;
    if (field->repeated || field->map) {
        JSON_FOREACH (child, value)
            if (child->type == JSON_OBJECT)
                schema_canonicalize(arena, field->message, child);
    } else if (value->type == JSON_OBJECT) {
        schema_canonicalize(arena, field->message, value);
    }
}

/* What Go writes for a field that is not set and not omitted. NULL: nothing. */
static struct json *zero_value(struct arena *arena, const struct schema_field *field)
{
    if (field->repeated || field->map)
        return field->omit_empty ? NULL : json_null(arena);
    if (field->pointer)
        return field->omit_empty ? NULL : json_null(arena);
    switch (field->type) {
    case SCHEMA_MESSAGE: {
        struct json *object = json_object(arena);
        schema_canonicalize(arena, field->message, object);
        return object;
    }
    case SCHEMA_TIME:
    case SCHEMA_MICRO_TIME:
        return field->omit_zero ? NULL : json_null(arena);
    case SCHEMA_STRING:
        return field->omit_empty ? NULL : json_cstr(arena, "");
    case SCHEMA_BOOL:
        return field->omit_empty ? NULL : json_bool(arena, false);
    case SCHEMA_INT32:
    case SCHEMA_INT64:
    case SCHEMA_DOUBLE:
        return field->omit_empty ? NULL : json_i64(arena, 0);
    case SCHEMA_BYTES:
        return field->omit_empty ? NULL : json_null(arena);
    case SCHEMA_QUANTITY:
        return json_cstr(arena, "0");
    case SCHEMA_INT_OR_STRING:
        return json_i64(arena, 0);
    case SCHEMA_RAW:
        return field->omit_empty ? NULL : json_null(arena);
    }
    return NULL;
}

void schema_canonicalize(struct arena *arena, const struct schema_message *message, struct json *object)
{
    if (!message || !json_is(object, JSON_OBJECT))
        return;
    for (struct json *child = object->first, *next; child; child = next) {
        next = child->next;
        const struct schema_field *field = schema_field_by_name(message, child->key);
        if (!field)
            continue;
        bool pointer = field->pointer && !field->repeated && !field->map && field->type != SCHEMA_BYTES;
        bool go = pointer ? child->type == JSON_NULL : is_zero(field, child);
        if (go && (field->omit_empty || field->omit_zero || child->type == JSON_NULL))
            json_unlink(object, child);
        else
            canonicalize_value(arena, field, child);
    }
    for (size_t i = 0; i < message->field_count; i++) {
        const struct schema_field *field = &message->fields[i];
        if (field->inlined || json_get(object, slice_from_cstr(field->name)))
            continue;
        struct json *zero = zero_value(arena, field);
        if (zero)
            json_set(arena, object, slice_from_cstr(field->name), zero);
    }
}
