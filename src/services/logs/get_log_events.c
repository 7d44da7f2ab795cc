#include "services/logs/logs.h"

/* endTime is exclusive here, and inclusive in FilterLogEvents. */
struct err *logs_get_log_events(struct call *call, const struct logs_get_log_events_request *in, struct logs_get_log_events_response *out)
{
    struct log_read read = {
        .stream = in->log_stream_name,
        .start_ms = in->start_time.value,
        .end_ms = in->end_time.set ? in->end_time.value : LOGSTORE_TIME_MAX,
        .direction = in->start_from_head.value ? LOG_FROM_HEAD : LOG_FROM_TAIL,
        .token = in->next_token.len ? in->next_token : SLICE_NONE,
        .max_bytes = LOGS_PAGE_MAX_BYTES,
    };
    struct log_page page;
    TRY(logs_group_name(in->log_group_name, in->log_group_identifier, &read.group));
    TRY(logs_limit(in->limit, LOGS_PAGE_MAX_EVENTS, &read.max_events));
    TRY(log_events_read(call->parts->logstore, call->arena, &read, &page));
    struct logs_output_log_event *events = ARENA_ARRAY(call->arena, page.count + 1, struct logs_output_log_event);
    for (size_t i = 0; i < page.count; i++)
        events[i] = (struct logs_output_log_event){.timestamp = OPT_I64(page.events[i].at.ms),
                                                   .message = page.events[i].message,
                                                   .ingestion_time = OPT_I64(page.events[i].ingested_at.ms)};
    *out = (struct logs_get_log_events_response){
        .events = {.set = true, .count = page.count, .items = events},
        .next_forward_token = page.forward_token,
        .next_backward_token = page.backward_token,
    };
    return NULL;
}
