/* sandbox: what one container of a pod sees: bubblewrap's arguments, the container's environment and its first process. The
 * machine's system directories are read-only, everything else is the pod's own; other pods, the data directory and other
 * processes are not there. Pure but for looking at this machine's directories; the supervisor starts it (container.c). */
#pragma once
#include "base/err.h"
#include "base/strbuf.h"
#include "runner/run_spec.h"
#include "runner/spark_command.h"

#define SANDBOX_SELF "/.ember-run" /* at the top, where no volume can stand above it (mounts.c) */
#define SANDBOX_ENTRY "/opt/ember/entry"

/* Descriptors of the process that becomes bubblewrap. */
enum { SANDBOX_FD_CONTROL = 3, SANDBOX_FD_INIT = 4, SANDBOX_FD_ARGS = 5, SANDBOX_FD_STATUS = 6 };

struct sandbox {
    struct slice bwrap;     /* path of bubblewrap on this machine */
    struct strbuf args;     /* for --args: each ends with NUL */
    struct strbuf init;     /* for the first process: see init.h */
};

/* Makes the pod's etc/ files and the container's own directories in pod_dir. Once per container start. */
struct err *sandbox_prepare(struct arena *arena, const struct run_spec *spec, const struct run_container *container,
                            struct slice pod_dir) NODISCARD;
/* self: path of this program on this machine. ERR_UNAVAILABLE, one sentence, when the machine lacks bubblewrap or Java, or
 * the Spark home is not there; ERR_INVALID for a command that cannot be made. */
struct err *sandbox_build(struct arena *arena, const struct run_spec *spec, const struct run_container *container, struct slice pod_dir,
                          struct slice self, struct sandbox *ret_sandbox) NODISCARD;
