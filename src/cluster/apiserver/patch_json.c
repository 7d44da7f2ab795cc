/* patch_json: RFC 6902 as Kubernetes applies it: replace of a missing member adds it, test of a missing one equals null. */
#include "base/arena.h"
#include "cluster/apiserver/patch.h"
#include "cluster/apiserver/status_error.h"

#define OPERATIONS_MAX 10000       /* Kubernetes's own bound */
#define COPIED_BYTES_MAX (3 << 20) /* Kubernetes's too: copies can double a tree each time */
#define COPIED_NODES_MAX 500000
#define STEPS_MAX 30000000         /* members and elements that are passed on the way, which is most of the time that a patch takes */

struct json_patch {
    struct arena *arena;
    struct json *root;
    size_t copied_nodes, copied_bytes, steps;
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

static bool step(struct json_patch *patch, struct json *container, struct slice token, struct place *ret_place)
{
    struct place place = {.container = container, .key = token};
    size_t count = json_count(container);
    patch->steps += count;
    if (patch->steps > STEPS_MAX)
        return false;
    if (json_is(container, JSON_OBJECT)) {
        place.value = json_get(container, token);
    } else if (json_is(container, JSON_ARRAY)) {
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
        if (!place.value || !step(patch, place.value, token, &place))
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

static void measure(struct json_patch *patch, const struct json *value)
{
    patch->copied_nodes++;
    patch->copied_bytes += value->key.len + value->text.len;
    JSON_FOREACH (child, value)
        measure(patch, child);
}

static bool move(struct json_patch *patch, struct slice from, struct slice path)
{
    struct place source;
    if (slice_starts_with(path, slice_fmt(patch->arena, "%.*s/", SLICE_ARG(from)))) /* into itself */
        return false;
    if (!resolve(patch, from, &source) || !source.value || !source.container)
        return false;
    json_unlink(source.container, source.value);
    source.value->key = SLICE_NONE;
    return add(patch, path, source.value);
}

static bool copy(struct json_patch *patch, struct slice from, struct slice path)
{
    struct place source;
    if (!resolve(patch, from, &source) || !source.value)
        return false;
    measure(patch, source.value);
    if (patch->copied_nodes > COPIED_NODES_MAX || patch->copied_bytes > COPIED_BYTES_MAX)
        return false;
    return add(patch, path, json_clone(patch->arena, source.value));
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
    if (slice_eq(op, S("move")))
        return from.ptr && move(patch, from, path);
    if (slice_eq(op, S("copy")))
        return from.ptr && copy(patch, from, path);
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
