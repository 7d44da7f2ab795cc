/* resource: see the header. */
#include "services/emr_containers/resource.h"
#include "aws/codec.h"
#include "base/digest.h"
#include "services/emr_containers/page_token.h"

static struct slice arn_of(const struct call *call, const char *kind, struct slice id)
{
    return slice_fmt(call->arena, "arn:aws:emr-containers:%.*s:%.*s:/%s/%.*s", SLICE_ARG(call->parts->region), SLICE_ARG(call->parts->account_id),
                     kind, SLICE_ARG(id));
}

struct slice virtual_cluster_arn(const struct call *call, struct slice id)
{
    return arn_of(call, "virtualclusters", id);
}

struct slice job_template_arn(const struct call *call, struct slice id)
{
    return arn_of(call, "jobtemplates", id);
}

struct slice security_configuration_arn(const struct call *call, struct slice id)
{
    return arn_of(call, "securityconfigurations", id);
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

static struct err *resource_missing(struct slice arn)
{
    return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "Resource %.*s doesn't exist.", SLICE_ARG(arn));
}

static struct err *check_document(struct call *call, enum document_kind kind, struct slice id, struct slice arn)
{
    struct document row;
    struct err *e = store_document_get(call->parts->store, call->arena, kind, id, &row);
    if (!e || e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    return resource_missing(arn);
}

static struct err *check_virtual_cluster(struct call *call, struct slice id)
{
    struct virtual_cluster row;
    struct err *e = store_virtual_cluster_get(call->parts->store, call->arena, id, &row);
    if (!e || e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    return virtual_cluster_missing(id);
}

/* The service says that job templates and security configurations have tags too, though the model's RsiArn does not; source: Service
 * Authorization Reference. */
struct err *tagged_resource_check(struct call *call, struct slice arn)
{
    struct slice prefix = arn_of(call, "", S("")); /* …:// */
    prefix = slice_sub(prefix, 0, prefix.len - 1);
    if (!slice_starts_with(arn, prefix))
        return resource_missing(arn);
    struct slice rest = slice_from(arn, prefix.len);
    struct slice kind = slice_cut(&rest, '/'), id = slice_cut(&rest, '/');
    if (!id.len)
        return resource_missing(arn);
    if (!rest.ptr) {
        if (slice_eq(kind, S("virtualclusters")))
            return check_virtual_cluster(call, id);
        if (slice_eq(kind, S("jobtemplates")))
            return check_document(call, DOCUMENT_JOB_TEMPLATE, id, arn);
        if (slice_eq(kind, S("securityconfigurations")))
            return check_document(call, DOCUMENT_SECURITY_CONFIGURATION, id, arn);
        return resource_missing(arn);
    }
    struct slice below = slice_cut(&rest, '/');
    struct job_run row;
    if (!slice_eq(kind, S("virtualclusters")) || !slice_eq(below, S("jobruns")) || !rest.len)
        return resource_missing(arn);
    return job_run_find(call, id, rest, &row);
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

/* A request's shape with all members in the body, wherever they travel, but for those that say nothing of what is asked. */
static struct aws_shape asked_shape(struct call *call)
{
    const struct aws_shape *request = call->operation->request;
    struct aws_member *members = ARENA_ARRAY(call->arena, request->member_count + 1, struct aws_member);
    struct aws_shape shape = *request;
    shape.members = members;
    shape.member_count = 0;
    for (size_t i = 0; i < request->member_count; i++) {
        struct aws_member member = request->members[i];
        if (member.idempotency_token || slice_eq(member.name, S("nextToken")) || slice_eq(member.name, S("maxResults")))
            continue;
        member.location = AWS_IN_BODY;
        members[shape.member_count++] = member;
    }
    return shape;
}

static struct slice asked(struct call *call, const void *in)
{
    struct aws_shape shape = asked_shape(call);
    return slice_fmt(call->arena, "%.*s %.*s", SLICE_ARG(call->operation->name), SLICE_ARG(aws_json_encode(call->arena, &shape, in)));
}

struct slice request_digest(struct call *call, const void *in)
{
    return sha256_hex(call->arena, asked(call, in));
}

struct err *client_token_taken(struct slice token)
{
    return emr_containers_invalid("The client token %.*s was already used for another request.", SLICE_ARG(token));
}

struct err *request_answered(struct call *call, struct slice token, const void *in, struct client_token_use *ret_use)
{
    *ret_use = (struct client_token_use){0};
    if (!token.ptr)
        return NULL;
    struct err *e = store_client_token_find(call->parts->store, call->arena, call->operation->name, token, request_digest(call, in), call->now, ret_use);
    if (!e || !err_has_code(e, "ClientToken"))
        return e;
    err_free(e);
    return client_token_taken(token);
}

struct slice page_token_make(struct call *call, const void *in, struct slice place)
{
    return page_token_encode(call->arena, call->parts->page_token_key, asked(call, in), place);
}

struct err *page_token_read(struct call *call, const void *in, struct slice token, struct slice *ret_place)
{
    if (!page_token_decode(call->arena, call->parts->page_token_key, asked(call, in), token, ret_place))
        return emr_containers_invalid("Invalid next token");
    return NULL;
}

struct slice page_token_make_i64(struct call *call, const void *in, int64_t place)
{
    return page_token_make(call, in, slice_fmt(call->arena, "%lld", (long long)place));
}

struct err *page_token_read_i64(struct call *call, const void *in, struct slice token, int64_t *ret_place)
{
    struct slice text;
    TRY(page_token_read(call, in, token, &text));
    if (!slice_to_i64(text, 1, INT64_MAX, ret_place))
        return emr_containers_invalid("Invalid next token");
    return NULL;
}

struct slice request_member_json(struct call *call, struct slice name, const void *value)
{
    if (!value)
        return SLICE_NONE;
    const struct aws_member *member = aws_member_find(call->operation->request, name);
    return aws_json_encode(call->arena, member->shape, value);
}

struct err *stored_member_decode(struct call *call, struct slice operation, struct slice member_name, struct slice json, const void **ret_value)
{
    *ret_value = NULL;
    if (!json.ptr)
        return NULL;
    const struct aws_member *member = aws_member_find(aws_operation_find(&emr_containers_service, operation)->request, member_name);
    void *value = arena_alloc(call->arena, member->shape->size);
    struct err *e = aws_json_decode(call->arena, &emr_containers_service, member->shape, json, value);
    if (e) {
        struct err *broken = err_new(ERR_INTERNAL, "a stored %.*s cannot be read: %.*s", SLICE_ARG(member_name), SLICE_ARG(err_message(e)));
        err_free(e);
        return broken;
    }
    *ret_value = value;
    return NULL;
}

struct err *document_create(struct call *call, enum document_kind kind, struct slice name, struct slice body, const struct slice_map *tags,
                            struct slice token, const void *in, struct document *ret_row)
{
    struct document row = {
        .kind = kind,
        .id = random_text(call->arena, 25, S("0123456789abcdefghijklmnopqrstuvwxyz")),
        .name = name,
        .body = body,
        .created_by = call->principal.arn,
        .created_at = call->now,
    };
    TRY(tags_from_map(call, tags, &row.tags));
    struct slice arn = kind == DOCUMENT_JOB_TEMPLATE ? job_template_arn(call, row.id) : security_configuration_arn(call, row.id), id;
    struct err *e = store_document_insert(call->parts->store, call->arena, &row, arn, token, request_digest(call, in), &id);
    if (e && err_has_code(e, "ClientToken")) {
        err_free(e);
        return client_token_taken(token);
    }
    if (e)
        return e;
    if (!slice_eq(id, row.id)) { /* made before; it may be gone again by now, and the answer is the same one */
        struct client_token_use first;
        TRY(request_answered(call, token, in, &first));
        row.id = id;
        row.created_at = first.at;
    }
    *ret_row = row;
    return NULL;
}

struct err *document_list(struct call *call, struct document_filter *filter, struct opt_i64 max_results, struct slice next_token, const void *in,
                          struct document_page *ret_page, struct slice *ret_next_token)
{
    struct document_page page;
    TRY(page_size(max_results, &filter->limit));
    if (next_token.ptr)
        TRY(page_token_read_i64(call, in, next_token, &filter->before_sequence));
    TRY(store_document_list(call->parts->store, call->arena, filter, &page));
    *ret_next_token = page.next_sequence ? page_token_make_i64(call, in, page.next_sequence) : SLICE_NONE;
    *ret_page = page;
    return NULL;
}
