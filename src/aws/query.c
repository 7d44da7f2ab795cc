/* query: forms of STS and IAM. Names are paths: Tags.member.1.Key, flattened Tag.1.Key, Map.entry.1.key. Numbers in
 * lists need not be dense nor in order: items come by their number; an empty value of a list's own name is the empty list. */
#include "aws/codec.h"
#include "aws/value.h"
#include "base/arena.h"
#include <stdlib.h>

#define MAX_ITEMS 1000

struct reader {
    struct arena *arena;
    const struct aws_service *service;
    struct aws_params params;
};

static bool has_prefix(const struct reader *reader, struct slice prefix)
{
    for (size_t i = 0; i < reader->params.count; i++) {
        struct slice name = reader->params.items[i].name;
        if (slice_starts_with(name, prefix) && (name.len == prefix.len || name.ptr[prefix.len] == '.'))
            return true;
    }
    return false;
}

static struct slice path_join(const struct reader *reader, struct slice prefix, struct slice name)
{
    return prefix.len ? slice_fmt(reader->arena, "%.*s.%.*s", SLICE_ARG(prefix), SLICE_ARG(name)) : name;
}

static struct slice path_number(const struct reader *reader, struct slice prefix, int64_t number)
{
    return slice_fmt(reader->arena, "%.*s.%lld", SLICE_ARG(prefix), (long long)number);
}

/* The number that follows "PREFIX." in a parameter's name; 0: it has none, or none that counts. */
static int64_t number_in(struct slice name, struct slice prefix)
{
    int64_t number;
    if (!slice_starts_with(name, prefix) || name.len <= prefix.len || name.ptr[prefix.len] != '.')
        return 0;
    struct slice rest = slice_from(name, prefix.len + 1), first = slice_cut(&rest, '.');
    return slice_to_i64(first, 1, INT32_MAX, &number) ? number : 0;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The numbers of a list's items, ascending, each once. */
static struct err *items_of(const struct reader *reader, struct slice prefix, const int64_t **ret_numbers, size_t *ret_count)
{
    int64_t *numbers = ARENA_ARRAY(reader->arena, reader->params.count, int64_t);
    size_t count = 0, distinct = 0;
    for (size_t i = 0; i < reader->params.count; i++)
        if ((numbers[count] = number_in(reader->params.items[i].name, prefix)) > 0)
            count++;
    if (count)
        qsort(numbers, count, sizeof(*numbers), by_value);
    for (size_t i = 0; i < count; i++)
        if (!distinct || numbers[i] != numbers[distinct - 1])
            numbers[distinct++] = numbers[i];
    if (distinct > MAX_ITEMS)
        return aws_err_serialization(reader->service, "'%.*s' has more than %d items", SLICE_ARG(prefix), MAX_ITEMS);
    *ret_numbers = numbers;
    *ret_count = distinct;
    return NULL;
}

static struct err *decode_members(const struct reader *reader, const struct aws_shape *structure, struct slice prefix,
                                  void *in);

static struct err *decode_value(const struct reader *reader, const struct aws_shape *shape,
                                enum aws_timestamp_format format, struct slice path, bool flattened, void *slot)
{
    switch (shape->kind) {
    case AWS_STRUCTURE:
        return decode_members(reader, shape, path, slot);
    case AWS_LIST: {
        struct slice prefix = flattened ? path : path_join(reader, path, shape->item_wire);
        size_t count;
        const int64_t *numbers;
        TRY(items_of(reader, prefix, &numbers, &count));
        char *items = arena_array(reader->arena, count, shape->item->size);
        for (size_t i = 0; i < count; i++)
            TRY(decode_value(reader, shape->item, format, path_number(reader, prefix, numbers[i]), false,
                             items + i * shape->item->size));
        *(struct aws_list *)slot = (struct aws_list){.set = true, .count = count, .items = items};
        return NULL;
    }
    case AWS_MAP: {
        struct slice prefix = flattened ? path : path_join(reader, path, S("entry"));
        size_t count;
        const int64_t *numbers;
        TRY(items_of(reader, prefix, &numbers, &count));
        char *entries = arena_array(reader->arena, count, shape->entry_size);
        for (size_t i = 0; i < count; i++) {
            struct slice entry = path_number(reader, prefix, numbers[i]);
            char *at = entries + i * shape->entry_size;
            struct slice key = aws_params_get(reader->params, path_join(reader, entry, shape->key_wire));
            *(struct slice *)(void *)at = key.ptr ? key : S("");
            TRY(decode_value(reader, shape->item, format, path_join(reader, entry, shape->item_wire), false,
                             at + shape->value_offset));
        }
        *(struct aws_map *)slot = (struct aws_map){.set = true, .count = count, .entries = entries};
        return NULL;
    }
    case AWS_STRING:
    case AWS_BLOB:
    case AWS_BOOLEAN:
    case AWS_INTEGER:
    case AWS_FLOAT:
    case AWS_TIMESTAMP: {
        struct slice text = aws_params_get(reader->params, path);
        if (text.ptr && !aws_scalar_parse(reader->arena, shape, format, text, slot))
            return aws_err_serialization(reader->service, "Value '%.*s' at '%.*s' can not be converted",
                                         SLICE_ARG(slice_sub(text, 0, 256)), SLICE_ARG(path));
        return NULL;
    }
    case AWS_DOCUMENT:
        return NULL;
    }
    return NULL;
}

static struct err *decode_members(const struct reader *reader, const struct aws_shape *structure, struct slice prefix,
                                  void *in)
{
    for (size_t i = 0; i < structure->member_count; i++) {
        const struct aws_member *member = &structure->members[i];
        if (member->offset == AWS_NO_OFFSET)
            continue;
        struct slice path = path_join(reader, prefix, member->wire);
        if (has_prefix(reader, path))
            TRY(decode_value(reader, member->shape, aws_timestamp_of(member, AWS_TIMESTAMP_ISO8601), path,
                             member->flattened, aws_member_slot(reader->arena, member, in)));
    }
    return NULL;
}

struct err *aws_query_decode(struct arena *arena, const struct aws_service *service, const struct aws_shape *structure,
                             struct aws_params params, void *in)
{
    struct reader reader = {.arena = arena, .service = service, .params = params};
    return decode_members(&reader, structure, SLICE_NONE, in);
}
