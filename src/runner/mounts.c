#include "runner/mounts.h"

#include "base/arena.h"
#include "base/fd.h"
#include "cluster/kubelet/wire.h"
#include "runner/inside.h"
#include "runner/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- targets ---- */

struct slice path_clean(struct arena *arena, struct slice path)
{
    struct strbuf out = STRBUF_ARENA(arena);
    struct slice rest = path;
    while (rest.ptr) {
        struct slice part = slice_cut(&rest, '/');
        if (!part.len || slice_eq(part, S(".")))
            continue;
        if (slice_eq(part, S(".."))) {
            ptrdiff_t slash = slice_rindex(strbuf_slice(&out), '/');
            strbuf_truncate(&out, slash < 0 ? 0 : (size_t)slash);
            continue;
        }
        strbuf_append_char(&out, '/');
        strbuf_append(&out, part);
    }
    return out.len ? strbuf_slice(&out) : S("/");
}

static bool is_at_or_below(struct slice path, struct slice dir)
{
    return slice_eq(dir, S("/")) || (slice_starts_with(path, dir) && (path.len == dir.len || path.ptr[dir.len] == '/'));
}

/* "/lib/x" is "/usr/lib/x" where /lib is a link on this machine, as it is then in the sandbox. */
static struct slice without_root_link(struct arena *arena, struct slice path)
{
    char link[PATH_MAX];
    struct slice rest = slice_from(path, 1), first = slice_cut(&rest, '/');
    ssize_t n = first.len ? readlink(slice_fmt(arena, "/%.*s", SLICE_ARG(first)).ptr, link, sizeof(link)) : -1;
    if (n <= 0 || n == sizeof(link))
        return path;
    return path_clean(arena, slice_fmt(arena, "/%.*s/%.*s", (int)n, link, SLICE_ARG(rest)));
}

struct covering {
    struct arena *arena;
    struct slice target;
    bool covers;
};

static void check_file(struct covering *c, struct slice file)
{
    struct slice dir = without_root_link(c->arena, slice_sub(file, 0, (size_t)slice_rindex(file, '/')));
    c->covers |= is_at_or_below(c->target, dir) || is_at_or_below(dir, c->target);
}

/* A library of ours, by the name it was found under and by its own. */
static int check_library(struct dl_phdr_info *info, size_t size, void *ctx)
{
    struct covering *c = ctx;
    char resolved[PATH_MAX];
    (void)size;
    if (!info->dlpi_name || info->dlpi_name[0] != '/') /* the program, the kernel's */
        return 0;
    check_file(c, slice_from_cstr(info->dlpi_name));
    if (realpath(info->dlpi_name, resolved))
        check_file(c, slice_from_cstr(resolved));
    return 0;
}

bool mount_target_is_refused(struct arena *arena, struct slice target)
{
    static const struct slice files[] = {S_INIT(SANDBOX_SELF), S_INIT("/etc/ld.so.preload"), S_INIT("/etc/ld.so.cache")};
    struct covering c = {.arena = arena, .target = without_root_link(arena, target)};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        c.covers |= is_at_or_below(target, files[i]) || is_at_or_below(files[i], target);
    dl_iterate_phdr(check_library, &c);
    return c.covers;
}

/* ---- sources ---- */

static int open_dir(struct arena *arena, struct slice path)
{
    return open(slice_cstr(arena, path), O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The path of a source below the pod's directory; absent: it is none of its volumes. The kubelet may spell what is above otherwise. */
static struct slice volume_path(struct arena *arena, struct slice pod_dir, struct slice source)
{
    struct slice name = slice_from(pod_dir, (size_t)(slice_rindex(pod_dir, '/') + 1));
    struct slice start = slice_fmt(arena, "/%.*s/" WIRE_VOLUMES_DIR "/", SLICE_ARG(name));
    ptrdiff_t at = slice_find(source, start);
    return at < 0 ? SLICE_NONE : slice_from(source, (size_t)at + 1 + name.len + 1);
}

/* rest: below the source; empty: itself. */
static struct err *open_source(struct arena *arena, struct slice pod_dir, struct slice source, struct slice rest, int flags, int *ret_fd)
{
    struct slice path = volume_path(arena, pod_dir, source);
    if (!path.ptr)
        return err_new(ERR_INVALID, "mount source %.*s is no volume of this pod", SLICE_ARG(source));
    _cleanup_(fd_closep) int pod_fd = open_dir(arena, pod_dir);
    if (pod_fd < 0)
        return err_errno(errno, "cannot open %.*s", SLICE_ARG(pod_dir));
    int fd = inside_open(pod_fd, slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(path), SLICE_ARG(rest)), flags, 0);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR || errno == EINVAL))
        return err_new(ERR_INVALID, "mount source %.*s leads out of its volume", SLICE_ARG(source));
    if (fd < 0)
        return err_errno(errno, "mount source %.*s", SLICE_ARG(source));
    *ret_fd = fd;
    return NULL;
}

int mounts_open_dir(struct arena *arena, struct slice pod_dir, struct slice source)
{
    int fd = -1;
    err_free(open_source(arena, pod_dir, source, S(""), O_RDONLY | O_DIRECTORY, &fd));
    return fd;
}

static bool is_below_its_volume(struct arena *arena, struct slice pod_dir, struct slice source)
{
    struct slice path = volume_path(arena, pod_dir, source);
    ptrdiff_t slash = slice_index(slice_from(path, sizeof(WIRE_VOLUMES_DIR)), '/');
    return slash >= 0;
}

/* ---- mount points in what containers write ---- */

/* One thing that stands at a path of the sandbox. */
struct place {
    struct slice target;
    struct slice source; /* on this machine; absent: a tmpfs, empty when bubblewrap makes it */
    bool read_only, is_volume;
    int64_t size_bytes;  /* of a tmpfs */
};

static int place_cmp(const void *a, const void *b)
{
    const struct place *x = *(const struct place *const *)a, *y = *(const struct place *const *)b;
    return slice_cmp(x->target, y->target);
}

/* The nearest one above. */
static const struct place *place_above(const struct place *places, size_t count, const struct place *place)
{
    const struct place *found = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct place *other = &places[i];
        if (other != place && other->target.len < place->target.len && is_at_or_below(place->target, other->target) &&
            (!found || other->target.len > found->target.len || (other->target.len == found->target.len && other->is_volume)))
            found = other;
    }
    return found;
}

static struct err *refuse_link(const struct place *place)
{
    return err_new(ERR_INVALID, "mountPath \"%.*s\" leads through a link or a file of another volume", SLICE_ARG(place->target));
}

/* bubblewrap follows links where it makes mount points: those that lie in what a container may have written are looked at and made here. */
static struct err *prepare_mount_point(struct arena *arena, struct slice pod_dir, const struct place *above, const struct place *place,
                                       bool is_dir)
{
    _cleanup_(fd_closep) int at = -1;
    if (above->is_volume)
        TRY(open_source(arena, pod_dir, above->source, S(""), O_PATH, &at));
    else if ((at = open_dir(arena, above->source)) < 0)
        return err_errno(errno, "cannot open %.*s", SLICE_ARG(above->source));
    struct slice rest = slice_from(place->target, above->target.len + 1);
    while (rest.ptr) {
        struct slice part = slice_cut(&rest, '/');
        bool last = !rest.ptr;
        if (!above->read_only && (!last || is_dir))
            (void)mkdirat(at, slice_cstr(arena, part), 0755); /* what is there is looked at next */
        int next = inside_open(at, part, O_PATH | (last && !is_dir ? 0 : O_DIRECTORY), 0);
        if (next < 0)
            return errno == ENOENT ? NULL : errno == ELOOP || errno == ENOTDIR ? refuse_link(place) : err_errno(errno, "mountPath \"%.*s\"", SLICE_ARG(place->target));
        fd_closep(&at);
        at = next;
    }
    return NULL;
}

/* ---- the whole ---- */

static void put(struct strbuf *args, struct slice text)
{
    strbuf_append(args, text);
    strbuf_append_char(args, '\0');
}

static void put2(struct strbuf *args, const char *option, struct slice a, struct slice b)
{
    put(args, slice_from_cstr(option));
    put(args, a);
    put(args, b);
}

/* bubblewrap makes missing parents of a mount for root alone: they are made before, for everybody. */
static void put_parents(struct strbuf *args, struct slice target)
{
    for (size_t i = 1; i < target.len; i++)
        if (target.ptr[i] == '/') {
            put(args, S("--perms"));
            put2(args, "0755", S("--dir"), slice_sub(target, 0, i));
        }
}

static struct place *collect(struct arena *arena, const struct run_container *container, struct slice pod_dir, size_t *ret_count)
{
    struct place *places = ARENA_ARRAY(arena, container->mount_count + container->tmpfs_count + 2, struct place);
    struct slice own = slice_fmt(arena, "%.*s/" WIRE_CONTAINERS_DIR "/%.*s", SLICE_ARG(pod_dir), SLICE_ARG(container->name));
    size_t count = 0;
    for (size_t i = 0; i < container->mount_count; i++) {
        const struct run_mount *mount = &container->mounts[i];
        places[count++] = (struct place){.target = path_clean(arena, mount->target), .source = mount->source, .read_only = mount->read_only, .is_volume = true};
    }
    for (size_t i = 0; i < container->tmpfs_count; i++)
        places[count++] = (struct place){.target = path_clean(arena, container->tmpfs[i].target), .size_bytes = container->tmpfs[i].size_bytes, .is_volume = true};
    /* The container's own, which it finds again when it is started again (sandbox.c). */
    places[count++] = (struct place){.target = S("/tmp"), .source = slice_fmt(arena, "%.*s/tmp", SLICE_ARG(own))};
    places[count++] = (struct place){.target = S(SANDBOX_SPARK_HOME "/work-dir"), .source = slice_fmt(arena, "%.*s/work", SLICE_ARG(own))};
    *ret_count = count;
    return places;
}

static struct err *put_tmpfs(struct arena *arena, struct strbuf *args, const struct place *place)
{
    put_parents(args, place->target);
    if (place->size_bytes > 0) {
        put(args, S("--size"));
        put(args, slice_fmt(arena, "%lld", (long long)place->size_bytes));
    }
    put(args, S("--perms"));
    put2(args, "0777", S("--tmpfs"), place->target);
    return NULL;
}

struct err *mounts_put(struct arena *arena, struct strbuf *args, const struct run_container *container, struct slice pod_dir,
                       struct mount_check **ret_checks, size_t *ret_check_count)
{
    size_t count, volumes = container->mount_count + container->tmpfs_count, check_count = 0;
    struct place *places = collect(arena, container, pod_dir, &count);
    const struct place **sorted = ARENA_ARRAY(arena, volumes + 1, const struct place *);
    struct mount_check *checks = ARENA_ARRAY(arena, container->mount_count + 1, struct mount_check);
    for (size_t i = 0; i < volumes; i++)
        sorted[i] = &places[i];
    qsort(sorted, volumes, sizeof(*sorted), place_cmp); /* what is above comes first */
    for (size_t i = 0; i < volumes; i++) {
        const struct place *place = sorted[i], *above = place_above(places, count, place);
        _cleanup_(fd_closep) int fd = -1;
        struct stat st = {.st_mode = S_IFDIR};
        if (mount_target_is_refused(arena, place->target))
            return err_new(ERR_INVALID, "mountPath \"%.*s\" is not served: it would cover what the sandbox is started with", SLICE_ARG(place->target));
        if (place->source.ptr)
            TRY(open_source(arena, pod_dir, place->source, S(""), O_PATH, &fd));
        if (fd >= 0 && fstat(fd, &st) < 0)
            return err_errno(errno, "mount source %.*s", SLICE_ARG(place->source));
        if (above && above->source.ptr)
            TRY(prepare_mount_point(arena, pod_dir, above, place, S_ISDIR(st.st_mode)));
        if (!place->source.ptr) {
            TRY(put_tmpfs(arena, args, place));
            continue;
        }
        if (is_below_its_volume(arena, pod_dir, place->source))
            checks[check_count++] = (struct mount_check){place->target, st.st_dev, st.st_ino};
        put_parents(args, place->target);
        put2(args, place->read_only ? "--ro-bind" : "--bind", place->source, place->target);
    }
    *ret_checks = checks;
    *ret_check_count = check_count;
    return NULL;
}

/* ---- a file of a volume ---- */

struct err *mounts_read_file(struct arena *arena, const struct run_container *container, struct slice pod_dir, struct slice path,
                             size_t max_bytes, struct slice *ret_text)
{
    const struct run_mount *found = NULL;
    struct slice clean = path_clean(arena, path), target = SLICE_NONE;
    for (size_t i = 0; i < container->mount_count; i++) {
        struct slice its = path_clean(arena, container->mounts[i].target);
        if (is_at_or_below(clean, its) && its.len >= target.len) {
            found = &container->mounts[i];
            target = its;
        }
    }
    if (!found)
        return NULL;
    _cleanup_(fd_closep) int fd = -1;
    struct stat st;
    TRY(open_source(arena, pod_dir, found->source, slice_from(clean, target.len), O_RDONLY, &fd));
    if (fstat(fd, &st) < 0)
        return err_errno(errno, "cannot read %.*s", SLICE_ARG(path));
    if (!S_ISREG(st.st_mode))
        return err_new(ERR_INVALID, "cannot read %.*s: no plain file", SLICE_ARG(path));
    return file_read(arena, slice_fmt(arena, "/proc/self/fd/%d", fd).ptr, max_bytes, ret_text);
}
