#include "cluster/apiserver/decode.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/yaml.h"
#include "cluster/apiserver/protobuf.h"
#include "cluster/apiserver/quantity.h"
#include "cluster/apiserver/schema.h"
#include "cluster/apiserver/status_error.h"
#include "cluster/apiserver/strict.h"
#include <stdarg.h>
#include <string.h>

#define SCHEME "in scheme \"pkg/runtime/scheme.go:110\""
#define BODY_TYPES "application/json, application/yaml, application/vnd.kubernetes.protobuf"

enum body_type { BODY_JSON, BODY_YAML, BODY_PROTOBUF, BODY_UNKNOWN };

void warning_add(struct warnings *warnings, const char *format, ...)
{
    if (!warnings)
        return;
    struct strbuf text = STRBUF_ARENA(warnings->arena);
    va_list args;
    va_start(args, format);
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    if (!warnings->texts)
        warnings->texts = json_array(warnings->arena);
    json_append(warnings->texts, json_string(warnings->arena, strbuf_slice(&text)));
}

struct err *field_validation_parse(struct slice text, const char *operation, enum field_validation *ret_validation)
{
    if (text.len == 0 || slice_eq(text, S("Warn")))
        *ret_validation = FIELD_VALIDATION_WARN;
    else if (slice_eq(text, S("Strict")))
        *ret_validation = FIELD_VALIDATION_STRICT;
    else if (slice_eq(text, S("Ignore")))
        *ret_validation = FIELD_VALIDATION_IGNORE;
    else {
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        struct field_errors errors = {.arena = arena};
        field_not_supported(&errors, S("fieldValidation"), json_string(arena, text), (const char *const[]){"", "Ignore", "Strict", "Warn", NULL});
        return field_errors_to_err_of(&errors, "meta.k8s.io", operation, S(""));
    }
    return NULL;
}

/* "application/json; charset=utf-8" -> the type before the first ';'. */
static enum body_type body_type_of(struct slice content_type)
{
    struct slice type = slice_trim(slice_cut(&content_type, ';'));
    if (type.len == 0 || slice_eq_nocase(type, S("application/json")))
        return BODY_JSON;
    if (slice_eq_nocase(type, S("application/yaml")))
        return BODY_YAML;
    if (slice_eq_nocase(type, S("application/vnd.kubernetes.protobuf")))
        return BODY_PROTOBUF;
    return BODY_UNKNOWN;
}

/* Go's words for text that is no JSON: those that can be told without its parser. Frees e. */
static const char *json_words(struct err *e, struct slice body)
{
    err_free(e);
    struct slice trimmed = slice_trim(body);
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < trimmed.len; i++) {
        char c = trimmed.ptr[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']'))
            depth--;
    }
    return trimmed.len == 0 || depth > 0 || in_string ? "unexpected end of JSON input" : "invalid character in JSON input";
}

/* --- the walk over a tree and its schema --- */

struct walk {
    struct arena *arena;
    struct strbuf path;    /* spec.containers[0].name: for unknown fields */
    struct strbuf go_path; /* spec.containers.name: for Go's words */
    struct json *unknown;  /* texts; NULL: nobody asks */
};

static const char *go_type(struct arena *arena, const struct schema_field *field, bool element)
{
    const char *base = "string";
    switch (field->type) {
    case SCHEMA_STRING:
    case SCHEMA_RAW:
        break;
    case SCHEMA_BOOL:
        base = "bool";
        break;
    case SCHEMA_INT32:
        base = "int32";
        break;
    case SCHEMA_INT64:
        base = "int64";
        break;
    case SCHEMA_DOUBLE:
        base = "float64";
        break;
    case SCHEMA_BYTES:
        base = "[]uint8";
        break;
    case SCHEMA_TIME:
    case SCHEMA_MICRO_TIME:
        base = "v1.Time";
        break;
    case SCHEMA_QUANTITY:
        base = "resource.Quantity";
        break;
    case SCHEMA_INT_OR_STRING:
        base = "intstr.IntOrString";
        break;
    case SCHEMA_MESSAGE:
        base = slice_cstr(arena, slice_fmt(arena, "v1.%s", schema_short_name(field->message)));
        break;
    }
    const char *prefix = element ? "" : field->map ? "map[string]" : field->repeated ? "[]" : "";
    return slice_cstr(arena, slice_fmt(arena, "%s%s", prefix, base));
}

static struct err *type_error(struct walk *walk, const struct schema_message *owner, const struct schema_field *field, const struct json *value,
                              bool element)
{
    bool literal = value->type == JSON_NUMBER && (field->type == SCHEMA_INT32 || field->type == SCHEMA_INT64);
    return err_new(ERR_INVALID, "json: cannot unmarshal %s%s%.*s into Go struct field %s.%.*s of type %s", json_type_name(value),
                   literal ? " " : "", literal ? (int)value->text.len : 0, literal ? value->text.ptr : "", schema_short_name(owner),
                   SLICE_ARG(strbuf_slice(&walk->go_path)), go_type(walk->arena, field, element));
}

static struct err *check_message(struct walk *walk, const struct schema_message *message, struct json *object);

static struct err *check_base64(struct walk *walk, struct json *value)
{
    struct strbuf clean = STRBUF_ARENA(walk->arena);
    for (size_t i = 0; i < value->text.len; i++) {
        char c = value->text.ptr[i];
        bool fine = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
        if (!fine && c != '\r' && c != '\n')
            return err_new(ERR_INVALID, "illegal base64 data at input byte %zu", i);
        if (fine)
            strbuf_append_char(&clean, c);
    }
    struct slice bytes;
    if (!base64_decode(walk->arena, strbuf_slice(&clean), &bytes))
        return err_new(ERR_INVALID, "illegal base64 data at input byte %zu", value->text.len / 4 * 4);
    value->text = strbuf_slice(&clean);
    return NULL;
}

static struct err *check_scalar(struct walk *walk, const struct schema_message *owner, const struct schema_field *field, struct json *value,
                                bool element)
{
    int64_t number;
    switch (field->type) {
    case SCHEMA_STRING:
        if (value->type != JSON_STRING)
            return type_error(walk, owner, field, value, element);
        return NULL;
    case SCHEMA_BOOL:
        if (value->type != JSON_BOOL)
            return type_error(walk, owner, field, value, element);
        return NULL;
    case SCHEMA_INT32:
        if (value->type != JSON_NUMBER || !slice_to_i64(value->text, INT32_MIN, INT32_MAX, &number))
            return type_error(walk, owner, field, value, element);
        return NULL;
    case SCHEMA_INT64:
        if (value->type != JSON_NUMBER || !slice_to_i64(value->text, INT64_MIN, INT64_MAX, &number))
            return type_error(walk, owner, field, value, element);
        return NULL;
    case SCHEMA_DOUBLE:
        if (value->type != JSON_NUMBER)
            return type_error(walk, owner, field, value, element);
        return NULL;
    case SCHEMA_BYTES:
        if (value->type != JSON_STRING)
            return type_error(walk, owner, field, value, element);
        return check_base64(walk, value);
    case SCHEMA_TIME:
    case SCHEMA_MICRO_TIME: {
        struct instant t;
        if (value->type != JSON_STRING)
            return type_error(walk, owner, field, value, element);
        if (!instant_parse_iso8601(value->text, &t))
            return err_new(ERR_INVALID, "parsing time \"%.*s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"%.*s\" as \"2006\"",
                           SLICE_ARG(value->text), SLICE_ARG(value->text));
        return NULL;
    }
    case SCHEMA_QUANTITY: {
        struct quantity q;
        if ((value->type != JSON_STRING && value->type != JSON_NUMBER) || !quantity_parse(value->text, &q))
            return err_new(ERR_INVALID, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
        value->type = JSON_STRING;
        value->text = quantity_to_text(walk->arena, q);
        return NULL;
    }
    case SCHEMA_INT_OR_STRING:
        if (value->type == JSON_STRING)
            return NULL;
        if (value->type != JSON_NUMBER || !slice_to_i64(value->text, INT32_MIN, INT32_MAX, &number))
            return type_error(walk, owner, field, value, element);
        return NULL;
    case SCHEMA_RAW:
        return NULL;
    case SCHEMA_MESSAGE:
        if (value->type != JSON_OBJECT)
            return type_error(walk, owner, field, value, element);
        return check_message(walk, field->message, value);
    }
    return NULL;
}

/* null in a list or a map is Go's zero value. */
static void null_to_zero(struct walk *walk, const struct schema_field *field, struct json *value)
{
    if (value->type != JSON_NULL)
        return;
    switch (field->type) {
    case SCHEMA_MESSAGE:
        value->type = JSON_OBJECT;
        break;
    case SCHEMA_BOOL:
        value->type = JSON_BOOL;
        break;
    case SCHEMA_INT32:
    case SCHEMA_INT64:
    case SCHEMA_DOUBLE:
    case SCHEMA_INT_OR_STRING:
        value->type = JSON_NUMBER;
        value->text = S("0");
        break;
    case SCHEMA_STRING:
    case SCHEMA_BYTES:
        value->type = JSON_STRING;
        value->text = S("");
        break;
    case SCHEMA_QUANTITY:
        value->type = JSON_STRING;
        value->text = S("0");
        break;
    case SCHEMA_TIME:
    case SCHEMA_MICRO_TIME:
    case SCHEMA_RAW:
        break;
    }
}

static struct err *check_list(struct walk *walk, const struct schema_message *owner, const struct schema_field *field, struct json *array)
{
    if (array->type != JSON_ARRAY)
        return type_error(walk, owner, field, array, false);
    size_t index = 0, before = walk->path.len;
    JSON_FOREACH (item, array) {
        null_to_zero(walk, field, item);
        strbuf_append_fmt(&walk->path, "[%zu]", index++);
        TRY(check_scalar(walk, owner, field, item, true));
        strbuf_truncate(&walk->path, before);
    }
    return NULL;
}

static struct err *check_field(struct walk *walk, const struct schema_message *owner, const struct schema_field *field, struct json *value)
{
    if (!field->map)
        return field->repeated ? check_list(walk, owner, field, value) : check_scalar(walk, owner, field, value, false);
    if (value->type != JSON_OBJECT)
        return type_error(walk, owner, field, value, false);
    size_t before = walk->path.len;
    JSON_FOREACH (member, value) {
        strbuf_append_fmt(&walk->path, ".%.*s", SLICE_ARG(member->key));
        if (!field->repeated)
            null_to_zero(walk, field, member);
        if (field->repeated)
            TRY(check_list(walk, owner, field, member));
        else
            TRY(check_scalar(walk, owner, field, member, true));
        strbuf_truncate(&walk->path, before);
    }
    return NULL;
}

static struct err *check_message(struct walk *walk, const struct schema_message *message, struct json *object)
{
    size_t before = walk->path.len, go_before = walk->go_path.len;
    bool top = before == 0;
    for (struct json *member = object->first, *next; member; member = next) {
        next = member->next;
        if (top && (slice_eq(member->key, S("kind")) || slice_eq(member->key, S("apiVersion"))))
            continue;
        strbuf_append_fmt(&walk->path, "%s%.*s", top ? "" : ".", SLICE_ARG(member->key));
        strbuf_append_fmt(&walk->go_path, "%s%.*s", go_before ? "." : "", SLICE_ARG(member->key));
        const struct schema_field *field = schema_field_by_name(message, member->key);
        if (!field) {
            if (walk->unknown)
                json_append(walk->unknown, json_fmt(walk->arena, "unknown field \"%.*s\"", SLICE_ARG(strbuf_slice(&walk->path))));
            json_unlink(object, member);
        } else if (member->type == JSON_NULL) {
            json_unlink(object, member);
        } else {
            TRY(check_field(walk, message, field, member));
        }
        strbuf_truncate(&walk->path, before);
        strbuf_truncate(&walk->go_path, go_before);
    }
    return NULL;
}

/* Types, quantities, unknown fields; texts of the latter are appended to unknown. Plain err with Go's words. */
static struct err *check_object(struct arena *arena, const struct kind *kind, struct json *object, struct json *unknown)
{
    struct walk walk = {.arena = arena, .path = STRBUF_ARENA(arena), .go_path = STRBUF_ARENA(arena), .unknown = unknown};
    return check_message(&walk, schema_find(kind->message), object);
}

static struct slice join_texts(struct arena *arena, const struct json *texts)
{
    struct strbuf out = STRBUF_ARENA(arena);
    JSON_FOREACH (text, texts)
        strbuf_append_fmt(&out, "%s%.*s", text == texts->first ? "" : ", ", SLICE_ARG(text->text));
    return strbuf_slice(&out);
}

/* Strict: NULL or the words; Warn: warnings. */
static struct slice judge_unknown(struct arena *arena, const struct json *texts, enum field_validation validation, struct warnings *warnings)
{
    if (!texts->first)
        return SLICE_NONE;
    switch (validation) {
    case FIELD_VALIDATION_STRICT:
        return slice_fmt(arena, "strict decoding error: %.*s", SLICE_ARG(join_texts(arena, texts)));
    case FIELD_VALIDATION_WARN:
        JSON_FOREACH (text, texts)
            warning_add(warnings, "%.*s", SLICE_ARG(text->text));
        break;
    case FIELD_VALIDATION_IGNORE:
        break;
    }
    return SLICE_NONE;
}

/* The err of check_object in the words of a body that cannot be handled. Frees e. */
static struct err *cannot_handle(struct err *e, struct slice kind, struct slice version, const struct kind *wanted)
{
    struct err *status = status_bad_request("%.*s in version \"%.*s\" cannot be handled as a %s: %.*s", SLICE_ARG(kind), SLICE_ARG(version),
                                            wanted->kind, SLICE_ARG(err_message(e)));
    err_free(e);
    return status;
}

/* kind and apiVersion of the body against those of the path; sets them where absent. */
static struct err *settle_type(struct arena *arena, const struct kind *wanted, struct json *object)
{
    struct slice kind = json_get_text(object, "kind"), api_version = json_get_text(object, "apiVersion");
    struct slice wanted_version = kind_api_version(arena, wanted);
    if (kind.len == 0)
        json_set_text(arena, object, "kind", kind = slice_from_cstr(wanted->kind));
    if (api_version.len == 0)
        json_set_text(arena, object, "apiVersion", api_version = wanted_version);
    bool same_version = slice_eq(api_version, wanted_version) || (slice_eq(api_version, S("policy/v1beta1")) && strcmp(wanted->group, "policy") == 0);
    if (slice_eq(kind, slice_from_cstr(wanted->kind)) && same_version)
        return NULL;
    ptrdiff_t slash = slice_index(api_version, '/');
    struct slice version = slash < 0 ? api_version : slice_from(api_version, (size_t)slash + 1);
    if (!kind_find_by_name(api_version, kind))
        return status_bad_request("%.*s in version \"%.*s\" cannot be handled as a %s: no kind \"%.*s\" is registered for version \"%.*s\" " SCHEME,
                                  SLICE_ARG(kind), SLICE_ARG(version), wanted->kind, SLICE_ARG(kind), SLICE_ARG(api_version));
    return status_bad_request("%.*s in version \"%.*s\" cannot be handled as a %s: converting (%.*s.%.*s) to (%s.%s): unknown conversion",
                              SLICE_ARG(kind), SLICE_ARG(version), wanted->kind, SLICE_ARG(version), SLICE_ARG(kind),
                              wanted->group[0] ? wanted->group : "core", wanted->kind);
}

static struct err *unrecognized(const struct kind *kind, const char *words)
{
    return status_bad_request("the object provided is unrecognized (must be of type %s): couldn't get version/kind; json parse error: %s",
                              kind->kind, words);
}

static struct err *decode_text(struct arena *arena, const struct decode_input *input, enum body_type type, struct json *found,
                               struct json **ret_object)
{
    struct json *object = NULL;
    struct err *e;
    if (type == BODY_YAML) {
        e = yaml_parse(arena, input->body, &object);
        if (e) {
            struct err *status = status_bad_request("the object provided is unrecognized (must be of type %s): error converting YAML to JSON: %.*s",
                                                    input->kind->kind, SLICE_ARG(err_message(e)));
            err_free(e);
            return status;
        }
    } else {
        e = json_parse(arena, input->body, JSON_DUPLICATES_REFUSE, &object);
        if (e) {
            err_free(e);
            e = json_parse(arena, input->body, JSON_DUPLICATES_LAST_WINS, &object);
            if (e)
                return unrecognized(input->kind, json_words(e, input->body));
            strict_find_duplicates(arena, input->body, found);
        }
    }
    if (object->type == JSON_NULL)
        object = json_object(arena);
    if (object->type != JSON_OBJECT)
        return unrecognized(input->kind, slice_cstr(arena, slice_fmt(arena,
                                                                     "json: cannot unmarshal %s into Go value of type struct { APIVersion string "
                                                                     "\"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }",
                                                                     json_type_name(object))));
    *ret_object = object;
    return NULL;
}

/* Members are looked for one by one wherever objects are merged, defaulted and compared. Kubernetes has no such limit, but none of its
 * objects comes near. */
static struct err *check_member_counts(const struct json *value)
{
    size_t count = 0;
    JSON_FOREACH (child, value) {
        TRY(check_member_counts(child));
        count++;
    }
    if (!json_is(value, JSON_OBJECT) || count <= OBJECT_MEMBERS_MAX)
        return NULL;
    struct err *e = err_code(ERR_LIMIT, "RequestEntityTooLarge", "Request entity is too large: an object may have at most %d members", OBJECT_MEMBERS_MAX);
    e->status = 413;
    return e;
}

struct err *decode_object(struct arena *arena, const struct decode_input *input, struct json **ret_object)
{
    enum body_type type = body_type_of(input->content_type);
    struct json *object = NULL, *found = json_array(arena);
    if (type == BODY_UNKNOWN)
        return status_unsupported_media_type(BODY_TYPES);
    if (type == BODY_PROTOBUF)
        TRY(protobuf_decode(arena, input->body, &object));
    else
        TRY(decode_text(arena, input, type, found, &object));
    TRY(check_member_counts(object));
    TRY(settle_type(arena, input->kind, object));
    struct slice kind = slice_from_cstr(input->kind->kind), version = slice_from_cstr(input->kind->version);
    struct err *e = check_object(arena, input->kind, object, found);
    if (e)
        return cannot_handle(e, kind, version, input->kind);
    struct slice words = judge_unknown(arena, found, input->validation, input->warnings);
    if (words.ptr)
        return status_bad_request("%s in version \"%s\" cannot be handled as a %s: %.*s", input->kind->kind, input->kind->version,
                                  input->kind->kind, SLICE_ARG(words));
    *ret_object = object;
    return NULL;
}

struct err *delete_options_validate(struct arena *arena, const struct json *options)
{
    struct field_errors errors = {.arena = arena};
    const struct json *policy = json_get(options, S("propagationPolicy"));
    struct slice text = json_text(policy);
    if (text.len && !slice_eq(text, S("Foreground")) && !slice_eq(text, S("Background")) && !slice_eq(text, S("Orphan")))
        field_not_supported(&errors, S("propagationPolicy"), policy, (const char *const[]){"Foreground", "Background", "Orphan", "nil", NULL});
    if (policy && json_get(options, S("orphanDependents")))
        field_invalid(&errors, S("propagationPolicy"), policy, "orphanDependents and deletionPropagation cannot be both set");
    JSON_FOREACH (value, json_get(options, S("dryRun")))
        if (!slice_eq(json_text(value), S("All")))
            field_not_supported(&errors, S("dryRun"), json_get(options, S("dryRun")), (const char *const[]){"All", NULL});
    return field_errors_to_err_of(&errors, "meta.k8s.io", "DeleteOptions", S(""));
}

static const struct kind delete_options_kind = {
    .group = "meta.k8s.io", .version = "v1", .kind = "DeleteOptions", .message = "k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions"};

struct err *decode_delete_options(struct arena *arena, struct slice content_type, struct slice body, struct json **ret_options)
{
    struct json *options = NULL;
    if (slice_trim(body).len == 0) {
        *ret_options = json_object(arena);
        return NULL;
    }
    enum body_type type = body_type_of(content_type);
    if (type == BODY_UNKNOWN)
        return status_unsupported_media_type(BODY_TYPES);
    if (type == BODY_PROTOBUF) {
        TRY(protobuf_decode(arena, body, &options));
    } else {
        struct err *e = type == BODY_YAML ? yaml_parse(arena, body, &options) : json_parse(arena, body, JSON_DUPLICATES_LAST_WINS, &options);
        if (e)
            return status_plain_500("couldn't get version/kind; json parse error: %s", json_words(e, body));
    }
    if (options->type == JSON_NULL)
        options = json_object(arena);
    if (options->type != JSON_OBJECT)
        return status_plain_500("couldn't get version/kind; json parse error: json: cannot unmarshal %s into Go value", json_type_name(options));
    struct slice kind = json_get_text(options, "kind"), version = json_get_text(options, "apiVersion");
    if (kind.len && !slice_eq(kind, S("DeleteOptions")))
        return status_plain_500("no kind \"%.*s\" is registered for version \"%.*s\" " SCHEME, SLICE_ARG(kind), SLICE_ARG(version));
    struct err *e = check_object(arena, &delete_options_kind, options, NULL);
    if (e)
        return cannot_handle(e, S("DeleteOptions"), S("v1"), &delete_options_kind);
    TRY(delete_options_validate(arena, options));
    *ret_options = options;
    return NULL;
}

/* 422 ` "" is invalid: patch: Invalid value: "{…}": WORDS`. */
static struct err *patch_invalid(struct arena *arena, struct slice text, struct slice words)
{
    struct field_errors errors = {.arena = arena};
    field_invalid(&errors, S("patch"), json_string(arena, text), "%.*s", SLICE_ARG(words));
    return field_errors_to_err_of(&errors, "", "", S(""));
}

struct err *decode_check(struct arena *arena, const struct kind *kind, struct json *object, enum field_validation validation,
                         struct warnings *warnings)
{
    struct slice text = json_to_slice(arena, object);
    struct json *found = json_array(arena);
    if (!json_is(object, JSON_OBJECT))
        return patch_invalid(arena, text, S("json: cannot unmarshal into Go value"));
    if (!slice_eq(json_get_text(object, "kind"), slice_from_cstr(kind->kind)) ||
        !slice_eq(json_get_text(object, "apiVersion"), kind_api_version(arena, kind)))
        return patch_invalid(arena, text,
                             slice_fmt(arena, "no kind \"%.*s\" is registered for version \"%.*s\" " SCHEME, SLICE_ARG(json_get_text(object, "kind")),
                                       SLICE_ARG(json_get_text(object, "apiVersion"))));
    struct err *e = check_object(arena, kind, object, found);
    if (e) {
        struct err *status = patch_invalid(arena, text, err_message(e));
        err_free(e);
        return status;
    }
    struct slice words = judge_unknown(arena, found, validation, warnings);
    return words.ptr ? patch_invalid(arena, text, words) : NULL;
}

struct err *decode_patch_body(struct arena *arena, struct slice body, struct json **ret_tree)
{
    struct err *e = json_parse(arena, body, JSON_DUPLICATES_LAST_WINS, ret_tree);
    return e ? status_bad_request("error decoding patch: %s", json_words(e, body)) : check_member_counts(*ret_tree);
}

struct err *decode_patch_body_yaml(struct arena *arena, struct slice body, struct json **ret_tree)
{
    struct err *e = yaml_parse(arena, body, ret_tree);
    if (!e)
        return check_member_counts(*ret_tree);
    struct err *status = status_bad_request("error decoding YAML: error converting YAML to JSON: %.*s", SLICE_ARG(err_message(e)));
    err_free(e);
    return status;
}
