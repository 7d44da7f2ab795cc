/* patch_json: RFC 6902 as Kubernetes applies it: replace of a missing member adds it, test of a missing one equals null. */
#include "base/arena.h"
#include "cluster/apiserver/patch.h"
#include "cluster/apiserver/status_error.h"

#define OPERATIONS_MAX 10000   /* Kubernetes's own bound */
#define COPIED_NODES_MAX 500000 /* copies can double a tree each time */

struct json_patch {
    struct arena *arena;
    struct json *root;
    size_t copied;
};

/* Where a pointer leads: the container and the key or index in it. */
struct place {
    struct json *container; /* NULL: the whole document */
    struct slice key;       /* of an object */
    size_t index;           /* of an array; its length for "-" */
    struct json *value;     /* NULL: nothing there */
};

static struct slice unescape(struct arena *arena, struct slice token)
{
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < token.len; i++) {
        bool escape = token.ptr[i] == '~' && i + 1 < token.len && (token.ptr[i + 1] == '0' || token.ptr[i + 1] == '1');
        strbuf_append_char(&out, escape ? (token.ptr[++i] == '0' ? '~' : '/') : token.ptr[i]);
    }
    return strbuf_slice(&out);
}

static bool step(struct json *container, struct slice token, struct place *ret_place)
{
    struct place place = {.container = container, .key = token};
    if (json_is(container, JSON_OBJECT)) {
        place.value = json_get(container, token);
    } else if (json_is(container, JSON_ARRAY)) {
        size_t count = json_count(container);
        int64_t index = (int64_t)count;
        if (!slice_eq(token, S("-")) && !slice_to_i64(token, 0, (int64_t)count, &index))
            return false;
        place.index = (size_t)index;
        place.value = json_item(container, place.index);
    } else {
        return false;
    }
    *ret_place = place;
    return true;
}

static bool resolve(struct json_patch *patch, struct slice pointer, struct place *ret_place)
{
    struct place place = {.value = patch->root};
    if (pointer.len == 0) {
        *ret_place = place;
        return true;
    }
    if (pointer.ptr[0] != '/')
        return false;
    struct slice rest = slice_from(pointer, 1);
    while (rest.ptr) {
        struct slice token = unescape(patch->arena, slice_cut(&rest, '/'));
        if (!place.value || !step(place.value, token, &place))
            return false;
    }
    *ret_place = place;
    return true;
}

static void insert_at(struct json *array, size_t index, struct json *value)
{
    struct json *before = index ? json_item(array, index - 1) : NULL;
    if (!before) {
        json_prepend(array, value);
    } else if (!before->next) {
        json_append(array, value);
    } else {
        value->next = before->next;
        before->next = value;
    }
}

static bool add(struct json_patch *patch, struct slice pointer, struct json *value)
{
    struct place place;
    if (!resolve(patch, pointer, &place))
        return false;
    if (!place.container)
        patch->root = value;
    else if (place.container->type == JSON_OBJECT)
        json_set(patch->arena, place.container, place.key, value);
    else
        insert_at(place.container, place.index, value);
    return true;
}

static bool take_out(struct json_patch *patch, struct slice pointer)
{
    struct place place;
    if (!resolve(patch, pointer, &place) || !place.container || !place.value)
        return false;
    json_unlink(place.container, place.value);
    return true;
}

static bool replace(struct json_patch *patch, struct slice pointer, struct json *value)
{
    struct place place;
    if (!resolve(patch, pointer, &place))
        return false;
    if (!place.container)
        patch->root = value;
    else if (place.container->type == JSON_OBJECT)
        json_set(patch->arena, place.container, place.key, value);
    else if (place.value)
        json_replace(place.container, place.value, value);
    else
        return false;
    return true;
}

static size_t count_nodes(const struct json *value)
{
    size_t count = 1;
    JSON_FOREACH (child, value)
        count += count_nodes(child);
    return count;
}

static bool copy(struct json_patch *patch, struct slice from, struct slice path, bool move)
{
    struct place source;
    if (!resolve(patch, from, &source) || !source.value)
        return false;
    if (move && slice_starts_with(path, slice_fmt(patch->arena, "%.*s/", SLICE_ARG(from))))
        return false; /* into itself */
    patch->copied += count_nodes(source.value);
    if (patch->copied > COPIED_NODES_MAX)
        return false;
    struct json *value = json_clone(patch->arena, source.value);
    if (move && !take_out(patch, from))
        return false;
    return add(patch, path, value);
}

static bool run(struct json_patch *patch, const struct json *operation)
{
    struct slice op = json_get_text(operation, "op"), path = json_get_text(operation, "path"), from = json_get_text(operation, "from");
    const struct json *value = json_get(operation, S("value"));
    if (!path.ptr)
        return false;
    struct json *fresh = value ? json_clone(patch->arena, value) : json_null(patch->arena);
    if (slice_eq(op, S("add")))
        return value && add(patch, path, fresh);
    if (slice_eq(op, S("remove")))
        return take_out(patch, path);
    if (slice_eq(op, S("replace")))
        return value && replace(patch, path, fresh);
    if (slice_eq(op, S("move")) || slice_eq(op, S("copy")))
        return from.ptr && copy(patch, from, path, slice_eq(op, S("move")));
    if (!slice_eq(op, S("test")))
        return false;
    struct place place;
    if (!resolve(patch, path, &place) || !place.value)
        return fresh->type == JSON_NULL;
    return json_equal(place.value, fresh);
}

struct err *patch_json(struct arena *arena, const struct json *target, const struct json *operations, struct json **ret_object)
{
    struct json_patch patch = {.arena = arena, .root = json_clone(arena, target)};
    if (json_count(operations) > OPERATIONS_MAX) {
        struct err *e = err_code(ERR_LIMIT, "RequestEntityTooLarge",
                                 "Request entity is too large: The allowed maximum operations in a JSON patch is %d, got %zu", OPERATIONS_MAX,
                                 json_count(operations));
        e->status = 413;
        return e;
    }
    JSON_FOREACH (operation, operations) {
        if (operation->type != JSON_OBJECT)
            return status_bad_request("error decoding patch: json: cannot unmarshal into Go value of type handlers.jsonPatchOp");
        if (!run(&patch, operation))
            return status_unprocessable();
    }
    *ret_object = patch.root;
    return NULL;
}
