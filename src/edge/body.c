/* body: an S3 request's body between the socket and the operation. Objects and parts go through call->body_read as they arrive;
 * every other body is read whole, with the same checks. */
#include "edge/edge_internal.h"
#include "aws/body.h"

static struct err *read_http(void *ctx, void *buf, size_t cap, size_t *ret_len)
{
    struct http_request *http = ctx;
    return http_body_read(http, buf, cap, ret_len);
}

/* call->body_read */
static struct err *read_object(struct call *call, void *buf, size_t cap, size_t *ret_len)
{
    return aws_body_read(call->body, buf, cap, ret_len);
}

bool edge_streams_request(const struct aws_operation *operation)
{
    return operation && operation->request && operation->request->payload && operation->request->payload->streaming;
}

struct err *edge_open_body(struct call *call, struct aws_request *request, const struct sigv4_chain *chain, size_t max_bytes)
{
    if (call->operation->service->protocol != AWS_REST_XML)
        return NULL;
    bool streamed = edge_streams_request(call->operation);
    bool version4 = chain->amz_date.ptr != NULL;
    if (!streamed && call->http->content_length <= 0 && !call->http->chunked &&
        (!version4 || chain->payload == SIGV4_PAYLOAD_UNSIGNED)) {
        request->body = S("");
        return NULL;
    }
    TRY(aws_body_open(call->arena,
                      &(struct aws_body_options){
                          .reader = {.read = read_http, .ctx = call->http},
                          .headers = request->headers,
                          .content_length = call->http->chunked ? -1 : (call->http->content_length < 0 ? 0 : call->http->content_length),
                          .chain = version4 ? chain : NULL, /* else the header alone says how the body is framed */
                          .operation = call->operation,
                      },
                      &call->body));
    if (!streamed)
        return aws_body_read_all(call->arena, call->body, max_bytes, &request->body);
    call->body_read = read_object;
    call->body_length = aws_body_length(call->body);
    return NULL;
}

void edge_close_body(struct call *call)
{
    aws_body_close(call->body);
    call->body = NULL;
}
