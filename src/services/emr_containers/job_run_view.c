/* job_run_view: see the header. */
#include "services/emr_containers/job_run_view.h"

/* configurationOverrides is never empty: persistentAppUI comes back ENABLED when it was not given. Source: comments in
 * aws-controllers-k8s, emrcontainers-controller, hooks.go. */
static const struct emr_containers_configuration_overrides *fill_defaults(struct call *call,
                                                                          const struct emr_containers_configuration_overrides *given)
{
    struct emr_containers_configuration_overrides *overrides = ARENA_NEW(call->arena, struct emr_containers_configuration_overrides);
    struct emr_containers_monitoring_configuration *monitoring = ARENA_NEW(call->arena, struct emr_containers_monitoring_configuration);
    if (given)
        *overrides = *given;
    if (overrides->monitoring_configuration)
        *monitoring = *overrides->monitoring_configuration;
    if (!monitoring->persistent_app_ui.ptr)
        monitoring->persistent_app_ui = EMR_CONTAINERS_PERSISTENT_APP_UI_ENABLED;
    overrides->monitoring_configuration = monitoring;
    return overrides;
}

static struct err *view_whole(struct call *call, const struct job_run *row, struct emr_containers_job_run *view)
{
    const void *driver, *overrides;
    TRY(stored_member_decode(call, S("StartJobRun"), S("jobDriver"), row->job_driver, &driver));
    TRY(stored_member_decode(call, S("StartJobRun"), S("configurationOverrides"), row->configuration_overrides, &overrides));
    view->job_driver = driver;
    view->configuration_overrides = fill_defaults(call, overrides);
    if (row->retry_max_attempts > 0) {
        struct emr_containers_retry_policy_configuration *policy = ARENA_NEW(call->arena, struct emr_containers_retry_policy_configuration);
        policy->max_attempts = OPT_I64(row->retry_max_attempts);
        view->retry_policy_configuration = policy;
    }
    return NULL;
}

static struct err *view_one(struct call *call, const struct job_run *row, enum job_run_view_kind kind, struct slice arn, const struct tags *tags,
                            struct emr_containers_job_run *ret_view)
{
    struct emr_containers_job_run view = {
        .id = row->id,
        .name = row->name,
        .virtual_cluster_id = row->virtual_cluster_id,
        .arn = arn,
        .state = row->state,
        .client_token = row->client_token,
        .execution_role_arn = row->execution_role_arn,
        .release_label = row->release_label,
        .created_at = OPT_INSTANT(row->created_at),
        .created_by = row->created_by,
        .finished_at = {.set = row->finished_at.ms != 0, .value = row->finished_at},
        .state_details = row->state_details.len ? row->state_details : SLICE_NONE,
        .failure_reason = row->failure_reason,
        .tags = tags_to_map(call, tags),
    };
    if (row->retry_max_attempts > 0) {
        struct emr_containers_retry_policy_execution *execution = ARENA_NEW(call->arena, struct emr_containers_retry_policy_execution);
        execution->current_attempt_count = OPT_I64(row->attempt);
        view.retry_policy_execution = execution;
    }
    if (kind == JOB_RUN_WHOLE)
        TRY(view_whole(call, row, &view));
    *ret_view = view;
    return NULL;
}

struct err *job_run_view(struct call *call, const struct job_run *rows, size_t count, enum job_run_view_kind kind,
                         struct emr_containers_job_run *ret_views)
{
    struct slice *arns = ARENA_ARRAY(call->arena, count + 1, struct slice);
    struct tags *tags = ARENA_ARRAY(call->arena, count + 1, struct tags);
    for (size_t i = 0; i < count; i++)
        arns[i] = job_run_arn(call, rows[i].virtual_cluster_id, rows[i].id);
    TRY(store_tags_get_each(call->parts->store, call->arena, arns, count, tags));
    for (size_t i = 0; i < count; i++)
        TRY(view_one(call, &rows[i], kind, arns[i], &tags[i], &ret_views[i]));
    return NULL;
}
