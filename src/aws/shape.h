/* clang-format off */
/* shape: the format of the tables that tools/awsgen writes from the AWS service models, and the value types of its
 * structs. The codecs (codec.c, json_codec.c, xml_codec.c, query.c) and the validator are interpreters over these rows;
 * no operation has codec code of its own. All of it is const data, any thread.
 *
 * The generated structs (aws/gen/SERVICE.h):
 *   operation FooBar of service baz     struct baz_foo_bar_request, struct baz_foo_bar_response
 *   nested structure VirtualCluster     struct emr_containers_virtual_cluster, used as `const struct … *`, NULL when absent
 *   string, enum, blob                  struct slice; ptr NULL when absent, "" when empty
 *   integer, long / float, double       struct opt_i64 / struct opt_f64
 *   boolean, timestamp                  struct opt_bool, struct opt_instant
 *   list of T                           struct slice_list, …; of structures: struct emr_containers_job_run_list
 *   map to T                            struct slice_map (entries: key, value); of structures: struct …_map
 *   document                            const struct json *
 *   streaming blob, event stream        no member: the body goes through call->body_read and http_respond_*
 * A list or map that is set may be empty; one that is not set is absent. Names: '_' before a capital that follows a small
 * letter, and before a capital that a small letter follows (VersionId version_id, ETag e_tag, SSEKMSKeyId ssekms_key_id,
 * ChecksumCRC32C checksum_crc32c, s3MonitoringConfiguration s3_monitoring_configuration); C keywords get a '_' behind. */
/* clang-format on */
#pragma once
#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

struct json;
struct aws_service;

struct opt_i64 {
    bool set;
    int64_t value;
};
struct opt_f64 {
    bool set;
    double value;
    struct slice text; /* as it came; when absent on output, value is printed */
};
struct opt_bool {
    bool set;
    bool value;
};
struct opt_instant {
    bool set;
    struct instant value;
};
#define OPT_I64(v) ((struct opt_i64){.set = true, .value = (v)})
#define OPT_F64(v) ((struct opt_f64){.set = true, .value = (v)})
#define OPT_BOOL(v) ((struct opt_bool){.set = true, .value = (v)})
#define OPT_INSTANT(v) ((struct opt_instant){.set = true, .value = (v)})

/* All list structs have this form; items is an array of the value type. */
struct aws_list {
    bool set;
    size_t count;
    const void *items;
};
/* All map structs have this form; an entry is {struct slice key; value}, see aws_shape.entry_size and .value_offset. */
struct aws_map {
    bool set;
    size_t count;
    const void *entries;
};
struct slice_list {
    bool set;
    size_t count;
    const struct slice *items;
};
struct slice_map_entry {
    struct slice key, value;
};
struct slice_map {
    bool set;
    size_t count;
    const struct slice_map_entry *entries;
};
struct opt_i64_list {
    bool set;
    size_t count;
    const struct opt_i64 *items;
};
struct opt_f64_list {
    bool set;
    size_t count;
    const struct opt_f64 *items;
};

/* ---- tables ---- */

enum aws_kind {
    AWS_STRUCTURE,
    AWS_LIST,
    AWS_MAP,
    AWS_STRING,
    AWS_BLOB,
    AWS_BOOLEAN,
    AWS_INTEGER, /* integer, long, short, byte */
    AWS_FLOAT,   /* float, double */
    AWS_TIMESTAMP,
    AWS_DOCUMENT,
};

enum aws_location {
    AWS_IN_BODY,
    AWS_IN_URI,
    AWS_IN_QUERY,
    AWS_IN_HEADER,
    AWS_IN_HEADERS, /* a map: every header that begins with the wire name */
    AWS_IN_STATUS,
};

enum aws_timestamp_format {
    AWS_TIMESTAMP_DEFAULT, /* by protocol and location: JSON body epoch seconds, header RFC 1123, else ISO 8601 */
    AWS_TIMESTAMP_ISO8601,
    AWS_TIMESTAMP_RFC822,
    AWS_TIMESTAMP_UNIX,
};

/* A compiled pattern: a program for aws/regex.c, made by awsgen. */
struct aws_regex_range {
    uint32_t first, last;
};
struct aws_regex_class {
    const struct aws_regex_range *ranges; /* sorted, disjoint */
    size_t count;
};
enum aws_regex_op { AWS_REGEX_CLASS, AWS_REGEX_SPLIT, AWS_REGEX_JUMP, AWS_REGEX_BEGIN, AWS_REGEX_END, AWS_REGEX_MATCH };
struct aws_regex_inst {
    enum aws_regex_op op;
    const struct aws_regex_class *class_; /* CLASS */
    uint16_t x, y;                        /* SPLIT: both; JUMP: x */
};
struct aws_regex {
    struct slice text; /* as in the model, for messages */
    const struct aws_regex_inst *insts;
    size_t count;
};

#define AWS_NO_OFFSET ((size_t)-1)

struct aws_shape;

struct aws_member {
    struct slice name; /* the model's name */
    struct slice wire; /* JSON key, XML element, query parameter or header; the prefix for AWS_IN_HEADERS */
    size_t offset;     /* in the struct; AWS_NO_OFFSET: streaming, has no member */
    const struct aws_shape *shape;
    enum aws_location location;
    enum aws_timestamp_format timestamp;
    bool required;
    bool flattened;
    bool attribute; /* an XML attribute */
    bool idempotency_token;
    bool streaming;
    struct slice xml_namespace, xml_prefix; /* absent: none */
};

struct aws_shape {
    struct slice name;
    enum aws_kind kind;
    size_t size; /* of the C value: the struct itself for structures */
    /* structure */
    const struct aws_member *members;
    size_t member_count;
    const struct aws_member *payload; /* NULL: none; the body is that member alone */
    bool is_union;
    /* list: item; map: item is the value */
    const struct aws_shape *item;
    const struct aws_shape *key;
    struct slice item_wire, key_wire; /* XML and query: "member", "key", "value" unless the model says otherwise */
    bool flattened;
    size_t entry_size, value_offset; /* map */
    uint8_t bits; /* AWS_INTEGER: 8, 16, 32 or 64 */
    /* constraints; min and max are lengths, or values for AWS_INTEGER */
    bool has_min, has_max;
    int64_t min, max;
    const struct aws_regex *pattern;
    const struct slice *enum_values;
    size_t enum_count;
    bool sensitive;
    enum aws_timestamp_format timestamp;
};

struct aws_error_shape {
    struct slice code; /* on the wire */
    int status;
    bool server_fault;
};

struct aws_query_literal {
    struct slice name, value; /* value absent: any */
};

struct aws_operation {
    const struct aws_service *service;
    struct slice name;
    struct slice method;
    struct slice path; /* "/virtualclusters/{virtualClusterId}", without the literal query */
    const struct aws_query_literal *literals;
    size_t literal_count;
    const struct slice *required_query; /* wire names of required members there: S3 tells operations apart by them */
    size_t required_query_count;
    const struct slice *required_headers;
    size_t required_header_count;
    bool served;
    bool deprecated;
    bool unsigned_allowed;  /* the model's authtype none */
    bool body_checksum;     /* httpChecksum.requestAlgorithmMember: x-amz-checksum-* headers are the body's */
    bool checksum_required; /* httpChecksum.requestChecksumRequired */
    int response_status;    /* 200 unless the model says otherwise */
    size_t index;           /* in service->operations */
    /* NULL when not served */
    const struct aws_shape *request, *response;
    bool has_output;             /* the model names an output shape */
    struct slice response_root;  /* XML root of a body without payload member */
    bool response_unwrapped;     /* the root's content is the one body member's text */
    struct slice result_wrapper; /* query protocol */
    const struct aws_error_shape *const *errors;
    size_t error_count;
};

enum aws_protocol { AWS_REST_JSON, AWS_JSON_1_1, AWS_QUERY, AWS_REST_XML };

struct aws_service {
    struct slice id;           /* "emr-containers" */
    struct slice signing_name; /* "emr-containers" */
    struct slice prefix;       /* "emr_containers", as in C names */
    enum aws_protocol protocol;
    struct slice api_version;
    struct slice xml_namespace;                                      /* absent: none */
    struct slice target_prefix;                                      /* JSON 1.1: "Logs_20140328" */
    struct slice validation_code, serialization_code, internal_code; /* model/SERVICE.toml */
    const struct aws_operation *operations;
    size_t operation_count;
    const struct aws_error_shape *errors; /* all of the model, sorted by code */
    size_t error_count;
};

/* All services of the build, generated (aws/gen/services.h). */
extern const struct aws_service *const aws_services[];
extern const size_t aws_service_count;

const struct aws_service *aws_service_find(struct slice signing_name);                                /* NULL: none */
const struct aws_operation *aws_operation_find(const struct aws_service *service, struct slice name); /* NULL: none */
const struct aws_error_shape *aws_error_find(const struct aws_service *service, struct slice code);   /* NULL: none */
const struct aws_member *aws_member_find(const struct aws_shape *structure, struct slice name); /* by model name */
