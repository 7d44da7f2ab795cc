/* kube_object_fuzz: first byte: a kind, second: flags; the rest the body of a create in JSON or YAML, through decoding, the server's own
 * changes, defaults and validation, as the API server does it. What is decoded reads again as the same; defaults and the canonical form
 * are reached at once; what may be created may be updated by itself, and that changes nothing; it can be shown as a table. */
#include "cluster/apiserver/limit_range.h"
#include "cluster/apiserver/schema.h"
#include "cluster/apiserver/strategy.h"
#include "cluster/apiserver/table.h"
#include "fuzz.h"

#define NOW ((struct instant){1795295400000})

static struct err *decode(struct arena *arena, const struct kind *kind, struct slice type, struct slice body, enum field_validation validation,
                          struct json **ret_object)
{
    struct warnings warnings = {.arena = arena};
    struct decode_input input = {.kind = kind, .content_type = type, .body = body, .validation = validation, .warnings = &warnings};
    return decode_object(arena, &input, ret_object);
}

static void check_stable(struct arena *arena, const struct strategy_context *context, const struct kind *kind, struct json *object)
{
    struct json *again = json_clone(arena, object);
    strategy_default(context, kind, again);
    ENSURE(json_equal(object, again));
    const struct schema_message *message = schema_find(kind->message);
    if (message) {
        schema_canonicalize(arena, message, again);
        struct json *twice = json_clone(arena, again);
        schema_canonicalize(arena, message, twice);
        ENSURE(json_equal(again, twice));
    }
    struct table_options options = {.now = NOW};
    ENSURE(table_render(arena, kind, object, NULL, &options));
    ENSURE(partial_object_metadata(arena, object));
}

static void check_update_by_itself(struct arena *arena, const struct strategy_context *context, const struct kind *kind, const struct json *object)
{
    struct json *fresh = json_clone(arena, object);
    struct err *e = strategy_prepare_update(context, kind, NULL, object, fresh);
    if (!e) {
        strategy_default(context, kind, fresh);
        e = strategy_validate_update(context, kind, NULL, object, fresh);
    }
    ENSURE(!e && strategy_is_unchanged(object, fresh));
}

/* A pod under limit ranges, or a limit range over a pod: what a range gives is given once, and what it forbids is told. */
static void check_limits(struct arena *arena, const struct kind *kind, struct json *object)
{
    static const char range_text[] = "[{\"spec\":{\"limits\":[{\"type\":\"Container\",\"min\":{\"cpu\":\"10m\"},\"max\":{\"memory\":\"1Gi\"},\"default\":{\"cpu\":\"1\","
                                     "\"memory\":\"1Gi\"},\"defaultRequest\":{\"cpu\":\"100m\"},\"maxLimitRequestRatio\":{\"cpu\":\"4\"}},{\"type\":\"Pod\",\"max\":{"
                                     "\"memory\":\"4Gi\"}}]}}]";
    static const char pod_text[] = "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\"},{\"name\":\"d\",\"resources\":{\"requests\":{\"cpu\":\"1\","
                                   "\"memory\":\"1Mi\"},\"limits\":{\"memory\":\"1Gi\"}}}]}}";
    bool is_range = slice_eq(slice_from_cstr(kind->kind), S("LimitRange"));
    const struct kind *pods = kind_find(S(""), S("v1"), S("pods"));
    struct json *ranges = NULL, *pod = json_clone(arena, object);
    if (!is_range && kind != pods)
        return;
    err_free(json_parse(arena, slice_from_cstr(range_text), JSON_DUPLICATES_REFUSE, &ranges));
    if (is_range) {
        ranges = json_array(arena);
        json_append(ranges, json_clone(arena, object));
        err_free(json_parse(arena, slice_from_cstr(pod_text), JSON_DUPLICATES_REFUSE, &pod));
    }
    limit_range_apply(arena, ranges, pod);
    struct json *again = json_clone(arena, pod);
    limit_range_apply(arena, ranges, again);
    ENSURE(json_equal(json_get(pod, S("spec")), json_get(again, S("spec"))));
    struct err *e = limit_range_check(arena, ranges, pods, pod);
    int status = 0;
    if (e)
        ENSURE(json_is(status_error_to_json(arena, e, &status), JSON_OBJECT) && status == 403);
    err_free(e);
}

static void create(struct arena *arena, const struct kind *kind, struct json *object)
{
    struct warnings warnings = {.arena = arena};
    struct strategy_context context = {.arena = arena,
                                       .now = NOW,
                                       .namespace_name = kind->namespaced ? S("default") : S(""),
                                       .uid = S("11111111-2222-4333-8444-555555555555"),
                                       .warnings = &warnings};
    struct err *e = strategy_prepare_create(&context, kind, object);
    struct json *spec = json_get(object, S("spec"));
    if (!e && slice_eq(slice_from_cstr(kind->kind), S("Pod")) && json_is(spec, JSON_OBJECT))
        pod_add_default_tolerations(arena, spec); /* admission, which an update has, too */
    if (!e) {
        strategy_default(&context, kind, object);
        check_stable(arena, &context, kind, object);
        e = strategy_validate_create(&context, kind, object);
    }
    if (!e && kind->stored_as)
        check_update_by_itself(arena, &context, kind, object);
    if (!e)
        check_limits(arena, kind, object);
    if (e) {
        int status = 0;
        ENSURE(json_is(status_error_to_json(arena, e, &status), JSON_OBJECT) && status >= 400 && status < 600);
    }
    err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size), type;
    const struct kind *kind = &kinds[input_byte(&input) % kinds_count];
    uint8_t flags = input_byte(&input);
    type = flags & 1 ? S("application/yaml") : S("application/json");
    struct json *object = NULL, *again = NULL;
    struct err *e = decode(arena, kind, type, input, (enum field_validation)((flags >> 1) % 3), &object);
    if (!e) {
        struct err *second = decode(arena, kind, S("application/json"), json_to_slice(arena, object), FIELD_VALIDATION_STRICT, &again);
        ENSURE(!second && json_equal(object, again));
        create(arena, kind, object);
    }
    err_free(e);
    arena_free(arena);
    return 0;
}
