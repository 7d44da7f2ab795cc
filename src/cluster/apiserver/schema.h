/* schema: the fields of every message of the served kinds, as constant rows made at build time from tools/kubegen's tables: names,
 * types and protobuf numbers (from the published .proto files) and list types and merge keys. It serves protobuf decoding,
 * type checks, unknown-field detection, patches and apply alike. Any thread. */
#pragma once
#include "base/slice.h"
#include <stdint.h>

enum schema_type {
    SCHEMA_STRING,
    SCHEMA_BOOL,
    SCHEMA_INT32,
    SCHEMA_INT64,
    SCHEMA_BYTES,      /* base64 in JSON */
    SCHEMA_DOUBLE,
    SCHEMA_TIME,       /* RFC 3339, seconds */
    SCHEMA_MICRO_TIME,
    SCHEMA_QUANTITY,
    SCHEMA_INT_OR_STRING,
    SCHEMA_RAW,        /* any JSON (FieldsV1) */
    SCHEMA_MESSAGE,
};

enum schema_list {
    SCHEMA_LIST_ATOMIC, /* replaced as a whole */
    SCHEMA_LIST_SET,    /* of scalars, merged */
    SCHEMA_LIST_MAP,    /* of objects, merged by key */
};

struct schema_message;

struct schema_field {
    const char *name; /* "" for an inlined struct, which only protobuf sees: its members stand beside it, with number 0 */
    enum schema_type type;
    uint16_t number; /* protobuf's */
    bool repeated;   /* an array of type */
    bool map;        /* an object whose members are of type; keys are strings; with repeated: members are arrays */
    bool inlined;
    bool pointer;    /* Go keeps zero apart from absent (also slices and maps) */
    bool omit_empty; /* absent when zero, false, "" or empty; a struct is never left out, but a zero time without omit_zero is null */
    bool omit_zero;
    bool patch_retain_keys;
    bool atomic;           /* server-side apply: owned as a whole */
    enum schema_list list; /* server-side apply */
    const struct schema_message *message; /* of SCHEMA_MESSAGE */
    const char *patch_key;                /* strategic merge: "name"; "" for a merged set of scalars; NULL: replaced */
    const char *list_keys;                /* of SCHEMA_LIST_MAP: "containerPort,protocol" */
};

struct schema_message {
    const char *name; /* "k8s.io.api.core.v1.Pod" */
    const struct schema_field *fields;
    size_t field_count;
};

/* NULL when unknown. name: "k8s.io.api.core.v1.Pod". */
const struct schema_message *schema_find(const char *message);
const struct schema_field *schema_field_by_name(const struct schema_message *message, struct slice name);
const struct schema_field *schema_field_by_number(const struct schema_message *message, uint64_t number);

/* Gives an object the form in which Go's encoder would write it: what is zero and omitted there goes, structs that are always
 * written are there ("status": {}), zero times are null. Unknown members are left alone. */
struct arena;
struct json;
void schema_canonicalize(struct arena *arena, const struct schema_message *message, struct json *object);
/* "Container", "PodSpec": the last part of the name. */
const char *schema_short_name(const struct schema_message *message);
