#include "base/log.h"
#include "base/clock.h"
#include "base/arena.h"
#include "base/json.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define FOREIGN_TEXT_MAX 1024
#define REQUEST_ID_MAX 63

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
static _Atomic uint64_t counts[LOG_EVENT_COUNT];
static _Thread_local char request_id[REQUEST_ID_MAX + 1];
static _Thread_local size_t request_id_len;

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

void log_set_fd(int fd)
{
    atomic_store(&sink_fd, fd);
}

void log_set_request(struct slice id)
{
    request_id_len = id.len < REQUEST_ID_MAX ? id.len : REQUEST_ID_MAX;
    if (request_id_len)
        memcpy(request_id, id.ptr, request_id_len);
}

uint64_t log_event_count(enum log_event_id event)
{
    return atomic_load_explicit(&counts[event], memory_order_relaxed);
}

const char *log_event_name(enum log_event_id event)
{
    return EVENTS[event].name;
}

const char *log_event_level(enum log_event_id event)
{
    return LEVELS[EVENTS[event].level];
}

/* The thread's request, unless the event names its own. */
static struct slice missing_request_id(const struct log_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].key, "requestId") == 0)
            return SLICE_NONE;
    return request_id_len ? slice_of(request_id, request_id_len) : SLICE_NONE;
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
    atomic_fetch_add_explicit(&counts[event], 1, memory_order_relaxed);
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_fmt(&out, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"",
                      instant_iso8601_ms(arena, instant_now()).ptr, LEVELS[row->level], row->name);
    for (size_t i = 0; i < count; i++)
        write_field(&out, &fields[i]);
    struct slice id = missing_request_id(fields, count);
    if (id.ptr)
        write_field(&out, &LOG_SLICE("requestId", id));
    strbuf_append_cstr(&out, "}\n");
    /* One write a line: lines of several threads do not mix. A log that cannot be written is not worth stopping for. */
    ssize_t n;
    do
        n = write(atomic_load(&sink_fd), out.ptr, out.len);
    while (n < 0 && errno == EINTR);
}
