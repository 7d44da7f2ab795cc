/* patch_strategic: Kubernetes's strategic merge patch, after apimachinery's util/strategicpatch: the same order of steps, since
 * the order of list elements in the result follows from it. */
#include "base/arena.h"
#include "cluster/apiserver/patch.h"
#include "cluster/apiserver/schema.h"
#include "cluster/apiserver/status_error.h"
#include <string.h>

/* Elements of a merged list: finding and ordering them is quadratic. */
#define ELEMENTS_MAX 4096
#define ORDER_PREFIX S("$setElementOrder/")
#define DELETE_PREFIX S("$deleteFromPrimitiveList/")

static struct err *merge_map(struct arena *arena, const struct schema_message *schema, struct json *original, struct json *patch);

static bool is_directive(struct slice key)
{
    return slice_eq(key, S("$patch")) || slice_eq(key, S("$retainKeys")) || slice_starts_with(key, ORDER_PREFIX) ||
           slice_starts_with(key, DELETE_PREFIX);
}

/* A value taken whole from the patch: nulls and directives in it go. */
static void clean(struct json *value)
{
    if (value->type != JSON_OBJECT && value->type != JSON_ARRAY)
        return;
    for (struct json *child = value->first, *next; child; child = next) {
        next = child->next;
        bool directive = value->type == JSON_OBJECT && (child->type == JSON_NULL || is_directive(child->key));
        /* An element that only says what to do with the list. */
        bool marker = value->type == JSON_ARRAY && json_get(child, S("$patch")) && !slice_eq(json_get_text(child, "$patch"), S("merge"));
        if (directive || marker)
            json_unlink(value, child);
        else
            clean(child);
    }
}

static struct json *take(struct arena *arena, const struct json *value)
{
    struct json *copy = json_clone(arena, value);
    clean(copy);
    return copy;
}

/* Index of the element that equals item (scalars), or has the same merge key; -1. */
static ptrdiff_t find_like(const struct json *list, const struct json *item, const char *key)
{
    ptrdiff_t index = 0;
    JSON_FOREACH (candidate, list) {
        const struct json *a = key[0] ? json_get(candidate, slice_from_cstr(key)) : candidate;
        const struct json *b = key[0] ? json_get(item, slice_from_cstr(key)) : item;
        if (a && b && slice_eq(a->text, b->text))
            return index;
        index++;
    }
    return -1;
}

/* Elements of from that are (not) in list, moved to a new array and sorted by their place in order (stable). */
static struct json *pick(struct arena *arena, const struct json *from, const struct json *list, bool present, const struct json *order,
                         const char *key)
{
    size_t count = json_count(from), kept = 0;
    struct json **items = ARENA_ARRAY(arena, count + 1, struct json *);
    ptrdiff_t *places = ARENA_ARRAY(arena, count + 1, ptrdiff_t);
    JSON_FOREACH (item, from) {
        if ((find_like(list, item, key) >= 0) != present)
            continue;
        ptrdiff_t place = find_like(order, item, key);
        if (place < 0)
            place = PTRDIFF_MAX;
        size_t at = kept++;
        for (; at > 0 && places[at - 1] > place; at--) {
            items[at] = items[at - 1];
            places[at] = places[at - 1];
        }
        items[at] = item;
        places[at] = place;
    }
    struct json *result = json_array(arena);
    for (size_t i = 0; i < kept; i++)
        json_append(result, json_clone(arena, items[i]));
    return result;
}

/* What the patch names in its order, the rest in the server's; a server element goes first only when both have a place in the
 * server's list and its place is before. */
static struct json *order_elements(struct arena *arena, const struct json *merged, const struct json *patch_order, const struct json *server_order,
                                   const char *key)
{
    struct json *patch = pick(arena, merged, patch_order, true, patch_order, key);
    struct json *server = pick(arena, merged, patch_order, false, server_order, key);
    struct json *all = json_array(arena);
    while (server->first || patch->first) {
        bool from_server = !patch->first;
        if (server->first && patch->first) {
            ptrdiff_t s = find_like(server_order, server->first, key), p = find_like(server_order, patch->first, key);
            from_server = s >= 0 && p >= 0 && s < p;
        }
        struct json *source = from_server ? server : patch, *item = source->first;
        json_unlink(source, item);
        json_append(all, item);
    }
    return all;
}

static struct err *missing_key(struct arena *arena, const struct json *item, const char *key)
{
    struct strbuf text = STRBUF_ARENA(arena);
    JSON_FOREACH (member, item)
        strbuf_append_fmt(&text, "%s%.*s:%.*s", text.len ? " " : "", SLICE_ARG(member->key), SLICE_ARG(member->text));
    return status_plain_500("map: map[%.*s] does not contain declared merge key: %s", SLICE_ARG(strbuf_slice(&text)), key);
}

/* Carries out the elements {"$patch": …} of a list patch. Result: what to merge, or *ret_replaced. */
static struct err *list_directives(struct arena *arena, struct json *original, const struct json *patch, const char *key, struct json **ret_rest,
                                   bool *ret_replaced)
{
    struct json *rest = json_array(arena);
    bool replace = false;
    JSON_FOREACH (item, patch) {
        struct slice directive = json_get_text(item, "$patch");
        if (!directive.ptr) {
            json_append(rest, json_clone(arena, item));
        } else if (slice_eq(directive, S("replace"))) {
            replace = true;
        } else if (slice_eq(directive, S("delete"))) {
            if (!json_get(item, slice_from_cstr(key)))
                return missing_key(arena, item, key);
            for (ptrdiff_t at; (at = find_like(original, item, key)) >= 0;)
                json_unlink(original, json_item(original, (size_t)at));
        } else {
            return status_plain_500("unknown patch type found: %.*s", SLICE_ARG(directive));
        }
    }
    *ret_rest = rest;
    *ret_replaced = replace;
    return NULL;
}

static struct err *check_size(const struct json *a, const struct json *b)
{
    if (json_count(a) <= ELEMENTS_MAX && json_count(b) <= ELEMENTS_MAX)
        return NULL;
    struct err *e = err_code(ERR_LIMIT, "RequestEntityTooLarge", "Request entity is too large: a merged list may have at most %d elements", ELEMENTS_MAX);
    e->status = 413;
    return e;
}

/* original is consumed; *ret_merged is ordered by order (the patch's own list unless $setElementOrder says otherwise). */
static struct err *merge_list(struct arena *arena, const struct schema_field *field, struct json *original, const struct json *patch,
                              const struct json *order, struct json **ret_merged)
{
    const char *key = field->patch_key;
    TRY(check_size(original, patch));
    TRY(check_size(order, NULL));
    struct json *server_order = json_clone(arena, original), *rest = json_clone(arena, patch);
    if (field->type == SCHEMA_MESSAGE && key[0]) {
        bool replaced;
        TRY(list_directives(arena, original, patch, key, &rest, &replaced));
        if (replaced) {
            clean(rest);
            *ret_merged = rest;
            return NULL;
        }
    }
    JSON_FOREACH (item, rest) {
        if (key[0] && !json_get(item, slice_from_cstr(key)))
            return missing_key(arena, item, key);
        ptrdiff_t at = find_like(original, item, key);
        if (at < 0)
            json_append(original, take(arena, item));
        else if (key[0])
            TRY(merge_map(arena, field->message, json_item(original, (size_t)at), item));
    }
    *ret_merged = order_elements(arena, original, order ? order : rest, server_order, key);
    return NULL;
}

static void retain_keys(struct json *original, const struct json *keys)
{
    for (struct json *member = original->first, *next; member; member = next) {
        next = member->next;
        bool keep = false;
        JSON_FOREACH (key, keys)
            keep |= slice_eq(key->text, member->key);
        if (!keep)
            json_unlink(original, member);
    }
}

static void delete_scalars(struct json *list, const struct json *gone)
{
    JSON_FOREACH (item, gone)
        for (ptrdiff_t at; (at = find_like(list, item, "")) >= 0;)
            json_unlink(list, json_item(list, (size_t)at));
}

static const struct schema_field *merged_list_field(const struct schema_message *schema, struct slice name)
{
    const struct schema_field *field = schema_field_by_name(schema, name);
    return field && field->repeated && !field->map && field->patch_key ? field : NULL;
}

/* A member of the patch that is neither null nor a directive. order: of $setElementOrder for it, or NULL. */
static struct err *merge_member(struct arena *arena, const struct schema_message *schema, struct json *original, struct json *member,
                                const struct json *order)
{
    struct json *old = json_get(original, member->key);
    const struct schema_field *field = schema_field_by_name(schema, member->key);
    if (!old || old->type != member->type) {
        json_set(arena, original, member->key, take(arena, member));
        return NULL;
    }
    if (member->type == JSON_OBJECT) {
        bool nested = field && field->type == SCHEMA_MESSAGE && !field->repeated && !field->map;
        return merge_map(arena, nested ? field->message : NULL, old, member);
    }
    const struct schema_field *list = member->type == JSON_ARRAY ? merged_list_field(schema, member->key) : NULL;
    if (!list) {
        json_set(arena, original, member->key, take(arena, member));
        return NULL;
    }
    struct json *merged;
    TRY(merge_list(arena, list, old, member, order, &merged));
    json_set(arena, original, member->key, merged);
    return NULL;
}

/* $setElementOrder without a list of the same name: the order alone changes. */
static struct err *apply_orders(struct arena *arena, const struct schema_message *schema, struct json *original, const struct json *patch)
{
    JSON_FOREACH (member, patch) {
        if (!slice_starts_with(member->key, ORDER_PREFIX))
            continue;
        struct slice name = slice_from(member->key, ORDER_PREFIX.len);
        struct json *list = json_get(original, name);
        const struct schema_field *field = merged_list_field(schema, name);
        if (json_get(patch, name) || !json_is(list, JSON_ARRAY) || !field || member->type != JSON_ARRAY)
            continue;
        TRY(check_size(list, member));
        struct json *server_order = json_clone(arena, list);
        json_set(arena, original, name, order_elements(arena, list, member, server_order, field->patch_key));
    }
    return NULL;
}

static struct err *merge_map(struct arena *arena, const struct schema_message *schema, struct json *original, struct json *patch)
{
    const struct json *directive = json_get(patch, S("$patch"));
    if (directive) {
        bool replace = slice_eq(json_text(directive), S("replace"));
        if (!replace && !slice_eq(json_text(directive), S("delete"))) {
            if (!slice_eq(json_text(directive), S("merge")))
                return status_plain_500("unknown patch type found: %.*s", SLICE_ARG(json_text(directive)));
        } else {
            while (original->first)
                json_unlink(original, original->first);
            if (replace)
                JSON_FOREACH (member, patch)
                    if (!is_directive(member->key) && member->type != JSON_NULL)
                        json_set(arena, original, member->key, take(arena, member));
            return NULL;
        }
    }
    const struct json *keys = json_get(patch, S("$retainKeys"));
    if (json_is(keys, JSON_ARRAY))
        retain_keys(original, keys);
    JSON_FOREACH (member, patch) {
        if (!slice_starts_with(member->key, DELETE_PREFIX))
            continue;
        TRY(check_size(member, json_get(original, slice_from(member->key, DELETE_PREFIX.len))));
        delete_scalars(json_get(original, slice_from(member->key, DELETE_PREFIX.len)), member);
    }
    JSON_FOREACH (member, patch) {
        if (is_directive(member->key))
            continue;
        if (member->type == JSON_NULL) {
            json_remove(original, member->key);
            continue;
        }
        struct slice order_key = slice_fmt(arena, "$setElementOrder/%.*s", SLICE_ARG(member->key));
        const struct json *order = json_get(patch, order_key);
        TRY(merge_member(arena, schema, original, member, json_is(order, JSON_ARRAY) ? order : NULL));
    }
    return apply_orders(arena, schema, original, patch);
}

struct err *patch_strategic(struct arena *arena, const struct kind *kind, const struct json *target, const struct json *patch,
                            struct json **ret_object)
{
    struct json *object = json_clone(arena, target), *work = json_clone(arena, patch);
    TRY(merge_map(arena, schema_find(kind->message), object, work));
    *ret_object = object;
    return NULL;
}
