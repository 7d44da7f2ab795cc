/* follow: one job run until its end: its log to stdout as it comes, and on stderr what it waits for until there is any.
 * Goes on over a daemon that is away for a while. */
#pragma once
#include "cli/interrupts.h"
#include "cli/job_runs.h"
#include "cli/log_reader.h"

struct follow {
    struct client *client;
    struct slice virtual_cluster_id, id;
    struct log_choice choice;
    struct interrupts *interrupts; /* NULL: Ctrl-C ends the program */
    /* Asked at a Ctrl-C, or several at once (count), between calls; *ret_leave true: following ends there, without an
     * end of the run. */
    struct err *(*interrupted)(struct follow *follow, int count, bool *ret_leave);
    void *context; /* of who follows */
    struct progress progress;
};
/* The run as it was last seen, in the command's arena: final unless it was left. run: as it is now. */
struct err *follow_run(struct follow *follow, const struct json *run, struct json **ret_run,
                       bool *ret_printed) NODISCARD;
