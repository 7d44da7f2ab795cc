/* sinks: the few signed requests by which logs reach S3 and CloudWatch Logs, and files come from S3. Blocking, each at most 20 s and a second for each MiB. Errors:
 * e->code is the AWS error code where it is one that matters; ERR_UNAVAILABLE: may be tried again (no answer, 5xx, throttling, a conflict
 * with another request). Any thread. */
#pragma once
#include "aws/sigv4.h"
#include "base/err.h"
#include "http/client.h"

struct sinks {
    struct http_client *client;
    struct slice endpoint; /* http://host:port */
    struct slice region;
};

struct sink_caller {
    struct arena *arena;
    const struct sinks *sinks;
    const struct sigv4_credentials *credentials;
    const volatile bool *stop; /* true ends a call with ERR_UNAVAILABLE; NULL: never */
};

struct sink_object {
    struct slice key, content_type, body;
    struct slice rotated; /* x-amz-meta-rotated; absent: none */
};
/* uri: s3://bucket/prefix with or without final slash; the object's key is appended. Makes the bucket when it is missing. */
struct err *sink_put_object(const struct sink_caller *caller, struct slice log_uri, const struct sink_object *object) NODISCARD;

/* ERR_LIMIT: it is larger. */
struct err *sink_get_object(const struct sink_caller *caller, struct slice bucket, struct slice key, size_t max_bytes, struct slice *ret_text) NODISCARD;

struct log_line {
    int64_t timestamp_ms;
    struct slice message; /* valid UTF-8, not empty */
    bool moved;           /* the time is not the line's own, which the service would not take */
};
/* Makes stream and group when missing. lines are sorted and within the limits of one PutLogEvents. */
struct err *sink_put_events(const struct sink_caller *caller, struct slice group, struct slice stream, const struct log_line *lines, size_t count) NODISCARD;
/* The stream's last events (at most limit), oldest first; none when there is no such stream. */
struct err *sink_last_events(const struct sink_caller *caller, struct slice group, struct slice stream, size_t limit, struct log_line **ret_lines,
                             size_t *ret_count) NODISCARD;
/* "s3://bucket/a/b/" -> bucket and "a/b"; false when it is no s3 URI with a bucket. */
bool sink_parse_log_uri(struct slice log_uri, struct slice *ret_bucket, struct slice *ret_prefix);
