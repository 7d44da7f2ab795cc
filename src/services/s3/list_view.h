/* list_view: pages of keys as ListObjects and ListObjectsV2 show them. */
#pragma once
#include "services/s3/s3.h"

struct s3_page {
    struct s3_object_list contents;
    struct s3_common_prefix_list common_prefixes;
    struct object_list list;
};
/* Reads one page; names are encoded when encoding_type asks for it. */
struct err *s3_page_read(struct call *call, const struct object_list_query *query, struct slice encoding_type, bool owners,
                         struct s3_page *ret_page) NODISCARD;
/* InvalidArgument for anything but "url". */
struct err *s3_encoding_type_check(struct slice encoding_type) NODISCARD;
