/* call: one request of an AWS client, as an operation's function sees it. Lives as long as its arena.
 *
 * Operation FooBar of service baz is src/services/baz/foo_bar.c:
 *     struct err *baz_foo_bar(struct call *call, const struct baz_foo_bar_request *in, struct baz_foo_bar_response *out);
 * in is decoded and validated against the model; *out is zeroed, to be filled with memory of call->arena. Errors with an AWS
 * name: err_code(ERR_…, "ResourceNotFoundException", "…"); the status comes from the model. An error without a code becomes
 * the service's internal error and is logged. */
#pragma once
#include "aws/shape.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/server.h"
#include "services/services_table.h" /* made from the models: the declarations of all operations */

struct store;      /* store/store.h: ember.db */
struct reconciler; /* jobs/reconciler.h */
struct objects;    /* objects/objects.h */
struct logstore;   /* logstore/logstore.h */
struct clusters;   /* cluster/cluster.h: the embedded clusters of this daemon */

/* The daemon's parts, made by daemon/wiring.c; borrowed by calls. */
struct parts {
    struct store *store;
    struct reconciler *reconciler;
    struct objects *objects;
    struct logstore *logstore;
    struct clusters *clusters;
    struct slice account_id; /* "111122223333" */
    struct slice region;     /* "us-east-1" */
    struct slice page_token_key; /* what page tokens are signed with */
    struct slice endpoint;   /* "http://127.0.0.1:4567" as clients and pods reach this daemon */
};

enum principal_kind { PRINCIPAL_ANONYMOUS, PRINCIPAL_ROOT, PRINCIPAL_SESSION };

/* Who asks. */
struct principal {
    enum principal_kind kind;
    struct slice arn;        /* arn:aws:iam::A:root, or arn:aws:sts::A:assumed-role/ROLE/SESSION */
    struct slice user_id;    /* as GetCallerIdentity shows it */
    struct slice access_key_id;
    struct slice job_run_id; /* PRINCIPAL_SESSION: the run this key was made for */
};

struct call {
    struct arena *arena;
    const struct parts *parts;
    const struct aws_operation *operation;
    struct principal principal;
    struct slice request_id;
    struct instant now;
    struct http_request *http; /* S3's streaming bodies, raw headers; others need not look */
    /* S3 with a streaming body: reads the object's bytes, decoded (aws-chunked removed, signatures, payload hash and trailing
     * checksums checked at the end: an error at *ret_len 0 time means: publish nothing). */
    struct err *(*body_read)(struct call *call, void *buf, size_t cap, size_t *ret_len);
    struct aws_body *body;     /* body_read's own state */
    int64_t body_length;       /* decoded length, -1 if not known */
    struct form_upload *form;  /* S3's POST form: body_read's state then, and the length is not known before the end */
    /* Of an answer that the operation sends itself (GetObject): its head, for who writes down what was answered. */
    int sent_status;
    const struct http_header *sent_headers;
    size_t sent_header_count;
};
