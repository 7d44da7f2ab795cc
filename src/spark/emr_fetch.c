/* Objects in S3 that a job names: they are put into the driver's container before Spark starts, so that they work whatever
 * filesystem classes the image has. Lists become file: URIs, which the driver serves to its executors; local: would make the
 * executors look into their own containers. */
#include "spark/emr_internal.h"

#define ENTRY_DIR "/opt/ember/entry/"

static const struct slice s3_schemes[] = {S_INIT("s3://"), S_INIT("s3a://"), S_INIT("s3n://")};

/* What is behind the scheme, or absent. */
static struct slice s3_rest(struct slice uri)
{
    for (size_t i = 0; i < ARRAY_SIZE(s3_schemes); i++)
        if (slice_starts_with(uri, s3_schemes[i]))
            return slice_from(uri, s3_schemes[i].len);
    return SLICE_NONE;
}

bool emr_is_s3(struct slice uri)
{
    return s3_rest(uri).ptr != NULL;
}

/* The object's s3:// URI and what is behind the key's last slash. */
static struct err *parse_object(struct arena *arena, struct slice uri, struct slice *ret_uri, struct slice *ret_name)
{
    struct slice rest = s3_rest(uri), bucket, key;
    if (!slice_split(rest, '/', &bucket, &key) || !bucket.len || !key.len || slice_ends_with(key, S("/")))
        return err_new(ERR_INVALID, "%.*s does not name an object: s3://BUCKET/KEY is needed.", SLICE_ARG(uri));
    if (slice_index(uri, '\n') >= 0 || slice_index(uri, '\r') >= 0 || slice_has_nul(uri))
        return err_new(ERR_INVALID, "An S3 URI holds a line break.");
    struct slice name = slice_from(key, (size_t)(slice_rindex(key, '/') + 1));
    if (slice_eq(name, S(".")) || slice_eq(name, S("..")) || name.len > 240)
        return err_new(ERR_INVALID, "%.*s has no usable file name.", SLICE_ARG(uri));
    *ret_uri = slice_fmt(arena, "s3://%.*s", SLICE_ARG(rest));
    *ret_name = name;
    return NULL;
}

/* A name that neither ends a line of EMBER_FETCH early nor needs escapes in a URI. */
static struct slice plain_name(struct arena *arena, struct slice name)
{
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || slice_index(S("._-+@"), c) >= 0;
        strbuf_append_char(&out, plain ? c : '_');
    }
    return strbuf_slice(&out);
}

/* All lie in one folder: a name that is taken gets a number in front (Spark itself knows files by their last name alone). */
static struct slice claim_name(struct emr *e, struct slice name)
{
    struct slice wanted = plain_name(e->arena, name);
    struct spark_index_entry *first = spark_index_at(&e->fetched_names, wanted), *taken = first;
    while (taken->number) {
        first->number++;
        taken = spark_index_at(&e->fetched_names, slice_fmt(e->arena, "%zu_%.*s", first->number, SLICE_ARG(wanted)));
    }
    taken->number = 1;
    return taken->name;
}

/* The name of an object in that folder; *ret_new: it is asked for the first time. What is named twice is fetched once. */
static struct slice name_object(struct emr *e, struct slice object, struct slice name, bool *ret_new)
{
    struct spark_index_entry *entry = spark_index_at(&e->fetched, object);
    *ret_new = !entry->item;
    if (!entry->item) {
        struct slice *claimed = ARENA_NEW(e->arena, struct slice);
        *claimed = claim_name(e, name);
        entry->item = claimed;
    }
    return *(const struct slice *)entry->item;
}

struct err *emr_fetch_entry_point(struct emr *e, struct slice uri, const char *scheme, struct slice *ret_resource)
{
    if (!emr_is_s3(uri)) {
        *ret_resource = uri;
        return NULL;
    }
    struct slice object, name;
    TRY(parse_object(e->arena, uri, &object, &name));
    bool is_new;
    struct slice plain = name_object(e, object, name, &is_new);
    /* Spark takes its argument for a URI: with a space in it Python looks for a file of another name. */
    if (slice_eq(plain, name))
        e->entry_point_uri = object;
    else
        strbuf_append_fmt(&e->fetch, "%.*s=%.*s\n", SLICE_ARG(object), SLICE_ARG(plain));
    *ret_resource = slice_fmt(e->arena, "%s" ENTRY_DIR "%.*s", scheme, SLICE_ARG(plain));
    return NULL;
}

static struct err *rewrite_one(struct emr *e, struct slice uri, struct strbuf *out)
{
    struct slice object = uri, fragment = SLICE_NONE, clean, name;
    ptrdiff_t hash = slice_rindex(uri, '#');
    if (hash >= 0) {
        object = slice_sub(uri, 0, (size_t)hash);
        fragment = slice_from(uri, (size_t)hash);
    }
    for (size_t i = 0; i < object.len; i++)
        if (slice_index(S("*?[{"), object.ptr[i]) >= 0)
            return err_new(ERR_INVALID, "%.*s is a pattern: name each object of S3 instead.", SLICE_ARG(uri));
    TRY(parse_object(e->arena, object, &clean, &name));
    bool is_new;
    name = name_object(e, clean, name, &is_new);
    if (is_new)
        strbuf_append_fmt(&e->fetch, "%.*s=%.*s\n", SLICE_ARG(clean), SLICE_ARG(name));
    if (e->fetch.len > SPARK_EMR_FETCH_MAX_BYTES)
        return err_new(ERR_INVALID, "The job names too many objects of S3: their URIs and names have more than %d bytes. Put them into an archive.",
                       SPARK_EMR_FETCH_MAX_BYTES);
    strbuf_append_fmt(out, "file://" ENTRY_DIR "%.*s%.*s", SLICE_ARG(name), SLICE_ARG(fragment));
    return NULL;
}

struct err *emr_fetch_lists(struct emr *e, struct spark_conf *conf)
{
    static const char *const lists[] = {"spark.jars", "spark.files", "spark.archives", "spark.submit.pyFiles"};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        const struct spark_conf_entry *entry = spark_conf_find(conf, slice_from_cstr(lists[i]));
        if (!entry || slice_find(entry->value, S("s3")) < 0)
            continue;
        struct strbuf out = STRBUF_ARENA(e->arena);
        struct slice rest = entry->value;
        for (bool first = true; rest.ptr; first = false) {
            struct slice one = slice_cut(&rest, ',');
            if (!first)
                strbuf_append_char(&out, ',');
            if (emr_is_s3(one))
                TRY(rewrite_one(e, one, &out));
            else
                strbuf_append(&out, one);
        }
        spark_conf_set(conf, entry->key, strbuf_slice(&out), entry->source);
    }
    return NULL;
}
