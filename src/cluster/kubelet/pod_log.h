/* pod_log: where the log of a container is. For the API server's /log, any thread; nothing is cached. The file has CRI lines:
 * `2026-11-21T21:10:00.123456789Z stdout F text` (P instead of F: the line goes on in the next record of that stream). */
#pragma once
#include "base/err.h"

enum pod_log_which { POD_LOG_CURRENT, POD_LOG_PREVIOUS };

struct pod_log {
    struct slice path;  /* NUL-terminated */
    struct slice older; /* what was rotated out before path began, NUL-terminated; absent: nothing */
    bool live;          /* more may come: ask again (pod_log_is_live) once the end was read */
    int attempt;        /* restart count that the file belongs to */
};

/* ERR_NOT_FOUND: this container has not started yet (or has no previous instance). container: an init container's name too. */
struct err *pod_log_find(struct arena *arena, struct slice pods_dir, struct slice pod_uid, struct slice container,
                         enum pod_log_which which, struct pod_log *ret_log) NODISCARD;
/* True while that instance runs. A follower reads to the end, asks, and when false reads once more to the end and is done. A
 * file that was rotated away meanwhile has a new inode under the same path. */
bool pod_log_is_live(struct slice pods_dir, struct slice pod_uid, struct slice container, int attempt);

struct cri_line {
    struct slice time;   /* RFC 3339, nanoseconds */
    struct slice stream; /* "stdout" or "stderr" */
    bool partial;        /* no line end after text */
    struct slice text;   /* without the line end */
};
/* line: without its '\n'. False when it is not a CRI record. */
bool cri_line_parse(struct slice line, struct cri_line *ret_line);
