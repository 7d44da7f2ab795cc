#include "daemon/collect.h"
#include "base/arena.h"
#include "base/db.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "edge/access_log.h"
#include "edge/metrics.h"
#include "events/webhook.h"
#include "http/server.h"
#include "jobs/job_run_state.h"
#include "jobs/reconciler.h"
#include "store/store.h"
#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef EMBER_VERSION
#define EMBER_VERSION "unknown"
#endif

/* ---- HTTP ---- */

#define SERVERS 2

/* One row a number of http_server_stats, which has size_t and uint64_t; the same here. */
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "64 bits");
static const struct {
    const char *name, *type, *help, *label;
    size_t offset;
} SERVER_ROWS[] = {
#define MORE(field, label) {NULL, NULL, NULL, label, offsetof(struct http_server_stats, field)}
    {"ember_http_connections", "gauge", "Open connections by what they wait for.", "state=\"idle\"", offsetof(struct http_server_stats, idle)},
    MORE(handshaking, "state=\"handshaking\""),
    MORE(heads, "state=\"head\""),
    MORE(bodies, "state=\"body\""),
    MORE(running, "state=\"running\""),
    MORE(streams, "state=\"stream\""),
    MORE(closing, "state=\"closing\""),
    {"ember_http_workers", "gauge", "Worker threads.", "", offsetof(struct http_server_stats, workers)},
    {"ember_http_workers_busy", "gauge", "Worker threads that run a request.", "", offsetof(struct http_server_stats, workers_busy)},
    {"ember_http_workers_waiting", "gauge", "Worker threads that wait for a slow client.", "", offsetof(struct http_server_stats, workers_waiting)},
    {"ember_http_requests_waiting", "gauge", "Requests that wait for a worker.", "", offsetof(struct http_server_stats, requests_waiting)},
    {"ember_http_connections_accepted_total", "counter", "Connections accepted.", "", offsetof(struct http_server_stats, accepted)},
    {"ember_http_accept_failures_total", "counter", "Connections that found no file descriptor or memory.", "",
     offsetof(struct http_server_stats, accept_failures)},
    {"ember_http_refused_requests_total", "counter", "Requests that HTTP itself refused.", "reason=\"malformed\"",
     offsetof(struct http_server_stats, refused_malformed)},
    MORE(refused_late, "reason=\"late\""),
    {"ember_http_connections_cut_total", "counter", "Connections that were closed on their client, and why.", "reason=\"idle\"",
     offsetof(struct http_server_stats, closed_idle)},
    MORE(closed_for_room, "reason=\"idle_for_room\""),
    MORE(cut_slow, "reason=\"slow\""),
    MORE(cut_for_room, "reason=\"slow_for_room\""),
    {"ember_tls_handshakes_total", "counter", "TLS handshakes that succeeded.", "", offsetof(struct http_server_stats, tls_handshakes)},
    {"ember_tls_handshake_failures_total", "counter", "TLS handshakes that failed.", "", offsetof(struct http_server_stats, tls_handshake_failures)},
    {"ember_tls_reloads_total", "counter", "Times the certificate was read again.", "", offsetof(struct http_server_stats, tls_reloads)},
#undef MORE
};

static void collect_servers(const struct collect_sources *sources, struct strbuf *out)
{
    static const char *const names[SERVERS] = {"main", "internal"};
    struct http_server *servers[SERVERS] = {sources->server, sources->internal_server};
    struct http_server_stats stats[SERVERS];
    for (size_t s = 0; s < SERVERS; s++)
        if (servers[s])
            http_server_stats(servers[s], &stats[s]);
    const char *name = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(SERVER_ROWS); i++) {
        if (SERVER_ROWS[i].name) {
            name = SERVER_ROWS[i].name;
            metric_head(out, name, SERVER_ROWS[i].type, SERVER_ROWS[i].help);
        }
        for (size_t s = 0; s < SERVERS; s++) {
            if (!servers[s])
                continue;
            char labels[128];
            const char *at = (const char *)&stats[s] + SERVER_ROWS[i].offset;
            uint64_t value;
            memcpy(&value, at, sizeof(value));
            snprintf(labels, sizeof(labels), "listener=\"%s\"%s%s", names[s], *SERVER_ROWS[i].label ? "," : "", SERVER_ROWS[i].label);
            metric_u64(out, name, labels, value);
        }
    }
}

/* ---- job runs ---- */

struct runs {
    struct arena *arena;
    struct strbuf *out;
    int64_t open;
};

static struct err *count_runs(struct db_tx *tx, void *arg)
{
    struct runs *runs = arg;
    struct db_stmt *stmt;
    bool row;
    int64_t counts[JOB_RUN_STATE_COUNT] = {0};
    TRY(db_prepare(tx, "SELECT state, count(*) FROM job_run GROUP BY state", &stmt));
    TRY(db_step(stmt, &row));
    while (row) {
        struct slice name = db_col_text(stmt, 0, runs->arena);
        for (size_t i = 0; i < JOB_RUN_STATE_COUNT; i++)
            if (slice_eq(name, job_run_state_name((enum job_run_state)i)))
                counts[i] = db_col_i64(stmt, 1);
        TRY(db_step(stmt, &row));
    }
    TRY(db_prepare(tx, "SELECT count(*) FROM job_run WHERE reaped = 0", &stmt));
    TRY(db_step(stmt, &row));
    runs->open = row ? db_col_i64(stmt, 0) : 0;
    for (size_t i = 0; i < JOB_RUN_STATE_COUNT; i++) {
        char labels[64];
        snprintf(labels, sizeof(labels), "state=\"%.*s\"", SLICE_ARG(job_run_state_name((enum job_run_state)i)));
        metric_u64(runs->out, "ember_job_runs", labels, (uint64_t)counts[i]);
    }
    return NULL;
}

static void collect_runs(const struct collect_sources *sources, struct strbuf *out)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct strbuf lines = STRBUF_ARENA(arena);
    struct runs runs = {.arena = arena, .out = &lines};
    struct err *e = db_read(store_db(sources->store), count_runs, &runs);
    if (e) { /* left out: a number that is wrong is worse */
        err_free(e);
        return;
    }
    metric_head(out, "ember_job_runs", "gauge", "Job runs in the database by state.");
    strbuf_append(out, strbuf_slice(&lines));
    metric_head(out, "ember_job_runs_open", "gauge", "Job runs that the reconciler still looks after: not final, or not yet cleaned up.");
    metric_u64(out, "ember_job_runs_open", "", (uint64_t)runs.open);
}

static void collect_reconciler(const struct collect_sources *sources, struct strbuf *out)
{
    struct reconciler_stats stats;
    reconciler_get_stats(sources->reconciler, &stats);
    metric_head(out, "ember_reconcile_duration_seconds", "histogram", "How long each look at a job run or virtual cluster took.");
    metric_histogram(out, "ember_reconcile_duration_seconds", "", stats.steps);
    metric_head(out, "ember_reconcile_failures_total", "counter", "Looks that failed and are tried again.");
    metric_u64(out, "ember_reconcile_failures_total", "", stats.step_failures);
    metric_head(out, "ember_reconcile_queue_keys", "gauge", "Job runs and virtual clusters that will be looked at again.");
    metric_u64(out, "ember_reconcile_queue_keys", "", stats.waiting);
    metric_head(out, "ember_reconcile_queue_due_keys", "gauge", "Those whose time has come and that wait for a worker.");
    metric_u64(out, "ember_reconcile_queue_due_keys", "", stats.due);
}

static void collect_webhook(const struct collect_sources *sources, struct strbuf *out)
{
    struct webhook_stats stats;
    struct err *e = webhook_get_stats(sources->webhook, &stats);
    if (e || !stats.on) {
        err_free(e);
        return;
    }
    metric_head(out, "ember_webhook_delivered_total", "counter", "Events that the receiver took.");
    metric_u64(out, "ember_webhook_delivered_total", "", stats.delivered);
    metric_head(out, "ember_webhook_failures_total", "counter", "Deliveries that failed and are tried again.");
    metric_u64(out, "ember_webhook_failures_total", "", stats.failures);
    metric_head(out, "ember_webhook_set_aside_total", "counter", "Events that the receiver refused for so long that it will not get them.");
    metric_u64(out, "ember_webhook_set_aside_total", "", stats.set_aside);
    metric_head(out, "ember_webhook_waiting_events", "gauge", "Events that the receiver has not taken yet.");
    metric_u64(out, "ember_webhook_waiting_events", "", (uint64_t)stats.waiting);
    metric_head(out, "ember_webhook_lag_seconds", "gauge", "How long the first of them has waited.");
    metric_seconds(out, "ember_webhook_lag_seconds", "", stats.oldest_ms * 1000);
}

/* ---- base ---- */

static void collect_database(struct strbuf *out)
{
    struct db_stats *stats = db_get_stats();
    metric_head(out, "ember_database_commit_duration_seconds", "histogram", "How long commits took, all databases.");
    metric_histogram(out, "ember_database_commit_duration_seconds", "", &stats->commits);
    metric_head(out, "ember_database_commit_failures_total", "counter", "Commits that failed.");
    metric_u64(out, "ember_database_commit_failures_total", "", atomic_load(&stats->commit_failures));
    metric_head(out, "ember_database_writes_total", "counter", "Writes asked for; one commit may hold many.");
    metric_u64(out, "ember_database_writes_total", "", atomic_load(&stats->writes));
}

static void collect_logs(const struct collect_sources *sources, struct strbuf *out)
{
    struct access_log_stats stats;
    metric_head(out, "ember_log_events_total", "counter", "Events written to the log, by their name: RECONCILE_FAILED, LOG_SHIPPING_TROUBLE, …");
    for (size_t i = 0; i < LOG_EVENT_COUNT; i++) {
        char labels[128];
        enum log_event_id event = (enum log_event_id)i;
        snprintf(labels, sizeof(labels), "event=\"%s\",level=\"%s\"", log_event_name(event), log_event_level(event));
        metric_u64(out, "ember_log_events_total", labels, log_event_count(event));
    }
    access_log_get_stats(sources->access_log, &stats);
    metric_head(out, "ember_access_log_lines_total", "counter", "Lines of the access log that were written.");
    metric_u64(out, "ember_access_log_lines_total", "", stats.written);
    metric_head(out, "ember_access_log_dropped_lines_total", "counter", "Lines of the access log that found no room in the queue or on the disk.");
    metric_u64(out, "ember_access_log_dropped_lines_total", "", stats.dropped);
    metric_head(out, "ember_access_log_write_failures_total", "counter", "Writes of the access log that failed.");
    metric_u64(out, "ember_access_log_write_failures_total", "", stats.failures);
}

/* ---- the process: names as every Prometheus client library has them ---- */

static uint64_t count_fds(void)
{
    uint64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count ? count - 1 : 0; /* the folder's own */
}

/* Field n (from 0) behind the name in /proc/self/stat, which may itself hold blanks and parentheses. */
static uint64_t stat_field(struct slice stat, int n)
{
    uint64_t value = 0;
    ptrdiff_t end = slice_rindex(stat, ')');
    struct slice rest = slice_from(stat, end < 0 ? stat.len : (size_t)end + 2), field = SLICE_NONE;
    for (int i = 0; i <= n && rest.ptr; i++)
        field = slice_cut(&rest, ' ');
    return slice_to_u64(field, UINT64_MAX, &value) ? value : 0;
}

static int64_t boot_time_s(struct arena *arena)
{
    struct slice text;
    int64_t value = 0;
    struct err *e = file_read(arena, "/proc/stat", 1 << 20, &text);
    err_free(e);
    ptrdiff_t at = e ? -1 : slice_find(text, S("\nbtime "));
    if (at >= 0) {
        struct slice rest = slice_from(text, (size_t)at + 7);
        (void)slice_to_i64(slice_cut(&rest, '\n'), 0, INT64_MAX, &value);
    }
    return value;
}

static void collect_process(struct strbuf *out)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice stat = S("");
    struct rusage usage = {0};
    struct rlimit limit = {0};
    int64_t ticks = sysconf(_SC_CLK_TCK);
    struct err *e = file_read(arena, "/proc/self/stat", 4096, &stat);
    err_free(e);
    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &limit);
    metric_head(out, "process_cpu_seconds_total", "counter", "User and system time.");
    metric_seconds(out, "process_cpu_seconds_total", "",
                   (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    metric_head(out, "process_open_fds", "gauge", "Open file descriptors.");
    metric_u64(out, "process_open_fds", "", count_fds());
    metric_head(out, "process_max_fds", "gauge", "How many may be open.");
    metric_u64(out, "process_max_fds", "", limit.rlim_cur);
    metric_head(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.");
    metric_u64(out, "process_virtual_memory_bytes", "", stat_field(stat, 20));
    metric_head(out, "process_resident_memory_bytes", "gauge", "Resident memory.");
    metric_u64(out, "process_resident_memory_bytes", "", stat_field(stat, 21) * (uint64_t)sysconf(_SC_PAGESIZE));
    metric_head(out, "process_threads", "gauge", "Threads.");
    metric_u64(out, "process_threads", "", stat_field(stat, 17));
    int64_t started_us = boot_time_s(arena) * 1000000 + (int64_t)stat_field(stat, 19) * 1000000 / (ticks > 0 ? ticks : 100);
    metric_head(out, "process_start_time_seconds", "gauge", "When it started, since 1970.");
    metric_seconds(out, "process_start_time_seconds", "", started_us);
    metric_head(out, "ember_build_info", "gauge", "Always 1; its label says the version.");
    metric_u64(out, "ember_build_info", "version=\"" EMBER_VERSION "\"", 1);
}

void collect_metrics(const struct collect_sources *sources, struct strbuf *out)
{
    collect_servers(sources, out);
    collect_runs(sources, out);
    collect_reconciler(sources, out);
    collect_webhook(sources, out);
    collect_database(out);
    collect_logs(sources, out);
    collect_process(out);
}
