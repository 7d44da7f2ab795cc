#include "spark/properties.h"

#include <string.h>

/* ---- reading: Properties.LineReader and loadConvert ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

/* One logical line: comments and blank lines skipped, continuations joined with their leading blanks dropped. Escapes are kept.
 * False at the end of the text. */
static bool next_line(struct slice text, size_t *at, struct strbuf *line)
{
    strbuf_truncate(line, 0);
    size_t i = *at;
    while (i < text.len) {
        while (i < text.len && (is_space(text.ptr[i]) || is_line_end(text.ptr[i])))
            i++;
        if (i < text.len && (text.ptr[i] == '#' || text.ptr[i] == '!')) {
            while (i < text.len && !is_line_end(text.ptr[i]))
                i++;
            continue;
        }
        break;
    }
    bool found = i < text.len;
    bool escaped = false;
    while (i < text.len) {
        char c = text.ptr[i];
        if (!is_line_end(c)) {
            strbuf_append_char(line, c);
            escaped = c == '\\' && !escaped;
            i++;
            continue;
        }
        i += c == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n' ? 2 : 1;
        if (!escaped)
            break;
        strbuf_truncate(line, line->len - 1); /* the backslash that continues the line */
        escaped = false;
        while (i < text.len && is_space(text.ptr[i]))
            i++;
    }
    /* A backslash as the very last character of the text continues a line that never comes: Java drops it. */
    if (escaped && i >= text.len && line->len)
        strbuf_truncate(line, line->len - 1);
    *at = i;
    return found;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_unit(struct slice s, size_t at, uint32_t *ret_unit)
{
    uint32_t unit = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = at + i < s.len ? hex_digit(s.ptr[at + i]) : -1;
        if (digit < 0)
            return false;
        unit = unit << 4 | (uint32_t)digit;
    }
    *ret_unit = unit;
    return true;
}

static void append_utf8(struct strbuf *out, uint32_t c)
{
    if (c < 0x80) {
        strbuf_append_char(out, (char)c);
    } else if (c < 0x800) {
        strbuf_append_char(out, (char)(0xC0 | c >> 6));
        strbuf_append_char(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        strbuf_append_char(out, (char)(0xE0 | c >> 12));
        strbuf_append_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        strbuf_append_char(out, (char)(0x80 | (c & 0x3F)));
    } else {
        strbuf_append_char(out, (char)(0xF0 | c >> 18));
        strbuf_append_char(out, (char)(0x80 | (c >> 12 & 0x3F)));
        strbuf_append_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        strbuf_append_char(out, (char)(0x80 | (c & 0x3F)));
    }
}

/* \uXXXX at s[*i] == 'u'; two surrogates make one character, a lone one becomes '?' as Java writes it out. */
static struct err *append_unicode(struct strbuf *out, struct slice s, size_t *i)
{
    uint32_t unit;
    if (!read_unit(s, *i + 1, &unit))
        return err_new(ERR_INVALID, "Malformed \\uxxxx encoding.");
    *i += 5;
    uint32_t low;
    if (unit >= 0xD800 && unit < 0xDC00 && *i + 1 < s.len && s.ptr[*i] == '\\' && s.ptr[*i + 1] == 'u' &&
        read_unit(s, *i + 2, &low) && low >= 0xDC00 && low < 0xE000) {
        append_utf8(out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
        *i += 6;
        return NULL;
    }
    append_utf8(out, unit >= 0xD800 && unit < 0xE000 ? '?' : unit);
    return NULL;
}

static struct err *unescape(struct strbuf *out, struct slice s)
{
    strbuf_truncate(out, 0);
    for (size_t i = 0; i < s.len;) {
        char c = s.ptr[i++];
        if (c != '\\' || i == s.len) {
            if (c != '\\')
                strbuf_append_char(out, c);
            continue;
        }
        c = s.ptr[i];
        if (c == 'u') {
            TRY(append_unicode(out, s, &i));
            continue;
        }
        i++;
        strbuf_append_char(out, c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c);
    }
    return NULL;
}

static struct slice trim_but_line_ends(struct slice s)
{
    while (s.len && (unsigned char)s.ptr[0] <= ' ' && !is_line_end(s.ptr[0]))
        s = slice_from(s, 1);
    while (s.len && (unsigned char)s.ptr[s.len - 1] <= ' ' && !is_line_end(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct err *properties_read(struct slice text, enum properties_trim trim, enum spark_conf_source source, struct spark_conf *conf)
{
    struct strbuf line = STRBUF_ARENA(conf->arena), key = STRBUF_ARENA(conf->arena), value = STRBUF_ARENA(conf->arena);
    size_t at = 0;
    while (next_line(text, &at, &line)) {
        struct slice s = strbuf_slice(&line);
        size_t end = 0;
        bool escaped = false;
        while (end < s.len && (escaped || !(is_space(s.ptr[end]) || s.ptr[end] == '=' || s.ptr[end] == ':'))) {
            escaped = s.ptr[end] == '\\' && !escaped;
            end++;
        }
        size_t start = end;
        while (start < s.len && is_space(s.ptr[start]))
            start++;
        if (start < s.len && (s.ptr[start] == '=' || s.ptr[start] == ':'))
            start++;
        while (start < s.len && is_space(s.ptr[start]))
            start++;
        TRY(unescape(&key, slice_sub(s, 0, end)));
        TRY(unescape(&value, slice_from(s, start)));
        struct slice v = strbuf_slice(&value);
        spark_conf_set(conf, strbuf_slice(&key), trim == PROPERTIES_TRIM_VALUES ? trim_but_line_ends(v) : v, source);
    }
    return NULL;
}

/* ---- writing: Properties.store(Writer) ---- */

static void write_escaped(struct strbuf *out, struct slice s, bool all_blanks)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        switch (c) {
        case ' ':
            if (i == 0 || all_blanks)
                strbuf_append_char(out, '\\');
            strbuf_append_char(out, ' ');
            break;
        case '\t':
            strbuf_append_cstr(out, "\\t");
            break;
        case '\n':
            strbuf_append_cstr(out, "\\n");
            break;
        case '\r':
            strbuf_append_cstr(out, "\\r");
            break;
        case '\f':
            strbuf_append_cstr(out, "\\f");
            break;
        case '\\':
        case '=':
        case ':':
        case '#':
        case '!':
            strbuf_append_char(out, '\\');
            strbuf_append_char(out, c);
            break;
        default:
            strbuf_append_char(out, c);
        }
    }
}

void properties_write_entry(struct strbuf *out, struct slice key, struct slice value)
{
    write_escaped(out, key, true);
    strbuf_append_char(out, '=');
    write_escaped(out, value, false);
    strbuf_append_char(out, '\n');
}

void properties_write_comment(struct strbuf *out, struct slice comment)
{
    strbuf_append_char(out, '#');
    for (size_t i = 0; i < comment.len; i++) {
        char c = comment.ptr[i];
        if (!is_line_end(c)) {
            strbuf_append_char(out, c);
            continue;
        }
        if (c == '\r' && i + 1 < comment.len && comment.ptr[i + 1] == '\n')
            i++;
        strbuf_append_char(out, '\n');
        if (i + 1 == comment.len || (comment.ptr[i + 1] != '#' && comment.ptr[i + 1] != '!'))
            strbuf_append_char(out, '#');
    }
    strbuf_append_char(out, '\n');
}
