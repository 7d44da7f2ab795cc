/* conf: Spark properties in order, each with where it came from. A small map in an arena: one key once, the place of its
 * first setting is kept, the last setting's value and source win. Not thread-safe per map. */
#pragma once
#include "base/arena.h"
#include "base/slice.h"

/* Who said so, low to high precedence. A later issue shows it to the user. */
enum spark_conf_source {
    SPARK_CONF_SPARK_DEFAULT,   /* Spark's own default (written only where Spark writes it) */
    SPARK_CONF_RELEASE_DEFAULT, /* the release's spark-defaults.conf */
    SPARK_CONF_APPLICATION,     /* applicationConfiguration's spark-defaults, or a spark-defaults.conf */
    SPARK_CONF_PROPERTIES_FILE, /* --properties-file */
    SPARK_CONF_ARGUMENT,        /* --conf */
    SPARK_CONF_OPTION,          /* an option of its own, such as --driver-memory */
    SPARK_CONF_SYSTEM,          /* set by us: no user may set it, or the submitter computes it */
};

struct spark_conf_entry {
    struct slice key;
    struct slice value;
    enum spark_conf_source source;
    uint64_t hash;
    struct spark_conf_entry *next, *bucket_next;
};

struct spark_conf {
    struct arena *arena;
    struct spark_conf_entry *first, *last;
    size_t count;
    struct spark_conf_entry **buckets; /* a power of two of them; NULL: none yet */
    size_t bucket_count;
};

static inline const struct spark_conf_entry *spark_conf_first(const struct spark_conf *conf)
{
    return conf ? conf->first : NULL;
}

/* In the order of first setting; an absent map (NULL) is empty. */
#define SPARK_CONF_FOREACH(entry, conf) \
    for (const struct spark_conf_entry *entry = spark_conf_first(conf); entry; entry = entry->next)

void spark_conf_init(struct spark_conf *conf, struct arena *arena);
/* Sets (copies key and value), whatever was there before. */
void spark_conf_set(struct spark_conf *conf, struct slice key, struct slice value, enum spark_conf_source source);
/* Sets only when the key is not there yet. */
void spark_conf_set_if_missing(struct spark_conf *conf, struct slice key, struct slice value, enum spark_conf_source source);
/* The value, or absent (ptr NULL). */
struct slice spark_conf_get(const struct spark_conf *conf, const char *key);
struct slice spark_conf_get_or(const struct spark_conf *conf, const char *key, const char *otherwise);
const struct spark_conf_entry *spark_conf_find(const struct spark_conf *conf, struct slice key);
/* "true" in any case; another text or absence gives otherwise. */
bool spark_conf_get_bool(const struct spark_conf *conf, const char *key, bool otherwise);
bool spark_conf_remove(struct spark_conf *conf, struct slice key);
/* The API's word for a source: "spark-default", "release-default", "application-configuration", … */
const char *spark_conf_source_name(enum spark_conf_source source);
