#include "base/arena.h"
#include "cluster/apiserver/validate_internal.h"

#define ANNOTATIONS_MAX_BYTES (256 * 1024)

void check_text(struct field_errors *errors, struct slice field, struct slice text, name_checker *check)
{
    const char *words = check(errors->arena, text);
    if (words)
        field_invalid(errors, field, json_string(errors->arena, text), "%s", words);
}

void check_choice(struct field_errors *errors, struct slice field, const struct json *value, const char *const *choices)
{
    for (size_t i = 0; choices[i]; i++)
        if (value && slice_eq(json_text(value), slice_from_cstr(choices[i])))
            return;
    field_not_supported(errors, field, value, choices);
}

void check_labels(struct field_errors *errors, struct slice field, const struct json *labels)
{
    JSON_FOREACH (label, labels) {
        check_text(errors, field, label->key, name_check_label_key);
        check_text(errors, field, label->text, name_check_label_value);
    }
}

void check_annotations(struct field_errors *errors, struct slice field, const struct json *annotations)
{
    size_t total = 0;
    JSON_FOREACH (annotation, annotations) {
        const char *words = name_check_qualified(errors->arena, slice_lower(errors->arena, annotation->key));
        if (words)
            field_invalid(errors, field, json_string(errors->arena, annotation->key), "%s", words);
        total += annotation->key.len + annotation->text.len;
    }
    if (total > ANNOTATIONS_MAX_BYTES)
        field_too_long(errors, field, ANNOTATIONS_MAX_BYTES);
}

void check_port_number(struct field_errors *errors, struct slice field, const struct json *value)
{
    int64_t port = json_to_i64(value, 0);
    if (port < 1 || port > 65535)
        field_invalid(errors, field, value ? value : json_i64(errors->arena, 0), "must be between 1 and 65535, inclusive");
}

/* A generated name's base may end in '-', which the random part covers. */
static struct slice mask_trailing_dash(struct arena *arena, struct slice prefix)
{
    if (prefix.len > 1 && prefix.ptr[prefix.len - 1] == '-')
        return slice_fmt(arena, "%.*sa", (int)prefix.len - 1, prefix.ptr);
    return prefix;
}

static void check_name(struct field_errors *errors, struct slice field, const struct kind *kind, struct slice name, struct slice shown)
{
    const char *words = NULL;
    switch (kind->name_rule) {
    case NAME_DNS_SUBDOMAIN:
        words = name_check_dns_subdomain(errors->arena, name);
        break;
    case NAME_DNS_LABEL:
        /* Kubernetes names the dot before all else. */
        words = slice_index(name, '.') >= 0 && name.len <= 63 ? "must not contain dots" : name_check_dns_label(errors->arena, name);
        break;
    case NAME_DNS_1035:
        words = name_check_dns_1035(errors->arena, name);
        break;
    case NAME_PATH_SEGMENT:
        words = name_check_path_segment(errors->arena, name);
        break;
    case NAME_NONE:
        break;
    }
    if (words)
        field_invalid(errors, field, json_string(errors->arena, shown), "%s", words);
}

static void check_owners(struct field_errors *errors, const struct json *owners)
{
    static const char *const members[] = {"apiVersion", "kind", "name", "uid"};
    const struct json *controller = NULL;
    JSON_FOREACH (owner, owners) {
        for (size_t i = 0; i < ARRAY_SIZE(members); i++)
            if (json_get_text(owner, members[i]).len == 0)
                field_invalid(errors, PATH(errors, "metadata.ownerReferences.%s", members[i]), json_cstr(errors->arena, ""), "%s",
                              i == 0 ? "version must not be empty" : "must not be empty");
        if (!json_get_bool(owner, "controller", false))
            continue;
        if (controller)
            field_invalid(errors, S("metadata.ownerReferences"), owners,
                          "Only one reference can have Controller set to true. Found \"true\" in references for %.*s and %.*s",
                          SLICE_ARG(json_get_text(controller, "name")), SLICE_ARG(json_get_text(owner, "name")));
        controller = owner;
    }
}

static void check_finalizers(struct field_errors *errors, const struct json *finalizers)
{
    size_t index = 0;
    JSON_FOREACH (finalizer, finalizers) {
        struct slice field = PATH(errors, "metadata.finalizers[%zu]", index++), name = json_text(finalizer);
        bool standard = slice_eq(name, S("kubernetes")) || slice_eq(name, S("orphan")) || slice_eq(name, S("foregroundDeletion"));
        const char *words = name_check_qualified(errors->arena, name);
        if (words)
            field_invalid(errors, field, finalizer, "%s", words);
        else if (!standard && slice_index(name, '/') < 0)
            field_invalid(errors, field, finalizer, "name is neither a standard finalizer name nor is it fully qualified");
    }
}

void validate_metadata(struct field_errors *errors, const struct kind *kind, const struct json *metadata)
{
    struct slice name = json_get_text(metadata, "name"), prefix = json_get_text(metadata, "generateName");
    if (kind->name_rule == NAME_NONE)
        return;
    if (prefix.len)
        check_name(errors, S("metadata.generateName"), kind, mask_trailing_dash(errors->arena, prefix), prefix);
    if (name.len == 0)
        field_required(errors, S("metadata.name"), "name or generateName is required");
    else
        check_name(errors, S("metadata.name"), kind, name, name);
    const struct json *generation = json_get(metadata, S("generation"));
    if (json_to_i64(generation, 0) < 0)
        field_invalid(errors, S("metadata.generation"), generation, "must be greater than or equal to 0");
    check_labels(errors, S("metadata.labels"), json_get(metadata, S("labels")));
    check_annotations(errors, S("metadata.annotations"), json_get(metadata, S("annotations")));
    check_owners(errors, json_get(metadata, S("ownerReferences")));
    check_finalizers(errors, json_get(metadata, S("finalizers")));
}

static bool has_text(const struct json *list, const struct json *text)
{
    JSON_FOREACH (item, list)
        if (slice_eq(json_text(item), json_text(text)))
            return true;
    return false;
}

void validate_metadata_update(struct field_errors *errors, const struct kind *kind, const struct json *old, const struct json *metadata)
{
    static const char *const immutable[] = {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"};
    struct strbuf fresh = STRBUF_ARENA(errors->arena);
    if (json_get(old, S("deletionTimestamp")))
        JSON_FOREACH (finalizer, json_get(metadata, S("finalizers")))
            if (!has_text(json_get(old, S("finalizers")), finalizer))
                strbuf_append_fmt(&fresh, "%s\"%.*s\"", fresh.len ? ", " : "", SLICE_ARG(json_text(finalizer)));
    if (fresh.len)
        field_forbidden(errors, S("metadata.finalizers"),
                        "no new finalizers can be added if the object is being deleted, found new finalizers []string{%.*s}",
                        SLICE_ARG(strbuf_slice(&fresh)));
    for (size_t i = 0; i < ARRAY_SIZE(immutable); i++) {
        const struct json *before = json_get(old, slice_from_cstr(immutable[i])), *now = json_get(metadata, slice_from_cstr(immutable[i]));
        if ((before || now) && !(before && now && json_equal(before, now)))
            field_invalid(errors, PATH(errors, "metadata.%s", immutable[i]), now, "field is immutable");
    }
    check_labels(errors, S("metadata.labels"), json_get(metadata, S("labels")));
    check_annotations(errors, S("metadata.annotations"), json_get(metadata, S("annotations")));
    check_owners(errors, json_get(metadata, S("ownerReferences")));
    check_finalizers(errors, json_get(metadata, S("finalizers")));
}
