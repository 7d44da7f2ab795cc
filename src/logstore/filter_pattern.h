/* filter_pattern: the filter patterns of CloudWatch Logs: terms, JSON selectors and space-delimited fields. Pure; a compiled
 * pattern may be used by any number of threads. Source: CloudWatch Logs User Guide, "Filter pattern syntax". */
#pragma once
#include "base/err.h"
#include "base/slice.h"

struct arena;
struct filter_pattern;

#define FILTER_PATTERN_MAX_BYTES 1024

/* InvalidParameterException for what is not a pattern, and for regular expressions (%…%), which are not served. *ret_pattern
 * lives in the arena and borrows text. A blank pattern matches everything. */
struct err *filter_pattern_compile(struct arena *arena, struct slice text, struct filter_pattern **ret_pattern) NODISCARD;
bool filter_pattern_match(const struct filter_pattern *pattern, struct slice message);
