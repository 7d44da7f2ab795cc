/* get and list. */
#include "base/encode.h"
#include "cluster/apiserver/list_options.h"
#include "cluster/apiserver/rest.h"
#include "cluster/apiserver/server_internal.h"
#include "cluster/apiserver/table.h"

static struct err *check_not_future(struct api_call *call, int64_t wanted)
{
    int64_t current = registry_revision(call->server->registry);
    return wanted > current ? status_too_large_version((uint64_t)wanted, (uint64_t)current) : NULL;
}

struct err *rest_get(struct api_call *call)
{
    struct slice version = call_query(call, "resourceVersion");
    uint64_t wanted = 0;
    if (version.len && !slice_to_u64(version, INT64_MAX, &wanted))
        return status_bad_request("invalid resource version: resourceVersion: Invalid value: \"%.*s\": strconv.ParseUint: parsing "
                                  "\"%.*s\": invalid syntax", SLICE_ARG(version), SLICE_ARG(version));
    TRY(check_not_future(call, (int64_t)wanted));
    _cleanup_(object_unrefp) struct object *object = NULL;
    TRY(registry_get(call->server->registry, call_stored_resource(call->kind), call->namespace_name, call->name, &object));
    return answer_object(call, 200, object);
}

/* ---- pages: continue is base64url of {"v": "meta.k8s.io/v1", "rv": N, "start": "NAMESPACE/NAME"}, the last one shown ---- */

struct page {
    struct slice after_namespace, after_name;
    int64_t version; /* -1: inconsistent, whatever is there now */
};

static struct slice continue_make(struct arena *arena, int64_t version, struct slice namespace_name, struct slice name)
{
    struct json *token = json_object(arena);
    json_set_cstr(arena, token, "v", "meta.k8s.io/v1");
    json_set_i64(arena, token, "rv", version);
    json_set_text(arena, token, "start", slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(namespace_name), SLICE_ARG(name)));
    return base64url_encode(arena, json_to_slice(arena, token));
}

static struct err *continue_parse(struct arena *arena, struct slice text, struct page *ret_page)
{
    struct slice bytes;
    struct json *token = NULL;
    if (!base64url_decode(arena, text, &bytes))
        return status_bad_request("invalid continue token: continue key is not valid: illegal base64 data");
    struct err *e = json_parse(arena, bytes, JSON_DUPLICATES_LAST_WINS, &token);
    struct page page = {.version = json_get_i64(token, "rv", 0)};
    bool fits = !e && slice_eq(json_get_text(token, "v"), S("meta.k8s.io/v1")) && page.version != 0 &&
                slice_split(json_get_text(token, "start"), '/', &page.after_namespace, &page.after_name);
    bool broken = e != NULL;
    err_free(e);
    if (!fits && broken && bytes.len)
        return status_bad_request("invalid continue token: continue key is not valid: invalid character '%c' looking for beginning of value",
                                  (unsigned char)bytes.ptr[0] < 0x7f && bytes.ptr[0] >= ' ' ? bytes.ptr[0] : '?');
    if (!fits)
        return status_bad_request("invalid continue token: continue key is not valid: server does not recognize this encoded version");
    *ret_page = page;
    return NULL;
}

static struct err *read_state(struct api_call *call, const struct list_options *options, struct page *page, struct object_list *ret_list)
{
    struct registry *registry = call->server->registry;
    struct slice resource = call_stored_resource(call->kind);
    if (options->continue_token.len) {
        TRY(continue_parse(call->arena, options->continue_token, page));
        if (page->version > 0) {
            struct err *e = registry_list_at(registry, resource, call->namespace_name, page->version, ret_list);
            if (!e)
                return NULL;
            err_free(e);
            return status_expired_continue(continue_make(call->arena, -1, page->after_namespace, page->after_name));
        }
    } else if (options->match == VERSION_MATCH_EXACT && options->version > 0) {
        TRY(check_not_future(call, options->version));
        return registry_list_at(registry, resource, call->namespace_name, options->version, ret_list);
    } else {
        TRY(check_not_future(call, options->version));
    }
    registry_list(registry, resource, call->namespace_name, ret_list);
    return NULL;
}

struct selection {
    const struct object **items;
    size_t count;
    size_t remaining; /* behind the page */
    bool more;
};

static bool is_behind(const struct object *object, const struct page *page)
{
    int by_namespace = slice_cmp(object->namespace_name, page->after_namespace);
    return by_namespace > 0 || (by_namespace == 0 && slice_cmp(object->name, page->after_name) > 0);
}

static struct selection select_items(struct api_call *call, const struct list_options *options, const struct page *page,
                                     const struct object_list *list)
{
    struct selection selection = {.items = ARENA_ARRAY(call->arena, list->count + 1, const struct object *)};
    for (size_t i = 0; i < list->count; i++) {
        if (page->after_name.ptr && !is_behind(list->items[i], page))
            continue;
        if (!list_options_match(options, call->kind, list->items[i]))
            continue;
        if (options->limit && selection.count == (size_t)options->limit) {
            selection.more = true;
            selection.remaining++;
            continue;
        }
        selection.items[selection.count++] = list->items[i];
    }
    return selection;
}

static struct json *list_metadata(struct api_call *call, const struct list_options *options, const struct selection *selection,
                                  int64_t version)
{
    struct json *metadata = json_object(call->arena);
    json_set(call->arena, metadata, S("resourceVersion"), json_fmt(call->arena, "%lld", (long long)version));
    if (!selection->more)
        return metadata;
    const struct object *last = selection->items[selection->count - 1];
    json_set_text(call->arena, metadata, "continue", continue_make(call->arena, version, last->namespace_name, last->name));
    if (!options->labels && !options->fields)
        json_set_i64(call->arena, metadata, "remainingItemCount", (int64_t)selection->remaining);
    return metadata;
}

/* Items as they are stored, without their kind and apiVersion. */
static struct slice list_text(struct api_call *call, const struct selection *selection, const struct json *metadata)
{
    struct strbuf body = STRBUF_ARENA(call->arena);
    size_t size = 256;
    for (size_t i = 0; i < selection->count; i++)
        size += selection->items[i]->item.len + 2;
    strbuf_reserve(&body, size);
    strbuf_append_fmt(&body, "{\"kind\":\"%sList\",\"apiVersion\":\"%.*s\",\"metadata\":", call->kind->kind,
                      SLICE_ARG(kind_api_version(call->arena, call->kind)));
    json_write(&body, metadata);
    strbuf_append(&body, S(",\"items\":["));
    for (size_t i = 0; i < selection->count; i++) {
        if (i)
            strbuf_append_char(&body, ',');
        if (kind_is_view(call->kind)) {
            struct json *item = object_json_as(call->arena, call->kind, selection->items[i]);
            json_remove(item, S("kind"));
            json_remove(item, S("apiVersion"));
            json_write(&body, item);
        } else {
            strbuf_append_char(&body, '{');
            strbuf_append(&body, selection->items[i]->item);
        }
    }
    strbuf_append(&body, S("]}\n"));
    return strbuf_slice(&body);
}

static struct err *answer_list(struct api_call *call, const struct answer_choice *choice, const struct selection *selection,
                               const struct json *metadata)
{
    if (choice->form == ANSWER_OBJECT) {
        answer_text(call, 200, choice->content_type, list_text(call, selection, metadata));
        return NULL;
    }
    struct json *objects = json_array(call->arena);
    for (size_t i = 0; i < selection->count; i++)
        json_append(objects, object_json_as(call->arena, call->kind, selection->items[i]));
    struct json *body;
    if (choice->form == ANSWER_TABLE) {
        struct table_options options = {.now = instant_now()};
        TRY(table_include_parse(call_query(call, "includeObject"), &options.include));
        body = table_render(call->arena, call->kind, objects, metadata, &options);
    } else {
        body = partial_object_metadata_list(call->arena, objects, metadata);
    }
    answer_text(call, 200, choice->content_type, json_to_slice(call->arena, body));
    return NULL;
}

struct err *rest_list(struct api_call *call)
{
    struct list_options options;
    struct answer_choice choice;
    TRY(list_options_parse(call, call->arena, FOR_LIST, &options));
    TRY(negotiate_answer(http_header_get(call->http->headers, S("Accept")), NEGOTIATE_LIST, &choice));
    if (choice.encoding == ANSWER_YAML)
        return status_not_acceptable("application/json");
    struct page page = {0};
    struct object_list list = {0};
    TRY(read_state(call, &options, &page, &list));
    struct selection selection = select_items(call, &options, &page, &list);
    struct err *e = answer_list(call, &choice, &selection, list_metadata(call, &options, &selection, list.revision));
    object_list_deinit(&list);
    return e;
}
