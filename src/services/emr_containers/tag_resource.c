/* TagResource. */
#include "services/emr_containers/resource.h"

struct err *emr_containers_tag_resource(struct call *call, const struct emr_containers_tag_resource_request *in,
                                        struct emr_containers_tag_resource_response *out)
{
    (void)out;
    struct tags tags;
    TRY(tagged_resource_check(call, in->resource_arn));
    TRY(tags_from_map(call, &in->tags, &tags));
    struct err *e = store_tags_put(call->parts->store, in->resource_arn, tags, EMR_CONTAINERS_MAX_TAGS);
    if (e && err_has_code(e, "TooManyTags")) {
        err_free(e);
        return emr_containers_invalid("The resource would have more than %d tags.", EMR_CONTAINERS_MAX_TAGS);
    }
    return e;
}
