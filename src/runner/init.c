#include "runner/init.h"

#include "runner/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_NOT_STARTED = 128 };

static void tell(const char *text)
{
    /* Nobody to tell the failure to: the supervisor sees the end of the process anyway. */
    ssize_t n = send(SANDBOX_FD_CONTROL, text, strlen(text), MSG_NOSIGNAL);
    (void)n;
}

static _Noreturn void fail(const char *what, int error_number)
{
    char text[512];
    snprintf(text, sizeof(text), "E %s: %s", what, strerror(error_number));
    tell(text);
    _exit(EXIT_NOT_STARTED);
}

#define BEAT_MS 2000 /* pod templates, EMR on EKS guide */

struct plan {
    const char *uid, *cwd;
    const char *sign_of_life; /* a file to be touched as long as the command runs; "-": none */
    char **checks; /* path, "DEVICE INODE" */
    size_t check_count;
    char **argv, **envp;
};

/* At *item; moves on behind it. */
static size_t read_count(char **items, size_t count, size_t *item, size_t least, size_t size)
{
    char *end = NULL;
    unsigned long n = *item < count ? strtoul(items[*item], &end, 10) : 0;
    if (!end || *end || n < least || n > (count - *item - 1) / size)
        fail("the plan has a wrong count", EINVAL);
    ++*item;
    return n;
}

/* The file's texts stay where they are mapped. */
static void read_plan(struct plan *ret_plan)
{
    struct stat st;
    if (fstat(SANDBOX_FD_INIT, &st) < 0 || st.st_size <= 0)
        fail("the plan is missing", errno);
    size_t size = (size_t)st.st_size;
    char *text = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, SANDBOX_FD_INIT, 0);
    if (text == MAP_FAILED || text[size - 1] != '\0')
        fail("the plan cannot be read", EINVAL);
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += text[i] == '\0';
    char **items = calloc(count + 2, sizeof(*items));
    if (!items || count < 5)
        fail("the plan is too short", EINVAL);
    size_t n = 0;
    for (char *p = text; p < text + size; p += strlen(p) + 1)
        items[n++] = p;
    size_t at = 3;
    ret_plan->uid = items[0];
    ret_plan->cwd = items[1];
    ret_plan->sign_of_life = items[2];
    ret_plan->check_count = read_count(items, count, &at, 0, 2);
    ret_plan->checks = items + at;
    at += 2 * ret_plan->check_count;
    size_t argc = read_count(items, count, &at, 1, 1);
    /* Arguments end where the environment begins: one list is moved by one to make room for its NULL. */
    memmove(items + at - 1, items + at, argc * sizeof(*items));
    items[at - 1 + argc] = NULL;
    ret_plan->argv = items + at - 1;
    ret_plan->envp = items + at + argc; /* calloc's zeros end it */
}

/* As the pod's user, who may look into its own directories. */
static void check_mounts(const struct plan *plan)
{
    for (size_t i = 0; i < plan->check_count; i++) {
        struct stat st;
        char now[64];
        if (stat(plan->checks[2 * i], &st) < 0)
            fail(plan->checks[2 * i], errno);
        snprintf(now, sizeof(now), "%llu %llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
        if (strcmp(now, plan->checks[2 * i + 1]) != 0)
            fail("a subPath was changed while it was mounted", EINVAL);
    }
}

static void become_user(const char *uid_text)
{
    if (strcmp(uid_text, "-") == 0)
        return;
    char *end = NULL;
    unsigned long uid = strtoul(uid_text, &end, 10);
    if (*end || uid == 0)
        fail("the plan has a wrong user", EINVAL);
    if (setgroups(0, NULL) < 0 || setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) < 0 || setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0)
        fail("cannot become the pod's user", errno);
    /* A change of user clears it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static _Noreturn void run_command(const struct plan *plan, const sigset_t *signals)
{
    setsid();
    umask(022);
    if (chdir(plan->cwd) < 0)
        fail(plan->cwd, errno);
    sigprocmask(SIG_SETMASK, signals, NULL);
    environ = plan->envp;
    execvp(plan->argv[0], plan->argv);
    char what[400];
    snprintf(what, sizeof(what), errno == ENOENT ? "exec: \"%.300s\": executable file not found in $PATH" : "exec: \"%.300s\"", plan->argv[0]);
    fail(what, errno);
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* As the pod's user, in the pod's own volume: side cars take the file's age for whether the main container lives. */
static void beat(const char *path, long long *due_ms)
{
    if (now_ms() < *due_ms)
        return;
    *due_ms = now_ms() + BEAT_MS;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (fd < 0)
        return; /* a full disk or no such volume is no reason to end the job */
    futimens(fd, NULL);
    close(fd);
}

/* Reaps all that has ended. Returns when the command has, through ret_status. */
static bool reap(pid_t command, int *ret_status)
{
    bool ended = false;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == command) {
            *ret_status = status;
            ended = true;
        }
    }
    return ended;
}

/* True: the supervisor is gone. */
static bool obey(pid_t command)
{
    char text[16];
    ssize_t n = recv(SANDBOX_FD_CONTROL, text, sizeof(text), 0);
    if (n < 0)
        return errno != EINTR && errno != EAGAIN;
    if (n > 0 && text[0] == 'T')
        kill(command, SIGTERM);
    return n == 0;
}

_Noreturn void init_main(void)
{
    close_range(SANDBOX_FD_ARGS, ~0U, 0);
    struct plan plan;
    read_plan(&plan);
    close(SANDBOX_FD_INIT);
    become_user(plan.uid);
    check_mounts(&plan);
    prctl(PR_SET_NAME, "ember-init");

    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    sigemptyset(&before);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    /* Closes when the command has been executed; a failure is told over the control socket before. */
    int started[2];
    if (signals < 0 || pipe2(started, O_CLOEXEC) < 0)
        fail("no descriptors", errno);
    fcntl(SANDBOX_FD_CONTROL, F_SETFD, FD_CLOEXEC);
    pid_t command = fork();
    if (command < 0)
        fail("fork", errno);
    if (command == 0)
        run_command(&plan, &before);
    close(started[1]);
    char none;
    while (read(started[0], &none, 1) < 0 && errno == EINTR)
        ;
    close(started[0]);
    tell("S");

    bool beats = plan.sign_of_life[0] == '/';
    long long beat_due_ms = 0;
    for (;;) {
        if (beats)
            beat(plan.sign_of_life, &beat_due_ms);
        struct pollfd fds[] = {{.fd = SANDBOX_FD_CONTROL, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (poll(fds, 2, beats ? BEAT_MS : -1) < 0 && errno != EINTR)
            _exit(EXIT_NOT_STARTED);
        struct signalfd_siginfo info[8];
        while (read(signals, info, sizeof(info)) > 0)
            ;
        int status;
        if (reap(command, &status)) {
            char text[32];
            snprintf(text, sizeof(text), "X %d", status);
            tell(text);
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
        if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) && obey(command))
            _exit(EXIT_NOT_STARTED);
    }
}
