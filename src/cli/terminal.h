/* terminal: what is printed and where to. Foreign text (names, details, log lines) never reaches a terminal with
 * control bytes in it: text_shown() is between. Pure but for screen_of() and output_*(). */
#pragma once
#include "base/err.h"
#include "base/strbuf.h"

struct arena;

enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_DIM, COLOUR_RED, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_CYAN };

struct screen {
    bool terminal, colours;
    size_t width, height; /* of a terminal; 0 elsewhere: no bound */
};
/* fd: 1 or 2. Colours: on terminals that know them, and never with NO_COLOR set to anything. */
struct screen screen_of(int fd);
/* text in that colour when the screen has any. */
void append_coloured(struct strbuf *out, struct screen screen, enum colour colour, struct slice text);

/* text with everything that could move a cursor or turn text around written as \xNN or \u{NNNN}: C0 and C1 control
 * bytes, DEL, bidirectional controls, and bytes that are no UTF-8. One line stays one line. */
struct slice text_shown(struct arena *arena, struct slice text);
/* The same for lines of a log: tabs stay, and returns, by which programs redraw their own progress. */
struct slice text_shown_log(struct arena *arena, struct slice text);
/* Columns that UTF-8 text takes: wide characters are 2, combining ones 0. */
size_t text_width(struct slice text);
/* At most width columns of text, the last an ellipsis when something was cut. */
struct slice text_cut(struct arena *arena, struct slice text, size_t width);

/* stdout. When nobody reads any more (a closed pipe), the program ends as any program does that SIGPIPE ends. ERR_LIMIT
 * and others: it can't be written. */
struct err *output_write(struct slice text) NODISCARD;
struct err *output_flush(void) NODISCARD;
