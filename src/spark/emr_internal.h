/* emr_internal: one planning of a job run, shared by the files emr*.c. */
#pragma once
#include "spark/emr.h"
#include "spark/index_internal.h"
#include "spark/notes_internal.h"

struct emr {
    struct arena *arena;
    const struct spark_emr_input *in;
    struct spark_emr_names names;
    struct spark_release_choice release;
    struct spark_conf defaults;    /* the release's and applicationConfiguration's, with sources */
    struct spark_conf forced;      /* what no user may set */
    struct spark_conf exports, emrfs;                       /* of classifications that become properties */
    struct spark_conf log4j, metrics, hive_site, core_site; /* of those that become files */
    struct spark_index loggers;    /* in log4j, made of log4j 1 lines: their numbers by name */
    struct spark_file files[8];    /* of the configuration folder */
    size_t file_count;
    struct spark_file read[4];     /* what was read for this run, by URI */
    size_t read_count;
    struct spark_notes notes;
    struct slice entry_point_uri;  /* s3://…, absent: not fetched */
    struct strbuf fetch;           /* EMBER_FETCH's lines */
    struct spark_index fetched;       /* by URI; item: the name it goes to, a struct slice */
    struct spark_index fetched_names; /* taken in the folder they go to; number: the last one tried in front of that name */
    int64_t job_start_timeout_s;
    bool job_start_timeout_given;
};

/* A code of errors: what spark-submit itself would refuse. */
#define EMR_USER_ERROR "USER_ERROR"

/* emr_conf.c: fills defaults, files, job_start_timeout_s. */
struct err *emr_read_configuration(struct emr *e) NODISCARD;
/* emr_fetch.c. An s3:// entry point becomes a path in the container; others come back as they are. */
struct err *emr_fetch_entry_point(struct emr *e, struct slice uri, const char *scheme, struct slice *ret_resource) NODISCARD;
/* Rewrites s3:// entries of the lists in conf and notes them in fetch. */
struct err *emr_fetch_lists(struct emr *e, struct spark_conf *conf) NODISCARD;
bool emr_is_s3(struct slice uri);
/* emr_template.c: reads and checks the pod templates that conf names; what their side cars share with the main containers is set in conf. */
struct err *emr_read_templates(struct emr *e, struct spark_conf *conf) NODISCARD;
/* spark_files.read with the emr as its context: each file is asked for once, so that what was checked is what is used. */
struct err *emr_read_file(void *context, struct arena *arena, struct slice uri, struct slice *ret_text) NODISCARD;
/* emr_effective.c: conf is what stands in spark.properties. */
struct json *emr_effective(struct emr *e, const struct spark_conf *conf);
