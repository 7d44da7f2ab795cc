/* metrics: see the header. One row of counters an operation that is served, one "other" a service, one for what is no service's. */
#include "edge/metrics.h"
#include "base/arena.h"
#include "base/strbuf.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LABELS_MAX 256

static const int CODES[] = {200, 204, 206, 301, 304, 400, 401, 403, 404, 405, 408, 409, 411, 412, 413, 416, 429, 499, 500, 501, 503};
#define CODE_COUNT (ARRAY_SIZE(CODES) + 1) /* the last: any other */

/* What authentication may say, aws/sigv4_error.c. */
static const char *const FAILURES[] = {
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidRequest",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
};
#define FAILURE_COUNT (ARRAY_SIZE(FAILURES) + 1) /* the last: any other */

static const char *const REASONS[THROTTLE_REASONS] = {
    [THROTTLE_PRINCIPAL] = "principal",
    [THROTTLE_WRITES] = "writes",
    [THROTTLE_JOB] = "job",
    [THROTTLE_ADDRESS] = "address",
    [THROTTLE_BODIES] = "bodies",
};

static const char *const BUCKET_TEXTS[HISTOGRAM_BUCKETS] = {"0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05",
                                                         "0.1",    "0.25",  "0.5",    "1",     "5",    "30",    "+Inf"};

struct row {
    _Atomic uint64_t codes[CODE_COUNT];
    struct histogram duration;
    _Atomic uint64_t bytes_in, bytes_out;
};

/* One a service, and a last one for what is none's. */
struct service_row {
    struct slice name;
    const struct aws_service *service;
    _Atomic int64_t in_flight;
    _Atomic uint64_t throttled[THROTTLE_REASONS];
    struct row *rows; /* of its operations by index, and a last one for others */
    size_t row_count;
};

struct metrics {
    struct service_row *services;
    size_t service_count;
    _Atomic uint64_t failures[FAILURE_COUNT];
};

static void add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static uint64_t get(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

struct metrics *metrics_new(void)
{
    struct metrics *metrics = xcalloc(1, sizeof(*metrics));
    metrics->service_count = aws_service_count + 1;
    metrics->services = xcalloc(metrics->service_count, sizeof(*metrics->services));
    for (size_t i = 0; i < metrics->service_count; i++) {
        struct service_row *s = &metrics->services[i];
        s->service = i < aws_service_count ? aws_services[i] : NULL;
        s->name = s->service ? s->service->id : S("none");
        s->row_count = (s->service ? s->service->operation_count : 0) + 1;
        s->rows = xcalloc(s->row_count, sizeof(*s->rows));
    }
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    for (size_t i = 0; i < metrics->service_count; i++)
        free(metrics->services[i].rows);
    free(metrics->services);
    free(metrics);
}

static struct service_row *service_row(struct metrics *metrics, const struct aws_service *service)
{
    size_t i = 0;
    while (i < aws_service_count && aws_services[i] != service)
        i++;
    return &metrics->services[i];
}

static size_t code_index(int status)
{
    size_t i = 0;
    while (i < ARRAY_SIZE(CODES) && CODES[i] != status)
        i++;
    return i;
}

void metrics_request_begins(struct metrics *metrics, const struct aws_service *service)
{
    atomic_fetch_add_explicit(&service_row(metrics, service)->in_flight, 1, memory_order_relaxed);
}

void metrics_request_ends(struct metrics *metrics, const struct metrics_request *request)
{
    struct service_row *s = service_row(metrics, request->service);
    bool known = request->operation && request->operation->served && s->service;
    struct row *row = &s->rows[known ? request->operation->index : s->row_count - 1];
    add(&row->codes[code_index(request->status ? request->status : 499)], 1);
    histogram_add(&row->duration, request->duration_us);
    add(&row->bytes_in, request->bytes_in);
    add(&row->bytes_out, request->bytes_out);
    atomic_fetch_sub_explicit(&service_row(metrics, request->begun_as)->in_flight, 1, memory_order_relaxed);
}

void metrics_throttled(struct metrics *metrics, const struct aws_service *service, enum throttle_reason reason)
{
    add(&service_row(metrics, service)->throttled[reason], 1);
}

void metrics_authentication_failed(struct metrics *metrics, struct slice code)
{
    size_t i = 0;
    while (i < ARRAY_SIZE(FAILURES) && !slice_eq(code, slice_from_cstr(FAILURES[i])))
        i++;
    add(&metrics->failures[i], 1);
}

/* ---- the text format ---- */

void metric_head(struct strbuf *out, const char *name, const char *type, const char *help)
{
    strbuf_append_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void begin_line(struct strbuf *out, const char *name, const char *labels)
{
    strbuf_append_cstr(out, name);
    if (*labels)
        strbuf_append_fmt(out, "{%s}", labels);
    strbuf_append_char(out, ' ');
}

void metric_u64(struct strbuf *out, const char *name, const char *labels, uint64_t value)
{
    begin_line(out, name, labels);
    strbuf_append_u64(out, value);
    strbuf_append_char(out, '\n');
}

void metric_seconds(struct strbuf *out, const char *name, const char *labels, int64_t microseconds)
{
    begin_line(out, name, labels);
    strbuf_append_fmt(out, "%lld.%06lld\n", (long long)(microseconds / 1000000), (long long)(microseconds % 1000000));
}

void metric_histogram(struct strbuf *out, const char *name, const char *labels, struct histogram *histogram)
{
    char part[128];
    uint64_t total = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        total += get(&histogram->counts[i]);
        strbuf_append_fmt(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", name, labels, *labels ? "," : "", BUCKET_TEXTS[i], (unsigned long long)total);
    }
    snprintf(part, sizeof(part), "%s_sum", name);
    metric_seconds(out, part, labels, (int64_t)get(&histogram->sum_us));
    snprintf(part, sizeof(part), "%s_count", name);
    metric_u64(out, part, labels, total);
}

/* ---- the edge's families ---- */

static uint64_t row_total(struct row *row)
{
    uint64_t total = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += get(&row->duration.counts[i]);
    return total;
}

static void write_labels(char *labels, const struct service_row *s, size_t row)
{
    bool known = s->service && row < s->service->operation_count;
    struct slice operation = known ? s->service->operations[row].name : S("other");
    snprintf(labels, LABELS_MAX, "service=\"%.*s\",operation=\"%.*s\"", SLICE_ARG(s->name), SLICE_ARG(operation));
}

static void write_codes(struct strbuf *out, const char *name, struct row *row, const char *labels)
{
    char all[LABELS_MAX + 32], code[16];
    for (size_t i = 0; i < CODE_COUNT; i++) {
        uint64_t n = get(&row->codes[i]);
        if (!n)
            continue;
        snprintf(code, sizeof(code), "%d", i < ARRAY_SIZE(CODES) ? CODES[i] : 0);
        snprintf(all, sizeof(all), "%s,code=\"%s\"", labels, i < ARRAY_SIZE(CODES) ? code : "other");
        metric_u64(out, name, all, n);
    }
}

static void write_histogram(struct strbuf *out, const char *name, struct row *row, const char *labels)
{
    metric_histogram(out, name, labels, &row->duration);
}

static void write_bytes_in(struct strbuf *out, const char *name, struct row *row, const char *labels)
{
    metric_u64(out, name, labels, get(&row->bytes_in));
}

static void write_bytes_out(struct strbuf *out, const char *name, struct row *row, const char *labels)
{
    metric_u64(out, name, labels, get(&row->bytes_out));
}

/* Rows that never counted are left out: some hundred operations that nobody calls would be most of the page. */
static void write_rows(struct metrics *metrics, struct strbuf *out, const char *name, const char *type, const char *help,
                       void (*write)(struct strbuf *out, const char *name, struct row *row, const char *labels))
{
    char labels[LABELS_MAX];
    metric_head(out, name, type, help);
    for (size_t i = 0; i < metrics->service_count; i++)
        for (size_t j = 0; j < metrics->services[i].row_count; j++) {
            if (!row_total(&metrics->services[i].rows[j]))
                continue;
            write_labels(labels, &metrics->services[i], j);
            write(out, name, &metrics->services[i].rows[j], labels);
        }
}

static void write_services(struct metrics *metrics, struct strbuf *out)
{
    char labels[LABELS_MAX];
    metric_head(out, "ember_requests_in_flight", "gauge", "Requests that are being answered.");
    for (size_t i = 0; i < metrics->service_count; i++) {
        struct service_row *s = &metrics->services[i];
        snprintf(labels, sizeof(labels), "service=\"%.*s\"", SLICE_ARG(s->name));
        int64_t n = atomic_load_explicit(&s->in_flight, memory_order_relaxed);
        metric_u64(out, "ember_requests_in_flight", labels, n > 0 ? (uint64_t)n : 0);
    }
    metric_head(out, "ember_throttled_requests_total", "counter", "Requests that were told to slow down, by the limit they met.");
    for (size_t i = 0; i < metrics->service_count; i++)
        for (size_t j = 0; j < THROTTLE_REASONS; j++) {
            struct service_row *s = &metrics->services[i];
            if (!s->service)
                continue;
            snprintf(labels, sizeof(labels), "service=\"%.*s\",limit=\"%s\"", SLICE_ARG(s->name), REASONS[j]);
            metric_u64(out, "ember_throttled_requests_total", labels, get(&s->throttled[j]));
        }
    metric_head(out, "ember_authentication_failures_total", "counter", "Requests without a valid signature, by the error code they were told.");
    for (size_t i = 0; i < FAILURE_COUNT; i++) {
        snprintf(labels, sizeof(labels), "code=\"%s\"", i < ARRAY_SIZE(FAILURES) ? FAILURES[i] : "other");
        metric_u64(out, "ember_authentication_failures_total", labels, get(&metrics->failures[i]));
    }
}

void metrics_render(struct metrics *metrics, struct strbuf *out)
{
    write_rows(metrics, out, "ember_requests_total", "counter", "Answered requests by operation and status code (499: the client went away).", write_codes);
    write_rows(metrics, out, "ember_request_duration_seconds", "histogram", "From a request's complete head to the end of its answer.",
               write_histogram);
    write_rows(metrics, out, "ember_request_bytes_total", "counter", "Bytes of requests, heads and bodies as received.", write_bytes_in);
    write_rows(metrics, out, "ember_response_bytes_total", "counter", "Bytes of answers, heads and bodies as sent.", write_bytes_out);
    write_services(metrics, out);
}
