/* init: the first process of a sandbox (pid 1 of its namespace), which is this program again. Becomes the pod's user, starts
 * the container's command, passes on the request to stop, reaps orphans, and reports over the control socket:
 *   to the supervisor:  "S"  the command runs;  "E text"  it could not be started;  "X status"  it ended (wait status, decimal)
 *   from it:            "T"  send it SIGTERM;  end of file: the supervisor is gone, kill everything
 * What to run comes in a file of NUL-terminated texts, not in arguments or the environment, so that nothing a pod says (such
 * as LD_PRELOAD) reaches a program that still has rights: uid or "-", working directory, the file
 * to be touched every two seconds or "-", number of mounts to be checked, for each its path and "DEVICE INODE" (mounts.h), number of
 * arguments, the arguments, the environment to the end. */
#pragma once

/* ember-run --init. Never returns. */
_Noreturn void init_main(void);
