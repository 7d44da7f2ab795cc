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

/* ---- names ---- */

bool log_stream_is_control(const struct log_stream *s)
{
    return slice_eq(s->container, S(CONTROL_CONTAINER));
}

struct slice log_stream_key(struct arena *arena, const struct log_stream *s, const char *suffix)
{
    const struct logship_run *w = &s->run->what;
    if (log_stream_is_control(s))
        return slice_fmt(arena, "%.*s/jobs/%.*s/control-logs/%.*s/%.*s%s", SLICE_ARG(w->virtual_cluster_id), SLICE_ARG(w->job_run_id), SLICE_ARG(s->pod),
                         SLICE_ARG(s->name), suffix);
    return slice_fmt(arena, "%.*s/jobs/%.*s/containers/spark-%.*s/%.*s/%.*s%s", SLICE_ARG(w->virtual_cluster_id), SLICE_ARG(w->job_run_id),
                     SLICE_ARG(w->job_run_id), SLICE_ARG(s->pod), SLICE_ARG(s->name), suffix);
}

struct slice log_cloudwatch_stream(struct arena *arena, const struct logship_run *w, struct slice key)
{
    struct slice prefix = w->log_stream_name_prefix;
    return prefix.len ? slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(prefix), SLICE_ARG(key)) : key;
}

struct sigv4_credentials log_credentials(const struct logship_run *w)
{
    return (struct sigv4_credentials){.access_key_id = w->access_key_id, .secret = w->secret_access_key, .session_token = w->session_token};
}

/* ---- runs and streams, under the lock ---- */

static struct log_run **bucket_of(struct logship *ship, struct slice id)
{
    return &ship->buckets[slice_hash(id) % LOG_RUN_BUCKETS];
}

static struct log_run *find_run(struct logship *ship, struct slice id)
{
    struct log_run *run = *bucket_of(ship, id);
    while (run && !(slice_eq(run->what.job_run_id, id) && !run->closed))
        run = run->bucket_next;
    return run;
}

static void insert_run(struct logship *ship, struct log_run *run)
{
    struct log_run **bucket = bucket_of(ship, run->what.job_run_id);
    run->next = ship->runs;
    ship->runs = run;
    run->bucket_next = *bucket;
    *bucket = run;
}

static void remove_run(struct logship *ship, struct log_run *run)
{
    struct log_run **link = &ship->runs;
    while (*link != run)
        link = &(*link)->next;
    *link = run->next;
    link = bucket_of(ship, run->what.job_run_id);
    while (*link != run)
        link = &(*link)->bucket_next;
    *link = run->bucket_next;
}

bool log_run_wants(const struct log_run *run, enum log_sink sink)
{
    return (sink == LOG_SINK_S3 ? run->what.log_uri : run->what.log_group_name).len > 0;
}

bool log_run_is_whole(const struct log_run *run)
{
    if (!run->finished)
        return false;
    for (const struct log_stream *s = run->streams; s; s = s->next) {
        if (!s->ended)
            return false;
        for (int sink = 0; sink < LOG_SINK_COUNT; sink++) {
            const struct log_lane *lane = &s->lanes[sink];
            if (log_run_wants(run, (enum log_sink)sink) && (lane->busy || lane->acked != s->size))
                return false;
        }
    }
    return true;
}

enum logship_state log_run_state(const struct log_run *run)
{
    if (log_run_is_whole(run))
        return LOGSHIP_WHOLE;
    return run->finished && monotonic_ms() - run->finished_ms >= run->ship->options.give_up_ms ? LOGSHIP_GIVEN_UP : LOGSHIP_SHIPPING;
}

void log_stream_end(struct log_stream *s)
{
    if (s->ended)
        return;
    s->ended = true;
    for (int sink = 0; sink < LOG_SINK_COUNT; sink++) {
        if (!s->lanes[sink].retry_ms)
            s->lanes[sink].due_ms = monotonic_ms();
    }
}

void log_run_leave(struct log_run *run)
{
    run->users--;
    condition_broadcast(&run->ship->quiet);
}

void log_run_set_trouble(char **trouble, const struct err *e)
{
    free(*trouble);
    *trouble = e ? xstrdup(e->message) : NULL;
}

static void resume_stream(struct log_stream *s)
{
    struct stat st;
    if (stat(s->path.ptr, &st) != 0)
        return;
    s->size = st.st_size;
    struct err *e = spool_progress_read(s->progress_path.ptr, &s->progress);
    if (e)
        log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", s->run->what.job_run_id), LOG_ERR(e));
    err_free(e);
    if (s->progress.offset > s->size)
        s->progress = (struct spool_progress){.offset = s->size, .last_ms = s->progress.last_ms};
    s->unsure = s->progress.sending_offset > s->progress.offset;
    s->lanes[LOG_SINK_CLOUDWATCH].acked = s->progress.offset;
}

static struct log_stream *add_stream(struct log_run *run, struct slice pod, struct slice container, struct slice name)
{
    struct log_stream *s = run->streams;
    while (s && !(slice_eq(s->pod, pod) && slice_eq(s->container, container) && slice_eq(s->name, name)))
        s = s->next;
    if (s)
        return s;
    s = ARENA_NEW(run->arena, struct log_stream);
    *s = (struct log_stream){
        .run = run,
        .pod = slice_dup(run->arena, pod),
        .container = slice_dup(run->arena, container),
        .name = slice_dup(run->arena, name),
        .lanes[LOG_SINK_S3] = {.acked = -1},
    };
    s->path = slice_fmt(run->arena, "%.*s/%.*s", SLICE_ARG(run->dir), SLICE_ARG(spool_file_name(run->arena, pod, container, name)));
    s->progress_path = slice_fmt(run->arena, "%.*s.progress", SLICE_ARG(s->path));
    resume_stream(s);
    s->next = run->streams;
    run->streams = s;
    return s;
}

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

static void run_free(struct log_run *run)
{
    for (int sink = 0; sink < LOG_SINK_COUNT; sink++)
        free(run->trouble[sink]);
    free(run->read_trouble);
    secret_wipe((char *)(uintptr_t)run->what.secret_access_key.ptr, run->what.secret_access_key.len);
    secret_wipe((char *)(uintptr_t)run->what.session_token.ptr, run->what.session_token.len);
    arena_free(run->arena);
    free(run);
}

void logship_interrupt(struct logship *ship)
{
    if (!ship)
        return;
    mutex_lock(&ship->lock);
    ship->stopping = true;
    __atomic_store_n(&ship->stop, true, __ATOMIC_RELAXED);
    for (struct log_run *run = ship->runs; run; run = run->next)
        __atomic_store_n(&run->stop, true, __ATOMIC_RELAXED);
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
        run_free(run);
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
        TRY(sink_put_object(&caller, run->log_uri, key, S("application/json"), text));
    if (run->log_group_name.len) {
        struct log_line line = {.timestamp_ms = instant_now().ms, .message = text};
        TRY(sink_put_events(&caller, run->log_group_name, stream, &line, 1));
    }
    return NULL;
}

static void copy_run(struct log_run *run, const struct logship_run *what)
{
    struct arena *a = run->arena;
    run->what = (struct logship_run){
        .job_run_id = slice_dup(a, what->job_run_id),
        .virtual_cluster_id = slice_dup(a, what->virtual_cluster_id),
        .client = what->client,
        .namespace_ = slice_dup(a, what->namespace_),
        .access_key_id = slice_dup(a, what->access_key_id),
        .secret_access_key = slice_dup(a, what->secret_access_key),
        .session_token = slice_dup(a, what->session_token),
        .log_uri = slice_dup(a, what->log_uri),
        .log_group_name = slice_dup(a, what->log_group_name),
        .log_stream_name_prefix = slice_dup(a, what->log_stream_name_prefix),
    };
}

static void resume_streams(struct log_run *run)
{
    DIR *dir = opendir(run->dir.ptr);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct slice pod, container, name;
        if (spool_parse_file_name(slice_from_cstr(entry->d_name), &pod, &container, &name))
            add_stream(run, pod, container, name);
    }
    if (dir)
        closedir(dir);
}

struct err *logship_open(struct logship *ship, const struct logship_run *what)
{
    mutex_lock(&ship->lock);
    bool open = find_run(ship, what->job_run_id) != NULL;
    mutex_unlock(&ship->lock);
    if (open)
        return NULL;
    struct log_run *fresh = xcalloc(1, sizeof(*fresh));
    fresh->ship = ship;
    fresh->arena = arena_new();
    fresh->announced = LOGSHIP_SHIPPING;
    fresh->dir = slice_fmt(fresh->arena, "%.*s/%.*s", SLICE_ARG(ship->options.spool_dir), SLICE_ARG(what->job_run_id));
    copy_run(fresh, what);
    struct err *e = dir_make(fresh->dir.ptr, 0700);
    if (!e)
        resume_streams(fresh);
    mutex_lock(&ship->lock);
    if (!e && !find_run(ship, what->job_run_id)) {
        fresh->stop = ship->stopping;
        insert_run(ship, fresh);
        if (fresh->streams) /* left by an earlier start */
            condition_broadcast(&ship->work);
        fresh = NULL;
    }
    mutex_unlock(&ship->lock);
    if (fresh)
        run_free(fresh);
    return e;
}

void logship_container(struct logship *ship, struct slice job_run_id, struct slice pod, struct slice container, enum logship_container_state state)
{
    if (!slice_eq(container, S(DRIVER_CONTAINER)) && !slice_eq(container, S(EXECUTOR_CONTAINER)))
        return; /* side cars have logs of their own; EMR's layout has no place for them */
    const struct slice names[] = {S("stdout"), S("stderr")};
    mutex_lock(&ship->lock);
    struct log_run *run = find_run(ship, job_run_id);
    for (size_t i = 0; run && i < ARRAY_SIZE(names); i++) {
        struct log_stream *s = add_stream(run, pod, container, names[i]);
        s->told = true;
        if ((state == LOGSHIP_CONTAINER_ENDED || run->finished) && !s->told_ended) {
            s->told_ended = true;
            condition_broadcast(&ship->quiet); /* a waiting reader makes its last round */
        }
        log_stream_read(s);
    }
    mutex_unlock(&ship->lock);
}

/* Under the lock: it is one short write. */
static struct err *append_line(struct log_stream *s, struct slice text)
{
    _cleanup_(fd_closep) int fd = open(s->path.ptr, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "opening %.*s", SLICE_ARG(s->path));
    if (lseek(fd, s->size, SEEK_SET) < 0) /* over what an earlier write left half done */
        return err_errno(errno, "seeking in %.*s", SLICE_ARG(s->path));
    TRY(err_wrap(fd_write_all(fd, text), "spooling %.*s", SLICE_ARG(s->path)));
    s->size += (int64_t)text.len;
    return NULL;
}

void logship_control_line(struct logship *ship, struct slice job_run_id, struct slice stream, struct slice line)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice pod = slice_fmt(arena, "%.*s-submitter", SLICE_ARG(job_run_id));
    struct slice text = slice_fmt(arena, "%.*s %.*s\n", SLICE_ARG(instant_iso8601_ms(arena, instant_now())), SLICE_ARG(line));
    struct err *e = NULL;
    mutex_lock(&ship->lock);
    struct log_run *run = find_run(ship, job_run_id);
    if (run) {
        struct log_stream *s = add_stream(run, pod, S(CONTROL_CONTAINER), stream);
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
    struct log_run *run = find_run(ship, job_run_id);
    if (run && !run->finished) {
        run->finished = true;
        run->finished_ms = monotonic_ms();
        for (struct log_stream *s = run->streams; s; s = s->next) {
            s->told_ended = true;
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

bool logship_is_read(struct logship *ship, struct slice job_run_id)
{
    mutex_lock(&ship->lock);
    const struct log_run *run = find_run(ship, job_run_id);
    bool read = run && run->finished;
    for (const struct log_stream *s = run ? run->streams : NULL; s; s = s->next)
        read = read && s->ended;
    mutex_unlock(&ship->lock);
    return read;
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
    const struct log_run *run = find_run(ship, job_run_id);
    enum logship_state state = run ? log_run_state(run) : LOGSHIP_UNKNOWN;
    if (state == LOGSHIP_GIVEN_UP)
        *ret_trouble = slice_dup_cstr(arena, trouble_of(run));
    mutex_unlock(&ship->lock);
    return state;
}

struct slice logship_tail(struct logship *ship, struct arena *arena, struct slice job_run_id, struct slice pod, struct slice stream, size_t max_bytes)
{
    struct slice path = SLICE_NONE, data = S("");
    int64_t size = 0;
    mutex_lock(&ship->lock);
    struct log_run *run = find_run(ship, job_run_id);
    for (struct log_stream *s = run ? run->streams : NULL; s; s = s->next) {
        if (slice_eq(s->pod, pod) && slice_eq(s->name, stream) && !log_stream_is_control(s)) {
            path = slice_dup(arena, s->path);
            size = s->size;
        }
    }
    mutex_unlock(&ship->lock);
    int64_t from = size > (int64_t)max_bytes ? size - (int64_t)max_bytes : 0;
    struct err *e = path.ptr && size ? spool_read(arena, path.ptr, from, size, &data) : NULL;
    err_free(e); /* a tail is a help, not a need */
    ptrdiff_t newline = from ? slice_index(data, '\n') : -1;
    struct spool_part part = {.data = newline >= 0 ? slice_from(data, (size_t)newline + 1) : data, .continues = from && newline < 0};
    return spool_strip(arena, part);
}

void logship_close(struct logship *ship, struct slice job_run_id)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice dir = slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(ship->options.spool_dir), SLICE_ARG(job_run_id));
    mutex_lock(&ship->lock);
    struct log_run *run = find_run(ship, job_run_id);
    if (run) {
        run->closed = true;
        __atomic_store_n(&run->stop, true, __ATOMIC_RELAXED); /* ends the calls that run */
        condition_broadcast(&ship->quiet);
        while (run->users > 0)
            mutex_wait(&ship->quiet, &ship->lock);
        remove_run(ship, run);
    }
    mutex_unlock(&ship->lock);
    if (run)
        run_free(run);
    /* In one step: half a spool would be taken for one whose beginning was never shipped. */
    struct slice aside = slice_fmt(arena, "%.*s" REMOVED_SUFFIX, SLICE_ARG(dir));
    if (rename(dir.ptr, aside.ptr) < 0 && errno == ENOENT)
        return;
    struct err *e = tree_remove(aside.ptr);
    if (e)
        log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", job_run_id), LOG_ERR(e));
    err_free(e);
}
