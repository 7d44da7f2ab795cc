/* log_reader: the logs of one job run from where its monitoring configuration sends them: CloudWatch Logs, else S3.
 * Each poll prints what is new to stdout. What was printed is remembered, so that it goes on where it was whatever
 * failed in between. One thread. Layout of streams and keys:
 * PREFIX/VIRTUAL-CLUSTER/jobs/RUN/containers/spark-RUN/POD/stdout, on S3 with .gz. With containerLogRotationConfiguration there are objects
 * before it, see logship/rotation.h; the current one says in its metadata how many. */
#pragma once
#include "cli/client.h"
#include "cli/progress.h"

struct log_choice {
    bool out, err;
    bool driver, executors;
    int64_t executor; /* only this one; 0: all */
    bool labels;      /* each line says whose it is */
};

struct log_reader;
/* run: as DescribeJobRun has it. ERR_NOT_FOUND: its logs go nowhere; the message says what to do. client and progress
 * outlive the reader. */
struct err *log_reader_open(struct client *client, const struct json *run, const struct log_choice *choice,
                            struct progress *progress, struct log_reader **ret_reader) NODISCARD;
struct err *log_reader_poll(struct log_reader *reader) NODISCARD;
/* Nothing more comes: prints what has no line's end yet. */
struct err *log_reader_end(struct log_reader *reader) NODISCARD;
bool log_reader_printed(const struct log_reader *reader); /* anything at all */
void log_reader_free(struct log_reader *reader);

/* "POD/stdout", "POD/stdout.gz" or "POD/stdout_20261122_3.gz" below a run's folder: whose it is. False: of neither driver nor executor. */
struct log_place {
    int64_t rotated;  /* of a log that is in several objects, the index of one that is full; 0: the current one, or the only one */
    bool driver, err;
    int64_t executor; /* 0: the driver's */
    struct slice pod; /* "driver", "driver-2", "exec-1" */
};
bool log_place_parse(struct slice name, struct slice job_run_id, struct log_place *ret_place);
