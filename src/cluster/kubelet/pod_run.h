/* pod_run: run.json of a pod (wire.h), made from the Pod, its volumes and the table of images. Pure but for a look at the
 * installed releases and the folders of subPaths. */
#pragma once
#include "cluster/kubelet/pod_env.h"

struct pod_run_input {
    const struct pod_env_input *env;
    struct slice pod_dir;
    struct slice releases_dir, archives_dir, python_path, dump_dir; /* the last three may be absent */
    int64_t run_uid; /* -1: none */
};

/* What stands in the way of one container, in the kubelet's words. */
struct pod_run_problem {
    struct slice container;
    const char *reason; /* InvalidImageName, ErrImagePull, CreateContainerConfigError */
    bool retry;         /* something that is not there may come */
};

/* An error comes with ret_problem. */
struct err *pod_run_build(struct arena *arena, const struct pod_run_input *input, struct slice *ret_text,
                          struct pod_run_problem *ret_problem) NODISCARD;
/* spec.hostname, else the pod's name, cut to 63. */
struct slice pod_hostname(struct arena *arena, const struct json *pod);
