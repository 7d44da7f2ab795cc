/* run_spec: what ember-run shall do, read from run.json (cluster/kubelet/wire.h describes it). Everything lives in the arena
 * it was read into; nothing is changed afterwards. */
#pragma once
#include "base/err.h"
#include <sys/types.h>

struct arena;

enum image_kind {
    IMAGE_HOST,  /* the bare machine */
    IMAGE_SPARK, /* the machine and a Spark home at /opt/spark, with the entry point of Spark's image */
};

enum restart_policy { RESTART_NEVER, RESTART_ON_FAILURE, RESTART_ALWAYS };

struct run_mount {
    struct slice source; /* on this machine */
    struct slice target; /* in the sandbox, absolute */
    bool read_only;
};

struct run_tmpfs {
    struct slice target;
    int64_t size_bytes; /* 0: no limit of its own */
};

struct run_env {
    struct slice name, value;
};

struct run_container {
    struct slice name;
    bool init;
    struct slice *command;
    size_t command_count;
    struct slice *args;
    size_t arg_count;
    struct run_env *env; /* a later one wins over an earlier one of the same name */
    size_t env_count;
    struct slice working_dir;   /* absent: the image's */
    int64_t memory_limit_bytes; /* 0: none */
    int64_t cpu_millis;         /* requested; 0: not said */
    enum image_kind image;
    struct slice spark_home, spark_version, archives_dir, python_path; /* IMAGE_SPARK; the last two may be absent */
    struct slice dump_class_archive; /* absent: no */
    struct run_mount *mounts;
    size_t mount_count;
    struct run_tmpfs *tmpfs;
    size_t tmpfs_count;
};

struct run_spec {
    struct slice pod_uid, namespace_name, pod_name, hostname, pod_ip;
    int64_t run_uid;          /* -1: stay who we are */
    int64_t grace_seconds;
    int64_t active_deadline_seconds; /* 0: none */
    int64_t log_max_bytes;
    enum restart_policy restart_policy;
    struct run_container *containers;
    size_t container_count;
};

/* ERR_INVALID names the member that is missing or of the wrong type. */
struct err *run_spec_parse(struct arena *arena, struct slice text, struct run_spec *ret_spec) NODISCARD;

/* Value of the last variable of that name, or SLICE_NONE. */
struct slice run_container_env(const struct run_container *container, struct slice name);
bool run_container_is_sparks(const struct run_container *container); /* its driver or executor; a side car is not */
