#include "services/s3/s3.h"

#define MAX_BUCKETS 10000

struct err *s3_list_buckets(struct call *call, const struct s3_list_buckets_request *in, struct s3_list_buckets_response *out)
{
    struct slice after = SLICE_NONE;
    if (in->continuation_token.len && !base64url_decode(call->arena, in->continuation_token, &after))
        return s3_invalid_argument("continuation-token", in->continuation_token, "The continuation token provided is incorrect");
    size_t max = in->max_buckets.set && in->max_buckets.value > 0 && in->max_buckets.value < MAX_BUCKETS ? (size_t)in->max_buckets.value
                                                                                                        : MAX_BUCKETS;
    struct bucket_view *views = NULL;
    size_t count = 0;
    bool truncated = false;
    if (!in->bucket_region.len || slice_eq(in->bucket_region, call->parts->region))
        TRY(bucket_list(call->parts->objects, call->arena, in->prefix, after, max, &views, &count, &truncated));
    struct s3_bucket *buckets = ARENA_ARRAY(call->arena, count + 1, struct s3_bucket);
    for (size_t i = 0; i < count; i++)
        buckets[i] = (struct s3_bucket){.name = views[i].name,
                                        .creation_date = s3_seconds(views[i].created_at),
                                        .bucket_region = call->parts->region};
    struct s3_owner *owner = ARENA_NEW(call->arena, struct s3_owner);
    owner->id = s3_owner_id(call);
    out->buckets = (struct s3_bucket_list){.set = true, .count = count, .items = buckets};
    out->owner = owner;
    out->prefix = in->prefix;
    if (truncated)
        out->continuation_token = base64url_encode(call->arena, views[count - 1].name);
    return NULL;
}
