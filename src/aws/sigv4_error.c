/* sigv4_error: what each service family says when a check fails. Codes and statuses differ per family, and clients act
 * on them: SDKs correct their clock on some, refresh credentials on others. */
#include "aws/codec.h"
#include "aws/sigv4.h"

enum family { FAMILY_QUERY, FAMILY_JSON, FAMILY_REST, FAMILY_S3 };

static enum family family_of(const struct aws_service *service)
{
    if (!service)
        return FAMILY_S3;
    switch (service->protocol) {
    case AWS_QUERY:
        return FAMILY_QUERY;
    case AWS_JSON_1_1:
        return FAMILY_JSON;
    case AWS_REST_JSON:
        return FAMILY_REST;
    case AWS_REST_XML:
        return FAMILY_S3;
    }
    return FAMILY_S3;
}

#define MISMATCH_TEXT                                                                                                  \
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key " \
    "and signing "                                                                                                     \
    "method. Consult the service documentation for details."
#define MISMATCH_TEXT_S3                                                                                               \
    "The request signature we calculated does not match the signature you provided. Check your key and signing "       \
    "method."
#define UNKNOWN_KEY_TEXT "The security token included in the request is invalid."

/* Wrong scopes are told of where the credential stood. */
static struct err *s3_scope_err(const struct sigv4_auth *auth, struct slice what)
{
    if (auth->presigned)
        return aws_err(ERR_INVALID, 400, "AuthorizationQueryParametersError",
                       "Error parsing the X-Amz-Credential parameter; %.*s", SLICE_ARG(what));
    return aws_err(ERR_INVALID, 400, "AuthorizationHeaderMalformed", "The authorization header is malformed; %.*s",
                   SLICE_ARG(what));
}

static struct err *s3_version2_err(const struct sigv4_auth *auth, struct sigv4_result result)
{
    if (auth->presigned || slice_starts_with(result.text, S("AWS authentication requires")))
        return aws_err(ERR_DENIED, 403, "AccessDenied", "%.*s", SLICE_ARG(result.text));
    struct err *e = aws_err(ERR_INVALID, 400, "InvalidArgument", "%.*s", SLICE_ARG(result.text));
    e = aws_err_member(e, "ArgumentName", S("Authorization"));
    return aws_err_member(e, "ArgumentValue", auth->authorization);
}

static struct err *s3_err(struct arena *arena, const struct sigv4_auth *auth, struct sigv4_result result,
                          struct slice region, struct instant now)
{
    struct err *e;
    switch (result.check) {
    case SIGV4_OK:
        return NULL;
    case SIGV4_NO_CREDENTIALS:
        return aws_err(ERR_DENIED, 403, "AccessDenied", "Access Denied");
    case SIGV4_MALFORMED:
        if (auth->version2)
            return s3_version2_err(auth, result);
        if (slice_starts_with(result.text, S("Credential must")))
            return aws_err(ERR_INVALID, 400, "AuthorizationHeaderMalformed",
                           "The authorization header is malformed; the Credential is mal-formed; expecting "
                           "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
        if (slice_find(result.text, S("'X-Amz-Date'")) >= 0 && slice_find(result.text, S("parameter.")) < 0)
            return aws_err(ERR_DENIED, 403, "AccessDenied",
                           "AWS authentication requires a valid Date or x-amz-date header");
        return aws_err(ERR_INVALID, 400, "AuthorizationHeaderMalformed",
                       "The authorization header is malformed; the authorization header requires three components: "
                       "Credential, SignedHeaders, and Signature.");
    case SIGV4_ALGORITHM:
        return aws_err(ERR_INVALID, 400, "InvalidRequest",
                       "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.");
    case SIGV4_TWO_WAYS:
        e = aws_err(ERR_INVALID, 400, "InvalidArgument",
                    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                    "parameter or the Authorization header should be specified");
        e = aws_err_member(e, "ArgumentName", S("Authorization"));
        return aws_err_member(e, "ArgumentValue", auth->authorization);
    case SIGV4_PRESIGN_MALFORMED:
        if (auth->version2)
            return s3_version2_err(auth, result);
        return aws_err(ERR_INVALID, 400, "AuthorizationQueryParametersError", "%.*s", SLICE_ARG(result.text));
    case SIGV4_SCOPE_DATE:
        return s3_scope_err(auth, slice_fmt(arena,
                                            "Invalid credential date \"%.*s\". This date is not the same as X-Amz-Date: "
                                            "\"%.*s\".",
                                            SLICE_ARG(auth->date), SLICE_ARG(slice_sub(auth->amz_date, 0, 8))));
    case SIGV4_SCOPE_REGION:
        e = s3_scope_err(auth, slice_fmt(arena, "the region '%.*s' is wrong; expecting '%.*s'", SLICE_ARG(auth->region),
                                         SLICE_ARG(region)));
        return aws_err_member(e, "Region", region);
    case SIGV4_SCOPE_SERVICE:
        return s3_scope_err(auth, slice_fmt(arena, "incorrect service \"%.*s\". This endpoint belongs to \"s3\".",
                                            SLICE_ARG(auth->service)));
    case SIGV4_SCOPE_TERMINATOR:
        return s3_scope_err(auth, slice_fmt(arena, "incorrect terminal \"%.*s\". This endpoint uses \"aws4_request\".",
                                            SLICE_ARG(result.text)));
    case SIGV4_TOO_OLD:
    case SIGV4_TOO_NEW:
        e = aws_err(ERR_DENIED, 403, "RequestTimeTooSkewed",
                    "The difference between the request time and the current time is too large.");
        e = aws_err_member(e, "RequestTime", auth->amz_date);
        e = aws_err_member(e, "ServerTime", instant_iso8601(arena, now));
        return aws_err_member(e, "MaxAllowedSkewMilliseconds", S("900000"));
    case SIGV4_PRESIGN_EXPIRED:
        e = aws_err(ERR_DENIED, 403, "AccessDenied", "Request has expired");
        if (!auth->version2)
            e = aws_err_member(e, "X-Amz-Expires", slice_fmt(arena, "%lld", (long long)auth->expires_s));
        int64_t expires_s = auth->version2 ? 0 : auth->expires_s; /* version 2: time is the end already */
        e = aws_err_member(e, "Expires", instant_iso8601(arena, (struct instant){auth->time.ms + expires_s * 1000}));
        return aws_err_member(e, "ServerTime", instant_iso8601(arena, now));
    case SIGV4_HEADERS_NOT_SIGNED:
        e = aws_err(ERR_DENIED, 403, "AccessDenied", "There were headers present in the request which were not signed");
        return aws_err_member(e, "HeadersNotSigned", result.text);
    case SIGV4_NO_CONTENT_SHA256:
        return aws_err(ERR_INVALID, 400, "InvalidRequest",
                       "Missing required header for this request: x-amz-content-sha256");
    case SIGV4_CONTENT_SHA256_INVALID:
        if (slice_starts_with(result.text, S("STREAMING-")))
            return aws_err(ERR_INVALID, 501, "NotImplemented",
                           "A header you provided implies functionality that is not implemented");
        e = aws_err(ERR_INVALID, 400, "InvalidArgument",
                    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.");
        e = aws_err_member(e, "ArgumentName", S("x-amz-content-sha256"));
        return aws_err_member(e, "ArgumentValue", result.text);
    case SIGV4_UNKNOWN_KEY:
        e = aws_err(ERR_DENIED, 403, "InvalidAccessKeyId",
                    "The AWS Access Key Id you provided does not exist in our records.");
        return aws_err_member(e, "AWSAccessKeyId", auth->access_key_id);
    case SIGV4_BAD_TOKEN:
        if (!auth->session_token.ptr)
            return aws_err(ERR_DENIED, 403, "InvalidAccessKeyId",
                           "The AWS Access Key Id you provided does not exist in our records.");
        return aws_err(ERR_DENIED, 400, "InvalidToken", "The provided token is malformed or otherwise invalid.");
    case SIGV4_EXPIRED_TOKEN:
        return aws_err(ERR_DENIED, 400, "ExpiredToken", "The provided token has expired.");
    case SIGV4_HOST_NOT_SIGNED:
    case SIGV4_MISMATCH:
        e = aws_err(ERR_DENIED, 403, "SignatureDoesNotMatch", MISMATCH_TEXT_S3);
        return aws_err_member(e, "AWSAccessKeyId", auth->access_key_id);
    }
    return aws_err(ERR_DENIED, 403, "AccessDenied", "Access Denied");
}

static struct err *incomplete(enum family family, struct slice text)
{
    return aws_err(ERR_INVALID, family == FAMILY_REST ? 403 : 400,
                   family == FAMILY_QUERY ? "IncompleteSignature" : "IncompleteSignatureException", "%.*s",
                   SLICE_ARG(text));
}

struct err *sigv4_err(struct arena *arena, const struct aws_service *service, const struct sigv4_auth *auth,
                      struct sigv4_result result, struct slice region, struct instant now)
{
    enum family family = family_of(service);
    if (family == FAMILY_S3)
        return s3_err(arena, auth, result, region, now);
    int status = family == FAMILY_JSON ? 400 : 403;
    const char *mismatch = family == FAMILY_QUERY ? "SignatureDoesNotMatch" : "InvalidSignatureException";
    switch (result.check) {
    case SIGV4_OK:
        return NULL;
    case SIGV4_NO_CREDENTIALS:
        if (family == FAMILY_QUERY)
            return aws_err(ERR_DENIED, 403, "MissingAuthenticationToken", "Request is missing Authentication Token");
        return aws_err(ERR_DENIED, status, "MissingAuthenticationTokenException", "Missing Authentication Token");
    case SIGV4_PRESIGN_MALFORMED:
        if (slice_starts_with(result.text, S("Query-string")))
            result.text = S("AWS query-string parameters must include 'X-Amz-Algorithm', 'X-Amz-Credential', "
                            "'X-Amz-Date', 'X-Amz-SignedHeaders' and 'X-Amz-Signature'. Re-examine the query-string "
                            "parameters.");
        return incomplete(family, result.text);
    case SIGV4_MALFORMED:
    case SIGV4_ALGORITHM:
        return incomplete(family, result.text);
    case SIGV4_SCOPE_DATE:
    case SIGV4_TOO_OLD:
    case SIGV4_TOO_NEW:
        return aws_err(ERR_DENIED, status, mismatch, "%.*s", SLICE_ARG(result.text));
    case SIGV4_SCOPE_REGION:
        return aws_err(ERR_DENIED, status, mismatch, "Credential should be scoped to a valid region.");
    case SIGV4_SCOPE_SERVICE:
        return aws_err(ERR_DENIED, status, mismatch, "Credential should be scoped to correct service: '%.*s'. ",
                       SLICE_ARG(result.text));
    case SIGV4_SCOPE_TERMINATOR:
        return aws_err(ERR_DENIED, status, mismatch,
                       "Credential should be scoped with a valid terminator: 'aws4_request', not '%.*s'.",
                       SLICE_ARG(result.text));
    case SIGV4_PRESIGN_EXPIRED:
        return aws_err(ERR_DENIED, status, mismatch, "Signature expired: %.*s", SLICE_ARG(auth->amz_date));
    case SIGV4_HOST_NOT_SIGNED:
        return aws_err(ERR_DENIED, status, mismatch, "'Host' must be a 'SignedHeader' in the AWS Authorization.");
    case SIGV4_UNKNOWN_KEY:
    case SIGV4_BAD_TOKEN:
        return aws_err(ERR_DENIED, status,
                       family == FAMILY_QUERY ? "InvalidClientTokenId" : "UnrecognizedClientException",
                       UNKNOWN_KEY_TEXT);
    case SIGV4_EXPIRED_TOKEN:
        return aws_err(ERR_DENIED, status, family == FAMILY_QUERY ? "ExpiredToken" : "ExpiredTokenException",
                       "The security token included in the request is expired");
    case SIGV4_HEADERS_NOT_SIGNED:
        return aws_err(ERR_DENIED, status, mismatch, "'%.*s' must be a 'SignedHeader' in the AWS Authorization.",
                       SLICE_ARG(result.text));
    case SIGV4_TWO_WAYS:
    case SIGV4_NO_CONTENT_SHA256:
    case SIGV4_CONTENT_SHA256_INVALID:
    case SIGV4_MISMATCH:
        return aws_err(ERR_DENIED, status, mismatch, MISMATCH_TEXT);
    }
    return aws_err(ERR_DENIED, status, mismatch, MISMATCH_TEXT);
}
