/* error: making errors with AWS's names, and writing them in each protocol's form (the forms were read off botocore's
 * parsers and real answers: rest-json wants the header x-amzn-ErrorType, json-1.1 the member __type, so both always get
 * both). */
#include "aws/codec.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/xml.h"
#include <stdlib.h>
#include <string.h>

#define MAX_ERROR_MEMBERS 8

struct detail {
    size_t count;
    struct {
        const char *name;
        struct slice value; /* owned */
    } members[MAX_ERROR_MEMBERS];
};

static void detail_free(void *pointer)
{
    struct detail *detail = pointer;
    for (size_t i = 0; i < detail->count; i++)
        free((char *)(uintptr_t)detail->members[i].value.ptr);
    free(detail);
}

struct err *aws_err_at(const char *file, int line, enum err_kind kind, int status, const char *code, const char *format,
                       ...)
{
    va_list args;
    va_start(args, format);
    struct strbuf text = STRBUF_HEAP;
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    struct err *e = err_new_at(file, line, kind, code, "%s", text.ptr ? text.ptr : "");
    strbuf_deinit(&text);
    e->status = status;
    return e;
}

struct err *aws_err_member(struct err *e, const char *name, struct slice value)
{
    if (e->detail && e->detail_free != detail_free)
        return e; /* another module's detail */
    if (!e->detail) {
        e->detail = xcalloc(1, sizeof(struct detail));
        e->detail_free = detail_free;
    }
    struct detail *detail = e->detail;
    if (detail->count == MAX_ERROR_MEMBERS)
        return e;
    char *copy = xmalloc(value.len + 1);
    memcpy(copy, value.ptr ? value.ptr : "", value.len);
    copy[value.len] = 0;
    detail->members[detail->count].name = name;
    detail->members[detail->count++].value = slice_of(copy, value.len);
    return e;
}

struct err *aws_err_serialization(const struct aws_service *service, const char *format, ...)
{
    if (service->protocol == AWS_REST_XML)
        return aws_err(ERR_INVALID, 400, service->serialization_code.ptr,
                       "The XML you provided was not well-formed or did not validate against our published schema");
    va_list args;
    va_start(args, format);
    struct strbuf text = STRBUF_HEAP;
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    struct err *e = aws_err(ERR_INVALID, 400, service->serialization_code.ptr, "%s", text.ptr ? text.ptr : "");
    strbuf_deinit(&text);
    return e;
}

struct err *aws_err_unknown_operation(const struct aws_service *service, struct slice name)
{
    const struct aws_operation *operation = name.ptr ? aws_operation_find(service, name) : NULL;
    int status = service->protocol == AWS_REST_JSON ? 404 : 400;
    switch (service->protocol) {
    case AWS_REST_JSON:
    case AWS_JSON_1_1:
        if (operation) /* AWS has it */
            return aws_err(ERR_INVALID, status, "UnknownOperationException", "The operation %.*s is not served here.", SLICE_ARG(name));
        return aws_err(ERR_INVALID, status, "UnknownOperationException", "Unknown operation");
    case AWS_QUERY:
        return aws_err(ERR_INVALID, 400, "InvalidAction", "Could not find operation %.*s for version %.*s",
                       SLICE_ARG(name), SLICE_ARG(service->api_version));
    case AWS_REST_XML:
        if (name.ptr)
            return aws_err_member(aws_err(ERR_INVALID, 501, "NotImplemented",
                                          "A header you provided implies functionality that is not implemented"),
                                  "additionalMessage", name);
        return aws_err(ERR_INVALID, 405, "MethodNotAllowed",
                       "The specified method is not allowed against this resource.");
    }
    return aws_err(ERR_INTERNAL, 500, NULL, "no such protocol");
}

/* Codes that no model lists, with the statuses AWS gives them; S3's are from its list of error responses. */
static const struct {
    struct slice code;
    int status;
} common_errors[] = {
    {S_INIT("AccessDenied"), 403},
    {S_INIT("AccessDeniedException"), 403},
    {S_INIT("AccessControlListNotSupported"), 400},
    {S_INIT("AuthorizationHeaderMalformed"), 400},
    {S_INIT("AuthorizationQueryParametersError"), 400},
    {S_INIT("BadDigest"), 400},
    {S_INIT("BucketNotEmpty"), 409},
    {S_INIT("ConditionalRequestConflict"), 409},
    {S_INIT("EntityTooLarge"), 400},
    {S_INIT("EntityTooSmall"), 400},
    {S_INIT("ExpiredToken"), 400},
    {S_INIT("ExpiredTokenException"), 403},
    {S_INIT("IllegalLocationConstraintException"), 400},
    {S_INIT("IncompleteBody"), 400},
    {S_INIT("InternalError"), 500},
    {S_INIT("InternalFailure"), 500},
    {S_INIT("InvalidAccessKeyId"), 403},
    {S_INIT("InvalidArgument"), 400},
    {S_INIT("InvalidBucketName"), 400},
    {S_INIT("InvalidClientTokenId"), 403},
    {S_INIT("InvalidDigest"), 400},
    {S_INIT("InvalidLocationConstraint"), 400},
    {S_INIT("InvalidPart"), 400},
    {S_INIT("InvalidPartNumber"), 416},
    {S_INIT("InvalidPartOrder"), 400},
    {S_INIT("InvalidRange"), 416},
    {S_INIT("InvalidRequest"), 400},
    {S_INIT("InvalidStorageClass"), 400},
    {S_INIT("InvalidTag"), 400},
    {S_INIT("KeyTooLongError"), 400},
    {S_INIT("MalformedTrailerError"), 400},
    {S_INIT("MalformedXML"), 400},
    {S_INIT("MetadataTooLarge"), 400},
    {S_INIT("MethodNotAllowed"), 405},
    {S_INIT("MissingContentLength"), 411},
    {S_INIT("MissingRequestBodyError"), 400},
    {S_INIT("NoSuchBucket"), 404},
    {S_INIT("NoSuchKey"), 404},
    {S_INIT("NoSuchUpload"), 404},
    {S_INIT("NoSuchVersion"), 404},
    {S_INIT("NotImplemented"), 501},
    {S_INIT("NotModified"), 304},
    {S_INIT("OperationAborted"), 409},
    {S_INIT("PermanentRedirect"), 301},
    {S_INIT("PreconditionFailed"), 412},
    {S_INIT("RequestHeaderSectionTooLarge"), 400},
    {S_INIT("RequestTimeTooSkewed"), 403},
    {S_INIT("RequestTimeout"), 400},
    {S_INIT("ServiceUnavailable"), 503},
    {S_INIT("SignatureDoesNotMatch"), 403},
    {S_INIT("SlowDown"), 503},
    {S_INIT("Throttling"), 400},
    {S_INIT("ThrottlingException"), 400},
    {S_INIT("XAmzContentSHA256Mismatch"), 400},
};

/* Failures, and anything a function forgot to name, are the service's internal error. */
static bool is_named(const struct err *e)
{
    return e->code != NULL;
}

static struct slice wire_code(const struct aws_service *service, const struct err *e)
{
    if (is_named(e))
        return slice_from_cstr(e->code);
    return service ? service->internal_code : S("InternalError");
}

int aws_error_status(const struct aws_service *service, const struct err *e)
{
    if (is_named(e) && e->status)
        return e->status;
    struct slice code = wire_code(service, e);
    const struct aws_error_shape *shape = service ? aws_error_find(service, code) : NULL;
    if (shape)
        return shape->status;
    if (service && service->protocol == AWS_JSON_1_1 && slice_ends_with(code, S("Exception")) &&
        e->kind != ERR_INTERNAL)
        return 400; /* even a denial */
    for (size_t i = 0; i < ARRAY_SIZE(common_errors); i++)
        if (slice_eq(common_errors[i].code, code))
            return common_errors[i].status;
    if (!is_named(e))
        return 500;
    switch (e->kind) {
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_LIMIT:
        return 400;
    case ERR_DENIED:
        return 403;
    case ERR_UNAVAILABLE:
        return 503;
    case ERR_INTERNAL:
        return 500;
    }
    return 500;
}

static struct slice wire_message(const struct aws_service *service, const struct err *e)
{
    if (is_named(e))
        return err_message(e);
    if (!service || service->protocol == AWS_REST_XML)
        return S("We encountered an internal error. Please try again.");
    return S("The request processing has failed because of an unknown error, exception or failure.");
}

static const struct detail *detail_of(const struct err *e)
{
    static const struct detail none;
    return is_named(e) && e->detail && e->detail_free == detail_free ? e->detail : &none;
}

static bool wants_json(const struct aws_request *request)
{
    return request && slice_find(aws_header_get(request->headers, S("Accept")), S("application/json")) >= 0;
}

static struct slice json_body(struct arena *arena, const struct err *e, struct slice code, struct slice message)
{
    const struct detail *detail = detail_of(e);
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_cstr(&out, "{\"__type\":");
    json_write_string(&out, code);
    /* The framework's own exception writes it with a capital, and has none when the body is no JSON (seen at Athena and Kinesis). */
    if (message.len) {
        strbuf_append_cstr(&out, slice_eq(code, S("SerializationException")) ? ",\"Message\":" : ",\"message\":");
        json_write_string(&out, message);
    }
    for (size_t i = 0; i < detail->count; i++) {
        strbuf_append_char(&out, ',');
        json_write_string(&out, slice_from_cstr(detail->members[i].name));
        strbuf_append_char(&out, ':');
        json_write_string(&out, detail->members[i].value);
    }
    strbuf_append_char(&out, '}');
    return strbuf_slice(&out);
}

static struct slice query_body(struct arena *arena, const struct aws_service *service,
                               const struct aws_request *request, struct slice request_id, int status,
                               struct slice code, struct slice message)
{
    struct strbuf out = STRBUF_ARENA(arena);
    struct slice type = status < 500 ? S("Sender") : S("Receiver");
    if (wants_json(request)) {
        strbuf_append_cstr(&out, "{\"Error\":{\"Code\":");
        json_write_string(&out, code);
        strbuf_append_cstr(&out, ",\"Message\":");
        json_write_string(&out, message);
        strbuf_append_cstr(&out, ",\"Type\":");
        json_write_string(&out, type);
        strbuf_append_cstr(&out, "},\"RequestId\":");
        json_write_string(&out, request_id);
        strbuf_append_char(&out, '}');
        return strbuf_slice(&out);
    }
    xml_open_with_namespace(&out, S("ErrorResponse"), service->xml_namespace);
    xml_open(&out, S("Error"));
    xml_write_element(&out, S("Type"), type);
    xml_write_element(&out, S("Code"), code);
    xml_write_element(&out, S("Message"), message);
    xml_close(&out, S("Error"));
    xml_write_element(&out, S("RequestId"), request_id);
    xml_close(&out, S("ErrorResponse"));
    return strbuf_slice(&out);
}

/* S3's second id; SDKs print it beside the first. */
struct slice aws_s3_host_id(struct arena *arena, struct slice request_id)
{
    uint8_t hash[DIGEST_MAX_BYTES];
    digest_once(DIGEST_SHA256, request_id, hash);
    return base64_encode(arena, slice_of((const char *)hash, SHA256_BYTES));
}

static struct slice s3_body(struct arena *arena, const struct err *e, struct slice request_id, struct slice code,
                            struct slice message)
{
    const struct detail *detail = detail_of(e);
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_cstr(&out, XML_DECLARATION "<Error>");
    xml_write_element(&out, S("Code"), code);
    xml_write_element(&out, S("Message"), message);
    for (size_t i = 0; i < detail->count; i++)
        xml_write_element(&out, slice_from_cstr(detail->members[i].name), detail->members[i].value);
    xml_write_element(&out, S("RequestId"), request_id);
    xml_write_element(&out, S("HostId"), aws_s3_host_id(arena, request_id));
    strbuf_append_cstr(&out, "</Error>");
    return strbuf_slice(&out);
}

struct aws_response aws_encode_error(struct arena *arena, const struct aws_service *service,
                                     const struct aws_request *request, struct slice request_id, const struct err *e)
{
    struct slice code = wire_code(service, e), message = wire_message(service, e);
    int status = aws_error_status(service, e);
    struct aws_header *headers = ARENA_ARRAY(arena, 4, struct aws_header);
    struct aws_response response = {.status = status, .headers = headers};
#define HEADER(header_name, header_value)                                                                              \
    headers[response.header_count++] = (struct aws_header)                                                             \
    {                                                                                                                  \
        .name = (header_name), .value = (header_value)                                                                 \
    }
    if (!service || service->protocol == AWS_REST_XML) {
        HEADER(S("x-amz-request-id"), request_id);
        HEADER(S("x-amz-id-2"), aws_s3_host_id(arena, request_id));
        if (status != 304 && !(request && slice_eq(request->method, S("HEAD")))) {
            HEADER(S("Content-Type"), S("application/xml"));
            response.body = s3_body(arena, e, request_id, code, message);
        }
        return response;
    }
    HEADER(S("x-amzn-RequestId"), request_id);
    if (service->protocol == AWS_QUERY) {
        HEADER(S("Content-Type"), wants_json(request) ? S("application/json") : S("text/xml"));
        response.body = query_body(arena, service, request, request_id, status, code, message);
        return response;
    }
    HEADER(S("x-amzn-ErrorType"), code);
    HEADER(S("Content-Type"),
           service->protocol == AWS_JSON_1_1 ? S("application/x-amz-json-1.1") : S("application/json"));
    response.body = json_body(arena, e, code, message);
#undef HEADER
    return response;
}
