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
    const char *name;
    enum schema_type type;
    uint8_t repeated; /* an array of type */
    uint8_t map;      /* an object whose members are of type; keys are strings */
    uint16_t number;  /* protobuf's */
    const struct schema_message *message; /* of SCHEMA_MESSAGE */
    const char *patch_key;     /* strategic merge: "name"; "" for a merged set of scalars; NULL: replaced */
    bool patch_retain_keys;
    enum schema_list list;     /* server-side apply */
    const char *list_keys;     /* of SCHEMA_LIST_MAP: "containerPort,protocol" */
    bool atomic_struct;        /* server-side apply: an object owned as a whole (selectors) */
};

struct schema_message {
    const char *name; /* "k8s.io.api.core.v1.Pod" */
    const struct schema_field *fields;
    size_t field_count;
};

/* NULL when unknown. */
const struct schema_message *schema_find(const char *message);
const struct schema_field *schema_field_by_name(const struct schema_message *message, struct slice name);
const struct schema_field *schema_field_by_number(const struct schema_message *message, uint64_t number);
