/* CreateVirtualCluster: one namespace of one cluster. Synchronous: the next Describe shows it RUNNING. */
#include "jobs/job_run.h"
#include "jobs/reconciler.h"
#include "services/emr_containers/security_configuration.h"

/* Texts: astronomer-providers #410 (namespace taken), re:Post (unauthorized), airflow's hook (not reachable); the rest is ours. */
static struct err *check_namespace(struct call *call, struct slice cluster, struct slice namespace_)
{
    struct err *e = reconciler_check_namespace(call->parts->reconciler, cluster, namespace_);
    if (!e)
        return NULL;
    struct err *told = NULL;
    switch (e->kind) {
    case ERR_NOT_FOUND:
        told = err_has_code(e, "Cluster")
                   ? err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "Cluster %.*s does not exist.", SLICE_ARG(cluster))
                   : emr_containers_invalid("Namespace %.*s does not exist in cluster %.*s.", SLICE_ARG(namespace_), SLICE_ARG(cluster));
        break;
    case ERR_DENIED:
        told = emr_containers_invalid("Unauthorized to perform read namespace on (%.*s).", SLICE_ARG(namespace_));
        break;
    case ERR_UNAVAILABLE:
        told = emr_containers_invalid("Cluster %.*s is not reachable as its connection is currently being updated", SLICE_ARG(cluster));
        break;
    case ERR_INVALID:
    case ERR_CONFLICT:
    case ERR_LIMIT:
    case ERR_INTERNAL:
        return e;
    }
    err_free(e);
    return told;
}

static struct err *check_features(struct call *call, const struct emr_containers_create_virtual_cluster_request *in)
{
    if (in->security_configuration_id.ptr)
        TRY(security_configuration_check_enforced(call, in->security_configuration_id));
    if (in->session_enabled.set && in->session_enabled.value)
        return emr_containers_invalid("Sessions are not supported: leave sessionEnabled out.");
    return NULL;
}

/* What the store says no to, in AWS's words. Takes e. */
static struct err *translate(const struct emr_containers_create_virtual_cluster_request *in, struct err *e)
{
    struct err *told = NULL;
    if (e->kind == ERR_NOT_FOUND) /* deleted since it was looked at */
        told = security_configuration_missing(in->security_configuration_id);
    else if (err_has_code(e, "ClientToken"))
        told = client_token_taken(in->client_token);
    else if (e->kind == ERR_CONFLICT)
        told = emr_containers_invalid("A virtual cluster already exists in the given namespace");
    if (!told)
        return e;
    err_free(e);
    return told;
}

static struct err *create(struct call *call, const struct emr_containers_create_virtual_cluster_request *in, struct slice *ret_id)
{
    struct slice namespace_ = in->container_provider->info->eks_info->namespace;
    struct tags tags;
    TRY(check_features(call, in));
    TRY(tags_from_map(call, &in->tags, &tags));
    TRY(check_namespace(call, in->container_provider->id, namespace_));

    const struct emr_containers_scheduler_configuration *scheduler = in->scheduler_configuration;
    struct virtual_cluster row = {
        .id = virtual_cluster_id_new(call->arena),
        .name = in->name,
        .state = EMR_CONTAINERS_VIRTUAL_CLUSTER_STATE_RUNNING,
        .cluster = in->container_provider->id,
        .namespace_ = namespace_,
        .max_concurrent_job_runs = scheduler ? scheduler->max_concurrent_job_runs.value : 0,
        .max_in_queue_job_runs = scheduler ? scheduler->max_in_queue_job_runs.value : 0,
        .security_configuration_id = in->security_configuration_id,
        .created_at = call->now,
        .tags = tags,
    };
    struct err *e = store_virtual_cluster_insert(call->parts->store, call->arena, &row, virtual_cluster_arn(call, row.id), in->client_token,
                                                 request_digest(call, in), ret_id);
    return e ? translate(in, e) : NULL;
}

struct err *emr_containers_create_virtual_cluster(struct call *call, const struct emr_containers_create_virtual_cluster_request *in,
                                                  struct emr_containers_create_virtual_cluster_response *out)
{
    /* eksInfo is optional in the model; without it AWS answers a ValidationException (comment in Terraform's provider). */
    const struct emr_containers_container_info *info = in->container_provider->info;
    if (!info || !info->eks_info)
        return emr_containers_invalid("1 validation error detected: Value null at 'containerProvider.info.eksInfo' failed to satisfy "
                                      "constraint: Member must not be null");
    if (!info->eks_info->namespace.ptr)
        return emr_containers_invalid("1 validation error detected: Value null at 'containerProvider.info.eksInfo.namespace' failed to "
                                      "satisfy constraint: Member must not be null");
    struct client_token_use first;
    TRY(request_answered(call, in->client_token, in, &first));
    struct slice id = first.id;
    if (!id.ptr)
        TRY(create(call, in, &id));
    *out = (struct emr_containers_create_virtual_cluster_response){.id = id, .name = in->name, .arn = virtual_cluster_arn(call, id)};
    return NULL;
}
