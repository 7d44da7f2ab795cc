#include "cluster/apiserver/selector.h"
#include "base/arena.h"
#include "cluster/apiserver/names.h"
#include "cluster/apiserver/status_error.h"
#include <string.h>

/* --- label selectors --- */

enum operator{ OP_EQUALS, OP_NOT_EQUALS, OP_IN, OP_NOT_IN, OP_EXISTS, OP_NOT_EXISTS, OP_GREATER, OP_LESS, OP_NEVER };

struct requirement {
    struct slice key;
    enum operator op;
    struct slice *values;
    size_t value_count;
    int64_t number; /* of OP_GREATER and OP_LESS */
    struct requirement *next;
};

struct label_selector {
    struct requirement *first, *last;
};

static void add_requirement(struct label_selector *selector, struct requirement *requirement)
{
    if (selector->last)
        selector->last->next = requirement;
    else
        selector->first = requirement;
    selector->last = requirement;
}

static bool has_value(const struct requirement *requirement, struct slice value)
{
    for (size_t i = 0; i < requirement->value_count; i++)
        if (slice_eq(requirement->values[i], value))
            return true;
    return false;
}

static bool requirement_matches(const struct requirement *requirement, const struct json *labels)
{
    const struct json *label = json_get(labels, requirement->key);
    int64_t number;
    switch (requirement->op) {
    case OP_EQUALS:
    case OP_IN:
        return label && has_value(requirement, label->text);
    case OP_NOT_EQUALS:
    case OP_NOT_IN:
        return !label || !has_value(requirement, label->text);
    case OP_EXISTS:
        return label != NULL;
    case OP_NOT_EXISTS:
        return label == NULL;
    case OP_GREATER:
        return label && slice_to_i64(label->text, INT64_MIN, INT64_MAX, &number) && number > requirement->number;
    case OP_LESS:
        return label && slice_to_i64(label->text, INT64_MIN, INT64_MAX, &number) && number < requirement->number;
    case OP_NEVER:
        return false;
    }
    return false;
}

bool label_selector_matches(const struct label_selector *selector, const struct json *labels)
{
    if (!selector)
        return true;
    for (const struct requirement *r = selector->first; r; r = r->next)
        if (!requirement_matches(r, labels))
            return false;
    return true;
}

/* Tokens as apimachinery's labels.Lexer makes them (pkg/labels/selector.go). */
enum token { TOKEN_END, TOKEN_IDENTIFIER, TOKEN_COMMA, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_EQUALS, TOKEN_DOUBLE_EQUALS, TOKEN_NOT_EQUALS, TOKEN_NOT,
             TOKEN_GREATER, TOKEN_LESS, TOKEN_IN, TOKEN_NOT_IN };

struct parser {
    struct arena *arena;
    struct slice text;
    size_t at;
    enum token token; /* the one ahead */
    struct slice literal;
};

static bool is_special(char c)
{
    return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '>' || c == '<';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* keywords: whether in and notin are operators here, or values. */
static void advance(struct parser *parser, bool keywords)
{
    while (parser->at < parser->text.len && is_blank(parser->text.ptr[parser->at]))
        parser->at++;
    size_t start = parser->at;
    if (start >= parser->text.len) {
        parser->token = TOKEN_END;
        parser->literal = S("");
        return;
    }
    if (!is_special(parser->text.ptr[start])) {
        while (parser->at < parser->text.len && !is_special(parser->text.ptr[parser->at]) && !is_blank(parser->text.ptr[parser->at]))
            parser->at++;
        parser->literal = slice_sub(parser->text, start, parser->at - start);
        parser->token = keywords && slice_eq(parser->literal, S("in"))      ? TOKEN_IN
                        : keywords && slice_eq(parser->literal, S("notin")) ? TOKEN_NOT_IN
                                                                            : TOKEN_IDENTIFIER;
        return;
    }
    static const struct {
        const char *text;
        enum token token;
    } specials[] = {{"==", TOKEN_DOUBLE_EQUALS}, {"!=", TOKEN_NOT_EQUALS}, {"=", TOKEN_EQUALS}, {"!", TOKEN_NOT},    {"(", TOKEN_OPEN},
                    {")", TOKEN_CLOSE},          {",", TOKEN_COMMA},       {">", TOKEN_GREATER}, {"<", TOKEN_LESS}};
    for (size_t i = 0; i < ARRAY_SIZE(specials); i++)
        if (slice_starts_with(slice_from(parser->text, start), slice_from_cstr(specials[i].text))) {
            parser->literal = slice_from_cstr(specials[i].text);
            parser->token = specials[i].token;
            parser->at += parser->literal.len;
            return;
        }
}

static struct requirement *requirement_new(struct parser *parser, struct slice key, enum operator op)
{
    struct requirement *requirement = ARENA_NEW(parser->arena, struct requirement);
    requirement->key = slice_dup(parser->arena, key);
    requirement->op = op;
    return requirement;
}

static void add_value(struct parser *parser, struct requirement *requirement, struct slice value, size_t *capacity)
{
    if (requirement->value_count == *capacity) {
        size_t grown = *capacity ? *capacity * 2 : 4;
        struct slice *values = ARENA_ARRAY(parser->arena, grown, struct slice);
        if (requirement->value_count)
            memcpy(values, requirement->values, requirement->value_count * sizeof(*values));
        requirement->values = values;
        *capacity = grown;
    }
    requirement->values[requirement->value_count++] = slice_dup(parser->arena, value);
}

/* `in (a,b)`: an empty entry is the empty value, so "()" holds one. */
static struct err *parse_set(struct parser *parser, struct requirement *requirement)
{
    size_t capacity = 0;
    advance(parser, false);
    if (parser->token != TOKEN_OPEN)
        return status_bad_request("unable to parse requirement: found '%.*s' expected: '('", SLICE_ARG(parser->literal));
    advance(parser, false);
    if (parser->token != TOKEN_IDENTIFIER && parser->token != TOKEN_COMMA && parser->token != TOKEN_CLOSE)
        return status_bad_request("unable to parse requirement: found '%.*s', expected: ',', ')' or identifier", SLICE_ARG(parser->literal));
    bool value_due = true;
    while (parser->token != TOKEN_CLOSE) {
        if (parser->token == TOKEN_IDENTIFIER && value_due) {
            add_value(parser, requirement, parser->literal, &capacity);
            value_due = false;
        } else if (parser->token == TOKEN_COMMA) {
            if (value_due)
                add_value(parser, requirement, S(""), &capacity);
            value_due = true;
        } else {
            return status_bad_request("unable to parse requirement: found '%.*s', expected: ',' or ')'", SLICE_ARG(parser->literal));
        }
        advance(parser, false);
    }
    if (value_due)
        add_value(parser, requirement, S(""), &capacity);
    advance(parser, true);
    return NULL;
}

static struct err *check_key(struct arena *arena, struct slice key)
{
    const char *words = name_check_qualified(arena, key);
    return words ? status_bad_request("unable to parse requirement: <nil>: Invalid value: \"%.*s\": %s", SLICE_ARG(key), words) : NULL;
}

static struct err *check_values(struct arena *arena, const struct requirement *requirement)
{
    for (size_t i = 0; i < requirement->value_count; i++) {
        const char *words = name_check_label_value(arena, requirement->values[i]);
        if (words)
            return status_bad_request("unable to parse requirement: values[%zu][%.*s]: Invalid value: \"%.*s\": %s", i, SLICE_ARG(requirement->key),
                                      SLICE_ARG(requirement->values[i]), words);
    }
    return NULL;
}

static struct err *parse_value(struct parser *parser, struct requirement *requirement)
{
    size_t capacity = 0;
    advance(parser, false);
    if (parser->token == TOKEN_IDENTIFIER) {
        add_value(parser, requirement, parser->literal, &capacity);
        advance(parser, true);
    } else if (parser->token == TOKEN_COMMA || parser->token == TOKEN_END) {
        add_value(parser, requirement, S(""), &capacity);
    } else {
        return status_bad_request("unable to parse requirement: found '%.*s', expected: identifier", SLICE_ARG(parser->literal));
    }
    if (requirement->op != OP_GREATER && requirement->op != OP_LESS)
        return NULL;
    if (!slice_to_i64(requirement->values[0], INT64_MIN, INT64_MAX, &requirement->number))
        return status_bad_request("unable to parse requirement: values[0][%.*s]: Invalid value: \"%.*s\": for 'Gt', 'Lt' operators, the value must "
                                  "be an integer",
                                  SLICE_ARG(requirement->key), SLICE_ARG(requirement->values[0]));
    return NULL;
}

static struct err *parse_requirement(struct parser *parser, struct requirement **ret_requirement)
{
    bool negated = parser->token == TOKEN_NOT;
    if (negated)
        advance(parser, true);
    if (parser->token != TOKEN_IDENTIFIER && parser->token != TOKEN_IN && parser->token != TOKEN_NOT_IN)
        return status_bad_request("unable to parse requirement: found '%.*s', expected: identifier", SLICE_ARG(parser->literal));
    struct slice key = parser->literal;
    TRY(check_key(parser->arena, key));
    advance(parser, true);
    struct requirement *requirement = requirement_new(parser, key, negated ? OP_NOT_EXISTS : OP_EXISTS);
    *ret_requirement = requirement;
    switch (parser->token) {
    case TOKEN_END:
    case TOKEN_COMMA:
        return NULL;
    case TOKEN_IN:
    case TOKEN_NOT_IN:
        requirement->op = parser->token == TOKEN_IN ? OP_IN : OP_NOT_IN;
        if (!negated)
            TRY(parse_set(parser, requirement));
        break;
    case TOKEN_EQUALS:
    case TOKEN_DOUBLE_EQUALS:
    case TOKEN_NOT_EQUALS:
    case TOKEN_GREATER:
    case TOKEN_LESS:
        requirement->op = parser->token == TOKEN_NOT_EQUALS ? OP_NOT_EQUALS
                          : parser->token == TOKEN_GREATER  ? OP_GREATER
                          : parser->token == TOKEN_LESS     ? OP_LESS
                                                            : OP_EQUALS;
        if (!negated)
            TRY(parse_value(parser, requirement));
        break;
    case TOKEN_IDENTIFIER:
    case TOKEN_OPEN:
    case TOKEN_CLOSE:
    case TOKEN_NOT:
        negated = true;
        break;
    }
    if (negated) /* also `!key = value` */
        return status_bad_request("unable to parse requirement: found '%.*s', expected: in, notin, =, ==, !=, gt, lt", SLICE_ARG(parser->literal));
    return check_values(parser->arena, requirement);
}

struct err *label_selector_parse(struct arena *arena, struct slice text, const struct label_selector **ret_selector)
{
    struct parser parser = {.arena = arena, .text = text};
    struct label_selector *selector = ARENA_NEW(arena, struct label_selector);
    advance(&parser, true);
    while (parser.token != TOKEN_END) {
        if (parser.token != TOKEN_IDENTIFIER && parser.token != TOKEN_NOT && parser.token != TOKEN_IN && parser.token != TOKEN_NOT_IN)
            return status_bad_request("found '%.*s', expected: !, identifier, or 'end of string'", SLICE_ARG(parser.literal));
        struct requirement *requirement = NULL;
        TRY(parse_requirement(&parser, &requirement));
        add_requirement(selector, requirement);
        if (parser.token == TOKEN_END)
            break;
        if (parser.token != TOKEN_COMMA)
            return status_bad_request("found '%.*s', expected: ',' or 'end of string'", SLICE_ARG(parser.literal));
        advance(&parser, true);
        if (parser.token != TOKEN_IDENTIFIER && parser.token != TOKEN_NOT && parser.token != TOKEN_IN && parser.token != TOKEN_NOT_IN)
            return status_bad_request("found '%.*s', expected: identifier after ','", SLICE_ARG(parser.literal));
    }
    *ret_selector = selector->first ? selector : NULL;
    return NULL;
}

const struct label_selector *label_selector_from_json(struct arena *arena, const struct json *json)
{
    static const struct requirement never = {.op = OP_NEVER};
    struct label_selector *selector = ARENA_NEW(arena, struct label_selector);
    struct parser parser = {.arena = arena};
    if (!json_is(json, JSON_OBJECT)) {
        struct requirement *requirement = ARENA_NEW(arena, struct requirement);
        *requirement = never;
        add_requirement(selector, requirement);
        return selector;
    }
    JSON_FOREACH (pair, json_get(json, S("matchLabels"))) {
        size_t capacity = 0;
        struct requirement *requirement = requirement_new(&parser, pair->key, OP_EQUALS);
        add_value(&parser, requirement, pair->text, &capacity);
        add_requirement(selector, requirement);
    }
    JSON_FOREACH (expression, json_get(json, S("matchExpressions"))) {
        struct slice op = json_get_text(expression, "operator");
        enum operator known = slice_eq(op, S("In"))             ? OP_IN
                              : slice_eq(op, S("NotIn"))        ? OP_NOT_IN
                              : slice_eq(op, S("Exists"))       ? OP_EXISTS
                              : slice_eq(op, S("DoesNotExist")) ? OP_NOT_EXISTS
                                                                : OP_NEVER;
        size_t capacity = 0;
        struct requirement *requirement = requirement_new(&parser, json_get_text(expression, "key"), known);
        JSON_FOREACH (value, json_get(expression, S("values")))
            add_value(&parser, requirement, value->text, &capacity);
        add_requirement(selector, requirement);
    }
    return selector->first ? selector : NULL;
}

bool labels_match_map(const struct json *map, const struct json *labels)
{
    if (!map || !map->first)
        return false;
    JSON_FOREACH (pair, map) {
        const struct json *label = json_get(labels, pair->key);
        if (!label || !slice_eq(label->text, pair->text))
            return false;
    }
    return true;
}

static struct slice requirement_text(struct arena *arena, const struct requirement *r)
{
    static const char *const words[] = {[OP_EQUALS] = "=", [OP_NOT_EQUALS] = "!=", [OP_IN] = " in ", [OP_NOT_IN] = " notin ",
                                        [OP_EXISTS] = "",  [OP_NOT_EXISTS] = "",   [OP_GREATER] = ">", [OP_LESS] = "<", [OP_NEVER] = ""};
    struct strbuf out = STRBUF_ARENA(arena);
    bool set = r->op == OP_IN || r->op == OP_NOT_IN;
    strbuf_append_fmt(&out, "%s%.*s%s%s", r->op == OP_NOT_EXISTS ? "!" : "", SLICE_ARG(r->key), words[r->op], set ? "(" : "");
    for (size_t i = 0; i < r->value_count; i++)
        strbuf_append_fmt(&out, "%s%.*s", i ? "," : "", SLICE_ARG(r->values[i]));
    strbuf_append_cstr(&out, set ? ")" : "");
    return strbuf_slice(&out);
}

struct slice label_selector_json_to_text(struct arena *arena, const struct json *json)
{
    if (!json_is(json, JSON_OBJECT))
        return S("<none>");
    const struct label_selector *selector = label_selector_from_json(arena, json);
    if (!selector)
        return S("<none>");
    /* By key, as Kubernetes sorts requirements; the search is quadratic, so an absurd selector keeps its order. */
    struct strbuf out = STRBUF_ARENA(arena);
    const struct requirement *previous = NULL;
    if (json_count(json_get(json, S("matchLabels"))) + json_count(json_get(json, S("matchExpressions"))) > 256) {
        for (const struct requirement *r = selector->first; r; r = r->next) {
            strbuf_append_cstr(&out, out.len ? "," : "");
            strbuf_append(&out, requirement_text(arena, r));
        }
        return strbuf_slice(&out);
    }
    for (;;) {
        const struct requirement *least = NULL;
        for (const struct requirement *r = selector->first; r; r = r->next)
            if ((!previous || slice_cmp(r->key, previous->key) > 0) && (!least || slice_cmp(r->key, least->key) < 0))
                least = r;
        if (!least)
            return strbuf_slice(&out);
        for (const struct requirement *r = selector->first; r; r = r->next)
            if (slice_eq(r->key, least->key)) {
                strbuf_append_cstr(&out, out.len ? "," : "");
                strbuf_append(&out, requirement_text(arena, r));
            }
        previous = least;
    }
}

/* --- field selectors --- */

/* Which fields a kind indexes, besides metadata.name and metadata.namespace. zero: its text when it is not there. */
static const struct field_label {
    const char *group, *resource, *label, *path[2], *zero;
} field_labels[] = {
    {"", "pods", "spec.nodeName", {"spec", "nodeName"}, ""},
    {"", "pods", "spec.restartPolicy", {"spec", "restartPolicy"}, ""},
    {"", "pods", "spec.schedulerName", {"spec", "schedulerName"}, ""},
    {"", "pods", "spec.serviceAccountName", {"spec", "serviceAccountName"}, ""},
    {"", "pods", "spec.hostNetwork", {"spec", "hostNetwork"}, "false"},
    {"", "pods", "status.phase", {"status", "phase"}, ""},
    {"", "pods", "status.podIP", {"status", "podIP"}, ""},
    {"", "pods", "status.podIPs", {"status", ""}, ""}, /* known, never set */
    {"", "pods", "status.nominatedNodeName", {"status", "nominatedNodeName"}, ""},
    {"", "events", "involvedObject.kind", {"involvedObject", "kind"}, ""},
    {"", "events", "involvedObject.namespace", {"involvedObject", "namespace"}, ""},
    {"", "events", "involvedObject.name", {"involvedObject", "name"}, ""},
    {"", "events", "involvedObject.uid", {"involvedObject", "uid"}, ""},
    {"", "events", "involvedObject.apiVersion", {"involvedObject", "apiVersion"}, ""},
    {"", "events", "involvedObject.resourceVersion", {"involvedObject", "resourceVersion"}, ""},
    {"", "events", "involvedObject.fieldPath", {"involvedObject", "fieldPath"}, ""},
    {"", "events", "reason", {"reason", NULL}, ""},
    {"", "events", "reportingComponent", {"reportingComponent", NULL}, ""},
    {"", "events", "source", {"source", "component"}, ""},
    {"", "events", "type", {"type", NULL}, ""},
    {"events.k8s.io", "events", "regarding.kind", {"involvedObject", "kind"}, ""},
    {"events.k8s.io", "events", "regarding.namespace", {"involvedObject", "namespace"}, ""},
    {"events.k8s.io", "events", "regarding.name", {"involvedObject", "name"}, ""},
    {"events.k8s.io", "events", "regarding.uid", {"involvedObject", "uid"}, ""},
    {"events.k8s.io", "events", "regarding.apiVersion", {"involvedObject", "apiVersion"}, ""},
    {"events.k8s.io", "events", "regarding.resourceVersion", {"involvedObject", "resourceVersion"}, ""},
    {"events.k8s.io", "events", "regarding.fieldPath", {"involvedObject", "fieldPath"}, ""},
    {"events.k8s.io", "events", "reason", {"reason", NULL}, ""},
    {"events.k8s.io", "events", "reportingController", {"reportingComponent", NULL}, ""},
    {"events.k8s.io", "events", "type", {"type", NULL}, ""},
    {"", "secrets", "type", {"type", NULL}, ""},
    {"", "namespaces", "status.phase", {"status", "phase"}, ""},
    {"", "services", "spec.clusterIP", {"spec", "clusterIP"}, ""},
    {"", "services", "spec.type", {"spec", "type"}, ""},
    {"", "nodes", "spec.unschedulable", {"spec", "unschedulable"}, "false"},
    {"batch", "jobs", "status.successful", {"status", "succeeded"}, "0"},
};

static const struct field_label any_name = {.label = "metadata.name", .path = {"metadata", "name"}, .zero = ""};
static const struct field_label any_namespace = {.label = "metadata.namespace", .path = {"metadata", "namespace"}, .zero = ""};

struct field_term {
    const struct field_label *label;
    bool negated;
    struct slice value;
    struct field_term *next;
};

struct field_selector {
    struct field_term *first;
};

static struct err *find_label(const struct kind *kind, struct slice name, const struct field_label **ret_label)
{
    bool own = false;
    if (slice_eq(name, S("metadata.name")) || (kind->namespaced && slice_eq(name, S("metadata.namespace")))) {
        *ret_label = slice_eq(name, S("metadata.name")) ? &any_name : &any_namespace;
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(field_labels); i++) {
        const struct field_label *label = &field_labels[i];
        if (strcmp(label->group, kind->group) != 0 || strcmp(label->resource, kind->resource) != 0)
            continue;
        own = true;
        if (slice_eq(name, slice_from_cstr(label->label))) {
            *ret_label = label;
            return NULL;
        }
    }
    if (own)
        return status_bad_request("field label not supported: %.*s", SLICE_ARG(name));
    return status_bad_request("\"%.*s\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", SLICE_ARG(name));
}

/* Cuts at the next comma that no backslash protects; false at the end. */
static bool next_term(struct slice *rest, struct slice *ret_term)
{
    if (rest->len == 0)
        return false;
    size_t i = 0;
    for (; i < rest->len && rest->ptr[i] != ','; i++)
        if (rest->ptr[i] == '\\')
            i++;
    if (i > rest->len)
        i = rest->len;
    *ret_term = slice_sub(*rest, 0, i);
    *rest = slice_from(*rest, i + 1);
    return true;
}

static bool unescape(struct arena *arena, struct slice text, struct slice *ret_value)
{
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == ',' || c == '=')
            return false;
        if (c == '\\') {
            if (++i >= text.len || (text.ptr[i] != '\\' && text.ptr[i] != ',' && text.ptr[i] != '='))
                return false;
            c = text.ptr[i];
        }
        strbuf_append_char(&out, c);
    }
    *ret_value = strbuf_slice(&out);
    return true;
}

static struct err *parse_term(struct arena *arena, const struct kind *kind, struct slice whole, struct slice text, struct field_term *term)
{
    for (size_t i = 0; i < text.len; i++) {
        struct slice ahead = slice_from(text, i);
        size_t width = slice_starts_with(ahead, S("!=")) || slice_starts_with(ahead, S("==")) ? 2 : slice_starts_with(ahead, S("=")) ? 1 : 0;
        if (!width)
            continue;
        term->negated = ahead.ptr[0] == '!';
        if (!unescape(arena, slice_from(ahead, width), &term->value))
            return status_bad_request("invalid field selector: invalid value: \"%.*s\"", SLICE_ARG(slice_from(ahead, width)));
        return find_label(kind, slice_sub(text, 0, i), &term->label);
    }
    return status_bad_request("invalid selector: '%.*s'; can't understand '%.*s'", SLICE_ARG(whole), SLICE_ARG(text));
}

struct err *field_selector_parse(struct arena *arena, const struct kind *kind, struct slice text, const struct field_selector **ret_selector)
{
    struct field_selector *selector = ARENA_NEW(arena, struct field_selector);
    struct field_term **end = &selector->first;
    struct slice rest = text, part;
    while (next_term(&rest, &part)) {
        if (part.len == 0)
            continue;
        struct field_term *term = ARENA_NEW(arena, struct field_term);
        TRY(parse_term(arena, kind, text, part, term));
        *end = term;
        end = &term->next;
    }
    *ret_selector = selector->first ? selector : NULL;
    return NULL;
}

/* An event may come in either of its two forms. */
static const struct json *first_member(const struct field_label *label, const struct json *object)
{
    const struct json *value = json_get(object, slice_from_cstr(label->path[0]));
    if (!value && strcmp(label->path[0], "involvedObject") == 0)
        value = json_get(object, S("regarding"));
    if (!value && strcmp(label->path[0], "reportingComponent") == 0)
        value = json_get(object, S("reportingController"));
    return value;
}

static struct slice field_value(const struct field_label *label, const struct json *object)
{
    const struct json *value = first_member(label, object);
    if (label->path[1])
        value = json_get(value, slice_from_cstr(label->path[1]));
    if (!value)
        return slice_from_cstr(label->zero);
    if (value->type == JSON_BOOL)
        return value->boolean ? S("true") : S("false");
    return value->type == JSON_STRING || value->type == JSON_NUMBER ? value->text : slice_from_cstr(label->zero);
}

/* An event of the other form: source falls back to the reporter, as the core form shows it. */
static struct slice source_value(const struct field_label *label, const struct json *object, struct slice value)
{
    if (value.len == 0 && strcmp(label->label, "source") == 0)
        return json_get(object, S("reportingComponent")) ? json_get_text(object, "reportingComponent") : value;
    return value;
}

bool field_selector_matches(const struct field_selector *selector, const struct json *object)
{
    for (const struct field_term *term = selector ? selector->first : NULL; term; term = term->next) {
        struct slice value = source_value(term->label, object, field_value(term->label, object));
        if (slice_eq(value, term->value) == term->negated)
            return false;
    }
    return true;
}

struct slice field_selector_name(const struct field_selector *selector)
{
    for (const struct field_term *term = selector ? selector->first : NULL; term; term = term->next)
        if (term->label == &any_name && !term->negated)
            return term->value;
    return SLICE_NONE;
}
