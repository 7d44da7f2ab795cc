/* codec: requests to structs and structs to answers, in the four protocols, over the generated rows.
 * Order of use: aws_route, (authenticate), aws_decode_request, (authorize), aws_validate, call, aws_encode_response;
 * whatever fails becomes an answer with aws_encode_error. Pure over slices; results live in the arena and borrow the
 * request's bytes. */
#pragma once
#include "aws/message.h"
#include "aws/route.h"
#include "aws/shape.h"

/* *ret_in points to operation->request's struct. The error has the service's code for what cannot be read (syntax,
 * types). For operations with a streamed body, request->body is not looked at. */
struct err *aws_decode_request(struct arena *arena, const struct aws_route *route, const struct aws_request *request,
                               void **ret_in) NODISCARD;

/* The model's constraints, all violations in one message, in AWS's words (validate.c). */
struct err *aws_validate(struct arena *arena, const struct aws_operation *operation, const void *in) NODISCARD;

/* Status, headers (content type, request id, members that travel in headers) and body. Of operations with a streamed
 * answer only status and headers: the operation sends them itself with its body (Content-Length is the server's to
 * write). */
struct aws_response aws_encode_response(struct arena *arena, const struct aws_operation *operation,
                                        const struct aws_request *request, struct slice request_id, const void *out);

/* The answer to an error. service NULL: S3's form. e's code names the error; its status, where 0, comes from the model
 * or the table of common errors. An error without a code is the service's internal error, and its message is not shown.
 * e stays the caller's. */
struct aws_response aws_encode_error(struct arena *arena, const struct aws_service *service,
                                     const struct aws_request *request, struct slice request_id, const struct err *e);
/* What aws_encode_error will say, for logs: the code and status on the wire. */
int aws_error_status(const struct aws_service *service, const struct err *e);

/* An error with its service's name for it; code must be static. */
#define aws_err(kind, status_, code_, ...) aws_err_at(__FILE__, __LINE__, (kind), (status_), (code_), __VA_ARGS__)
struct err *aws_err_at(const char *file, int line, enum err_kind kind, int status, const char *code, const char *format,
                       ...) __attribute__((format(printf, 6, 7), returns_nonnull)) NODISCARD;
/* Adds a member to the error's answer (S3: <BucketName>, EKS: clusterName); name must be static, value is copied.
 * Returns e. */
struct err *aws_err_member(struct err *e, const char *name, struct slice value) NODISCARD;
/* What the service says of a request it cannot read: SerializationException, MalformedXML, … */
struct err *aws_err_serialization(const struct aws_service *service, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull)) NODISCARD;
/* The operation is not there, or not served: 2.6 of each protocol; S3: 501 NotImplemented or 405 MethodNotAllowed. */
struct err *aws_err_unknown_operation(const struct aws_service *service, struct slice name) NODISCARD;

/* S3's second id (x-amz-id-2, HostId), made from the first. */
struct slice aws_s3_host_id(struct arena *arena, struct slice request_id);

/* One protocol's body each; used by codec.c. */
struct err *aws_json_decode(struct arena *arena, const struct aws_service *service, const struct aws_shape *structure,
                            struct slice body, void *in) NODISCARD;
struct slice aws_json_encode(struct arena *arena, const struct aws_shape *structure, const void *out);
struct err *aws_xml_decode(struct arena *arena, const struct aws_service *service, const struct aws_shape *structure,
                           struct slice root_name, struct slice body, void *in) NODISCARD;
struct strbuf;
/* The members of a structure as elements, without the enclosing one. */
void aws_xml_encode_members(struct arena *arena, struct strbuf *out, const struct aws_service *service,
                            const struct aws_shape *structure, const void *value);
struct err *aws_query_decode(struct arena *arena, const struct aws_service *service, const struct aws_shape *structure,
                             struct aws_params params, void *in) NODISCARD;
