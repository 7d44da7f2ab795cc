/* Runs whose logs are followed and their streams: names, life, what is known of them. */
#include "base/arena.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/log.h"
#include "logship/logship_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

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

struct log_run *log_run_find(struct logship *ship, struct slice id)
{
    struct log_run *run = *bucket_of(ship, id);
    while (run && !(slice_eq(run->what.job_run_id, id) && !run->closed))
        run = run->bucket_next;
    return run;
}

void log_run_insert(struct logship *ship, struct log_run *run)
{
    struct log_run **bucket = bucket_of(ship, run->what.job_run_id);
    run->next = ship->runs;
    ship->runs = run;
    run->bucket_next = *bucket;
    *bucket = run;
    run->counted = true;
    ship->spooled_bytes += run->spooled_bytes;
}

void log_run_remove(struct logship *ship, struct log_run *run)
{
    struct log_run **link = &ship->runs;
    while (*link != run)
        link = &(*link)->next;
    *link = run->next;
    link = bucket_of(ship, run->what.job_run_id);
    while (*link != run)
        link = &(*link)->bucket_next;
    *link = run->bucket_next;
    ship->spooled_bytes -= run->spooled_bytes;
}

void log_run_stop(struct log_run *run)
{
    __atomic_store_n(&run->stop, true, __ATOMIC_RELAXED);
    for (struct log_stream *s = run->streams; s; s = s->next)
        __atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
}

void log_stream_grow(struct log_stream *s, int64_t bytes)
{
    s->size += bytes;
    s->run->spool_synced = false;
    s->run->progress_ms = monotonic_ms();
    s->run->spooled_bytes += bytes;
    if (s->run->counted)
        s->run->ship->spooled_bytes += bytes;
}

void log_stream_free_space(struct log_stream *s, int64_t bytes)
{
    s->run->spooled_bytes -= bytes;
    if (s->run->counted)
        s->run->ship->spooled_bytes -= bytes;
}

void log_stream_unstick(struct log_stream *s)
{
    int64_t since_ms = s->heard_ms > s->told_ended_ms ? s->heard_ms : s->told_ended_ms;
    if (s->following && s->told_ended && monotonic_ms() - since_ms >= s->run->ship->options.quiet_ms)
        __atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
}

void log_stream_told_ended(struct log_stream *s)
{
    if (s->told_ended)
        return;
    s->told_ended = true;
    s->told_ended_ms = monotonic_ms();
    condition_broadcast(&s->run->ship->quiet); /* a waiting reader makes its last round */
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

int64_t log_run_give_up_at(const struct log_run *run)
{
    int64_t wait_ms = run->ship->options.give_up_ms, since_ms = run->progress_ms > run->finished_ms ? run->progress_ms : run->finished_ms;
    int64_t at_ms = since_ms + wait_ms, last_ms = run->finished_ms + 8 * wait_ms;
    return at_ms < last_ms ? at_ms : last_ms;
}

enum logship_state log_run_state(const struct log_run *run)
{
    if (log_run_is_whole(run))
        return LOGSHIP_WHOLE;
    if (run->announced == LOGSHIP_GIVEN_UP)
        return LOGSHIP_GIVEN_UP; /* what comes late does not take that back, only what is whole does */
    return run->finished && monotonic_ms() >= log_run_give_up_at(run) ? LOGSHIP_GIVEN_UP : LOGSHIP_SHIPPING;
}

void log_stream_end(struct log_stream *s)
{
    if (s->ended || log_stream_next_pod(s))
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
    log_stream_grow(s, st.st_size);
    struct err *e = spool_progress_read(s->progress_path.ptr, &s->progress);
    if (e)
        log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", s->run->what.job_run_id), LOG_ERR(e));
    err_free(e);
    e = s->run->what.rotation_bytes ? rotation_read(s->rotation_path.ptr, &s->rotation) : NULL;
    if (e)
        log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", s->run->what.job_run_id), LOG_ERR(e));
    err_free(e);
    e = log_stream_resume_pods(s);
    if (e)
        log_event(LOG_SPOOL_FAILED, LOG_SLICE("jobRunId", s->run->what.job_run_id), LOG_ERR(e));
    err_free(e);
    log_stream_free_space(s, s->rotation.freed < s->size ? s->rotation.freed : s->size);
    if (s->progress.offset > s->size)
        s->progress = (struct spool_progress){.offset = s->size, .last_ms = s->progress.last_ms};
    s->unsure = s->progress.sending_offset > s->progress.offset;
    s->lanes[LOG_SINK_CLOUDWATCH].acked = s->progress.offset;
}

struct log_stream *log_run_add_stream(struct log_run *run, struct slice pod, struct slice container, struct slice name)
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
        .stop = run->stop,
    };
    s->path = slice_fmt(run->arena, "%.*s/%.*s", SLICE_ARG(run->dir), SLICE_ARG(spool_file_name(run->arena, pod, container, name)));
    s->progress_path = slice_fmt(run->arena, "%.*s.progress", SLICE_ARG(s->path));
    s->rotation_path = slice_fmt(run->arena, "%.*s.rotation", SLICE_ARG(s->path));
    s->pods_path = slice_fmt(run->arena, "%.*s.pods", SLICE_ARG(s->path));
    resume_stream(s);
    s->next = run->streams;
    run->streams = s;
    return s;
}

/* ---- life ---- */

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
        .rotation_bytes = what->rotation_bytes,
        .rotation_files = what->rotation_files,
        .no_executor_logs = what->no_executor_logs,
        .no_control_logs = what->no_control_logs,
    };
}

static void resume_streams(struct log_run *run)
{
    DIR *dir = opendir(run->dir.ptr);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct slice pod, container, name;
        if (spool_parse_file_name(slice_from_cstr(entry->d_name), &pod, &container, &name))
            (void)log_run_add_stream(run, pod, container, name);
    }
    if (dir)
        closedir(dir);
}

struct log_run *log_run_new(struct logship *ship, const struct logship_run *what)
{
    struct log_run *run = xcalloc(1, sizeof(*run));
    run->ship = ship;
    run->arena = arena_new();
    run->announced = LOGSHIP_SHIPPING;
    run->dir = slice_fmt(run->arena, "%.*s/%.*s", SLICE_ARG(ship->options.spool_dir), SLICE_ARG(what->job_run_id));
    copy_run(run, what);
    resume_streams(run);
    return run;
}

struct err *log_stream_open(const struct log_stream *s, int *ret_fd)
{
    int fd = open(s->path.ptr, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 && errno == ENOENT) { /* the run's first file */
        TRY(dir_make(s->run->dir.ptr, 0700));
        fd = open(s->path.ptr, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    }
    if (fd < 0)
        return err_errno(errno, "opening %.*s", SLICE_ARG(s->path));
    *ret_fd = fd;
    return NULL;
}

void log_run_free(struct log_run *run)
{
    for (int sink = 0; sink < LOG_SINK_COUNT; sink++)
        free(run->trouble[sink]);
    free(run->read_trouble);
    free(run->cut_short);
    secret_wipe((char *)(uintptr_t)run->what.secret_access_key.ptr, run->what.secret_access_key.len);
    secret_wipe((char *)(uintptr_t)run->what.session_token.ptr, run->what.session_token.len);
    arena_free(run->arena);
    free(run);
}
