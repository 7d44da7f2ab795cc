/* proc: processes of this machine as seen from outside: who is alive, what they use, and starting one that outlives us.
 * A process is known by pid and start time together, since pids are used again. Any thread. */
#pragma once
#include "base/err.h"
#include <sys/types.h>

/* Start time of pid in clock ticks since boot (field 22 of /proc/PID/stat); false when there is no such process. */
bool proc_start_ticks(pid_t pid, int64_t *ret_ticks);
/* True when pid lives (a zombie does not) and is the one that started then. */
bool proc_is_alive(pid_t pid, int64_t start_ticks);
/* A pidfd of that very process, or -1 when it is gone. */
int proc_open(pid_t pid, int64_t start_ticks);
/* Signals through a pidfd. False when it is gone already. */
bool proc_signal(int pidfd, int signal_number);

/* Runs argv (argv[0] is a path) in a session of its own, all descriptors closed but 0 (/dev/null) and 1 and 2 (appended to
 * output_path), and waits for its exit: for programs that detach themselves. One that does not within timeout_ms is killed.
 * ERR_UNAVAILABLE with the exit status when it is not 0 or for the lost patience, the errno kinds when it cannot be started. */
struct err *proc_run_detaching(const char *const *argv, const char *output_path, int timeout_ms) NODISCARD;

/* Memory that processes of pid's PID namespace use together, in bytes: proportional shares where the kernel tells them. For
 * machines without a memory controller. -1 when pid is gone. limit_bytes: stop looking closely below it (0: always exact). */
int64_t proc_namespace_memory(pid_t pid, int64_t limit_bytes);
