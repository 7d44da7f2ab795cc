/* object: one immutable version of one object, in one block of memory: the struct, its owners, its index tree, its text. */
#include "base/arena.h"
#include "cluster/apiserver/registry_internal.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A bump allocator that first measures (base NULL), then fills. */
struct packer {
    char *base;
    size_t used;
};

static void *pack_bytes(struct packer *packer, size_t size, size_t align)
{
    packer->used = (packer->used + align - 1) & ~(align - 1);
    void *at = packer->base ? packer->base + packer->used : NULL;
    packer->used += size;
    return at;
}

static struct slice pack_text(struct packer *packer, struct slice text)
{
    if (!text.ptr)
        return SLICE_NONE;
    char *at = pack_bytes(packer, text.len + 1, 1);
    if (!at)
        return SLICE_NONE;
    memcpy(at, text.ptr, text.len);
    at[text.len] = '\0';
    return slice_of(at, text.len);
}

/* What of a value goes into the index. */
enum pack_depth { PACK_ALL, PACK_SCALARS };

static struct json *pack_json(struct packer *packer, const struct json *value, enum pack_depth depth)
{
    struct json *copy = pack_bytes(packer, sizeof(*copy), _Alignof(struct json));
    struct slice key = pack_text(packer, value->key);
    struct slice text = pack_text(packer, value->text);
    if (copy)
        *copy = (struct json){.type = value->type, .boolean = value->boolean, .key = key, .text = text};
    JSON_FOREACH (child, value) {
        if (depth == PACK_SCALARS && (child->type == JSON_OBJECT || child->type == JSON_ARRAY))
            continue;
        struct json *child_copy = pack_json(packer, child, depth);
        if (!copy)
            continue;
        if (copy->last)
            copy->last->next = child_copy;
        else
            copy->first = child_copy;
        copy->last = child_copy;
    }
    return copy;
}

static void pack_child(struct json *parent, struct json *child)
{
    if (!parent)
        return;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

static struct json *pack_object(struct packer *packer, struct slice key)
{
    struct json *object = pack_bytes(packer, sizeof(*object), _Alignof(struct json));
    struct slice own_key = pack_text(packer, key);
    if (object)
        *object = (struct json){.type = JSON_OBJECT, .key = own_key};
    return object;
}

static bool holds_content(struct slice key)
{
    return slice_eq(key, S("data")) || slice_eq(key, S("binaryData")) || slice_eq(key, S("stringData")) || slice_eq(key, S("message"));
}

static const struct json *pack_index(struct packer *packer, const struct json *object)
{
    struct json *index = pack_object(packer, SLICE_NONE);
    JSON_FOREACH (member, object) {
        if (slice_eq(member->key, S("metadata"))) {
            struct json *metadata = pack_object(packer, S("metadata"));
            JSON_FOREACH (field, member)
                if (slice_eq(field->key, S("name")) || slice_eq(field->key, S("namespace")) || slice_eq(field->key, S("labels")))
                    pack_child(metadata, pack_json(packer, field, PACK_ALL));
            pack_child(index, metadata);
        } else if (member->type != JSON_ARRAY && !holds_content(member->key)) {
            struct json *section = pack_json(packer, member, PACK_SCALARS);
            const struct json *pod_ips = slice_eq(member->key, S("status")) ? json_get(member, S("podIPs")) : NULL;
            if (pod_ips)
                pack_child(section, pack_json(packer, pod_ips, PACK_ALL));
            pack_child(index, section);
        }
    }
    return index;
}

static void pack(struct packer *packer, struct object *out, struct slice resource, const struct json *json, struct slice text)
{
    const struct json *metadata = json_get(json, S("metadata"));
    const struct json *owners = json_get(metadata, S("ownerReferences"));
    size_t owner_count = json_count(owners);
    struct slice *owner_uids = pack_bytes(packer, owner_count * sizeof(*owner_uids), _Alignof(struct slice));
    size_t i = 0;
    JSON_FOREACH (owner, owners) {
        struct slice uid = pack_text(packer, json_get_text(owner, "uid"));
        if (owner_uids)
            owner_uids[i] = uid;
        i++;
    }
    const struct json *index = pack_index(packer, json);
    struct slice own_resource = pack_text(packer, resource);
    struct slice uid = pack_text(packer, json_get_text(metadata, "uid"));
    struct slice name = pack_text(packer, json_get_text(metadata, "name"));
    struct slice namespace_name = pack_text(packer, json_get_text(metadata, "namespace"));
    struct slice own_text = pack_text(packer, text);
    if (!out)
        return;
    *out = (struct object){
        .resource = own_resource,
        .namespace_name = namespace_name.ptr ? namespace_name : S(""),
        .name = name,
        .uid = uid,
        .text = own_text,
        .index = index,
        .owner_uids = owner_uids,
        .owner_count = owner_count,
        .deleting = json_get(metadata, S("deletionTimestamp")) != NULL,
        .has_finalizers = json_count(json_get(metadata, S("finalizers"))) > 0,
    };
    slice_to_i64(json_get_text(metadata, "resourceVersion"), 0, INT64_MAX, &out->revision);
}

/* The first two members are kind and apiVersion (object_new's callers see to it): behind the second comma. */
static struct slice item_of(struct slice text, const struct json *json)
{
    struct strbuf head = STRBUF_HEAP;
    strbuf_append(&head, S("{\"kind\":"));
    json_write(&head, json_get(json, S("kind")));
    strbuf_append(&head, S(",\"apiVersion\":"));
    json_write(&head, json_get(json, S("apiVersion")));
    strbuf_append_char(&head, ',');
    struct slice item = slice_from(text, slice_starts_with(text, strbuf_slice(&head)) ? head.len : 1);
    strbuf_deinit(&head);
    return item;
}

struct object *object_new(struct slice resource, const struct json *json)
{
    struct strbuf text = STRBUF_HEAP;
    json_write(&text, json);
    struct packer measure = {0};
    pack(&measure, NULL, resource, json, strbuf_slice(&text));

    struct object_block *block = xmalloc(sizeof(*block) + measure.used + _Alignof(max_align_t));
    struct packer fill = {.base = block->storage};
    pack(&fill, &block->object, resource, json, strbuf_slice(&text));
    atomic_init(&block->references, 1);
    block->object.item = item_of(block->object.text, json);
    strbuf_deinit(&text);
    return &block->object;
}

struct object *object_ref(struct object *object)
{
    atomic_fetch_add_explicit(&((struct object_block *)object)->references, 1, memory_order_relaxed);
    return object;
}

void object_unref(struct object *object)
{
    struct object_block *block = (struct object_block *)object;
    if (block && atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1)
        free(block);
}

void object_unrefp(struct object **object)
{
    object_unref(*object);
}

struct json *object_json(struct arena *arena, const struct object *object)
{
    struct json *json = NULL;
    struct err *e = json_parse(arena, object->text, JSON_DUPLICATES_LAST_WINS, &json);
    err_free(e); /* our own text: cannot fail; an empty object is the safe answer if the disk lied */
    return json ? json : json_object(arena);
}

struct slice object_label(const struct object *object, struct slice key)
{
    return json_text(json_get(JSON_AT(object->index, "metadata", "labels"), key));
}

struct slice object_field(const struct object *object, const char *section, const char *member)
{
    return json_get_text(json_get(object->index, slice_from_cstr(section)), member);
}
