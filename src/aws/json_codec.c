/* json_codec: bodies of rest-json and json-1.1. Unknown members are ignored, as newer SDKs send some; null is absence.
 */
#include "aws/codec.h"
#include "aws/value.h"
#include "base/arena.h"
#include "base/json.h"

struct reader {
    struct arena *arena;
    const struct aws_service *service;
};

static struct err *decode_members(const struct reader *reader, const struct aws_shape *structure,
                                  const struct json *json, void *in);

/* The words of AWS's own parser. */
static struct err *wrong_type(const struct reader *reader, const struct json *json, const char *wanted)
{
    switch (json->type) {
    case JSON_OBJECT:
        return aws_err_serialization(reader->service, "Start of structure or map found where not expected.");
    case JSON_ARRAY:
        return aws_err_serialization(reader->service, "Start of list found where not expected");
    case JSON_NULL:
    case JSON_BOOL:
    case JSON_NUMBER:
    case JSON_STRING:
        break;
    }
    const char *what = json->type == JSON_STRING   ? "STRING_VALUE"
                       : json->type == JSON_NUMBER ? "NUMBER_VALUE"
                       : json->boolean             ? "TRUE_VALUE"
                                                   : "FALSE_VALUE";
    return aws_err_serialization(reader->service, "%s can not be converted to %s", what, wanted);
}

static struct err *decode_value(const struct reader *reader, const struct aws_shape *shape,
                                enum aws_timestamp_format format, const struct json *json, void *slot);

static struct err *decode_list(const struct reader *reader, const struct aws_shape *shape,
                               enum aws_timestamp_format format, const struct json *json, struct aws_list *slot)
{
    if (json->type != JSON_ARRAY)
        return json->type == JSON_OBJECT ? wrong_type(reader, json, "")
                                         : aws_err_serialization(reader->service, "Expected list or null");
    char *items = arena_array(reader->arena, json_count(json), shape->item->size);
    size_t count = 0;
    JSON_FOREACH(item, json)
    {
        TRY(decode_value(reader, shape->item, format, item, items + count * shape->item->size));
        count++;
    }
    *slot = (struct aws_list){.set = true, .count = count, .items = items};
    return NULL;
}

static struct err *decode_map(const struct reader *reader, const struct aws_shape *shape,
                              enum aws_timestamp_format format, const struct json *json, struct aws_map *slot)
{
    if (json->type != JSON_OBJECT)
        return json->type == JSON_ARRAY ? wrong_type(reader, json, "")
                                        : aws_err_serialization(reader->service, "Expected map or null");
    char *entries = arena_array(reader->arena, json_count(json), shape->entry_size);
    size_t count = 0;
    JSON_FOREACH(child, json)
    {
        char *entry = entries + count * shape->entry_size;
        *(struct slice *)(void *)entry = child->key;
        TRY(decode_value(reader, shape->item, format, child, entry + shape->value_offset));
        count++;
    }
    *slot = (struct aws_map){.set = true, .count = count, .entries = entries};
    return NULL;
}

static struct err *decode_scalar(const struct reader *reader, const struct aws_shape *shape,
                                 enum aws_timestamp_format format, const struct json *json, enum json_type wanted,
                                 const char *name, void *slot)
{
    if (json->type != wanted)
        return wrong_type(reader, json, name);
    if (!aws_scalar_parse(reader->arena, shape, format, json->text, slot))
        return aws_err_serialization(reader->service, "%.*s can not be converted to %s",
                                     SLICE_ARG(slice_sub(json->text, 0, 64)), name);
    return NULL;
}

static struct err *decode_value(const struct reader *reader, const struct aws_shape *shape,
                                enum aws_timestamp_format format, const struct json *json, void *slot)
{
    if (json->type == JSON_NULL)
        return NULL; /* absent; inside a list the validator says so */
    switch (shape->kind) {
    case AWS_STRUCTURE:
        return decode_members(reader, shape, json, slot);
    case AWS_LIST:
        return decode_list(reader, shape, format, json, slot);
    case AWS_MAP:
        return decode_map(reader, shape, format, json, slot);
    case AWS_DOCUMENT:
        *(const struct json **)slot = json;
        return NULL;
    case AWS_BOOLEAN:
        if (json->type != JSON_BOOL)
            return wrong_type(reader, json, "a Boolean");
        *(struct opt_bool *)slot = OPT_BOOL(json->boolean);
        return NULL;
    case AWS_STRING:
        return decode_scalar(reader, shape, format, json, JSON_STRING, "a String", slot);
    case AWS_BLOB:
        return decode_scalar(reader, shape, format, json, JSON_STRING, "a Blob", slot);
    case AWS_INTEGER:
        return decode_scalar(reader, shape, format, json, JSON_NUMBER, "an Integer", slot);
    case AWS_FLOAT:
        return decode_scalar(reader, shape, format, json, JSON_NUMBER, "a Double", slot);
    case AWS_TIMESTAMP: /* SDKs disagree on text and number: both are understood */
        return decode_scalar(reader, shape, json->type == JSON_STRING ? AWS_TIMESTAMP_ISO8601 : AWS_TIMESTAMP_UNIX,
                             json, json->type == JSON_STRING ? JSON_STRING : JSON_NUMBER, "a Timestamp", slot);
    }
    return NULL;
}

static struct err *decode_members(const struct reader *reader, const struct aws_shape *structure,
                                  const struct json *json, void *in)
{
    if (json->type != JSON_OBJECT)
        return json->type == JSON_ARRAY ? wrong_type(reader, json, "")
                                        : aws_err_serialization(reader->service, "Expected structure or null");
    for (size_t i = 0; i < structure->member_count; i++) {
        const struct aws_member *member = &structure->members[i];
        if (member->location != AWS_IN_BODY || member->offset == AWS_NO_OFFSET)
            continue;
        const struct json *child = json_get(json, member->wire);
        if (child && child->type != JSON_NULL)
            TRY(decode_value(reader, member->shape, AWS_TIMESTAMP_UNIX, child,
                             aws_member_slot(reader->arena, member, in)));
    }
    return NULL;
}

struct err *aws_json_decode(struct arena *arena, const struct aws_service *service, const struct aws_shape *structure,
                            struct slice body, void *in)
{
    if (!slice_trim(body).len)
        return NULL;
    struct json *json;
    struct err *e = json_parse(arena, body, JSON_DUPLICATES_LAST_WINS, &json);
    if (e) {
        struct err *told = aws_err_serialization(service, "%.*s", SLICE_ARG(err_message(e)));
        err_free(e);
        return told;
    }
    struct reader reader = {.arena = arena, .service = service};
    if (json->type == JSON_NULL)
        return NULL;
    return decode_members(&reader, structure, json, in);
}

static void encode_members(struct arena *arena, struct strbuf *out, const struct aws_shape *structure,
                           const void *value);

static void encode_value(struct arena *arena, struct strbuf *out, const struct aws_shape *shape,
                         enum aws_timestamp_format format, const void *value)
{
    if (!aws_value_is_set(shape, value)) {
        strbuf_append_cstr(out, "null");
        return;
    }
    switch (shape->kind) {
    case AWS_STRUCTURE:
        encode_members(arena, out, shape, value);
        return;
    case AWS_LIST:
        strbuf_append_char(out, '[');
        for (size_t i = 0; i < ((const struct aws_list *)value)->count; i++) {
            if (i)
                strbuf_append_char(out, ',');
            encode_value(arena, out, shape->item, format, aws_list_item(shape, value, i));
        }
        strbuf_append_char(out, ']');
        return;
    case AWS_MAP:
        strbuf_append_char(out, '{');
        for (size_t i = 0; i < ((const struct aws_map *)value)->count; i++) {
            if (i)
                strbuf_append_char(out, ',');
            json_write_string(out, aws_map_key(shape, value, i));
            strbuf_append_char(out, ':');
            encode_value(arena, out, shape->item, format, aws_map_value(shape, value, i));
        }
        strbuf_append_char(out, '}');
        return;
    case AWS_DOCUMENT:
        json_write(out, *(const struct json *const *)value);
        return;
    case AWS_STRING:
    case AWS_BLOB:
        json_write_string(out, aws_scalar_format(arena, shape, format, value));
        return;
    case AWS_TIMESTAMP:
        if (format == AWS_TIMESTAMP_UNIX)
            strbuf_append(out, aws_scalar_format(arena, shape, format, value));
        else
            json_write_string(out, aws_scalar_format(arena, shape, format, value));
        return;
    case AWS_BOOLEAN:
    case AWS_INTEGER:
    case AWS_FLOAT:
        strbuf_append(out, aws_scalar_format(arena, shape, format, value));
        return;
    }
}

static void encode_members(struct arena *arena, struct strbuf *out, const struct aws_shape *structure,
                           const void *value)
{
    bool first = true;
    strbuf_append_char(out, '{');
    for (size_t i = 0; i < structure->member_count; i++) {
        const struct aws_member *member = &structure->members[i];
        const void *child = aws_member_value(member, value);
        if (member->location != AWS_IN_BODY || !child)
            continue;
        if (!first)
            strbuf_append_char(out, ',');
        first = false;
        json_write_string(out, member->wire);
        strbuf_append_char(out, ':');
        encode_value(arena, out, member->shape, aws_timestamp_of(member, AWS_TIMESTAMP_UNIX), child);
    }
    strbuf_append_char(out, '}');
}

struct slice aws_json_encode(struct arena *arena, const struct aws_shape *structure, const void *out)
{
    struct strbuf buf = STRBUF_ARENA(arena);
    encode_members(arena, &buf, structure, out);
    return strbuf_slice(&buf);
}
