/* metrics: what the edge counts, and the text format of Prometheus (0.0.4) for everybody's numbers. Counting is a few atomic additions,
 * any thread, no lock. Labels are bounded: services and operations are those of the generated tables, what is not served is "other",
 * status codes and error codes are of fixed lists. */
#pragma once
#include "aws/shape.h"
#include "base/histogram.h"
#include "base/slice.h"

struct metrics;
struct strbuf;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

enum throttle_reason { THROTTLE_PRINCIPAL, THROTTLE_WRITES, THROTTLE_JOB, THROTTLE_ADDRESS, THROTTLE_BODIES, THROTTLE_REASONS };

/* service NULL: none of AWS's (/healthz, /metrics, what HTTP refused), here and below. */
void metrics_request_begins(struct metrics *metrics, const struct aws_service *service);
struct metrics_request {
    const struct aws_service *service, *begun_as; /* begun_as: what metrics_request_begins was told, before the body said more */
    const struct aws_operation *operation; /* NULL: none was found */
    int status;                            /* 0: there was no answer */
    uint64_t bytes_in, bytes_out; /* with heads */
    int64_t duration_us;
};
void metrics_request_ends(struct metrics *metrics, const struct metrics_request *request);
void metrics_throttled(struct metrics *metrics, const struct aws_service *service, enum throttle_reason reason);
void metrics_authentication_failed(struct metrics *metrics, struct slice code); /* the error code on the wire */

void metrics_render(struct metrics *metrics, struct strbuf *out);

/* ---- the text format. A family is its head and then its lines, nothing else between. ---- */

/* type: "counter", "gauge", "histogram". help: no line feeds, no backslashes. */
void metric_head(struct strbuf *out, const char *name, const char *type, const char *help);
/* labels: "a=\"b\",c=\"d\"", whose values hold no quotes, backslashes and line feeds; "": none. */
void metric_u64(struct strbuf *out, const char *name, const char *labels, uint64_t value);
void metric_seconds(struct strbuf *out, const char *name, const char *labels, int64_t microseconds);

void metric_histogram(struct strbuf *out, const char *name, const char *labels, struct histogram *histogram);
