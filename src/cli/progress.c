/* progress: see the header. */
#include "cli/progress.h"
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#define PATIENCE_MS 300000
#define AGAIN_MS 500

struct progress progress_of(void)
{
    return (struct progress){.screen = screen_of(2), .last = STRBUF_HEAP};
}

void progress_hide(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\x1b[K", stderr);
    progress->shown = false;
}

void progress_close(struct progress *progress)
{
    progress_hide(progress);
    strbuf_deinit(&progress->last);
}

void progress_show(struct progress *progress, struct arena *arena, struct slice key, struct slice text)
{
    bool same = slice_eq(key, strbuf_slice(&progress->last));
    strbuf_truncate(&progress->last, 0);
    strbuf_append(&progress->last, key);
    text = text_shown(arena, text);
    if (!progress->screen.terminal) {
        if (!same)
            fprintf(stderr, "%.*s\n", SLICE_ARG(text));
        return;
    }
    struct strbuf line = STRBUF_ARENA(arena);
    strbuf_append_cstr(&line, "\r\x1b[K");
    append_coloured(&line, progress->screen, COLOUR_DIM, text_cut(arena, text, progress->screen.width - 1));
    fputs(line.ptr, stderr);
    progress->shown = true;
}

void progress_say(struct progress *progress, const char *format, ...)
{
    progress_hide(progress);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

bool wait_ms(int fd, int64_t ms)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, (int)(ms > 0 ? ms : 0)) > 0;
}

struct err *patience_after(struct patience *patience, struct client *client, struct progress *progress, int fd,
                           struct err *e, bool *ret_again)
{
    *ret_again = false;
    if (!e) {
        if (patience->told)
            progress_say(progress, "Ember answers again.");
        *patience = (struct patience){.reached = true};
        return NULL;
    }
    if (e->kind != ERR_UNAVAILABLE || !patience->reached)
        return e;
    int64_t now = monotonic_ms();
    if (!patience->since_ms)
        patience->since_ms = now;
    else if (now - patience->since_ms > PATIENCE_MS)
        return e;
    else if (!patience->told) { /* told at the second failure: the first may be a connection that had grown old */
        progress_say(progress, "Ember does not answer; waiting for it.");
        patience->told = true;
    }
    err_free(e);
    wait_ms(fd, AGAIN_MS);
    client_look_again(client);
    *ret_again = true;
    return NULL;
}
