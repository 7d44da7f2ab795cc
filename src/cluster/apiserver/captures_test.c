/* captures_test: the pure parts against what a real Kubernetes 1.34 answered (tests/conformance/kubernetes/captures). Each file
 * is a test: its steps are decoded, prepared, defaulted, validated, patched, selected or rendered here without a server, and the
 * result is held against the recorded answer. The live object of an update is the one that the recording showed last for that path.
 * A step whose answer depends on state that was not recorded, or on a kind that is not served, is passed over. A case is added by
 * adding its file to the list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/encode.h"
#include "cluster/apiserver/apply.h"
#include "cluster/apiserver/discovery.h"
#include "cluster/apiserver/negotiate.h"
#include "cluster/apiserver/patch.h"
#include "cluster/apiserver/protobuf.h"
#include "cluster/apiserver/selector.h"
#include "cluster/apiserver/strategy.h"
#include "cluster/apiserver/table.h"

static struct slice read_file(struct arena *arena, const char *name)
{
    const char *root = getenv("EMBER_SOURCE_ROOT");
    char *path = slice_cstr(arena, slice_fmt(arena, "%s/tests/conformance/kubernetes/%s", root ? root : ".", name));
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    struct strbuf text = STRBUF_ARENA(arena);
    char buffer[65536];
    for (size_t got; (got = fread(buffer, 1, sizeof(buffer), file)) > 0;)
        strbuf_append_bytes(&text, buffer, got);
    fclose(file);
    return strbuf_slice(&text);
}

static struct json *read_json(struct arena *arena, const char *name)
{
    struct json *json;
    struct err *e = json_parse(arena, read_file(arena, name), JSON_DUPLICATES_LAST_WINS, &json);
    if (e)
        fail_msg("%s: %s", name, e->message);
    return json;
}

/* --- placeholders --- */

/* "{word}" or "{word:N}" at the front; its length, or 0. */
static size_t placeholder_at(struct slice text)
{
    size_t i = 1;
    if (text.len < 3 || text.ptr[0] != '{')
        return 0;
    while (i < text.len && ((text.ptr[i] >= 'a' && text.ptr[i] <= 'z') || (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z') ||
                            (text.ptr[i] >= '0' && text.ptr[i] <= '9') || text.ptr[i] == ':'))
        i++;
    return i > 1 && i < text.len && text.ptr[i] == '}' ? i + 1 : 0;
}

/* pattern with placeholders against text; a placeholder is one or more bytes. */
static bool pattern_matches(struct slice pattern, struct slice text)
{
    size_t width = placeholder_at(pattern);
    if (pattern.len == 0)
        return text.len == 0;
    if (width) {
        for (size_t take = 1; take <= text.len; take++)
            if (pattern_matches(slice_from(pattern, width), slice_from(text, take)))
                return true;
        return false;
    }
    return text.len && pattern.ptr[0] == text.ptr[0] && pattern_matches(slice_from(pattern, 1), slice_from(text, 1));
}

/* Values in their place, so that recorded objects can be worked on. */
static struct slice materialize_text(struct arena *arena, struct slice text)
{
    static const char *const values[][2] = {
        {"{time}", "2026-01-01T00:00:00Z"}, {"{microtime}", "2026-01-01T00:00:00.000000Z"}, {"{clusterIP}", "10.96.0.7"},
        {"{rand5}", "abcde"},               {"{rv}", "7"},
    };
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < text.len;) {
        struct slice rest = slice_from(text, i);
        size_t width = placeholder_at(rest);
        if (!width) {
            strbuf_append_char(&out, text.ptr[i++]);
            continue;
        }
        struct slice word = slice_sub(rest, 0, width);
        const char *value = NULL;
        for (size_t v = 0; v < ARRAY_SIZE(values); v++)
            if (slice_eq(word, slice_from_cstr(values[v][0])))
                value = values[v][1];
        if (value)
            strbuf_append_cstr(&out, value);
        else if (slice_starts_with(word, S("{uid:")))
            strbuf_append_fmt(&out, "00000000-0000-4000-8000-0000000000%.*s", (int)width - 6, word.ptr + 5);
        else
            strbuf_append(&out, slice_sub(word, 1, width - 2));
        i += width;
    }
    return strbuf_slice(&out);
}

static void materialize(struct arena *arena, struct json *value)
{
    if (!value)
        return;
    if (value->type == JSON_STRING)
        value->text = materialize_text(arena, value->text);
    JSON_FOREACH (child, value)
        materialize(arena, child);
}

/* --- comparison --- */

struct comparison {
    struct arena *arena;
    struct strbuf path;
    struct slice problem; /* absent: none */
    bool ignore_messages; /* words of Go's decoder, dumps of Go's structs: allow.txt */
};

static void differ(struct comparison *comparison, const struct json *expected, const struct json *actual)
{
    if (comparison->problem.ptr)
        return;
    comparison->problem =
        slice_fmt(comparison->arena, "%.*s: expected %.*s, got %.*s", SLICE_ARG(strbuf_slice(&comparison->path)),
                  SLICE_ARG(expected ? json_to_slice(comparison->arena, expected) : S("nothing")),
                  SLICE_ARG(actual ? json_to_slice(comparison->arena, actual) : S("nothing")));
}

static void compare(struct comparison *comparison, const struct json *expected, const struct json *actual)
{
    size_t before = comparison->path.len, index = 0;
    if (expected->type == JSON_STRING && actual->type != JSON_OBJECT && actual->type != JSON_ARRAY) {
        if (!pattern_matches(expected->text, actual->type == JSON_NULL ? S("") : actual->text))
            differ(comparison, expected, actual);
        return;
    }
    if (expected->type != actual->type) {
        differ(comparison, expected, actual);
        return;
    }
    if (expected->type == JSON_OBJECT) {
        JSON_FOREACH (member, expected) {
            strbuf_append_fmt(&comparison->path, "/%.*s", SLICE_ARG(member->key));
            const struct json *other = json_get(actual, member->key);
            bool skip = comparison->ignore_messages && slice_eq(member->key, S("message"));
            if (!other)
                differ(comparison, member, NULL);
            else if (!skip)
                compare(comparison, member, other);
            strbuf_truncate(&comparison->path, before);
        }
        JSON_FOREACH (member, actual)
            if (!json_get(expected, member->key)) {
                strbuf_append_fmt(&comparison->path, "/%.*s", SLICE_ARG(member->key));
                differ(comparison, NULL, member);
                strbuf_truncate(&comparison->path, before);
            }
    } else if (expected->type == JSON_ARRAY) {
        const struct json *other = actual->first;
        JSON_FOREACH (item, expected) {
            strbuf_append_fmt(&comparison->path, "/%zu", index++);
            if (other)
                compare(comparison, item, other);
            else
                differ(comparison, item, NULL);
            other = other ? other->next : NULL;
            strbuf_truncate(&comparison->path, before);
        }
        if (other)
            differ(comparison, NULL, other);
    } else if (!json_equal(expected, actual)) {
        differ(comparison, expected, actual);
    }
}

/* --- steps --- */

struct run {
    struct arena *arena;
    const char *name;
    struct json *live;    /* path of an item -> object as recorded last */
    struct json *applied; /* path -> array of {manager, applied} */
    size_t checked, passed_over, failed;
};

struct target {
    const struct kind *kind;
    struct slice namespace_name, name, subresource, item_path;
};

static bool parse_target(struct arena *arena, struct slice path, struct target *ret_target)
{
    struct slice rest = slice_from(path, 1), group = S(""), first = slice_cut(&rest, '/');
    if (slice_eq(first, S("apis")))
        group = slice_cut(&rest, '/');
    else if (!slice_eq(first, S("api")))
        return false;
    struct target target = {.namespace_name = S("")};
    struct slice version = slice_cut(&rest, '/'), resource = slice_cut(&rest, '/');
    if (slice_eq(resource, S("namespaces")) && rest.ptr && slice_index(rest, '/') >= 0) {
        target.namespace_name = slice_cut(&rest, '/');
        resource = slice_cut(&rest, '/');
    }
    target.name = rest.ptr ? slice_cut(&rest, '/') : SLICE_NONE;
    target.subresource = rest.ptr ? rest : SLICE_NONE;
    target.kind = resource.ptr ? kind_find(group, version, resource) : NULL;
    target.item_path = target.subresource.ptr ? slice_sub(path, 0, path.len - target.subresource.len - 1) : path;
    *ret_target = target;
    return target.kind != NULL;
}

static struct slice body_of(struct arena *arena, const struct json *step)
{
    const struct json *body = json_get(step, S("body"));
    if (json_get(step, S("text")))
        return materialize_text(arena, json_get_text(step, "text"));
    if (!body)
        return S("");
    struct json *copy = json_clone(arena, body);
    materialize(arena, copy);
    return json_to_slice(arena, copy);
}

/* The ServiceAccount that admission would have found. */
static struct json *account_of(struct arena *arena, struct slice name)
{
    struct json *account = json_object(arena);
    if (slice_eq(name, S("nope")))
        return NULL;
    if (slice_eq(name, S("noauto"))) {
        struct json *secret = json_object(arena);
        json_set_bool(arena, account, "automountServiceAccountToken", false);
        json_set_cstr(arena, secret, "name", "reg");
        json_append(json_ensure_array(arena, account, "imagePullSecrets"), secret);
    }
    return account;
}

static struct err *finish_create(struct strategy_context *context, const struct kind *kind, struct json *object)
{
    TRY(strategy_prepare_create(context, kind, object));
    if (slice_eq(slice_from_cstr(kind->kind), S("Pod")))
        TRY(strategy_admit_pod(context, object, account_of(context->arena, pod_service_account_name(object))));
    strategy_default(context, kind, object);
    TRY(strategy_validate_create(context, kind, object));
    if (slice_eq(slice_from_cstr(kind->kind), S("Service")) && service_needs_cluster_ip(object))
        service_set_cluster_ip(context->arena, object, S("10.96.0.7"));
    for (struct json *port; slice_eq(slice_from_cstr(kind->kind), S("Service")) && (port = service_port_without_node_port(object));)
        json_set_i64(context->arena, port, "nodePort", 30007);
    return NULL;
}

static struct err *do_create(struct run *run, struct strategy_context *context, const struct target *target, const struct json *step,
                             struct json **ret_object)
{
    const struct json *query = json_get(step, S("query"));
    struct decode_input input = {.kind = target->kind,
                                 .content_type = json_text(JSON_AT(step, "headers", "Content-Type")),
                                 .body = body_of(run->arena, step),
                                 .warnings = context->warnings};
    TRY(field_validation_parse(json_get_text(query, "fieldValidation"), "CreateOptions", &input.validation));
    TRY(decode_object(run->arena, &input, ret_object));
    return finish_create(context, target->kind, *ret_object);
}

static struct err *finish_update(struct strategy_context *context, const struct target *target, const struct json *live, struct json *object)
{
    const char *subresource = target->subresource.ptr ? slice_cstr(context->arena, target->subresource) : NULL;
    TRY(strategy_prepare_update(context, target->kind, subresource, live, object));
    return strategy_validate_update(context, target->kind, subresource, live, object);
}

static struct err *do_put(struct run *run, struct strategy_context *context, const struct target *target, const struct json *live,
                          const struct json *step, struct json **ret_object)
{
    struct decode_input input = {.kind = target->kind,
                                 .content_type = json_text(JSON_AT(step, "headers", "Content-Type")),
                                 .body = body_of(run->arena, step),
                                 .warnings = context->warnings};
    context->put = true;
    TRY(decode_object(run->arena, &input, ret_object));
    return finish_update(context, target, live, *ret_object);
}

static struct json *managers_of(struct run *run, struct slice path)
{
    struct json *managers = json_get(run->applied, path);
    if (!managers)
        json_set(run->arena, run->applied, path, managers = json_array(run->arena));
    return managers;
}

static struct err *do_apply(struct run *run, struct strategy_context *context, const struct target *target, const struct json *live,
                            const struct json *step, struct json **ret_object)
{
    struct arena *arena = run->arena;
    const struct json *query = json_get(step, S("query"));
    struct json *body, *managers = managers_of(run, target->item_path), *own = NULL;
    struct slice manager = json_get_text(query, "fieldManager");
    struct apply_manager *others = ARENA_ARRAY(arena, json_count(managers) + 1, struct apply_manager);
    size_t count = 0;
    TRY(apply_parse(arena, target->kind, body_of(arena, step), &body));
    JSON_FOREACH (entry, managers) {
        if (slice_eq(json_get_text(entry, "manager"), manager))
            own = entry;
        else
            others[count++] = (struct apply_manager){.name = json_get_text(entry, "manager"), .applied = json_get(entry, S("applied"))};
    }
    struct apply_input input = {.kind = target->kind,
                                .live = live,
                                .previous = json_get(own, S("applied")),
                                .body = body,
                                .others = others,
                                .other_count = count,
                                .manager = manager,
                                .force = json_get(query, S("force")) != NULL && !slice_eq(json_get_text(query, "force"), S("false"))};
    struct json *fresh;
    TRY(apply_patch(arena, &input, &fresh));
    TRY(decode_check(arena, target->kind, fresh, FIELD_VALIDATION_WARN, context->warnings));
    if (!live) {
        json_set_text(arena, json_ensure_object(arena, fresh, "metadata"), "name", target->name);
        TRY(finish_create(context, target->kind, fresh));
    } else {
        TRY(finish_update(context, target, live, fresh));
    }
    if (!own)
        json_append(managers, own = json_object(arena));
    json_set_text(arena, own, "manager", manager);
    json_set(arena, own, S("applied"), json_clone(arena, body));
    *ret_object = fresh;
    return NULL;
}

static struct err *do_patch(struct run *run, struct strategy_context *context, const struct target *target, const struct json *live,
                            const struct json *step, struct json **ret_object)
{
    enum patch_type type;
    enum field_validation validation;
    TRY(patch_type_parse(json_text(JSON_AT(step, "headers", "Content-Type")), &type));
    TRY(field_validation_parse(json_get_text(json_get(step, S("query")), "fieldValidation"), "PatchOptions", &validation));
    if (type == PATCH_APPLY)
        return do_apply(run, context, target, live, step, ret_object);
    TRY(patch_object(run->arena, target->kind, type, live, body_of(run->arena, step), ret_object));
    TRY(decode_check(run->arena, target->kind, *ret_object, validation, context->warnings));
    return finish_update(context, target, live, *ret_object);
}

/* Only the errors: the objects of these cases were made unrecorded. */
static struct err *do_list(struct run *run, const struct target *target, const struct json *step)
{
    const struct json *query = json_get(step, S("query"));
    const struct label_selector *labels;
    const struct field_selector *fields;
    struct answer_choice choice;
    enum table_include include;
    TRY(negotiate_answer(json_text(JSON_AT(step, "headers", "Accept")), target->name.ptr ? NEGOTIATE_ITEM : NEGOTIATE_LIST, &choice));
    TRY(label_selector_parse(run->arena, json_get_text(query, "labelSelector"), &labels));
    TRY(field_selector_parse(run->arena, target->kind, json_get_text(query, "fieldSelector"), &fields));
    return table_include_parse(json_get_text(query, "includeObject"), &include);
}

enum outcome { OUTCOME_CHECKED, OUTCOME_PASSED_OVER };

/* Steps whose recording does not show all that was asked or had happened. */
static const struct {
    const char *name;
    size_t step;
    const char *why;
} exceptions[] = {
    {"error-malformed", 21, "the duplicate key is lost in the recorded body"},
    {"error-immutable", 3, "the pod was bound to a node in between"},
    {"meta-create", 3, "a random name inside the message"},
    {"patch-strategic", 27, "the collector deleted it in between"},
    {"apply-ssa", 9, "managedFields are left out of the recorded body"},
};

/* Answers that come from state, not from the request. */
static bool depends_on_state(const struct json *answer, struct slice method)
{
    struct slice reason = json_text(JSON_AT(answer, "body", "reason")), message = json_text(JSON_AT(answer, "body", "message"));
    return slice_eq(reason, S("AlreadyExists")) || slice_eq(reason, S("NotFound")) || slice_find(message, S("being terminated")) >= 0 ||
           slice_find(message, S("fieldManager")) >= 0 || slice_find(message, S("dryRun")) >= 0 || slice_find(message, S("force:")) >= 0 ||
           slice_find(message, S("User \"")) >= 0 || slice_find(message, S("has been modified")) >= 0 || slice_find(message, S("exceeded quota")) >= 0 ||
           slice_find(message, S("uid mismatch")) >= 0 || slice_find(message, S("strconv")) >= 0 || slice_find(message, S("failed quota")) >= 0 ||
           slice_find(message, S("StorageError")) >= 0;
}

static struct slice warnings_text(struct arena *arena, const struct warnings *warnings)
{
    struct strbuf out = STRBUF_ARENA(arena);
    JSON_FOREACH (text, warnings->texts) {
        strbuf_append_fmt(&out, "%s299 - ", out.len ? "\n" : "");
        json_write_string(&out, text->text);
    }
    return strbuf_slice(&out);
}

static enum outcome run_request(struct run *run, const struct json *step, const struct target *target, struct warnings *warnings,
                                struct json **ret_body, int *ret_status)
{
    struct arena *arena = run->arena;
    struct slice method = json_get_text(step, "method");
    const struct json *answer = json_get(step, S("answer"));
    struct strategy_context context = {.arena = arena,
                                       .now = {.ms = INT64_C(1767225600000)},
                                       .namespace_name = target->namespace_name,
                                       .uid = S("11111111-1111-4111-8111-111111111111"),
                                       .warnings = warnings};
    struct json *object = NULL, *live = json_get(run->live, target->item_path);
    struct err *e = NULL;
    int64_t expected_status = json_get_i64(answer, "status", 0);
    if (slice_eq(method, S("POST")) && !target->name.ptr) {
        e = do_create(run, &context, target, step, &object);
        *ret_status = 201;
    } else if (slice_eq(method, S("PUT")) && live) {
        e = do_put(run, &context, target, live, step, &object);
        *ret_status = 200;
    } else if (slice_eq(method, S("PATCH")) && (live || expected_status == 201)) {
        e = do_patch(run, &context, target, live, step, &object);
        *ret_status = live ? 200 : 201;
    } else if (slice_eq(method, S("GET")) && expected_status >= 400) {
        e = do_list(run, target, step);
        *ret_status = 200;
    } else {
        return OUTCOME_PASSED_OVER;
    }
    if (e) {
        *ret_body = status_error_to_json(arena, e, ret_status);
        err_free(e);
    } else {
        *ret_body = object;
    }
    return OUTCOME_CHECKED;
}

static void report(struct run *run, size_t index, const struct json *step, struct slice problem)
{
    run->failed++;
    print_error("%s step %zu %.*s %.*s: %.*s\n", run->name, index, SLICE_ARG(json_get_text(step, "method")),
                SLICE_ARG(json_get_text(step, "path")), SLICE_ARG(slice_sub(problem, 0, 900)));
}

static void remember(struct run *run, const struct json *step, const struct target *target)
{
    const struct json *body = JSON_AT(step, "answer", "body");
    struct slice kind = json_get_text(body, "kind");
    if (!slice_eq(kind, slice_from_cstr(target->kind->kind)) || json_get(json_get(step, S("query")), S("dryRun")))
        return;
    struct json *object = json_clone(run->arena, body);
    materialize(run->arena, object);
    struct slice path = target->item_path;
    if (!target->name.ptr)
        path = slice_fmt(run->arena, "%.*s/%.*s", SLICE_ARG(path), SLICE_ARG(json_text(JSON_AT(object, "metadata", "name"))));
    json_set(run->arena, run->live, path, object);
}

static void run_step(struct run *run, size_t index, const struct json *step)
{
    struct arena *arena = run->arena;
    const struct json *answer = json_get(step, S("answer")), *expected = json_get(answer, S("body"));
    struct target target;
    struct json *body = NULL;
    int status = 0;
    struct warnings warnings = {.arena = arena};
    if (!json_get(step, S("method")) || !parse_target(arena, materialize_text(arena, json_get_text(step, "path")), &target)) {
        run->passed_over++;
        return;
    }
    /* A recorded Table or shortened body says nothing about the object; deep subresources are the server's. */
    bool comparable = expected && !slice_eq(json_get_text(expected, "kind"), S("Table")) &&
                      !slice_starts_with(json_get_text(expected, "kind"), S("PartialObjectMetadata")) && !depends_on_state(answer, json_get_text(step, "method")) &&
                      (!target.subresource.ptr || slice_eq(target.subresource, S("status")));
    for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++)
        comparable &= exceptions[i].step != index || strcmp(exceptions[i].name, run->name) != 0;
    if (!comparable || run_request(run, step, &target, &warnings, &body, &status) == OUTCOME_PASSED_OVER) {
        run->passed_over++;
        remember(run, step, &target);
        return;
    }
    run->checked++;
    if (status != json_get_i64(answer, "status", 0)) {
        report(run, index, step, slice_fmt(arena, "status %d, expected %lld: %.*s", status, (long long)json_get_i64(answer, "status", 0),
                                           SLICE_ARG(body ? json_to_slice(arena, body) : S(""))));
        remember(run, step, &target);
        return;
    }
    struct json *metadata = json_get(body, S("metadata"));
    const struct json *version = JSON_AT(expected, "metadata", "resourceVersion");
    if (version && metadata)
        json_set_cstr(arena, metadata, "resourceVersion", "7");
    struct comparison comparison = {.arena = arena, .path = STRBUF_ARENA(arena)};
    comparison.ignore_messages = strcmp(run->name, "error-malformed") == 0 || strcmp(run->name, "error-immutable") == 0 ||
                                 (status == 422 && slice_find(json_get_text(expected, "message"), S(" \"\" is invalid: patch:")) == 0) ||
                                 slice_find(json_get_text(expected, "message"), S("error converting YAML")) >= 0;
    compare(&comparison, expected, body);
    struct slice recorded = json_text(JSON_AT(answer, "headers", "Warning")), ours = warnings_text(arena, &warnings);
    if (!comparison.problem.ptr && status < 300 && !slice_eq(recorded.ptr ? recorded : S(""), ours))
        comparison.problem = slice_fmt(arena, "warnings: expected %.*s, got %.*s", SLICE_ARG(recorded), SLICE_ARG(ours));
    if (comparison.problem.ptr)
        report(run, index, step, comparison.problem);
    remember(run, step, &target);
}

static void test_capture(void **state)
{
    struct arena *arena = arena_new();
    struct run run = {.arena = arena, .name = *state, .live = json_object(arena), .applied = json_object(arena)};
    struct json *capture = read_json(arena, slice_cstr(arena, slice_fmt(arena, "captures/%s.json", run.name)));
    size_t index = 0;
    JSON_FOREACH (step, json_get(capture, S("steps")))
        run_step(&run, index++, step);
    print_message("%s: %zu steps checked, %zu passed over\n", run.name, run.checked, run.passed_over);
    size_t failed = run.failed, checked = run.checked;
    arena_free(arena);
    assert_int_equal(failed, 0);
    assert_true(checked > 0);
}

/* --- the others --- */

/* Empty members go on both sides: the recording's decoder and ours keep different ones. */
static void prune(struct json *value)
{
    for (struct json *child = value->first, *next; child; child = next) {
        next = child->next;
        prune(child);
        bool empty = ((child->type == JSON_OBJECT || child->type == JSON_ARRAY) && !child->first) || child->type == JSON_NULL ||
                     (child->type == JSON_STRING && child->text.len == 0) || (child->type == JSON_BOOL && !child->boolean) ||
                     (child->type == JSON_NUMBER && slice_eq(child->text, S("0")));
        if (value->type == JSON_OBJECT && empty)
            json_unlink(value, child);
    }
}

static void check_protobuf(struct arena *arena, const struct json *request, size_t *checked)
{
    struct slice bytes;
    struct json *decoded = NULL, *expected = json_clone(arena, json_get(request, S("bodyDecoded")));
    assert_true(base64_decode(arena, json_get_text(request, "bodyProtobuf"), &bytes));
    struct err *e = protobuf_decode(arena, bytes, &decoded);
    if (e)
        fail_msg("%.*s: %s", SLICE_ARG(json_get_text(request, "path")), e->message);
    prune(decoded);
    prune(expected);
    struct comparison comparison = {.arena = arena, .path = STRBUF_ARENA(arena)};
    compare(&comparison, expected, decoded);
    if (comparison.problem.ptr)
        fail_msg("%.*s: %.*s", SLICE_ARG(json_get_text(request, "path")), SLICE_ARG(comparison.problem));
    ++*checked;
}

static void test_protobuf_bodies_of_kubectl_decode(void **state)
{
    static const char *const files[] = {"kubectl-protobuf.1.34", "kubectl-protobuf.1.32", "kubectl-create.1.34"};
    struct arena *arena = arena_new();
    size_t checked = 0;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct json *capture = read_json(arena, slice_cstr(arena, slice_fmt(arena, "captures/%s.json", files[i])));
        JSON_FOREACH (step, json_get(capture, S("steps")))
            JSON_FOREACH (request, json_get(step, S("requests")))
                if (json_get(request, S("bodyProtobuf")) && json_get(request, S("bodyDecoded")))
                    check_protobuf(arena, request, &checked);
    }
    print_message("%zu protobuf bodies\n", checked);
    arena_free(arena);
    assert_true(checked > 20);
}

static void test_pods_show_the_status_that_kubectl_shows(void **state)
{
    struct arena *arena = arena_new();
    struct instant now = {.ms = INT64_C(1795296000000)};
    struct table_options options = {.include = TABLE_INCLUDE_NONE, .now = now};
    const struct kind *pods = kind_find(S(""), S("v1"), S("pods"));
    static const char *const columns[] = {NULL, "ready", "status", "restarts", NULL, "ip", "node", "nominated", "gates"};
    JSON_FOREACH (one, read_json(arena, "pod-status.json")) {
        struct json *table = table_render(arena, pods, json_get(one, S("pod")), NULL, &options);
        const struct json *row = json_item(json_get(table, S("rows")), 0);
        for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
            if (columns[i] && !pattern_matches(json_get_text(one, columns[i]), json_text(json_item(json_get(row, S("cells")), i))))
                fail_msg("%.*s: %s is %.*s, expected %.*s", SLICE_ARG(json_text(JSON_AT(one, "pod", "metadata", "name"))), columns[i],
                         SLICE_ARG(json_text(json_item(json_get(row, S("cells")), i))), SLICE_ARG(json_get_text(one, columns[i])));
        const struct json *conditions = json_get(row, S("conditions")), *expected = json_get(one, S("conditions"));
        assert_true(expected->type == JSON_NULL ? conditions == NULL : conditions && json_equal(conditions, expected));
    }
    arena_free(arena);
}

static void test_tables_of_the_recorded_objects_have_the_recorded_cells(void **state)
{
    struct arena *arena = arena_new();
    struct json *made = read_json(arena, "captures/default-kinds.json"), *tables = read_json(arena, "captures/table-kinds.json");
    size_t checked = 0;
    JSON_FOREACH (step, json_get(tables, S("steps"))) {
        struct target target;
        const struct json *table = JSON_AT(step, "answer", "body");
        if (!slice_eq(json_get_text(table, "kind"), S("Table")) || !parse_target(arena, json_get_text(step, "path"), &target) || target.name.ptr)
            continue;
        JSON_FOREACH (row, json_get(table, S("rows")))
            JSON_FOREACH (creation, json_get(made, S("steps"))) {
                struct json *object = json_clone(arena, JSON_AT(creation, "answer", "body"));
                struct slice name = json_text(JSON_AT(row, "object", "metadata", "name"));
                if (!slice_eq(json_get_text(object, "kind"), slice_from_cstr(target.kind->kind)) || target.kind->group[0] != '\0' ||
                    !slice_eq(json_text(JSON_AT(object, "metadata", "name")), name) || slice_eq(name, S("nodeport")) ||
                    slice_eq(name, S("rq")))
                    continue; /* the recorded Table shows the port that the recorded object hides; and what was used by then */
                materialize(arena, object);
                struct table_options options = {.include = TABLE_INCLUDE_NONE, .now = {.ms = INT64_C(1767225700000)}};
                struct json *ours = table_render(arena, target.kind, object, NULL, &options);
                struct comparison comparison = {.arena = arena, .path = STRBUF_ARENA(arena)};
                compare(&comparison, json_get(row, S("cells")), json_get(json_item(json_get(ours, S("rows")), 0), S("cells")));
                if (comparison.problem.ptr)
                    fail_msg("%.*s %.*s: %.*s", SLICE_ARG(json_get_text(step, "path")), SLICE_ARG(name), SLICE_ARG(comparison.problem));
                checked++;
            }
        struct table_options options = {.include = TABLE_INCLUDE_NONE};
        struct json *empty = table_render(arena, target.kind, json_array(arena), NULL, &options);
        const struct json *ours = json_get(empty, S("columnDefinitions")), *theirs = json_get(table, S("columnDefinitions"));
        assert_int_equal(json_count(ours), json_count(theirs));
        for (size_t i = 0; i < json_count(ours); i++) {
            static const char *const members[] = {"name", "type", "format"};
            for (size_t m = 0; m < ARRAY_SIZE(members); m++)
                assert_true(slice_eq(json_get_text(json_item(ours, i), members[m]), json_get_text(json_item(theirs, i), members[m])));
            assert_int_equal(json_get_i64(json_item(ours, i), "priority", -1), json_get_i64(json_item(theirs, i), "priority", -2));
        }
    }
    print_message("%zu rows\n", checked);
    arena_free(arena);
    assert_true(checked > 10);
}

static struct json *discover(struct arena *arena, const char *path, const char *accept, const char **ret_type)
{
    struct discovery_input input = {.path = slice_from_cstr(path), .accept = slice_from_cstr(accept), .server_address = S("127.0.0.1:6443")};
    struct discovery_answer answer;
    struct json *json;
    struct err *e = discovery_get(arena, &input, &answer);
    assert_null(e);
    assert_int_equal(answer.status, 200);
    e = json_parse(arena, answer.body, JSON_DUPLICATES_REFUSE, &json);
    assert_null(e);
    if (ret_type)
        *ret_type = answer.content_type;
    return json;
}

/* Every row of ours is one of the real server's, member by member. */
static void check_rows(struct arena *arena, const struct json *ours, const struct json *theirs, const char *key)
{
    JSON_FOREACH (row, ours) {
        struct json *match = NULL;
        JSON_FOREACH (candidate, theirs)
            if (slice_eq(json_get_text(candidate, key), json_get_text(row, key)))
                match = json_clone(arena, candidate);
        if (!match)
            fail_msg("%.*s is no resource of the real server", SLICE_ARG(json_get_text(row, key)));
        json_remove(match, S("storageVersionHash"));
        struct json *copy = json_clone(arena, row);
        if (json_get(copy, S("subresources")))
            check_rows(arena, json_get(copy, S("subresources")), json_get(match, S("subresources")), "subresource");
        json_remove(copy, S("subresources"));
        json_remove(match, S("subresources"));
        struct comparison comparison = {.arena = arena, .path = STRBUF_ARENA(arena)};
        compare(&comparison, match, copy);
        if (comparison.problem.ptr)
            fail_msg("%.*s: %.*s", SLICE_ARG(json_get_text(row, key)), SLICE_ARG(comparison.problem));
    }
}

static void test_legacy_discovery_describes_our_kinds_as_the_real_server_does(void **state)
{
    struct arena *arena = arena_new();
    size_t checked = 0;
    JSON_FOREACH (step, json_get(read_json(arena, "captures/discovery-legacy.json"), S("steps"))) {
        const struct json *body = JSON_AT(step, "answer", "body");
        struct slice kind = json_get_text(body, "kind"), version = json_get_text(body, "groupVersion"), group, rest;
        if (!slice_eq(kind, S("APIResourceList")))
            continue;
        if (slice_split(version, '/', &group, &rest) && !kind_group_is_served(group, SLICE_NONE))
            continue;
        struct json *ours = discover(arena, slice_cstr(arena, json_get_text(step, "path")), "application/json", NULL);
        assert_true(slice_eq(json_get_text(ours, "groupVersion"), version));
        check_rows(arena, json_get(ours, S("resources")), json_get(body, S("resources")), "name");
        checked++;
    }
    assert_true(checked >= 6);
    arena_free(arena);
}

static const struct json *version_of(const struct json *list, struct slice group)
{
    JSON_FOREACH (item, json_get(list, S("items")))
        if (slice_eq(json_text(JSON_AT(item, "metadata", "name")), group) || (!group.len && !JSON_AT(item, "metadata", "name")))
            return json_item(json_get(item, S("versions")), 0);
    return NULL;
}

static void test_aggregated_discovery_describes_our_kinds_as_the_real_server_does(void **state)
{
    struct arena *arena = arena_new();
    static const char type[] = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    struct json *capture = read_json(arena, "captures/discovery-aggregated.json");
    for (size_t i = 0; i < 2; i++) {
        const struct json *step = json_item(json_get(capture, S("steps")), i);
        const char *content_type;
        struct json *ours = discover(arena, slice_cstr(arena, json_get_text(step, "path")), type, &content_type);
        assert_string_equal(content_type, type);
        JSON_FOREACH (item, json_get(ours, S("items"))) {
            struct slice group = json_text(JSON_AT(item, "metadata", "name"));
            const struct json *theirs = version_of(JSON_AT(step, "answer", "body"), group);
            assert_non_null(theirs);
            check_rows(arena, json_get(json_item(json_get(item, S("versions")), 0), S("resources")), json_get(theirs, S("resources")), "resource");
        }
    }
    arena_free(arena);
}

static void test_discovery_refuses_an_old_aggregated_form_alone(void **state)
{
    struct arena *arena = arena_new();
    struct discovery_input input = {.path = S("/api"), .accept = S("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList")};
    struct discovery_answer answer;
    struct err *e = discovery_get(arena, &input, &answer);
    assert_non_null(e);
    assert_int_equal(e->status, 406);
    err_free(e);
    struct json *list = discover(arena, "/api", "application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json", NULL);
    assert_true(slice_eq(json_get_text(list, "kind"), S("APIVersions")));
    arena_free(arena);
}

static void test_openapi_names_every_kind_with_its_field_validation(void **state)
{
    struct arena *arena = arena_new();
    struct json *index = discover(arena, "/openapi/v3", "application/json, */*", NULL);
    assert_non_null(JSON_AT(index, "paths", "api/v1", "serverRelativeURL"));
    struct json *document = discover(arena, "/openapi/v3/api/v1", "application/json", NULL);
    const struct json *patch = JSON_AT(document, "paths", "/api/v1/namespaces/{namespace}/configmaps/{name}", "patch");
    assert_true(slice_eq(json_text(JSON_AT(patch, "x-kubernetes-group-version-kind", "kind")), S("ConfigMap")));
    assert_true(slice_eq(json_get_text(json_item(json_get(patch, S("parameters")), 0), "name"), S("fieldValidation")));
    arena_free(arena);
}

static const char *const captures[] = {
    "default-kinds",      "default-spark-submit-3.5.9", "default-spark-submit-4.3.0", "error-invalid-pods",  "error-invalid-names",
    "error-invalid-kinds", "error-malformed",           "error-immutable",            "error-media",         "error-conflict",
    "meta-create",        "meta-finalizers",            "patch-strategic",            "patch-strategic-other", "patch-merge-json",
    "apply-ssa",          "apply-ssa-lists",            "list-label-selectors",       "list-field-selectors", "admission-serviceaccount",
};

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(test_protobuf_bodies_of_kubectl_decode),
        cmocka_unit_test(test_pods_show_the_status_that_kubectl_shows),
        cmocka_unit_test(test_tables_of_the_recorded_objects_have_the_recorded_cells),
        cmocka_unit_test(test_legacy_discovery_describes_our_kinds_as_the_real_server_does),
        cmocka_unit_test(test_aggregated_discovery_describes_our_kinds_as_the_real_server_does),
        cmocka_unit_test(test_discovery_refuses_an_old_aggregated_form_alone),
        cmocka_unit_test(test_openapi_names_every_kind_with_its_field_validation),
    };
    static struct CMUnitTest tests[ARRAY_SIZE(captures) + ARRAY_SIZE(others)];
    for (size_t i = 0; i < ARRAY_SIZE(captures); i++)
        tests[i] = (struct CMUnitTest){.name = captures[i], .test_func = test_capture, .initial_state = (void *)(uintptr_t)captures[i]};
    memcpy(tests + ARRAY_SIZE(captures), others, sizeof(others));
    return _cmocka_run_group_tests("captures", tests, ARRAY_SIZE(tests), NULL, NULL);
}
