/* The order of writes: service accounts, Secret, Service, ConfigMap, and last the driver pod, so that nothing a starting pod needs is
 * missing (spark-submit writes the pod first and races with the kubelet: spark-on-kubernetes.md section 1). Then owner references, by which the
 * cluster's garbage collector removes the rest when the pod goes; until then launch_remove deletes by name. */
#include "jobs/launch.h"
#include "base/arena.h"
#include "base/encode.h"
#include "base/digest.h"
#include "jobs/job_run.h"
#include "jobs/outcome.h"
#include "jobs/refusal.h"
#include "jobs/run_file.h"
#include "spark/emr.h"
#include "store/access_key.h"
#include <string.h>

/* Failure reasons as static text for err->code. */
static const char REASON_VALIDATION[] = "VALIDATION_ERROR";
static const char REASON_USER[] = "USER_ERROR";

static struct slice role_name_of(struct slice role_arn)
{
    ptrdiff_t slash = slice_rindex(role_arn, '/');
    return slash < 0 ? role_arn : slice_from(role_arn, (size_t)slash + 1);
}

static struct err *parse_overrides(struct arena *arena, const struct job_run *run, struct json **ret_overrides)
{
    *ret_overrides = NULL;
    return run->configuration_overrides.ptr ? json_parse(arena, run->configuration_overrides, JSON_DUPLICATES_REFUSE, ret_overrides) : NULL;
}

static struct err *ensure_key(const struct launch_context *context, struct arena *arena, const struct job_run *run, struct access_key *ret_key)
{
    struct slice role = role_name_of(run->execution_role_arn), account = context->options->account_id;
    /* A role's unique id is AROA and 17 letters; until roles are objects of their own it is derived from the ARN. */
    struct slice hash = sha256_hex(arena, run->execution_role_arn);
    char unique[18];
    for (size_t i = 0; i < 17; i++)
        unique[i] = (char)('A' + (hash.ptr[i] <= '9' ? hash.ptr[i] - '0' : hash.ptr[i] - 'a' + 10));
    unique[17] = 0;
    return store_access_key_ensure(context->options->store, arena, run->id,
                                   slice_fmt(arena, "arn:aws:sts::%.*s:assumed-role/%.*s/%.*s", SLICE_ARG(account), SLICE_ARG(role), SLICE_ARG(run->id)),
                                   slice_fmt(arena, "AROA%s:%.*s", unique, SLICE_ARG(run->id)), ret_key);
}

/* "DISABLED": EMR would leave its logging container out of those pods, so that nothing of theirs is shipped. */
static bool logging_is_disabled(const struct json *overrides, const char *classification, const char *property)
{
    bool disabled = false;
    JSON_FOREACH (c, json_get(overrides, S("applicationConfiguration"))) {
        struct slice value = json_get_text(json_get(c, S("properties")), property);
        if (slice_eq(json_get_text(c, "classification"), slice_from_cstr(classification)) && value.ptr)
            disabled = slice_eq_nocase(slice_trim(value), S("DISABLED"));
    }
    return disabled;
}

struct err *launch_describe_logs(const struct launch_context *context, struct arena *arena, const struct job_run *run, struct logship_run *ret_run)
{
    struct json *overrides;
    struct access_key key;
    TRY(parse_overrides(arena, run, &overrides));
    TRY(ensure_key(context, arena, run, &key));
    const struct json *monitoring = json_get(overrides, S("monitoringConfiguration"));
    const struct json *cloudwatch = json_get(monitoring, S("cloudWatchMonitoringConfiguration"));
    const struct json *rotation = json_get(monitoring, S("containerLogRotationConfiguration"));
    int64_t rotation_bytes = 0;
    if (rotation)
        (void)job_run_parse_rotation_size(json_get_text(rotation, "rotationSize"), &rotation_bytes); /* StartJobRun checks it */
    *ret_run = (struct logship_run){
        .job_run_id = run->id,
        .virtual_cluster_id = run->virtual_cluster_id,
        .client = context->client,
        .namespace_ = run->namespace_,
        .access_key_id = key.access_key_id,
        .secret_access_key = key.secret,
        .session_token = key.session_token,
        .log_uri = json_get_text(json_get(monitoring, S("s3MonitoringConfiguration")), "logUri"),
        .log_group_name = json_get_text(cloudwatch, "logGroupName"),
        .log_stream_name_prefix = json_get_text(cloudwatch, "logStreamNamePrefix"),
        .rotation_bytes = rotation_bytes,
        .rotation_files = json_get_i64(rotation, "maxFilesToKeep", 1),
        .no_executor_logs = logging_is_disabled(overrides, "emr-containers-defaults", "executor.logging"),
        .no_control_logs = logging_is_disabled(overrides, "emr-job-submitter", "jobsubmitter.logging"),
    };
    return NULL;
}

struct names {
    struct spark_emr_names objects;
    struct slice secret, driver_account, executor_account;
};

static struct names names_of(const struct launch_context *context, struct arena *arena, const struct job_run *run)
{
    struct slice account = context->options->account_id, role = base36_encode(arena, role_name_of(run->execution_role_arn));
    /* Each attempt has a Secret of its own: the garbage collector may still be after the one whose owner has gone. */
    struct slice suffix = run->attempt > 1 ? slice_fmt(arena, "-%lld", (long long)run->attempt) : S("");
    struct names n = {
        .secret = slice_fmt(arena, "%.*s-credentials%.*s", SLICE_ARG(run->id), SLICE_ARG(suffix)),
        .driver_account = slice_fmt(arena, "emr-containers-sa-spark-driver-%.*s-%.*s", SLICE_ARG(account), SLICE_ARG(role)),
        .executor_account = slice_fmt(arena, "emr-containers-sa-spark-executor-%.*s-%.*s", SLICE_ARG(account), SLICE_ARG(role)),
    };
    spark_emr_names(arena, run->id, (int)run->attempt, &n.objects);
    return n;
}

static struct slice path_of(struct arena *arena, const struct job_run *run, const char *resource, struct slice name)
{
    const char *group = strcmp(resource, "networkpolicies") == 0 ? "/apis/networking.k8s.io/v1" : "/api/v1";
    return slice_fmt(arena, "%s/namespaces/%.*s/%s%s%.*s", group, SLICE_ARG(run->namespace_), resource, name.len ? "/" : "", SLICE_ARG(name));
}

/* The cluster's refusal in terms of a run: what may be tried again stays ERR_UNAVAILABLE. */
static struct err *as_rejection(struct err *e, const struct job_run *run)
{
    return refusal_of_cluster(e, run->cluster, run->namespace_);
}

/* Creates the object; one that is there already is taken as it is: it has our name. */
static struct err *ensure_object(const struct launch_context *context, struct arena *arena, const struct job_run *run, const char *resource,
                                 const struct json *object, struct json **ret_object)
{
    struct err *e = k8s_create(context->client, arena, path_of(arena, run, resource, SLICE_NONE), object, ret_object);
    if (!e || !err_has_code(e, "AlreadyExists"))
        return as_rejection(e, run);
    err_free(e);
    struct slice name = json_text(JSON_AT(object, "metadata", "name"));
    return as_rejection(k8s_get(context->client, arena, path_of(arena, run, resource, name), ret_object), run);
}

const char LAUNCH_DRIVER_GONE[] = "DriverGone";

static struct err *ensure_driver(const struct launch_context *context, struct arena *arena, const struct job_run *run, const struct json *object,
                                 struct json **ret_pod)
{
    if (!context->driver_known)
        return ensure_object(context, arena, run, "pods", object, ret_pod);
    struct err *e = launch_look(context, arena, run, ret_pod);
    if (!e || e->kind != ERR_NOT_FOUND)
        return as_rejection(e, run);
    err_free(e);
    return err_code(ERR_NOT_FOUND, LAUNCH_DRIVER_GONE, "the driver is gone");
}

static struct json *object_named(struct arena *arena, const char *kind, struct slice name, const struct job_run *run)
{
    struct json *object = json_object(arena);
    json_set_cstr(arena, object, "apiVersion", "v1");
    json_set_cstr(arena, object, "kind", kind);
    struct json *meta = json_ensure_object(arena, object, "metadata");
    json_set_text(arena, meta, "name", name);
    struct json *labels = json_ensure_object(arena, meta, "labels");
    json_set_text(arena, labels, "emr-containers.amazonaws.com/virtual-cluster-id", run->virtual_cluster_id);
    return object;
}

static struct err *ensure_accounts(const struct launch_context *context, struct arena *arena, const struct job_run *run, const struct names *names)
{
    struct json *ignored;
    TRY(ensure_object(context, arena, run, "serviceaccounts", object_named(arena, "ServiceAccount", names->driver_account, run), &ignored));
    return ensure_object(context, arena, run, "serviceaccounts", object_named(arena, "ServiceAccount", names->executor_account, run), &ignored);
}

static struct err *ensure_secret(const struct launch_context *context, struct arena *arena, const struct job_run *run, const struct names *names,
                                 const struct logship_run *logs, struct json **ret_secret)
{
    struct json *secret = object_named(arena, "Secret", names->secret, run);
    json_set_text(arena, JSON_AT(secret, "metadata", "labels"), "emr-containers.amazonaws.com/job.id", run->id);
    struct json *data = json_ensure_object(arena, secret, "data");
    json_set_text(arena, data, "AWS_ACCESS_KEY_ID", base64_encode(arena, logs->access_key_id));
    json_set_text(arena, data, "AWS_SECRET_ACCESS_KEY", base64_encode(arena, logs->secret_access_key));
    json_set_text(arena, data, "AWS_SESSION_TOKEN", base64_encode(arena, logs->session_token));
    return ensure_object(context, arena, run, "secrets", secret, ret_secret);
}

/* The plan's other objects have names that only the plan knows. Until the pod owns them the Secret does: launch_remove deletes that by name. */
static void hold(struct arena *arena, struct json *other, const struct json *secret)
{
    struct json *owner = json_object(arena), *owners = json_array(arena);
    json_set_cstr(arena, owner, "apiVersion", "v1");
    json_set_cstr(arena, owner, "kind", "Secret");
    json_set_text(arena, owner, "name", json_text(JSON_AT(secret, "metadata", "name")));
    json_set_text(arena, owner, "uid", json_text(JSON_AT(secret, "metadata", "uid")));
    json_append(owners, owner);
    JSON_SET(arena, json_ensure_object(arena, other, "metadata"), "ownerReferences", owners);
}

static struct err *plan_run(const struct launch_context *context, struct arena *arena, const struct job_run *run, const struct names *names,
                            struct spark_emr_plan *ret_plan)
{
    struct json *driver, *overrides;
    TRY(json_parse(arena, run->job_driver, JSON_DUPLICATES_REFUSE, &driver));
    TRY(parse_overrides(arena, run, &overrides));
    const struct reconciler_options *o = context->options;
    struct run_file_reader reader = {.context = context, .run = run};
    struct spark_emr_input input = {
        .job_run_id = run->id,
        .attempt = (int)run->attempt,
        .virtual_cluster_id = run->virtual_cluster_id,
        .namespace_ = run->namespace_,
        .name = run->name,
        .release_label = run->release_label,
        .installed = o->installed,
        .installed_count = o->installed_count,
        .release_policy = o->strict_releases ? SPARK_RELEASE_STRICT : SPARK_RELEASE_NEAREST,
        .job_driver = driver,
        .configuration_overrides = overrides,
        .driver_master = context->driver_master,
        .driver_service_account = names->driver_account,
        .executor_service_account = names->executor_account,
        .aws_endpoint = o->endpoint,
        .region = o->region,
        .account = o->account_id,
        .role_arn = run->execution_role_arn,
        .credentials_secret = names->secret,
        .submit_time_ms = run->created_at.ms,
        .read = {.read = run_file_read, .context = &reader},
    };
    struct err *e = spark_emr_plan(arena, &input, ret_plan);
    if (!e || e->kind == ERR_UNAVAILABLE)
        return e;
    struct err *mine = err_code(e->kind == ERR_NOT_FOUND ? ERR_INVALID : e->kind, err_has_code(e, REASON_USER) ? REASON_USER : REASON_VALIDATION,
                                "JobRun submission failed. %s", e->message);
    err_free(e);
    return mine;
}

/* Owner references of what went before the pod, for the cluster's own clean-up: it is the only one of the plan's other objects. */
static struct err *own(const struct launch_context *context, struct arena *arena, const struct job_run *run, const char *resource, struct slice name,
                       const struct json *pod)
{
    struct json *patch = json_object(arena), *ignored;
    json_ensure_object(arena, patch, "metadata");
    spark_object_set_owner(arena, patch, json_text(JSON_AT(pod, "metadata", "name")), json_text(JSON_AT(pod, "metadata", "uid")));
    return k8s_patch(context->client, arena, path_of(arena, run, resource, name), K8S_PATCH_MERGE, patch, &ignored);
}

static void tell_plan(const struct launch_context *context, const struct job_run *run, const struct spark_emr_plan *plan)
{
    for (size_t i = 0; i < plan->note_count; i++)
        logship_control_line(context->logship, run->id, S("stdout"), plan->notes[i]);
}

static struct err *check_logs(const struct launch_context *context, const struct logship_run *logs)
{
    struct err *e = logship_check(context->logship, logs);
    if (!e || e->kind == ERR_UNAVAILABLE)
        return e;
    struct err *mine = err_code(e->kind, REASON_USER, "JobRun submission failed. The log destination can't be used: %s", e->message);
    err_free(e);
    return mine;
}

static const char *resource_of(const struct json *object)
{
    struct slice kind = json_get_text(object, "kind");
    return slice_eq(kind, S("Secret")) ? "secrets" : slice_eq(kind, S("ConfigMap")) ? "configmaps" : "persistentvolumeclaims";
}

static struct err *write_objects(const struct launch_context *context, struct arena *arena, const struct job_run *run, const struct names *names,
                                 const struct logship_run *logs, const struct spark_emr_plan *plan, struct json **ret_pod)
{
    struct json *ignored, *secret, *pod;
    TRY(ensure_accounts(context, arena, run, names));
    TRY(ensure_secret(context, arena, run, names, logs, &secret));
    TRY(ensure_object(context, arena, run, "services", plan->service, &ignored));
    TRY(ensure_object(context, arena, run, "configmaps", plan->conf_map, &ignored));
    if (plan->network_policy)
        TRY(ensure_object(context, arena, run, "networkpolicies", plan->network_policy, &ignored));
    JSON_FOREACH(other, plan->others) {
        hold(arena, other, secret);
        TRY(ensure_object(context, arena, run, resource_of(other), other, &ignored));
    }
    TRY(ensure_driver(context, arena, run, plan->pod, &pod));
    struct err *e = own(context, arena, run, "services", plan->service_name, pod);
    if (!e)
        e = own(context, arena, run, "configmaps", plan->conf_map_name, pod);
    if (!e)
        e = own(context, arena, run, "secrets", names->secret, pod);
    if (!e && plan->network_policy)
        e = own(context, arena, run, "networkpolicies", plan->network_policy_name, pod);
    JSON_FOREACH(other, plan->others) {
        if (!e)
            e = own(context, arena, run, resource_of(other), json_text(JSON_AT(other, "metadata", "name")), pod);
    }
    if (e && e->kind == ERR_UNAVAILABLE)
        return e;
    err_free(e); /* the pod or the object is gone again: the watch tells */
    *ret_pod = pod;
    return NULL;
}

struct resources launch_ask(const struct launch_context *context, struct arena *arena, const struct job_run *run, const struct resources *room)
{
    struct names names = names_of(context, arena, run);
    struct spark_emr_plan plan;
    struct err *e = room->memory_bytes ? plan_run(context, arena, run, &names, &plan) : NULL;
    bool unknown = e || !room->memory_bytes;
    err_free(e);
    return unknown ? (struct resources){0} : ask_of_plan(&plan, room);
}

struct err *launch_run(const struct launch_context *context, struct arena *arena, const struct job_run *run, struct launched *ret_launched)
{
    struct names names = names_of(context, arena, run);
    struct logship_run logs;
    struct spark_emr_plan plan;
    struct json *pod;
    TRY(plan_run(context, arena, run, &names, &plan));
    TRY(launch_describe_logs(context, arena, run, &logs));
    TRY(logship_open(context->logship, &logs));
    TRY(check_logs(context, &logs));
    TRY(write_objects(context, arena, run, &names, &logs, &plan, &pod));
    tell_plan(context, run, &plan); /* last: what is tried again is told once */
    *ret_launched = (struct launched){
        .pod = pod, .start_timeout_s = plan.job_start_timeout_s, .effective_configuration = json_to_slice(arena, plan.effective)};
    return NULL;
}

struct slice launch_driver_name(struct arena *arena, const struct job_run *run)
{
    struct spark_emr_names names;
    spark_emr_names(arena, run->id, (int)run->attempt, &names);
    return names.pod_name;
}

struct err *launch_look(const struct launch_context *context, struct arena *arena, const struct job_run *run, struct json **ret_pod)
{
    return k8s_get(context->client, arena, path_of(arena, run, "pods", launch_driver_name(arena, run)), ret_pod);
}

struct err *launch_kill(const struct launch_context *context, struct arena *arena, const struct job_run *run, int64_t grace_s)
{
    struct names names = names_of(context, arena, run);
    return k8s_delete(context->client, arena, path_of(arena, run, "pods", names.objects.pod_name), grace_s);
}

struct err *launch_remove(const struct launch_context *context, struct arena *arena, const struct job_run *run, const struct slice *pods, size_t pod_count,
                          int64_t grace_s)
{
    struct names names = names_of(context, arena, run);
    for (size_t i = 0; i < pod_count; i++)
        TRY(k8s_delete(context->client, arena, path_of(arena, run, "pods", pods[i]), grace_s));
    TRY(k8s_delete(context->client, arena, path_of(arena, run, "pods", names.objects.pod_name), -1)); /* if it is none of those: nobody has seen it */
    TRY(k8s_delete(context->client, arena, path_of(arena, run, "services", names.objects.service_name), -1));
    TRY(k8s_delete(context->client, arena, path_of(arena, run, "configmaps", names.objects.conf_map_name), -1));
    TRY(k8s_delete(context->client, arena, path_of(arena, run, "networkpolicies", names.objects.network_policy_name), -1));
    return k8s_delete(context->client, arena, path_of(arena, run, "secrets", names.secret), -1);
}
