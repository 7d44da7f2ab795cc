/* follow: see the header. */
#include "cli/follow.h"
#include "cli/when.h"

#define EVERY_MS 1000

/* "PENDING for 12s: waits for ..." until the log has begun; the state's name alone after it. */
static void show_state(struct follow *follow, struct arena *arena, const struct json *run, bool printed)
{
    struct slice state = json_get_text(run, "state"), cause = job_run_cause(run);
    if (job_run_is_final(run) || (printed && slice_eq(state, S("RUNNING"))))
        return;
    struct instant created = instant_now(), now = created;
    instant_parse_iso8601(json_get_text(run, "createdAt"), &created);
    struct slice key = slice_fmt(arena, "%.*s%s%.*s", SLICE_ARG(state), cause.len ? ": " : "", SLICE_ARG(cause));
    struct slice text = key;
    if (follow->progress.screen.terminal)
        text = slice_fmt(arena, "%.*s for %.*s%s%.*s", SLICE_ARG(state),
                         SLICE_ARG(duration_text(arena, now.ms - created.ms)), cause.len ? ": " : "", SLICE_ARG(cause));
    progress_show(&follow->progress, arena, key, text);
}

/* Asks first and reads then: what was written before a final state is whole when that state is seen. */
static struct err *follow_once(struct follow *follow, struct arena *arena, struct log_reader *reader,
                               struct json **ret_run)
{
    TRY(job_run_describe(follow->client, arena, follow->virtual_cluster_id, follow->id, ret_run));
    TRY(log_reader_poll(reader));
    show_state(follow, arena, *ret_run, log_reader_printed(reader));
    return job_run_is_final(*ret_run) ? log_reader_end(reader) : NULL;
}

static struct err *follow_to_end(struct follow *follow, struct arena *arena, struct log_reader *reader,
                                 struct json **ret_run)
{
    struct patience patience = {.reached = true}; /* it told us of the run */
    int fd = follow->interrupts ? follow->interrupts->fd : -1;
    for (;;) {
        bool again = false, leave = false;
        int interrupts = follow->interrupts ? interrupts_take(follow->interrupts) : 0;
        if (interrupts) {
            progress_hide(&follow->progress);
            TRY(follow->interrupted(follow, interrupts, &leave));
        }
        arena_reset(arena);
        struct json *run = NULL;
        if (!leave)
            TRY(patience_after(&patience, follow->client, &follow->progress, fd,
                               follow_once(follow, arena, reader, &run), &again));
        if (again)
            continue;
        if (leave || job_run_is_final(run)) {
            *ret_run = run ? json_clone(follow->client->command->arena, run) : NULL;
            return NULL;
        }
        wait_ms(fd, EVERY_MS);
    }
}

struct err *follow_run(struct follow *follow, const struct json *run, struct json **ret_run, bool *ret_printed)
{
    struct log_reader *reader;
    TRY(log_reader_open(follow->client, run, &follow->choice, &follow->progress, &reader));
    struct arena *arena = arena_new();
    struct err *e = follow_to_end(follow, arena, reader, ret_run);
    *ret_printed = log_reader_printed(reader);
    log_reader_free(reader);
    arena_free(arena);
    progress_hide(&follow->progress);
    return e;
}
