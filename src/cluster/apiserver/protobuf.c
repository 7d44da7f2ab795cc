#include "cluster/apiserver/protobuf.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/encode.h"
#include "cluster/apiserver/schema.h"
#include "cluster/apiserver/status_error.h"
#include <string.h>

#define DEPTH_MAX 64
#define MAP_ENTRIES_MAX 16384 /* a look-up each: more would cost quadratic time, and no object may be that large */

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct reader {
    const uint8_t *at, *end;
};

struct wire_field {
    uint64_t number;
    enum wire wire;
    uint64_t value;     /* of VARINT and FIXED* */
    struct slice bytes; /* of BYTES */
};

static struct err *malformed(void)
{
    return status_bad_request("the object provided is unrecognized: proto: illegal wireType or unexpected EOF");
}

static bool read_varint(struct reader *reader, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool read_fixed(struct reader *reader, size_t size, uint64_t *ret_value)
{
    if ((size_t)(reader->end - reader->at) < size)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)reader->at[i] << (8 * i);
    reader->at += size;
    *ret_value = value;
    return true;
}

/* False at the end; *ret_bad tells a broken message from a finished one. */
static bool read_field(struct reader *reader, struct wire_field *ret_field, bool *ret_bad)
{
    *ret_bad = false;
    if (reader->at == reader->end)
        return false;
    uint64_t key;
    struct wire_field field = {0};
    *ret_bad = true;
    if (!read_varint(reader, &key))
        return false;
    field.number = key >> 3;
    field.wire = (enum wire)(key & 7);
    switch (key & 7) {
    case WIRE_VARINT:
        if (!read_varint(reader, &field.value))
            return false;
        break;
    case WIRE_FIXED64:
        if (!read_fixed(reader, 8, &field.value))
            return false;
        break;
    case WIRE_FIXED32:
        if (!read_fixed(reader, 4, &field.value))
            return false;
        break;
    case WIRE_BYTES: {
        uint64_t len;
        if (!read_varint(reader, &len) || len > (uint64_t)(reader->end - reader->at))
            return false;
        field.bytes = slice_of((const char *)reader->at, (size_t)len);
        reader->at += len;
        break;
    }
    default:
        return false;
    }
    *ret_bad = false;
    *ret_field = field;
    return true;
}

static struct reader reader_of(struct slice bytes)
{
    const uint8_t *at = (const uint8_t *)(bytes.ptr ? bytes.ptr : "");
    return (struct reader){.at = at, .end = at + bytes.len};
}

static struct err *decode_message(struct arena *arena, const struct schema_message *message, struct slice bytes, int depth,
                                  struct json *object);

/* The fields 1, 2 and 3 of the small leaf messages (Time, Quantity, IntOrString). */
struct leaf {
    uint64_t number[4];
    struct slice bytes[4];
    bool have[4];
};

static struct err *read_leaf(struct slice bytes, struct leaf *ret_leaf)
{
    struct reader reader = reader_of(bytes);
    struct wire_field field;
    struct leaf leaf = {0};
    bool bad;
    while (read_field(&reader, &field, &bad)) {
        if (field.number >= ARRAY_SIZE(leaf.have))
            continue;
        leaf.have[field.number] = true;
        leaf.number[field.number] = field.value;
        leaf.bytes[field.number] = field.bytes;
    }
    if (bad)
        return malformed();
    *ret_leaf = leaf;
    return NULL;
}

static struct json *text_value(struct arena *arena, struct slice bytes)
{
    return json_string(arena, slice_dup(arena, bytes.ptr ? bytes : S("")));
}

/* *ret_value NULL: a zero time, which JSON leaves out. */
static struct err *decode_leaf(struct arena *arena, enum schema_type type, struct slice bytes, struct json **ret_value)
{
    struct leaf leaf;
    TRY(read_leaf(bytes, &leaf));
    *ret_value = NULL;
    if (type == SCHEMA_QUANTITY) {
        *ret_value = text_value(arena, leaf.bytes[1]);
    } else if (type == SCHEMA_INT_OR_STRING) {
        *ret_value = leaf.number[1] ? text_value(arena, leaf.bytes[3]) : json_i64(arena, (int32_t)leaf.number[2]);
    } else if (leaf.have[1] || leaf.have[2]) {
        int64_t seconds = (int64_t)leaf.number[1];
        if (seconds < -62135596800 || seconds > 253402300799)
            return malformed();
        /* Go's zero time travels as its Unix seconds. */
        if (seconds == -62135596800)
            return NULL;
        struct slice text = instant_iso8601(arena, (struct instant){.ms = seconds * 1000});
        if (type == SCHEMA_MICRO_TIME)
            text = slice_fmt(arena, "%.*s.%06lldZ", (int)text.len - 1, text.ptr, (long long)((leaf.number[2] / 1000) % 1000000));
        *ret_value = json_string(arena, text);
    }
    return NULL;
}

static struct err *decode_value(struct arena *arena, const struct schema_field *schema, const struct wire_field *field, int depth,
                                struct json **ret_value)
{
    bool number = schema->type == SCHEMA_BOOL || schema->type == SCHEMA_INT32 || schema->type == SCHEMA_INT64;
    if (number ? field->wire != WIRE_VARINT : schema->type == SCHEMA_DOUBLE ? field->wire != WIRE_FIXED64 : field->wire != WIRE_BYTES)
        return malformed();
    switch (schema->type) {
    case SCHEMA_STRING:
        if (!slice_is_utf8(field->bytes))
            return malformed();
        *ret_value = text_value(arena, field->bytes);
        return NULL;
    case SCHEMA_BOOL:
        *ret_value = json_bool(arena, field->value != 0);
        return NULL;
    case SCHEMA_INT32:
        *ret_value = json_i64(arena, (int32_t)field->value);
        return NULL;
    case SCHEMA_INT64:
        *ret_value = json_i64(arena, (int64_t)field->value);
        return NULL;
    case SCHEMA_DOUBLE:
        return malformed(); /* no served kind has one that clients write */
    case SCHEMA_BYTES:
        *ret_value = json_string(arena, base64_encode(arena, field->bytes));
        return NULL;
    case SCHEMA_TIME:
    case SCHEMA_MICRO_TIME:
    case SCHEMA_QUANTITY:
    case SCHEMA_INT_OR_STRING:
        return decode_leaf(arena, schema->type, field->bytes, ret_value);
    case SCHEMA_RAW: {
        /* FieldsV1{1: JSON text}; dropped, since the server keeps its own account of managers. */
        *ret_value = NULL;
        return NULL;
    }
    case SCHEMA_MESSAGE:
        *ret_value = json_object(arena);
        return decode_message(arena, schema->message, field->bytes, depth + 1, *ret_value);
    }
    return malformed();
}

/* map<K, V> is a repeated message {1: key, 2: value}; a map of lists (ExtraValue) has {1: items…} as its value. */
static struct err *decode_map_entry(struct arena *arena, const struct schema_field *schema, struct slice bytes, int depth, struct json *map)
{
    struct reader reader = reader_of(bytes);
    struct wire_field field, value = {.wire = WIRE_BYTES};
    struct slice key = S("");
    bool bad, have = false;
    while (read_field(&reader, &field, &bad)) {
        if (field.number == 1 && field.wire == WIRE_BYTES && slice_is_utf8(field.bytes))
            key = slice_dup(arena, field.bytes);
        if (field.number == 2) {
            value = field;
            have = true;
        }
    }
    if (bad)
        return malformed();
    struct json *decoded = NULL;
    if (schema->repeated) {
        decoded = json_array(arena);
        reader = reader_of(value.bytes);
        while (read_field(&reader, &field, &bad)) {
            struct json *item = NULL;
            if (field.number == 1)
                TRY(decode_value(arena, schema, &field, depth, &item));
            if (item)
                json_append(decoded, item);
        }
        if (bad)
            return malformed();
    } else if (have || schema->type == SCHEMA_STRING || schema->type == SCHEMA_MESSAGE || schema->type == SCHEMA_QUANTITY) {
        TRY(decode_value(arena, schema, &value, depth, &decoded));
    }
    if (decoded)
        json_set(arena, map, key, decoded);
    return NULL;
}

static struct err *decode_field(struct arena *arena, const struct schema_field *schema, const struct wire_field *field, int depth,
                                struct json *object, size_t *entries)
{
    if (schema->inlined) {
        if (field->wire != WIRE_BYTES)
            return malformed();
        return decode_message(arena, schema->message, field->bytes, depth + 1, object);
    }
    if (schema->map) {
        if (field->wire != WIRE_BYTES)
            return malformed();
        struct json *map = json_ensure_object(arena, object, schema->name);
        if (++*entries > MAP_ENTRIES_MAX)
            return malformed();
        return decode_map_entry(arena, schema, field->bytes, depth, map);
    }
    if (schema->repeated) {
        struct json *array = json_ensure_array(arena, object, schema->name), *item = NULL;
        bool packed = field->wire == WIRE_BYTES && (schema->type == SCHEMA_INT32 || schema->type == SCHEMA_INT64);
        if (!packed) {
            TRY(decode_value(arena, schema, field, depth, &item));
            if (item)
                json_append(array, item);
            return NULL;
        }
        struct reader reader = reader_of(field->bytes);
        uint64_t number;
        while (reader.at < reader.end) {
            if (!read_varint(&reader, &number))
                return malformed();
            json_append(array, json_i64(arena, (int64_t)number));
        }
        return NULL;
    }
    struct json *value = NULL;
    TRY(decode_value(arena, schema, field, depth, &value));
    /* Go writes every field that is no pointer, zero or not: that is unset to JSON. */
    bool zero = value && !schema->pointer && schema->type != SCHEMA_INT_OR_STRING &&
                ((value->type == JSON_STRING && value->text.len == 0) || (value->type == JSON_BOOL && !value->boolean) ||
                 (value->type == JSON_NUMBER && slice_eq(value->text, S("0"))) || (value->type == JSON_OBJECT && !value->first));
    if (value && !zero)
        json_set(arena, object, slice_from_cstr(schema->name), value);
    return NULL;
}

static struct err *decode_message(struct arena *arena, const struct schema_message *message, struct slice bytes, int depth, struct json *object)
{
    if (depth > DEPTH_MAX)
        return malformed();
    struct reader reader = reader_of(bytes);
    struct wire_field field;
    size_t entries = 0;
    bool bad;
    while (read_field(&reader, &field, &bad)) {
        const struct schema_field *schema = schema_field_by_number(message, field.number);
        if (schema) /* a newer client may know more: skipped, as Go's decoder does */
            TRY(decode_field(arena, schema, &field, depth, object, &entries));
    }
    return bad ? malformed() : NULL;
}

static const struct schema_message *message_of(struct arena *arena, struct slice api_version, struct slice kind)
{
    struct slice group = S("core"), version = api_version, before, after;
    if (slice_split(api_version, '/', &before, &after)) {
        ptrdiff_t dot = slice_index(before, '.');
        group = dot < 0 ? before : slice_sub(before, 0, (size_t)dot);
        version = after;
    }
    if (slice_has_nul(kind) || slice_has_nul(version) || slice_has_nul(group))
        return NULL;
    /* policy/v1beta1 Eviction has the fields of v1. */
    if (slice_eq(group, S("policy")) && slice_eq(version, S("v1beta1")))
        version = S("v1");
    struct slice name = slice_fmt(arena, "k8s.io.api.%.*s.%.*s.%.*s", SLICE_ARG(group), SLICE_ARG(version), SLICE_ARG(kind));
    const struct schema_message *message = schema_find(slice_cstr(arena, name));
    if (message)
        return message;
    name = slice_fmt(arena, "k8s.io.apimachinery.pkg.apis.meta.v1.%.*s", SLICE_ARG(kind));
    return schema_find(slice_cstr(arena, name));
}

struct err *protobuf_decode(struct arena *arena, struct slice body, struct json **ret_object)
{
    if (!slice_starts_with(body, slice_of("k8s\0", 4)))
        return status_bad_request("the object provided is unrecognized: provided data does not appear to be a protobuf message, "
                                  "expected prefix [107 56 115 0]");
    struct leaf unknown, type;
    TRY(read_leaf(slice_from(body, 4), &unknown));
    TRY(read_leaf(unknown.bytes[1], &type));
    struct slice api_version = slice_dup(arena, type.bytes[1]), kind = slice_dup(arena, type.bytes[2]);
    if (!slice_is_utf8(api_version) || !slice_is_utf8(kind))
        return malformed();
    const struct schema_message *message = message_of(arena, api_version, kind);
    if (!message)
        return status_bad_request("no kind \"%.*s\" is registered for version \"%.*s\" in scheme \"pkg/runtime/scheme.go:110\"",
                                  SLICE_ARG(kind), SLICE_ARG(api_version));
    struct json *object = json_object(arena);
    json_set_text(arena, object, "apiVersion", api_version);
    json_set_text(arena, object, "kind", kind);
    TRY(decode_message(arena, message, unknown.bytes[2], 0, object));
    *ret_object = object;
    return NULL;
}
