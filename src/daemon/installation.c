/* installation: see the header. */
#include "daemon/installation.h"
#include "base/arena.h"
#include "base/fd.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SPARKS 64
/* build/src/daemon/emberd is four levels below what holds .deps. */
#define MAX_LEVELS 5

static char *join(struct arena *arena, const char *dir, const char *name)
{
    return slice_cstr(arena, slice_fmt(arena, "%s/%s", dir, name));
}

static const char *parent(struct arena *arena, const char *path)
{
    struct slice s = slice_from_cstr(path);
    ptrdiff_t slash = slice_rindex(s, '/');
    return slash <= 0 ? "/" : slice_cstr(arena, slice_sub(s, 0, (size_t)slash));
}

static const char *executable_dir(struct arena *arena)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (len <= 0)
        return "/";
    path[len] = 0;
    return parent(arena, slice_cstr(arena, slice_of(path, (size_t)len)));
}

/* name in the first of dir and its parents that has it; NULL: none. */
static const char *find_upwards(struct arena *arena, const char *dir, const char *name)
{
    for (int level = 0; level < MAX_LEVELS; level++) {
        const char *path = join(arena, dir, name);
        if (path_exists(path))
            return path;
        dir = parent(arena, dir);
    }
    return NULL;
}

static const char *find_program(struct arena *arena, const char *name)
{
    const char *path = getenv("PATH");
    struct slice rest = slice_from_cstr(path ? path : "/usr/local/bin:/usr/bin:/bin");
    while (rest.ptr) {
        struct slice dir = slice_cut(&rest, ':');
        char *candidate = slice_cstr(arena, slice_fmt(arena, "%.*s/%s", SLICE_ARG(dir), name));
        if (dir.len && access(candidate, X_OK) == 0)
            return candidate;
    }
    return NULL;
}

static const char *find_java(struct arena *arena)
{
    const char *home = getenv("JAVA_HOME");
    if (home && *home) {
        const char *path = join(arena, home, "bin/java");
        if (access(path, X_OK) == 0)
            return path;
    }
    return find_program(arena, "java");
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void list_sparks(struct arena *arena, struct installation *found)
{
    char *dir = slice_cstr(arena, found->spark_dir);
    DIR *handle = opendir(dir);
    if (!handle)
        return;
    struct slice *versions = ARENA_ARRAY(arena, MAX_SPARKS, struct slice);
    for (struct dirent *entry; found->spark_count < MAX_SPARKS && (entry = readdir(handle));) {
        if (entry->d_name[0] == '.')
            continue;
        if (path_exists(slice_cstr(arena, slice_fmt(arena, "%s/%s/jars", dir, entry->d_name))))
            versions[found->spark_count++] = slice_dup_cstr(arena, entry->d_name);
    }
    closedir(handle);
    qsort(versions, found->spark_count, sizeof(versions[0]), by_text);
    found->sparks = versions;
}

struct installation installation_find(struct arena *arena)
{
    static const char *const runner_places[] = {"ember-run", "runner/ember-run", "src/runner/ember-run"};
    struct installation found = {.spark_dir = SLICE_NONE, .archives_dir = SLICE_NONE, .python_path = SLICE_NONE};
    const char *dir = executable_dir(arena);
    for (size_t i = 0; i < ARRAY_SIZE(runner_places) && !found.runner_path; i++)
        found.runner_path = find_upwards(arena, dir, runner_places[i]);
    const char *sparks = getenv("EMBER_SPARK_DIR");
    if (!sparks || !*sparks)
        sparks = find_upwards(arena, dir, ".deps/spark");
    if (sparks) {
        found.spark_dir = slice_dup_cstr(arena, sparks);
        list_sparks(arena, &found);
    }
    found.archives_dir = slice_from_cstr(find_upwards(arena, dir, ".deps/archives"));
    found.python_path = slice_from_cstr(find_upwards(arena, dir, ".deps/venv/lib/python3.11/site-packages"));
    found.java_path = find_java(arena);
    found.bwrap_path = find_program(arena, "bwrap");
    return found;
}

size_t installation_list_gaps(const struct installation *installation, const char **ret_sentences, size_t max)
{
    const struct {
        bool missing;
        const char *sentence;
    } checks[] = {
        {!installation->java_path, "There is no java here: install openjdk-17-jre-headless (or set JAVA_HOME) before running a job."},
        {!installation->bwrap_path, "There is no bwrap here: install bubblewrap, the sandbox of every pod, before running a job."},
        {!installation->spark_count, "No Spark is installed here: run make setup, or say with EMBER_SPARK_DIR where the Spark homes are."},
        {!installation->runner_path, "ember-run is not beside this program: run make build, or install the whole package."},
    };
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(checks) && count < max; i++)
        if (checks[i].missing)
            ret_sentences[count++] = checks[i].sentence;
    return count;
}
