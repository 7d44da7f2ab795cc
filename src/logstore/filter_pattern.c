/* Compiling by recursive descent into small trees, matching by walking them. Regular expressions are refused rather than
 * half understood. Where the guide is silent: a term matches inside words; a comparison with an absent property, an object or an
 * array does not hold, whatever the operator; a number compares with JSON numbers only. */
#include "logstore/filter_pattern.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 32

enum compare { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_GT, COMPARE_LE, COMPARE_GE };

struct value {
    struct slice text; /* '*' is any run of bytes */
    bool is_number;
    double number;
};

enum step_kind { STEP_NAME, STEP_INDEX, STEP_ANY };

struct step {
    enum step_kind kind;
    struct slice name;
    size_t index;
    struct step *next;
};

enum node_kind { NODE_OR, NODE_AND, NODE_COMPARE, NODE_IS_NULL, NODE_IS_TRUE, NODE_IS_FALSE, NODE_NOT_EXISTS };

struct node {
    enum node_kind kind;
    struct node *left, *right;
    struct step *selector; /* JSON; a field's condition has none */
    enum compare compare;
    struct value value;
};

enum term_sign { TERM_ALL, TERM_NOT, TERM_ANY };

struct term {
    enum term_sign sign;
    struct slice text;
};

struct field {
    struct slice name;
    bool ellipsis;
    struct node *condition; /* NULL: any value */
};

enum pattern_kind { PATTERN_TERMS, PATTERN_JSON, PATTERN_FIELDS };

/* More than a pattern of FILTER_PATTERN_MAX_BYTES can have. */
#define MAX_ITEMS (FILTER_PATTERN_MAX_BYTES / 2 + 1)

struct filter_pattern {
    enum pattern_kind kind;
    struct term *terms;
    struct field *fields;
    size_t count;
    struct node *root;
};

struct parser {
    struct arena *arena;
    struct slice rest;
    int depth;
};

static struct err *invalid(const char *why)
{
    return err_code(ERR_INVALID, "InvalidParameterException", "Invalid filter pattern: %s", why);
}

static struct err *no_regex(void)
{
    return invalid("regular expressions (%...%) are not supported");
}

/* --- lexing --- */

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

static char peek(const struct parser *p)
{
    return p->rest.len ? p->rest.ptr[0] : '\0';
}

static void advance(struct parser *p, size_t len)
{
    p->rest = slice_from(p->rest, len);
}

static void skip_blanks(struct parser *p)
{
    while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n' || peek(p) == '\r')
        advance(p, 1);
}

static bool take(struct parser *p, struct slice text)
{
    skip_blanks(p);
    if (!slice_starts_with(p->rest, text))
        return false;
    advance(p, text.len);
    return true;
}

/* A keyword in any case that no word byte follows. */
static bool take_keyword(struct parser *p, struct slice word)
{
    skip_blanks(p);
    if (!slice_starts_with_nocase(p->rest, word) || (p->rest.len > word.len && is_word_byte(p->rest.ptr[word.len])))
        return false;
    advance(p, word.len);
    return true;
}

static struct slice take_word(struct parser *p, const char *also)
{
    size_t len = 0;
    while (len < p->rest.len && (is_word_byte(p->rest.ptr[len]) || (p->rest.ptr[len] && strchr(also, p->rest.ptr[len]))))
        len++;
    struct slice word = slice_sub(p->rest, 0, len);
    advance(p, len);
    return word;
}

/* At the opening quote; \" and \\ inside. */
static struct err *take_quoted(struct parser *p, struct slice *ret_text)
{
    struct strbuf text = STRBUF_ARENA(p->arena);
    strbuf_append(&text, S(""));
    advance(p, 1);
    while (p->rest.len) {
        char c = peek(p);
        advance(p, 1);
        if (c == '"') {
            *ret_text = text.ptr ? strbuf_slice(&text) : S("");
            return NULL;
        }
        if (c == '\\' && (peek(p) == '"' || peek(p) == '\\')) {
            c = peek(p);
            advance(p, 1);
        }
        strbuf_append_char(&text, c);
    }
    return invalid("a quote is not closed");
}

static bool to_number(struct slice text, double *ret_number)
{
    char buffer[64];
    if (!text.len || text.len >= sizeof(buffer) || !memchr("+-.0123456789", text.ptr[0], 13))
        return false;
    memcpy(buffer, text.ptr, text.len);
    buffer[text.len] = '\0';
    if (strspn(buffer, "0123456789+-.eE") != text.len)
        return false; /* no hexadecimal, no "infinity" */
    char *end;
    *ret_number = strtod(buffer, &end);
    return end == buffer + text.len;
}

/* --- conditions --- */

static bool take_compare(struct parser *p, enum compare *ret_compare)
{
    static const struct {
        struct slice text;
        enum compare compare;
    } rows[] = {{S_INIT("!="), COMPARE_NE}, {S_INIT("<="), COMPARE_LE}, {S_INIT(">="), COMPARE_GE},
                {S_INIT("="), COMPARE_EQ},  {S_INIT("<"), COMPARE_LT},  {S_INIT(">"), COMPARE_GT}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (take(p, rows[i].text)) {
            *ret_compare = rows[i].compare;
            return true;
        }
    }
    return false;
}

/* stop: bytes that end a bare word; && and || end it too. */
static struct err *take_value(struct parser *p, const char *stop, struct value *ret_value)
{
    skip_blanks(p);
    struct value value = {0};
    if (peek(p) == '%')
        return no_regex();
    if (peek(p) == '"') {
        TRY(take_quoted(p, &value.text));
    } else {
        size_t len = 0;
        while (len < p->rest.len && !strchr(stop, p->rest.ptr[len]) && !slice_starts_with(slice_from(p->rest, len), S("&&")) &&
               !slice_starts_with(slice_from(p->rest, len), S("||")))
            len++;
        value.text = slice_sub(p->rest, 0, len);
        advance(p, len);
        if (!len)
            return invalid("a value is missing");
        value.is_number = to_number(value.text, &value.number);
    }
    *ret_value = value;
    return NULL;
}

static struct err *comparison(struct parser *p, const char *stop, struct node *node)
{
    if (!take_compare(p, &node->compare))
        return invalid("an operator is missing");
    node->kind = NODE_COMPARE;
    TRY(take_value(p, stop, &node->value));
    if (node->compare != COMPARE_EQ && node->compare != COMPARE_NE && !node->value.is_number)
        return invalid("<, >, <= and >= compare numbers");
    return NULL;
}

static struct node *join(struct parser *p, enum node_kind kind, struct node *left, struct node *right)
{
    struct node *node = ARENA_NEW(p->arena, struct node);
    *node = (struct node){.kind = kind, .left = left, .right = right};
    return node;
}

/* primary {"&&" primary} {"||" …}: && binds tighter. */
typedef struct err *(*primary_fn)(struct parser *p, void *context, struct node **ret_node);

static struct err *conjunction(struct parser *p, primary_fn primary, void *context, struct node **ret_node)
{
    struct node *left, *right;
    TRY(primary(p, context, &left));
    while (take(p, S("&&"))) {
        TRY(primary(p, context, &right));
        left = join(p, NODE_AND, left, right);
    }
    *ret_node = left;
    return NULL;
}

static struct err *disjunction(struct parser *p, primary_fn primary, void *context, struct node **ret_node)
{
    struct node *left, *right;
    TRY(conjunction(p, primary, context, &left));
    while (take(p, S("||"))) {
        TRY(conjunction(p, primary, context, &right));
        left = join(p, NODE_OR, left, right);
    }
    *ret_node = left;
    return NULL;
}

/* --- JSON --- */

static struct err *bracket_step(struct parser *p, struct step *step)
{
    if (take(p, S("*"))) {
        step->kind = STEP_ANY;
    } else if (peek(p) == '\'') {
        advance(p, 1);
        ptrdiff_t end = slice_index(p->rest, '\'');
        if (end < 0)
            return invalid("a quote is not closed");
        step->name = slice_sub(p->rest, 0, (size_t)end);
        advance(p, (size_t)end + 1);
    } else {
        int64_t index;
        if (!slice_to_i64(take_word(p, ""), 0, 1 << 20, &index))
            return invalid("an array index is a number or *");
        step->kind = STEP_INDEX;
        step->index = (size_t)index;
    }
    return take(p, S("]")) ? NULL : invalid("a bracket is not closed");
}

static struct err *take_selector(struct parser *p, struct step **ret_selector)
{
    if (!take(p, S("$")))
        return invalid("a property selector begins with $");
    struct step *first = NULL, **slot = &first;
    size_t wildcards = 0;
    while (peek(p) == '.' || peek(p) == '[') {
        struct step *step = ARENA_NEW(p->arena, struct step);
        *slot = step;
        slot = &step->next;
        bool bracket = take(p, S(".[")) || take(p, S("[")); /* $.['a.b'] is written with the dot too */
        if (!bracket)
            advance(p, 1);
        if (bracket) {
            TRY(bracket_step(p, step));
        } else if (peek(p) == '*') {
            advance(p, 1);
            step->kind = STEP_ANY;
        } else {
            step->name = take_word(p, "-");
            if (!step->name.len)
                return invalid("a property has no name");
        }
        wildcards += step->kind == STEP_ANY;
    }
    if (!first)
        return invalid("a property selector names a property");
    if (wildcards > 1)
        return invalid("a property selector has at most one wildcard");
    *ret_selector = first;
    return NULL;
}

static struct err *json_primary(struct parser *p, void *context, struct node **ret_node)
{
    if (take(p, S("("))) {
        if (++p->depth > MAX_DEPTH)
            return invalid("too many parentheses");
        TRY(disjunction(p, json_primary, context, ret_node));
        p->depth--;
        return take(p, S(")")) ? NULL : invalid("a parenthesis is not closed");
    }
    struct node *node = ARENA_NEW(p->arena, struct node);
    TRY(take_selector(p, &node->selector));
    if (take_keyword(p, S("IS"))) {
        if (take_keyword(p, S("NULL")))
            node->kind = NODE_IS_NULL;
        else if (take_keyword(p, S("TRUE")))
            node->kind = NODE_IS_TRUE;
        else if (take_keyword(p, S("FALSE")))
            node->kind = NODE_IS_FALSE;
        else
            return invalid("IS is followed by NULL, TRUE or FALSE");
    } else if (take_keyword(p, S("NOT"))) {
        if (!take_keyword(p, S("EXISTS")))
            return invalid("NOT is followed by EXISTS");
        node->kind = NODE_NOT_EXISTS;
    } else {
        TRY(comparison(p, " \t\r\n)}", node));
    }
    *ret_node = node;
    return NULL;
}

/* --- fields --- */

static struct err *field_primary(struct parser *p, void *context, struct node **ret_node)
{
    struct field *field = context;
    skip_blanks(p);
    struct slice name = take_word(p, "-.$");
    if (!name.len || !slice_eq_nocase(name, field->name))
        return invalid("a field's condition names that field");
    *ret_node = ARENA_NEW(p->arena, struct node);
    return comparison(p, " \t\r\n,]", *ret_node);
}

static struct err *take_field(struct parser *p, struct field *field)
{
    if (take(p, S("..."))) {
        field->ellipsis = true;
        return NULL;
    }
    skip_blanks(p);
    struct slice before = p->rest;
    field->name = take_word(p, "-.$");
    if (!field->name.len)
        return invalid("a field has no name");
    skip_blanks(p);
    if (peek(p) == ',' || peek(p) == ']')
        return NULL;
    p->rest = before;
    return disjunction(p, field_primary, field, &field->condition);
}

static struct err *take_fields(struct parser *p, struct filter_pattern *pattern)
{
    size_t ellipses = 0;
    pattern->fields = ARENA_ARRAY(p->arena, MAX_ITEMS, struct field);
    do {
        if (pattern->count == MAX_ITEMS)
            return invalid("too many fields");
        struct field *field = &pattern->fields[pattern->count++];
        TRY(take_field(p, field));
        ellipses += field->ellipsis;
    } while (take(p, S(",")));
    if (!take(p, S("]")))
        return invalid("a bracket is not closed");
    return ellipses > 1 ? invalid("there is at most one ellipsis") : NULL;
}

/* --- terms --- */

static struct err *take_terms(struct parser *p, struct filter_pattern *pattern)
{
    pattern->terms = ARENA_ARRAY(p->arena, MAX_ITEMS, struct term);
    for (skip_blanks(p); p->rest.len; skip_blanks(p)) {
        if (pattern->count == MAX_ITEMS)
            return invalid("too many terms");
        struct term *term = &pattern->terms[pattern->count++];
        if (peek(p) == '-' || peek(p) == '?') {
            term->sign = peek(p) == '-' ? TERM_NOT : TERM_ANY;
            advance(p, 1);
        }
        if (peek(p) == '%')
            return no_regex();
        if (peek(p) == '"')
            TRY(take_quoted(p, &term->text));
        else
            term->text = take_word(p, "");
        if (!term->text.len)
            return invalid("what is not a letter, a digit or _ stands in quotes");
        if (p->rest.len && (is_word_byte(peek(p)) || !strchr(" \t\r\n\"", peek(p))))
            return invalid("what is not a letter, a digit or _ stands in quotes");
    }
    return NULL;
}

struct err *filter_pattern_compile(struct arena *arena, struct slice text, struct filter_pattern **ret_pattern)
{
    if (text.len > FILTER_PATTERN_MAX_BYTES)
        return invalid("it is longer than 1024 characters");
    if (slice_has_nul(text))
        return invalid("it has a zero byte");
    struct parser p = {.arena = arena, .rest = slice_trim(text)};
    struct filter_pattern *pattern = ARENA_NEW(arena, struct filter_pattern);
    if (take(&p, S("{"))) {
        pattern->kind = PATTERN_JSON;
        TRY(disjunction(&p, json_primary, NULL, &pattern->root));
        if (!take(&p, S("}")))
            return invalid("a brace is not closed");
    } else if (take(&p, S("["))) {
        pattern->kind = PATTERN_FIELDS;
        TRY(take_fields(&p, pattern));
    } else {
        TRY(take_terms(&p, pattern));
    }
    skip_blanks(&p);
    if (p.rest.len)
        return invalid("something follows its end");
    *ret_pattern = pattern;
    return NULL;
}

/* --- matching --- */

/* '*' is any run of bytes; on a mismatch only the last star needs another try. */
static bool glob_match(struct slice glob, struct slice text)
{
    size_t g = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.len) {
        if (g < glob.len && glob.ptr[g] == '*') {
            star = g++;
            resume = t;
        } else if (g < glob.len && glob.ptr[g] == text.ptr[t]) {
            g++;
            t++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (g < glob.len && glob.ptr[g] == '*')
        g++;
    return g == glob.len;
}

static bool number_holds(enum compare compare, double a, double b)
{
    switch (compare) {
    case COMPARE_EQ:
        return a == b;
    case COMPARE_NE:
        return a != b;
    case COMPARE_LT:
        return a < b;
    case COMPARE_GT:
        return a > b;
    case COMPARE_LE:
        return a <= b;
    case COMPARE_GE:
        return a >= b;
    }
    return false;
}

static bool leaf_holds(const struct node *node, const struct json *leaf)
{
    double number;
    if (node->kind != NODE_COMPARE) {
        return (node->kind == NODE_IS_NULL && leaf->type == JSON_NULL) ||
               (leaf->type == JSON_BOOL && node->kind == (leaf->boolean ? NODE_IS_TRUE : NODE_IS_FALSE));
    }
    if (node->value.is_number) {
        if (leaf->type == JSON_NUMBER && to_number(leaf->text, &number))
            return number_holds(node->compare, number, node->value.number);
        return node->compare == COMPARE_NE && (leaf->type == JSON_STRING || leaf->type == JSON_BOOL || leaf->type == JSON_NULL);
    }
    if (leaf->type == JSON_STRING)
        return glob_match(node->value.text, leaf->text) == (node->compare == COMPARE_EQ);
    return node->compare == COMPARE_NE && leaf->type != JSON_OBJECT && leaf->type != JSON_ARRAY;
}

/* Whether any value that the selector reaches holds; for NOT EXISTS: whether it reaches one. */
static bool selector_any(const struct node *node, const struct step *step, const struct json *value)
{
    if (!value)
        return false;
    if (!step)
        return node->kind == NODE_NOT_EXISTS || leaf_holds(node, value);
    if (step->kind == STEP_NAME)
        return value->type == JSON_OBJECT && selector_any(node, step->next, json_get(value, step->name));
    if (step->kind == STEP_INDEX)
        return value->type == JSON_ARRAY && selector_any(node, step->next, json_item(value, step->index));
    JSON_FOREACH(child, value) {
        if (selector_any(node, step->next, child))
            return true;
    }
    return false;
}

static bool field_holds(const struct node *node, struct slice text)
{
    double number;
    if (!node->value.is_number)
        return glob_match(node->value.text, text) == (node->compare == COMPARE_EQ);
    if (to_number(text, &number))
        return number_holds(node->compare, number, node->value.number);
    return node->compare == COMPARE_NE;
}

/* json NULL: the condition is a field's, over text. */
static bool node_holds(const struct node *node, const struct json *json, struct slice text)
{
    switch (node->kind) {
    case NODE_OR:
        return node_holds(node->left, json, text) || node_holds(node->right, json, text);
    case NODE_AND:
        return node_holds(node->left, json, text) && node_holds(node->right, json, text);
    case NODE_NOT_EXISTS:
        return !selector_any(node, node->selector, json);
    case NODE_COMPARE:
    case NODE_IS_NULL:
    case NODE_IS_TRUE:
    case NODE_IS_FALSE:
        return json ? selector_any(node, node->selector, json) : field_holds(node, text);
    }
    return false;
}

static bool json_match(const struct filter_pattern *pattern, struct slice message)
{
    struct slice text = slice_trim(message);
    if (!text.len || text.ptr[0] != '{')
        return false;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct json *json;
    struct err *e = json_parse(arena, text, JSON_DUPLICATES_LAST_WINS, &json);
    if (e) {
        err_free(e);
        return false;
    }
    return node_holds(pattern->root, json, SLICE_NONE);
}

/* Cuts the next field off: to a blank, or what stands in [ ] or quotes. */
static bool next_field(struct slice *rest, struct slice *ret_field)
{
    *rest = slice_trim(*rest);
    if (!rest->len)
        return false;
    char close = rest->ptr[0] == '[' ? ']' : rest->ptr[0] == '"' ? '"' : ' ';
    ptrdiff_t end = slice_index(slice_from(*rest, close == ' ' ? 0 : 1), close);
    if (close != ' ' && end >= 0) {
        *ret_field = slice_sub(*rest, 1, (size_t)end);
        *rest = slice_from(*rest, (size_t)end + 2);
        return true;
    }
    if (close != ' ')
        end = slice_index(*rest, ' ');
    *ret_field = end < 0 ? *rest : slice_sub(*rest, 0, (size_t)end);
    *rest = end < 0 ? slice_from(*rest, rest->len) : slice_from(*rest, (size_t)end);
    return true;
}

static bool fields_match(const struct filter_pattern *pattern, struct slice message)
{
    struct slice rest = message, text;
    size_t count = 0;
    while (next_field(&rest, &text))
        count++;
    size_t named = pattern->count, ellipsis = SIZE_MAX;
    for (size_t i = 0; i < pattern->count; i++) {
        if (pattern->fields[i].ellipsis) {
            ellipsis = i;
            named--;
        }
    }
    bool last_takes_rest = ellipsis == SIZE_MAX && !pattern->fields[pattern->count - 1].condition;
    if (count < named || (count > named && ellipsis == SIZE_MAX && !last_takes_rest))
        return false;
    rest = message;
    for (size_t i = 0; i < pattern->count; i++) {
        const struct field *field = &pattern->fields[i];
        for (size_t skipped = 0; field->ellipsis && skipped < count - named; skipped++)
            next_field(&rest, &text);
        if (field->ellipsis)
            continue;
        next_field(&rest, &text);
        if (field->condition && !node_holds(field->condition, NULL, text))
            return false;
    }
    return true;
}

static bool terms_match(const struct filter_pattern *pattern, struct slice message)
{
    bool any_asked = false, any_found = false, all_asked = false;
    for (size_t i = 0; i < pattern->count; i++) {
        const struct term *term = &pattern->terms[i];
        bool found = slice_find(message, term->text) >= 0;
        if (term->sign == TERM_ANY) {
            any_asked = true;
            any_found |= found;
            continue;
        }
        all_asked = true;
        if (found == (term->sign == TERM_NOT))
            return false;
    }
    return all_asked || !any_asked || any_found; /* beside other terms, those with ? do not count */
}

bool filter_pattern_match(const struct filter_pattern *pattern, struct slice message)
{
    switch (pattern->kind) {
    case PATTERN_TERMS:
        return terms_match(pattern, message);
    case PATTERN_JSON:
        return json_match(pattern, message);
    case PATTERN_FIELDS:
        return fields_match(pattern, message);
    }
    return false;
}
