#include "logstore/filter_pattern.h"
#include "services/logs/logs.h"

struct err *logs_filter_log_events(struct call *call, const struct logs_filter_log_events_request *in,
                                   struct logs_filter_log_events_response *out)
{
    if (in->log_stream_names.set && in->log_stream_name_prefix.ptr)
        return logs_invalid_parameter("logStreamNames and logStreamNamePrefix cannot both be specified.");
    struct log_filter filter = {
        .streams = in->log_stream_names.count ? in->log_stream_names.items : NULL,
        .stream_count = in->log_stream_names.count,
        .stream_prefix = in->log_stream_name_prefix,
        .start_ms = in->start_time.value,
        .end_ms = in->end_time.set ? in->end_time.value : LOGSTORE_TIME_MAX,
        .token = in->next_token,
        .max_bytes = LOGS_PAGE_MAX_BYTES,
    };
    struct filter_pattern *pattern = NULL;
    TRY(logs_group_name(in->log_group_name, in->log_group_identifier, &filter.group));
    TRY(logs_limit(in->limit, LOGS_PAGE_MAX_EVENTS, &filter.max_events));
    if (in->filter_pattern.len)
        TRY(filter_pattern_compile(call->arena, in->filter_pattern, &pattern));
    filter.pattern = pattern;
    struct log_event_view *views;
    size_t count;
    TRY(log_events_filter(call->parts->logstore, call->arena, &filter, &views, &count, &out->next_token));
    struct logs_filtered_log_event *events = ARENA_ARRAY(call->arena, count + 1, struct logs_filtered_log_event);
    for (size_t i = 0; i < count; i++)
        events[i] = (struct logs_filtered_log_event){.log_stream_name = views[i].stream,
                                                     .timestamp = OPT_I64(views[i].at.ms),
                                                     .message = views[i].message,
                                                     .ingestion_time = OPT_I64(views[i].ingested_at.ms),
                                                     .event_id = log_event_view_id(call->arena, &views[i])};
    out->events = (struct logs_filtered_log_event_list){.set = true, .count = count, .items = events};
    out->searched_log_streams.set = true; /* deprecated: always empty */
    return NULL;
}
