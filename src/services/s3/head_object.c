#include "services/s3/s3.h"

struct err *s3_head_object(struct call *call, const struct s3_head_object_request *in, struct s3_head_object_response *out)
{
    return s3_read_object(call, S3_READ_REQUEST(in));
}
