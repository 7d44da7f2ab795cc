#include "services/logs/logs.h"

static struct logs_log_stream item_of_view(struct call *call, struct slice group, const struct log_stream_view *view)
{
    struct logs_log_stream item = {
        .log_stream_name = view->name,
        .creation_time = OPT_I64(view->created_at.ms),
        .arn = slice_fmt(call->arena, "%.*s:log-stream:%.*s", SLICE_ARG(logs_group_arn(call, group)), SLICE_ARG(view->name)),
        .stored_bytes = OPT_I64(0), /* for streams always 0 since 2019 */
    };
    if (view->has_events) {
        item.first_event_timestamp = OPT_I64(view->first_event_at.ms);
        item.last_event_timestamp = OPT_I64(view->last_event_at.ms);
        item.last_ingestion_time = OPT_I64(view->last_ingestion_at.ms);
    }
    return item;
}

/* A token of the order by time is "TIME NAME". */
static struct err *time_token_parse(struct slice text, struct log_list *query, int64_t *ret_at)
{
    struct slice at;
    if (!query->after.ptr)
        return NULL;
    if (!slice_split(text, ' ', &at, &query->after) || !slice_to_i64(at, -1, INT64_MAX, ret_at))
        return logs_invalid_parameter("The specified nextToken is invalid.");
    return NULL;
}

struct err *logs_describe_log_streams(struct call *call, const struct logs_describe_log_streams_request *in,
                                      struct logs_describe_log_streams_response *out)
{
    struct slice group;
    bool by_time = slice_eq(in->order_by, LOGS_ORDER_BY_LASTEVENTTIME), more;
    if (by_time && in->log_stream_name_prefix.ptr)
        return logs_invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix.");
    struct log_list query = {.prefix = in->log_stream_name_prefix, .descending = in->descending.value};
    struct log_stream_view *views;
    size_t count;
    int64_t after_at = 0;
    TRY(logs_group_name(in->log_group_name, in->log_group_identifier, &group));
    TRY(logs_limit(in->limit, LOGS_LIST_MAX, &query.max));
    TRY(logs_list_token_parse(call->arena, in->next_token, &query.after));
    if (by_time) {
        TRY(time_token_parse(query.after, &query, &after_at));
        TRY(log_stream_list_by_time(call->parts->logstore, call->arena, group, &query, after_at, &views, &count, &more));
    } else {
        TRY(log_stream_list(call->parts->logstore, call->arena, group, &query, &views, &count, &more));
    }
    struct logs_log_stream *items = ARENA_ARRAY(call->arena, count + 1, struct logs_log_stream);
    for (size_t i = 0; i < count; i++)
        items[i] = item_of_view(call, group, &views[i]);
    out->log_streams = (struct logs_log_stream_list){.set = true, .count = count, .items = items};
    if (more && by_time)
        out->next_token = logs_list_token(call->arena, slice_fmt(call->arena, "%lld %.*s", (long long)log_stream_time_place(&views[count - 1]),
                                                                 SLICE_ARG(views[count - 1].name)));
    else if (more)
        out->next_token = logs_list_token(call->arena, views[count - 1].name);
    return NULL;
}
