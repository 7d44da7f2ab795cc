/* document: what the API keeps as it was given until it is asked for: job templates and security configurations. The store does not look
 * into a body. Any thread. */
#pragma once
#include "store/tag.h"

enum document_kind { DOCUMENT_JOB_TEMPLATE, DOCUMENT_SECURITY_CONFIGURATION };

struct document {
    enum document_kind kind;
    struct slice id;   /* 25 chars of [0-9a-z] */
    struct slice name; /* need not be unique */
    struct slice body; /* JSON */
    struct slice created_by;
    struct instant created_at;
    int64_t sequence; /* the order of creation; given by the store */
    struct tags tags; /* insert only */
};

/* *ret_id is the document's id, or that of the first request with this token. ERR_CONFLICT "ClientToken": the token came with another request. */
struct err *store_document_insert(struct store *store, struct arena *arena, const struct document *row, struct slice resource_arn,
                                  struct slice token, struct slice request_sha256, struct slice *ret_id) NODISCARD;
/* ERR_NOT_FOUND. */
struct err *store_document_get(struct store *store, struct arena *arena, enum document_kind kind, struct slice id, struct document *ret_row) NODISCARD;
/* With its tags. ERR_NOT_FOUND; ERR_CONFLICT "InUse": a virtual cluster that is not terminated names this security configuration. */
struct err *store_document_delete(struct store *store, enum document_kind kind, struct slice id, struct slice resource_arn) NODISCARD;

struct document_filter {
    enum document_kind kind;
    bool created_after_set, created_before_set;
    struct instant created_after, created_before; /* exclusive */
    int64_t before_sequence;                      /* 0: from the newest */
    int64_t limit;
};
struct document_page {
    struct document *rows; /* newest first */
    size_t count;
    int64_t next_sequence; /* 0: that was all */
};
struct err *store_document_list(struct store *store, struct arena *arena, const struct document_filter *filter, struct document_page *ret_page) NODISCARD;
