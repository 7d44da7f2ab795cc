/* ember jobs show RUN: all that DescribeJobRun tells. */
#include "cli/job_runs.h"
#include "cli/terminal.h"
#include "cli/when.h"
#include <stdio.h>

#define LABEL_WIDTH 17

struct sheet {
    struct arena *arena;
    struct strbuf *out;
    struct screen screen;
};

static void show_label(struct sheet *sheet, size_t depth, struct slice label, size_t width)
{
    size_t used = text_width(label) + depth * 2;
    for (size_t i = 0; i < depth; i++)
        strbuf_append_cstr(sheet->out, "  ");
    append_coloured(sheet->out, sheet->screen, COLOUR_BOLD, label);
    for (; used < width; used++)
        strbuf_append_char(sheet->out, ' ');
}

static void show_field(struct sheet *sheet, const char *label, struct slice value)
{
    if (!value.len)
        return;
    show_label(sheet, 0, slice_from_cstr(label), LABEL_WIDTH);
    strbuf_append_fmt(sheet->out, "%.*s\n", SLICE_ARG(text_shown(sheet->arena, value)));
}

static struct slice scalar_text(struct arena *arena, const struct json *value)
{
    return json_is(value, JSON_STRING) ? text_shown(arena, json_text(value)) : json_to_slice(arena, value);
}

/* Any JSON, readable: members and items a line each, what is in them indented. The API bounds how deep it goes. */
static void show_tree(struct sheet *sheet, const struct json *container, size_t depth)
{
    JSON_FOREACH(child, container) {
        bool inner = (json_is(child, JSON_OBJECT) || json_is(child, JSON_ARRAY)) && child->first;
        if (json_is(container, JSON_OBJECT)) {
            struct slice label = slice_fmt(sheet->arena, "%.*s:", SLICE_ARG(text_shown(sheet->arena, child->key)));
            show_label(sheet, depth, label, 0);
        } else {
            for (size_t i = 0; i < depth; i++)
                strbuf_append_cstr(sheet->out, "  ");
            strbuf_append_char(sheet->out, '-');
        }
        if (!inner)
            strbuf_append_fmt(sheet->out, " %.*s", SLICE_ARG(scalar_text(sheet->arena, child)));
        strbuf_append_char(sheet->out, '\n');
        if (inner)
            show_tree(sheet, child, depth + 1);
    }
}

static void show_times(struct sheet *sheet, const struct json *run)
{
    struct instant created = {0}, finished = instant_now(), now = instant_now();
    bool final = instant_parse_iso8601(json_get_text(run, "finishedAt"), &finished);
    if (instant_parse_iso8601(json_get_text(run, "createdAt"), &created))
        show_field(sheet, "Created",
                   slice_fmt(sheet->arena, "%.*s (%.*s ago)", SLICE_ARG(json_get_text(run, "createdAt")),
                             SLICE_ARG(age_text(sheet->arena, now.ms - created.ms))));
    show_field(sheet, "Created by", json_get_text(run, "createdBy"));
    show_field(sheet, "Finished", json_get_text(run, "finishedAt"));
    show_field(sheet, final ? "Took" : "Since", duration_text(sheet->arena, finished.ms - created.ms));
}

static void show_attempts(struct sheet *sheet, const struct json *run)
{
    int64_t current = json_to_i64(JSON_AT(run, "retryPolicyExecution", "currentAttemptCount"), 0),
            most = json_to_i64(JSON_AT(run, "retryPolicyConfiguration", "maxAttempts"), 0);
    if (current && most)
        show_field(sheet, "Attempt", slice_fmt(sheet->arena, "%lld of %lld", (long long)current, (long long)most));
    else if (current)
        show_field(sheet, "Attempt", slice_fmt(sheet->arena, "%lld", (long long)current));
}

/* What has no line of its own comes as it is. */
static void show_rest(struct sheet *sheet, const struct json *run)
{
    static const struct slice SHOWN[] = {
        S_INIT("id"),
        S_INIT("name"),
        S_INIT("state"),
        S_INIT("stateDetails"),
        S_INIT("failureReason"),
        S_INIT("virtualClusterId"),
        S_INIT("createdAt"),
        S_INIT("createdBy"),
        S_INIT("finishedAt"),
        S_INIT("releaseLabel"),
        S_INIT("executionRoleArn"),
        S_INIT("clientToken"),
        S_INIT("arn"),
        S_INIT("retryPolicyExecution"),
        S_INIT("retryPolicyConfiguration"),
    };
    JSON_FOREACH(member, run) {
        if (slice_is_one_of(member->key, SHOWN, ARRAY_SIZE(SHOWN)))
            continue;
        bool inner = json_is(member, JSON_OBJECT) || json_is(member, JSON_ARRAY);
        if (inner && !member->first)
            continue;
        show_label(sheet, 0, text_shown(sheet->arena, member->key), inner ? 0 : LABEL_WIDTH);
        if (!inner)
            strbuf_append(sheet->out, scalar_text(sheet->arena, member));
        strbuf_append_char(sheet->out, '\n');
        if (inner)
            show_tree(sheet, member, 1);
    }
}

static void show_run(struct sheet *sheet, const struct json *run)
{
    struct slice state = json_get_text(run, "state");
    enum colour colour = slice_eq(state, S("FAILED"))      ? COLOUR_RED
                         : slice_eq(state, S("COMPLETED")) ? COLOUR_GREEN
                                                           : COLOUR_YELLOW;
    show_field(sheet, "Id", json_get_text(run, "id"));
    show_field(sheet, "Name", json_get_text(run, "name"));
    show_label(sheet, 0, S("State"), LABEL_WIDTH);
    append_coloured(sheet->out, sheet->screen, colour, state);
    strbuf_append_char(sheet->out, '\n');
    show_field(sheet, "Failure reason", json_get_text(run, "failureReason"));
    show_field(sheet, "Details", json_get_text(run, "stateDetails"));
    show_attempts(sheet, run);
    show_times(sheet, run);
    show_field(sheet, "Virtual cluster", json_get_text(run, "virtualClusterId"));
    show_field(sheet, "Release", json_get_text(run, "releaseLabel"));
    show_field(sheet, "Role", json_get_text(run, "executionRoleArn"));
    show_field(sheet, "Client token", json_get_text(run, "clientToken"));
    show_field(sheet, "ARN", json_get_text(run, "arn"));
    show_rest(sheet, run);
}

static struct err *find_and_show(struct client *client)
{
    struct command *command = client->command;
    struct strbuf out = STRBUF_ARENA(command->arena);
    struct sheet sheet = {.arena = command->arena, .out = &out, .screen = screen_of(1)};
    struct json *run;
    TRY(job_run_find(client, command->arena, command->args[0], &run));
    if (command->output == OUTPUT_JSON) {
        json_write_pretty(&out, run);
        strbuf_append_char(&out, '\n');
    } else {
        show_run(&sheet, run);
    }
    TRY(output_write(strbuf_slice(&out)));
    TRY(output_flush());
    if (sheet.screen.terminal && command->output != OUTPUT_JSON)
        fprintf(stderr, "\nIts logs: ember logs %s%s\n", job_run_is_final(run) ? "" : "-f ", command->args[0]);
    return NULL;
}

struct err *command_jobs_show(struct command *command)
{
    struct client client;
    TRY(client_open(command, &client));
    struct err *e = command_flag(command, "--effective") ? job_run_show_effective(&client, command->args[0]) : find_and_show(&client);
    client_close(&client);
    return e;
}
