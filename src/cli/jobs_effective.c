/* ember jobs show RUN --effective: what a run really had, value by value, and who said so. The daemon's own GET /ember/jobruns/ID/effective. */
#include "base/encode.h"
#include "cli/job_runs.h"
#include "cli/table.h"
#include "cli/terminal.h"

static void show_classification(struct strbuf *out, struct arena *arena, struct screen screen, const struct json *one)
{
    const struct json *properties = json_get(one, S("properties"));
    size_t width = 0;
    append_coloured(out, screen, COLOUR_BOLD, text_shown(arena, json_get_text(one, "classification")));
    strbuf_append_char(out, '\n');
    JSON_FOREACH(p, properties) {
        size_t used = text_width(json_get_text(p, "source"));
        width = used > width ? used : width;
    }
    JSON_FOREACH(p, properties) {
        struct slice source = text_shown(arena, json_get_text(p, "source"));
        strbuf_append_fmt(out, "  %.*s", SLICE_ARG(source));
        for (size_t used = text_width(source); used < width + 2; used++)
            strbuf_append_char(out, ' ');
        strbuf_append_fmt(out, "%.*s=%.*s\n", SLICE_ARG(text_shown(arena, json_get_text(p, "name"))), SLICE_ARG(text_shown(arena, json_get_text(p, "value"))));
    }
}

static void show(struct strbuf *out, struct arena *arena, const struct json *answer)
{
    struct screen screen = screen_of(1);
    strbuf_append_fmt(out, "Job run %.*s, attempt %lld: %.*s, Spark %.*s\n", SLICE_ARG(text_shown(arena, json_get_text(answer, "jobRunId"))),
                      (long long)json_get_i64(answer, "attempt", 1), SLICE_ARG(text_shown(arena, json_get_text(answer, "releaseLabel"))),
                      SLICE_ARG(text_shown(arena, json_get_text(answer, "sparkVersion"))));
    JSON_FOREACH(one, json_get(answer, S("configurations")))
        show_classification(out, arena, screen, one);
    const struct json *notes = json_get(answer, S("notes"));
    if (!json_count(notes))
        return;
    append_coloured(out, screen, COLOUR_BOLD, S("notes"));
    strbuf_append_char(out, '\n');
    JSON_FOREACH(note, notes)
        strbuf_append_fmt(out, "  %.*s\n", SLICE_ARG(text_shown(arena, json_text(note))));
}

struct err *job_run_show_effective(struct client *client, const char *id)
{
    struct command *command = client->command;
    struct strbuf out = STRBUF_ARENA(command->arena);
    struct slice path = slice_fmt(command->arena, "/ember/jobruns/%.*s/effective", SLICE_ARG(uri_encode(command->arena, slice_from_cstr(id), URI_ENCODE_SLASH)));
    struct json *answer;
    TRY(client_emr(client, command->arena, S("GET"), path, SLICE_NONE, NULL, &answer));
    if (command->output == OUTPUT_JSON) {
        json_write_pretty(&out, answer);
        strbuf_append_char(&out, '\n');
    } else {
        show(&out, command->arena, answer);
    }
    TRY(output_write(strbuf_slice(&out)));
    return output_flush();
}
