/* authorize: who may do what. Texts: Service Authorization Reference for names, the services' own AccessDenied wording. */
#include "edge/edge_internal.h"

static struct slice label(const struct aws_route *route, struct slice name)
{
    for (size_t i = 0; i < route->label_count; i++)
        if (slice_eq(route->labels[i].name, name))
            return route->labels[i].value;
    return SLICE_NONE;
}

/* The resource as an AccessDenied of emr-containers and eks writes it; "*" for operations without one. */
static struct slice resource_of(const struct call *call, const struct aws_route *route)
{
    const struct aws_operation *operation = call->operation;
    struct slice arn = label(route, S("resourceArn"));
    if (arn.ptr)
        return arn;
    struct slice base = slice_fmt(call->arena, "arn:aws:%.*s:%.*s:%.*s", SLICE_ARG(operation->service->signing_name),
                                  SLICE_ARG(call->parts->region), SLICE_ARG(call->parts->account_id));
    struct slice cluster = label(route, S("virtualClusterId")), run = label(route, S("jobRunId"));
    if (run.ptr)
        return slice_fmt(call->arena, "%.*s:/virtualclusters/%.*s/jobruns/%.*s", SLICE_ARG(base), SLICE_ARG(cluster), SLICE_ARG(run));
    if (cluster.ptr)
        return slice_fmt(call->arena, "%.*s:/virtualclusters/%.*s", SLICE_ARG(base), SLICE_ARG(cluster));
    if (slice_starts_with(operation->path, S("/clusters/{")))
        return slice_fmt(call->arena, "%.*s:cluster/%.*s", SLICE_ARG(base), SLICE_ARG(label(route, S("name"))));
    return S("*");
}

static struct err *refuse(const struct call *call, const struct aws_route *route)
{
    const struct aws_service *service = call->operation->service;
    bool plain = service->protocol == AWS_QUERY || service->protocol == AWS_REST_XML;
    const char *code = plain ? "AccessDenied" : "AccessDeniedException";
    int status = service->protocol == AWS_JSON_1_1 ? 400 : 403;
    if (call->principal.kind == PRINCIPAL_ANONYMOUS && service->protocol == AWS_REST_XML)
        return aws_err(ERR_DENIED, status, code, "Access Denied");
    struct slice action =
        slice_fmt(call->arena, "%.*s:%.*s", SLICE_ARG(service->signing_name), SLICE_ARG(call->operation->name));
    return aws_err(ERR_DENIED, status, code,
                   "User: %.*s is not authorized to perform: %.*s on resource: %.*s because no identity-based policy allows the %.*s action",
                   SLICE_ARG(call->principal.arn), SLICE_ARG(action), SLICE_ARG(resource_of(call, route)), SLICE_ARG(action));
}

struct err *edge_authorize(const struct call *call, const struct aws_route *route)
{
    struct slice service = call->operation->service->signing_name;
    switch (call->principal.kind) {
    case PRINCIPAL_ROOT:
        return NULL;
    case PRINCIPAL_SESSION:
        if (slice_eq(service, S("s3")) || slice_eq(service, S("logs")))
            return NULL;
        /* It cannot be denied, even by an explicit Deny. Source: STS API reference, GetCallerIdentity. */
        if (slice_eq(service, S("sts")) && slice_eq(call->operation->name, S("GetCallerIdentity")))
            return NULL;
        return refuse(call, route);
    case PRINCIPAL_ANONYMOUS:
        return call->operation->unsigned_allowed ? NULL : refuse(call, route);
    }
    return refuse(call, route);
}
