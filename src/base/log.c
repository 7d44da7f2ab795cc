#include "base/log.h"
#include "base/clock.h"
#include "base/arena.h"
#include "base/json.h"
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#define FOREIGN_TEXT_MAX 1024

struct event_row {
    const char *name;
    enum log_level level;
};

/* clang-format off */
static const struct event_row EVENTS[] = {
#define EVENT(event_name, event_level, doc) {.name = #event_name, .level = event_level},
#include "base/log_events.def"
#undef EVENT
};
/* clang-format on */

static const char *const LEVELS[] = {"error", "warn", "info", "debug"};
static atomic_int threshold = LOG_INFO;
static atomic_int sink_fd = STDERR_FILENO;

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

void log_set_fd(int fd)
{
    atomic_store(&sink_fd, fd);
}

static void write_field(struct strbuf *out, const struct log_field *field)
{
    strbuf_append_char(out, ',');
    json_write_string(out, slice_from_cstr(field->key));
    strbuf_append_char(out, ':');
    switch (field->kind) {
    case LOG_FIELD_INT:
        strbuf_append_i64(out, field->number);
        return;
    case LOG_FIELD_SLICE:
        json_write_string(out, slice_sub(field->text, 0, FOREIGN_TEXT_MAX));
        return;
    case LOG_FIELD_ERR:
        json_write_string(out, err_message(field->err));
        if (field->err)
            strbuf_append_fmt(out, ",\"at\":\"%s:%d\"", field->err->file, field->err->line);
        return;
    }
}

void log_write(enum log_event_id event, const struct log_field *fields, size_t count)
{
    const struct event_row *row = &EVENTS[event];
    if ((int)row->level > atomic_load(&threshold))
        return;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_fmt(&out, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"",
                      instant_iso8601_ms(arena, instant_now()).ptr, LEVELS[row->level], row->name);
    for (size_t i = 0; i < count; i++)
        write_field(&out, &fields[i]);
    strbuf_append_cstr(&out, "}\n");
    /* One write a line: lines of several threads do not mix. A log that cannot be written is not worth stopping for. */
    ssize_t n;
    do
        n = write(atomic_load(&sink_fd), out.ptr, out.len);
    while (n < 0 && errno == EINTR);
}
