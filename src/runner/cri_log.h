/* cri_log: the log file of one container instance in the CRI format that Kubernetes's own tools read:
 * `2026-11-21T21:10:00.123456789Z stdout F text`. A line longer than 16 KiB is cut into P records; what has no line end at the
 * end of a stream is a P record too. Times never go back, also when the clock does: who reads on goes by them. Bounded: past half of max_bytes the file becomes FILE.old (the one before is dropped) and
 * a record says so. Owned by the supervisor's thread. */
#pragma once
#include "base/err.h"
#include "base/strbuf.h"
#include <time.h>

#define CRI_LINE_MAX 16384

enum cri_stream { CRI_STDOUT, CRI_STDERR };

struct cri_log {
    char *path;
    int fd;
    int64_t size_bytes, max_bytes;
    struct strbuf pending[2]; /* a line that has not ended yet, by stream */
    struct strbuf out;        /* records of one call, written with one write */
    struct timespec last;     /* of the last record */
    bool lost, torn;          /* the disk was full: records are missing at the end of the file; the last one there is cut off */
};

/* Makes the file (0640), appending to one that is there. */
struct err *cri_log_open(struct cri_log *log, const char *path, int64_t max_bytes) NODISCARD;
/* Bytes as they came from the pipe, with the time they came at. Errors of the disk are kept to oneself: a full disk must not
 * end the job. */
void cri_log_write(struct cri_log *log, enum cri_stream stream, struct slice bytes, struct timespec now);
/* The stream has ended: what is pending becomes a record. */
void cri_log_end(struct cri_log *log, enum cri_stream stream, struct timespec now);
void cri_log_close(struct cri_log *log);
