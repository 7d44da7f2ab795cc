#include "services/call.h"

#include "aws/codec.h"
#include "aws/gen/eks.h"
#include "base/encode.h"
#include "cluster/cluster.h"

#define DEFAULT_MAX_RESULTS 100

/* By name; the token is the last name of a page. */
struct err *eks_list_clusters(struct call *call, const struct eks_list_clusters_request *in, struct eks_list_clusters_response *out)
{
    struct slice after = SLICE_NONE;
    if (in->next_token.len && !base64url_decode(call->arena, in->next_token, &after))
        return aws_err(ERR_INVALID, 400, "InvalidParameterException", "The nextToken is invalid.");
    struct cluster_view *views;
    size_t count;
    TRY(cluster_list(call->parts->clusters, call->arena, &views, &count));
    size_t max = in->max_results.set && in->max_results.value > 0 ? (size_t)in->max_results.value : DEFAULT_MAX_RESULTS;
    struct slice *names = ARENA_ARRAY(call->arena, count + 1, struct slice);
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        if (after.ptr && slice_cmp(views[i].name, after) <= 0)
            continue;
        if (taken == max) {
            out->next_token = base64url_encode(call->arena, names[taken - 1]);
            break;
        }
        names[taken++] = views[i].name;
    }
    out->clusters = (struct slice_list){.set = true, .count = taken, .items = names};
    return NULL;
}
