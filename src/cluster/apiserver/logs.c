#include "cluster/apiserver/logs.h"
#include "base/mutex.h"
#include "cluster/apiserver/log_reader.h"
#include "cluster/apiserver/rest.h"
#include "cluster/apiserver/server_internal.h"
#include "cluster/kubelet/pod_log.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
    LIVE_CHECK_MS = 250,             /* how often a follow asks whether its container still runs */
    QUEUED_MAX_BYTES = 1 << 20,      /* a follow stops reading while its client is this far behind */
};

struct log_follow {
    struct log_follower *follower;
    struct http_stream *stream;
    struct log_reader *reader;
    char *pods_dir, *uid, *container;
    int attempt, watch; /* inotify's */
    atomic_bool gone;
    struct log_follow *next;
};

struct log_follower {
    int inotify, wake;
    pthread_t thread;
    atomic_bool stopping;
    struct mutex lock; /* guards the list */
    struct log_follow *follows;
};

/* ---- the follower ---- */

static void follow_free(struct log_follow *follow)
{
    log_reader_close(follow->reader);
    free(follow->pods_dir);
    free(follow->uid);
    free(follow->container);
    free(follow);
}

static void wake(struct log_follower *follower)
{
    uint64_t one = 1;
    ssize_t n = write(follower->wake, &one, sizeof(one));
    (void)n; /* a full counter wakes as well */
}

static void follow_closed(void *owner)
{
    struct log_follow *follow = owner;
    struct log_follower *follower = follow->follower;
    atomic_store(&follow->gone, true);
    wake(follower);
}

/* Sends what is there. False: the follow is over. */
static bool pump(struct log_follow *follow)
{
    bool live = pod_log_is_live(slice_from_cstr(follow->pods_dir), slice_from_cstr(follow->uid), slice_from_cstr(follow->container),
                                follow->attempt);
    bool end = false;
    struct strbuf out = STRBUF_HEAP;
    while (!end && !atomic_load(&follow->gone) && http_stream_queued(follow->stream) < QUEUED_MAX_BYTES) {
        strbuf_truncate(&out, 0);
        struct err *e = log_reader_read(follow->reader, &out, &end);
        if (!e && out.len)
            e = http_stream_write(follow->stream, strbuf_slice(&out));
        if (e) {
            err_free(e); /* the client left, or the file was taken away: either way there is nothing more to send */
            strbuf_deinit(&out);
            return false;
        }
    }
    strbuf_deinit(&out);
    return !atomic_load(&follow->gone) && !(end && (!live || log_reader_is_full(follow->reader)));
}

static void follows_bury(struct log_follow *follows)
{
    while (follows) {
        struct log_follow *follow = follows;
        follows = follow->next;
        http_stream_close(follow->stream);
        follow_free(follow);
    }
}

static bool round_of_all(struct log_follower *follower)
{
    struct log_follow *over = NULL;
    mutex_lock(&follower->lock);
    struct log_follow **at = &follower->follows;
    while (*at) {
        struct log_follow *follow = *at;
        if (pump(follow)) {
            at = &follow->next;
            continue;
        }
        *at = follow->next;
        follow->next = over;
        over = follow;
    }
    bool any = follower->follows != NULL;
    mutex_unlock(&follower->lock);
    follows_bury(over); /* closing may wait for follow_closed() */
    return any;
}

static void drain(int fd)
{
    char events[4096];
    while (read(fd, events, sizeof(events)) > 0) {
    }
}

static void *follow_all(void *arg)
{
    struct log_follower *follower = arg;
    bool any = false;
    while (!atomic_load(&follower->stopping)) {
        struct pollfd fds[] = {{.fd = follower->inotify, .events = POLLIN}, {.fd = follower->wake, .events = POLLIN}};
        poll(fds, ARRAY_SIZE(fds), any ? LIVE_CHECK_MS : -1);
        if (fds[0].revents)
            drain(follower->inotify);
        if (fds[1].revents)
            drain(follower->wake);
        any = round_of_all(follower);
    }
    return NULL;
}

struct err *log_follower_start(struct log_follower **ret_follower)
{
    struct log_follower *follower = xcalloc(1, sizeof(*follower));
    mutex_init(&follower->lock, LOCK_LOG_FOLLOWER);
    follower->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    follower->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failed = follower->inotify < 0 || follower->wake < 0 ? errno : pthread_create(&follower->thread, NULL, follow_all, follower);
    if (failed) {
        if (follower->inotify >= 0)
            close(follower->inotify);
        if (follower->wake >= 0)
            close(follower->wake);
        free(follower);
        return err_errno(failed, "cannot start the log follower");
    }
    *ret_follower = follower;
    return NULL;
}

void log_follower_stop(struct log_follower *follower)
{
    if (!follower)
        return;
    atomic_store(&follower->stopping, true);
    wake(follower);
    pthread_join(follower->thread, NULL);
    follows_bury(follower->follows);
    close(follower->inotify);
    close(follower->wake);
    mutex_deinit(&follower->lock);
    free(follower);
}

/* ---- the query ---- */

struct log_query {
    struct log_filter filter;
    bool follow, previous;
    struct slice container;
};

static struct json *number(struct arena *arena, int64_t value)
{
    return json_i64(arena, value);
}

static struct err *invalid(const struct field_errors *errors, struct slice pod)
{
    return field_errors_to_err_of(errors, "", "PodLogOptions", pod);
}

static struct err *parse_stream(struct api_call *call, struct field_errors *errors, enum log_stream *ret_stream)
{
    static const char *const supported[] = {"All", "Stderr", "Stdout", NULL};
    struct slice stream = call_query(call, "stream");
    if (slice_eq(stream, S("Stdout")))
        *ret_stream = LOG_STREAM_STDOUT;
    else if (slice_eq(stream, S("Stderr")))
        *ret_stream = LOG_STREAM_STDERR;
    else if (stream.len && !slice_eq(stream, S("All")))
        field_not_supported(errors, S("stream"), json_string(call->arena, stream), supported);
    return NULL;
}

static struct err *parse_query(struct api_call *call, struct log_query *ret_query)
{
    struct log_query query = {.filter = {.tail_lines = -1, .limit_bytes = -1}};
    struct field_errors errors = {.arena = call->arena};
    int64_t since_seconds;
    TRY(call_query_i64(call, "tailLines", -1, &query.filter.tail_lines));
    TRY(call_query_i64(call, "limitBytes", -1, &query.filter.limit_bytes));
    TRY(call_query_i64(call, "sinceSeconds", -1, &since_seconds));
    struct slice since_time = call_query(call, "sinceTime");
    if (since_time.len && !instant_parse_iso8601(since_time, &query.filter.since))
        return status_bad_request("parsing time \"%.*s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse", SLICE_ARG(since_time));
    bool has_tail = call_query(call, "tailLines").len, has_limit = call_query(call, "limitBytes").len;
    bool has_seconds = call_query(call, "sinceSeconds").len;

    if (has_tail && query.filter.tail_lines < 0)
        field_invalid(&errors, S("tailLines"), number(call->arena, query.filter.tail_lines), "must be greater than or equal to 0");
    if (has_limit && query.filter.limit_bytes < 1)
        field_invalid(&errors, S("limitBytes"), number(call->arena, query.filter.limit_bytes), "must be greater than 0");
    if (has_seconds && since_time.len)
        field_forbidden(&errors, S("[]"), "at most one of `sinceTime` or `sinceSeconds` may be specified");
    else if (has_seconds && since_seconds < 1)
        field_invalid(&errors, S("sinceSeconds"), number(call->arena, since_seconds), "must be greater than 0");
    TRY(parse_stream(call, &errors, &query.filter.stream));
    if (has_tail && query.filter.stream != LOG_STREAM_ALL)
        field_forbidden(&errors, S("tailLines"), "`tailLines` and specific `stream` are mutually exclusive for now");
    TRY(invalid(&errors, call->name));

    query.filter.has_since = has_seconds || since_time.len;
    if (has_seconds)
        query.filter.since.ms = since_seconds > INT64_MAX / 2000 ? 0 : instant_now().ms - since_seconds * 1000;
    query.filter.timestamps = call_query_flag(call, "timestamps");
    query.follow = call_query_flag(call, "follow");
    query.previous = call_query_flag(call, "previous");
    query.container = call_query(call, "container");
    *ret_query = query;
    return NULL;
}

static void collect_names(const struct json *containers, struct strbuf *names, struct slice wanted, bool *found)
{
    JSON_FOREACH (container, containers) {
        struct slice name = json_get_text(container, "name");
        strbuf_append_fmt(names, "%s%.*s", names->len ? " " : "", SLICE_ARG(name));
        *found = *found || slice_eq(name, wanted);
    }
}

static struct err *choose_container(struct api_call *call, const struct json *pod, struct slice *container)
{
    const struct json *spec = json_get(pod, S("spec"));
    const struct json *containers = json_get(spec, S("containers"));
    struct strbuf names = STRBUF_ARENA(call->arena);
    bool found = false;
    collect_names(json_get(spec, S("initContainers")), &names, *container, &found);
    collect_names(containers, &names, *container, &found);
    if (container->len && !found)
        return status_bad_request("container %.*s is not valid for pod %.*s", SLICE_ARG(*container), SLICE_ARG(call->name));
    if (container->len)
        return NULL;
    if (json_count(containers) != 1 || json_count(json_get(spec, S("initContainers"))))
        return status_bad_request("a container name must be specified for pod %.*s, choose one of: [%.*s]", SLICE_ARG(call->name),
                                  SLICE_ARG(strbuf_slice(&names)));
    *container = json_get_text(json_item(containers, 0), "name");
    return NULL;
}

static struct slice waiting_reason(const struct json *pod, struct slice container)
{
    static const char *const lists[] = {"initContainerStatuses", "containerStatuses"};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        JSON_FOREACH (status, json_get(json_get(pod, S("status")), slice_from_cstr(lists[i])))
            if (slice_eq(json_get_text(status, "name"), container)) {
                struct slice reason = json_text(JSON_AT(status, "state", "waiting", "reason"));
                if (reason.len)
                    return reason;
            }
    return S("ContainerCreating");
}

/* ---- the answer ---- */

static struct err *send_all(struct api_call *call, struct log_reader *reader)
{
    const struct http_header headers[] = {
        {S("Audit-Id"), call->audit_id},
        {S("Cache-Control"), S("no-cache, private")},
        {S("Content-Type"), S("text/plain")},
    };
    TRY(http_respond_begin(call->http, 200, headers, ARRAY_SIZE(headers), -1));
    struct strbuf out = STRBUF_HEAP;
    struct err *e = NULL;
    bool end = false;
    while (!e && !end) {
        strbuf_truncate(&out, 0);
        e = log_reader_read(reader, &out, &end);
        if (!e && out.len)
            e = http_respond_write(call->http, strbuf_slice(&out));
    }
    strbuf_deinit(&out);
    if (!e)
        http_respond_end(call->http);
    return e;
}

static void hand_over(struct api_call *call, struct log_reader *reader, const struct pod_log *log, struct slice uid, struct slice container)
{
    const struct http_header headers[] = {
        {S("Audit-Id"), call->audit_id},
        {S("Cache-Control"), S("no-cache, private")},
        {S("Content-Type"), S("text/plain")},
    };
    struct log_follower *follower = call->server->follower;
    struct log_follow *follow = xcalloc(1, sizeof(*follow));
    follow->follower = follower;
    follow->reader = reader;
    follow->pods_dir = xstrdup(slice_cstr(call->arena, call->server->options.pods_dir));
    follow->uid = xstrdup(slice_cstr(call->arena, uid));
    follow->container = xstrdup(slice_cstr(call->arena, container));
    follow->attempt = log->attempt;
    /* Watches of one file are shared by the kernel and stay until the file is gone: one wakes everybody, which is cheap. */
    inotify_add_watch(follower->inotify, log->path.ptr, IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF);
    follow->stream = http_detach(call->http, 200, headers, ARRAY_SIZE(headers), follow_closed, follow); /* may wait for the client */
    mutex_lock(&follower->lock);
    follow->next = follower->follows;
    follower->follows = follow;
    mutex_unlock(&follower->lock);
    wake(follower);
}

struct err *rest_log(struct api_call *call)
{
    struct log_query query;
    TRY(parse_query(call, &query));
    _cleanup_(object_unrefp) struct object *stored = NULL;
    TRY(registry_get(call->server->registry, S("pods"), call->namespace_name, call->name, &stored));
    const struct json *pod = object_json(call->arena, stored);
    TRY(choose_container(call, pod, &query.container));
    if (!json_text(JSON_AT(pod, "spec", "nodeName")).len) {
        answer_text(call, 204, NULL, S(""));
        return NULL;
    }
    struct pod_log log;
    struct err *e = pod_log_find(call->arena, call->server->options.pods_dir, stored->uid, query.container,
                                 query.previous ? POD_LOG_PREVIOUS : POD_LOG_CURRENT, &log);
    struct log_reader *reader = NULL;
    if (!e)
        e = log_reader_open(log.path, log.older, &query.filter, &reader);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        if (query.previous)
            return status_bad_request("previous terminated container \"%.*s\" in pod \"%.*s\" not found", SLICE_ARG(query.container),
                                      SLICE_ARG(call->name));
        return status_bad_request("container \"%.*s\" in pod \"%.*s\" is waiting to start: %.*s", SLICE_ARG(query.container),
                                  SLICE_ARG(call->name), SLICE_ARG(waiting_reason(pod, query.container)));
    }
    if (e)
        return e;
    if (query.follow && log.live) {
        hand_over(call, reader, &log, stored->uid, query.container);
        return NULL;
    }
    e = send_all(call, reader);
    log_reader_close(reader);
    return e;
}
