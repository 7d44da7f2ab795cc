/* Shippers: from the spools to the sinks. */
#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "logship/logship_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK_BYTES ((int64_t)3 << 19) /* of a spool, in memory at a time: more than one PutLogEvents takes, time stamps included */
#define ROTATED_AT_ONCE 16
#define KEPT_BYTES ((int64_t)8 << 20)      /* of a spool whose shipped part is given back: for the log's tail and for what a crash may make us ask */
#define FREE_STEP_BYTES ((int64_t)4 << 20)
#define LARGE_BYTES ((int64_t)16 << 20)
#define BEFORE_BYTES ((int64_t)256 << 10)
#define DEDUP_EVENTS 1000
#define RETRY_MIN_MS 500

struct job {
    struct log_stream *stream;
    enum log_sink sink;
    int64_t size; /* of the spool when the job was taken */
    bool ended;
    /* the result */
    int64_t acked;
    bool more; /* there is more than one request took */
};

/* ---- S3 ---- */

static struct err *put_log(const struct sink_caller *caller, const struct log_stream *s, const char *suffix, struct slice rotated, struct slice packed)
{
    const struct sink_object object = {
        .key = log_stream_key(caller->arena, s, suffix), .content_type = S("application/gzip"), .body = packed, .rotated = rotated};
    return sink_put_object(caller, s->run->what.log_uri, &object);
}

/* The objects that are full, a few at a time: others wait for a shipper too. *ret_more: there may be another. */
static struct err *ship_rotated(const struct sink_caller *caller, struct log_stream *s, int64_t size, bool *ret_more)
{
    const struct logship_run *what = &s->run->what;
    *ret_more = false;
    for (int i = 0; i < ROTATED_AT_ONCE && s->rotation.start < size; i++) {
        struct rotation_cut cut;
        _cleanup_(packed_deinit) struct packed packed = PACKED_EMPTY;
        TRY(rotation_find(s->path.ptr, s->rotation.start, size, what->rotation_bytes, s->rotation.last_ms, &cut));
        if (!cut.full)
            return NULL;
        struct rotation next = {.start = cut.end, .index = s->rotation.index + 1, .last_ms = cut.last_ms, .freed = s->rotation.freed};
        struct slice suffix = rotation_suffix(caller->arena, next.last_ms, next.index);
        TRY(rotation_pack(s->path.ptr, s->rotation.start, next.start, &packed));
        TRY(put_log(caller, s, suffix.ptr, SLICE_NONE, packed_bytes(&packed)));
        TRY(rotation_write(s->rotation_path.ptr, &next, false)); /* if a power cut takes it, the same object is put again */
        s->rotation = next;
        mutex_lock(&s->run->ship->lock);
        s->run->progress_ms = monotonic_ms();
        mutex_unlock(&s->run->ship->lock);
    }
    *ret_more = s->rotation.start < size;
    return NULL;
}

static struct err *ship_s3(const struct sink_caller *caller, struct job *job)
{
    struct log_stream *s = job->stream;
    _cleanup_(packed_deinit) struct packed packed = PACKED_EMPTY;
    if (s->run->what.rotation_bytes)
        TRY(ship_rotated(caller, s, job->size, &job->more));
    job->acked = s->rotation.start;
    if (job->more) /* the current object can wait until these are out of the way */
        return NULL;
    int64_t end = job->size;
    if (!job->ended)
        TRY(rotation_find_end(s->path.ptr, s->rotation.start, job->size, &end));
    TRY(rotation_pack(s->path.ptr, s->rotation.start, end, &packed));
    /* A reader learns from it what the current object continues: it may be older than the last one before it. */
    struct slice rotated = s->rotation.index ? slice_fmt(caller->arena, "%lld", (long long)s->rotation.index) : SLICE_NONE;
    TRY(put_log(caller, s, ".gz", rotated, packed_bytes(&packed)));
    job->acked = end;
    return NULL;
}

/* Gives back what no sink needs any more, and rotation_files does not keep. S3's shipper only, while its lane is busy. */
static void free_shipped(struct logship *ship, struct log_stream *s)
{
    const struct logship_run *what = &s->run->what;
    int64_t to = s->rotation.start - what->rotation_files * what->rotation_bytes;
    mutex_lock(&ship->lock);
    if (log_run_wants(s->run, LOG_SINK_CLOUDWATCH) && s->lanes[LOG_SINK_CLOUDWATCH].acked < to)
        to = s->lanes[LOG_SINK_CLOUDWATCH].acked;
    mutex_unlock(&ship->lock);
    to = (to - KEPT_BYTES) / FREE_STEP_BYTES * FREE_STEP_BYTES;
    if (to <= s->rotation.freed)
        return;
    struct rotation next = s->rotation;
    next.freed = to;
    struct err *e = rotation_write(s->rotation_path.ptr, &next, true); /* first: nobody may ask for these bytes again */
    if (!e)
        e = rotation_free(s->path.ptr, to);
    if (!e) {
        mutex_lock(&ship->lock);
        log_stream_free_space(s, to - s->rotation.freed);
        mutex_unlock(&ship->lock);
        s->rotation = next;
    } else if (e->kind != ERR_INVALID) {
        log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", what->job_run_id), LOG_ERR(e));
    }
    err_free(e);
}

/* ---- CloudWatch Logs ---- */

static struct err *read_part(struct arena *arena, const struct log_stream *s, int64_t from, int64_t to, struct spool_part *ret_part)
{
    struct slice data;
    int64_t one = from > 0 ? 1 : 0; /* the byte before tells whether a line begins at from */
    TRY(spool_read(arena, s->path.ptr, from - one, to, &data));
    if ((int64_t)data.len != to - from + one)
        return err_new(ERR_INTERNAL, "%.*s is shorter than it was", SLICE_ARG(s->path));
    *ret_part = (struct spool_part){.data = slice_from(data, (size_t)one), .continues = one && data.ptr[0] != '\n'};
    return NULL;
}

/* The batch that was on its way when the daemon died or the answer was lost: is it there? */
static struct err *was_sent(const struct sink_caller *caller, const struct log_stream *s, struct slice stream, const struct spool_batch *batch, bool *ret_sent)
{
    struct arena *arena = caller->arena;
    int64_t offset = s->progress.offset, from = offset > BEFORE_BYTES ? offset - BEFORE_BYTES : 0;
    struct spool_sent sent = {.at_start = from == 0};
    struct log_line *last;
    TRY(read_part(arena, s, from, offset, &sent.before));
    if (sent.before.continues) {
        ptrdiff_t newline = slice_index(sent.before.data, '\n');
        sent.before.data = newline < 0 ? S("") : slice_from(sent.before.data, (size_t)newline + 1);
        sent.before.continues = false;
    }
    struct err *e = sink_last_events(caller, s->run->what.log_group_name, stream, DEDUP_EVENTS, &last, &sent.last_count);
    if (e && e->kind == ERR_DENIED) { /* a role that may write and not read: twice is better than never */
        err_free(e);
        *ret_sent = false;
        return NULL;
    }
    if (e)
        return e;
    sent.last = last;
    *ret_sent = spool_was_sent(arena, batch, &sent);
    return NULL;
}

static struct err *sync_file(struct slice path)
{
    _cleanup_(fd_closep) int fd = open(path.ptr, O_RDONLY | O_CLOEXEC);
    thread_may_block("an fsync");
    if (fd < 0 || fdatasync(fd) < 0)
        return err_errno(errno, "syncing %.*s", SLICE_ARG(path));
    return NULL;
}

/* Says on disk what is about to be sent; the spool that it is about comes first. */
static struct err *record_intent(struct log_stream *s, int64_t sending_offset)
{
    TRY(sync_file(s->path));
    struct spool_progress p = s->progress;
    p.sending_offset = sending_offset;
    TRY(spool_progress_write(s->progress_path.ptr, &p, true));
    s->progress = p;
    return NULL;
}

static struct err *send_batch(const struct sink_caller *caller, struct log_stream *s, struct slice stream, const struct spool_batch *batch)
{
    s->unsure = true;
    struct err *e = sink_put_events(caller, s->run->what.log_group_name, stream, batch->lines, batch->count);
    s->unsure = e && e->kind == ERR_UNAVAILABLE; /* a refusal is an answer */
    return e;
}

/* CloudWatch Logs answers 200 and drops events whose times are too far from its own. Lines in front of the first time have none. */
static void fit_times(const struct logship_options *options, const struct spool_batch *batch)
{
    int64_t now_ms = instant_now().ms, first_ms = now_ms;
    for (size_t i = batch->count; i > 0 && batch->lines[i - 1].timestamp_ms > 0; i--)
        first_ms = batch->lines[i - 1].timestamp_ms;
    for (size_t i = 0; i < batch->count; i++) {
        struct log_line *line = &batch->lines[i];
        int64_t own_ms = line->timestamp_ms > 0 ? line->timestamp_ms : first_ms, ms = own_ms;
        if (ms < now_ms - options->event_past_ms)
            ms = now_ms - options->event_past_ms;
        if (ms > now_ms + options->event_future_ms)
            ms = now_ms + options->event_future_ms;
        line->moved = ms != line->timestamp_ms;
        line->timestamp_ms = ms;
    }
}

static struct err *ship_cloudwatch(const struct sink_caller *caller, struct job *job)
{
    struct log_stream *s = job->stream;
    struct arena *arena = caller->arena;
    struct slice stream = log_cloudwatch_stream(arena, &s->run->what, log_stream_key(arena, s, ""));
    int64_t from = s->progress.offset, to = job->size - from > CHUNK_BYTES ? from + CHUNK_BYTES : job->size;
    bool unsure = s->unsure && s->progress.sending_offset > from && s->progress.sending_offset <= job->size, sent = false;
    if (unsure)
        to = s->progress.sending_offset;
    struct spool_part part;
    TRY(read_part(arena, s, from, to, &part));
    part.whole = unsure || (job->ended && to == job->size);
    struct spool_batch batch = spool_next_batch(arena, part, s->progress.last_ms);
    int64_t next = from + batch.next_offset;
    fit_times(&s->run->ship->options, &batch);
    if (unsure)
        TRY(was_sent(caller, s, stream, &batch, &sent));
    if (batch.count && !sent) {
        TRY(record_intent(s, next));
        TRY(send_batch(caller, s, stream, &batch));
    }
    s->unsure = false;
    job->acked = next;
    job->more = batch.full || unsure || to < job->size;
    if (!batch.count)
        return part.whole && next == from && to > from ? err_new(ERR_INTERNAL, "%.*s can't be cut into events", SLICE_ARG(s->path)) : NULL;
    s->progress = (struct spool_progress){.offset = next, .last_ms = batch.lines[batch.count - 1].timestamp_ms};
    /* Not synced: if a power cut takes it, the intent is still there and the stream is asked. */
    return spool_progress_write(s->progress_path.ptr, &s->progress, false);
}

/* ---- one job ---- */

/* Under the lock. */
static bool lane_has_work(const struct log_stream *s, enum log_sink sink)
{
    const struct log_lane *lane = &s->lanes[sink];
    if (lane->busy)
        return false;
    if (sink == LOG_SINK_S3)
        return s->ended ? lane->acked != s->size : s->size > 0 && lane->acked < s->size;
    return lane->acked < s->size;
}

/* Under the lock: the lane that has been due longest, or when one will be (monotonic; 0: nothing known). */
static bool find_job(struct logship *ship, enum log_sink sink, struct job *ret_job, int64_t *ret_next_ms)
{
    struct log_stream *first = NULL;
    *ret_next_ms = 0;
    for (struct log_run *run = ship->runs; run; run = run->next) {
        if (run->closed)
            continue;
        for (struct log_stream *s = log_run_wants(run, sink) ? run->streams : NULL; s; s = s->next) {
            if (lane_has_work(s, sink) && (!first || s->lanes[sink].due_ms < first->lanes[sink].due_ms))
                first = s;
        }
        int64_t give_up = log_run_give_up_at(run);
        if (run->finished && run->announced == LOGSHIP_SHIPPING && (!*ret_next_ms || give_up < *ret_next_ms))
            *ret_next_ms = give_up;
    }
    if (!first)
        return false;
    int64_t due = first->lanes[sink].due_ms;
    if (due <= monotonic_ms()) {
        *ret_job = (struct job){.stream = first, .sink = sink, .size = first->size, .ended = first->ended};
        return true;
    }
    if (!*ret_next_ms || due < *ret_next_ms)
        *ret_next_ms = due;
    return false;
}

/* Under the lock, after a job. */
static void settle(struct logship *ship, const struct job *job, const struct err *e)
{
    struct log_stream *s = job->stream;
    struct log_lane *lane = &s->lanes[job->sink];
    int64_t now = monotonic_ms();
    lane->busy = false;
    if (!ship->stopping)
        log_run_set_trouble(&s->run->trouble[job->sink], e);
    if (e) {
        int64_t doubled = lane->retry_ms * 2, most = ship->options.retry_max_ms;
        lane->retry_ms = !lane->retry_ms ? RETRY_MIN_MS : doubled;
        if (lane->retry_ms > most)
            lane->retry_ms = most;
        lane->due_ms = now + lane->retry_ms;
        return;
    }
    lane->retry_ms = 0;
    s->run->progress_ms = lane->acked != job->acked ? now : s->run->progress_ms;
    lane->acked = job->acked;
    int64_t current = job->sink == LOG_SINK_S3 ? s->size - s->rotation.start : 0, rotation = s->run->what.rotation_bytes;
    bool large = current > LARGE_BYTES && !(rotation && current > rotation); /* an object that is full is put once: there is no reason to wait */
    int64_t every = job->sink == LOG_SINK_CLOUDWATCH ? ship->options.cloudwatch_every_ms : large ? ship->options.s3_large_every_ms : ship->options.s3_every_ms;
    lane->due_ms = s->ended || job->more ? now : now + every;
}

static void do_job(struct logship *ship, struct job *job)
{
    struct log_run *run = job->stream->run;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct sinks sinks = {.client = ship->client, .endpoint = ship->options.endpoint, .region = ship->options.region};
    struct sigv4_credentials credentials = log_credentials(&run->what);
    struct sink_caller caller = {.arena = arena, .sinks = &sinks, .credentials = &credentials, .stop = &run->stop};
    struct err *e = job->sink == LOG_SINK_S3 ? ship_s3(&caller, job) : ship_cloudwatch(&caller, job);
    if (!e && job->sink == LOG_SINK_S3 && run->what.rotation_bytes)
        free_shipped(ship, job->stream);
    mutex_lock(&ship->lock);
    bool news = e && !job->stream->lanes[job->sink].retry_ms && !run->closed && !ship->stopping;
    mutex_unlock(&ship->lock);
    if (news) /* once, not at each retry */
        log_event(LOG_SHIPPING_TROUBLE, LOG_SLICE("jobRunId", run->what.job_run_id), LOG_SLICE("pod", job->stream->pod), LOG_ERR(e));
    mutex_lock(&ship->lock);
    settle(ship, job, e);
    log_run_leave(run);
    mutex_unlock(&ship->lock);
    err_free(e);
}

/* Under the lock: a run whose state is to be announced. */
static bool find_settled(struct logship *ship, struct arena *arena, struct slice *ret_id)
{
    for (struct log_run *run = ship->runs; run; run = run->next) {
        enum logship_state state = run->closed || run->announced == LOGSHIP_WHOLE ? LOGSHIP_SHIPPING : log_run_state(run);
        if (state == LOGSHIP_SHIPPING || state == run->announced)
            continue;
        run->announced = state;
        *ret_id = slice_dup(arena, run->what.job_run_id);
        return true;
    }
    return false;
}

void *log_shipper_main(void *arg)
{
    const struct log_shipper *shipper = arg;
    struct logship *ship = shipper->ship;
    pthread_setname_np(pthread_self(), shipper->sink == LOG_SINK_S3 ? "ship-s3" : "ship-cloudwatch");
    mutex_lock(&ship->lock);
    while (!ship->stopping) {
        struct job job;
        int64_t next;
        struct slice id;
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        if (find_settled(ship, arena, &id)) {
            mutex_unlock(&ship->lock);
            if (ship->options.changed)
                ship->options.changed(ship->options.changed_ctx, id);
            mutex_lock(&ship->lock);
        } else if (find_job(ship, shipper->sink, &job, &next)) {
            job.stream->lanes[job.sink].busy = true;
            job.stream->run->users++;
            mutex_unlock(&ship->lock);
            do_job(ship, &job);
            mutex_lock(&ship->lock);
        } else if (next) {
            (void)mutex_wait_until(&ship->work, &ship->lock, next);
        } else {
            mutex_wait(&ship->work, &ship->lock);
        }
    }
    mutex_unlock(&ship->lock);
    return NULL;
}
