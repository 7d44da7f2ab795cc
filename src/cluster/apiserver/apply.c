#include "cluster/apiserver/apply.h"
#include "base/arena.h"
#include "cluster/apiserver/schema.h"
#include "cluster/apiserver/status_error.h"
#include <string.h>

#define ELEMENTS_MAX 4096 /* of lists that are merged by key: finding is quadratic */

/* --- parse --- */

struct typed_walk {
    struct arena *arena;
    struct strbuf path; /* .template.spec.containers[name="a"].env */
};

/* "containerPort,protocol" -> the part at index; absent past the end. */
static struct slice key_at(const char *keys, size_t index)
{
    struct slice rest = slice_from_cstr(keys);
    while (index-- && rest.ptr)
        (void)slice_cut(&rest, ',');
    return rest.ptr ? slice_cut(&rest, ',') : SLICE_NONE;
}

/* Text of a key of a list element; protocol has a default in every list where it is a key. */
static struct slice key_text(const struct json *item, struct slice key)
{
    const struct json *value = json_get(item, key);
    if (!value)
        return slice_eq(key, S("protocol")) ? S("TCP") : S("");
    return value->type == JSON_BOOL ? (value->boolean ? S("true") : S("false")) : value->text;
}

static bool same_item(const struct schema_field *field, const struct json *a, const struct json *b)
{
    if (field->list == SCHEMA_LIST_SET)
        return slice_eq(a->text, b->text);
    for (size_t i = 0;; i++) {
        struct slice key = key_at(field->list_keys, i);
        if (!key.ptr)
            return true;
        if (!slice_eq(key_text(a, key), key_text(b, key)))
            return false;
    }
}

static struct json *find_item(const struct schema_field *field, const struct json *list, const struct json *like)
{
    JSON_FOREACH (item, list)
        if (same_item(field, item, like))
            return item;
    return NULL;
}

/* name="a" or containerPort=80,protocol="TCP" */
static struct slice item_text(struct arena *arena, const struct schema_field *field, const struct json *item)
{
    struct strbuf out = STRBUF_ARENA(arena);
    if (field->list == SCHEMA_LIST_SET) {
        strbuf_append_cstr(&out, "=");
        json_write(&out, item);
        return strbuf_slice(&out);
    }
    for (size_t i = 0;; i++) {
        struct slice key = key_at(field->list_keys, i);
        if (!key.ptr)
            return strbuf_slice(&out);
        const struct json *value = json_get(item, key);
        bool bare = value && value->type == JSON_NUMBER;
        strbuf_append_fmt(&out, "%s%.*s=%s%.*s%s", i ? "," : "", SLICE_ARG(key), bare ? "" : "\"", SLICE_ARG(key_text(item, key)), bare ? "" : "\"");
    }
}

static bool is_merged_list(const struct schema_field *field)
{
    return field->repeated && !field->map && !field->atomic && (field->list == SCHEMA_LIST_SET || (field->list == SCHEMA_LIST_MAP && field->list_keys));
}

static bool is_granular_object(const struct schema_field *field)
{
    return !field->atomic && !field->repeated && field->type != SCHEMA_RAW && (field->map || field->type == SCHEMA_MESSAGE);
}

static struct err *check_fields(struct typed_walk *walk, const struct schema_message *message, const struct json *object, bool top);

static struct err *check_items(struct typed_walk *walk, const struct schema_field *field, const struct json *list)
{
    size_t before = walk->path.len;
    if (is_merged_list(field) && json_count(list) > ELEMENTS_MAX) {
        struct err *e = err_code(ERR_LIMIT, "RequestEntityTooLarge", "Request entity is too large: a merged list may have at most %d elements",
                                 ELEMENTS_MAX);
        e->status = 413;
        return e;
    }
    JSON_FOREACH (item, list) {
        if (is_merged_list(field)) {
            JSON_FOREACH (other, list) {
                if (other == item)
                    break;
                if (same_item(field, other, item))
                    return err_new(ERR_INVALID, "%.*s: duplicate entries for key [%.*s]", SLICE_ARG(strbuf_slice(&walk->path)),
                                   SLICE_ARG(item_text(walk->arena, field, item)));
            }
            strbuf_append_fmt(&walk->path, "[%.*s]", SLICE_ARG(item_text(walk->arena, field, item)));
        }
        if (field->type == SCHEMA_MESSAGE)
            TRY(check_fields(walk, field->message, item, false));
        strbuf_truncate(&walk->path, before);
    }
    return NULL;
}

static struct err *check_fields(struct typed_walk *walk, const struct schema_message *message, const struct json *object, bool top)
{
    size_t before = walk->path.len;
    if (!json_is(object, JSON_OBJECT))
        return err_new(ERR_INVALID, "%.*s: expected map", SLICE_ARG(strbuf_slice(&walk->path)));
    JSON_FOREACH (member, object) {
        if (top && (slice_eq(member->key, S("kind")) || slice_eq(member->key, S("apiVersion"))))
            continue;
        strbuf_append_fmt(&walk->path, ".%.*s", SLICE_ARG(member->key));
        const struct schema_field *field = schema_field_by_name(message, member->key);
        if (!field)
            return err_new(ERR_INVALID, "%.*s: field not declared in schema", SLICE_ARG(strbuf_slice(&walk->path)));
        bool wrong = member->type != JSON_NULL && ((field->map && member->type != JSON_OBJECT) ||
                                                   (!field->map && field->repeated && member->type != JSON_ARRAY));
        if (wrong)
            return err_new(ERR_INVALID, "%.*s: expected %s", SLICE_ARG(strbuf_slice(&walk->path)), field->map ? "map" : "list");
        if (member->type == JSON_ARRAY)
            TRY(check_items(walk, field, member));
        else if (field->type == SCHEMA_MESSAGE && !field->map && member->type != JSON_NULL)
            TRY(check_fields(walk, field->message, member, false));
        strbuf_truncate(&walk->path, before);
    }
    return NULL;
}

/* "v1" -> "/v1", "apps/v1" stays, "" -> "/". */
static struct slice group_version(struct arena *arena, struct slice api_version)
{
    return slice_index(api_version, '/') >= 0 ? api_version : slice_fmt(arena, "/%.*s", SLICE_ARG(api_version));
}

struct err *apply_parse(struct arena *arena, const struct kind *kind, struct slice body, struct json **ret_body)
{
    struct json *object = NULL;
    TRY(decode_patch_body_yaml(arena, body, &object));
    if (!json_is(object, JSON_OBJECT))
        return status_bad_request("error decoding YAML: json: cannot unmarshal into Go value of type map[string]interface {}");
    struct slice api_version = json_get_text(object, "apiVersion"), name = json_get_text(object, "kind");
    if (!slice_eq(name, slice_from_cstr(kind->kind)) || !slice_eq(api_version, kind_api_version(arena, kind)))
        return status_bad_request("invalid object type: %.*s, Kind=%.*s", SLICE_ARG(group_version(arena, api_version)), SLICE_ARG(name));
    const struct json *metadata = json_get(object, S("metadata"));
    if (json_get(metadata, S("managedFields")))
        return status_bad_request("metadata.managedFields must be nil");
    struct typed_walk walk = {.arena = arena, .path = STRBUF_ARENA(arena)};
    struct err *e = check_fields(&walk, schema_find(kind->message), object, true);
    if (e) {
        struct err *status = e->status ? e
                                       : status_plain_500("failed to create typed patch object (%.*s/%.*s; %.*s, Kind=%.*s): %.*s",
                                                          SLICE_ARG(json_get_text(metadata, "namespace")), SLICE_ARG(json_get_text(metadata, "name")),
                                                          SLICE_ARG(group_version(arena, api_version)), SLICE_ARG(name), SLICE_ARG(err_message(e)));
        if (status != e)
            err_free(e);
        return status;
    }
    /* Quantities in the form in which they are stored, so that equal values compare equal. */
    TRY(decode_check(arena, kind, object, FIELD_VALIDATION_IGNORE, NULL));
    *ret_body = object;
    return NULL;
}

/* --- merge --- */

static void merge_object(struct arena *arena, const struct schema_message *message, struct json *target, const struct json *body);

static void merge_list(struct arena *arena, const struct schema_field *field, struct json *target, const struct json *body)
{
    JSON_FOREACH (item, body) {
        struct json *old = find_item(field, target, item);
        if (!old)
            json_append(target, json_clone(arena, item));
        else if (field->type == SCHEMA_MESSAGE)
            merge_object(arena, field->message, old, item);
    }
}

static void merge_object(struct arena *arena, const struct schema_message *message, struct json *target, const struct json *body)
{
    JSON_FOREACH (member, body) {
        struct json *old = json_get(target, member->key);
        const struct schema_field *field = message ? schema_field_by_name(message, member->key) : NULL;
        if (member->type == JSON_NULL)
            continue; /* owned, but without a value */
        if (old && field && is_granular_object(field) && old->type == JSON_OBJECT && member->type == JSON_OBJECT)
            merge_object(arena, field->map ? NULL : field->message, old, member);
        else if (old && field && is_merged_list(field) && old->type == JSON_ARRAY && member->type == JSON_ARRAY)
            merge_list(arena, field, old, member);
        else
            json_set(arena, target, member->key, json_clone(arena, member));
    }
}

/* --- remove what the manager no longer sends --- */

struct owners {
    const struct json **bodies; /* of the others, at the same place; NULL: not there */
    size_t count;
};

static bool any_owner(const struct owners *owners)
{
    for (size_t i = 0; i < owners->count; i++)
        if (owners->bodies[i])
            return true;
    return false;
}

/* Of a value that somebody changed since (by force, or by an update) the old applier is no owner any more. */
static void keep_equal(struct owners *owners, const struct json *live)
{
    for (size_t i = 0; i < owners->count; i++)
        if (owners->bodies[i] && !(live && json_equal(owners->bodies[i], live)))
            owners->bodies[i] = NULL;
}

static struct owners owners_at(struct arena *arena, const struct owners *owners, struct slice key)
{
    struct owners inner = {.bodies = ARENA_ARRAY(arena, owners->count + 1, const struct json *), .count = owners->count};
    for (size_t i = 0; i < owners->count; i++)
        inner.bodies[i] = json_get(owners->bodies[i], key);
    return inner;
}

static struct owners owners_of_item(struct arena *arena, const struct owners *owners, const struct schema_field *field, const struct json *item)
{
    struct owners inner = {.bodies = ARENA_ARRAY(arena, owners->count + 1, const struct json *), .count = owners->count};
    for (size_t i = 0; i < owners->count; i++)
        inner.bodies[i] = find_item(field, owners->bodies[i], item);
    return inner;
}

static void remove_object(struct arena *arena, const struct schema_message *message, struct json *target, const struct json *previous,
                          const struct json *body, const struct owners *owners);

static void remove_list(struct arena *arena, const struct schema_field *field, struct json *target, const struct json *previous,
                        const struct json *body, const struct owners *owners)
{
    JSON_FOREACH (item, previous) {
        struct json *live = find_item(field, target, item);
        const struct json *kept = find_item(field, body, item);
        struct owners others = owners_of_item(arena, owners, field, item);
        if (!live)
            continue;
        if (!kept && !any_owner(&others))
            json_unlink(target, live);
        else if (field->type == SCHEMA_MESSAGE)
            remove_object(arena, field->message, live, item, kept, &others);
    }
}

static void remove_object(struct arena *arena, const struct schema_message *message, struct json *target, const struct json *previous,
                          const struct json *body, const struct owners *owners)
{
    JSON_FOREACH (member, previous) {
        struct json *live = json_get(target, member->key);
        const struct json *kept = json_get(body, member->key);
        const struct schema_field *field = message ? schema_field_by_name(message, member->key) : NULL;
        bool container = field && (is_granular_object(field) || is_merged_list(field));
        struct owners others = owners_at(arena, owners, member->key);
        if (!live)
            continue;
        if (!container)
            keep_equal(&others, live);
        if (!kept && !any_owner(&others)) {
            json_unlink(target, live);
            continue;
        }
        if (field && is_granular_object(field) && live->type == JSON_OBJECT && member->type == JSON_OBJECT)
            remove_object(arena, field->map ? NULL : field->message, live, member, kept, &others);
        else if (field && is_merged_list(field) && live->type == JSON_ARRAY && member->type == JSON_ARRAY)
            remove_list(arena, field, live, member, kept, &others);
    }
}

/* --- conflicts --- */

struct conflict_walk {
    struct arena *arena;
    const struct apply_input *input;
    struct strbuf path;
    struct json *found; /* {manager, field} in the order of the body */
};

static void note_conflicts(struct conflict_walk *walk, const struct json *live, const struct json *body, struct owners *owners)
{
    if (live && json_equal(live, body))
        return;
    keep_equal(owners, live);
    for (size_t i = 0; i < owners->count; i++) {
        if (!owners->bodies[i])
            continue;
        struct json *conflict = json_object(walk->arena);
        json_set_text(walk->arena, conflict, "manager", walk->input->others[i].name);
        json_set_text(walk->arena, conflict, "field", slice_dup(walk->arena, strbuf_slice(&walk->path)));
        json_append(walk->found, conflict);
    }
}

static void find_conflicts(struct conflict_walk *walk, const struct schema_message *message, const struct json *live, const struct json *body,
                           const struct owners *owners)
{
    size_t before = walk->path.len;
    JSON_FOREACH (member, body) {
        const struct schema_field *field = message ? schema_field_by_name(message, member->key) : NULL;
        const struct json *old = json_get(live, member->key);
        struct owners others = owners_at(walk->arena, owners, member->key);
        if (!any_owner(&others))
            continue;
        strbuf_append_fmt(&walk->path, ".%.*s", SLICE_ARG(member->key));
        if (field && is_granular_object(field) && member->type == JSON_OBJECT) {
            find_conflicts(walk, field->map ? NULL : field->message, old, member, &others);
        } else if (field && is_merged_list(field) && member->type == JSON_ARRAY) {
            size_t list_len = walk->path.len;
            JSON_FOREACH (item, member) {
                struct owners inner = owners_of_item(walk->arena, &others, field, item);
                if (field->type != SCHEMA_MESSAGE || !any_owner(&inner))
                    continue;
                strbuf_append_fmt(&walk->path, "[%.*s]", SLICE_ARG(item_text(walk->arena, field, item)));
                find_conflicts(walk, field->message, find_item(field, old, item), item, &inner);
                strbuf_truncate(&walk->path, list_len);
            }
        } else {
            note_conflicts(walk, old, member, &others);
        }
        strbuf_truncate(&walk->path, before);
    }
}

static struct err *conflict_error(struct arena *arena, const struct json *found)
{
    size_t count = json_count(found);
    struct strbuf text = STRBUF_ARENA(arena);
    if (count == 1) {
        strbuf_append_fmt(&text, "conflict with \"%.*s\": %.*s", SLICE_ARG(json_get_text(found->first, "manager")),
                          SLICE_ARG(json_get_text(found->first, "field")));
    } else {
        struct slice manager = SLICE_NONE;
        JSON_FOREACH (conflict, found) {
            struct slice its = json_get_text(conflict, "manager");
            if (!manager.ptr || !slice_eq(manager, its))
                strbuf_append_fmt(&text, "%sconflicts with \"%.*s\":", text.len ? "\n" : "", SLICE_ARG(its));
            manager = its;
            strbuf_append_fmt(&text, "\n- %.*s", SLICE_ARG(json_get_text(conflict, "field")));
        }
    }
    struct err *e = err_code(ERR_CONFLICT, "Conflict", "Apply failed with %zu conflict%s: %.*s", count, count == 1 ? "" : "s",
                             SLICE_ARG(strbuf_slice(&text)));
    e->status = 409;
    JSON_FOREACH (conflict, found)
        e = status_add_cause(e, "FieldManagerConflict", slice_fmt(arena, "conflict with \"%.*s\"", SLICE_ARG(json_get_text(conflict, "manager"))),
                             slice_cstr(arena, json_get_text(conflict, "field")));
    return e;
}

static void without_identity(struct json *body)
{
    static const char *const server_set[] = {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"};
    struct json *metadata = json_get(body, S("metadata"));
    json_remove(body, S("kind"));
    json_remove(body, S("apiVersion"));
    for (size_t i = 0; i < ARRAY_SIZE(server_set); i++)
        json_remove(metadata, slice_from_cstr(server_set[i]));
}

static const struct json *owned(struct arena *arena, const struct json *body)
{
    if (!json_is(body, JSON_OBJECT))
        return NULL;
    struct json *copy = json_clone(arena, body);
    without_identity(copy);
    return copy;
}

struct err *apply_patch(struct arena *arena, const struct apply_input *input, struct json **ret_object)
{
    const struct schema_message *message = schema_find(input->kind->message);
    if (!input->live) {
        *ret_object = json_clone(arena, input->body);
        return NULL;
    }
    struct owners owners = {.bodies = ARENA_ARRAY(arena, input->other_count + 1, const struct json *), .count = input->other_count};
    for (size_t i = 0; i < input->other_count; i++)
        owners.bodies[i] = owned(arena, input->others[i].applied);
    const struct json *body = owned(arena, input->body), *previous = owned(arena, input->previous);
    if (!input->force) {
        struct conflict_walk walk = {.arena = arena, .input = input, .path = STRBUF_ARENA(arena), .found = json_array(arena)};
        find_conflicts(&walk, message, input->live, body, &owners);
        if (walk.found->first)
            return conflict_error(arena, walk.found);
    }
    struct json *object = json_clone(arena, input->live);
    if (previous)
        remove_object(arena, message, object, previous, body, &owners);
    merge_object(arena, message, object, body);
    /* What the body says of identity is for the caller to check. */
    static const char *const identity[] = {"name", "namespace", "uid", "resourceVersion"};
    const struct json *metadata = json_get(input->body, S("metadata"));
    for (size_t i = 0; i < ARRAY_SIZE(identity); i++) {
        const struct json *value = json_get(metadata, slice_from_cstr(identity[i]));
        if (value)
            json_set(arena, json_ensure_object(arena, object, "metadata"), slice_from_cstr(identity[i]), json_clone(arena, value));
    }
    *ret_object = object;
    return NULL;
}
