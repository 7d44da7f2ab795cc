/* What a run really has, value by value with its source, as JSON: see emr.h. */
#include "spark/emr_internal.h"
#include <stdlib.h>

/* spark.redaction.regex of Spark: (?i)secret|password|token|access[.]?key */
static bool names_secret(struct arena *arena, struct slice text)
{
    static const struct slice words[] = {S_INIT("secret"), S_INIT("password"), S_INIT("token"), S_INIT("accesskey"), S_INIT("access.key"),
                                         S_INIT("access_key")};
    struct slice lower = slice_lower(arena, text);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (slice_find(lower, words[i]) >= 0)
            return true;
    return false;
}

/* Utils.redact of Spark: the name or the value matches, for options of a JVM and addresses of databases have passwords within. References to
 * keys of a Secret are no secrets. */
static bool is_secret(struct arena *arena, const struct spark_conf_entry *entry)
{
    if (!entry->value.len || slice_find(entry->key, S(".secretKeyRef.")) >= 0)
        return false;
    return names_secret(arena, entry->key) || names_secret(arena, entry->value);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp((*(const struct spark_conf_entry *const *)a)->key, (*(const struct spark_conf_entry *const *)b)->key);
}

static void add_value(struct arena *arena, struct json *list, struct slice name, struct slice value, enum spark_conf_source source)
{
    struct json *row = json_object(arena);
    json_set_text(arena, row, "name", name);
    json_set_text(arena, row, "value", value);
    json_set_cstr(arena, row, "source", spark_conf_source_name(source));
    json_append(list, row);
}

static struct json *add_classification(struct arena *arena, struct json *list, const char *name)
{
    struct json *one = json_object(arena);
    json_set_cstr(arena, one, "classification", name);
    json_append(list, one);
    return json_ensure_array(arena, one, "properties");
}

static void add_conf(struct arena *arena, struct json *list, const char *name, const struct spark_conf *conf)
{
    if (!conf->count)
        return;
    struct json *properties = add_classification(arena, list, name);
    const struct spark_conf_entry **entries = ARENA_ARRAY(arena, conf->count, const struct spark_conf_entry *);
    size_t count = 0;
    SPARK_CONF_FOREACH(p, conf)
        entries[count++] = p;
    qsort(entries, count, sizeof *entries, by_name);
    for (size_t i = 0; i < count; i++)
        add_value(arena, properties, entries[i]->key, is_secret(arena, entries[i]) ? S("*********(redacted)") : entries[i]->value,
                  entries[i]->source);
}

struct json *emr_effective(struct emr *e, const struct spark_conf *conf)
{
    struct arena *arena = e->arena;
    struct json *all = json_object(arena);
    json_set_text(arena, all, "releaseLabel", e->in->release_label);
    json_set_text(arena, all, "sparkVersion", e->release.version);
    struct json *list = json_ensure_array(arena, all, "configurations");
    add_conf(arena, list, "spark-defaults", conf);
    add_conf(arena, list, "spark-log4j2", &e->log4j);
    add_conf(arena, list, "spark-metrics", &e->metrics);
    add_conf(arena, list, "spark-hive-site", &e->hive_site);
    add_conf(arena, list, "core-site", &e->core_site);
    add_value(arena, add_classification(arena, list, "emr-containers-defaults"), S("job-start-timeout"),
              slice_fmt(arena, "%lld", (long long)e->job_start_timeout_s),
              e->job_start_timeout_given ? SPARK_CONF_APPLICATION : SPARK_CONF_RELEASE_DEFAULT);
    struct json *notes = json_ensure_array(arena, all, "notes");
    for (size_t i = 0; i < e->notes.count; i++)
        json_append(notes, json_string(arena, e->notes.items[i]));
    return all;
}
