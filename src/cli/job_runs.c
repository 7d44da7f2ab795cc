/* job_runs: see the header. */
#include "cli/job_runs.h"
#include "base/encode.h"
#include <stdlib.h>

static struct slice cluster_path(struct arena *arena, struct slice id)
{
    return slice_fmt(arena, "/virtualclusters/%.*s", SLICE_ARG(uri_encode(arena, id, URI_ENCODE_SLASH)));
}

static void add_parameter(struct arena *arena, struct strbuf *query, const char *name, struct slice value)
{
    strbuf_append_fmt(query, "%s%s=%.*s", query->len ? "&" : "", name,
                      SLICE_ARG(uri_encode(arena, value, URI_ENCODE_SLASH)));
}

/* A page's token is the only thing that differs between the pages' questions. */
static struct err *list_page(struct client *client, struct arena *arena, struct slice path, const struct strbuf *query,
                             struct slice token, struct json **ret_page)
{
    struct strbuf whole = STRBUF_ARENA(arena);
    strbuf_append(&whole, strbuf_slice(query));
    if (token.ptr)
        add_parameter(arena, &whole, "nextToken", token);
    return client_emr(client, arena, S("GET"), path, whole.len ? strbuf_slice(&whole) : SLICE_NONE, NULL, ret_page);
}

static void move_all(struct json *from, struct json *to)
{
    while (from && from->first) {
        struct json *child = from->first;
        json_unlink(from, child);
        json_append(to, child);
    }
}

struct err *virtual_clusters_list(struct client *client, struct arena *arena, const char *const *states,
                                  size_t state_count, struct json **ret_list)
{
    struct strbuf query = STRBUF_ARENA(arena);
    for (size_t i = 0; i < state_count; i++)
        add_parameter(arena, &query, "states", slice_from_cstr(states[i]));
    struct json *list = json_array(arena), *page;
    struct slice token = SLICE_NONE;
    do {
        TRY(list_page(client, arena, S("/virtualclusters"), &query, token, &page));
        move_all(json_get(page, S("virtualClusters")), list);
        token = json_get_text(page, "nextToken");
    } while (token.len);
    *ret_list = list;
    return NULL;
}

static struct slice names_of(struct arena *arena, const struct json *list)
{
    struct strbuf out = STRBUF_ARENA(arena);
    size_t count = 0;
    JSON_FOREACH(cluster, list) {
        if (count++ == 5) {
            strbuf_append_cstr(&out, ", …");
            break;
        }
        strbuf_append_fmt(&out, "%s%.*s (%.*s)", out.len ? ", " : "", SLICE_ARG(json_get_text(cluster, "name")),
                          SLICE_ARG(json_get_text(cluster, "id")));
    }
    return strbuf_slice(&out);
}

/* By name: of several of that name the only RUNNING one. By id it may be in any state. */
static struct err *find_named(struct client *client, struct arena *arena, struct slice named, struct json **ret_cluster)
{
    struct json *list, *found = NULL, *running = NULL;
    size_t found_count = 0, running_count = 0;
    TRY(virtual_clusters_list(client, arena, NULL, 0, &list));
    JSON_FOREACH(cluster, list) {
        if (slice_eq(json_get_text(cluster, "id"), named)) {
            *ret_cluster = cluster;
            return NULL;
        }
        if (!slice_eq(json_get_text(cluster, "name"), named))
            continue;
        found = cluster;
        found_count++;
        if (slice_eq(json_get_text(cluster, "state"), S("RUNNING"))) {
            running = cluster;
            running_count++;
        }
    }
    if (!found)
        return err_new(ERR_NOT_FOUND, "there is no virtual cluster %.*s; there are: %.*s", SLICE_ARG(named),
                       SLICE_ARG(list->first ? names_of(arena, list) : S("none")));
    if (running_count != 1 && found_count != 1)
        return err_new(ERR_INVALID,
                       "%zu virtual clusters have the name %.*s: say with --virtual-cluster which by its id",
                       found_count, SLICE_ARG(named));
    *ret_cluster = running_count == 1 ? running : found;
    return NULL;
}

struct err *virtual_cluster_choose(struct client *client, struct arena *arena, struct json **ret_cluster)
{
    const char *named = command_option(client->command, "--virtual-cluster");
    if (named)
        return find_named(client, arena, slice_from_cstr(named), ret_cluster);
    static const char *const RUNNING[] = {"RUNNING"};
    struct json *list;
    TRY(virtual_clusters_list(client, arena, RUNNING, 1, &list));
    if (json_count(list) == 1) {
        *ret_cluster = list->first;
        return NULL;
    }
    if (!list->first)
        return err_new(ERR_NOT_FOUND, "there is no RUNNING virtual cluster: make one with aws emr-containers "
                                      "create-virtual-cluster, or let ember run --create do it");
    return err_new(ERR_INVALID, "say with --virtual-cluster which one is meant: %.*s",
                   SLICE_ARG(names_of(arena, list)));
}

/* ---- runs ---- */

struct err *job_run_describe(struct client *client, struct arena *arena, struct slice virtual_cluster_id,
                             struct slice id, struct json **ret_run)
{
    struct json *output;
    struct slice path = slice_fmt(arena, "%.*s/jobruns/%.*s", SLICE_ARG(cluster_path(arena, virtual_cluster_id)),
                                  SLICE_ARG(uri_encode(arena, id, URI_ENCODE_SLASH)));
    TRY(client_emr(client, arena, S("GET"), path, SLICE_NONE, NULL, &output));
    *ret_run = json_get(output, S("jobRun"));
    return *ret_run ? NULL : err_new(ERR_UNAVAILABLE, "the answer has no job run in it");
}

static bool is_id(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!((id.ptr[i] >= '0' && id.ptr[i] <= '9') || (id.ptr[i] >= 'a' && id.ptr[i] <= 'z')))
            return false;
    return id.len > 0 && id.len <= 64;
}

struct err *job_run_find(struct client *client, struct arena *arena, const char *id, struct json **ret_run)
{
    struct slice wanted = slice_from_cstr(id);
    if (!is_id(wanted))
        return err_new(ERR_INVALID, "%s is no id of a job run; ember jobs lists them", id);
    struct json *list, *cluster;
    if (command_option(client->command, "--virtual-cluster")) {
        TRY(virtual_cluster_choose(client, arena, &cluster));
        return job_run_describe(client, arena, json_get_text(cluster, "id"), wanted, ret_run);
    }
    TRY(virtual_clusters_list(client, arena, NULL, 0, &list));
    JSON_FOREACH(one, list) {
        struct err *e = job_run_describe(client, arena, json_get_text(one, "id"), wanted, ret_run);
        bool missing = e && (e->kind == ERR_NOT_FOUND ||
                             slice_find(err_message(e), S("Invalid job run")) == 0); /* no run can have such an id */
        if (!missing)
            return e;
        err_free(e);
    }
    return err_new(ERR_NOT_FOUND, "there is no job run %s; ember jobs lists them", id);
}

static struct slice runs_query(struct arena *arena, const struct job_runs_filter *filter)
{
    struct strbuf query = STRBUF_ARENA(arena);
    for (size_t i = 0; i < filter->state_count; i++)
        for (struct slice rest = slice_from_cstr(filter->states[i]); rest.ptr;)
            add_parameter(arena, &query, "states", slice_cut(&rest, ','));
    if (filter->name)
        add_parameter(arena, &query, "name", slice_from_cstr(filter->name));
    if (filter->since.ms)
        add_parameter(arena, &query, "createdAfter", instant_iso8601_ms(arena, filter->since));
    return strbuf_slice(&query);
}

/* The newest runs of one virtual cluster, one more than the limit when there are more. */
static struct err *list_of_cluster(struct client *client, struct arena *arena, const struct json *cluster,
                                   const struct job_runs_filter *filter, struct json *runs)
{
    struct slice path = slice_fmt(arena, "%.*s/jobruns", SLICE_ARG(cluster_path(arena, json_get_text(cluster, "id")))),
                 token = SLICE_NONE;
    struct strbuf query = STRBUF_ARENA(arena);
    strbuf_append(&query, runs_query(arena, filter));
    int64_t count = 0;
    do {
        struct json *page;
        TRY(list_page(client, arena, path, &query, token, &page));
        struct json *list = json_get(page, S("jobRuns"));
        JSON_FOREACH(run, list) {
            json_set_text(arena, run, "virtualClusterName", json_get_text(cluster, "name"));
            count++;
        }
        move_all(list, runs);
        token = json_get_text(page, "nextToken");
    } while (token.len && count <= filter->limit);
    return NULL;
}

/* Newest first: ids of runs of one daemon grow with time. */
static int by_age(const void *a, const void *b)
{
    const struct json *x = *(const struct json *const *)a, *y = *(const struct json *const *)b;
    struct instant at_x = {0}, at_y = {0};
    instant_parse_iso8601(json_get_text(x, "createdAt"), &at_x);
    instant_parse_iso8601(json_get_text(y, "createdAt"), &at_y);
    if (at_x.ms != at_y.ms)
        return at_x.ms < at_y.ms ? 1 : -1;
    return slice_cmp(json_get_text(y, "id"), json_get_text(x, "id"));
}

struct err *job_runs_list(struct client *client, struct arena *arena, const struct job_runs_filter *filter,
                          struct json **ret_runs, bool *ret_more)
{
    static const char *const LIVING[] = {"RUNNING", "TERMINATING", "ARRESTED"};
    struct json *clusters, *runs = json_array(arena);
    if (command_option(client->command, "--virtual-cluster")) {
        struct json *cluster;
        TRY(virtual_cluster_choose(client, arena, &cluster));
        TRY(list_of_cluster(client, arena, cluster, filter, runs));
    } else {
        TRY(virtual_clusters_list(client, arena, LIVING, ARRAY_SIZE(LIVING), &clusters));
        JSON_FOREACH(cluster, clusters)
            TRY(list_of_cluster(client, arena, cluster, filter, runs));
    }
    size_t count = json_count(runs), kept = 0;
    struct json **sorted = ARENA_ARRAY(arena, count + 1, struct json *);
    while (runs->first) {
        sorted[kept] = runs->first;
        json_unlink(runs, sorted[kept++]);
    }
    qsort(sorted, count, sizeof(*sorted), by_age);
    for (size_t i = 0; i < count && (int64_t)i < filter->limit; i++)
        json_append(runs, sorted[i]);
    *ret_runs = runs;
    *ret_more = (int64_t)count > filter->limit;
    return NULL;
}

/* ---- what a run says ---- */

bool job_run_is_final(const struct json *run)
{
    static const struct slice FINAL[] = {S_INIT("COMPLETED"), S_INIT("FAILED"), S_INIT("CANCELLED")};
    return slice_is_one_of(json_get_text(run, "state"), FINAL, ARRAY_SIZE(FINAL));
}

struct slice job_run_cause(const struct json *run)
{
    struct slice state = json_get_text(run, "state"), details = json_get_text(run, "stateDetails");
    if (slice_eq(state, S("COMPLETED")) || !details.len)
        return S("");
    ptrdiff_t tail = slice_find(details, S("JobRun failed. Please refer logs"));
    if (tail > 0)
        details = slice_sub(details, 0, (size_t)tail);
    details = slice_trim(details);
    bool cut_short = slice_ends_with(details, S("..."));
    return slice_ends_with(details, S(".")) && !cut_short ? slice_sub(details, 0, details.len - 1) : details;
}

int job_run_exit_code(const struct json *run)
{
    struct slice details = json_get_text(run, "stateDetails"), words = S("exit code ");
    ptrdiff_t at = slice_find(details, words);
    int64_t code = 0;
    for (size_t i = at < 0 ? details.len : (size_t)at + words.len;
         i < details.len && code <= 255 && details.ptr[i] >= '0' && details.ptr[i] <= '9'; i++)
        code = code * 10 + (details.ptr[i] - '0');
    return code >= 1 && code <= 255 ? (int)code : STATUS_FAILED;
}
