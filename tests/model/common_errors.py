"""Error codes that no operation's model lists: what every AWS service may answer, with the status. By protocol, since they differ.
Sources: the services' pages of common errors, the list of S3's error responses."""

JSON = {
    "AccessDeniedException": 400, "ExpiredTokenException": 400, "IncompleteSignatureException": 400, "InvalidSignatureException": 400,
    "MissingAuthenticationTokenException": 400, "UnrecognizedClientException": 400, "UnknownOperationException": 400, "SerializationException": 400,
    "ThrottlingException": 400, "InternalFailure": 500, "ServiceUnavailableException": 503, "RequestEntityTooLargeException": 413,
}
REST = {
    "AccessDeniedException": 403, "ExpiredTokenException": 403, "IncompleteSignatureException": 403, "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403, "UnrecognizedClientException": 403, "UnknownOperationException": 404, "SerializationException": 400,
    "ThrottlingException": 429, "RequestThrottledException": 400, "InternalFailure": 500, "ServiceUnavailableException": 503, "RequestEntityTooLargeException": 413,
}
QUERY = {
    "AccessDenied": 403, "ExpiredToken": 403, "IncompleteSignature": 400, "InvalidAction": 400, "InvalidClientTokenId": 403, "MalformedInput": 400,
    "MissingAction": 400, "MissingAuthenticationToken": 403, "SignatureDoesNotMatch": 403, "Throttling": 400, "ValidationError": 400,
    "InternalFailure": 500, "ServiceUnavailable": 503, "ServiceUnavailableException": 503, "RequestEntityTooLargeException": 413,
}
S3 = {
    "AccessDenied": 403, "AccessControlListNotSupported": 400, "AuthorizationHeaderMalformed": 400, "AuthorizationQueryParametersError": 400,
    "BadDigest": 400, "BucketAlreadyExists": 409, "BucketAlreadyOwnedByYou": 409, "BucketNotEmpty": 409, "ConditionalRequestConflict": 409,
    "EntityTooLarge": 400, "EntityTooSmall": 400, "ExpiredToken": 400, "IllegalLocationConstraintException": 400, "IncompleteBody": 400,
    "InternalError": 500, "InvalidAccessKeyId": 403, "InvalidArgument": 400, "InvalidBucketName": 400, "InvalidDigest": 400,
    "InvalidLocationConstraint": 400, "InvalidPart": 400, "InvalidPartNumber": 416, "InvalidPartOrder": 400, "InvalidRange": 416,
    "InvalidRequest": 400, "InvalidStorageClass": 400, "InvalidTag": 400, "InvalidToken": 400, "KeyTooLongError": 400, "MalformedPOSTRequest": 400,
    "MalformedTrailerError": 400, "MalformedXML": 400, "MaxMessageLengthExceeded": 400, "MaxPostPreDataLengthExceededError": 400, "MetadataTooLarge": 400, "MethodNotAllowed": 405,
    "MissingContentLength": 411, "MissingRequestBodyError": 400, "MissingSecurityHeader": 400, "NoSuchBucket": 404, "NoSuchKey": 404,
    "NoSuchUpload": 404, "NoSuchVersion": 404, "NotImplemented": 501, "OperationAborted": 409, "PreconditionFailed": 412,
    "RequestTimeTooSkewed": 403, "RequestTimeout": 400, "ServiceUnavailable": 503, "SignatureDoesNotMatch": 403, "SlowDown": 503,
    "XAmzContentSHA256Mismatch": 400, "IncorrectNumberOfFilesInPostRequest": 400, "UserKeyMustBeSpecified": 400, "InvalidPolicyDocument": 400,
    "RequestEntityTooLargeException": 413,
}
OF_PROTOCOL = {"json": JSON, "rest-json": REST, "query": QUERY, "rest-xml": S3}
