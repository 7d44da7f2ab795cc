/* yaml: libyaml's events become json nodes; scalars are resolved by Kubernetes' rules (gopkg.in/yaml.v2 resolve.go
 * behind sigs.k8s.io/yaml). */
#include "base/yaml.h"
#include "base/arena.h"
#include "base/encode.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    YAML_DEPTH_MAX = 128,
    YAML_NODES_MAX = 200 * 1000,
    YAML_TEXT_MAX = 8 * 1024 * 1024,
    YAML_EXPANDED_MAX = 16 * 1024 * 1024,
};

struct anchor {
    struct slice name;
    const struct json *value;
    struct anchor *next;
};

struct reader {
    struct arena *arena;
    yaml_parser_t parser;
    struct anchor *anchors;
    size_t nodes;
    size_t expanded_bytes;
};

static struct err *reader_read_node(struct reader *reader, yaml_event_t *event, int depth, struct json **ret_node);

static struct err *reader_fail(struct reader *reader)
{
    const yaml_parser_t *p = &reader->parser;
    return err_new(ERR_INVALID, "yaml: line %zu: %s", p->problem_mark.line + 1,
                   p->problem ? p->problem : "cannot be read");
}

static struct err *reader_next(struct reader *reader, yaml_event_t *ret_event)
{
    if (!yaml_parser_parse(&reader->parser, ret_event)) {
        memset(ret_event, 0, sizeof(*ret_event));
        return reader_fail(reader);
    }
    return NULL;
}

static struct err *reader_count(struct reader *reader, size_t bytes)
{
    if (++reader->nodes > YAML_NODES_MAX)
        return err_new(ERR_LIMIT, "yaml: more than %d values", YAML_NODES_MAX);
    reader->expanded_bytes += bytes;
    if (reader->expanded_bytes > YAML_EXPANDED_MAX)
        return err_new(ERR_LIMIT, "yaml: more than %d bytes after expanding aliases", YAML_EXPANDED_MAX);
    return NULL;
}

/* ---- scalars ---- */

static bool word_in(struct slice text, const char *const *words)
{
    for (; *words; words++)
        if (slice_eq(text, slice_from_cstr(*words)))
            return true;
    return false;
}

static const char *const true_words[] = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", NULL};
static const char *const false_words[] = {"n",     "N",     "no",  "No",  "NO",  "false",
                                          "False", "FALSE", "off", "Off", "OFF", NULL};
static const char *const null_words[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const not_finite_words[] = {".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",  ".INF", "+.inf",
                                               "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", NULL};

/* Go's ParseInt(text, 0, 64): optional sign, then 0x, 0b, 0o or a leading 0 (octal), else decimal. */
static bool integer_parse(struct slice text, bool *ret_negative, uint64_t *ret_magnitude)
{
    bool negative = text.len && text.ptr[0] == '-';
    if (text.len && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        text = slice_from(text, 1);
    unsigned base = 10;
    if (text.len > 1 && text.ptr[0] == '0') {
        char c = (char)(text.ptr[1] | 0x20);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        text = slice_from(text, c == 'x' || c == 'b' || c == 'o' ? 2 : 1);
    }
    if (!text.len)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 99;
        if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    if (negative && value > (uint64_t)INT64_MAX + 1)
        return false;
    *ret_negative = negative && value != 0;
    *ret_magnitude = value;
    return true;
}

static size_t digits_at(struct slice text, size_t i)
{
    size_t start = i;
    while (i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9')
        i++;
    return i - start;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? made a JSON literal; absent when text is no float. */
static struct slice float_literal(struct arena *arena, struct slice text)
{
    size_t i = 0;
    bool negative = text.len && text.ptr[0] == '-';
    if (text.len && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        i++;
    size_t whole_at = i, whole = digits_at(text, i);
    i += whole;
    size_t fraction_at = 0, fraction = 0;
    if (i < text.len && text.ptr[i] == '.') {
        fraction_at = ++i;
        fraction = digits_at(text, i);
        i += fraction;
    }
    if (!whole && !fraction)
        return SLICE_NONE;
    size_t exponent_at = i;
    if (i < text.len && (text.ptr[i] | 0x20) == 'e') {
        i++;
        if (i < text.len && (text.ptr[i] == '-' || text.ptr[i] == '+'))
            i++;
        size_t exponent = digits_at(text, i);
        if (!exponent)
            return SLICE_NONE;
        i += exponent;
    }
    if (i != text.len)
        return SLICE_NONE;
    while (whole > 1 && text.ptr[whole_at] == '0') {
        whole_at++;
        whole--;
    }
    return slice_fmt(arena, "%s%.*s%s%.*s%.*s", negative ? "-" : "", whole ? (int)whole : 1,
                     whole ? text.ptr + whole_at : "0", fraction ? "." : "", (int)fraction,
                     fraction ? text.ptr + fraction_at : "", (int)(text.len - exponent_at), text.ptr + exponent_at);
}

static struct slice without_underscores(struct arena *arena, struct slice text)
{
    if (slice_index(text, '_') < 0)
        return text;
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '_')
            out[len++] = text.ptr[i];
    return slice_of(out, len);
}

static struct json *scalar_number(struct arena *arena, struct slice text)
{
    if (!text.len || !strchr("+-.0123456789", text.ptr[0]))
        return NULL;
    struct slice plain = without_underscores(arena, text);
    bool negative;
    uint64_t magnitude;
    if (integer_parse(plain, &negative, &magnitude))
        return json_number(arena, slice_fmt(arena, "%s%llu", negative ? "-" : "", (unsigned long long)magnitude));
    struct slice literal = float_literal(arena, plain);
    return literal.ptr ? json_number(arena, literal) : NULL;
}

/* An unquoted scalar without a tag. NULL node: .inf and .nan, which JSON cannot hold. */
static struct json *scalar_resolve(struct arena *arena, struct slice text)
{
    if (word_in(text, null_words))
        return json_null(arena);
    if (text.len <= 5) {
        if (word_in(text, true_words))
            return json_bool(arena, true);
        if (word_in(text, false_words))
            return json_bool(arena, false);
        if (word_in(text, not_finite_words))
            return NULL;
    }
    struct json *number = scalar_number(arena, text);
    return number ? number : json_string(arena, text);
}

static struct err *scalar_read(struct reader *reader, const yaml_event_t *event, struct json **ret_node)
{
    struct slice text =
        slice_dup(reader->arena, slice_of((const char *)event->data.scalar.value, event->data.scalar.length));
    size_t line = event->start_mark.line + 1;
    const char *tag = (const char *)event->data.scalar.tag;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    static const char prefix[] = "tag:yaml.org,2002:";
    const char *known = tag && strncmp(tag, prefix, sizeof(prefix) - 1) == 0 ? tag + sizeof(prefix) - 1 : NULL;
    if (known && strcmp(known, "binary") == 0) {
        struct slice bytes;
        if (!base64_decode(reader->arena, text, &bytes))
            return err_new(ERR_INVALID, "yaml: line %zu: !!binary value contains invalid base64 data", line);
        *ret_node = json_string(reader->arena, bytes);
        return NULL;
    }
    bool wants_type =
        known && (!strcmp(known, "int") || !strcmp(known, "float") || !strcmp(known, "bool") || !strcmp(known, "null"));
    if ((tag && !wants_type) || (!tag && !plain)) {
        *ret_node = json_string(reader->arena, text);
        return NULL;
    }
    struct json *node = scalar_resolve(reader->arena, text);
    if (!node)
        return err_new(ERR_INVALID, "yaml: line %zu: %.*s is not a finite number", line, SLICE_ARG(text));
    enum json_type type = !known                   ? node->type
                          : !strcmp(known, "bool") ? JSON_BOOL
                          : !strcmp(known, "null") ? JSON_NULL
                                                   : JSON_NUMBER;
    if (node->type != type)
        return err_new(ERR_INVALID, "yaml: line %zu: cannot decode \"%.*s\" as a !!%s", line, SLICE_ARG(text), known);
    *ret_node = node;
    return NULL;
}

/* ---- collections ---- */

static struct err *alias_copy(struct reader *reader, const struct json *from, struct json **ret_node)
{
    TRY(reader_count(reader, from->text.len + from->key.len));
    struct json *copy = ARENA_NEW(reader->arena, struct json);
    copy->type = from->type;
    copy->boolean = from->boolean;
    copy->text = from->text;
    JSON_FOREACH (child, from) {
        struct json *child_copy;
        TRY(alias_copy(reader, child, &child_copy)); /* as deep as the anchored value, so bounded */
        child_copy->key = child->key;
        json_append(copy, child_copy);
    }
    *ret_node = copy;
    return NULL;
}

struct member {
    struct json *node;
    size_t order;
};

static int member_cmp(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int c = slice_cmp(x->node->key, y->node->key);
    return c ? c : x->order < y->order ? -1 : 1;
}

/* Rebuilds the object's list with only the last of equal keys. Sorting keeps this n log n for hostile input. */
static void members_deduplicate(struct arena *arena, struct json *object)
{
    size_t count = json_count(object);
    if (count < 2)
        return;
    struct member *members = ARENA_ARRAY(arena, count, struct member);
    bool *drop = ARENA_ARRAY(arena, count, bool);
    size_t n = 0;
    JSON_FOREACH (child, object) {
        members[n] = (struct member){.node = child, .order = n};
        n++;
    }
    qsort(members, count, sizeof(*members), member_cmp);
    bool any = false;
    for (size_t i = 0; i + 1 < count; i++)
        if (slice_eq(members[i].node->key, members[i + 1].node->key))
            any = drop[members[i].order] = true;
    if (!any)
        return;
    struct json *child = object->first;
    object->first = object->last = NULL;
    for (n = 0; child; n++) {
        struct json *next = child->next;
        child->next = NULL;
        if (!drop[n])
            json_append(object, child);
        child = next;
    }
}

/* << : the merged members stand before the mapping's own, so that the mapping's own win. */
static struct err *members_merge(struct reader *reader, const struct json *source, size_t line, struct json *merged)
{
    if (json_is(source, JSON_OBJECT)) {
        JSON_FOREACH (child, source) {
            struct json *copy;
            TRY(alias_copy(reader, child, &copy));
            copy->key = child->key;
            json_append(merged, copy);
        }
        return NULL;
    }
    if (!json_is(source, JSON_ARRAY))
        return err_new(ERR_INVALID, "yaml: line %zu: map merge requires map or sequence of maps as the value", line);
    /* The first of the sequence wins: append in reverse. */
    size_t count = json_count(source);
    for (size_t i = count; i-- > 0;) {
        const struct json *item = json_item(source, i);
        if (!json_is(item, JSON_OBJECT))
            return err_new(ERR_INVALID, "yaml: line %zu: map merge requires map or sequence of maps as the value",
                           line);
        TRY(members_merge(reader, item, line, merged));
    }
    return NULL;
}

static struct err *key_text(struct arena *arena, const struct json *key, size_t line, struct slice *ret_text)
{
    switch (key->type) {
    case JSON_STRING:
    case JSON_NUMBER:
        *ret_text = key->text.ptr ? key->text : S("");
        return NULL;
    case JSON_BOOL:
        *ret_text = key->boolean ? S("true") : S("false");
        return NULL;
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return err_new(ERR_INVALID, "yaml: line %zu: unsupported map key", line);
}

static void list_join(struct json *front, struct json *back)
{
    if (!front->first)
        return;
    front->last->next = back->first;
    if (!back->last)
        back->last = front->last;
    back->first = front->first;
}

static struct err *mapping_read(struct reader *reader, int depth, struct json *object)
{
    struct json *merged = json_object(reader->arena);
    for (;;) {
        yaml_event_t event;
        TRY(reader_next(reader, &event));
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        size_t line = event.start_mark.line + 1;
        bool is_merge = event.type == YAML_SCALAR_EVENT && event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                        !event.data.scalar.tag && event.data.scalar.length == 2 &&
                        !memcmp(event.data.scalar.value, "<<", 2);
        struct json *key, *value;
        TRY(reader_read_node(reader, &event, depth, &key));
        TRY(reader_next(reader, &event));
        TRY(reader_read_node(reader, &event, depth, &value));
        if (is_merge) {
            TRY(members_merge(reader, value, line, merged));
            continue;
        }
        TRY(key_text(reader->arena, key, line, &value->key));
        json_append(object, value);
    }
    list_join(merged, object);
    members_deduplicate(reader->arena, object);
    return NULL;
}

static struct err *sequence_read(struct reader *reader, int depth, struct json *array)
{
    for (;;) {
        yaml_event_t event;
        TRY(reader_next(reader, &event));
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return NULL;
        }
        struct json *item;
        TRY(reader_read_node(reader, &event, depth, &item));
        json_append(array, item);
    }
}

static void anchor_set(struct reader *reader, struct slice name, const struct json *value)
{
    if (!name.ptr)
        return;
    struct anchor *anchor = ARENA_NEW(reader->arena, struct anchor);
    *anchor = (struct anchor){.name = name, .value = value, .next = reader->anchors};
    reader->anchors = anchor;
}

static struct err *alias_read(struct reader *reader, const yaml_event_t *event, struct json **ret_node)
{
    struct slice name = slice_from_cstr((const char *)event->data.alias.anchor);
    size_t steps = 0;
    for (const struct anchor *a = reader->anchors; a; a = a->next) {
        if (++steps > 10000)
            return err_new(ERR_LIMIT, "yaml: more than 10000 anchors");
        if (slice_eq(a->name, name))
            return alias_copy(reader, a->value, ret_node);
    }
    return err_new(ERR_INVALID, "yaml: line %zu: unknown anchor '%.*s' referenced", event->start_mark.line + 1,
                   SLICE_ARG(name));
}

/* Takes the event over. depth: of the parent. */
static struct err *reader_read_node(struct reader *reader, yaml_event_t *event, int depth, struct json **ret_node)
{
    _cleanup_(yaml_event_delete) yaml_event_t owned = *event;
    TRY(reader_count(reader, owned.type == YAML_SCALAR_EVENT ? owned.data.scalar.length : 0));
    if (depth >= YAML_DEPTH_MAX)
        return err_new(ERR_LIMIT, "yaml: line %zu: deeper than %d", owned.start_mark.line + 1, YAML_DEPTH_MAX);
    struct json *node = NULL;
    const yaml_char_t *anchor = NULL;
    if (owned.type == YAML_ALIAS_EVENT)
        return alias_read(reader, &owned, ret_node);
    if (owned.type == YAML_SCALAR_EVENT) {
        anchor = owned.data.scalar.anchor;
        TRY(scalar_read(reader, &owned, &node));
    } else if (owned.type == YAML_SEQUENCE_START_EVENT) {
        anchor = owned.data.sequence_start.anchor;
        node = json_array(reader->arena);
        TRY(sequence_read(reader, depth + 1, node));
    } else if (owned.type == YAML_MAPPING_START_EVENT) {
        anchor = owned.data.mapping_start.anchor;
        node = json_object(reader->arena);
        TRY(mapping_read(reader, depth + 1, node));
    } else {
        return err_new(ERR_INVALID, "yaml: line %zu: a value is missing", owned.start_mark.line + 1);
    }
    anchor_set(reader, slice_dup_cstr(reader->arena, (const char *)anchor), node);
    *ret_node = node;
    return NULL;
}

static struct err *reader_read_document(struct reader *reader, struct json **ret_json)
{
    for (;;) {
        yaml_event_t event;
        TRY(reader_next(reader, &event));
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT) {
            yaml_event_delete(&event);
            continue;
        }
        if (event.type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(&event);
            *ret_json = json_null(reader->arena);
            return NULL;
        }
        return reader_read_node(reader, &event, 0, ret_json);
    }
}

struct err *yaml_parse(struct arena *arena, struct slice text, struct json **ret_json)
{
    if (text.len > YAML_TEXT_MAX)
        return err_new(ERR_LIMIT, "yaml: longer than %d bytes", YAML_TEXT_MAX);
    struct reader reader = {.arena = arena};
    if (!yaml_parser_initialize(&reader.parser))
        abort(); /* only for lack of memory */
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)(text.ptr ? text.ptr : ""), text.len);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    struct err *e = reader_read_document(&reader, ret_json);
    yaml_parser_delete(&reader.parser);
    return e;
}
