/* installation: what belongs to this program on this machine and where it is: found from the place of the executable, upwards,
 * so that a build tree, and later a package, works without any setting. Also used by `ember doctor`. */
#pragma once
#include "base/slice.h"

struct arena;

struct installation {
    const char *runner_path;  /* ember-run; NULL: not found */
    struct slice spark_dir;   /* holds a Spark home for each version; absent: none found ($EMBER_SPARK_DIR says it otherwise) */
    struct slice archives_dir, python_path; /* absent: none */
    const struct slice *sparks; /* installed versions, sorted as text */
    size_t spark_count;
    const char *java_path, *bwrap_path; /* NULL: not found */
};

struct installation installation_find(struct arena *arena);
/* What is missing to run Spark here, one sentence each that says what to do; at most max. */
size_t installation_list_gaps(const struct installation *installation, const char **ret_sentences, size_t max);
#define INSTALLATION_MAX_GAPS 4
