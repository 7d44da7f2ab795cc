/* pod_env: the environment of a container from its pod, and the values that fieldRef and resourceFieldRef mean. What comes from
 * ConfigMaps and Secrets is asked for through a small source, so that this is pure. Kubernetes's rules (container env,
 * downward API): envFrom first, then env, a later name wins; $(NAME) means what was set before, $$(NAME) is left as $(NAME). */
#pragma once
#include "base/json.h"

struct pod_env_var {
    struct slice name, value;
};

struct pod_env_list {
    struct pod_env_var *items;
    size_t count, cap;
    size_t *slots; /* a hash table of large lists: index + 1; 0: free */
    size_t slot_count, longest_name;
    size_t expanded_bytes; /* that came of references so far */
};

/* What one exec may be given, arguments and environment together (Linux: a quarter of the stack, 2 MiB). References to references grow
 * without end, so more than this is refused. */
#define POD_ENV_MAX_BYTES ((size_t)2 << 20)

struct pod_env_source {
    /* The ConfigMap or Secret object, or NULL. resource: "configmaps" or "secrets". */
    const struct json *(*get)(void *ctx, struct arena *arena, const char *resource, struct slice name);
    void *ctx;
};

struct pod_env_input {
    const struct json *pod;
    struct slice pod_ip, host_ip;           /* not in the pod's status yet */
    int64_t allocatable_cpu_millis, allocatable_memory_bytes; /* what a missing limit means */
    struct slice api_host;
    int api_port;
    struct pod_env_source source;
};

/* ERR_NOT_FOUND (`configmap "x" not found`, `couldn't find key k in ConfigMap ns/x`): try again later; ERR_INVALID: never. */
struct err *pod_env_build(struct arena *arena, const struct pod_env_input *input, const struct json *container,
                          struct pod_env_list *ret_list) NODISCARD;
/* $(NAME) from list. ERR_INVALID when all that was expanded with this list is larger than POD_ENV_MAX_BYTES. */
struct err *pod_env_expand(struct arena *arena, struct slice text, struct pod_env_list *list, struct slice *ret_text) NODISCARD;
/* metadata.name, metadata.labels['x'], status.podIP, …; metadata.labels alone as KEY="VALUE" lines (files). ERR_INVALID. */
struct err *pod_field(struct arena *arena, const struct pod_env_input *input, struct slice path, struct slice *ret_value) NODISCARD;
/* limits.cpu, requests.memory of a container, divided by divisor (absent: 1, or 1 core), rounded up. ERR_INVALID. */
struct err *pod_resource_field(struct arena *arena, const struct pod_env_input *input, const struct json *container,
                               const struct json *reference, struct slice *ret_value) NODISCARD;
/* The data of a ConfigMap or Secret by key, decoded; SLICE_NONE when it is not there. */
struct slice pod_data_get(struct arena *arena, const struct json *object, struct slice key);
