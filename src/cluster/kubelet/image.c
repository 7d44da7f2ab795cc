#include "cluster/kubelet/image.h"

#include "base/arena.h"
#include "base/fd.h"

#include <dirent.h>
#include <string.h>

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("./-_:@", c) || (c >= 'A' && c <= 'Z');
}

/* Numbers compare as numbers: 3.5.10 is newer than 3.5.9. */
static int version_cmp(struct slice a, struct slice b)
{
    while (a.ptr || b.ptr) {
        int64_t x = -1, y = -1;
        if (a.ptr && !slice_to_i64(slice_cut(&a, '.'), 0, INT32_MAX, &x))
            x = -1;
        if (b.ptr && !slice_to_i64(slice_cut(&b, '.'), 0, INT32_MAX, &y))
            y = -1;
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static bool is_installed(struct arena *arena, struct slice releases_dir, struct slice version)
{
    return version.len && version.ptr[0] != '.' && slice_index(version, '/') < 0 &&
           path_exists(slice_fmt(arena, "%.*s/%.*s/jars", SLICE_ARG(releases_dir), SLICE_ARG(version)).ptr);
}

/* The newest installed version whose text begins with prefix; SLICE_NONE. */
static struct slice newest(struct arena *arena, struct slice releases_dir, struct slice prefix)
{
    struct slice best = SLICE_NONE;
    DIR *dir = opendir(slice_cstr(arena, releases_dir));
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct slice name = slice_from_cstr(entry->d_name);
        if (slice_starts_with(name, prefix) && is_installed(arena, releases_dir, name) && (!best.ptr || version_cmp(name, best) > 0))
            best = slice_dup(arena, name);
    }
    if (dir)
        closedir(dir);
    return best;
}

static struct err *found_spark(struct arena *arena, struct slice releases_dir, struct slice version, struct image *ret_image)
{
    *ret_image = (struct image){.spark = true,
                                .spark_version = slice_dup(arena, version),
                                .spark_home = slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(releases_dir), SLICE_ARG(version))};
    return NULL;
}

static struct err *find_spark(struct arena *arena, struct slice releases_dir, struct slice name, struct slice tag, struct image *ret_image)
{
    if (is_installed(arena, releases_dir, tag))
        return found_spark(arena, releases_dir, tag, ret_image);
    struct slice major = S("3.");
    if (tag.len >= 2 && tag.ptr[0] >= '0' && tag.ptr[0] <= '9' && tag.ptr[1] == '.')
        major = slice_sub(tag, 0, 2);
    struct slice version = newest(arena, releases_dir, major);
    if (version.ptr)
        return found_spark(arena, releases_dir, version, ret_image);
    return err_code(ERR_NOT_FOUND, "ErrImagePull", "Failed to pull image \"%.*s\": no Spark %.*sx is installed in %.*s", SLICE_ARG(name),
                    SLICE_ARG(major), SLICE_ARG(releases_dir));
}

struct err *image_find(struct arena *arena, struct slice releases_dir, struct slice name, struct image *ret_image)
{
    bool valid = name.len > 0 && name.len <= 512;
    for (size_t i = 0; i < name.len && valid; i++)
        valid = is_name_char(name.ptr[i]) && !(name.ptr[i] == ':' && i + 1 == name.len);
    if (!valid)
        return err_code(ERR_INVALID, "InvalidImageName", "Failed to apply default image tag \"%.*s\": couldn't parse image name \"%.*s\": invalid reference format",
                        SLICE_ARG(name), SLICE_ARG(name));
    struct slice repository = name, tag = S("");
    ptrdiff_t colon = slice_rindex(name, ':'), slash = slice_rindex(name, '/');
    if (colon > slash) {
        repository = slice_sub(name, 0, (size_t)colon);
        tag = slice_from(name, (size_t)colon + 1);
    }
    if (slice_find(name, S("spark/emr-")) >= 0 || slice_eq(repository, S("ember/spark")) || slice_eq(repository, S("spark")) ||
        slice_eq(repository, S("apache/spark")))
        return find_spark(arena, releases_dir, name, tag, ret_image);
    if (slice_eq(repository, S("ember/host")) || slice_eq(repository, S("busybox")) || slice_eq(repository, S("pause"))) {
        *ret_image = (struct image){0};
        return NULL;
    }
    return err_code(ERR_NOT_FOUND, "ErrImagePull", "Failed to pull image \"%.*s\": this cluster has no registry: it has ember/spark:VERSION and ember/host",
                    SLICE_ARG(name));
}
