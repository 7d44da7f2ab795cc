#include "cluster/apiserver/log_reader.h"
#include "base/arena.h"
#include "base/fd.h"
#include "cluster/kubelet/pod_log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 65536, LINE_MAX_BYTES = 1 << 20, OPEN_TRIES = 10 };

struct log_reader {
    struct log_filter filter;
    char *path;
    int older_fd; /* -1: none, or read to its end */
    int fd;
    struct strbuf carry; /* the beginning of a record whose end is not there yet */
    int64_t skip_lines;
    int64_t left_bytes; /* -1: no limit */
    bool mid_line;      /* the record before was partial: no timestamp in between */
};

static int open_log(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static bool is_rotated(const struct log_reader *reader)
{
    struct stat here, there;
    return fstat(reader->fd, &here) == 0 && stat(reader->path, &there) == 0 && (here.st_ino != there.st_ino || here.st_dev != there.st_dev);
}

static struct err *count_lines(int fd, int64_t *count)
{
    char block[BLOCK_BYTES];
    for (;;) {
        ssize_t n = read(fd, block, sizeof(block));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(errno, "while reading a log");
        if (n == 0)
            break;
        for (const char *at = block; (at = memchr(at, '\n', (size_t)(block + n - at))); at++)
            ++*count;
    }
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(errno, "while reading a log");
    return NULL;
}

struct err *log_reader_open(struct slice path, struct slice older, const struct log_filter *filter, struct log_reader **ret_reader)
{
    struct arena *arena = arena_new();
    struct log_reader *reader = xcalloc(1, sizeof(*reader));
    reader->filter = *filter;
    reader->path = xstrdup(slice_cstr(arena, path));
    reader->older_fd = reader->fd = -1;
    int error = 0;
    for (int i = 0; i < OPEN_TRIES; i++) { /* a rotation between the two would leave a file out, or have it twice */
        fd_closep(&reader->older_fd);
        fd_closep(&reader->fd);
        reader->fd = open_log(reader->path);
        error = errno;
        reader->older_fd = older.len ? open_log(slice_cstr(arena, older)) : -1;
        if (reader->fd >= 0 && !is_rotated(reader))
            break;
    }
    reader->left_bytes = filter->limit_bytes;
    arena_free(arena);
    struct err *e = reader->fd < 0 ? err_errno(error, "while opening a log") : NULL;
    int64_t lines = 0;
    if (!e && filter->tail_lines >= 0) {
        if (reader->older_fd >= 0)
            e = count_lines(reader->older_fd, &lines);
        if (!e)
            e = count_lines(reader->fd, &lines);
        reader->skip_lines = lines > filter->tail_lines ? lines - filter->tail_lines : 0;
    }
    if (e) {
        log_reader_close(reader);
        return e;
    }
    *ret_reader = reader;
    return NULL;
}

void log_reader_close(struct log_reader *reader)
{
    if (!reader)
        return;
    fd_closep(&reader->older_fd);
    fd_closep(&reader->fd);
    strbuf_deinit(&reader->carry);
    free(reader->path);
    free(reader);
}

bool log_reader_is_full(const struct log_reader *reader)
{
    return reader->left_bytes == 0;
}

static void emit(struct log_reader *reader, struct strbuf *out, struct slice text)
{
    if (reader->left_bytes >= 0) {
        text = slice_sub(text, 0, (size_t)reader->left_bytes);
        reader->left_bytes -= (int64_t)text.len;
    }
    strbuf_append(out, text);
}

static void take_line(struct log_reader *reader, struct strbuf *out, struct slice line)
{
    struct cri_line record;
    if (reader->skip_lines > 0) {
        reader->skip_lines--;
        return;
    }
    if (!cri_line_parse(line, &record))
        return;
    if (reader->filter.stream != LOG_STREAM_ALL &&
        slice_eq(record.stream, S("stdout")) != (reader->filter.stream == LOG_STREAM_STDOUT))
        return;
    struct instant at;
    if (reader->filter.has_since && instant_parse_iso8601(record.time, &at) && at.ms < reader->filter.since.ms)
        return;
    if (reader->filter.timestamps && !reader->mid_line) {
        emit(reader, out, record.time);
        emit(reader, out, S(" "));
    }
    emit(reader, out, record.text);
    if (!record.partial)
        emit(reader, out, S("\n"));
    reader->mid_line = record.partial;
}

static void take_block(struct log_reader *reader, struct strbuf *out, struct slice block)
{
    struct slice rest = block;
    while (rest.len && !log_reader_is_full(reader)) {
        ptrdiff_t end = slice_index(rest, '\n');
        if (end < 0) {
            if (reader->carry.len < LINE_MAX_BYTES)
                strbuf_append(&reader->carry, rest);
            return;
        }
        struct slice line = slice_sub(rest, 0, (size_t)end);
        if (reader->carry.len) {
            strbuf_append(&reader->carry, line);
            take_line(reader, out, strbuf_slice(&reader->carry));
            strbuf_truncate(&reader->carry, 0);
        } else {
            take_line(reader, out, line);
        }
        rest = slice_from(rest, (size_t)end + 1);
    }
}

/* Goes on with the file that path is now. */
static bool follow_rotation(struct log_reader *reader)
{
    int fresh = open_log(reader->path);
    if (fresh < 0)
        return false;
    fd_closep(&reader->fd);
    reader->fd = fresh;
    strbuf_truncate(&reader->carry, 0);
    return true;
}

struct err *log_reader_read(struct log_reader *reader, struct strbuf *out, bool *ret_end)
{
    char block[BLOCK_BYTES];
    *ret_end = false;
    if (log_reader_is_full(reader)) {
        *ret_end = true;
        return NULL;
    }
    int *fd = reader->older_fd >= 0 ? &reader->older_fd : &reader->fd;
    bool rotated = fd == &reader->fd && is_rotated(reader); /* asked first: what was written before it is then all there to be read */
    ssize_t n = read(*fd, block, sizeof(block));
    if (n < 0 && errno != EINTR)
        return err_errno(errno, "while reading a log");
    if (n > 0)
        take_block(reader, out, slice_of(block, (size_t)n));
    else if (n == 0 && fd == &reader->older_fd)
        fd_closep(&reader->older_fd);
    else if (n == 0)
        *ret_end = !(rotated && follow_rotation(reader));
    return NULL;
}
