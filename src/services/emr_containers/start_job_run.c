/* StartJobRun: checks what AWS checks at once and records the wish. Whether the role, the bucket and the entry point exist shows
 * when the run starts. Texts: EMR on EKS guide, "Job run errors", and the Service Authorization Reference. */
#include "aws/codec.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "jobs/job_run.h"
#include "jobs/reconciler.h"
#include "services/emr_containers/job_template.h"
#include "spark/release.h"

typedef const struct emr_containers_start_job_run_request request;

/* arn:aws:iam::ACCOUNT:role/…; its form is the model's pattern. A missing one, or another account's, is denied and not
 * invalid. */
static struct err *check_role(const struct call *call, struct slice arn)
{
    struct slice rest = arn, account = SLICE_NONE;
    for (int i = 0; i < 5 && rest.ptr; i++)
        account = slice_cut(&rest, ':');
    if (!slice_eq(account, call->parts->account_id))
        return err_code(ERR_DENIED, "AccessDeniedException", "User: %.*s is not authorized to perform: emr-containers:StartJobRun",
                        SLICE_ARG(call->principal.arn));
    return NULL;
}

/* Members that the model has as optional and the service needs, when there is no template to take them from: all that are missing in one
 * message, in the model's order, as its own constraints are told. */
static struct err *check_present(const struct call *call, request *in)
{
    const struct emr_containers_job_driver *driver = in->job_driver;
    const struct {
        bool missing;
        const char *path;
    } members[] = {
        {!in->release_label.ptr, "releaseLabel"},
        {!driver, "jobDriver"},
        {driver && driver->spark_sql_job_driver && !driver->spark_sql_job_driver->entry_point.ptr, "jobDriver.sparkSqlJobDriver.entryPoint"},
    };
    struct strbuf text = STRBUF_ARENA(call->arena);
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (members[i].missing)
            strbuf_append_fmt(&text, "%sValue null at '%s' failed to satisfy constraint: Member must not be null", count++ ? "; " : "",
                              members[i].path);
    if (!count)
        return NULL;
    return emr_containers_invalid("%zu validation error%s detected: %s", count, count == 1 ? "" : "s", text.ptr);
}

static struct err *check_driver(request *in)
{
    const struct emr_containers_job_driver *driver = in->job_driver;
    if (!driver->spark_submit_job_driver == !driver->spark_sql_job_driver)
        return emr_containers_invalid("Exactly one of sparkSubmitJobDriver and sparkSqlJobDriver must be given in jobDriver.");
    return NULL;
}

static struct err *check_monitoring(request *in)
{
    const struct emr_containers_monitoring_configuration *monitoring =
        in->configuration_overrides ? in->configuration_overrides->monitoring_configuration : NULL;
    if (!monitoring)
        return NULL;
    const struct emr_containers_s3_monitoring_configuration *s3 = monitoring->s3_monitoring_configuration;
    if (s3 && (!slice_starts_with(s3->log_uri, S("s3://")) || s3->log_uri.len == sizeof("s3://") - 1))
        return emr_containers_invalid("1 validation error detected: Value '%.*s' at "
                                      "'configurationOverrides.monitoringConfiguration.s3MonitoringConfiguration.logUri' failed to satisfy "
                                      "constraint: Member must be an s3:// URI",
                                      SLICE_ARG(s3->log_uri));
    const struct emr_containers_container_log_rotation_configuration *rotation = monitoring->container_log_rotation_configuration;
    int64_t bytes;
    if (rotation && !s3) /* "must be used in addition to": the guide's page on rotation; AWS's texts for these two are not published */
        return emr_containers_invalid("containerLogRotationConfiguration needs s3MonitoringConfiguration.");
    if (rotation && !job_run_parse_rotation_size(rotation->rotation_size, &bytes))
        return emr_containers_invalid("1 validation error detected: Value '%.*s' at "
                                      "'configurationOverrides.monitoringConfiguration.containerLogRotationConfiguration.rotationSize' failed to "
                                      "satisfy constraint: Member must be between 2KB and 2GB, without decimals",
                                      SLICE_ARG(rotation->rotation_size));
    return NULL;
}

static struct err *check_features(request *in)
{
    if (in->job_template_parameters.count && !in->job_template_id.ptr)
        return emr_containers_invalid("jobTemplateParameters cannot be given without jobTemplateId.");
    int64_t attempts = in->retry_policy_configuration ? in->retry_policy_configuration->max_attempts.value : 1;
    if (attempts < 1 || attempts > INT32_MAX)
        return emr_containers_invalid("Retry policy configuration's parameter value of maxAttempts is invalid");
    return NULL;
}

/* What the request alone shows comes before what has to be looked up. */
static struct err *check(struct call *call, request *in)
{
    TRY(check_features(in));
    TRY(check_role(call, in->execution_role_arn));
    TRY(check_present(call, in));
    TRY(check_driver(in));
    TRY(check_monitoring(in));
    struct virtual_cluster cluster;
    struct err *e = store_virtual_cluster_get(call->parts->store, call->arena, in->virtual_cluster_id, &cluster);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return virtual_cluster_missing(in->virtual_cluster_id);
    }
    if (e)
        return e;
    struct slice version;
    return spark_release_find(in->release_label, &version);
}

/* Tags of the request, then those of its template that it does not name itself. */
static struct slice_map merge_tags(struct call *call, const struct slice_map *own, const struct json *job_tags)
{
    struct slice_map_entry *entries = ARENA_ARRAY(call->arena, own->count + json_count(job_tags) + 1, struct slice_map_entry);
    struct slice_map tags = {.set = true, .count = own->count, .entries = entries};
    for (size_t i = 0; i < own->count; i++)
        entries[i] = own->entries[i];
    JSON_FOREACH (tag, job_tags) {
        bool named = false;
        for (size_t i = 0; i < own->count; i++)
            named = named || slice_eq(own->entries[i].key, tag->key);
        if (!named)
            entries[tags.count++] = (struct slice_map_entry){.key = tag->key, .value = tag->text};
    }
    return tags;
}

/* What the template says goes where the request left it open; the rest of the request (name, tags, retry policy) holds as it is. The values are
 * checked as if they had come with the request. */
static struct err *fill_from_template(struct call *call, request *in, struct emr_containers_start_job_run_request *ret_filled)
{
    if (in->execution_role_arn.ptr || in->release_label.ptr || in->job_driver || in->configuration_overrides)
        return emr_containers_invalid("executionRoleArn, releaseLabel, jobDriver and configurationOverrides come from the job template: leave them "
                                      "out beside jobTemplateId.");
    struct document row;
    struct json *data;
    TRY(job_template_find(call, in->job_template_id, &row));
    TRY(job_template_fill(call->arena, row.body, &in->job_template_parameters, &data));
    struct emr_containers_start_job_run_request filled = *in;
    TRY(aws_json_decode(call->arena, call->operation->service, call->operation->request, json_to_slice(call->arena, data), &filled));
    filled.tags = merge_tags(call, &in->tags, json_get(data, S("jobTags")));
    TRY(aws_validate(call->arena, call->operation, &filled));
    *ret_filled = filled;
    return NULL;
}

/* What the store says no to, in AWS's words; NULL: nothing of the kind. */
static struct err *translate(request *in, const struct err *e)
{
    if (e->kind == ERR_NOT_FOUND)
        return virtual_cluster_missing(in->virtual_cluster_id);
    if (err_has_code(e, "VirtualClusterState"))
        return emr_containers_invalid("Virtual cluster state %.*s is not valid to create resource JobRun.", SLICE_ARG(err_message(e)));
    if (err_has_code(e, "QueueFull")) /* AWS's text is not published */
        return emr_containers_invalid("The job run queue of virtual cluster %.*s is full: %.*s (maxInQueueJobRuns).", SLICE_ARG(in->virtual_cluster_id),
                                      SLICE_ARG(err_message(e)));
    if (err_has_code(e, "ClientToken"))
        return client_token_taken(in->client_token);
    return NULL;
}

/* *ret_id may still be that of an equal request, which was a moment earlier. */
static struct err *start(struct call *call, request *in, struct slice *ret_id)
{
    struct emr_containers_start_job_run_request whole = *in;
    struct tags tags;
    if (in->job_template_id.ptr)
        TRY(fill_from_template(call, in, &whole));
    TRY(check(call, &whole));
    TRY(tags_from_map(call, &whole.tags, &tags));
    struct job_run row = {
        .virtual_cluster_id = in->virtual_cluster_id,
        .name = in->name,
        .state = EMR_CONTAINERS_JOB_RUN_STATE_PENDING,
        .execution_role_arn = whole.execution_role_arn,
        .release_label = whole.release_label,
        .job_driver = request_member_json(call, S("jobDriver"), whole.job_driver),
        .configuration_overrides = request_member_json(call, S("configurationOverrides"), whole.configuration_overrides),
        .retry_max_attempts = in->retry_policy_configuration ? in->retry_policy_configuration->max_attempts.value : 0,
        .client_token = in->client_token,
        .created_by = call->principal.arn,
        .created_at = call->now,
        .attempt = 1,
        .tags = tags,
    };
    struct slice id;
    row.id = job_run_id_new(call->arena, call->now);
    struct err *e = store_job_run_insert(call->parts->store, call->arena, &row, job_run_arn(call, row.virtual_cluster_id, row.id), in->client_token,
                                         request_digest(call, in), &id);
    if (e) {
        struct err *told = translate(in, e);
        if (!told)
            return e;
        err_free(e);
        return told;
    }
    reconciler_nudge(call->parts->reconciler, id);
    *ret_id = id;
    return NULL;
}

struct err *emr_containers_start_job_run(struct call *call, request *in, struct emr_containers_start_job_run_response *out)
{
    struct client_token_use first;
    TRY(request_answered(call, in->client_token, in, &first));
    struct slice id = first.id;
    if (!id.ptr)
        TRY(start(call, in, &id));
    *out = (struct emr_containers_start_job_run_response){
        .id = id,
        .name = in->name,
        .arn = job_run_arn(call, in->virtual_cluster_id, id),
        .virtual_cluster_id = in->virtual_cluster_id,
    };
    return NULL;
}
