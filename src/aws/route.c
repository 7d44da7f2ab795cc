/* route: see the header. For REST the raw path is split on '/' before anything is decoded: an ARN travels inside one
 * segment as %3A and %2F. S3 tells operations of one path apart by sub-resources in the query (?acl, ?uploads=,
 * ?list-type=2), by required parameters (uploadId) and by required headers (x-amz-copy-source); a sub-resource that the
 * chosen operation does not know is never dropped: PUT /key?acl stored as an object would be a loss of data. */
#include "aws/route.h"
#include "aws/codec.h"
#include "base/encode.h"

/* "/a/{b}/{c+}" against a raw path. */
static bool match_path(struct arena *arena, struct slice pattern, struct slice path, struct aws_route *route)
{
    route->label_count = 0;
    struct slice patterns = slice_from(pattern, 1), paths = slice_from(path, 1);
    if (!path.len || path.ptr[0] != '/')
        return false;
    while (patterns.ptr) {
        struct slice part = slice_cut(&patterns, '/');
        if (!paths.ptr)
            return false;
        bool label = part.len > 2 && part.ptr[0] == '{';
        if (label && slice_ends_with(part, S("+}"))) {
            if (!paths.len)
                return false;
            route->labels[route->label_count++] = (struct aws_label){.name = slice_sub(part, 1, part.len - 3),
                                                                     .value = uri_decode(arena, paths, URI_PLUS_KEPT)};
            return true;
        }
        struct slice got = slice_cut(&paths, '/');
        if (label) {
            if (!got.len || route->label_count == AWS_MAX_LABELS)
                return false;
            route->labels[route->label_count++] = (struct aws_label){.name = slice_sub(part, 1, part.len - 2),
                                                                     .value = uri_decode(arena, got, URI_PLUS_KEPT)};
        } else if (!slice_eq(part, got)) {
            return false;
        }
    }
    return !paths.ptr;
}

/* S3's paths are /{Bucket} and /{Bucket}/{Key+}; "/bucket/" is the bucket, and everything behind that slash is the key.
 */
static bool match_s3_path(struct arena *arena, struct slice pattern, const struct aws_request *request,
                          struct aws_route *route)
{
    struct slice bucket = request->bucket, key;
    if (!request->path.len || request->path.ptr[0] != '/')
        return false;
    if (bucket.ptr) {
        key = slice_from(request->path, 1);
    } else {
        key = slice_from(request->path, 1);
        bucket = uri_decode(arena, slice_cut(&key, '/'), URI_PLUS_KEPT);
    }
    route->label_count = 0;
    bool wants_bucket = slice_starts_with(pattern, S("/{Bucket}")), wants_key = slice_ends_with(pattern, S("{Key+}"));
    if (!wants_bucket)
        return slice_eq(pattern, S("/")) && !bucket.len;
    if (!bucket.len || wants_key != (key.len > 0))
        return false;
    route->labels[route->label_count++] = (struct aws_label){.name = S("Bucket"), .value = bucket};
    if (wants_key)
        route->labels[route->label_count++] =
            (struct aws_label){.name = S("Key"), .value = uri_decode(arena, key, URI_PLUS_KEPT)};
    return true;
}

static bool has_literals(const struct aws_operation *operation, struct aws_params params)
{
    for (size_t i = 0; i < operation->literal_count; i++) {
        const struct aws_query_literal *literal = &operation->literals[i];
        struct slice value = aws_params_get(params, literal->name);
        if (!value.ptr || (literal->value.ptr && !slice_eq(value, literal->value)))
            return false;
    }
    return true;
}

static bool has_required(const struct aws_operation *operation, struct aws_params params, struct aws_headers headers)
{
    for (size_t i = 0; i < operation->required_query_count; i++)
        if (!aws_params_has(params, operation->required_query[i]))
            return false;
    for (size_t i = 0; i < operation->required_header_count; i++)
        if (!aws_header_get(headers, operation->required_headers[i]).ptr)
            return false;
    return true;
}

/* More literals win, then more required parameters, then the one we serve. Missing required headers make an operation
 * of a sub-resource no less the one that is meant. */
static int score(const struct aws_operation *operation, struct aws_params params, struct aws_headers headers)
{
    if (!has_literals(operation, params))
        return -1;
    bool complete = has_required(operation, params, headers);
    if (!complete && !operation->literal_count)
        return -1;
    return (int)operation->literal_count * 1000 +
           (complete ? 100 + 10 * (int)(operation->required_query_count + operation->required_header_count) : 0) +
           (operation->served ? 2 : 0) + (operation->deprecated ? 0 : 1);
}

static bool operation_knows_query(const struct aws_operation *operation, struct slice name)
{
    for (size_t i = 0; i < operation->literal_count; i++)
        if (slice_eq(operation->literals[i].name, name))
            return true;
    for (size_t i = 0; operation->request && i < operation->request->member_count; i++) {
        const struct aws_member *member = &operation->request->members[i];
        if (member->location == AWS_IN_QUERY && slice_eq(member->wire, name))
            return true;
    }
    return false;
}

/* A name that any operation of the service uses to be told apart. */
static bool is_subresource(const struct aws_service *service, struct slice name)
{
    for (size_t i = 0; i < service->operation_count; i++) {
        const struct aws_operation *operation = &service->operations[i];
        for (size_t k = 0; k < operation->literal_count; k++)
            if (slice_eq(operation->literals[k].name, name))
                return true;
    }
    return slice_eq(name, S("uploadId")) || slice_eq(name, S("partNumber"));
}

static struct err *refuse_strange_subresource(const struct aws_service *service, const struct aws_route *route)
{
    for (size_t i = 0; i < route->params.count; i++) {
        struct slice name = route->params.items[i].name;
        if (is_subresource(service, name) && !operation_knows_query(route->operation, name))
            return aws_err_unknown_operation(service, name);
    }
    return NULL;
}

struct err *aws_route_rest(struct arena *arena, const struct aws_service *service, const struct aws_request *request,
                           struct aws_route *ret_route)
{
    struct aws_route best = {0};
    int best_score = -1;
    struct aws_params params;
    if (!aws_params_parse(arena, request->query, AWS_PLUS_IS_SPACE, &params))
        return aws_err_serialization(service, "more than %d query parameters", AWS_MAX_PARAMS);
    bool s3 = service->protocol == AWS_REST_XML;
    for (size_t i = 0; i < service->operation_count; i++) {
        const struct aws_operation *operation = &service->operations[i];
        struct aws_route route = {.operation = operation, .params = params};
        if (!slice_eq(operation->method, request->method))
            continue;
        if (!(s3 ? match_s3_path(arena, operation->path, request, &route)
                 : match_path(arena, operation->path, request->path, &route)))
            continue;
        /* REST-JSON needs no such distinctions: a missing parameter is the validator's to report. */
        int found = s3 ? score(operation, params, request->headers)
                       : (int)operation->literal_count + (has_literals(operation, params) ? 1 : -1000);
        if (found > best_score) {
            best = route;
            best_score = found;
        }
    }
    if (best_score < 0)
        return aws_err_unknown_operation(service, SLICE_NONE);
    *ret_route = best;
    if (!best.operation->served)
        return aws_err_unknown_operation(service, best.operation->name);
    return s3 ? refuse_strange_subresource(service, ret_route) : NULL;
}

struct err *aws_route_target(const struct aws_service *service, struct slice target, struct aws_route *ret_route)
{
    struct slice prefix, name;
    if (!slice_split(target, '.', &prefix, &name) || !slice_eq(prefix, service->target_prefix))
        return aws_err_unknown_operation(service, SLICE_NONE);
    const struct aws_operation *operation = aws_operation_find(service, name);
    *ret_route = (struct aws_route){.operation = operation};
    return operation && operation->served ? NULL : aws_err_unknown_operation(service, name);
}

struct err *aws_route_action(struct arena *arena, const struct aws_service *service, const struct aws_request *request,
                             struct aws_route *ret_route)
{
    /* A GET has everything in the query, which is what an EKS token is; a POST has it in the form. */
    struct slice text = request->body.len ? request->body : request->query;
    struct aws_params params;
    if (!aws_params_parse(arena, text, AWS_PLUS_IS_SPACE, &params))
        return aws_err_serialization(service, "more than %d parameters", AWS_MAX_PARAMS);
    struct slice action = aws_params_get(params, S("Action"));
    if (!action.ptr && request->body.len && request->query.len) {
        aws_params_parse(arena, request->query, AWS_PLUS_IS_SPACE, &params);
        action = aws_params_get(params, S("Action"));
    }
    if (!action.len)
        return aws_err(ERR_INVALID, 400, "MissingAction", "Missing Action");
    const struct aws_operation *operation = aws_operation_find(service, action);
    *ret_route = (struct aws_route){.operation = operation, .params = params};
    return operation && operation->served ? NULL : aws_err_unknown_operation(service, action);
}

struct err *aws_route(struct arena *arena, const struct aws_service *service, const struct aws_request *request,
                      struct aws_route *ret_route)
{
    *ret_route = (struct aws_route){0};
    switch (service->protocol) {
    case AWS_REST_JSON:
    case AWS_REST_XML:
        return aws_route_rest(arena, service, request, ret_route);
    case AWS_JSON_1_1:
        return aws_route_target(service, aws_header_get(request->headers, S("X-Amz-Target")), ret_route);
    case AWS_QUERY:
        return aws_route_action(arena, service, request, ret_route);
    }
    return aws_err_unknown_operation(service, SLICE_NONE);
}
