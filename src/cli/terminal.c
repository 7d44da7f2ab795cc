/* terminal: see the header. */
#include "cli/terminal.h"
#include "base/arena.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct screen screen_of(int fd)
{
    struct screen screen = {.terminal = isatty(fd) == 1};
    if (!screen.terminal)
        return screen;
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    screen.colours = !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0;
    struct winsize size;
    bool told = ioctl(fd, TIOCGWINSZ, &size) == 0;
    screen.width = told && size.ws_col ? size.ws_col : 80;
    screen.height = told && size.ws_row ? size.ws_row : 24;
    return screen;
}

void append_coloured(struct strbuf *out, struct screen screen, enum colour colour, struct slice text)
{
    static const char *const CODES[] = {
        [COLOUR_NONE] = "",         [COLOUR_BOLD] = "\x1b[1m",   [COLOUR_DIM] = "\x1b[2m",
        [COLOUR_RED] = "\x1b[31m",  [COLOUR_GREEN] = "\x1b[32m", [COLOUR_YELLOW] = "\x1b[33m",
        [COLOUR_CYAN] = "\x1b[36m",
    };
    bool coloured = screen.colours && colour != COLOUR_NONE && text.len;
    if (coloured)
        strbuf_append_cstr(out, CODES[colour]);
    strbuf_append(out, text);
    if (coloured)
        strbuf_append_cstr(out, "\x1b[0m");
}

/* ---- characters ---- */

/* The character at the front and its length; false: the first byte begins none. */
static bool first_character(struct slice text, uint32_t *ret_character, size_t *ret_len)
{
    unsigned char lead = (unsigned char)text.ptr[0];
    size_t len = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (len > text.len || !slice_is_utf8(slice_sub(text, 0, len)))
        return false;
    uint32_t c = len == 1 ? lead : lead & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)text.ptr[i] & 0x3F);
    *ret_character = c;
    *ret_len = len;
    return true;
}

struct range {
    uint32_t from, to;
};

static bool is_within(uint32_t c, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    return false;
}

/* Controls of C0 and C1, marks that turn the direction of text, and the line ends of Unicode. */
static bool is_control(uint32_t c)
{
    static const struct range RANGES[] = {{0, 0x1F},        {0x7F, 0x9F},     {0x200E, 0x200F},
                                          {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF}};
    return is_within(c, RANGES, ARRAY_SIZE(RANGES));
}

/* The common part of Unicode's East Asian Width and of its combining marks: enough for columns. */
static size_t character_width(uint32_t c)
{
    static const struct range ZERO[] = {{0x300, 0x36F},   {0x483, 0x489},   {0x591, 0x5BD},   {0x610, 0x61A},
                                        {0x64B, 0x65F},   {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200D},
                                        {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF}};
    static const struct range WIDE[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xAC00, 0xD7A3},
                                        {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},
                                        {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD}};
    return is_within(c, ZERO, ARRAY_SIZE(ZERO)) ? 0 : is_within(c, WIDE, ARRAY_SIZE(WIDE)) ? 2 : 1;
}

static struct slice show(struct arena *arena, struct slice text, const char *kept)
{
    struct strbuf out = STRBUF_ARENA(arena);
    while (text.len) {
        uint32_t c = 0;
        size_t len = 1;
        if (!first_character(text, &c, &len))
            strbuf_append_fmt(&out, "\\x%02x", (unsigned char)text.ptr[0]);
        else if (!is_control(c) || (c && c < 0x80 && strchr(kept, (int)c)))
            strbuf_append(&out, slice_sub(text, 0, len));
        else if (c < 0x80)
            strbuf_append_fmt(&out, "\\x%02x", (unsigned)c);
        else
            strbuf_append_fmt(&out, "\\u{%04x}", (unsigned)c);
        text = slice_from(text, len);
    }
    return strbuf_slice(&out);
}

struct slice text_shown(struct arena *arena, struct slice text)
{
    return show(arena, text, "");
}

struct slice text_shown_log(struct arena *arena, struct slice text)
{
    return show(arena, text, "\t\r\n");
}

size_t text_width(struct slice text)
{
    size_t width = 0;
    while (text.len) {
        uint32_t c = 0;
        size_t len = 1;
        width += first_character(text, &c, &len) ? character_width(c) : 1;
        text = slice_from(text, len);
    }
    return width;
}

struct slice text_cut(struct arena *arena, struct slice text, size_t width)
{
    if (!width || text_width(text) <= width)
        return width ? text : S("");
    size_t used = 0, kept = 0;
    for (struct slice rest = text; rest.len;) {
        uint32_t c = 0;
        size_t len = 1, more = first_character(rest, &c, &len) ? character_width(c) : 1;
        if (used + more > width - 1)
            break;
        used += more;
        kept += len;
        rest = slice_from(rest, len);
    }
    return slice_fmt(arena, "%.*s…", SLICE_ARG(slice_sub(text, 0, kept)));
}

/* ---- stdout ---- */

static struct err *output_failed(void)
{
    if (errno == EPIPE) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    return err_new(ERR_LIMIT, "the output cannot be written: %s", strerror(errno));
}

struct err *output_write(struct slice text)
{
    return fwrite(text.ptr, 1, text.len, stdout) == text.len ? NULL : output_failed();
}

struct err *output_flush(void)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? NULL : output_failed();
}
