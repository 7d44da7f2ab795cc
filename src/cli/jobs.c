/* ember jobs: the runs as a table, as lines or as JSON, once or as they change. */
#include "cli/job_runs.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/when.h"
#include <stdio.h>
#include <string.h>

#define WATCH_EVERY_MS 1000
#define LIMIT_DEFAULT 50
#define LIMIT_MAX 10000

static enum colour colour_of(struct slice state)
{
    static const struct {
        struct slice state;
        enum colour colour;
    } COLOURS[] = {
        {S_INIT("COMPLETED"), COLOUR_GREEN},
        {S_INIT("RUNNING"), COLOUR_CYAN},
        {S_INIT("FAILED"), COLOUR_RED},
        {S_INIT("CANCELLED"), COLOUR_DIM},
    };
    for (size_t i = 0; i < ARRAY_SIZE(COLOURS); i++)
        if (slice_eq(state, COLOURS[i].state))
            return COLOURS[i].colour;
    return COLOUR_YELLOW;
}

static struct err *read_filter(const struct command *command, struct job_runs_filter *ret_filter)
{
    struct job_runs_filter filter = {.name = command_option(command, "--name")};
    const char **states = ARENA_ARRAY(command->arena, command->option_count + 1, const char *);
    for (size_t i = 0; i < command->option_count; i++)
        if (strcmp(command->options[i].name, "--state") == 0)
            states[filter.state_count++] = command->options[i].value;
    filter.states = states;
    const char *since = command_option(command, "--since");
    if (since && !when_parse(slice_from_cstr(since), instant_now(), &filter.since))
        return err_new(ERR_INVALID,
                       "--since %s is neither a time ago (90s, 30m, 2h, 7d) nor a time as 2026-11-21T21:10:00Z", since);
    TRY(command_number(command, "--limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &filter.limit));
    *ret_filter = filter;
    return NULL;
}

/* ---- one run ---- */

static struct slice or_dash(struct slice text)
{
    return text.len ? text : S("-");
}

static void append_text(struct arena *arena, struct strbuf *out, const struct json *run)
{
    static const char *const MEMBERS[] = {"id",        "name",       "state",         "virtualClusterId",
                                          "createdAt", "finishedAt", "failureReason", "stateDetails"};
    for (size_t i = 0; i < ARRAY_SIZE(MEMBERS); i++)
        strbuf_append_fmt(out, "%s%.*s", i ? "\t" : "",
                          SLICE_ARG(or_dash(text_shown(arena, json_get_text(run, MEMBERS[i])))));
    strbuf_append_char(out, '\n');
}

static void add_row(struct table *table, const struct json *run, struct instant now)
{
    struct instant created = now, finished = now;
    struct slice state = json_get_text(run, "state");
    bool waits = slice_eq(state, S("PENDING")) || slice_eq(state, S("SUBMITTED"));
    instant_parse_iso8601(json_get_text(run, "createdAt"), &created);
    instant_parse_iso8601(json_get_text(run, "finishedAt"), &finished);
    const struct table_cell cells[] = {
        {.text = json_get_text(run, "id")},
        {.text = or_dash(json_get_text(run, "name"))},
        {.text = state, .colour = colour_of(state)},
        {.text = json_get_text(run, "virtualClusterName")},
        {.text = age_text(table->arena, now.ms - created.ms)},
        {.text = waits ? S("-") : duration_text(table->arena, finished.ms - created.ms)},
        {.text = job_run_cause(run)},
    };
    table_add(table, cells);
}

static struct table make_table(struct arena *arena, const struct json *runs)
{
    static const struct table_column COLUMNS[] = {
        {.title = "ID"},
        {.title = "NAME", .elastic = true},
        {.title = "STATE"},
        {.title = "VIRTUAL CLUSTER", .elastic = true},
        {.title = "AGE", .right = true},
        {.title = "DURATION", .right = true},
        {.title = "CAUSE", .elastic = true},
    };
    struct table table = table_of(arena, COLUMNS, ARRAY_SIZE(COLUMNS));
    struct instant now = instant_now();
    JSON_FOREACH(run, runs)
        add_row(&table, run, now);
    return table;
}

/* ---- once ---- */

static void without_our_members(struct json *run)
{
    json_remove(run, S("virtualClusterName"));
}

static struct err *print_once(struct client *client, const struct job_runs_filter *filter)
{
    struct arena *arena = client->command->arena;
    struct strbuf out = STRBUF_ARENA(arena);
    struct screen screen = screen_of(1);
    struct json *runs;
    bool more;
    TRY(job_runs_list(client, arena, filter, &runs, &more));
    if (client->command->output == OUTPUT_JSON) {
        struct json *root = json_object(arena);
        JSON_FOREACH(run, runs)
            without_our_members(run);
        json_set(arena, root, S("jobRuns"), runs);
        json_write_pretty(&out, root);
        strbuf_append_char(&out, '\n');
    } else if (client->command->output == OUTPUT_TEXT) {
        JSON_FOREACH(run, runs)
            append_text(arena, &out, run);
    } else if (runs->first) {
        struct table table = make_table(arena, runs);
        table_append(&out, &table, screen, 0);
    } else {
        fputs(filter->state_count || filter->name || filter->since.ms
                  ? "No job run is like that.\n"
                  : "There are no job runs yet. Start one: ember run my_job.py\n",
              stderr);
    }
    TRY(output_write(out.len ? strbuf_slice(&out) : S("")));
    TRY(output_flush());
    if (more && screen.terminal)
        fprintf(stderr, "There are older ones: see --limit.\n");
    return NULL;
}

/* ---- as they change ---- */

struct watch {
    struct client *client;
    const struct job_runs_filter *filter;
    struct screen screen;
    struct progress progress;
    size_t drawn; /* lines on the terminal that are drawn over */
};

static const struct json *find_run(const struct json *runs, struct slice id)
{
    JSON_FOREACH(run, runs)
        if (slice_eq(json_get_text(run, "id"), id))
            return run;
    return NULL;
}

static void append_change(struct watch *watch, struct arena *arena, struct strbuf *out, struct json *run)
{
    struct slice cause = text_shown(arena, job_run_cause(run));
    switch (watch->client->command->output) {
    case OUTPUT_JSON:
        without_our_members(run);
        json_write(out, run);
        strbuf_append_char(out, '\n');
        break;
    case OUTPUT_TEXT:
        append_text(arena, out, run);
        break;
    case OUTPUT_TABLE:
    case OUTPUT_DEFAULT:
        strbuf_append_fmt(out, "%.*s  %.*s  %.*s  %.*s%s%.*s\n", SLICE_ARG(instant_iso8601(arena, instant_now())),
                          SLICE_ARG(json_get_text(run, "id")),
                          SLICE_ARG(or_dash(text_shown(arena, json_get_text(run, "name")))),
                          SLICE_ARG(json_get_text(run, "state")), cause.len ? "  " : "", SLICE_ARG(cause));
        break;
    }
}

/* A run that the filter no longer lets through has changed too. */
static struct err *append_vanished(struct watch *watch, struct arena *arena, struct strbuf *out,
                                   const struct json *before, const struct json *now)
{
    JSON_FOREACH(run, before) {
        struct json *today;
        if (job_run_is_final(run) || find_run(now, json_get_text(run, "id")))
            continue;
        TRY(job_run_describe(watch->client, arena, json_get_text(run, "virtualClusterId"), json_get_text(run, "id"),
                             &today));
        if (!slice_eq(json_get_text(run, "state"), json_get_text(today, "state")))
            append_change(watch, arena, out, today);
    }
    return NULL;
}

static struct err *print_changes(struct watch *watch, struct arena *arena, const struct json *before, struct json *now)
{
    struct strbuf out = STRBUF_ARENA(arena);
    struct json **oldest_first = ARENA_ARRAY(arena, json_count(now) + 1, struct json *);
    size_t count = 0;
    JSON_FOREACH(run, now)
        oldest_first[count++] = run;
    while (count-- > 0) {
        struct json *run = oldest_first[count];
        const struct json *old = find_run(before, json_get_text(run, "id"));
        bool same = old && slice_eq(json_get_text(old, "state"), json_get_text(run, "state")) &&
                    slice_eq(json_get_text(old, "stateDetails"), json_get_text(run, "stateDetails"));
        if (!same)
            append_change(watch, arena, &out, run);
    }
    TRY(append_vanished(watch, arena, &out, before, now));
    if (!out.len)
        return NULL;
    TRY(output_write(strbuf_slice(&out)));
    return output_flush();
}

static struct err *redraw(struct watch *watch, struct arena *arena, const struct json *runs)
{
    struct strbuf out = STRBUF_ARENA(arena);
    watch->screen = screen_of(1); /* it may have another size by now */
    size_t rows = watch->screen.height > 4 ? watch->screen.height - 4 : 1, count = json_count(runs),
           shown = count < rows ? count : rows;
    if (watch->drawn)
        strbuf_append_fmt(&out, "\x1b[%zuA\r\x1b[J", watch->drawn);
    struct table table = make_table(arena, runs);
    table_append(&out, &table, watch->screen, rows);
    struct slice clock = slice_fmt(arena, "%.*s  %zu of %zu job runs  Ctrl-C ends",
                                   SLICE_ARG(instant_iso8601(arena, instant_now())), shown, count);
    append_coloured(&out, watch->screen, COLOUR_DIM, text_cut(arena, clock, watch->screen.width - 1));
    strbuf_append_char(&out, '\n');
    watch->drawn = shown + 2;
    TRY(output_write(strbuf_slice(&out)));
    return output_flush();
}

static struct err *watch_once(struct watch *watch, struct arena *arena, bool in_place, const struct json *before,
                              struct json **ret_runs)
{
    bool more;
    TRY(job_runs_list(watch->client, arena, watch->filter, ret_runs, &more));
    return in_place ? redraw(watch, arena, *ret_runs) : print_changes(watch, arena, before, *ret_runs);
}

/* Until it is interrupted. Two arenas take turns: what was printed last is compared with what is now. */
static struct err *watch_runs(struct client *client, const struct job_runs_filter *filter)
{
    struct watch watch = {.client = client, .filter = filter, .screen = screen_of(1), .progress = progress_of()};
    bool in_place = watch.screen.terminal && client->command->output == OUTPUT_TABLE && watch.screen.height > 4;
    _cleanup_(arena_freep) struct arena *this = arena_new();
    _cleanup_(arena_freep) struct arena *other = arena_new();
    struct patience patience = {0};
    struct json *before = NULL;
    struct err *e = NULL;
    while (!e) {
        bool again;
        struct json *runs = NULL;
        arena_reset(this);
        e = patience_after(&patience, client, &watch.progress, -1, watch_once(&watch, this, in_place, before, &runs),
                           &again);
        if (e || again) {
            watch.drawn = again && patience.told ? 0 : watch.drawn;
            continue;
        }
        before = runs;
        struct arena *swap = this;
        this = other;
        other = swap;
        wait_ms(-1, WATCH_EVERY_MS);
    }
    progress_close(&watch.progress);
    return e;
}

struct err *command_jobs(struct command *command)
{
    struct job_runs_filter filter;
    struct client client;
    TRY(read_filter(command, &filter));
    TRY(client_open(command, &client));
    struct err *e = command_flag(command, "--watch") ? watch_runs(&client, &filter) : print_once(&client, &filter);
    client_close(&client);
    return e;
}
