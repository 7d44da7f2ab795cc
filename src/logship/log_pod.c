/* Which pod a stream's spool is at. Layouts know pods by their names alone, and one may have a name that another had before it (executors of a
 * second attempt whose prefix is configured): the spool then goes on with the later one's log, from its first line. Beside the spool stands where
 * the log of each pod begins in it. */
#include "base/arena.h"
#include "base/fd.h"
#include "logship/logship_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define RECORD_MAX_BYTES ((size_t)1 << 20)

static void remember(struct log_stream *s, struct slice uid, int64_t begin)
{
    struct log_pod *pod = ARENA_NEW(s->run->arena, struct log_pod);
    *pod = (struct log_pod){.uid = slice_dup(s->run->arena, uid), .earlier = s->pod_now};
    s->pod_now = pod;
    s->pod_begin = begin;
}

struct err *log_stream_resume_pods(struct log_stream *s)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice text;
    struct err *e = file_read(arena, s->pods_path.ptr, RECORD_MAX_BYTES, &text);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    while (text.ptr) {
        struct slice line = slice_cut(&text, '\n'), begin_text, uid;
        int64_t begin;
        if (!slice_split(line, ' ', &begin_text, &uid) || !uid.len || !slice_to_i64(begin_text, 0, INT64_MAX, &begin))
            continue;
        remember(s, uid, begin < s->size ? begin : s->size);
        s->pod_entered = true;
    }
    return NULL;
}

/* The log of the pod that has the name now. */
static void go_on(struct log_stream *s)
{
    bool ended = s->next_ended;
    remember(s, s->next_uid, POD_BEGINS_AT_END);
    s->next_uid = SLICE_NONE;
    s->pod_entered = s->ended = s->told_ended = s->next_ended = false;
    s->told = true;
    if (ended)
        log_stream_told_ended(s);
    log_stream_read(s);
}

bool log_stream_tell_pod(struct log_stream *s, struct slice uid, bool ended)
{
    if (!uid.len || (s->pod_now && slice_eq(s->pod_now->uid, uid)))
        return true;
    if (!s->pod_now) { /* the first one, or the one whose log was spooled before there were records */
        if (!s->reading)
            remember(s, uid, 0);
        return true;
    }
    for (const struct log_pod *p = s->pod_now; p; p = p->earlier)
        if (slice_eq(p->uid, uid))
            return false;
    if (!slice_eq(s->next_uid, uid)) {
        s->next_uid = slice_dup(s->run->arena, uid);
        s->next_ended = false;
    }
    s->next_ended = s->next_ended || ended;
    log_stream_told_ended(s); /* its name would not be free */
    log_stream_unstick(s);
    if (!s->reading)
        go_on(s);
    return false;
}

bool log_stream_next_pod(struct log_stream *s)
{
    if (!s->next_uid.len)
        return false;
    go_on(s);
    return true;
}

/* Ends the line that the pod before left without an end: what follows is not part of it. */
static struct err *end_line(struct log_stream *s, int fd)
{
    char last;
    if (!s->size)
        return NULL;
    _cleanup_(fd_closep) int read_fd = open(s->path.ptr, O_RDONLY | O_CLOEXEC);
    if (read_fd < 0 || pread(read_fd, &last, 1, s->size - 1) != 1)
        return err_errno(errno ? errno : EIO, "reading %.*s", SLICE_ARG(s->path));
    if (last == '\n')
        return NULL;
    if (pwrite(fd, "\n", 1, s->size) != 1)
        return err_errno(errno, "writing %.*s", SLICE_ARG(s->path));
    mutex_lock(&s->run->ship->lock);
    log_stream_grow(s, 1);
    condition_broadcast(&s->run->ship->work); /* its lanes had everything, perhaps */
    mutex_unlock(&s->run->ship->lock);
    return NULL;
}

static struct err *record(const struct log_stream *s, int64_t begin)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    _cleanup_(fd_closep) int fd = open(s->pods_path.ptr, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "opening %.*s", SLICE_ARG(s->pods_path));
    /* The newline in front keeps it apart from one that a full disk cut off. */
    return err_wrap(fd_write_all(fd, slice_fmt(arena, "\n%lld %.*s\n", (long long)begin, SLICE_ARG(s->pod_now->uid))), "writing %.*s", SLICE_ARG(s->pods_path));
}

struct err *log_stream_enter_pod(struct log_stream *s, int fd)
{
    if (s->pod_entered || !s->pod_now)
        return NULL;
    if (s->pod_begin == POD_BEGINS_AT_END)
        TRY(end_line(s, fd));
    int64_t begin = s->pod_begin == POD_BEGINS_AT_END ? s->size : s->pod_begin;
    TRY(record(s, begin));
    mutex_lock(&s->run->ship->lock);
    s->pod_begin = begin;
    s->pod_entered = true;
    mutex_unlock(&s->run->ship->lock);
    return NULL;
}
