#include "spark/release.h"

#include <stdlib.h>

/* Release -> its Spark, oldest first. 6.x and 5.x from EMR's release history, 7.12, 7.14 and emr-spark-8.1 as documented. */
/* clang-format off */
static const struct release {
    struct slice name;
    struct slice spark;
} releases[] = {
    {S_INIT("emr-5.32.0"), S_INIT("2.4.7")}, {S_INIT("emr-5.33.0"), S_INIT("2.4.7")}, {S_INIT("emr-5.34.0"), S_INIT("2.4.8")},
    {S_INIT("emr-5.35.0"), S_INIT("2.4.8")}, {S_INIT("emr-5.36.0"), S_INIT("2.4.8")}, {S_INIT("emr-6.2.0"), S_INIT("3.0.1")},
    {S_INIT("emr-6.3.0"), S_INIT("3.1.1")},  {S_INIT("emr-6.4.0"), S_INIT("3.1.2")},  {S_INIT("emr-6.5.0"), S_INIT("3.1.2")},
    {S_INIT("emr-6.6.0"), S_INIT("3.2.0")},  {S_INIT("emr-6.7.0"), S_INIT("3.2.1")},  {S_INIT("emr-6.8.0"), S_INIT("3.3.0")},
    {S_INIT("emr-6.9.0"), S_INIT("3.3.0")},  {S_INIT("emr-6.10.0"), S_INIT("3.3.1")}, {S_INIT("emr-6.11.0"), S_INIT("3.3.2")},
    {S_INIT("emr-6.12.0"), S_INIT("3.4.0")}, {S_INIT("emr-6.13.0"), S_INIT("3.4.1")}, {S_INIT("emr-6.14.0"), S_INIT("3.4.1")},
    {S_INIT("emr-6.15.0"), S_INIT("3.4.1")}, {S_INIT("emr-7.0.0"), S_INIT("3.5.0")},  {S_INIT("emr-7.1.0"), S_INIT("3.5.0")},
    {S_INIT("emr-7.2.0"), S_INIT("3.5.1")},  {S_INIT("emr-7.3.0"), S_INIT("3.5.1")},  {S_INIT("emr-7.4.0"), S_INIT("3.5.2")},
    {S_INIT("emr-7.5.0"), S_INIT("3.5.2")},  {S_INIT("emr-7.6.0"), S_INIT("3.5.3")},  {S_INIT("emr-7.7.0"), S_INIT("3.5.3")},
    {S_INIT("emr-7.8.0"), S_INIT("3.5.4")},  {S_INIT("emr-7.9.0"), S_INIT("3.5.5")},  {S_INIT("emr-7.10.0"), S_INIT("3.5.5")},
    {S_INIT("emr-7.11.0"), S_INIT("3.5.6")}, {S_INIT("emr-7.12.0"), S_INIT("3.5.6")}, {S_INIT("emr-7.13.0"), S_INIT("3.5.7")},
    {S_INIT("emr-7.14.0"), S_INIT("3.5.8")}, {S_INIT("emr-spark-8.1.0"), S_INIT("4.0.2")},
};
static const struct slice variants[] = {S_INIT("java8"), S_INIT("java11"), S_INIT("java17"), S_INIT("spark-rapids"),
                                        S_INIT("spark-rapids-java8"), S_INIT("spark-rapids-java17")};
/* clang-format on */

size_t spark_release_count(void)
{
    return ARRAY_SIZE(releases);
}

void spark_release_get(size_t index, struct slice *ret_label, struct slice *ret_version)
{
    *ret_label = releases[index].name;
    *ret_version = releases[index].spark;
}

/* "-latest" or "-YYYYMMDD", with at most one known variant in front of "-latest". */
static bool is_suffix(struct slice rest)
{
    if (!slice_starts_with(rest, S("-")))
        return false;
    rest = slice_from(rest, 1);
    int64_t date;
    if (slice_eq(rest, S("latest")))
        return true;
    struct slice last = slice_from(rest, (size_t)(slice_rindex(rest, '-') + 1));
    if (last.len == 8 && slice_to_i64(last, 20200101, 29991231, &date)) {
        if (last.len == rest.len)
            return true;
        rest.len -= last.len + 1;
    } else if (slice_ends_with(rest, S("-latest"))) {
        rest.len -= S("-latest").len;
    } else {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
        if (slice_eq(rest, variants[i]))
            return true;
    return false;
}

struct err *spark_release_find(struct slice label, struct slice *ret_version)
{
    for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
        struct slice name = releases[i].name;
        if (slice_starts_with(label, name) && is_suffix(slice_from(label, name.len))) {
            *ret_version = releases[i].spark;
            return NULL;
        }
    }
    return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "Release %.*s doesn't exist.", SLICE_ARG(label));
}

struct version {
    int64_t part[3];
};

static bool parse_version(struct slice text, struct version *ret_version)
{
    struct slice rest = text;
    for (size_t i = 0; i < 3; i++)
        if (!slice_to_i64(slice_cut(&rest, '.'), 0, 9999, &ret_version->part[i]))
            return false;
    return !rest.ptr;
}

/* Spark 2 runs on no Java we have, so it shares a line with Spark 3. */
static int64_t line_of(const struct version *v)
{
    return v->part[0] < 3 ? 3 : v->part[0];
}

static int64_t distance(const struct version *a, const struct version *b)
{
    int64_t d = llabs(a->part[0] - b->part[0]);
    d = d * 10000 + llabs(a->part[1] - b->part[1]);
    return d * 10000 + llabs(a->part[2] - b->part[2]);
}

struct err *spark_release_choose(struct arena *arena, struct slice label, const struct slice *installed, size_t installed_count,
                                 enum spark_release_policy policy, struct spark_release_choice *ret_choice)
{
    struct slice documented;
    struct version wanted = {0};
    TRY(spark_release_find(label, &documented));
    (void)parse_version(documented, &wanted);
    struct slice best = SLICE_NONE;
    int64_t best_distance = INT64_MAX;
    for (size_t i = 0; i < installed_count; i++) {
        struct version v;
        if (!parse_version(installed[i], &v) || line_of(&v) != line_of(&wanted))
            continue;
        int64_t d = distance(&v, &wanted);
        if (d < best_distance) {
            best_distance = d;
            best = installed[i];
        }
    }
    bool exact = best.ptr && best_distance == 0;
    if (!exact && policy == SPARK_RELEASE_STRICT)
        return err_new(ERR_INVALID, "Release %.*s needs Spark %.*s, which is not installed here, and the release policy is strict.",
                       SLICE_ARG(label), SLICE_ARG(documented));
    if (!best.ptr)
        return err_new(ERR_INVALID, "Release %.*s needs Spark %.*s, and no Spark %d is installed here.", SLICE_ARG(label),
                       SLICE_ARG(documented), (int)line_of(&wanted));
    *ret_choice = (struct spark_release_choice){
        .label = label,
        .documented = documented,
        .version = best,
        .image = slice_fmt(arena, "ember/spark:%.*s", SLICE_ARG(best)),
        .exact = exact,
        .note = exact ? S("")
                      : slice_fmt(arena, "Release %.*s has Spark %.*s, which is not installed here: the job runs on Spark %.*s.",
                                  SLICE_ARG(label), SLICE_ARG(documented), SLICE_ARG(best)),
    };
    return NULL;
}
