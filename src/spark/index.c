#include "spark/index_internal.h"

static void link_entry(struct spark_index *index, struct spark_index_entry *e)
{
    struct spark_index_entry **bucket = &index->buckets[e->hash & (index->bucket_count - 1)];
    e->next = *bucket;
    *bucket = e;
}

static void grow(struct spark_index *index)
{
    struct spark_index_entry **old = index->buckets;
    size_t old_count = index->bucket_count;
    index->bucket_count = old_count ? old_count * 4 : 64;
    index->buckets = ARENA_ARRAY(index->arena, index->bucket_count, struct spark_index_entry *);
    for (size_t i = 0; i < old_count; i++) {
        for (struct spark_index_entry *e = old[i], *next; e; e = next) {
            next = e->next;
            link_entry(index, e);
        }
    }
}

struct spark_index_entry *spark_index_at(struct spark_index *index, struct slice name)
{
    uint64_t hash = slice_hash(name);
    for (struct spark_index_entry *e = index->bucket_count ? index->buckets[hash & (index->bucket_count - 1)] : NULL; e; e = e->next)
        if (e->hash == hash && slice_eq(e->name, name))
            return e;
    if (index->count == index->bucket_count)
        grow(index);
    struct spark_index_entry *e = ARENA_NEW(index->arena, struct spark_index_entry);
    e->name = name;
    e->hash = hash;
    link_entry(index, e);
    index->count++;
    return e;
}
