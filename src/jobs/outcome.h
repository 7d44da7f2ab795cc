/* outcome: how a driver ended, kept in the run's row as JSON until its logs are whole, and the words that stateDetails and failureReason
 * then have (emr-on-eks.md 2.2; at most 256 chars). Pure. */
#pragma once
#include "base/clock.h"
#include "base/json.h"

/* failureReason (model: FailureReason). */
#define FAILURE_INTERNAL_ERROR S("INTERNAL_ERROR")
#define FAILURE_USER_ERROR S("USER_ERROR")
#define FAILURE_VALIDATION_ERROR S("VALIDATION_ERROR")
#define FAILURE_CLUSTER_UNAVAILABLE S("CLUSTER_UNAVAILABLE")

#define OUTCOME_DETAILS_MAX 256 /* model: String256 */

struct outcome {
    bool succeeded;
    bool has_exit_code;
    int64_t exit_code;
    bool retryable;              /* the driver itself broke: a retry policy may give it another attempt */
    struct slice failure_reason; /* when not succeeded */
    struct slice cause;          /* what happened, a sentence without its full stop; may be empty */
};

struct slice outcome_to_json(struct arena *arena, const struct outcome *outcome);
bool outcome_from_json(struct arena *arena, struct slice text, struct outcome *ret_outcome);

/* "JobRun completed successfully. It ran for 41 Seconds" */
struct slice outcome_success_details(struct arena *arena, struct instant started_at, struct instant ended_at);
/* The cause, the driver's error line (jobs/error_line.h), then EMR's own sentence, which is never cut: what is before it is shortened at a
 * character so that all is at most 256 bytes. */
struct slice outcome_failure_details(struct arena *arena, const struct outcome *outcome, struct slice last_error_line, struct slice log_trouble);
/* "exit code 137, SIGKILL" */
struct slice outcome_exit_words(struct arena *arena, int64_t exit_code);
struct slice outcome_cut_details(struct arena *arena, struct slice text);
/* At most max bytes, at a character, with dots where something is missing. */
struct slice outcome_shorten(struct arena *arena, struct slice text, size_t max);
