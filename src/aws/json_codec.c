/* json_codec: bodies of rest-json and json-1.1. Unknown members are ignored, as newer SDKs send some; null is absence; of a member
 * that comes twice the last one counts. The words for wrong types are those that Athena, SQS, SES v2, X-Ray and Kinesis were seen to
 * answer (async-aws #1667, aws-sdk-js-v3 #4343, recorded answers in tests of kinesalite and of emulators of Athena and SES); a text
 * that is no JSON gets the code alone. */
#include "aws/codec.h"
#include "aws/timestamp.h"
#include "aws/value.h"
#include "base/arena.h"
#include "base/json.h"
#include <math.h>

/* Values of one body: each takes some 150 bytes as a tree, however short it is written. The largest request of the models, ten thousand log
 * events, has a third of that. */
#define MAX_VALUES 100000

struct reader {
    struct arena *arena;
    const struct aws_service *service;
};

static struct err *decode_members(const struct reader *reader, const struct aws_shape *structure,
                                  const struct json *json, void *in);

/* A text that is no JSON at all, or no structure: the code without a message. */
static struct err *malformed(const struct aws_service *service)
{
    return aws_err_serialization(service, "%s", "");
}

static const char *token_name(const struct json *json)
{
    switch (json->type) {
    case JSON_STRING:
        return "STRING_VALUE";
    case JSON_NUMBER:
        return slice_index(json->text, '.') >= 0 || slice_index(json->text, 'e') >= 0 || slice_index(json->text, 'E') >= 0 ? "DECIMAL_VALUE"
                                                                                                                       : "NUMBER_VALUE";
    case JSON_BOOL:
        return json->boolean ? "TRUE_VALUE" : "FALSE_VALUE";
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return "NULL_VALUE";
}

/* wanted: "a String", … */
static struct err *wrong_type(const struct reader *reader, const struct json *json, const char *wanted)
{
    if (json->type == JSON_OBJECT)
        return aws_err_serialization(reader->service, "Start of structure or map found where not expected.");
    if (json->type == JSON_ARRAY)
        return aws_err_serialization(reader->service, "Start of list found where not expected");
    return aws_err_serialization(reader->service, "%s can not be converted to %s", token_name(json), wanted);
}

static struct err *decode_value(const struct reader *reader, const struct aws_shape *shape,
                                enum aws_timestamp_format format, const struct json *json, void *slot);

static struct err *decode_list(const struct reader *reader, const struct aws_shape *shape,
                               enum aws_timestamp_format format, const struct json *json, struct aws_list *slot)
{
    if (json->type != JSON_ARRAY)
        return json->type == JSON_OBJECT ? wrong_type(reader, json, "a List")
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
        return json->type == JSON_ARRAY ? wrong_type(reader, json, "a Map")
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

static struct err *decode_blob(const struct reader *reader, const struct aws_shape *shape, const struct json *json, void *slot)
{
    if (json->type != JSON_STRING)
        return wrong_type(reader, json, "a Blob");
    if (aws_scalar_parse(reader->arena, shape, AWS_TIMESTAMP_DEFAULT, json->text, slot))
        return NULL;
    if (json->text.len % 4)
        return aws_err_serialization(reader->service,
                                     "'%.*s' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but "
                                     "found: %zu",
                                     SLICE_ARG(slice_sub(json->text, 0, 64)), json->text.len);
    return aws_err_serialization(reader->service, "'%.*s' can not be converted to a Blob: Invalid Base64 character",
                                 SLICE_ARG(slice_sub(json->text, 0, 64)));
}

static struct err *decode_float(const struct reader *reader, const struct aws_shape *shape, const struct json *json, void *slot)
{
    /* The three that JSON has no number for come as text. */
    bool named = json->type == JSON_STRING &&
                 (slice_eq(json->text, S("NaN")) || slice_eq(json->text, S("Infinity")) || slice_eq(json->text, S("-Infinity")));
    if (json->type != JSON_NUMBER && !named)
        return wrong_type(reader, json, "a Double");
    if (!aws_scalar_parse(reader->arena, shape, AWS_TIMESTAMP_DEFAULT, json->text, slot))
        return wrong_type(reader, json, "a Double");
    return NULL;
}

/* SDKs disagree on text and number: both are understood. */
static struct err *decode_timestamp(const struct reader *reader, const struct json *json, struct opt_instant *slot)
{
    struct instant t;
    bool known = (json->type == JSON_NUMBER && aws_timestamp_parse(json->text, AWS_TIMESTAMP_UNIX, &t)) ||
                 (json->type == JSON_STRING && (aws_timestamp_parse(json->text, AWS_TIMESTAMP_ISO8601, &t) ||
                                                aws_timestamp_parse(json->text, AWS_TIMESTAMP_RFC822, &t)));
    if (!known)
        return wrong_type(reader, json, "milliseconds since epoch");
    *slot = OPT_INSTANT(t);
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
        if (json->type != JSON_STRING)
            return wrong_type(reader, json, "a String");
        *(struct slice *)slot = json->text;
        return NULL;
    case AWS_BLOB:
        return decode_blob(reader, shape, json, slot);
    case AWS_INTEGER:
        if (json->type != JSON_NUMBER)
            return wrong_type(reader, json, shape->bits == 64 ? "a Long" : shape->bits == 16 ? "a Short" : shape->bits == 8 ? "a Byte" : "an Integer");
        *(struct opt_i64 *)slot = OPT_I64(aws_integer_truncate(reader->arena, json->text, shape->bits));
        return NULL;
    case AWS_FLOAT:
        return decode_float(reader, shape, json, slot);
    case AWS_TIMESTAMP:
        return decode_timestamp(reader, json, slot);
    }
    return NULL;
}

static struct err *decode_members(const struct reader *reader, const struct aws_shape *structure,
                                  const struct json *json, void *in)
{
    if (json->type != JSON_OBJECT)
        return json->type == JSON_ARRAY ? wrong_type(reader, json, "a Structure")
                                        : aws_err_serialization(reader->service, "Expected null");
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

/* Counts what separates and opens values, outside of strings. */
static bool has_too_many_values(struct slice body)
{
    size_t count = 0;
    bool in_string = false;
    for (size_t i = 0; i < body.len && count <= MAX_VALUES; i++) {
        char c = body.ptr[i];
        if (c == '"')
            in_string = !in_string;
        else if (in_string)
            i += c == '\\';
        else
            count += c == ',' || c == '[' || c == '{';
    }
    return count > MAX_VALUES;
}

struct err *aws_json_decode(struct arena *arena, const struct aws_service *service, const struct aws_shape *structure,
                            struct slice body, void *in)
{
    struct json *json;
    if (has_too_many_values(body))
        return malformed(service);
    struct err *e = json_parse(arena, body, JSON_DUPLICATES_LAST_WINS, &json);
    if (e) {
        err_free(e);
        return malformed(service);
    }
    struct reader reader = {.arena = arena, .service = service};
    return json->type == JSON_ARRAY ? wrong_type(&reader, json, "a Structure")
           : json->type != JSON_OBJECT ? malformed(service)
                                       : decode_members(&reader, structure, json, in);
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
    case AWS_FLOAT:
        if (!isfinite(((const struct opt_f64 *)value)->value)) {
            json_write_string(out, aws_scalar_format(arena, shape, format, value));
            return;
        }
        strbuf_append(out, aws_scalar_format(arena, shape, format, value));
        return;
    case AWS_BOOLEAN:
    case AWS_INTEGER:
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
