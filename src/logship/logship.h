/* logship: the logs of job runs from the Kubernetes API to S3 and CloudWatch Logs, live while the run lives and whole before its final
 * state. (This header is what jobs/ is written against.) Thread-safe; calls only record and wake, but for logship_check.
 *
 * Each container's stdout and stderr are spooled to SPOOL_DIR/RUN_ID/… with the progress of each sink beside them, so that after a
 * crash shipping goes on where it was: nothing is lost, nothing is shipped twice. All requests are signed with the run's own key and go
 * to the daemon's own endpoint like anybody's. Layout: emr-on-eks.md 6.1 and 6.2. */
#pragma once
#include "base/err.h"
#include "k8s/client.h"

struct arena;
struct logship;

struct logship_options {
    struct slice spool_dir;
    struct slice endpoint; /* http://127.0.0.1:4567 */
    struct slice region;
    /* Something changed for this run (a log ended, everything is shipped, shipping gave up). Must only enqueue. */
    void (*changed)(void *ctx, struct slice job_run_id);
    void *changed_ctx;
    /* 0: the usual ones. How often a stream that grows is shipped, and when a run is given up. */
    int64_t cloudwatch_every_ms; /* 1000 */
    int64_t s3_every_ms;         /* 8000 */
    int64_t s3_large_every_ms;   /* 120000, for spools over 16 MiB: the object is rewritten whole */
    int64_t give_up_ms;          /* 120000: without progress after finish; in any case after eight times that */
    int64_t retry_max_ms;        /* 10000 */
    int64_t event_past_ms;       /* 13 days: older events get the time so long ago, for CloudWatch Logs drops what is older than 14 */
    int64_t event_future_ms;     /* 1 hour: and later ones the time so far ahead, of 2 hours: a clock was set back */
    int64_t quiet_ms;            /* 10000: a follow that brings nothing for so long after its container's end is given up and read anew */
    int64_t run_max_bytes;       /* 8 GiB: what a run may have in the spool; what comes later is lost, and the state says so */
    int64_t total_max_bytes;     /* 32 GiB: and all runs together */
};

/* Copies nothing: slices must outlive it. */
struct err *logship_start(const struct logship_options *options, struct logship **ret_ship) NODISCARD;
/* Ends calls that run (logship_check among them); new ones fail with ERR_UNAVAILABLE. Before the join of threads that may be in one. */
void logship_interrupt(struct logship *ship);
void logship_stop(struct logship *ship); /* NULL is fine; what is spooled is shipped after the next start */

struct logship_run {
    struct slice job_run_id, virtual_cluster_id;
    struct k8s_client *client;
    struct slice namespace_;
    struct slice access_key_id, secret_access_key, session_token;
    struct slice log_uri;               /* s3MonitoringConfiguration.logUri, with or without final slash; absent: no S3 */
    struct slice log_group_name;        /* cloudWatchMonitoringConfiguration; absent: no CloudWatch */
    struct slice log_stream_name_prefix; /* absent: none */
    int64_t rotation_bytes;              /* containerLogRotationConfiguration: text of one object in S3; 0: each log is one, see rotation.h */
    int64_t rotation_files;              /* so many objects' worth stay in the spool after they were shipped */
    bool no_executor_logs, no_control_logs; /* not shipped, and not kept */
};

/* EMR's pre-validation: writes <prefix>/<vc>/jobs/<run>/job-metadata.log to the bucket and one event to the stream of that name, making
 * bucket, group and stream when missing. ERR_DENIED, ERR_NOT_FOUND, ERR_INVALID say in the message what can't be used and why;
 * ERR_UNAVAILABLE: try again. Blocks, at most 20 s. */
struct err *logship_check(struct logship *ship, const struct logship_run *run) NODISCARD;

/* A small object of S3 that the run's configuration names, read with its own key. ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID with the service's
 * words; ERR_LIMIT: it is larger; ERR_UNAVAILABLE: try again. Blocks, at most 20 s. */
struct err *logship_read_object(struct logship *ship, const struct logship_run *run, struct arena *arena, struct slice bucket, struct slice key,
                                size_t max_bytes, struct slice *ret_text) NODISCARD;

/* Registers a run (copies everything); resumes from the spool when there is one. Idempotent: a run that is open stays as it is. */
struct err *logship_open(struct logship *ship, const struct logship_run *run) NODISCARD;

/* What is known of one container of the run; level-triggered, idempotent, may come in any order. STARTED: it runs or has run, follow its
 * log. ENDED: no more will be written, read to the end. A pod that is gone before its log was read: ENDED too (what was read counts).
 * pod_uid (absent: not known): another pod of the same name is read behind the one before it, into the same places. */
enum logship_container_state { LOGSHIP_CONTAINER_STARTED, LOGSHIP_CONTAINER_ENDED };
void logship_container(struct logship *ship, struct slice job_run_id, struct slice pod, struct slice pod_uid, struct slice container,
                       enum logship_container_state state);

/* A line of Ember's own submission log: control-logs/<run id>-submitter/stdout (or stderr). A time stamp is put in front. Lines told again
 * after a crash may repeat. */
void logship_control_line(struct logship *ship, struct slice job_run_id, struct slice stream, struct slice line);

/* No further container will be told. From then on the state may become WHOLE. Idempotent. A container that is told nevertheless is read to its end.
 * Streams that were spooled by an earlier start and whose container was not told since have ended: their pods are gone. */
void logship_finish(struct logship *ship, struct slice job_run_id);
/* Whether every log of a finished run is in the spool, shipped or not, and safe there from a power cut: its pods are no longer needed. May
 * sync the disk, once a run. */
bool logship_is_read(struct logship *ship, struct slice job_run_id);

/* Whether every container that was told, of a run that need not be finished, has ended and is in the spool. */
bool logship_has_caught_up(struct logship *ship, struct slice job_run_id);

enum logship_state {
    LOGSHIP_UNKNOWN,  /* not opened */
    LOGSHIP_SHIPPING,
    LOGSHIP_WHOLE,    /* finished, and every byte of the spool was acknowledged by every sink; *ret_trouble is set when the spool was full */
    LOGSHIP_GIVEN_UP, /* finished, not whole, and nothing was shipped for 2 minutes, or all took 16: *ret_trouble says why; shipping goes on until logship_close, and may become WHOLE */
};
enum logship_state logship_state(struct logship *ship, struct arena *arena, struct slice job_run_id, struct slice *ret_trouble);

/* The last bytes (at most max_bytes, from a line's start) of a container's stream ("stdout", "stderr"); empty when there is nothing. */
struct slice logship_tail(struct logship *ship, struct arena *arena, struct slice job_run_id, struct slice pod, struct slice stream, size_t max_bytes);

/* Forgets the run and removes its spool. Idempotent. */
void logship_close(struct logship *ship, struct slice job_run_id);
