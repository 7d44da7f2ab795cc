/* create, update, patch, delete. All of them decide inside the registry's transaction, on the object as it is then. */
#include "base/digest.h"
#include "cluster/apiserver/admission.h"
#include "cluster/apiserver/apply.h"
#include "cluster/apiserver/authz.h"
#include "cluster/apiserver/list_options.h"
#include "cluster/apiserver/namespaces.h"
#include "cluster/apiserver/patch.h"
#include "cluster/apiserver/quota.h"
#include "cluster/apiserver/rest.h"
#include "cluster/apiserver/server_internal.h"
#include "cluster/apiserver/strategy.h"

static const char dry_run_code[] = "DryRun";

/* Rolls the transaction back after everything was tried. */
static struct err *end_of(bool dry_run)
{
    return dry_run ? err_code(ERR_INTERNAL, dry_run_code, "dry run") : NULL;
}

static struct err *without_dry_run(struct err *e)
{
    if (!err_has_code(e, dry_run_code))
        return e;
    err_free(e);
    return NULL;
}

static struct strategy_context strategy_of(struct api_call *call, struct arena *arena)
{
    return (struct strategy_context){
        .arena = arena,
        .now = instant_now(),
        .namespace_name = call->namespace_name,
        .uid = random_uuid(arena),
        .warnings = &call->warnings,
    };
}

static const struct kind *stored_kind(const struct kind *kind)
{
    return kind_is_view(kind) ? kind_find(S(""), S("v1"), call_stored_resource(kind)) : kind;
}

enum { MANAGER_MAX_BYTES = 128 };

static struct err *check_manager(struct api_call *call, const char *operation)
{
    struct field_errors errors = {.arena = call->arena};
    if (call_query(call, "fieldManager").len > MANAGER_MAX_BYTES)
        field_too_long(&errors, S("fieldManager"), MANAGER_MAX_BYTES);
    return field_errors_to_err_of(&errors, "meta.k8s.io", operation, S(""));
}

/* ---- create ---- */

struct creation {
    struct api_call *call;
    struct json *object; /* ready to be stored, in the stored form */
    bool dry_run;
    struct object *ret_object;
};

/* Everything before the store. body: from decode, not changed. */
static struct err *prepare(struct api_call *call, struct arena *arena, const struct json *body, struct json **ret_object)
{
    struct json *object = json_clone(arena, body);
    struct strategy_context context = strategy_of(call, arena);
    TRY(strategy_prepare_create(&context, call->kind, object));
    TRY(admit_namespace_seen(call->server, call->kind, call->namespace_name, json_text(JSON_AT(object, "metadata", "name"))));
    TRY(admit_create(call->server, &context, call->kind, object));
    strategy_default(&context, call->kind, object);
    TRY(strategy_validate_create(&context, call->kind, object));
    TRY(admit_limits(call->server, arena, call->kind, object));
    TRY(admit_service_address(call->server, arena, call->kind, object));
    if (kind_is_view(call->kind))
        kind_convert(arena, object, call->kind, stored_kind(call->kind));
    *ret_object = object;
    return NULL;
}

static struct err *create_in_tx(struct registry_tx *tx, void *ctx)
{
    struct creation *creation = ctx;
    struct api_call *call = creation->call;
    TRY(admit_namespace(tx, call->kind, call->namespace_name, json_text(JSON_AT(creation->object, "metadata", "name"))));
    TRY(quota_admit(tx, call->kind, creation->object));
    TRY(registry_tx_create(tx, call_stored_resource(call->kind), creation->object, &creation->ret_object));
    if (slice_eq(call->resource, S("namespaces")))
        TRY(namespace_fill(tx, call->server->options.ca_pem, json_text(JSON_AT(creation->object, "metadata", "name"))));
    return end_of(creation->dry_run);
}

enum { GENERATE_TRIES = 8 };

/* What a dry run would have made has no version; what it would have changed has the one it was changed from. */
static struct err *answer_unstored(struct api_call *call, int status, const struct object *object, struct slice live_version)
{
    struct json *json = object_json_as(call->arena, call->kind, object), *metadata = json_get(json, S("metadata"));
    if (live_version.len)
        json_set_text(call->arena, metadata, "resourceVersion", live_version);
    else
        json_remove(metadata, S("resourceVersion"));
    return answer_object_json(call, status, json);
}

struct err *rest_create(struct api_call *call)
{
    struct decode_input input = {.kind = call->kind, .warnings = &call->warnings};
    struct creation creation = {.call = call};
    struct json *body;
    TRY(check_manager(call, "CreateOptions"));
    TRY(call_dry_run(call, "CreateOptions", &creation.dry_run));
    TRY(field_validation_parse(call_query(call, "fieldValidation"), "CreateOptions", &input.validation));
    input.content_type = http_header_get(call->http->headers, S("Content-Type"));
    TRY(call_body(call, &input.body));
    TRY(decode_object(call->arena, &input, &body));

    bool generated = !json_text(JSON_AT(body, "metadata", "name")).len && json_text(JSON_AT(body, "metadata", "generateName")).len;
    struct err *e = NULL;
    for (int i = 0; i < (generated ? GENERATE_TRIES : 1); i++) {
        err_free(e);
        TRY(prepare(call, call->arena, body, &creation.object));
        e = without_dry_run(registry_write(call->server->registry, create_in_tx, &creation));
        if (!err_has_code(e, "AlreadyExists"))
            break;
    }
    if (!e)
        e = creation.dry_run ? answer_unstored(call, 201, creation.ret_object, SLICE_NONE) : answer_object(call, 201, creation.ret_object);
    object_unref(creation.ret_object);
    return e;
}

/* ---- update and patch ---- */

struct change {
    struct api_call *call;
    bool dry_run;
    enum field_validation validation;
    const struct json *body;    /* PUT */
    enum patch_type patch_type; /* PATCH */
    struct slice patch_body;
    const struct json *apply_body;
    struct slice manager;
    bool force;
    const struct json *applied_result; /* what apply made of the live object */
    bool ret_created;
    struct slice ret_live_version; /* in the call's arena */
    struct object *ret_object;
};

static struct err *answer_change(const struct change *change)
{
    int status = change->ret_created ? 201 : 200;
    return change->dry_run ? answer_unstored(change->call, status, change->ret_object, change->ret_live_version)
                           : answer_object(change->call, status, change->ret_object);
}

static const char *half_of(const struct api_call *call)
{
    return call->subresource.len ? call->sub->name : NULL;
}

static struct err *make_fresh(struct change *change, struct arena *arena, struct json *live, struct json **ret_fresh)
{
    struct api_call *call = change->call;
    if (change->body) {
        *ret_fresh = json_clone(arena, change->body);
        return NULL;
    }
    if (change->applied_result) {
        *ret_fresh = json_clone(arena, change->applied_result);
        return NULL;
    }
    TRY(patch_object(arena, call->kind, change->patch_type, live, change->patch_body, ret_fresh));
    return NULL;
}

static struct err *finalize_namespace(struct arena *arena, struct json *live, const struct json *fresh)
{
    const struct json *finalizers = JSON_AT(fresh, "spec", "finalizers");
    struct json *spec = json_ensure_object(arena, live, "spec");
    if (json_count(finalizers))
        JSON_SET(arena, spec, "finalizers", json_clone(arena, finalizers));
    else
        json_remove(spec, S("finalizers"));
    return NULL;
}

/* A PUT of another object by the same name: storage says so, not validation. */
static struct err *check_uid(const struct change *change, const struct json *live, const struct json *fresh)
{
    const struct api_call *call = change->call;
    struct slice wanted = json_text(JSON_AT(fresh, "metadata", "uid"));
    struct slice stored = json_text(JSON_AT(live, "metadata", "uid"));
    if (!change->body || !wanted.len || slice_eq(wanted, stored))
        return NULL;
    return status_conflict(call->kind, call->name,
                           "StorageError: invalid object, Code: 4, Key: /registry/%s/%.*s%s%.*s, ResourceVersion: 0, AdditionalErrorMsg: "
                           "Precondition failed: UID in precondition: %.*s, UID in object meta: %.*s",
                           call->kind->resource, SLICE_ARG(call->namespace_name), call->namespace_name.len ? "/" : "", SLICE_ARG(call->name),
                           SLICE_ARG(wanted), SLICE_ARG(stored));
}

/* In the writer thread: object is the live one, and becomes the new one. */
static struct err *change_object(void *ctx, struct arena *arena, struct json *object)
{
    struct change *change = ctx;
    struct api_call *call = change->call;
    const struct kind *kind = call->kind;
    struct json *live = json_clone(arena, object);
    if (kind_is_view(kind))
        kind_convert(arena, live, stored_kind(kind), kind);
    change->ret_live_version = slice_dup(call->arena, json_text(JSON_AT(live, "metadata", "resourceVersion")));
    struct json *fresh;
    TRY(make_fresh(change, arena, live, &fresh));
    if (!change->body)
        TRY(decode_check(arena, kind, fresh, change->validation, &call->warnings));

    struct slice wanted = json_text(JSON_AT(fresh, "metadata", "resourceVersion"));
    uint64_t number;
    if (wanted.len && !slice_to_u64(wanted, UINT64_MAX, &number))
        return status_plain_500("strconv.ParseUint: parsing \"%.*s\": invalid syntax", SLICE_ARG(wanted));
    if (wanted.len && !slice_eq(wanted, S("0")) && !slice_eq(wanted, json_text(JSON_AT(live, "metadata", "resourceVersion"))))
        return status_conflict_version(kind, call->name);
    TRY(check_uid(change, live, fresh));
    if (slice_eq(call->subresource, S("finalize")))
        return finalize_namespace(arena, object, fresh);

    struct strategy_context context = strategy_of(call, arena);
    TRY(strategy_prepare_update(&context, kind, half_of(call), live, fresh));
    strategy_default(&context, kind, fresh);
    TRY(strategy_validate_update(&context, kind, half_of(call), live, fresh));
    if (kind_is_view(kind))
        kind_convert(arena, fresh, kind, stored_kind(kind));
    json_set(arena, json_ensure_object(arena, fresh, "metadata"), S("resourceVersion"),
             json_clone(arena, JSON_AT(live, "metadata", "resourceVersion")));
    object->first = fresh->first;
    object->last = fresh->last;
    return NULL;
}

static struct err *change_in_tx(struct registry_tx *tx, void *ctx)
{
    struct change *change = ctx;
    struct api_call *call = change->call;
    TRY(registry_tx_update(tx, call_stored_resource(call->kind), call->namespace_name, call->name, change_object, change, &change->ret_object));
    return end_of(change->dry_run);
}

struct err *rest_update(struct api_call *call)
{
    struct decode_input input = {.kind = call->kind, .warnings = &call->warnings};
    struct change change = {.call = call};
    struct json *body;
    TRY(check_manager(call, "UpdateOptions"));
    TRY(call_dry_run(call, "UpdateOptions", &change.dry_run));
    TRY(field_validation_parse(call_query(call, "fieldValidation"), "UpdateOptions", &input.validation));
    input.content_type = http_header_get(call->http->headers, S("Content-Type"));
    TRY(call_body(call, &input.body));
    TRY(decode_object(call->arena, &input, &body));
    change.body = body;
    struct err *e = without_dry_run(registry_write(call->server->registry, change_in_tx, &change));
    if (!e)
        e = answer_change(&change);
    object_unref(change.ret_object);
    return e;
}

/* ---- server-side apply ---- */

static struct err *apply_create(struct registry_tx *tx, struct change *change)
{
    struct api_call *call = change->call;
    struct arena *arena = registry_tx_arena(tx);
    struct json *object;
    struct slice uid = json_text(JSON_AT(change->apply_body, "metadata", "uid"));
    if (uid.len)
        return status_conflict(call->kind, call->name, "uid mismatch: the provided object specified uid %.*s, and no existing object was found",
                               SLICE_ARG(uid));
    TRY(prepare(call, arena, change->applied_result, &object));
    TRY(admit_namespace(tx, call->kind, call->namespace_name, call->name));
    TRY(quota_admit(tx, call->kind, object));
    TRY(registry_tx_create(tx, call_stored_resource(call->kind), object, &change->ret_object));
    if (slice_eq(call->resource, S("namespaces")))
        TRY(namespace_fill(tx, call->server->options.ca_pem, call->name));
    change->ret_created = true;
    return NULL;
}

static struct err *apply_in_tx(struct registry_tx *tx, void *ctx)
{
    struct change *change = ctx;
    struct api_call *call = change->call;
    struct arena *arena = registry_tx_arena(tx);
    struct json *live, *previous = NULL, *managers = NULL;
    change->ret_created = false;
    TRY(registry_tx_get(tx, call_stored_resource(call->kind), call->namespace_name, call->name, &live));
    struct slice uid = json_text(JSON_AT(live, "metadata", "uid"));
    struct apply_input input = {.kind = call->kind, .live = live, .body = change->apply_body, .manager = change->manager, .force = change->force};
    if (live) {
        TRY(registry_tx_applied(tx, uid, change->manager, &previous));
        TRY(registry_tx_managers(tx, uid, &managers));
        struct apply_manager *others = ARENA_ARRAY(arena, json_count(managers) + 1, struct apply_manager);
        JSON_FOREACH (manager, managers)
            if (!slice_eq(json_get_text(manager, "manager"), change->manager))
                others[input.other_count++] =
                    (struct apply_manager){.name = json_get_text(manager, "manager"), .applied = json_get(manager, S("applied"))};
        input.previous = previous;
        input.others = others;
    }
    struct json *result;
    TRY(apply_patch(arena, &input, &result));
    change->applied_result = result;
    if (live)
        TRY(registry_tx_update(tx, call_stored_resource(call->kind), call->namespace_name, call->name, change_object, change, &change->ret_object));
    else
        TRY(apply_create(tx, change));
    TRY(registry_tx_set_applied(tx, change->ret_object->uid, change->manager, change->apply_body));
    return end_of(change->dry_run);
}

static struct err *check_may_create(struct api_call *call)
{
    struct object *there = NULL;
    struct err *e = registry_get(call->server->registry, call_stored_resource(call->kind), call->namespace_name, call->name, &there);
    object_unref(there);
    if (!e)
        return NULL;
    err_free(e);
    struct api_call creating = *call;
    creating.verb = "create";
    return authorize(&creating);
}

struct err *rest_patch(struct api_call *call)
{
    struct change change = {.call = call};
    TRY(check_manager(call, "PatchOptions"));
    TRY(call_dry_run(call, "PatchOptions", &change.dry_run));
    TRY(patch_type_parse(http_header_get(call->http->headers, S("Content-Type")), &change.patch_type));
    TRY(field_validation_parse(call_query(call, "fieldValidation"), "PatchOptions", &change.validation));
    struct slice body;
    TRY(call_body(call, &body));
    change.patch_body = body;
    struct field_errors errors = {.arena = call->arena};
    registry_tx_fn write = change_in_tx;
    if (change.patch_type == PATCH_APPLY) {
        change.manager = call_query(call, "fieldManager");
        change.force = call_query_flag(call, "force");
        if (!change.manager.len)
            field_required(&errors, S("fieldManager"), "is required for apply patch");
        TRY(field_errors_to_err_of(&errors, "meta.k8s.io", "PatchOptions", S("")));
        struct json *applied;
        TRY(apply_parse(call->arena, call->kind, body, &applied));
        change.apply_body = applied;
        TRY(check_may_create(call));
        write = apply_in_tx;
    } else if (call_query(call, "force").ptr) {
        field_forbidden(&errors, S("force"), "may not be specified for non-apply patch");
        TRY(field_errors_to_err_of(&errors, "meta.k8s.io", "PatchOptions", S("")));
    }
    struct err *e = without_dry_run(registry_write(call->server->registry, write, &change));
    if (!e)
        e = answer_change(&change);
    object_unref(change.ret_object);
    return e;
}

/* ---- delete ---- */

static struct err *parse_propagation(struct api_call *call, struct slice policy, bool orphan, enum propagation *ret_propagation)
{
    static const char *const supported[] = {"Background", "Foreground", "Orphan", NULL};
    if (slice_eq(policy, S("Foreground")))
        *ret_propagation = PROPAGATION_FOREGROUND;
    else if (slice_eq(policy, S("Orphan")) || (!policy.len && orphan))
        *ret_propagation = PROPAGATION_ORPHAN;
    else if (!policy.len || slice_eq(policy, S("Background")))
        *ret_propagation = PROPAGATION_BACKGROUND;
    else {
        struct field_errors errors = {.arena = call->arena};
        field_not_supported(&errors, S("propagationPolicy"), json_string(call->arena, policy), supported);
        return field_errors_to_err_of(&errors, "meta.k8s.io", "DeleteOptions", S(""));
    }
    return NULL;
}

struct err *delete_options_parse(struct api_call *call, struct delete_options *ret_options, bool *ret_dry_run)
{
    struct slice body;
    struct json *options;
    struct delete_options parsed = {0};
    TRY(call_body(call, &body));
    TRY(decode_delete_options(call->arena, http_header_get(call->http->headers, S("Content-Type")), body, &options));
    bool asked = call_query(call, "gracePeriodSeconds").len || json_get(options, S("gracePeriodSeconds"));
    TRY(call_query_i64(call, "gracePeriodSeconds", -1, &parsed.grace_seconds));
    TRY(call_dry_run(call, "DeleteOptions", ret_dry_run));
    if (json_get(options, S("gracePeriodSeconds")))
        parsed.grace_seconds = json_get_i64(options, "gracePeriodSeconds", -1);
    if (asked && parsed.grace_seconds < 0)
        parsed.grace_seconds = 1;
    struct slice policy = json_get_text(options, "propagationPolicy");
    if (!policy.len)
        policy = call_query(call, "propagationPolicy");
    bool orphan = json_get_bool(options, "orphanDependents", false) || call_query_flag(call, "orphanDependents");
    TRY(parse_propagation(call, policy, orphan, &parsed.propagation));
    if (json_count(json_get(options, S("dryRun"))))
        *ret_dry_run = true;
    const struct json *preconditions = json_get(options, S("preconditions"));
    parsed.uid = json_get_text(preconditions, "uid");
    parsed.resource_version = json_get_text(preconditions, "resourceVersion");
    *ret_options = parsed;
    return NULL;
}

struct deletion {
    struct api_call *call;
    const struct delete_options *options;
    bool dry_run;
    struct slice ret_live_version; /* of a dry run; in the call's arena */
    struct delete_result ret_result;
};

static struct err *delete_in_tx(struct registry_tx *tx, void *ctx)
{
    struct deletion *deletion = ctx;
    struct api_call *call = deletion->call;
    if (deletion->dry_run) {
        struct json *live;
        TRY(registry_tx_get(tx, call_stored_resource(call->kind), call->namespace_name, call->name, &live));
        deletion->ret_live_version = slice_dup(call->arena, json_text(JSON_AT(live, "metadata", "resourceVersion")));
    }
    TRY(registry_tx_delete(tx, call_stored_resource(call->kind), call->namespace_name, call->name, deletion->options, &deletion->ret_result));
    return end_of(deletion->dry_run);
}

static struct err *check_protected(const struct api_call *call)
{
    static const char *const kept[] = {"default", "kube-system", "kube-public"};
    if (!slice_eq(call->resource, S("namespaces")))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        if (slice_eq(call->name, slice_from_cstr(kept[i])))
            return status_forbidden(call->kind, call->name, "this namespace may not be deleted");
    return NULL;
}

struct err *rest_delete(struct api_call *call)
{
    struct delete_options options;
    struct deletion deletion = {.call = call, .options = &options};
    TRY(delete_options_parse(call, &options, &deletion.dry_run));
    TRY(check_protected(call));
    struct err *e = without_dry_run(registry_write(call->server->registry, delete_in_tx, &deletion));
    if (!e && deletion.ret_result.removed && call->kind->delete_answer == DELETE_ANSWERS_STATUS) {
        struct slice uid = deletion.ret_result.object->uid;
        answer_json(call, 200, status_success(call->arena, call->kind, call->name, uid));
    } else if (!e) {
        e = deletion.dry_run ? answer_unstored(call, 200, deletion.ret_result.object, deletion.ret_live_version)
                             : answer_object(call, 200, deletion.ret_result.object);
    }
    object_unref(deletion.ret_result.object);
    return e;
}

struct err *rest_delete_collection(struct api_call *call)
{
    struct delete_options options;
    bool dry_run;
    struct list_options selection;
    TRY(delete_options_parse(call, &options, &dry_run));
    TRY(list_options_parse(call, call->arena, FOR_LIST, &selection));

    struct object_list list;
    registry_list(call->server->registry, call_stored_resource(call->kind), call->namespace_name, &list);
    struct strbuf body = STRBUF_ARENA(call->arena);
    strbuf_append_fmt(&body, "{\"kind\":\"%sList\",\"apiVersion\":\"%.*s\",\"metadata\":{\"resourceVersion\":\"%lld\"},\"items\":[",
                      call->kind->kind, SLICE_ARG(kind_api_version(call->arena, call->kind)), (long long)list.revision);
    struct err *e = NULL;
    size_t shown = 0;
    for (size_t i = 0; i < list.count && !e; i++) {
        struct object *object = list.items[i];
        if (!list_options_match(&selection, call->kind, object))
            continue;
        struct delete_options one = options;
        one.uid = object->uid; /* what was listed, not a namesake that came meanwhile */
        if (!dry_run)
            e = registry_delete(call->server->registry, object->resource, object->namespace_name, object->name, &one, NULL);
        if (e && (e->kind == ERR_NOT_FOUND || e->kind == ERR_CONFLICT)) {
            err_free(e);
            e = NULL;
            continue;
        }
        if (shown++)
            strbuf_append_char(&body, ',');
        struct json *item = object_json_as(call->arena, call->kind, object);
        json_remove(item, S("kind"));
        json_remove(item, S("apiVersion"));
        json_write(&body, item);
    }
    object_list_deinit(&list);
    if (e)
        return e;
    strbuf_append(&body, S("]}\n"));
    answer_text(call, 200, "application/json", strbuf_slice(&body));
    return NULL;
}
