/* s3: what the operations of this folder share: names, errors with S3's extra elements, object headers, bodies, checksums.
 * Called in the worker thread of the call; everything lives in call->arena. */
#pragma once
#include "aws/codec.h"
#include "aws/gen/s3.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include "objects/objects.h"
#include "services/call.h"

/* --- errors --- */

/* What an error is about: absent slices are not told. */
struct s3_subject {
    struct slice bucket, key, upload_id;
};
/* Adds the elements that S3 shows with this code (reference: API reference, "Error responses"). NULL stays NULL. */
struct err *s3_explain(struct err *e, struct s3_subject subject) NODISCARD;
#define S3_TRY(expression, ...)                                                                                                \
    do {                                                                                                                       \
        struct err *s3_try_err_ = (expression);                                                                                \
        if (s3_try_err_)                                                                                                       \
            return s3_explain(s3_try_err_, (struct s3_subject){__VA_ARGS__});                                                  \
    } while (0)
#define S3_OBJECT(in) .bucket = (in)->bucket, .key = (in)->key
#define S3_UPLOAD(in) .bucket = (in)->bucket, .key = (in)->key, .upload_id = (in)->upload_id

struct err *s3_invalid_argument(const char *name, struct slice value, const char *message) NODISCARD;
struct err *s3_not_implemented(const char *header) NODISCARD;

/* --- names --- */

/* InvalidBucketName for what a new bucket may not be called; our own paths are among that. */
struct err *s3_bucket_name_check(struct slice name) NODISCARD;
struct err *s3_key_check(struct arena *arena, struct slice key) NODISCARD; /* KeyTooLongError, InvalidArgument */
/* AccessDenied unless expected is absent or this account. */
struct err *s3_owner_check(const struct call *call, struct slice expected) NODISCARD;
struct slice s3_owner_id(const struct call *call); /* 64 hex digits */
struct slice s3_etag(struct arena *arena, struct slice etag); /* in quotes */
struct opt_instant s3_seconds(struct instant t);              /* Last-Modified: cut to the second, in every answer alike */
/* encoding-type=url for a name that may be absent; other: as it is. */
struct slice s3_name_encode(struct arena *arena, struct slice encoding_type, struct slice name);
/* max-keys and its sisters: absent is 1000, more is cut to 1000. */
struct err *s3_max_parse(struct arena *arena, struct opt_i64 max, const char *name, size_t *ret_max) NODISCARD;

/* --- headers that are kept with an object --- */

struct s3_object_headers {
    struct slice cache_control, content_disposition, content_encoding, content_language, content_type, expires;
    struct slice website_redirect_location, storage_class;
    struct slice_map metadata;
    /* refused unless they ask for nothing */
    struct slice acl, grant_full_control, grant_read, grant_read_acp, grant_write_acp;
    struct slice server_side_encryption, sse_customer_algorithm, tagging, object_lock_mode, object_lock_legal_hold_status;
};
#define S3_OBJECT_HEADERS(in)                                                                                                  \
    (&(const struct s3_object_headers){.cache_control = (in)->cache_control,                                                   \
                                       .content_disposition = (in)->content_disposition,                                       \
                                       .content_encoding = (in)->content_encoding,                                             \
                                       .content_language = (in)->content_language,                                             \
                                       .content_type = (in)->content_type,                                                     \
                                       .expires = (in)->expires,                                                               \
                                       .website_redirect_location = (in)->website_redirect_location,                           \
                                       .storage_class = (in)->storage_class,                                                   \
                                       .metadata = (in)->metadata,                                                             \
                                       .acl = (in)->acl,                                                                       \
                                       .grant_full_control = (in)->grant_full_control,                                         \
                                       .grant_read = (in)->grant_read,                                                         \
                                       .grant_read_acp = (in)->grant_read_acp,                                                 \
                                       .grant_write_acp = (in)->grant_write_acp,                                               \
                                       .server_side_encryption = (in)->server_side_encryption,                                 \
                                       .sse_customer_algorithm = (in)->sse_customer_algorithm,                                 \
                                       .tagging = (in)->tagging,                                                               \
                                       .object_lock_mode = (in)->object_lock_mode,                                             \
                                       .object_lock_legal_hold_status = (in)->object_lock_legal_hold_status})
/* MetadataTooLarge, AccessControlListNotSupported, NotImplemented. */
struct err *s3_attributes(struct call *call, const struct s3_object_headers *headers, struct object_attributes *ret_attributes) NODISCARD;

/* --- conditions --- */

/* If-Match and If-None-Match of a write. */
struct err *s3_write_conditions(struct slice if_match, struct slice if_none_match, struct object_conditions *ret_conditions) NODISCARD;
struct s3_read_conditions {
    struct slice if_match, if_none_match;
    struct opt_instant if_modified_since, if_unmodified_since;
};
/* 200, 304, or 412 with the header that failed. */
int s3_read_conditions_check(const struct s3_read_conditions *conditions, const struct object_view *view, struct instant now,
                             const char **ret_condition);
struct err *s3_precondition_failed(const char *condition) NODISCARD;

/* [/]bucket/key[?versionId=null] */
struct err *s3_copy_source_parse(struct call *call, struct slice header, struct slice *ret_bucket, struct slice *ret_key) NODISCARD;
#define S3_COPY_CONDITIONS(in)                                                                                                 \
    (&(const struct s3_read_conditions){.if_match = (in)->copy_source_if_match,                                                \
                                        .if_none_match = (in)->copy_source_if_none_match,                                      \
                                        .if_modified_since = (in)->copy_source_if_modified_since,                              \
                                        .if_unmodified_since = (in)->copy_source_if_unmodified_since})
/* PreconditionFailed */
struct err *s3_copy_conditions_check(struct call *call, const struct s3_read_conditions *conditions, const struct object_view *source) NODISCARD;

/* --- checksums and bodies --- */

struct s3_checksum {
    enum checksum_kind kind; /* CHECKSUM_NONE: the client sent none */
    struct slice value;      /* absent: it comes in the trailer, which body_read checks */
};
#define S3_CHECKSUM_VALUES(in)                                                                                                 \
    ((const struct slice[]){[CHECKSUM_NONE] = {0},                                                                             \
                            [CHECKSUM_CRC32] = (in)->checksum_crc32,                                                           \
                            [CHECKSUM_CRC32C] = (in)->checksum_crc32c,                                                         \
                            [CHECKSUM_CRC64NVME] = (in)->checksum_crc64nvme,                                                   \
                            [CHECKSUM_SHA1] = (in)->checksum_sha1,                                                             \
                            [CHECKSUM_SHA256] = (in)->checksum_sha256})
#define S3_CHECKSUM_SET(out, kind, value)                                                                                      \
    do {                                                                                                                       \
        struct slice *s3_slots_[] = {NULL,                                                                                     \
                                     &(out)->checksum_crc32,                                                                   \
                                     &(out)->checksum_crc32c,                                                                  \
                                     &(out)->checksum_crc64nvme,                                                               \
                                     &(out)->checksum_sha1,                                                                    \
                                     &(out)->checksum_sha256};                                                                 \
        if ((kind) != CHECKSUM_NONE)                                                                                           \
            *s3_slots_[kind] = (value);                                                                                        \
    } while (0)
/* The one checksum among a list's or request's members; several are InvalidRequest. */
struct err *s3_checksum_pick(struct arena *arena, const struct slice values[CHECKSUM_SHA256 + 1], struct s3_checksum *ret_checksum) NODISCARD;
/* The checksum of a request with a body, from its headers and x-amz-trailer. */
struct err *s3_checksum_of_request(struct call *call, const struct slice values[CHECKSUM_SHA256 + 1], struct s3_checksum *ret_checksum) NODISCARD;

#define S3_PUT_MAX_BYTES (INT64_C(5) << 30)
/* Reads the whole body into the writer and checks length, Content-MD5 and checksum. After it the writer is finished. */
struct err *s3_body_receive(struct call *call, struct object_writer *writer, struct slice content_md5, const struct s3_checksum *checksum) NODISCARD;

/* --- GetObject and HeadObject --- */

struct s3_read_request {
    struct slice bucket, key;
    struct s3_read_conditions conditions;
    struct slice range, version_id, checksum_mode, sse_customer_algorithm, expected_bucket_owner;
    struct opt_i64 part_number;
    struct slice response_cache_control, response_content_disposition, response_content_encoding, response_content_language,
        response_content_type;
    struct opt_instant response_expires;
};
#define S3_READ_REQUEST(in)                                                                                                    \
    (&(const struct s3_read_request){                                                                                          \
        .bucket = (in)->bucket,                                                                                                \
        .key = (in)->key,                                                                                                      \
        .conditions = {.if_match = (in)->if_match,                                                                             \
                       .if_none_match = (in)->if_none_match,                                                                   \
                       .if_modified_since = (in)->if_modified_since,                                                           \
                       .if_unmodified_since = (in)->if_unmodified_since},                                                      \
        .range = (in)->range,                                                                                                  \
        .version_id = (in)->version_id,                                                                                        \
        .checksum_mode = (in)->checksum_mode,                                                                                  \
        .sse_customer_algorithm = (in)->sse_customer_algorithm,                                                                \
        .expected_bucket_owner = (in)->expected_bucket_owner,                                                                  \
        .part_number = (in)->part_number,                                                                                      \
        .response_cache_control = (in)->response_cache_control,                                                                \
        .response_content_disposition = (in)->response_content_disposition,                                                    \
        .response_content_encoding = (in)->response_content_encoding,                                                          \
        .response_content_language = (in)->response_content_language,                                                          \
        .response_content_type = (in)->response_content_type,                                                                  \
        .response_expires = (in)->response_expires})
struct s3_range {
    int64_t first, size_bytes;
    bool partial; /* 206 */
};
/* bytes=a-b, a-, -n; anything else is ignored, as S3 does: then the whole object, 200. InvalidRange. Pure. */
struct err *s3_range_parse(struct arena *arena, struct slice header, int64_t size_bytes, struct s3_range *ret_range) NODISCARD;
/* Answers on call->http itself, headers and body (the server leaves a HEAD's body out); an error comes before any answer, or
 * means that the connection cannot be used any more. */
struct err *s3_read_object(struct call *call, const struct s3_read_request *request) NODISCARD;
