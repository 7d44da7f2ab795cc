/* json: the one JSON module. A document is a tree of nodes in an arena that may be changed freely; numbers stay text until
 * somebody says what they are. All functions take NULL or a node of another type and then behave as if it were absent.
 * Order of members is kept. Not thread-safe per tree. */
#pragma once
#include "base/err.h"
#include "base/strbuf.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    bool boolean;
    struct slice text;         /* JSON_STRING: the decoded bytes; JSON_NUMBER: its literal */
    struct slice key;          /* when it is a member of an object */
    struct json *first, *last; /* children of arrays and objects */
    struct json *next;         /* sibling */
};

#define JSON_FOREACH(child, parent) for (struct json *child = (parent) ? (parent)->first : NULL; child; child = child->next)

enum json_duplicates { JSON_DUPLICATES_REFUSE, JSON_DUPLICATES_LAST_WINS };

/* Strict JSON (RFC 8259), UTF-8, at most 512 deep. ERR_INVALID with the position and what is wrong. Strings are copied. */
struct err *json_parse(struct arena *arena, struct slice text, enum json_duplicates duplicates, struct json **ret_json) NODISCARD;

struct json *json_object(struct arena *arena);
struct json *json_array(struct arena *arena);
struct json *json_string(struct arena *arena, struct slice text); /* borrows text */
struct json *json_cstr(struct arena *arena, const char *text);
struct json *json_fmt(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct json *json_i64(struct arena *arena, int64_t value);
struct json *json_number(struct arena *arena, struct slice literal); /* literal must be a valid JSON number */
struct json *json_bool(struct arena *arena, bool value);
struct json *json_null(struct arena *arena);
struct json *json_clone(struct arena *arena, const struct json *value); /* deep, strings copied too; key is dropped */

/* Reading. */
struct json *json_get(const struct json *object, struct slice key);
/* json_at(pod, "spec", "nodeName", NULL): members by name, one level each; NULL when any is missing. */
struct json *json_at(const struct json *object, ...) __attribute__((sentinel));
#define JSON_AT(object, ...) json_at((object), __VA_ARGS__, NULL)
struct json *json_item(const struct json *array, size_t index);
size_t json_count(const struct json *container);
bool json_is(const struct json *value, enum json_type type);
const char *json_type_name(const struct json *value); /* "null", "bool", "number", "string", "array", "object"; value is not NULL */
struct slice json_text(const struct json *value);             /* string's bytes, else SLICE_NONE */
struct slice json_get_text(const struct json *object, const char *key);
int64_t json_to_i64(const struct json *value, int64_t otherwise);
int64_t json_get_i64(const struct json *object, const char *key, int64_t otherwise);
bool json_to_bool(const struct json *value, bool otherwise);
bool json_get_bool(const struct json *object, const char *key, bool otherwise);
bool json_equal(const struct json *a, const struct json *b); /* members in any order; numbers by literal */

/* Changing. A node belongs to one parent at a time: clone before putting it in twice. */
void json_set(struct arena *arena, struct json *object, struct slice key, struct json *value); /* replaces in place or appends; key is copied */
void json_set_text(struct arena *arena, struct json *object, const char *key, struct slice text); /* borrows text */
void json_set_cstr(struct arena *arena, struct json *object, const char *key, const char *text);
void json_set_i64(struct arena *arena, struct json *object, const char *key, int64_t value);
void json_set_bool(struct arena *arena, struct json *object, const char *key, bool value);
#define JSON_SET(arena, object, key, value) json_set((arena), (object), S(key), (value))
/* The member, made as an empty object (array) when absent. */
struct json *json_ensure_object(struct arena *arena, struct json *object, const char *key);
struct json *json_ensure_array(struct arena *arena, struct json *object, const char *key);
bool json_remove(struct json *object, struct slice key); /* true when it was there */
void json_append(struct json *array, struct json *value);
void json_prepend(struct json *array, struct json *value);
void json_unlink(struct json *container, struct json *child); /* takes a child out */
/* Replaces old by fresh at the same place (and under the same key). */
void json_replace(struct json *container, struct json *old, struct json *fresh);

/* Writing: compact, members in order. */
void json_write(struct strbuf *out, const struct json *value);
void json_write_pretty(struct strbuf *out, const struct json *value); /* indent 2 */
struct slice json_to_slice(struct arena *arena, const struct json *value);
/* "text" with quotes and escapes; invalid UTF-8 is written as U+FFFD. */
void json_write_string(struct strbuf *out, struct slice text);
