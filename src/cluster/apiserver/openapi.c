/* openapi: OpenAPI v3 documents made from the kinds and their schemas: what kubectl asks before create -f, apply -f and explain.
 * A path for each kind says that fieldValidation is understood, so that kubectl leaves validation to the server. */
#include "base/arena.h"
#include "base/digest.h"
#include "cluster/apiserver/discovery.h"
#include "cluster/apiserver/kinds.h"
#include "cluster/apiserver/schema.h"
#include <string.h>

static struct slice document_path(struct arena *arena, const struct kind *kind)
{
    return kind->group[0] ? slice_fmt(arena, "apis/%s/%s", kind->group, kind->version) : slice_fmt(arena, "api/%s", kind->version);
}

/* "io.k8s.api.core.v1.Pod", as the published documents name it. */
static struct slice schema_name(struct arena *arena, const struct schema_message *message)
{
    return slice_fmt(arena, "io.k8s%s", message->name + strlen("k8s.io"));
}

static void set_type(struct arena *arena, struct json *schema, const char *type, const char *format)
{
    json_set_cstr(arena, schema, "type", type);
    if (format)
        json_set_cstr(arena, schema, "format", format);
}

static struct json *value_schema(struct arena *arena, const struct schema_field *field)
{
    struct json *schema = json_object(arena);
    switch (field->type) {
    case SCHEMA_STRING:
    case SCHEMA_QUANTITY:
        set_type(arena, schema, "string", NULL);
        break;
    case SCHEMA_BOOL:
        set_type(arena, schema, "boolean", NULL);
        break;
    case SCHEMA_INT32:
        set_type(arena, schema, "integer", "int32");
        break;
    case SCHEMA_INT64:
        set_type(arena, schema, "integer", "int64");
        break;
    case SCHEMA_BYTES:
        set_type(arena, schema, "string", "byte");
        break;
    case SCHEMA_DOUBLE:
        set_type(arena, schema, "number", "double");
        break;
    case SCHEMA_TIME:
    case SCHEMA_MICRO_TIME:
        set_type(arena, schema, "string", "date-time");
        break;
    case SCHEMA_INT_OR_STRING:
        set_type(arena, schema, "string", "int-or-string");
        break;
    case SCHEMA_RAW:
        set_type(arena, schema, "object", NULL);
        break;
    case SCHEMA_MESSAGE:
        json_set(arena, schema, S("$ref"), json_fmt(arena, "#/components/schemas/%.*s", SLICE_ARG(schema_name(arena, field->message))));
        break;
    }
    return schema;
}

static struct json *wrap(struct arena *arena, const char *type, const char *member, struct json *inner)
{
    struct json *schema = json_object(arena);
    json_set_cstr(arena, schema, "type", type);
    json_set(arena, schema, slice_from_cstr(member), inner);
    return schema;
}

static void add_schema(struct arena *arena, struct json *schemas, const struct schema_message *message, const struct kind *kind)
{
    struct slice name = schema_name(arena, message);
    struct json *known = json_get(schemas, name);
    if (!known) {
        struct json *schema = json_object(arena), *properties = json_object(arena);
        json_set_cstr(arena, schema, "type", "object");
        json_set(arena, schemas, name, schema);
        if (kind) {
            json_set(arena, properties, S("apiVersion"), wrap(arena, "string", "description", json_cstr(arena, "")));
            json_set(arena, properties, S("kind"), wrap(arena, "string", "description", json_cstr(arena, "")));
        }
        for (size_t i = 0; i < message->field_count; i++) {
            const struct schema_field *field = &message->fields[i];
            if (field->inlined)
                continue;
            struct json *value = value_schema(arena, field);
            if (field->repeated)
                value = wrap(arena, "array", "items", value);
            if (field->map)
                value = wrap(arena, "object", "additionalProperties", value);
            json_set(arena, properties, slice_from_cstr(field->name), value);
            if (field->type == SCHEMA_MESSAGE)
                add_schema(arena, schemas, field->message, NULL);
        }
        json_set(arena, schema, S("properties"), properties);
        known = schema;
    }
    if (kind) {
        struct json *row = json_object(arena);
        json_set_cstr(arena, row, "group", kind->group);
        json_set_cstr(arena, row, "version", kind->version);
        json_set_cstr(arena, row, "kind", kind->kind);
        json_append(json_ensure_array(arena, known, "x-kubernetes-group-version-kind"), row);
    }
}

static struct json *operation(struct arena *arena, const struct kind *kind)
{
    struct json *method = json_object(arena), *parameter = json_object(arena), *type = json_object(arena);
    json_set_cstr(arena, parameter, "name", "fieldValidation");
    json_set_cstr(arena, parameter, "in", "query");
    json_set_cstr(arena, type, "type", "string");
    json_set(arena, parameter, S("schema"), type);
    json_append(json_ensure_array(arena, method, "parameters"), parameter);
    type = json_object(arena);
    json_set_cstr(arena, type, "group", kind->group);
    json_set_cstr(arena, type, "version", kind->version);
    json_set_cstr(arena, type, "kind", kind->kind);
    json_set(arena, method, S("x-kubernetes-group-version-kind"), type);
    return method;
}

static void add_paths(struct arena *arena, struct json *paths, const struct kind *kind)
{
    struct slice base =
        slice_fmt(arena, "/%.*s%s/%s", SLICE_ARG(document_path(arena, kind)), kind->namespaced ? "/namespaces/{namespace}" : "", kind->resource);
    struct json *collection = json_object(arena), *item = json_object(arena);
    if (kind_has_verb(kind, VERB_CREATE)) {
        json_set(arena, collection, S("post"), operation(arena, kind));
        json_set(arena, paths, base, collection);
    }
    if (kind_has_verb(kind, VERB_PATCH)) {
        json_set(arena, item, S("patch"), operation(arena, kind));
        json_set(arena, paths, slice_fmt(arena, "%.*s/{name}", SLICE_ARG(base)), item);
    }
}

static struct slice document(struct arena *arena, struct slice path)
{
    struct json *body = json_object(arena), *info = json_object(arena), *paths = json_object(arena), *schemas = json_object(arena);
    bool any = false;
    for (size_t i = 0; i < kinds_count; i++) {
        if (!slice_eq(document_path(arena, &kinds[i]), path))
            continue;
        any = true;
        if (kinds[i].resource[0])
            add_paths(arena, paths, &kinds[i]);
        const struct schema_message *message = schema_find(kinds[i].message);
        if (message)
            add_schema(arena, schemas, message, &kinds[i]);
    }
    if (!any)
        return SLICE_NONE;
    json_set_cstr(arena, info, "title", "Kubernetes");
    json_set_cstr(arena, info, "version", "v1.34.4");
    json_set_cstr(arena, body, "openapi", "3.0.0");
    json_set(arena, body, S("info"), info);
    json_set(arena, body, S("paths"), paths);
    json_set(arena, json_ensure_object(arena, body, "components"), S("schemas"), schemas);
    return json_to_slice(arena, body);
}

struct slice openapi_get(struct arena *arena, struct slice path)
{
    if (path.len)
        return document(arena, path);
    struct json *index = json_object(arena), *paths = json_ensure_object(arena, index, "paths");
    for (size_t i = 0; i < kinds_count; i++) {
        struct slice name = document_path(arena, &kinds[i]);
        if (json_get(paths, name))
            continue;
        struct json *entry = json_object(arena);
        struct slice hash = sha256_hex(arena, document(arena, name));
        json_set(arena, entry, S("serverRelativeURL"), json_fmt(arena, "/openapi/v3/%.*s?hash=%.*s", SLICE_ARG(name), SLICE_ARG(hash)));
        json_set(arena, paths, name, entry);
    }
    return json_to_slice(arena, index);
}
