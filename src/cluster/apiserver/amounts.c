#include "cluster/apiserver/amounts.h"
#include "base/arena.h"
#include <string.h>

/* Where name is, or would be. */
static size_t place_of(const struct amounts *amounts, struct slice name, bool *ret_found)
{
    size_t low = 0, high = amounts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_cmp(amounts->items[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = low < amounts->count && slice_eq(amounts->items[low].name, name);
    return low;
}

const struct quantity *amounts_get(const struct amounts *amounts, struct slice name)
{
    bool found;
    size_t i = place_of(amounts, name, &found);
    return found ? &amounts->items[i].value : NULL;
}

static struct quantity *slot_of(struct amounts *amounts, struct slice name)
{
    bool found;
    size_t i = place_of(amounts, name, &found);
    if (found)
        return &amounts->items[i].value;
    if (amounts->count == amounts->cap) {
        struct amount *more = ARENA_ARRAY(amounts->arena, amounts->cap * 2 + 8, struct amount);
        if (amounts->count)
            memcpy(more, amounts->items, amounts->count * sizeof(*more));
        amounts->items = more;
        amounts->cap = amounts->cap * 2 + 8;
    }
    memmove(&amounts->items[i + 1], &amounts->items[i], (amounts->count - i) * sizeof(*amounts->items));
    amounts->items[i] = (struct amount){.name = name};
    amounts->count++;
    return &amounts->items[i].value;
}

void amounts_add(struct amounts *amounts, struct slice name, struct quantity value)
{
    struct quantity *slot = slot_of(amounts, name);
    *slot = quantity_add(*slot, value);
}

void amounts_raise(struct amounts *amounts, struct slice name, struct quantity value)
{
    struct quantity *slot = slot_of(amounts, name);
    if (quantity_cmp(value, *slot) > 0)
        *slot = value;
}

void amounts_add_json(struct amounts *amounts, const struct json *list)
{
    JSON_FOREACH (item, list) {
        struct quantity q;
        if ((item->type == JSON_STRING || item->type == JSON_NUMBER) && quantity_parse(item->text, &q))
            amounts_add(amounts, item->key, q);
    }
}

static void add_all(struct amounts *to, const struct amounts *from)
{
    for (size_t i = 0; i < from->count; i++)
        amounts_add(to, from->items[i].name, from->items[i].value);
}

static void raise_all(struct amounts *to, const struct amounts *from)
{
    for (size_t i = 0; i < from->count; i++)
        amounts_raise(to, from->items[i].name, from->items[i].value);
}

void pod_amounts(const struct json *pod, const char *member, struct amounts *ret_amounts)
{
    struct arena *arena = ret_amounts->arena;
    struct slice which = slice_from_cstr(member);
    const struct json *spec = json_get(pod, S("spec"));
    struct amounts sum = {.arena = arena}, beside = {.arena = arena}, most = {.arena = arena};
    JSON_FOREACH (container, json_get(spec, S("containers")))
        amounts_add_json(&sum, json_get(json_get(container, S("resources")), which));
    /* One init container runs at a time, beside those before it that go on. */
    JSON_FOREACH (container, json_get(spec, S("initContainers"))) {
        const struct json *own = json_get(json_get(container, S("resources")), which);
        struct amounts now = {.arena = arena};
        add_all(&now, &beside);
        amounts_add_json(&now, own);
        if (slice_eq(json_get_text(container, "restartPolicy"), S("Always"))) {
            amounts_add_json(&sum, own);
            amounts_add_json(&beside, own);
        }
        raise_all(&most, &now);
    }
    raise_all(&sum, &most);
    JSON_FOREACH (item, json_get(spec, S("overhead"))) {
        struct quantity q;
        const struct quantity *there = amounts_get(&sum, item->key);
        bool counts = which.ptr[0] == 'r' || (there && there->nano); /* no limit stays none */
        if (counts && quantity_parse(item->text, &q))
            amounts_add(&sum, item->key, q);
    }
    add_all(ret_amounts, &sum);
}
