#include "runner/cri_log.h"

#include "base/arena.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const stream_names[] = {[CRI_STDOUT] = "stdout", [CRI_STDERR] = "stderr"};

struct err *cri_log_open(struct cri_log *log, const char *path, int64_t max_bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_errno(errno, "cannot open %s", path);
    struct stat st;
    *log = (struct cri_log){.fd = fd, .max_bytes = max_bytes, .path = xstrdup(path)};
    if (fstat(fd, &st) == 0)
        log->size_bytes = st.st_size;
    return NULL;
}

/* A nanosecond on from the last one: so many records of one time could not be told apart for as long as the clock is behind. */
static struct timespec next_time(const struct cri_log *log, struct timespec now)
{
    struct timespec last = log->last;
    if (now.tv_sec > last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec >= last.tv_nsec))
        return now;
    bool carry = last.tv_nsec == 999999999;
    return (struct timespec){.tv_sec = last.tv_sec + carry, .tv_nsec = carry ? 0 : last.tv_nsec + 1};
}

static void append_record(struct cri_log *log, enum cri_stream stream, char tag, struct slice text, struct timespec now)
{
    struct tm tm;
    char time_text[64];
    log->last = now = next_time(log, now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(time_text + n, sizeof(time_text) - n, ".%09ldZ", now.tv_nsec);
    strbuf_append_fmt(&log->out, "%s %s %c ", time_text, stream_names[stream], tag);
    strbuf_append(&log->out, text);
    strbuf_append_char(&log->out, '\n');
}

static void rotate(struct cri_log *log, struct timespec now)
{
    struct strbuf older = STRBUF_HEAP;
    strbuf_append_fmt(&older, "%s.old", log->path);
    bool dropped = path_exists(older.ptr);
    int fd = -1;
    if (rename(log->path, older.ptr) == 0)
        fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    strbuf_deinit(&older);
    if (fd < 0)
        return;
    close(log->fd);
    log->fd = fd;
    log->size_bytes = 0;
    if (dropped) {
        char text[160];
        int len = snprintf(text, sizeof(text), "[ember] the log passed %lld MiB: older lines were dropped here",
                           (long long)(log->max_bytes >> 20));
        append_record(log, CRI_STDERR, 'F', slice_of(text, (size_t)len), now);
    }
}

/* What a full disk left out, told where it is missing; a record that was cut off ends there. */
static void tell_loss(struct cri_log *log, struct timespec now)
{
    struct strbuf records = log->out;
    log->out = STRBUF_HEAP;
    if (log->torn)
        strbuf_append_char(&log->out, '\n');
    append_record(log, CRI_STDERR, 'F', S("[ember] the disk was full: lines were lost here"), now);
    strbuf_append(&log->out, strbuf_slice(&records));
    strbuf_deinit(&records);
}

static void flush(struct cri_log *log, struct timespec now)
{
    if (log->out.len == 0)
        return;
    if (log->lost)
        tell_loss(log, now);
    struct err *e = fd_write_all(log->fd, strbuf_slice(&log->out));
    struct stat st;
    int64_t before = log->size_bytes;
    log->size_bytes = fstat(log->fd, &st) == 0 ? st.st_size : before + (int64_t)log->out.len;
    if (!e)
        log->lost = log->torn = false;
    else {
        int64_t written = log->size_bytes - before;
        log->lost = true;
        if (written > 0 && written <= (int64_t)log->out.len)
            log->torn = log->out.ptr[written - 1] != '\n';
    }
    strbuf_truncate(&log->out, 0);
    err_free(e);
    if (log->max_bytes > 0 && log->size_bytes > log->max_bytes / 2)
        rotate(log, now);
}

void cri_log_write(struct cri_log *log, enum cri_stream stream, struct slice bytes, struct timespec now)
{
    struct strbuf *pending = &log->pending[stream];
    while (bytes.len > 0) {
        const char *end = memchr(bytes.ptr, '\n', bytes.len);
        size_t len = end ? (size_t)(end - bytes.ptr) : bytes.len;
        size_t room = CRI_LINE_MAX - pending->len;
        if (len > room) {
            strbuf_append(pending, slice_sub(bytes, 0, room));
            append_record(log, stream, 'P', strbuf_slice(pending), now);
            strbuf_truncate(pending, 0);
            bytes = slice_from(bytes, room);
            continue;
        }
        strbuf_append(pending, slice_sub(bytes, 0, len));
        if (!end)
            break;
        append_record(log, stream, 'F', strbuf_slice(pending), now);
        strbuf_truncate(pending, 0);
        bytes = slice_from(bytes, len + 1);
    }
    flush(log, now);
}

void cri_log_end(struct cri_log *log, enum cri_stream stream, struct timespec now)
{
    struct strbuf *pending = &log->pending[stream];
    if (pending->len > 0)
        append_record(log, stream, 'P', strbuf_slice(pending), now);
    strbuf_truncate(pending, 0);
    flush(log, now);
}

void cri_log_close(struct cri_log *log)
{
    strbuf_deinit(&log->pending[CRI_STDOUT]);
    strbuf_deinit(&log->pending[CRI_STDERR]);
    strbuf_deinit(&log->out);
    free(log->path);
    log->path = NULL;
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}
