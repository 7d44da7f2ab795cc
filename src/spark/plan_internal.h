/* plan_internal: what the feature steps of plan.c share. For this folder only. */
#pragma once
#include "spark/index_internal.h"
#include "spark/notes_internal.h"
#include "spark/plan.h"

struct planner {
    struct arena *arena;
    const struct spark_plan_input *in;
    const struct spark_options *options;
    struct spark_conf *conf;  /* becomes spark.properties */
    struct spark_plan *out;
    struct json *pod, *spec;
    struct json *container;   /* the driver's; put into the pod at the end */
    struct slice namespace_;
    struct spark_notes notes;
    struct spark_index paths; /* of the container's mounts, as plan_mount_volumes has seen them */
    bool v4, v41, v43;
};

/* plan_pod.c: the pod, its container, labels, environment, memory. */
struct err *plan_start_pod(struct planner *p) NODISCARD;
struct err *plan_basic_driver(struct planner *p) NODISCARD;
struct err *plan_command(struct planner *p) NODISCARD;
void plan_finish_pod(struct planner *p);
struct err *plan_driver_labels(struct planner *p, struct json **ret_labels) NODISCARD;

/* plan_volumes.c: everything that is mounted. */
struct err *plan_credentials(struct planner *p) NODISCARD;
struct err *plan_mount_secrets(struct planner *p) NODISCARD;
struct err *plan_env_secrets(struct planner *p) NODISCARD;
struct err *plan_mount_volumes(struct planner *p) NODISCARD;
struct err *plan_hadoop_conf(struct planner *p) NODISCARD;
struct err *plan_kerberos(struct planner *p) NODISCARD;
struct err *plan_executor_template(struct planner *p) NODISCARD;
struct err *plan_local_dirs(struct planner *p) NODISCARD;

/* Shared by both (plan.c). */
struct slice plan_name(const struct planner *p, const char *suffix); /* PREFIX + suffix */
struct json *plan_object(struct arena *arena, const char *api_version, const char *kind, struct slice name);
void plan_add_env(struct planner *p, const char *name, struct slice value);
/* {name, TYPE: source} at the end of the pod's volumes; returns the source object, empty. */
struct json *plan_add_volume(struct planner *p, struct slice name, const char *type);
struct json *plan_add_mount(struct planner *p, struct slice name, struct slice path);
void plan_set_property(struct planner *p, const char *key, struct slice value);
struct err *plan_port(const struct planner *p, const char *key, const char *fallback, int64_t otherwise, int64_t *ret_port) NODISCARD;
/* An object that gets many members, each a text: one that is there already is replaced. Nobody else adds to it meanwhile. */
struct plan_members {
    struct arena *arena;
    struct json *object;
    struct spark_index index;
};
void plan_members_init(struct plan_members *members, struct arena *arena, struct json *object);
void plan_members_set(struct plan_members *members, struct slice key, struct slice text); /* borrows both */
/* Each property PREFIX + KEY as member KEY of parent's object of that name, which is made when there is one. */
void plan_copy_members(struct planner *p, struct json *parent, const char *name, const char *prefix);
/* The rest of a key behind a prefix, or absent. */
struct slice plan_suffix(struct slice key, const char *prefix);
/* value with every "{{APP_ID}}" replaced, "{{EXECUTOR_ID}}" dropped. */
struct slice plan_substitute(const struct planner *p, struct slice value);
struct slice plan_replace(struct arena *arena, struct slice text, struct slice what, struct slice with);
