/* list_options: the query of lists, watches and collection deletes. Errors are Statuses.
 * Source: kubernetes documentation, "Kubernetes API Concepts"; captures list-versions, watch-start, watch-bookmarks. */
#pragma once
#include "cluster/apiserver/call.h"
#include "cluster/apiserver/selector.h"

enum version_match { VERSION_MATCH_UNSET, VERSION_MATCH_EXACT, VERSION_MATCH_NOT_OLDER };

struct list_options {
    const struct label_selector *labels;
    const struct field_selector *fields;
    int64_t limit;             /* 0: all */
    struct slice continue_token;
    bool has_version;
    int64_t version;           /* 0 when absent or "0" */
    enum version_match match;
    int64_t timeout_s;         /* 0: none given */
    bool bookmarks;
    bool has_send_initial, send_initial;
};

/* arena: where selectors live (a watch's own). watch: the rules for watches. */
enum list_purpose { FOR_LIST, FOR_WATCH };
struct err *list_options_parse(struct api_call *call, struct arena *arena, enum list_purpose purpose,
                               struct list_options *ret_options) NODISCARD;
/* Both selectors on an object of the registry, seen as kind. */
bool list_options_match(const struct list_options *options, const struct kind *kind, const struct object *object);
/* The tree of the object, seen as kind. */
struct json *object_json_as(struct arena *arena, const struct kind *kind, const struct object *object);
