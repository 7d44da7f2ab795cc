/* log_reader: turns the CRI records of one container's log into what a client asked for. One owner at a time. */
#pragma once
#include "base/clock.h"
#include "base/err.h"
#include "base/strbuf.h"

enum log_stream { LOG_STREAM_ALL, LOG_STREAM_STDOUT, LOG_STREAM_STDERR };

struct log_filter {
    enum log_stream stream;
    bool timestamps;
    bool has_since;
    struct instant since;
    int64_t tail_lines;  /* -1: all */
    int64_t limit_bytes; /* -1: all */
};

struct log_reader;

/* older: what was rotated out before path began; absent: nothing. Paths are copied. ERR_NOT_FOUND. */
struct err *log_reader_open(struct slice path, struct slice older, const struct log_filter *filter, struct log_reader **ret_reader) NODISCARD;
void log_reader_close(struct log_reader *reader); /* NULL is fine */
/* Appends at most about 64 KiB of what is there to out. *ret_end: nothing more is there now. Follows a rotation of path. */
struct err *log_reader_read(struct log_reader *reader, struct strbuf *out, bool *ret_end) NODISCARD;
bool log_reader_is_full(const struct log_reader *reader); /* limit_bytes is reached */
