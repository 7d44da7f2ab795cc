/* run_file: small text files in S3 that a run's configuration names (pod templates, --properties-file), read with the run's own key at the
 * daemon's own endpoint. Called by launch within spark_emr_plan. */
#pragma once
#include "jobs/launch.h"

#define RUN_FILE_MAX_BYTES (512 * 1024)

struct run_file_reader {
    const struct launch_context *context;
    const struct job_run *run;
};
/* spark_files.read, its context a struct run_file_reader; uri with one of S3's schemes. Blocks, at most 20 s. ERR_UNAVAILABLE: may be tried
 * again; anything else has the failure reason USER_ERROR as its code. */
struct err *run_file_read(void *reader, struct arena *arena, struct slice uri, struct slice *ret_text) NODISCARD;
