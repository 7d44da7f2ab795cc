/* Streams hang under runs; both only under the lock. A stream has at most one reader thread, which appends to its spool, and at most one
 * shipper at a time (busy). Shippers (SHIPPER_COUNT threads) look for the stream that is due, copy what they need, work without the lock, and
 * write the result back.
 *
 * lock guards everything in struct logship, run and stream; client pointers, paths and credentials of a run never change once opened and a run is
 * freed only when no reader and no shipper has it (users == 0). */
#include "logship/logship.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/gzip.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "logship/sinks.h"
#include "logship/spool.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHIPPER_COUNT 4
#define READERS_MAX 128
#define CLOUDWATCH_EVERY_MS 1000
#define S3_EVERY_MS 8000
#define S3_LARGE_BYTES ((int64_t)16 << 20)
#define S3_LARGE_EVERY_MS 120000
#define SHIP_CHUNK_BYTES ((int64_t)4 << 20) /* of spool read for one PutLogEvents */
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 10000
#define GIVE_UP_MS 120000
#define READ_RETRY_MS 200
#define DEDUP_EVENTS 100
#define DRIVER_CONTAINER "spark-kubernetes-driver"
#define EXECUTOR_CONTAINER "spark-kubernetes-executor"
#define CONTROL_CONTAINER "control"

struct run;

struct stream {
    struct stream *next;
    struct run *run;
    struct slice pod, container, name; /* name: stdout or stderr */
    struct slice path;                 /* of the spool */
    int64_t size;                      /* bytes spooled */
    bool told_ended;                   /* the container has ended */
    bool reading, ended;               /* a reader has it; nothing more will come */
    bool busy;                         /* a shipper has it */
    bool resumed;                      /* spooled before this start: look what CloudWatch has before the first batch */
    int64_t cloudwatch_offset;         /* acknowledged */
    int64_t cloudwatch_last_ms;        /* time stamp of the last event sent */
    int64_t s3_size;                   /* bytes of the spool in the object, -1: none yet */
    int64_t cloudwatch_due_ms, s3_due_ms; /* monotonic: not before */
    int64_t retry_ms;                  /* back-off */
};

struct run {
    struct run *next;
    struct logship *ship;
    struct arena *arena;
    struct logship_run what;
    struct slice dir;
    struct stream *streams;
    bool finished;
    int64_t finished_ms;   /* monotonic */
    bool told;             /* the final state was announced */
    bool closed;
    int users;             /* readers and shippers inside */
    volatile bool stop;    /* readers and the http client look at it; set once */
    char *trouble;         /* of the last failed call, or NULL */
};

struct logship {
    struct logship_options options;
    struct http_client *client;
    pthread_mutex_t lock;
    pthread_cond_t work;   /* for shippers */
    pthread_cond_t quiet;  /* a user left */
    struct run *runs;
    int readers;
    bool stopping;
    pthread_t shippers[SHIPPER_COUNT];
    size_t shipper_count;
};

/* ---- small helpers, under the lock ---- */

static struct run *find_run(struct logship *ship, struct slice id)
{
    struct run *run = ship->runs;
    while (run && !(slice_eq(run->what.job_run_id, id) && !run->closed))
        run = run->next;
    return run;
}

static struct stream *find_stream(struct run *run, struct slice pod, struct slice container, struct slice name)
{
    struct stream *s = run->streams;
    while (s && !(slice_eq(s->pod, pod) && slice_eq(s->container, container) && slice_eq(s->name, name)))
        s = s->next;
    return s;
}

static bool is_control(const struct stream *s)
{
    return slice_eq(s->container, S(CONTROL_CONTAINER));
}

static struct slice ack_path(struct arena *arena, const struct stream *s)
{
    return slice_fmt(arena, "%.*s.ack", SLICE_ARG(s->path));
}

static struct stream *add_stream(struct run *run, struct slice pod, struct slice container, struct slice name)
{
    struct stream *s = find_stream(run, pod, container, name);
    if (s)
        return s;
    s = ARENA_NEW(run->arena, struct stream);
    *s = (struct stream){
        .run = run,
        .pod = slice_dup(run->arena, pod),
        .container = slice_dup(run->arena, container),
        .name = slice_dup(run->arena, name),
        .s3_size = -1,
    };
    s->path = slice_fmt(run->arena, "%.*s/%.*s", SLICE_ARG(run->dir), SLICE_ARG(spool_file_name(run->arena, pod, container, name)));
    struct stat st;
    if (stat(s->path.ptr, &st) == 0) {
        s->size = st.st_size;
        s->resumed = true;
        struct slice text;
        struct err *e = file_read(run->arena, ack_path(run->arena, s).ptr, 64, &text);
        if (e || !slice_to_i64(slice_trim(text), 0, s->size, &s->cloudwatch_offset))
            s->cloudwatch_offset = 0;
        err_free(e);
    }
    s->next = run->streams;
    run->streams = s;
    return s;
}

static bool wants_s3(const struct run *run)
{
    return run->what.log_uri.len > 0;
}

static bool wants_cloudwatch(const struct run *run)
{
    return run->what.log_group_name.len > 0;
}

static bool shipped(const struct stream *s)
{
    const struct run *run = s->run;
    return (!wants_s3(run) || s->s3_size == s->size) && (!wants_cloudwatch(run) || s->cloudwatch_offset == s->size);
}

static bool whole(const struct run *run)
{
    if (!run->finished)
        return false;
    for (const struct stream *s = run->streams; s; s = s->next) {
        if (!s->ended || s->busy || !shipped(s))
            return false;
    }
    return true;
}

/* Called without the lock. */
static void announce(struct logship *ship, struct slice run_id)
{
    if (ship->options.changed)
        ship->options.changed(ship->options.changed_ctx, run_id);
}

static void leave(struct run *run)
{
    run->users--;
    pthread_cond_broadcast(&run->ship->quiet);
}

/* ---- reading ---- */

struct reading {
    struct stream *stream;
    int fd;
    int64_t skip; /* bytes of the log that are spooled already */
};

static struct err *spool_bytes(void *ctx, struct slice data)
{
    struct reading *r = ctx;
    struct stream *s = r->stream;
    struct run *run = s->run;
    if (r->skip >= (int64_t)data.len) {
        r->skip -= (int64_t)data.len;
        return NULL;
    }
    data = slice_from(data, (size_t)r->skip);
    r->skip = 0;
    TRY(err_wrap(fd_write_all(r->fd, data), "spooling %.*s", SLICE_ARG(s->path)));
    pthread_mutex_lock(&run->ship->lock);
    s->size += (int64_t)data.len;
    pthread_cond_broadcast(&run->ship->work);
    pthread_mutex_unlock(&run->ship->lock);
    return NULL;
}

/* Reads the log once from its beginning, spooling what is new. */
static struct err *read_once(struct stream *s, int fd, bool follow)
{
    struct run *run = s->run;
    struct reading r = {.stream = s, .fd = fd, .skip = s->size};
    return k8s_log_read(run->what.client,
                        &(struct k8s_log_options){
                            .namespace_name = run->what.namespace_,
                            .pod = s->pod,
                            .container = s->container,
                            .stream = slice_eq(s->name, S("stdout")) ? K8S_LOG_STDOUT : K8S_LOG_STDERR,
                            .follow = follow,
                            .timestamps = true,
                        },
                        spool_bytes, &r, &run->stop);
}

static bool pause_reader(struct run *run, int64_t ms)
{
    int64_t until = monotonic_ms() + ms;
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    pthread_mutex_lock(&run->ship->lock);
    if (!run->ship->stopping && !run->stop)
        pthread_cond_timedwait(&run->ship->quiet, &run->ship->lock, &at);
    bool go_on = !run->ship->stopping && !run->stop;
    pthread_mutex_unlock(&run->ship->lock);
    return go_on;
}

static bool is_told_ended(struct stream *s)
{
    pthread_mutex_lock(&s->run->ship->lock);
    bool ended = s->told_ended;
    pthread_mutex_unlock(&s->run->ship->lock);
    return ended;
}

/* Follows until a complete read that began after the container's end. True: all there is was read. */
static bool read_stream(struct stream *s, int fd)
{
    for (;;) {
        bool last = is_told_ended(s);
        struct err *e = read_once(s, fd, !last);
        bool gone = e && e->kind == ERR_NOT_FOUND, disk = e && (e->kind == ERR_LIMIT || e->kind == ERR_INTERNAL);
        if (disk)
            log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", s->run->what.job_run_id), LOG_ERR(e));
        bool failed = e != NULL;
        err_free(e);
        if (gone || (last && !failed))
            return true;
        if (last && failed && !pause_reader(s->run, READ_RETRY_MS))
            return false;
        if (!last && !is_told_ended(s) && !pause_reader(s->run, READ_RETRY_MS))
            return false;
    }
}

static void *reader_main(void *arg)
{
    struct stream *s = arg;
    struct run *run = s->run;
    struct logship *ship = run->ship;
    pthread_setname_np(pthread_self(), "log-reader");
    _cleanup_(fd_closep) int fd = open(s->path.ptr, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bool done = false;
    if (fd >= 0)
        done = read_stream(s, fd);
    pthread_mutex_lock(&ship->lock);
    s->reading = false;
    s->ended = s->ended || done;
    ship->readers--;
    leave(run);
    pthread_cond_broadcast(&ship->work);
    pthread_mutex_unlock(&ship->lock);
    return NULL;
}

/* Under the lock. A stream that finds no reader is tried again when its container is told the next time. */
static void start_reader(struct stream *s)
{
    struct logship *ship = s->run->ship;
    if (s->reading || s->ended || is_control(s) || ship->stopping || ship->readers >= READERS_MAX)
        return;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    s->reading = true;
    s->run->users++;
    ship->readers++;
    if (pthread_create(&thread, &attributes, reader_main, s)) {
        s->reading = false;
        s->run->users--;
        ship->readers--;
    }
    pthread_attr_destroy(&attributes);
}

/* ---- shipping ---- */

enum sink { SINK_S3, SINK_CLOUDWATCH };

struct job {
    struct stream *stream;
    enum sink sink;
    int64_t size;  /* of the spool when the job was taken */
    bool ended;
};

static struct slice key_of(struct arena *arena, const struct stream *s, const char *suffix)
{
    const struct logship_run *w = &s->run->what;
    if (is_control(s))
        return slice_fmt(arena, "%.*s/jobs/%.*s/control-logs/%.*s/%.*s%s", SLICE_ARG(w->virtual_cluster_id), SLICE_ARG(w->job_run_id), SLICE_ARG(s->pod),
                         SLICE_ARG(s->name), suffix);
    return slice_fmt(arena, "%.*s/jobs/%.*s/containers/spark-%.*s/%.*s/%.*s%s", SLICE_ARG(w->virtual_cluster_id), SLICE_ARG(w->job_run_id),
                     SLICE_ARG(w->job_run_id), SLICE_ARG(s->pod), SLICE_ARG(s->name), suffix);
}

static struct slice stream_of(struct arena *arena, const struct logship_run *w, struct slice key)
{
    struct slice prefix = w->log_stream_name_prefix;
    return prefix.len ? slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(prefix), SLICE_ARG(key)) : key;
}

static struct sink_caller caller_of(struct arena *arena, const struct sinks *sinks, const struct sigv4_credentials *credentials)
{
    return (struct sink_caller){.arena = arena, .sinks = sinks, .credentials = credentials};
}

static struct sigv4_credentials credentials_of(const struct logship_run *w)
{
    return (struct sigv4_credentials){.access_key_id = w->access_key_id, .secret = w->secret_access_key, .session_token = w->session_token};
}

static struct err *ship_s3(struct logship *ship, struct arena *arena, const struct job *job)
{
    struct stream *s = job->stream;
    const struct logship_run *w = &s->run->what;
    struct sinks sinks = {.client = ship->client, .endpoint = ship->options.endpoint, .region = ship->options.region};
    struct sigv4_credentials credentials = credentials_of(w);
    struct sink_caller caller = caller_of(arena, &sinks, &credentials);
    struct slice data = S("");
    if (job->size)
        TRY(spool_read(arena, s->path.ptr, 0, job->size, &data));
    struct strbuf packed = STRBUF_ARENA(arena);
    gzip_append(&packed, spool_strip(arena, data));
    return sink_put_object(&caller, w->log_uri, key_of(arena, s, ".gz"), S("application/gzip"), strbuf_slice(&packed));
}

/* Ships one batch; *ret_offset: what is acknowledged now, *ret_last_ms: the last event's time. */
static struct err *ship_cloudwatch(struct logship *ship, struct arena *arena, const struct job *job, int64_t *ret_offset, int64_t *ret_last_ms)
{
    struct stream *s = job->stream;
    const struct logship_run *w = &s->run->what;
    struct sinks sinks = {.client = ship->client, .endpoint = ship->options.endpoint, .region = ship->options.region};
    struct sigv4_credentials credentials = credentials_of(w);
    struct sink_caller caller = caller_of(arena, &sinks, &credentials);
    struct slice stream = stream_of(arena, w, key_of(arena, s, "")), data;
    int64_t from = s->cloudwatch_offset, to = job->size - from > SHIP_CHUNK_BYTES ? from + SHIP_CHUNK_BYTES : job->size;
    TRY(spool_read(arena, s->path.ptr, from, to, &data));
    if (s->resumed) {
        struct log_line *last;
        size_t count;
        TRY(sink_last_events(&caller, w->log_group_name, stream, DEDUP_EVENTS, &last, &count));
        int64_t sent = spool_find_sent(arena, data, last, count, 0);
        from += sent;
        data = slice_from(data, (size_t)sent);
    }
    bool all = job->ended && to == job->size;
    struct spool_batch batch = spool_next_batch(arena, data, all, s->cloudwatch_last_ms);
    *ret_offset = from + batch.next_offset;
    *ret_last_ms = batch.count ? batch.lines[batch.count - 1].timestamp_ms : s->cloudwatch_last_ms;
    if (batch.count)
        TRY(sink_put_events(&caller, w->log_group_name, stream, batch.lines, batch.count));
    if (*ret_offset != s->cloudwatch_offset)
        TRY(file_write_atomic(ack_path(arena, s).ptr, slice_fmt(arena, "%lld", (long long)*ret_offset), 0600));
    return NULL;
}

/* Under the lock: what is due now, or when something will be (monotonic; 0: nothing known). */
static bool find_job(struct logship *ship, struct job *ret_job, int64_t *ret_next_ms)
{
    int64_t now = monotonic_ms();
    *ret_next_ms = 0;
    for (struct run *run = ship->runs; run; run = run->next) {
        if (run->closed)
            continue;
        for (struct stream *s = run->streams; s; s = s->next) {
            if (s->busy)
                continue;
            bool cloudwatch = wants_cloudwatch(run) && s->cloudwatch_offset < s->size, s3 = wants_s3(run) && (s->ended ? s->s3_size != s->size : s->s3_size < s->size && s->size > 0);
            int64_t cloudwatch_due = s->ended && !s->retry_ms ? now : s->cloudwatch_due_ms, s3_due = s->ended && !s->retry_ms ? now : s->s3_due_ms;
            bool first = cloudwatch && (!s3 || cloudwatch_due <= s3_due || cloudwatch_due <= now);
            if (!cloudwatch && !s3)
                continue;
            int64_t due = first ? cloudwatch_due : s3_due;
            if (due <= now) {
                *ret_job = (struct job){.stream = s, .sink = first ? SINK_CLOUDWATCH : SINK_S3, .size = s->size, .ended = s->ended};
                return true;
            }
            if (!*ret_next_ms || due < *ret_next_ms)
                *ret_next_ms = due;
        }
        if (run->finished && !run->told && !whole(run)) {
            int64_t give_up = run->finished_ms + GIVE_UP_MS;
            if (!*ret_next_ms || give_up < *ret_next_ms)
                *ret_next_ms = give_up;
        }
    }
    return false;
}

static void set_trouble(struct run *run, const struct err *e)
{
    free(run->trouble);
    run->trouble = e ? xstrdup(e->message) : NULL;
}

/* Under the lock, after a job: the result into the stream. */
static void settle(const struct job *job, const struct err *e, int64_t offset, int64_t last_ms)
{
    struct stream *s = job->stream;
    int64_t now = monotonic_ms();
    if (e) {
        s->retry_ms = s->retry_ms ? (s->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : s->retry_ms * 2) : RETRY_MIN_MS;
        s->cloudwatch_due_ms = s->s3_due_ms = now + s->retry_ms;
        set_trouble(s->run, e);
        return;
    }
    s->retry_ms = 0;
    set_trouble(s->run, NULL);
    if (job->sink == SINK_S3) {
        s->s3_size = job->size;
        s->s3_due_ms = now + (s->size > S3_LARGE_BYTES ? S3_LARGE_EVERY_MS : S3_EVERY_MS);
        return;
    }
    bool progress = offset > s->cloudwatch_offset;
    s->cloudwatch_offset = offset;
    s->cloudwatch_last_ms = last_ms;
    s->resumed = false;
    s->cloudwatch_due_ms = now + (progress && s->size - offset > SHIP_CHUNK_BYTES ? 0 : CLOUDWATCH_EVERY_MS);
}

static void do_job(struct logship *ship, const struct job *job)
{
    struct stream *s = job->stream;
    struct run *run = s->run;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    int64_t offset = s->cloudwatch_offset, last_ms = s->cloudwatch_last_ms; /* only a shipper changes them, and we are it */
    struct err *e = job->sink == SINK_S3 ? ship_s3(ship, arena, job) : ship_cloudwatch(ship, arena, job, &offset, &last_ms);
    if (e)
        log_event(LOG_SHIPPING_TROUBLE, LOG_SLICE("jobRunId", run->what.job_run_id), LOG_SLICE("pod", s->pod), LOG_ERR(e));
    pthread_mutex_lock(&ship->lock);
    settle(job, e, offset, last_ms);
    s->busy = false;
    struct slice id = slice_dup(arena, run->what.job_run_id);
    bool tell = !run->told && whole(run);
    run->told = run->told || tell;
    leave(run);
    pthread_mutex_unlock(&ship->lock);
    err_free(e);
    if (tell)
        announce(ship, id);
}

/* Under the lock: runs that became whole without a shipment (no sink, empty logs), or whose time is over. Returns one to announce. */
static bool find_settled(struct logship *ship, struct arena *arena, struct slice *ret_id)
{
    for (struct run *run = ship->runs; run; run = run->next) {
        if (run->closed || run->told || !run->finished)
            continue;
        if (whole(run) || monotonic_ms() - run->finished_ms >= GIVE_UP_MS) {
            run->told = true;
            *ret_id = slice_dup(arena, run->what.job_run_id);
            return true;
        }
    }
    return false;
}

static void *shipper_main(void *arg)
{
    struct logship *ship = arg;
    pthread_setname_np(pthread_self(), "log-shipper");
    pthread_mutex_lock(&ship->lock);
    while (!ship->stopping) {
        struct job job;
        int64_t next;
        struct slice id;
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        if (find_settled(ship, arena, &id)) {
            pthread_mutex_unlock(&ship->lock);
            announce(ship, id);
            pthread_mutex_lock(&ship->lock);
        } else if (find_job(ship, &job, &next)) {
            job.stream->busy = true;
            job.stream->run->users++;
            pthread_mutex_unlock(&ship->lock);
            do_job(ship, &job);
            pthread_mutex_lock(&ship->lock);
        } else if (next) {
            struct timespec at = {.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000};
            pthread_cond_timedwait(&ship->work, &ship->lock, &at);
        } else {
            pthread_cond_wait(&ship->work, &ship->lock);
        }
    }
    pthread_mutex_unlock(&ship->lock);
    return NULL;
}

/* ---- doors ---- */

struct err *logship_start(const struct logship_options *options, struct logship **ret_ship)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    TRY(dir_make(slice_cstr(arena, options->spool_dir), 0700));
    struct logship *ship = xcalloc(1, sizeof(*ship));
    ship->options = *options;
    struct err *e = http_client_new(&(struct http_client_options){0}, &ship->client);
    if (e) {
        free(ship);
        return e;
    }
    pthread_mutex_init(&ship->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&ship->work, &attributes);
    pthread_cond_init(&ship->quiet, &attributes);
    pthread_condattr_destroy(&attributes);
    while (ship->shipper_count < SHIPPER_COUNT) {
        int result = pthread_create(&ship->shippers[ship->shipper_count], NULL, shipper_main, ship);
        if (result) {
            logship_stop(ship);
            return err_errno(result, "starting a log shipper");
        }
        ship->shipper_count++;
    }
    *ret_ship = ship;
    return NULL;
}

static void run_free(struct run *run)
{
    free(run->trouble);
    arena_free(run->arena);
    free(run);
}

void logship_stop(struct logship *ship)
{
    if (!ship)
        return;
    pthread_mutex_lock(&ship->lock);
    ship->stopping = true;
    for (struct run *run = ship->runs; run; run = run->next)
        run->stop = true;
    pthread_cond_broadcast(&ship->work);
    pthread_cond_broadcast(&ship->quiet);
    while (ship->readers > 0)
        pthread_cond_wait(&ship->quiet, &ship->lock);
    pthread_mutex_unlock(&ship->lock);
    for (size_t i = 0; i < ship->shipper_count; i++)
        pthread_join(ship->shippers[i], NULL);
    for (struct run *run = ship->runs; run;) {
        struct run *next = run->next;
        run_free(run);
        run = next;
    }
    http_client_free(ship->client);
    pthread_cond_destroy(&ship->work);
    pthread_cond_destroy(&ship->quiet);
    pthread_mutex_destroy(&ship->lock);
    free(ship);
}

struct err *logship_check(struct logship *ship, const struct logship_run *run)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct sinks sinks = {.client = ship->client, .endpoint = ship->options.endpoint, .region = ship->options.region};
    struct sigv4_credentials credentials = credentials_of(run);
    struct sink_caller caller = caller_of(arena, &sinks, &credentials);
    struct slice key = slice_fmt(arena, "%.*s/jobs/%.*s/job-metadata.log", SLICE_ARG(run->virtual_cluster_id), SLICE_ARG(run->job_run_id));
    struct slice stream = stream_of(arena, run, key);
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

static void copy_run(struct run *run, const struct logship_run *what)
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

static void resume_streams(struct run *run)
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
    struct run *fresh = xcalloc(1, sizeof(*fresh));
    fresh->ship = ship;
    fresh->arena = arena_new();
    fresh->dir = slice_fmt(fresh->arena, "%.*s/%.*s", SLICE_ARG(ship->options.spool_dir), SLICE_ARG(what->job_run_id));
    copy_run(fresh, what);
    struct err *e = dir_make(fresh->dir.ptr, 0700);
    pthread_mutex_lock(&ship->lock);
    if (!e && !find_run(ship, what->job_run_id)) {
        resume_streams(fresh);
        fresh->next = ship->runs;
        ship->runs = fresh;
        fresh = NULL;
        pthread_cond_broadcast(&ship->work);
    }
    pthread_mutex_unlock(&ship->lock);
    if (fresh)
        run_free(fresh);
    return e;
}

void logship_container(struct logship *ship, struct slice job_run_id, struct slice pod, struct slice container, enum logship_container_state state)
{
    if (!slice_eq(container, S(DRIVER_CONTAINER)) && !slice_eq(container, S(EXECUTOR_CONTAINER)))
        return; /* side cars have logs of their own; EMR's layout has no place for them */
    const struct slice names[] = {S("stdout"), S("stderr")};
    pthread_mutex_lock(&ship->lock);
    struct run *run = find_run(ship, job_run_id);
    for (size_t i = 0; run && i < ARRAY_SIZE(names); i++) {
        struct stream *s = add_stream(run, pod, container, names[i]);
        if (state == LOGSHIP_CONTAINER_ENDED && !s->told_ended) {
            s->told_ended = true;
            pthread_cond_broadcast(&ship->quiet); /* a waiting reader makes its last round */
        }
        start_reader(s);
    }
    pthread_mutex_unlock(&ship->lock);
}

void logship_control_line(struct logship *ship, struct slice job_run_id, struct slice stream, struct slice line)
{
    pthread_mutex_lock(&ship->lock);
    struct run *run = find_run(ship, job_run_id);
    if (run) {
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        struct stream *s = add_stream(run, slice_fmt(arena, "%.*s-submitter", SLICE_ARG(job_run_id)), S(CONTROL_CONTAINER), stream);
        struct slice text = slice_fmt(arena, "%.*s %.*s\n", SLICE_ARG(instant_iso8601_ms(arena, instant_now())), SLICE_ARG(line));
        _cleanup_(fd_closep) int fd = open(s->path.ptr, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        struct err *e = fd < 0 ? err_errno(errno, "opening %.*s", SLICE_ARG(s->path)) : fd_write_all(fd, text);
        if (e)
            log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", job_run_id), LOG_ERR(e));
        else
            s->size += (int64_t)text.len;
        err_free(e);
        pthread_cond_broadcast(&ship->work);
    }
    pthread_mutex_unlock(&ship->lock);
}

void logship_finish(struct logship *ship, struct slice job_run_id)
{
    pthread_mutex_lock(&ship->lock);
    struct run *run = find_run(ship, job_run_id);
    if (run && !run->finished) {
        run->finished = true;
        run->finished_ms = monotonic_ms();
    }
    for (struct stream *s = run ? run->streams : NULL; s; s = s->next) {
        if (!s->told_ended)
            s->told_ended = true;
        if (!s->reading)
            s->ended = true; /* its pod is gone, or it is a control stream: what was read counts */
    }
    if (run) {
        pthread_cond_broadcast(&ship->work);
        pthread_cond_broadcast(&ship->quiet);
    }
    pthread_mutex_unlock(&ship->lock);
}

enum logship_state logship_state(struct logship *ship, struct arena *arena, struct slice job_run_id, struct slice *ret_trouble)
{
    enum logship_state state = LOGSHIP_UNKNOWN;
    pthread_mutex_lock(&ship->lock);
    struct run *run = find_run(ship, job_run_id);
    if (run)
        state = whole(run) ? LOGSHIP_WHOLE
                           : run->finished && monotonic_ms() - run->finished_ms >= GIVE_UP_MS ? LOGSHIP_GIVEN_UP : LOGSHIP_SHIPPING;
    if (state == LOGSHIP_GIVEN_UP)
        *ret_trouble = slice_dup_cstr(arena, run->trouble ? run->trouble : "the logs could not be read to their end");
    pthread_mutex_unlock(&ship->lock);
    return state;
}

struct slice logship_tail(struct logship *ship, struct arena *arena, struct slice job_run_id, struct slice pod, struct slice stream, size_t max_bytes)
{
    struct slice path = SLICE_NONE, data = S("");
    int64_t size = 0;
    pthread_mutex_lock(&ship->lock);
    struct run *run = find_run(ship, job_run_id);
    for (struct stream *s = run ? run->streams : NULL; s; s = s->next) {
        if (slice_eq(s->pod, pod) && slice_eq(s->name, stream) && !is_control(s)) {
            path = slice_dup(arena, s->path);
            size = s->size;
        }
    }
    pthread_mutex_unlock(&ship->lock);
    int64_t from = size > (int64_t)max_bytes ? size - (int64_t)max_bytes : 0;
    struct err *e = path.ptr && size ? spool_read(arena, path.ptr, from, size, &data) : NULL;
    err_free(e); /* a tail is a help, not a need */
    ptrdiff_t newline = from ? slice_index(data, '\n') : -1;
    return spool_strip(arena, newline >= 0 ? slice_from(data, (size_t)newline + 1) : data);
}

void logship_close(struct logship *ship, struct slice job_run_id)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice dir = slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(ship->options.spool_dir), SLICE_ARG(job_run_id));
    pthread_mutex_lock(&ship->lock);
    struct run *run = find_run(ship, job_run_id);
    if (run) {
        run->closed = true;
        run->stop = true;
        pthread_cond_broadcast(&ship->quiet);
        while (run->users > 0 && !ship->stopping)
            pthread_cond_wait(&ship->quiet, &ship->lock);
        if (run->users == 0) {
            struct run **link = &ship->runs;
            while (*link != run)
                link = &(*link)->next;
            *link = run->next;
        } else {
            run = NULL; /* the daemon stops: logship_stop frees it */
        }
    }
    pthread_mutex_unlock(&ship->lock);
    if (run)
        run_free(run);
    struct err *e = tree_remove(dir.ptr);
    if (e)
        log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", job_run_id), LOG_ERR(e));
    err_free(e);
}
