/* supervisor: the life of one pod. One thread, one poll loop: starts init containers one after the other, then all
 * containers; restarts, stops and kills them; writes status.json at every change. */
#pragma once
#include "base/err.h"

/* Runs the pod in pod_dir to its end. self: path of this program. ERR_CONFLICT: another supervisor has it already;
 * ERR_INVALID: run.json. When the pod itself could not be run, that stands in status.json and the result is NULL. */
struct err *supervisor_run(struct slice pod_dir, struct slice self) NODISCARD;
