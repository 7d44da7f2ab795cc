#include "services/s3/s3.h"

/* Aborting an aborted upload again is success: clients retry. */
struct err *s3_abort_multipart_upload(struct call *call, const struct s3_abort_multipart_upload_request *in,
                                      struct s3_abort_multipart_upload_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    return s3_explain(upload_abort(call->parts->objects, in->bucket, in->key, in->upload_id), (struct s3_subject){S3_UPLOAD(in)});
}
