#include "cluster/apiserver/authz.h"
#include "cluster/apiserver/authn.h"
#include "cluster/apiserver/selector.h"
#include <stdlib.h>

/* One rule: "a,b" lists; "*" is everything. */
struct rule {
    const char *groups, *resources, *verbs;
};

static const struct rule driver_rules[] = {
    {"", "pods", "create,delete,deletecollection,get,list,patch,watch"},
    {"", "configmaps", "create,deletecollection"},
    {"", "services", "deletecollection"},
    {"", "persistentvolumeclaims", "create,deletecollection,list"},
};
static const struct rule known_rules[] = {
    {"authorization.k8s.io", "selfsubjectaccessreviews,selfsubjectrulesreviews", "create"},
    {"authentication.k8s.io", "selfsubjectreviews", "create"},
};
static const struct rule master_rules[] = {{"*", "*", "*"}};

/* Paths; a trailing "*" stands for any rest. */
static const char *const public_paths[] = {"/healthz", "/livez", "/readyz", "/version", "/version/", NULL};
static const char *const known_paths[] = {"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/", NULL};
static const char *const account_paths[] = {"/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/", NULL};
static const char *const all_paths[] = {"*", NULL};

static bool in_list(const char *list, struct slice wanted)
{
    struct slice rest = slice_from_cstr(list);
    if (slice_eq(rest, S("*")))
        return true;
    while (rest.ptr)
        if (slice_eq(slice_cut(&rest, ','), wanted))
            return true;
    return false;
}

static bool path_in(const char *const *paths, struct slice path)
{
    for (; *paths; paths++) {
        struct slice pattern = slice_from_cstr(*paths);
        if (slice_ends_with(pattern, S("*")) ? slice_starts_with(path, slice_sub(pattern, 0, pattern.len - 1)) : slice_eq(path, pattern))
            return true;
    }
    return false;
}

static bool is_driver_in(const struct user *user, struct slice namespace_name)
{
    struct slice rest = user->name, account_namespace, account;
    if (!namespace_name.len || !slice_starts_with(rest, S("system:serviceaccount:")))
        return false;
    rest = slice_from(rest, sizeof("system:serviceaccount:") - 1);
    return slice_split(rest, ':', &account_namespace, &account) && slice_eq(account_namespace, namespace_name) &&
           slice_starts_with(account, S(DRIVER_ACCOUNT_PREFIX));
}

struct rule_set {
    const struct rule *rules;
    size_t count;
    const char *const *paths;
    const char *reason;
};

enum { RULE_SETS_MAX = 5 };

/* The sets that hold for the user in the namespace. */
static size_t rule_sets(const struct user *user, struct slice namespace_name, struct rule_set out[RULE_SETS_MAX])
{
    size_t count = 0;
    if (user_in_group(user, S("system:masters")))
        out[count++] = (struct rule_set){master_rules, ARRAY_SIZE(master_rules), all_paths, ""};
    if (is_driver_in(user, namespace_name))
        out[count++] = (struct rule_set){driver_rules, ARRAY_SIZE(driver_rules), NULL, "service account of a driver"};
    if (user_in_group(user, S("system:serviceaccounts")))
        out[count++] = (struct rule_set){NULL, 0, account_paths, "service account"};
    if (user_in_group(user, S("system:authenticated")))
        out[count++] = (struct rule_set){known_rules, ARRAY_SIZE(known_rules), known_paths,
                                         "RBAC: allowed by ClusterRoleBinding \"system:basic-user\" of ClusterRole \"system:basic-user\" to "
                                         "Group \"system:authenticated\""};
    if (user_in_group(user, S("system:authenticated")) || user_in_group(user, S("system:unauthenticated")))
        out[count++] = (struct rule_set){NULL, 0, public_paths, "public"};
    return count;
}

bool authz_allows(const struct user *user, const struct authz_request *request, const char **ret_reason)
{
    struct rule_set sets[RULE_SETS_MAX];
    size_t count = rule_sets(user, request->namespace_name, sets);
    for (size_t i = 0; i < count; i++) {
        bool allowed = false;
        if (!request->is_resource) {
            allowed = sets[i].paths && path_in(sets[i].paths, request->path) &&
                      (sets[i].paths == all_paths || slice_eq(request->verb, S("get")));
        } else {
            for (size_t k = 0; k < sets[i].count && !allowed; k++) {
                const struct rule *rule = &sets[i].rules[k];
                bool plain = !request->subresource.len || slice_eq(slice_from_cstr(rule->resources), S("*"));
                allowed = plain && in_list(rule->groups, request->group) && in_list(rule->resources, request->resource) &&
                          in_list(rule->verbs, request->verb);
            }
        }
        if (allowed) {
            if (ret_reason)
                *ret_reason = sets[i].reason;
            return true;
        }
    }
    return false;
}

/* The name that a list or watch asks for by fieldSelector=metadata.name=X counts as the request's name. */
static struct slice requested_name(const struct api_call *call)
{
    if (call->name.len || !call->kind)
        return call->name;
    const struct field_selector *selector = NULL;
    struct err *e = field_selector_parse(call->arena, call->kind, call_query(call, "fieldSelector"), &selector);
    struct slice name = e ? S("") : field_selector_name(selector);
    err_free(e); /* told again when the selector is used */
    return name.ptr ? name : S("");
}

struct err *authorize(struct api_call *call)
{
    struct authz_request request = {
        .verb = slice_from_cstr(call->verb ? call->verb : ""),
        .is_resource = call->is_resource,
        .path = call->path,
        .group = call->group,
        .resource = call->resource,
        .subresource = call->subresource,
        .namespace_name = call->namespace_name,
        .name = call->name,
    };
    if (authz_allows(&call->user, &request, NULL))
        return NULL;
    if (!call->is_resource)
        return status_forbidden_path(call->user.name, request.verb, call->path);
    struct slice where = S("at the cluster scope");
    if (call->namespace_name.len)
        where = slice_fmt(call->arena, "in the namespace \"%.*s\"", SLICE_ARG(call->namespace_name));
    struct slice what = call->resource;
    if (call->subresource.len)
        what = slice_fmt(call->arena, "%.*s/%.*s", SLICE_ARG(call->resource), SLICE_ARG(call->subresource));
    struct kind named = {.group = slice_cstr(call->arena, call->group), .version = "v1", .resource = slice_cstr(call->arena, call->resource)};
    return status_forbidden(&named, requested_name(call), "User \"%.*s\" cannot %s resource \"%.*s\" in API group \"%.*s\" %.*s",
                            SLICE_ARG(call->user.name), request.verb.ptr, SLICE_ARG(what), SLICE_ARG(call->group), SLICE_ARG(where));
}

static void list_to_json(struct arena *arena, struct json *rule, const char *key, const char *list)
{
    struct json *array = json_ensure_array(arena, rule, key);
    struct slice rest = slice_from_cstr(list);
    while (rest.ptr)
        json_append(array, json_string(arena, slice_cut(&rest, ',')));
}

struct json *authz_rules(struct arena *arena, const struct user *user, struct slice namespace_name)
{
    struct json *status = json_object(arena);
    struct json *resource_rules = json_ensure_array(arena, status, "resourceRules");
    struct json *path_rules = json_ensure_array(arena, status, "nonResourceRules");
    struct rule_set sets[RULE_SETS_MAX];
    size_t count = rule_sets(user, namespace_name, sets);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < sets[i].count; k++) {
            struct json *rule = json_object(arena);
            list_to_json(arena, rule, "verbs", sets[i].rules[k].verbs);
            list_to_json(arena, rule, "apiGroups", sets[i].rules[k].groups);
            list_to_json(arena, rule, "resources", sets[i].rules[k].resources);
            json_append(resource_rules, rule);
        }
        if (!sets[i].paths)
            continue;
        struct json *rule = json_object(arena);
        list_to_json(arena, rule, "verbs", sets[i].paths == all_paths ? "*" : "get");
        struct json *urls = json_ensure_array(arena, rule, "nonResourceURLs");
        for (const char *const *path = sets[i].paths; *path; path++)
            json_append(urls, json_cstr(arena, *path));
        json_append(path_rules, rule);
    }
    json_set_bool(arena, status, "incomplete", false);
    return status;
}
