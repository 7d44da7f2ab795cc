/* fetch: brings a job's entry points from S3 into the pod before its container starts, with the credentials of the container's
 * own environment. Which: EMBER_ENTRY_POINT_URI (one s3:// URI, to /opt/ember/entry/BASENAME) and EMBER_FETCH (lines of
 * `s3://bucket/key=name`, to /opt/ember/entry/name). Runs in a child process of its own, so that it may block and its
 * words go into the container's log. */
#pragma once
#include "runner/run_spec.h"
#include <stdbool.h>

bool fetch_is_needed(const struct run_container *container);
/* Downloads all into dir. Returns the exit code of the child: 0, or 1 after one line on standard error that names bucket,
 * key and S3's error. */
int fetch_entry_points(const struct run_container *container, struct slice dir);
