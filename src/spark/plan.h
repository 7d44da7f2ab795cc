/* plan: options and names -> the Kubernetes objects that spark-submit (cluster mode) would send, for Spark 3.5 and 4.x. Pure, any
 * thread; all results live in the arena. Which object holds what: BasicDriverFeatureStep and its sisters in Spark's
 * resource-managers/kubernetes, and captures of the real submitter in tests/golden/spark. */
#pragma once
#include "base/json.h"
#include "spark/spark_options.h"

/* A file of the configuration folder: becomes a key of the ConfigMap, mounted at /opt/spark/conf/NAME. */
struct spark_file {
    struct slice name;
    struct slice text;
};

/* Names Spark makes at random; spark_names_make derives them as Spark does from ids given. */
struct spark_names {
    struct slice app_id;            /* spark-… */
    struct slice prefix;            /* resource name prefix: NAME-UID16 */
    struct slice pod;
    struct slice service;
    struct slice conf_map;          /* spark-drv-UID16-conf-map */
    struct slice local_dir;         /* /var/data/spark-UUID */
};
struct spark_name_ids {
    struct slice app_id;            /* spark-… */
    struct slice prefix_uid16, service_uid16, conf_map_uid16;
    struct slice local_dir_uuid;
};
void spark_names_make(struct arena *arena, const struct spark_options *options, const struct spark_name_ids *ids,
                      struct spark_names *ret_names);
/* Label value spark-app-name. */
struct slice spark_app_name_label(struct arena *arena, struct slice app_name);

struct spark_plan_input {
    const struct spark_options *options;
    struct slice spark_version;
    struct spark_names names;
    int64_t submit_time_ms;         /* since the epoch; also line 2 of spark.properties, in UTC */
    struct slice spark_user;        /* SPARK_USER */
    const struct spark_file *files; /* names are checked against Spark's rules; too big or not UTF-8 ones are left out */
    size_t file_count;
    const struct spark_file *hadoop_files; /* HADOOP_CONF_DIR's, for PREFIX-hadoop-config */
    size_t hadoop_file_count;
    struct spark_files read;        /* pod templates, driver credentials */
    struct slice fetched_prefix;    /* file: URIs below it are made in the driver's container before Spark starts; absent: none */
};

struct spark_plan {
    struct json *pod;               /* without metadata.namespace, as Spark sends it */
    struct json *service;
    struct json *network_policy;    /* NULL before 4.3 */
    struct json *conf_map;          /* metadata.namespace is set */
    struct json *others;            /* array: Secrets, ConfigMaps, PersistentVolumeClaims; the order of creation is others, then conf_map */
    struct slice namespace_;
    struct spark_conf conf;         /* what stands in spark.properties */
    struct slice *notes;
    size_t note_count;
};

/* ERR_INVALID with Spark's text. */
struct err *spark_plan_make(struct arena *arena, const struct spark_plan_input *input, struct spark_plan *ret_plan) NODISCARD;

/* Puts {apiVersion: v1, kind: Pod, controller: true, name, uid} as the one owner of an object, once the pod's uid is known. */
void spark_object_set_owner(struct arena *arena, struct json *object, struct slice pod_name, struct slice pod_uid);
