#include "services/s3/s3.h"

struct err *s3_get_object(struct call *call, const struct s3_get_object_request *in, struct s3_get_object_response *out)
{
    return s3_read_object(call, S3_READ_REQUEST(in));
}
