/* supervisor: the life of one pod. One thread, one poll loop: starts init containers one after the other, then all
 * containers; restarts, stops and kills them; writes status.json at every change. */
#pragma once
#include "base/err.h"

/* Makes the pod in pod_dir ours, for as long as we or a child of ours keep the descriptor. Before the process goes into the background, so
 * that whoever started it finds it held. ERR_CONFLICT: another supervisor has it already. */
struct err *supervisor_take_lock(const char *pod_dir, int *ret_lock_fd) NODISCARD;
/* Runs the pod in pod_dir to its end. self: path of this program. lock_fd: consumed. ERR_INVALID: run.json. When the pod itself could not
 * be run, that stands in status.json and the result is NULL. */
struct err *supervisor_run(struct slice pod_dir, struct slice self, int lock_fd) NODISCARD;
