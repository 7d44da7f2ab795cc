/* spool: one stream of one container on disk, as the log API gives it: "TIMESTAMP text" lines. Appended by one reader; read by anybody up
 * to the size that the reader has published. Pure functions over its bytes. */
#pragma once
#include "base/err.h"
#include "base/strbuf.h"
#include "logship/sinks.h"

/* File name of a stream: POD__CONTAINER__STREAM.log (Kubernetes names have no underscore); control streams have the container "control". */
struct slice spool_file_name(struct arena *arena, struct slice pod, struct slice container, struct slice stream);
bool spool_parse_file_name(struct slice name, struct slice *ret_pod, struct slice *ret_container, struct slice *ret_stream);

/* The bytes [from, to) of the file. */
struct err *spool_read(struct arena *arena, const char *path, int64_t from, int64_t to, struct slice *ret_data) NODISCARD;

/* A stretch of a spool. */
struct spool_part {
    struct slice data;
    bool continues; /* data begins inside a line, so there is no time stamp in front of it */
    bool whole;     /* nothing comes after data: a last line without its end counts too */
};
/* "2026-11-21T21:10:00.123456789Z text": text, and its time in *ret_ms when there is one. */
struct slice spool_split_line(struct slice line, int64_t *ret_ms);
/* What S3 gets: the lines without their time stamps. */
struct slice spool_strip(struct arena *arena, struct spool_part part);

struct spool_batch {
    struct log_line *lines;
    size_t count;
    int64_t next_offset; /* in data: what is not in the batch begins here */
    bool continues;      /* next_offset is inside a line */
    bool full;           /* a limit ended it: there is more to send at once */
};
/* The next PutLogEvents out of a part, within AWS's limits (10,000 events, 1 MiB with 26 bytes an event, 24 h). Whole lines, but a line longer
 * than a request is sent in several. Time stamps never go back: not_before_ms. Long lines become several events, empty ones a blank.
 * The same part and not_before_ms give the same batch. */
struct spool_batch spool_next_batch(struct arena *arena, struct spool_part part, int64_t not_before_ms);

/* Was this batch sent before a crash, or before an answer that was lost? before: the spool's bytes in front of the batch, as far back as is
 * affordable; at_start: they begin where the spool begins. last: the stream's last events, oldest first. Where both can be true (a log that
 * repeats one text over all that is looked at) the answer is no: twice is better than never. */
struct spool_sent {
    struct spool_part before;
    bool at_start;
    const struct log_line *last;
    size_t last_count;
};
bool spool_was_sent(struct arena *arena, const struct spool_batch *batch, const struct spool_sent *sent);

/* A few numbers >= 0 beside a spool, in one write within one sector. Nothing written yet, or nothing that can be read: all zero. durable: survives
 * a power cut when it returns. */
struct err *spool_record_read(const char *path, int64_t *ret_fields, size_t count) NODISCARD;
struct err *spool_record_write(const char *path, const int64_t *fields, size_t count, bool durable) NODISCARD;

/* How far shipping to CloudWatch is: kept beside the spool in one small record. */
struct spool_progress {
    int64_t offset;         /* acknowledged */
    int64_t last_ms;        /* time stamp of the last event acknowledged */
    int64_t sending_offset; /* > offset: the batch [offset, sending_offset) is on its way, or was when the daemon died */
};
/* Nothing written yet, or nothing that can be read: all zero. */
struct err *spool_progress_read(const char *path, struct spool_progress *ret_progress) NODISCARD;
/* durable: survives a power cut when it returns. */
struct err *spool_progress_write(const char *path, const struct spool_progress *progress, bool durable) NODISCARD;

#define SPOOL_STAMP_MAX 64

/* Goes on with a log that is told again from somewhere at or before the spool's end: lets through what the spool does not have. The log
 * API can't start at a byte, and a rotated log no longer has its beginning, so lines are known by their time stamps. */
struct spool_resume {
    char stamp[SPOOL_STAMP_MAX]; /* of the spool's last line */
    size_t stamp_len;     /* 0: there is none, everything is new */
    int64_t since_ms;     /* of stamp: what to ask the log API for */
    int64_t equal_lines;  /* lines with that stamp before the last one */
    int64_t line_bytes;   /* of the last line that are spooled, its stamp included; its newline is not counted */
    bool line_ended;      /* its newline is there too */
    int64_t size;         /* of the spool that counts: what is behind it (half a time stamp) is to be overwritten */
    /* while a log is read */
    bool passing;         /* past what is known */
    enum { RESUME_STAMP, RESUME_DROP_LINE, RESUME_DROP_BYTES, RESUME_PASS_LINE } at;
    int64_t drop_bytes;
    struct strbuf head;   /* a line's first bytes, until its stamp is complete */
};
/* [begin, size) of the file is of that log. */
struct err *spool_resume_init(struct spool_resume *resume, const char *path, int64_t begin, int64_t size) NODISCARD;
void spool_resume_deinit(struct spool_resume *resume);
/* The part of data that is new; appended to out. */
void spool_resume_take(struct spool_resume *resume, struct slice data, struct strbuf *out);
