/* sigv2: S3's presigned URLs of Signature Version 2 (AWSAccessKeyId, Expires, Signature in the query), which boto3 and the first
 * AWS CLI still make in the old regions. Verifying only. Pure; order of use as in sigv4.h.
 * Source: S3 user guide, "Signing and authenticating REST requests" (query string authentication); checked against botocore. */
#pragma once
#include "aws/message.h"
#include "aws/sigv4.h"

/* Fills access_key_id, session_token, time (when it expires) and signature of auth. SIGV4_PRESIGN_MALFORMED: it cannot be read. */
struct sigv4_result sigv2_parse(struct arena *arena, const struct aws_request *request, struct sigv4_auth *ret_auth);
/* SIGV4_OK, SIGV4_PRESIGN_EXPIRED or SIGV4_MISMATCH. request->bucket: of a virtual host. */
struct sigv4_result sigv2_check(struct arena *arena, const struct sigv4_auth *auth, const struct aws_request *request, struct slice secret,
                                struct instant now);
