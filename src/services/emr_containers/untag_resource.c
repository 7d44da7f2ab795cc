/* UntagResource: keys that are not there are no error. */
#include "services/emr_containers/resource.h"

struct err *emr_containers_untag_resource(struct call *call, const struct emr_containers_untag_resource_request *in,
                                          struct emr_containers_untag_resource_response *out)
{
    (void)out;
    TRY(tagged_resource_check(call, in->resource_arn));
    return store_tags_remove(call->parts->store, in->resource_arn, in->tag_keys.items, in->tag_keys.count);
}
