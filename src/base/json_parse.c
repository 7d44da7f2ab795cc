/* Text to tree: yyjson does the syntax (strict RFC 8259, UTF-8 checked, numbers kept as their literal), this file builds our
 * nodes, bounds the depth and refuses duplicate keys. The only file that includes yyjson. */
#include "base/arena.h"
#include "base/json.h"
#include <stdlib.h>
#include <yyjson.h>

#define DEPTH_MAX 512
/* Objects up to this many members are checked for duplicates by comparing; larger ones by a sorted copy. */
#define COMPARE_MAX 16

/* A member and where it stands. */
struct json_place {
    struct json *member;
    size_t index;
};

static int compare_places(const void *a, const void *b)
{
    const struct json_place *x = a, *y = b;
    int by_key = slice_cmp(x->member->key, y->member->key);
    return by_key ? by_key : x->index < y->index ? -1 : 1;
}

/* The members by key and then by place, on the heap. */
static struct json_place *sort_members(const struct json *object, size_t count)
{
    struct json_place *places = xcalloc(count, sizeof(*places));
    size_t i = 0;
    JSON_FOREACH(member, object) {
        places[i] = (struct json_place){.member = member, .index = i};
        i++;
    }
    qsort(places, count, sizeof(*places), compare_places);
    return places;
}

/* A duplicate key of the object, or SLICE_NONE. */
static struct slice find_duplicate(const struct json *object)
{
    size_t count = json_count(object);
    if (count <= COMPARE_MAX) {
        JSON_FOREACH(a, object) {
            for (const struct json *b = a->next; b; b = b->next) {
                if (slice_eq(a->key, b->key))
                    return a->key;
            }
        }
        return SLICE_NONE;
    }
    _cleanup_(freep) struct json_place *places = sort_members(object, count);
    for (size_t i = 1; i < count; i++) {
        if (slice_eq(places[i - 1].member->key, places[i].member->key))
            return places[i].member->key;
    }
    return SLICE_NONE;
}

/* Of members with one key the last one stays, at its place. */
static void drop_duplicates(struct json *object)
{
    size_t count = json_count(object);
    _cleanup_(freep) struct json_place *places = sort_members(object, count);
    _cleanup_(freep) struct json **kept = xcalloc(count, sizeof(*kept)); /* by place */
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || !slice_eq(places[i].member->key, places[i + 1].member->key))
            kept[places[i].index] = places[i].member;
    object->first = object->last = NULL;
    for (size_t i = 0; i < count; i++)
        if (kept[i])
            json_append(object, kept[i]);
}

static struct err *convert(struct arena *arena, yyjson_val *from, enum json_duplicates duplicates, int depth,
                           struct json **ret_json);

static struct err *convert_container(struct arena *arena, yyjson_val *from, enum json_duplicates duplicates, int depth,
                                     struct json *to)
{
    if (depth >= DEPTH_MAX)
        return err_new(ERR_INVALID, "JSON is nested deeper than %d", DEPTH_MAX);
    if (yyjson_is_arr(from)) {
        yyjson_arr_iter it = yyjson_arr_iter_with(from);
        for (yyjson_val *item; (item = yyjson_arr_iter_next(&it));) {
            struct json *child = NULL;
            TRY(convert(arena, item, duplicates, depth + 1, &child));
            json_append(to, child);
        }
        return NULL;
    }
    yyjson_obj_iter it = yyjson_obj_iter_with(from);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));) {
        struct json *child = NULL;
        TRY(convert(arena, yyjson_obj_iter_get_val(key), duplicates, depth + 1, &child));
        child->key = slice_dup(arena, slice_of(yyjson_get_str(key), yyjson_get_len(key)));
        json_append(to, child);
    }
    struct slice twice = find_duplicate(to);
    if (!twice.ptr)
        return NULL;
    if (duplicates == JSON_DUPLICATES_REFUSE)
        return err_new(ERR_INVALID, "JSON has the key \"%.*s\" twice", SLICE_ARG(twice));
    drop_duplicates(to);
    return NULL;
}

static struct err *convert(struct arena *arena, yyjson_val *from, enum json_duplicates duplicates, int depth,
                           struct json **ret_json)
{
    struct json *to = ARENA_NEW(arena, struct json);
    *ret_json = to;
    switch (yyjson_get_type(from)) {
    case YYJSON_TYPE_NULL:
        to->type = JSON_NULL;
        return NULL;
    case YYJSON_TYPE_BOOL:
        to->type = JSON_BOOL;
        to->boolean = yyjson_get_bool(from);
        return NULL;
    case YYJSON_TYPE_RAW:
        to->type = JSON_NUMBER;
        to->text = slice_dup(arena, slice_of(yyjson_get_raw(from), yyjson_get_len(from)));
        return NULL;
    case YYJSON_TYPE_STR:
        to->type = JSON_STRING;
        to->text = slice_dup(arena, slice_of(yyjson_get_str(from), yyjson_get_len(from)));
        return NULL;
    case YYJSON_TYPE_ARR:
        to->type = JSON_ARRAY;
        return convert_container(arena, from, duplicates, depth, to);
    case YYJSON_TYPE_OBJ:
        to->type = JSON_OBJECT;
        return convert_container(arena, from, duplicates, depth, to);
    default:
        return err_new(ERR_INTERNAL, "yyjson gave an unknown type");
    }
}

static void doc_freep(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}

struct err *json_parse(struct arena *arena, struct slice text, enum json_duplicates duplicates, struct json **ret_json)
{
    yyjson_read_err problem = {0};
    /* Without YYJSON_READ_INSITU the text is copied, never written. */
    char *input = slice_cstr(arena, text);
    _cleanup_(doc_freep) yyjson_doc *doc = yyjson_read_opts(input, text.len, YYJSON_READ_NUMBER_AS_RAW, NULL, &problem);
    if (!doc)
        return err_new(ERR_INVALID, "not JSON: %s at byte %zu", problem.msg ? problem.msg : "empty", problem.pos);
    return convert(arena, yyjson_doc_get_root(doc), duplicates, 0, ret_json);
}
