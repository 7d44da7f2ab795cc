#include "cluster/kubelet/pod_log.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/json.h"
#include "cluster/kubelet/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static bool is_plain_name(struct slice name)
{
    return name.len > 0 && name.len < 254 && name.ptr[0] != '.' && slice_index(name, '/') < 0 && !slice_has_nul(name);
}

static struct slice log_path(struct arena *arena, struct slice pods_dir, struct slice pod_uid, struct slice container, int attempt)
{
    return slice_fmt(arena, "%.*s/%.*s/" WIRE_CONTAINERS_DIR "/%.*s/%d.log", SLICE_ARG(pods_dir), SLICE_ARG(pod_uid), SLICE_ARG(container), attempt);
}

/* The container's row of status.json, or NULL. */
static struct json *container_row(struct arena *arena, struct slice pods_dir, struct slice pod_uid, struct slice container)
{
    struct slice path = slice_fmt(arena, "%.*s/%.*s/" WIRE_STATUS_FILE, SLICE_ARG(pods_dir), SLICE_ARG(pod_uid)), text;
    struct json *status = NULL;
    struct err *e = file_read(arena, path.ptr, WIRE_FILE_MAX_BYTES, &text);
    if (!e)
        e = json_parse(arena, text, JSON_DUPLICATES_LAST_WINS, &status);
    err_free(e);
    JSON_FOREACH(row, JSON_AT(status, "containers"))
    {
        if (slice_eq(json_get_text(row, "name"), container))
            return row;
    }
    return NULL;
}

/* ember-run holds its lock for as long as it lives. */
static bool supervisor_lives(struct arena *arena, struct slice pods_dir, struct slice pod_uid)
{
    struct slice path = slice_fmt(arena, "%.*s/%.*s/" WIRE_LOCK_FILE, SLICE_ARG(pods_dir), SLICE_ARG(pod_uid));
    _cleanup_(fd_closep) int fd = open(path.ptr, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

bool pod_log_is_live(struct slice pods_dir, struct slice pod_uid, struct slice container, int attempt)
{
    if (!is_plain_name(pod_uid) || !is_plain_name(container))
        return false;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct json *row = container_row(arena, pods_dir, pod_uid, container);
    if (!row || !supervisor_lives(arena, pods_dir, pod_uid) || json_get_i64(row, "restartCount", 0) != attempt)
        return false;
    struct slice kind = json_text(JSON_AT(row, "state", "kind"));
    /* Waiting in back-off: that instance has ended. Waiting before it runs: its log may have lines already. */
    return slice_eq(kind, S("running")) || (slice_eq(kind, S("waiting")) && !JSON_AT(row, "lastState"));
}

struct err *pod_log_find(struct arena *arena, struct slice pods_dir, struct slice pod_uid, struct slice container, enum pod_log_which which,
                         struct pod_log *ret_log)
{
    if (!is_plain_name(pod_uid) || !is_plain_name(container))
        return err_new(ERR_NOT_FOUND, "no log of container \"%.*s\"", SLICE_ARG(container));
    struct json *row = container_row(arena, pods_dir, pod_uid, container);
    int64_t attempt = json_get_i64(row, "restartCount", 0) - (which == POD_LOG_PREVIOUS ? 1 : 0);
    struct pod_log log = {.attempt = (int)attempt};
    if (row && attempt >= 0)
        log.path = log_path(arena, pods_dir, pod_uid, container, log.attempt);
    if (!log.path.ptr || !path_exists(log.path.ptr))
        return err_new(ERR_NOT_FOUND, "no log of container \"%.*s\"", SLICE_ARG(container));
    struct slice older = slice_fmt(arena, "%.*s.old", SLICE_ARG(log.path));
    if (path_exists(older.ptr))
        log.older = older;
    log.live = which == POD_LOG_CURRENT && pod_log_is_live(pods_dir, pod_uid, container, log.attempt);
    *ret_log = log;
    return NULL;
}

bool cri_line_parse(struct slice line, struct cri_line *ret_line)
{
    struct cri_line out;
    struct slice rest = line;
    out.time = slice_cut(&rest, ' ');
    if (!rest.ptr)
        return false;
    out.stream = slice_cut(&rest, ' ');
    if (!rest.ptr || out.time.len < 20 || (!slice_eq(out.stream, S("stdout")) && !slice_eq(out.stream, S("stderr"))))
        return false;
    if (rest.len < 2 || (rest.ptr[0] != 'F' && rest.ptr[0] != 'P') || rest.ptr[1] != ' ')
        return false;
    out.partial = rest.ptr[0] == 'P';
    out.text = slice_from(rest, 2);
    *ret_line = out;
    return true;
}
