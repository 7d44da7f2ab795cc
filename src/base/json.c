/* The tree, its reading and changing. Parsing is yyjson's (base/json_parse.c); here is no foreign library. */
#include "base/json.h"
#include "base/arena.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct json *node(struct arena *arena, enum json_type type)
{
    struct json *j = ARENA_NEW(arena, struct json);
    j->type = type;
    return j;
}

struct json *json_object(struct arena *arena)
{
    return node(arena, JSON_OBJECT);
}

struct json *json_array(struct arena *arena)
{
    return node(arena, JSON_ARRAY);
}

struct json *json_null(struct arena *arena)
{
    return node(arena, JSON_NULL);
}

struct json *json_string(struct arena *arena, struct slice text)
{
    struct json *j = node(arena, JSON_STRING);
    j->text = text.ptr ? text : S("");
    return j;
}

struct json *json_cstr(struct arena *arena, const char *text)
{
    return json_string(arena, slice_from_cstr(text));
}

struct json *json_fmt(struct arena *arena, const char *format, ...)
{
    struct strbuf text = STRBUF_ARENA(arena);
    va_list args;
    va_start(args, format);
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    return json_string(arena, strbuf_slice(&text));
}

struct json *json_i64(struct arena *arena, int64_t value)
{
    struct json *j = node(arena, JSON_NUMBER);
    struct strbuf text = STRBUF_ARENA(arena);
    strbuf_append_i64(&text, value);
    j->text = strbuf_slice(&text);
    return j;
}

struct json *json_number(struct arena *arena, struct slice literal)
{
    struct json *j = node(arena, JSON_NUMBER);
    j->text = literal;
    return j;
}

struct json *json_bool(struct arena *arena, bool value)
{
    struct json *j = node(arena, JSON_BOOL);
    j->boolean = value;
    return j;
}

struct json *json_clone(struct arena *arena, const struct json *value)
{
    if (!value)
        return NULL;
    struct json *copy = node(arena, value->type);
    copy->boolean = value->boolean;
    copy->text = slice_dup(arena, value->text);
    JSON_FOREACH(child, value) {
        struct json *c = json_clone(arena, child);
        c->key = slice_dup(arena, child->key);
        if (copy->last)
            copy->last->next = c;
        else
            copy->first = c;
        copy->last = c;
    }
    return copy;
}

struct json *json_get(const struct json *object, struct slice key)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    JSON_FOREACH(child, object) {
        if (slice_eq(child->key, key))
            return child;
    }
    return NULL;
}

struct json *json_at(const struct json *object, ...)
{
    va_list names;
    va_start(names, object);
    struct json *at = NULL;
    const struct json *from = object;
    for (const char *name; (name = va_arg(names, const char *));) {
        at = json_get(from, slice_from_cstr(name));
        from = at;
        if (!at)
            break;
    }
    va_end(names);
    return at;
}

struct json *json_item(const struct json *array, size_t index)
{
    if (!array || array->type != JSON_ARRAY)
        return NULL;
    JSON_FOREACH(child, array) {
        if (index-- == 0)
            return child;
    }
    return NULL;
}

size_t json_count(const struct json *container)
{
    size_t n = 0;
    JSON_FOREACH(child, container) {
        n++;
    }
    return n;
}

bool json_is(const struct json *value, enum json_type type)
{
    return value && value->type == type;
}

const char *json_type_name(const struct json *value)
{
    switch (value->type) {
    case JSON_NULL:
        return "null";
    case JSON_BOOL:
        return "bool";
    case JSON_NUMBER:
        return "number";
    case JSON_STRING:
        return "string";
    case JSON_ARRAY:
        return "array";
    case JSON_OBJECT:
        return "object";
    }
    return "value";
}

struct slice json_text(const struct json *value)
{
    return json_is(value, JSON_STRING) ? value->text : SLICE_NONE;
}

struct slice json_get_text(const struct json *object, const char *key)
{
    return json_text(json_get(object, slice_from_cstr(key)));
}

int64_t json_to_i64(const struct json *value, int64_t otherwise)
{
    int64_t v;
    return json_is(value, JSON_NUMBER) && slice_to_i64(value->text, INT64_MIN, INT64_MAX, &v) ? v : otherwise;
}

int64_t json_get_i64(const struct json *object, const char *key, int64_t otherwise)
{
    return json_to_i64(json_get(object, slice_from_cstr(key)), otherwise);
}

bool json_to_bool(const struct json *value, bool otherwise)
{
    return json_is(value, JSON_BOOL) ? value->boolean : otherwise;
}

bool json_get_bool(const struct json *object, const char *key, bool otherwise)
{
    return json_to_bool(json_get(object, slice_from_cstr(key)), otherwise);
}

static int compare_keys(const void *a, const void *b)
{
    return slice_cmp((*(const struct json *const *)a)->key, (*(const struct json *const *)b)->key);
}

static const struct json **sort_members(const struct json *object, size_t count)
{
    const struct json **sorted = xcalloc(count, sizeof(*sorted));
    size_t n = 0;
    JSON_FOREACH(child, object) {
        sorted[n++] = child;
    }
    qsort(sorted, count, sizeof(*sorted), compare_keys);
    return sorted;
}

static bool same_order(const struct json *a, const struct json *b)
{
    const struct json *x = a->first, *y = b->first;
    while (x && y && slice_eq(x->key, y->key)) {
        x = x->next;
        y = y->next;
    }
    return !x && !y;
}

/* In any order. Foreign objects may have very many members, so in large ones each is not looked for among all; and each pair is compared
 * once only, for what is compared twice on each level takes for ever in a deep tree. */
static bool members_equal(const struct json *a, const struct json *b)
{
    enum { COMPARE_MAX = 16 };
    size_t count = json_count(a);
    bool equal = true;
    if (count != json_count(b))
        return false;
    if (same_order(a, b)) {
        const struct json *y = b->first;
        for (const struct json *x = a->first; x && equal; x = x->next, y = y->next)
            equal = json_equal(x, y);
        return equal;
    }
    if (count <= COMPARE_MAX) {
        for (const struct json *x = a->first; x && equal; x = x->next)
            equal = json_equal(x, json_get(b, x->key));
        return equal;
    }
    const struct json **left = sort_members(a, count), **right = sort_members(b, count);
    for (size_t i = 0; i < count && equal; i++)
        equal = slice_eq(left[i]->key, right[i]->key) && json_equal(left[i], right[i]);
    freep(&left);
    freep(&right);
    return equal;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (!a || !b)
        return a == b;
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        return a->boolean == b->boolean;
    case JSON_NUMBER:
    case JSON_STRING:
        return slice_eq(a->text, b->text);
    case JSON_ARRAY: {
        const struct json *y = b->first;
        for (const struct json *x = a->first; x; x = x->next, y = y->next) {
            if (!y || !json_equal(x, y))
                return false;
        }
        return !y;
    }
    case JSON_OBJECT: {
        return members_equal(a, b);
    }
    }
    return false;
}

void json_append(struct json *array, struct json *value)
{
    value->next = NULL;
    if (array->last)
        array->last->next = value;
    else
        array->first = value;
    array->last = value;
}

void json_prepend(struct json *array, struct json *value)
{
    value->next = array->first;
    array->first = value;
    if (!array->last)
        array->last = value;
}

void json_replace(struct json *container, struct json *old, struct json *fresh)
{
    fresh->key = old->key;
    fresh->next = old->next;
    struct json **link = &container->first;
    while (*link && *link != old)
        link = &(*link)->next;
    if (*link)
        *link = fresh;
    if (container->last == old)
        container->last = fresh;
    old->next = NULL;
}

void json_set(struct arena *arena, struct json *object, struct slice key, struct json *value)
{
    struct json *old = json_get(object, key);
    if (old == value)
        return;
    if (old) {
        json_replace(object, old, value);
        return;
    }
    value->key = slice_dup(arena, key.ptr ? key : S(""));
    json_append(object, value);
}

void json_set_text(struct arena *arena, struct json *object, const char *key, struct slice text)
{
    json_set(arena, object, slice_from_cstr(key), json_string(arena, text));
}

void json_set_cstr(struct arena *arena, struct json *object, const char *key, const char *text)
{
    json_set_text(arena, object, key, slice_from_cstr(text));
}

void json_set_i64(struct arena *arena, struct json *object, const char *key, int64_t value)
{
    json_set(arena, object, slice_from_cstr(key), json_i64(arena, value));
}

void json_set_bool(struct arena *arena, struct json *object, const char *key, bool value)
{
    json_set(arena, object, slice_from_cstr(key), json_bool(arena, value));
}

struct json *json_ensure_object(struct arena *arena, struct json *object, const char *key)
{
    struct json *child = json_get(object, slice_from_cstr(key));
    if (!json_is(child, JSON_OBJECT)) {
        child = json_object(arena);
        json_set(arena, object, slice_from_cstr(key), child);
    }
    return child;
}

struct json *json_ensure_array(struct arena *arena, struct json *object, const char *key)
{
    struct json *child = json_get(object, slice_from_cstr(key));
    if (!json_is(child, JSON_ARRAY)) {
        child = json_array(arena);
        json_set(arena, object, slice_from_cstr(key), child);
    }
    return child;
}

void json_unlink(struct json *container, struct json *child)
{
    struct json *before = NULL;
    for (struct json *c = container->first; c; before = c, c = c->next) {
        if (c != child)
            continue;
        if (before)
            before->next = c->next;
        else
            container->first = c->next;
        if (container->last == c)
            container->last = before;
        c->next = NULL;
        return;
    }
}

bool json_remove(struct json *object, struct slice key)
{
    struct json *child = json_get(object, key);
    if (child)
        json_unlink(object, child);
    return child != NULL;
}

/* Length of the well-formed UTF-8 sequence at the start of s, 0 when there is none. */
static size_t utf8_length(struct slice s)
{
    unsigned char c = (unsigned char)s.ptr[0];
    size_t n = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    return n <= s.len && slice_is_utf8(slice_of(s.ptr, n)) ? n : 0;
}

void json_write_string(struct strbuf *out, struct slice text)
{
    static const char HEX[] = "0123456789abcdef";
    strbuf_append_char(out, '"');
    size_t plain = 0; /* start of the run not yet written */
    size_t i = 0;
    while (i < text.len) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            i++;
            continue;
        }
        size_t step = c < 0x80 ? 1 : utf8_length(slice_from(text, i));
        if (c >= 0x80 && step) {
            i += step;
            continue;
        }
        strbuf_append_bytes(out, text.ptr + plain, i - plain);
        if (c >= 0x80) {
            strbuf_append_cstr(out, "\xEF\xBF\xBD");
        } else if (c == '"' || c == '\\') {
            strbuf_append_char(out, '\\');
            strbuf_append_char(out, (char)c);
        } else if (c == '\n') {
            strbuf_append_cstr(out, "\\n");
        } else if (c == '\t') {
            strbuf_append_cstr(out, "\\t");
        } else if (c == '\r') {
            strbuf_append_cstr(out, "\\r");
        } else {
            char escape[] = {'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]};
            strbuf_append_bytes(out, escape, sizeof(escape));
        }
        i++;
        plain = i;
    }
    if (text.len)
        strbuf_append_bytes(out, text.ptr + plain, text.len - plain);
    strbuf_append_char(out, '"');
}

static void write_break(struct strbuf *out, int indent)
{
    if (indent < 0)
        return;
    strbuf_append_char(out, '\n');
    for (int i = 0; i < indent; i++)
        strbuf_append_cstr(out, "  ");
}

/* indent < 0: compact. Depth is bounded by the parser; trees of ours are shallow. */
static void write_value(struct strbuf *out, const struct json *v, int indent)
{
    switch (v->type) {
    case JSON_NULL:
        strbuf_append(out, S("null"));
        return;
    case JSON_BOOL:
        strbuf_append(out, v->boolean ? S("true") : S("false"));
        return;
    case JSON_NUMBER:
        strbuf_append(out, v->text);
        return;
    case JSON_STRING:
        json_write_string(out, v->text);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT: {
        bool object = v->type == JSON_OBJECT;
        int inner = indent < 0 ? -1 : indent + 1;
        strbuf_append_char(out, object ? '{' : '[');
        JSON_FOREACH(child, v) {
            if (child != v->first)
                strbuf_append_char(out, ',');
            write_break(out, inner);
            if (object) {
                json_write_string(out, child->key);
                strbuf_append_char(out, ':');
                if (indent >= 0)
                    strbuf_append_char(out, ' ');
            }
            write_value(out, child, inner);
        }
        if (v->first)
            write_break(out, indent);
        strbuf_append_char(out, object ? '}' : ']');
        return;
    }
    }
}

void json_write(struct strbuf *out, const struct json *value)
{
    if (value)
        write_value(out, value, -1);
    else
        strbuf_append(out, S("null"));
}

void json_write_pretty(struct strbuf *out, const struct json *value)
{
    if (value)
        write_value(out, value, 0);
    else
        strbuf_append(out, S("null"));
}

struct slice json_to_slice(struct arena *arena, const struct json *value)
{
    struct strbuf out = STRBUF_ARENA(arena);
    json_write(&out, value);
    return strbuf_slice(&out);
}
