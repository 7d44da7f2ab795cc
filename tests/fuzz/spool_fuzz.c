/* spool_fuzz: a container's log as the log API gives it. First two bytes: where it broke off and how it is cut into pieces. Told again
 * from its beginning, or from the lines of the last time stamp on, the spool goes on as if it had never broken off; what goes to S3 and
 * to CloudWatch covers the spool once, in batches within AWS's limits, wherever reading stops. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include "fuzz.h"
#include "logship/spool.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Lines with rising time stamps, as a server writes them: each line of text is one; its first byte says whether time stands still. */
static struct slice log_of(struct arena *arena, struct slice text)
{
    struct strbuf log = STRBUF_ARENA(arena);
    int64_t nanoseconds = 1000;
    while (text.len) {
        struct slice line = input_line(&text);
        nanoseconds += line.len && line.ptr[0] & 1 ? 0 : 1 + (int64_t)line.len;
        strbuf_append_fmt(&log, "2026-11-21T21:10:00.%09lldZ %.*s", (long long)nanoseconds, SLICE_ARG(line));
        strbuf_append(&log, slice_sub(S("\n"), 0, text.len ? 1 : (line.len & 1)));
    }
    return strbuf_slice(&log);
}

static struct slice resumed(struct arena *arena, struct slice spooled, struct slice told, uint32_t seed)
{
    int fd = memfd_create("spool", MFD_CLOEXEC);
    ENSURE(fd >= 0);
    err_free(fd_write_all(fd, spooled));
    struct slice path = slice_fmt(arena, "/proc/self/fd/%d", fd);
    struct spool_resume resume;
    struct err *e = spool_resume_init(&resume, path.ptr, 0, (int64_t)spooled.len);
    ENSURE(!e && resume.size <= (int64_t)spooled.len);
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append(&out, slice_sub(spooled, 0, (size_t)resume.size));
    while (told.len) {
        struct slice piece = slice_sub(told, 0, piece_size(&seed, 1 + seed % 91));
        told = slice_from(told, piece.len);
        spool_resume_take(&resume, piece, &out);
    }
    spool_resume_deinit(&resume);
    close(fd);
    return strbuf_slice(&out);
}

/* From the first line of the stamp that the spool's last stamped line has. */
static struct slice from_last_stamp(struct slice log, size_t spooled)
{
    size_t at = 0;
    int64_t last = -1;
    size_t first = 0;
    while (at < spooled) {
        struct slice line = slice_from(log, at);
        ptrdiff_t end = slice_index(line, '\n');
        int64_t nanoseconds = 0;
        if (at + 31 > spooled || !slice_to_i64(slice_sub(line, 20, 9), 0, INT64_MAX, &nanoseconds))
            break;
        if (nanoseconds != last)
            first = at;
        last = nanoseconds;
        at += end < 0 ? line.len : (size_t)end + 1;
    }
    return slice_from(log, first);
}

static void check_resume(struct arena *arena, struct slice log, size_t cut, uint32_t seed)
{
    struct slice spooled = slice_sub(log, 0, cut);
    ENSURE(slice_eq(resumed(arena, spooled, log, seed), log));
    ENSURE(slice_eq(resumed(arena, spooled, from_last_stamp(log, cut), seed), log));
}

/* ---- batches ---- */

static void check_batch(const struct spool_batch *batch, int64_t not_before_ms)
{
    size_t bytes = 0;
    int64_t last = not_before_ms;
    ENSURE(batch->count <= 10000);
    for (size_t i = 0; i < batch->count; i++) {
        const struct log_line *line = &batch->lines[i];
        ENSURE(line->message.len && slice_is_utf8(line->message) && line->timestamp_ms >= last);
        ENSURE(line->timestamp_ms - batch->lines[0].timestamp_ms < INT64_C(24) * 3600 * 1000);
        last = line->timestamp_ms;
        bytes += line->message.len + 26;
    }
    ENSURE(bytes <= 1048576);
}

/* All messages, one a line. end: where reading stops in between. */
static struct slice shipped(struct arena *arena, struct slice data, size_t end)
{
    struct strbuf out = STRBUF_ARENA(arena);
    size_t offset = 0;
    bool continues = false;
    int64_t last_ms = 0;
    end = end < data.len ? end : data.len;
    for (int rounds = 0; offset < data.len; rounds++) {
        struct spool_part part = {.data = slice_sub(data, offset, end - offset), .continues = continues, .whole = end == data.len};
        struct spool_batch batch = spool_next_batch(arena, part, last_ms);
        check_batch(&batch, last_ms);
        for (size_t i = 0; i < batch.count; i++) {
            strbuf_append_fmt(&out, "%lld ", (long long)batch.lines[i].timestamp_ms);
            strbuf_append(&out, batch.lines[i].message);
            strbuf_append_char(&out, '\n');
            last_ms = batch.lines[i].timestamp_ms;
        }
        ENSURE(batch.next_offset >= 0 && (uint64_t)batch.next_offset <= part.data.len);
        ENSURE(!part.whole || batch.next_offset > 0);
        ENSURE(rounds < 100000);
        offset += (size_t)batch.next_offset;
        continues = batch.continues;
        if (!batch.full)
            end = data.len;
    }
    return strbuf_slice(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size), pod, container, stream;
    uint32_t seed = 1u + input_byte(&input);
    size_t where = (size_t)input_byte(&input) * 256 + input_byte(&input);
    struct slice log = log_of(arena, input);
    check_resume(arena, log, log.len ? where % (log.len + 1) : 0, seed);
    const struct slice texts[] = {log, input};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct slice stripped = spool_strip(arena, (struct spool_part){.data = texts[i], .whole = true});
        ENSURE(stripped.len <= texts[i].len);
        ENSURE(slice_eq(shipped(arena, texts[i], SIZE_MAX), shipped(arena, texts[i], texts[i].len ? where % texts[i].len : 0)));
    }
    if (size > 3)
        (void)resumed(arena, slice_sub(input, 0, where % (input.len + 1)), input, seed); /* foreign bytes: no property but an end */
    if (!slice_has_nul(input) && spool_parse_file_name(input, &pod, &container, &stream))
        ENSURE(slice_eq(spool_file_name(arena, pod, container, stream), input));
    arena_free(arena);
    return 0;
}
