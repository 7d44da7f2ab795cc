/* table: see the header. */
#include "cli/table.h"
#include "base/arena.h"

#define GAP 2
#define NARROWEST 8

struct table table_of(struct arena *arena, const struct table_column *columns, size_t column_count)
{
    return (struct table){.arena = arena, .columns = columns, .column_count = column_count};
}

void table_add(struct table *table, const struct table_cell *cells)
{
    struct table_cell *kept = ARENA_ARRAY(table->arena, table->column_count, struct table_cell);
    for (size_t i = 0; i < table->column_count; i++)
        kept[i] = (struct table_cell){.text = text_shown(table->arena, cells[i].text), .colour = cells[i].colour};
    struct table_row *row = ARENA_NEW(table->arena, struct table_row);
    row->cells = kept;
    *(table->last ? &table->last->next : &table->first) = row;
    table->last = row;
    table->row_count++;
}

static size_t *measure(const struct table *table, struct screen screen)
{
    size_t *widths = ARENA_ARRAY(table->arena, table->column_count, size_t), total = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        widths[i] = text_width(slice_from_cstr(table->columns[i].title));
        for (const struct table_row *row = table->first; row; row = row->next) {
            size_t width = text_width(row->cells[i].text);
            widths[i] = width > widths[i] ? width : widths[i];
        }
        total += widths[i] + (i ? GAP : 0);
    }
    for (size_t i = table->column_count; screen.width && total > screen.width && i-- > 0;) {
        size_t spare = table->columns[i].elastic && widths[i] > NARROWEST ? widths[i] - NARROWEST : 0;
        size_t less = total - screen.width < spare ? total - screen.width : spare;
        widths[i] -= less;
        total -= less;
    }
    return widths;
}

static void append_blanks(struct strbuf *out, size_t count)
{
    while (count--)
        strbuf_append_char(out, ' ');
}

/* A terminal too narrow even for the narrowest columns gets whole cells only as far as they fit. */
static void append_line(struct strbuf *out, const struct table *table, struct screen screen, const size_t *widths,
                        const struct table_cell *cells)
{
    size_t column = 0, owed = 0; /* blanks are owed until a cell comes behind them: no line ends with any */
    for (size_t i = 0; i < table->column_count; i++) {
        size_t gap = i ? GAP : 0;
        if (screen.width && column + owed + gap >= screen.width)
            break;
        size_t room = screen.width && column + owed + gap + widths[i] > screen.width
                          ? screen.width - column - owed - gap
                          : widths[i];
        struct slice text = text_cut(table->arena, cells[i].text, room);
        size_t width = text_width(text), left = table->columns[i].right ? room - width : 0;
        if (!width) {
            owed += gap + room;
            continue;
        }
        append_blanks(out, owed + gap + left);
        append_coloured(out, screen, cells[i].colour, text);
        column += owed + gap + left + width;
        owed = room - width - left;
    }
    strbuf_append_char(out, '\n');
}

void table_append(struct strbuf *out, const struct table *table, struct screen screen, size_t max_rows)
{
    size_t *widths = measure(table, screen), printed = 0;
    struct table_cell *head = ARENA_ARRAY(table->arena, table->column_count, struct table_cell);
    for (size_t i = 0; i < table->column_count; i++)
        head[i] = (struct table_cell){.text = slice_from_cstr(table->columns[i].title), .colour = COLOUR_BOLD};
    append_line(out, table, screen, widths, head);
    for (const struct table_row *row = table->first; row && (!max_rows || printed < max_rows);
         row = row->next, printed++)
        append_line(out, table, screen, widths, row->cells);
}
