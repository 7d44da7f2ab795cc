/* inside: opens what lies below a directory whose contents a container may have written. The supervisor may read and write everywhere,
 * so it follows no link of theirs, whatever part of the path it is. Any thread. */
#pragma once
#include "base/slice.h"
#include <sys/types.h>

/* path: relative to dir_fd, empty for itself; flags and mode are open(2)'s. -1 with errno: ELOOP or ENOTDIR where a link stands,
 * EINVAL for a path with "..". The descriptor is close-on-exec, and opening does not wait (for the writer of a pipe). */
int inside_open(int dir_fd, struct slice path, int flags, mode_t mode);
