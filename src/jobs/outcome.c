#include "jobs/outcome.h"
#include "base/arena.h"

#define STATE_DETAILS_MAX 256 /* model: String256 */
#define ERROR_LINE_MAX 140

struct slice outcome_to_json(struct arena *arena, const struct outcome *outcome)
{
    struct json *j = json_object(arena);
    json_set_bool(arena, j, "succeeded", outcome->succeeded);
    if (outcome->has_exit_code)
        json_set_i64(arena, j, "exitCode", outcome->exit_code);
    if (outcome->retryable)
        json_set_bool(arena, j, "retryable", true);
    if (outcome->failure_reason.ptr)
        json_set_text(arena, j, "failureReason", outcome->failure_reason);
    if (outcome->cause.ptr)
        json_set_text(arena, j, "cause", outcome->cause);
    return json_to_slice(arena, j);
}

bool outcome_from_json(struct arena *arena, struct slice text, struct outcome *ret_outcome)
{
    struct json *j;
    if (!text.ptr)
        return false;
    struct err *e = json_parse(arena, text, JSON_DUPLICATES_REFUSE, &j);
    if (e) {
        err_free(e); /* our own row: it can't be broken unless the disk is */
        return false;
    }
    *ret_outcome = (struct outcome){
        .succeeded = json_get_bool(j, "succeeded", false),
        .has_exit_code = json_get(j, S("exitCode")) != NULL,
        .exit_code = json_get_i64(j, "exitCode", -1),
        .retryable = json_get_bool(j, "retryable", false),
        .failure_reason = json_get_text(j, "failureReason"),
        .cause = json_get_text(j, "cause"),
    };
    return true;
}

struct slice outcome_success_details(struct arena *arena, struct instant started_at, struct instant ended_at)
{
    int64_t ms = started_at.ms && ended_at.ms > started_at.ms ? ended_at.ms - started_at.ms : 0;
    return slice_fmt(arena, "JobRun completed successfully. It ran for %lld Seconds", (long long)((ms + 500) / 1000));
}

struct slice outcome_cut_details(struct arena *arena, struct slice text)
{
    if (text.len <= STATE_DETAILS_MAX)
        return text;
    size_t len = STATE_DETAILS_MAX;
    while (len && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
        len--;
    return slice_dup(arena, slice_sub(text, 0, len));
}

static struct slice cut_line(struct slice line)
{
    size_t len = line.len < ERROR_LINE_MAX ? line.len : ERROR_LINE_MAX;
    while (len && len < line.len && ((unsigned char)line.ptr[len] & 0xC0) == 0x80)
        len--;
    return slice_sub(line, 0, len);
}

struct slice outcome_failure_details(struct arena *arena, const struct outcome *outcome, struct slice last_error_line, struct slice log_trouble)
{
    static const char TAIL[] = "JobRun failed. Please refer logs uploaded to S3/CloudWatch based on your monitoring configuration.";
    struct strbuf text = STRBUF_ARENA(arena);
    if (outcome->cause.len)
        strbuf_append_fmt(&text, "%.*s. ", SLICE_ARG(outcome->cause));
    if (last_error_line.len) {
        struct slice line = cut_line(last_error_line);
        strbuf_append(&text, line);
        strbuf_append_cstr(&text, line.ptr[line.len - 1] == '.' ? " " : ". ");
    }
    if (log_trouble.len)
        strbuf_append_fmt(&text, "Logs are not complete: %.*s. ", SLICE_ARG(log_trouble));
    strbuf_append_cstr(&text, TAIL);
    return outcome_cut_details(arena, strbuf_slice(&text));
}

/* "ValueError: no such column", "org.apache.spark.SparkException: Job aborted": a (dotted) name, ": ", a message. */
static bool is_exception_line(struct slice line)
{
    ptrdiff_t colon = slice_index(line, ':');
    struct slice name = colon > 0 ? slice_sub(line, 0, (size_t)colon) : line;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '$'))
            return false;
    }
    return slice_ends_with(name, S("Error")) || slice_ends_with(name, S("Exception")) || slice_ends_with(name, S("Interrupt")) ||
           slice_ends_with(name, S("Exit"));
}

struct slice outcome_last_error_line(struct slice tail)
{
    struct slice exception = SLICE_NONE, matching = SLICE_NONE, caused = SLICE_NONE;
    struct slice rest = tail;
    while (rest.ptr) {
        struct slice line = slice_trim(slice_cut(&rest, '\n'));
        if (line.len == 0 || slice_starts_with(line, S("at ")))
            continue;
        struct slice main_thread = S("Exception in thread \"main\" ");
        if (slice_starts_with(line, main_thread)) {
            exception = slice_from(line, main_thread.len);
            caused = SLICE_NONE;
        } else if (slice_starts_with(line, S("Caused by: "))) {
            caused = slice_from(line, sizeof("Caused by: ") - 1);
        } else if (is_exception_line(line)) {
            exception = line;
            caused = SLICE_NONE;
        } else if (slice_find(line, S("Error")) >= 0 || slice_find(line, S("Exception")) >= 0 || slice_find(line, S("Fail")) >= 0) {
            matching = line;
        }
    }
    return caused.ptr ? caused : exception.ptr ? exception : matching;
}
