/* access_log: the queue and its thread; the file belongs to the thread's turn: lock guards the queue, file_lock the file. */
#include "edge/access_log.h"
#include "base/arena.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/strbuf.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUE_MAX_BYTES ((size_t)4 << 20)
/* Lines are gathered for so long, or until so many bytes wait: a wake-up and a write for each would cost as much as a small request. */
#define GATHER_MS 20
#define GATHER_MAX_BYTES ((size_t)256 << 10)
#define PATH_TEXT_MAX 1024
#define QUERY_TEXT_MAX 1024
#define USER_AGENT_MAX 256
#define FIELD_MAX 256

struct access_log {
    struct mutex lock; /* guards the next six */
    struct condition changed;
    struct strbuf queue;
    bool open, stopping;
    struct access_log_stats stats;
    struct mutex file_lock; /* guards the rest */
    int fd;                 /* -1: closed */
    char *path;             /* NULL: not a file of ours */
    int64_t size_bytes, max_bytes;
    bool torn;    /* the last line is not whole, and could not be taken back */
    bool failing; /* the last write did not go through, and that was told */
    pthread_t thread;
};

/* ---- the line ---- */

static bool is_secret_name(struct arena *arena, struct slice raw)
{
    static const char *const words[] = {"signature", "token", "secret", "password", "assertion"};
    struct slice name = slice_lower(arena, uri_decode(arena, raw, URI_PLUS_IS_SPACE));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (slice_find(name, slice_from_cstr(words[i])) >= 0)
            return true;
    return false;
}

static struct slice strike_secrets(struct arena *arena, struct slice query)
{
    struct strbuf out = STRBUF_ARENA(arena);
    for (struct slice rest = slice_sub(query, 0, 16384); rest.ptr && out.len < QUERY_TEXT_MAX;) {
        struct slice pair = slice_cut(&rest, '&'), name, value;
        bool has_value = slice_split(pair, '=', &name, &value);
        if (out.len)
            strbuf_append_char(&out, '&');
        if (has_value && is_secret_name(arena, name)) {
            strbuf_append(&out, name);
            strbuf_append_cstr(&out, "=***");
        } else {
            strbuf_append(&out, pair);
        }
    }
    return strbuf_slice(&out);
}

static void append_text(struct strbuf *out, const char *key, struct slice text, size_t max)
{
    if (!text.ptr)
        return;
    strbuf_append_fmt(out, ",\"%s\":", key);
    json_write_string(out, slice_sub(text, 0, max));
}

struct slice access_log_line(struct arena *arena, const struct access_entry *e)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_fmt(&out, "{\"time\":\"%s\"", instant_iso8601_ms(arena, e->time).ptr);
    append_text(&out, "requestId", e->request_id, FIELD_MAX);
    append_text(&out, "remoteAddress", e->remote_address, FIELD_MAX);
    append_text(&out, "method", e->method, 32);
    append_text(&out, "path", e->path, PATH_TEXT_MAX);
    if (e->query.len)
        append_text(&out, "query", strike_secrets(arena, e->query), QUERY_TEXT_MAX);
    append_text(&out, "service", e->service, FIELD_MAX);
    append_text(&out, "operation", e->operation, FIELD_MAX);
    append_text(&out, "accessKeyId", e->access_key_id, 128);
    append_text(&out, "principal", e->principal_arn, FIELD_MAX);
    strbuf_append_fmt(&out, ",\"status\":%d", e->status);
    append_text(&out, "errorCode", e->error_code, FIELD_MAX);
    strbuf_append_fmt(&out, ",\"bytesIn\":%llu,\"bytesOut\":%llu,\"durationMs\":%lld.%03d", (unsigned long long)e->bytes_in,
                      (unsigned long long)e->bytes_out, (long long)(e->duration_us / 1000), (int)(e->duration_us % 1000));
    append_text(&out, "userAgent", e->user_agent, USER_AGENT_MAX);
    strbuf_append_cstr(&out, "}\n");
    return strbuf_slice(&out);
}

/* ---- the file ---- */

static uint64_t count_lines(struct slice text)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    return lines;
}

static struct err *open_file(const char *path, int *ret_fd, int64_t *ret_size)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0)
        return err_errno(errno, "the access log %s", path);
    if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        close(fd);
        return err_new(ERR_INVALID, "the access log %s is no file", path);
    }
    *ret_fd = fd;
    *ret_size = S_ISREG(st.st_mode) ? st.st_size : 0;
    return NULL;
}

static void close_file(struct access_log *log)
{
    if (log->fd > STDERR_FILENO)
        close(log->fd);
    free(log->path);
    log->fd = -1;
    log->path = NULL;
    log->size_bytes = 0;
    log->torn = false;
}

/* Begins a new file when this one is large. When that fails the old one grows on: better than no log. */
static void rotate_if_due(struct access_log *log)
{
    char old[4096 + 8];
    if (!log->path || !log->max_bytes || log->size_bytes < log->max_bytes)
        return;
    int fd, n = snprintf(old, sizeof(old), "%s.1", log->path);
    int64_t size;
    if (n < 0 || (size_t)n >= sizeof(old) || rename(log->path, old) != 0)
        return;
    struct err *e = open_file(log->path, &fd, &size);
    if (e) {
        err_free(e);
        return;
    }
    close(log->fd);
    log->fd = fd;
    log->size_bytes = size;
    log->torn = false;
}

/* Bytes of whole lines that were written. A line of which only the beginning found room is taken back. */
static size_t write_lines(struct access_log *log, struct slice lines)
{
    size_t done = 0;
    if (log->torn && write(log->fd, "\n", 1) == 1)
        log->torn = false;
    while (done < lines.len && !log->torn) {
        ssize_t n = write(log->fd, lines.ptr + done, lines.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
        log->size_bytes += n;
    }
    if (done == lines.len)
        return done;
    ptrdiff_t end = slice_rindex(slice_sub(lines, 0, done), '\n');
    size_t whole = end < 0 ? 0 : (size_t)end + 1;
    if (done > whole) {
        off_t at = log->path ? lseek(log->fd, 0, SEEK_CUR) : -1;
        if (at >= (off_t)(done - whole) && ftruncate(log->fd, at - (off_t)(done - whole)) == 0)
            log->size_bytes -= (int64_t)(done - whole);
        else
            log->torn = true;
    }
    return whole;
}

static void write_batch(struct access_log *log, struct slice lines)
{
    mutex_lock(&log->file_lock);
    size_t done = log->fd < 0 ? 0 : write_lines(log, lines);
    int number = errno;
    bool failed = done < lines.len && log->fd >= 0, tell = failed && !log->failing;
    log->failing = failed;
    rotate_if_due(log);
    mutex_unlock(&log->file_lock);
    uint64_t dropped = count_lines(slice_from(lines, done)), written = count_lines(slice_sub(lines, 0, done));
    mutex_lock(&log->lock);
    log->stats.written += written;
    log->stats.dropped += dropped;
    log->stats.failures += failed;
    mutex_unlock(&log->lock);
    if (tell)
        log_event(ACCESS_LOG_TROUBLE, LOG_CSTR("error", strerror(number)), LOG_INT("lines", (int64_t)dropped));
}

static void *writer_main(void *arg)
{
    struct access_log *log = arg;
    pthread_setname_np(pthread_self(), "access-log");
    for (;;) {
        mutex_lock(&log->lock);
        while (!log->queue.len && !log->stopping)
            mutex_wait(&log->changed, &log->lock);
        int64_t deadline_ms = monotonic_ms() + GATHER_MS;
        while (log->queue.len < GATHER_MAX_BYTES && !log->stopping && mutex_wait_until(&log->changed, &log->lock, deadline_ms))
            ;
        struct strbuf batch = log->queue;
        log->queue = STRBUF_HEAP;
        bool last = log->stopping;
        mutex_unlock(&log->lock);
        if (batch.len)
            write_batch(log, strbuf_slice(&batch));
        bool more = batch.len > 0;
        strbuf_deinit(&batch);
        if (last && !more)
            return NULL;
    }
}

/* ---- */

struct access_log *access_log_new(void)
{
    struct access_log *log = xcalloc(1, sizeof(*log));
    mutex_init(&log->lock, LOCK_ACCESS_LOG);
    mutex_init(&log->file_lock, LOCK_ACCESS_LOG_FILE);
    condition_init(&log->changed);
    log->fd = -1;
    if (pthread_create(&log->thread, NULL, writer_main, log) != 0)
        abort(); /* no thread at the start of the process: nothing would work */
    return log;
}

void access_log_free(struct access_log *log)
{
    if (!log)
        return;
    mutex_lock(&log->lock);
    log->stopping = true;
    condition_signal(&log->changed);
    mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    close_file(log);
    strbuf_deinit(&log->queue);
    condition_deinit(&log->changed);
    mutex_deinit(&log->lock);
    mutex_deinit(&log->file_lock);
    free(log);
}

struct access_log_place {
    int fd;     /* -1: nowhere */
    char *path; /* NULL: not a file of ours */
    int64_t size_bytes;
};

struct err *access_log_place_open(const char *path, struct access_log_place **ret_place)
{
    struct access_log_place place = {.fd = -1};
    bool on_stderr = path && strcmp(path, "stderr") == 0;
    if (path && !on_stderr) {
        TRY(open_file(path, &place.fd, &place.size_bytes));
        place.path = xstrdup(path);
    } else if (on_stderr) {
        place.fd = STDERR_FILENO;
    }
    *ret_place = xmalloc(sizeof(place));
    **ret_place = place;
    return NULL;
}

void access_log_place_close(struct access_log_place *place)
{
    if (!place)
        return;
    if (place->fd > STDERR_FILENO)
        close(place->fd);
    free(place->path);
    free(place);
}

void access_log_use(struct access_log *log, struct access_log_place *place, int64_t max_bytes)
{
    mutex_lock(&log->file_lock);
    close_file(log);
    log->fd = place->fd;
    log->path = place->path;
    log->size_bytes = place->size_bytes;
    log->max_bytes = max_bytes;
    mutex_unlock(&log->file_lock);
    mutex_lock(&log->lock);
    log->open = place->fd >= 0;
    mutex_unlock(&log->lock);
    free(place);
}

struct err *access_log_open(struct access_log *log, const char *path, int64_t max_bytes)
{
    struct access_log_place *place;
    TRY(access_log_place_open(path, &place));
    access_log_use(log, place, max_bytes);
    return NULL;
}

bool access_log_is_open(struct access_log *log)
{
    mutex_lock(&log->lock);
    bool open = log->open;
    mutex_unlock(&log->lock);
    return open;
}

void access_log_write(struct access_log *log, const struct access_entry *entry)
{
    if (!access_log_is_open(log))
        return;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice line = access_log_line(arena, entry);
    mutex_lock(&log->lock);
    bool fits = line.len <= ACCESS_LOG_LINE_MAX && log->queue.len + line.len <= QUEUE_MAX_BYTES;
    if (fits)
        strbuf_append(&log->queue, line);
    else
        log->stats.dropped++;
    if (fits && (log->queue.len == line.len || (log->queue.len >= GATHER_MAX_BYTES && log->queue.len - line.len < GATHER_MAX_BYTES)))
        condition_signal(&log->changed);
    mutex_unlock(&log->lock);
}

void access_log_get_stats(struct access_log *log, struct access_log_stats *ret_stats)
{
    mutex_lock(&log->lock);
    *ret_stats = log->stats;
    mutex_unlock(&log->lock);
}
