/* kubelet_fuzz: line one status.json as a supervisor left it, line two run.json, the rest a Pod: what the kubelet makes of the first for the third, the
 * container's environment, and what ember-run makes of the second. A status is always a whole one, and takes no foreign name. */
#include "base/strbuf.h"
#include "cluster/kubelet/image.h"
#include "cluster/kubelet/kube_status.h"
#include "cluster/kubelet/pod_env.h"
#include "fuzz.h"
#include "runner/run_spec.h"
#include "runner/spark_command.h"

static const struct json *no_object(void *ctx, struct arena *arena, const char *resource, struct slice name)
{
    (void)ctx;
    struct json *object = NULL;
    if (slice_eq(name, S("c")) && resource[0] == 'c')
        err_free(json_parse(arena, S("{\"data\":{\"K\":\"$(A)$(K)\"},\"binaryData\":{\"b\":\"AA==\"}}"), JSON_DUPLICATES_REFUSE, &object));
    return object;
}

static void check_status(struct arena *arena, const struct json *run, const struct json *pod)
{
    static const struct slice phases[] = {S_INIT("Pending"), S_INIT("Running"), S_INIT("Succeeded"), S_INIT("Failed")};
    struct kube_status_input input = {.pod = pod, .run = run, .pod_ip = S("127.0.0.2"), .host_ip = S("127.0.0.1")};
    struct json *status = kube_status_make(arena, &input);
    ENSURE(json_is(status, JSON_OBJECT) && slice_is_one_of(json_get_text(status, "phase"), phases, ARRAY_SIZE(phases)));
    const struct json *containers = JSON_AT(pod, "spec", "containers");
    ENSURE(json_count(json_get(status, S("containerStatuses"))) <= json_count(containers));
    struct json *again;
    struct err *e = json_parse(arena, json_to_slice(arena, status), JSON_DUPLICATES_REFUSE, &again);
    ENSURE(!e);
    input.run = NULL;
    ENSURE(json_is(kube_status_make(arena, &input), JSON_OBJECT));
    input.lost = true;
    ENSURE(json_is(kube_status_make(arena, &input), JSON_OBJECT));
}

static void check_env(struct arena *arena, const struct json *pod)
{
    struct pod_env_input input = {.pod = pod,
                                  .pod_ip = S("127.0.0.2"),
                                  .host_ip = S("127.0.0.1"),
                                  .allocatable_cpu_millis = 4000,
                                  .allocatable_memory_bytes = INT64_C(8) << 30,
                                  .api_host = S("127.0.0.1"),
                                  .api_port = 6443,
                                  .source = {no_object, NULL}};
    JSON_FOREACH(container, JSON_AT(pod, "spec", "containers")) {
        struct pod_env_list list = {0};
        struct slice text;
        err_free(pod_env_build(arena, &input, container, &list));
        struct image image;
        err_free(image_find(arena, S("/nowhere"), json_get_text(container, "image"), &image));
        JSON_FOREACH(arg, json_get(container, S("args"))) {
            struct err *e = pod_env_expand(arena, json_text(arg), &list, &text);
            ENSURE(e || text.len <= json_text(arg).len + POD_ENV_MAX_BYTES);
            err_free(e);
        }
    }
}

static void check_run(struct arena *arena, struct slice text)
{
    struct run_spec spec;
    struct err *e = run_spec_parse(arena, text, &spec);
    for (size_t i = 0; !e && i < spec.container_count; i++) {
        const struct run_container *container = &spec.containers[i];
        ENSURE(container->name.len && slice_index(container->name, '/') < 0);
        (void)spark_role_of(container);
        (void)spark_properties_path(container);
        struct spark_command_input input = {.container = container, .java = S("/java"), .properties = S("spark.driver.memory=1g\n")};
        struct command command;
        struct err *second = spark_command_build(arena, &input, &command);
        ENSURE(second || command.argc > 0 || container->image == IMAGE_HOST || !container->arg_count);
        err_free(second);
    }
    err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size), status = input_line(&input), run_json = input_line(&input);
    struct json *run = NULL, *pod = NULL;
    err_free(json_parse(arena, status, JSON_DUPLICATES_LAST_WINS, &run));
    err_free(json_parse(arena, input, JSON_DUPLICATES_LAST_WINS, &pod));
    if (json_is(pod, JSON_OBJECT)) {
        check_status(arena, run, pod);
        check_env(arena, pod);
    }
    check_run(arena, run_json);
    arena_free(arena);
    return 0;
}
