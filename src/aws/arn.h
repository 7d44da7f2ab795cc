/* arn: arn:partition:service:region:account:resource. Pure; parts borrow the text. */
#pragma once
#include "base/slice.h"

struct arn {
    struct slice partition, service, region, account; /* region and account may be empty */
    struct slice resource;                            /* all the rest, with its colons and slashes */
};

/* False when it has not six parts, or partition, service or resource is empty, or it is longer than 2048 bytes. */
bool arn_parse(struct slice text, struct arn *ret_arn);
struct slice arn_format(struct arena *arena, const struct arn *arn);
/* "role" and "path/name" of role/path/name or role:path/name; resource_type empty when there is no separator. */
void arn_split_resource(const struct arn *arn, struct slice *ret_type, struct slice *ret_id);
