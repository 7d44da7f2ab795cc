/* CancelJobRun: records the wish; the reconciler ends the pods and makes the run CANCELLED. */
#include "jobs/job_run.h"
#include "jobs/reconciler.h"
#include "services/emr_containers/resource.h"

struct err *emr_containers_cancel_job_run(struct call *call, const struct emr_containers_cancel_job_run_request *in,
                                          struct emr_containers_cancel_job_run_response *out)
{
    struct job_run row;
    TRY(job_run_find(call, in->virtual_cluster_id, in->id, &row));
    struct err *e = job_run_cancel(call->parts->store, in->id, call->principal.arn, call->now);
    if (e && e->kind == ERR_CONFLICT) {
        err_free(e);
        /* No full stop: controllers look for this ending. Source: aws-controllers-k8s, emrcontainers, sdk.go. */
        return emr_containers_invalid("Job run %.*s is not in a cancellable state", SLICE_ARG(in->id));
    }
    if (e)
        return e;
    reconciler_nudge(call->parts->reconciler, in->id);
    *out = (struct emr_containers_cancel_job_run_response){.id = in->id, .virtual_cluster_id = in->virtual_cluster_id};
    return NULL;
}
