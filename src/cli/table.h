/* table: lines of cells under a head, each column as wide as it must be. On a terminal a line never wraps: columns
 * marked elastic give way, the last one first. Cells are shown by text_shown(). Pure. */
#pragma once
#include "cli/terminal.h"

struct table_column {
    const char *title;
    bool right;   /* numbers */
    bool elastic; /* may be cut to fit */
};

struct table_cell {
    struct slice text; /* borrowed until table_append() */
    enum colour colour;
};

struct table {
    struct arena *arena;
    const struct table_column *columns;
    size_t column_count;
    struct table_row {
        const struct table_cell *cells;
        struct table_row *next;
    } *first, *last;
    size_t row_count;
};

struct table table_of(struct arena *arena, const struct table_column *columns, size_t column_count);
void table_add(struct table *table, const struct table_cell *cells); /* as many as there are columns; copied */
/* The head and at most max_rows rows (0: all). */
void table_append(struct strbuf *out, const struct table *table, struct screen screen, size_t max_rows);
