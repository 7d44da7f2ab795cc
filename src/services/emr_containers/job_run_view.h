/* job_run_view: a stored job run as the API shows it. */
#pragma once
#include "services/emr_containers/resource.h"

enum job_run_view_kind {
    JOB_RUN_SUMMARY, /* an item of ListJobRuns: neither jobDriver nor configurationOverrides */
    JOB_RUN_WHOLE,   /* DescribeJobRun: with them, and with the defaults that the service fills in */
};

/* count rows to count views. */
struct err *job_run_view(struct call *call, const struct job_run *rows, size_t count, enum job_run_view_kind kind,
                         struct emr_containers_job_run *ret_views) NODISCARD;
