/* spool: one stream of one container on disk, as the log API gives it: "TIMESTAMP text" lines. Appended by one reader; read by anybody up
 * to the size that the reader has published. Pure functions over its bytes. */
#pragma once
#include "base/err.h"
#include "logship/sinks.h"

/* File name of a stream: POD__CONTAINER__STREAM.log (Kubernetes names have no underscore); control streams have the container "control". */
struct slice spool_file_name(struct arena *arena, struct slice pod, struct slice container, struct slice stream);
bool spool_parse_file_name(struct slice name, struct slice *ret_pod, struct slice *ret_container, struct slice *ret_stream);

/* The bytes [from, to) of the file. */
struct err *spool_read(struct arena *arena, const char *path, int64_t from, int64_t to, struct slice *ret_data) NODISCARD;
/* What S3 gets: the lines without their time stamps. */
struct slice spool_strip(struct arena *arena, struct slice data);

struct spool_batch {
    struct log_line *lines;
    size_t count;
    int64_t next_offset; /* in data: what is not in the batch begins here */
};
/* The next PutLogEvents out of data: whole lines only, but a last line without its end too when whole is true; within AWS's limits (10,000 events,
 * 1 MiB with 26 bytes an event, 24 h). Time stamps never go back: not_before_ms. Long lines become several events, empty ones a blank. */
struct spool_batch spool_next_batch(struct arena *arena, struct slice data, bool whole, int64_t not_before_ms);
/* How many of data's events are in the stream already, given its last events: the offset behind them (0: none). For a batch that was sent
 * but whose answer was not recorded before a crash. */
int64_t spool_find_sent(struct arena *arena, struct slice data, const struct log_line *last, size_t last_count, int64_t not_before_ms);
