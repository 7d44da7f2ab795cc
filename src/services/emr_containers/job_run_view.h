/* job_run_view: a stored job run as the API shows it. */
#pragma once
#include "services/emr_containers/resource.h"

enum job_run_view_kind {
    JOB_RUN_SUMMARY, /* an item of ListJobRuns: neither jobDriver nor configurationOverrides */
    JOB_RUN_WHOLE,   /* DescribeJobRun: with them, and with the defaults that the service fills in */
};

struct err *job_run_view(struct call *call, const struct job_run *row, enum job_run_view_kind kind,
                         struct emr_containers_job_run *ret_view) NODISCARD;
