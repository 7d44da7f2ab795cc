#include "logship/rotation.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/gzip.h"
#include "logship/spool.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_BYTES ((int64_t)4 << 20) /* of a spool, in memory at a time */
#define SCAN_BYTES ((int64_t)256 << 10)

/* ---- the record ---- */

struct err *rotation_read(const char *path, struct rotation *ret_rotation)
{
    int64_t fields[4];
    TRY(spool_record_read(path, fields, ARRAY_SIZE(fields)));
    *ret_rotation = (struct rotation){.start = fields[0], .index = fields[1], .last_ms = fields[2], .freed = fields[3]};
    return NULL;
}

struct err *rotation_write(const char *path, const struct rotation *rotation, bool durable)
{
    const int64_t fields[] = {rotation->start, rotation->index, rotation->last_ms, rotation->freed};
    return spool_record_write(path, fields, ARRAY_SIZE(fields), durable);
}

/* ---- where an object ends ---- */

struct scan {
    int64_t from, size, max_bytes;
    int64_t at;         /* what was looked at */
    int64_t line_start; /* of the line that at is in */
    int64_t text_bytes; /* of the lines from..at */
    bool inside;        /* at is behind its line's time stamp */
    bool unsure;        /* the spool ends with what may be half a time stamp */
    int64_t line_ms, before_ms; /* of this line and of the one before it */
};

/* A line begins at data. False: more of it is needed to know. */
static bool scan_stamp(struct scan *s, struct slice data, bool to_the_end)
{
    if ((int64_t)data.len < SPOOL_STAMP_MAX && !to_the_end)
        return false;
    ptrdiff_t newline = slice_index(data, '\n');
    struct slice line = newline < 0 ? data : slice_sub(data, 0, (size_t)newline);
    int64_t ms = s->line_ms;
    size_t stamp_len = line.len - spool_split_line(line, &ms).len;
    if (newline < 0 && !stamp_len && line.len < SPOOL_STAMP_MAX) {
        s->unsure = true;
        return false;
    }
    s->line_start = s->at;
    s->before_ms = s->line_ms;
    s->line_ms = ms;
    s->at += (int64_t)stamp_len;
    s->inside = true;
    return true;
}

/* data: text behind its stamp. True: the object is full. */
static bool scan_text(struct scan *s, struct slice data, struct rotation_cut *ret_cut)
{
    ptrdiff_t newline = slice_index(data, '\n');
    int64_t len = newline < 0 ? (int64_t)data.len : (int64_t)newline + 1, room = s->max_bytes - s->text_bytes;
    if (len > room && s->line_start > s->from) {
        *ret_cut = (struct rotation_cut){.full = true, .end = s->line_start, .last_ms = s->before_ms};
        return true;
    }
    if (len > room) {
        *ret_cut = (struct rotation_cut){.full = true, .end = s->at + room, .last_ms = s->line_ms};
        return true;
    }
    s->at += len;
    s->text_bytes += len;
    s->inside = newline < 0;
    return false;
}

static struct err *begins_inside(const char *path, int64_t from, bool *ret_inside)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice before;
    TRY(spool_read(arena, path, from > 0 ? from - 1 : 0, from, &before));
    *ret_inside = before.len && before.ptr[0] != '\n';
    return NULL;
}

/* Not inside a character, if these are any: a line that is cut is put together again by its reader, but each part should be text. */
static struct err *cut_before_character(const char *path, int64_t *end)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice near;
    TRY(spool_read(arena, path, *end - 3, *end + 1, &near));
    for (size_t back = 0; back < near.len; back++) {
        if (((unsigned char)near.ptr[near.len - 1 - back] & 0xC0) == 0x80)
            continue;
        *end -= (int64_t)back;
        break;
    }
    return NULL;
}

struct err *rotation_find(const char *path, int64_t from, int64_t size, int64_t max_text_bytes, int64_t last_ms, struct rotation_cut *ret_cut)
{
    struct scan s = {.from = from, .size = size, .max_bytes = max_text_bytes, .at = from, .line_start = from, .line_ms = last_ms, .before_ms = last_ms};
    *ret_cut = (struct rotation_cut){.end = size, .last_ms = last_ms};
    TRY(begins_inside(path, from, &s.inside));
    while (s.at < size && !s.unsure) {
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        struct slice data;
        int64_t begin = s.at, end = size - begin > SCAN_BYTES ? begin + SCAN_BYTES : size;
        TRY(spool_read(arena, path, begin, end, &data));
        if ((int64_t)data.len != end - begin)
            return err_new(ERR_INTERNAL, "%s is shorter than it was", path);
        while (s.at < end) {
            struct slice left = slice_from(data, (size_t)(s.at - begin));
            if (!s.inside && !scan_stamp(&s, left, end == size))
                break;
            left = slice_from(data, (size_t)(s.at - begin));
            if (left.len && scan_text(&s, left, ret_cut))
                return ret_cut->end > s.line_start ? cut_before_character(path, &ret_cut->end) : NULL;
        }
    }
    return NULL;
}

struct slice rotation_suffix(struct arena *arena, int64_t last_ms, int64_t index)
{
    struct slice day = instant_iso8601(arena, (struct instant){.ms = last_ms});
    return slice_fmt(arena, "_%.4s%.2s%.2s_%lld.gz", day.ptr, day.ptr + 5, day.ptr + 8, (long long)index);
}

struct err *rotation_find_end(const char *path, int64_t from, int64_t size, int64_t *ret_end)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    int64_t begin = size - from > SPOOL_STAMP_MAX ? size - SPOOL_STAMP_MAX : from, ignored;
    bool inside;
    struct slice tail;
    TRY(begins_inside(path, begin, &inside));
    TRY(spool_read(arena, path, begin, size, &tail));
    ptrdiff_t newline = slice_rindex(tail, '\n');
    struct slice line = slice_from(tail, (size_t)(newline + 1));
    bool stamped = (inside && newline < 0) || line.len >= SPOOL_STAMP_MAX || spool_split_line(line, &ignored).len < line.len;
    *ret_end = stamped ? size : begin + newline + 1;
    return NULL;
}

/* ---- what becomes of it ---- */

struct slice packed_bytes(const struct packed *packed)
{
    return packed->map ? slice_of(packed->map, packed->map_bytes) : strbuf_slice(&packed->small);
}

void packed_deinit(struct packed *packed)
{
    if (packed->map)
        munmap(packed->map, packed->map_bytes);
    fd_closep(&packed->fd);
    strbuf_deinit(&packed->small);
    *packed = (struct packed)PACKED_EMPTY;
}

/* Too much for memory: on to a file, where there can be one without a name. */
static struct err *packed_spill(struct packed *packed, const char *path)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice dir = slice_from_cstr(path);
    ptrdiff_t slash = slice_rindex(dir, '/');
    if (packed->fd < 0)
        packed->fd = open(slash > 0 ? slice_cstr(arena, slice_sub(dir, 0, (size_t)slash)) : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (packed->fd < 0)
        return NULL;
    TRY(err_wrap(fd_write_all(packed->fd, strbuf_slice(&packed->small)), "packing %s", path));
    packed->map_bytes += packed->small.len;
    strbuf_truncate(&packed->small, 0);
    return NULL;
}

static struct err *packed_end(struct packed *packed, const char *path)
{
    if (packed->fd < 0)
        return NULL;
    TRY(packed_spill(packed, path));
    void *map = mmap(NULL, packed->map_bytes, PROT_READ, MAP_SHARED, packed->fd, 0);
    if (map == MAP_FAILED)
        return err_errno(errno, "mapping what is packed of %s", path);
    packed->map = map;
    return NULL;
}

struct err *rotation_pack(const char *path, int64_t from, int64_t to, struct packed *out)
{
    bool continues;
    TRY(begins_inside(path, from, &continues));
    if (from >= to)
        gzip_append(&out->small, S(""));
    while (from < to) {
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        struct slice data;
        int64_t end = to - from > CHUNK_BYTES ? from + CHUNK_BYTES : to;
        TRY(spool_read(arena, path, from, end, &data));
        ptrdiff_t newline = end < to ? slice_rindex(data, '\n') : -1;
        if (newline >= 0)
            data.len = (size_t)newline + 1; /* no time stamp is cut in two */
        if (!data.len)
            return err_new(ERR_INTERNAL, "%s is shorter than it was", path);
        gzip_append(&out->small, spool_strip(arena, (struct spool_part){.data = data, .continues = continues}));
        continues = data.ptr[data.len - 1] != '\n';
        from += (int64_t)data.len;
        if (out->small.len > PACKED_IN_MEMORY_BYTES)
            TRY(packed_spill(out, path));
    }
    return packed_end(out, path);
}

struct err *rotation_free(const char *path, int64_t to)
{
    _cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "opening %s", path);
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, to) == 0)
        return NULL;
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        return err_new(ERR_INVALID, "the file system of %s can't free a part of a file", path);
    return err_errno(errno, "freeing %s", path);
}
