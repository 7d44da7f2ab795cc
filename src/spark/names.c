/* The names Spark gives to the objects of one application: KubernetesConf.getResourceNamePrefix, getAppNameLabel. */
#include "base/strbuf.h"
#include "spark/plan.h"

#define SERVICE_NAME_MAX 63

/* Lower case, every other character than [a-z0-9-] one '-', runs of them one. Java lower-cases by Unicode and then replaces what
 * is not ASCII, one '-' a character: runs make the difference vanish. */
static struct slice squeeze(struct arena *arena, struct slice name)
{
    struct strbuf out = STRBUF_ARENA(arena);
    struct slice s = slice_trim(name);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            c = '-';
        if (c != '-' || !out.len || out.ptr[out.len - 1] != '-')
            strbuf_append_char(&out, c);
    }
    return strbuf_slice(&out);
}

struct slice spark_app_name_label(struct arena *arena, struct slice app_name)
{
    struct slice s = slice_sub(squeeze(arena, app_name), 0, 63);
    if (slice_starts_with(s, S("-")))
        s = slice_from(s, 1);
    if (slice_ends_with(s, S("-")))
        s.len--;
    return s;
}

void spark_names_make(struct arena *arena, const struct spark_options *options, const struct spark_name_ids *ids,
                      struct spark_names *ret_names)
{
    struct slice prefix = squeeze(arena, slice_fmt(arena, "%.*s-%.*s", SLICE_ARG(options->name), SLICE_ARG(ids->prefix_uid16)));
    if (slice_starts_with(prefix, S("-")))
        prefix = slice_from(prefix, 1);
    if (prefix.len && prefix.ptr[0] >= '0' && prefix.ptr[0] <= '9')
        prefix = slice_fmt(arena, "x%.*s", SLICE_ARG(slice_from(prefix, 1)));
    struct slice pod = spark_conf_get(&options->conf, "spark.kubernetes.driver.pod.name");
    struct slice service = slice_fmt(arena, "%.*s-driver-svc", SLICE_ARG(prefix));
    if (service.len > SERVICE_NAME_MAX)
        service = slice_fmt(arena, "spark-%.*s-driver-svc", SLICE_ARG(ids->service_uid16));
    *ret_names = (struct spark_names){
        .app_id = ids->app_id,
        .prefix = prefix,
        .pod = pod.ptr ? pod : slice_fmt(arena, "%.*s-driver", SLICE_ARG(prefix)),
        .service = service,
        .conf_map = slice_fmt(arena, "spark-drv-%.*s-conf-map", SLICE_ARG(ids->conf_map_uid16)),
        .local_dir = slice_fmt(arena, "/var/data/spark-%.*s", SLICE_ARG(ids->local_dir_uuid)),
    };
}
