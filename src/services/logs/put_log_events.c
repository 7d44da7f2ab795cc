#include "services/logs/logs.h"

/* Source: CloudWatch Logs API reference, PutLogEvents. */
#define MAX_BATCH_BYTES 1048576
#define MAX_EVENTS 10000
#define EVENT_OVERHEAD_BYTES 26
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define TOO_NEW_MS (2 * HOUR_MS)
#define TOO_OLD_MS (14 * DAY_MS)

static struct err *batch_check(const struct logs_input_log_event_list *events)
{
    size_t size_bytes = 0;
    if (events->count > MAX_EVENTS)
        return logs_invalid_parameter("1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length "
                                      "less than or equal to %d",
                                      MAX_EVENTS);
    for (size_t i = 0; i < events->count; i++) {
        size_bytes += events->items[i].message.len + EVENT_OVERHEAD_BYTES;
        if (i && events->items[i].timestamp.value < events->items[i - 1].timestamp.value)
            return logs_invalid_parameter("Log events in a single PutLogEvents request must be in chronological order.");
    }
    if (size_bytes > MAX_BATCH_BYTES)
        return logs_invalid_parameter("Upload too large: %zu bytes exceeds limit of %d", size_bytes, MAX_BATCH_BYTES);
    if (events->count && events->items[events->count - 1].timestamp.value - events->items[0].timestamp.value > DAY_MS)
        return logs_invalid_parameter("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
    return NULL;
}

/* Events are in order: the refused ones are a run at the beginning and one at the end. *ret_first, *ret_end: what is neither too old nor
 * too new; what the group's retention leaves out of that is the store's to say. */
static void cut(const struct call *call, const struct logs_input_log_event_list *events, size_t *ret_first, size_t *ret_end)
{
    size_t first = 0, end = events->count;
    while (first < events->count && events->items[first].timestamp.value < call->now.ms - TOO_OLD_MS)
        first++;
    while (end > first && events->items[end - 1].timestamp.value > call->now.ms + TOO_NEW_MS)
        end--;
    *ret_first = first;
    *ret_end = end;
}

/* Start is the first refused index, the two ends are exclusive. */
static const struct logs_rejected_log_events_info *tell_rejected(struct call *call, const struct logs_input_log_event_list *events, size_t old,
                                                                 size_t end, int retention_days)
{
    int64_t expired_before = retention_days ? call->now.ms - retention_days * DAY_MS : INT64_MIN;
    size_t expired = 0;
    while (expired < events->count && events->items[expired].timestamp.value < expired_before)
        expired++;
    if (!old && !expired && end == events->count)
        return NULL;
    struct logs_rejected_log_events_info *info = ARENA_NEW(call->arena, struct logs_rejected_log_events_info);
    if (old)
        info->too_old_log_event_end_index = OPT_I64((int64_t)old);
    if (expired)
        info->expired_log_event_end_index = OPT_I64((int64_t)expired);
    if (end < events->count)
        info->too_new_log_event_start_index = OPT_I64((int64_t)end);
    return info;
}

/* Sequence tokens have had no meaning since 2023; old clients still fail without one in the answer. */
struct err *logs_put_log_events(struct call *call, const struct logs_put_log_events_request *in, struct logs_put_log_events_response *out)
{
    TRY(batch_check(&in->log_events));
    size_t first, end;
    cut(call, &in->log_events, &first, &end);
    size_t count = end - first;
    struct log_event_in *events = ARENA_ARRAY(call->arena, count + 1, struct log_event_in);
    for (size_t i = 0; i < count; i++) {
        const struct logs_input_log_event *event = &in->log_events.items[first + i];
        events[i] = (struct log_event_in){.at.ms = event->timestamp.value, .message = event->message};
    }
    int retention_days;
    TRY(log_events_put(call->parts->logstore, in->log_group_name, in->log_stream_name, events, count, call->now, &retention_days));
    out->next_sequence_token = slice_fmt(call->arena, "4%055lld", (long long)call->now.ms);
    out->rejected_log_events_info = tell_rejected(call, &in->log_events, first, end, retention_days);
    return NULL;
}
