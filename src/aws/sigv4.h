/* sigv4: AWS Signature Version 4, both sides. Pure over slices; no clock, no store: who verifies brings the time and
 * the secret. Order of a verification: sigv4_parse, sigv4_check_scope, (look up the key by access_key_id, its token and
 * expiry), sigv4_check_signature. Each tells which check failed; sigv4_err words it as the service's protocol family
 * does. Canonical forms: checked against 304 recorded requests of CLI, boto3 and Terraform, and tests/vectors/sigv4. */
#pragma once
#include "aws/message.h"
#include "aws/shape.h"
#include "base/clock.h"

enum sigv4_check {
    SIGV4_OK,
    SIGV4_NO_CREDENTIALS,
    SIGV4_MALFORMED, /* the header or the query cannot be read; text says how */
    SIGV4_ALGORITHM, /* something else than AWS4-HMAC-SHA256 */
    SIGV4_TWO_WAYS,  /* S3: a header and a signed query */
    SIGV4_PRESIGN_MALFORMED,
    SIGV4_SCOPE_DATE,
    SIGV4_SCOPE_REGION,
    SIGV4_SCOPE_SERVICE,
    SIGV4_SCOPE_TERMINATOR,
    SIGV4_TOO_OLD,
    SIGV4_TOO_NEW,
    SIGV4_PRESIGN_EXPIRED,
    SIGV4_HOST_NOT_SIGNED,
    SIGV4_HEADERS_NOT_SIGNED,
    SIGV4_NO_CONTENT_SHA256, /* S3 wants the header */
    SIGV4_CONTENT_SHA256_INVALID,
    SIGV4_UNKNOWN_KEY,   /* the caller's: unknown, inactive and deleted look alike */
    SIGV4_BAD_TOKEN,     /* the caller's: session token missing or wrong */
    SIGV4_EXPIRED_TOKEN, /* the caller's */
    SIGV4_MISMATCH,
};

struct sigv4_result {
    enum sigv4_check check;
    struct slice text; /* detail for the message */
};

struct sigv4_auth {
    bool presigned;
    bool version2; /* sigv2.h: no scope, no signed headers */
    struct slice access_key_id;
    struct slice date, region, service; /* of the credential scope */
    struct slice scope;                 /* date/region/service/aws4_request */
    struct slice signed_headers;        /* "host;x-amz-date" as sent */
    struct slice signature;             /* 64 hex digits as sent */
    struct slice amz_date;              /* 20261121T211000Z */
    struct instant time;
    int64_t expires_s;          /* presigned: X-Amz-Expires; -1 when absent */
    struct slice session_token; /* X-Amz-Security-Token, header or query; absent: none */
    struct slice authorization; /* the header's value, for messages */
};

/* Whether the request carries SigV4 in any form, however malformed. */
bool sigv4_is_present(const struct aws_request *request);
struct sigv4_result sigv4_parse(struct arena *arena, const struct aws_request *request, struct sigv4_auth *ret_auth);

/* Scope, date and what must be signed. region absent: any (iam, sts); max_skew is 15 minutes. */
struct sigv4_result sigv4_check_scope(struct arena *arena, const struct sigv4_auth *auth,
                                      const struct aws_request *request, struct slice service, struct slice region,
                                      struct instant now);

/* How the body is covered by the signature; what body.h has to check. */
enum sigv4_payload {
    SIGV4_PAYLOAD_HASHED, /* sha256 of the body must be payload_hash */
    SIGV4_PAYLOAD_UNSIGNED,
    SIGV4_PAYLOAD_CHUNKS,           /* aws-chunked, each chunk signed */
    SIGV4_PAYLOAD_CHUNKS_TRAILER,   /* the same and a signed trailer */
    SIGV4_PAYLOAD_UNSIGNED_TRAILER, /* aws-chunked without signatures, with a trailer */
};

/* What a verified signature leaves for the body: the chain of chunk signatures starts here. */
struct sigv4_chain {
    enum sigv4_payload payload;
    struct slice payload_hash; /* HASHED: 64 hex digits */
    uint8_t key[32];           /* signing key; wipe with secret_wipe */
    struct slice amz_date, scope;
    char signature[64]; /* the seed, then each chunk's */
};

/* Compares in constant time. secret: the key's secret text. For S3 the payload hash is what the header says (the body
 * is checked while it is read); for all others request->body is hashed here. */
struct sigv4_result sigv4_check_signature(struct arena *arena, const struct sigv4_auth *auth,
                                          const struct aws_request *request, struct slice secret,
                                          struct sigv4_chain *ret_chain);
/* The same, with the signing keys of earlier requests at hand (sigv4_keys.h); NULL: none. */
struct sigv4_keys;
struct sigv4_result sigv4_check_signature_with(struct arena *arena, struct sigv4_keys *keys,
                                               const struct sigv4_auth *auth, const struct aws_request *request,
                                               struct slice secret, struct sigv4_chain *ret_chain);

/* The failed check as an error with the code, status and words of the service's protocol family; service NULL: S3.
 * auth may be zeroed when parsing failed. */
struct err *sigv4_err(struct arena *arena, const struct aws_service *service, const struct sigv4_auth *auth,
                      struct sigv4_result result, struct slice region, struct instant now);

/* ---- signing, for our own requests ---- */

struct sigv4_credentials {
    struct slice access_key_id, secret, session_token; /* token absent: none */
};

struct sigv4_request {
    struct slice method;
    struct slice host;                /* as it will be sent, with a port that is not the scheme's default */
    struct slice path;                /* raw, as it will be sent */
    struct slice query;               /* raw; absent: none */
    const struct aws_header *headers; /* to be signed beside host and x-amz-* of ours: content-type, x-amz-target, … */
    size_t header_count;
    struct slice body;
    bool unsigned_payload; /* S3: UNSIGNED-PAYLOAD instead of the body's hash */
    struct slice region, service;
};

/* Headers to add: X-Amz-Date, X-Amz-Security-Token, x-amz-content-sha256 (S3), Authorization. */
struct aws_headers aws_sign_request(struct arena *arena, const struct sigv4_request *request,
                                    const struct sigv4_credentials *credentials, struct instant now);

/* ---- parts, shared by the above and by aws_chunked.c ---- */

enum sigv4_path { SIGV4_PATH_S3, SIGV4_PATH_AS_SENT, SIGV4_PATH_NORMALISED, SIGV4_PATH_TWICE };
struct slice sigv4_canonical_path(struct arena *arena, struct slice path, enum sigv4_path how);
struct slice sigv4_canonical_query(struct arena *arena, struct slice query);
/* Values of signed headers: runs of blanks are one; tabs are blanks to botocore and AWS's SDK for JavaScript, not to the one for Go. */
enum sigv4_tabs { SIGV4_TABS_ARE_BLANKS, SIGV4_TABS_KEPT };
struct slice sigv4_canonical_request(struct arena *arena, const struct aws_request *request, enum sigv4_tabs tabs,
                                     struct slice canonical_path, struct slice signed_headers,
                                     struct slice payload_hash);
void sigv4_signing_key(struct slice secret, struct slice date, struct slice region, struct slice service,
                       uint8_t ret_key[32]);
void sigv4_signature(struct arena *arena, const uint8_t key[32], struct slice amz_date, struct slice scope,
                     struct slice canonical_request, char ret_signature[64]);
/* KEY/DATE/REGION/SERVICE/TERMINATOR into auth; false when it is not that. The terminator is not looked at. */
bool sigv4_parse_credential(struct slice credential, struct sigv4_auth *auth);
/* HMAC of a text that is signed as it stands: a POST policy. */
void sigv4_text_signature(const uint8_t key[32], struct slice text, char ret_signature[64]);
/* Signatures of a chunk and of a trailer; chain->signature is replaced by the result. */
void sigv4_chain_chunk(struct arena *arena, struct sigv4_chain *chain, const uint8_t data_sha256[32]);
void sigv4_chain_trailer(struct arena *arena, struct sigv4_chain *chain, struct slice canonical_trailer);

#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
