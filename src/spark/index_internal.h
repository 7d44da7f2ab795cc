/* index: what is known about a name, found without looking through all of them: what users name may be many thousands of loggers,
 * volumes or objects, and a list that is walked for each takes minutes. Entries stay where they are and live in the arena. For this
 * folder only; not thread-safe per index. */
#pragma once
#include "base/arena.h"
#include "base/slice.h"

struct spark_index_entry {
    struct slice name;
    size_t number; /* 0 in a new entry */
    void *item;    /* NULL in a new entry */
    uint64_t hash;
    struct spark_index_entry *next;
};

struct spark_index {
    struct arena *arena;
    struct spark_index_entry **buckets; /* a power of two of them; NULL: none yet */
    size_t bucket_count, count;
};

/* The entry of name, made when there is none; borrows name. */
struct spark_index_entry *spark_index_at(struct spark_index *index, struct slice name);
