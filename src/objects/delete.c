/* Deleting objects: one, or many in one commit. */
#include "objects/objects_internal.h"

struct delete_call {
    struct arena *arena;
    struct slice bucket;
    struct object_delete_entry *entries;
    size_t count;
    struct blob_drops drops;
};

static struct err *delete_entry(struct db_tx *tx, struct delete_call *call, int64_t bucket, struct object_delete_entry *entry)
{
    struct object_row row = {0};
    bool found;
    TRY(object_find(tx, call->arena, bucket, entry->key, &row, &found));
    err_free(entry->result);
    entry->result = object_conditions_check(&entry->conditions, &row, found);
    if (entry->result || !found)
        return NULL;
    return object_remove(tx, &call->drops, bucket, entry->key, row.id);
}

static struct err *delete_fn(struct db_tx *tx, void *arg)
{
    struct delete_call *call = arg;
    blob_drops_reset(&call->drops, call->arena);
    int64_t bucket;
    TRY(bucket_find(tx, call->bucket, &bucket));
    for (size_t i = 0; i < call->count; i++)
        TRY(delete_entry(tx, call, bucket, &call->entries[i]));
    return NULL;
}

struct err *object_delete_many(struct objects *objects, struct slice bucket, struct object_delete_entry *entries, size_t count)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct delete_call call = {.arena = arena, .bucket = bucket, .entries = entries, .count = count};
    for (size_t i = 0; i < count; i++)
        entries[i].result = NULL;
    TRY(objects_write(objects, delete_fn, &call));
    blob_unlink_dropped(objects, &call.drops);
    return NULL;
}

struct err *object_delete(struct objects *objects, struct slice bucket, struct slice key, const struct object_conditions *conditions)
{
    struct object_delete_entry entry = {.key = key};
    if (conditions)
        entry.conditions = *conditions;
    TRY(object_delete_many(objects, bucket, &entry, 1));
    return entry.result;
}
