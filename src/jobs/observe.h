/* observe: what the clusters' watches told of the pods of job runs, by run. The watch's thread puts pods in, the reconciler's workers
 * read observations out; one lock inside. Pods are found by their label emr-containers.amazonaws.com/job.id. */
#pragma once
#include "jobs/decide.h"

#define LABEL_JOB_ID "emr-containers.amazonaws.com/job.id"
#define LABEL_SPARK_ROLE "spark-role"
#define LABEL_EXECUTOR_ID "spark-exec-id"
#define DRIVER_CONTAINER "spark-kubernetes-driver"
#define EXECUTOR_CONTAINER "spark-kubernetes-executor"
bool container_is_sparks(struct slice name); /* one of the two; side cars are not */

struct observations;

struct observations *observations_new(void);
void observations_free(struct observations *obs);

/* CREATED: as we have found it, LAUNCHED: as we have just written it; a pod that the watch has told of already stays as the watch told it. GONE
 * keeps what was known of its containers when the object no longer says it. Pods of one name are told apart by their uids: what the watch still
 * has to tell of an earlier one changes nothing of the one that was created after it. LAUNCHED pins its uid. */
enum observed { OBSERVED_PRESENT, OBSERVED_GONE, OBSERVED_CREATED, OBSERVED_LAUNCHED };
/* Anybody may label a pod as a run's: a run's are the drivers in its namespace of its cluster, and the executors that such a driver owns. */
struct observed_place {
    struct slice cluster, namespace_;
};
/* Takes in one pod of a watch; *ret_run_id (in the arena) is absent when it is no run's, or not in the place of that run. */
void observations_told(struct observations *obs, struct arena *arena, struct slice cluster, const struct json *pod, enum observed what,
                       struct slice *ret_run_id);
/* Where the run's pods are, which stays so until observations_drop. Before that nothing that a watch told of the run is seen. */
void observations_place(struct observations *obs, struct slice run_id, struct slice cluster, struct slice namespace_);
/* The uid of the attempt's driver pod is on record: no other pod of that name is ours, and when the watch tells of one ours is gone. Stays so until
 * another is pinned, or observations_drop. */
void observations_pin(struct observations *obs, struct slice run_id, struct slice driver_pod, struct slice uid);
/* Takes in one pod that was written, read or missed by its path in the run's place. */
void observations_pod(struct observations *obs, struct arena *arena, const struct json *pod, enum observed what, struct slice *ret_run_id);

/* The pods' part of an observation: the driver (the attempt's: by the pod's name) and its facts, how many pods there are. Copies into the
 * arena. */
void observations_get(struct observations *obs, struct arena *arena, struct slice run_id, struct slice driver_pod, struct observation *ret_seen);

struct observed_container {
    struct slice pod, uid, container;
    bool started, ended; /* ended: it terminated, or its pod is gone */
};
/* Of the run's pods. Executors that are gone are given once and then forgotten: a run may have thousands, one after the other. */
void observations_containers(struct observations *obs, struct arena *arena, struct slice run_id, struct observed_container **ret_containers,
                             size_t *ret_count);
/* Names of the run's pods that are still there. */
void observations_pods(struct observations *obs, struct arena *arena, struct slice run_id, struct slice **ret_names, size_t *ret_count);
void observations_drop(struct observations *obs, struct slice run_id);
