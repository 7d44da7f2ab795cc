/* log_copy: what Spark's main container writes, as files in the volume that side cars read it from: emr-container-application-log-dir, at
 * /var/log/spark/user in the main container, with POD/stdout and POD/stderr as EMR's images have them. Bytes as they came. Nothing of it may hold
 * up or end the job: what can't be written is left out. Owned by the supervisor's thread. */
#pragma once
#include "runner/cri_log.h"
#include "runner/run_spec.h"

struct log_copy {
    int fds[2]; /* by stream; -1: none */
};

/* Opens the files when the container is a main one that has the volume; whatever is in the way (a link that a container made) leaves no copy. */
void log_copy_open(struct log_copy *copy, const struct run_spec *spec, const struct run_container *container, struct slice pod_dir);
void log_copy_write(struct log_copy *copy, enum cri_stream stream, struct slice bytes);
void log_copy_close(struct log_copy *copy); /* more than once is fine */
