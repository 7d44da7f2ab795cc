#include "cluster/apiserver/list_options.h"

#define TIMEOUT_MAX_S (INT64_C(365) * 86400)

static struct err *invalid_options(const struct field_errors *errors)
{
    return field_errors_to_err_of(errors, "meta.k8s.io", "ListOptions", S(""));
}

static struct err *parse_version(const struct api_call *call, enum list_purpose purpose, struct list_options *options)
{
    struct slice text = call_query(call, "resourceVersion");
    if (!text.len)
        return NULL;
    options->has_version = true;
    uint64_t version;
    if (!slice_to_u64(text, INT64_MAX, &version)) {
        if (purpose == FOR_WATCH) /* a watch says so with a 500: capture watch-start */
            return status_plain_500("resourceVersion: Invalid value: \"%.*s\": strconv.ParseUint: parsing \"%.*s\": invalid syntax",
                                    SLICE_ARG(text), SLICE_ARG(text));
        return status_bad_request("invalid resource version: resourceVersion: Invalid value: \"%.*s\": strconv.ParseUint: parsing "
                                  "\"%.*s\": invalid syntax",
                                  SLICE_ARG(text), SLICE_ARG(text));
    }
    options->version = (int64_t)version;
    return NULL;
}

static struct err *parse_match(const struct api_call *call, enum list_purpose purpose, struct list_options *options)
{
    struct field_errors errors = {.arena = call->arena};
    struct slice match = call_query(call, "resourceVersionMatch");
    struct slice initial = call_query(call, "sendInitialEvents");
    options->has_send_initial = initial.ptr != NULL;
    options->send_initial = call_query_flag(call, "sendInitialEvents");
    if (match.len) {
        if (purpose == FOR_WATCH && !options->has_send_initial)
            field_forbidden(&errors, S("resourceVersionMatch"), "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        else if (purpose == FOR_LIST && !options->has_version)
            field_forbidden(&errors, S("resourceVersionMatch"), "resourceVersionMatch is forbidden unless resourceVersion is provided");
        if (slice_eq(match, S("Exact")))
            options->match = VERSION_MATCH_EXACT;
        else if (slice_eq(match, S("NotOlderThan")))
            options->match = VERSION_MATCH_NOT_OLDER;
        else {
            static const char *const supported[] = {"Exact", "NotOlderThan", "", NULL};
            field_not_supported(&errors, S("resourceVersionMatch"), json_string(call->arena, match), supported);
        }
        if (purpose == FOR_LIST && options->match == VERSION_MATCH_EXACT && options->has_version && options->version == 0)
            field_forbidden(&errors, S("resourceVersionMatch"), "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        if (options->match != VERSION_MATCH_UNSET && options->continue_token.len)
            field_forbidden(&errors, S("resourceVersionMatch"), "resourceVersionMatch is forbidden when continue is provided");
    }
    if (options->has_send_initial) {
        if (purpose == FOR_LIST)
            field_forbidden(&errors, S("sendInitialEvents"), "sendInitialEvents is forbidden for list");
        else if (options->match != VERSION_MATCH_NOT_OLDER)
            field_forbidden(&errors, S("resourceVersionMatch"), "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        if (purpose == FOR_WATCH && options->match == VERSION_MATCH_EXACT) {
            static const char *const only[] = {"NotOlderThan", NULL};
            field_not_supported(&errors, S("resourceVersionMatch"), json_string(call->arena, match), only);
        }
        if (purpose == FOR_WATCH && options->match == VERSION_MATCH_NOT_OLDER && options->send_initial && !options->bookmarks)
            field_forbidden(&errors, S("allowWatchBookmarks"), "sendInitialEvents requires setting allowWatchBookmarks to true");
    }
    return invalid_options(&errors);
}

struct err *list_options_parse(struct api_call *call, struct arena *arena, enum list_purpose purpose, struct list_options *ret_options)
{
    struct list_options options = {0};
    TRY(call_query_i64(call, "limit", 0, &options.limit));
    TRY(call_query_i64(call, "timeoutSeconds", 0, &options.timeout_s));
    TRY(label_selector_parse(arena, slice_dup(arena, call_query(call, "labelSelector")), &options.labels));
    TRY(field_selector_parse(arena, call->kind, slice_dup(arena, call_query(call, "fieldSelector")), &options.fields));
    options.continue_token = call_query(call, "continue");
    options.bookmarks = call_query_flag(call, "allowWatchBookmarks");
    if (options.timeout_s > TIMEOUT_MAX_S)
        options.timeout_s = TIMEOUT_MAX_S;
    if (options.limit < 0)
        options.limit = 0;
    if (options.continue_token.len && call_query(call, "resourceVersion").len && !slice_eq(call_query(call, "resourceVersion"), S("0")))
        return status_bad_request("specifying resource version is not allowed when using continue");
    TRY(parse_version(call, purpose, &options));
    TRY(parse_match(call, purpose, &options));
    if (options.has_version && options.version == 0 && !options.continue_token.len)
        options.limit = 0; /* what the real server's cache does */
    *ret_options = options;
    return NULL;
}

struct json *object_json_as(struct arena *arena, const struct kind *kind, const struct object *object)
{
    struct json *json = object_json(arena, object);
    if (kind_is_view(kind))
        kind_convert(arena, json, kind_find(S(""), S("v1"), call_stored_resource(kind)), kind);
    return json;
}

bool list_options_match(const struct list_options *options, const struct kind *kind, const struct object *object)
{
    if (options->labels && !label_selector_matches(options->labels, JSON_AT(object->index, "metadata", "labels")))
        return false;
    if (!options->fields)
        return true;
    if (!kind_is_view(kind))
        return field_selector_matches(options->fields, object->index);
    struct arena *arena = arena_new();
    bool matches = field_selector_matches(options->fields, object_json_as(arena, kind, object));
    arena_free(arena);
    return matches;
}
