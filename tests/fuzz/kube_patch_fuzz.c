/* kube_patch_fuzz: first byte: the kind of patch; the rest: its body, applied to a pod template, and the result through checks,
 * defaults and validation. */
#include "base/arena.h"
#include "cluster/apiserver/apply.h"
#include "cluster/apiserver/patch.h"
#include "cluster/apiserver/strategy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char template_text[] =
    "{\"kind\":\"PodTemplate\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"t\",\"namespace\":\"n\",\"uid\":\"u\",\"labels\":{\"a\":\"1\"},"
    "\"finalizers\":[\"example.com/x\"]},\"template\":{\"metadata\":{},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"ports\":"
    "[{\"containerPort\":80,\"protocol\":\"TCP\"}],\"env\":[{\"name\":\"A\",\"value\":\"1\"}],\"resources\":{\"limits\":{\"cpu\":\"1\"}}}],"
    "\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}}}";

static struct err *patched(struct arena *arena, const struct kind *kind, unsigned type, const struct json *live, struct slice body,
                           struct json **ret_object)
{
    if (type != PATCH_APPLY)
        return patch_object(arena, kind, (enum patch_type)type, live, body, ret_object);
    struct json *parsed;
    TRY(apply_parse(arena, kind, body, &parsed));
    struct apply_manager other = {.name = S("other"), .applied = live};
    struct apply_input input = {.kind = kind, .live = live, .previous = live, .body = parsed, .others = &other, .other_count = 1, .manager = S("m")};
    return apply_patch(arena, &input, ret_object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    const struct kind *kind = kind_find(S(""), S("v1"), S("podtemplates"));
    struct json *live = NULL, *object = NULL;
    struct warnings warnings = {.arena = arena};
    struct strategy_context context = {.arena = arena, .namespace_name = S("n"), .uid = S("u"), .warnings = &warnings};
    struct err *e = json_parse(arena, slice_from_cstr(template_text), JSON_DUPLICATES_REFUSE, &live);
    if (e || !size)
        goto end;
    e = patched(arena, kind, (data[0] - '0') & 3u, live, slice_of((const char *)data + 1, size - 1), &object);
    if (!e)
        e = decode_check(arena, kind, object, FIELD_VALIDATION_WARN, &warnings);
    if (!e)
        e = strategy_prepare_update(&context, kind, NULL, live, object);
    if (!e)
        e = strategy_validate_update(&context, kind, NULL, live, object);
end:
    err_free(e);
    arena_free(arena);
    return 0;
}
