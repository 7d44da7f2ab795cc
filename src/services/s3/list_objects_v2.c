#include "services/s3/list_view.h"

/* A token is the last key of its page (or the last prefix, which is then skipped whole): it stays good while keys come and go.
 * The first byte tells it from other text. */
#define TOKEN_MARK 'k'

static struct err *token_parse(struct call *call, struct slice token, struct slice *ret_after)
{
    struct slice text;
    if (!base64url_decode(call->arena, token, &text) || !text.len || text.ptr[0] != TOKEN_MARK)
        return s3_invalid_argument("continuation-token", token, "The continuation token provided is incorrect");
    *ret_after = slice_from(text, 1);
    return NULL;
}

struct err *s3_list_objects_v2(struct call *call, const struct s3_list_objects_v2_request *in, struct s3_list_objects_v2_response *out)
{
    TRY(s3_owner_check(call, in->expected_bucket_owner));
    struct object_list_query query = {
        .bucket = in->bucket, .prefix = in->prefix, .delimiter = in->delimiter, .after = in->start_after};
    TRY(s3_max_parse(call->arena, in->max_keys, "max-keys", &query.max));
    if (in->continuation_token.len)
        TRY(token_parse(call, in->continuation_token, &query.after));
    struct s3_page page;
    TRY(s3_page_read(call, &query, in->encoding_type, in->fetch_owner.value, &page));
    *out = (struct s3_list_objects_v2_response){
        .is_truncated = OPT_BOOL(page.list.truncated),
        .contents = page.contents,
        .name = in->bucket,
        .prefix = s3_name_encode(call->arena, in->encoding_type, in->prefix.ptr ? in->prefix : S("")),
        .delimiter = in->delimiter.len ? s3_name_encode(call->arena, in->encoding_type, in->delimiter) : SLICE_NONE,
        .max_keys = OPT_I64((int64_t)query.max),
        .common_prefixes = page.common_prefixes,
        .encoding_type = in->encoding_type.len ? in->encoding_type : SLICE_NONE,
        .key_count = OPT_I64((int64_t)page.list.count),
        .continuation_token = in->continuation_token,
        .start_after = s3_name_encode(call->arena, in->encoding_type, in->start_after),
    };
    if (page.list.truncated)
        out->next_continuation_token = base64url_encode(call->arena, slice_fmt(call->arena, "%c%.*s", TOKEN_MARK, SLICE_ARG(page.list.last)));
    return NULL;
}
