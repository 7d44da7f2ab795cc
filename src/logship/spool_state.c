/* What is known beside a spool's bytes: how far CloudWatch is, and where a log goes on. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mutex.h"
#include "logship/spool.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SCAN_BYTES 4096
#define EQUAL_LINES_MAX 1000000

/* ---- records ---- */

struct err *spool_record_read(const char *path, int64_t *ret_fields, size_t count)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice text = SLICE_NONE;
    struct err *e = file_read(arena, path, 4096, &text);
    if (e && e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        struct slice field = text.ptr ? slice_trim(slice_cut(&text, ',')) : S("");
        good = good && slice_to_i64(field, 0, INT64_MAX, &ret_fields[i]);
    }
    for (size_t i = 0; i < count && !good; i++)
        ret_fields[i] = 0;
    return NULL;
}

struct err *spool_record_write(const char *path, const int64_t *fields, size_t count, bool durable)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct strbuf record = STRBUF_ARENA(arena);
    for (size_t i = 0; i < count; i++)
        strbuf_append_fmt(&record, "%20lld%c", (long long)fields[i], i + 1 < count ? ',' : '\n');
    bool fresh = !path_exists(path);
    _cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "opening %s", path);
    ssize_t n = pwrite(fd, record.ptr, record.len, 0);
    if (n != (ssize_t)record.len)
        return err_errno(n < 0 ? errno : ENOSPC, "writing %s", path);
    if (durable)
        thread_may_block("an fsync");
    if (durable && fdatasync(fd) < 0)
        return err_errno(errno, "syncing %s", path);
    return durable && fresh ? file_sync_parent(path) : NULL;
}

/* ---- progress ---- */

struct err *spool_progress_read(const char *path, struct spool_progress *ret_progress)
{
    int64_t fields[3];
    TRY(spool_record_read(path, fields, ARRAY_SIZE(fields)));
    *ret_progress = (struct spool_progress){.offset = fields[0], .last_ms = fields[1], .sending_offset = fields[2]};
    return NULL;
}

struct err *spool_progress_write(const char *path, const struct spool_progress *progress, bool durable)
{
    const int64_t fields[] = {progress->offset, progress->last_ms, progress->sending_offset};
    return spool_record_write(path, fields, ARRAY_SIZE(fields), durable);
}

/* ---- where a log goes on ---- */

/* The start of the line that has the byte before end; no line begins before begin. */
static struct err *line_start(int fd, const char *path, int64_t begin, int64_t end, int64_t *ret_start)
{
    char chunk[SCAN_BYTES];
    for (int64_t to = end - 1; to > begin;) { /* the byte before end may be the line's own newline */
        int64_t from = to - begin > SCAN_BYTES ? to - SCAN_BYTES : begin;
        ssize_t n = pread(fd, chunk, (size_t)(to - from), from);
        if (n < 0 && errno == EINTR)
            continue;
        if (n != to - from)
            return err_errno(n < 0 ? errno : EIO, "reading %s", path);
        ptrdiff_t newline = slice_rindex(slice_of(chunk, (size_t)n), '\n');
        if (newline >= 0) {
            *ret_start = from + newline + 1;
            return NULL;
        }
        to = from;
    }
    *ret_start = begin;
    return NULL;
}

/* The stamp of the line [start, end) into buf; *ret_len 0: it has none. */
static struct err *line_stamp(int fd, const char *path, int64_t start, int64_t end, char buf[SPOOL_STAMP_MAX], size_t *ret_len)
{
    size_t want = end - start < SPOOL_STAMP_MAX ? (size_t)(end - start) : SPOOL_STAMP_MAX;
    ssize_t n = pread(fd, buf, want, start);
    if (n != (ssize_t)want)
        return err_errno(n < 0 ? errno : EIO, "reading %s", path);
    struct slice stamp, rest;
    struct instant t;
    bool is_stamp = slice_split(slice_of(buf, want), ' ', &stamp, &rest) && instant_parse_iso8601(stamp, &t);
    *ret_len = is_stamp ? stamp.len : 0;
    return NULL;
}

static struct err *resume_find(struct spool_resume *r, int fd, const char *path, int64_t begin, int64_t size)
{
    int64_t start = begin, end = size;
    char last;
    if (pread(fd, &last, 1, size - 1) != 1)
        return err_errno(errno ? errno : EIO, "reading %s", path);
    TRY(line_start(fd, path, begin, end, &start));
    TRY(line_stamp(fd, path, start, end, r->stamp, &r->stamp_len));
    r->line_ended = last == '\n';
    if (!r->stamp_len && !r->line_ended) { /* half a stamp: as if it had not come */
        r->size = start;
        r->line_ended = true;
    }
    while (!r->stamp_len && start > begin) { /* words of the server itself have none: those before them count */
        end = start;
        TRY(line_start(fd, path, begin, end, &start));
        TRY(line_stamp(fd, path, start, end, r->stamp, &r->stamp_len));
    }
    if (!r->stamp_len)
        return NULL;
    r->line_bytes = end - start - (r->line_ended ? 1 : 0);
    struct instant t;
    if (instant_parse_iso8601(slice_of(r->stamp, r->stamp_len), &t))
        r->since_ms = t.ms;
    while (start > begin && r->equal_lines < EQUAL_LINES_MAX) {
        char stamp[SPOOL_STAMP_MAX];
        size_t len;
        end = start;
        TRY(line_start(fd, path, begin, end, &start));
        TRY(line_stamp(fd, path, start, end, stamp, &len));
        if (len != r->stamp_len || memcmp(stamp, r->stamp, len) != 0)
            break;
        r->equal_lines++;
    }
    return NULL;
}

struct err *spool_resume_init(struct spool_resume *resume, const char *path, int64_t begin, int64_t size)
{
    *resume = (struct spool_resume){.size = size, .passing = size == begin};
    if (size == begin)
        return NULL;
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "opening %s", path);
    TRY(resume_find(resume, fd, path, begin, size));
    resume->passing = resume->stamp_len == 0;
    return NULL;
}

void spool_resume_deinit(struct spool_resume *resume)
{
    strbuf_deinit(&resume->head);
}

/* Server's stamps have one form, so that bytes decide where milliseconds do not. */
static int stamp_cmp(struct slice a, struct slice b)
{
    struct instant x = {0}, y = {0};
    if (slice_eq(a, b))
        return 0;
    (void)instant_parse_iso8601(a, &x);
    (void)instant_parse_iso8601(b, &y);
    return x.ms != y.ms ? (x.ms < y.ms ? -1 : 1) : slice_cmp(a, b);
}

/* The head has the line's stamp now, or the line ended without one: what to do with it. */
static void resume_decide(struct spool_resume *r, struct slice stamp, struct strbuf *out)
{
    struct instant t;
    struct slice known = slice_of(r->stamp, r->stamp_len);
    int order = stamp.ptr && instant_parse_iso8601(stamp, &t) ? stamp_cmp(stamp, known) : -1;
    bool last_passed = r->equal_lines < 0;
    r->at = RESUME_DROP_LINE;
    if (order < 0)
        return;
    if (order == 0 && !last_passed) {
        if (r->equal_lines-- == 0 && !r->line_ended) {
            r->at = RESUME_DROP_BYTES;
            r->drop_bytes = r->line_bytes;
        }
        return;
    }
    r->passing = true;
    r->at = RESUME_PASS_LINE;
    if (!last_passed && !r->line_ended) /* the log no longer has the line that was cut */
        strbuf_append_char(out, '\n');
}

/* Takes bytes of one line (without its newline), or its newline. */
static void resume_line_bytes(struct spool_resume *r, struct slice data, struct strbuf *out)
{
    switch (r->at) {
    case RESUME_STAMP:
        break;
    case RESUME_DROP_LINE:
        return;
    case RESUME_DROP_BYTES: {
        size_t drop = (int64_t)data.len < r->drop_bytes ? data.len : (size_t)r->drop_bytes;
        r->drop_bytes -= (int64_t)drop;
        strbuf_append(out, slice_from(data, drop));
        return;
    }
    case RESUME_PASS_LINE:
        strbuf_append(out, data);
        return;
    }
}

static void resume_line_end(struct spool_resume *r, struct strbuf *out)
{
    if (r->at == RESUME_DROP_BYTES) {
        strbuf_append_char(out, '\n');
        r->passing = true;
    } else if (r->at == RESUME_PASS_LINE) {
        strbuf_append_char(out, '\n');
    }
    r->at = RESUME_STAMP;
    strbuf_truncate(&r->head, 0);
}

void spool_resume_take(struct spool_resume *r, struct slice data, struct strbuf *out)
{
    while (data.len) {
        if (r->passing && r->at == RESUME_STAMP) {
            strbuf_append(out, data);
            return;
        }
        ptrdiff_t newline = slice_index(data, '\n');
        struct slice line = newline < 0 ? data : slice_sub(data, 0, (size_t)newline);
        if (r->at == RESUME_STAMP) {
            size_t seen = r->head.len;
            strbuf_append(&r->head, slice_sub(line, 0, SPOOL_STAMP_MAX - seen));
            ptrdiff_t blank = slice_index(strbuf_slice(&r->head), ' ');
            if (blank < 0 && newline < 0 && r->head.len < SPOOL_STAMP_MAX)
                return;
            resume_decide(r, blank < 0 ? SLICE_NONE : slice_sub(strbuf_slice(&r->head), 0, (size_t)blank), out);
            line = slice_from(line, r->head.len - seen);
            resume_line_bytes(r, strbuf_slice(&r->head), out);
        }
        resume_line_bytes(r, line, out);
        if (newline >= 0)
            resume_line_end(r, out);
        data = slice_from(data, newline < 0 ? data.len : (size_t)newline + 1);
    }
}
