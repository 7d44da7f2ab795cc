/* sigv2: S3's Signature Version 2: presigned URLs (AWSAccessKeyId, Expires, Signature in the query), which boto3 and the first AWS CLI
 * still make in the old regions, and "Authorization: AWS KEY:SIGNATURE", which older tools send. Verifying only. Pure; order of use:
 * sigv2_parse, sigv2_check_clock, (look up the key and its token), sigv2_check_signature; sigv4_err words what failed.
 * Source: S3 user guide, "Signing and authenticating REST requests"; checked against botocore (sigv2_test.c). */
#pragma once
#include "aws/message.h"
#include "aws/sigv4.h"

/* Fills version2, presigned, access_key_id, session_token, signature and time (presigned: when it expires; header: when it was signed).
 * SIGV4_PRESIGN_MALFORMED or SIGV4_MALFORMED: it cannot be read; ret_auth then says which of the two forms it was. */
struct sigv4_result sigv2_parse(struct arena *arena, const struct aws_request *request, struct sigv4_auth *ret_auth);
/* SIGV4_PRESIGN_EXPIRED; of a header SIGV4_TOO_OLD or SIGV4_TOO_NEW, a quarter of an hour off. */
struct sigv4_result sigv2_check_clock(const struct sigv4_auth *auth, struct instant now);
/* SIGV4_MISMATCH. request->bucket: of a virtual host. */
struct sigv4_result sigv2_check_signature(struct arena *arena, const struct sigv4_auth *auth, const struct aws_request *request,
                                          struct slice secret);
/* Both. */
struct sigv4_result sigv2_check(struct arena *arena, const struct sigv4_auth *auth, const struct aws_request *request, struct slice secret,
                                struct instant now);
/* base64(HMAC-SHA1): also what signs a POST policy of this version. In constant time. */
bool sigv2_text_matches(struct arena *arena, struct slice secret, struct slice text, struct slice signature);
