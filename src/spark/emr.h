/* emr: a job run of EMR on EKS -> Kubernetes objects: EMR's precedence, classifications, names, labels and environment on top of
 * plan.h. Pure, any thread; all results live in the arena. Called by jobs/launch.
 *
 * Contract with the pod's start (ember-run), all below /opt/ember/entry and downloaded with the container's own credentials before
 * Spark starts; a failed download fails the driver, both variables are on the driver only:
 * - EMBER_ENTRY_POINT_URI=s3://bucket/key goes to /opt/ember/entry/NAME, NAME being what is behind the key's last '/'. The argument is
 *   local:///opt/ember/entry/NAME for Python and R, file:///opt/ember/entry/NAME for a jar (so that executors get it from the
 *   driver; local: would mean their own containers), -f /opt/ember/entry/NAME for SQL.
 * - EMBER_FETCH has lines "s3://bucket/key=NAME", each ended by a newline, each object once, for --py-files, --jars, --files and --archives,
 *   and for an entry point whose own name would not survive in a URI: cut at the last '=' (keys may hold one, NAME never does); to /opt/ember/entry/NAME, in the properties file:///opt/ember/entry/NAME. */
#pragma once
#include "spark/plan.h"
#include "spark/release.h"

struct spark_emr_input {
    struct slice job_run_id;
    int attempt;                               /* 1.. */
    struct slice virtual_cluster_id;
    struct slice namespace_;
    struct slice name;                         /* of the job run; empty or absent: the run id */
    struct slice release_label;
    const struct slice *installed;             /* installed Spark versions, "3.5.9" */
    size_t installed_count;
    enum spark_release_policy release_policy;
    const struct json *job_driver;             /* StartJobRun's jobDriver */
    const struct json *configuration_overrides;/* StartJobRun's configurationOverrides; NULL: none */
    const struct json *tags;                   /* object of strings; NULL: none. Kept off the pods: AWS tags are no Kubernetes labels */
    struct slice driver_master;                /* https://kubernetes.default.svc:6443 */
    struct slice driver_service_account;       /* empty: the namespace's default */
    struct slice executor_service_account;
    struct slice aws_endpoint;                 /* http://127.0.0.1:4567; absent: AWS's own */
    struct slice region;
    struct slice account;
    struct slice role_arn;
    struct slice credentials_secret;           /* Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; absent: none */
    int64_t submit_time_ms;
    struct spark_files read;                   /* pod templates and --properties-file in S3; ERR_UNAVAILABLE passes through; may be all NULL */
};

struct spark_emr_plan {
    struct slice application_id;               /* spark-<job-run-id> */
    struct slice pod_name, service_name, conf_map_name, network_policy_name;
    struct spark_release_choice release;
    struct json *pod, *service, *conf_map;     /* the service and maps have no owner yet: spark_object_set_owner */
    struct json *network_policy;               /* NULL for 3.x */
    struct json *others;                       /* array, may be empty: further objects, each with kind and metadata.name */
    struct slice *notes;                       /* lines for the control log */
    size_t note_count;
    int64_t job_start_timeout_s;               /* from the driver pod's creation */
    struct spark_conf conf;                    /* effective, with sources */
    /* The same for people, and for the files: {releaseLabel, sparkVersion, configurations: [{classification, properties: [{name, value,
     * source}]}], notes}. Names are sorted, values of secrets replaced as Spark does it. */
    struct json *effective;
};

/* The most that the properties and files of a run may have together: what Kubernetes takes in one ConfigMap. */
#define SPARK_EMR_CONF_MAX_BYTES 1048576
/* The most that EMBER_FETCH may have: Linux gives a program no variable of more than 128 KiB (MAX_ARG_STRLEN). About 2,000 objects. */
#define SPARK_EMR_FETCH_MAX_BYTES 122880

/* Errors (all become a FAILED run with failureReason VALIDATION_ERROR, USER_ERROR where that is the error's code):
 * ERR_NOT_FOUND (ResourceNotFoundException) unknown release; ERR_INVALID "Classification <c> not supported.", Spark's texts, … */
struct err *spark_emr_plan(struct arena *arena, const struct spark_emr_input *input, struct spark_emr_plan *ret_plan) NODISCARD;

/* The names of a run's objects alone, as spark_emr_plan gives them (for deletion without planning again). */
struct spark_emr_names {
    struct slice application_id, pod_name, service_name, conf_map_name, network_policy_name;
};
void spark_emr_names(struct arena *arena, struct slice job_run_id, int attempt, struct spark_emr_names *ret_names);
