/* What spark/emr.h makes of a run, in few words: the names and shapes the launch needs, none of Spark. */
#include "simulation/sim.h"
#include "jobs/observe.h"
#include "spark/emr.h"
#include <string.h>

/* "spark-" id tail: by hand, since every step makes all of them. */
static struct slice name_of(struct arena *arena, struct slice id, const char *tail)
{
    static const char HEAD[] = "spark-";
    size_t len = strlen(tail);
    char *name = arena_alloc(arena, sizeof(HEAD) + id.len + len);
    memcpy(name, HEAD, sizeof(HEAD) - 1);
    memcpy(name + sizeof(HEAD) - 1, id.ptr, id.len);
    memcpy(name + sizeof(HEAD) - 1 + id.len, tail, len + 1);
    return slice_of(name, sizeof(HEAD) - 1 + id.len + len);
}

void spark_emr_names(struct arena *arena, struct slice job_run_id, int attempt, struct spark_emr_names *ret_names)
{
    static const char *const TAILS[ATTEMPTS_MAX][4] = {
        {"-driver", "-1-driver-svc", "-1-conf-map", "-1-policy"},
        {"-driver-2", "-2-driver-svc", "-2-conf-map", "-2-policy"},
        {"-driver-3", "-3-driver-svc", "-3-conf-map", "-3-policy"},
        {"-driver-4", "-4-driver-svc", "-4-conf-map", "-4-policy"},
    };
    const char *const *tails = TAILS[attempt - 1];
    *ret_names = (struct spark_emr_names){
        .application_id = name_of(arena, job_run_id, ""),
        .pod_name = name_of(arena, job_run_id, tails[0]),
        .service_name = name_of(arena, job_run_id, tails[1]),
        .conf_map_name = name_of(arena, job_run_id, tails[2]),
        .network_policy_name = name_of(arena, job_run_id, tails[3]),
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
