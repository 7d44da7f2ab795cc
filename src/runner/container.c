#include "runner/container.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/proc.h"
#include "cluster/kubelet/wire.h"
#include "runner/fetch.h"
#include "runner/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRAIN_MS 2000 /* how long pipes may stay open after the last process of a sandbox has ended */
#define LAST_WORDS_MAX 2000
#define TERMINATION_MESSAGE_MAX 4096 /* as Kubernetes has it */

void container_init(struct container *container, const struct run_container *spec)
{
    *container = (struct container){
        .spec = spec, .pid = -1, .sandbox_pid = -1, .stdout_fd = -1, .stderr_fd = -1, .control_fd = -1, .info_fd = -1};
    container->log.fd = -1;
    container->copy.fds[CRI_STDOUT] = container->copy.fds[CRI_STDERR] = -1;
    container->group.procs_fd = -1;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void container_deinit(struct container *container)
{
    close_fd(&container->stdout_fd);
    close_fd(&container->stderr_fd);
    close_fd(&container->control_fd);
    close_fd(&container->info_fd);
    cri_log_close(&container->log);
    log_copy_close(&container->copy);
    cgroup_remove(&container->group);
    strbuf_deinit(&container->last_words);
    free(container->start_error);
    free(container->end.message);
    free(container->last_end.message);
}

static struct timespec wall_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

/* ---- end ---- */

static void read_termination_message(struct container *container, const struct pod_paths *paths)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice path = slice_fmt(arena, "%.*s/" WIRE_CONTAINERS_DIR "/%.*s/termination-log", SLICE_ARG(paths->pod_dir),
                                  SLICE_ARG(container->spec->name));
    char text[TERMINATION_MESSAGE_MAX + 1];
    _cleanup_(fd_closep) int fd = open(path.ptr, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        (void)lseek(fd, -TERMINATION_MESSAGE_MAX, SEEK_END); /* Kubernetes keeps the end; fails where there is less */
    ssize_t n = fd < 0 ? 0 : read(fd, text, TERMINATION_MESSAGE_MAX);
    if (n <= 0)
        return;
    text[n] = '\0';
    free(container->end.message);
    container->end.message = xstrdup(text);
}

static void terminate(struct container *container, int exit_code, int signal_number, const char *reason, const char *message)
{
    free(container->last_end.message);
    container->last_end = container->end;
    container->end = (struct container_end){
        .exit_code = exit_code,
        .signal = signal_number,
        .reason = reason,
        .message = message ? xstrdup(message) : NULL,
        .started_at = container->started_at,
        .finished_at = instant_now(),
    };
    container->ended_once = true;
    container->phase = CONTAINER_TERMINATED;
    container->pid = container->sandbox_pid = -1;
}

static void terminate_ended(struct container *container, const struct pod_paths *paths)
{
    bool out_of_memory = container->killed_for_memory || cgroup_oom_kills(&container->group) > 0;
    cgroup_remove(&container->group);
    cri_log_end(&container->log, CRI_STDOUT, wall_now());
    cri_log_end(&container->log, CRI_STDERR, wall_now());
    cri_log_close(&container->log);
    log_copy_close(&container->copy);
    close_fd(&container->stdout_fd);
    close_fd(&container->stderr_fd);
    close_fd(&container->control_fd);
    close_fd(&container->info_fd);
    if (container->phase == CONTAINER_STARTING && !container->has_status && !container->asked_to_stop && !out_of_memory) {
        struct slice words = slice_trim(strbuf_slice(&container->last_words));
        char text[LAST_WORDS_MAX + 64];
        snprintf(text, sizeof(text), "%.*s", SLICE_ARG(words));
        terminate(container, 128, 0, "StartError",
                  container->start_error ? container->start_error : words.len ? text : "the sandbox could not be built");
        return;
    }
    int status = container->wait_status;
    int signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + signal_number;
    if (out_of_memory && code != 0)
        terminate(container, 137, 0, "OOMKilled", NULL);
    else
        terminate(container, code, signal_number, code == 0 ? "Completed" : "Error", NULL);
    read_termination_message(container, paths);
}

/* ---- start ---- */

struct child_fds {
    int out, err, control, init, args, info; /* -1: none */
};

/* In the child: descriptors to their places. Only async-signal-safe calls from here on. */
static void place_fds(const struct child_fds *fds)
{
    const int from[] = {fds->out, fds->err, fds->control, fds->init, fds->args, fds->info};
    const int to[] = {1, 2, SANDBOX_FD_CONTROL, SANDBOX_FD_INIT, SANDBOX_FD_ARGS, SANDBOX_FD_STATUS};
    int high[6];
    for (int i = 0; i < 6; i++)
        high[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, 64);
    int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd > 0)
        dup2(null_fd, 0);
    for (int i = 0; i < 6; i++)
        if (high[i] >= 0)
            dup2(high[i], to[i]);
    close_range(fds->control < 0 ? 3 : SANDBOX_FD_STATUS + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing of a pod outlives its supervisor */
}

static struct err *memfd_of(struct slice content, int *ret_fd)
{
    _cleanup_(fd_closep) int fd = memfd_create("ember", MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "memfd_create");
    TRY(fd_write_all(fd, content));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(errno, "lseek");
    *ret_fd = fd;
    fd = -1;
    return NULL;
}

static struct err *open_pipes(struct container *container, int *ret_out, int *ret_err)
{
    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        return err_errno(errno, "pipe");
    if (pipe2(err, O_CLOEXEC) < 0) {
        close(out[0]);
        close(out[1]);
        return err_errno(errno, "pipe");
    }
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    container->stdout_fd = out[0];
    container->stderr_fd = err[0];
    *ret_out = out[1];
    *ret_err = err[1];
    return NULL;
}

/* Of its start with that number. */
static struct slice log_path(struct arena *arena, const struct container *container, const struct pod_paths *paths, int number)
{
    return slice_fmt(arena, "%.*s/" WIRE_CONTAINERS_DIR "/%.*s/%d.log", SLICE_ARG(paths->pod_dir), SLICE_ARG(container->spec->name), number);
}

static struct err *open_log(struct container *container, const struct run_spec *spec, const struct pod_paths *paths, struct arena *arena)
{
    struct slice path = log_path(arena, container, paths, container->restart_count);
    cri_log_close(&container->log);
    /* The last and the one before can be asked for: a container that fails for days must not fill the disk. */
    if (container->restart_count >= 2) {
        struct slice gone = log_path(arena, container, paths, container->restart_count - 2);
        unlink(gone.ptr);
        unlink(slice_fmt(arena, "%s.old", gone.ptr).ptr);
    }
    return cri_log_open(&container->log, path.ptr, spec->log_max_bytes / (int64_t)spec->container_count);
}

/* The downloads of its entry points, as a child of its own: it takes time, and its words belong into the container's log. */
static struct err *start_fetch(struct container *container, struct arena *arena, const struct pod_paths *paths)
{
    _cleanup_(fd_closep) int out = -1;
    _cleanup_(fd_closep) int err = -1;
    struct slice dir = slice_fmt(arena, "%.*s/" WIRE_CONTAINERS_DIR "/%.*s/entry", SLICE_ARG(paths->pod_dir),
                                 SLICE_ARG(container->spec->name));
    TRY(open_pipes(container, &out, &err));
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(errno, "fork");
    if (pid == 0) {
        place_fds(&(struct child_fds){out, err, -1, -1, -1, -1});
        reset_signals();
        _exit(fetch_entry_points(container->spec, dir));
    }
    container->pid = pid;
    container->phase = CONTAINER_FETCHING;
    return NULL;
}

static struct err *start_sandbox(struct container *container, struct arena *arena, const struct run_spec *spec,
                                 const struct pod_paths *paths)
{
    struct sandbox box;
    TRY(sandbox_build(arena, spec, container->spec, paths->pod_dir, paths->self, &box));
    _cleanup_(fd_closep) int out = -1;
    _cleanup_(fd_closep) int err = -1;
    _cleanup_(fd_closep) int init = -1;
    _cleanup_(fd_closep) int args = -1;
    _cleanup_(fd_closep) int child_control = -1;
    _cleanup_(fd_closep) int child_info = -1;
    TRY(memfd_of(strbuf_slice(&box.init), &init));
    TRY(memfd_of(strbuf_slice(&box.args), &args));
    int control[2], info[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
        return err_errno(errno, "socketpair");
    container->control_fd = control[0];
    child_control = control[1];
    if (pipe2(info, O_CLOEXEC) < 0)
        return err_errno(errno, "pipe");
    container->info_fd = info[0];
    child_info = info[1];
    fcntl(container->control_fd, F_SETFL, O_NONBLOCK);
    fcntl(container->info_fd, F_SETFL, O_NONBLOCK);
    TRY(open_pipes(container, &out, &err));

    struct slice name = slice_fmt(arena, "%.*s-%.*s", SLICE_ARG(spec->pod_uid), SLICE_ARG(container->spec->name));
    cgroup_make(&container->group, name, container->spec->memory_limit_bytes);
    const char *const argv[] = {"bwrap", "--args", "5", "--json-status-fd", "6", "--", SANDBOX_SELF, "--init", NULL};
    const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
    _Static_assert(SANDBOX_FD_ARGS == 5 && SANDBOX_FD_STATUS == 6, "the arguments above name them");
    const char *program = slice_cstr(arena, box.bwrap);
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(errno, "fork");
    if (pid == 0) {
        cgroup_enter(&container->group);
        place_fds(&(struct child_fds){out, err, child_control, init, args, child_info});
        reset_signals();
        char *const *mutable_argv, *const *mutable_envp;
        memcpy(&mutable_argv, &(const char *const *){argv}, sizeof(mutable_argv));
        memcpy(&mutable_envp, &(const char *const *){envp}, sizeof(mutable_envp));
        execve(program, mutable_argv, mutable_envp);
        _exit(127);
    }
    container->pid = pid;
    container->phase = CONTAINER_STARTING;
    return NULL;
}

static void start_failed(struct container *container, struct err *e, const struct pod_paths *paths)
{
    char text[LAST_WORDS_MAX];
    snprintf(text, sizeof(text), "%.*s\n", SLICE_ARG(err_message(e)));
    struct slice words = slice_from_cstr(text);
    if (container->log.fd >= 0)
        cri_log_write(&container->log, CRI_STDERR, words, wall_now());
    container->start_error = xstrdup(text);
    container->start_error[words.len - 1] = '\0';
    container->phase = CONTAINER_STARTING;
    terminate_ended(container, paths);
    err_free(e);
}

void container_start(struct container *container, const struct run_spec *spec, const struct pod_paths *paths)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    if (container->start_count++ > 0)
        container->restart_count++;
    container->has_status = container->reaped = container->killed_for_memory = container->asked_to_stop = false;
    container->wait_status = 0;
    container->drain_until_ms = 0;
    container->started_at = (struct instant){0};
    strbuf_truncate(&container->last_words, 0);
    free(container->start_error);
    container->start_error = NULL;
    struct err *e = sandbox_prepare(arena, spec, container->spec, paths->pod_dir);
    if (!e)
        e = open_log(container, spec, paths, arena);
    log_copy_open(&container->copy, spec, container->spec, paths->pod_dir);
    if (!e)
        e = fetch_is_needed(container->spec) ? start_fetch(container, arena, paths) : start_sandbox(container, arena, spec, paths);
    if (e)
        start_failed(container, e, paths);
}

/* ---- while it runs ---- */

static void read_output(struct container *container, int *fd, enum cri_stream stream)
{
    char bytes[65536];
    /* Once around: the others want their turn too. */
    ssize_t n = read(*fd, bytes, sizeof(bytes));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        cri_log_end(&container->log, stream, wall_now());
        close_fd(fd);
        return;
    }
    struct slice data = slice_of(bytes, (size_t)n);
    if (container->phase == CONTAINER_STARTING && stream == CRI_STDERR && container->last_words.len < LAST_WORDS_MAX)
        strbuf_append(&container->last_words, slice_sub(data, 0, LAST_WORDS_MAX - container->last_words.len));
    cri_log_write(&container->log, stream, data, wall_now());
    log_copy_write(&container->copy, stream, data);
}

static void read_control(struct container *container)
{
    char text[600];
    ssize_t n = recv(container->control_fd, text, sizeof(text) - 1, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close_fd(&container->control_fd);
        return;
    }
    text[n] = '\0';
    if (text[0] == 'S' && !container->start_error && container->phase == CONTAINER_STARTING) {
        container->phase = CONTAINER_RUNNING;
        container->started_at = instant_now();
    } else if (text[0] == 'E' && n > 2 && !container->start_error) {
        container->start_error = xstrdup(text + 2);
    } else if (text[0] == 'X' && n > 2 && !container->start_error) {
        container->wait_status = (int)strtol(text + 2, NULL, 10);
        container->has_status = true;
    }
}

/* bubblewrap writes {"child-pid": 123, …} lines. */
static void read_info(struct container *container)
{
    char text[512];
    ssize_t n = read(container->info_fd, text, sizeof(text) - 1);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close_fd(&container->info_fd);
        return;
    }
    text[n] = '\0';
    const char *p = strstr(text, "\"child-pid\"");
    if (p && (p = strchr(p, ':')))
        container->sandbox_pid = (pid_t)strtol(p + 1, NULL, 10);
}

void container_read(struct container *container, int fd)
{
    if (fd < 0)
        return;
    if (fd == container->stdout_fd)
        read_output(container, &container->stdout_fd, CRI_STDOUT);
    else if (fd == container->stderr_fd)
        read_output(container, &container->stderr_fd, CRI_STDERR);
    else if (fd == container->control_fd)
        read_control(container);
    else if (fd == container->info_fd)
        read_info(container);
}

void container_reaped(struct container *container, int wait_status)
{
    container->reaped = true;
    container->drain_until_ms = monotonic_ms() + DRAIN_MS;
    while (container->control_fd >= 0) { /* what init said last */
        int fd = container->control_fd;
        struct container before = *container;
        read_control(container);
        if (container->control_fd == fd && before.has_status == container->has_status && before.phase == container->phase &&
            before.start_error == container->start_error)
            break;
    }
    if (!container->has_status)
        container->wait_status = wait_status;
}

bool container_step(struct container *container, const struct run_spec *spec, const struct pod_paths *paths)
{
    if (!container->reaped || container->pid < 0)
        return false;
    bool drained = container->stdout_fd < 0 && container->stderr_fd < 0;
    if (!drained && monotonic_ms() < container->drain_until_ms)
        return false;
    if (container->phase == CONTAINER_FETCHING && container->wait_status == 0 && !container->asked_to_stop) {
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        close_fd(&container->stdout_fd);
        close_fd(&container->stderr_fd);
        container->reaped = false;
        container->pid = -1;
        struct err *e = start_sandbox(container, arena, spec, paths);
        if (e)
            start_failed(container, e, paths);
        return true;
    }
    terminate_ended(container, paths);
    return true;
}

bool container_is_alive(const struct container *container)
{
    return container->pid > 0;
}

void container_ask_to_stop(struct container *container)
{
    if (!container_is_alive(container) || container->asked_to_stop)
        return;
    container->asked_to_stop = true;
    if (container->phase == CONTAINER_RUNNING && container->control_fd >= 0)
        (void)!send(container->control_fd, "T", 1, MSG_NOSIGNAL);
    else
        container_kill(container);
}

void container_kill(struct container *container)
{
    if (!container_is_alive(container) || container->reaped)
        return;
    /* The first process of the namespace takes all others with it; bubblewrap outside of it then ends by itself. */
    if (container->sandbox_pid > 0)
        kill(container->sandbox_pid, SIGKILL);
    else
        kill(container->pid, SIGKILL);
}

bool container_wants_memory_checks(const struct container *container)
{
    return container->phase == CONTAINER_RUNNING && container->spec->memory_limit_bytes > 0 && !cgroup_kills_whole(&container->group);
}

void container_check_memory(struct container *container)
{
    if (!container_wants_memory_checks(container) || container->sandbox_pid <= 0 || container->reaped || container->killed_for_memory)
        return;
    int64_t limit = container->spec->memory_limit_bytes;
    if (container->group.path ? cgroup_oom_kills(&container->group) > 0 : proc_namespace_memory(container->sandbox_pid, limit) > limit) {
        container->killed_for_memory = true;
        container_kill(container);
    }
}
