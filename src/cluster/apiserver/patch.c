#include "cluster/apiserver/patch.h"
#include "base/arena.h"
#include "cluster/apiserver/decode.h"
#include "cluster/apiserver/status_error.h"

struct err *patch_type_parse(struct slice content_type, enum patch_type *ret_type)
{
    static const struct {
        const char *name;
        enum patch_type type;
    } types[] = {
        {"application/json-patch+json", PATCH_JSON},
        {"application/merge-patch+json", PATCH_MERGE},
        {"application/strategic-merge-patch+json", PATCH_STRATEGIC},
        {"application/apply-patch+yaml", PATCH_APPLY},
    };
    struct slice name = slice_trim(slice_cut(&content_type, ';'));
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (slice_eq_nocase(name, slice_from_cstr(types[i].name))) {
            *ret_type = types[i].type;
            return NULL;
        }
    return status_unsupported_patch_type();
}

struct err *patch_object(struct arena *arena, const struct kind *kind, enum patch_type type, const struct json *live, struct slice body,
                         struct json **ret_object)
{
    struct json *patch = NULL;
    TRY(decode_patch_body(arena, body, &patch));
    if (type == PATCH_JSON) {
        if (patch->type != JSON_ARRAY)
            return status_bad_request("error decoding patch: json: cannot unmarshal %s into Go value of type []handlers.jsonPatchOp", json_type_name(patch));
        return patch_json(arena, live, patch, ret_object);
    }
    if (patch->type != JSON_OBJECT)
        return status_bad_request("error decoding patch: json: cannot unmarshal %s into Go value of type map[string]interface {}", json_type_name(patch));
    if (type == PATCH_STRATEGIC)
        return patch_strategic(arena, kind, live, patch, ret_object);
    *ret_object = patch_merge(arena, live, patch);
    return NULL;
}

/* RFC 7386, section 2. */
static void merge_into(struct arena *arena, struct json *target, const struct json *patch)
{
    JSON_FOREACH (member, patch) {
        if (member->type == JSON_NULL) {
            json_remove(target, member->key);
            continue;
        }
        struct json *old = json_get(target, member->key);
        if (member->type == JSON_OBJECT && json_is(old, JSON_OBJECT)) {
            merge_into(arena, old, member);
        } else if (member->type == JSON_OBJECT) {
            struct json *fresh = json_object(arena);
            merge_into(arena, fresh, member); /* drops nulls inside */
            json_set(arena, target, member->key, fresh);
        } else {
            json_set(arena, target, member->key, json_clone(arena, member));
        }
    }
}

struct json *patch_merge(struct arena *arena, const struct json *target, const struct json *patch)
{
    if (!json_is(patch, JSON_OBJECT))
        return json_clone(arena, patch);
    struct json *result = json_is(target, JSON_OBJECT) ? json_clone(arena, target) : json_object(arena);
    merge_into(arena, result, patch);
    return result;
}
