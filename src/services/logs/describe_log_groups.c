#include "services/logs/logs.h"

/* arn ends with ":*", logGroupArn does not: clients use the one for policies, the other for tags. */
static struct logs_log_group item_of_view(struct call *call, const struct log_group_view *view)
{
    struct slice arn = logs_group_arn(call, view->name);
    struct logs_log_group item = {
        .log_group_name = view->name,
        .creation_time = OPT_I64(view->created_at.ms),
        .metric_filter_count = OPT_I64(0),
        .arn = slice_fmt(call->arena, "%.*s:*", SLICE_ARG(arn)),
        .stored_bytes = OPT_I64(view->stored_bytes),
        .log_group_class = LOGS_LOG_GROUP_CLASS_STANDARD,
        .log_group_arn = arn,
        .deletion_protection_enabled = OPT_BOOL(false),
    };
    if (view->retention_days != LOGSTORE_NO_RETENTION)
        item.retention_in_days = OPT_I64(view->retention_days);
    return item;
}

/* Named groups: those that exist. */
static struct err *by_identifier(struct call *call, struct slice_list identifiers, struct logs_log_group *items, size_t *ret_count)
{
    size_t count = 0;
    for (size_t i = 0; i < identifiers.count; i++) {
        struct slice name;
        struct log_group_view view;
        TRY(logs_group_name(SLICE_NONE, identifiers.items[i], &name));
        struct err *e = log_group_get(call->parts->logstore, call->arena, name, &view);
        if (e && e->kind == ERR_NOT_FOUND) {
            err_free(e);
            continue;
        }
        TRY(e);
        items[count++] = item_of_view(call, &view);
    }
    *ret_count = count;
    return NULL;
}

struct err *logs_describe_log_groups(struct call *call, const struct logs_describe_log_groups_request *in,
                                     struct logs_describe_log_groups_response *out)
{
    if (in->log_group_name_prefix.ptr && in->log_group_name_pattern.ptr)
        return logs_invalid_parameter("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
    struct log_list query = {.prefix = in->log_group_name_prefix, .pattern = in->log_group_name_pattern};
    TRY(logs_limit(in->limit, LOGS_LIST_MAX, &query.max));
    TRY(logs_list_token_parse(call->arena, in->next_token, &query.after));
    size_t count = 0;
    struct logs_log_group *items;
    if (in->log_group_identifiers.count) {
        items = ARENA_ARRAY(call->arena, in->log_group_identifiers.count, struct logs_log_group);
        TRY(by_identifier(call, in->log_group_identifiers, items, &count));
    } else {
        struct log_group_view *views;
        bool more;
        TRY(log_group_list(call->parts->logstore, call->arena, &query, &views, &count, &more));
        items = ARENA_ARRAY(call->arena, count + 1, struct logs_log_group);
        for (size_t i = 0; i < count; i++)
            items[i] = item_of_view(call, &views[i]);
        if (more)
            out->next_token = logs_list_token(call->arena, views[count - 1].name);
    }
    out->log_groups = (struct logs_log_group_list){.set = true, .count = count, .items = items};
    return NULL;
}
