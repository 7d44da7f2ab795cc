/* codec: what the four protocols share: members bound to path, query and headers, and who decodes the rest. */
#include "aws/codec.h"
#include "aws/value.h"
#include "base/arena.h"
#include "base/strbuf.h"
#include "base/xml.h"

/* ---- requests ---- */

static struct err *bad_binding(const struct aws_operation *operation, const struct aws_member *member,
                               struct slice text)
{
    const struct aws_service *service = operation->service;
    if (service->protocol != AWS_REST_XML)
        return aws_err_serialization(service, "Value '%.*s' at '%.*s' can not be converted",
                                     SLICE_ARG(slice_sub(text, 0, 256)), SLICE_ARG(member->wire));
    struct err *e =
        member->shape->kind == AWS_INTEGER
            ? aws_err(ERR_INVALID, 400, "InvalidArgument", "Provided %.*s not an integer or within integer range",
                      SLICE_ARG(member->wire))
            : aws_err(ERR_INVALID, 400, "InvalidArgument", "Invalid value for %.*s", SLICE_ARG(member->wire));
    e = aws_err_member(e, "ArgumentName", member->wire);
    return aws_err_member(e, "ArgumentValue", text);
}

/* Dates in conditional headers that nobody can read are to be ignored (RFC 9110 13.1.3). */
static bool is_conditional_date(const struct aws_member *member)
{
    return member->shape->kind == AWS_TIMESTAMP && member->location == AWS_IN_HEADER &&
           (slice_starts_with_nocase(member->wire, S("If-")) ||
            slice_starts_with_nocase(member->wire, S("x-amz-copy-source-if-")));
}

static struct err *bind_scalar(struct arena *arena, const struct aws_operation *operation,
                               const struct aws_member *member, enum aws_timestamp_format place, struct slice text,
                               void *in)
{
    void *slot = aws_member_slot(arena, member, in);
    if (member->shape->kind != AWS_STRING && member->location == AWS_IN_QUERY && !text.len &&
        operation->service->protocol == AWS_REST_XML)
        return NULL; /* ?max-keys= is as good as none */
    if (aws_scalar_parse(arena, member->shape, aws_timestamp_of(member, place), text, slot) ||
        is_conditional_date(member))
        return NULL;
    return bad_binding(operation, member, text);
}

/* ?states=RUNNING&states=FAILED */
static struct err *bind_query_list(struct arena *arena, const struct aws_operation *operation,
                                   const struct aws_member *member, struct aws_params params, void *in)
{
    size_t count = 0;
    for (size_t i = 0; i < params.count; i++)
        count += slice_eq(params.items[i].name, member->wire);
    if (!count)
        return NULL;
    const struct aws_shape *item = member->shape->item;
    char *items = arena_array(arena, count, item->size);
    struct aws_list *list = aws_member_slot(arena, member, in);
    for (size_t i = 0, at = 0; i < params.count; i++) {
        if (!slice_eq(params.items[i].name, member->wire))
            continue;
        if (!aws_scalar_parse(arena, item, aws_timestamp_of(member, AWS_TIMESTAMP_ISO8601), params.items[i].value,
                              items + at * item->size))
            return bad_binding(operation, member, params.items[i].value);
        at++;
    }
    *list = (struct aws_list){.set = true, .count = count, .items = items};
    return NULL;
}

/* A list in one header: items separated by commas. */
static struct err *bind_header_list(struct arena *arena, const struct aws_operation *operation,
                                    const struct aws_member *member, struct slice text, void *in)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == ',';
    const struct aws_shape *item = member->shape->item;
    char *items = arena_array(arena, count, item->size);
    size_t used = 0;
    for (struct slice rest = text; rest.ptr;) {
        struct slice part = slice_trim(slice_cut(&rest, ','));
        if (!part.len)
            continue;
        if (!aws_scalar_parse(arena, item, AWS_TIMESTAMP_RFC822, part, items + used * item->size))
            return bad_binding(operation, member, part);
        used++;
    }
    struct aws_list *list = aws_member_slot(arena, member, in);
    *list = (struct aws_list){.set = true, .count = used, .items = items};
    return NULL;
}

/* x-amz-meta-*: keys in lower case, as S3 gives them back. */
static void bind_header_map(struct arena *arena, const struct aws_member *member, struct aws_headers headers, void *in)
{
    struct slice_map_entry *entries = ARENA_ARRAY(arena, headers.count, struct slice_map_entry);
    size_t used = 0;
    for (size_t i = 0; i < headers.count; i++) {
        const struct aws_header *header = &headers.items[i];
        if (!slice_starts_with_nocase(header->name, member->wire) || header->name.len == member->wire.len)
            continue;
        struct slice key = slice_lower(arena, slice_from(header->name, member->wire.len));
        size_t at = 0;
        while (at < used && !slice_eq(entries[at].key, key))
            at++;
        if (at < used)
            entries[at].value = slice_fmt(arena, "%.*s,%.*s", SLICE_ARG(entries[at].value), SLICE_ARG(header->value));
        else
            entries[used++] = (struct slice_map_entry){.key = key, .value = header->value.ptr ? header->value : S("")};
    }
    if (used)
        *(struct slice_map *)aws_member_slot(arena, member, in) =
            (struct slice_map){.set = true, .count = used, .entries = entries};
}

static struct err *bind_member(struct arena *arena, const struct aws_route *route, const struct aws_request *request,
                               const struct aws_member *member, void *in)
{
    const struct aws_operation *operation = route->operation;
    switch (member->location) {
    case AWS_IN_URI:
        for (size_t i = 0; i < route->label_count; i++)
            if (slice_eq(route->labels[i].name, member->wire))
                return bind_scalar(arena, operation, member, AWS_TIMESTAMP_ISO8601, route->labels[i].value, in);
        return NULL;
    case AWS_IN_QUERY: {
        if (member->shape->kind == AWS_LIST)
            return bind_query_list(arena, operation, member, route->params, in);
        if (member->shape->kind == AWS_MAP)
            return NULL; /* no served operation has one: awsgen's surface shows it if that changes */
        struct slice value = aws_params_get(route->params, member->wire);
        return value.ptr ? bind_scalar(arena, operation, member, AWS_TIMESTAMP_ISO8601, value, in) : NULL;
    }
    case AWS_IN_HEADER: {
        struct slice value = aws_header_get(request->headers, member->wire);
        if (!value.ptr)
            return NULL;
        if (member->shape->kind == AWS_LIST)
            return bind_header_list(arena, operation, member, value, in);
        return bind_scalar(arena, operation, member, AWS_TIMESTAMP_RFC822, value, in);
    }
    case AWS_IN_HEADERS:
        bind_header_map(arena, member, request->headers, in);
        return NULL;
    case AWS_IN_BODY:
    case AWS_IN_STATUS:
        return NULL;
    }
    return NULL;
}

static struct err *decode_payload(struct arena *arena, const struct aws_operation *operation,
                                  const struct aws_request *request, void *in)
{
    const struct aws_service *service = operation->service;
    const struct aws_member *payload = operation->request->payload;
    if (payload && payload->streaming)
        return NULL;
    if (payload && payload->shape->kind != AWS_STRUCTURE) {
        if (request->body.len && !(payload->shape->kind == AWS_BLOB || payload->shape->kind == AWS_STRING))
            return aws_err_serialization(service, "the body can not be converted");
        if (request->body.len)
            *(struct slice *)aws_member_slot(arena, payload, in) = request->body;
        return NULL;
    }
    if (!payload && !aws_shape_has_body(operation->request))
        return NULL; /* whatever a client sends along with a GET */
    if (!slice_trim(request->body).len)
        return NULL;
    const struct aws_shape *shape = payload ? payload->shape : operation->request;
    void *into = payload ? aws_member_slot(arena, payload, in) : in;
    if (service->protocol == AWS_REST_XML)
        return aws_xml_decode(arena, service, shape, payload ? payload->wire : SLICE_NONE, request->body, into);
    return aws_json_decode(arena, service, shape, request->body, into);
}

struct err *aws_decode_request(struct arena *arena, const struct aws_route *route, const struct aws_request *request,
                               void **ret_in)
{
    const struct aws_operation *operation = route->operation;
    void *in = arena_alloc(arena, operation->request->size);
    switch (operation->service->protocol) {
    case AWS_REST_JSON:
    case AWS_REST_XML:
        for (size_t i = 0; i < operation->request->member_count; i++)
            if (operation->request->members[i].offset != AWS_NO_OFFSET)
                TRY(bind_member(arena, route, request, &operation->request->members[i], in));
        TRY(decode_payload(arena, operation, request, in));
        break;
    case AWS_JSON_1_1:
        TRY(aws_json_decode(arena, operation->service, operation->request, request->body, in));
        break;
    case AWS_QUERY:
        TRY(aws_query_decode(arena, operation->service, operation->request, route->params, in));
        break;
    }
    aws_fill_idempotency_tokens(arena, operation->request, in);
    *ret_in = in;
    return NULL;
}

/* ---- answers ---- */

struct writer {
    struct arena *arena;
    struct aws_header *headers;
    size_t count, cap;
};

static void add_header(struct writer *writer, struct slice name, struct slice value)
{
    if (writer->count == writer->cap) {
        struct aws_header *more = ARENA_ARRAY(writer->arena, writer->cap * 2, struct aws_header);
        for (size_t i = 0; i < writer->count; i++)
            more[i] = writer->headers[i];
        writer->headers = more;
        writer->cap *= 2;
    }
    writer->headers[writer->count++] = (struct aws_header){.name = name, .value = value};
}

/* Values of ours may come from clients (user metadata): a line end would be a second header. */
static struct slice header_value(struct arena *arena, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != '\r' && value.ptr[i] != '\n' && value.ptr[i] != 0)
            continue;
        char *copy = slice_cstr(arena, value);
        for (size_t k = 0; k < value.len; k++)
            if (copy[k] == '\r' || copy[k] == '\n' || copy[k] == 0)
                copy[k] = ' ';
        return slice_of(copy, value.len);
    }
    return value;
}

static void encode_header(struct writer *writer, const struct aws_member *member, const void *value)
{
    struct arena *arena = writer->arena;
    if (member->location == AWS_IN_HEADERS) {
        for (size_t i = 0; i < ((const struct aws_map *)value)->count; i++)
            add_header(
                writer,
                slice_fmt(arena, "%.*s%.*s", SLICE_ARG(member->wire), SLICE_ARG(aws_map_key(member->shape, value, i))),
                header_value(arena, *(const struct slice *)aws_map_value(member->shape, value, i)));
        return;
    }
    if (slice_eq_nocase(member->wire, S("Content-Length")))
        return; /* the server's */
    if (member->shape->kind == AWS_LIST) {
        struct strbuf joined = STRBUF_ARENA(arena);
        for (size_t i = 0; i < ((const struct aws_list *)value)->count; i++) {
            if (i)
                strbuf_append_cstr(&joined, ",");
            strbuf_append(&joined, aws_scalar_format(arena, member->shape->item, AWS_TIMESTAMP_RFC822,
                                                     aws_list_item(member->shape, value, i)));
        }
        add_header(writer, member->wire, header_value(arena, strbuf_slice(&joined)));
        return;
    }
    add_header(writer, member->wire,
               header_value(arena, aws_scalar_format(arena, member->shape,
                                                     aws_timestamp_of(member, AWS_TIMESTAMP_RFC822), value)));
}

static bool has_content_type(const struct writer *writer)
{
    for (size_t i = 0; i < writer->count; i++)
        if (slice_eq_nocase(writer->headers[i].name, S("Content-Type")))
            return true;
    return false;
}

static struct slice encode_s3_body(struct arena *arena, const struct aws_operation *operation, const void *out)
{
    const struct aws_service *service = operation->service;
    const struct aws_shape *shape = operation->response;
    const void *value = out;
    struct slice root = operation->response_root;
    if (shape->payload) {
        value = shape->payload->streaming ? NULL : aws_member_value(shape->payload, out);
        if (!value || shape->payload->shape->kind != AWS_STRUCTURE)
            return value ? *(const struct slice *)value : SLICE_NONE;
        root = shape->payload->wire;
        shape = shape->payload->shape;
    } else if (!aws_shape_has_body(shape)) {
        return SLICE_NONE;
    }
    struct strbuf buf = STRBUF_ARENA(arena);
    strbuf_append_cstr(&buf, XML_DECLARATION);
    xml_open_with_namespace(&buf, root, service->xml_namespace);
    if (operation->response_unwrapped) {
        const void *only = aws_member_value(&shape->members[0], value);
        if (only)
            xml_write_text(&buf, aws_scalar_format(arena, shape->members[0].shape, AWS_TIMESTAMP_ISO8601, only));
    } else {
        aws_xml_encode_members(arena, &buf, service, shape, value);
    }
    xml_close(&buf, root);
    return strbuf_slice(&buf);
}

static struct slice encode_query_body(struct arena *arena, const struct aws_operation *operation, bool json,
                                      struct slice request_id, const void *out)
{
    struct slice response_name = slice_fmt(arena, "%.*sResponse", SLICE_ARG(operation->name));
    struct strbuf buf = STRBUF_ARENA(arena);
    if (json) {
        strbuf_append_fmt(&buf, "{\"%.*s\":{", SLICE_ARG(response_name));
        if (operation->result_wrapper.ptr) {
            strbuf_append_fmt(&buf, "\"%.*s\":", SLICE_ARG(operation->result_wrapper));
            strbuf_append(&buf, aws_json_encode(arena, operation->response, out));
            strbuf_append_char(&buf, ',');
        }
        strbuf_append_fmt(&buf, "\"ResponseMetadata\":{\"RequestId\":\"%.*s\"}}}", SLICE_ARG(request_id));
        return strbuf_slice(&buf);
    }
    xml_open_with_namespace(&buf, response_name, operation->service->xml_namespace);
    if (operation->result_wrapper.ptr) {
        xml_open(&buf, operation->result_wrapper);
        aws_xml_encode_members(arena, &buf, operation->service, operation->response, out);
        xml_close(&buf, operation->result_wrapper);
    }
    xml_open(&buf, S("ResponseMetadata"));
    xml_write_element(&buf, S("RequestId"), request_id);
    xml_close(&buf, S("ResponseMetadata"));
    xml_close(&buf, response_name);
    return strbuf_slice(&buf);
}

struct aws_response aws_encode_response(struct arena *arena, const struct aws_operation *operation,
                                        const struct aws_request *request, struct slice request_id, const void *out)
{
    const struct aws_shape *shape = operation->response;
    struct writer writer = {.arena = arena, .cap = 16, .headers = ARENA_ARRAY(arena, 16, struct aws_header)};
    struct aws_response response = {.status = operation->response_status};
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct aws_member *member = &shape->members[i];
        const void *value = aws_member_value(member, out);
        if (!value)
            continue;
        if (member->location == AWS_IN_HEADER || member->location == AWS_IN_HEADERS)
            encode_header(&writer, member, value);
        else if (member->location == AWS_IN_STATUS)
            response.status = (int)((const struct opt_i64 *)value)->value;
    }
    struct slice type = SLICE_NONE;
    switch (operation->service->protocol) {
    case AWS_REST_JSON: {
        const struct aws_member *payload = shape->payload;
        const void *value = payload ? aws_member_value(payload, out) : out;
        if (payload && payload->shape && payload->shape->kind != AWS_STRUCTURE)
            response.body = value ? *(const struct slice *)value : SLICE_NONE;
        else if (!payload || value)
            response.body = aws_json_encode(arena, payload ? payload->shape : shape, value);
        type = S("application/json");
        break;
    }
    case AWS_JSON_1_1:
        response.body = operation->has_output ? aws_json_encode(arena, shape, out) : SLICE_NONE;
        type = S("application/x-amz-json-1.1");
        break;
    case AWS_QUERY: {
        bool json = request && slice_find(aws_header_get(request->headers, S("Accept")), S("application/json")) >= 0;
        response.body = encode_query_body(arena, operation, json, request_id, out);
        type = json ? S("application/json") : S("text/xml");
        break;
    }
    case AWS_REST_XML:
        add_header(&writer, S("x-amz-request-id"), request_id);
        add_header(&writer, S("x-amz-id-2"), aws_s3_host_id(arena, request_id));
        response.body = encode_s3_body(arena, operation, out);
        type = response.body.ptr ? S("application/xml") : SLICE_NONE;
        break;
    }
    if (operation->service->protocol != AWS_REST_XML)
        add_header(&writer, S("x-amzn-RequestId"), request_id);
    if (type.ptr && !has_content_type(&writer))
        add_header(&writer, S("Content-Type"), type);
    response.headers = writer.headers;
    response.header_count = writer.count;
    return response;
}
