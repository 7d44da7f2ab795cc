/* events_door: GET /ember/events, which AWS has not: signed as emr-containers, for the root key. What it asks and what is answered stands in
 * docs/events.md; the events are the daemon's, behind edge_options.events. */
#include "edge/edge_internal.h"
#include "aws/codec.h"

#define LIMIT_DEFAULT 100

static struct err *read_number(struct aws_params params, const char *name, int64_t min, int64_t max, int64_t *value)
{
    struct slice text = aws_params_get(params, slice_from_cstr(name));
    if (!text.ptr || slice_to_i64(text, min, max, value))
        return NULL;
    return aws_err(ERR_INVALID, 400, "ValidationException", "%s must be a number from %lld to %lld", name, (long long)min, (long long)max);
}

static struct err *read_question(struct arena *arena, struct slice query, struct edge_events_question *ret_question)
{
    static const struct slice known[] = {S_INIT("after"), S_INIT("limit"), S_INIT("wait")};
    struct edge_events_question question = {.limit = LIMIT_DEFAULT};
    struct aws_params params;
    int64_t wait_s = 0;
    (void)aws_params_parse(arena, query, AWS_PLUS_KEPT, &params);
    for (size_t i = 0; i < params.count; i++) {
        struct slice name = params.items[i].name;
        if (!slice_is_one_of(name, known, ARRAY_SIZE(known)) && !slice_starts_with(name, S("X-Amz-")))
            return aws_err(ERR_INVALID, 400, "ValidationException", "after, limit and wait are the parameters");
    }
    TRY(read_number(params, "limit", 1, EDGE_EVENTS_LIMIT_MAX, &question.limit));
    TRY(read_number(params, "wait", 0, EDGE_EVENTS_WAIT_MAX_S, &wait_s));
    question.after = aws_params_get(params, S("after"));
    question.wait_ms = wait_s * 1000;
    *ret_question = question;
    return NULL;
}

/* The daemon's conditions in the words of emr-containers. */
static struct err *name_refusal(struct err *e)
{
    struct err *told = e;
    if (e && e->kind == ERR_INVALID)
        told = aws_err(ERR_INVALID, 400, "ValidationException", "%.*s", SLICE_ARG(err_message(e)));
    else if (e && e->kind == ERR_LIMIT)
        told = aws_err(ERR_LIMIT, 429, "ThrottlingException", "%.*s", SLICE_ARG(err_message(e)));
    if (told != e)
        err_free(e);
    return told;
}

struct err *edge_read_events(struct edge *edge, struct arena *arena, const struct principal *principal, const struct aws_service *service,
                             const struct aws_request *request, struct slice *ret_json)
{
    const struct aws_operation counted = {.service = service, .name = S_INIT("Events"), .method = S_INIT("GET")};
    struct edge_events_question question;
    TRY(edge_limit_principal(edge, arena, principal, &counted));
    if (principal->kind != PRINCIPAL_ROOT)
        return aws_err(ERR_DENIED, 403, "AccessDeniedException", "User: %.*s is not authorized to read events: only the root key may",
                       SLICE_ARG(principal->arn));
    if (!slice_eq(request->method, S("GET")))
        return aws_err(ERR_INVALID, 405, "UnknownOperationException", "GET it");
    TRY(read_question(arena, request->query, &question));
    if (!edge->events)
        return aws_err(ERR_NOT_FOUND, 404, "UnknownOperationException", "There are no events here");
    return name_refusal(edge->events(edge->collect_ctx, arena, &question, ret_json));
}
