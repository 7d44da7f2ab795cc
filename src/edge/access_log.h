/* access_log: one JSON line a request, in a file or on standard error. Requests only put their line into a queue of bounded size; one thread
 * writes. What does not fit into the queue, or on the disk, is dropped and counted: no request waits for the log or fails with it.
 *
 * A file is made with mode 0600 and appended to; larger than its limit it is renamed to NAME.1 (the older NAME.1 goes). Lines are whole or
 * not there at all, but for a pipe whose reader went away in the middle of one. At most ACCESS_LOG_LINE_MAX bytes each. Any thread. */
#pragma once
#include "base/clock.h"
#include "base/err.h"

struct access_log;
struct arena;

#define ACCESS_LOG_LINE_MAX 20480

struct access_entry {
    struct instant time;
    struct slice request_id;
    struct slice remote_address; /* "127.0.0.1:51234" */
    struct slice method, path, query;
    struct slice service, operation;         /* absent: none, here and below */
    struct slice access_key_id, principal_arn; /* who asked, if that was proved */
    int status;                              /* 0: there was no answer */
    struct slice error_code;
    uint64_t bytes_in, bytes_out;            /* with heads */
    int64_t duration_us;
    struct slice user_agent;
};

struct access_log *access_log_new(void); /* closed: lines are dropped, uncounted */
void access_log_free(struct access_log *log); /* writes what is queued; NULL is fine */
/* A place that can be written to: "stderr" is standard error, NULL nowhere. Nothing changes yet. */
struct access_log_place;
struct err *access_log_place_open(const char *path, struct access_log_place **ret_place) NODISCARD;
void access_log_place_close(struct access_log_place *place); /* unused; NULL is fine */
/* From now on into place, which is the log's then. The same path again is the file anew, as log rotation wants it. max_bytes 0: no limit. */
void access_log_use(struct access_log *log, struct access_log_place *place, int64_t max_bytes);
/* Both. On an error what was open stays in use. */
struct err *access_log_open(struct access_log *log, const char *path, int64_t max_bytes) NODISCARD;
bool access_log_is_open(struct access_log *log);
void access_log_write(struct access_log *log, const struct access_entry *entry);

struct access_log_stats {
    uint64_t written, dropped; /* lines */
    uint64_t failures;         /* writes that failed */
};
void access_log_get_stats(struct access_log *log, struct access_log_stats *ret_stats);

/* The line, with its line feed. Of the query, values of parameters whose names speak of signatures, tokens, secrets, passwords or
 * assertions are struck out. Pure. */
struct slice access_log_line(struct arena *arena, const struct access_entry *entry);
