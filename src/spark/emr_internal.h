/* emr_internal: one planning of a job run, shared by emr.c, emr_conf.c and emr_fetch.c. */
#pragma once
#include "spark/emr.h"
#include "spark/notes_internal.h"

struct emr {
    struct arena *arena;
    const struct spark_emr_input *in;
    struct spark_emr_names names;
    struct spark_release_choice release;
    struct spark_conf defaults;    /* the release's and applicationConfiguration's, with sources */
    struct spark_conf forced;      /* what no user may set */
    struct spark_file files[8];    /* of the configuration folder */
    size_t file_count;
    struct spark_notes notes;
    struct slice entry_point_uri;  /* s3://…, absent: not fetched */
    struct strbuf fetch;           /* EMBER_FETCH's lines */
    struct spark_notes fetched_names; /* taken in the folder they go to */
    int64_t job_start_timeout_s;
};

/* emr_conf.c: fills defaults, files, job_start_timeout_s. */
struct err *emr_read_configuration(struct emr *e) NODISCARD;
/* emr_fetch.c. An s3:// entry point becomes a path in the container; others come back as they are. */
struct err *emr_fetch_entry_point(struct emr *e, struct slice uri, const char *scheme, struct slice *ret_resource) NODISCARD;
/* Rewrites s3:// entries of the lists in conf and notes them in fetch. */
struct err *emr_fetch_lists(struct emr *e, struct spark_conf *conf) NODISCARD;
bool emr_is_s3(struct slice uri);
