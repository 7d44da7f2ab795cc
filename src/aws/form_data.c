/* form_data: see the header. Content ends where CRLF "--" boundary begins, wherever the reads cut it: as many bytes as a delimiter has
 * are held back until more is known. */
#include "aws/form_data.h"
#include "aws/codec.h"
#include "base/arena.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include <assert.h>
#include <string.h>

#define BUFFER_BYTES 16384
#define BOUNDARY_MAX_BYTES 70 /* RFC 2046, 5.1.1 */
#define HEAD_LINE_MAX_BYTES 4096
#define HEAD_LINES_MAX 16

enum state { STATE_START, STATE_CONTENT, STATE_BETWEEN, STATE_END };

struct form_data {
    struct arena *arena;
    struct aws_reader reader;
    struct slice delimiter; /* CRLF "--" boundary */
    enum state state;
    char buffer[BUFFER_BYTES];
    size_t start, end;
    int64_t taken;
};

static struct err *malformed(void)
{
    return aws_err(ERR_INVALID, 400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.");
}

/* NAME=VALUE of "; a=b; c=\"d\"", any case; a quoted value may hold \" and \\. */
static bool parameter(struct arena *arena, struct slice text, struct slice wanted, struct slice *ret_value)
{
    size_t at = 0;
    while (at < text.len) {
        while (at < text.len && (text.ptr[at] == ';' || text.ptr[at] == ' ' || text.ptr[at] == '\t'))
            at++;
        size_t name = at;
        while (at < text.len && text.ptr[at] != '=' && text.ptr[at] != ';')
            at++;
        bool found = slice_eq_nocase(slice_trim(slice_sub(text, name, at - name)), wanted);
        if (at == text.len || text.ptr[at] == ';')
            continue;
        at++;
        struct strbuf value = STRBUF_ARENA(arena);
        bool quoted = at < text.len && text.ptr[at] == '"';
        if (quoted) {
            for (at++; at < text.len && text.ptr[at] != '"'; at++) {
                bool escaped = text.ptr[at] == '\\' && at + 1 < text.len && (text.ptr[at + 1] == '"' || text.ptr[at + 1] == '\\');
                at += escaped;
                strbuf_append_char(&value, text.ptr[at]);
            }
            if (at == text.len)
                return false; /* the quote is not closed */
            at++;
        } else {
            while (at < text.len && text.ptr[at] != ';')
                strbuf_append_char(&value, text.ptr[at++]);
        }
        if (found) {
            *ret_value = quoted ? strbuf_slice(&value) : slice_trim(strbuf_slice(&value));
            return true;
        }
    }
    return false;
}

static bool is_boundary(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("'()+_,-./:=? ", c))))
            return false;
    }
    return text.len && text.len <= BOUNDARY_MAX_BYTES && text.ptr[text.len - 1] != ' ';
}

bool form_data_boundary(struct arena *arena, struct slice content_type, struct slice *ret_boundary)
{
    struct slice rest = content_type, boundary;
    if (!slice_eq_nocase(slice_trim(slice_cut(&rest, ';')), S("multipart/form-data")) || !rest.ptr ||
        !parameter(arena, rest, S("boundary"), &boundary) || !is_boundary(boundary))
        return false;
    *ret_boundary = boundary;
    return true;
}

struct form_data *form_data_new(struct arena *arena, struct aws_reader reader, struct slice boundary)
{
    struct form_data *form = ARENA_NEW(arena, struct form_data);
    form->arena = arena;
    form->reader = reader;
    form->delimiter = slice_fmt(arena, "\r\n--%.*s", SLICE_ARG(boundary));
    return form;
}

static struct slice held(const struct form_data *form)
{
    return slice_of(form->buffer + form->start, form->end - form->start);
}

static void take(struct form_data *form, size_t len)
{
    form->start += len;
    form->taken += (int64_t)len;
}

/* More behind what is held. A form that ends here is cut short. */
static struct err *fill(struct form_data *form)
{
    size_t got = 0;
    if (form->start) {
        memmove(form->buffer, form->buffer + form->start, form->end - form->start);
        form->end -= form->start;
        form->start = 0;
    }
    if (form->end == BUFFER_BYTES)
        return malformed();
    TRY(form->reader.read(form->reader.ctx, form->buffer + form->end, BUFFER_BYTES - form->end, &got));
    form->end += got;
    return got ? NULL : malformed();
}

static struct err *need(struct form_data *form, size_t len)
{
    while (form->end - form->start < len)
        TRY(fill(form));
    return NULL;
}

static struct err *read_line(struct form_data *form, struct slice *ret_line)
{
    for (;;) {
        ptrdiff_t at = slice_find(held(form), S("\r\n"));
        if (at > HEAD_LINE_MAX_BYTES || (at < 0 && form->end - form->start > HEAD_LINE_MAX_BYTES))
            return malformed();
        if (at >= 0) {
            *ret_line = slice_dup(form->arena, slice_sub(held(form), 0, (size_t)at));
            take(form, (size_t)at + 2);
            return NULL;
        }
        TRY(fill(form));
    }
}

/* The rest of a delimiter's line: "--" after the last part, else blanks and CRLF. */
static struct err *end_delimiter(struct form_data *form)
{
    TRY(need(form, 2));
    if (slice_starts_with(held(form), S("--"))) {
        take(form, 2);
        form->state = STATE_END; /* what follows is an epilogue, which says nothing */
        return NULL;
    }
    struct slice line;
    TRY(read_line(form, &line));
    form->state = STATE_BETWEEN;
    return slice_trim(line).len ? malformed() : NULL;
}

static struct slice base_name(struct slice path)
{
    for (size_t i = path.len; i > 0; i--)
        if (path.ptr[i - 1] == '/' || path.ptr[i - 1] == '\\')
            return slice_from(path, i);
    return path;
}

static struct err *read_disposition(struct form_data *form, struct slice value, struct form_part *part)
{
    struct slice rest = value, file_name;
    if (!slice_eq_nocase(slice_trim(slice_cut(&rest, ';')), S("form-data")) || !rest.ptr ||
        !parameter(form->arena, rest, S("name"), &part->name))
        return malformed();
    if (parameter(form->arena, rest, S("filename"), &file_name))
        part->file_name = base_name(file_name);
    else if (parameter(form->arena, rest, S("filename*"), &file_name) && slice_starts_with_nocase(file_name, S("utf-8''")))
        part->file_name = base_name(uri_decode(form->arena, slice_from(file_name, sizeof("utf-8''") - 1), URI_PLUS_KEPT));
    return NULL;
}

static struct err *read_head(struct form_data *form, struct form_part *ret_part)
{
    struct form_part part = {.name = SLICE_NONE, .file_name = SLICE_NONE};
    for (size_t lines = 0;; lines++) {
        struct slice line, name, value;
        TRY(read_line(form, &line));
        if (!line.len)
            break;
        if (lines == HEAD_LINES_MAX || !slice_split(line, ':', &name, &value))
            return malformed();
        if (!slice_eq_nocase(slice_trim(name), S("Content-Disposition")))
            continue;
        if (part.name.ptr)
            return malformed();
        TRY(read_disposition(form, value, &part));
    }
    if (!part.name.ptr)
        return malformed();
    *ret_part = part;
    form->state = STATE_CONTENT;
    return NULL;
}

struct err *form_data_next(struct form_data *form, bool *ret_more, struct form_part *ret_part)
{
    if (form->state == STATE_START) {
        struct slice first = slice_from(form->delimiter, 2); /* no line stands before the first one */
        TRY(need(form, first.len));
        if (slice_starts_with(held(form), S("\r\n")))
            take(form, 2);
        TRY(need(form, first.len));
        if (!slice_starts_with(held(form), first))
            return malformed();
        take(form, first.len);
        TRY(end_delimiter(form));
    }
    if (form->state == STATE_CONTENT)
        return err_new(ERR_INTERNAL, "the form's part before was not read to its end");
    *ret_more = form->state == STATE_BETWEEN;
    return *ret_more ? read_head(form, ret_part) : NULL;
}

struct err *form_data_read(struct form_data *form, void *buf, size_t cap, size_t *ret_len)
{
    size_t len = 0;
    assert(cap);
    while (form->state == STATE_CONTENT && !len) {
        TRY(need(form, form->delimiter.len));
        ptrdiff_t at = slice_find(held(form), form->delimiter);
        len = at >= 0 ? (size_t)at : form->end - form->start - form->delimiter.len + 1;
        len = len < cap ? len : cap;
        if (at == 0) {
            take(form, form->delimiter.len);
            TRY(end_delimiter(form));
            break;
        }
    }
    if (len) {
        memcpy(buf, form->buffer + form->start, len);
        take(form, len);
    }
    *ret_len = len;
    return NULL;
}

int64_t form_data_taken(const struct form_data *form)
{
    return form->taken;
}
