#include "cluster/apiserver/kinds.h"
#include "base/arena.h"
#include <string.h>

#define RGUP (VERB_GET | VERB_PATCH | VERB_UPDATE)
#define ALL                                                                                                                    \
    (VERB_CREATE | VERB_DELETE | VERB_DELETECOLLECTION | VERB_GET | VERB_LIST | VERB_PATCH | VERB_UPDATE | VERB_WATCH)

const struct kind kinds[] = {
#define KIND(group_, version_, resource_, singular_, kind_, shorts_, categories_, message_, namespaced_, verbs_, rule_, answer_,   \
             generation_, stored_, ...)                                                                                        \
    {.group = group_,                                                                                                          \
     .version = version_,                                                                                                      \
     .resource = resource_,                                                                                                    \
     .singular = singular_,                                                                                                    \
     .kind = kind_,                                                                                                            \
     .short_names = shorts_,                                                                                                   \
     .categories = categories_,                                                                                                \
     .message = message_,                                                                                                      \
     .namespaced = namespaced_,                                                                                                \
     .verbs = (verbs_),                                                                                                        \
     .name_rule = rule_,                                                                                                       \
     .delete_answer = DELETE_ANSWERS_##answer_,                                                                                \
     .generation = GENERATION_##generation_,                                                                                   \
     .stored_as = stored_,                                                                                                     \
     .subresources = {__VA_ARGS__}},
#include "cluster/apiserver/kinds.def"
};
const size_t kinds_count = ARRAY_SIZE(kinds);

static bool same(const char *text, struct slice s)
{
    return slice_eq(slice_from_cstr(text), s);
}

const struct kind *kind_find(struct slice group, struct slice version, struct slice resource)
{
    if (resource.len == 0)
        return NULL;
    for (size_t i = 0; i < kinds_count; i++)
        if (same(kinds[i].resource, resource) && same(kinds[i].version, version) && same(kinds[i].group, group))
            return &kinds[i];
    return NULL;
}

const struct kind *kind_find_by_name(struct slice api_version, struct slice kind)
{
    struct slice group = S(""), version = api_version, before, after;
    if (slice_split(api_version, '/', &before, &after)) {
        group = before;
        version = after;
    }
    for (size_t i = 0; i < kinds_count; i++)
        if (same(kinds[i].kind, kind) && same(kinds[i].version, version) && same(kinds[i].group, group))
            return &kinds[i];
    return NULL;
}

bool kind_group_is_served(struct slice group, struct slice version)
{
    for (size_t i = 0; i < kinds_count; i++)
        if (same(kinds[i].group, group) && (!version.ptr || same(kinds[i].version, version)))
            return true;
    return false;
}

bool kind_has_verb(const struct kind *kind, enum verb verb)
{
    return (kind->verbs & (unsigned)verb) != 0;
}

const struct subresource *kind_find_subresource(const struct kind *kind, struct slice name)
{
    for (size_t i = 0; i < KIND_SUBRESOURCES_MAX && kind->subresources[i].name; i++)
        if (same(kind->subresources[i].name, name))
            return &kind->subresources[i];
    return NULL;
}

struct slice kind_api_version(struct arena *arena, const struct kind *kind)
{
    if (kind->group[0] == '\0')
        return slice_from_cstr(kind->version);
    return slice_fmt(arena, "%s/%s", kind->group, kind->version);
}

struct slice kind_qualified_resource(struct arena *arena, const struct kind *kind)
{
    if (kind->group[0] == '\0')
        return slice_from_cstr(kind->resource);
    return slice_fmt(arena, "%s.%s", kind->resource, kind->group);
}

/* core/v1 Event's names on the left, events.k8s.io/v1's on the right (types.go of both). */
static const struct {
    const char *core, *events;
} event_names[] = {
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"reportingComponent", "reportingController"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
};

void kind_convert(struct arena *arena, struct json *object, const struct kind *from, const struct kind *to)
{
    if (from != to && from->stored_as && strcmp(from->stored_as, "/events") == 0) {
        bool to_core = to->group[0] == '\0';
        for (size_t i = 0; i < ARRAY_SIZE(event_names); i++) {
            const char *old = to_core ? event_names[i].events : event_names[i].core;
            const char *fresh = to_core ? event_names[i].core : event_names[i].events;
            struct json *member = json_get(object, slice_from_cstr(old));
            if (member)
                member->key = slice_from_cstr(fresh);
        }
    }
    json_set(arena, object, S("kind"), json_cstr(arena, to->kind));
    json_set(arena, object, S("apiVersion"), json_string(arena, kind_api_version(arena, to)));
}
