/* What spark/emr.h makes of a run, in few words: the names and shapes the launch needs, none of Spark. */
#include "simulation/sim.h"
#include "jobs/observe.h"
#include "spark/emr.h"

void spark_emr_names(struct arena *arena, struct slice job_run_id, int attempt, struct spark_emr_names *ret_names)
{
    struct slice id = job_run_id;
    *ret_names = (struct spark_emr_names){
        .application_id = slice_fmt(arena, "spark-%.*s", SLICE_ARG(id)),
        .pod_name = attempt > 1 ? slice_fmt(arena, "spark-%.*s-driver-%d", SLICE_ARG(id), attempt) : slice_fmt(arena, "spark-%.*s-driver", SLICE_ARG(id)),
        .service_name = slice_fmt(arena, "spark-%.*s-%d-driver-svc", SLICE_ARG(id), attempt),
        .conf_map_name = slice_fmt(arena, "spark-%.*s-%d-conf-map", SLICE_ARG(id), attempt),
        .network_policy_name = slice_fmt(arena, "spark-%.*s-%d-policy", SLICE_ARG(id), attempt),
    };
}

static struct json *named(struct arena *arena, struct slice name)
{
    struct json *object = json_object(arena);
    json_set_text(arena, json_ensure_object(arena, object, "metadata"), "name", name);
    return object;
}

struct err *spark_emr_plan(struct arena *arena, const struct spark_emr_input *input, struct spark_emr_plan *ret_plan)
{
    struct spark_emr_names names;
    spark_emr_names(arena, input->job_run_id, input->attempt, &names);
    const struct sim_run *r = &sim.runs[sim_run_of(input->job_run_id)];
    if (r->bad_plan)
        return err_new(ERR_INVALID, "Classification x not supported.");
    struct json *pod = named(arena, names.pod_name), *container = json_object(arena);
    struct json *requests = json_ensure_object(arena, json_ensure_object(arena, container, "resources"), "requests");
    json_append(json_ensure_array(arena, json_ensure_object(arena, pod, "spec"), "containers"), container);
    json_set_cstr(arena, requests, "memory", "1Gi");
    json_set_cstr(arena, requests, "cpu", "1");
    *ret_plan = (struct spark_emr_plan){
        .application_id = names.application_id,
        .pod_name = names.pod_name,
        .service_name = names.service_name,
        .conf_map_name = names.conf_map_name,
        .network_policy_name = names.network_policy_name,
        .pod = pod,
        .service = named(arena, names.service_name),
        .conf_map = named(arena, names.conf_map_name),
        .network_policy = named(arena, names.network_policy_name),
        .others = json_array(arena),
        .job_start_timeout_s = r->start_timeout_s,
    };
    return NULL;
}
