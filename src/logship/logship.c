/* The doors of the log shipper: runs, their streams and what is told of them. */
#include "base/arena.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "logship/logship_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRIVER_CONTAINER "spark-kubernetes-driver"
#define EXECUTOR_CONTAINER "spark-kubernetes-executor"
#define REMOVED_SUFFIX ".removed"

/* ---- start and stop ---- */

/* What logship_close set aside and did not get to remove. */
static struct err *remove_leftovers(const char *spool_dir)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    DIR *dir = opendir(spool_dir);
    if (!dir)
        return err_errno(errno, "opening %s", spool_dir);
    struct err *e = NULL;
    for (struct dirent *entry; !e && (entry = readdir(dir));) {
        if (slice_ends_with(slice_from_cstr(entry->d_name), S(REMOVED_SUFFIX)))
            e = tree_remove(slice_fmt(arena, "%s/%s", spool_dir, entry->d_name).ptr);
    }
    closedir(dir);
    return e;
}

static int64_t or_usual(int64_t value, int64_t usual)
{
    return value ? value : usual;
}

static void logship_init(struct logship *ship, const struct logship_options *options)
{
    ship->options = *options;
    ship->options.cloudwatch_every_ms = or_usual(options->cloudwatch_every_ms, 1000);
    ship->options.s3_every_ms = or_usual(options->s3_every_ms, 8000);
    ship->options.s3_large_every_ms = or_usual(options->s3_large_every_ms, 120000);
    ship->options.give_up_ms = or_usual(options->give_up_ms, 120000);
    ship->options.retry_max_ms = or_usual(options->retry_max_ms, 10000);
    ship->options.event_past_ms = or_usual(options->event_past_ms, (int64_t)13 * 24 * 3600 * 1000);
    ship->options.event_future_ms = or_usual(options->event_future_ms, (int64_t)3600 * 1000);
    ship->options.quiet_ms = or_usual(options->quiet_ms, 10000);
    ship->options.run_max_bytes = or_usual(options->run_max_bytes, (int64_t)8 << 30);
    ship->options.total_max_bytes = or_usual(options->total_max_bytes, (int64_t)32 << 30);
    mutex_init(&ship->lock, LOCK_LOGSHIP);
    condition_init(&ship->work);
    condition_init(&ship->quiet);
}

struct err *logship_start(const struct logship_options *options, struct logship **ret_ship)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    TRY(dir_make(slice_cstr(arena, options->spool_dir), 0700));
    TRY(remove_leftovers(slice_cstr(arena, options->spool_dir)));
    struct logship *ship = xcalloc(1, sizeof(*ship));
    struct err *e = http_client_new(&(struct http_client_options){0}, &ship->client);
    if (e) {
        free(ship);
        return e;
    }
    logship_init(ship, options);
    while (ship->shipper_count < LOG_SINK_COUNT * SHIPPERS_PER_SINK) {
        struct log_shipper *shipper = &ship->shipper_args[ship->shipper_count];
        *shipper = (struct log_shipper){.ship = ship, .sink = (enum log_sink)(ship->shipper_count % LOG_SINK_COUNT)};
        int result = pthread_create(&ship->shippers[ship->shipper_count], NULL, log_shipper_main, shipper);
        if (result) {
            logship_stop(ship);
            return err_errno(result, "starting a log shipper");
        }
        ship->shipper_count++;
    }
    *ret_ship = ship;
    return NULL;
}

void logship_interrupt(struct logship *ship)
{
    if (!ship)
        return;
    mutex_lock(&ship->lock);
    ship->stopping = true;
    __atomic_store_n(&ship->stop, true, __ATOMIC_RELAXED);
    for (struct log_run *run = ship->runs; run; run = run->next)
        log_run_stop(run);
    condition_broadcast(&ship->work);
    condition_broadcast(&ship->quiet);
    mutex_unlock(&ship->lock);
}

void logship_stop(struct logship *ship)
{
    if (!ship)
        return;
    logship_interrupt(ship);
    mutex_lock(&ship->lock);
    while (ship->readers > 0)
        mutex_wait(&ship->quiet, &ship->lock);
    mutex_unlock(&ship->lock);
    for (size_t i = 0; i < ship->shipper_count; i++)
        pthread_join(ship->shippers[i], NULL);
    for (struct log_run *run = ship->runs; run;) {
        struct log_run *next = run->next;
        log_run_free(run);
        run = next;
    }
    http_client_free(ship->client);
    condition_deinit(&ship->work);
    condition_deinit(&ship->quiet);
    mutex_deinit(&ship->lock);
    free(ship);
}

/* ---- doors ---- */

struct err *logship_check(struct logship *ship, const struct logship_run *run)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct sinks sinks = {.client = ship->client, .endpoint = ship->options.endpoint, .region = ship->options.region};
    struct sigv4_credentials credentials = log_credentials(run);
    struct sink_caller caller = {.arena = arena, .sinks = &sinks, .credentials = &credentials, .stop = &ship->stop};
    struct slice key = slice_fmt(arena, "%.*s/jobs/%.*s/job-metadata.log", SLICE_ARG(run->virtual_cluster_id), SLICE_ARG(run->job_run_id));
    struct slice stream = log_cloudwatch_stream(arena, run, key);
    struct json *metadata = json_object(arena); /* members as EMR's own job-metadata.log has them */
    json_set_text(arena, metadata, "region", ship->options.region);
    json_set_text(arena, metadata, "job_id", run->job_run_id);
    if (run->log_uri.len) {
        struct slice bucket = SLICE_NONE, prefix;
        if (!sink_parse_log_uri(run->log_uri, &bucket, &prefix))
            return err_new(ERR_INVALID, "logUri %.*s is no s3:// URI", SLICE_ARG(run->log_uri));
        json_set_text(arena, metadata, "logging_bucket_name", bucket);
        json_set_text(arena, metadata, "logging_s3_metadata_path", prefix.len ? slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(prefix), SLICE_ARG(key)) : key);
    }
    if (run->log_group_name.len) {
        json_set_text(arena, metadata, "cloudwatch_log_group_name", run->log_group_name);
        json_set_text(arena, metadata, "cloudwatch_log_metadata_stream", stream);
    }
    struct slice text = json_to_slice(arena, metadata);
    if (run->log_uri.len)
        TRY(sink_put_object(&caller, run->log_uri, &(struct sink_object){.key = key, .content_type = S("application/json"), .body = text}));
    if (run->log_group_name.len) {
        struct log_line line = {.timestamp_ms = instant_now().ms, .message = text};
        TRY(sink_put_events(&caller, run->log_group_name, stream, &line, 1));
    }
    return NULL;
}

struct err *logship_read_object(struct logship *ship, const struct logship_run *run, struct arena *arena, struct slice bucket, struct slice key,
                                size_t max_bytes, struct slice *ret_text)
{
    struct sinks sinks = {.client = ship->client, .endpoint = ship->options.endpoint, .region = ship->options.region};
    struct sigv4_credentials credentials = log_credentials(run);
    struct sink_caller caller = {.arena = arena, .sinks = &sinks, .credentials = &credentials, .stop = &ship->stop};
    return sink_get_object(&caller, bucket, key, max_bytes, ret_text);
}

struct err *logship_open(struct logship *ship, const struct logship_run *what)
{
    mutex_lock(&ship->lock);
    bool open = log_run_find(ship, what->job_run_id) != NULL;
    mutex_unlock(&ship->lock);
    if (open)
        return NULL;
    struct log_run *fresh = log_run_new(ship, what);
    mutex_lock(&ship->lock);
    if (!log_run_find(ship, what->job_run_id)) {
        if (ship->stopping)
            log_run_stop(fresh);
        log_run_insert(ship, fresh);
        if (fresh->streams) /* left by an earlier start */
            condition_broadcast(&ship->work);
        fresh = NULL;
    }
    mutex_unlock(&ship->lock);
    if (fresh)
        log_run_free(fresh);
    return NULL;
}

void logship_container(struct logship *ship, struct slice job_run_id, struct slice pod, struct slice pod_uid, struct slice container,
                       enum logship_container_state state)
{
    if (!slice_eq(container, S(DRIVER_CONTAINER)) && !slice_eq(container, S(EXECUTOR_CONTAINER)))
        return; /* side cars have logs of their own; EMR's layout has no place for them */
    const struct slice names[] = {S("stdout"), S("stderr")};
    mutex_lock(&ship->lock);
    struct log_run *run = log_run_find(ship, job_run_id);
    if (run && run->what.no_executor_logs && slice_eq(container, S(EXECUTOR_CONTAINER)))
        run = NULL;
    for (size_t i = 0; run && i < ARRAY_SIZE(names); i++) {
        struct log_stream *s = log_run_add_stream(run, pod, container, names[i]);
        bool ended = state == LOGSHIP_CONTAINER_ENDED || run->finished;
        if (!log_stream_tell_pod(s, pod_uid, ended))
            continue;
        s->told = true;
        if (ended)
            log_stream_told_ended(s);
        log_stream_unstick(s);
        log_stream_read(s);
    }
    mutex_unlock(&ship->lock);
}

/* Under the lock: it is one short write. */
static struct err *append_line(struct log_stream *s, struct slice text)
{
    _cleanup_(fd_closep) int fd = -1;
    TRY(log_stream_open(s, &fd));
    if (lseek(fd, s->size, SEEK_SET) < 0) /* over what an earlier write left half done */
        return err_errno(errno, "seeking in %.*s", SLICE_ARG(s->path));
    TRY(err_wrap(fd_write_all(fd, text), "spooling %.*s", SLICE_ARG(s->path)));
    log_stream_grow(s, (int64_t)text.len);
    return NULL;
}

void logship_control_line(struct logship *ship, struct slice job_run_id, struct slice stream, struct slice line)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice pod = slice_fmt(arena, "%.*s-submitter", SLICE_ARG(job_run_id));
    struct slice text = slice_fmt(arena, "%.*s %.*s\n", SLICE_ARG(instant_iso8601_ms(arena, instant_now())), SLICE_ARG(line));
    struct err *e = NULL;
    mutex_lock(&ship->lock);
    struct log_run *run = log_run_find(ship, job_run_id);
    if (run && !run->what.no_control_logs) {
        struct log_stream *s = log_run_add_stream(run, pod, S(CONTROL_CONTAINER), stream);
        e = append_line(s, text);
        if (run->finished)
            log_stream_end(s);
        if (run->finished || log_run_wants(run, LOG_SINK_S3) || log_run_wants(run, LOG_SINK_CLOUDWATCH))
            condition_broadcast(&ship->work);
    }
    mutex_unlock(&ship->lock);
    if (e)
        log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", job_run_id), LOG_ERR(e));
    err_free(e);
}

void logship_finish(struct logship *ship, struct slice job_run_id)
{
    mutex_lock(&ship->lock);
    struct log_run *run = log_run_find(ship, job_run_id);
    if (run && !run->finished) {
        run->finished = true;
        run->finished_ms = monotonic_ms();
        for (struct log_stream *s = run->streams; s; s = s->next) {
            log_stream_told_ended(s);
            s->next_ended = true;
            if (s->told)
                log_stream_read(s); /* one that waits for a reader may go past the others now */
            else
                log_stream_end(s); /* its pod is gone, or it is a control stream: what was read counts */
        }
        condition_broadcast(&ship->work);
        condition_broadcast(&ship->quiet);
    }
    mutex_unlock(&ship->lock);
}

/* All of a run's files at once, and their directories: they are many. */
static struct err *sync_spool(const struct logship *ship)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    const char *dir = slice_cstr(arena, ship->options.spool_dir);
    _cleanup_(fd_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    thread_may_block("an fsync");
    if (fd < 0 || syncfs(fd) < 0)
        return err_errno(errno, "syncing %s", dir);
    return NULL;
}

bool logship_is_read(struct logship *ship, struct slice job_run_id)
{
    mutex_lock(&ship->lock);
    struct log_run *run = log_run_find(ship, job_run_id);
    bool read = run && run->finished, safe = run && run->spool_synced;
    for (const struct log_stream *s = run ? run->streams : NULL; s; s = s->next)
        read = read && s->ended;
    mutex_unlock(&ship->lock);
    if (read && !safe) { /* nothing of it changes any more, but for what shippers note */
        struct err *e = sync_spool(ship);
        safe = !e;
        if (e)
            log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", job_run_id), LOG_ERR(e));
        err_free(e);
        mutex_lock(&ship->lock);
        run = log_run_find(ship, job_run_id);
        if (run)
            run->spool_synced = safe;
        mutex_unlock(&ship->lock);
    }
    return read && safe;
}

bool logship_has_caught_up(struct logship *ship, struct slice job_run_id)
{
    bool caught_up = true;
    mutex_lock(&ship->lock);
    const struct log_run *run = log_run_find(ship, job_run_id);
    for (const struct log_stream *s = run ? run->streams : NULL; s; s = s->next)
        caught_up = caught_up && (s->ended || !s->told);
    mutex_unlock(&ship->lock);
    return caught_up;
}

static const char *trouble_of(const struct log_run *run)
{
    for (int sink = 0; sink < LOG_SINK_COUNT; sink++) {
        if (run->trouble[sink])
            return run->trouble[sink];
    }
    return run->read_trouble ? run->read_trouble : "they could not be read and shipped in time";
}

enum logship_state logship_state(struct logship *ship, struct arena *arena, struct slice job_run_id, struct slice *ret_trouble)
{
    mutex_lock(&ship->lock);
    struct log_run *run = log_run_find(ship, job_run_id);
    for (struct log_stream *s = run ? run->streams : NULL; s; s = s->next)
        log_stream_unstick(s);
    enum logship_state state = run ? log_run_state(run) : LOGSHIP_UNKNOWN;
    if (state == LOGSHIP_GIVEN_UP || (state == LOGSHIP_WHOLE && run->cut_short))
        *ret_trouble = slice_dup_cstr(arena, run->cut_short ? run->cut_short : trouble_of(run));
    mutex_unlock(&ship->lock);
    return state;
}

struct slice logship_tail(struct logship *ship, struct arena *arena, struct slice job_run_id, struct slice pod, struct slice stream, size_t max_bytes)
{
    struct slice path = SLICE_NONE, data = S("");
    int64_t size = 0, begin = 0;
    mutex_lock(&ship->lock);
    struct log_run *run = log_run_find(ship, job_run_id);
    for (struct log_stream *s = run ? run->streams : NULL; s; s = s->next) {
        if (slice_eq(s->pod, pod) && slice_eq(s->name, stream) && !log_stream_is_control(s)) {
            path = slice_dup(arena, s->path);
            size = s->size;
            begin = s->pod_begin == POD_BEGINS_AT_END ? size : s->pod_begin;
        }
    }
    mutex_unlock(&ship->lock);
    int64_t from = size - begin > (int64_t)max_bytes ? size - (int64_t)max_bytes : begin;
    struct err *e = path.ptr && size ? spool_read(arena, path.ptr, from, size, &data) : NULL;
    err_free(e); /* a tail is a help, not a need */
    ptrdiff_t newline = from > begin ? slice_index(data, '\n') : -1;
    struct spool_part part = {.data = newline >= 0 ? slice_from(data, (size_t)newline + 1) : data, .continues = from > begin && newline < 0};
    return spool_strip(arena, part);
}

void logship_close(struct logship *ship, struct slice job_run_id)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice dir = slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(ship->options.spool_dir), SLICE_ARG(job_run_id));
    mutex_lock(&ship->lock);
    struct log_run *run = log_run_find(ship, job_run_id);
    if (run) {
        run->closed = true;
        log_run_stop(run); /* ends the calls that run */
        condition_broadcast(&ship->quiet);
        while (run->users > 0)
            mutex_wait(&ship->quiet, &ship->lock);
        log_run_remove(ship, run);
    }
    mutex_unlock(&ship->lock);
    if (run)
        log_run_free(run);
    /* In one step: half a spool would be taken for one whose beginning was never shipped. */
    struct slice aside = slice_fmt(arena, "%.*s" REMOVED_SUFFIX, SLICE_ARG(dir));
    if (rename(dir.ptr, aside.ptr) < 0 && errno == ENOENT)
        return;
    struct err *e = tree_remove(aside.ptr);
    if (e)
        log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", job_run_id), LOG_ERR(e));
    err_free(e);
}
