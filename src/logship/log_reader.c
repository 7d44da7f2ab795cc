/* Readers: one thread for each log that is followed. */
#include "base/arena.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "logship/logship_internal.h"
#include <errno.h>
#include <unistd.h>

#define RETRY_MIN_MS 200
#define RETRY_MAX_MS 5000
#define CHECK_TIMEOUT_MS 5000
#define STACK_BYTES ((size_t)512 * 1024)

struct reading {
    struct log_stream *stream;
    int fd;
    struct spool_resume resume;
    bool known; /* the connection is one to the pod that is meant */
    struct strbuf fresh;
};

/* Writes at the published size, not at the file's end: half a write of a full disk is overwritten, never published. */
static struct err *write_at(int fd, struct slice data, int64_t offset)
{
    while (data.len) {
        ssize_t n = pwrite(fd, data.ptr, data.len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(errno, "writing %zu bytes", data.len);
        data = slice_from(data, (size_t)n);
        offset += n;
    }
    return NULL;
}

/* Under the lock: why the run may not have so many bytes more; NULL: it may. */
static struct err *check_limits(const struct log_run *run, int64_t more)
{
    const struct logship_options *o = &run->ship->options;
    if (run->spooled_bytes + more > o->run_max_bytes)
        return err_code(ERR_LIMIT, "SpoolFull", "the logs of the run were cut at %lld bytes, the most a run may have on disk until they are shipped",
                        (long long)run->spooled_bytes);
    if (run->ship->spooled_bytes + more > o->total_max_bytes)
        return err_code(ERR_LIMIT, "SpoolFull", "the logs of the run were cut, as the logs of all runs on this disk have %lld bytes, which is the most they may",
                        (long long)run->ship->spooled_bytes);
    return NULL;
}

/* The API names pods by their names alone. Whoever has the name while the connection is there already is, or is later than, the pod that it
 * is to; a name that nobody has any more was that pod's. */
static struct err *check_pod(struct reading *r)
{
    struct log_stream *s = r->stream;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice path = slice_fmt(arena, "/api/v1/namespaces/%.*s/pods/%.*s", SLICE_ARG(s->run->what.namespace_), SLICE_ARG(s->pod));
    struct json *pod = NULL;
    struct err *e = s->pod_now ? k8s_get_within(s->run->what.client, arena, path, CHECK_TIMEOUT_MS, &pod) : NULL;
    if (e && e->kind != ERR_NOT_FOUND && e->kind != ERR_DENIED) /* who may read logs and not pods must believe their names */
        return e;
    bool known = !e;
    err_free(e);
    if (s->pod_now && known && !slice_eq(json_text(JSON_AT(pod, "metadata", "uid")), s->pod_now->uid))
        return err_new(ERR_NOT_FOUND, "another pod is called %.*s", SLICE_ARG(s->pod));
    r->known = true;
    return NULL;
}

static struct err *spool_bytes(void *ctx, struct slice data)
{
    struct reading *r = ctx;
    struct log_stream *s = r->stream;
    struct logship *ship = s->run->ship;
    if (!r->known)
        TRY(check_pod(r));
    strbuf_truncate(&r->fresh, 0);
    spool_resume_take(&r->resume, data, &r->fresh);
    if (!r->fresh.len)
        return NULL;
    mutex_lock(&ship->lock);
    s->heard_ms = monotonic_ms();
    struct err *full = check_limits(s->run, (int64_t)r->fresh.len);
    mutex_unlock(&ship->lock);
    if (full)
        return full;
    TRY(err_wrap(write_at(r->fd, strbuf_slice(&r->fresh), s->size), "spooling %.*s", SLICE_ARG(s->path)));
    mutex_lock(&ship->lock);
    bool wake = s->size == 0; /* a lane that has something to ship already is known to its shippers, a busy one is looked at again */
    for (int sink = 0; sink < LOG_SINK_COUNT; sink++)
        wake = wake || (s->lanes[sink].acked >= s->size && !s->lanes[sink].busy && log_run_wants(s->run, (enum log_sink)sink));
    log_stream_grow(s, (int64_t)r->fresh.len);
    if (wake)
        condition_broadcast(&ship->work);
    mutex_unlock(&ship->lock);
    return NULL;
}

/* Where the spool ends now; half a line's stamp at its end is dropped. */
static struct err *resume_at(struct reading *r)
{
    struct log_stream *s = r->stream;
    TRY(spool_resume_init(&r->resume, s->path.ptr, s->pod_begin, s->size));
    if (r->resume.size == s->size)
        return NULL;
    mutex_lock(&s->run->ship->lock);
    log_stream_grow(s, r->resume.size - s->size);
    mutex_unlock(&s->run->ship->lock);
    return ftruncate(r->fd, r->resume.size) < 0 ? err_errno(errno, "cutting %.*s", SLICE_ARG(s->path)) : NULL;
}

/* Reads the log from where the spool ends. */
static struct err *read_once(struct reading *r, bool follow)
{
    struct log_stream *s = r->stream;
    struct log_run *run = s->run;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    TRY(resume_at(r));
    r->known = false;
    return k8s_log_read(run->what.client,
                        &(struct k8s_log_options){
                            .namespace_name = run->what.namespace_,
                            .pod = s->pod,
                            .container = s->container,
                            .stream = slice_eq(s->name, S("stdout")) ? K8S_LOG_STDOUT : K8S_LOG_STDERR,
                            .follow = follow,
                            .timestamps = true,
                            .since_time = r->resume.stamp_len ? instant_iso8601_ms(arena, (struct instant){.ms = r->resume.since_ms}) : SLICE_NONE,
                        },
                        spool_bytes, r, &s->stop);
}

/* Waits; not for long once the container has ended (was_ended: that was known before). False: the daemon stops or the run is closed. */
static bool pause_reader(struct log_stream *s, int64_t ms, bool was_ended)
{
    struct log_run *run = s->run;
    struct logship *ship = run->ship;
    int64_t until = monotonic_ms() + ms;
    mutex_lock(&ship->lock);
    while (!ship->stopping && !run->closed && (was_ended || !s->told_ended) && monotonic_ms() < until)
        (void)mutex_wait_until(&ship->quiet, &ship->lock, until);
    bool go_on = !ship->stopping && !run->closed;
    mutex_unlock(&ship->lock);
    return go_on;
}

/* Another look at the log begins; true: its container has ended, so it is the last. */
static bool begin_look(struct log_stream *s)
{
    struct log_run *run = s->run;
    mutex_lock(&run->ship->lock);
    bool last = s->told_ended;
    s->following = !last;
    s->heard_ms = monotonic_ms();
    if (!run->stop)
        __atomic_store_n(&s->stop, false, __ATOMIC_RELAXED);
    mutex_unlock(&run->ship->lock);
    return last;
}

static void note_trouble(struct log_stream *s, const struct err *e)
{
    mutex_lock(&s->run->ship->lock);
    if (!s->run->ship->stopping)
        log_run_set_trouble(&s->run->read_trouble, e);
    mutex_unlock(&s->run->ship->lock);
}

static void note_cut(struct log_run *run, const struct err *e)
{
    mutex_lock(&run->ship->lock);
    bool first = !run->cut_short;
    if (first)
        run->cut_short = xstrdup(e->message);
    mutex_unlock(&run->ship->lock);
    if (first)
        log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", run->what.job_run_id), LOG_ERR(e));
}

/* Follows until a complete read that began after the container's end. True: all there is was read, or all that may be. */
static bool read_stream(struct reading *r)
{
    struct log_stream *s = r->stream;
    int64_t wait_ms = RETRY_MIN_MS;
    for (;;) {
        bool last = begin_look(s);
        int64_t size = s->size;
        struct err *e = read_once(r, !last);
        bool cut = e && err_has_code(e, "SpoolFull");
        if (cut)
            note_cut(s->run, e);
        bool gone = cut || (e && e->kind == ERR_NOT_FOUND), disk = e && !cut && (e->kind == ERR_LIMIT || e->kind == ERR_INTERNAL), failed = e != NULL;
        note_trouble(s, gone ? NULL : e);
        if (disk)
            log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", s->run->what.job_run_id), LOG_ERR(e));
        err_free(e);
        spool_resume_deinit(&r->resume);
        if (gone || (last && !failed))
            return true;
        if (s->size > size)
            wait_ms = RETRY_MIN_MS;
        if (!pause_reader(s, wait_ms, last))
            return false;
        wait_ms = wait_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms * 2;
    }
}

/* Under the lock. */
static void serve_waiting(struct logship *ship)
{
    if (!ship->readers_wanted)
        return;
    ship->readers_wanted = false;
    for (struct log_run *run = ship->runs; run; run = run->next) {
        for (struct log_stream *s = run->streams; s && !run->closed; s = s->next) {
            if (s->told)
                log_stream_read(s);
        }
    }
}

static void *reader_main(void *arg)
{
    struct reading r = {.stream = arg, .fd = -1};
    struct log_stream *s = r.stream;
    struct log_run *run = s->run;
    struct logship *ship = run->ship;
    pthread_setname_np(pthread_self(), "log-reader");
    bool done = false;
    do {
        struct err *e = log_stream_open(s, &r.fd);
        if (!e)
            e = log_stream_enter_pod(s, r.fd);
        if (e) {
            fd_closep(&r.fd);
            note_trouble(s, e);
            log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", run->what.job_run_id), LOG_ERR(e));
            err_free(e);
        } else {
            done = read_stream(&r);
        }
    } while (r.fd < 0 && pause_reader(s, RETRY_MAX_MS, true));
    fd_closep(&r.fd);
    strbuf_deinit(&r.fresh);
    mutex_lock(&ship->lock);
    s->reading = s->following = false;
    ship->readers--;
    if (done)
        log_stream_end(s);
    log_run_leave(run);
    serve_waiting(ship);
    condition_broadcast(&ship->work);
    mutex_unlock(&ship->lock);
    return NULL;
}

void log_stream_read(struct log_stream *s)
{
    struct logship *ship = s->run->ship;
    if (s->reading || s->ended || log_stream_is_control(s) || ship->stopping || s->run->closed)
        return;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    bool room = ship->readers < READERS_MAX + (s->told_ended ? LAST_READERS_MAX : 0);
    if (room && pthread_create(&thread, &attributes, reader_main, s) == 0) {
        s->reading = true;
        s->run->users++;
        ship->readers++;
    } else {
        ship->readers_wanted = true;
    }
    pthread_attr_destroy(&attributes);
}
