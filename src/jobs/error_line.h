/* error_line: the line that says most in the end of what a driver wrote: Python's tracebacks with their chains, the JVM's stack traces with
 * their causes, what Spark wraps around both, the words of spark-submit, argparse and log4j. Pure, any thread; bytes from outside, any
 * bytes: what comes out is one line of UTF-8 without control characters. */
#pragma once
#include "base/slice.h"

#define ERROR_LINE_MAX_BYTES 1024 /* of what is found */

/* Of both streams (Spark lets a Python driver write both into stdout, the JVM's log is stderr); each may be absent. Absent when nothing
 * in them looks like an error. In the arena. */
struct slice error_line_find(struct arena *arena, struct slice stderr_tail, struct slice stdout_tail);

/* Why the cluster made none of the executors that the driver asked for last: "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2".
 * Spark tells it in its log alone, again at each try. Absent when the tail of its stderr says nothing of that. In the arena. */
struct slice error_line_refused_pod(struct arena *arena, struct slice stderr_tail);
