/* ember-run: the supervisor of one pod of an embedded cluster (runner/supervisor.h).
 *   ember-run --detach POD_DIR   goes into the background and runs the pod; the exit code says whether that began
 *   ember-run POD_DIR            runs the pod in the foreground
 *   ember-run --init             the first process of a sandbox (runner/init.h); not for people */
#include "base/arena.h"
#include "base/err.h"
#include "runner/init.h"
#include "runner/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int complain(struct err *e)
{
    fprintf(stderr, "ember-run: %.*s\n", SLICE_ARG(err_message(e)));
    err_free(e);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--init") == 0)
        init_main();
    bool detach = argc == 3 && strcmp(argv[1], "--detach") == 0;
    if (argc != (detach ? 3 : 2) || argv[argc - 1][0] == '-') {
        fprintf(stderr, "usage: ember-run [--detach] POD_DIR\n");
        return 2;
    }
    char self[PATH_MAX], pod_dir[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0)
        return complain(err_errno(errno, "cannot read /proc/self/exe"));
    self[n] = '\0';
    if (!realpath(argv[argc - 1], pod_dir))
        return complain(err_errno(errno, "%s", argv[argc - 1]));
    umask(022);
    int lock_fd = -1;
    struct err *e = supervisor_take_lock(pod_dir, &lock_fd);
    if (e)
        return complain(e);
    if (detach) { /* the child keeps the lock */
        pid_t pid = fork();
        if (pid < 0)
            return complain(err_errno(errno, "fork"));
        if (pid > 0)
            _exit(0);
        setsid();
    }
    if (chdir("/") < 0)
        return complain(err_errno(errno, "cannot change to /"));
    e = supervisor_run(slice_from_cstr(pod_dir), slice_from_cstr(self), lock_fd);
    return e ? complain(e) : 0;
}
