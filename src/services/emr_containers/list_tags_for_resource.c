/* ListTagsForResource. */
#include "services/emr_containers/resource.h"

struct err *emr_containers_list_tags_for_resource(struct call *call, const struct emr_containers_list_tags_for_resource_request *in,
                                                  struct emr_containers_list_tags_for_resource_response *out)
{
    TRY(tagged_resource_check(call, in->resource_arn));
    return tags_of(call, in->resource_arn, &out->tags);
}
