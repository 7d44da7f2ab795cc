/* kube_selector_fuzz: label and field selectors of a query, parsed and matched against an object. */
#include "base/arena.h"
#include "cluster/apiserver/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char pod[] = "{\"metadata\":{\"name\":\"a\",\"labels\":{\"app\":\"x\",\"tier\":\"1\"}},\"status\":{\"phase\":\"Running\"}}";
    struct arena *arena = arena_new();
    struct slice text = slice_of((const char *)data, size);
    const struct label_selector *labels;
    const struct field_selector *fields;
    struct json *object = NULL;
    struct err *e = json_parse(arena, slice_from_cstr(pod), JSON_DUPLICATES_REFUSE, &object);
    if (e)
        __builtin_trap();
    e = label_selector_parse(arena, text, &labels);
    if (!e)
        (void)label_selector_matches(labels, JSON_AT(object, "metadata", "labels"));
    err_free(e);
    for (size_t i = 0; i < kinds_count; i++) {
        e = field_selector_parse(arena, &kinds[i], text, &fields);
        if (!e) {
            (void)field_selector_matches(fields, object);
            (void)field_selector_name(fields);
        }
        err_free(e);
    }
    arena_free(arena);
    return 0;
}
