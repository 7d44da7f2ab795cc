/* resource: see the header. */
#include "services/emr_containers/resource.h"
#include "aws/codec.h"
#include "base/digest.h"
#include "base/encode.h"

struct slice virtual_cluster_arn(const struct call *call, struct slice id)
{
    return slice_fmt(call->arena, "arn:aws:emr-containers:%.*s:%.*s:/virtualclusters/%.*s", SLICE_ARG(call->parts->region),
                     SLICE_ARG(call->parts->account_id), SLICE_ARG(id));
}

struct slice job_run_arn(const struct call *call, struct slice virtual_cluster_id, struct slice id)
{
    return slice_fmt(call->arena, "%.*s/jobruns/%.*s", SLICE_ARG(virtual_cluster_arn(call, virtual_cluster_id)), SLICE_ARG(id));
}

struct err *virtual_cluster_missing(struct slice id)
{
    return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "Virtual cluster %.*s doesn't exist.", SLICE_ARG(id));
}

struct err *job_run_missing(struct slice id)
{
    return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "Job run %.*s doesn't exist.", SLICE_ARG(id));
}

struct err *job_run_find(struct call *call, struct slice virtual_cluster_id, struct slice id, struct job_run *ret_row)
{
    struct job_run row;
    if (id.len != 19)
        return emr_containers_invalid("Invalid job run short id");
    struct err *e = store_job_run_get(call->parts->store, call->arena, id, &row);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return job_run_missing(id);
    }
    if (e)
        return e;
    if (!slice_eq(row.virtual_cluster_id, virtual_cluster_id))
        return job_run_missing(id);
    *ret_row = row;
    return NULL;
}

struct err *tags_from_map(struct call *call, const struct slice_map *map, struct tags *ret_tags)
{
    struct tags tags = {.items = ARENA_ARRAY(call->arena, map->count + 1, struct tag)};
    for (size_t i = 0; i < map->count; i++) {
        struct slice key = map->entries[i].key;
        if (slice_starts_with_nocase(key, S("aws:")))
            return emr_containers_invalid("aws: prefixed tag key names are not allowed for external use.");
        tags.items[tags.count++] = (struct tag){.key = key, .value = map->entries[i].value};
    }
    *ret_tags = tags;
    return NULL;
}

struct slice_map tags_to_map(struct call *call, const struct tags *tags)
{
    struct slice_map_entry *entries = ARENA_ARRAY(call->arena, tags->count + 1, struct slice_map_entry);
    for (size_t i = 0; i < tags->count; i++)
        entries[i] = (struct slice_map_entry){.key = tags->items[i].key, .value = tags->items[i].value};
    return (struct slice_map){.set = true, .count = tags->count, .entries = entries};
}

struct err *tags_of(struct call *call, struct slice arn, struct slice_map *ret_map)
{
    struct tags tags;
    TRY(store_tags_get(call->parts->store, call->arena, arn, &tags));
    *ret_map = tags_to_map(call, &tags);
    return NULL;
}

struct err *tagged_resource_check(struct call *call, struct slice arn)
{
    struct slice prefix = virtual_cluster_arn(call, S(""));
    struct slice rest = slice_from(arn, prefix.len), id, job;
    if (!slice_starts_with(arn, prefix) || !rest.len)
        return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "Resource %.*s doesn't exist.", SLICE_ARG(arn));
    id = slice_cut(&rest, '/');
    if (!rest.ptr) {
        struct virtual_cluster row;
        struct err *e = store_virtual_cluster_get(call->parts->store, call->arena, id, &row);
        if (e && e->kind == ERR_NOT_FOUND) {
            err_free(e);
            return virtual_cluster_missing(id);
        }
        return e;
    }
    struct slice kind = slice_cut(&rest, '/');
    job = rest;
    if (!slice_eq(kind, S("jobruns")) || !job.len)
        return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "Resource %.*s doesn't exist.", SLICE_ARG(arn));
    struct job_run row;
    return job_run_find(call, id, job, &row);
}

struct slice page_token_make(struct call *call, char kind, struct slice position)
{
    return base64url_encode(call->arena, slice_fmt(call->arena, "1%c%.*s", kind, SLICE_ARG(position)));
}

struct err *page_token_read(struct call *call, char kind, struct slice token, struct slice *ret_position)
{
    struct slice text;
    if (!base64url_decode(call->arena, token, &text) || text.len < 3 || text.ptr[0] != '1' || text.ptr[1] != kind)
        return emr_containers_invalid("Invalid next token");
    *ret_position = slice_from(text, 2);
    return NULL;
}

struct err *page_size(struct opt_i64 max_results, int64_t *ret_size)
{
    if (max_results.set && max_results.value < 1)
        return emr_containers_invalid("1 validation error detected: Value '%lld' at 'maxResults' failed to satisfy constraint: "
                                      "Member must have value greater than or equal to 1",
                                      (long long)max_results.value);
    *ret_size = max_results.set && max_results.value < EMR_CONTAINERS_PAGE ? max_results.value : EMR_CONTAINERS_PAGE;
    return NULL;
}

struct slice request_digest(struct call *call, struct slice path_id, const void *in_without_token)
{
    struct slice body = aws_json_encode(call->arena, call->operation->request, in_without_token);
    return sha256_hex(call->arena, slice_fmt(call->arena, "%.*s\n%.*s", SLICE_ARG(path_id), SLICE_ARG(body)));
}

struct slice request_member_json(struct call *call, struct slice name, const void *value)
{
    if (!value)
        return SLICE_NONE;
    const struct aws_member *member = aws_member_find(call->operation->request, name);
    return aws_json_encode(call->arena, member->shape, value);
}
