#include "logship/spool.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define EVENTS_MAX 10000
#define BATCH_BYTES_MAX ((size_t)1000 * 1000) /* of 1,048,576 */
#define EVENT_OVERHEAD_BYTES 26
#define EVENT_BYTES_MAX ((size_t)256 * 1024)
#define BATCH_SPAN_MS ((int64_t)23 * 3600 * 1000) /* of 24 h */
#define REPLACEMENT "\xEF\xBF\xBD"

struct slice spool_file_name(struct arena *arena, struct slice pod, struct slice container, struct slice stream)
{
    return slice_fmt(arena, "%.*s__%.*s__%.*s.log", SLICE_ARG(pod), SLICE_ARG(container), SLICE_ARG(stream));
}

static bool split_twice(struct slice s, struct slice *ret_before, struct slice *ret_after)
{
    ptrdiff_t i = slice_find(s, S("__"));
    if (i < 0)
        return false;
    *ret_before = slice_sub(s, 0, (size_t)i);
    *ret_after = slice_from(s, (size_t)i + 2);
    return true;
}

bool spool_parse_file_name(struct slice name, struct slice *ret_pod, struct slice *ret_container, struct slice *ret_stream)
{
    struct slice rest;
    if (!slice_ends_with(name, S(".log")) || !split_twice(name, ret_pod, &rest) || !split_twice(rest, ret_container, ret_stream))
        return false;
    *ret_stream = slice_sub(*ret_stream, 0, ret_stream->len - 4);
    return true;
}

struct err *spool_read(struct arena *arena, const char *path, int64_t from, int64_t to, struct slice *ret_data)
{
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "opening %s", path);
    size_t len = to > from ? (size_t)(to - from) : 0, got = 0;
    char *data = arena_alloc(arena, len + 1);
    while (got < len) {
        ssize_t n = pread(fd, data + got, len - got, from + (int64_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(errno, "reading %s", path);
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *ret_data = slice_of(data, got);
    return NULL;
}

/* "2026-11-21T21:10:00.123456789Z text": text, and its time in *ret_ms when there is one. */
static struct slice split_line(struct slice line, int64_t *ret_ms)
{
    struct slice stamp, text;
    struct instant t;
    if (!slice_split(line, ' ', &stamp, &text) || !instant_parse_iso8601(stamp, &t))
        return line;
    *ret_ms = t.ms;
    return text;
}

struct slice spool_strip(struct arena *arena, struct slice data)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_reserve(&out, data.len);
    while (data.len) {
        ptrdiff_t end = slice_index(data, '\n');
        struct slice line = end < 0 ? data : slice_sub(data, 0, (size_t)end);
        int64_t ignored;
        strbuf_append(&out, split_line(line, &ignored));
        if (end >= 0)
            strbuf_append_char(&out, '\n');
        data = slice_from(data, end < 0 ? data.len : (size_t)end + 1);
    }
    return strbuf_slice(&out);
}

/* The first piece of text that is one event: valid UTF-8, not empty, not too long. *rest becomes what is left (absent: nothing). */
static struct slice take_event(struct arena *arena, struct slice *rest)
{
    struct slice text = *rest;
    size_t len = text.len > EVENT_BYTES_MAX / 3 ? EVENT_BYTES_MAX / 3 : text.len; /* a third: every byte may become a replacement */
    while (len && len < text.len && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
        len--;
    struct slice piece = slice_sub(text, 0, len ? len : text.len);
    *rest = piece.len < text.len ? slice_from(text, piece.len) : SLICE_NONE;
    if (piece.len == 0)
        return S(" ");
    if (slice_is_utf8(piece))
        return piece;
    struct strbuf clean = STRBUF_ARENA(arena);
    for (size_t i = 0; i < piece.len;) {
        size_t step = 1;
        while (step <= 4 && i + step <= piece.len && !slice_is_utf8(slice_sub(piece, i, step)))
            step++;
        if (step <= 4 && i + step <= piece.len) {
            strbuf_append(&clean, slice_sub(piece, i, step));
            i += step;
        } else {
            strbuf_append_cstr(&clean, REPLACEMENT);
            i++;
        }
    }
    return strbuf_slice(&clean);
}

struct cursor {
    struct arena *arena;
    struct slice data;
    bool whole;
    int64_t offset;   /* of the next line */
    int64_t last_ms;
    struct slice rest; /* of a line that became several events; absent: none */
};

/* The next event; *ret_end: the offset behind its line when it is the line's last piece, else 0. False at the end of the whole lines. */
static bool next_event(struct cursor *c, struct log_line *ret_line, int64_t *ret_end)
{
    if (!c->rest.ptr) {
        struct slice left = slice_from(c->data, (size_t)c->offset);
        ptrdiff_t end = slice_index(left, '\n');
        if (left.len == 0 || (end < 0 && !c->whole))
            return false;
        struct slice line = end < 0 ? left : slice_sub(left, 0, (size_t)end);
        int64_t ms = c->last_ms;
        c->rest = split_line(line, &ms);
        if (!c->rest.ptr)
            c->rest = S("");
        c->last_ms = ms > c->last_ms ? ms : c->last_ms;
        c->offset += (int64_t)line.len + (end < 0 ? 0 : 1);
    }
    ret_line->message = take_event(c->arena, &c->rest);
    ret_line->timestamp_ms = c->last_ms;
    *ret_end = c->rest.ptr ? 0 : c->offset;
    return true;
}

struct spool_batch spool_next_batch(struct arena *arena, struct slice data, bool whole, int64_t not_before_ms)
{
    struct spool_batch batch = {.lines = ARENA_ARRAY(arena, EVENTS_MAX, struct log_line)};
    struct cursor c = {.arena = arena, .data = data, .whole = whole, .last_ms = not_before_ms};
    size_t bytes = 0, committed = 0; /* only whole lines are committed: a batch ends where a line ends */
    for (;;) {
        struct log_line line;
        int64_t end;
        if (batch.count == EVENTS_MAX || !next_event(&c, &line, &end))
            break;
        bytes += line.message.len + EVENT_OVERHEAD_BYTES;
        if (batch.count && (bytes > BATCH_BYTES_MAX || line.timestamp_ms - batch.lines[0].timestamp_ms > BATCH_SPAN_MS)) {
            if (committed)
                break;
        }
        batch.lines[batch.count++] = line;
        if (end) {
            committed = batch.count;
            batch.next_offset = end;
        }
        if (!committed && bytes > BATCH_BYTES_MAX) { /* one line of many pieces: the rest of it is dropped, it is longer than a request */
            ptrdiff_t newline = slice_index(slice_from(data, 0), '\n');
            batch.next_offset = newline < 0 ? (int64_t)data.len : newline + 1;
            batch.count--;
            return batch;
        }
    }
    batch.count = committed;
    return batch;
}

static bool same_line(const struct log_line *a, const struct log_line *b)
{
    return a->timestamp_ms == b->timestamp_ms && slice_eq(a->message, b->message);
}

int64_t spool_find_sent(struct arena *arena, struct slice data, const struct log_line *last, size_t last_count, int64_t not_before_ms)
{
    if (!last_count)
        return 0;
    /* All events of one request at most: that is what one lost answer can have left. */
    struct spool_batch batch = spool_next_batch(arena, data, true, not_before_ms);
    struct cursor c = {.arena = arena, .data = data, .whole = true, .last_ms = not_before_ms};
    int64_t found = 0;
    for (size_t i = 0; i < batch.count; i++) {
        struct log_line line;
        int64_t end;
        if (!next_event(&c, &line, &end))
            break;
        if (!end || !same_line(&batch.lines[i], &last[last_count - 1]))
            continue;
        size_t back = 0; /* the events before it must be the stream's events before its last */
        while (back <= i && back < last_count && same_line(&batch.lines[i - back], &last[last_count - 1 - back]))
            back++;
        if (back > i || back == last_count)
            found = end;
    }
    return found;
}
