#include "jobs/outcome.h"
#include "base/arena.h"


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
    if (text.len <= OUTCOME_DETAILS_MAX)
        return text;
    size_t len = OUTCOME_DETAILS_MAX;
    while (len && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
        len--;
    return slice_dup(arena, slice_sub(text, 0, len));
}


/* A signal's name by the exit code that a shell or the kubelet gives its victim; NULL: it is none of those that end a driver. */
static const char *signal_name(int64_t exit_code)
{
    switch (exit_code - 128) {
    case 4:
        return "SIGILL";
    case 6:
        return "SIGABRT";
    case 7:
        return "SIGBUS";
    case 8:
        return "SIGFPE";
    case 9:
        return "SIGKILL";
    case 11:
        return "SIGSEGV";
    case 15:
        return "SIGTERM";
    }
    return NULL;
}

struct slice outcome_exit_words(struct arena *arena, int64_t exit_code)
{
    const char *name = signal_name(exit_code);
    return slice_fmt(arena, "exit code %lld%s%s", (long long)exit_code, name ? ", " : "", name ? name : "");
}

struct slice outcome_shorten(struct arena *arena, struct slice text, size_t max)
{
    if (text.len <= max || max < 4)
        return text.len <= max ? text : S("");
    size_t len = max - 3;
    while (len && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
        len--;
    return slice_fmt(arena, "%.*s...", SLICE_ARG(slice_sub(text, 0, len)));
}

static void append_sentence(struct arena *arena, struct strbuf *text, struct slice sentence, size_t max)
{
    sentence = outcome_shorten(arena, slice_trim(sentence), max);
    if (!sentence.len)
        return;
    strbuf_append(text, sentence);
    strbuf_append_cstr(text, sentence.ptr[sentence.len - 1] == '.' ? " " : ". ");
}

struct slice outcome_failure_details(struct arena *arena, const struct outcome *outcome, struct slice last_error_line, struct slice log_trouble)
{
    static const struct slice TAIL = S_INIT("JobRun failed. Please refer logs uploaded to S3/CloudWatch based on your monitoring configuration.");
    struct strbuf text = STRBUF_ARENA(arena);
    size_t room = OUTCOME_DETAILS_MAX - TAIL.len; /* clients look for the sentence: it stays whole */
    size_t for_logs = log_trouble.len ? room / 3 : 0, for_line = last_error_line.len ? 60 : 0;
    append_sentence(arena, &text, outcome->cause, room - for_logs - for_line - 2);
    append_sentence(arena, &text, last_error_line, room - for_logs - strbuf_slice(&text).len - 2);
    if (log_trouble.len)
        append_sentence(arena, &text, slice_fmt(arena, "Logs are not complete: %.*s", SLICE_ARG(log_trouble)), room - strbuf_slice(&text).len - 2);
    strbuf_append(&text, TAIL);
    return outcome_cut_details(arena, strbuf_slice(&text));
}
