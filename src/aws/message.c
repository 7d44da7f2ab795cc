/* message: headers and parameters by name. */
#include "aws/message.h"
#include "base/arena.h"
#include "base/encode.h"

struct slice aws_header_get(struct aws_headers headers, struct slice name)
{
    for (size_t i = 0; i < headers.count; i++)
        if (slice_eq_nocase(headers.items[i].name, name))
            return headers.items[i].value;
    return SLICE_NONE;
}

bool aws_params_parse(struct arena *arena, struct slice text, enum aws_param_plus plus, struct aws_params *ret_params)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '&';
    bool whole = count <= AWS_MAX_PARAMS;
    struct aws_param *items = ARENA_ARRAY(arena, whole ? count : AWS_MAX_PARAMS, struct aws_param);
    size_t used = 0;
    enum uri_plus how = plus == AWS_PLUS_IS_SPACE ? URI_PLUS_IS_SPACE : URI_PLUS_KEPT;
    struct slice rest = text;
    while (rest.ptr && used < AWS_MAX_PARAMS) {
        struct slice part = slice_cut(&rest, '&');
        if (!part.len)
            continue;
        struct slice value = part;
        struct slice name = slice_cut(&value, '=');
        items[used++] = (struct aws_param){
            .name = uri_decode(arena, name, how),
            .value = value.ptr ? uri_decode(arena, value, how) : S(""),
        };
    }
    *ret_params = (struct aws_params){.items = items, .count = used};
    return whole;
}

struct slice aws_params_get(struct aws_params params, struct slice name)
{
    for (size_t i = 0; i < params.count; i++)
        if (slice_eq(params.items[i].name, name))
            return params.items[i].value;
    return SLICE_NONE;
}

bool aws_params_has(struct aws_params params, struct slice name)
{
    return aws_params_get(params, name).ptr != NULL;
}
