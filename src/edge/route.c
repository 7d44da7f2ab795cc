/* route: which service a request is for. The operation within it is aws/route.c's. */
#include "edge/edge_internal.h"
#include "base/encode.h"

/* KEY/20261121/us-east-1/logs/aws4_request: the fourth piece, counted from the end since keys are the client's. */
static struct slice scope_service(struct slice credential)
{
    ptrdiff_t last = slice_rindex(credential, '/');
    if (last <= 0)
        return SLICE_NONE;
    struct slice rest = slice_sub(credential, 0, (size_t)last);
    ptrdiff_t before = slice_rindex(rest, '/');
    return before < 0 ? SLICE_NONE : slice_from(rest, (size_t)before + 1);
}

static struct slice header_credential(struct slice authorization)
{
    ptrdiff_t at = slice_find(authorization, S("Credential="));
    if (at < 0)
        return SLICE_NONE;
    struct slice rest = slice_from(authorization, (size_t)at + sizeof("Credential=") - 1);
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != ',' && rest.ptr[len] != ' ')
        len++;
    return slice_sub(rest, 0, len);
}

static enum signing find_signing(struct arena *arena, const struct aws_request *request, struct slice *ret_scope)
{
    struct slice authorization = aws_header_get(request->headers, S("Authorization"));
    if (authorization.ptr) {
        if (slice_starts_with(authorization, S("AWS4-"))) {
            *ret_scope = scope_service(header_credential(authorization));
            return SIGNING_HEADER;
        }
        return slice_starts_with(authorization, S("AWS ")) ? SIGNING_V2_HEADER : SIGNING_OTHER;
    }
    if (slice_find(request->query, S("X-Amz-Algorithm=")) >= 0) {
        struct aws_params params;
        (void)aws_params_parse(arena, request->query, AWS_PLUS_KEPT, &params);
        if (aws_params_has(params, S("X-Amz-Algorithm"))) {
            *ret_scope = scope_service(aws_params_get(params, S("X-Amz-Credential")));
            return SIGNING_QUERY;
        }
    }
    if (slice_find(request->query, S("AWSAccessKeyId=")) >= 0 && slice_find(request->query, S("Signature=")) >= 0)
        return SIGNING_V2_QUERY;
    return SIGNING_NONE;
}

/* The host without its port. */
static struct slice host_name(struct slice host)
{
    ptrdiff_t colon = slice_rindex(host, ':');
    return colon < 0 ? host : slice_sub(host, 0, (size_t)colon);
}

struct slice edge_virtual_bucket(struct slice host)
{
    struct slice name = host_name(host);
    if (slice_starts_with_nocase(name, S("s3.")) || slice_starts_with_nocase(name, S("s3-")))
        return SLICE_NONE;
    if (slice_starts_with(name, S("[")))
        return SLICE_NONE; /* an IPv6 address */
    /* A bucket may itself hold ".s3.", so the last one counts. */
    for (size_t at = name.len; at-- > 1;) {
        struct slice rest = slice_from(name, at);
        if (slice_starts_with_nocase(rest, S(".s3.")) || slice_starts_with_nocase(rest, S(".s3-")))
            return slice_sub(name, 0, at);
    }
    struct slice local = S(".localhost"), last = slice_from(name, name.len > local.len ? name.len - local.len : 0);
    return name.len > local.len && slice_eq_nocase(last, local) ? slice_sub(name, 0, name.len - local.len) : SLICE_NONE;
}

static bool is_form(const struct aws_request *request)
{
    return slice_starts_with_nocase(aws_header_get(request->headers, S("Content-Type")), S("application/x-www-form-urlencoded"));
}

/* The service that X-Amz-Target, Action= or the host names; NULL: none of them does. */
static const struct aws_service *named_service(struct arena *arena, const struct aws_request *request, struct slice host)
{
    struct slice target = aws_header_get(request->headers, S("X-Amz-Target"));
    if (target.ptr) {
        struct slice rest = target, prefix = slice_cut(&rest, '.');
        for (size_t i = 0; i < aws_service_count; i++)
            if (aws_services[i]->target_prefix.ptr && slice_eq(aws_services[i]->target_prefix, prefix))
                return aws_services[i];
        return aws_service_find(S("logs")); /* no such prefix: refused in this protocol */
    }
    struct slice form = is_form(request) ? request->body : SLICE_NONE;
    /* A form whose body has not been read yet; no operation of S3 takes one there. */
    if (is_form(request) && !form.ptr && slice_eq(request->path, S("/")))
        return aws_service_find(S("sts"));
    bool has_action = slice_starts_with(form, S("Action=")) || slice_find(form, S("&Action=")) >= 0 ||
                      slice_starts_with(request->query, S("Action=")) || slice_find(request->query, S("&Action=")) >= 0;
    if (has_action && (form.ptr || slice_eq(request->path, S("/")))) {
        struct aws_params params, query;
        (void)aws_params_parse(arena, form, AWS_PLUS_IS_SPACE, &params);
        (void)aws_params_parse(arena, request->query, AWS_PLUS_IS_SPACE, &query);
        struct slice version = aws_params_get(params, S("Version"));
        if (!version.ptr)
            version = aws_params_get(query, S("Version"));
        for (size_t i = 0; i < aws_service_count; i++)
            if (aws_services[i]->protocol == AWS_QUERY && slice_eq(aws_services[i]->api_version, version))
                return aws_services[i];
        return aws_service_find(S("sts"));
    }
    struct slice rest = host_name(host), first = slice_cut(&rest, '.');
    return rest.ptr && !slice_eq_nocase(first, S("s3")) ? aws_service_find(slice_lower(arena, first)) : NULL;
}

/* A service that speaks like the one that is not here, so that its client can read the refusal. */
static const struct aws_service *like(const struct aws_request *request, struct slice scope)
{
    if (slice_starts_with(scope, S("s3")))
        return aws_service_find(S("s3"));
    if (aws_header_get(request->headers, S("X-Amz-Target")).ptr)
        return aws_service_find(S("logs"));
    if (is_form(request) || slice_starts_with(request->query, S("Action=")))
        return aws_service_find(S("sts"));
    return aws_service_find(S("emr-containers"));
}

static bool is_ours(struct slice path)
{
    return slice_eq(path, S("/console")) || slice_starts_with(path, S("/console/")) ||
           slice_starts_with(path, S("/id/"));
}

static bool shows_bearer(const struct aws_request *request)
{
    return slice_starts_with_nocase(aws_header_get(request->headers, S("Authorization")), S("Bearer "));
}

struct target edge_route_target(struct arena *arena, const struct aws_request *request, struct slice host)
{
    struct target target = {.door = DOOR_SERVICE, .scope_service = SLICE_NONE, .bucket = SLICE_NONE};
    target.signing = find_signing(arena, request, &target.scope_service);
    if (target.scope_service.ptr) {
        target.service = aws_service_find(target.scope_service);
        if (target.service && slice_eq(request->path, S("/ember/events")) && slice_eq(target.service->signing_name, S("emr-containers")))
            target.door = DOOR_EVENTS;
        if (target.service && edge_is_effective_path(request->path) && slice_eq(target.service->signing_name, S("emr-containers")))
            target.door = DOOR_EFFECTIVE;
        if (!target.service) {
            target.door = DOOR_UNKNOWN;
            target.service = like(request, target.scope_service);
        }
    } else if (target.signing == SIGNING_V2_HEADER || target.signing == SIGNING_V2_QUERY) {
        target.service = aws_service_find(S("s3"));
    } else {
        if (target.signing == SIGNING_NONE && slice_eq(request->path, S("/healthz")))
            target.door = DOOR_HEALTH;
        else if (slice_eq(request->path, S("/metrics")) && (target.signing == SIGNING_NONE || shows_bearer(request)))
            target.door = DOOR_METRICS;
        else if (target.signing == SIGNING_NONE && is_ours(request->path))
            target.door = DOOR_OURS;
        target.service = named_service(arena, request, host);
        if (!target.service)
            target.service = aws_service_find(S("s3"));
    }
    if (target.service->protocol == AWS_REST_XML)
        target.bucket = edge_virtual_bucket(host);
    return target;
}
