/* message: an AWS request and answer as slices. The codecs and SigV4 are pure over these; who reads the socket fills
 * them (edge/ copies http_request's fields, the forms are the same). */
#pragma once
#include "base/slice.h"

struct aws_header {
    struct slice name; /* as sent; compare with slice_eq_nocase */
    struct slice value;
};

struct aws_headers {
    const struct aws_header *items;
    size_t count;
};

struct aws_request {
    struct slice method;
    struct slice path;  /* raw: not decoded, without the query */
    struct slice query; /* raw, without '?'; absent when there is none */
    struct aws_headers headers;
    struct slice body;   /* whole body; absent for operations whose body is streamed */
    struct slice bucket; /* S3: the bucket named by the virtual host; absent: path style */
};

struct aws_response {
    int status;
    const struct aws_header *headers;
    size_t header_count;
    struct slice body;
};

struct slice aws_header_get(struct aws_headers headers, struct slice name); /* first value, or SLICE_NONE */

/* A decoded query string or form. */
struct aws_param {
    struct slice name, value; /* value is "" when there is no '=' */
};
struct aws_params {
    const struct aws_param *items;
    size_t count;
};
#define AWS_MAX_PARAMS 10000

enum aws_param_plus { AWS_PLUS_IS_SPACE, AWS_PLUS_KEPT };
/* Splits on '&' and the first '='; parameters past AWS_MAX_PARAMS are dropped (false is returned). */
bool aws_params_parse(struct arena *arena, struct slice text, enum aws_param_plus plus, struct aws_params *ret_params);
struct slice aws_params_get(struct aws_params params, struct slice name); /* first value, or SLICE_NONE */
bool aws_params_has(struct aws_params params, struct slice name);
