/* xml_codec: bodies of rest-xml, and the answers of query. Elements come in any order, with or without a namespace;
 * unknown ones are ignored. Lists: <Roles><member>…</member></Roles>, flattened ones repeat the member's own element.
 */
#include "aws/codec.h"
#include "aws/value.h"
#include "base/arena.h"
#include "base/strbuf.h"
#include "base/xml.h"

struct reader {
    struct arena *arena;
    const struct aws_service *service;
};

static struct err *decode_members(const struct reader *reader, const struct aws_shape *structure,
                                  const struct xml_node *node, void *in);

static struct err *decode_value(const struct reader *reader, const struct aws_shape *shape,
                                enum aws_timestamp_format format, const struct xml_node *node, void *slot);

/* Items are the children of parent that bear the name. */
static struct err *decode_list(const struct reader *reader, const struct aws_shape *shape,
                               enum aws_timestamp_format format, const struct xml_node *parent, struct slice name,
                               struct aws_list *slot)
{
    size_t count = 0;
    XML_FOREACH(child, parent)
    count += slice_eq(child->name, name);
    char *items = arena_array(reader->arena, count, shape->item->size);
    size_t at = 0;
    XML_FOREACH(child, parent)
    if (slice_eq(child->name, name))
        TRY(decode_value(reader, shape->item, format, child, items + at++ * shape->item->size));
    *slot = (struct aws_list){.set = true, .count = count, .items = items};
    return NULL;
}

static struct err *decode_map(const struct reader *reader, const struct aws_shape *shape,
                              enum aws_timestamp_format format, const struct xml_node *parent, struct slice entry_name,
                              struct aws_map *slot)
{
    size_t count = 0;
    XML_FOREACH(child, parent)
    count += slice_eq(child->name, entry_name);
    char *entries = arena_array(reader->arena, count, shape->entry_size);
    size_t at = 0;
    XML_FOREACH(child, parent)
    {
        if (!slice_eq(child->name, entry_name))
            continue;
        char *entry = entries + at++ * shape->entry_size;
        const struct xml_node *key = xml_child(child, shape->key_wire), *value = xml_child(child, shape->item_wire);
        if (!key || !value)
            return aws_err_serialization(reader->service, "an entry of a map needs a key and a value");
        *(struct slice *)(void *)entry = key->text;
        TRY(decode_value(reader, shape->item, format, value, entry + shape->value_offset));
    }
    *slot = (struct aws_map){.set = true, .count = count, .entries = entries};
    return NULL;
}

static struct err *decode_value(const struct reader *reader, const struct aws_shape *shape,
                                enum aws_timestamp_format format, const struct xml_node *node, void *slot)
{
    switch (shape->kind) {
    case AWS_STRUCTURE:
        return decode_members(reader, shape, node, slot);
    case AWS_LIST:
        return decode_list(reader, shape, format, node, shape->item_wire, slot);
    case AWS_MAP:
        return decode_map(reader, shape, format, node, S("entry"), slot);
    case AWS_STRING:
        *(struct slice *)slot = node->text;
        return NULL;
    case AWS_BLOB:
    case AWS_BOOLEAN:
    case AWS_INTEGER:
    case AWS_FLOAT:
    case AWS_TIMESTAMP:
        if (!aws_scalar_parse(reader->arena, shape, format, slice_trim(node->text), slot))
            return aws_err_serialization(reader->service, "%.*s: not a value of its type", SLICE_ARG(node->name));
        return NULL;
    case AWS_DOCUMENT:
        return aws_err_serialization(reader->service, "documents do not travel in XML");
    }
    return NULL;
}

static struct err *decode_members(const struct reader *reader, const struct aws_shape *structure,
                                  const struct xml_node *node, void *in)
{
    for (size_t i = 0; i < structure->member_count; i++) {
        const struct aws_member *member = &structure->members[i];
        if (member->location != AWS_IN_BODY || member->offset == AWS_NO_OFFSET)
            continue;
        enum aws_timestamp_format format = aws_timestamp_of(member, AWS_TIMESTAMP_ISO8601);
        if (member->attribute) {
            for (const struct xml_attribute *attribute = node->attributes; attribute; attribute = attribute->next)
                if (slice_ends_with(member->wire, attribute->name) && member->shape->kind == AWS_STRING)
                    *(struct slice *)aws_member_slot(reader->arena, member, in) = attribute->value;
            continue;
        }
        const struct xml_node *child = xml_child(node, member->wire);
        if (!child)
            continue;
        void *slot = aws_member_slot(reader->arena, member, in);
        if (member->flattened && member->shape->kind == AWS_LIST)
            TRY(decode_list(reader, member->shape, format, node, member->wire, slot));
        else if (member->flattened && member->shape->kind == AWS_MAP)
            TRY(decode_map(reader, member->shape, format, node, member->wire, slot));
        else
            TRY(decode_value(reader, member->shape, format, child, slot));
    }
    return NULL;
}

struct err *aws_xml_decode(struct arena *arena, const struct aws_service *service, const struct aws_shape *structure,
                           struct slice root_name, struct slice body, void *in)
{
    struct xml_node *root = NULL;
    struct err *e = xml_parse(arena, body, &root);
    if (e) {
        struct err *told = aws_err_serialization(service, "%.*s", SLICE_ARG(err_message(e)));
        err_free(e);
        return told;
    }
    if (root_name.ptr && !slice_eq(root->name, root_name))
        return aws_err_serialization(service, "the root is %.*s", SLICE_ARG(root->name));
    struct reader reader = {.arena = arena, .service = service};
    return decode_members(&reader, structure, root, in);
}

/* ---- answers ---- */

struct writer {
    struct arena *arena;
    struct strbuf *out;
    const struct aws_service *service;
};

static void encode_value(const struct writer *writer, const struct aws_shape *shape, enum aws_timestamp_format format,
                         struct slice name, bool flattened, const void *value);

static void encode_map(const struct writer *writer, const struct aws_shape *shape, enum aws_timestamp_format format,
                       struct slice entry_name, const void *value)
{
    for (size_t i = 0; i < ((const struct aws_map *)value)->count; i++) {
        xml_open(writer->out, entry_name);
        xml_write_element(writer->out, shape->key_wire, aws_map_key(shape, value, i));
        encode_value(writer, shape->item, format, shape->item_wire, false, aws_map_value(shape, value, i));
        xml_close(writer->out, entry_name);
    }
}

/* S3 writes every time with .000Z, and cuts what is below the second. */
static struct slice scalar_text(const struct writer *writer, const struct aws_shape *shape,
                                enum aws_timestamp_format format, const void *value)
{
    if (shape->kind == AWS_TIMESTAMP && format == AWS_TIMESTAMP_ISO8601) {
        struct instant t = ((const struct opt_instant *)value)->value;
        t.ms -= ((t.ms % 1000) + 1000) % 1000;
        return writer->service->protocol == AWS_REST_XML ? instant_iso8601_ms(writer->arena, t)
                                                         : instant_iso8601(writer->arena, t);
    }
    return aws_scalar_format(writer->arena, shape, format, value);
}

static void encode_value(const struct writer *writer, const struct aws_shape *shape, enum aws_timestamp_format format,
                         struct slice name, bool flattened, const void *value)
{
    if (!aws_value_is_set(shape, value))
        return;
    switch (shape->kind) {
    case AWS_LIST:
        if (!flattened)
            xml_open(writer->out, name);
        for (size_t i = 0; i < ((const struct aws_list *)value)->count; i++)
            encode_value(writer, shape->item, format, flattened ? name : shape->item_wire, false,
                         aws_list_item(shape, value, i));
        if (!flattened)
            xml_close(writer->out, name);
        return;
    case AWS_MAP:
        if (!flattened)
            xml_open(writer->out, name);
        encode_map(writer, shape, format, flattened ? name : S("entry"), value);
        if (!flattened)
            xml_close(writer->out, name);
        return;
    case AWS_STRUCTURE:
        xml_open(writer->out, name);
        aws_xml_encode_members(writer->arena, writer->out, writer->service, shape, value);
        xml_close(writer->out, name);
        return;
    case AWS_STRING:
    case AWS_BLOB:
    case AWS_BOOLEAN:
    case AWS_INTEGER:
    case AWS_FLOAT:
    case AWS_TIMESTAMP:
        xml_write_element(writer->out, name, scalar_text(writer, shape, format, value));
        return;
    case AWS_DOCUMENT:
        return;
    }
}

void aws_xml_encode_members(struct arena *arena, struct strbuf *out, const struct aws_service *service,
                            const struct aws_shape *structure, const void *value)
{
    struct writer writer = {.arena = arena, .out = out, .service = service};
    for (size_t i = 0; i < structure->member_count; i++) {
        const struct aws_member *member = &structure->members[i];
        const void *child = aws_member_value(member, value);
        if (child && member->location == AWS_IN_BODY && !member->attribute)
            encode_value(&writer, member->shape, aws_timestamp_of(member, AWS_TIMESTAMP_ISO8601), member->wire,
                         member->flattened, child);
    }
}
