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
#define EVENT_BYTES_MAX ((size_t)256 * 1024 - EVENT_OVERHEAD_BYTES) /* later 1 MiB; this is what every CloudWatch Logs takes */
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

struct slice spool_split_line(struct slice line, int64_t *ret_ms)
{
    struct slice stamp, text;
    struct instant t;
    if (!slice_split(slice_sub(line, 0, SPOOL_STAMP_MAX), ' ', &stamp, &text) || !instant_parse_iso8601(stamp, &t))
        return line;
    *ret_ms = t.ms;
    return slice_from(line, stamp.len + 1);
}

struct slice spool_strip(struct arena *arena, struct spool_part part)
{
    struct strbuf out = STRBUF_ARENA(arena);
    struct slice data = part.data;
    bool continues = part.continues;
    strbuf_reserve(&out, data.len);
    while (data.len) {
        ptrdiff_t end = slice_index(data, '\n');
        struct slice line = end < 0 ? data : slice_sub(data, 0, (size_t)end);
        int64_t ignored;
        strbuf_append(&out, continues ? line : spool_split_line(line, &ignored));
        if (end >= 0)
            strbuf_append_char(&out, '\n');
        data = slice_from(data, end < 0 ? data.len : (size_t)end + 1);
        continues = false;
    }
    return strbuf_slice(&out);
}

/* ---- events ---- */

/* Bytes of the character at the start of text, 0: what is there is none, and becomes a replacement. */
static size_t character_len(struct slice text)
{
    for (size_t len = 1; len <= 4 && len <= text.len; len++)
        if (slice_is_utf8(slice_sub(text, 0, len)))
            return len;
    return 0;
}

/* Bytes of the first event of a line's text: as many characters as fit; 0: not known before more of the line is there. It follows from the
 * bytes up to there alone: what was cut off a line is cut again in the same way. */
static size_t piece_len(struct slice text, bool line_ended)
{
    if (text.len <= EVENT_BYTES_MAX / sizeof(REPLACEMENT) || (text.len <= EVENT_BYTES_MAX && line_ended && slice_is_utf8(text)))
        return line_ended ? text.len : 0;
    if (text.len <= EVENT_BYTES_MAX && !line_ended)
        return 0;
    size_t len = 0, event = 0;
    while (len < text.len) {
        if (!line_ended && text.len - len < 4)
            return 0; /* half a character, perhaps */
        size_t step = character_len(slice_from(text, len)), bytes = step ? step : sizeof(REPLACEMENT) - 1;
        if (event + bytes > EVENT_BYTES_MAX)
            return len;
        event += bytes;
        len += step ? step : 1;
    }
    return line_ended ? text.len : 0;
}

/* As CloudWatch takes it: valid UTF-8, not empty. */
static struct slice clean_message(struct arena *arena, struct slice piece)
{
    if (piece.len == 0)
        return S(" ");
    if (slice_is_utf8(piece))
        return piece;
    struct strbuf clean = STRBUF_ARENA(arena);
    for (size_t i = 0; i < piece.len;) {
        size_t step = character_len(slice_from(piece, i));
        if (step)
            strbuf_append(&clean, slice_sub(piece, i, step));
        else
            strbuf_append_cstr(&clean, REPLACEMENT);
        i += step ? step : 1;
    }
    return strbuf_slice(&clean);
}

struct cursor {
    struct slice data;
    bool whole;
    size_t offset; /* of what comes next */
    bool inside;   /* offset is inside a line */
    int64_t last_ms;
};

static struct cursor cursor_of(struct spool_part part, int64_t not_before_ms)
{
    return (struct cursor){.data = part.data, .whole = part.whole, .inside = part.continues, .last_ms = not_before_ms};
}

/* False: nothing that is ready. */
static bool next_event(struct cursor *c, struct arena *arena, struct log_line *ret_line)
{
    struct slice left = slice_from(c->data, c->offset);
    ptrdiff_t end = slice_index(left, '\n');
    if (left.len == 0)
        return false;
    bool ended = end >= 0 || c->whole;
    struct slice text = end < 0 ? left : slice_sub(left, 0, (size_t)end);
    size_t stamp_len = 0;
    int64_t ms = c->last_ms;
    if (!c->inside) {
        struct slice after = spool_split_line(text, &ms);
        stamp_len = text.len - after.len;
        text = after;
    }
    if (c->inside && !text.len && end >= 0) { /* the end of a line whose text was told before anybody knew that it ends there */
        c->inside = false;
        c->offset++;
        return next_event(c, arena, ret_line);
    }
    size_t len = piece_len(text, ended);
    if (!len && !ended)
        return false;
    c->last_ms = ms > c->last_ms ? ms : c->last_ms;
    c->inside = len < text.len;
    c->offset += stamp_len + len + (!c->inside && end >= 0 ? 1 : 0);
    *ret_line = (struct log_line){.timestamp_ms = c->last_ms, .message = clean_message(arena, slice_sub(text, 0, len))};
    return true;
}

struct spool_batch spool_next_batch(struct arena *arena, struct spool_part part, int64_t not_before_ms)
{
    struct spool_batch batch = {.lines = ARENA_ARRAY(arena, EVENTS_MAX, struct log_line)};
    struct cursor c = cursor_of(part, not_before_ms);
    size_t bytes = 0;
    int64_t first_ms = 0;
    for (;;) {
        struct cursor before = c;
        struct log_line line;
        if (!next_event(&c, arena, &line))
            break;
        bytes += line.message.len + EVENT_OVERHEAD_BYTES;
        if (batch.count == EVENTS_MAX || bytes > BATCH_BYTES_MAX ||
            (first_ms > 0 && line.timestamp_ms - first_ms > BATCH_SPAN_MS)) {
            c = before;
            batch.full = true;
            break;
        }
        batch.lines[batch.count++] = line;
        if (first_ms <= 0) /* lines in front of the first time have none */
            first_ms = line.timestamp_ms;
    }
    batch.next_offset = (int64_t)c.offset;
    batch.continues = c.inside;
    return batch;
}

/* ---- what was sent already ---- */

/* Whether the stream ends with before[..] and then batch[..]. */
static bool ends_with(const struct spool_sent *sent, const struct log_line *before, size_t before_count, const struct log_line *batch, size_t batch_count)
{
    for (size_t k = 1; k <= sent->last_count; k++) {
        const struct log_line *seen = &sent->last[sent->last_count - k];
        if (k <= batch_count) {
            const struct log_line *mine = &batch[batch_count - k];
            if ((mine->timestamp_ms != seen->timestamp_ms && !mine->moved) || !slice_eq(mine->message, seen->message))
                return false;
        } else if (k <= batch_count + before_count) {
            if (!slice_eq(before[before_count + batch_count - k].message, seen->message))
                return false;
        } else {
            return !sent->at_start; /* the stream has more events than the spool has had */
        }
    }
    return true;
}

bool spool_was_sent(struct arena *arena, const struct spool_batch *batch, const struct spool_sent *sent)
{
    if (!sent->last_count || !batch->count)
        return false;
    size_t count = 0, cap = 0;
    struct log_line *before = NULL, line;
    struct cursor c = cursor_of(sent->before, 0);
    c.whole = true;
    while (next_event(&c, arena, &line)) {
        if (count == cap) {
            cap = cap ? cap * 2 : 256;
            struct log_line *more = ARENA_ARRAY(arena, cap, struct log_line);
            for (size_t i = 0; i < count; i++)
                more[i] = before[i];
            before = more;
        }
        before[count++] = line;
    }
    return ends_with(sent, before, count, batch->lines, batch->count) && !ends_with(sent, before, count, NULL, 0);
}
