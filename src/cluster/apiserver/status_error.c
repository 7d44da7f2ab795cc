#include "cluster/apiserver/status_error.h"
#include "base/arena.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* err.detail: a tree with a life of its own, since errors outlive the arena of the function that made them. */
struct status_detail {
    struct arena *arena;
    struct json *details;  /* NULL: none */
    struct json *metadata; /* NULL: {} */
    bool no_reason;
};

static void detail_free(void *pointer)
{
    struct status_detail *detail = pointer;
    arena_free(detail->arena);
    free(detail);
}

static struct status_detail *detail_of(struct err *e)
{
    if (e->detail && e->detail_free == detail_free)
        return e->detail;
    struct status_detail *detail = xcalloc(1, sizeof(*detail));
    detail->arena = arena_new();
    e->detail = detail;
    e->detail_free = detail_free;
    return detail;
}

static struct json *details_of(struct err *e)
{
    struct status_detail *detail = detail_of(e);
    if (!detail->details)
        detail->details = json_object(detail->arena);
    return detail->details;
}

static struct err *make(enum err_kind kind, int status, const char *reason, struct slice message)
{
    struct err *e = err_new_at(__FILE__, __LINE__, kind, reason, "%.*s", SLICE_ARG(message));
    e->status = status;
    detail_of(e)->no_reason = reason == NULL;
    return e;
}

#define MAKE_FMT(kind, status, reason, format)                                                                                 \
    ({                                                                                                                         \
        struct strbuf text_ = STRBUF_HEAP;                                                                                     \
        va_list args_;                                                                                                         \
        va_start(args_, format);                                                                                               \
        strbuf_append_vfmt(&text_, format, args_);                                                                             \
        va_end(args_);                                                                                                         \
        struct err *made_ = make(kind, status, reason, strbuf_slice(&text_));                                                  \
        strbuf_deinit(&text_);                                                                                                 \
        made_;                                                                                                                 \
    })

static void put(struct err *e, const char *key, struct slice value)
{
    if (value.len == 0)
        return;
    struct json *details = details_of(e);
    struct arena *arena = detail_of(e)->arena;
    json_set(arena, details, slice_from_cstr(key), json_string(arena, slice_dup(arena, value)));
}

struct err *status_set_details(struct err *e, const struct kind *kind, struct slice name)
{
    put(e, "name", name);
    if (kind) {
        put(e, "group", slice_from_cstr(kind->group));
        put(e, "kind", slice_from_cstr(kind->resource[0] ? kind->resource : kind->kind));
    }
    return e;
}

struct err *status_add_cause(struct err *e, const char *reason, struct slice message, const char *field)
{
    struct arena *arena = detail_of(e)->arena;
    struct json *cause = json_object(arena);
    json_set_cstr(arena, cause, "reason", reason);
    json_set_text(arena, cause, "message", slice_dup(arena, message));
    if (field)
        json_set_text(arena, cause, "field", slice_dup_cstr(arena, field));
    json_append(json_ensure_array(arena, details_of(e), "causes"), cause);
    return e;
}

static const char *dot(const struct kind *kind)
{
    return kind->group[0] ? "." : "";
}

struct err *status_not_found(const struct kind *kind, struct slice name)
{
    struct err *e = err_code(ERR_NOT_FOUND, "NotFound", "%s%s%s \"%.*s\" not found", kind->resource, dot(kind), kind->group, SLICE_ARG(name));
    e->status = 404;
    return status_set_details(e, kind, name);
}

struct err *status_unknown_resource(void)
{
    struct err *e = make(ERR_NOT_FOUND, 404, "NotFound", S("the server could not find the requested resource"));
    (void)details_of(e);
    return e;
}

struct err *status_already_exists(const struct kind *kind, struct slice name)
{
    struct err *e =
        err_code(ERR_CONFLICT, "AlreadyExists", "%s%s%s \"%.*s\" already exists", kind->resource, dot(kind), kind->group, SLICE_ARG(name));
    e->status = 409;
    return status_set_details(e, kind, name);
}

struct err *status_already_exists_deleting(const struct kind *kind, struct slice name)
{
    struct err *e = err_code(ERR_CONFLICT, "AlreadyExists", "object is being deleted: %s%s%s \"%.*s\" already exists", kind->resource, dot(kind),
                             kind->group, SLICE_ARG(name));
    e->status = 409;
    return status_set_details(e, kind, name);
}

struct err *status_conflict(const struct kind *kind, struct slice name, const char *format, ...)
{
    struct strbuf text = STRBUF_HEAP;
    va_list args;
    va_start(args, format);
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    struct err *e = err_code(ERR_CONFLICT, "Conflict", "Operation cannot be fulfilled on %s%s%s \"%.*s\": %.*s", kind->resource, dot(kind),
                             kind->group, SLICE_ARG(name), SLICE_ARG(strbuf_slice(&text)));
    strbuf_deinit(&text);
    e->status = 409;
    return status_set_details(e, kind, name);
}

struct err *status_conflict_version(const struct kind *kind, struct slice name)
{
    return status_conflict(kind, name, "the object has been modified; please apply your changes to the latest version and try again");
}

struct err *status_conflict_precondition(const struct kind *kind, struct slice name, const char *what, struct slice wanted, struct slice found)
{
    struct err *e = err_code(ERR_CONFLICT, "Conflict",
                             "Operation cannot be fulfilled on %s%s%s \"%.*s\": the %s in the precondition (%.*s) does not match the %s in record "
                             "(%.*s). The object might have been %s",
                             kind->kind, dot(kind), kind->group, SLICE_ARG(name), what, SLICE_ARG(wanted), what, SLICE_ARG(found),
                             strcmp(what, "UID") == 0 ? "deleted and then recreated" : "modified");
    e->status = 409;
    put(e, "name", name);
    put(e, "group", slice_from_cstr(kind->group));
    put(e, "kind", slice_from_cstr(kind->kind));
    return e;
}

struct err *status_forbidden(const struct kind *kind, struct slice name, const char *format, ...)
{
    struct strbuf text = STRBUF_HEAP;
    strbuf_append_fmt(&text, "%s%s%s", kind->resource, dot(kind), kind->group);
    if (name.len)
        strbuf_append_fmt(&text, " \"%.*s\"", SLICE_ARG(name));
    strbuf_append_cstr(&text, " is forbidden: ");
    va_list args;
    va_start(args, format);
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    struct err *e = make(ERR_DENIED, 403, "Forbidden", strbuf_slice(&text));
    strbuf_deinit(&text);
    return status_set_details(e, kind, name);
}

struct err *status_forbidden_path(struct slice user, struct slice verb, struct slice path)
{
    struct err *e = err_code(ERR_DENIED, "Forbidden", "forbidden: User \"%.*s\" cannot %.*s path \"%.*s\"", SLICE_ARG(user), SLICE_ARG(verb),
                             SLICE_ARG(path));
    e->status = 403;
    (void)details_of(e);
    return e;
}

struct err *status_namespace_terminating(const struct kind *kind, struct slice name, struct slice namespace_name)
{
    struct err *e = status_forbidden(kind, name, "unable to create new content in namespace %.*s because it is being terminated",
                                     SLICE_ARG(namespace_name));
    struct slice message = slice_fmt(detail_of(e)->arena, "namespace %.*s is being terminated", SLICE_ARG(namespace_name));
    return status_add_cause(e, "NamespaceTerminating", message, "metadata.namespace");
}

struct err *status_bad_request(const char *format, ...)
{
    return MAKE_FMT(ERR_INVALID, 400, "BadRequest", format);
}

struct err *status_unauthorized(void)
{
    return make(ERR_DENIED, 401, "Unauthorized", S("Unauthorized"));
}

struct err *status_method_not_allowed(void)
{
    struct err *e = make(ERR_INVALID, 405, "MethodNotAllowed", S("the server does not allow this method on the requested resource"));
    (void)details_of(e);
    return e;
}

struct err *status_not_acceptable(const char *accepted)
{
    struct err *e = err_code(ERR_INVALID, "NotAcceptable", "only the following media types are accepted: %s", accepted);
    e->status = 406;
    return e;
}

struct err *status_unsupported_media_type(const char *accepted)
{
    struct err *e = err_code(ERR_INVALID, "UnsupportedMediaType",
                             "the body of the request was in an unknown format - accepted media types include: %s", accepted);
    e->status = 415;
    return e;
}

struct err *status_unsupported_patch_type(void)
{
    struct err *e = make(ERR_INVALID, 415, "UnsupportedMediaType", S("415: Unsupported Media Type"));
    (void)details_of(e);
    return e;
}

struct err *status_not_acceptable_at_all(const char *available)
{
    struct err *e = err_code(ERR_INVALID, "NotAcceptable", "406: Not Acceptable\n\nAvailable representations: %s", available);
    e->status = 406;
    (void)details_of(e);
    return e;
}

struct err *status_expired(const char *format, ...)
{
    return MAKE_FMT(ERR_INVALID, 410, "Expired", format);
}

struct err *status_expired_continue(struct slice fresh_continue)
{
    struct err *e = make(ERR_INVALID, 410, "Expired",
                         S("The provided continue parameter is too old to display a consistent list result. You can start a new list "
                           "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
                           "the results. Continuing with the provided token results in an inconsistent list - objects that were "
                           "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
                           "list."));
    struct status_detail *detail = detail_of(e);
    detail->metadata = json_object(detail->arena);
    json_set_text(detail->arena, detail->metadata, "continue", slice_dup(detail->arena, fresh_continue));
    return e;
}

struct err *status_too_many_requests(int retry_after_s, const char *format, ...)
{
    struct err *e = MAKE_FMT(ERR_LIMIT, 429, "TooManyRequests", format);
    if (retry_after_s > 0)
        json_set_i64(detail_of(e)->arena, details_of(e), "retryAfterSeconds", retry_after_s);
    return e;
}

struct err *status_timeout(const char *format, ...)
{
    return MAKE_FMT(ERR_UNAVAILABLE, 504, "Timeout", format);
}

struct err *status_too_large_version(uint64_t wanted, uint64_t current)
{
    struct err *e = status_timeout("Timeout: Too large resource version: %llu, current: %llu", (unsigned long long)wanted,
                                   (unsigned long long)current);
    json_set_i64(detail_of(e)->arena, details_of(e), "retryAfterSeconds", 1);
    return status_add_cause(e, "ResourceVersionTooLarge", S("Too large resource version"), NULL);
}

struct err *status_internal(const char *format, ...)
{
    struct strbuf text = STRBUF_HEAP;
    strbuf_append_cstr(&text, "Internal error occurred: ");
    va_list args;
    va_start(args, format);
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    struct err *e = make(ERR_INTERNAL, 500, "InternalError", strbuf_slice(&text));
    strbuf_deinit(&text);
    struct slice words = slice_from(err_message(e), strlen("Internal error occurred: "));
    struct arena *arena = detail_of(e)->arena;
    struct json *cause = json_object(arena);
    json_set_text(arena, cause, "message", slice_dup(arena, words));
    json_append(json_ensure_array(arena, details_of(e), "causes"), cause);
    return e;
}

struct err *status_plain_500(const char *format, ...)
{
    return MAKE_FMT(ERR_INTERNAL, 500, NULL, format);
}

struct err *status_unprocessable(void)
{
    struct err *e = make(ERR_INVALID, 422, "Invalid", S("the server rejected our request due to an error in our request"));
    (void)details_of(e);
    return e;
}

static const struct {
    enum err_kind kind;
    int status;
    const char *reason;
} by_kind[] = {
    {ERR_INVALID, 400, "BadRequest"},       {ERR_NOT_FOUND, 404, "NotFound"},  {ERR_CONFLICT, 409, "Conflict"},
    {ERR_DENIED, 403, "Forbidden"},         {ERR_LIMIT, 429, "TooManyRequests"}, {ERR_UNAVAILABLE, 503, "ServiceUnavailable"},
    {ERR_INTERNAL, 500, "InternalError"},
};

struct json *status_error_to_json(struct arena *arena, const struct err *e, int *ret_http_status)
{
    const struct status_detail *detail = e->detail && e->detail_free == detail_free ? e->detail : NULL;
    int status = e->status;
    const char *reason = e->code;
    struct slice message = slice_dup(arena, err_message(e));
    if (status == 0) {
        for (size_t i = 0; i < ARRAY_SIZE(by_kind); i++)
            if (by_kind[i].kind == e->kind) {
                status = by_kind[i].status;
                reason = by_kind[i].reason;
            }
        if (e->kind == ERR_INTERNAL)
            message = slice_fmt(arena, "Internal error occurred: %.*s", SLICE_ARG(message));
    }
    struct json *body = json_object(arena);
    json_set_cstr(arena, body, "kind", "Status");
    json_set_cstr(arena, body, "apiVersion", "v1");
    json_set(arena, body, S("metadata"), detail && detail->metadata ? json_clone(arena, detail->metadata) : json_object(arena));
    json_set_cstr(arena, body, "status", "Failure");
    json_set_text(arena, body, "message", message);
    if (reason)
        json_set_cstr(arena, body, "reason", reason);
    if (detail && detail->details)
        json_set(arena, body, S("details"), json_clone(arena, detail->details));
    json_set_i64(arena, body, "code", status);
    *ret_http_status = status;
    return body;
}

struct json *status_success(struct arena *arena, const struct kind *kind, struct slice name, struct slice uid)
{
    struct json *body = json_object(arena), *details = json_object(arena);
    json_set_cstr(arena, body, "kind", "Status");
    json_set_cstr(arena, body, "apiVersion", "v1");
    json_set(arena, body, S("metadata"), json_object(arena));
    json_set_cstr(arena, body, "status", "Success");
    json_set_text(arena, details, "name", name);
    if (kind->group[0])
        json_set_cstr(arena, details, "group", kind->group);
    json_set_cstr(arena, details, "kind", kind->resource);
    json_set_text(arena, details, "uid", uid);
    json_set(arena, body, S("details"), details);
    return body;
}

/* --- field errors --- */

static void add_field_error(struct field_errors *errors, const char *reason, struct slice field, struct slice message)
{
    if (errors->count++ >= FIELD_ERRORS_MAX)
        return;
    if (!errors->causes)
        errors->causes = json_array(errors->arena);
    struct json *cause = json_object(errors->arena);
    json_set_cstr(errors->arena, cause, "reason", reason);
    json_set_text(errors->arena, cause, "message", message);
    json_set_text(errors->arena, cause, "field", slice_dup(errors->arena, field));
    json_append(errors->causes, cause);
}

static void write_value(struct strbuf *out, const struct json *value)
{
    if (!value)
        strbuf_append_cstr(out, "null");
    else
        json_write(out, value);
}

static void add_value_error(struct field_errors *errors, const char *reason, const char *words, struct slice field, const struct json *value,
                            const char *format, va_list args) __attribute__((format(printf, 6, 0)));
static void add_value_error(struct field_errors *errors, const char *reason, const char *words, struct slice field, const struct json *value,
                            const char *format, va_list args)
{
    struct strbuf text = STRBUF_ARENA(errors->arena);
    strbuf_append_fmt(&text, "%s: ", words);
    write_value(&text, value);
    strbuf_append_cstr(&text, ": ");
    strbuf_append_vfmt(&text, format, args);
    add_field_error(errors, reason, field, strbuf_slice(&text));
}

void field_invalid(struct field_errors *errors, struct slice field, const struct json *value, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_value_error(errors, "FieldValueInvalid", "Invalid value", field, value, format, args);
    va_end(args);
}

void field_type_invalid(struct field_errors *errors, struct slice field, const struct json *value, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_value_error(errors, "FieldValueTypeInvalid", "Invalid value", field, value, format, args);
    va_end(args);
}

void field_required(struct field_errors *errors, struct slice field, const char *detail)
{
    add_field_error(errors, "FieldValueRequired", field, slice_fmt(errors->arena, "Required value%s%s", detail[0] ? ": " : "", detail));
}

void field_duplicate(struct field_errors *errors, struct slice field, const struct json *value)
{
    struct strbuf text = STRBUF_ARENA(errors->arena);
    strbuf_append_cstr(&text, "Duplicate value: ");
    write_value(&text, value);
    add_field_error(errors, "FieldValueDuplicate", field, strbuf_slice(&text));
}

void field_not_found(struct field_errors *errors, struct slice field, const struct json *value)
{
    struct strbuf text = STRBUF_ARENA(errors->arena);
    strbuf_append_cstr(&text, "Not found: ");
    write_value(&text, value);
    add_field_error(errors, "FieldValueNotFound", field, strbuf_slice(&text));
}

void field_not_supported(struct field_errors *errors, struct slice field, const struct json *value, const char *const *supported)
{
    struct strbuf text = STRBUF_ARENA(errors->arena);
    strbuf_append_cstr(&text, "Unsupported value: ");
    if (value)
        json_write(&text, value);
    else
        strbuf_append_cstr(&text, "\"\"");
    strbuf_append_cstr(&text, ": supported values: ");
    for (size_t i = 0; supported[i]; i++)
        strbuf_append_fmt(&text, "%s\"%s\"", i ? ", " : "", supported[i]);
    add_field_error(errors, "FieldValueNotSupported", field, strbuf_slice(&text));
}

void field_forbidden(struct field_errors *errors, struct slice field, const char *format, ...)
{
    struct strbuf text = STRBUF_ARENA(errors->arena);
    strbuf_append_cstr(&text, "Forbidden: ");
    va_list args;
    va_start(args, format);
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    add_field_error(errors, "FieldValueForbidden", field, strbuf_slice(&text));
}

void field_too_long(struct field_errors *errors, struct slice field, int64_t max_bytes)
{
    add_field_error(errors, "FieldValueTooLong", field,
                    slice_fmt(errors->arena, "Too long: may not be more than %lld bytes", (long long)max_bytes));
}

void field_too_many(struct field_errors *errors, struct slice field, int64_t count, int64_t max)
{
    add_field_error(errors, "FieldValueTooMany", field,
                    slice_fmt(errors->arena, "Too many: %lld: must have at most %lld items", (long long)count, (long long)max));
}

/* The same words twice are said once in the message, though both causes are listed. */
static bool is_repeated(const struct json *causes, const struct json *cause)
{
    JSON_FOREACH (other, causes) {
        if (other == cause)
            return false;
        if (json_equal(other, cause))
            return true;
    }
    return false;
}

struct err *field_errors_to_err_of(const struct field_errors *errors, const char *group, const char *kind, struct slice name)
{
    if (!errors->causes || !errors->causes->first)
        return NULL;
    struct strbuf text = STRBUF_ARENA(errors->arena);
    strbuf_append_fmt(&text, "%s%s%s \"%.*s\" is invalid: ", kind, group[0] ? "." : "", group, SLICE_ARG(name));
    size_t count = 0;
    JSON_FOREACH (cause, errors->causes)
        count += is_repeated(errors->causes, cause) ? 0 : 1;
    bool several = count > 1;
    strbuf_append_cstr(&text, several ? "[" : "");
    JSON_FOREACH (cause, errors->causes) {
        if (is_repeated(errors->causes, cause))
            continue;
        if (cause != errors->causes->first)
            strbuf_append_cstr(&text, ", ");
        strbuf_append_fmt(&text, "%.*s: %.*s", SLICE_ARG(json_get_text(cause, "field")), SLICE_ARG(json_get_text(cause, "message")));
    }
    strbuf_append_cstr(&text, several ? "]" : "");
    struct err *e = make(ERR_INVALID, 422, "Invalid", strbuf_slice(&text));
    put(e, "name", name);
    put(e, "group", slice_from_cstr(group));
    put(e, "kind", slice_from_cstr(kind));
    json_set(detail_of(e)->arena, details_of(e), S("causes"), json_clone(detail_of(e)->arena, errors->causes));
    return e;
}

struct err *field_errors_to_err(const struct field_errors *errors, const struct kind *kind, struct slice name)
{
    return field_errors_to_err_of(errors, kind->group, kind->kind, name);
}
