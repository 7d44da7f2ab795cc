/* log_line_fuzz: foreign bytes as fields of a log event, and as an error's message: one line each, which reads as JSON with the fields
 * that went in. */
#include "base/json.h"
#include "base/log.h"
#include "fuzz.h"
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char *line;
    enum { LINE_MAX = 256 * 1024 };
    if (fd < 0) {
        fd = memfd_create("log", MFD_CLOEXEC);
        ENSURE(fd >= 0);
        line = xmalloc(LINE_MAX);
        log_set_fd(fd);
        log_set_level(LOG_DEBUG);
    }
    struct arena *arena = arena_new();
    struct slice text = slice_of((const char *)data, size);
    struct err *failure = err_new(ERR_INTERNAL, "it broke: %.*s", SLICE_ARG(text));
    ENSURE(lseek(fd, 0, SEEK_SET) == 0);
    log_write((enum log_event_id)(size % LOG_EVENT_COUNT), (const struct log_field[]){LOG_SLICE("text", text), LOG_INT("number", -5), LOG_ERR(failure)}, 3);
    ssize_t len = lseek(fd, 0, SEEK_CUR);
    ENSURE(len > 0 && len < LINE_MAX && pread(fd, line, LINE_MAX, 0) >= len);
    struct slice written = slice_of(line, (size_t)len);
    ENSURE(slice_index(written, '\n') == len - 1);
    struct json *event;
    ENSURE(!json_parse(arena, written, JSON_DUPLICATES_REFUSE, &event));
    ENSURE(json_get_i64(event, "number", 0) == -5 && json_get_text(event, "time").len && json_get_text(event, "error").ptr);
    struct slice back = json_get_text(event, "text");
    ENSURE(back.ptr && (size > 1024 || !slice_is_utf8(text) || slice_eq(back, text)));
    err_free(failure);
    arena_free(arena);
    return 0;
}
