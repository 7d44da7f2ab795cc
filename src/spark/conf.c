#include "spark/conf.h"
#include "spark/notes_internal.h"

#include <string.h>

void spark_conf_init(struct spark_conf *conf, struct arena *arena)
{
    *conf = (struct spark_conf){.arena = arena};
}

static struct spark_conf_entry *find(const struct spark_conf *conf, struct slice key, uint64_t hash)
{
    if (!conf || !conf->bucket_count)
        return NULL;
    for (struct spark_conf_entry *e = conf->buckets[hash & (conf->bucket_count - 1)]; e; e = e->bucket_next)
        if (e->hash == hash && slice_eq(e->key, key))
            return e;
    return NULL;
}

static void link_bucket(struct spark_conf *conf, struct spark_conf_entry *e)
{
    struct spark_conf_entry **bucket = &conf->buckets[e->hash & (conf->bucket_count - 1)];
    e->bucket_next = *bucket;
    *bucket = e;
}

static void grow(struct spark_conf *conf)
{
    conf->bucket_count = conf->bucket_count ? conf->bucket_count * 4 : 64;
    conf->buckets = ARENA_ARRAY(conf->arena, conf->bucket_count, struct spark_conf_entry *);
    for (struct spark_conf_entry *e = conf->first; e; e = e->next)
        link_bucket(conf, e);
}

static void append(struct spark_conf *conf, struct slice key, uint64_t hash, struct slice value, enum spark_conf_source source)
{
    struct spark_conf_entry *e = ARENA_NEW(conf->arena, struct spark_conf_entry);
    *e = (struct spark_conf_entry){
        .key = slice_dup(conf->arena, key), .value = slice_dup(conf->arena, value), .source = source, .hash = hash};
    if (conf->last)
        conf->last->next = e;
    else
        conf->first = e;
    conf->last = e;
    conf->count++;
    if (conf->count > conf->bucket_count)
        grow(conf);
    else
        link_bucket(conf, e);
}

void spark_conf_set(struct spark_conf *conf, struct slice key, struct slice value, enum spark_conf_source source)
{
    if (!value.ptr)
        value = S("");
    uint64_t hash = slice_hash(key);
    struct spark_conf_entry *e = find(conf, key, hash);
    if (!e) {
        append(conf, key, hash, value, source);
        return;
    }
    e->value = slice_dup(conf->arena, value);
    e->source = source;
}

void spark_conf_set_if_missing(struct spark_conf *conf, struct slice key, struct slice value, enum spark_conf_source source)
{
    if (!find(conf, key, slice_hash(key)))
        spark_conf_set(conf, key, value, source);
}

const struct spark_conf_entry *spark_conf_find(const struct spark_conf *conf, struct slice key)
{
    return find(conf, key, slice_hash(key));
}

struct slice spark_conf_get(const struct spark_conf *conf, const char *key)
{
    const struct spark_conf_entry *e = spark_conf_find(conf, slice_from_cstr(key));
    return e ? e->value : SLICE_NONE;
}

struct slice spark_conf_get_or(const struct spark_conf *conf, const char *key, const char *otherwise)
{
    struct slice value = spark_conf_get(conf, key);
    return value.ptr ? value : slice_from_cstr(otherwise);
}

bool spark_conf_get_bool(const struct spark_conf *conf, const char *key, bool otherwise)
{
    struct slice value = slice_trim(spark_conf_get(conf, key));
    if (slice_eq_nocase(value, S("true")))
        return true;
    if (slice_eq_nocase(value, S("false")))
        return false;
    return otherwise;
}

bool spark_conf_remove(struct spark_conf *conf, struct slice key)
{
    struct spark_conf_entry *before = NULL, *found = find(conf, key, slice_hash(key));
    for (struct spark_conf_entry *e = found ? conf->first : NULL; e; before = e, e = e->next) {
        if (e != found)
            continue;
        struct spark_conf_entry **link = &conf->buckets[e->hash & (conf->bucket_count - 1)];
        while (*link != e)
            link = &(*link)->bucket_next;
        *link = e->bucket_next;
        if (before)
            before->next = e->next;
        else
            conf->first = e->next;
        if (conf->last == e)
            conf->last = before;
        conf->count--;
        return true;
    }
    return false;
}

const char *spark_conf_source_name(enum spark_conf_source source)
{
    switch (source) {
    case SPARK_CONF_SPARK_DEFAULT:
        return "spark-default";
    case SPARK_CONF_RELEASE_DEFAULT:
        return "release-default";
    case SPARK_CONF_APPLICATION:
        return "application-configuration";
    case SPARK_CONF_PROPERTIES_FILE:
        return "properties-file";
    case SPARK_CONF_ARGUMENT:
        return "conf-argument";
    case SPARK_CONF_OPTION:
        return "option";
    case SPARK_CONF_SYSTEM:
        return "system";
    }
    return "unknown";
}

void spark_notes_add(struct spark_notes *notes, struct slice line)
{
    if (notes->count == notes->cap) {
        size_t cap = notes->cap ? notes->cap * 2 : 8;
        struct slice *items = ARENA_ARRAY(notes->arena, cap, struct slice);
        if (notes->count)
            memcpy(items, notes->items, notes->count * sizeof *items);
        notes->items = items;
        notes->cap = cap;
    }
    notes->items[notes->count++] = line;
}
