/* job_runs: virtual clusters and job runs as the API tells them, found by what a user typed. Everything is the API's
 * own JSON in the arena that is given. Errors are client.h's, and ERR_INVALID where the user must say more. */
#pragma once
#include "base/clock.h"
#include "cli/client.h"

/* Virtual clusters in these states ("RUNNING", …; count 0: all), oldest pages first as the API has them. */
struct err *virtual_clusters_list(struct client *client, struct arena *arena, const char *const *states,
                                  size_t state_count, struct json **ret_list) NODISCARD;
/* The one that --virtual-cluster names by id or name, else the only RUNNING one. ERR_NOT_FOUND, ERR_INVALID: which to
 * name. */
struct err *virtual_cluster_choose(struct client *client, struct arena *arena, struct json **ret_cluster) NODISCARD;

struct job_runs_filter {
    const char *const *states; /* of the API, each may be several with commas between */
    size_t state_count;
    const char *name;     /* NULL: any */
    struct instant since; /* 0: any */
    int64_t limit;
};
/* Newest first, over the chosen virtual cluster or all that are not TERMINATED. Each run has a member
 * "virtualClusterName" more. *ret_more: there are older ones. */
struct err *job_runs_list(struct client *client, struct arena *arena, const struct job_runs_filter *filter,
                          struct json **ret_runs, bool *ret_more) NODISCARD;

struct err *job_run_describe(struct client *client, struct arena *arena, struct slice virtual_cluster_id,
                             struct slice id, struct json **ret_run) NODISCARD;
/* The run of that id in the virtual cluster that is named, else in any. */
struct err *job_run_find(struct client *client, struct arena *arena, const char *id, struct json **ret_run) NODISCARD;

/* Prints what the run's last launched attempt really had, each value with its source (jobs_effective.c). */
struct err *job_run_show_effective(struct client *client, const char *id) NODISCARD;

bool job_run_is_final(const struct json *run);
/* What a user wants to know of stateDetails: the cause without AWS's boilerplate behind it; "" when there is nothing to
 * say. */
struct slice job_run_cause(const struct json *run);
/* Of a FAILED run: the exit code of its driver where the details tell one from 1 to 255, else 1. */
int job_run_exit_code(const struct json *run);
