#include "runner/sandbox.h"

#include "base/arena.h"
#include "base/fd.h"
#include "cluster/kubelet/wire.h"
#include "runner/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY_POINT "entrypoint.sh"
#define FETCH_MAX_PROPERTIES (2 * 1024 * 1024)

static const char *const path_dirs[] = {"/usr/local/bin", "/usr/bin", "/bin"};
/* Of /etc a container gets what programs need to run, and no more. */
static const char *const etc_entries[] = {
    "ssl", "ca-certificates", "ca-certificates.conf", "pki", "crypto-policies", "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
    "localtime", "timezone", "mime.types", "protocols", "services", "host.conf", "gai.conf", "os-release", "debian_version", "fonts",
    "java", "java-11-openjdk", "java-17-openjdk", "java-21-openjdk", "python3", "python3.11", "python3.12", "python3.13", "locale.alias",
    "profile", "bash.bashrc", "shells", "magic", "xdg",
};
static const char *const root_entries[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define HOME "/home/hadoop"

/* ---- a list of names in a directory ---- */

static int slice_cmp_qsort(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static struct err *list_dir(struct arena *arena, struct slice path, struct slice suffix, struct slice **ret_names, size_t *ret_count)
{
    DIR *dir = opendir(slice_cstr(arena, path));
    if (!dir)
        return err_errno(errno, "cannot read %.*s", SLICE_ARG(path));
    size_t count = 0, cap = 64;
    struct slice *names = ARENA_ARRAY(arena, cap, struct slice);
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct slice name = slice_from_cstr(entry->d_name);
        if (slice_eq(name, S(".")) || slice_eq(name, S("..")) || !slice_ends_with(name, suffix))
            continue;
        if (count == cap) {
            struct slice *more = ARENA_ARRAY(arena, cap * 2, struct slice);
            memcpy(more, names, count * sizeof(*names));
            names = more;
            cap *= 2;
        }
        names[count++] = slice_dup(arena, name);
    }
    closedir(dir);
    qsort(names, count, sizeof(*names), slice_cmp_qsort);
    *ret_names = names;
    *ret_count = count;
    return NULL;
}

/* ---- bubblewrap's arguments ---- */

static void put(struct strbuf *out, struct slice text)
{
    strbuf_append(out, text);
    strbuf_append_char(out, '\0');
}

static void put1(struct strbuf *args, const char *option, struct slice a)
{
    put(args, slice_from_cstr(option));
    put(args, a);
}

static void put2(struct strbuf *args, const char *option, struct slice a, struct slice b)
{
    put1(args, option, a);
    put(args, b);
}

static void put_dir(struct strbuf *args, const char *perms, const char *path)
{
    put1(args, "--perms", slice_from_cstr(perms));
    put1(args, "--dir", slice_from_cstr(path));
}

/* A system directory as it is on this machine: /bin is a link on some and a directory on others. */
static void put_like_here(struct arena *arena, struct strbuf *args, struct slice path)
{
    char target[PATH_MAX];
    struct stat st;
    char *cpath = slice_cstr(arena, path);
    if (lstat(cpath, &st) < 0)
        return;
    ssize_t n = S_ISLNK(st.st_mode) ? readlink(cpath, target, sizeof(target) - 1) : -1;
    if (n > 0)
        put2(args, "--symlink", slice_dup(arena, slice_of(target, (size_t)n)), path);
    else
        put2(args, "--ro-bind", path, path);
}

static void put_system(struct arena *arena, struct strbuf *args)
{
    for (size_t i = 0; i < ARRAY_SIZE(root_entries); i++)
        put_like_here(arena, args, slice_fmt(arena, "/%s", root_entries[i]));
    put_dir(args, "0755", "/etc");
    for (size_t i = 0; i < ARRAY_SIZE(etc_entries); i++) {
        struct slice path = slice_fmt(arena, "/etc/%s", etc_entries[i]);
        if (path_exists(path.ptr))
            put2(args, "--ro-bind", path, path);
    }
    put1(args, "--proc", S("/proc"));
    put1(args, "--dev", S("/dev"));
    put1(args, "--perms", S("1777"));
    put1(args, "--tmpfs", S("/dev/shm"));
    put_dir(args, "0755", "/opt");
    put_dir(args, "0755", "/opt/ember");
    put_dir(args, "0755", "/var");
    put_dir(args, "1777", "/var/tmp");
    put_dir(args, "1777", "/run");
    put2(args, "--symlink", S("../run"), S("/var/run")); /* relative: bubblewrap follows it while it builds */
    put_dir(args, "0777", HOME);
}

/* /usr entry by entry, so that /usr/lib/spark can be made beside what this machine has there. */
static struct err *put_usr_with_spark(struct arena *arena, struct strbuf *args)
{
    struct slice *names;
    size_t count;
    put_dir(args, "0755", "/usr");
    put_dir(args, "0755", "/usr/lib");
    TRY(list_dir(arena, S("/usr"), S(""), &names, &count));
    for (size_t i = 0; i < count; i++)
        if (!slice_eq(names[i], S("lib")))
            put_like_here(arena, args, slice_fmt(arena, "/usr/%.*s", SLICE_ARG(names[i])));
    TRY(list_dir(arena, S("/usr/lib"), S(""), &names, &count));
    for (size_t i = 0; i < count; i++)
        if (!slice_eq(names[i], S("spark")))
            put_like_here(arena, args, slice_fmt(arena, "/usr/lib/%.*s", SLICE_ARG(names[i])));
    put2(args, "--symlink", S("../.." SANDBOX_SPARK_HOME), S("/usr/lib/spark"));
    return NULL;
}

/* ---- Spark's image ---- */

struct spark_image {
    struct slice java_home;      /* in the sandbox */
    struct slice java_home_here; /* to be bound there; absent: it is under /usr already */
    struct slice *jars;
    size_t jar_count;
    struct slice py4j;           /* file name */
    bool has_driver_archive, has_executor_archive;
    bool has_pyspark_dir;
};

static bool has_java(struct arena *arena, struct slice home)
{
    return home.len && access(slice_fmt(arena, "%.*s/bin/java", SLICE_ARG(home)).ptr, X_OK) == 0;
}

/* EMBER_JAVA_HOME, the machine's Java 17, JAVA_HOME, what java on the path is: Spark 3.5 does not run on every newer one. */
static struct err *find_java(struct arena *arena, struct spark_image *image)
{
    struct slice home = slice_from_cstr(getenv("EMBER_JAVA_HOME"));
    struct slice *names;
    size_t count = 0;
    if (!has_java(arena, home)) {
        struct err *e = list_dir(arena, S("/usr/lib/jvm"), S(""), &names, &count);
        err_free(e);
        home = SLICE_NONE;
        for (size_t i = 0; i < count && !home.ptr; i++) {
            struct slice candidate = slice_fmt(arena, "/usr/lib/jvm/%.*s", SLICE_ARG(names[i]));
            if (names[i].ptr[0] != '.' && slice_find(names[i], S("17")) >= 0 && has_java(arena, candidate))
                home = candidate;
        }
    }
    if (!has_java(arena, home))
        home = slice_from_cstr(getenv("JAVA_HOME"));
    char resolved[PATH_MAX];
    if (!has_java(arena, home) && realpath("/usr/bin/java", resolved) && slice_ends_with(slice_from_cstr(resolved), S("/bin/java")))
        home = slice_dup(arena, slice_sub(slice_from_cstr(resolved), 0, strlen(resolved) - strlen("/bin/java")));
    if (!has_java(arena, home))
        return err_new(ERR_UNAVAILABLE, "this machine has no Java: install a Java 17 runtime (openjdk-17-jre-headless) or set EMBER_JAVA_HOME");
    if (!realpath(slice_cstr(arena, home), resolved))
        return err_errno(errno, "cannot resolve %.*s", SLICE_ARG(home));
    home = slice_dup_cstr(arena, resolved);
    bool in_usr = slice_starts_with(home, S("/usr/"));
    image->java_home = in_usr ? home : S("/opt/java");
    image->java_home_here = in_usr ? SLICE_NONE : home;
    return NULL;
}

static bool has_archive(struct arena *arena, const struct run_container *container, const char *name)
{
    return container->archives_dir.len &&
           path_exists(slice_fmt(arena, "%.*s/%s.jsa", SLICE_ARG(container->archives_dir), name).ptr);
}

static struct err *look_at_spark(struct arena *arena, const struct run_container *container, struct spark_image *ret_image)
{
    struct spark_image image = {0};
    struct slice jars = slice_fmt(arena, "%.*s/jars", SLICE_ARG(container->spark_home));
    struct err *e = list_dir(arena, jars, S(".jar"), &image.jars, &image.jar_count);
    if (e || image.jar_count == 0) {
        err_free(e);
        return err_new(ERR_UNAVAILABLE, "there is no Spark %.*s at %.*s", SLICE_ARG(container->spark_version),
                       SLICE_ARG(container->spark_home));
    }
    TRY(find_java(arena, &image));
    struct slice *zips;
    size_t zip_count = 0;
    err_free(list_dir(arena, slice_fmt(arena, "%.*s/python/lib", SLICE_ARG(container->spark_home)), S(".zip"), &zips, &zip_count));
    for (size_t i = 0; i < zip_count; i++)
        if (slice_starts_with(zips[i], S("py4j-")))
            image.py4j = zips[i];
    image.has_pyspark_dir = path_exists(slice_fmt(arena, "%.*s/python/pyspark/__init__.py", SLICE_ARG(container->spark_home)).ptr);
    image.has_driver_archive = has_archive(arena, container, "driver");
    image.has_executor_archive = has_archive(arena, container, "executor");
    *ret_image = image;
    return NULL;
}

static struct err *put_spark(struct arena *arena, struct strbuf *args, const struct run_container *container,
                             const struct spark_image *image, struct slice pod_dir)
{
    struct slice *names;
    size_t count;
    TRY(list_dir(arena, container->spark_home, S(""), &names, &count));
    put_dir(args, "0755", SANDBOX_SPARK_HOME);
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(names[i], S("conf")) || slice_eq(names[i], S("work-dir")))
            continue; /* the pod's own */
        put2(args, "--ro-bind", slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(container->spark_home), SLICE_ARG(names[i])),
             slice_fmt(arena, SANDBOX_SPARK_HOME "/%.*s", SLICE_ARG(names[i])));
    }
    put2(args, "--bind", slice_fmt(arena, "%.*s/" WIRE_CONTAINERS_DIR "/%.*s/work", SLICE_ARG(pod_dir), SLICE_ARG(container->name)),
         S(SANDBOX_SPARK_HOME "/work-dir"));
    if (image->java_home_here.ptr)
        put2(args, "--ro-bind", image->java_home_here, image->java_home);
    if (container->python_path.len && path_exists(slice_cstr(arena, container->python_path)))
        put2(args, "--ro-bind", container->python_path, S(SANDBOX_PYTHON));
    if (image->has_driver_archive || image->has_executor_archive)
        put2(args, "--ro-bind", container->archives_dir, S(SANDBOX_ARCHIVES));
    if (container->dump_class_archive.ptr)
        put2(args, "--bind", container->dump_class_archive, S(SANDBOX_DUMP));
    return NULL;
}

/* ---- environment and command ---- */

static void put_env(struct strbuf *out, const struct run_container *container, const char *name, struct slice value)
{
    if (run_container_env(container, slice_from_cstr(name)).ptr)
        return; /* the pod's own wins */
    strbuf_append_fmt(out, "%s=%.*s", name, SLICE_ARG(value));
    strbuf_append_char(out, '\0');
}

static struct slice python_path(struct arena *arena, const struct run_container *container, const struct spark_image *image)
{
    struct strbuf path = STRBUF_ARENA(arena);
    strbuf_append_cstr(&path, image->has_pyspark_dir ? SANDBOX_SPARK_HOME "/python" : SANDBOX_SPARK_HOME "/python/lib/pyspark.zip");
    if (image->py4j.len)
        strbuf_append_fmt(&path, ":" SANDBOX_SPARK_HOME "/python/lib/%.*s", SLICE_ARG(image->py4j));
    if (container->python_path.len)
        strbuf_append_cstr(&path, ":" SANDBOX_PYTHON);
    return strbuf_slice(&path);
}

static void put_environment(struct arena *arena, struct strbuf *out, const struct run_spec *spec, const struct run_container *container,
                            const struct spark_image *image, struct slice library_path)
{
    put_env(out, container, "HOME", S(HOME));
    put_env(out, container, "HOSTNAME", spec->hostname);
    put_env(out, container, "LANG", S("C.UTF-8"));
    if (container->image == IMAGE_SPARK) {
        put_env(out, container, "PATH", slice_fmt(arena, "%.*s/bin:" SYSTEM_PATH ":" SANDBOX_SPARK_HOME "/bin", SLICE_ARG(image->java_home)));
        put_env(out, container, "JAVA_HOME", image->java_home);
        put_env(out, container, "SPARK_HOME", S(SANDBOX_SPARK_HOME));
        put_env(out, container, "SPARK_LOCAL_IP", spec->pod_ip);
        put_env(out, container, "PYSPARK_PYTHON", S("/usr/bin/python3"));
        struct slice own = run_container_env(container, S("PYTHONPATH")), ours = python_path(arena, container, image);
        strbuf_append_fmt(out, "PYTHONPATH=%.*s%s%.*s", SLICE_ARG(own), own.len ? ":" : "", SLICE_ARG(ours));
        strbuf_append_char(out, '\0');
    } else {
        put_env(out, container, "PATH", S(SYSTEM_PATH));
    }
    for (size_t i = 0; i < container->env_count; i++) {
        struct slice name = container->env[i].name, value = container->env[i].value;
        bool overridden = false;
        for (size_t j = i + 1; j < container->env_count && !overridden; j++)
            overridden = slice_eq(container->env[j].name, name);
        if (overridden || (container->image == IMAGE_SPARK && slice_eq(name, S("PYTHONPATH"))))
            continue;
        if (library_path.len && slice_eq(name, S("LD_LIBRARY_PATH")))
            strbuf_append_fmt(out, "LD_LIBRARY_PATH=%.*s:%.*s", SLICE_ARG(library_path), SLICE_ARG(value));
        else
            strbuf_append_fmt(out, "%.*s=%.*s", SLICE_ARG(name), SLICE_ARG(value));
        strbuf_append_char(out, '\0');
    }
    if (library_path.len)
        put_env(out, container, "LD_LIBRARY_PATH", library_path);
}

/* A release may bring its own entry point, as Spark's images have /opt/entrypoint.sh; it is then run with the container's arguments instead
 * of the command that we build. */
static bool has_entry_point(struct arena *arena, const struct run_container *container)
{
    return access(slice_fmt(arena, "%.*s/" ENTRY_POINT, SLICE_ARG(container->spark_home)).ptr, X_OK) == 0;
}

static struct err *build_command(struct arena *arena, const struct run_container *container, const struct spark_image *image,
                                 struct slice pod_dir, struct command *ret_command)
{
    struct spark_command_input input = {
        .container = container,
        .java = slice_fmt(arena, "%.*s/bin/java", SLICE_ARG(image->java_home)),
        .jars = image->jars,
        .jar_count = image->jar_count,
        .has_driver_archive = image->has_driver_archive,
        .has_executor_archive = image->has_executor_archive,
    };
    bool own_entry_point = container->image == IMAGE_SPARK && has_entry_point(arena, container);
    if (container->image == IMAGE_SPARK && !own_entry_point) {
        struct slice path = spark_properties_path(container);
        if (path.ptr)
            TRY(mounts_read_file(arena, container, pod_dir, path, FETCH_MAX_PROPERTIES, &input.properties));
        return spark_command_build(arena, &input, ret_command);
    }
    struct run_container plain = *container;
    if (plain.command_count == 0 && plain.arg_count == 0)
        return err_new(ERR_INVALID, "no command specified");
    struct slice *argv = ARENA_ARRAY(arena, plain.command_count + plain.arg_count + 1, struct slice);
    size_t argc = 0;
    if (own_entry_point && plain.command_count == 0)
        argv[argc++] = S(SANDBOX_SPARK_HOME "/" ENTRY_POINT);
    for (size_t i = 0; i < plain.command_count; i++)
        argv[argc++] = plain.command[i];
    for (size_t i = 0; i < plain.arg_count; i++)
        argv[argc++] = plain.args[i];
    *ret_command = (struct command){argv, argc, SLICE_NONE};
    return NULL;
}

/* ---- the whole ---- */

static void put_pod_files(struct arena *arena, struct strbuf *args, const struct run_container *container, struct slice pod_dir)
{
    static const char *const files[] = {"passwd", "group", "hostname", "resolv.conf", "nsswitch.conf"};
    struct slice own = slice_fmt(arena, "%.*s/" WIRE_CONTAINERS_DIR "/%.*s", SLICE_ARG(pod_dir), SLICE_ARG(container->name));
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        put2(args, "--ro-bind", slice_fmt(arena, "%.*s/etc/%s", SLICE_ARG(pod_dir), files[i]), slice_fmt(arena, "/etc/%s", files[i]));
    put2(args, "--ro-bind", slice_fmt(arena, "%.*s/" WIRE_HOSTS_FILE, SLICE_ARG(pod_dir)), S("/etc/hosts"));
    put2(args, "--bind", slice_fmt(arena, "%.*s/tmp", SLICE_ARG(own)), S("/tmp"));
    put2(args, "--bind", slice_fmt(arena, "%.*s/termination-log", SLICE_ARG(own)), S("/dev/termination-log"));
    put2(args, "--ro-bind", slice_fmt(arena, "%.*s/entry", SLICE_ARG(own)), S(SANDBOX_ENTRY));
}

static void put_namespaces(struct strbuf *args, const struct run_spec *spec)
{
    put(args, S("--unshare-pid"));
    put(args, S("--unshare-ipc"));
    put(args, S("--unshare-uts"));
    put1(args, "--hostname", spec->hostname);
    put(args, S("--die-with-parent"));
    put(args, S("--as-pid-1"));
    if (geteuid() == 0) {
        put1(args, "--cap-drop", S("ALL"));
        if (spec->run_uid > 0) { /* init gives them up when it becomes the pod's user */
            put1(args, "--cap-add", S("CAP_SETUID"));
            put1(args, "--cap-add", S("CAP_SETGID"));
        }
    }
}

static struct err *find_bwrap(struct arena *arena, struct slice *ret_path)
{
    for (size_t i = 0; i < ARRAY_SIZE(path_dirs); i++) {
        struct slice path = slice_fmt(arena, "%s/bwrap", path_dirs[i]);
        if (access(path.ptr, X_OK) == 0) {
            *ret_path = path;
            return NULL;
        }
    }
    return err_new(ERR_UNAVAILABLE, "this machine has no bubblewrap: install the package bubblewrap");
}

/* The main containers of Spark's pods alone: a side car may have the variable too, to know what to look at. */
static struct slice sign_of_life(const struct run_container *container)
{
    struct slice path = run_container_env(container, S("SIDECAR_SIGNAL_FILE"));
    return run_container_is_sparks(container) && slice_starts_with(path, S("/")) ? path : S("-");
}

struct err *sandbox_build(struct arena *arena, const struct run_spec *spec, const struct run_container *container, struct slice pod_dir,
                          struct slice self, struct sandbox *ret_sandbox)
{
    struct sandbox box = {.args = STRBUF_ARENA(arena), .init = STRBUF_ARENA(arena)};
    struct spark_image image = {0};
    struct command command;
    bool spark = container->image == IMAGE_SPARK;
    struct mount_check *checks;
    size_t check_count;
    TRY(find_bwrap(arena, &box.bwrap));
    if (spark)
        TRY(look_at_spark(arena, container, &image));
    TRY(build_command(arena, container, &image, pod_dir, &command));

    put_namespaces(&box.args, spec);
    if (spark)
        TRY(put_usr_with_spark(arena, &box.args));
    else
        put2(&box.args, "--ro-bind", S("/usr"), S("/usr"));
    put_system(arena, &box.args);
    if (spark)
        TRY(put_spark(arena, &box.args, container, &image, pod_dir));
    put_pod_files(arena, &box.args, container, pod_dir);
    put2(&box.args, "--ro-bind", self, S(SANDBOX_SELF));
    TRY(mounts_put(arena, &box.args, container, pod_dir, &checks, &check_count));
    put1(&box.args, "--chdir", S("/"));

    bool become = geteuid() == 0 && spec->run_uid > 0;
    put(&box.init, become ? slice_fmt(arena, "%lld", (long long)spec->run_uid) : S("-"));
    put(&box.init, container->working_dir.len ? container->working_dir : spark ? S(SANDBOX_SPARK_HOME "/work-dir") : S("/"));
    put(&box.init, sign_of_life(container));
    put(&box.init, slice_fmt(arena, "%zu", check_count));
    for (size_t i = 0; i < check_count; i++) {
        put(&box.init, checks[i].target);
        put(&box.init, slice_fmt(arena, "%llu %llu", (unsigned long long)checks[i].device, (unsigned long long)checks[i].inode));
    }
    put(&box.init, slice_fmt(arena, "%zu", command.argc));
    for (size_t i = 0; i < command.argc; i++)
        put(&box.init, command.argv[i]);
    put_environment(arena, &box.init, spec, container, &image, command.library_path);
    *ret_sandbox = box;
    return NULL;
}

/* ---- files of the pod ---- */

static struct err *make_owned_dir(struct arena *arena, struct slice path, mode_t mode, int64_t uid)
{
    const char *cpath = slice_cstr(arena, path);
    TRY(dir_make(cpath, 0755));
    if (uid > 0 && geteuid() == 0 && chown(cpath, (uid_t)uid, (gid_t)uid) < 0)
        return err_errno(errno, "cannot give %s to the pod's user", cpath);
    if (chmod(cpath, mode) < 0)
        return err_errno(errno, "cannot set the mode of %s", cpath);
    return NULL;
}

static struct err *write_plain(struct arena *arena, struct slice path, struct slice content, mode_t mode)
{
    int fd = open(slice_cstr(arena, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return err_errno(errno, "cannot write %.*s", SLICE_ARG(path));
    struct err *e = fd_write_all(fd, content);
    fchmod(fd, mode);
    close(fd);
    return e;
}

static struct err *write_etc(struct arena *arena, const struct run_spec *spec, struct slice etc)
{
    long long uid = spec->run_uid > 0 && geteuid() == 0 ? spec->run_uid : (long long)geteuid();
    struct slice passwd = slice_fmt(arena, "root:x:0:0:root:/root:/usr/sbin/nologin\n%s%lld:%lld:Pod:" HOME ":/bin/sh\n"
                                    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
                                    "hadoop:x:", uid, uid);
    struct slice group = slice_fmt(arena, "root:x:0:\nhadoop:x:%lld:\nnogroup:x:65534:\n", uid);
    struct slice resolv = S("");
    /* Without one names of the outer world do not resolve; that is the machine's own state. */
    struct err *e = file_read(arena, "/etc/resolv.conf", 65536, &resolv);
    err_free(e);
    TRY(write_plain(arena, slice_fmt(arena, "%.*s/passwd", SLICE_ARG(etc)), passwd, 0644));
    TRY(write_plain(arena, slice_fmt(arena, "%.*s/group", SLICE_ARG(etc)), group, 0644));
    TRY(write_plain(arena, slice_fmt(arena, "%.*s/hostname", SLICE_ARG(etc)), slice_fmt(arena, "%.*s\n", SLICE_ARG(spec->hostname)), 0644));
    TRY(write_plain(arena, slice_fmt(arena, "%.*s/resolv.conf", SLICE_ARG(etc)), resolv, 0644));
    return write_plain(arena, slice_fmt(arena, "%.*s/nsswitch.conf", SLICE_ARG(etc)),
                       S("passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n"), 0644);
}

struct err *sandbox_prepare(struct arena *arena, const struct run_spec *spec, const struct run_container *container, struct slice pod_dir)
{
    struct slice etc = slice_fmt(arena, "%.*s/etc", SLICE_ARG(pod_dir));
    TRY(dir_make(etc.ptr, 0755));
    if (!path_exists(slice_fmt(arena, "%.*s/nsswitch.conf", SLICE_ARG(etc)).ptr))
        TRY(write_etc(arena, spec, etc));
    struct slice hosts = slice_fmt(arena, "%.*s/" WIRE_HOSTS_FILE, SLICE_ARG(pod_dir));
    if (!path_exists(hosts.ptr))
        TRY(write_plain(arena, hosts, S("127.0.0.1\tlocalhost\n"), 0644));
    struct slice own = slice_fmt(arena, "%.*s/" WIRE_CONTAINERS_DIR "/%.*s", SLICE_ARG(pod_dir), SLICE_ARG(container->name));
    TRY(dir_make(own.ptr, 0755));
    TRY(make_owned_dir(arena, slice_fmt(arena, "%.*s/tmp", SLICE_ARG(own)), 01777, spec->run_uid));
    TRY(make_owned_dir(arena, slice_fmt(arena, "%.*s/work", SLICE_ARG(own)), 0755, spec->run_uid));
    TRY(make_owned_dir(arena, slice_fmt(arena, "%.*s/entry", SLICE_ARG(own)), 0755, 0));
    return write_plain(arena, slice_fmt(arena, "%.*s/termination-log", SLICE_ARG(own)), S(""), 0666);
}
