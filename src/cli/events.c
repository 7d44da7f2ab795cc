/* ember events: what happened to job runs, from a place on. */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "base/encode.h"

#define PAGE 200
#define WAIT_S 15 /* less than the client's patience with one call */

static struct slice or_dash(struct slice text)
{
    return text.len ? text : S("-");
}

/* Tab-separated: time, run, state or attempt, name, details, cursor. */
static void append_text(struct arena *arena, struct strbuf *out, const struct json *item)
{
    const struct json *event = json_get(item, S("event")), *detail = json_get(event, S("detail"));
    int64_t attempt = json_get_i64(detail, "currentAttemptCount", 0);
    struct slice state = attempt ? slice_fmt(arena, "ATTEMPT %lld", (long long)attempt) : json_get_text(detail, "state");
    struct slice details = json_get_text(detail, attempt ? "previousDriverFailureMessage" : "stateDetails");
    const struct slice columns[] = {json_get_text(event, "time"), json_get_text(detail, "id"), state, json_get_text(detail, "name"), details,
                                    json_get_text(item, "cursor")};
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        strbuf_append_fmt(out, "%s%.*s", i ? "\t" : "", SLICE_ARG(or_dash(text_shown(arena, columns[i]))));
    strbuf_append_char(out, '\n');
}

static struct err *print_page(const struct command *command, struct arena *arena, const struct json *page)
{
    struct strbuf out = STRBUF_ARENA(arena);
    JSON_FOREACH(item, json_get(page, S("events"))) {
        if (!command->json) {
            append_text(arena, &out, item);
            continue;
        }
        json_write(&out, item);
        strbuf_append_char(&out, '\n');
    }
    TRY(output_write(strbuf_slice(&out)));
    return output_flush();
}

/* A page behind *cursor, which moves. */
static struct err *read_page(struct client *client, struct arena *arena, bool follow, struct strbuf *cursor, struct json **ret_page)
{
    struct slice query = slice_fmt(arena, "after=%.*s&limit=%d&wait=%d", SLICE_ARG(uri_encode(arena, strbuf_slice(cursor), URI_ENCODE_SLASH)), PAGE,
                                   follow ? WAIT_S : 0);
    TRY(client_emr(client, arena, S("GET"), S("/ember/events"), query, NULL, ret_page));
    struct slice next = json_get_text(*ret_page, "cursor");
    if (!next.len)
        return err_new(ERR_UNAVAILABLE, "the answer has no cursor");
    strbuf_truncate(cursor, 0);
    strbuf_append(cursor, next);
    return NULL;
}

static struct err *print_all(struct client *client, struct strbuf *cursor, bool follow, struct progress *progress)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct patience patience = {0};
    for (;;) {
        bool again;
        struct json *page = NULL;
        arena_reset(arena);
        struct err *e = read_page(client, arena, follow, cursor, &page);
        if (e && !follow)
            return e;
        TRY(patience_after(&patience, client, progress, -1, e, &again));
        if (again)
            continue;
        TRY(print_page(client->command, arena, page));
        if (!follow && !json_count(json_get(page, S("events"))))
            return NULL;
    }
}

struct err *command_events(struct command *command)
{
    const char *after = command_option(command, "--after");
    struct strbuf cursor = STRBUF_HEAP;
    struct progress progress = progress_of();
    struct client client;
    TRY(client_open(command, &client));
    strbuf_append(&cursor, slice_from_cstr(after));
    struct err *e = print_all(&client, &cursor, command_flag(command, "--follow"), &progress);
    progress_close(&progress);
    client_close(&client);
    strbuf_deinit(&cursor);
    return e;
}
