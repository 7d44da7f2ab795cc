#include "runner/supervisor.h"

#include "base/arena.h"
#include "base/fd.h"
#include "cluster/kubelet/wire.h"
#include "runner/pod_status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_CHECK_MS 250
#define STATUS_RETRY_MS 1000
#define STOP_LOOK_MS 1000 /* where the kernel does not tell of the stop file */
#define GRACE_MAX_SECONDS (INT64_C(100) * 365 * 86400)
#define BACKOFF_FIRST_MS 10000 /* as the kubelet has it: at once, 10 s, doubled up to 5 min */
#define BACKOFF_MAX_MS 300000
#define BACKOFF_RESET_MS 600000

struct supervisor {
    struct arena *arena;
    struct run_spec spec;
    struct pod_paths paths;
    struct pod_state state;
    int lock_fd, signal_fd;
    int dir_fd; /* the pod's directory, whose changes are told by SIGIO; -1: they are not */
    int64_t kill_at_ms;     /* monotonic; 0: not stopping */
    int64_t deadline_at_ms; /* 0: none */
    int64_t memory_at_ms;
    bool changed;           /* since status.json was written */
    bool disk_full;         /* the last write of it failed for that */
};

/* ---- start and stop ---- */

struct err *supervisor_take_lock(const char *pod_dir, int *ret_lock_fd)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice path = slice_fmt(arena, "%s/" WIRE_LOCK_FILE, pod_dir);
    _cleanup_(fd_closep) int fd = open(path.ptr, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "cannot open %s", path.ptr);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? err_new(ERR_CONFLICT, "another ember-run has %s", pod_dir) : err_errno(errno, "cannot lock %s", path.ptr);
    *ret_lock_fd = fd;
    fd = -1;
    return NULL;
}

/* By dnotify: a machine lets a user have few inotify instances (128 as delivered), and there is an ember-run for each pod. */
static void watch_dir(struct supervisor *s)
{
    s->dir_fd = open(slice_cstr(s->arena, s->paths.pod_dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd >= 0 && fcntl(s->dir_fd, F_NOTIFY, DN_CREATE | DN_MODIFY | DN_RENAME | DN_MULTISHOT) < 0)
        fd_closep(&s->dir_fd);
}

static struct err *open_events(struct supervisor *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGIO);
    sigaddset(&set, SIGHUP); /* a session that ends is no reason to end the pod: read and ignored */
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0)
        return err_errno(errno, "cannot open event descriptors");
    watch_dir(s);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return NULL;
}

/* The stop file's grace, or otherwise; false when there is no file. */
static bool read_stop_file(struct supervisor *s, int64_t *ret_grace_seconds)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice path = slice_fmt(arena, "%.*s/" WIRE_STOP_FILE, SLICE_ARG(s->paths.pod_dir)), text;
    struct err *e = file_read(arena, path.ptr, 64, &text);
    if (e) {
        err_free(e);
        return false;
    }
    if (!slice_to_i64(slice_trim(text), 0, INT64_MAX, ret_grace_seconds))
        *ret_grace_seconds = s->spec.grace_seconds;
    return true;
}

static void stop(struct supervisor *s, int64_t grace_seconds)
{
    int64_t kill_at = monotonic_ms() + (grace_seconds < GRACE_MAX_SECONDS ? grace_seconds : GRACE_MAX_SECONDS) * 1000;
    if (s->state.stopping && kill_at >= s->kill_at_ms)
        return; /* asked again, as every change of the directory does: our own writing must not keep us writing */
    s->kill_at_ms = kill_at;
    s->state.stopping = true;
    s->changed = true;
    for (size_t i = 0; i < s->spec.container_count; i++)
        container_ask_to_stop(&s->state.containers[i]);
}

/* ---- which container is next ---- */

static bool should_restart(const struct supervisor *s, const struct container *c)
{
    if (s->state.stopping || s->state.failed)
        return false;
    bool good = c->end.exit_code == 0;
    switch (s->spec.restart_policy) {
    case RESTART_NEVER:
        return false;
    case RESTART_ON_FAILURE:
        return !good;
    case RESTART_ALWAYS:
        return !c->spec->init || !good; /* an init container that succeeded is done */
    }
    return false;
}

/* The first restart is at once, also the first after a container ran for a while. */
static int64_t backoff_ms(struct container *c)
{
    if (c->end.started_at.ms && c->end.finished_at.ms - c->end.started_at.ms > BACKOFF_RESET_MS)
        c->quick_ends = 0;
    if (c->quick_ends++ == 0)
        return 0;
    int64_t ms = BACKOFF_FIRST_MS;
    for (int i = 2; i < c->quick_ends && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

static void start_container(struct supervisor *s, struct container *c)
{
    container_start(c, &s->spec, &s->paths);
    s->changed = true;
}

/* Starts what may start now. Level-triggered: may be called any time. */
static void start_next(struct supervisor *s)
{
    bool inits_done = true;
    for (size_t i = 0; i < s->spec.container_count && !s->state.stopping && !s->state.failed; i++) {
        struct container *c = &s->state.containers[i];
        if (!c->spec->init && !inits_done)
            return;
        if (c->phase == CONTAINER_TERMINATED && should_restart(s, c)) {
            c->phase = CONTAINER_BACKOFF;
            c->restart_at_ms = monotonic_ms() + backoff_ms(c);
            s->changed = true;
        }
        if (c->phase == CONTAINER_WAITING || (c->phase == CONTAINER_BACKOFF && monotonic_ms() >= c->restart_at_ms))
            start_container(s, c);
        if (!c->spec->init)
            continue;
        bool done = c->phase == CONTAINER_TERMINATED && c->end.exit_code == 0;
        if (c->phase == CONTAINER_TERMINATED && !done) { /* Never: the pod has failed */
            s->state.failed = true;
            s->changed = true;
            return;
        }
        if (!done)
            inits_done = false;
        if (!inits_done)
            return;
    }
}

static bool is_over(const struct supervisor *s)
{
    bool given_up = s->state.stopping || s->state.failed;
    for (size_t i = 0; i < s->spec.container_count; i++) {
        const struct container *c = &s->state.containers[i];
        if (container_is_alive(c))
            return false;
        if (!given_up && !(c->phase == CONTAINER_TERMINATED && !should_restart(s, c)))
            return false;
    }
    return true;
}

/* ---- events ---- */

static void look_for_stop(struct supervisor *s)
{
    int64_t grace;
    if (read_stop_file(s, &grace))
        stop(s, grace);
}

static void read_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        int64_t grace = s->spec.grace_seconds;
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
            read_stop_file(s, &grace);
            stop(s, grace);
        } else if (info.ssi_signo == SIGIO) {
            look_for_stop(s);
        }
    }
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (size_t i = 0; i < s->spec.container_count; i++)
            if (s->state.containers[i].pid == pid)
                container_reaped(&s->state.containers[i], status);
}

static int min_timeout(int timeout, int64_t at_ms, int64_t now_ms)
{
    if (at_ms <= 0)
        return timeout;
    int64_t left = at_ms > now_ms ? at_ms - now_ms : 0;
    if (left > 3600 * 1000)
        left = 3600 * 1000;
    return timeout < 0 || left < timeout ? (int)left : timeout;
}

static int next_timeout(struct supervisor *s)
{
    int64_t now = monotonic_ms();
    int timeout = min_timeout(min_timeout(-1, s->kill_at_ms, now), s->deadline_at_ms, now);
    if (s->dir_fd < 0)
        timeout = min_timeout(timeout, now + STOP_LOOK_MS, now);
    if (s->changed) /* the status could not be written */
        timeout = min_timeout(timeout, now + STATUS_RETRY_MS, now);
    for (size_t i = 0; i < s->spec.container_count; i++) {
        const struct container *c = &s->state.containers[i];
        if (c->phase == CONTAINER_BACKOFF)
            timeout = min_timeout(timeout, c->restart_at_ms > 0 ? c->restart_at_ms : 1, now);
        if (c->reaped && container_is_alive(c))
            timeout = min_timeout(timeout, c->drain_until_ms, now);
        if (container_wants_memory_checks(c))
            timeout = min_timeout(timeout, s->memory_at_ms ? s->memory_at_ms : 1, now);
    }
    return timeout;
}

static void run_clock(struct supervisor *s)
{
    int64_t now = monotonic_ms();
    if (s->deadline_at_ms && now >= s->deadline_at_ms) {
        s->deadline_at_ms = 0;
        s->state.failed = true;
        s->state.reason = "DeadlineExceeded";
        s->state.message = "Pod was active on the node longer than the specified deadline";
        stop(s, s->spec.grace_seconds);
    }
    if (s->kill_at_ms && now >= s->kill_at_ms) {
        s->kill_at_ms = now + 1000; /* again, should one have been between two of its processes */
        for (size_t i = 0; i < s->spec.container_count; i++)
            container_kill(&s->state.containers[i]);
    }
    if (now >= s->memory_at_ms) {
        s->memory_at_ms = now + MEMORY_CHECK_MS;
        for (size_t i = 0; i < s->spec.container_count; i++)
            container_check_memory(&s->state.containers[i]);
    }
}

static void wait_for_events(struct supervisor *s)
{
    size_t count = s->spec.container_count;
    struct pollfd *fds = xcalloc(1 + 4 * count, sizeof(*fds));
    fds[0] = (struct pollfd){.fd = s->signal_fd, .events = POLLIN};
    for (size_t i = 0; i < count; i++) {
        const struct container *c = &s->state.containers[i];
        const int of_container[] = {c->stdout_fd, c->stderr_fd, c->control_fd, c->info_fd};
        for (size_t j = 0; j < 4; j++)
            fds[1 + 4 * i + j] = (struct pollfd){.fd = of_container[j], .events = POLLIN};
    }
    int n = poll(fds, 1 + 4 * count, next_timeout(s));
    for (size_t i = 0; n > 0 && i < 4 * count; i++) {
        struct container *c = &s->state.containers[i / 4];
        enum container_phase before = c->phase;
        if (fds[1 + i].revents)
            container_read(c, fds[1 + i].fd);
        s->changed |= c->phase != before;
    }
    if (n > 0 && fds[0].revents)
        read_signals(s);
    if (s->dir_fd < 0)
        look_for_stop(s);
    free(fds);
}

/* False: the disk is full; to be tried again, since nobody else knows how the pod ended. */
static bool write_status(struct supervisor *s)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct err *e = pod_status_write(arena, &s->state, s->paths.pod_dir);
    bool full = e && e->kind == ERR_LIMIT;
    if (e && !(full && s->disk_full))
        fprintf(stderr, "ember-run: %.*s\n", SLICE_ARG(err_message(e)));
    err_free(e);
    s->disk_full = full;
    return !full;
}

static void run_loop(struct supervisor *s)
{
    for (;;) {
        if (!s->state.done)
            start_next(s);
        if (!s->state.done && is_over(s)) {
            s->state.done = true;
            s->changed = true;
        }
        if (s->changed)
            s->changed = !write_status(s);
        if (s->state.done && !s->changed)
            break;
        wait_for_events(s);
        run_clock(s);
        for (size_t i = 0; i < s->spec.container_count; i++)
            s->changed |= container_step(&s->state.containers[i], &s->spec, &s->paths);
        /* One failed for good while the others run: they go on, as in Kubernetes. */
    }
}

static struct err *run(struct supervisor *s)
{
    struct slice text;
    struct slice path = slice_fmt(s->arena, "%.*s/" WIRE_RUN_FILE, SLICE_ARG(s->paths.pod_dir));
    TRY(file_read(s->arena, path.ptr, WIRE_FILE_MAX_BYTES, &text));
    TRY(run_spec_parse(s->arena, text, &s->spec));
    TRY(open_events(s));
    s->state.spec = &s->spec;
    s->state.containers = ARENA_ARRAY(s->arena, s->spec.container_count, struct container);
    for (size_t i = 0; i < s->spec.container_count; i++)
        container_init(&s->state.containers[i], &s->spec.containers[i]);
    if (s->spec.active_deadline_seconds > 0)
        s->deadline_at_ms = monotonic_ms() + s->spec.active_deadline_seconds * 1000;
    look_for_stop(s);
    s->changed = true;
    run_loop(s);
    for (size_t i = 0; i < s->spec.container_count; i++)
        container_deinit(&s->state.containers[i]);
    return NULL;
}

struct err *supervisor_run(struct slice pod_dir, struct slice self, int lock_fd)
{
    struct supervisor s = {.arena = arena_new(), .lock_fd = lock_fd, .signal_fd = -1, .dir_fd = -1};
    s.paths = (struct pod_paths){.pod_dir = slice_dup(s.arena, pod_dir), .self = slice_dup(s.arena, self)};
    struct err *e = run(&s);
    fd_closep(&s.signal_fd);
    fd_closep(&s.dir_fd);
    fd_closep(&s.lock_fd);
    arena_free(s.arena);
    return e;
}
