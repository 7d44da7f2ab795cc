/* effective_door: GET /ember/jobruns/ID/effective, which AWS has not: signed as emr-containers, for the root key. Answers what the run's last
 * launched attempt had, value by value with its source (spark/emr.h), as it was kept with the run:
 *     {"jobRunId": …, "attempt": 1, "releaseLabel": …, "sparkVersion": …, "configurations": [{"classification": …, "properties": [{"name": …,
 *      "value": …, "source": …}]}], "notes": […]}
 * source is one of spark-default, release-default, application-configuration, properties-file, conf-argument, option, system. */
#include "edge/edge_internal.h"
#include "aws/codec.h"
#include "base/strbuf.h"
#include "store/job_run.h"

#define PREFIX S("/ember/jobruns/")
#define SUFFIX S("/effective")

bool edge_is_effective_path(struct slice path)
{
    return slice_starts_with(path, PREFIX) && slice_ends_with(path, SUFFIX) && path.len > PREFIX.len + SUFFIX.len;
}

static struct err *not_found(struct err *e, struct slice id, const char *what)
{
    if (!e || e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    return aws_err(ERR_NOT_FOUND, 400, "ResourceNotFoundException", "Job run %.*s %s", SLICE_ARG(id), what);
}

struct err *edge_read_effective(struct edge *edge, struct arena *arena, const struct principal *principal, const struct aws_service *service,
                                const struct aws_request *request, struct slice *ret_json)
{
    const struct aws_operation counted = {.service = service, .name = S_INIT("EffectiveConfiguration"), .method = S_INIT("GET")};
    TRY(edge_limit_principal(edge, arena, principal, &counted));
    if (principal->kind != PRINCIPAL_ROOT)
        return aws_err(ERR_DENIED, 403, "AccessDeniedException", "User: %.*s is not authorized to read effective configurations: only the root key may",
                       SLICE_ARG(principal->arn));
    if (!slice_eq(request->method, S("GET")))
        return aws_err(ERR_INVALID, 405, "UnknownOperationException", "GET it");
    struct slice id = slice_sub(request->path, PREFIX.len, request->path.len - PREFIX.len - SUFFIX.len), json;
    struct job_run run;
    int64_t attempt;
    TRY(not_found(store_job_run_get(edge->store, arena, id, &run), id, "doesn't exist."));
    TRY(not_found(store_job_run_get_effective(edge->store, arena, id, &json, &attempt), id, "has no effective configuration: no attempt of it was launched."));
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_fmt(&out, "{\"jobRunId\":\"%.*s\",\"attempt\":%lld,", SLICE_ARG(run.id), (long long)attempt);
    strbuf_append(&out, slice_from(json, 1)); /* an object that is never empty */
    *ret_json = strbuf_slice(&out);
    return NULL;
}
