#include "spark/shell_split.h"
#include "base/strbuf.h"
#include "spark/notes_internal.h"

#include <string.h>

/* The length of a line break at text[i] (1 or 2), or 0. */
static size_t line_break(struct slice text, size_t i)
{
    if (i < text.len && text.ptr[i] == '\n')
        return 1;
    return i + 1 < text.len && text.ptr[i] == '\r' && text.ptr[i + 1] == '\n' ? 2 : 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* Takes what a backslash at *i stands for, outside of quotes or within double quotes; moves *i past it. */
static struct err *take_backslash(struct slice text, size_t *i, bool in_quotes, struct strbuf *word, bool *in_word)
{
    size_t next = *i + 1;
    if (next == text.len)
        return err_new(ERR_INVALID, "No escaped character: the text ends with a backslash.");
    size_t broken = line_break(text, next);
    if (broken) {
        *i = next + broken;
        return NULL;
    }
    if (in_quotes && !strchr("$`\"\\", text.ptr[next]))
        strbuf_append_char(word, '\\');
    strbuf_append_char(word, text.ptr[next]);
    *in_word = true;
    *i = next + 1;
    return NULL;
}

static struct err *take_quoted(struct slice text, size_t *i, struct strbuf *word, bool *in_word)
{
    char quote = text.ptr[(*i)++];
    *in_word = true;
    while (*i < text.len && text.ptr[*i] != quote) {
        if (quote == '"' && text.ptr[*i] == '\\')
            TRY(take_backslash(text, i, true, word, in_word));
        else
            strbuf_append_char(word, text.ptr[(*i)++]);
    }
    if (*i >= text.len)
        return err_new(ERR_INVALID, "No closing quotation: a %s quote is not closed.", quote == '"' ? "double" : "single");
    (*i)++;
    return NULL;
}

struct err *shell_split(struct arena *arena, struct slice text, struct slice **ret_words, size_t *ret_count)
{
    struct spark_notes words = {.arena = arena};
    struct strbuf word = STRBUF_ARENA(arena);
    bool in_word = false; /* '' is a word, though empty */
    for (size_t i = 0; i < text.len;) {
        char c = text.ptr[i];
        if (is_blank(c)) {
            if (in_word)
                spark_notes_add(&words, slice_dup(arena, strbuf_slice(&word)));
            strbuf_truncate(&word, 0);
            in_word = false;
            i++;
        } else if (c == '\'' || c == '"') {
            TRY(take_quoted(text, &i, &word, &in_word));
        } else if (c == '\\') {
            TRY(take_backslash(text, &i, false, &word, &in_word));
        } else {
            strbuf_append_char(&word, c);
            in_word = true;
            i++;
        }
    }
    if (in_word)
        spark_notes_add(&words, slice_dup(arena, strbuf_slice(&word)));
    *ret_words = words.items;
    *ret_count = words.count;
    return NULL;
}
