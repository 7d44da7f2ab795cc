#include "cluster/apiserver/discovery.h"
#include "base/arena.h"
#include "cluster/apiserver/kinds.h"
#include "cluster/apiserver/negotiate.h"
#include "cluster/apiserver/status_error.h"
#include <string.h>

#define AGGREGATED_TYPE "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

static const struct {
    enum verb verb;
    const char *name;
} verb_names[] = {
    {VERB_CREATE, "create"}, {VERB_DELETE, "delete"}, {VERB_DELETECOLLECTION, "deletecollection"}, {VERB_GET, "get"},
    {VERB_LIST, "list"},     {VERB_PATCH, "patch"},   {VERB_UPDATE, "update"},                     {VERB_WATCH, "watch"},
};

static struct json *verbs_json(struct arena *arena, unsigned verbs)
{
    struct json *list = json_array(arena);
    for (size_t i = 0; i < ARRAY_SIZE(verb_names); i++)
        if (verbs & (unsigned)verb_names[i].verb)
            json_append(list, json_cstr(arena, verb_names[i].name));
    return list;
}

/* "a,b" as a list; nothing when empty. */
static void set_words(struct arena *arena, struct json *object, const char *key, const char *words)
{
    if (!words[0])
        return;
    struct json *list = json_ensure_array(arena, object, key);
    struct slice rest = slice_from_cstr(words);
    while (rest.ptr)
        json_append(list, json_string(arena, slice_cut(&rest, ',')));
}

static bool is_resource(const struct kind *kind)
{
    return kind->resource[0] != '\0';
}

/* The groups in the order of the rows; calls for each once. core is left out. */
static bool first_of_group(size_t index)
{
    if (kinds[index].group[0] == '\0')
        return false;
    for (size_t i = 0; i < index; i++)
        if (strcmp(kinds[i].group, kinds[index].group) == 0)
            return false;
    return true;
}

/* --- legacy --- */

static struct json *typed(struct arena *arena, const char *kind, const char *api_version)
{
    struct json *object = json_object(arena);
    json_set_cstr(arena, object, "kind", kind);
    if (api_version)
        json_set_cstr(arena, object, "apiVersion", api_version);
    return object;
}

static struct json *api_versions(struct arena *arena, struct slice server_address)
{
    struct json *object = typed(arena, "APIVersions", NULL), *range = json_object(arena);
    json_append(json_ensure_array(arena, object, "versions"), json_cstr(arena, "v1"));
    json_set_cstr(arena, range, "clientCIDR", "0.0.0.0/0");
    json_set_text(arena, range, "serverAddress", server_address);
    json_append(json_ensure_array(arena, object, "serverAddressByClientCIDRs"), range);
    return object;
}

/* Every group has one version for now: the first row's is the preferred one. */
static void fill_group(struct arena *arena, struct json *object, const struct kind *kind)
{
    struct json *version = json_object(arena);
    json_set_cstr(arena, object, "name", kind->group);
    json_set_text(arena, version, "groupVersion", kind_api_version(arena, kind));
    json_set_cstr(arena, version, "version", kind->version);
    json_append(json_ensure_array(arena, object, "versions"), version);
    json_set(arena, object, S("preferredVersion"), json_clone(arena, version));
}

static struct json *group_list(struct arena *arena)
{
    struct json *object = typed(arena, "APIGroupList", "v1"), *groups = json_ensure_array(arena, object, "groups");
    for (size_t i = 0; i < kinds_count; i++) {
        if (!first_of_group(i))
            continue;
        struct json *group = json_object(arena);
        fill_group(arena, group, &kinds[i]);
        json_append(groups, group);
    }
    return object;
}

static struct json *legacy_resource(struct arena *arena, const struct kind *kind)
{
    struct json *row = json_object(arena);
    json_set_cstr(arena, row, "name", kind->resource);
    json_set_cstr(arena, row, "singularName", kind->singular);
    json_set_bool(arena, row, "namespaced", kind->namespaced);
    json_set_cstr(arena, row, "kind", kind->kind);
    json_set(arena, row, S("verbs"), verbs_json(arena, kind->verbs));
    set_words(arena, row, "shortNames", kind->short_names);
    set_words(arena, row, "categories", kind->categories);
    return row;
}

static struct json *legacy_subresource(struct arena *arena, const struct kind *kind, const struct subresource *sub)
{
    struct json *row = json_object(arena);
    json_set(arena, row, S("name"), json_fmt(arena, "%s/%s", kind->resource, sub->name));
    json_set_cstr(arena, row, "singularName", "");
    json_set_bool(arena, row, "namespaced", kind->namespaced);
    if (strcmp(sub->group, kind->group) != 0 && sub->group[0]) {
        json_set_cstr(arena, row, "group", sub->group);
        json_set_cstr(arena, row, "version", sub->version);
    }
    json_set_cstr(arena, row, "kind", sub->kind);
    json_set(arena, row, S("verbs"), verbs_json(arena, sub->verbs));
    return row;
}

static struct json *resource_list(struct arena *arena, struct slice group, struct slice version)
{
    struct json *object = typed(arena, "APIResourceList", group.len ? "v1" : NULL), *rows = json_array(arena);
    json_set(arena, object, S("groupVersion"),
             group.len ? json_fmt(arena, "%.*s/%.*s", SLICE_ARG(group), SLICE_ARG(version)) : json_string(arena, version));
    for (size_t i = 0; i < kinds_count; i++) {
        const struct kind *kind = &kinds[i];
        if (!is_resource(kind) || !slice_eq(slice_from_cstr(kind->group), group) || !slice_eq(slice_from_cstr(kind->version), version))
            continue;
        json_append(rows, legacy_resource(arena, kind));
        for (const struct subresource *sub = kind->subresources; sub->name; sub++)
            json_append(rows, legacy_subresource(arena, kind, sub));
    }
    json_set(arena, object, S("resources"), rows);
    return object;
}

/* --- aggregated, v2 --- */

static struct json *response_kind(struct arena *arena, const char *group, const char *version, const char *kind)
{
    struct json *object = json_object(arena);
    json_set_cstr(arena, object, "group", group);
    json_set_cstr(arena, object, "version", version);
    json_set_cstr(arena, object, "kind", kind);
    return object;
}

static struct json *aggregated_resource(struct arena *arena, const struct kind *kind)
{
    struct json *row = json_object(arena);
    json_set_cstr(arena, row, "resource", kind->resource);
    json_set(arena, row, S("responseKind"), response_kind(arena, "", "", kind->kind));
    json_set_cstr(arena, row, "scope", kind->namespaced ? "Namespaced" : "Cluster");
    json_set_cstr(arena, row, "singularResource", kind->singular);
    json_set(arena, row, S("verbs"), verbs_json(arena, kind->verbs));
    set_words(arena, row, "shortNames", kind->short_names);
    set_words(arena, row, "categories", kind->categories);
    for (const struct subresource *sub = kind->subresources; sub->name; sub++) {
        struct json *item = json_object(arena);
        bool elsewhere = strcmp(sub->group, kind->group) != 0 && sub->group[0];
        json_set_cstr(arena, item, "subresource", sub->name);
        json_set(arena, item, S("responseKind"), response_kind(arena, elsewhere ? sub->group : "", elsewhere ? sub->version : "", sub->kind));
        json_set(arena, item, S("verbs"), verbs_json(arena, sub->verbs));
        json_append(json_ensure_array(arena, row, "subresources"), item);
    }
    return row;
}

static struct json *aggregated_group(struct arena *arena, const char *group, const char *version)
{
    struct json *item = json_object(arena), *metadata = json_object(arena), *entry = json_object(arena), *resources = json_array(arena);
    if (group[0])
        json_set_cstr(arena, metadata, "name", group);
    json_set(arena, item, S("metadata"), metadata);
    json_set_cstr(arena, entry, "version", version);
    for (size_t i = 0; i < kinds_count; i++)
        if (is_resource(&kinds[i]) && strcmp(kinds[i].group, group) == 0 && strcmp(kinds[i].version, version) == 0)
            json_append(resources, aggregated_resource(arena, &kinds[i]));
    if (resources->first)
        json_set(arena, entry, S("resources"), resources);
    json_set_cstr(arena, entry, "freshness", "Current");
    json_append(json_ensure_array(arena, item, "versions"), entry);
    return item;
}

static struct json *aggregated(struct arena *arena, bool core)
{
    struct json *object = typed(arena, "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2"), *items = json_array(arena);
    json_set(arena, object, S("metadata"), json_object(arena));
    if (core)
        json_append(items, aggregated_group(arena, "", "v1"));
    for (size_t i = 0; !core && i < kinds_count; i++)
        if (first_of_group(i))
            json_append(items, aggregated_group(arena, kinds[i].group, kinds[i].version));
    json_set(arena, object, S("items"), items);
    return object;
}

/* Whether the aggregated form is asked for before any plain JSON. 406 when nothing of the header can be served. */
static struct err *wants_aggregated(struct slice accept, bool *ret_aggregated)
{
    struct slice rest = accept;
    while (rest.ptr) {
        struct slice range = slice_cut(&rest, ',');
        struct slice type = slice_trim(slice_cut(&range, ';'));
        bool group = false, version = false, as = false, any_as = false;
        while (range.ptr) {
            struct slice part = slice_trim(slice_cut(&range, ';'));
            group |= slice_eq(part, S("g=apidiscovery.k8s.io"));
            version |= slice_eq(part, S("v=v2"));
            as |= slice_eq(part, S("as=APIGroupDiscoveryList"));
            any_as |= slice_starts_with(part, S("as="));
        }
        bool json = slice_eq_nocase(type, S("application/json")) || slice_eq(type, S("*/*"));
        if (json && group && version && as) {
            *ret_aggregated = true;
            return NULL;
        }
        if (json && !any_as)
            break;
    }
    struct answer_choice choice;
    *ret_aggregated = false;
    return negotiate_answer(accept, NEGOTIATE_OTHER, &choice);
}

/* --- the rest --- */

static struct json *version_document(struct arena *arena)
{
    static const char *const members[][2] = {
        {"major", "1"},           {"minor", "34"},           {"emulationMajor", "1"},  {"emulationMinor", "34"}, {"minCompatibilityMajor", "1"},
        {"minCompatibilityMinor", "33"}, {"gitVersion", "v1.34.4"}, {"gitCommit", ""},        {"gitTreeState", ""},     {"buildDate", "1970-01-01T00:00:00Z"},
        {"goVersion", ""},        {"compiler", ""},          {"platform", "linux/amd64"},
    };
    struct json *object = json_object(arena);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        json_set_cstr(arena, object, members[i][0], members[i][1]);
    return object;
}

static void append_path(struct arena *arena, struct json *paths, struct slice path)
{
    json_append(paths, json_string(arena, path));
}

static struct json *root_document(struct arena *arena)
{
    struct json *object = json_object(arena), *paths = json_ensure_array(arena, object, "paths");
    append_path(arena, paths, S("/api"));
    append_path(arena, paths, S("/api/v1"));
    append_path(arena, paths, S("/apis"));
    for (size_t i = 0; i < kinds_count; i++)
        if (first_of_group(i)) {
            append_path(arena, paths, slice_fmt(arena, "/apis/%s", kinds[i].group));
            append_path(arena, paths, slice_fmt(arena, "/apis/%s/%s", kinds[i].group, kinds[i].version));
        }
    static const char *const others[] = {"/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        append_path(arena, paths, slice_from_cstr(others[i]));
    return object;
}

/* Up to three segments; false when there are more. "/apis/" gives one. */
static bool split_path(struct slice path, struct slice segments[3], size_t *ret_count)
{
    size_t count = 0;
    struct slice rest = slice_from(path, 1);
    if (path.len == 0 || path.ptr[0] != '/')
        return false;
    while (rest.ptr) {
        struct slice segment = slice_cut(&rest, '/');
        if (segment.len == 0 && !rest.ptr)
            break;
        if (count == 3)
            return false;
        segments[count++] = segment;
    }
    *ret_count = count;
    return true;
}

bool discovery_is_path(struct slice path)
{
    struct slice segments[3];
    size_t count;
    if (slice_starts_with(path, S("/openapi/")))
        return true;
    if (!split_path(path, segments, &count))
        return false;
    if (count == 0)
        return true;
    if (slice_eq(segments[0], S("api")))
        return count <= 2;
    if (slice_eq(segments[0], S("apis")))
        return count <= 3;
    return count == 1 && slice_eq(segments[0], S("version"));
}

static void answer_json(struct arena *arena, struct discovery_answer *answer, const char *type, const struct json *body)
{
    struct strbuf out = STRBUF_ARENA(arena);
    json_write(&out, body);
    *answer = (struct discovery_answer){.status = 200, .content_type = type, .body = strbuf_slice(&out)};
}

static struct discovery_answer page_not_found(void)
{
    return (struct discovery_answer){.status = 404, .content_type = "text/plain; charset=utf-8", .body = S("404 page not found\n")};
}

/* A document that names nothing: kubectl asks it for kinds that version 3 does not name, and only as protobuf (openapiv2.Document:
 * swagger = 1, info = 2 {title = 1, version = 2}). Without it, an unknown kind reads as "failed to download openapi". */
static struct discovery_answer openapi_v2(struct slice accept)
{
    static const char protobuf[] = "\x0a\x03" "2.0" "\x12\x15" "\x0a\x0a" "Kubernetes" "\x12\x07" "v1.34.4";
    if (slice_find(accept, S("com.github.proto-openapi.spec.v2")) >= 0)
        return (struct discovery_answer){.status = 200,
                                         .content_type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
                                         .body = {protobuf, sizeof(protobuf) - 1}};
    return (struct discovery_answer){.status = 200,
                                     .content_type = "application/json",
                                     .body = S("{\"swagger\":\"2.0\",\"info\":{\"title\":\"Kubernetes\",\"version\":\"v1.34.4\"},\"paths\":{}}")};
}

static struct discovery_answer openapi(struct arena *arena, struct slice path, struct slice accept)
{
    if (slice_eq(path, S("/openapi/v2")))
        return openapi_v2(accept);
    if (!slice_starts_with(path, S("/openapi/v3")))
        return page_not_found();
    struct slice rest = slice_from(path, S("/openapi/v3").len);
    if (slice_eq(rest, S("/")))
        rest = S("");
    struct slice body = rest.len == 0 || rest.ptr[0] == '/' ? openapi_get(arena, slice_from(rest, 1)) : SLICE_NONE;
    if (!body.ptr)
        return (struct discovery_answer){.status = 404, .body = S("")};
    return (struct discovery_answer){
        .status = 200, .content_type = rest.len ? "application/json" : "text/plain; charset=utf-8", .body = body};
}

struct err *discovery_get(struct arena *arena, const struct discovery_input *input, struct discovery_answer *ret_answer)
{
    struct slice segments[3] = {S(""), S(""), S("")};
    size_t count = 0;
    bool group_document = false;
    struct json *body = NULL;
    if (slice_starts_with(input->path, S("/openapi/"))) {
        *ret_answer = openapi(arena, input->path, input->accept);
        return NULL;
    }
    if (!split_path(input->path, segments, &count)) {
        *ret_answer = page_not_found();
        return NULL;
    }
    bool core = slice_eq(segments[0], S("api"));
    if (count == 1 && (core || slice_eq(segments[0], S("apis")))) {
        TRY(wants_aggregated(input->accept, &group_document));
        if (group_document) {
            answer_json(arena, ret_answer, AGGREGATED_TYPE, aggregated(arena, core));
            return NULL;
        }
        body = core ? api_versions(arena, input->server_address) : group_list(arena);
    } else {
        struct answer_choice choice;
        TRY(negotiate_answer(input->accept, NEGOTIATE_OTHER, &choice));
        if (count == 0)
            body = root_document(arena);
        else if (slice_eq(segments[0], S("version")))
            body = version_document(arena);
        else if (core && !slice_eq(segments[1], S("v1")))
            return status_unknown_resource();
        else if (core)
            body = resource_list(arena, S(""), segments[1]);
        else if (!kind_group_is_served(segments[1], SLICE_NONE) || segments[1].len == 0)
            body = NULL;
        else if (count == 3 && !kind_group_is_served(segments[1], segments[2]))
            return status_unknown_resource();
        else if (count == 3)
            body = resource_list(arena, segments[1], segments[2]);
        else
            for (size_t i = 0; i < kinds_count && !body; i++)
                if (slice_eq(slice_from_cstr(kinds[i].group), segments[1])) {
                    body = typed(arena, "APIGroup", "v1");
                    fill_group(arena, body, &kinds[i]);
                }
    }
    if (body)
        answer_json(arena, ret_answer, "application/json", body);
    else
        *ret_answer = page_not_found();
    return NULL;
}
