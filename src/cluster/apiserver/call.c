#include "cluster/apiserver/call.h"
#include "base/encode.h"
#include "base/log.h"
#include "cluster/apiserver/table.h"
#include <string.h>

enum { BODY_MAX_BYTES = 3 << 20, SEGMENTS_MAX = 10 /* more than any path that means something */ };

/* ---- what is asked ---- */

static const char *verb_of_method(struct slice method, bool has_name, bool watch)
{
    if (slice_eq(method, S("GET")))
        return has_name ? "get" : watch ? "watch" : "list";
    if (slice_eq(method, S("POST")))
        return "create";
    if (slice_eq(method, S("PUT")))
        return "update";
    if (slice_eq(method, S("PATCH")))
        return "patch";
    if (slice_eq(method, S("DELETE")))
        return has_name ? "delete" : "deletecollection";
    return NULL;
}

static void parse_resource(struct api_call *call, const struct slice *segments, size_t count)
{
    bool watch = call_query_flag(call, "watch"), old_form = false;
    if (count > 1 && slice_eq(segments[0], S("watch"))) { /* the old form: /api/v1/watch/… */
        watch = old_form = slice_eq(call->http->method, S("GET"));
        segments++;
        count--;
    }
    if (count > 1 && slice_eq(segments[0], S("namespaces"))) {
        bool of_namespace = count == 3 && (slice_eq(segments[2], S("status")) || slice_eq(segments[2], S("finalize")));
        call->namespace_name = segments[1];
        if (count > 2 && !of_namespace) {
            segments += 2;
            count -= 2;
        }
    }
    call->resource = segments[0];
    call->name = count > 1 ? segments[1] : S("");
    call->subresource = count > 2 ? segments[2] : S("");
    call->kind = count > 3 ? NULL : kind_find(call->group, call->version, call->resource);
    call->sub = call->kind && call->subresource.len ? kind_find_subresource(call->kind, call->subresource) : NULL;
    call->verb = verb_of_method(call->http->method, call->name.len > 0 && !old_form, watch);
}

void call_parse(struct api_call *call)
{
    struct slice segments[SEGMENTS_MAX];
    size_t count = 0;
    struct slice rest = call->http->path;
    call->path = uri_decode(call->arena, call->http->path, URI_PLUS_KEPT);
    call->group = call->version = call->resource = call->subresource = call->namespace_name = call->name = S("");
    while (rest.ptr && count < SEGMENTS_MAX) {
        struct slice part = slice_cut(&rest, '/');
        if (part.len)
            segments[count++] = uri_decode(call->arena, part, URI_PLUS_KEPT);
    }
    size_t head = 0;
    if (count >= 3 && slice_eq(segments[0], S("api")) && slice_eq(segments[1], S("v1")))
        head = 2;
    else if (count >= 4 && slice_eq(segments[0], S("apis")))
        head = 3;
    call->is_resource = head > 0;
    if (!head) {
        call->verb = slice_cstr(call->arena, slice_lower(call->arena, call->http->method));
        return;
    }
    call->group = head == 3 ? segments[1] : S("");
    call->version = segments[head - 1];
    parse_resource(call, segments + head, count - head);
}

struct slice call_query(const struct api_call *call, const char *name)
{
    return http_query_get(call->arena, call->http->query, slice_from_cstr(name));
}

bool call_query_flag(const struct api_call *call, const char *name)
{
    struct slice value = call_query(call, name);
    return value.ptr && !slice_eq(value, S("false")) && !slice_eq(value, S("0"));
}

struct err *call_query_i64(const struct api_call *call, const char *name, int64_t otherwise, int64_t *ret_value)
{
    struct slice text = call_query(call, name);
    if (!text.len) {
        *ret_value = otherwise;
        return NULL;
    }
    if (!slice_to_i64(text, INT64_MIN, INT64_MAX, ret_value))
        return status_bad_request("strconv.ParseInt: parsing \"%.*s\": invalid syntax", SLICE_ARG(text));
    return NULL;
}

struct slice call_stored_resource(const struct kind *kind)
{
    struct slice stored = slice_from_cstr(kind->stored_as);
    return slice_from(stored, (size_t)(slice_rindex(stored, '/') + 1));
}

bool kind_is_view(const struct kind *kind)
{
    struct slice group = slice_from_cstr(kind->group);
    struct slice stored = slice_from_cstr(kind->stored_as);
    return !(slice_starts_with(stored, group) && stored.len > group.len && stored.ptr[group.len] == '/');
}

struct err *call_body(struct api_call *call, struct slice *ret_body)
{
    struct err *e = http_body_read_all(call->http, BODY_MAX_BYTES, ret_body);
    if (!e)
        return NULL;
    if (e->kind == ERR_LIMIT) {
        err_free(e);
        e = err_code(ERR_LIMIT, "RequestEntityTooLarge", "Request entity too large: limit is %d", BODY_MAX_BYTES);
        e->status = 413;
        return e;
    }
    if (e->kind == ERR_INVALID) {
        struct err *shown = status_bad_request("%.*s", SLICE_ARG(err_message(e)));
        err_free(e);
        return shown;
    }
    return e;
}

struct err *call_dry_run(const struct api_call *call, const char *operation, bool *ret_dry_run)
{
    static const char *const supported[] = {"All", NULL};
    struct slice text = call_query(call, "dryRun");
    if (text.len && !slice_eq(text, S("All"))) {
        struct field_errors errors = {.arena = call->arena};
        struct json *shown = json_array(call->arena);
        json_append(shown, json_string(call->arena, text));
        field_not_supported(&errors, S("dryRun"), shown, supported);
        return field_errors_to_err_of(&errors, "meta.k8s.io", operation, S(""));
    }
    *ret_dry_run = text.len > 0;
    return NULL;
}

/* ---- answers ---- */

enum { HEADERS_MAX = 40 };

static void respond(struct api_call *call, int status, const char *content_type, struct slice body)
{
    struct http_header headers[HEADERS_MAX];
    size_t count = 0;
    headers[count++] = (struct http_header){S("Audit-Id"), call->audit_id};
    headers[count++] = (struct http_header){S("Cache-Control"), S("no-cache, private")};
    if (content_type)
        headers[count++] = (struct http_header){S("Content-Type"), slice_from_cstr(content_type)};
    if (status == 429 || status == 504)
        headers[count++] = (struct http_header){S("Retry-After"), S("1")};
    JSON_FOREACH (text, call->warnings.texts) {
        if (count == HEADERS_MAX)
            break;
        struct strbuf value = STRBUF_ARENA(call->arena);
        strbuf_append(&value, S("299 - \""));
        struct slice raw = json_text(text);
        for (size_t i = 0; i < raw.len && i < 900; i++) {
            if (raw.ptr[i] == '"' || raw.ptr[i] == '\\')
                strbuf_append_char(&value, '\\');
            strbuf_append_char(&value, (unsigned char)raw.ptr[i] < ' ' ? ' ' : raw.ptr[i]);
        }
        strbuf_append_char(&value, '"');
        headers[count++] = (struct http_header){S("Warning"), strbuf_slice(&value)};
    }
    http_respond(call->http, status, headers, count, body);
}

void answer_text(struct api_call *call, int status, const char *content_type, struct slice body)
{
    respond(call, status, content_type, body);
}

void answer_json(struct api_call *call, int status, const struct json *body)
{
    respond(call, status, "application/json", json_to_slice(call->arena, body));
}

void answer_err(struct api_call *call, struct err *e)
{
    int status;
    struct json *body = status_error_to_json(call->arena, e, &status);
    if (e->kind == ERR_INTERNAL && !e->status)
        log_event(REQUEST_FAILED, LOG_SLICE("method", call->http->method), LOG_SLICE("path", call->http->path), LOG_ERR(e));
    err_free(e);
    if (http_responded(call->http))
        return; /* the answer was under way: the connection closes, which tells the client */
    answer_json(call, status, body);
}

struct err *answer_object_json(struct api_call *call, int status, struct json *object)
{
    struct answer_choice choice;
    TRY(negotiate_answer(http_header_get(call->http->headers, S("Accept")), NEGOTIATE_ITEM, &choice));
    if (choice.encoding == ANSWER_YAML)
        return status_not_acceptable("application/json");
    if (choice.form == ANSWER_TABLE) {
        struct table_options options = {.now = instant_now()};
        TRY(table_include_parse(call_query(call, "includeObject"), &options.include));
        object = table_render(call->arena, call->kind, object, NULL, &options);
    } else if (choice.form == ANSWER_PARTIAL) {
        object = partial_object_metadata(call->arena, object);
    }
    respond(call, status, choice.content_type, json_to_slice(call->arena, object));
    return NULL;
}

struct err *answer_object(struct api_call *call, int status, const struct object *object)
{
    struct answer_choice choice;
    TRY(negotiate_answer(http_header_get(call->http->headers, S("Accept")), NEGOTIATE_ITEM, &choice));
    if (choice.encoding == ANSWER_JSON && choice.form == ANSWER_OBJECT && !kind_is_view(call->kind)) {
        respond(call, status, choice.content_type, object->text);
        return NULL;
    }
    struct json *json = object_json(call->arena, object);
    if (kind_is_view(call->kind))
        kind_convert(call->arena, json, kind_find(S(""), S("v1"), call_stored_resource(call->kind)), call->kind);
    return answer_object_json(call, status, json);
}
