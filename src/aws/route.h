/* route: which operation a request names. Pure. */
#pragma once
#include "aws/message.h"
#include "aws/shape.h"

#define AWS_MAX_LABELS 4

struct aws_label {
    struct slice name, value; /* value is percent-decoded */
};

struct aws_route {
    const struct aws_operation *operation;
    struct aws_label labels[AWS_MAX_LABELS]; /* REST: what stands in the path's {…} */
    size_t label_count;
    struct aws_params params; /* query protocol: form and query string together */
};

/* The served operation that the request names. Errors as AWS words them: no such operation, or one that is not served.
 * ret_route->operation is also set when the operation is known but not served (and the error returned). */
struct err *aws_route(struct arena *arena, const struct aws_service *service, const struct aws_request *request,
                      struct aws_route *ret_route) NODISCARD;

/* By protocol; aws_route calls the right one. */
struct err *aws_route_rest(struct arena *arena, const struct aws_service *service, const struct aws_request *request,
                           struct aws_route *ret_route) NODISCARD;
struct err *aws_route_target(const struct aws_service *service, struct slice target,
                             struct aws_route *ret_route) NODISCARD; /* X-Amz-Target */
struct err *aws_route_action(struct arena *arena, const struct aws_service *service, const struct aws_request *request,
                             struct aws_route *ret_route) NODISCARD; /* Action= in the form or the query */
