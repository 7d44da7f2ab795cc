/* arn: see the header. */
#include "aws/arn.h"

#define ARN_MAX_BYTES 2048

bool arn_parse(struct slice text, struct arn *ret_arn)
{
    if (text.len > ARN_MAX_BYTES || slice_has_nul(text) || !slice_starts_with(text, S("arn:")))
        return false;
    struct slice rest = slice_from(text, 4);
    struct arn arn;
    struct slice *parts[] = {&arn.partition, &arn.service, &arn.region, &arn.account};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!rest.ptr)
            return false;
        *parts[i] = slice_cut(&rest, ':');
    }
    arn.resource = rest;
    if (!rest.len || !arn.partition.len || !arn.service.len)
        return false;
    *ret_arn = arn;
    return true;
}

struct slice arn_format(struct arena *arena, const struct arn *arn)
{
    return slice_fmt(arena, "arn:%.*s:%.*s:%.*s:%.*s:%.*s", SLICE_ARG(arn->partition), SLICE_ARG(arn->service),
                     SLICE_ARG(arn->region), SLICE_ARG(arn->account), SLICE_ARG(arn->resource));
}

void arn_split_resource(const struct arn *arn, struct slice *ret_type, struct slice *ret_id)
{
    for (size_t i = 0; i < arn->resource.len; i++) {
        if (arn->resource.ptr[i] != '/' && arn->resource.ptr[i] != ':')
            continue;
        *ret_type = slice_sub(arn->resource, 0, i);
        *ret_id = slice_from(arn->resource, i + 1);
        return;
    }
    *ret_type = S("");
    *ret_id = arn->resource;
}
