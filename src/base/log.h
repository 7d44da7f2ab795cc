/* log: JSON lines on standard error. An event is a row of log_events.def; keys are the APIs' camelCase names; requestId or
 * jobRunId is there wherever there is one. Thread-safe. A function logs or returns an error, never both.
 *     log_event(JOB_RUN_LAUNCHED, LOG_SLICE("jobRunId", id), LOG_INT("attempt", n)); */
#pragma once
#include "base/err.h"
#include "base/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum log_event_id {
#define EVENT(name, level, doc) LOG_EVENT_##name,
#include "base/log_events.def"
#undef EVENT
    LOG_EVENT_COUNT
};

struct log_field {
    const char *key;
    enum { LOG_FIELD_SLICE, LOG_FIELD_INT, LOG_FIELD_ERR } kind;
    struct slice text; /* foreign text: quoted and cut at 1024 bytes */
    int64_t number;
    const struct err *err;
};

#define LOG_SLICE(k, s) ((struct log_field){.key = (k), .kind = LOG_FIELD_SLICE, .text = (s)})
#define LOG_CSTR(k, c) ((struct log_field){.key = (k), .kind = LOG_FIELD_SLICE, .text = slice_from_cstr(c)})
#define LOG_INT(k, n) ((struct log_field){.key = (k), .kind = LOG_FIELD_INT, .number = (n)})
#define LOG_ERR(e) ((struct log_field){.key = "error", .kind = LOG_FIELD_ERR, .err = (e)})

void log_write(enum log_event_id event, const struct log_field *fields, size_t count);
#define log_event(NAME, ...)                                                                                                   \
    log_write(LOG_EVENT_##NAME, (const struct log_field[]){__VA_ARGS__},                                                       \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* Until it is changed again, events of this thread that do not name a requestId of their own carry this one. SLICE_NONE: none. It is
 * copied; at most 63 bytes of it. */
void log_set_request(struct slice request_id);

/* What was written so far of each event, for metrics. */
uint64_t log_event_count(enum log_event_id event);
const char *log_event_name(enum log_event_id event);
const char *log_event_level(enum log_event_id event); /* "error", "warn", … */

void log_set_level(enum log_level level); /* default LOG_INFO */
void log_set_fd(int fd);                  /* default 2 */
